//! Which log files may be copied next? A scan from the left, one file at a time, over lists with gaps, overlaps and errors.

use domain::admission::{FileRange, Verdict, admit_log_copy, lineage_of};
use domain::facts::{DatabaseState, LogFile, RecoveryModel};
use domain::id::{BackupId, Guid};
use domain::inventory::{Database, LastFull, LogTail};
use domain::lsn::Lsn;
use proptest::prelude::*;

use crate::{config, minute};

/// How one file differs from the perfect successor of the one before.
#[derive(Debug, Clone)]
struct Step {
    length: u64,
    /// LSNs that lack before it (or are there twice).
    shift: i64,
    /// Numbers that lack before it.
    missing: u64,
    broken: bool,
    /// The service could not read it: with its LSNs, or without, as most rows with an error.
    error: Option<bool>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rarely = |chance: f64| prop::bool::weighted(chance);
    let shift = prop_oneof![12 => Just(0_i64), 1 => 1_i64..4, 1 => -4_i64..0];
    let missing = prop_oneof![12 => Just(0_u64), 1 => 1_u64..3];
    let step = (0_u64..8, shift, missing, rarely(0.06), prop::option::weighted(0.06, any::<bool>()));
    let step = step.prop_map(|(length, shift, missing, broken, error)| Step {
        length,
        shift,
        missing,
        broken,
        error,
    });
    prop::collection::vec(step, 0..14)
}

fn files(steps: &[Step]) -> Vec<LogFile> {
    let (mut at, mut seq) = (100_u64, 0);
    (1_i64..)
        .zip(steps)
        .map(|(number, step)| {
            let first = at.saturating_add_signed(step.shift);
            let last = (first + step.length).max(at);
            (at, seq) = (last, seq + 1 + step.missing);
            let blank = step.error == Some(false);
            let lsn = |lsn: u64| if blank { Lsn::ZERO } else { Lsn::from_u64(lsn) };
            LogFile {
                database_id: 7,
                family_guid: Guid::from("f1"),
                seq,
                epoch: 0,
                made_at: minute(5 * number),
                first_lsn: lsn(first),
                last_lsn: lsn(last),
                chain_broken: step.broken || blank,
                size_bytes: 1,
                error: step.error.map(|_| "unreadable".to_owned()),
            }
        })
        .collect()
}

fn live() -> DatabaseState {
    DatabaseState {
        name: "orders".to_owned(),
        id: 7,
        state: "ONLINE".to_owned(),
        recovery_model: Some(RecoveryModel::Full),
        database_guid: Some(Guid::from("d1")),
        family_guid: Some(Guid::from("f1")),
        recovery_fork_guid: Some(Guid::from("k1")),
        last_log_backup_lsn: Some(Lsn::from_u64(1)),
        differential_base_guid: None,
        differential_base_lsn: None,
        data_bytes: None,
        files: 2,
        filestream: false,
        read_only: false,
        snapshot_of: None,
        server: 0,
    }
}

/// A database whose full ends at an LSN and a minute, and whose logs in the vault end at another LSN, if it has any.
fn database((full, finished): (u64, i64), tail: Option<u64>) -> Database {
    let mut database = Database::new("sales", "orders");
    database.lineage = lineage_of(&live());
    database.last_full = Some(LastFull {
        id: BackupId::from("1"),
        started_at: minute(0),
        finished_at: minute(finished),
        last_lsn: Lsn::from_u64(full),
        size_bytes: 1,
    });
    database.log_tail = tail.map(|lsn| LogTail {
        seq: 0,
        last_lsn: Lsn::from_u64(lsn),
        made_at: minute(0),
        fork: Some(Guid::from("k1")),
    });
    database
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// These numbers.
    Copy(u64, u64),
    /// There is nothing new.
    Nothing,
    /// The chain cannot go on.
    Full,
}

/// Goes through the files in order and keeps those that go on where the vault ends.
fn scan((full, finished): (u64, i64), tail: Option<u64>, files: &[LogFile]) -> Expected {
    let end = u128::from(tail.unwrap_or(full));
    let (mut taken, mut reached): (Vec<u64>, u128) = (Vec::new(), end);
    for file in files {
        let (first, last) = (file.first_lsn.value(), file.last_lsn.value());
        let good = file.error.is_none();
        let begins = match (taken.last(), tail) {
            (Some(before), _) => good && !file.chain_broken && file.seq == before + 1 && first == reached,
            // What ended before the full is of no use, and nor is anything wrong with it. A file that ends where the full
            // ends was made after it on an idle database: it shows that nothing happened.
            (None, None) if last < end || (last == end && file.made_at < minute(finished)) => continue,
            (None, None) => good && first <= end,
            (None, Some(_)) => good && !file.chain_broken && first == end,
        };
        if !begins {
            return taken
                .first()
                .zip(taken.last())
                .map_or(Expected::Full, |(from, to)| Expected::Copy(*from, *to));
        }
        taken.push(file.seq);
        reached = last;
    }
    taken.first().zip(taken.last()).map_or(Expected::Nothing, |(from, to)| Expected::Copy(*from, *to))
}

proptest! {
    #![proptest_config(config(5, 8_000))]

    #[test]
    fn a_copy_goes_on_where_the_vault_ends_skips_nothing_and_takes_all_it_can(
        steps in steps(),
        full in (95_u64..160, 0_i64..70),
        tail in prop::option::of(prop_oneof![4 => Just(100_u64), 1 => 95_u64..110]),
    ) {
        let files = files(&steps);
        let verdict = match admit_log_copy(&database(full, tail), Some(&live()), &files) {
            Verdict::Admit(FileRange { first_seq, last_seq, .. }) => Expected::Copy(first_seq, last_seq),
            Verdict::Skip(reason) => {
                prop_assert!(false, "nothing is in the way for good: {}", reason);
                Expected::Nothing
            }
            Verdict::Defer(reason) => {
                prop_assert_eq!(reason.name.as_ref(), "NoNewLogs");
                Expected::Nothing
            }
            Verdict::Promote(reason) => {
                prop_assert_eq!(reason.name.as_ref(), "ChainBroken");
                Expected::Full
            }
        };
        let listed: Vec<String> = files
            .iter()
            .map(|file| format!("{}:{}-{}{}", file.seq, file.first_lsn, file.last_lsn, if file.error.is_some() { "!" } else { "" }))
            .collect();
        prop_assert_eq!(verdict, scan(full, tail, &files), "full to {:?}, logs to {:?}: {:?}", full, tail, listed);
    }

    /// Whatever the live server says that does not fit, nothing is copied.
    #[test]
    fn nothing_is_copied_from_another_database(steps in steps(), spoilt in 0_usize..6, tail in prop::option::of(Just(100_u64))) {
        let mut live = live();
        let mut database = database((100, 0), tail);
        let mut gone = false;
        match spoilt {
            0 => live.state = "RESTORING".to_owned(),
            1 => live.recovery_model = Some(RecoveryModel::Simple),
            2 => live.database_guid = Some(Guid::from("d2")),
            3 => live.family_guid = None,
            4 => database.last_full = None,
            _ => gone = true,
        }
        let verdict = admit_log_copy(&database, Some(&live).filter(|_| !gone), &files(&steps));
        prop_assert!(!matches!(verdict, Verdict::Admit(_)), "{:?}", verdict);
    }
}

/// A file that the service could not read has no LSNs: it must not hide the files before it.
#[test]
fn what_lies_before_an_unreadable_file_is_copied() {
    let step = |error| Step { length: 10, shift: 0, missing: 0, broken: false, error };
    let files = files(&[step(None), step(Some(false)), step(None)]);
    let verdict = admit_log_copy(&database((105, 0), None), Some(&live()), &files);
    assert_eq!(verdict, Verdict::Admit(FileRange { first_seq: 1, last_seq: 1, break_behind: None }));
}
