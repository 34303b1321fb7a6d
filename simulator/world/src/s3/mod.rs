//! What does S3 hold, and what does it answer?
//!
//! Buckets with versions, delete markers, conditional writes and multipart uploads. It refuses to know what a backup is:
//! bodies are opaque to it, except that the files of log copies are kept packed (see `packed.rs`), because a week of a
//! thousand databases is two million of them. Reads are strongly consistent, as S3's have been since December 2020.

mod access;
pub(crate) mod body;
mod bucket;
mod encryption;
mod packed;
mod pages;
mod reads;
mod tags;
mod writes;

use std::collections::BTreeMap;

use crate::time::Ms;

pub(crate) use access::is_directory;
pub(crate) use body::{Body, Health, LogRef};
pub(crate) use bucket::Bucket;
pub use bucket::{BucketConfig, StorageClass};
pub use pages::{UploadHead, UploadPage, VersionHead, VersionPage};
pub use reads::{ListPage, ObjectHead};
pub(crate) use writes::PackedLog;
pub use writes::{Condition, Deleted};

/// Error of an S3 call, with the code S3 answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// 404.
    #[error("NoSuchBucket: The specified bucket does not exist")]
    NoSuchBucket,
    /// 404.
    #[error("NoSuchKey: The specified key does not exist.")]
    NoSuchKey,
    /// 404.
    #[error("NoSuchVersion: The specified version does not exist.")]
    NoSuchVersion,
    /// 404.
    #[error("NoSuchUpload: The specified multipart upload does not exist.")]
    NoSuchUpload,
    /// 403.
    #[error("AccessDenied: Access Denied")]
    AccessDenied,
    /// 412.
    #[error("PreconditionFailed: At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed,
    /// 403: the object is archived.
    #[error("InvalidObjectState: The operation is not valid for the object's storage class")]
    InvalidObjectState,
}

/// All of S3, in every Region.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    pub(crate) seed: u64,
    /// The world's time: set by the world whenever it moves.
    pub(crate) now: Ms,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// Versions and uploads named so far.
    pub(crate) serial: u64,
    /// Buckets by the ARNs of their access points.
    pub(crate) access_points: BTreeMap<String, String>,
}

impl S3 {
    pub(crate) fn new(seed: u64, now: Ms) -> Self {
        Self { seed, now, ..Self::default() }
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket, S3Error> {
        self.buckets.get(name).ok_or(S3Error::NoSuchBucket)
    }

    /// What a bucket was created with; `GetBucketLocation`, `HeadBucket`, `GetBucketVersioning` and the owner in one.
    pub fn describe_bucket(&self, name: &str) -> Result<&BucketConfig, S3Error> {
        self.bucket(name).map(|b| &b.config)
    }

    /// Names of all buckets.
    pub fn bucket_names(&self) -> impl Iterator<Item = &str> {
        self.buckets.keys().map(String::as_str)
    }
}
