//! Databases: the head of each, and what its loss would cost now.

use domain::discovery::former::Former;
use domain::exposure::{self, Watch};
use domain::facts::RecoveryModel;
use domain::id::{BackupId, Guid};
use domain::inventory::{Database, Lineage};
use domain::lsn::Lsn;
use domain::policy::Policy;
use domain::reason::Reason;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::task::AskedShape;

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
    /// On which of the servers that had the instance's name it is, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<u32>,
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

/// A database that had a name before.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Life")]
pub(crate) struct LifeShape {
    /// Original database.
    pub(crate) family_guid: Guid,
    /// Physical incarnation: `?database_guid=` asks for what the vault has of it.
    pub(crate) database_guid: Guid,
    /// On which of the servers that had the instance's name it was, from 0; `&server=` asks for it where more than one had the same guids.
    pub(crate) server: u32,
    /// Since when it has not the name any more.
    pub(crate) until: Timestamp,
    /// Who let it go; absent where another database took its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) let_go: Option<AskedShape>,
}

impl LifeShape {
    pub(crate) fn new(former: Former) -> Self {
        let Lineage { family_guid, database_guid, server } = former.lineage;
        let let_go = former.let_go.map(AskedShape::new);
        Self { family_guid, database_guid, server, until: former.until, let_go }
    }
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
    /// `objectives.rpo_minutes.instance` of the policy; absent where the policy excludes the database or cannot be found, and of one that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rpo_minutes: Option<u32>,
    /// When the promise is missed, or since when, unless something newer reaches the vault. Behind the newest moment in the vault by the
    /// RPO; of a database in simple recovery by the RPO behind the next moment of the schedule; of one that waits for its first full by
    /// the RPO behind when that was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missed_at: Option<Timestamp>,
    /// Whether the promise is missed: what the alarm says as well.
    pub(crate) is_beyond: bool,
}

impl ExposureShape {
    /// By the policy of the instance, where it can be found, and by what the watch over its promises remembers.
    pub(crate) fn new(
        database: &Database,
        policy: Option<&Policy>,
        watch: &Watch,
        now: Timestamp,
    ) -> Result<Self, Reason> {
        let missed_at = policy.map(|policy| watch.exposed_from(policy, database, now)).transpose()?.flatten();
        // Nothing more can be lost of what is not there.
        let rpo = policy.filter(|_| database.gone_at.is_none());
        let rpo = rpo.and_then(|policy| policy.rpo_of(&database.name));
        Ok(Self {
            seconds: database.exposure(now).map(|age| age.as_secs()),
            rpo_minutes: rpo.map(|rpo| rpo.instance),
            missed_at,
            is_beyond: exposure::overdue(missed_at, now).is_some(),
        })
    }
}

impl DatabaseShape {
    pub(crate) fn new(database: Database, exposure: ExposureShape) -> Self {
        let server = database.lineage.as_ref().map(|lineage| lineage.server);
        let (family_guid, database_guid) =
            database.lineage.map(|lineage| (lineage.family_guid, lineage.database_guid)).unzip();
        Self {
            instance: database.instance,
            name: database.name,
            family_guid,
            database_guid,
            server,
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
