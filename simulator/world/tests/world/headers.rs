//! Headers that the world emits satisfy the relations that were measured on real histories, and a real one satisfies them
//! too: so the relations are not made up here.

use proptest::prelude::*;
use tds::{ResultSet, Value};
use world::{Knobs, Lsn, ObjectRef, Span};

use crate::lab::{Lab, cell, prompt};

/// What the relations speak of.
#[derive(Debug, Clone, Copy)]
struct Header {
    kind: char,
    first: i128,
    last: i128,
    checkpoint: i128,
    label: i128,
}

/// `F.first <= F.checkpoint < F.last`, labels name the full before; logs follow each other; the first file after a full
/// spans its end; a differential's label is its base's checkpoint. `whole` histories begin with the first full ever.
fn relations(history: &[Header], whole: bool) -> Result<(), String> {
    let fulls: Vec<&Header> = history.iter().filter(|h| h.kind == 'D').collect();
    let logs: Vec<&Header> = history.iter().filter(|h| h.kind == 'L').collect();
    let check = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    for (place, full) in fulls.iter().enumerate() {
        check(full.first <= full.checkpoint && full.checkpoint < full.last, format!("order in {full:?}"))?;
        match place.checked_sub(1) {
            Some(before) => check(full.label == fulls[before].checkpoint, format!("label of {full:?}"))?,
            None => check(!whole || full.label == 0, format!("label of the first {full:?}"))?,
        }
        let covered = logs.last().is_some_and(|l| l.last > full.last)
            && logs.first().is_some_and(|l| l.first <= full.last);
        let spans = logs.iter().filter(|l| l.first <= full.last && full.last < l.last).count();
        check(!covered || spans == 1, format!("{spans} logs span the end of {full:?}"))?;
    }
    for pair in logs.windows(2) {
        check(pair[0].last == pair[1].first, format!("{:?} then {:?}", pair[0], pair[1]))?;
    }
    for log in &logs {
        check(log.first <= log.last, format!("order in {log:?}"))?;
        let named = log.label == 0 || fulls.iter().any(|f| f.checkpoint == log.label);
        check(!whole || named, format!("label of {log:?}"))?;
    }
    if let (true, Some(full), Some(log)) = (whole, fulls.first(), logs.first()) {
        check(full.first == log.first, format!("the first log {log:?} and the first full {full:?}"))?;
    }
    for differential in history.iter().filter(|h| h.kind == 'I') {
        let based = fulls.iter().any(|f| f.checkpoint == differential.label);
        check(based && differential.first <= differential.checkpoint, format!("base of {differential:?}"))?;
    }
    Ok(())
}

#[test]
fn a_real_history_satisfies_them() {
    let real = |kind, first, last, checkpoint, label| Header { kind, first, last, checkpoint, label };
    let file = 34_000_000_000_000_000_i128;
    // Published by the dbatools project as DiffRestore: first full ever, its logs, a differential.
    let history = [
        real('D', file + 6_900_179, file + 14_400_001, file + 6_900_179, 0),
        real('L', file + 6_900_179, file + 16_800_001, file + 6_900_179, file + 6_900_179),
        real('L', file + 16_800_001, file + 19_700_001, file + 17_000_002, file + 6_900_179),
        real('L', file + 19_700_001, file + 21_300_001, file + 19_900_002, file + 6_900_179),
        real('I', file + 21_900_001, file + 22_200_001, file + 21_900_001, file + 6_900_179),
        real('L', file + 21_300_001, file + 23_200_001, file + 21_900_001, file + 6_900_179),
    ];
    relations(&history, true).unwrap();
    let torn = [history[0], history[1], history[3]];
    assert!(relations(&torn, true).is_err());
}

fn number(set: &ResultSet, row: usize, column: &str) -> i128 {
    match cell(set, row, column) {
        Value::Numeric { mantissa, .. } => *mantissa,
        other => panic!("{other:?}"),
    }
}

/// All data backups from msdb and all log files from their headers.
fn history(lab: &mut Lab) -> Vec<Header> {
    let rows = lab.select(
        "SELECT type, first_lsn, last_lsn, checkpoint_lsn, database_backup_lsn FROM msdb.dbo.backupset WHERE is_copy_only = 0 ORDER BY first_lsn",
        &[],
    );
    let mut history: Vec<Header> = (0..rows.rows.len())
        .map(|row| Header {
            kind: crate::lab::string(cell(&rows, row, "type")).chars().next().unwrap(),
            first: number(&rows, row, "first_lsn"),
            last: number(&rows, row, "last_lsn"),
            checkpoint: number(&rows, row, "checkpoint_lsn"),
            label: number(&rows, row, "database_backup_lsn"),
        })
        .collect();
    let mut keys = lab.keys("logs/");
    keys.sort_by_key(|k| k.rsplit('.').nth(1).and_then(|n| n.parse::<u32>().ok()));
    history.extend(keys.iter().map(|key| {
        let set = lab.world.header(&ObjectRef::newest("vault", key)).unwrap();
        let n = Lsn::numeric;
        Header {
            kind: 'L',
            first: n(set.first_lsn),
            last: n(set.last_lsn),
            checkpoint: n(set.checkpoint_lsn),
            label: n(set.database_backup_lsn),
        }
    }));
    history
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(4), ..ProptestConfig::default() })]

    #[test]
    fn emitted_histories_satisfy_them(steps in proptest::collection::vec((0_u8..5, 30_i64..5_000), 3..12), long in 0_u32..1_000_000) {
        let mut lab = Lab::with(Knobs { long_transaction_ppm: long, created_seconds: Span::new(0, 60), ..prompt() }, |_| {});
        let database = lab.database("A");
        lab.set_up_logs();
        for (number, (what, seconds)) in steps.into_iter().enumerate() {
            lab.wait(seconds);
            match what {
                0 => { let id = lab.backup("A", &format!("{number}.bak")); lab.finish(id); }
                1 => lab.world.break_foreign_full(database, seconds % 2 == 0),
                2 => lab.world.break_snapshot("prod"),
                3 => lab.world.write(database, 4),
                _ => {}
            }
        }
        lab.wait(900);
        let id = lab.copy_all("A");
        lab.finish(id);
        let history = history(&mut lab);
        prop_assert!(history.iter().any(|h| h.kind == 'L'));
        relations(&history, true).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn the_log_that_spans_the_end_of_a_full_is_the_one_that_is_needed() {
    let mut lab = Lab::with(prompt(), |config| config.throughput_bytes = 5_000_000);
    lab.database("A");
    lab.set_up_logs();
    lab.wait(600);
    let id = lab.backup("A", "slow.bak");
    lab.finish(id);
    lab.wait(600);
    let copy = lab.copy_all("A");
    lab.finish(copy);
    let history = history(&mut lab);
    let full = history.iter().rev().find(|h| h.kind == 'D').unwrap();
    let during: Vec<&Header> =
        history.iter().filter(|h| h.kind == 'L' && h.last > full.checkpoint && h.last <= full.last).collect();
    assert!(
        !during.is_empty() && during.iter().all(|l| l.label != full.checkpoint),
        "taken while the full ran"
    );
    let next = history.iter().find(|h| h.kind == 'L' && h.last > full.last).unwrap();
    assert_eq!(next.label, full.checkpoint, "the first after it");
}
