//! Machines and functions: one name everywhere, every error handled, every outcome chosen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{assert_none, root};

fn machines() -> Vec<(String, Value)> {
    let folder = root().join("statemachine");
    let mut found: Vec<(String, Value)> = std::fs::read_dir(folder)
        .expect("statemachine/ can be read")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".asl.json")?.to_owned();
            let text = std::fs::read_to_string(&path).ok()?;
            Some((name, serde_json::from_str(&text).expect("a machine is JSON")))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "there are machines");
    found
}

/// All states, those inside Maps too, with the name of their machine.
fn states(machine: &str, states: &Map<String, Value>, found: &mut Vec<(String, Value)>) {
    for (name, state) in states {
        found.push((format!("{machine}.{name}"), state.clone()));
        if let Some(inner) = state.pointer("/ItemProcessor/States").and_then(Value::as_object) {
            self::states(machine, inner, found);
        }
    }
}

fn all_states() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, machine) in machines() {
        states(&name, machine["States"].as_object().expect("States is an object"), &mut found);
    }
    found
}

fn errors<'a>(state: &'a Value, field: &str) -> BTreeSet<&'a str> {
    let rules = state[field].as_array().map(Vec::as_slice).unwrap_or_default();
    rules
        .iter()
        .flat_map(|rule| rule["ErrorEquals"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn every_task_has_a_timeout_and_handles_every_error() {
    let mut findings = Vec::new();
    for (name, state) in all_states() {
        if state["Type"] != "Task" {
            continue;
        }
        if !state["TimeoutSeconds"].is_u64() {
            findings.push(format!("{name}: has no TimeoutSeconds"));
        }
        if !errors(&state, "Catch").contains("States.ALL") {
            findings.push(format!("{name}: catches no States.ALL"));
        }
        if !state["Resource"].as_str().unwrap_or_default().starts_with("${") {
            continue;
        }
        let retried = errors(&state, "Retry");
        for error in [
            "Retry",
            "Wait",
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "Runtime.ExitError",
            "States.Timeout",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
        ] {
            if !retried.contains(error) {
                findings.push(format!("{name}: does not retry {error}"));
            }
        }
        if retried.contains("Never") || retried.contains("Human") || retried.contains("States.ALL") {
            findings.push(format!("{name}: retries what must not be tried again"));
        }
    }
    assert_none("machines", &findings);
}

/// Every variant of an outcome enum of the contract, by the field of the state machine that holds it.
fn outcomes() -> BTreeMap<&'static str, Vec<String>> {
    use handlers::contract::discovery::{ListOutcome, LookOutcome};
    use handlers::contract::{LeaseOutcome, PlanOutcome, PollOutcome};
    let word = |value: Value| value.as_str().expect("an outcome is a word").to_owned();
    let json = |value: &dyn erased::Json| word(value.json());
    BTreeMap::from([
        ("discovery.AreThereMore", vec![json(&ListOutcome::More), json(&ListOutcome::Last)]),
        (
            "discovery.WhatWasFound",
            vec![json(&LookOutcome::Settled), json(&LookOutcome::Tell), json(&LookOutcome::Waits)],
        ),
        ("instance.IsLeaseTaken", vec![json(&LeaseOutcome::Taken), json(&LeaseOutcome::Held)]),
        ("instance.IsLeaseHandedOver", vec![json(&LeaseOutcome::HandedOver), json(&LeaseOutcome::Released)]),
        ("instance.IsLeaseReleased", vec![json(&LeaseOutcome::Released), json(&LeaseOutcome::HandedOver)]),
        ("instance.IsThereWork", vec![json(&PlanOutcome::Work), json(&PlanOutcome::Idle)]),
        (
            "instance.HowToGoOn",
            vec![
                json(&PollOutcome::Again),
                json(&PollOutcome::Plan),
                json(&PollOutcome::Drained),
                json(&PollOutcome::HandOver),
            ],
        ),
    ])
}

mod erased {
    /// Anything that can be written as JSON, behind a reference.
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).expect("an outcome can be written")
        }
    }
}

#[test]
fn every_choice_covers_every_outcome() {
    let expected = outcomes();
    let choices: Vec<(String, Value)> =
        all_states().into_iter().filter(|(_, state)| state["Type"] == "Choice").collect();
    for (name, state) in &choices {
        let covered: Vec<String> = state["Choices"]
            .as_array()
            .expect("a Choice has choices")
            .iter()
            .map(|choice| choice["StringEquals"].as_str().expect("outcomes are compared as words").to_owned())
            .collect();
        let wanted =
            expected.get(name.as_str()).unwrap_or_else(|| panic!("{name}: name its outcomes in this test"));
        assert_eq!(&covered, wanted, "{name}");
        assert!(state["Default"].is_string(), "{name}: needs a Default for a function of another version");
    }
    assert_eq!(choices.len(), expected.len());
}

/// `validate_region` = `validate-region` = `ValidateRegionFunction` = `${ValidateRegionFunctionArn}`.
#[test]
fn machines_name_functions_that_exist() {
    let handlers: BTreeSet<String> = handlers::NAMES.iter().map(|name| camel(name)).collect();
    let mut used = BTreeSet::new();
    for (name, state) in all_states() {
        let resource = state["Resource"].as_str().unwrap_or_default();
        if let Some(function) = resource.strip_prefix("${").and_then(|rest| rest.strip_suffix("FunctionArn}"))
        {
            assert!(handlers.contains(function), "{name}: no function {function}");
            used.insert(function.to_owned());
        }
    }
    assert_eq!(used, handlers, "functions that no machine calls");
    for name in handlers::NAMES {
        let file = root().join("functions/handlers/src").join(format!("{}.rs", name.replace('-', "_")));
        assert!(file.exists(), "{}: one file a function", file.display());
    }
}

/// Functions that no machine calls: people do, and `EventBridge`.
const CALLED_BY_OTHERS: [&str; 2] = ["api", "observe-event"];

/// A binary for every function, and no other.
#[test]
fn every_function_has_a_binary() {
    let folder = root().join("functions/lambdas/src/bin");
    let binaries: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder of binaries can be read")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    let functions: BTreeSet<String> =
        handlers::NAMES.iter().chain(&CALLED_BY_OTHERS).map(|name| (*name).to_owned()).collect();
    assert_eq!(binaries, functions);
}

fn camel(kebab: &str) -> String {
    kebab
        .split('-')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default()
                + letters.as_str()
        })
        .collect()
}
