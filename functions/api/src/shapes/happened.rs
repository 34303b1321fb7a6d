//! What happened to an instance.

use jiff::Timestamp;
use ports::cloud::InstanceEvent;
use schemars::JsonSchema;
use serde::Serialize;

/// What RDS says happened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(crate) struct EventShape {
    /// When.
    pub(crate) at: Timestamp,
    /// Words of RDS: `backup`, `failover`, `maintenance`; there may be none.
    pub(crate) categories: Vec<String>,
    /// RDS's sentence.
    pub(crate) message: String,
}

impl From<InstanceEvent> for EventShape {
    fn from(InstanceEvent { at, categories, message }: InstanceEvent) -> Self {
        Self { at, categories, message }
    }
}
