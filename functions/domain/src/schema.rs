//! What do values look like in JSON that write themselves by hand? Shapes for the document of the API.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::lsn::{LSN_DIGITS_MAX, Lsn};
use crate::retention::{Removal, Why};

impl JsonSchema for Lsn {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Lsn")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A log sequence number: `numeric(25,0)` as a decimal string.",
            "type": "string",
            "pattern": "^[0-9]+$",
            "maxLength": LSN_DIGITS_MAX,
        })
    }
}

impl JsonSchema for Removal {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Removal")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Why a backup may go.",
            "type": "object",
            "properties": { "name": { "type": "string" }, "message": { "type": "string" } },
            "required": ["name", "message"],
        })
    }
}

impl JsonSchema for Why {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Why")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let until = generator.subschema_for::<Option<jiff::Timestamp>>();
        json_schema!({
            "description": "One reason to keep a backup.",
            "type": "object",
            "properties": { "name": { "type": "string" }, "message": { "type": "string" }, "until": until },
            "required": ["name", "message", "until"],
        })
    }
}
