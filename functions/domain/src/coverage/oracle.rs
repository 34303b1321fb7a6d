//! Brute force against the sweep: on tiny histories every anchor is restored and every log tried in every state, by the engine's
//! own test, until nothing new is reached. Shares no code with the sweep and none with `chain`: it reads headers only.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::{Window, window};
use crate::backup::{Backup, HeldIn, Kind, RecoveryModel};
use crate::history::History;
use crate::id::Guid;
use crate::lsn::Lsn;

/// Moments are minutes. A fork is a letter.
pub(crate) type Minute = i64;

/// Where a restore stands: redo point, fork.
type Stand = (u128, String);

pub(crate) fn minute(at: Timestamp) -> Minute {
    at.as_second() / 60
}

fn fork(backup: &Backup) -> (String, String) {
    let text = |guid: &Option<Guid>| guid.as_ref().map_or_else(String::new, Guid::to_string);
    (text(&backup.first_fork), text(&backup.last_fork))
}

/// All moments that some sequence of restores can stop at.
pub(crate) fn moments(rows: &[Backup]) -> BTreeSet<Minute> {
    let mut reached = BTreeSet::new();
    for anchor in rows.iter().filter(|row| can_begin(row, rows)) {
        reached.insert(minute(anchor.finished));
        let start: Stand = (anchor.last_lsn.value(), fork(anchor).1);
        // The moment a stand was reached at; a stand can be reached at several.
        let mut open = vec![(start, minute(anchor.finished))];
        let mut seen = BTreeSet::new();
        while let Some((stand, since)) = open.pop() {
            if !seen.insert((stand.clone(), since)) {
                continue;
            }
            for log in rows.iter().filter(|row| row.kind == Kind::Log && !row.damaged) {
                let (first, last) = (log.first_lsn.value(), log.last_lsn.value());
                let (entry, exit) = fork(log);
                let past_fork =
                    entry != exit && log.fork_point_lsn.is_some_and(|point| stand.0 > point.value());
                if entry != stand.1 || past_fork || first > stand.0 || last < stand.0 {
                    continue;
                }
                let end = minute(log.finished);
                let stop_from = match (log.bulk_logged && last > stand.0, entry == exit) {
                    (true, _) => end,
                    (false, true) => since,
                    (false, false) => minute(log.started),
                };
                reached.extend(stop_from..=end);
                open.push(((last, exit), since.max(end)));
            }
        }
    }
    reached
}

fn can_begin(row: &Backup, rows: &[Backup]) -> bool {
    if row.damaged {
        return false;
    }
    match row.kind {
        Kind::Full | Kind::CopyOnly => true,
        Kind::Log | Kind::Snapshot => false,
        Kind::Differential => rows.iter().any(|base| {
            Some(base.id.as_str()) == row.differential_base_guid.as_ref().map(Guid::as_str)
                && base.kind == Kind::Full
                && !base.damaged
        }),
    }
}

/// What a small random history is made of.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    kind: u8,
    /// LSNs that the item takes.
    length: u64,
    /// Where a log begins, relative to the end of the log before it.
    shift: i64,
    marks: u8,
    /// Whether the database is recovered to an earlier point before this item.
    recovers: bool,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..12, 0_u64..12, -12_i64..8, 0_u8..64, prop::bool::weighted(0.06));
    let step =
        step.prop_map(|(kind, length, shift, marks, recovers)| Step { kind, length, shift, marks, recovers });
    prop::collection::vec(step, 1..11)
}

/// A server that never lies: LSNs and clock rise together, and a log holds what its header says.
pub(crate) fn rows(steps: &[Step]) -> Vec<Backup> {
    let mut rows: Vec<Backup> = Vec::new();
    let (mut lsn, mut log_end, mut branch, mut base) = (100_u64, 100_u64, 0_u8, None);
    let name = |branch: u8| Guid::new(char::from(b'a' + branch).to_string());
    for (number, step) in (1_i64..).zip(steps) {
        let crossing = step.recovers && number > 1;
        let point = lsn;
        if crossing {
            branch += 1;
        }
        let kind = match step.kind {
            0..=6 => Kind::Log,
            7 | 8 => Kind::Full,
            9 => Kind::Differential,
            10 => Kind::CopyOnly,
            _ => Kind::Snapshot,
        };
        // A data backup writes log records itself: only a log right after a log can be empty.
        let idle = kind == Kind::Log && lsn == log_end && !crossing;
        lsn += if idle { step.length } else { step.length.max(1) };
        let (first, last) = match kind {
            Kind::Log => {
                let shifted =
                    if step.marks & 1 == 0 { log_end } else { log_end.saturating_add_signed(step.shift) };
                let last = lsn.max(log_end);
                log_end = last;
                (shifted.min(last), last)
            }
            _ => (lsn.saturating_sub(2), lsn + 1),
        };
        lsn = lsn.max(last);
        let finished = Timestamp::from_second(number * 600).unwrap();
        let lsns = (Lsn::from_u64(first), Lsn::from_u64(last));
        let mut row = Backup::new(number.to_string(), "db", kind, lsns, finished);
        row.started = finished - SignedDuration::from_mins(3);
        row.damaged = step.marks & 0b110 == 0b110;
        row.bulk_logged = kind == Kind::Log && step.marks & 0b11000 == 0b11000;
        row.held_in = if kind == Kind::Log && step.marks & 32 != 0 { HeldIn::Service } else { HeldIn::Vault };
        row.last_fork = Some(name(branch));
        row.first_fork = row.last_fork.clone();
        if crossing && kind == Kind::Log {
            row.first_fork = Some(name(branch - 1));
            row.fork_point_lsn = Some(Lsn::from_u64(point));
        }
        if kind == Kind::Differential {
            row.differential_base_guid = base.map(|base: i64| Guid::new(base.to_string()));
        }
        if matches!(kind, Kind::Full | Kind::Snapshot) {
            base = Some(number);
        }
        rows.push(row);
    }
    rows
}

fn claimed(window: &Window) -> BTreeSet<Minute> {
    let runs = window.intervals.iter().flat_map(|interval| minute(interval.from)..=minute(interval.to));
    runs.chain(window.points.iter().map(|point| minute(point.at))).collect()
}

fn of(rows: Vec<Backup>) -> Window {
    let history = History::build(rows, vec![], Timestamp::MAX).unwrap();
    window(&history.lineages()[0]).0
}

pub(crate) fn config(seed: u64, cases: u32) -> Config {
    Config { failure_persistence: None, rng_seed: RngSeed::Fixed(seed), cases, ..Config::default() }
}

proptest! {
    #![proptest_config(config(8, 4000))]

    #[test]
    fn a_window_holds_exactly_the_moments_that_brute_force_reaches(steps in steps()) {
        let rows = rows(&steps);
        let expected = moments(&rows);
        let window = of(rows.clone());
        prop_assert_eq!(claimed(&window), expected, "{:#?}\n{:#?}", rows, window);
    }

    /// What survives the loss of the instance is exactly what the vault alone reaches; a single moment inside an
    /// interval of the service is not told apart.
    #[test]
    fn the_vault_claims_what_it_reaches_alone(steps in steps()) {
        let rows = rows(&steps);
        let in_vault = |row: &&Backup| row.held_in == HeldIn::Vault;
        let expected = moments(&rows.iter().filter(in_vault).cloned().collect::<Vec<_>>());
        let window = of(rows);
        for interval in &window.intervals {
            let (from, to) = (minute(interval.from), minute(interval.to));
            if interval.held_in == HeldIn::Vault {
                prop_assert!((from..=to).all(|minute| expected.contains(&minute)), "{:#?}", window);
            } else {
                let mut inside = expected.range(from + 1..to.max(from + 1));
                let alone = |minute: &Minute| !expected.contains(&(minute + 1)) && !expected.contains(&(minute - 1));
                prop_assert!(inside.all(alone), "{:#?}", window);
            }
        }
        prop_assert!(expected.is_subset(&claimed(&window)));
    }

    /// Holes lie between the moments and nowhere else, in order and without overlap.
    #[test]
    fn holes_are_the_complement(steps in steps()) {
        let rows = rows(&steps);
        let window = of(rows);
        let moments = claimed(&window);
        for hole in &window.holes {
            prop_assert!(hole.from <= hole.to, "{:?}", hole);
            let inside = (minute(hole.from) + 1)..minute(hole.to);
            prop_assert!(moments.range(inside).next().is_none(), "{:#?}", window);
        }
        prop_assert!(window.holes.is_sorted_by(|left, right| left.to <= right.from), "{:#?}", window.holes);
        let Some((first, last)) = moments.first().zip(moments.last()) else { return Ok(()) };
        for gap in (*first..*last).filter(|minute| !moments.contains(minute)) {
            let holes = window.holes.iter().filter(|hole| minute(hole.from) <= gap && gap <= minute(hole.to));
            prop_assert_eq!(holes.count(), 1, "minute {} of {:#?}", gap, window);
        }
    }
}

pub(crate) fn any_backup() -> impl Strategy<Value = Backup> {
    let numbers = (0_u64..30, 0_u64..30, 0_i64..2000, -2000_i64..2000, prop::option::of(0_u64..30), 0_u8..5);
    let texts = (0_u8..12, prop::option::of(0_u8..3), prop::option::of(0_u8..3), prop::option::of(0_u8..12));
    let bits =
        (any::<u8>(), prop::option::of(0_i64..4000), prop::option::of(0_u64..30), prop::option::of(0_u8..3));
    (numbers, texts, bits).prop_map(
        |((first, length, finished, before, lsn, kind), (id, entry, exit, base), bits)| {
            let (marks, valid, point, family) = bits;
            let kind = [Kind::Full, Kind::Differential, Kind::Log, Kind::CopyOnly, Kind::Snapshot]
                [usize::from(kind)];
            let at = |second: i64| Timestamp::from_second(second).unwrap();
            // A log may even end before it begins: rows of the task store are not read from msdb.
            let last = if marks & 0b100_0000 == 0 { first + length } else { length };
            let lsns = (Lsn::from_u64(first), Lsn::from_u64(last));
            let mut row =
                Backup::new(format!("{id}-{first}-{finished}-{marks}"), "db", kind, lsns, at(finished));
            row.started = at(finished + before);
            row.last_valid_restore_time = valid.map(at);
            row.checkpoint_lsn = lsn.map(Lsn::from_u64);
            row.database_backup_lsn = point.map(Lsn::from_u64);
            row.differential_base_guid = base.map(|base| Guid::new(base.to_string()));
            row.first_fork = entry.map(|fork| Guid::new(fork.to_string()));
            row.last_fork = exit.map(|fork| Guid::new(fork.to_string()));
            row.fork_point_lsn = point.map(Lsn::from_u64);
            row.family_guid = family.map(|family| Guid::new(family.to_string()));
            row.database_guid = (marks & 0b1000_0000 == 0).then(|| Guid::from("d"));
            row.damaged = marks & 0b11 == 0b11;
            row.bulk_logged = marks & 0b1100 == 0b1100;
            row.held_in = if marks & 0b1_0000 != 0 { HeldIn::Service } else { HeldIn::Vault };
            row.recovery_model = (marks & 0b10_0000 != 0).then_some(RecoveryModel::Simple);
            row
        },
    )
}

proptest! {
    #![proptest_config(config(11, 3000))]

    /// Whatever headers say, there is an answer, and it does not contradict itself.
    #[test]
    fn random_headers_have_a_window(rows in prop::collection::vec(any_backup(), 0..25)) {
        let Ok(history) = History::build(rows, vec![], Timestamp::MAX) else { return Ok(()) };
        for lineage in history.lineages() {
            let (window, _) = window(lineage);
            prop_assert!(window.intervals.iter().all(|interval| interval.from <= interval.to), "{:#?}", window);
            prop_assert!(window.holes.iter().all(|hole| hole.from <= hole.to), "{:#?}", window);
            prop_assert!(window.intervals.is_sorted_by(|left, right| left.from <= right.from), "{:#?}", window);
            for interval in &window.intervals {
                prop_assert!(lineage.find(interval.anchor.as_str()).is_some());
                prop_assert_eq!(interval.logs.count == 0, interval.logs.first.is_none());
            }
        }
    }
}
