//! The state of a fleet, a page of instances at a time.

use domain::reason::Reason;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::database::ExposureShape;

/// The state of some instances.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fleet")]
pub(crate) struct FleetShape {
    /// As of when.
    pub(crate) now: Timestamp,
    /// Instances by name.
    pub(crate) instances: Vec<FleetInstance>,
    /// Cursor of the next instances; absent behind the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// The state of one instance.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FleetInstance {
    /// Instance.
    pub(crate) instance: String,
    /// Why its last run could not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Reason>,
    /// Databases on it.
    pub(crate) databases: u64,
    /// How many of them would lose more with the instance than was promised.
    pub(crate) beyond_count: u64,
    /// Those that would lose most, worst first; a hundred at most.
    pub(crate) beyond_rpo: Vec<FleetDatabase>,
    /// Seconds back to the newest moment in the vault of the protected database whose is oldest; absent where all have nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_exposure_seconds: Option<i64>,
    /// Tasks that wait or run.
    pub(crate) open_tasks: u64,
}

/// One database beyond its promise.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FleetDatabase {
    /// Name.
    pub(crate) name: String,
    /// What its loss would cost now.
    pub(crate) exposure: ExposureShape,
}
