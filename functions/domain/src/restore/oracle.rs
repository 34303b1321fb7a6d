//! Plans against brute force: every minute that trying everything reaches is planned, and no other; `check` agrees.
//!
//! The histories and their moments are those of `coverage`'s oracle, which shares no code with the planner.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Action, Plan, Planner, Request, Target, check};
use crate::backup::Backup;
use crate::chain::State;
use crate::coverage::oracle::{any_backup, config, minute, moments, rows, steps};
use crate::history::History;
use crate::lsn::Lsn;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn of(rows: &[Backup]) -> History {
    History::build(rows.to_vec(), vec![], Timestamp::MAX).unwrap()
}

/// Plans with one step less. Without its differential a plan may still be right, by the logs alone.
fn deletions(plan: &Plan) -> impl Iterator<Item = Plan> {
    let needed = plan.steps.iter().map(|step| step.action != Action::RestoreDifferential);
    needed.enumerate().filter(|(_, needed)| *needed).map(|(step, _)| {
        let mut less = plan.clone();
        less.steps.remove(step);
        less
    })
}

proptest! {
    #![proptest_config(config(21, 1200))]

    #[test]
    fn a_minute_is_planned_if_and_only_if_brute_force_reaches_it(steps in steps()) {
        let rows = rows(&steps);
        let expected = moments(&rows);
        let history = of(&rows);
        let planner = Planner::new(&history.lineages()[0]);
        let last = minute(rows.iter().map(|row| row.finished).max().unwrap());
        for now in 0..last + 3 {
            let request = Request::at(Target::Moment(at(now)));
            let answer = planner.plan(&request);
            prop_assert_eq!(answer.is_ok(), expected.contains(&now), "minute {}: {:#?}\n{:#?}", now, answer, rows);
            match answer {
                Ok(plan) => {
                    prop_assert_eq!(check(&plan, &rows, &request), Ok(()), "minute {}: {:#?}\n{:#?}", now, plan, rows);
                    for less in deletions(&plan) {
                        prop_assert!(check(&less, &rows, &request).is_err(), "minute {}: {:#?}", now, less);
                    }
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.nearest_before.map(minute), expected.range(..now).next_back().copied());
                    prop_assert_eq!(refusal.nearest_after.map(minute), expected.range(now..).next().copied());
                }
            }
        }
    }

    #[test]
    fn latest_and_every_end_of_a_backup_have_a_plan_that_is_right(steps in steps()) {
        let rows = rows(&steps);
        let history = of(&rows);
        let planner = Planner::new(&history.lineages()[0]);
        let lsns = rows.iter().flat_map(|row| [row.first_lsn, row.last_lsn]).map(|lsn| Request::at(Target::Lsn(lsn)));
        let points = rows.iter().map(|row| Request::at(Target::Point(row.id.clone())));
        for request in lsns.chain(points).chain([Request::at(Target::Latest)]) {
            if let Ok(plan) = planner.plan(&request) {
                prop_assert_eq!(check(&plan, &rows, &request), Ok(()), "{:#?}\n{:#?}", plan, rows);
            }
        }
    }

    /// What is left of a plan after some of its steps is a way to go on from where they lead.
    #[test]
    fn a_restore_can_be_continued_wherever_it_stands(steps in steps()) {
        let rows = rows(&steps);
        let history = of(&rows);
        let lineage = &history.lineages()[0];
        let planner = Planner::new(lineage);
        let last = rows.iter().map(|row| row.finished).max().unwrap();
        for at in [Target::Latest, Target::Moment(last - SignedDuration::from_mins(15))] {
            let Ok(plan) = planner.plan(&Request::at(at.clone())) else { continue };
            let mut state: Option<State> = None;
            for pair in plan.steps.windows(2) {
                let (step, next) = (&pair[0], &pair[1]);
                let Some((_, row)) = step.backup.as_ref().and_then(|id| lineage.find(id.as_str())) else { break };
                state = Some(match state.take() {
                    Some(state) if !row.kind.is_data() => state.after_log(row),
                    _ => State::after(row),
                });
                let request = Request { at: at.clone(), continue_from: state.clone() };
                let rest = planner.plan(&request);
                let goes_on = next.action == Action::RestoreLog;
                prop_assert!(rest.is_ok() || !goes_on, "{:#?}: {:#?}\n{:#?}", request, rest, rows);
                if let Ok(rest) = rest {
                    prop_assert_eq!(check(&rest, &rows, &request), Ok(()), "{:#?}\n{:#?}", rest, rows);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(22, 1000))]

    /// Whatever headers say, there is an answer; moments that a window claims between its edges are planned.
    #[test]
    fn random_headers_have_a_plan_or_a_refusal(
        rows in prop::collection::vec(any_backup(), 0..25),
        seconds in prop::collection::vec(-3000_i64..6000, 4),
        lsns in prop::collection::vec(0_u64..70, 4),
    ) {
        let Ok(history) = History::build(rows, vec![], Timestamp::MAX) else { return Ok(()) };
        for lineage in history.lineages() {
            let planner = Planner::new(lineage);
            let moments = seconds.iter().map(|second| Target::Moment(Timestamp::from_second(*second).unwrap()));
            let lsns = lsns.iter().map(|lsn| Target::Lsn(Lsn::from_u64(*lsn)));
            let points = lineage.backups().iter().map(|row| Target::Point(row.id.clone()));
            for at in moments.chain(lsns).chain(points).chain([Target::Latest]) {
                if let Ok(plan) = planner.plan(&Request::at(at)) {
                    prop_assert!(plan.steps.len() > 1, "{:#?}", plan);
                }
            }
            let from = |row: &Backup| State { redo_lsn: row.last_lsn, fork: row.last_fork.clone() };
            for state in lineage.backups().iter().map(from) {
                let _ = planner.plan(&Request { at: Target::Latest, continue_from: Some(state) });
            }
        }
    }
}
