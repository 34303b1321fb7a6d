//! Versions and uploads of a bucket, page by page.
//!
//! S3 API reference, `ListObjectVersions` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>) and
//! `ListMultipartUploads`, read 2026-11. Keys are asked for percent-encoded: XML cannot carry every key, and one that it cannot would
//! make the whole listing unreadable. An answer says whether it did so, and some servers do not.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::EncodingType;
use jiff::Timestamp;
use ports::Fault;
use ports::objects::{
    ListUploads, ListVersions, ObjectVersion, OpenUpload, OpenUploads, UploadId, VersionId, Versions,
};

use crate::S3;
use crate::fault::{self, Effect, refused};

/// Versions or uploads of one page: as many as S3 gives.
const PAGE: i32 = 1_000;

/// A key as it is, from a key as it was sent: `%` and two hexadecimal digits for a byte, `+` for a space. `None` when it is neither.
pub(crate) fn key(sent: String, encoding: Option<&EncodingType>) -> Option<String> {
    if encoding != Some(&EncodingType::Url) {
        return Some(sent);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(sent.len()), sent.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits =
                    after.split_at_checked(2).filter(|(digits, _)| digits.iter().all(u8::is_ascii_hexdigit));
                let (digits, after) = digits?;
                rest = after;
                u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

pub(super) fn moment(time: Option<&DateTime>) -> Option<Timestamp> {
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
        let asked = asked.encoding_type(EncodingType::Url);
        let answer = asked
            .set_key_marker(after.map(|id| id.key.clone()))
            .set_version_id_marker(after.map(|id| id.version.clone()))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Read, &error))?;
        let key = |sent| key(sent, answer.encoding_type.as_ref());
        let found = answer.next_key_marker.and_then(key).zip(answer.next_version_id_marker);
        let found = found.map(|(key, version)| VersionId { key, version });
        let after = next(&what, answer.is_truncated, found, after)?;
        let objects = answer.versions.unwrap_or_default().into_iter().map(|version| {
            Some(ObjectVersion {
                modified: moment(version.last_modified())?,
                is_latest: version.is_latest?,
                size_bytes: Some(u64::try_from(version.size?).ok()?),
                id: VersionId { key: key(version.key?)?, version: version.version_id? },
            })
        });
        let markers = answer.delete_markers.unwrap_or_default().into_iter().map(|marker| {
            Some(ObjectVersion {
                modified: moment(marker.last_modified())?,
                is_latest: marker.is_latest?,
                size_bytes: None,
                id: VersionId { key: key(marker.key?)?, version: marker.version_id? },
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
        let asked = asked.encoding_type(EncodingType::Url);
        let answer = asked
            .set_key_marker(after.map(|id| id.key.clone()))
            .set_upload_id_marker(after.map(|id| id.upload.clone()))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Read, &error))?;
        let key = |sent| key(sent, answer.encoding_type.as_ref());
        let found = answer.next_key_marker.and_then(key).zip(answer.next_upload_id_marker);
        let found = found.map(|(key, upload)| UploadId { key, upload });
        let after = next(&what, answer.is_truncated, found, after)?;
        let uploads = answer.uploads.unwrap_or_default().into_iter().map(|upload| {
            Some(OpenUpload {
                initiated: moment(upload.initiated())?,
                id: UploadId { key: key(upload.key?)?, upload: upload.upload_id? },
            })
        });
        let uploads = uploads.collect::<Option<_>>();
        let uploads = uploads.ok_or_else(|| unreadable(&what, "an upload without key, id or time"))?;
        Ok(OpenUploads { uploads, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_sent() {
        for (sent, expected) in [
            ("prod/full.bak", Some("prod/full.bak")),
            ("a%2Bb+c%25", Some("a+b c%")),
            ("%01%C3%A4%e2%82%ac", Some("\u{1}\u{e4}\u{20ac}")),
            ("", Some("")),
            ("%", None),
            ("%2", None),
            ("%2g", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(key(sent.to_owned(), Some(&EncodingType::Url)).as_deref(), expected, "{sent}");
            assert_eq!(key(sent.to_owned(), None).as_deref(), Some(sent));
        }
    }
}
