//! How are a procedure's name and arguments read?
//!
//! Names come as `msdb.dbo.x`, `msdb..x`, `[msdb].[dbo].[x]` in any case; arguments by name or by position. Errors are
//! SQL Server's: 2812, 201, 8143, 8144, 8145.

use tds::Value;

use crate::error::EngineError;

/// A name of up to four parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectName {
    /// Database, lower case; empty when not given.
    pub(crate) database: String,
    /// Schema, lower case; empty when not given.
    pub(crate) schema: String,
    /// Object, lower case.
    pub(crate) object: String,
    /// Object, as written.
    pub(crate) written: String,
}

impl ObjectName {
    /// From parts as written, without quotes.
    pub(crate) fn of(parts: &[String]) -> Self {
        let mut back = parts.iter().rev();
        let written = back.next().cloned().unwrap_or_default();
        let schema = back.next().map(|s| s.to_lowercase()).unwrap_or_default();
        let database = back.next().map(|s| s.to_lowercase()).unwrap_or_default();
        Self { database, schema, object: written.to_lowercase(), written }
    }

    /// From one text, with brackets and double quotes.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = vec![String::new()];
        let mut quote: Option<char> = None;
        for c in text.trim().chars() {
            match (quote, c) {
                (None, '[') => quote = Some(']'),
                (None, '"') => quote = Some('"'),
                (Some(end), _) if c == end => quote = None,
                (None, '.') => parts.push(String::new()),
                _ => {
                    if let Some(last) = parts.last_mut() {
                        last.push(c);
                    }
                }
            }
        }
        Self::of(&parts)
    }

    /// Whether it may mean an object of this database when the session is in `current`.
    pub(crate) fn is_in(&self, database: &str, current: &str) -> bool {
        let schema = self.schema.is_empty() || self.schema == "dbo";
        let given = if self.database.is_empty() { current } else { &self.database };
        schema && given.eq_ignore_ascii_case(database)
    }
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    /// Name with `@`, as written; empty when positional.
    pub(crate) name: String,
    pub(crate) value: Value,
    /// The variable that an output goes to.
    pub(crate) output: Option<String>,
}

/// A declared parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
}

/// A parameter that must be given.
pub(crate) const fn required(name: &'static str) -> Declared {
    Declared { name, required: true }
}

/// A parameter with a default.
pub(crate) const fn optional(name: &'static str) -> Declared {
    Declared { name, required: false }
}

/// Arguments in the order declared; what was not given is `None`.
#[derive(Debug)]
pub(crate) struct Bound {
    values: Vec<Option<Value>>,
}

impl Bound {
    /// The value of a parameter, by its place; a default is NULL here.
    pub(crate) fn get(&self, place: usize) -> &Value {
        self.values.get(place).and_then(Option::as_ref).unwrap_or(&Value::Null)
    }

    /// Its text.
    pub(crate) fn text(&self, place: usize) -> Option<String> {
        super::value::text(self.get(place))
    }

    /// Whether it was given a value other than NULL.
    pub(crate) fn has(&self, place: usize) -> bool {
        !matches!(self.get(place), Value::Null)
    }
}

/// Puts arguments in the places of the parameters.
pub(crate) fn bind(
    procedure: &str,
    declared: &[Declared],
    arguments: &[Argument],
) -> Result<Bound, EngineError> {
    let mut values: Vec<Option<Value>> = vec![None; declared.len()];
    for (position, argument) in arguments.iter().enumerate() {
        let place = if argument.name.is_empty() {
            Some(position).filter(|p| *p < declared.len()).ok_or_else(|| {
                EngineError::new(
                    8144,
                    format!("Procedure or function {procedure} has too many arguments specified."),
                )
            })?
        } else {
            declared.iter().position(|d| d.name.eq_ignore_ascii_case(&argument.name)).ok_or_else(|| {
                EngineError::new(
                    8145,
                    format!("{} is not a parameter for procedure {procedure}.", argument.name),
                )
            })?
        };
        if let Some(slot) = values.get_mut(place) {
            if slot.is_some() {
                let text = format!("Parameter '{}' was supplied multiple times.", argument.name);
                return Err(EngineError::new(8143, text));
            }
            *slot = Some(argument.value.clone());
        }
    }
    for (parameter, value) in declared.iter().zip(&values) {
        if parameter.required && value.is_none() {
            let text = format!(
                "Procedure or function '{procedure}' expects parameter '{}', which was not supplied.",
                parameter.name
            );
            return Err(EngineError::new(201, text));
        }
    }
    Ok(Bound { values })
}

/// The error for a procedure that does not exist.
pub(crate) fn no_procedure(name: &str) -> EngineError {
    EngineError::new(2812, format!("Could not find stored procedure '{name}'."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_spelling() {
        for spelling in [
            "msdb.dbo.Rds_Task_Status",
            "MSDB..rds_task_status",
            "[msdb].[dbo].[rds_task_status]",
            "\"msdb\".dbo.rds_task_status",
        ] {
            let name = ObjectName::parse(spelling);
            assert_eq!(name.object, "rds_task_status", "{spelling}");
            assert!(name.is_in("msdb", "master") && !name.is_in("rdsadmin", "msdb"), "{spelling}");
        }
        assert!(!ObjectName::parse("rds_task_status").is_in("msdb", "master"));
        assert!(ObjectName::parse("rds_task_status").is_in("msdb", "MSDB"));
    }

    #[test]
    fn arguments_find_their_places() {
        const DECLARED: &[Declared] = &[required("@a"), optional("@b")];
        let arg = |name: &str| Argument { name: name.into(), value: Value::Int(1), output: None };
        for (names, number) in [
            (vec![], 201),
            (vec!["@b"], 201),
            (vec!["", "", ""], 8144),
            (vec!["@a", "@c"], 8145),
            (vec!["@a", "@A"], 8143),
        ] {
            let arguments: Vec<_> = names.iter().map(|n| arg(n)).collect();
            assert_eq!(bind("p", DECLARED, &arguments).unwrap_err().number, number, "{names:?}");
        }
        let bound = bind("p", DECLARED, &[arg("@B"), arg("@A")]).unwrap();
        assert!(bound.has(0) && bound.has(1));
        assert!(!bind("p", DECLARED, &[arg("")]).unwrap().has(1));
    }
}
