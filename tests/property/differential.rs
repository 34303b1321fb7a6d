//! May a differential be taken, must a full be taken instead, and how often? Stories of fulls, snapshots and failovers, read
//! from the right by the oracle; restores counted file by file; promotions counted minute by minute.

use domain::admission::{Verdict, Weighed, admit_differential, lineage_of};
use domain::backup::{Backup, Kind};
use domain::facts::{DatabaseState, RecoveryModel};
use domain::id::{BackupId, Guid};
use domain::inventory::{Database, LastDifferential, LastFull, Lineage};
use domain::lsn::Lsn;
use domain::policy::{LogCopySchedule, Objectives, Policy, RpoMinutes, Schedule, Times};
use domain::promotion::promote;
use domain::reason::{Class, Reason};
use jiff::civil::Time;
use proptest::prelude::*;

use crate::{config, minute};

const DAY: i64 = 24 * 60;
/// Monday 2026-11-16T00:00:00Z in minutes since 1970.
const MONDAY: i64 = 1_794_787_200 / 60;
/// Full on Sunday at 01:00, differentials on the other days at 20:00, as minutes of a week from Monday.
const FULL: i64 = 6 * DAY + 60;
const DIFFERENTIAL: i64 = 20 * 60;
/// A log file every five minutes, and each step of a restore waits as long.
const FILE: i64 = 5;
const WAIT: i64 = 5;

/// One thing that happens to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    OurFull,
    /// On whatever is the base; it restores if that is ours.
    OurDifferential,
    ForeignFull,
    CopyOnly,
    Snapshot,
    /// The rows of msdb stay on the other node.
    Failover,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::OurFull),
        2 => Just(Event::OurDifferential),
        1 => Just(Event::ForeignFull),
        1 => Just(Event::CopyOnly),
        2 => Just(Event::Snapshot),
        1 => Just(Event::Failover),
    ]
}

/// Everything around the events.
#[derive(Debug, Clone)]
struct Case {
    /// Events with the minutes between them.
    events: Vec<(i64, Event)>,
    /// The week's minute of the question.
    now: i64,
    rto: Option<u32>,
    broken: bool,
    simple: bool,
    /// The login may not see the files.
    blind: bool,
    /// Minutes that the bytes of a full take; of a differential half as many.
    full_minutes: i64,
}

fn case() -> impl Strategy<Value = Case> {
    let events = prop::collection::vec((1_i64..DAY, event()), 0..7);
    let rto = prop::option::of(prop_oneof![5_u32..10_081, 1_400_u32..1_600, 2_700_u32..3_100]);
    let rare = || prop::bool::weighted(0.1);
    (events, 0..7 * DAY, rto, rare(), rare(), rare(), 0_i64..120).prop_map(
        |(events, now, rto, broken, simple, blind, full_minutes)| Case {
            events,
            now,
            rto,
            broken,
            simple,
            blind,
            full_minutes,
        },
    )
}

fn policy(rto_minutes: Option<u32>, promotions_per_day: u32) -> Policy {
    let at = |hour: i8| Time::constant(hour, 0, 0, 0);
    let objectives =
        Objectives { window_days: 7, rpo_minutes: RpoMinutes { damage: 10, instance: 150 }, rto_minutes };
    let schedule = Schedule {
        time_zone: "Etc/UTC".to_owned(),
        full: Times::weekly(&["sun"], at(1)),
        differential: Some(Times::weekly(&["mon", "tue", "wed", "thu", "fri", "sat"], at(20))),
        log_copy: LogCopySchedule { every_minutes: 60 },
        guards: Vec::new(),
    };
    Policy { promotions_per_day, ..Policy::new("p", objectives, schedule) }
}

/// The events with the minute each happened in, the last before the question.
fn dated(case: &Case) -> Vec<(usize, i64, Event)> {
    let mut at = MONDAY + case.now;
    let mut dated: Vec<_> = case
        .events
        .iter()
        .enumerate()
        .rev()
        .map(|(id, (before, event))| {
            at -= before;
            (id, at, *event)
        })
        .collect();
    dated.reverse();
    dated
}

/// Bytes a second in these stories.
const SPEED: u64 = 1;

fn bytes(minutes: i64) -> u64 {
    u64::try_from(minutes * 60).expect("not negative")
}

/// What the product would know: the head, the live row, the history in reach.
fn known(case: &Case) -> (Database, DatabaseState, Vec<Backup>) {
    let mut live = DatabaseState {
        name: "orders".to_owned(),
        id: 7,
        state: "ONLINE".to_owned(),
        recovery_model: Some(if case.simple { RecoveryModel::Simple } else { RecoveryModel::Full }),
        database_guid: Some(Guid::from("d1")),
        family_guid: Some(Guid::from("f1")),
        recovery_fork_guid: None,
        last_log_backup_lsn: Some(Lsn::from_u64(1)),
        differential_base_guid: None,
        differential_base_lsn: None,
        data_bytes: None,
        files: 2,
        filestream: false,
        read_only: false,
        snapshot_of: None,
        server: 0,
    };
    let mut database = Database::new("sales", "orders");
    database.lineage = lineage_of(&live);
    database.broken = case.broken.then(|| Reason::new(Class::Wait, "ChainBroken", "a gap"));
    let mut history = Vec::new();
    for (number, at, event) in dated(case) {
        let (id, finished) = (BackupId::new(format!("b{number}")), minute(at));
        let kind = match event {
            Event::OurFull | Event::ForeignFull => Kind::Full,
            Event::OurDifferential => Kind::Differential,
            Event::CopyOnly => Kind::CopyOnly,
            Event::Snapshot => Kind::Snapshot,
            Event::Failover => {
                history.clear();
                continue;
            }
        };
        match event {
            Event::OurFull => {
                database.last_full = Some(LastFull {
                    id: id.clone(),
                    started_at: finished,
                    finished_at: finished,
                    last_lsn: Lsn::ZERO,
                    size_bytes: bytes(case.full_minutes),
                });
            }
            Event::OurDifferential => {
                let base = live.differential_base_guid.as_ref().map(|base| BackupId::new(base.as_str()));
                if let Some(base) =
                    base.filter(|base| database.last_full.as_ref().is_some_and(|full| full.id == *base))
                {
                    database.last_differential = Some(LastDifferential {
                        id: id.clone(),
                        base,
                        finished_at: finished,
                        last_lsn: Lsn::ZERO,
                        size_bytes: bytes(case.full_minutes / 2),
                    });
                }
            }
            Event::ForeignFull | Event::CopyOnly | Event::Snapshot | Event::Failover => {}
        }
        if matches!(kind, Kind::Full | Kind::Snapshot) {
            live.differential_base_guid = Some(Guid::from(id.as_str()));
        }
        history.push(Backup::new(id, "orders", kind, (Lsn::ZERO, Lsn::ZERO), finished));
    }
    if case.blind {
        (live.files, live.differential_base_guid) = (0, None);
    }
    (database, live, history)
}

/// Minutes of the longest restore to any moment between two, on so many data backups whose bytes take so long: every file in
/// turn makes one more step, and the recovery is one.
fn longest(from: i64, to: i64, data: i64, minutes: i64) -> i64 {
    let mut steps = data + 1;
    let mut made = from + FILE;
    while made <= to {
        steps += 1;
        made += FILE;
    }
    steps * WAIT + minutes
}

/// The first minute after `now` at which the week asks for a full, or for any data backup.
fn next(now: i64, differential_too: bool) -> i64 {
    let asked = |at: i64| {
        let week = (at - MONDAY).rem_euclid(7 * DAY);
        week == FULL || (differential_too && week < 6 * DAY && week % DAY == DIFFERENTIAL)
    };
    (now + 1..=now + 7 * DAY).find(|at| asked(*at)).expect("the week comes round")
}

/// What should come of it, in words, from the events read backwards.
fn expected(case: &Case) -> String {
    let events = dated(case);
    let Some(ours) = events.iter().rposition(|(.., event)| *event == Event::OurFull) else {
        return "skip NoFullYet".to_owned();
    };
    if case.blind {
        return "skip FilesNotVisible".to_owned();
    }
    let is_base = |event: Event| matches!(event, Event::OurFull | Event::ForeignFull | Event::Snapshot);
    let base = events.iter().rposition(|(.., event)| is_base(*event)).expect("ours is one");
    if base == ours {
        return "differential".to_owned();
    }
    if case.broken || case.simple {
        return "full WindowDemandsFull".to_owned();
    }
    let now = MONDAY + case.now;
    let lost = events
        .iter()
        .enumerate()
        .skip(ours)
        .find(|(_, (.., event))| is_base(*event) && *event != Event::OurFull);
    let until_lost = lost.map_or(events.len(), |(place, _)| place);
    let differential = events[ours..until_lost].iter().rfind(|(.., event)| *event == Event::OurDifferential);
    let without = match differential {
        Some((_, at, _)) => longest(*at, next(now, false), 2, case.full_minutes + case.full_minutes / 2),
        None => longest(events[ours].1, next(now, false), 1, case.full_minutes),
    };
    let with = longest(now, next(now, true), 1, case.full_minutes);
    if case.rto.is_some_and(|rto| without > i64::from(rto) && with <= i64::from(rto)) {
        return "full RtoDemandsFull".to_owned();
    }
    let forgotten = events[base..].iter().any(|(.., event)| *event == Event::Failover);
    match (events[base].2, forgotten) {
        (_, true) => "skip BaseIsUnknown",
        (Event::Snapshot, _) => "skip BaseIsSnapshot",
        _ => "skip BaseIsForeignFull",
    }
    .to_owned()
}

proptest! {
    #![proptest_config(config(11, 6_000))]

    #[test]
    fn a_differential_is_taken_on_our_full_alone_and_a_full_instead_only_where_it_is_needed(case in case()) {
        let (database, live, history) = known(&case);
        let weighed = Weighed {
            policy: &policy(case.rto, 2),
            history: &history,
            bytes_per_second: SPEED,
            full_is_open: false,
            now: minute(MONDAY + case.now),
        };
        let said = match admit_differential(&database, Some(&live), &weighed).expect("a policy in range") {
            Verdict::Admit(_) => "differential".to_owned(),
            Verdict::Defer(reason) => format!("defer {}", reason.name),
            Verdict::Skip(reason) => format!("skip {}", reason.name),
            Verdict::Promote(reason) => format!("full {}", reason.name),
        };
        prop_assert_eq!(said, expected(&case), "{:?}", case);
    }

    /// In no 24 hours are there more fulls out of turn than the policy allows, and none is refused that it allows. A database
    /// that was restored under the name is another one: until its first full came about it is refused none, and nobody counts.
    #[test]
    fn promotions_stay_within_their_limit(
        limit in 0_u32..5,
        steps in prop::collection::vec((0_i64..900, prop::bool::weighted(0.1), prop::bool::weighted(0.5)), 0..40),
    ) {
        let policy = policy(None, limit);
        let why = Reason::new(Class::Wait, "ChainBroken", "a gap");
        let lineage = |number: usize| Lineage {
            family_guid: Guid::from("f1"),
            database_guid: Guid::new(format!("d{number}")),
            server: 0,
        };
        let mut database = Database::new("sales", "orders");
        database.lineage = Some(lineage(0));
        database.last_full = Some(full_at(MONDAY));
        // Which incarnation is on the server, and which one the newest full saved.
        let (mut now, mut live, mut saved, mut granted) = (MONDAY, 0, 0, Vec::new());
        for (pause, restored, comes_about) in steps {
            now += pause;
            live += usize::from(restored);
            let recent = granted.iter().filter(|at| now - **at < DAY).count();
            let allowed = promote(&policy, &mut database, Some(&lineage(live)), &why, minute(now)).is_ok();
            if live != saved {
                prop_assert!(allowed, "the first full of incarnation {}", live);
                granted.clear();
                if comes_about {
                    saved = live;
                    database.lineage = Some(lineage(live));
                    database.last_full = Some(full_at(now));
                }
                continue;
            }
            prop_assert_eq!(allowed, recent < limit as usize, "{:?} at {}", granted, now);
            if allowed {
                granted.push(now);
            }
        }
    }

    /// Before the first full there is no turn to be out of.
    #[test]
    fn first_fulls_are_no_promotions(limit in 0_u32..5, tries in 1_usize..20) {
        let why = Reason::new(Class::Wait, "NoFullYet", "no full");
        let mut database = Database::new("sales", "orders");
        for attempt in 0..tries {
            let at = minute(MONDAY + i64::try_from(attempt).expect("few"));
            prop_assert!(promote(&policy(None, limit), &mut database, None, &why, at).is_ok());
        }
        prop_assert!(database.promoted_at.is_empty());
    }
}

fn full_at(at: i64) -> LastFull {
    LastFull {
        id: BackupId::from("b"),
        started_at: minute(at),
        finished_at: minute(at),
        last_lsn: Lsn::ZERO,
        size_bytes: 1,
    }
}
