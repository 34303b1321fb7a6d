//! Objects in memory: the world's S3, written, read, trashed, purged and swept behind latencies and the gate.
//!
//! Bytes are those that somebody put; backups are opaque to the world's S3 and read as no bytes.

use domain::reason::{Class, Reason};
use ports::Fault;
use ports::objects::{
    AbortUpload, DELETES_MAX, HeadObject, ListUploads, ListVersions, NotDeleted, ObjectHead, ObjectVersion,
    OpenUpload, OpenUploads, PurgeVersions, RANGE_BYTES_MAX, ReadObject, TrashObjects, UploadId, VersionId,
    Versions, WriteObject, Written, is_xml_text,
};
use ports::tags::{ReadTags, TagObject, Tags, objection};
use world::{Condition, S3Error};

use super::cloud::Cloud;
use crate::kernel::Kind;

/// Versions or uploads of one page. S3 API reference, `ListObjectVersions`, `ListMultipartUploads`: 1,000, read 2026-11.
const PAGE_MAX: usize = 1_000;

/// The version id of what was written without versioning.
const NULL_VERSION: &str = "null";

fn refused(name: &'static str, message: String) -> Fault {
    Fault::Refused(Reason::new(Class::Human, name, message))
}

fn fault(what: &str, error: S3Error) -> Fault {
    let name = match error {
        S3Error::AccessDenied => "AccessDenied",
        S3Error::NoSuchKey => "ObjectNotFound",
        _ => "ServiceRefused",
    };
    refused(name, format!("{what}: {error}"))
}

impl ListVersions for Cloud {
    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&VersionId>,
    ) -> Result<Versions, Fault> {
        self.change("s3.list_versions", Kind::Read, |world| {
            let after = after.map(|id| (id.key.as_str(), id.version.as_str()));
            let page = world.s3().list_versions(bucket, prefix, after, PAGE_MAX);
            let page =
                page.map_err(|error| fault(&format!("ListObjectVersions {bucket}/{prefix}"), error))?;
            let versions = page.versions.into_iter().map(|head| ObjectVersion {
                id: VersionId {
                    key: head.object.key,
                    version: head.object.version.unwrap_or_else(|| NULL_VERSION.to_owned()),
                },
                size_bytes: (!head.is_delete_marker).then_some(head.object.size_bytes),
                modified: head.object.modified,
                is_latest: head.is_latest,
            });
            let after = page.next.map(|(key, version)| VersionId { key, version });
            Ok(Versions { versions: versions.collect(), after })
        })
        .await
    }
}

impl Cloud {
    /// Deletes names one by one: keys into the trash, versions for good.
    async fn delete(
        &self,
        name: &str,
        bucket: &str,
        names: &[(&str, Option<&str>)],
    ) -> Result<Vec<NotDeleted>, Fault> {
        let what = format!("DeleteObjects {bucket}");
        if !(1..=DELETES_MAX).contains(&names.len()) {
            let why = format!("{} names, 1 to {DELETES_MAX} go into a request", names.len());
            return Err(refused("DeleteMalformed", format!("{what}: {why}")));
        }
        if names.iter().any(|(key, version)| key.is_empty() || *version == Some("")) {
            return Err(refused("DeleteMalformed", format!("{what}: an empty name")));
        }
        self.change(name, Kind::Write, |world| {
            let config = world.s3().describe_bucket(bucket).map_err(|error| fault(&what, error))?;
            let is_versioned = config.versioned;
            let left = names.iter().enumerate().filter_map(|(index, (key, version))| {
                if !is_xml_text(key) || !version.is_none_or(is_xml_text) {
                    let why = format!("{what}: a name that a batch of deletes cannot carry");
                    return Some(NotDeleted { index, fault: refused("NameNotXml", why) });
                }
                // Without versioning an object is its own only version.
                let version = version.filter(|version| is_versioned || *version != NULL_VERSION);
                match world.s3_mut().delete(bucket, key, version) {
                    Ok(_) | Err(S3Error::NoSuchKey | S3Error::NoSuchVersion) => None,
                    Err(error) => Some(NotDeleted { index, fault: fault(&format!("{what}: {key}"), error) }),
                }
            });
            Ok(left.collect())
        })
        .await
    }
}

impl TrashObjects for Cloud {
    async fn trash_objects(&self, bucket: &str, keys: &[String]) -> Result<Vec<NotDeleted>, Fault> {
        let names: Vec<_> = keys.iter().map(|key| (key.as_str(), None)).collect();
        self.delete("s3.trash_objects", bucket, &names).await
    }
}

impl PurgeVersions for Cloud {
    async fn purge_versions(&self, bucket: &str, versions: &[VersionId]) -> Result<Vec<NotDeleted>, Fault> {
        let names: Vec<_> = versions.iter().map(|id| (id.key.as_str(), Some(id.version.as_str()))).collect();
        self.delete("s3.purge_versions", bucket, &names).await
    }
}

impl ListUploads for Cloud {
    async fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&UploadId>,
    ) -> Result<OpenUploads, Fault> {
        self.change("s3.list_uploads", Kind::Read, |world| {
            let after = after.map(|id| (id.key.as_str(), id.upload.as_str()));
            let page = world.s3().list_uploads(bucket, prefix, after, PAGE_MAX);
            let page =
                page.map_err(|error| fault(&format!("ListMultipartUploads {bucket}/{prefix}"), error))?;
            let uploads = page.uploads.into_iter().map(|head| OpenUpload {
                id: UploadId { key: head.key, upload: head.upload_id },
                initiated: head.initiated,
            });
            let after = page.next.map(|(key, upload)| UploadId { key, upload });
            Ok(OpenUploads { uploads: uploads.collect(), after })
        })
        .await
    }
}

impl AbortUpload for Cloud {
    async fn abort_upload(&self, bucket: &str, id: &UploadId) -> Result<(), Fault> {
        self.change("s3.abort_upload", Kind::Write, |world| {
            match world.s3_mut().abort_upload(bucket, &id.key, &id.upload) {
                Ok(()) | Err(S3Error::NoSuchUpload) => Ok(()),
                Err(error) => Err(fault(&format!("AbortMultipartUpload {bucket}/{}", id.key), error)),
            }
        })
        .await
    }
}

impl HeadObject for Cloud {
    async fn head_object(&self, bucket: &str, key: &str) -> Result<Option<ObjectHead>, Fault> {
        self.change("s3.head_object", Kind::Read, |world| match world.s3().head(bucket, key, None) {
            Ok(head) => Ok(Some(ObjectHead {
                size_bytes: head.size_bytes,
                etag: head.etag,
                version: head.version,
                modified: head.modified,
            })),
            Err(S3Error::NoSuchKey | S3Error::NoSuchBucket) => Ok(None),
            Err(error) => Err(fault(&format!("HeadObject {bucket}/{key}"), error)),
        })
        .await
    }
}

impl ReadObject for Cloud {
    async fn read_object(&self, bucket: &str, key: &str, from: u64, bytes: u32) -> Result<Vec<u8>, Fault> {
        let what = format!("GetObject {bucket}/{key}");
        let end = from.checked_add(u64::from(bytes)).filter(|_| (1..=RANGE_BYTES_MAX).contains(&bytes));
        let Some(end) = end else {
            let why = format!("{bytes} bytes from {from}, 1 to {RANGE_BYTES_MAX} are read");
            return Err(refused("RangeMalformed", format!("{what}: {why}")));
        };
        self.change("s3.read_object", Kind::Read, |world| {
            let body = world.s3().get(bucket, key, None).map_err(|error| fault(&what, error))?;
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
            Ok(body[place(from)..place(end)].to_vec())
        })
        .await
    }
}

impl WriteObject for Cloud {
    async fn write_object(&self, bucket: &str, key: &str, body: &[u8]) -> Result<Written, Fault> {
        self.change("s3.write_object", Kind::Write, |world| {
            match world.s3_mut().put(bucket, key, body, &Condition::IfNoneMatch) {
                Ok(_) => Ok(Written::New),
                Err(S3Error::PreconditionFailed) => Ok(Written::Exists),
                Err(error) => Err(fault(&format!("PutObject {bucket}/{key}"), error)),
            }
        })
        .await
    }
}

impl ReadTags for Cloud {
    async fn read_tags(&self, bucket: &str, key: &str) -> Result<Tags, Fault> {
        self.change("s3.read_tags", Kind::Read, |world| {
            let tags = world.s3().tags(bucket, key);
            tags.map_err(|error| fault(&format!("GetObjectTagging {bucket}/{key}"), error))
        })
        .await
    }
}

impl TagObject for Cloud {
    async fn tag_object(&self, bucket: &str, key: &str, tags: &Tags) -> Result<(), Fault> {
        let what = format!("PutObjectTagging {bucket}/{key}");
        if let Some(why) = objection(tags) {
            return Err(refused("TagsMalformed", format!("{what}: {why}")));
        }
        self.change("s3.tag_object", Kind::Write, |world| {
            world.s3_mut().tag(bucket, key, tags.clone()).map_err(|error| fault(&what, error))
        })
        .await
    }
}
