//! Reads the fields of one object and remembers which: those left over are refused. Refuses wrong types and ranges on
//! the way; the value is then absent, and the finding is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Loader;
use crate::machine::{Limit, Placement, Selection, Text};
use crate::path::{Path, Scope};
use crate::template::Template;

/// The fields of one object of a definition.
pub(super) struct Fields<'d> {
    pub(super) state: Arc<str>,
    prefix: String,
    object: &'d Map<String, Value>,
    read: BTreeSet<&'static str>,
}

impl<'d> Fields<'d> {
    /// `prefix` leads from the state to this object, as `Retry[0]`; empty for the state itself.
    pub(super) fn new(state: &str, prefix: &str, object: &'d Map<String, Value>) -> Self {
        Self { state: state.into(), prefix: prefix.to_owned(), object, read: BTreeSet::new() }
    }

    /// The name of a field as refusals print it.
    pub(super) fn at(&self, field: &str) -> String {
        match (self.prefix.as_str(), field) {
            ("", field) => field.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, field) => format!("{prefix}.{field}"),
        }
    }

    pub(super) fn refuse(&self, loader: &mut Loader, field: &str, why: impl Into<String>) {
        loader.refuse(&self.state, &self.at(field), why);
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    pub(super) fn value(&mut self, field: &'static str) -> Option<&'d Value> {
        self.read.insert(field);
        self.object.get(field)
    }

    /// A field that is looked at without being read: it stays to be read, or refused.
    pub(super) fn dynamic(&self, field: &str) -> Option<&'d Value> {
        self.object.get(field)
    }

    fn typed<T>(
        &mut self,
        loader: &mut Loader,
        field: &'static str,
        wanted: &str,
        read: impl FnOnce(&'d Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(field)?;
        let found = read(value);
        if found.is_none() {
            self.refuse(loader, field, format!("{wanted} expected"));
        }
        found
    }

    pub(super) fn text(&mut self, loader: &mut Loader, field: &'static str) -> Option<&'d str> {
        self.typed(loader, field, "a string", Value::as_str)
    }

    pub(super) fn flag(&mut self, loader: &mut Loader, field: &'static str) -> Option<bool> {
        self.typed(loader, field, "true or false", Value::as_bool)
    }

    pub(super) fn object(
        &mut self,
        loader: &mut Loader,
        field: &'static str,
    ) -> Option<&'d Map<String, Value>> {
        self.typed(loader, field, "an object", Value::as_object)
    }

    pub(super) fn array(&mut self, loader: &mut Loader, field: &'static str) -> Option<&'d [Value]> {
        self.typed(loader, field, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    pub(super) fn integer(
        &mut self,
        loader: &mut Loader,
        field: &'static str,
        low: u32,
        high: u32,
    ) -> Option<u32> {
        let wanted = format!("a whole number from {low} to {high}");
        self.typed(loader, field, &wanted, |value| {
            value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (low..=high).contains(n))
        })
    }

    pub(super) fn path(&mut self, loader: &mut Loader, field: &'static str, scope: Scope) -> Option<Path> {
        let text = self.text(loader, field)?;
        Path::parse(text, scope).map_err(|why| self.refuse(loader, field, why)).ok()
    }

    /// `InputPath` or `OutputPath`.
    pub(super) fn selection(&mut self, loader: &mut Loader, field: &'static str, scope: Scope) -> Selection {
        if self.value(field).is_some_and(Value::is_null) {
            return Selection::Nothing;
        }
        match self.path(loader, field, scope) {
            Some(path) if !path.is_whole() => Selection::Path(path),
            _ => Selection::Whole,
        }
    }

    /// `ResultPath`.
    pub(super) fn placement(&mut self, loader: &mut Loader) -> Placement {
        const FIELD: &str = "ResultPath";
        if self.value(FIELD).is_some_and(Value::is_null) {
            return Placement::Discard;
        }
        let Some(text) = self.text(loader, FIELD) else {
            return Placement::Replace;
        };
        match Path::parse_reference(text) {
            Ok(path) if path.is_whole() => Placement::Replace,
            Ok(path) => Placement::At(path),
            Err(why) => {
                self.refuse(loader, FIELD, why);
                Placement::Replace
            }
        }
    }

    pub(super) fn template(
        &mut self,
        loader: &mut Loader,
        field: &'static str,
        scope: Scope,
    ) -> Option<Template> {
        let value = self.value(field)?;
        if !value.is_object() {
            self.refuse(loader, field, "an object expected");
            return None;
        }
        Template::parse(value, scope).map_err(|why| self.refuse(loader, field, why)).ok()
    }

    /// A number of seconds in `field`, or where `path_field` finds it.
    pub(super) fn limit(
        &mut self,
        loader: &mut Loader,
        fields: (&'static str, &'static str),
        range: (u32, u32),
        scope: Scope,
    ) -> Option<Limit> {
        let (field, path_field) = fields;
        if self.has(field) && self.has(path_field) {
            self.refuse(loader, path_field, format!("`{field}` is there too: only one of them may be"));
        }
        let seconds = self.integer(loader, field, range.0, range.1).map(Limit::Seconds);
        let path = self.path(loader, path_field, scope).map(Limit::Path);
        seconds.or(path)
    }

    /// `Error` or `Cause` of a Fail.
    pub(super) fn fail_text(
        &mut self,
        loader: &mut Loader,
        field: &'static str,
        path_field: &'static str,
        scope: Scope,
    ) -> Text {
        if self.has(field) && self.has(path_field) {
            self.refuse(loader, path_field, format!("`{field}` is there too: only one of them may be"));
        }
        let fixed = self.text(loader, field).map(|text| Text::Fixed(text.to_owned()));
        if let Some(text) = self.dynamic(path_field).and_then(Value::as_str)
            && text.starts_with("States.")
        {
            self.value(path_field);
            self.refuse(loader, path_field, "an intrinsic is not implemented here, a path is");
            return Text::Absent;
        }
        let path = self.path(loader, path_field, scope).map(Text::Path);
        fixed.or(path).unwrap_or(Text::Absent)
    }

    /// Refuses whatever was not read.
    pub(super) fn finish(self, loader: &mut Loader) {
        for key in self.object.keys().filter(|key| !self.read.contains(key.as_str())) {
            self.refuse(loader, key, hint(key));
        }
    }
}

fn hint(field: &str) -> String {
    match field {
        "Iterator" => "not implemented: write `ItemProcessor`".to_owned(),
        "Assign" | "Output" | "Arguments" | "Items" | "Condition" => {
            "not implemented: it belongs to JSONata or to workflow variables".to_owned()
        }
        "ItemReader"
        | "ItemBatcher"
        | "ResultWriter"
        | "Label"
        | "ToleratedFailureCount"
        | "ToleratedFailurePercentage" => "not implemented: it belongs to the Distributed Map".to_owned(),
        _ => "not implemented here, or unknown".to_owned(),
    }
}
