//! What an invocation is about: the ids that its payload names, for the log.

use std::collections::BTreeMap;
use std::fmt;

use domain::lease::run_name;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Longest id that is logged, in bytes; names of AWS and SQL Server are shorter. Policy.
const ID_BYTES_MAX: usize = 256;

/// Ids by their name in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Subject(BTreeMap<&'static str, String>);

impl Subject {
    /// Adds an id, cut to a bounded length.
    pub(crate) fn name(mut self, name: &'static str, id: Option<&str>) -> Self {
        if let Some(id) = id {
            let mut end = id.len().min(ID_BYTES_MAX);
            while !id.is_char_boundary(end) {
                end -= 1;
            }
            self.0.insert(name, id[..end].to_owned());
        }
        self
    }

    /// The ids in a payload of the machines, whatever else is in it. A payload that is no object names nothing.
    pub(crate) fn of_run(payload: &str) -> Self {
        let Run { instance, generation, action, task, database } =
            serde_json::from_str(payload).unwrap_or_default();
        let run = match (&instance.0, generation.0.as_deref().map(str::parse)) {
            (Some(instance), Some(Ok(generation))) => Some(run_name(instance, generation)),
            _ => None,
        };
        Self::default()
            .name("run", run.as_deref())
            .name("instance", instance.0.as_deref())
            .name("action", action.0.as_deref())
            .name("task", task.0.as_deref())
            .name("database", database.0.as_deref())
    }
}

/// The fields of `handlers::contract` that identify something.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Run {
    instance: Id,
    generation: Id,
    action: Id,
    task: Id,
    database: Id,
}

/// A text or a number; anything else is no id.
#[derive(Default)]
struct Id(Option<String>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Id, E> {
        Ok(Id(Some(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Id, E> {
        Ok(Id(Some(number.to_string())))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Id, E> {
        Ok(Id(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Id, E> {
        Ok(Id(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Id, E> {
        Ok(Id(None))
    }

    fn visit_unit<E>(self) -> Result<Id, E> {
        Ok(Id(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Id, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Id(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Id, A::Error> {
        while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Id(None))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_found_whatever_stands_beside_them() {
        let json = |payload: &str| serde_json::to_string(&Subject::of_run(payload)).unwrap();
        for (payload, expected) in [
            (
                r#"{"schema":1,"instance":"sales","generation":7,"action":"take"}"#,
                r#"{"action":"take","instance":"sales","run":"sales-7"}"#,
            ),
            (
                r#"{"instance":"sales","generation":[7],"task":{"id":1},"database":"orders"}"#,
                r#"{"database":"orders","instance":"sales"}"#,
            ),
            (r#"{"instance":null,"generation":7,"task":1.5,"action":true}"#, "{}"),
            (r#"{"schema":1}"#, "{}"),
            ("[]", "{}"),
            ("hush", "{}"),
        ] {
            assert_eq!(json(payload), expected, "{payload}");
        }
    }

    #[test]
    fn an_endless_id_is_cut_between_characters() {
        let id = "ß".repeat(1000);
        let Subject(ids) = Subject::default().name("instance", Some(&format!("x{id}")));
        assert_eq!(ids["instance"].len(), ID_BYTES_MAX - 1);
    }

    proptest! {
        #[test]
        fn no_payload_makes_a_panic(payload in ".{0,200}") {
            let _ = Subject::of_run(&payload);
            let _ = Subject::of_run(&format!(r#"{{"instance":{payload},"generation":{payload}}}"#));
        }
    }
}
