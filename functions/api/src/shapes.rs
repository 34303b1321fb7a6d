//! What resources look like in JSON. Of their own and not the store's records: those change with the store, these with `/v1`.

mod backup;
mod database;
mod discovery;
mod fleet;
mod followers;
mod happened;
mod instance;
mod preview;
mod task;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use backup::{BackupShape, HoldBody, HoldShape, LogsShape};
pub(crate) use database::{DatabaseShape, ExposureShape, LifeShape};
pub(crate) use discovery::{DiscoveredShape, DiscoveryBody, ListedShape, LookStarted};
pub(crate) use fleet::{
    BrokenDatabase, FailingDatabase, FleetDatabase, FleetInstance, FleetShape, FleetTotals,
};
pub(crate) use followers::FollowersShape;
pub(crate) use happened::EventShape;
pub(crate) use instance::{InstanceBody, InstanceShape, VaultBody, settings};
pub(crate) use preview::{Forecasted, PreviewBody, PreviewDatabase, PreviewShape, Swept};
pub(crate) use task::{AcceptedShape, BackupBody, CancelShape, OutcomeShape, TaskShape};

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(crate) struct Listing<T> {
    /// Things in order.
    pub(crate) items: Vec<T>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// One name of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Name")]
pub(crate) struct NameShape {
    /// Name.
    pub(crate) name: String,
}
