//! Backups on demand and cancels: each race of a request with the run that carries it out.

use std::rc::Rc;

use domain::reason::Class;
use domain::task::{Kind, Outcome, State, Task};
use handlers::requests::{CancelRequest, request_cancel};
use handlers::views::{ended_tasks, one_task};
use serde_json::{Value, json};
use testbed::executor::Ending;
use testbed::functions::Code;
use testbed::gate::Moment;
use testbed::simulation::{Client, REQUESTS, Simulation, View, Wish};
use testbed::{Call, Step, Testbed, Verdict};
use world::{FailoverFate, Knobs, Span};

use crate::story::{
    INSTANCE, Story, assert_well, assert_whole, at, day, everything, instance, minutes, native, notes,
    objections, outcome, runs, tasks,
};
use crate::trouble::later;

fn cancel(database: &str, kind: Kind) -> Wish {
    let (instance, database) = (INSTANCE.to_owned(), database.to_owned());
    Wish::Cancel { instance, database, kind, by: "ops".to_owned() }
}

fn backup(database: &str, kind: Kind, key: &str) -> Wish {
    let (instance, database) = (INSTANCE.to_owned(), database.to_owned());
    Wish::Backup { instance, database, kind, by: "ops".to_owned(), key: key.to_owned() }
}

/// Asks, and waits for the answer.
fn asked(bed: &mut Testbed, wish: &Wish) -> Result<Value, String> {
    let id = bed.invoke(REQUESTS, json!(wish)).unwrap();
    loop {
        assert_ne!(bed.step(jiff::Timestamp::MAX), Step::Idle);
        match bed.take_ending(id) {
            None => {}
            Some(Ending::Returned(answer)) => return answer.map_err(|reason| reason.name.to_string()),
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// Names of the notes of an answer.
fn told(answer: &Value) -> Vec<&str> {
    answer["notes"].as_array().unwrap().iter().map(|note| note["name"].as_str().unwrap()).collect()
}

/// Moves until the store holds a word.
fn until_stored(simulation: &mut Simulation, word: &str) {
    while !everything(simulation.bed()).contains(word) {
        assert_ne!(simulation.bed().step(at("23:00")), Step::Idle, "{word} never came");
    }
}

/// The only task of a database and kind that somebody asked to cancel.
fn cancelled<'v>(view: &'v View, database: &str, kind: Kind) -> &'v Task {
    let found: Vec<_> =
        tasks(view, database, kind).into_iter().filter(|task| task.cancel.is_some()).collect();
    let [task] = found[..] else { panic!("{found:?}") };
    task
}

/// One full at 00:00, one of the calendar at 11:00 that takes three quarters of an hour; nothing near a window.
fn mondays() -> Story {
    let full = "days = [\"mon\"], at = \"11:00\"";
    let backup_window = "22:00-22:30";
    Story { full, backup_window, mib_per_second: 3, ..Story::calm() }
}

#[test]
fn a_task_that_waits_ends_before_anything_is_asked() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("02:00"));
    until_stored(&mut simulation, "log_copy-orders-20261116T02");
    simulation.bed().set_gate(|call: &Call<'_>| {
        let looks = call.name == "lambda.invoke" && call.function == "check-chains";
        if looks && call.now < at("02:02") { later(1) } else { Verdict::Pass }
    });
    let answer = asked(simulation.bed(), &cancel("orders", Kind::LogCopy)).unwrap();
    assert_eq!((answer["outcome"].as_str(), told(&answer)), (Some("requested"), vec!["LogsLater"]));
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let task = cancelled(&view, "orders", Kind::LogCopy);
    assert!(matches!(task.state, State::Done { outcome: Outcome::Cancelled, task_id: None, .. }), "{task:?}");
    assert_eq!(
        native(&mut simulation, "orders", false).len(),
        tasks(&view, "orders", Kind::LogCopy).len() - 1
    );
    // Not planned again before the calendar asks.
    let moments: Vec<_> = tasks(&view, "orders", Kind::LogCopy).iter().map(|task| task.due_at).collect();
    assert_eq!(moments.iter().filter(|moment| **moment == at("02:00")).count(), 1, "{moments:?}");
}

#[test]
fn a_cancel_between_intent_and_call_finds_the_task_that_the_call_makes() {
    // The call arrives, or is lost on its way there.
    for arrives in [true, false] {
        let mut story = Story::calm();
        story.knobs = Knobs { created_seconds: Span::new(200, 200), ..Knobs::default() };
        let mut simulation = story.simulation();
        let mut calls = 0;
        simulation.bed().set_gate(move |call: &Call<'_>| {
            if call.name.starts_with("sql.rds_backup_database") && call.now < at("00:05") {
                calls += 1;
                return match calls {
                    1 if arrives => Verdict::Delay(jiff::SignedDuration::from_secs(20)),
                    1 => Verdict::Crash(Moment::Before),
                    _ => Verdict::Pass,
                };
            }
            Verdict::Pass
        });
        until_stored(&mut simulation, "\"is\\\":\\\"intended");
        let intended = open(&simulation.view().unwrap(), |task| matches!(task.state, State::Intended { .. }));
        let database = intended[0].clone();
        let answer = asked(simulation.bed(), &cancel(&database, Kind::Full)).unwrap();
        assert!(told(&answer).contains(&"ServiceDecides") || !arrives, "{answer}");
        let (report, view) = day(&mut simulation);
        assert_eq!(objections(&report), [""; 0]);
        let task = cancelled(&view, &database, Kind::Full);
        assert_eq!(outcome(task), "cancelled");
        let fact = native(&mut simulation, &database, true).into_iter().next().unwrap();
        if arrives {
            assert_eq!(fact.lifecycle, world::Lifecycle::Cancelled);
            assert!(matches!(task.state, State::Done { task_id: Some(id), .. } if id == i64::from(fact.id)));
        } else {
            assert!(matches!(task.state, State::Done { task_id: None, .. }), "{task:?}");
        }
        // A database without a full is asked for again with the logs' next interval.
        let fulls = tasks(&view, &database, Kind::Full);
        assert_eq!((fulls.len(), outcome(fulls[1]).as_str()), (2, "succeeded"), "{fulls:?}");
        assert_eq!(fulls[1].due_at, at("02:00"));
    }
}

fn open(view: &View, which: impl Fn(&Task) -> bool) -> Vec<String> {
    view.open.iter().filter(|task| which(task)).map(|task| task.database.clone()).collect()
}

#[test]
fn a_full_of_the_calendar_is_cancelled_in_any_lifecycle_and_stays_away() {
    for (when, created, lifecycle) in
        [("11:02", 280, world::Lifecycle::Created), ("11:25", 60, world::Lifecycle::InProgress)]
    {
        let mut story = mondays();
        story.knobs = Knobs { created_seconds: Span::new(created, created), ..Knobs::default() };
        let mut simulation = story.simulation();
        simulation.run_until(at(when));
        let fact = native(&mut simulation, "orders", true).pop().unwrap();
        assert_eq!(fact.lifecycle, lifecycle, "the premise");
        let answer = asked(simulation.bed(), &cancel("orders", Kind::Full)).unwrap();
        assert_eq!(told(&answer), ["ServiceDecides", "FullLeftOut"]);
        // Asked again, by a client that is not sure: the same answer, and nothing changes.
        let before = everything(simulation.bed());
        let again = asked(simulation.bed(), &cancel("orders", Kind::Full)).unwrap();
        assert_eq!((&again, everything(simulation.bed())), (&answer, before));
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let fulls: Vec<_> = tasks(&view, "orders", Kind::Full).into_iter().map(outcome).collect();
        assert_eq!(fulls, ["succeeded", "cancelled"], "it is not due again before the next Monday");
        assert_eq!(native(&mut simulation, "orders", true).len(), 2);
        let facts = native(&mut simulation, "orders", true);
        assert_eq!(facts[1].lifecycle, world::Lifecycle::Cancelled);
        let waited = facts[1].ended_at.unwrap().duration_since(at(when));
        assert!(waited < minutes(4), "within one round and what the service takes: {waited:#}");
    }
}

#[test]
fn a_task_that_succeeds_first_stays_succeeded() {
    let mut story = mondays();
    // The service takes two minutes to cancel, and the task ends before.
    story.knobs = Knobs { cancel_seconds: Span::new(120, 120), ..Knobs::default() };
    let mut simulation = story.simulation();
    simulation.run_until(at("11:10"));
    loop {
        simulation.bed().step(at("23:00"));
        let fact = native(&mut simulation, "orders", true).pop().unwrap();
        if fact.lifecycle == world::Lifecycle::Success {
            break;
        }
    }
    // The service is done, nobody has looked yet.
    let answer = asked(simulation.bed(), &cancel("orders", Kind::Full)).unwrap();
    assert_eq!(answer["outcome"], "requested");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(outcome(cancelled(&view, "orders", Kind::Full)), "succeeded");
    // Now it has ended, and none is open.
    assert_eq!(asked(simulation.bed(), &cancel("orders", Kind::Full)), Ok(Value::Null));
}

#[test]
fn a_lost_answer_of_the_cancel_is_settled_by_the_next_round() {
    for verdict in [Verdict::LoseReply, Verdict::Crash(Moment::After), Verdict::Crash(Moment::Before)] {
        let mut simulation = mondays().simulation();
        let (mut once, word) = (Some(verdict), "sql.rds_cancel_task");
        simulation.bed().set_gate(move |call: &Call<'_>| {
            if call.name == word { once.take().unwrap_or(Verdict::Pass) } else { Verdict::Pass }
        });
        simulation.bed().at(at("11:20"), |bed| Client::ask(bed, cancel("orders", Kind::Full)));
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        assert_eq!(outcome(cancelled(&view, "orders", Kind::Full)), "cancelled");
        assert_eq!(native(&mut simulation, "orders", true).len(), 2);
    }
}

#[test]
fn a_cancel_waits_in_the_mailbox_while_nobody_runs() {
    let mut simulation = mondays().simulation();
    // The run dies at 11:15 with its lease, and the schedule is off until half past twelve; the full ends before noon.
    simulation.bed().set_gate(|call: &Call<'_>| {
        let dead = (at("11:15")..at("12:30")).contains(&call.now);
        if dead
            && matches!(call.name, "lambda.invoke" | "scheduler.start_execution")
            && call.function != REQUESTS
        {
            crate::trouble::throttled()
        } else {
            Verdict::Pass
        }
    });
    simulation.run_until(at("11:20"));
    let answer = asked(simulation.bed(), &cancel("orders", Kind::Full)).unwrap();
    assert_eq!(answer["outcome"], "requested");
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert_whole(&report, &view);
    let task = cancelled(&view, "orders", Kind::Full);
    assert_eq!(outcome(task), "succeeded", "the service had finished it long before anybody looked");
}

#[test]
fn a_full_on_demand_is_adopted_as_base_and_as_ours() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("05:10"));
    let wish = backup("orders", Kind::Full, "k1");
    let answer = asked(simulation.bed(), &wish).unwrap();
    assert_eq!((answer["is_new"].as_bool(), told(&answer)), (Some(true), vec!["BecomesBase"]));
    // Twice, and under another key while it is open: the same task.
    assert_eq!(asked(simulation.bed(), &wish).unwrap(), answer);
    let other = asked(simulation.bed(), &backup("orders", Kind::Full, "k2")).unwrap();
    assert_eq!((&other["task"], told(&other)), (&answer["task"], vec!["AlreadyOpen", "BecomesBase"]));
    assert_eq!(asked(simulation.bed(), &backup("parts", Kind::Full, "k1")), Err("KeyReused".to_owned()));
    assert_eq!(
        asked(simulation.bed(), &backup("nobody", Kind::Full, "k3")),
        Err("DatabaseUnknown".to_owned())
    );
    assert_eq!(instance(simulation.bed()).due_at.map(|due| due <= at("05:11")), Some(true));
    simulation.run_until(at("08:00"));
    // After its end as well.
    assert_eq!(asked(simulation.bed(), &wish).unwrap(), answer);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let fulls = tasks(&view, "orders", Kind::Full);
    assert_eq!((fulls.len(), outcome(fulls[1]).as_str()), (2, "succeeded"));
    assert_eq!(json!(fulls[1].key), answer["task"]);
    assert_eq!(native(&mut simulation, "orders", true).len(), 2);
    let head = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().head;
    let full = head.last_full.as_ref().unwrap();
    assert!(full.started_at > at("05:10"), "the schedule counts from it");
    assert_eq!(head.promoted_at, [], "it is none out of turn");
    let started = native(&mut simulation, "orders", true)[1].created_at;
    assert!(
        started.duration_since(at("05:10")) < minutes(6),
        "the fleet looks every five minutes: {started}"
    );
}

#[test]
fn a_full_on_demand_waits_for_the_backup_window_to_pass() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("03:05"));
    asked(simulation.bed(), &backup("orders", Kind::Full, "k")).unwrap();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let task = tasks(&view, "orders", Kind::Full)[1];
    assert_eq!((outcome(task).as_str(), task.failures), ("succeeded", 0), "{:?}", task.notes);
    let facts = native(&mut simulation, "orders", true);
    assert_eq!(facts.len(), 2);
    assert!(facts[1].created_at >= at("03:30"), "{}", facts[1].created_at);
}

#[test]
fn a_request_in_the_last_moment_of_a_run_is_carried_out_by_its_successor() {
    let story = || {
        let mut simulation = Story::calm().simulation();
        simulation.run_until(at("05:59"));
        simulation
    };
    // The run for the logs of 06:00, and when it ends.
    let mut calm = story();
    let before = runs(&mut calm).len();
    calm.run_until(at("07:00"));
    let ended = runs(&mut calm)[before].ended_at.unwrap();
    let (mut passed_on, mut woken) = (0, 0);
    for milliseconds in [0, 20, 40, 60, 80, 110, 150, 200, 400] {
        let mut simulation = story();
        let moment = ended - jiff::SignedDuration::from_millis(milliseconds);
        simulation.bed().at(moment, |bed| Client::ask(bed, backup("orders", Kind::Full, "k")));
        simulation.run_until(at("07:00"));
        let run = runs(&mut simulation).swap_remove(before);
        let asl::Status::Succeeded { output } = &run.status else { panic!("{:?}", run.status) };
        let successor = output.pointer("/progress/outcome") == Some(&json!("handed_over"));
        let fact = native(&mut simulation, "orders", true).pop().unwrap();
        let waited = fact.created_at.duration_since(moment);
        // Otherwise the fleet finds it, which looks every five minutes.
        assert!(waited < minutes(if successor { 1 } else { 6 }), "{milliseconds} ms before: {waited:#}");
        let view = simulation.view().unwrap();
        assert_eq!(outcome(tasks(&view, "orders", Kind::Full)[1]), "succeeded");
        (passed_on, woken) = (passed_on + i32::from(successor), woken + i32::from(!successor));
    }
    assert!(passed_on > 0 && woken > 0, "both sides of the race: {passed_on} and {woken}");
}

#[test]
fn a_task_that_a_failover_froze_is_freed_by_a_cancel() {
    let mut story = mondays();
    story.multi_az = "always_on";
    story.knobs = Knobs { failover_fate: FailoverFate::Frozen, ..Knobs::default() };
    let mut simulation = story.simulation();
    simulation.bed().at(at("11:20"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    simulation.run_until(at("13:00"));
    let stuck = open(&simulation.view().unwrap(), |task| matches!(task.state, State::Submitted { .. }));
    assert!(stuck.contains(&"orders".to_owned()), "the premise: {stuck:?}");
    asked(simulation.bed(), &cancel("orders", Kind::Full)).unwrap();
    let (report, view) = day(&mut simulation);
    assert_eq!(outcome(cancelled(&view, "orders", Kind::Full)), "cancelled");
    assert!(view.open.is_empty(), "its database goes on: {:?}", view.open);
    let copies = tasks(&view, "orders", Kind::LogCopy);
    assert_eq!(outcome(copies.last().unwrap()), "succeeded", "{report}");
}

#[test]
fn a_refused_cancel_is_remembered_and_the_task_goes_on() {
    let mut simulation = mondays().simulation();
    simulation.bed().at(at("11:20"), |bed| {
        bed.world_mut().break_grants(INSTANCE, true);
        Client::ask(bed, cancel("orders", Kind::Full));
    });
    simulation.bed().at(at("11:30"), |bed| bed.world_mut().break_grants(INSTANCE, false));
    let (_, view) = day(&mut simulation);
    let task = cancelled(&view, "orders", Kind::Full);
    assert!(notes(task).contains(&"ExecuteDenied"), "{:?}", task.notes);
    assert_eq!(outcome(task), "cancelled", "asked again once the grant is back");
    assert!(task.notes.iter().all(|note| note.class != Class::Never));
}

#[test]
fn requests_without_sense_are_refused_and_change_nothing() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("05:10"));
    let before = everything(simulation.bed());
    let long = "x".repeat(129);
    for (wish, expected) in [
        (backup("", Kind::Full, "k"), "RequestMalformed"),
        (backup(&long, Kind::Full, "k"), "RequestMalformed"),
        (backup("orders", Kind::Full, ""), "RequestMalformed"),
        (backup("orders", Kind::Full, &long), "RequestMalformed"),
        (backup("orders", Kind::Full, "a\u{0}"), "RequestMalformed"),
        (backup("ORDERS", Kind::Full, "k"), "DatabaseUnknown"),
        (backup("orders#full", Kind::Full, "k"), "DatabaseUnknown"),
    ] {
        assert_eq!(asked(simulation.bed(), &wish), Err(expected.to_owned()), "{wish:?}");
    }
    let elsewhere = Wish::Backup {
        instance: "nobody".to_owned(),
        database: "orders".to_owned(),
        kind: Kind::Full,
        by: "ops".to_owned(),
        key: "k".to_owned(),
    };
    assert_eq!(asked(simulation.bed(), &elsewhere), Err("RecordMissing".to_owned()));
    assert_eq!(everything(simulation.bed()), before);
}

#[test]
fn ended_tasks_are_seen_newest_first_and_each_is_found_by_its_key() {
    let mut simulation = Story::calm().simulation();
    let (_, view) = day(&mut simulation);
    let store = simulation.bed().store();
    let look: Code = Rc::new(move |payload| {
        let store = store.clone();
        Box::pin(async move {
            if let Some(key) = payload["key"].as_str() {
                return match one_task(&store, INSTANCE, key).await {
                    Err(reason) if reason.name == "TaskUnknown" => Ok(json!(null)),
                    found => Ok(json!(found?.key)),
                };
            }
            if let Some(task) = payload["cancel"].as_str() {
                let (instance, task) = (INSTANCE.to_owned(), task.to_owned());
                let request = CancelRequest { instance, task, requested_by: "ops".to_owned() };
                return Ok(json!(request_cancel(&store, &request, at("23:59")).await?));
            }
            let before = payload["before"].as_str().unwrap().parse().unwrap();
            let seen = ended_tasks(&store, INSTANCE, before, 5).await?;
            let keys: Vec<_> = seen.tasks.into_iter().map(|task| task.key).collect();
            Ok(json!({ "keys": keys, "before": seen.before }))
        })
    });
    simulation.bed().deploy_function("look", minutes(1), look);
    let mut ask = |payload: Value| {
        let bed = simulation.bed();
        let id = bed.invoke("look", payload).unwrap();
        loop {
            assert_ne!(bed.step(jiff::Timestamp::MAX), Step::Idle);
            if let Some(Ending::Returned(answer)) = bed.take_ending(id) {
                return answer.unwrap_or_else(|reason| json!(reason.name));
            }
        }
    };
    let mut expected: Vec<&Task> = view.done.iter().collect();
    expected.sort_by_key(|task| {
        let State::Done { at, .. } = &task.state else { panic!("{task:?}") };
        std::cmp::Reverse((format!("{at:.3}"), task.key.clone()))
    });
    let expected: Vec<Value> = expected.into_iter().map(|task| json!(task.key)).collect();
    let (mut seen, mut before) = (Vec::new(), json!("2026-11-17T00:00:00Z"));
    while before.as_str().unwrap() > "2026-11-16" {
        let mut page = ask(json!({ "before": before }));
        seen.append(page["keys"].as_array_mut().unwrap());
        before = page["before"].take();
    }
    assert!(expected.len() > 20);
    assert_eq!(seen, expected);
    for key in &expected {
        assert_eq!(&ask(json!({ "key": key })), key);
        let answer = ask(json!({ "cancel": key }));
        assert_eq!((&answer["outcome"], told(&answer)), (&json!("already_ended"), vec!["AlreadyEnded"]));
    }
    for key in ["", "full-orders", "full-nobody-20261116T000000.000Z", "full-orders-99991231T235959.999Z"] {
        assert_eq!(ask(json!({ "key": key })), Value::Null, "{key}");
        assert_eq!(ask(json!({ "cancel": key })), json!("TaskUnknown"), "{key}");
    }
}
