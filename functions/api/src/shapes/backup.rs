//! Backups of a lineage, and what holds them.

use domain::backup::{HeldIn, Kind};
use domain::catalogue::{DataBackup, LogDay};
use domain::hold::Hold;
use domain::id::{BackupId, Guid};
use domain::lsn::Lsn;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A full or differential in the vault.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Backup")]
pub(crate) struct BackupShape {
    /// Its `backup_set_uuid`.
    pub(crate) backup: BackupId,
    /// What kind of backup.
    pub(crate) kind: Kind,
    /// Name of the database when it was made.
    pub(crate) database: String,
    /// Instance that took it.
    pub(crate) instance: String,
    /// First log record in it.
    pub(crate) first_lsn: Lsn,
    /// The log record after it.
    pub(crate) last_lsn: Lsn,
    /// `backup_set_uuid` of its base; differentials only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<Guid>,
    /// When it started.
    pub(crate) started: Timestamp,
    /// When it finished.
    pub(crate) finished: Timestamp,
    /// Bytes of the database that it saved.
    pub(crate) size_bytes: u64,
    /// Bytes of its files.
    pub(crate) stored_bytes: u64,
    /// ARNs of its files, in stripe order.
    pub(crate) files: Vec<String>,
    /// Where they lie.
    pub(crate) held_in: HeldIn,
}

impl BackupShape {
    pub(crate) fn new(entry: &DataBackup) -> Self {
        let backup = &entry.backup;
        Self {
            backup: backup.id.clone(),
            kind: backup.kind,
            database: backup.database.to_string(),
            instance: entry.instance.clone(),
            first_lsn: backup.first_lsn,
            last_lsn: backup.last_lsn,
            base: backup.differential_base_guid.clone(),
            started: backup.started,
            finished: backup.finished,
            size_bytes: backup.size_bytes,
            stored_bytes: entry.objects.iter().map(|object| object.size_bytes).sum(),
            files: backup.stripes.files().iter().flatten().map(ToString::to_string).collect(),
            held_in: backup.held_in,
        }
    }
}

/// The log files of one day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogDay")]
pub(crate) struct LogsShape {
    /// Day on which they were made, UTC.
    pub(crate) day: Date,
    /// Bucket they are in.
    pub(crate) bucket: String,
    /// How many.
    pub(crate) count: u64,
    /// Sequence number of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_seq: Option<u64>,
    /// Sequence number of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_seq: Option<u64>,
    /// First log record in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_lsn: Option<Lsn>,
    /// The log record after them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_lsn: Option<Lsn>,
    /// Bytes of them.
    pub(crate) size_bytes: u64,
}

impl LogsShape {
    pub(crate) fn new(day: &LogDay) -> Self {
        let (first, last) = (day.files.first(), day.files.last());
        Self {
            day: day.day,
            bucket: day.bucket.clone(),
            count: u64::try_from(day.files.len()).unwrap_or(u64::MAX),
            first_seq: first.map(|file| file.seq),
            last_seq: last.map(|file| file.seq),
            first_lsn: first.map(|file| file.first_lsn),
            last_lsn: last.map(|file| file.last_lsn),
            size_bytes: day.files.iter().map(|file| file.size_bytes).sum(),
        }
    }
}

/// What a person says of a hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HoldSettings")]
pub(crate) struct HoldBody {
    /// What for, in a few words.
    pub(crate) why: String,
    /// The first moment at which it holds no more; for good when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
}

/// A hold: it keeps the backup and all it needs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
pub(crate) struct HoldShape {
    /// The backup.
    pub(crate) backup: BackupId,
    /// What for.
    pub(crate) why: String,
    /// Who asked for it.
    pub(crate) held_by: String,
    /// When.
    pub(crate) held_at: Timestamp,
    /// The first moment at which it holds no more; for good when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// Whether it holds now.
    pub(crate) is_in_force: bool,
}

impl HoldShape {
    pub(crate) fn new(hold: Hold, now: Timestamp) -> Self {
        let is_in_force = hold.is_in_force(now);
        let Hold { instance: _, lineage: _, backup, why, held_by, held_at, until } = hold;
        Self { backup, why, held_by, held_at, until, is_in_force }
    }
}
