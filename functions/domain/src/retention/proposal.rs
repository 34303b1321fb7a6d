//! What stays, what may go, and the proof: the shapes of an answer.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::words::{Removal, Why};
use crate::backup::Kind;
use crate::coverage::{self, Window};
use crate::id::BackupId;

/// A backup that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// The backup.
    pub backup: BackupId,
    /// Its database.
    pub database: Arc<str>,
    /// Everything it is kept for.
    pub reasons: Vec<Why>,
    /// When it may go should no further backup be made; `None`: not by the calendar.
    #[serde(serialize_with = "moment")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub goes_on: Option<Timestamp>,
}

/// A backup that may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Removed {
    /// The backup.
    pub backup: BackupId,
    /// Its database.
    pub database: Arc<str>,
    /// What kind of backup.
    pub kind: Kind,
    /// How many files go with it: the whole set or none.
    pub files: u32,
    /// Bytes that are freed; zero where unknown.
    pub bytes: u64,
    /// Why.
    pub reason: Removal,
}

/// What a proposal claims of one lineage. [`verify`] finds it again in the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DatabaseProof {
    /// Name of the database.
    pub database: Arc<str>,
    /// Identity of the lineage.
    pub lineage: String,
    /// The first promised moment.
    #[serde(serialize_with = "coverage::time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub promised_from: Timestamp,
    /// How many backups stay.
    pub kept: u32,
    /// How many may go.
    pub removed: u32,
    /// The promised moments that the vault restores, before and after alike: runs, both ends in.
    #[serde(serialize_with = "runs")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(Timestamp, Timestamp)>"))]
    pub moments: Vec<(Timestamp, Timestamp)>,
    /// The same with the logs that RDS still keeps; empty where it keeps none.
    #[serde(serialize_with = "runs")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(Timestamp, Timestamp)>"))]
    pub with_service: Vec<(Timestamp, Timestamp)>,
}

/// Why nothing that was promised is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// That [`verify`] found every claim in the rows. A proposal whose proof does not hold is never handed out.
    pub holds: bool,
    /// As of when.
    #[serde(serialize_with = "coverage::time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub now: Timestamp,
    /// One for each lineage.
    pub databases: Vec<DatabaseProof>,
}

/// What stays, what may go, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proposal {
    /// What was odd, one sentence each.
    pub warnings: Vec<String>,
    /// In the order of lineages and LSNs.
    pub keep: Vec<Kept>,
    /// In the order in which to delete: logs, then differentials, then fulls, so that what is left always restores.
    pub remove: Vec<Removed>,
    /// What can be restored now.
    pub window_before: Vec<Window>,
    /// What can be restored afterwards.
    pub window_after: Vec<Window>,
    /// The proof.
    pub proof: Proof,
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
fn moment<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(coverage::written).serialize(serializer)
}

fn runs<S: Serializer>(runs: &[(Timestamp, Timestamp)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(runs.iter().map(|(from, to)| [coverage::written(*from), coverage::written(*to)]))
}
