//! Which ways may a task go? Random walks against a table, written from the lifecycle in words.
//!
//! A planned task is admitted, an admission is renewed or becomes an intent, an intent is heard of as submitted; each may be
//! taken back to planned, and each may end. What ended stays ended. What was admitted is what is asked.

use domain::request::CopyLogs;
use domain::schedule::DueItem;
use domain::task::{Kind, Outcome, Request, State, Task};
use proptest::prelude::*;

use crate::{config, minute};

/// A state by its number and by which of two requests it carries.
type Step = (usize, bool);

const PLANNED: usize = 0;
const ADMITTED: usize = 1;
const INTENDED: usize = 2;
const SUBMITTED: usize = 3;
const DONE: usize = 4;

/// Legal targets by source; `=` where the request must stay the same.
const TABLE: [&[(usize, char)]; 5] = [
    &[(PLANNED, ' '), (ADMITTED, ' '), (DONE, ' ')],
    &[(PLANNED, ' '), (ADMITTED, ' '), (INTENDED, '='), (DONE, ' ')],
    &[(PLANNED, ' '), (SUBMITTED, '='), (DONE, ' ')],
    &[(PLANNED, ' '), (DONE, ' ')],
    &[],
];

fn state((number, other): Step, step: i64) -> State {
    let database = if other { "b" } else { "a" }.to_owned();
    let request = Request::Copy(CopyLogs { database, kms_key_arn: None, first_seq: 1, last_seq: 2 });
    let at = minute(step);
    match number {
        PLANNED => State::Planned,
        ADMITTED => State::Admitted { request, at },
        INTENDED => State::Intended { request, at, above: step },
        SUBMITTED => State::Submitted { request, task_id: step, at, heard: None },
        _ => State::Done { outcome: Outcome::Succeeded, at, task_id: None, request: None },
    }
}

fn is_in_table((from, before): Step, (to, after): Step) -> bool {
    TABLE[from].iter().any(|(target, mark)| *target == to && (*mark == ' ' || before == after))
}

proptest! {
    #![proptest_config(config(6, 2_000))]

    #[test]
    fn a_task_goes_the_ways_of_the_table_and_no_other(
        tries in prop::collection::vec((0_usize..5, prop::bool::weighted(0.2)), 1..60),
    ) {
        let item = DueItem { kind: Kind::LogCopy, moment: minute(0) };
        let mut task = Task::plan("sales", "orders", &item, minute(0));
        let (key, mut at, mut ids): (String, Step, Vec<i64>) = (task.key.clone(), (PLANNED, false), Vec::new());
        let mut ended_at = None;
        for (number, next) in (1_i64..).zip(tries) {
            // Tasks end rarely, so that walks are long.
            let next = if next.0 == DONE && number % 7 != 0 { (PLANNED, next.1) } else { next };
            let before = task.clone();
            let went = task.advance(state(next, number));
            prop_assert_eq!(went.is_ok(), is_in_table(at, next), "{:?} to {:?}", at, next);
            if went.is_err() {
                prop_assert_eq!(&task, &before);
                continue;
            }
            if let (SUBMITTED, PLANNED, State::Submitted { task_id, .. }) = (at.0, next.0, &before.state) {
                ids.push(*task_id);
            }
            prop_assert!(ended_at.is_none(), "it went on after its end");
            ended_at = (next.0 == DONE).then_some(number);
            prop_assert_eq!(&task.state, &state(next, number));
            at = next;
        }
        prop_assert_eq!((task.key, task.earlier_ids), (key, ids));
    }

    /// Ending keeps what was asked, whatever the way there, and works once.
    #[test]
    fn an_end_keeps_the_request_and_is_final(tries in prop::collection::vec((0_usize..4, any::<bool>()), 0..20)) {
        let item = DueItem { kind: Kind::Full, moment: minute(0) };
        let mut task = Task::plan("sales", "orders", &item, minute(0));
        for (number, next) in (1_i64..).zip(tries) {
            // A refused step leaves the task where it was: the walk goes on from there.
            let _ = task.advance(state(next, number));
        }
        let asked = task.request().cloned();
        let done = task.ended(Outcome::Cancelled, minute(99), Some(5)).expect("every open task can end");
        prop_assert_eq!(done.request().cloned(), asked);
        prop_assert!(done.ended(Outcome::Succeeded, minute(100), None).is_err());
        for number in 0..5 {
            prop_assert!(done.clone().advance(state((number, false), 100)).is_err());
        }
    }
}
