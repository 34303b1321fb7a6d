//! Does anything panic, whatever headers say?
//!
//! Rows drawn without sense: LSNs that end before they begin, forks, bases and times at random, half of the columns missing.
//! They prove nothing about what is true; every rule must answer them, and its answers must be whole.

use std::cell::RefCell;
use std::sync::Arc;

use domain::backup::{Backup, Evidence, HeldIn, Kind, Obstacle, RecoveryModel, Stripes};
use domain::chain::State;
use domain::coverage::window;
use domain::history::{History, Lineage};
use domain::id::Guid;
use domain::lsn::Lsn;
use domain::restore::{Action, Plan, Planner, Request, Target, check};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::config;

/// Few values of each, so that rows meet: the numbers of a row.
type Draw = ([u64; 6], [i64; 3], [u8; 6], [bool; 5]);

fn draw() -> impl Strategy<Value = Draw> {
    let lsns = prop::array::uniform6(0_u64..40);
    let seconds = prop::array::uniform3(-500_i64..4_000);
    (lsns, seconds, prop::array::uniform6(0_u8..12), any::<[bool; 5]>())
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("not far from 1970")
}

fn backup((number, (lsns, seconds, few, bits)): (usize, &Draw)) -> Backup {
    let kinds = [Kind::Full, Kind::Differential, Kind::Log, Kind::Log, Kind::CopyOnly, Kind::Snapshot];
    let lsn = |place: usize| Lsn::from_u64(lsns[place]);
    let some = |number: u8, below: u8| (number < below).then(|| Guid::new(number.to_string()));
    let kind = kinds[usize::from(few[1]) % kinds.len()];
    // Now and then the id of another row: two stories of one backup are no history.
    let number = if lsns[5] == 0 { 0 } else { number };
    let mut row = Backup::new(number.to_string(), "db", kind, (lsn(0), lsn(1)), second(seconds[0]));
    row.started = second(seconds[1]);
    row.last_valid_restore_time = bits[0].then(|| second(seconds[2]));
    row.checkpoint_lsn = bits[1].then(|| lsn(2));
    row.database_backup_lsn = bits[2].then(|| lsn(3));
    row.differential_base_lsn = bits[3].then(|| lsn(4));
    row.differential_base_guid = some(few[2], 9);
    (row.first_fork, row.last_fork) = (some(few[3] % 4, 3), some(few[4] % 4, 3));
    row.fork_point_lsn = bits[4].then(|| lsn(5));
    row.family_guid = (few[2] != 3).then(|| Guid::from("f"));
    row.database_guid = (few[2] != 4).then(|| Guid::from("d"));
    row.damaged = few[5] == 0;
    row.bulk_logged = few[5] % 4 == 1;
    row.evidence = if few[5] == 2 { Evidence::Task } else { Evidence::History };
    row.held_in = if few[5] % 3 == 0 { HeldIn::Service } else { HeldIn::Vault };
    row.obstacle = (few[5] == 7).then_some(Obstacle::Archived);
    row.recovery_model = (few[5] == 8).then_some(RecoveryModel::Simple);
    let file = |present: bool| present.then(|| Arc::from("s3://vault/file"));
    row.stripes = Stripes::new([file(few[0] > 0), file(true)], Some(2));
    row
}

/// A plan names backups of its lineage, begins with a full or continues, recovers once and at the end.
fn is_whole(plan: &Plan, lineage: &Lineage, request: &Request) -> Result<(), TestCaseError> {
    let (last, steps) = plan.steps.split_last().expect("a plan has steps");
    prop_assert_eq!((last.action, last.norecovery, &last.backup), (Action::Recover, false, &None));
    for step in steps {
        let row = step.backup.as_ref().and_then(|id| lineage.find(id.as_str()));
        prop_assert!(row.is_some() && step.norecovery && step.action != Action::Recover, "{:#?}", plan);
    }
    let first = steps.first().map(|step| step.action);
    let begins = request.continue_from.is_some() || first == Some(Action::RestoreFull);
    prop_assert!(begins, "{:#?}", plan);
    Ok(())
}

fn requests(lineage: &Lineage, seconds: &[i64]) -> Vec<Request> {
    let rows = lineage.backups();
    let moments = seconds.iter().map(|at| Target::Moment(second(*at)));
    let edges = rows.iter().map(|row| Target::Moment(row.reaches()));
    let lsns = rows.iter().flat_map(|row| [row.first_lsn, row.last_lsn]).map(Target::Lsn);
    let points = rows.iter().map(|row| Target::Point(row.id.clone()));
    let targets: Vec<Target> =
        moments.chain(edges).chain(lsns).chain(points).chain([Target::Latest]).collect();
    let state = |row: &Backup| State { redo_lsn: row.last_lsn, fork: row.last_fork.clone() };
    let goes_on = rows.iter().map(state).flat_map(|state| {
        [Target::Latest, Target::Moment(second(seconds[0]))]
            .map(|at| Request { at, continue_from: Some(state.clone()) })
    });
    let goes_on: Vec<Request> = goes_on.collect();
    targets.into_iter().map(Request::at).chain(goes_on).collect()
}

/// What came of all cases: plans, refusals.
type Answers = RefCell<(u32, u32)>;

fn answer(draws: &[Draw], seconds: &[i64], now: i64, answers: &Answers) -> Result<(), TestCaseError> {
    let rows: Vec<Backup> = draws.iter().enumerate().map(backup).collect();
    let Ok(history) = History::build(rows.clone(), vec![], second(now)) else { return Ok(()) };
    let mut strangers: Vec<Plan> = Vec::new();
    for lineage in history.lineages() {
        let (window, _) = window(lineage);
        prop_assert!(window.intervals.iter().all(|interval| interval.from <= interval.to), "{:#?}", window);
        prop_assert!(window.holes.iter().all(|hole| hole.from <= hole.to), "{:#?}", window);
        prop_assert!(window.points.iter().all(|point| lineage.find(point.backup.as_str()).is_some()));
        let planner = Planner::new(lineage);
        for request in requests(lineage, seconds) {
            match planner.plan(&request) {
                Ok(plan) => {
                    is_whole(&plan, lineage, &request)?;
                    // Whatever it says of senseless rows, and of a plan that was made for others.
                    let _ = check(&plan, lineage.backups(), &request);
                    strangers.push(plan);
                    answers.borrow_mut().0 += 1;
                }
                Err(refusal) => {
                    prop_assert!(!refusal.reason.name.is_empty());
                    answers.borrow_mut().1 += 1;
                }
            }
            if let Some(stranger) = strangers.first() {
                let _ = check(stranger, &rows, &request);
            }
        }
    }
    Ok(())
}

#[test]
fn every_rule_answers_rows_without_sense() {
    let answers = Answers::default();
    let rows = prop::collection::vec(draw(), 0..20);
    let cases = (rows, prop::collection::vec(-600_i64..4_200, 3), 1_000_i64..5_000);
    let outcome = TestRunner::new(config(40, 500))
        .run(&cases, |(draws, seconds, now)| answer(&draws, &seconds, now, &answers));
    if let Err(error) = outcome {
        panic!("an answer is not whole: {error}");
    }
    let (plans, refusals) = answers.into_inner();
    assert!(plans > 1_000 && refusals > 1_000, "{plans} plans, {refusals} refusals");
}
