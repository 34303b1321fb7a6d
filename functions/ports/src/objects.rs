//! What S3 is asked to do with objects: to write one, to look at one, to read a part, to put into the trash, to purge, to sweep uploads.
//!
//! Listing what is there now stands with the other facts in [`crate::cloud`].

use jiff::Timestamp;

use crate::fault::Fault;

/// Keys or versions of one delete. S3: 1,000 (API reference, `DeleteObjects`, read 2026-11).
pub const DELETES_MAX: usize = 1_000;

/// Bytes of one read: what a function holds without thinking about its memory. A policy of ours, S3 has no such limit.
pub const RANGE_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// A version by its names. Of an object written without versioning the version is `null`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId {
    /// Key within the bucket.
    pub key: String,
    /// Version id.
    pub version: String,
}

/// One version of an object, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Its names.
    pub id: VersionId,
    /// Size in bytes; `None` of a delete marker.
    pub size_bytes: Option<u64>,
    /// When it was written.
    pub modified: Timestamp,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
}

/// One page of a listing of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// At most 1,000, those of one key newest first. Nothing is promised about the order of versions against markers.
    pub versions: Vec<ObjectVersion>,
    /// Where to go on, when there is more.
    pub after: Option<VersionId>,
}

/// Lists versions and delete markers.
pub trait ListVersions {
    /// One page of those whose keys begin with `prefix`, from the beginning or after the last one's `after`. Whoever deletes what a
    /// page named before going on may see some again and misses none.
    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&VersionId>,
    ) -> Result<Versions, Fault>;
}

/// Whether XML 1.0 can carry a name (W3C, "Extensible Markup Language", section 2.2). Batches of deletes are XML, so one that it cannot
/// carry would spoil its batch (S3 user guide, "Naming Amazon S3 objects", "XML related object key constraints", read 2026-11).
pub fn is_xml_text(name: &str) -> bool {
    name.chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}

/// What a delete left where it was. A name that [`is_xml_text`] denies is left, `Refused` as `NameNotXml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDeleted {
    /// Its place in the request.
    pub index: usize,
    /// Why, or that nobody knows.
    pub fault: Fault,
}

/// Puts objects into the trash: in a versioned bucket a delete marker hides them and can be removed again.
pub trait TrashObjects {
    /// Hides 1 to [`DELETES_MAX`] objects and tells which it did not, in the order asked. A key without an object is no fault. In a
    /// bucket without versions they would be gone: whoever asks has seen that it is versioned.
    async fn trash_objects(&self, bucket: &str, keys: &[String]) -> Result<Vec<NotDeleted>, Fault>;
}

/// Removes versions for good.
pub trait PurgeVersions {
    /// Removes 1 to [`DELETES_MAX`] versions or markers and tells which it did not, in the order asked. What is gone already is no
    /// fault: whoever lost an answer asks again.
    async fn purge_versions(&self, bucket: &str, versions: &[VersionId]) -> Result<Vec<NotDeleted>, Fault>;
}

/// A multipart upload by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UploadId {
    /// Key that it would write.
    pub key: String,
    /// Upload id.
    pub upload: String,
}

/// A multipart upload that is neither completed nor aborted: its parts are stored, paid for and seen by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// Its names.
    pub id: UploadId,
    /// When it began.
    pub initiated: Timestamp,
}

/// One page of a listing of uploads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUploads {
    /// At most 1,000, in order of their keys.
    pub uploads: Vec<OpenUpload>,
    /// Where to go on, when there is more.
    pub after: Option<UploadId>,
}

/// Lists multipart uploads.
pub trait ListUploads {
    /// One page of those whose keys begin with `prefix`, from the beginning or after the last one's `after`.
    async fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&UploadId>,
    ) -> Result<OpenUploads, Fault>;
}

/// Aborts multipart uploads.
pub trait AbortUpload {
    /// Ends an upload and drops its parts. One that is gone already is no fault.
    async fn abort_upload(&self, bucket: &str, id: &UploadId) -> Result<(), Fault>;
}

/// An object as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Entity tag, without quotes.
    pub etag: String,
    /// Its version; `None` where the bucket never had any.
    pub version: Option<String>,
    /// When it was written.
    pub modified: Timestamp,
}

/// Looks at one object without reading it.
pub trait HeadObject {
    /// The newest version of an object; `None` when there is none of that key, or it is in the trash, or there is no such bucket: the answer
    /// to a HEAD has no body that would tell them apart (S3 API reference, `HeadObject`, read 2026-11).
    async fn head_object(&self, bucket: &str, key: &str) -> Result<Option<ObjectHead>, Fault>;
}

/// Reads objects.
pub trait ReadObject {
    /// Up to `bytes` bytes from offset `from` on, 1 to [`RANGE_BYTES_MAX`]: fewer where the object ends, none behind its end. `Refused`
    /// as `ObjectNotFound` when there is none of that key.
    async fn read_object(&self, bucket: &str, key: &str, from: u64, bytes: u32) -> Result<Vec<u8>, Fault>;
}

/// What came of writing an object that must be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is there.
    New,
    /// There was one of that key, and it is as it was.
    Exists,
}

/// Writes objects that are never overwritten.
pub trait WriteObject {
    /// Writes a small object unless there is one of that key. After an unknown outcome `Exists` may be one's own: compare.
    async fn write_object(&self, bucket: &str, key: &str, body: &[u8]) -> Result<Written, Fault>;
}
