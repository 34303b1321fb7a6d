//! Payloads of the `discovery` machine.

use serde::{Deserialize, Serialize};

use super::CaughtError;

/// Input of the machine and of `list-instances`, which its own output is as well.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListInstancesInput {
    /// Payload version.
    pub schema: u32,
    /// Go on after this instance; from the beginning without.
    #[serde(default)]
    pub after: Option<String>,
}

/// Output of `list-instances`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListInstancesOutput {
    /// Payload version.
    pub schema: u32,
    /// Whether there are more.
    pub outcome: ListOutcome,
    /// Where to go on.
    pub after: Option<String>,
    /// Instances to look at: [`INSTANCES_MAX`] at most.
    pub instances: Vec<InstanceLook>,
    /// Instances enrolled by this call.
    pub enrolled: u32,
    /// Instances that are selected and could not be enrolled.
    pub skipped: u32,
}

/// Instances of one output: about 8 KB.
pub const INSTANCES_MAX: u32 = 100;

/// Whether there are more instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOutcome {
    /// There are.
    More,
    /// These were the last.
    Last,
}

/// Input of `discover-databases`, which its own output is as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceLook {
    /// Payload version.
    pub schema: u32,
    /// Instance.
    pub instance: String,
    /// Looks so far.
    pub round: u32,
}

/// Looks of one instance in one execution, five minutes apart: half a rhythm of discovery.
pub const LOOKS_MAX: u32 = 48;

/// Output of `discover-databases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoverDatabasesOutput {
    /// The next look.
    #[serde(flatten)]
    pub look: InstanceLook,
    /// How it goes on.
    pub outcome: LookOutcome,
    /// Databases that the server shows.
    pub shown: u32,
    /// Databases that are protected from now on.
    pub enrolled: u32,
    /// Databases that are gone since the last look.
    pub gone: u32,
    /// Databases that are not protected, each with its reason.
    pub skipped: u32,
}

/// How a look goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookOutcome {
    /// All is carried out.
    Settled,
    /// It is, and there is something that people should know.
    Tell,
    /// A database has another name and a task at work under its old one.
    Waits,
}

/// Input of `report-discovery`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportDiscoveryInput {
    /// Payload version.
    pub schema: u32,
    /// Instance; without, the listing of instances is told of.
    #[serde(default)]
    pub instance: Option<String>,
    /// What ended the look, when something did.
    #[serde(default)]
    pub error: Option<CaughtError>,
}

/// Output of `report-discovery`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDiscoveryOutput {
    /// Whether people were told something.
    pub told: bool,
}
