//! Reads one state by its type. Each reader takes the fields its type has; what remains is refused by the caller.
//!
//! Source: Amazon States Language, "Table of State Types and Fields"; developer guide, the page of each state type.

use std::sync::Arc;

use serde_json::{Map as Object, Value};

use super::fields::Fields;
use super::graph::{self, Names};
use super::{Loader, choices, handling};
use crate::choice::timestamp;
use crate::machine::{Kind, Limit, Map, Parallel, Pass, Selection, Target, Task, Until};
use crate::path::Scope;
use crate::quotas::{INLINE_MAP_CONCURRENCY_MAX, SECONDS_MAX};
use crate::template::Template;

/// What every state has, beside its name.
pub(super) struct Read {
    pub(super) input_path: Selection,
    pub(super) output_path: Selection,
    pub(super) kind: Kind,
}

/// Reads the state called `name`.
pub(super) fn read(
    loader: &mut Loader,
    names: &Names,
    name: &str,
    object: &Object<String, Value>,
    scope: Scope,
) -> Option<Read> {
    let mut fields = Fields::new(name, "", object);
    fields.text(loader, "Comment");
    if let Some(language) = fields.text(loader, "QueryLanguage")
        && language != "JSONPath"
    {
        fields.refuse(loader, "QueryLanguage", format!("`{language}` is not implemented, `JSONPath` is"));
    }
    if !fields.has("Type") {
        fields.refuse(loader, "Type", "required");
    }
    let state_type = fields.text(loader, "Type")?;
    // A Fail has no output and takes no paths.
    let (input_path, output_path) = if state_type == "Fail" {
        (Selection::Whole, Selection::Whole)
    } else {
        (fields.selection(loader, "InputPath", scope), fields.selection(loader, "OutputPath", scope))
    };
    let kind = match state_type {
        "Pass" => pass(loader, names, &mut fields, scope),
        "Task" => task(loader, names, &mut fields, scope),
        "Choice" => choices::read(loader, names, &mut fields, scope).map(Kind::Choice),
        "Wait" => wait(loader, names, &mut fields, scope),
        "Succeed" => Some(Kind::Succeed),
        "Fail" => Some(Kind::Fail(
            fields.fail_text(loader, "Error", "ErrorPath", scope),
            fields.fail_text(loader, "Cause", "CausePath", scope),
        )),
        "Map" => map(loader, names, &mut fields, scope),
        "Parallel" => parallel(loader, names, &mut fields, scope),
        other => {
            fields.refuse(loader, "Type", format!("state type `{other}` is not implemented, or unknown"));
            return None;
        }
    };
    fields.finish(loader);
    Some(Read { input_path, output_path, kind: kind? })
}

fn pass(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>, scope: Scope) -> Option<Kind> {
    let parameters = fields.template(loader, "Parameters", scope);
    let result = fields.value("Result").map(|value| Arc::new(value.clone()));
    if parameters.is_some() && result.is_some() {
        fields.refuse(loader, "Result", "`Parameters` is there too, and `Result` would hide it");
    }
    let result_path = fields.placement(loader);
    let next = handling::next(loader, names, fields);
    Some(Kind::Pass(Pass { parameters, result, result_path, next: next? }))
}

fn task(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>, scope: Scope) -> Option<Kind> {
    if !fields.has("Resource") {
        fields.refuse(loader, "Resource", "required");
    }
    let resource = fields.text(loader, "Resource");
    let target = resource.and_then(|resource| match target(resource) {
        Ok(target) => Some(target),
        Err(why) => {
            fields.refuse(loader, "Resource", why);
            None
        }
    });
    if target == Some(Target::StartExecution) {
        check_start_execution(loader, fields);
    }
    let parameters = fields.template(loader, "Parameters", scope);
    let range = (1, SECONDS_MAX);
    let timeout = fields.limit(loader, ("TimeoutSeconds", "TimeoutSecondsPath"), range, scope);
    let heartbeat = fields.limit(loader, ("HeartbeatSeconds", "HeartbeatSecondsPath"), range, scope);
    if let (Some(Limit::Seconds(timeout)), Some(Limit::Seconds(heartbeat))) = (&timeout, &heartbeat)
        && heartbeat >= timeout
    {
        fields.refuse(loader, "HeartbeatSeconds", "must be smaller than `TimeoutSeconds`");
    }
    let handling = handling::read(loader, names, fields, scope);
    Some(Kind::Task(Task { target: target?, parameters, timeout, heartbeat, handling: handling? }))
}

/// The ARN of a Lambda function, or the request-response integration that starts an execution.
fn target(resource: &str) -> Result<Target, String> {
    let parts: Vec<&str> = resource.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "states", "", "", "states", "startExecution"] if is_partition(partition) => {
            Ok(Target::StartExecution)
        }
        ["arn", partition, "lambda", region, account, "function", name, qualifier @ ..]
            if is_partition(partition) && qualifier.len() <= 1 =>
        {
            let account_fits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            let name_fits =
                |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c));
            let fits = account_fits
                && !region.is_empty()
                && name_fits(name)
                && qualifier.iter().all(|q| name_fits(q));
            if fits {
                Ok(Target::Function(resource.into()))
            } else {
                Err(format!("`{resource}` is no ARN of a function"))
            }
        }
        _ => Err(format!(
            "resource `{resource}` is not implemented: ARNs of Lambda functions and `startExecution` are"
        )),
    }
}

fn is_partition(partition: &str) -> bool {
    matches!(partition, "aws" | "aws-cn" | "aws-us-gov")
}

/// `startExecution` takes `StateMachineArn`, `Input` and `Name`.
fn check_start_execution(loader: &mut Loader, fields: &Fields<'_>) {
    let parameters = fields.dynamic("Parameters").and_then(Value::as_object);
    let has =
        |name: &str| parameters.is_some_and(|p| p.contains_key(name) || p.contains_key(&format!("{name}.$")));
    if !has("StateMachineArn") {
        fields.refuse(loader, "Parameters.StateMachineArn", "required by `startExecution`");
    }
    for key in parameters.into_iter().flat_map(Object::keys) {
        let name = key.strip_suffix(".$").unwrap_or(key);
        if !matches!(name, "StateMachineArn" | "Input" | "Name") {
            fields.refuse(loader, &format!("Parameters.{key}"), "not implemented for `startExecution`");
        }
    }
}

fn wait(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>, scope: Scope) -> Option<Kind> {
    const FIELDS: [&str; 4] = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    let given: Vec<&str> = FIELDS.into_iter().filter(|field| fields.has(field)).collect();
    if given.len() != 1 {
        fields.refuse(loader, "", format!("exactly one of {FIELDS:?} expected, not {given:?}"));
    }
    let after = fields.limit(loader, ("Seconds", "SecondsPath"), (0, SECONDS_MAX), scope).map(Until::After);
    let moment = fields.text(loader, "Timestamp").and_then(|text| {
        let moment = timestamp(text);
        if moment.is_none() {
            fields.refuse(loader, "Timestamp", format!("`{text}` is no timestamp as `2026-08-18T17:33:00Z`"));
        }
        moment.map(Until::Moment)
    });
    let moment_at = fields.path(loader, "TimestampPath", scope).map(Until::MomentAt);
    let next = handling::next(loader, names, fields);
    Some(Kind::Wait(after.or(moment).or(moment_at)?, next?))
}

fn map(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>, scope: Scope) -> Option<Kind> {
    let items_path = fields.path(loader, "ItemsPath", scope);
    let inner = Scope { in_map: true };
    let item_selector = fields.template(loader, "ItemSelector", inner);
    let asked = fields.integer(loader, "MaxConcurrency", 0, SECONDS_MAX).unwrap_or(0);
    let concurrency_max = match usize::try_from(asked) {
        Ok(asked) if asked > 0 => asked.min(INLINE_MAP_CONCURRENCY_MAX),
        _ => INLINE_MAP_CONCURRENCY_MAX,
    };
    if !fields.has("ItemProcessor") {
        fields.refuse(loader, "ItemProcessor", "required");
    }
    let processor = fields.object(loader, "ItemProcessor").and_then(|object| {
        let mut processor = Fields::new(&fields.state, "ItemProcessor", object);
        processor.text(loader, "Comment");
        if let Some(config) = processor.object(loader, "ProcessorConfig") {
            let mut config = Fields::new(&fields.state, "ItemProcessor.ProcessorConfig", config);
            if let Some(mode) = config.text(loader, "Mode")
                && mode != "INLINE"
            {
                config.refuse(loader, "Mode", format!("`{mode}` is not implemented, `INLINE` is"));
            }
            config.finish(loader);
        }
        let graph = graph::read(loader, &mut processor, inner);
        processor.finish(loader);
        graph
    });
    let handling = handling::read(loader, names, fields, scope);
    Some(Kind::Map(Map {
        items_path: items_path.filter(|path| !path.is_whole()),
        item_selector,
        concurrency_max,
        processor: Arc::new(processor?),
        handling: handling?,
    }))
}

fn parallel(loader: &mut Loader, names: &Names, fields: &mut Fields<'_>, scope: Scope) -> Option<Kind> {
    let parameters: Option<Template> = fields.template(loader, "Parameters", scope);
    let items = fields.array(loader, "Branches").unwrap_or_default();
    if items.is_empty() {
        fields.refuse(loader, "Branches", "at least one branch expected");
    }
    let mut branches = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let place = format!("Branches[{at}]");
        let Value::Object(object) = item else {
            fields.refuse(loader, &place, "an object expected");
            continue;
        };
        let mut branch = Fields::new(&fields.state, &place, object);
        branch.text(loader, "Comment");
        branches.push(graph::read(loader, &mut branch, scope).map(Arc::new));
        branch.finish(loader);
    }
    let handling = handling::read(loader, names, fields, scope);
    let branches = branches.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Kind::Parallel(Parallel { parameters, branches, handling: handling? }))
}
