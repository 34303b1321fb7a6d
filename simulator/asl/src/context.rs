//! What does `$$` hold? The leaves of the context object, resolved one by one, so that a large execution input is never
//! copied to answer for a small field. Refuses whole objects (`$$`, `$$.Execution`) and everything it does not hold
//! (`$$.Task.Token`, redrive counters).
//!
//! Source: developer guide, "Accessing execution data from the Context object in Step Functions", read 2026-11.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::path::{Scope, Step};

/// Who an execution is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// ARN of the execution: `$$.Execution.Id`.
    pub arn: String,
    /// Name of the execution, see [`crate::Execution::start`] for its rules: `$$.Execution.Name`.
    pub name: String,
    /// ARN of the state machine: `$$.StateMachine.Id`. Its name comes from the loaded machine.
    pub state_machine_arn: String,
    /// ARN of the role the execution assumes: `$$.Execution.RoleArn`.
    pub role_arn: String,
}

/// One leaf of the context object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    ExecutionId,
    ExecutionInput,
    ExecutionName,
    ExecutionRole,
    ExecutionStart,
    StateName,
    StateEntered,
    StateRetryCount,
    MachineId,
    MachineName,
    ItemIndex,
    ItemValue,
}

const FIELDS: [(&[&str], Field); 12] = [
    (&["Execution", "Id"], Field::ExecutionId),
    (&["Execution", "Input"], Field::ExecutionInput),
    (&["Execution", "Name"], Field::ExecutionName),
    (&["Execution", "RoleArn"], Field::ExecutionRole),
    (&["Execution", "StartTime"], Field::ExecutionStart),
    (&["State", "Name"], Field::StateName),
    (&["State", "EnteredTime"], Field::StateEntered),
    (&["State", "RetryCount"], Field::StateRetryCount),
    (&["StateMachine", "Id"], Field::MachineId),
    (&["StateMachine", "Name"], Field::MachineName),
    (&["Map", "Item", "Index"], Field::ItemIndex),
    (&["Map", "Item", "Value"], Field::ItemValue),
];

impl Field {
    /// The leaf that `steps` lead to or through, and how many steps that took.
    pub(crate) fn find(steps: &[Step], scope: Scope) -> Result<(Self, usize), String> {
        let leads = |(names, _): &&(&[&str], Self)| {
            steps.len() >= names.len()
                && names.iter().zip(steps).all(|(name, step)| matches!(step, Step::Key(key) if key == name))
        };
        let (names, field) =
            FIELDS.iter().find(leads).ok_or("this part of the context object is not implemented")?;
        if names[0] == "Map" && !scope.in_map {
            return Err("`$$.Map.Item` exists only inside a Map".to_owned());
        }
        let is_tree = matches!(field, Self::ExecutionInput | Self::ItemValue);
        if steps.len() > names.len() && !is_tree {
            return Err(format!("`$$.{}` has no parts", names.join(".")));
        }
        Ok((*field, names.len()))
    }
}

/// The item an iteration of a Map works on.
#[derive(Clone, Debug)]
pub(crate) struct MapItem {
    pub(crate) index: usize,
    pub(crate) value: Arc<Value>,
}

/// The context object of one state at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'v> {
    pub(crate) identity: &'v Identity,
    pub(crate) started_at: Timestamp,
    pub(crate) input: &'v Value,
    pub(crate) machine: &'v str,
    pub(crate) state: &'v str,
    pub(crate) entered_at: Timestamp,
    pub(crate) retry_count: u32,
    pub(crate) item: Option<&'v MapItem>,
}

impl<'v> Context<'v> {
    /// The value of one leaf; nothing for `$$.Map.Item` outside a Map, which loading refuses.
    pub(crate) fn field(&self, field: Field) -> Option<Cow<'v, Value>> {
        let text = |text: &str| Some(Cow::Owned(Value::String(text.to_owned())));
        match field {
            Field::ExecutionId => text(&self.identity.arn),
            Field::ExecutionInput => Some(Cow::Borrowed(self.input)),
            Field::ExecutionName => text(&self.identity.name),
            Field::ExecutionRole => text(&self.identity.role_arn),
            Field::ExecutionStart => text(&stamp(self.started_at)),
            Field::StateName => text(self.state),
            Field::StateEntered => text(&stamp(self.entered_at)),
            Field::StateRetryCount => Some(Cow::Owned(Value::from(self.retry_count))),
            Field::MachineId => text(&self.identity.state_machine_arn),
            Field::MachineName => text(self.machine),
            Field::ItemIndex => Some(Cow::Owned(Value::from(self.item?.index))),
            Field::ItemValue => Some(Cow::Borrowed(&self.item?.value)),
        }
    }
}

/// A moment as the context object prints it: RFC 3339, UTC, milliseconds.
fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}
