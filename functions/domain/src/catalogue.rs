//! What we know of every backup in a vault.
//!
//! Data backups are one record each; the five-minute log files of one life and day are packed into one record, because a
//! copy moves dozens of them and windows are read by the day. Both live in the partition of their life, so a window is
//! read by one range of keys, and both can be made into the headers that the rules read.

mod packed;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::backup::{Backup, HeldIn, Kind, Stripes};
use crate::facts::LogFile;
use crate::id::{BackupId, Guid};
use crate::inventory::{Database, Lineage};
use crate::lsn::Lsn;
use crate::record::Record;
use crate::task::TaskId;

/// A lineage as one instance has it: whose backups and holds these are. Storage that was restored from a snapshot to another instance holds
/// the same guids there, and goes on with logs of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Instance.
    pub instance: String,
    /// Identity.
    pub lineage: Lineage,
}

impl Life {
    /// That of a head; `None` while its identity is not known.
    pub fn of(head: &Database) -> Option<Self> {
        Some(Self { instance: head.instance.clone(), lineage: head.lineage.clone()? })
    }

    /// Partition of the catalogue that holds its backups.
    pub fn partition(&self) -> String {
        partition(&self.instance, &self.lineage)
    }
}

fn partition(instance: &str, lineage: &Lineage) -> String {
    format!("catalogue#{instance}#{}", lineage.key())
}

/// An object that was seen in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenObject {
    /// Key within the bucket.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Entity tag.
    pub etag: String,
}

/// One full or differential backup in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataBackup {
    /// Whose.
    pub lineage: Lineage,
    /// Instance that took it.
    pub instance: String,
    /// Bucket it is in.
    pub bucket: String,
    /// Native task that made it.
    pub task_id: TaskId,
    /// Its header; stripes are S3 ARNs.
    pub backup: Backup,
    /// Its stripes as they were seen, in stripe order.
    pub objects: Vec<SeenObject>,
}

impl Record for DataBackup {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        let partition = partition(&self.instance, &self.lineage);
        (partition, format!("data#{:025}#{}", self.backup.last_lsn.value(), self.backup.id))
    }
}

/// First and last sort key of the data backups of a life.
pub const DATA_RANGE: (&str, &str) = ("data#", "data#~");
/// First and last sort key of the log days of a life.
pub const LOG_RANGE: (&str, &str) = ("log#", "log#~");

/// One five-minute log file in the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Sequence number.
    pub seq: u64,
    /// Seconds since 1970 that name the file.
    pub epoch: i64,
    /// First LSN.
    pub first_lsn: Lsn,
    /// LSN of the next record after the file.
    pub last_lsn: Lsn,
    /// When the file was made.
    pub made_at: Timestamp,
    /// Fork the database was on when the file was copied.
    pub fork: Option<Guid>,
    /// Key of the object.
    pub object: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

impl LogEntry {
    /// The entry of a file the service listed, as it lies in the vault.
    pub fn new(file: &LogFile, fork: Option<Guid>, object: String) -> Self {
        Self {
            seq: file.seq,
            epoch: file.epoch,
            first_lsn: file.first_lsn,
            last_lsn: file.last_lsn,
            made_at: file.made_at,
            fork,
            object,
            size_bytes: file.size_bytes,
        }
    }
}

/// The log files of one lineage that were made on one day (UTC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "packed::Day", into = "packed::Day")]
pub struct LogDay {
    /// Whose.
    pub lineage: Lineage,
    /// Instance they come from.
    pub instance: String,
    /// Database name when the first of them was copied.
    pub database: String,
    /// ARN partition of the bucket: `aws`, `aws-cn`, ...
    pub partition: String,
    /// Bucket they are in.
    pub bucket: String,
    /// Day.
    pub day: Date,
    /// Files in order of sequence numbers, none twice.
    pub files: Vec<LogEntry>,
}

impl Record for LogDay {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        log_day_key(&self.instance, &self.lineage, self.day)
    }
}

/// Where the log files of a day are stored.
pub fn log_day_key(instance: &str, lineage: &Lineage, day: Date) -> (String, String) {
    (partition(instance, lineage), format!("log#{day}"))
}

/// The day a log file is packed under.
pub fn day_of(made_at: Timestamp) -> Date {
    made_at.to_zoned(TimeZone::UTC).date()
}

impl LogDay {
    /// Adds files, keeping order; a file that was copied again replaces its earlier entry.
    pub fn add(&mut self, files: impl IntoIterator<Item = LogEntry>) {
        self.files.extend(files);
        // Stable: of two entries of one file the later stays behind, and `dedup` keeps the first of each run.
        self.files.reverse();
        self.files.sort_by_key(|file| (file.seq, file.epoch));
        self.files.dedup_by_key(|file| (file.seq, file.epoch));
    }

    /// The headers of the files, as the rules read them. The service's metadata carries neither start nor fork: a file
    /// starts where the one before ended, and its fork is the one sampled at the copy.
    pub fn backups(&self) -> impl Iterator<Item = Backup> + '_ {
        let database: Arc<str> = Arc::from(self.database.as_str());
        self.files.iter().map(move |file| {
            let mut backup = Backup::new(
                log_id(file.object.as_str()),
                Arc::clone(&database),
                Kind::Log,
                (file.first_lsn, file.last_lsn),
                file.made_at,
            );
            backup.first_fork.clone_from(&file.fork);
            backup.last_fork.clone_from(&file.fork);
            backup.database_guid = Some(self.lineage.database_guid.clone());
            backup.family_guid = Some(self.lineage.family_guid.clone());
            backup.stripes =
                Stripes::present([format!("arn:{}:s3:::{}/{}", self.partition, self.bucket, file.object)]);
            backup.size_bytes = file.size_bytes;
            backup.held_in = HeldIn::Vault;
            backup
        })
    }
}

/// The id of a log file: its file name, which holds database id, family, sequence number and epoch.
fn log_id(object: &str) -> BackupId {
    BackupId::new(object.rsplit('/').next().unwrap_or(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, size_bytes: u64) -> LogEntry {
        LogEntry {
            seq,
            epoch: i64::try_from(seq).unwrap() * 300,
            first_lsn: Lsn::from_u64(seq * 10),
            last_lsn: Lsn::from_u64(seq * 10 + 10),
            made_at: Timestamp::from_second(i64::try_from(seq).unwrap() * 300).unwrap(),
            fork: None,
            object: format!("logs/7.ab/7.ab.{seq}.{}", seq * 300),
            size_bytes,
        }
    }

    #[test]
    fn a_copied_file_is_there_once_and_in_order() {
        let lineage = Lineage { family_guid: Guid::from("AB"), database_guid: Guid::from("CD"), server: 0 };
        let mut day = LogDay {
            lineage,
            instance: "sales".to_owned(),
            database: "orders".to_owned(),
            partition: "aws".to_owned(),
            bucket: "vault".to_owned(),
            day: day_of(Timestamp::UNIX_EPOCH),
            files: Vec::new(),
        };
        day.add([entry(3, 1), entry(1, 1)]);
        day.add([entry(2, 1), entry(3, 9)]);
        let seen: Vec<_> = day.files.iter().map(|file| (file.seq, file.size_bytes)).collect();
        assert_eq!(seen, [(1, 1), (2, 1), (3, 9)]);
        let ids: Vec<_> = day.backups().map(|backup| backup.id.to_string()).collect();
        assert_eq!(ids, ["7.ab.1.300", "7.ab.2.600", "7.ab.3.900"]);
        assert_eq!(Record::key(&day), ("catalogue#sales#AB#CD".to_owned(), "log#1970-01-01".to_owned()));
        let twin = LogDay { instance: "staging".to_owned(), ..day.clone() };
        assert_ne!(
            Record::key(&day),
            Record::key(&twin),
            "restored elsewhere from a snapshot it goes on by itself"
        );
    }

    #[test]
    fn a_day_survives_the_store_and_is_small() {
        let lineage = Lineage { family_guid: Guid::from("AB"), database_guid: Guid::from("CD"), server: 0 };
        let mut files: Vec<LogEntry> = (1_000..1_288).map(|seq| entry(seq, 1 << 30)).collect();
        files[7].fork = Some(Guid::from("k1"));
        files[8].object = "elsewhere/x.y.3.4".to_owned();
        let [instance, database, partition, bucket] = ["sales", "orders", "aws", "vault"].map(str::to_owned);
        let day = LogDay {
            lineage,
            instance,
            database,
            partition,
            bucket,
            day: day_of(Timestamp::UNIX_EPOCH),
            files,
        };
        let json = serde_json::to_string(&day).unwrap();
        assert_eq!(serde_json::from_str::<LogDay>(&json).unwrap(), day);
        // 400 KB is an item's limit; a day has 288 files.
        assert!(json.len() < 288 * 80, "{}", json.len());
        let broken = json.replacen("[1000,", "[true,", 1);
        assert!(serde_json::from_str::<LogDay>(&broken).is_err());
        let nowhere = json.replacen("\"places\":[", "\"places\":[],\"x\":[", 1);
        assert!(serde_json::from_str::<LogDay>(&nowhere).unwrap_err().to_string().contains("place"));
    }
}
