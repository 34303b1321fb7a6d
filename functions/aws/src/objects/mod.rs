//! Objects of S3: written, read in part, listed with their versions, and unfinished uploads.
//!
//! S3 API reference, `PutObject`, `GetObject`, `ListObjectVersions`, `ListMultipartUploads`, `AbortMultipartUpload`, and user guide,
//! "How to prevent object overwrites with conditional writes", read 2026-11.

mod delete;

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use jiff::Timestamp;
use ports::Fault;
use ports::objects::{
    AbortUpload, ListUploads, ListVersions, ObjectVersion, OpenUpload, OpenUploads, RANGE_BYTES_MAX,
    ReadObject, UploadId, VersionId, Versions, WriteObject, Written,
};

use crate::S3;
use crate::actions::Capability;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the ports of this adapter. Service authorization reference, "Actions, resources, and condition keys for
/// Amazon S3", read 2026-11: deletes in a batch are allowed like single ones, key by key.
pub const ACTIONS: &[Capability] = &[
    Capability { port: "ListVersions", actions: &["s3:ListBucketVersions"] },
    Capability { port: "TrashObjects", actions: &["s3:DeleteObject"] },
    Capability { port: "PurgeVersions", actions: &["s3:DeleteObjectVersion"] },
    Capability { port: "ListUploads", actions: &["s3:ListBucketMultipartUploads"] },
    Capability { port: "AbortUpload", actions: &["s3:AbortMultipartUpload"] },
    Capability { port: "ReadObject", actions: &["s3:GetObject"] },
    Capability { port: "WriteObject", actions: &["s3:PutObject"] },
];

/// Versions or uploads of one page: as many as S3 gives.
const PAGE: i32 = 1_000;

fn moment(time: Option<&DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

fn unreadable(what: &str, why: &str) -> Fault {
    refused("ListingUnreadable", format!("{what}: {why}"))
}

/// Where a listing goes on: both markers when there is more, and never where it came from.
fn next<T: PartialEq>(
    what: &str,
    more: Option<bool>,
    found: Option<T>,
    before: Option<&T>,
) -> Result<Option<T>, Fault> {
    if more != Some(true) {
        return Ok(None);
    }
    match found {
        None => Err(unreadable(what, "there is more, and no marker leads to it")),
        Some(found) if Some(&found) == before => Err(unreadable(what, "the page leads to itself")),
        found => Ok(found),
    }
}

impl ListVersions for S3 {
    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&VersionId>,
    ) -> Result<Versions, Fault> {
        let what = format!("ListObjectVersions {bucket}/{prefix}");
        let asked = self.client().list_object_versions().bucket(bucket).prefix(prefix).max_keys(PAGE);
        let answer = asked
            .set_key_marker(after.map(|id| id.key.clone()))
            .set_version_id_marker(after.map(|id| id.version.clone()))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Read, &error))?;
        let found = answer.next_key_marker.zip(answer.next_version_id_marker);
        let found = found.map(|(key, version)| VersionId { key, version });
        let after = next(&what, answer.is_truncated, found, after)?;
        let objects = answer.versions.unwrap_or_default().into_iter().map(|version| {
            Some(ObjectVersion {
                modified: moment(version.last_modified())?,
                is_latest: version.is_latest?,
                size_bytes: Some(u64::try_from(version.size?).ok()?),
                id: VersionId { key: version.key?, version: version.version_id? },
            })
        });
        let markers = answer.delete_markers.unwrap_or_default().into_iter().map(|marker| {
            Some(ObjectVersion {
                modified: moment(marker.last_modified())?,
                is_latest: marker.is_latest?,
                size_bytes: None,
                id: VersionId { key: marker.key?, version: marker.version_id? },
            })
        });
        let versions = objects.chain(markers).collect::<Option<_>>();
        let versions =
            versions.ok_or_else(|| unreadable(&what, "a version without key, id, time, size or rank"))?;
        Ok(Versions { versions, after })
    }
}

impl ListUploads for S3 {
    async fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&UploadId>,
    ) -> Result<OpenUploads, Fault> {
        let what = format!("ListMultipartUploads {bucket}/{prefix}");
        let asked = self.client().list_multipart_uploads().bucket(bucket).prefix(prefix).max_uploads(PAGE);
        let answer = asked
            .set_key_marker(after.map(|id| id.key.clone()))
            .set_upload_id_marker(after.map(|id| id.upload.clone()))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Read, &error))?;
        let found = answer.next_key_marker.zip(answer.next_upload_id_marker);
        let found = found.map(|(key, upload)| UploadId { key, upload });
        let after = next(&what, answer.is_truncated, found, after)?;
        let uploads = answer.uploads.unwrap_or_default().into_iter().map(|upload| {
            Some(OpenUpload {
                initiated: moment(upload.initiated())?,
                id: UploadId { key: upload.key?, upload: upload.upload_id? },
            })
        });
        let uploads = uploads.collect::<Option<_>>();
        let uploads = uploads.ok_or_else(|| unreadable(&what, "an upload without key, id or time"))?;
        Ok(OpenUploads { uploads, after })
    }
}

impl AbortUpload for S3 {
    async fn abort_upload(&self, bucket: &str, id: &UploadId) -> Result<(), Fault> {
        let asked = self.client().abort_multipart_upload().bucket(bucket).key(&id.key).upload_id(&id.upload);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(AbortMultipartUploadError::is_no_such_upload) =>
            {
                Ok(())
            }
            Err(error) => {
                Err(fault::of(&format!("AbortMultipartUpload {bucket}/{}", id.key), Effect::Write, &error))
            }
        }
    }
}

impl ReadObject for S3 {
    async fn read_object(&self, bucket: &str, key: &str, from: u64, bytes: u32) -> Result<Vec<u8>, Fault> {
        let what = format!("GetObject {bucket}/{key}");
        let last = u64::from(bytes).checked_sub(1).and_then(|more| from.checked_add(more));
        let last = last.filter(|_| bytes <= RANGE_BYTES_MAX).ok_or_else(|| {
            refused(
                "RangeMalformed",
                format!("{what}: {bytes} bytes from {from}, 1 to {RANGE_BYTES_MAX} are read"),
            )
        })?;
        let asked = self.client().get_object().bucket(bucket).key(key).range(format!("bytes={from}-{last}"));
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(error) => {
                // 416: the object ends before the range begins.
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                return match error.as_service_error() {
                    Some(_) if status == Some(416) => Ok(Vec::new()),
                    Some(known) if known.is_no_such_key() => {
                        Err(refused("ObjectNotFound", format!("there is no object {bucket}/{key}")))
                    }
                    _ => Err(fault::of(&what, Effect::Read, &error)),
                };
            }
        };
        let malformed = |why: &str| Err(refused("AnswerUnreadable", format!("{what}: {why}")));
        if !answer.content_range().is_some_and(|range| range.starts_with(&format!("bytes {from}-"))) {
            return malformed("other bytes than those that were asked for");
        }
        let (mut body, mut found) = (answer.body, Vec::new());
        while let Some(part) = body.next().await {
            let part = part.map_err(|error| Fault::Transient(format!("{what}: {}", fault::chain(&error))))?;
            found.extend_from_slice(&part);
            if found.len() as u64 > u64::from(bytes) {
                return malformed("more bytes than were asked for");
            }
        }
        Ok(found)
    }
}

impl WriteObject for S3 {
    async fn write_object(&self, bucket: &str, key: &str, body: &[u8]) -> Result<Written, Fault> {
        let asked = self.client().put_object().bucket(bucket).key(key).if_none_match("*");
        match asked.body(ByteStream::from(body.to_vec())).send().await {
            Ok(_) => Ok(Written::New),
            Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
                Some(412) => Ok(Written::Exists),
                _ => Err(fault::of(&format!("PutObject {bucket}/{key}"), Effect::Write, &error)),
            },
        }
    }
}
