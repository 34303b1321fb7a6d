//! Which numbers do AWS and Microsoft set, since when, and who says so?
//!
//! A limit is a value with unit, source and date. Documents change: a vault selects a [`Profile`], the state of the documents
//! that holds for it. Rules take the value from here or from a constant beside the rule, and then the constant is what stands
//! here. Values of a policy (with ranges) and knobs of the simulator (nobody knows) are no limits.

mod azure;
pub mod names;
pub mod nodes;
mod rds;
mod url;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::MultiAz;
use crate::reason::{Class, Reason};

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Tasks.
    Tasks,
    /// Files of a backup or of a database.
    Files,
    /// Bytes.
    Bytes,
    /// Minutes.
    Minutes,
    /// Days.
    Days,
    /// Hours.
    Hours,
    /// Databases.
    Databases,
    /// Columns of a result set.
    Columns,
    /// Parts of an upload.
    Parts,
    /// Characters.
    Characters,
    /// Backups.
    Backups,
}

impl Unit {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Files => "files",
            Self::Bytes => "bytes",
            Self::Minutes => "minutes",
            Self::Days => "days",
            Self::Hours => "hours",
            Self::Databases => "databases",
            Self::Columns => "columns",
            Self::Parts => "parts",
            Self::Characters => "characters",
            Self::Backups => "backups",
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Native tasks of any type that run at a time on an instance.
    TasksAtOnce,
    /// Minutes that a task waits in CREATED at most.
    PickUpMinutes,
    /// Days for which `rds_task_status` tells of a task.
    TaskHistoryDays,
    /// Columns of `rds_task_status`.
    StatusColumns,
    /// Minutes between two log backups of the service.
    LogFileMinutes,
    /// Days for which the service lists a log file.
    LogFileDays,
    /// Bytes of a database that a native backup takes.
    BackupBytes,
    /// Bytes of a database that a native restore takes.
    RestoreBytes,
    /// Bytes of a database of the Express edition.
    ExpressBytes,
    /// Bytes of one file of a backup.
    FileBytes,
    /// Files of one backup.
    FilesPerBackup,
    /// Files of one restore.
    FilesPerRestore,
    /// Bytes of one transfer.
    TransferBytes,
    /// Bytes of the least transfer.
    TransferBytesMin,
    /// Databases of one instance.
    DatabasesPerInstance,
    /// Parts of one file.
    PartsPerFile,
    /// Bytes of a part that can be counted on.
    PartBytes,
    /// Characters of a URL.
    UrlCharacters,
    /// Databases that one change protects.
    DatabasesPerChange,
    /// Databases of a vault.
    DatabasesPerVault,
    /// Files of a database.
    FilesPerDatabase,
    /// Bytes of a database that is protected.
    DatabaseBytes,
    /// Days for which anything is kept at least.
    RetentionDaysMin,
    /// Days for which a backup on demand is kept at least.
    OnDemandDaysMin,
    /// Days for which logs are kept.
    LogDays,
    /// Days for which differentials are kept.
    DifferentialDays,
    /// Minutes between two log backups at least.
    LogMinutesMin,
    /// Scheduled fulls of a day.
    FullsPerDay,
    /// Characters of the names of server and resource group together.
    ServerNameCharacters,
    /// Hours between two discoveries.
    DiscoveryHours,
    /// Hours within which a new database is protected.
    ProtectionHours,
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What is limited.
    pub name: Name,
    /// The number.
    pub value: u64,
    /// What it counts.
    pub unit: Unit,
    /// The sentence of the source, shortened.
    pub says: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// Since when, or of when the text is: year, or year and month.
    pub date: &'static str,
}

/// The state of the documents that holds for a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// RDS, newest documents.
    #[default]
    Rds,
    /// RDS as of June 2023.
    Rds2023,
    /// RDS as of spring 2019.
    Rds2019,
    /// SQL Server 2022 and later on S3-compatible storage.
    Url,
    /// Azure Backup for SQL Server in Azure VMs: what its policies allow.
    AzureVm,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rds, Self::Rds2023, Self::Rds2019, Self::Url, Self::AzureVm];

    /// Its name in a vault's document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::Rds2023 => "rds2023",
            Self::Rds2019 => "rds2019",
            Self::Url => "url",
            Self::AzureVm => "azure_vm",
        }
    }

    /// Whether its instances are RDS's.
    pub const fn is_rds(self) -> bool {
        matches!(self, Self::Rds | Self::Rds2023 | Self::Rds2019)
    }

    /// Its limits.
    pub const fn limits(self) -> &'static [Limit] {
        match self {
            Self::Rds => rds::NEWEST,
            Self::Rds2023 => rds::IN_2023,
            Self::Rds2019 => rds::IN_2019,
            Self::Url => url::LIMITS,
            Self::AzureVm => azure::LIMITS,
        }
    }

    /// The limit of that name, where the documents set one.
    pub fn limit(self, name: Name) -> Option<&'static Limit> {
        self.limits().iter().find(|limit| limit.name == name)
    }

    /// Its value.
    pub fn value(self, name: Name) -> Option<u64> {
        self.limit(name).map(|limit| limit.value)
    }
}

/// Whether a chain (a differential, logs) can be restored on an instance; a full alone always can.
///
/// The user guide refused NORECOVERY, differential and log restores on Multi-AZ instances from 2019-12 to 2023-06 at least. Its
/// newest text only dropped the sentences. That announces nothing, so the newest profile refuses too, until a drill on that
/// very instance has shown that it works (`shown_at`).
///
/// # Errors
/// `ChainRestoreRefused` (the documents say so), `ChainRestoreUnproven` (they no longer do, and nobody has shown it).
pub fn chain_restore(profile: Profile, multi_az: MultiAz, shown_at: Option<Timestamp>) -> Result<(), Reason> {
    let refuse = |name, message: &str, guidance: &'static str| {
        Err(Reason::new(Class::Human, name, message.to_owned()).guidance(guidance))
    };
    match profile {
        Profile::Url | Profile::AzureVm => Ok(()),
        _ if !multi_az.has_standby() => Ok(()),
        Profile::Rds2019 | Profile::Rds2023 => refuse(
            "ChainRestoreRefused",
            "differentials and logs cannot be restored on a Multi-AZ instance (RDS user guide, 2019-12 to 2023-06)",
            "restore on a Single-AZ instance and convert it afterwards",
        ),
        Profile::Rds if shown_at.is_some() => Ok(()),
        Profile::Rds => refuse(
            "ChainRestoreUnproven",
            "the RDS user guide no longer says that differentials and logs cannot be restored on Multi-AZ, nor that they can",
            "run a drill on this instance, or restore on a Single-AZ instance and convert it afterwards",
        ),
    }
}

/// The value of a limit in a table, when the program is compiled.
#[expect(clippy::panic, reason = "called in constants only: a missing row stops the compiler")]
const fn value_in(limits: &[Limit], name: Name) -> u64 {
    let mut at = 0;
    while at < limits.len() {
        if limits[at].name as u8 == name as u8 {
            return limits[at].value;
        }
        at += 1;
    }
    panic!("the table has no such limit")
}

/// What the tables must fulfil; checked when the program is compiled.
const _: () = {
    use crate::admission::LOG_FILES_PER_COPY_MAX;
    use crate::restore_time::LOG_FILE_SPAN;
    use crate::slots::{CREATED_DELAY_MAX, SLOTS};

    let newest = rds::NEWEST;
    // Constants beside the rules are what stands here.
    assert!(value_in(newest, Name::TasksAtOnce) == SLOTS as u64);
    assert!(value_in(newest, Name::PickUpMinutes) == CREATED_DELAY_MAX.as_mins().unsigned_abs());
    assert!(value_in(newest, Name::LogFileMinutes) == LOG_FILE_SPAN.as_mins().unsigned_abs());
    let files_listed = value_in(newest, Name::LogFileDays) * 24 * 60 / value_in(newest, Name::LogFileMinutes);
    assert!(files_listed == LOG_FILES_PER_COPY_MAX as u64);
    // What was written can be read again.
    assert!(value_in(newest, Name::FilesPerBackup) <= value_in(newest, Name::FilesPerRestore));
    assert!(value_in(newest, Name::TransferBytesMin) <= value_in(newest, Name::TransferBytes));
    // A log copied as late as a policy may ask for it is still listed, and its task is still told of.
    let listed_minutes = value_in(newest, Name::LogFileDays) * 24 * 60;
    assert!(crate::policy::LOG_COPY_MINUTES_MAX as u64 + 3 * 24 * 60 <= listed_minutes);
    assert!(value_in(newest, Name::LogFileDays) <= value_in(newest, Name::TaskHistoryDays));
    // Documents only ever allowed more.
    let (mid, old) = (rds::IN_2023, rds::IN_2019);
    assert!(value_in(old, Name::RestoreBytes) <= value_in(mid, Name::RestoreBytes));
    assert!(value_in(mid, Name::RestoreBytes) <= value_in(newest, Name::RestoreBytes));
    assert!(value_in(old, Name::StatusColumns) < value_in(mid, Name::StatusColumns));
    // A file of the greatest size fits into its parts, a part into a transfer.
    let url = url::LIMITS;
    assert!(value_in(url, Name::PartBytes) <= value_in(url, Name::TransferBytesMin));
    assert!(value_in(url, Name::TransferBytesMin) <= value_in(url, Name::TransferBytes));
    let azure = azure::LIMITS;
    assert!(value_in(azure, Name::RetentionDaysMin) <= value_in(azure, Name::LogDays));
    assert!(value_in(azure, Name::LogDays) <= value_in(azure, Name::DifferentialDays));
    assert!(value_in(azure, Name::DatabasesPerChange) <= value_in(azure, Name::DatabasesPerVault));
    assert!(value_in(azure, Name::DiscoveryHours) <= value_in(azure, Name::ProtectionHours));
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source_and_a_date_and_stands_once() {
        for profile in Profile::ALL {
            let limits = profile.limits();
            for (at, limit) in limits.iter().enumerate() {
                let context = format!("{} {:?}", profile.as_str(), limit.name);
                assert!(limits[..at].iter().all(|other| other.name != limit.name), "{context} twice");
                assert!(!limit.source.is_empty() && !limit.says.is_empty() && limit.value > 0, "{context}");
                let year: u16 = limit.date[..4].parse().unwrap();
                assert!((2017..=2026).contains(&year) && [4, 7].contains(&limit.date.len()), "{context}");
            }
        }
    }

    #[test]
    fn a_profile_is_named_as_it_is_written() {
        for profile in Profile::ALL {
            let written = serde_json::to_value(profile).unwrap();
            assert_eq!(written, profile.as_str());
        }
    }

    #[test]
    fn documents_differ_where_they_do() {
        for (name, values) in [
            (Name::StatusColumns, [Some(14), Some(14), Some(10), None, None]),
            (Name::BackupBytes, [None, None, Some(1_000_000_000_000), None, None]),
            (Name::FilesPerBackup, [Some(10), Some(10), Some(1), Some(64), None]),
            (Name::LogDays, [None, None, None, None, Some(35)]),
        ] {
            assert_eq!(Profile::ALL.map(|profile| profile.value(name)), values, "{name:?}");
        }
    }

    #[test]
    fn chains_on_multi_az_are_refused_until_a_drill_has_shown_them() {
        let shown = Some(Timestamp::UNIX_EPOCH);
        for (profile, multi_az, shown_at, expected) in [
            (Profile::Rds, MultiAz::SingleAz, None, None),
            (Profile::Rds, MultiAz::AlwaysOn, None, Some("ChainRestoreUnproven")),
            (Profile::Rds, MultiAz::Unspecified, None, Some("ChainRestoreUnproven")),
            (Profile::Rds, MultiAz::AlwaysOn, shown, None),
            (Profile::Rds2023, MultiAz::Mirroring, shown, Some("ChainRestoreRefused")),
            (Profile::Rds2019, MultiAz::SingleAz, None, None),
            (Profile::Url, MultiAz::AlwaysOn, None, None),
        ] {
            let said =
                chain_restore(profile, multi_az, shown_at).err().map(|reason| reason.name.into_owned());
            assert_eq!(said.as_deref(), expected, "{profile:?} {multi_az:?}");
        }
    }
}
