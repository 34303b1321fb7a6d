//! Facts as they were told: by the control plane, by S3 and KMS, by the server. Nouns without opinions; the rules are
//! elsewhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::calendar::{DailyWindow, WeeklyWindow};
use crate::id::Guid;
use crate::lsn::Lsn;

/// How an instance survives the loss of its host. Named as the RDS user guide names the modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MultiAz {
    /// One host.
    SingleAz,
    /// Database mirroring.
    Mirroring,
    /// Always On availability group.
    AlwaysOn,
    /// A standby, and the control plane does not say by which technique.
    Unspecified,
}

impl MultiAz {
    /// Whether there is a standby.
    pub const fn has_standby(self) -> bool {
        !matches!(self, Self::SingleAz)
    }
}

/// State of the option `SQLSERVER_BACKUP_RESTORE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OptionState {
    /// In the option group and in sync.
    Enabled,
    /// Being applied or removed.
    Applying,
    /// Not in the option group.
    Missing,
}

/// An instance as the RDS control plane describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InstanceFacts {
    /// Instance identifier.
    pub name: String,
    /// ARN; partition, Region and account are read from it.
    pub arn: String,
    /// Status: `available`, `backing-up`, `modifying`, ...
    pub status: String,
    /// Engine edition as RDS spells it: `sqlserver-se`, `sqlserver-ee`, `sqlserver-web`, `sqlserver-ex`.
    pub engine: String,
    /// Engine version: `16.00.4215.2.v1`.
    pub engine_version: String,
    /// Standby.
    pub multi_az: MultiAz,
    /// Daily window of the automated backup, UTC. `None` when the control plane tells none.
    pub backup_window: Option<DailyWindow>,
    /// Weekly maintenance window, UTC.
    pub maintenance_window: Option<WeeklyWindow>,
    /// Days of automated backups; 0 means none, and then SIMPLE recovery and no logs.
    pub retention_days: u16,
    /// Option for native backup and restore.
    pub backup_option: OptionState,
    /// Whether storage is encrypted; then log copies need a KMS key, otherwise they must not name one.
    pub storage_encrypted: bool,
    /// Whether this is a read replica.
    pub read_replica: bool,
    /// `DbiResourceId`: what the server keeps for life, whatever it is called; one that was restored from a snapshot has its own. `None` when the
    /// control plane tells none. RDS API reference, data type `DBInstance`, read 2026-11.
    #[serde(default)]
    pub resource_id: Option<String>,
}

/// One SQL Server instance as a listing shows it: what it takes to find it and to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInstance {
    /// Instance identifier.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Status: `available`, `creating`, ...
    pub status: String,
    /// Engine edition as RDS spells it: `sqlserver-se`.
    pub engine: String,
    /// Host and port, once the instance has an endpoint.
    pub endpoint: Option<(String, u16)>,
    /// ARN of the secret that RDS keeps for the master user, where it does.
    pub master_secret_arn: Option<String>,
    /// Whether this is a read replica.
    pub read_replica: bool,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
}

/// Whose the objects of a bucket are, in S3's words (S3 user guide, "Controlling ownership of objects and disabling ACLs").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// The bucket owner's, and there are no access control lists: the default of new buckets since April 2023.
    BucketOwnerEnforced,
    /// The bucket owner's where they were written with `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever's who wrote them: also that of a bucket on which nobody has set any.
    ObjectWriter,
}

impl ObjectOwnership {
    /// The setting as S3 spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }
}

/// A bucket as S3 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFacts {
    /// Name.
    pub name: String,
    /// Region, `us-east-1` spelled out.
    pub region: String,
    /// Whether it belongs to the account that was expected.
    pub owned: bool,
    /// Whether versioning is on.
    pub versioned: bool,
    /// Whether its default encryption is one with KMS (`aws:kms`, `aws:kms:dsse`), and not that of S3.
    pub default_sse_kms: bool,
    /// Whose objects are. `None` where the bucket is another account's, which is not asked.
    pub ownership: Option<ObjectOwnership>,
}

/// A key as KMS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFacts {
    /// ARN.
    pub arn: String,
    /// Whether it can be used now.
    pub enabled: bool,
    /// Whether it is symmetric, for encryption and decryption.
    pub symmetric: bool,
    /// Whether the customer manages it; false for AWS managed keys.
    pub customer_managed: bool,
}

/// Two readings of a server's clock, taken in one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerClock {
    /// `SYSUTCDATETIME()`.
    pub utc: Timestamp,
    /// `SYSDATETIME()`.
    pub local: DateTime,
}

/// Recovery model, as `sys.databases` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecoveryModel {
    /// FULL.
    Full,
    /// `BULK_LOGGED`.
    BulkLogged,
    /// SIMPLE: no log backups.
    Simple,
}

/// A database as the server knows it now: `sys.databases`, `sys.database_recovery_status`, `sys.master_files`.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseState {
    /// Name.
    pub name: String,
    /// `database_id`: not stable over restores.
    pub id: i32,
    /// `state_desc`: `ONLINE`, `RESTORING`, ...
    pub state: String,
    /// Recovery model; `None` when the server told one we do not know.
    pub recovery_model: Option<RecoveryModel>,
    /// Physical incarnation.
    pub database_guid: Option<Guid>,
    /// Original database.
    pub family_guid: Option<Guid>,
    /// Recovery fork the database is on.
    pub recovery_fork_guid: Option<Guid>,
    /// Where the next log backup begins; `None` when none can be taken.
    pub last_log_backup_lsn: Option<Lsn>,
    /// `backup_set_uuid` of the full that a differential taken now would be based on.
    pub differential_base_guid: Option<Guid>,
    /// Its checkpoint.
    pub differential_base_lsn: Option<Lsn>,
    /// Bytes of all data files, `sys.master_files.size` in pages of 8 KiB: what a first full is forecast from.
    pub data_bytes: Option<u64>,
    /// Files of every type, `sys.master_files`. A database has two at least: 0 is a login that may not see them.
    pub files: u64,
    /// Whether one of them is of type FILESTREAM.
    pub filestream: bool,
    /// `is_read_only`.
    pub read_only: bool,
    /// `source_database_id`: what it is a database snapshot of.
    pub snapshot_of: Option<i32>,
    /// On which of the servers that had the instance's name it is ([`crate::inventory::Instance::server`]): who asks one knows, the server does not.
    pub server: u32,
}

/// One five-minute log file that RDS keeps: a row of `rds_fn_list_tlog_backup_metadata`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFile {
    /// Database id at the time, part of the object key.
    pub database_id: i32,
    /// Family.
    pub family_guid: Guid,
    /// Sequence number, per database.
    pub seq: u64,
    /// Seconds since 1970 that name the file.
    pub epoch: i64,
    /// When the file was made, UTC.
    pub made_at: Timestamp,
    /// First LSN.
    pub first_lsn: Lsn,
    /// LSN of the next record after the file.
    pub last_lsn: Lsn,
    /// Whether the service says that the chain is broken before this file.
    pub chain_broken: bool,
    /// Size in bytes.
    pub size_bytes: u64,
    /// What the service says went wrong with the file, if anything.
    pub error: Option<String>,
}
