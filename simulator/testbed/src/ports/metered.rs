//! The server ports with the stopwatch at their seam: what passes below is the adapter's and the driver's time.

use std::rc::Rc;

use domain::backup::Backup;
use domain::facts::{DatabaseState, LogFile, ServerClock};
use domain::reason::Reason;
use domain::request::{CopyLogs, NativeBackup};
use domain::task::{TaskId, TaskRow};
use jiff::civil::DateTime;
use ports::Fault;
use ports::server::{
    BackupCompression, CancelTask, Endpoint, Fence, LogCopyTarget, OpenSession, ReadClock, ReadDatabases,
    ReadHistory, ReadLogFiles, ReadTasks, SubmitTasks,
};

use crate::kernel::Kernel;
use crate::meter::Layer;

/// A server port, or a session of one.
pub struct Metered<T> {
    below: T,
    kernel: Rc<Kernel>,
}

impl<T> Metered<T> {
    pub(crate) fn new(below: T, kernel: Rc<Kernel>) -> Self {
        Self { below, kernel }
    }
}

/// Passes a question on, with the watch in the client's hands.
macro_rules! below {
    ($self:ident.$ask:ident($($argument:expr),*)) => {
        $self.kernel.meter.of(Layer::Client, $self.below.$ask($($argument),*)).await
    };
}

impl<T: OpenSession> OpenSession for Metered<T> {
    type Session = Metered<T::Session>;

    async fn open(&self, endpoint: &Endpoint) -> Result<Self::Session, Fault> {
        let session = below!(self.open(endpoint))?;
        Ok(Metered::new(session, Rc::clone(&self.kernel)))
    }
}

impl<T: ReadClock> ReadClock for Metered<T> {
    async fn clock(&mut self) -> Result<ServerClock, Fault> {
        below!(self.clock())
    }
}

impl<T: ReadDatabases> ReadDatabases for Metered<T> {
    async fn databases(&mut self) -> Result<Vec<DatabaseState>, Fault> {
        below!(self.databases())
    }
}

impl<T: ReadTasks> ReadTasks for Metered<T> {
    async fn tasks(&mut self, from: TaskId) -> Result<Vec<TaskRow>, Fault> {
        below!(self.tasks(from))
    }

    async fn task_info(&mut self, task: TaskId) -> Result<String, Fault> {
        below!(self.task_info(task))
    }

    async fn task_end(&mut self, task: TaskId) -> Result<Option<Reason>, Fault> {
        below!(self.task_end(task))
    }
}

impl<T: ReadHistory> ReadHistory for Metered<T> {
    async fn backups(&mut self, database: &str, since: DateTime) -> Result<Vec<Backup>, Fault> {
        below!(self.backups(database, since))
    }
}

impl<T: ReadLogFiles> ReadLogFiles for Metered<T> {
    async fn log_files(&mut self, database: &str, after: u64, limit: u32) -> Result<Vec<LogFile>, Fault> {
        below!(self.log_files(database, after, limit))
    }
}

impl<T: SubmitTasks> SubmitTasks for Metered<T> {
    async fn backup_database(&mut self, request: &NativeBackup) -> Result<TaskId, Fault> {
        below!(self.backup_database(request))
    }

    async fn copy_logs(&mut self, request: &CopyLogs) -> Result<TaskId, Fault> {
        below!(self.copy_logs(request))
    }
}

impl<T: CancelTask> CancelTask for Metered<T> {
    async fn cancel_task(&mut self, task: TaskId) -> Result<(), Fault> {
        below!(self.cancel_task(task))
    }
}

impl<T: LogCopyTarget> LogCopyTarget for Metered<T> {
    async fn log_copy_target(&mut self) -> Result<Option<String>, Fault> {
        below!(self.log_copy_target())
    }

    async fn set_log_copy_target(&mut self, arn: &str) -> Result<(), Fault> {
        below!(self.set_log_copy_target(arn))
    }
}

impl<T: BackupCompression> BackupCompression for Metered<T> {
    async fn compression(&mut self) -> Result<Option<bool>, Fault> {
        below!(self.compression())
    }

    async fn set_compression(&mut self, on: bool) -> Result<(), Fault> {
        below!(self.set_compression(on))
    }
}

impl<T: Fence> Fence for Metered<T> {
    async fn lock(&mut self, resource: &str) -> Result<bool, Fault> {
        below!(self.lock(resource))
    }

    async fn unlock(&mut self, resource: &str) -> Result<(), Fault> {
        below!(self.unlock(resource))
    }
}
