//! What one backup set says of itself: the header every rule reads.
//!
//! The same value serves the catalogue of the task store, an imported history and small histories in notation. Refuses to
//! know what a backup can be used for (`chain`) and where its columns are called what (`sqlserver::columns`).
//! Source: `msdb.dbo.backupset`, `backupmediafamily` (Microsoft Learn), as restated in the chain rules' sources.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::facts::RecoveryModel;
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;
use crate::paths::is_arn;

/// What kind of backup set. `copy_only` logs stay logs: they anchor nothing and advance nothing, but apply as any log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "BackupKind"))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// F: a full; the base of later differentials.
    Full,
    /// D: what changed since its base.
    Differential,
    /// L: the log records `[first_lsn, last_lsn)`.
    Log,
    /// C: a full that is no base.
    CopyOnly,
    /// S: a snapshot; a base of differentials that we do not hold.
    Snapshot,
}

impl Kind {
    /// The letter of the notation.
    pub const fn letter(self) -> char {
        match self {
            Self::Full => 'F',
            Self::Differential => 'D',
            Self::Log => 'L',
            Self::CopyOnly => 'C',
            Self::Snapshot => 'S',
        }
    }

    /// The words of a sentence: "a full", "a copy-only full".
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "differential",
            Self::Log => "log",
            Self::CopyOnly => "copy-only full",
            Self::Snapshot => "snapshot",
        }
    }

    /// Whether it holds data pages rather than log records only.
    pub const fn is_data(self) -> bool {
        !matches!(self, Self::Log)
    }
}

/// Where the bytes lie, which decides what loss they survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeldIn {
    /// Our bucket.
    #[default]
    Vault,
    /// RDS still keeps the log; lost with the database or the instance.
    Service,
}

impl HeldIn {
    /// The word of the JSON contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Service => "service",
        }
    }
}

/// What stands between us and bytes that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// Its KMS key is disabled, scheduled for deletion or gone.
    UnreadableKey,
    /// Its objects lie in an archive storage class and must be restored there first.
    Archived,
}

/// Why a backup's content cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Written with errors (3182): never an anchor; a log breaks the chain.
    Damaged,
    /// So many stripes are missing, and all are needed (3132).
    MissingStripe(u32),
    /// Its key cannot be used.
    UnreadableKey,
    /// Its objects must first be restored from an archive class.
    Archived,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("is damaged"),
            Self::MissingStripe(1) => f.write_str("lacks a stripe"),
            Self::MissingStripe(count) => write!(f, "lacks {count} stripes"),
            Self::UnreadableKey => f.write_str("is encrypted under a key that cannot be used"),
            Self::Archived => f.write_str("lies in an archive storage class"),
        }
    }
}

/// How we know the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The history row was read: every LSN is the server's word.
    #[default]
    History,
    /// Only the finished task was seen (failover, dropped database): LSNs are zero and mean nothing. Such a full is a
    /// point; it anchors no log and proves no differential.
    Task,
}

/// The files of one backup set, in stripe order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Told")]
pub struct Stripes {
    files: Arc<[Option<Arc<str>>]>,
    expected_count: Option<u32>,
    /// Counted once: every pass over a history asks for it, and the names lie elsewhere in memory.
    #[serde(skip_serializing)]
    missing_count: u32,
    /// Of the name of the first file, for the same reason.
    #[serde(skip_serializing)]
    first_hash: u64,
}

fn hash(file: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    hasher.finish().max(1)
}

/// What is written down of stripes.
#[derive(Deserialize)]
struct Told {
    files: Arc<[Option<Arc<str>>]>,
    expected_count: Option<u32>,
}

impl From<Told> for Stripes {
    fn from(Told { files, expected_count }: Told) -> Self {
        Self::new(files, expected_count)
    }
}

impl Stripes {
    /// `files`: names or S3 ARNs in family order, `None` where a stripe is known to be missing; empty where none is known.
    /// `expected_count`: how many stripes the media set has by its own word, where the header tells.
    pub fn new(files: impl Into<Arc<[Option<Arc<str>>]>>, expected_count: Option<u32>) -> Self {
        let files = files.into();
        let held = u32::try_from(files.iter().flatten().count()).unwrap_or(u32::MAX);
        let listed = u32::try_from(files.len()).unwrap_or(u32::MAX);
        let expected = expected_count.unwrap_or(listed).max(listed);
        // A set of which no file is known counts as whole: old exports have no file names.
        let missing_count = if files.is_empty() { 0 } else { expected.saturating_sub(held) };
        let first_hash = files.first().and_then(Option::as_ref).map_or(0, |file| hash(file));
        Self { files, expected_count, missing_count, first_hash }
    }

    /// Files that are all there, in stripe order.
    pub fn present<T: Into<Arc<str>>>(files: impl IntoIterator<Item = T>) -> Self {
        let files: Arc<[Option<Arc<str>>]> = files.into_iter().map(|file| Some(file.into())).collect();
        let expected_count = u32::try_from(files.len()).ok();
        Self::new(files, expected_count)
    }

    /// Names or S3 ARNs in family order; `None` where a stripe is known to be missing. Empty: not known at all.
    pub fn files(&self) -> &[Option<Arc<str>>] {
        &self.files
    }

    /// How many stripes the media set has by its own word; `None` where the header does not tell.
    pub const fn expected_count(&self) -> Option<u32> {
        self.expected_count
    }

    /// Whether a file is an S3 object by its ARN, as RDS's native backups are and no other.
    fn has_arn(&self) -> bool {
        self.files.iter().flatten().any(|file| is_arn(file))
    }

    /// A hash of the name of each file that is known: files of the same name have the same, and others hardly ever.
    pub fn hashes(&self) -> impl Iterator<Item = u64> {
        let later = self.files.get(1..).unwrap_or_default();
        let first = (self.first_hash != 0).then_some(self.first_hash);
        first.into_iter().chain(later.iter().flatten().map(|file| hash(file)))
    }

    /// How many stripes are missing.
    pub const fn missing_count(&self) -> u32 {
        self.missing_count
    }
}

/// One backup set. LSNs are `numeric(25,0)`, times UTC with the header's one-second resolution, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// `backup_set_uuid`.
    pub id: BackupId,
    /// `database_name` at backup time: a label, no identity.
    pub database: Arc<str>,
    /// F, D, L, C or S.
    pub kind: Kind,
    /// How the header is known; LSNs mean something with `Evidence::History` only.
    #[serde(default)]
    pub evidence: Evidence,
    /// First log record in the set.
    pub first_lsn: Lsn,
    /// The log record AFTER the set: `[first_lsn, last_lsn)`. Restoring the set leaves the redo point here.
    pub last_lsn: Lsn,
    /// Where redo starts; the identity of a full for its differentials where guids are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_lsn: Option<Lsn>,
    /// Checkpoint of the latest full as the server saw it: a label, never used to select logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_backup_lsn: Option<Lsn>,
    /// Checkpoint of the base; differentials only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential_base_lsn: Option<Lsn>,
    /// `backup_set_uuid` of the base; differentials only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential_base_guid: Option<Guid>,
    /// Recovery fork at the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_fork: Option<Guid>,
    /// Recovery fork after the last record; differs from `first_fork` only in a log that crosses a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_fork: Option<Guid>,
    /// Where the fork lies, when the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork_point_lsn: Option<Lsn>,
    /// Which physical incarnation: new with every restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_guid: Option<Guid>,
    /// The original database: unchanged by restores, even to another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_guid: Option<Guid>,
    /// When the backup started (UTC).
    pub started: Timestamp,
    /// When the backup finished (UTC); of a data backup, when it had certainly finished (`tick`).
    pub finished: Timestamp,
    /// Latest moment the set can be restored to (SQL Server 2022 and later, logs only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_valid_restore_time: Option<Timestamp>,
    /// Written with errors: never an anchor, and as a log it breaks the chain.
    #[serde(default, skip_serializing_if = "is_false")]
    pub damaged: bool,
    /// Holds bulk-logged changes: applies whole, cannot be stopped inside.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bulk_logged: bool,
    /// First log after create or after the switch from SIMPLE.
    #[serde(default, skip_serializing_if = "is_false")]
    pub begins_log_chain: bool,
    /// The recovery model, where the header tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_model: Option<RecoveryModel>,
    /// The files.
    #[serde(default)]
    pub stripes: Stripes,
    /// Bytes before compression; zero where unknown.
    #[serde(default)]
    pub size_bytes: u64,
    /// Bytes as written; zero where unknown.
    #[serde(default)]
    pub compressed_size_bytes: u64,
    /// Where the bytes lie.
    #[serde(default)]
    pub held_in: HeldIn,
    /// What stands in the way of reading them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// `software_major_version` of the server: restores go to the same or a newer version only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_major_version: Option<u16>,
    /// Offset of the server's clock from UTC when the backup started, in quarter hours; `None` where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone_quarter_hours: Option<i8>,
    /// Number of the set in a media set that holds several (`position`, RESTORE's `FILE = n`); `None`: 1, or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Backup {
    /// Whether RDS made it: it keeps the log, or wrote an S3 object under its ARN.
    pub fn is_of_rds(&self) -> bool {
        self.held_in == HeldIn::Service || self.stripes.has_arn()
    }

    /// A whole, undamaged set held in the vault, with nothing optional known. Start and finish fall together.
    pub fn new(
        id: impl Into<BackupId>,
        database: impl Into<Arc<str>>,
        kind: Kind,
        lsns: (Lsn, Lsn),
        finished: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            database: database.into(),
            kind,
            evidence: Evidence::History,
            first_lsn: lsns.0,
            last_lsn: lsns.1,
            checkpoint_lsn: None,
            database_backup_lsn: None,
            differential_base_lsn: None,
            differential_base_guid: None,
            first_fork: None,
            last_fork: None,
            fork_point_lsn: None,
            database_guid: None,
            family_guid: None,
            started: finished,
            finished,
            last_valid_restore_time: None,
            damaged: false,
            bulk_logged: false,
            begins_log_chain: false,
            recovery_model: None,
            stripes: Stripes::default(),
            size_bytes: 0,
            compressed_size_bytes: 0,
            held_in: HeldIn::Vault,
            obstacle: None,
            software_major_version: None,
            time_zone_quarter_hours: None,
            position: None,
        }
    }

    /// The fork a restore must be on to apply this log; the fork of a data backup. Known if either end is.
    pub fn entry_fork(&self) -> Option<&Guid> {
        self.first_fork.as_ref().or(if self.kind.is_data() { self.last_fork.as_ref() } else { None })
    }

    /// The fork a restore is on after this backup. Where only the first is recorded, no fork was crossed.
    pub fn exit_fork(&self) -> Option<&Guid> {
        self.last_fork.as_ref().or(self.first_fork.as_ref())
    }

    /// Whether the log leads from one recovery fork to another.
    pub fn crosses_fork(&self) -> bool {
        matches!((self.entry_fork(), self.exit_fork()), (Some(first), Some(last)) if first != last)
    }

    /// A log without a record, normal on an idle database.
    pub fn is_empty_log(&self) -> bool {
        self.kind == Kind::Log && self.first_lsn == self.last_lsn
    }

    /// The last moment a restore of this set can reach: `last_valid_restore_time`, else the finish.
    pub fn reaches(&self) -> Timestamp {
        self.last_valid_restore_time.unwrap_or(self.finished)
    }

    /// When the state at its end is certain: what cannot be stopped inside ends with its backup.
    pub fn certain_at(&self) -> Timestamp {
        if self.kind.is_data() || self.bulk_logged { self.finished } else { self.reaches() }
    }

    /// Why it cannot be used, the worst first; `None` where it can.
    pub fn defect(&self) -> Option<Defect> {
        if self.damaged {
            return Some(Defect::Damaged);
        }
        match self.stripes.missing_count() {
            0 => self.obstacle.map(|obstacle| match obstacle {
                Obstacle::UnreadableKey => Defect::UnreadableKey,
                Obstacle::Archived => Defect::Archived,
            }),
            missing => Some(Defect::MissingStripe(missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_count_what_is_missing() {
        let some = |name: &str| Some(Arc::from(name));
        for (files, expected_count, missing) in [
            (vec![], None, 0),
            (vec![], Some(3), 0),
            (vec![some("a")], Some(1), 0),
            (vec![some("a"), None], Some(2), 1),
            (vec![some("a"), None], None, 1),
            (vec![some("a")], Some(4), 3),
            (vec![some("a"), some("b")], Some(1), 0),
        ] {
            let stripes = Stripes::new(files, expected_count);
            assert_eq!(stripes.missing_count(), missing, "{stripes:?}");
        }
    }

    #[test]
    fn a_header_survives_json_and_leaves_out_what_is_unknown() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let mut backup = Backup::new("1", "orders", Kind::Log, (Lsn::from_u64(10), Lsn::from_u64(20)), at);
        backup.first_fork = Some(Guid::from("a"));
        backup.last_fork = Some(Guid::from("b"));
        backup.stripes = Stripes::present(["s3://b/k"]);
        let json = serde_json::to_string(&backup).unwrap();
        assert!(!json.contains("obstacle"), "{json}");
        assert_eq!(serde_json::from_str::<Backup>(&json).unwrap(), backup);
        assert!(backup.crosses_fork());
    }

    #[test]
    fn a_fork_known_at_one_end_is_the_fork_of_a_data_backup_but_not_the_entry_of_a_log() {
        let at = Timestamp::UNIX_EPOCH;
        let lsns = (Lsn::from_u64(1), Lsn::from_u64(2));
        let mut full = Backup::new("1", "d", Kind::Full, lsns, at);
        full.last_fork = Some(Guid::from("a"));
        assert_eq!(full.entry_fork(), Some(&Guid::from("A")));
        let mut log = Backup::new("2", "d", Kind::Log, lsns, at);
        log.last_fork = Some(Guid::from("a"));
        assert_eq!((log.entry_fork(), log.crosses_fork()), (None, false));
    }
}
