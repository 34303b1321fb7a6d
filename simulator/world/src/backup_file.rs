//! What does a backup record about itself, and what does its file hold?
//!
//! The header is the row of `msdb.dbo.backupset` and of RESTORE HEADERONLY; the payload is what a restore applies. Times
//! are UTC here and printed server-local by the SQL front. It refuses to know where a file lies. Source: `backupset` and
//! `backupmediafamily` in the SQL Server documentation.

use std::sync::Arc;

use crate::{
    database::{
        branch::{BranchId, ContentRef},
        config::Features,
    },
    guid::Guid,
    lsn::Lsn,
    tde::certificate::Thumbprint,
    time::{Ms, timestamp},
};

/// Kind of a backup set, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupKind {
    /// All pages: type D.
    Full,
    /// Pages changed since the base: type I.
    Differential,
    /// Log records: type L.
    Log,
}

impl BackupKind {
    /// The letter msdb uses.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Full => "D",
            Self::Differential => "I",
            Self::Log => "L",
        }
    }
}

/// Recovery model of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryModel {
    /// Log backups, any moment.
    Full,
    /// Log backups, not every moment.
    BulkLogged,
    /// No log backups.
    Simple,
}

impl RecoveryModel {
    /// As `recovery_model_desc` and `backupset.recovery_model` print it.
    pub fn description(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::BulkLogged => "BULK_LOGGED",
            Self::Simple => "SIMPLE",
        }
    }
}

/// One row of `msdb.dbo.backupset`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of backupset are bits")]
pub struct BackupSet {
    /// `backup_set_uuid`.
    pub uuid: Guid,
    /// `database_name` at backup time.
    pub database_name: Arc<str>,
    /// `server_name`.
    pub server_name: Arc<str>,
    /// `database_guid`.
    pub database_guid: Guid,
    /// `family_guid`.
    pub family_guid: Guid,
    /// `type`.
    pub kind: BackupKind,
    /// `first_lsn`.
    pub first_lsn: Lsn,
    /// `last_lsn`: the record after the set.
    pub last_lsn: Lsn,
    /// `checkpoint_lsn`.
    pub checkpoint_lsn: Lsn,
    /// `database_backup_lsn`.
    pub database_backup_lsn: Lsn,
    /// `differential_base_lsn` and `differential_base_guid`.
    pub differential_base: Option<(Lsn, Guid)>,
    /// `is_copy_only`.
    pub is_copy_only: bool,
    /// `is_snapshot`.
    pub is_snapshot: bool,
    /// `is_damaged`.
    pub is_damaged: bool,
    /// `has_bulk_logged_data`.
    pub has_bulk_logged_data: bool,
    /// `begins_log_chain`.
    pub begins_log_chain: bool,
    /// `first_recovery_fork_guid`.
    pub first_fork: Guid,
    /// `last_recovery_fork_guid`.
    pub last_fork: Guid,
    /// `fork_point_lsn`, where the forks differ.
    pub fork_point: Option<Lsn>,
    /// `recovery_model`.
    pub recovery_model: RecoveryModel,
    pub(crate) start: Ms,
    pub(crate) finish: Ms,
    /// `time_zone`: quarter hours east of UTC.
    pub zone_quarters: i64,
    pub(crate) last_valid: Option<Ms>,
    /// `backup_size`, bytes.
    pub size_bytes: u64,
    /// `compressed_backup_size`, bytes.
    pub compressed_bytes: u64,
    /// `software_major_version`, such as 16 for SQL Server 2022.
    pub major_version: u8,
    /// Files the set is striped over.
    pub stripes: u8,
    /// What the database had.
    pub(crate) features: Features,
    /// Whether change data capture was on when the backup ended: it travels in the pages and the log.
    pub(crate) captures_changes: bool,
}

impl BackupSet {
    /// `backup_start_date`, but as a moment.
    pub fn start(&self) -> jiff::Timestamp {
        timestamp(self.start)
    }

    /// `backup_finish_date`, but as a moment.
    pub fn finish(&self) -> jiff::Timestamp {
        timestamp(self.finish)
    }

    /// `last_valid_restore_time`, but as a moment; logs only.
    pub fn last_valid_restore_time(&self) -> Option<jiff::Timestamp> {
        self.last_valid.map(timestamp)
    }
}

/// What a restore applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Page versions as of `last_lsn`; of a differential those changed since its base.
    Pages(ContentRef),
    /// The transactions of `[first_lsn, last_lsn)`; `reaches` is the latest moment that STOPAT can name in it.
    Records { branch: BranchId, from: u64, until: u64, reaches: Ms },
}

/// A backup with what its files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFile {
    /// Header.
    pub set: BackupSet,
    pub(crate) payload: Payload,
    /// KMS key that the file cannot be read without.
    pub(crate) kms_key: Option<Arc<str>>,
    /// Certificate that the file cannot be restored without.
    pub(crate) tde_thumbprint: Option<Thumbprint>,
}
