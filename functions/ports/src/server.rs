//! What a SQL Server instance is asked, over one session.
//!
//! A session is one connection: an application lock it holds is gone when it is dropped, which is what makes the lock a
//! fence. Times that the server tells without a zone come back as they are ([`jiff::civil::DateTime`]); which zone they
//! are in is a matter of calibration, not of this port.

use domain::backup::Backup;
use domain::facts::{DatabaseState, LogFile, ServerClock};
use domain::reason::Reason;
use domain::request::{CopyLogs, NativeBackup};
use domain::task::{TaskId, TaskRow};

use crate::fault::Fault;

/// Where an instance listens and which secret opens it. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Instance name, for messages.
    pub instance: String,
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// ARN of the secret with user and password.
    pub secret_arn: String,
}

/// Opens sessions.
pub trait OpenSession {
    /// A logged-in session.
    type Session;
    /// Logs in.
    async fn open(&self, endpoint: &Endpoint) -> Result<Self::Session, Fault>;
}

/// Reads the server's clock, for calibration.
pub trait ReadClock {
    /// UTC and local time as the server believes.
    async fn clock(&mut self) -> Result<ServerClock, Fault>;
}

/// Reads the live state of the databases.
pub trait ReadDatabases {
    /// All user databases of the instance.
    async fn databases(&mut self) -> Result<Vec<DatabaseState>, Fault>;
}

/// Reads native tasks.
pub trait ReadTasks {
    /// Tasks with an id of at least `from`, in order of id, of every type and whoever issued them; without `task_info`.
    async fn tasks(&mut self, from: TaskId) -> Result<Vec<TaskRow>, Fault>;
    /// The cumulative log of one task. Bounded: the adapter keeps the last 64 KiB.
    async fn task_info(&mut self, task: TaskId) -> Result<String, Fault>;
    /// Why a task ended badly, read from its cumulative log; `None` when the log does not say.
    async fn task_end(&mut self, task: TaskId) -> Result<Option<Reason>, Fault>;
}

/// Reads msdb's backup history.
pub trait ReadHistory {
    /// Full and differential backups of one database, snapshots included, that finished at or after a server-local time,
    /// oldest first.
    async fn backups(&mut self, database: &str, since: jiff::civil::DateTime) -> Result<Vec<Backup>, Fault>;
}

/// Reads the log files the service keeps.
pub trait ReadLogFiles {
    /// Files of one database with a sequence number above `after`, in order, at most `limit`.
    async fn log_files(&mut self, database: &str, after: u64, limit: u32) -> Result<Vec<LogFile>, Fault>;
}

/// Issues native tasks. Each call is made outside a transaction and drains every result set before it returns.
pub trait SubmitTasks {
    /// `rds_backup_database`: the id of the task that was created. `Refused` with the name `TaskAlreadyIssued` when the
    /// database has a task that waits or runs.
    async fn backup_database(&mut self, request: &NativeBackup) -> Result<TaskId, Fault>;
    /// `rds_tlog_backup_copy_to_S3`: the id of the task that was created, likewise.
    async fn copy_logs(&mut self, request: &CopyLogs) -> Result<TaskId, Fault>;
}

/// Asks the service to cancel native tasks.
pub trait CancelTask {
    /// `rds_cancel_task`: the service has heard of it; whether the task ends cancelled, its lifecycle tells later. `Refused` when the
    /// task has ended, cannot be cancelled or is not known: no source states these errors, so whoever asked looks at the task.
    async fn cancel_task(&mut self, task: TaskId) -> Result<(), Fault>;
}

/// Reads and sets where the service copies logs to.
pub trait LogCopyTarget {
    /// The S3 ARN set now, or `None`.
    async fn log_copy_target(&mut self) -> Result<Option<String>, Fault>;
    /// `rds_tlog_copy_setup`. "Already set to the provided value" is success. `Refused` with class `Wait` while tasks are
    /// pending: the service wants an empty queue.
    async fn set_log_copy_target(&mut self, arn: &str) -> Result<(), Fault>;
}

/// Reads and sets whether native backups are compressed: one switch for the whole instance, read by each task when it runs.
pub trait BackupCompression {
    /// Whether they are; `None` where the server shows nothing that can be read.
    async fn compression(&mut self) -> Result<Option<bool>, Fault>;
    /// `rds_set_configuration 'S3 backup compression'`.
    async fn set_compression(&mut self, on: bool) -> Result<(), Fault>;
}

/// Takes the instance's application lock, which one session holds at a time.
pub trait Fence {
    /// `sp_getapplock`, exclusive, owned by the session, without waiting: whether this session holds it now.
    async fn lock(&mut self, resource: &str) -> Result<bool, Fault>;
    /// `sp_releaseapplock`.
    async fn unlock(&mut self, resource: &str) -> Result<(), Fault>;
}
