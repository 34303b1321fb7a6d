//! What is a bucket: its settings, its objects with their versions, its unfinished uploads.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    s3::{
        body::{Body, Health},
        packed::Directory,
    },
    time::Ms,
};

/// Where an object's bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StorageClass {
    /// Readable at once.
    #[default]
    Standard,
    /// Readable only after a restore request: S3 Glacier Flexible Retrieval.
    Glacier,
}

impl StorageClass {
    /// As S3 names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Glacier => "GLACIER",
        }
    }
}

/// A bucket to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketConfig {
    /// Name.
    pub name: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// Account that owns it, twelve digits.
    pub account: String,
    /// Whether versioning is enabled.
    pub versioned: bool,
    /// Whether the role in the instances' option group may use it, and RDS may copy logs to it.
    pub rds_access: bool,
    /// Whether our own functions may use it.
    pub caller_access: bool,
    /// The KMS key of its default encryption; `None` is SSE-S3.
    pub default_kms_key: Option<String>,
    /// Its Object Ownership, in S3's word.
    pub object_ownership: &'static str,
}

impl BucketConfig {
    /// A versioned bucket that RDS and we may use, with the Object Ownership that log copies ask for.
    pub fn named(name: &str, region: &str, account: &str) -> Self {
        Self {
            name: name.into(),
            region: region.into(),
            account: account.into(),
            versioned: true,
            rds_access: true,
            caller_access: true,
            default_kms_key: None,
            object_ownership: "BucketOwnerPreferred",
        }
    }
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) serial: u64,
    pub(crate) modified: Ms,
    /// `None` is a delete marker.
    pub(crate) data: Option<Data>,
}

/// What a version holds.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) body: Body,
    pub(crate) size_bytes: u64,
    pub(crate) class: StorageClass,
    pub(crate) health: Health,
    /// The key of SSE-KMS; `None` is SSE-S3.
    pub(crate) kms_key: Option<Arc<str>>,
    /// User metadata by header, `x-amz-meta-...`; most objects have none.
    pub(crate) metadata: Option<Arc<BTreeMap<String, String>>>,
    /// Tags by key; most objects have none.
    pub(crate) tags: Option<Arc<BTreeMap<String, String>>>,
}

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) serial: u64,
    pub(crate) initiated: Ms,
}

/// A bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) config: BucketConfig,
    /// Versions by key, newest last, never empty.
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
    /// Copied log files by directory (`target/5.guid/`): packed.
    pub(crate) packed: BTreeMap<String, Directory>,
    /// Uploads by key.
    pub(crate) uploads: BTreeMap<String, Vec<Upload>>,
}

impl Bucket {
    pub(crate) fn new(config: BucketConfig) -> Self {
        Self { config, objects: BTreeMap::new(), packed: BTreeMap::new(), uploads: BTreeMap::new() }
    }
}
