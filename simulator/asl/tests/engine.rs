//! The engine's contract with its caller: effects, tokens, times, the end. What machines mean is tested by the cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{
    Effect, Event, Execution, Identity, Machine, Record, Resource, StartError, Status, TaskError, Token,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::constant(1_767_225_600, 0);
const YEAR: i64 = 31_536_000;

fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

fn identity(name: &str) -> Identity {
    Identity {
        arn: format!("arn:aws:states:us-east-1:123456789012:execution:m:{name}"),
        name: name.to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
    }
}

fn machine(definition: &Value) -> Arc<Machine> {
    Arc::new(Machine::parse("m", &definition.to_string(), &BTreeMap::new()).expect("loads"))
}

fn start(definition: &Value, input: Value) -> (Execution, Vec<Effect>) {
    let started = Execution::start(machine(definition), identity("e"), input, Record::Keep, START, &mut || 0);
    started.expect("starts")
}

fn task() -> Value {
    json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "TimeoutSeconds": 10,
        "Retry": [{"ErrorEquals": ["Retry"], "IntervalSeconds": 5}], "End": true
    }}})
}

/// The tokens of the effects, in order: calls, timers, what is forgotten.
fn tokens(effects: &[Effect]) -> Vec<Token> {
    let token = |effect: &Effect| match effect {
        Effect::Invoke { token, .. } | Effect::WakeAt { token, .. } | Effect::Forget { token } => {
            Some(*token)
        }
        Effect::Finish { .. } => None,
    };
    effects.iter().filter_map(token).collect()
}

#[test]
fn a_call_has_a_timer_of_its_own_and_both_end_together() {
    let (mut execution, effects) = start(&task(), json!({"id": 1}));
    let [deadline, call, timeout] = tokens(&effects)[..] else { panic!("{effects:?}") };
    let resource = Resource::Function("arn:aws:lambda:us-east-1:123456789012:function:work".into());
    let payload = Arc::new(json!({"id": 1}));
    assert_eq!(
        effects,
        [
            Effect::WakeAt { token: deadline, at: at(YEAR) },
            Effect::Invoke { token: call, state: "T".into(), resource, payload, timeout_at: Some(at(10)) },
            Effect::WakeAt { token: timeout, at: at(10) },
        ]
    );
    assert_eq!(execution.deadline(), at(YEAR));
    let effects = execution.handle(Event::Completed { token: call, result: Ok(json!(7)) }, at(3), &mut || 0);
    let status = Status::Succeeded { output: Arc::new(json!(7)) };
    assert_eq!(
        effects,
        [
            Effect::Forget { token: timeout },
            Effect::Forget { token: deadline },
            Effect::Finish { status: status.clone() },
        ]
    );
    assert_eq!((execution.status(), execution.history_events(), execution.transitions()), (&status, 7, 1));
    assert_eq!(execution.take_log().len(), 7);
    assert!(execution.take_log().is_empty());
}

#[test]
fn stale_foreign_and_misused_tokens_do_nothing() {
    let (mut execution, effects) = start(&task(), json!({}));
    let [deadline, call, timeout] = tokens(&effects)[..] else { panic!("{effects:?}") };
    let before = execution.clone();
    for misused in [
        Event::Woke { token: call },
        Event::Completed { token: timeout, result: Ok(json!(1)) },
        Event::Completed { token: deadline, result: Ok(json!(1)) },
        Event::Heartbeat { token: call },
        Event::Heartbeat { token: timeout },
    ] {
        assert_eq!(execution.handle(misused.clone(), at(1), &mut || 0), [], "{misused:?}");
    }
    assert_eq!(execution.history_events(), before.history_events());
    let failed = Event::Completed { token: call, result: Err(TaskError::lambda("Retry", "busy")) };
    let effects = execution.handle(failed.clone(), at(2), &mut || 0);
    let [forgotten, backoff] = tokens(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(forgotten, timeout);
    assert_eq!(effects[1], Effect::WakeAt { token: backoff, at: at(7) });
    // The answer comes twice, and the timer fires although it was forgotten.
    assert_eq!(execution.handle(failed, at(3), &mut || 0), []);
    assert_eq!(execution.handle(Event::Woke { token: timeout }, at(10), &mut || 0), []);
    let effects = execution.handle(Event::Woke { token: backoff }, at(10), &mut || 0);
    assert!(matches!(effects[..], [Effect::Invoke { .. }, Effect::WakeAt { .. }]), "{effects:?}");
    assert_eq!(execution.transitions(), 2);
}

#[test]
fn after_the_end_nothing_happens() {
    let (mut execution, effects) = start(&task(), json!({}));
    let tokens = tokens(&effects);
    let effects = execution.handle(Event::Abort, at(1), &mut || 0);
    assert_eq!(effects.last(), Some(&Effect::Finish { status: Status::Aborted }));
    assert_eq!(effects.len(), 4);
    for token in tokens {
        assert_eq!(execution.handle(Event::Completed { token, result: Ok(json!(1)) }, at(2), &mut || 0), []);
        assert_eq!(execution.handle(Event::Woke { token }, at(2), &mut || 0), []);
    }
    assert_eq!(execution.handle(Event::Abort, at(3), &mut || 0), []);
    assert_eq!(execution.history_events(), 5);
}

#[test]
fn start_execution_checks_name_and_input() {
    let machine = machine(&task());
    let start = |name: &str, input| {
        Execution::start(machine.clone(), identity(name), input, Record::Count, START, &mut || 0).map(|_| ())
    };
    assert!(matches!(start("a b", json!({})), Err(StartError::InvalidName(_))));
    assert_eq!(start("a", json!("x".repeat(262_143))), Err(StartError::InvalidExecutionInput));
    assert_eq!(start("a", json!("x".repeat(262_142))), Ok(()));
}

#[test]
fn a_clone_goes_its_own_way() {
    let (mut first, effects) = start(&task(), json!({}));
    let call = tokens(&effects)[1];
    let mut second = first.clone();
    first.handle(Event::Completed { token: call, result: Ok(json!(1)) }, at(1), &mut || 0);
    second.handle(
        Event::Completed { token: call, result: Err(TaskError::new("Human", "no")) },
        at(1),
        &mut || 0,
    );
    assert_eq!(first.status(), &Status::Succeeded { output: Arc::new(json!(1)) });
    assert_eq!(second.status(), &Status::Failed { error: "Human".to_owned(), cause: "no".to_owned() });
}

#[test]
fn a_failed_branch_forgets_its_siblings_calls_and_timers() {
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        task(),
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "Next": "F"}, "F": {"Type": "Fail", "Error": "Mine"}}}
    ]}}});
    let (mut execution, effects) = start(&definition, json!({}));
    let [deadline, call, timeout, wait] = tokens(&effects)[..] else { panic!("{effects:?}") };
    let effects = execution.handle(Event::Woke { token: wait }, at(5), &mut || 0);
    assert_eq!(tokens(&effects), [call, timeout, deadline]);
    let status = Status::Failed { error: "Mine".to_owned(), cause: String::new() };
    assert_eq!(effects.last(), Some(&Effect::Finish { status }));
}
