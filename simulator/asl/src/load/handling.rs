//! Reads what Task, Map and Parallel share: result fields, `Retry`, `Catch`, and the way on.
//!
//! Source: developer guide, "Handling errors in Step Functions workflows", read 2026-11.

use serde_json::Value;

use super::Loader;
use super::fields::Fields;
use super::graph::Names;
use crate::failure;
use crate::machine::{Catcher, Handling, Next, Retrier};
use crate::path::Scope;
use crate::quotas::{MAX_DELAY_SECONDS_END, SECONDS_MAX};

/// Reads `ResultSelector`, `ResultPath`, `Retry`, `Catch`, `Next` and `End`.
pub(super) fn read(
    loader: &mut Loader,
    names: &Names,
    fields: &mut Fields<'_>,
    scope: Scope,
) -> Option<Handling> {
    let result_selector = fields.template(loader, "ResultSelector", scope);
    let result_path = fields.placement(loader);
    let retry = list(loader, fields, "Retry", retrier);
    let catch = list(loader, fields, "Catch", |loader, fields| catcher(loader, names, fields));
    check_order(loader, fields, "Retry", retry.iter().map(|retrier| retrier.errors.as_slice()));
    check_order(loader, fields, "Catch", catch.iter().map(|catcher| catcher.errors.as_slice()));
    let next = next(loader, names, fields);
    Some(Handling { result_selector, result_path, retry, catch, next: next? })
}

/// Reads `Next` or `End`, of which a state has exactly one.
pub(super) fn next(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>) -> Option<Next> {
    let end = fields.flag(loader, "End");
    match (fields.text(loader, "Next"), end) {
        (Some(name), None | Some(false)) => names.find(loader, fields, "Next", name).map(Next::State),
        (None, Some(true)) => Some(Next::End),
        (Some(_), Some(true)) => {
            fields.refuse(loader, "End", "`Next` is there too: only one of them may be");
            None
        }
        (None, _) => {
            if !fields.has("Next") {
                fields.refuse(loader, "Next", "a state needs `Next`, or `End: true`");
            }
            None
        }
    }
}

fn list<T>(
    loader: &mut Loader,
    fields: &mut Fields<'_>,
    field: &'static str,
    mut read: impl FnMut(&mut Loader, &mut Fields<'_>) -> Option<T>,
) -> Vec<T> {
    let items = fields.array(loader, field).unwrap_or_default();
    let mut found = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let place = format!("{field}[{at}]");
        let Value::Object(object) = item else {
            fields.refuse(loader, &place, "an object expected");
            continue;
        };
        let mut inner = Fields::new(&fields.state, &place, object);
        found.extend(read(loader, &mut inner));
        inner.finish(loader);
    }
    found
}

fn retrier(loader: &mut Loader, fields: &mut Fields<'_>) -> Option<Retrier> {
    fields.text(loader, "Comment");
    let errors = errors(loader, fields);
    let interval_seconds = fields.integer(loader, "IntervalSeconds", 1, SECONDS_MAX).unwrap_or(1);
    let attempts_max = fields.integer(loader, "MaxAttempts", 0, SECONDS_MAX).unwrap_or(3);
    let delay_max_seconds = fields.integer(loader, "MaxDelaySeconds", 1, MAX_DELAY_SECONDS_END - 1);
    let backoff_rate = match fields.value("BackoffRate").map(Value::as_f64) {
        None => 2.0,
        Some(Some(rate)) if rate >= 1.0 => rate,
        Some(_) => {
            fields.refuse(loader, "BackoffRate", "a number from 1.0 expected");
            return None;
        }
    };
    let full_jitter = match fields.text(loader, "JitterStrategy") {
        None | Some("NONE") => false,
        Some("FULL") => true,
        Some(other) => {
            fields.refuse(loader, "JitterStrategy", format!("`{other}` is neither `FULL` nor `NONE`"));
            return None;
        }
    };
    if delay_max_seconds.is_some_and(|most| most < interval_seconds) {
        fields.refuse(loader, "MaxDelaySeconds", "smaller than `IntervalSeconds`");
    }
    Some(Retrier {
        errors: errors?,
        interval_seconds,
        attempts_max,
        backoff_rate,
        delay_max_seconds,
        full_jitter,
    })
}

fn catcher(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>) -> Option<Catcher> {
    fields.text(loader, "Comment");
    let errors = errors(loader, fields);
    let result_path = fields.placement(loader);
    if !fields.has("Next") {
        fields.refuse(loader, "Next", "required");
    }
    let next = fields.text(loader, "Next").and_then(|name| names.find(loader, fields, "Next", name));
    Some(Catcher { errors: errors?, result_path, next: next? })
}

fn errors(loader: &mut Loader, fields: &mut Fields<'_>) -> Option<Vec<String>> {
    const FIELD: &str = "ErrorEquals";
    if !fields.has(FIELD) {
        fields.refuse(loader, FIELD, "required");
    }
    let items = fields.array(loader, FIELD)?;
    if items.is_empty() {
        fields.refuse(loader, FIELD, "at least one error name expected");
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = item.as_str().filter(|name| !name.is_empty()) else {
            fields.refuse(loader, FIELD, "error names are strings");
            return None;
        };
        if let Some(why) = unmatchable(name) {
            fields.refuse(loader, FIELD, format!("`{name}` {why}"));
        }
        if names.iter().any(|known| known == name) {
            fields.refuse(loader, FIELD, format!("`{name}` is named twice"));
        }
        names.push(name.to_owned());
    }
    Some(names)
}

/// Why a reserved name would never be matched, so that whoever wrote it waits in vain.
fn unmatchable(name: &str) -> Option<&'static str> {
    match name {
        failure::ALL
        | failure::TASK_FAILED
        | failure::TIMEOUT
        | failure::HEARTBEAT_TIMEOUT
        | failure::PERMISSIONS
        | failure::RESULT_PATH_MATCH_FAILURE
        | failure::DATA_LIMIT_EXCEEDED => None,
        failure::RUNTIME => Some("always fails the execution: it is neither retried nor caught"),
        "States.NoChoiceMatched" | "States.ParameterPathFailure" | "States.IntrinsicFailure" => {
            Some("is reserved for future use: AWS reports `States.Runtime`, which is never caught")
        }
        "States.BranchFailed" => Some("is not reported: a Parallel fails with the error of its branch"),
        name if name.starts_with("States.") => Some("is no error name of this subset"),
        _ => None,
    }
}

/// `States.ALL` stands alone and last; a name that an earlier entry already answers for is dead.
fn check_order<'e>(
    loader: &mut Loader,
    fields: &Fields<'_>,
    field: &str,
    lists: impl ExactSizeIterator<Item = &'e [String]>,
) {
    let last = lists.len().saturating_sub(1);
    let mut seen: Vec<&str> = Vec::new();
    for (at, names) in lists.enumerate() {
        let place = format!("{field}[{at}].ErrorEquals");
        let has_all = names.iter().any(|name| name == failure::ALL);
        if has_all && names.len() > 1 {
            fields.refuse(loader, &place, "`States.ALL` must stand alone");
        }
        if has_all && at != last {
            fields.refuse(loader, &place, "`States.ALL` must stand in the last entry");
        }
        for name in names {
            if seen.contains(&name.as_str()) {
                fields.refuse(loader, &place, format!("`{name}` stands in an earlier entry already"));
            }
            seen.push(name);
        }
    }
}
