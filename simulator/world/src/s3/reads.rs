//! What can be read from a bucket: `ListObjectsV2`, `HeadObject`, `GetObject`.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use jiff::Timestamp;

use crate::{
    s3::{
        S3, S3Error,
        body::Body,
        bucket::{Bucket, Data, StorageClass, Version},
        packed::{Entry, split},
    },
    stream::{Purpose, draw},
    time::timestamp,
};

/// What HEAD and a listing say of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Key.
    pub key: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// `ETag`, without quotes.
    pub etag: String,
    /// Version, where the bucket is versioned.
    pub version: Option<String>,
    /// `LastModified`.
    pub modified: Timestamp,
    /// Storage class.
    pub class: StorageClass,
    /// `SSEKMSKeyId`; `None` is encryption with keys of S3.
    pub kms_key: Option<Arc<str>>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListPage {
    /// Objects in ascending order of key.
    pub objects: Vec<ObjectHead>,
    /// Key to continue after; `None` on the last page.
    pub next: Option<String>,
}

impl S3 {
    /// The name of a version or an upload.
    pub(crate) fn name(&self, serial: u64) -> String {
        format!("{:016x}{:016x}", draw(self.seed, Purpose::S3, &[serial]), serial)
    }

    pub(super) fn readable(&self, bucket: &str) -> Result<&Bucket, S3Error> {
        let bucket = self.bucket(bucket)?;
        if bucket.config.caller_access { Ok(bucket) } else { Err(S3Error::AccessDenied) }
    }

    pub(super) fn head_of(&self, bucket: &Bucket, key: &str, version: &Version) -> ObjectHead {
        let data = version.data.as_ref();
        let parts = match data.map(|d| &d.body) {
            Some(Body::Stripe { .. }) => "-1",
            _ => "",
        };
        let etag = data.map_or(String::new(), |d| {
            let tag = draw(self.seed, Purpose::S3, &[version.serial, d.health as u64, d.size_bytes]);
            format!("{tag:016x}{:016x}{parts}", draw(tag, Purpose::S3, &[]))
        });
        ObjectHead {
            key: key.into(),
            size_bytes: data.map_or(0, |d| d.size_bytes),
            etag,
            version: bucket.config.versioned.then(|| self.name(version.serial)),
            modified: timestamp(version.modified),
            class: data.map_or(StorageClass::Standard, |d| d.class),
            kms_key: data.and_then(|d| d.kms_key.clone()),
        }
    }

    /// `ListObjectsV2`: at most `max_keys` visible objects under a prefix, after a key if given.
    pub fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        max_keys: usize,
    ) -> Result<ListPage, S3Error> {
        let bucket = self.readable(bucket)?;
        let from = after.unwrap_or("").max(prefix);
        let low =
            if after.is_some_and(|a| a >= prefix) { Bound::Excluded(from) } else { Bound::Included(from) };
        let enough = max_keys.saturating_add(1);
        let plain = bucket.objects.range::<str, _>((low, Bound::Unbounded));
        let plain = plain.take_while(|(key, _)| key.starts_with(prefix));
        let visible = plain.filter_map(|(key, versions)| {
            versions.last().filter(|v| v.data.is_some()).map(|v| (key.clone(), v.clone()))
        });
        let mut found: Vec<(String, Version)> = visible.take(enough).collect();
        found.extend(
            bucket.packed_from(prefix, low, enough, |entry| entry.visible().then(|| entry.data_version())),
        );
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let more = found.len() > max_keys;
        found.truncate(max_keys);
        let next = if more { found.last().map(|(key, _)| key.clone()) } else { None };
        let objects = found.iter().map(|(key, version)| self.head_of(bucket, key, version)).collect();
        Ok(ListPage { objects, next })
    }

    /// `HeadObject`, of the newest version or a given one.
    pub fn head(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<ObjectHead, S3Error> {
        let bucket = self.readable(bucket)?;
        let found = self.find(bucket, key, version)?;
        Ok(self.head_of(bucket, key, &found))
    }

    /// The user metadata that `HeadObject` and `GetObject` answer with, by header.
    pub fn metadata(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<BTreeMap<String, String>, S3Error> {
        let found = self.find(self.readable(bucket)?, key, version)?;
        Ok(found.data.and_then(|data| data.metadata).map_or_else(BTreeMap::new, |held| (*held).clone()))
    }

    /// `GetObject` of bytes somebody put; backups are opaque and answer with no bytes.
    pub fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Vec<u8>, S3Error> {
        let bucket = self.readable(bucket)?;
        let data = self.find(bucket, key, version)?.data.ok_or(S3Error::NoSuchKey)?;
        if data.class == StorageClass::Glacier {
            return Err(S3Error::InvalidObjectState);
        }
        match data.body {
            Body::Bytes(bytes) => Ok(bytes.to_vec()),
            Body::Stripe { .. } | Body::Log(_) => Ok(Vec::new()),
        }
    }

    pub(super) fn find(&self, bucket: &Bucket, key: &str, version: Option<&str>) -> Result<Version, S3Error> {
        let versions = bucket.versions_of(key).ok_or(S3Error::NoSuchKey)?;
        let found = match version {
            None => versions.last(),
            Some(wanted) => {
                Some(versions.iter().find(|v| self.name(v.serial) == wanted).ok_or(S3Error::NoSuchVersion)?)
            }
        };
        found.filter(|v| v.data.is_some()).cloned().ok_or(S3Error::NoSuchKey)
    }

    /// The data of an object, for those who read bytes: RDS and restores.
    pub(crate) fn data(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Data, S3Error> {
        self.find(self.bucket(bucket)?, key, version)?.data.ok_or(S3Error::NoSuchKey)
    }
}

impl Bucket {
    /// What `pick` finds in packed entries under a prefix, from a key on: at least the first `enough`, as far as there are any, in no
    /// order. Directories that end before the key are skipped, and those behind a full page are not looked at: a bucket of
    /// millions is paged without being unfolded each time.
    pub(crate) fn packed_from<T>(
        &self,
        prefix: &str,
        low: Bound<&str>,
        enough: usize,
        pick: impl Fn(&Entry) -> Option<T>,
    ) -> Vec<(String, T)> {
        let (from, excluded) = match low {
            Bound::Included(from) => (from, false),
            Bound::Excluded(from) => (from, true),
            Bound::Unbounded => ("", false),
        };
        let (mut seen, mut found): (Vec<&str>, Vec<(String, T)>) = (Vec::new(), Vec::new());
        // A directory matters when it lies under the prefix or the prefix reaches into it.
        let reaching = self.packed.get_key_value(split(prefix).0);
        let reaching = reaching.filter(|(directory, _)| !directory.starts_with(prefix));
        let within = self.packed.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let within = within.take_while(|(directory, _)| directory.starts_with(prefix));
        for (directory, packed) in reaching.into_iter().chain(within) {
            if from > directory.as_str() && !from.starts_with(directory.as_str()) {
                continue;
            }
            // Keys of a directory inside one already read may sort before its keys.
            if found.len() >= enough && !seen.iter().any(|outer| directory.starts_with(outer)) {
                break;
            }
            for entry in &packed.entries {
                let key = packed.key(directory, entry);
                let is_behind = if excluded { key.as_str() > from } else { key.as_str() >= from };
                if is_behind && key.starts_with(prefix) {
                    found.extend(pick(entry).map(|picked| (key, picked)));
                }
            }
            seen.push(directory);
        }
        found
    }

    /// All versions of a key, newest last; `None` when it has none.
    pub(crate) fn versions_of(&self, key: &str) -> Option<Vec<Version>> {
        if let Some(versions) = self.objects.get(key) {
            return Some(versions.clone());
        }
        let (directory, name) = split(key);
        let packed = self.packed.get(directory)?;
        packed
            .find(name)
            .ok()
            .and_then(|index| packed.entries.get(index))
            .map(crate::s3::packed::Entry::versions)
    }

    /// Whether a plain GET would find the key.
    pub(crate) fn exists(&self, key: &str) -> bool {
        self.versions_of(key).is_some_and(|v| v.last().is_some_and(|newest| newest.data.is_some()))
    }
}
