//! What payload does a template build? For `Parameters`, `ItemSelector` and `ResultSelector`: fields whose name ends in
//! `.$` are replaced by the value of a path or an intrinsic. Parts without such fields are kept as ready values.
//!
//! Source: Amazon States Language, "Payload Template".

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::intrinsic::{Draw, Expr};
use crate::path::{Path, Scope};

/// A parsed payload template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Ready(Value),
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
    /// A `.$` field, with its whole name for messages.
    Path(String, Path),
    Intrinsic(String, Expr),
}

impl Template {
    pub(crate) fn parse(value: &Value, scope: Scope) -> Result<Self, String> {
        match value {
            Value::Object(object) => Self::parse_object(object, scope),
            Value::Array(items) => {
                let parts: Vec<Self> =
                    items.iter().map(|i| Self::parse(i, scope)).collect::<Result<_, _>>()?;
                let ready = parts.iter().all(|part| matches!(part, Self::Ready(_)));
                Ok(if ready { Self::Ready(value.clone()) } else { Self::Array(parts) })
            }
            plain => Ok(Self::Ready(plain.clone())),
        }
    }

    fn parse_object(object: &Map<String, Value>, scope: Scope) -> Result<Self, String> {
        let mut parts = Vec::with_capacity(object.len());
        for (key, value) in object {
            let Some(name) = key.strip_suffix(".$") else {
                parts.push((key.clone(), Self::parse(value, scope)?));
                continue;
            };
            if object.contains_key(name) {
                return Err(format!("`{name}` and `{key}` name the same field"));
            }
            let text = value
                .as_str()
                .ok_or_else(|| format!("`{key}` must be a path or an intrinsic in a string"))?;
            let named = |why| format!("`{key}`: {why}");
            let part = if text.starts_with("States.") {
                Self::Intrinsic(key.clone(), Expr::parse(text, scope).map_err(named)?)
            } else {
                Self::Path(key.clone(), Path::parse(text, scope).map_err(named)?)
            };
            parts.push((name.to_owned(), part));
        }
        let ready = parts.iter().all(|(_, part)| matches!(part, Self::Ready(_)));
        Ok(if ready { Self::Ready(Value::Object(object.clone())) } else { Self::Object(parts) })
    }

    /// Builds the payload. `Err` holds a sentence for the cause of `States.Runtime`.
    pub(crate) fn build(&self, data: &Value, context: &Context<'_>, draw: Draw<'_>) -> Result<Value, String> {
        match self {
            Self::Ready(value) => Ok(value.clone()),
            Self::Object(parts) => {
                let mut object = Map::new();
                for (name, part) in parts {
                    object.insert(name.clone(), part.build(data, context, &mut *draw)?);
                }
                Ok(Value::Object(object))
            }
            Self::Array(parts) => {
                let values = parts.iter().map(|part| part.build(data, context, &mut *draw)).collect::<Result<_, _>>()?;
                Ok(Value::Array(values))
            }
            Self::Path(key, path) => path.select(data, context).map(Cow::into_owned).ok_or_else(|| {
                format!("The JSONPath '{path}' specified for the field '{key}' could not be found in the input '{data}'")
            }),
            Self::Intrinsic(key, expr) => expr
                .value(data, context, draw)
                .map(Cow::into_owned)
                .map_err(|why| format!("The function of the field '{key}' failed: {why}")),
        }
    }
}
