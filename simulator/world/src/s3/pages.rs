//! What is in a bucket beside what a plain GET finds: `ListObjectVersions`, `ListMultipartUploads`, page by page.
//!
//! A page is a range of the ordered maps that hold the bucket, so that the last page costs what the first one does.

use std::ops::Bound;

use jiff::Timestamp;

use crate::{
    s3::{S3, S3Error, bucket::Version, reads::ObjectHead},
    time::timestamp,
};

/// One version or delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHead {
    /// The object; of a delete marker size and `ETag` are empty.
    pub object: ObjectHead,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadHead {
    /// Key.
    pub key: String,
    /// `UploadId`.
    pub upload_id: String,
    /// When it began.
    pub initiated: Timestamp,
}

/// One page of a listing of versions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionPage {
    /// By key, newest first.
    pub versions: Vec<VersionHead>,
    /// Key and version to continue after; `None` on the last page.
    pub next: Option<(String, String)>,
}

/// One page of a listing of uploads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadPage {
    /// By key, the oldest first.
    pub uploads: Vec<UploadHead>,
    /// Key and upload to continue after; `None` on the last page.
    pub next: Option<(String, String)>,
}

/// Of what lies at the key of a marker: what follows the marker, or all of it when the marker is gone, which S3 does not repeat but
/// may.
fn behind<T>(all: Vec<T>, marker: Option<&str>, name: impl Fn(&T) -> String) -> Vec<T> {
    let place = marker.and_then(|marker| all.iter().position(|one| name(one) == marker));
    let skipped = place.map_or(0, |place| place + 1);
    all.into_iter().skip(skipped).collect()
}

/// The first `max`, and the name of the last where there are more.
fn cut<T, N>(mut all: Vec<T>, max: usize, name: impl Fn(&T) -> N) -> (Vec<T>, Option<N>) {
    let more = all.len() > max;
    all.truncate(max);
    let next = all.last().filter(|_| more).map(name);
    (all, next)
}

impl S3 {
    /// `ListObjectVersions`: at most `max` versions and delete markers under a prefix, after a key and a version if given.
    pub fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<(&str, &str)>,
        max: usize,
    ) -> Result<VersionPage, S3Error> {
        let bucket = self.readable(bucket)?;
        let low = Bound::Included(after.map_or(prefix, |(key, _)| key.max(prefix)));
        // Each key has a version at least, but that of the marker may have none left.
        let enough = max.saturating_add(2);
        let plain = bucket.objects.range::<str, _>((low, Bound::Unbounded));
        let plain = plain.take_while(|(key, _)| key.starts_with(prefix)).take(enough);
        let mut keys: Vec<(String, Vec<Version>)> =
            plain.map(|(key, versions)| (key.clone(), versions.clone())).collect();
        keys.extend(bucket.packed_from(prefix, low, enough, |entry| Some(entry.versions())));
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        let mut heads = Vec::new();
        for (key, versions) in keys {
            if heads.len() > max {
                break;
            }
            let versions = versions.iter().rev().enumerate().map(|(index, version)| VersionHead {
                object: self.head_of(bucket, &key, version),
                is_delete_marker: version.data.is_none(),
                is_latest: index == 0,
            });
            let marker = after.filter(|(marked, _)| *marked == key).map(|(_, version)| version);
            heads.extend(behind(versions.collect(), marker, |head| version_name(&head.object)));
        }
        let (versions, next) = cut(heads, max, |head| (head.object.key.clone(), version_name(&head.object)));
        Ok(VersionPage { versions, next })
    }

    /// `ListMultipartUploads`: at most `max` under a prefix, after a key and an upload if given.
    pub fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<(&str, &str)>,
        max: usize,
    ) -> Result<UploadPage, S3Error> {
        let bucket = self.readable(bucket)?;
        let low = Bound::Included(after.map_or(prefix, |(key, _)| key.max(prefix)));
        let under = bucket.uploads.range::<str, _>((low, Bound::Unbounded));
        let mut heads = Vec::new();
        for (key, uploads) in under.take_while(|(key, _)| key.starts_with(prefix)) {
            if heads.len() > max {
                break;
            }
            let uploads = uploads.iter().map(|upload| UploadHead {
                key: key.clone(),
                upload_id: self.name(upload.serial),
                initiated: timestamp(upload.initiated),
            });
            let marker = after.filter(|(marked, _)| marked == key).map(|(_, upload)| upload);
            heads.extend(behind(uploads.collect(), marker, |head| head.upload_id.clone()));
        }
        let (uploads, next) = cut(heads, max, |head| (head.key.clone(), head.upload_id.clone()));
        Ok(UploadPage { uploads, next })
    }
}

/// The version id as a listing tells it: what was written without versioning is `null`.
fn version_name(object: &ObjectHead) -> String {
    object.version.clone().unwrap_or_else(|| "null".to_owned())
}
