//! How backups are written: compression, files, transfer options, key.

use serde::{Deserialize, Serialize};

/// How backups are written. What is absent is left to the forecast, to the vault or to the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Whether backups are compressed. On RDS that is a setting of the whole instance (`S3 backup compression`), so policies of
    /// one instance must agree; as the instance has it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<bool>,
    /// Files of one backup of data. 1 to 10 on RDS, 1 to 64 on S3 URLs; by forecast when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripes: Option<u32>,
    /// Bytes of one transfer (`MAXTRANSFERSIZE`); by forecast when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer_bytes: Option<u32>,
    /// Bytes of a physical block (`BLOCKSIZE`); the server's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_bytes: Option<u32>,
    /// Buffers (`BUFFERCOUNT`); the server's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_count: Option<u32>,
    /// Customer managed key for client-side encryption; the vault's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}
