//! Databases: the head of each, and what its loss would cost now.

use domain::facts::RecoveryModel;
use domain::id::{BackupId, Guid};
use domain::inventory::Database;
use domain::lsn::Lsn;
use domain::policy::RpoMinutes;
use domain::reason::Reason;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// A protected database.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Database")]
pub(crate) struct DatabaseShape {
    /// Instance it is on.
    pub(crate) instance: String,
    /// Name.
    pub(crate) name: String,
    /// Original database; absent until it was seen on the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) family_guid: Option<Guid>,
    /// Physical incarnation, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_guid: Option<Guid>,
    /// Recovery model, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery_model: Option<RecoveryModel>,
    /// Newest full of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_full: Option<LastShape>,
    /// Newest differential of ours on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_differential: Option<LastShape>,
    /// Newest log file in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_tail: Option<TailShape>,
    /// Where the chain in the vault is broken, until a full or a differential heals it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken: Option<Reason>,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Since when it is not on the server any more; its last good chain stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gone_at: Option<Timestamp>,
    /// What the loss of the instance would cost now, against what was promised.
    pub(crate) exposure: ExposureShape,
}

/// A data backup as a head knows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LastBackup")]
pub(crate) struct LastShape {
    /// Its `backup_set_uuid`.
    pub(crate) backup: BackupId,
    /// When it finished.
    pub(crate) finished_at: Timestamp,
    /// Where logs go on.
    pub(crate) last_lsn: Lsn,
    /// Bytes it saved.
    pub(crate) size_bytes: u64,
}

/// The newest log file in the vault.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogTail")]
pub(crate) struct TailShape {
    /// Its sequence number.
    pub(crate) seq: u64,
    /// LSN the next file begins at.
    pub(crate) last_lsn: Lsn,
    /// When it was made.
    pub(crate) made_at: Timestamp,
}

/// Age of the newest moment in the vault, against the promise.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Exposure")]
pub(crate) struct ExposureShape {
    /// Seconds back to the newest moment in the vault; absent while nothing is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<i64>,
    /// `objectives.rpo_minutes.instance` of the policy; absent where the policy excludes the database or cannot be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rpo_minutes: Option<u32>,
    /// Whether more would be lost now than was promised, or all of it.
    pub(crate) is_beyond: bool,
}

impl ExposureShape {
    pub(crate) fn new(database: &Database, rpo: Option<RpoMinutes>, now: Timestamp) -> Self {
        let age = database.exposure(now);
        // Nothing more can be lost of what is not there.
        let rpo = rpo.filter(|_| database.gone_at.is_none());
        let promised = rpo.map(|rpo| SignedDuration::from_mins(i64::from(rpo.instance)));
        let is_beyond = promised.is_some_and(|promised| age.is_none_or(|age| age > promised));
        Self { seconds: age.map(|age| age.as_secs()), rpo_minutes: rpo.map(|rpo| rpo.instance), is_beyond }
    }
}

impl DatabaseShape {
    pub(crate) fn new(database: Database, rpo: Option<RpoMinutes>, now: Timestamp) -> Self {
        let exposure = ExposureShape::new(&database, rpo, now);
        let (family_guid, database_guid) =
            database.lineage.map(|lineage| (lineage.family_guid, lineage.database_guid)).unzip();
        Self {
            instance: database.instance,
            name: database.name,
            family_guid,
            database_guid,
            recovery_model: database.recovery_model,
            last_full: database.last_full.map(|full| LastShape {
                backup: full.id,
                finished_at: full.finished_at,
                last_lsn: full.last_lsn,
                size_bytes: full.size_bytes,
            }),
            last_differential: database.last_differential.map(|differential| LastShape {
                backup: differential.id,
                finished_at: differential.finished_at,
                last_lsn: differential.last_lsn,
                size_bytes: differential.size_bytes,
            }),
            log_tail: database.log_tail.map(|tail| TailShape {
                seq: tail.seq,
                last_lsn: tail.last_lsn,
                made_at: tail.made_at,
            }),
            broken: database.broken,
            failures: database.failures,
            gone_at: database.gone_at,
            exposure,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::inventory::LogTail;

    use super::*;

    #[test]
    fn what_is_older_than_promised_or_not_there_is_beyond() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let rpo = Some(RpoMinutes { damage: 10, instance: 60 });
        for (made_at, rpo, now, expected) in [
            (Some(0), rpo, 3_600, (Some(3_600), false)),
            (Some(0), rpo, 3_601, (Some(3_601), true)),
            (None, rpo, 0, (None, true)),
            (None, None, 0, (None, false)),
        ] {
            let mut database = Database::new("sales", "orders");
            database.log_tail = made_at.map(|second| LogTail {
                seq: 1,
                last_lsn: Lsn::ZERO,
                made_at: at(second),
                fork: None,
            });
            let exposure = ExposureShape::new(&database, rpo, at(now));
            assert_eq!((exposure.seconds, exposure.is_beyond), expected, "{made_at:?} {now}");
        }
    }
}
