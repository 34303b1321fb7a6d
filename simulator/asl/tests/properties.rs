//! For all: no text, definition, input or order of events makes the interpreter panic, and the same events give the same
//! effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Effect, Event, Execution, Identity, Machine, Record, Status, TaskError, Token};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

/// Words that lead deep into the loader when they meet.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "StartAt",
        "States",
        "Type",
        "Pass",
        "Task",
        "Choice",
        "Wait",
        "Map",
        "Parallel",
        "Fail",
        "Succeed",
        "A",
        "B",
        "Next",
        "End",
        "Choices",
        "Variable",
        "And",
        "Not",
        "Branches",
        "ItemProcessor",
        "Retry",
        "Catch",
        "ErrorEquals",
        "States.ALL",
        "$.a",
        "$.a[0]",
        "$$.Execution.Input",
        "$['a b']",
        "$.a[",
        "$.",
        "Seconds",
        "SecondsPath",
        "x.$",
        "States.Format('{}', $.a)",
        "States.Array(1, 'x'",
        "States.UUID()",
        "Parameters",
        "ResultPath",
        "InputPath",
        "NumericEquals",
        "StringMatches",
        "IsPresent",
        "*\\",
        "Resource",
    ];
    prop_oneof![4 => proptest::sample::select(known.map(str::to_owned).to_vec()), 1 => ".{0,12}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(word(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn rich_machine() -> Arc<Machine> {
    let task = |name: &str, next: &str| {
        json!({"Type": "Task", "Resource": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
            "TimeoutSeconds": 9, "HeartbeatSeconds": 4, "ResultPath": "$.r", "Next": next,
            "Retry": [{"ErrorEquals": ["Retry", "States.Timeout"], "JitterStrategy": "FULL", "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["Human", "States.DataLimitExceeded"], "ResultPath": "$.e", "Next": next}]})
    };
    let definition = json!({"StartAt": "Work", "States": {
        "Work": task("work", "Each"),
        "Each": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ResultPath": "$.each", "Next": "Both",
            "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
            "ItemProcessor": {"StartAt": "Item", "States": {"Item": task("item", "Rest"), "Rest": {"Type": "Wait", "Seconds": 3, "End": true}}}},
        "Both": {"Type": "Parallel", "Branches": [
            {"StartAt": "Left", "States": {"Left": task("left", "LeftEnd"), "LeftEnd": {"Type": "Succeed"}}},
            {"StartAt": "Right", "States": {"Right": {"Type": "Wait", "Seconds": 2, "Next": "Route"},
                "Route": {"Type": "Choice", "Choices": [{"Variable": "$.r", "IsPresent": true, "Next": "RightEnd"}], "Default": "Bad"},
                "RightEnd": {"Type": "Pass", "End": true}, "Bad": {"Type": "Fail", "Error": "Human"}}}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Again"}], "ResultPath": null, "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "Done"}], "Default": "Work"},
        "Done": {"Type": "Succeed"}
    }});
    Arc::new(Machine::parse("rich", &definition.to_string(), &BTreeMap::new()).expect("loads"))
}

fn identity() -> Identity {
    let arn = |kind: &str| format!("arn:aws:states:us-east-1:123456789012:{kind}");
    Identity {
        arn: arn("execution:rich:e"),
        name: "e".to_owned(),
        state_machine_arn: arn("stateMachine:rich"),
        role_arn: String::new(),
    }
}

/// Drives an execution by the choices: each takes one token ever seen, and one way to use it.
fn drive(machine: &Arc<Machine>, choices: &[(usize, u8, Value)]) -> (Vec<Effect>, Execution) {
    let mut chance = 0_u64;
    let mut draw = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        chance
    };
    let input = json!({"items": [1, 2, 3]});
    let (mut execution, mut all) =
        Execution::start(machine.clone(), identity(), input, Record::Keep, START, &mut draw).expect("starts");
    for (step, (pick, way, value)) in choices.iter().enumerate() {
        let seen: Vec<Token> = all
            .iter()
            .filter_map(|effect| match effect {
                Effect::Invoke { token, .. } | Effect::WakeAt { token, .. } => Some(*token),
                _ => None,
            })
            .collect();
        // Late tokens matter most: count from the end.
        let token = seen[seen.len() - 1 - pick % seen.len().min(8)];
        let event = match way {
            0..=2 => Event::Completed { token, result: Ok(value.clone()) },
            3 => Event::Completed { token, result: Err(TaskError::lambda("Retry", "x")) },
            4 => Event::Completed { token, result: Err(TaskError::lambda("Human", "x")) },
            5 => Event::Heartbeat { token },
            6 => Event::Woke { token: seen[seen.len() - 1 - pick % seen.len().min(3)] },
            _ => Event::Woke { token },
        };
        let now = START + SignedDuration::from_secs(i64::try_from(step).expect("small"));
        all.extend(execution.handle(event, now, &mut draw));
    }
    (all, execution)
}

proptest! {
    #![proptest_config(config(400, 11))]

    #[test]
    fn no_text_panics_the_loader(text in ".{0,200}") {
        let _ = Machine::parse("m", &text, &BTreeMap::new());
    }

    #[test]
    fn no_definition_panics_the_loader(value in value(), states in proptest::collection::btree_map(word(), value(), 0..4)) {
        let _ = Machine::parse("m", &value.to_string(), &BTreeMap::new());
        let definition = json!({"StartAt": "A", "States": states});
        let refused = Machine::parse("m", &definition.to_string(), &BTreeMap::new());
        if let Err(refusals) = refused {
            prop_assert!(!refusals.is_empty(), "a refusal without a finding");
        }
    }

    #[test]
    fn no_input_panics_a_machine(input in value()) {
        let definition = json!({"StartAt": "C", "States": {
            "C": {"Type": "Choice", "Default": "P", "Choices": [{"Or": [
                {"Variable": "$.a", "StringMatches": "*a*b*"}, {"Variable": "$.a", "TimestampLessThanPath": "$.b"},
                {"Variable": "$.a", "NumericLessThanPath": "$.A"}, {"Variable": "$", "IsTimestamp": true}], "Next": "P"}]},
            "P": {"Type": "Pass", "Parameters": {"f.$": "States.Format($.a, $.b)", "j.$": "States.StringToJson($.A)"}, "ResultPath": "$.a.b", "End": true}
        }});
        let machine = Arc::new(Machine::parse("m", &definition.to_string(), &BTreeMap::new()).expect("loads"));
        let (execution, _) = Execution::start(machine, identity(), input, Record::Keep, START, &mut || 0).expect("starts");
        prop_assert_ne!(execution.status(), &Status::Running);
    }
}

proptest! {
    #![proptest_config(config(200, 12))]

    #[test]
    fn any_order_of_events_is_taken_and_repeats(
        choices in proptest::collection::vec((any::<usize>(), 0_u8..12, value()), 0..120)
    ) {
        let machine = rich_machine();
        let (effects, mut execution) = drive(&machine, &choices);
        prop_assert_eq!(&effects, &drive(&machine, &choices).0);
        let finishes = effects.iter().filter(|effect| matches!(effect, Effect::Finish { .. })).count();
        prop_assert_eq!(finishes, usize::from(execution.status() != &Status::Running));
        prop_assert_eq!(execution.take_log().len(), usize::try_from(execution.history_events()).expect("fits"));
        if execution.status() != &Status::Running {
            let ends_with_it = matches!(effects.last(), Some(Effect::Finish { .. }));
            prop_assert!(ends_with_it);
        }
    }
}
