//! What is asked of the service, as values: parameters of the native procedures, and the object keys they write to.

use serde::{Deserialize, Serialize};

/// `rds_backup_database`, as far as bakproof uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeBackup {
    /// Database name.
    pub database: String,
    /// Where to: `arn:aws:s3:::bucket/key`, with one `*` when there are several files.
    pub s3_arn: String,
    /// Key for client-side encryption; `None` means not encrypted by the client.
    pub kms_key_arn: Option<String>,
    /// FULL or DIFFERENTIAL.
    pub differential: bool,
    /// Files, 1 to 10.
    pub files: u8,
}

/// `rds_tlog_backup_copy_to_S3` by sequence numbers, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyLogs {
    /// Database name.
    pub database: String,
    /// Needed on storage-encrypted instances, refused on others.
    pub kms_key_arn: Option<String>,
    /// First file.
    pub first_seq: u64,
    /// Last file.
    pub last_seq: u64,
}
