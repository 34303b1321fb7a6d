//! Replies and requests lost between dispatch-tasks and the server: what the service took is found again and not asked twice,
//! what it never got is asked again.

use domain::task::Kind;
use testbed::{Call, Verdict};

use crate::story::{
    Story, assert_nothing_was_asked_twice, assert_well, at, day, minutes, native, notes, objections, outcome,
    runs, tasks,
};
use crate::trouble::{Place, later, reset_before, strike, throttled};

const BACKUP: &str = "sql.rds_backup_database";
const COPY: &str = "sql.rds_tlog_backup_copy_to_s3";
const DISPATCH: &str = "dispatch-tasks";

#[test]
fn a_lost_reply_is_no_second_request() {
    for (call, nth) in [(BACKUP, 1), (BACKUP, 2), (COPY, 1), (COPY, 2), (COPY, 5)] {
        let mut simulation = Story::calm().simulation();
        let struck = strike(&mut simulation, Place::new(DISPATCH, call, nth), Verdict::LoseReply);
        let (report, view) = day(&mut simulation);
        assert!(struck.get(), "{call} {nth}");
        assert_well(&report, &view);
        for task in &view.done {
            assert_eq!(
                (task.attempt, &task.earlier_ids[..]),
                (1, &[][..]),
                "{call} {nth}: adopted, {task:?}"
            );
        }
        assert_nothing_was_asked_twice(&report);
    }
}

#[test]
fn a_request_that_never_arrived_is_asked_once_more() {
    for (call, kind) in [(BACKUP, Kind::Full), (COPY, Kind::LogCopy)] {
        for trouble in [reset_before(), throttled()] {
            let mut simulation = Story::calm().simulation();
            let struck = strike(&mut simulation, Place::new(DISPATCH, call, 1), trouble);
            let (report, view) = day(&mut simulation);
            assert!(struck.get());
            assert_well(&report, &view);
            let again: Vec<_> = view.done.iter().filter(|task| task.attempt > 1).collect();
            assert_eq!(again.len(), 1, "{call}");
            assert_eq!((again[0].kind, again[0].attempt), (kind, 2));
            assert_eq!(notes(again[0]).last(), Some(&"NeverArrived"));
            assert!(again[0].earlier_ids.is_empty(), "the service never gave it an id");
            assert_nothing_was_asked_twice(&report);
        }
    }
}

#[test]
fn a_task_that_ended_before_anybody_looked_is_adopted_all_the_same() {
    let mut simulation = Story::calm().simulation();
    let mut lost = false;
    // The reply is lost, and then the server cannot be reached for ten minutes: the run gives up.
    simulation.bed().set_gate(move |call: &Call<'_>| match (call.function, call.name) {
        (DISPATCH, BACKUP) if !lost => {
            lost = true;
            Verdict::LoseReply
        }
        (DISPATCH, "sql.connect") if lost && call.now < at("00:10") => throttled(),
        _ => Verdict::Pass,
    });
    simulation.run_until(at("00:12"));
    assert_eq!(native(&mut simulation, "orders", true).len(), 1);
    assert!(native(&mut simulation, "orders", true)[0].ended_at.is_some(), "the service is done with it");
    assert!(matches!(runs(&mut simulation)[0].status, asl::Status::Failed { .. }), "the run gave up");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1));
    assert_eq!(native(&mut simulation, "orders", true).len(), 1);
}

#[test]
fn a_request_that_outlives_its_function_is_waited_for_under_the_lock() {
    // The function is killed after 110 seconds. Its request arrives later and is executed; until then its session holds the
    // lock, so that whoever comes next neither asks again nor takes the intent for lost.
    for delay in [3, 20] {
        let mut simulation = Story::calm().simulation();
        let struck = strike(&mut simulation, Place::new(DISPATCH, BACKUP, 1), later(delay));
        let (report, view) = day(&mut simulation);
        assert!(struck.get());
        assert_well(&report, &view);
        let full = native(&mut simulation, "orders", true);
        assert_eq!(full.len(), 1, "after {delay} min");
        assert!(full[0].created_at > at("00:00") + minutes(delay));
        let task = tasks(&view, "orders", Kind::Full)[0];
        assert_eq!((outcome(task).as_str(), task.attempt), ("succeeded", 1), "after {delay} min");
        let failed = runs(&mut simulation)
            .iter()
            .filter(|run| matches!(run.status, asl::Status::Failed { .. }))
            .count();
        assert_eq!(
            failed,
            usize::from(delay == 20),
            "five minutes of waiting for the lock, then people hear of it"
        );
        assert_eq!(objections(&report), [""; 0]);
    }
}
