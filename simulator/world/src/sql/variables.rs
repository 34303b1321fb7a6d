//! Which variables does a batch have, and of which type?
//!
//! What is assigned is converted to the declared type, as T-SQL does. Parameters of a call keep the type they travel with, and so do
//! variables of types that nothing here computes with.

use std::collections::BTreeMap;

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{batch::no_variable, convert::cast},
};

/// A variable.
#[derive(Debug, Clone)]
struct Variable {
    value: Value,
    /// As declared, where it is a type that is known.
    sql_type: Option<SqlType>,
}

/// Variables of a batch and parameters of a statement, by lower-case name with `@`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    held: BTreeMap<String, Variable>,
}

impl Variables {
    /// None.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a variable, or a new one under a name that was there. Errors are those of a conversion.
    pub(super) fn declare(
        &mut self,
        name: &str,
        sql_type: Option<SqlType>,
        value: Value,
    ) -> Result<(), EngineError> {
        let value = converted(value, sql_type)?;
        self.held.insert(name.to_lowercase(), Variable { value, sql_type });
        Ok(())
    }

    /// Adds a parameter with the value it came with.
    pub(super) fn receive(&mut self, name: &str, value: Value) {
        self.held.insert(name.to_lowercase(), Variable { value, sql_type: None });
    }

    /// Gives a variable another value. Error 137 where there is none, and those of a conversion.
    pub(super) fn set(&mut self, name: &str, value: Value) -> Result<(), EngineError> {
        let held = self.held.get_mut(&name.to_lowercase()).ok_or_else(|| no_variable(name))?;
        held.value = converted(value, held.sql_type)?;
        Ok(())
    }

    /// Its value, and its type where one was declared.
    pub(super) fn get(&self, name: &str) -> Option<(&Value, Option<SqlType>)> {
        self.held.get(&name.to_lowercase()).map(|held| (&held.value, held.sql_type))
    }

    /// Whether there is such a variable.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.held.contains_key(&name.to_lowercase())
    }
}

fn converted(value: Value, sql_type: Option<SqlType>) -> Result<Value, EngineError> {
    match sql_type {
        Some(target) => cast(&value, target),
        None => Ok(value),
    }
}
