//! What is a native task, and how far can its owner see that it has come?
//!
//! Progress moves in steps of five per cent and is seen at refreshes, about every two minutes; a change of lifecycle is
//! seen at once. Source: "Tracking the status of tasks" in the RDS user guide.

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind},
    database::{backups::RunningBackup, state::DatabaseId},
    knobs::Knobs,
    restore::Restoring,
    s3::Body,
    tde::certificate::Issued,
    time::{Ms, SECOND},
};

/// Type of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskType {
    /// `BACKUP_DB`.
    Backup,
    /// `BACKUP_DB_DIFFERENTIAL`.
    BackupDifferential,
    /// A copy of log files; the name of its type is a knob.
    LogCopy,
    /// A native restore: of what, and whether the database opens behind it.
    Restore(BackupKind, Recovery),
    /// `FINISH_RESTORE`.
    FinishRestore,
    /// A task of S3 integration: files between S3 and `D:\S3`.
    Files(FileTask),
    /// A backup of a TDE certificate; the name of its type is a knob.
    BackupCertificate,
    /// A restore of one, likewise.
    RestoreCertificate,
}

/// What S3 integration does with files. RDS user guide, "Monitoring the status of a file transfer task".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTask {
    /// `DOWNLOAD_FROM_S3`.
    Download,
    /// `UPLOAD_TO_S3`.
    Upload,
    /// `LIST_FILES_ON_DISK`.
    List,
    /// `DELETE_FILES_ON_DISK`.
    Delete,
}

/// What a restore leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The database opens.
    Recovery,
    /// It stays RESTORING: more can be applied.
    NoRecovery,
}

impl TaskType {
    /// As `task_type` prints it.
    pub(crate) fn name(self, knobs: &Knobs) -> &str {
        match self {
            Self::Backup => "BACKUP_DB",
            Self::BackupDifferential => "BACKUP_DB_DIFFERENTIAL",
            Self::LogCopy => &knobs.texts.copy_task_type,
            Self::Restore(BackupKind::Full, Recovery::Recovery) => "RESTORE_DB",
            Self::Restore(BackupKind::Full, Recovery::NoRecovery) => "RESTORE_DB_NORECOVERY",
            Self::Restore(BackupKind::Differential, Recovery::Recovery) => "RESTORE_DB_DIFFERENTIAL",
            Self::Restore(BackupKind::Differential, Recovery::NoRecovery) => {
                "RESTORE_DB_DIFFERENTIAL_NORECOVERY"
            }
            Self::Restore(BackupKind::Log, Recovery::Recovery) => "RESTORE_DB_LOG",
            Self::Restore(BackupKind::Log, Recovery::NoRecovery) => "RESTORE_DB_LOG_NORECOVERY",
            Self::FinishRestore => "FINISH_RESTORE",
            Self::Files(FileTask::Download) => "DOWNLOAD_FROM_S3",
            Self::Files(FileTask::Upload) => "UPLOAD_TO_S3",
            Self::Files(FileTask::List) => "LIST_FILES_ON_DISK",
            Self::Files(FileTask::Delete) => "DELETE_FILES_ON_DISK",
            Self::BackupCertificate => &knobs.texts.backup_certificate_task_type,
            Self::RestoreCertificate => &knobs.texts.restore_certificate_task_type,
        }
    }

    /// The engine's own command for it, where it is one.
    pub(crate) fn command(self) -> Option<&'static str> {
        match self {
            Self::Backup | Self::BackupDifferential => Some("BACKUP DATABASE"),
            Self::Restore(BackupKind::Log, _) => Some("RESTORE LOG"),
            Self::Restore(..) | Self::FinishRestore => Some("RESTORE DATABASE"),
            _ => None,
        }
    }

    /// Whether it is a native backup.
    pub fn is_backup(self) -> bool {
        matches!(self, Self::Backup | Self::BackupDifferential)
    }

    /// Whether it restores a database, or opens one that was restored.
    pub fn is_restore(self) -> bool {
        matches!(self, Self::Restore(..) | Self::FinishRestore)
    }

    /// Whether it moves, lists or deletes files.
    pub fn is_files(self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// Whether it backs up or restores a TDE certificate.
    pub(crate) fn is_of_certificate(self) -> bool {
        matches!(self, Self::BackupCertificate | Self::RestoreCertificate)
    }

    /// Whether the database opens behind it.
    pub(crate) fn opens(self) -> bool {
        matches!(self, Self::Restore(_, Recovery::Recovery) | Self::FinishRestore)
    }
}

/// Lifecycle of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Waiting for a slot.
    Created,
    /// In a slot.
    InProgress,
    /// Done.
    Success,
    /// Failed; `task_info` says why.
    Error,
    /// Somebody called `rds_cancel_task`.
    CancelRequested,
    /// Cancelled.
    Cancelled,
}

impl Lifecycle {
    /// As `lifecycle` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::InProgress => "IN_PROGRESS",
            Self::Success => "SUCCESS",
            Self::Error => "ERROR",
            Self::CancelRequested => "CANCEL_REQUESTED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing more happens to it.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Success | Self::Error | Self::Cancelled)
    }
}

/// A line of `task_info` that is no progress.
pub(crate) type Line = (Ms, String);

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: u32,
    pub(crate) kind: TaskType,
    pub(crate) lifecycle: Lifecycle,
    /// Counts changes of plan: an agenda entry of an older one is void.
    pub(crate) plan: u16,
    pub(crate) overwrite: bool,
    pub(crate) stripes: u8,
    /// `None` for restores: their database is not there yet.
    pub(crate) database: Option<DatabaseId>,
    pub(crate) database_name: Arc<str>,
    pub(crate) s3_arn: Arc<str>,
    /// Path on the instance, of a transfer of files.
    pub(crate) filepath: Option<Arc<str>>,
    /// `@enable_bucket_default_encryption`, of a backup.
    pub(crate) default_encryption: bool,
    pub(crate) kms: Option<Arc<str>>,
    pub(crate) created: Ms,
    /// Not before this a slot may take it.
    pub(crate) eligible: Ms,
    pub(crate) started: Option<Ms>,
    /// When data begins and is expected to end: progress is even between them.
    pub(crate) data: (Ms, Ms),
    /// When progress stopped, by an end or a plan change.
    pub(crate) stopped: Option<Ms>,
    pub(crate) ended: Option<Ms>,
    /// When an automated backup or maintenance ended it, or kept it from moving a byte.
    pub(crate) killed: Option<Ms>,
    /// How it will end, or has ended.
    pub(crate) ending: Lifecycle,
    /// Lines about failures and ends.
    pub(crate) lines: Vec<Line>,
}

impl Task {
    /// The last moment that a reader at `now` sees progress of.
    pub(crate) fn seen(&self, knobs: &Knobs, now: Ms) -> Ms {
        let Some(started) = self.started else { return now };
        if self.ended.is_some_and(|e| e <= now) {
            return now;
        }
        let step = knobs.refresh_seconds.max(1) * SECOND;
        started + (now - started).max(0) / step * step
    }

    /// When so many twentieths of the data are done.
    pub(crate) fn step_at(&self, twentieths: i64) -> Ms {
        self.data.0 + (self.data.1 - self.data.0) * twentieths / 20
    }

    /// Steps of five per cent done at a moment.
    fn steps(&self, at: Ms) -> i64 {
        let at = self.stopped.map_or(at, |s| s.min(at));
        let (from, until) = self.data;
        if self.started.is_none() || at < from {
            return 0;
        }
        if until <= from {
            return 20;
        }
        ((at - from) * 20 / (until - from)).clamp(0, 20)
    }

    /// `% complete` as seen at a moment.
    pub(crate) fn percent(&self, knobs: &Knobs, now: Ms) -> i64 {
        match self.lifecycle {
            Lifecycle::Success => 100,
            Lifecycle::Created => 0,
            _ => self.steps(self.seen(knobs, now)) * 5,
        }
    }

    /// `last_updated` as seen at a moment.
    pub(crate) fn last_updated(&self, knobs: &Knobs, now: Ms) -> Ms {
        if let Some(ended) = self.ended.filter(|_| self.lifecycle.is_ended()) {
            return ended;
        }
        let Some(started) = self.started else { return self.created };
        let steps = self.steps(self.seen(knobs, now));
        let progressed = if steps > 0 { self.step_at(steps) } else { started };
        let spoken = self.lines.iter().map(|(at, _)| *at).filter(|at| *at <= now).max();
        progressed.max(spoken.unwrap_or(started))
    }

    /// `duration (mins)`.
    pub(crate) fn minutes(&self, now: Ms) -> i64 {
        let Some(started) = self.started else { return 0 };
        let end = self.ended.filter(|_| self.lifecycle.is_ended()).unwrap_or(now);
        (end - started).max(0) / (60 * SECOND)
    }
}

/// Which log files a copy is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyRange {
    /// By `backup_file_time_utc`.
    Time(Option<Ms>, Option<Ms>),
    /// By LSN.
    Lsn(Option<crate::lsn::Lsn>, Option<crate::lsn::Lsn>),
    /// By `rds_backup_seq_id`.
    Number(Option<u32>, Option<u32>),
}

/// What a task that has not ended still has to do.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// A native backup.
    Backup {
        bucket: String,
        key: String,
        /// Taken before the first page, once it runs.
        running: Option<RunningBackup>,
        /// Multipart uploads in flight: key and serial.
        uploads: Vec<(String, u64)>,
    },
    /// A copy of log files.
    Copy {
        bucket: String,
        /// Ends in `/` unless empty.
        folder: String,
        range: CopyRange,
        /// Numbers of the files, once it runs.
        files: (u32, u32),
    },
    /// A native restore.
    Restore {
        /// Where the backup lies: bucket and key, or a prefix with `*`; nothing for `FINISH_RESTORE`.
        from: Option<(String, String)>,
        /// STOPAT.
        stop: Option<Ms>,
        /// `@keep_cdc`.
        keeps_cdc: bool,
        /// The database as it will be, once the task runs.
        restored: Option<Box<Restoring>>,
        /// What it has read, likewise; nothing for `FINISH_RESTORE`.
        read: Option<Arc<BackupFile>>,
    },
    /// A task of S3 integration.
    Files {
        bucket: String,
        key: String,
        /// Below `D:\S3\`, as asked for.
        path: String,
        /// What moves, once it runs, and its bytes.
        moving: Option<(Body, u64)>,
    },
    /// A backup or restore of a TDE certificate.
    Certificate {
        name: Arc<str>,
        /// Bucket and key of the `.cer` file.
        certificate: (String, String),
        /// Bucket and key of the `.pvk` file.
        private_key: (String, String),
        /// What a restore has read, once it runs.
        read: Option<Issued>,
    },
}
