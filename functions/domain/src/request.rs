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
    /// How bytes are moved.
    #[serde(default, skip_serializing_if = "TransferOptions::is_default")]
    pub options: TransferOptions,
}

/// How a backup moves its bytes; what is absent is left to the server. The procedures take these since after 2023.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TransferOptions {
    /// `@max_transfer_size`: bytes, a multiple of 65,536 up to 4,194,304.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer_bytes: Option<u32>,
    /// `@block_size`: bytes, a power of two from 512 to 65,536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_bytes: Option<u32>,
    /// `@buffer_count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_count: Option<u32>,
}

impl TransferOptions {
    /// Whether all is left to the server.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
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
