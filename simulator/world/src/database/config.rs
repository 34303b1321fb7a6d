//! How does a user of the model describe a database?

use jiff::Timestamp;

use crate::{
    backup_file::RecoveryModel,
    database::writes::{Burst, Rhythm},
};

/// What a database has that native restores or Multi-AZ with mirroring do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// A FILESTREAM filegroup: the database can't be restored on RDS.
    pub filestream: bool,
    /// In-memory tables: not with database mirroring.
    pub in_memory: bool,
    /// A file whose `file_guid` in `sys.master_files` is NULL: neither differentials nor logs can be restored.
    pub null_file_guid: bool,
}

/// A database to create.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// Name.
    pub name: String,
    /// Bytes used at the start.
    pub size_bytes: u64,
    /// Bytes that one transaction adds to the data.
    pub growth_bytes: u64,
    /// Transactions per minute, times 1,000: 500 is one every two minutes.
    pub transactions_per_minute_milli: u64,
    /// Log that one transaction writes, bytes; the model counts in sectors of 512.
    pub log_bytes: u64,
    /// How the rate changes over a week.
    pub rhythm: Rhythm,
    /// Times of more writes.
    pub bursts: Vec<Burst>,
    /// Recovery model; RDS forces FULL while automated backups are on, SIMPLE while they are off.
    pub recovery_model: RecoveryModel,
    /// Data files.
    pub file_count: u32,
    /// When it was created; `None` is now. The initial snapshot and its log chain start then.
    pub created_at: Option<Timestamp>,
    /// What restores and Multi-AZ may not take.
    pub features: Features,
}

impl DatabaseConfig {
    /// A database of 10 GB with one transaction every two seconds.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            size_bytes: 10_000_000_000,
            growth_bytes: 200,
            transactions_per_minute_milli: 30_000,
            log_bytes: 4_096,
            rhythm: Rhythm::Flat,
            bursts: Vec::new(),
            recovery_model: RecoveryModel::Full,
            file_count: 1,
            created_at: None,
            features: Features::default(),
        }
    }
}
