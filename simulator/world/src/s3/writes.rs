//! What can change a bucket: `PutObject` with conditions, `DeleteObject` with versions, multipart uploads, log copies.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    database::state::DatabaseId,
    s3::{
        S3, S3Error,
        body::{Body, Health, LogRef},
        bucket::{Bucket, BucketConfig, Data, StorageClass, Upload, Version},
        packed::{Entry, split},
        reads::ObjectHead,
    },
    time::{Ms, SECOND},
};

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// `If-None-Match: *`: no object with this key.
    IfNoneMatch,
    /// `If-Match`: the object has this `ETag`.
    IfMatch(String),
}

/// What a delete did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deleted {
    /// The delete marker that was put on top.
    pub marker: Option<String>,
    /// Whether bytes were removed for good.
    pub removed: bool,
}

/// One file of a log copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedLog<'a> {
    pub(crate) directory: &'a str,
    pub(crate) stem: &'a str,
    pub(crate) database: DatabaseId,
    pub(crate) number: u32,
    pub(crate) taken: Ms,
    pub(crate) size_bytes: u64,
}

fn seconds(at: Ms) -> u32 {
    u32::try_from(at.div_euclid(SECOND)).unwrap_or(0)
}

impl S3 {
    pub(crate) fn add_bucket(&mut self, config: BucketConfig) {
        self.buckets.insert(config.name.clone(), Bucket::new(config));
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, S3Error> {
        self.buckets.get_mut(name).ok_or(S3Error::NoSuchBucket)
    }

    fn writable(&mut self, name: &str) -> Result<&mut Bucket, S3Error> {
        let bucket = self.bucket_mut(name)?;
        if bucket.config.caller_access { Ok(bucket) } else { Err(S3Error::AccessDenied) }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Changes a bucket's settings, as its owner may.
    pub fn configure(&mut self, bucket: &str, change: impl FnOnce(&mut BucketConfig)) -> Result<(), S3Error> {
        change(&mut self.bucket_mut(bucket)?.config);
        Ok(())
    }

    /// `PutObject` of bytes.
    pub fn put(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        condition: &Condition,
    ) -> Result<ObjectHead, S3Error> {
        self.writable(bucket)?;
        let held = self.head(bucket, key, None).ok();
        let holds = match condition {
            Condition::Always => true,
            Condition::IfNoneMatch => held.is_none(),
            Condition::IfMatch(etag) => held.is_some_and(|head| head.etag == *etag),
        };
        if !holds {
            return Err(S3Error::PreconditionFailed);
        }
        let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.store(bucket, key, Body::Bytes(Arc::from(bytes)), size_bytes)?;
        self.encrypt_by_default(bucket, key);
        self.head(bucket, key, None)
    }

    /// `PutObject` of bytes with user metadata, by header such as `x-amz-meta-rds-tde-pwd`.
    pub fn put_with_metadata(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        metadata: BTreeMap<String, String>,
    ) -> Result<ObjectHead, S3Error> {
        let head = self.put(bucket, key, bytes, &Condition::Always)?;
        self.alter(bucket, key, |data| data.metadata = Some(Arc::new(metadata)))?;
        Ok(head)
    }

    /// Stores a body, whoever asks.
    pub(crate) fn store(
        &mut self,
        bucket: &str,
        key: &str,
        body: Body,
        size_bytes: u64,
    ) -> Result<(), S3Error> {
        let (serial, modified) = (self.next_serial(), self.now);
        let bucket = self.bucket_mut(bucket)?;
        bucket.unpack(key);
        let data = Data {
            body,
            size_bytes,
            class: StorageClass::Standard,
            health: Health::Good,
            kms_key: None,
            metadata: None,
            tags: None,
        };
        let versions = bucket.objects.entry(key.into()).or_default();
        if !bucket.config.versioned {
            versions.clear();
        }
        versions.push(Version { serial, modified, data: Some(data) });
        Ok(())
    }

    /// Stores bytes with user metadata, whoever asks.
    pub(crate) fn store_bytes(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        metadata: Option<BTreeMap<String, String>>,
    ) -> Result<(), S3Error> {
        let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.store(bucket, key, Body::Bytes(Arc::from(bytes)), size_bytes)?;
        self.alter(bucket, key, |data| data.metadata = metadata.map(Arc::new))
    }

    /// Stores one file of a log copy; an existing one of that name is overwritten.
    pub(crate) fn store_log(&mut self, bucket: &str, log: PackedLog<'_>) -> Result<(), S3Error> {
        let (serial, now) = (self.next_serial(), self.now);
        let held = self.bucket_mut(bucket)?;
        let entry = Entry {
            number: log.number,
            epoch: seconds(log.taken),
            database: log.database,
            size_bytes: log.size_bytes,
            copied: seconds(now),
            serial,
            marker: 0,
            marked: 0,
        };
        let directory = held.packed.entry(log.directory.into()).or_default();
        if directory.stem.is_empty() {
            directory.stem = log.stem.into();
        }
        let key = directory.key(log.directory, &entry);
        let place = directory.find(split(&key).1).err().filter(|_| directory.stem == log.stem);
        if let Some(place) = place.filter(|_| !held.objects.contains_key(&key))
            && let Some(directory) = held.packed.get_mut(log.directory)
        {
            directory.entries.insert(place, entry);
            return Ok(());
        }
        // The key exists, or its directory holds another pattern: an ordinary object with versions.
        let body = Body::Log(LogRef { database: log.database, number: log.number });
        self.store(bucket, &key, body, log.size_bytes)
    }

    /// `DeleteObject`. Without a version a versioned bucket gets a delete marker; with one that version is gone.
    /// Deleting what does not exist succeeds, as in S3.
    pub fn delete(&mut self, bucket: &str, key: &str, version: Option<&str>) -> Result<Deleted, S3Error> {
        self.writable(bucket)?;
        self.delete_unchecked(bucket, key, version)
    }

    pub(crate) fn delete_unchecked(
        &mut self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Deleted, S3Error> {
        let serial = match version {
            None => None,
            Some(name) => match self.serial_of(bucket, key, name)? {
                Some(serial) => Some(serial),
                None => return Ok(Deleted::default()),
            },
        };
        let (fresh, now) = (self.next_serial(), self.now);
        let held = self.bucket_mut(bucket)?;
        let (done, marked) = match serial {
            Some(serial) => (held.remove_version(key, serial), false),
            None if held.config.versioned => {
                held.mark_deleted(key, fresh, now);
                (false, true)
            }
            None => (held.remove_all(key), false),
        };
        Ok(Deleted { marker: marked.then(|| self.name(fresh)), removed: done })
    }

    fn serial_of(&self, bucket: &str, key: &str, name: &str) -> Result<Option<u64>, S3Error> {
        let versions = self.bucket(bucket)?.versions_of(key).unwrap_or_default();
        Ok(versions.iter().map(|v| v.serial).find(|serial| self.name(*serial) == name))
    }

    /// Begins a multipart upload and names it.
    pub(crate) fn begin_upload(&mut self, bucket: &str, key: &str) -> u64 {
        let (serial, initiated) = (self.next_serial(), self.now);
        if let Ok(held) = self.bucket_mut(bucket) {
            held.uploads.entry(key.into()).or_default().push(Upload { serial, initiated });
        }
        serial
    }

    /// Ends a multipart upload, completed or aborted.
    pub(crate) fn end_upload(&mut self, bucket: &str, key: &str, serial: u64) {
        if let Ok(held) = self.bucket_mut(bucket)
            && let Some(uploads) = held.uploads.get_mut(key)
        {
            uploads.retain(|u| u.serial != serial);
            if uploads.is_empty() {
                held.uploads.remove(key);
            }
        }
    }

    /// `AbortMultipartUpload`.
    pub fn abort_upload(&mut self, bucket: &str, key: &str, upload_id: &str) -> Result<(), S3Error> {
        self.writable(bucket)?;
        let uploads = self.bucket(bucket)?.uploads.get(key).map_or(&[][..], Vec::as_slice);
        let serial = uploads.iter().map(|u| u.serial).find(|serial| self.name(*serial) == upload_id);
        self.end_upload(bucket, key, serial.ok_or(S3Error::NoSuchUpload)?);
        Ok(())
    }

    /// Changes the newest version of an object in place, as damage and archiving do.
    pub(crate) fn alter(
        &mut self,
        bucket: &str,
        key: &str,
        change: impl FnOnce(&mut Data),
    ) -> Result<(), S3Error> {
        let held = self.bucket_mut(bucket)?;
        held.unpack(key);
        let newest = held.objects.get_mut(key).and_then(|v| v.last_mut()).and_then(|v| v.data.as_mut());
        change(newest.ok_or(S3Error::NoSuchKey)?);
        Ok(())
    }
}

impl Bucket {
    /// Turns a packed entry into an ordinary object, so that anything may happen to it.
    fn unpack(&mut self, key: &str) {
        let (directory, name) = split(key);
        if let Some(packed) = self.packed.get_mut(directory)
            && let Ok(index) = packed.find(name)
        {
            let entry = packed.entries.remove(index);
            self.objects.insert(key.into(), entry.versions());
        }
    }

    fn packed_entry(&mut self, key: &str) -> Option<(&mut Vec<Entry>, usize)> {
        let (directory, name) = split(key);
        let packed = self.packed.get_mut(directory)?;
        let index = packed.find(name).ok()?;
        Some((&mut packed.entries, index))
    }

    fn mark_deleted(&mut self, key: &str, serial: u64, now: Ms) {
        if let Some((entries, index)) = self.packed_entry(key)
            && let Some(entry) = entries.get_mut(index).filter(|e| e.visible())
        {
            (entry.marker, entry.marked) = (serial, seconds(now));
            return;
        }
        self.unpack(key);
        self.objects.entry(key.into()).or_default().push(Version { serial, modified: now, data: None });
    }

    fn remove_version(&mut self, key: &str, serial: u64) -> bool {
        if let Some((entries, index)) = self.packed_entry(key)
            && let Some(entry) = entries.get_mut(index)
        {
            if entry.marker == serial {
                (entry.marker, entry.marked) = (0, 0);
                return false;
            }
            if entry.visible() {
                entries.remove(index);
                return true;
            }
        }
        self.unpack(key);
        let Some(versions) = self.objects.get_mut(key) else { return false };
        let removed = versions.iter().any(|v| v.serial == serial && v.data.is_some());
        versions.retain(|v| v.serial != serial);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        removed
    }

    fn remove_all(&mut self, key: &str) -> bool {
        self.unpack(key);
        self.objects.remove(key).is_some()
    }
}
