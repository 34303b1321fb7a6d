//! Which value does a path select? Paths of the subset: `$`, `$.a.b[0]`, `$['a b']` over the state's data, and leaves of
//! the context object behind `$$`. Refuses everything that selects more than one value (wildcards, slices, filters, `..`):
//! our machines need none, and engines disagree on them.
//!
//! Source: Amazon States Language specification, "Paths" and "Reference Paths"; developer guide, "Context object".

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::context::{Context, Field};

/// One move inside a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Data,
    Context(Field),
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: Arc<str>,
    root: Root,
    steps: Vec<Step>,
}

/// Where a path stands: decides what `$$` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Inside an `ItemSelector` or an `ItemProcessor`, where `$$.Map.Item` exists.
    pub(crate) in_map: bool,
}

impl Path {
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Self, String> {
        let (context, rest) = match text.strip_prefix("$$") {
            Some(rest) => (true, rest),
            None => (
                false,
                text.strip_prefix('$')
                    .ok_or_else(|| format!("`{text}` is no path: it does not begin with `$`"))?,
            ),
        };
        let mut steps = parse_steps(rest).map_err(|why| format!("path `{text}`: {why}"))?;
        let root = if context {
            let (field, used) = Field::find(&steps, scope).map_err(|why| format!("path `{text}`: {why}"))?;
            steps.drain(..used);
            Root::Context(field)
        } else {
            Root::Data
        };
        Ok(Self { text: text.into(), root, steps })
    }

    /// A path that names one place of the state's own input: for `ResultPath`.
    pub(crate) fn parse_reference(text: &str) -> Result<Self, String> {
        if text.starts_with("$$") {
            return Err(format!("`{text}` names the context object, which can not be written"));
        }
        Self::parse(text, Scope { in_map: false })
    }

    /// The whole of the state's data.
    pub(crate) fn is_whole(&self) -> bool {
        self.root == Root::Data && self.steps.is_empty()
    }

    /// The selected value, or nothing where a step finds none.
    pub(crate) fn select<'v>(&self, data: &'v Value, context: &Context<'v>) -> Option<Cow<'v, Value>> {
        let start = match self.root {
            Root::Data => Cow::Borrowed(data),
            Root::Context(field) => context.field(field)?,
        };
        match start {
            Cow::Borrowed(value) => walk(value, &self.steps).map(Cow::Borrowed),
            Cow::Owned(value) => walk(&value, &self.steps).cloned().map(Cow::Owned),
        }
    }

    /// Writes `result` into `target` at this reference path. Missing objects on the way are made; an existing value that
    /// is no object, or an array position that does not exist, does not fit.
    pub(crate) fn write(&self, target: &mut Value, result: Value) -> Result<(), String> {
        let mut place = target;
        for step in &self.steps {
            place = match step {
                Step::Key(key) => {
                    let Value::Object(object) = place else {
                        return Err(format!("Unable to apply step \"{key}\" of `{self}` to the input"));
                    };
                    object.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()))
                }
                Step::Index(index) => place
                    .get_mut(*index)
                    .ok_or_else(|| format!("Unable to apply step \"[{index}]\" of `{self}` to the input"))?,
            };
        }
        *place = result;
        Ok(())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn walk<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

fn parse_steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '.' => key_step(&rest[1..], &mut steps)?,
            '[' => bracket_step(&rest[1..], &mut steps)?,
            other => return Err(format!("unexpected `{other}`")),
        };
    }
    Ok(steps)
}

fn key_step<'t>(text: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() {
        return Err(
            "a field name is missing after `.` (recursive descent and wildcards are not implemented)"
                .to_owned(),
        );
    }
    steps.push(Step::Key(key.to_owned()));
    Ok(rest)
}

fn bracket_step<'t>(text: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let (key, rest) = quoted.split_once("']").ok_or("`['` without `']`")?;
        if key.is_empty() || key.contains(['\'', '\\', ',']) {
            return Err(format!("`['{key}']` is not implemented: one plain name in single quotes is"));
        }
        steps.push(Step::Key(key.to_owned()));
        return Ok(rest);
    }
    let (index, rest) = text.split_once(']').ok_or("`[` without `]`")?;
    if index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`[{index}]` is not implemented: one position from 0 is"));
    }
    steps.push(Step::Index(index.parse().map_err(|_| format!("`[{index}]` is too large"))?));
    Ok(rest)
}
