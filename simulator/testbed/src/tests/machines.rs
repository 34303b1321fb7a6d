//! Machines with real functions in virtual time: retries, timeouts, deaths, other executions, names.

use std::collections::BTreeMap;

use asl::{Machine, Record, Status};
use domain::reason::{Class, Reason};
use jiff::SignedDuration;
use ports::Fault;
use serde_json::{Value, json};
use world::{Knobs, World};

use super::{MINUTE, after, code, counter, deploy_add, run_minute, start, testbed};
use crate::functions::DeathNames;
use crate::stepfunctions::StartRefusal;
use crate::{Call, Moment, Options, Testbed, Verdict};

fn deploy(testbed: &mut Testbed, name: &str, definition: &Value) {
    let substitutions = BTreeMap::from([
        ("Add".to_owned(), testbed.function_arn("add")),
        ("Flaky".to_owned(), testbed.function_arn("flaky")),
        ("Inner".to_owned(), testbed.machine_arn("inner")),
    ]);
    let machine = Machine::parse(name, &definition.to_string(), &substitutions).unwrap();
    testbed.deploy_machine(machine);
}

/// A Task that catches everything into a Pass which keeps the error's name.
fn catching(function: &str, retry: &Value) -> Value {
    json!({
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task", "Resource": format!("${{{function}}}"), "TimeoutSeconds": 50, "End": true,
                "Retry": retry,
                "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }],
            },
            "Caught": { "Type": "Pass", "Parameters": { "error.$": "$.Error" }, "End": true },
        },
    })
}

fn output(testbed: &Testbed) -> Value {
    match &testbed.executions()[0].status {
        Status::Succeeded { output } => Value::clone(output),
        other => json!(format!("{other:?}")),
    }
}

#[test]
fn a_machine_retries_in_virtual_time_and_counts_what_it_did() {
    let mut testbed = testbed(1);
    let tries = std::cell::Cell::new(0);
    let clock = testbed.clock();
    let flaky = move |_| {
        tries.set(tries.get() + 1);
        let answer = match tries.get() {
            3 => Ok(json!(ports::Clock::now(&clock).to_string())),
            _ => Err(Reason::new(Class::Retry, "Busy", "not now")),
        };
        std::future::ready(answer)
    };
    testbed.deploy_function("flaky", MINUTE, code(flaky));
    let retry =
        json!([{ "ErrorEquals": ["Retry"], "IntervalSeconds": 600, "BackoffRate": 2, "MaxAttempts": 2 }]);
    let definition = json!({
        "StartAt": "Work",
        "States": {
            "Work": { "Type": "Task", "Resource": "${Flaky}", "TimeoutSeconds": 50, "Retry": retry, "Next": "Rest" },
            "Rest": { "Type": "Wait", "Seconds": 600, "End": true },
        },
    });
    deploy(&mut testbed, "work", &definition);
    let id = testbed.start_execution("work", Some("first"), json!({})).unwrap();
    assert_eq!(testbed.executions_running(), 1);
    testbed.run_until(after(SignedDuration::from_hours(1)));
    let answered = output(&testbed).as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    // 600 s and 1,200 s between the tries, plus three ways to Lambda of 60 ms at most.
    assert!(answered >= after(SignedDuration::from_secs(1_800)));
    assert!(answered <= after(SignedDuration::from_millis(1_800_180)));
    let summary = testbed.execution(id);
    assert_eq!((summary.name.as_str(), &*summary.machine, summary.started_at), ("first", "work", start()));
    assert_eq!(summary.ended_at, Some(answered + SignedDuration::from_secs(600)));
    assert_eq!((summary.transitions, testbed.executions_running()), (4, 0));
    assert!(summary.history_events > 8 && summary.history.is_empty());
    assert_eq!(testbed.invocations().collect::<Vec<_>>(), [("flaky", 3)]);
}

#[test]
fn histories_are_kept_where_asked_for() {
    let options = Options { record: Record::Keep, ..Options::new(1) };
    let mut testbed = Testbed::new(options, World::new(1, start(), Knobs::default()));
    deploy(
        &mut testbed,
        "inner",
        &json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "End": true } } }),
    );
    let id = testbed.start_execution("inner", None, json!({})).unwrap();
    let summary = testbed.execution(id);
    assert_eq!(summary.history.len(), summary.history_events as usize);
    assert_eq!(summary.history_events, 4);
}

/// What a machine's catcher sees, how often the counter was raised, and how often the function began.
fn caught(verdict: &Verdict, names: DeathNames) -> (String, u64, u64) {
    let options = Options { death_names: names, ..Options::new(1) };
    let mut testbed = Testbed::new(options, World::new(1, start(), Knobs::default()));
    deploy_add(&mut testbed);
    deploy(&mut testbed, "work", &catching("Add", &json!([])));
    let verdict = verdict.clone();
    testbed.set_gate(move |call: &Call<'_>| match call.name {
        "lambda.invoke" => verdict.clone(),
        _ => Verdict::Pass,
    });
    testbed.start_execution("work", None, json!({})).unwrap();
    run_minute(&mut testbed);
    let output = output(&testbed);
    let error = output["error"].as_str().or(output.as_str()).unwrap().to_owned();
    (error, counter(&testbed), testbed.counts().invocations)
}

#[test]
fn trouble_on_the_way_to_a_function_has_the_names_that_the_service_gives_it() {
    use DeathNames::{Current, Historic};
    let transient = Verdict::Fail(Fault::Transient("slow down".into()));
    let unknown = Verdict::Fail(Fault::UnknownOutcome("reset".into()));
    let refused = Verdict::Fail(Fault::Refused(Reason::new(Class::Wait, "X", "y")));
    for (verdict, names, expected) in [
        (Verdict::Pass, Current, ("added", 1, 1)),
        (Verdict::Delay(SignedDuration::from_secs(20)), Current, ("added", 1, 1)),
        (Verdict::Delay(MINUTE), Current, ("States.Timeout", 0, 1)),
        (transient, Current, ("Lambda.TooManyRequestsException", 0, 0)),
        (unknown, Current, ("Lambda.SdkClientException", 0, 0)),
        (refused, Current, ("Wait", 0, 0)),
        (Verdict::LoseReply, Current, ("Lambda.SdkClientException", 1, 1)),
        (Verdict::Crash(Moment::Before), Current, ("Runtime.ExitError", 0, 0)),
        (Verdict::Crash(Moment::After), Current, ("Runtime.ExitError", 1, 1)),
        (Verdict::Crash(Moment::After), Historic, ("Lambda.Unknown", 1, 1)),
    ] {
        let (error, count, begun) = expected;
        assert_eq!(caught(&verdict, names), (error.to_owned(), count, begun), "{verdict:?}");
    }
    let (answer, count, begun) = caught(&Verdict::Duplicate, Current);
    assert_eq!((answer.as_str(), begun), ("added", 2), "the first answer counts");
    assert!((1..=2).contains(&count), "and the second either came late enough to add, or found a conflict");
}

#[test]
fn a_function_without_time_left_and_one_that_does_not_exist_are_reported() {
    for (function, deployed, expected) in
        [("Flaky", true, "Sandbox.Timedout"), ("Flaky", false, "Lambda.ResourceNotFoundException")]
    {
        let mut testbed = testbed(1);
        let store = testbed.store();
        if deployed {
            let slow = move |_| {
                let store = store.clone();
                async move {
                    let read = ports::store::ReadItems::get(&store, &super::counter_key()).await;
                    Ok(json!(read.is_ok()))
                }
            };
            testbed.deploy_function("flaky", SignedDuration::from_millis(1), code(slow));
        }
        deploy(&mut testbed, "work", &catching(function, &json!([])));
        testbed.start_execution("work", None, json!({})).unwrap();
        run_minute(&mut testbed);
        assert_eq!(output(&testbed), json!({ "error": expected }));
    }
}

fn starting() -> Value {
    json!({
        "StartAt": "Start",
        "States": {
            "Start": {
                "Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "TimeoutSeconds": 50, "End": true,
                "Parameters": { "StateMachineArn": "${Inner}", "Name": "one", "Input.$": "$.inner" },
                "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }],
            },
            "Caught": { "Type": "Pass", "Parameters": { "error.$": "$.Error" }, "End": true },
        },
    })
}

fn waiting(seconds: u32) -> Value {
    json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": seconds, "End": true } } })
}

#[test]
fn a_name_is_taken_but_for_the_same_input_while_it_runs_and_after_90_days() {
    let mut testbed = testbed(1);
    deploy(&mut testbed, "inner", &waiting(3_600));
    let first = testbed.start_execution("inner", Some("one"), json!({ "a": 1 })).unwrap();
    assert_eq!(testbed.start_execution("inner", Some("one"), json!({ "a": 1 })), Ok(first));
    let taken = |result| matches!(result, Err(StartRefusal::AlreadyExists { .. }));
    assert!(taken(testbed.start_execution("inner", Some("one"), json!({ "a": 2 }))));
    testbed.run_until(after(SignedDuration::from_hours(2)));
    assert!(taken(testbed.start_execution("inner", Some("one"), json!({ "a": 1 }))), "closed");
    testbed.run_until(after(SignedDuration::from_hours(90 * 24)));
    assert!(taken(testbed.start_execution("inner", Some("one"), json!({ "a": 1 }))));
    testbed.run_until(after(SignedDuration::from_hours(90 * 24 + 1)));
    assert_ne!(testbed.start_execution("inner", Some("one"), json!({ "a": 1 })), Ok(first));
    assert_eq!(testbed.executions().len(), 2);
    assert!(matches!(
        testbed.start_execution("outer", None, json!({})),
        Err(StartRefusal::NoSuchMachine { arn }) if arn.ends_with(":outer")
    ));
    let refusal = testbed.start_execution("inner", Some("no spaces"), json!({})).unwrap_err();
    assert_eq!(refusal.error_name(), "StepFunctions.InvalidNameException");
}

#[test]
fn a_state_starts_another_machine_and_learns_its_arn_or_why_not() {
    let mut testbed = testbed(1);
    deploy(&mut testbed, "outer", &starting());
    deploy(&mut testbed, "inner", &waiting(3_600));
    for input in [json!({ "inner": 1 }), json!({ "inner": 1 }), json!({ "inner": 2 })] {
        testbed.start_execution("outer", None, input).unwrap();
        run_minute(&mut testbed);
    }
    let outputs: Vec<String> = testbed
        .executions()
        .iter()
        .filter(|summary| &*summary.machine == "outer")
        .map(|summary| format!("{:?}", summary.status))
        .collect();
    for output in &outputs[..2] {
        assert!(output.contains(":execution:inner:one"), "{output}");
    }
    assert!(outputs[2].contains("StepFunctions.ExecutionAlreadyExistsException"), "{}", outputs[2]);
    assert_eq!(testbed.executions_running(), 1);
}

#[test]
fn a_lost_reply_of_a_start_leaves_the_other_machine_running() {
    for (verdict, error, running) in [
        (Verdict::LoseReply, "StepFunctions.SdkClientException", 1),
        (Verdict::Fail(Fault::Transient("x".into())), "StepFunctions.ThrottlingException", 0),
    ] {
        let mut testbed = testbed(1);
        deploy(&mut testbed, "outer", &starting());
        deploy(&mut testbed, "inner", &waiting(3_600));
        testbed.set_gate(move |call: &Call<'_>| match (call.name, call.function) {
            ("states.start_execution", "inner") => verdict.clone(),
            _ => Verdict::Pass,
        });
        testbed.start_execution("outer", None, json!({ "inner": 1 })).unwrap();
        run_minute(&mut testbed);
        assert_eq!(output(&testbed), json!({ "error": error }));
        assert_eq!(testbed.executions_running(), running);
    }
}
