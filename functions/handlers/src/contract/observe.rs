//! Payloads of `observe-event`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event of `EventBridge`, field by field as it is sent (EventBridge user guide, "Events in Amazon EventBridge").
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObserveEventInput {
    /// The event's own id, the same at a second delivery.
    pub id: String,
    /// Who sent it: `aws.rds`, `aws.states`.
    pub source: String,
    /// What kind of event: `RDS DB Instance Event`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it happened, as the sender says.
    pub time: Timestamp,
    /// What happened, of a shape that depends on source and type.
    pub detail: Value,
}

/// Output of `observe-event`: nobody reads it but the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveEventOutput {
    /// What came of it.
    pub outcome: Observation,
    /// Whether a run was started.
    pub woken: bool,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// It is of nobody we know, was heard before, or says nothing to us.
    Ignored,
    /// It is written down.
    Heard,
    /// A run ended and held its lease: that is free.
    Freed,
}
