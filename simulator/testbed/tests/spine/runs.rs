//! One run at a time: schedules that fire twice, runs started by hand, runs that outlive their lease, runs that hand over.

use std::collections::BTreeSet;

use domain::lease::run_name;
use domain::reason::Class;
use domain::task::Kind;
use handlers::contract::ROUNDS_MAX;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testbed::executor::Ending;
use testbed::stepfunctions::{StartRefusal, Summary};
use testbed::{Call, Step, Verdict};

use crate::story::{
    INSTANCE, Story, assert_well, at, day, everything, lease, minutes, native, outcome, run_input, runs,
    tasks,
};
use crate::trouble::{later, throttled, told_to_wait};

/// Every run that was started has a generation of its own, and none was left out.
fn assert_one_run_a_generation(runs: &[Summary]) {
    let mut names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let expected: Vec<String> = (1..).take(names.len()).map(|n| run_name(INSTANCE, n)).collect();
    names.sort_by_key(|name| (name.len(), *name));
    assert_eq!(names, expected);
}

/// The states that a run went through cannot be seen, its output can: what the named field of it says.
fn output<'s>(run: &'s Summary, pointer: &str) -> &'s Value {
    let asl::Status::Succeeded { output } = &run.status else {
        panic!("{} ended {:?}", run.name, run.status)
    };
    output.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn a_schedule_that_fires_twice_starts_no_second_run() {
    let mut simulation = Story::calm().simulation();
    simulation.bed().set_gate(|call: &Call<'_>| match call.name {
        "scheduler.start_execution" | "states.start_execution" => Verdict::Duplicate,
        _ => Verdict::Pass,
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let fleets = simulation.bed().executions().iter().filter(|run| &*run.machine == "fleet").count();
    assert_eq!(fleets, 2 * 24 * 12, "every five minutes, twice");
    let runs = runs(&mut simulation);
    assert_one_run_a_generation(&runs);
    let (worked, met): (Vec<&Summary>, Vec<&Summary>) =
        runs.iter().partition(|run| output(run, "/progress/outcome") == "released");
    // Two fleet runs may each give a name out before either run has begun: the second run ends at the lease.
    assert!(met.iter().all(|run| output(run, "/progress/outcome") == "held" && run.transitions < 5));
    assert_eq!(worked.len(), 13, "the first fulls, and logs at each of twelve moments");
}

#[test]
fn a_run_started_by_hand_meets_the_one_that_runs() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("00:01"));
    let bed = simulation.bed();
    let first = bed.executions().iter().position(|run| run.name == "sales-1").unwrap();
    // The same once more: the service says that it runs already, and it is no second execution.
    let before = bed.executions().len();
    let again = bed.start_execution("instance", Some("sales-1"), run_input(1)).unwrap();
    assert_eq!((bed.execution(again).name.as_str(), bed.executions().len()), ("sales-1", before));
    // The same name for something else is refused.
    let other = bed.start_execution("instance", Some("sales-1"), run_input(2));
    assert!(matches!(other, Err(StartRefusal::AlreadyExists { .. })), "{other:?}");
    // The next generation while the first holds the lease.
    let early = bed.start_execution("instance", Some("sales-2"), run_input(2)).unwrap();
    simulation.run_until(at("00:02"));
    let bed = simulation.bed();
    assert_eq!(output(bed.execution(early), "/progress/outcome"), "held");
    assert_eq!(bed.execution(early).ended_at.map(|ended| ended < at("00:02")), Some(true));
    assert!(bed.executions()[first].ended_at.is_none(), "the first runs on");
    assert_eq!(lease(bed).holder.as_deref(), Some("sales-1"));
    simulation.run_until(at("00:30"));
    // A name that was used is not used again for 90 days.
    let late = simulation.bed().start_execution("instance", Some("sales-1"), run_input(1));
    assert!(matches!(late, Err(StartRefusal::AlreadyExists { .. })), "{late:?}");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(native(&mut simulation, "orders", true).len(), 1);
}

#[test]
fn a_run_that_never_took_its_lease_does_not_keep_its_name_from_the_next() {
    // The very first run, and one that would be the fourth: with and without a lease of somebody before.
    for (from, until) in [("00:00", "00:06"), ("04:00", "04:06")] {
        let mut simulation = Story::calm().simulation();
        simulation.bed().set_gate(move |call: &Call<'_>| {
            let ours = call.name == "store.commit" && call.function == "run-lease";
            if ours && (at(from)..at(until)).contains(&call.now) { throttled() } else { Verdict::Pass }
        });
        let (report, view) = day(&mut simulation);
        let failed: Vec<String> = runs(&mut simulation)
            .into_iter()
            .filter(|run| matches!(run.status, asl::Status::Failed { .. }))
            .map(|run| run.name)
            .collect();
        assert!((1..=2).contains(&failed.len()), "{from}: one try every five minutes, {failed:?}");
        assert_well(&report, &view);
        let runs = runs(&mut simulation);
        assert_one_run_a_generation(&runs);
        assert_eq!(runs.len() - failed.len(), 13, "as many as on a calm day");
    }
}

#[test]
fn two_executions_of_one_generation_ask_for_nothing_twice() {
    // Names are the machines' affair: under another name the same generation may run twice, and share its lease.
    let mut simulation = Story::calm().simulation();
    simulation.bed().at(at("00:00:20"), |bed| {
        bed.start_execution("instance", Some("by-hand"), run_input(1)).unwrap();
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    for database in ["orders", "parts"] {
        assert_eq!(native(&mut simulation, database, true).len(), 1);
    }
    let by_hand = runs(&mut simulation).into_iter().find(|run| run.name == "by-hand").unwrap();
    assert!(by_hand.ended_at.is_some_and(|ended| ended < at("00:20")));
}

#[test]
fn a_run_that_outlives_its_lease_is_superseded_and_changes_nothing() {
    let mut simulation = Story::calm().simulation();
    // Polls, which renew the lease, come to nothing for a quarter of an hour: five are put off, four take twenty minutes to
    // begin, the rest are throttled.
    let mut polls = 0;
    simulation.bed().set_gate(move |call: &Call<'_>| {
        if call.name != "lambda.invoke" || call.function != "poll-tasks" {
            return Verdict::Pass;
        }
        polls += 1;
        match polls {
            1..=5 => told_to_wait(),
            6..=9 => later(20),
            _ if call.now < at("00:15:30") => throttled(),
            _ => Verdict::Pass,
        }
    });
    // Somebody's event starts the successor as soon as the lease has run out.
    simulation.bed().at(at("00:15:21"), |bed| {
        let lease = lease(bed);
        assert!(lease.holder.as_deref() == Some("sales-1") && !lease.is_alive(bed.now()), "{lease:?}");
        let first = bed.executions().iter().find(|run| run.name == "sales-1").unwrap();
        assert!(first.ended_at.is_none(), "the premise: the first run is still at it");
        bed.start_execution("instance", Some("sales-2"), run_input(2)).unwrap();
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let runs = runs(&mut simulation);
    assert_one_run_a_generation(&runs);
    match &runs[0].status {
        asl::Status::Failed { error, cause } => {
            let cause = format!("{cause:?}");
            assert!(
                format!("{error:?}").contains("Never") && cause.contains("LeaseLost"),
                "{error:?} {cause}"
            );
        }
        other => panic!("the first run ended {other:?}"),
    }
    assert_eq!(output(&runs[1], "/progress/outcome"), "released");
    for database in ["orders", "parts"] {
        assert_eq!(native(&mut simulation, database, true).len(), 1);
        assert_eq!(tasks(&view, database, Kind::Full).len(), 1);
    }
}

/// Holds everybody else back while one function is watched: their calls arrive a second later.
fn alone(function: &'static str) -> impl FnMut(&Call<'_>) -> Verdict {
    move |call: &Call<'_>| {
        if call.function == function { Verdict::Pass } else { Verdict::Delay(SignedDuration::from_secs(1)) }
    }
}

#[test]
fn a_late_invocation_of_an_old_generation_changes_nothing() {
    let mut simulation = Story::calm().simulation();
    // Until the run for the logs of 02:00 has checked its tasks and is about to ask for them.
    simulation.run_until(at("02:00"));
    while !everything(simulation.bed()).contains("admitted") {
        assert_ne!(simulation.bed().step(at("02:10")), Step::Idle);
    }
    let input = |more: &[(&str, Value)]| {
        let mut input = run_input(1);
        for (field, value) in more {
            input[*field] = value.clone();
        }
        input
    };
    for (function, input, expected) in [
        ("plan-backups", input(&[]), "LeaseLost"),
        ("check-chains", input(&[]), "LeaseLost"),
        (
            "poll-tasks",
            input(&[("round", json!(7)), ("next_due_at", json!("2026-11-16T04:00:00Z"))]),
            "LeaseLost",
        ),
        ("dispatch-tasks", input(&[]), "LeaseLost"),
        ("run-lease", input(&[("action", json!("take"))]), "held"),
        // It names the run that holds the lease, in case that it passed it on itself and was not heard: that name is taken.
        ("run-lease", input(&[("action", json!("release"))]), "handed_over"),
    ] {
        let bed = simulation.bed();
        let before = everything(bed);
        let id = bed.invoke(function, input.clone()).unwrap();
        bed.set_gate(alone(function));
        let ending = loop {
            assert_ne!(bed.step(jiff::Timestamp::MAX), Step::Idle);
            if let Some(ending) = bed.take_ending(id) {
                break ending;
            }
        };
        let said = match &ending {
            Ending::Returned(Ok(answer)) => answer["outcome"].as_str().unwrap_or("no outcome").to_owned(),
            Ending::Returned(Err(reason)) => {
                assert_eq!(reason.class, Class::Never, "{function}");
                reason.name.to_string()
            }
            other => panic!("{function}: {other:?}"),
        };
        assert_eq!(said, expected, "{function} {input}");
        assert_eq!(everything(bed), before, "{function} changes nothing");
    }
    simulation.bed().set_gate(testbed::gate::Open);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
}

#[test]
fn a_run_of_many_rounds_hands_over_to_the_next_generation() {
    // 400 GiB at 15 MiB/s take seven and a half hours; a round takes a minute or two, so 200 rounds do not last.
    let mut story = Story::slow(400, 15);
    story.backup_window = "20:00-20:30";
    let mut simulation = story.simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let runs = runs(&mut simulation);
    assert_one_run_a_generation(&runs);
    let [first, second, ..] = &runs[..] else { panic!("{runs:?}") };
    assert_eq!(output(first, "/progress/outcome"), "handed_over");
    assert_eq!(output(first, "/progress/successor/name"), "sales-2");
    assert_eq!(output(first, "/progress/successor/input"), &run_input(2));
    assert!(first.history_events < 25_000, "{}", first.history_events);
    assert!(first.transitions > u64::from(ROUNDS_MAX) * 5);
    let gap = second.started_at.duration_since(first.ended_at.unwrap());
    assert!(gap < SignedDuration::from_secs(1), "the successor starts before the first run ends: {gap:#}");
    // The task went from hand to hand.
    let full = tasks(&view, "orders", Kind::Full);
    assert_eq!((full.len(), outcome(full[0]).as_str(), full[0].attempt), (1, "succeeded", 1));
    assert_eq!(native(&mut simulation, "orders", true).len(), 1);
    let names: BTreeSet<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names.len(), runs.len());
    assert!(native(&mut simulation, "orders", true)[0].ended_at.unwrap() > at("00:00") + minutes(400));
}
