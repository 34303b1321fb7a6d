//! What is in an object, and is it still what was written?

use std::sync::Arc;

use crate::{backup_file::BackupFile, database::state::DatabaseId};

/// A log file of a database, by its number: read from the database's history, which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogRef {
    pub(crate) database: DatabaseId,
    pub(crate) number: u32,
}

/// The body of an object.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Bytes somebody put.
    Bytes(Arc<[u8]>),
    /// One stripe of a backup, `index` from 1.
    Stripe { file: Arc<BackupFile>, index: u8 },
    /// A copied log file.
    Log(LogRef),
}

/// What became of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Health {
    /// As written.
    #[default]
    Good,
    /// Some bytes changed: the media family is incorrectly formed.
    Corrupt,
    /// The end is missing.
    Truncated,
}
