//! How are millions of copied log files kept small?
//!
//! Their keys follow one pattern, `{directory}{stem}.{number}.{epoch}`, and their bodies are functions of a database and
//! a number, so a directory is a sorted table of a few words an entry. An entry that is overwritten, damaged or archived
//! becomes an ordinary object; a delete marker fits in the entry.

use crate::{
    database::state::DatabaseId,
    s3::{
        body::{Body, Health, LogRef},
        bucket::{Data, StorageClass, Version},
    },
    time::{Ms, SECOND},
};

/// One copied file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u32,
    /// Seconds since 1970 at which the log was backed up.
    pub(crate) epoch: u32,
    pub(crate) database: DatabaseId,
    pub(crate) size_bytes: u64,
    /// Seconds since 1970 at which it was copied.
    pub(crate) copied: u32,
    /// Serial of the version.
    pub(crate) serial: u64,
    /// Serial and second of the delete marker on top; zero is none.
    pub(crate) marker: u64,
    pub(crate) marked: u32,
}

impl Entry {
    /// Whether a plain GET finds it.
    pub(crate) fn visible(&self) -> bool {
        self.marker == 0
    }

    /// As the versions of an ordinary object, newest last.
    pub(crate) fn versions(&self) -> Vec<Version> {
        let mut versions = vec![self.data_version()];
        if self.marker != 0 {
            versions.push(Version {
                serial: self.marker,
                modified: Ms::from(self.marked) * SECOND,
                data: None,
            });
        }
        versions
    }

    /// The file as a version.
    pub(crate) fn data_version(&self) -> Version {
        let body = Body::Log(LogRef { database: self.database, number: self.number });
        let data = Data {
            body,
            size_bytes: self.size_bytes,
            class: StorageClass::Standard,
            health: Health::Good,
            kms_key: None,
            metadata: None,
            tags: None,
        };
        Version { serial: self.serial, modified: Ms::from(self.copied) * SECOND, data: Some(data) }
    }
}

/// The packed files of one directory of one bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// What a key has between the directory and the number: `5.0f3c...`.
    pub(crate) stem: String,
    /// Ascending by number and epoch.
    pub(crate) entries: Vec<Entry>,
}

impl Directory {
    /// The key of an entry.
    pub(crate) fn key(&self, directory: &str, entry: &Entry) -> String {
        format!("{directory}{}.{}.{}", self.stem, entry.number, entry.epoch)
    }

    /// The place of a key's last part in this directory.
    pub(crate) fn find(&self, name: &str) -> Result<usize, usize> {
        let parsed =
            name.strip_prefix(self.stem.as_str()).and_then(|rest| rest.strip_prefix('.')).and_then(|rest| {
                let (number, epoch) = rest.split_once('.')?;
                Some((canonical(number)?, canonical(epoch)?))
            });
        let Some(wanted) = parsed else { return Err(self.entries.len()) };
        self.entries.binary_search_by_key(&wanted, |e| (e.number, e.epoch))
    }
}

/// A number as it is printed: no sign, no leading zero.
fn canonical(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (text == "0" || !text.starts_with(['0', '+'])).then_some(number)
}

/// A key as directory and name; the directory ends in `/` or is empty.
pub(crate) fn split(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}
