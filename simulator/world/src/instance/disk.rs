//! What lies in `D:\S3` of an instance?
//!
//! Files that tasks of S3 integration brought or queries of people wrote, in directories; names are not case sensitive. Source:
//! RDS user guide, "Transferring files between RDS for SQL Server and Amazon S3".

use std::{collections::BTreeMap, sync::Arc};

use crate::{s3::Body, time::Ms, world::World};

/// The only folder for files.
const ROOT: &str = "D:\\S3\\";

/// Files there may be. RDS user guide, limitations of S3 integration.
const FILES_MAX: usize = 100;

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) body: Body,
    pub(crate) size_bytes: u64,
}

/// A file, or a directory when it holds none, under its name as written.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    modified: Ms,
    file: Option<File>,
}

/// A row of `rds_fn_list_file_details`.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// With the drive.
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified: Ms,
    pub(crate) is_directory: bool,
}

/// The folder, by path below it in lower case; those of directories end in `\`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    entries: BTreeMap<String, Entry>,
}

/// The path below `D:\S3\` that an absolute or relative path means; `None` where it lies elsewhere.
pub(crate) fn below_root(path: &str) -> Option<String> {
    let path = path.trim().replace('/', "\\");
    let is_rooted = path.get(..ROOT.len()).is_some_and(|head| head.eq_ignore_ascii_case(ROOT));
    let relative = if is_rooted { path.get(ROOT.len()..)? } else { path.as_str() };
    let parts = relative.strip_suffix('\\').unwrap_or(relative);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(':');
    parts.split('\\').all(is_part).then(|| relative.to_owned())
}

/// The same with the drive, as it is shown.
pub(crate) fn shown_path(below: &str) -> String {
    format!("{ROOT}{below}")
}

impl Disk {
    /// A file by its path below the folder.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.entries.get(&path.to_lowercase())?.file.as_ref()
    }

    /// Whether one file more has no place.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.values().filter(|entry| entry.file.is_some()).count() >= FILES_MAX
    }

    /// Writes a file, with the directories it lies in.
    pub(crate) fn write(&mut self, path: &str, file: File, now: Ms) {
        for (end, _) in path.match_indices('\\') {
            let directory = &path[..=end];
            let entry = Entry { name: directory.to_owned(), modified: now, file: None };
            self.entries.entry(directory.to_lowercase()).or_insert(entry);
        }
        let entry = Entry { name: path.to_owned(), modified: now, file: Some(file) };
        self.entries.insert(path.to_lowercase(), entry);
    }

    /// Whether there is a file, or a directory where the path ends in `\`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(&path.to_lowercase())
    }

    /// Deletes a file, or a directory with all that it holds.
    pub(crate) fn delete(&mut self, path: &str) {
        let path = path.to_lowercase();
        self.entries.retain(|held, _| *held != path && !(path.ends_with('\\') && held.starts_with(&path)));
    }

    /// All that is there, by path.
    pub(crate) fn list(&self) -> Vec<Listed> {
        let row = |entry: &Entry| Listed {
            path: shown_path(&entry.name),
            size_bytes: entry.file.as_ref().map_or(0, |file| file.size_bytes),
            modified: entry.modified,
            is_directory: entry.file.is_none(),
        };
        self.entries.values().map(row).collect()
    }
}

impl World {
    /// A query of somebody writes a file to `D:\S3\`. Returns whether the path lies there and the instance exists.
    pub fn break_file(&mut self, instance: &str, path: &str, bytes: &[u8]) -> bool {
        let now = self.now_ms;
        let Some(host) = self.index_of(instance).and_then(|index| self.instances.get_mut(index)) else {
            return false;
        };
        let Some(path) = below_root(path).filter(|path| !path.ends_with('\\')) else { return false };
        let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        host.disk.write(&path, File { body: Body::Bytes(Arc::from(bytes)), size_bytes }, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_below_the_folder() {
        for (path, below) in [
            ("D:\\S3\\seed\\data.csv", Some("seed\\data.csv")),
            ("d:\\s3\\data.csv", Some("data.csv")),
            ("seed/data.csv", Some("seed\\data.csv")),
            ("data.csv", Some("data.csv")),
            ("D:\\S3\\seed\\", Some("seed\\")),
            ("D:\\S3\\", None),
            ("D:\\other\\data.csv", None),
            ("..\\data.csv", None),
            ("seed\\\\data.csv", None),
            ("", None),
        ] {
            assert_eq!(below_root(path).as_deref(), below, "{path}");
        }
    }
}
