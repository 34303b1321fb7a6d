//! What is protected: instances, the vaults they write to, the databases on them.

mod lineage;
mod server;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::facts::{InstanceFacts, RecoveryModel};
use crate::growth::{SAMPLES_MAX, Sample};
use crate::id::{BackupId, Guid};
use crate::limits::Profile;
use crate::lsn::Lsn;
use crate::mailbox::Requested;
use crate::reason::{Class, Reason};
use crate::record::{Record, shard_of};
use crate::schedule::Answered;
use crate::slots::Slots;
use crate::task::TaskId;

pub use lineage::Lineage;
use lineage::is_first;

/// Where backups go: one bucket, or one more for copied logs, and a prefix, in one Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    /// Name.
    pub name: String,
    /// Bucket.
    pub bucket: String,
    /// Bucket for copied logs, where they have one of their own: the service writes them by itself, needs other ownership and no
    /// SSE-KMS (RDS user guide, "Access to transaction log backups").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bucket: Option<String>,
    /// Prefix inside the buckets, without slashes at its ends; may be empty.
    pub prefix: String,
    /// Account that owns the bucket.
    pub account: String,
    /// Customer managed key for client-side encryption, if wanted.
    pub kms_key_arn: Option<String>,
    /// The limits that hold for it.
    #[serde(default)]
    pub profile: Profile,
}

impl Vault {
    /// The bucket that logs are copied to.
    pub fn log_bucket(&self) -> &str {
        self.log_bucket.as_ref().unwrap_or(&self.bucket)
    }
}

impl Record for Vault {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        vault_key(&self.name)
    }
}

/// Where a vault is stored.
pub fn vault_key(name: &str) -> (String, String) {
    (format!("vault#{name}"), "vault".to_owned())
}

/// One protected instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Instance identifier; on RDS also the contention group.
    pub name: String,
    /// Host of the endpoint.
    pub host: String,
    /// Port of the endpoint.
    pub port: u16,
    /// ARN of the secret with user and password.
    pub secret_arn: String,
    /// Name of the policy its databases follow.
    pub policy: String,
    /// Name of the vault it writes to.
    pub vault: String,
    /// What the control plane said last, with the time it said so.
    pub facts: Option<(Timestamp, InstanceFacts)>,
    /// Bytes of database a native full backup of this instance gets through in a second, as measured on the last ones.
    pub bytes_per_second: Option<u64>,
    /// Where the service copies logs to, as we last set or saw it.
    pub log_copy_target: Option<String>,
    /// Every native task with a smaller id has ended: where reading the task list begins.
    pub tasks_from: TaskId,
    /// When somebody should look at it next.
    pub due_at: Option<Timestamp>,
    /// Native tasks at a time; those of RDS when absent.
    #[serde(default)]
    pub slots: Slots,
    /// Why the last run could not work, if it could not.
    pub trouble: Option<Reason>,
    /// Which of the servers that had the name this is, from 0: one that was restored from a snapshot and renamed takes the place of another.
    #[serde(default, skip_serializing_if = "is_first")]
    pub server: u32,
    /// Settings of discovery that select it; without, what is on it is looked at and nothing is enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<String>,
    /// Who ended its protection, and when: no run starts, nothing is promised and nobody looks. What the vault has stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Requested>,
}

impl Instance {
    /// An instance that nobody has looked at yet: it is due at once.
    pub fn new(name: &str, (host, port): (&str, u16), secret_arn: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            secret_arn: secret_arn.to_owned(),
            policy: String::new(),
            vault: String::new(),
            facts: None,
            bytes_per_second: None,
            log_copy_target: None,
            tasks_from: 1,
            due_at: Some(now),
            slots: Slots::default(),
            trouble: None,
            server: 0,
            discovery: None,
            stopped: None,
        }
    }

    /// Fails where its protection was ended.
    ///
    /// # Errors
    /// `ProtectionStopped` (class `Human`).
    pub fn must_be_protected(&self) -> Result<(), Reason> {
        let Some(Requested { by, at }) = &self.stopped else { return Ok(()) };
        let message = format!("protection of {} was stopped at {at} by {by}", self.name);
        Err(Reason::new(Class::Human, "ProtectionStopped", message)
            .guidance("put its settings with is_protected = true"))
    }

    /// Makes it due by a moment; one that is due sooner stays so.
    pub fn due_by(&mut self, at: Timestamp) {
        self.due_at = Some(self.due_at.map_or(at, |due_at| due_at.min(at)));
    }
}

impl Record for Instance {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        instance_key(&self.name)
    }
    fn due(&self) -> Option<(u8, Timestamp)> {
        self.due_at.filter(|_| self.stopped.is_none()).map(|at| (shard_of(&self.name), at))
    }
}

/// Where an instance is stored.
pub fn instance_key(name: &str) -> (String, String) {
    (format!("instance#{name}"), "instance".to_owned())
}

/// The name of the instance whose record lives in a partition, as the index of what is due returns it.
pub fn instance_of_partition(partition: &str) -> Option<&str> {
    partition.strip_prefix("instance#")
}

/// The identifier of the instance that an endpoint of RDS leads to: the host begins with it, as in
/// `sales.c9akciq32.eu-west-1.rds.amazonaws.com` (RDS user guide, "Connecting to your Microsoft SQL Server DB instance", read 2026-11). `None` for a
/// host of another kind, whose server it does not tell, and for a proxy, which begins with a name of its own.
pub fn instance_of_host(host: &str) -> Option<&str> {
    let (identifier, rest) = host.split_once('.')?;
    let rest = rest.trim_end_matches('.').to_ascii_lowercase();
    // In China the Region stands behind `rds`.
    let is_rds = rest.ends_with(".rds.amazonaws.com")
        || rest.strip_suffix(".amazonaws.com.cn").is_some_and(|rest| rest.contains(".rds."));
    (is_rds && !rest.starts_with("proxy-")).then_some(identifier)
}

/// The newest full backup of ours, as hot paths need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFull {
    /// Its `backup_set_uuid`.
    pub id: BackupId,
    /// When the service was asked for it; the schedule counts from here.
    pub started_at: Timestamp,
    /// When it finished.
    pub finished_at: Timestamp,
    /// Where logs go on.
    pub last_lsn: Lsn,
    /// Bytes of the database it saved.
    pub size_bytes: u64,
}

/// The newest differential of ours whose base is the newest full, as hot paths need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDifferential {
    /// Its `backup_set_uuid`.
    pub id: BackupId,
    /// `backup_set_uuid` of its base.
    pub base: BackupId,
    /// When it finished.
    pub finished_at: Timestamp,
    /// Where logs go on.
    pub last_lsn: Lsn,
    /// Bytes it saved.
    pub size_bytes: u64,
}

/// Where a differential healed a broken chain: what logs go on from until the first of them is in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// Where logs go on.
    pub last_lsn: Lsn,
    /// When the differential finished.
    pub finished_at: Timestamp,
}

/// The newest log file in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// Sequence number.
    pub seq: u64,
    /// LSN the next file begins at.
    pub last_lsn: Lsn,
    /// When the file was made: the right edge of what survives the instance.
    pub made_at: Timestamp,
    /// Fork the database was on when the file was copied.
    pub fork: Option<Guid>,
}

/// One protected database: what it is, and the head of its catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Instance it is on.
    pub instance: String,
    /// Name.
    pub name: String,
    /// Identity, once seen on the server.
    pub lineage: Option<Lineage>,
    /// Recovery model, once seen.
    pub recovery_model: Option<RecoveryModel>,
    /// Newest full of ours.
    pub last_full: Option<LastFull>,
    /// Sizes of the newest fulls of ours, in order of their end: what the next one is forecast from. A bounded few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fulls: Vec<Sample>,
    /// Newest differential of ours on that full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_differential: Option<LastDifferential>,
    /// Newest log file in the vault.
    pub log_tail: Option<LogTail>,
    /// Where logs go on behind a differential that healed the chain, if no full came since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<Healed>,
    /// Where the chain in the vault is broken, until a full or a differential heals it.
    pub broken: Option<Reason>,
    /// When fulls or differentials were taken out of turn, within the last 24 hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promoted_at: Vec<Timestamp>,
    /// Failures in a row, for giving up and for alarms.
    pub failures: u32,
    /// The newest moments of the schedule that have been answered.
    pub answered: Answered,
    /// Since when discovery does not find it on the server. Nothing more is planned; the last good chain stays until a person lets it
    /// go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// Since when it is this database that has the name: what was looked at before may have been another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
}

impl Database {
    /// A database that nobody has looked at yet.
    pub fn new(instance: &str, name: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            name: name.to_owned(),
            lineage: None,
            recovery_model: None,
            last_full: None,
            fulls: Vec::new(),
            last_differential: None,
            log_tail: None,
            healed: None,
            broken: None,
            promoted_at: Vec::new(),
            failures: 0,
            answered: Answered::default(),
            gone_at: None,
            begun_at: None,
        }
    }

    /// Remembers the size of a full. Those of another life of the name are forgotten when its first full comes.
    pub fn remember_full(&mut self, sample: Sample, begins_anew: bool) {
        if begins_anew {
            self.fulls.clear();
        }
        self.fulls.push(sample);
        let surplus = self.fulls.len().saturating_sub(SAMPLES_MAX);
        self.fulls.drain(..surplus);
    }

    /// When the newest log in the vault was made; without one, when the data backup ended that a copy goes on from.
    pub fn newest_log(&self) -> Option<Timestamp> {
        let tail = self.log_tail.as_ref().map(|tail| tail.made_at);
        tail.or(self.anchor().map(|anchor| anchor.finished_at))
    }

    /// What the first log goes on from: the differential that healed the chain, else the newest full.
    pub fn anchor(&self) -> Option<Healed> {
        let full = self.last_full.as_ref();
        self.healed.or(full.map(|full| Healed { last_lsn: full.last_lsn, finished_at: full.finished_at }))
    }

    /// The newest moment in the vault; `None` before the first full.
    pub fn newest_moment(&self) -> Option<Timestamp> {
        let full = self.last_full.as_ref().map(|full| full.finished_at);
        let tail = self.log_tail.as_ref().map(|tail| tail.made_at);
        let differential = self.last_differential.as_ref().map(|differential| differential.finished_at);
        full.max(differential).max(tail)
    }

    /// Age of the newest moment in the vault: what the loss of the instance would cost now.
    pub fn exposure(&self, now: Timestamp) -> Option<SignedDuration> {
        self.newest_moment().map(|newest| now.duration_since(newest))
    }
}

impl Record for Database {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        database_key(&self.instance, &self.name)
    }
}

/// Where a database is stored.
pub fn database_key(instance: &str, name: &str) -> (String, String) {
    (databases_partition(instance), name.to_owned())
}

/// Partition of the databases of an instance.
pub fn databases_partition(instance: &str) -> String {
    format!("databases#{instance}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_rds_begins_with_the_identifier() {
        for (host, identifier) in [
            ("sales.c9akciq32.eu-west-1.rds.amazonaws.com", Some("sales")),
            ("Sales.c9akciq32.EU-WEST-1.rds.amazonaws.com.", Some("Sales")),
            ("sales.c9akciq32.rds.cn-north-1.amazonaws.com.cn", Some("sales")),
            ("pool.proxy-c9akciq32.eu-west-1.rds.amazonaws.com", None),
            ("sales.example.com", None),
            ("sales.rds.amazonaws.com.example.com", None),
            ("127.0.0.1", None),
            ("localhost", None),
        ] {
            assert_eq!(instance_of_host(host), identifier, "{host}");
        }
    }
}
