//! How fast does the interpreter run? Prints transitions a second: a few on every test run, so that it can not rot;
//! `cargo test -p asl --release --test benches -- --ignored --nocapture` for the number that counts (design: 500,000).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use asl::{Effect, Event, Execution, Identity, Machine, Record};
use jiff::Timestamp;
use serde_json::json;

#[expect(clippy::disallowed_methods, reason = "a bench measures the machine's own time")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

/// The polling loop of a run: Task, Choice, Wait, with a small payload.
fn machine() -> Arc<Machine> {
    let definition = json!({"StartAt": "Poll", "States": {
        "Poll": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:poll", "TimeoutSeconds": 60,
            "Parameters": {"instance.$": "$.instance", "round.$": "$.round"}, "ResultPath": "$.poll", "Next": "Route",
            "Retry": [{"ErrorEquals": ["Retry"]}], "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Route"}]},
        "Route": {"Type": "Choice", "Default": "Wait", "Choices": [
            {"Variable": "$.poll.outcome", "StringEquals": "finished", "Next": "Done"},
            {"Variable": "$.poll.outcome", "StringEquals": "failed", "Next": "Done"}]},
        "Wait": {"Type": "Wait", "SecondsPath": "$.poll.wait_seconds", "Next": "Poll"},
        "Done": {"Type": "Succeed"}
    }});
    Arc::new(Machine::parse("bench", &definition.to_string(), &BTreeMap::new()).expect("loads"))
}

/// Runs `executions` of `rounds` each; gives the transitions and the time they took.
fn run(executions: u32, rounds: u32) -> (u64, Duration) {
    let machine = machine();
    let identity = Identity {
        arn: "arn:aws:states:us-east-1:123456789012:execution:bench:e".to_owned(),
        name: "e".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:bench".to_owned(),
        role_arn: String::new(),
    };
    let start = Timestamp::UNIX_EPOCH;
    let mut transitions = 0;
    let before = clock();
    for _ in 0..executions {
        let input =
            json!({"instance": "db-1", "round": 1, "generation": 17, "lease": "2026-01-01T00:00:00Z"});
        let (mut execution, mut effects) =
            Execution::start(machine.clone(), identity.clone(), input, Record::Count, start, &mut || 0)
                .expect("starts");
        let mut now = start;
        for round in 0..rounds {
            let outcome = if round + 1 == rounds { "finished" } else { "running" };
            let call = effects
                .iter()
                .find_map(|e| if let Effect::Invoke { token, .. } = e { Some(*token) } else { None });
            let result = Ok(json!({"outcome": outcome, "wait_seconds": 60, "open": [1, 2]}));
            effects =
                execution.handle(Event::Completed { token: call.expect("a call"), result }, now, &mut || 0);
            let wake = effects
                .iter()
                .find_map(|e| if let Effect::WakeAt { token, at } = e { Some((*token, *at)) } else { None });
            if let Some((token, at)) = wake {
                now = at;
                effects = execution.handle(Event::Woke { token }, now, &mut || 0);
            }
        }
        assert_ne!(execution.status(), &asl::Status::Running);
        transitions += execution.transitions();
    }
    (transitions, before.elapsed())
}

fn print(transitions: u64, took: Duration) {
    println!(
        "{transitions} transitions in {took:?}: {:.0} a second",
        transitions as f64 / took.as_secs_f64()
    );
}

#[test]
fn transitions_tiny() {
    let (transitions, took) = run(3, 100);
    assert_eq!(transitions, 3 * 300);
    print(transitions, took);
}

#[test]
#[ignore = "a measurement: in release, by hand"]
fn transitions_a_second() {
    let (transitions, took) = run(500, 1000);
    print(transitions, took);
}
