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
    /// Of this page, added up.
    pub(crate) totals: FleetTotals,
    /// Instances by name.
    pub(crate) instances: Vec<FleetInstance>,
    /// Cursor of the next instances; absent behind the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A page of the fleet, added up.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct FleetTotals {
    /// Instances.
    pub(crate) instances: u64,
    /// Of them, those whose last run or last look of discovery failed.
    pub(crate) in_trouble: u64,
    /// Databases.
    pub(crate) databases: u64,
    /// Of them, those whose promise is missed.
    pub(crate) beyond: u64,
    /// Those whose chain in the vault is broken.
    pub(crate) broken: u64,
    /// Those whose last backups failed.
    pub(crate) failing: u64,
    /// Tasks that wait or run.
    pub(crate) open_tasks: u64,
}

impl FleetTotals {
    pub(crate) fn add(&mut self, one: &FleetInstance) {
        self.instances += 1;
        self.in_trouble += u64::from(one.trouble.is_some() || one.discovery_trouble.is_some());
        self.databases += one.databases;
        self.beyond += one.beyond_count;
        self.broken += one.broken_count;
        self.failing += one.failing_count;
        self.open_tasks += one.open_tasks;
    }
}

/// The state of one instance.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FleetInstance {
    /// Instance.
    pub(crate) instance: String,
    /// Why its last run could not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Reason>,
    /// Why discovery's last look at it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) discovery_trouble: Option<Reason>,
    /// Databases that are protected, those that are gone from the server among them.
    pub(crate) databases: u64,
    /// How many of them would lose more with the instance than was promised.
    pub(crate) beyond_count: u64,
    /// Those whose promise is missed, longest first; a hundred at most.
    pub(crate) beyond_rpo: Vec<FleetDatabase>,
    /// How many have a chain in the vault that is broken, until a full or a differential heals it. Those that are gone do not count.
    pub(crate) broken_count: u64,
    /// They, by name; a hundred at most.
    pub(crate) broken: Vec<BrokenDatabase>,
    /// How many there are whose last backups failed. Those that are gone do not count.
    pub(crate) failing_count: u64,
    /// They, most failures first; a hundred at most.
    pub(crate) failing: Vec<FailingDatabase>,
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

/// One database whose chain is broken.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BrokenDatabase {
    /// Name.
    pub(crate) name: String,
    /// Why.
    pub(crate) reason: Reason,
}

/// One database whose last backups failed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailingDatabase {
    /// Name.
    pub(crate) name: String,
    /// How often in a row.
    pub(crate) failures: u32,
}
