//! May this definition run here? Turns text into a [`Machine`], or says everything that stands against it. Nothing is
//! silently ignored: a field that is not read is a refusal.

mod choices;
mod fields;
mod graph;
mod handling;
mod states;
mod strict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::machine::Machine;
use crate::path::Scope;
use crate::quotas::{DEFINITION_BYTES_MAX, SECONDS_MAX};
use crate::refusal::Refusal;
use fields::Fields;

/// Collects what stands against a definition while it is read.
struct Loader {
    machine: String,
    refusals: Vec<Refusal>,
    /// All state names so far: they are unique over the whole machine, inner states included.
    names: BTreeSet<String>,
}

impl Loader {
    fn refuse(&mut self, state: &str, field: &str, why: impl Into<String>) {
        self.refusals.push(Refusal {
            machine: self.machine.clone(),
            state: state.to_owned(),
            field: field.to_owned(),
            why: why.into(),
        });
    }
}

/// See [`Machine::parse`].
pub(crate) fn machine(
    name: &str,
    text: &str,
    substitutions: &BTreeMap<String, String>,
) -> Result<Machine, Vec<Refusal>> {
    let mut loader = Loader { machine: name.to_owned(), refusals: Vec::new(), names: BTreeSet::new() };
    let machine =
        definition(&mut loader, text, substitutions).and_then(|root| load(&mut loader, name, &root));
    match machine {
        Some(machine) if loader.refusals.is_empty() => Ok(machine),
        _ => Err(loader.refusals),
    }
}

fn definition(
    loader: &mut Loader,
    text: &str,
    substitutions: &BTreeMap<String, String>,
) -> Option<Map<String, Value>> {
    if let Err(why) = crate::name::check(&loader.machine) {
        loader.refuse("", "", why);
    }
    let text = substitute(loader, text, substitutions);
    if text.len() > DEFINITION_BYTES_MAX {
        loader.refuse("", "", format!("the definition has more than {DEFINITION_BYTES_MAX} bytes"));
        return None;
    }
    match strict::parse(&text) {
        Ok(Value::Object(root)) => Some(root),
        Ok(_) => {
            loader.refuse("", "", "a definition is a JSON object");
            None
        }
        Err(error) => {
            loader.refuse("", "", format!("not JSON as required: {error}"));
            None
        }
    }
}

/// Fills `${Name}`, once and from left to right: a value is never searched for placeholders again.
fn substitute(loader: &mut Loader, text: &str, substitutions: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            loader.refuse("", "", "`${` without `}`");
            return out;
        };
        match substitutions.get(name) {
            Some(value) => out.push_str(value),
            None => loader.refuse("", "", format!("placeholder `${{{name}}}` has no value")),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn load(loader: &mut Loader, name: &str, root: &Map<String, Value>) -> Option<Machine> {
    let mut fields = Fields::new("", "", root);
    fields.text(loader, "Comment");
    if let Some(version) = fields.text(loader, "Version")
        && version != "1.0"
    {
        loader.refuse("", "Version", "the only version is `1.0`");
    }
    if let Some(language) = fields.text(loader, "QueryLanguage")
        && language != "JSONPath"
    {
        loader.refuse("", "QueryLanguage", format!("`{language}` is not implemented, `JSONPath` is"));
    }
    let timeout_seconds = fields.integer(loader, "TimeoutSeconds", 1, SECONDS_MAX);
    let graph = graph::read(loader, &mut fields, Scope { in_map: false });
    fields.finish(loader);
    Some(Machine { name: Arc::from(name), graph: Arc::new(graph?), timeout_seconds })
}
