//! What does an instance remember while it runs?

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    backup_file::{BackupKind, BackupSet},
    database::state::DatabaseId,
    instance::{
        config::{InstanceConfig, LogAccess},
        disk::{Disk, Listed},
        storage::Fullness,
    },
    restore::Restoring,
    tasks::task::{Task, TaskType, Work},
    tde::certificate::Certificate,
    time::{DailyWindow, Ms, WeeklyWindow},
};

/// One row of msdb's history, with the ids that only msdb has.
#[derive(Debug, Clone)]
pub(crate) struct HistoryRow {
    pub(crate) backup_set_id: u32,
    pub(crate) database: DatabaseId,
    pub(crate) set: Arc<BackupSet>,
    /// Task that took it and its device names are made from; 0 for snapshots and imports.
    pub(crate) task: u32,
    /// Device names of an imported history.
    pub(crate) devices: Vec<String>,
}

/// One row of msdb's history of restores.
#[derive(Debug, Clone)]
pub(crate) struct RestoreRow {
    pub(crate) id: u32,
    /// When its task took a slot.
    pub(crate) started: Ms,
    /// Of the database that was restored.
    pub(crate) database_name: Arc<str>,
    /// Of the set that was read, where this msdb knows it.
    pub(crate) backup_set_id: Option<u32>,
    pub(crate) kind: BackupKind,
    /// RECOVERY.
    pub(crate) opens: bool,
    /// STOPAT.
    pub(crate) stop: Option<Ms>,
    /// Files that were read.
    pub(crate) devices: u8,
}

/// msdb of one node. It is not replicated: after a failover the other node's rows are seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Msdb {
    pub(crate) rows: Vec<HistoryRow>,
    pub(crate) next_id: u32,
    pub(crate) restores: Vec<RestoreRow>,
    pub(crate) next_restore: u32,
}

/// A lock of `sp_getapplock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) session: u64,
    pub(crate) mode: LockMode,
    pub(crate) count: u32,
    /// Whether the transaction owns it instead of the session.
    pub(crate) of_transaction: bool,
}

/// Modes of `sp_getapplock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LockMode {
    IntentShared,
    Shared,
    Update,
    IntentExclusive,
    Exclusive,
}

/// A database that a restore left RESTORING.
#[derive(Debug, Clone)]
pub(crate) struct Unrecovered {
    pub(crate) name: Arc<str>,
    pub(crate) sql_id: u32,
    pub(crate) created: Ms,
    pub(crate) state: Restoring,
}

/// A running instance.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) config: InstanceConfig,
    pub(crate) backup_window: DailyWindow,
    pub(crate) maintenance_window: WeeklyWindow,
    pub(crate) zone: Ms,
    /// Databases by name, those that exist.
    pub(crate) databases: BTreeMap<String, DatabaseId>,
    /// Databases that are being restored, by name.
    pub(crate) restoring: BTreeMap<String, Unrecovered>,
    pub(crate) next_sql_id: u32,
    /// All tasks still listed, ascending by id without gaps.
    pub(crate) tasks: VecDeque<Task>,
    pub(crate) next_task: u32,
    pub(crate) waiting: VecDeque<u32>,
    pub(crate) running: Vec<u32>,
    pub(crate) work: BTreeMap<u32, Work>,
    /// Not before this a free slot takes a task.
    pub(crate) slot_from: Ms,
    /// The next look at the queue that is on the agenda.
    pub(crate) look_at: Option<Ms>,
    /// End of the automated backup that runs.
    pub(crate) automated_until: Option<Ms>,
    /// Counts automated backups, to name their draws.
    pub(crate) automated_serial: u64,
    pub(crate) msdb: [Msdb; 2],
    pub(crate) node: usize,
    pub(crate) down_until: Option<Ms>,
    pub(crate) failovers: u64,
    /// Since when the server runs.
    pub(crate) up_since: Ms,
    /// When it last went over to the other node.
    pub(crate) failed_over: Option<Ms>,
    pub(crate) compression: bool,
    pub(crate) tlog_target: Option<Arc<str>>,
    /// Whether the EXECUTE grants of the procedures are lost.
    pub(crate) grants_lost: bool,
    /// Whether the login lacks VIEW ANY DEFINITION.
    pub(crate) definitions_hidden: bool,
    /// What stands in the way of access to log backups.
    pub(crate) log_access: LogAccess,
    /// How full the storage was when the service last looked.
    pub(crate) storage: Fullness,
    /// What lies in `D:\S3` of the active node.
    pub(crate) disk: Disk,
    /// What tasks found there, by their ids.
    pub(crate) listings: BTreeMap<u32, Vec<Listed>>,
    /// Application locks by database and resource.
    pub(crate) locks: BTreeMap<(String, String), Vec<Held>>,
    /// Certificates in master, in order of their ids.
    pub(crate) certificates: Vec<Certificate>,
    /// Counts certificates, to number and draw them.
    pub(crate) certificates_made: u32,
}

impl Instance {
    /// An idle instance. Malformed windows are read as half an hour at midnight, on Monday.
    pub(crate) fn new(config: InstanceConfig) -> Self {
        let fallback = DailyWindow::parse("00:00-00:30").expect("a literal window that a test parses");
        let weekly = WeeklyWindow::parse("Mon:00:00-Mon:00:30").expect("a literal window that a test parses");
        let zone = Ms::from(config.utc_offset_minutes) * crate::time::MINUTE;
        Self {
            backup_window: DailyWindow::parse(&config.backup_window).unwrap_or(fallback),
            maintenance_window: WeeklyWindow::parse(&config.maintenance_window).unwrap_or(weekly),
            zone,
            config,
            databases: BTreeMap::new(),
            restoring: BTreeMap::new(),
            next_sql_id: 6,
            tasks: VecDeque::new(),
            next_task: 1,
            waiting: VecDeque::new(),
            running: Vec::new(),
            work: BTreeMap::new(),
            slot_from: Ms::MIN,
            look_at: None,
            automated_until: None,
            automated_serial: 0,
            msdb: [Msdb::default(), Msdb::default()],
            node: 0,
            down_until: None,
            failovers: 0,
            up_since: 0,
            failed_over: None,
            compression: false,
            tlog_target: None,
            grants_lost: false,
            definitions_hidden: false,
            log_access: LogAccess::Open,
            storage: Fullness::Free,
            disk: Disk::default(),
            listings: BTreeMap::new(),
            locks: BTreeMap::new(),
            certificates: Vec::new(),
            certificates_made: 0,
        }
    }

    /// A task by its id, if still listed.
    pub(crate) fn task(&self, id: u32) -> Option<&Task> {
        let first = self.tasks.front()?.id;
        self.tasks.get(usize::try_from(id.checked_sub(first)?).ok()?)
    }

    /// Restores of fulls that run: their tasks, and the databases as they will be. Files and names are theirs already.
    pub(crate) fn arriving(&self) -> impl Iterator<Item = (u32, &Restoring)> {
        let full = |id: &&u32| {
            self.task(**id).is_some_and(|t| matches!(t.kind, TaskType::Restore(BackupKind::Full, _)))
        };
        self.running.iter().filter(full).filter_map(|id| match self.work.get(id) {
            Some(Work::Restore { restored: Some(restored), .. }) => Some((*id, restored.as_ref())),
            _ => None,
        })
    }

    /// How long so many bytes take at so many per cent of the throughput.
    pub(crate) fn transfer(&self, bytes: u64, percent: i64) -> Ms {
        let speed =
            u128::from(self.config.throughput_bytes.max(1)) * u128::from(percent.max(1).unsigned_abs());
        Ms::try_from(u128::from(bytes) * 100_000 / speed).unwrap_or(Ms::MAX / 4)
    }

    /// The same, to change it.
    pub(crate) fn task_mut(&mut self, id: u32) -> Option<&mut Task> {
        let first = self.tasks.front()?.id;
        self.tasks.get_mut(usize::try_from(id.checked_sub(first)?).ok()?)
    }

    /// The task that a free slot takes next: the first in the queue, but a restore waits for those of its database that run, and a
    /// transfer of files for any other.
    pub(crate) fn next_waiting(&self) -> Option<&Task> {
        let restores = |task: &&Task| task.kind.is_restore();
        let moves_files =
            self.running.iter().filter_map(|id| self.task(*id)).any(|task| task.kind.is_files());
        let running: Vec<&Task> =
            self.running.iter().filter_map(|id| self.task(*id)).filter(restores).collect();
        let waits = |task: &Task| {
            let same = |other: &&Task| other.database_name.eq_ignore_ascii_case(&task.database_name);
            task.kind.is_restore() && running.iter().any(same) || task.kind.is_files() && moves_files
        };
        self.waiting.iter().filter_map(|id| self.task(*id)).find(|task| !waits(task))
    }

    /// Tasks that have not ended.
    pub(crate) fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        self.work.keys().filter_map(|id| self.task(*id))
    }

    /// Restores of a name that have not ended.
    pub(crate) fn restores_of(&self, name: &str) -> impl Iterator<Item = &Task> {
        let name = name.trim_end().to_lowercase();
        self.open_tasks()
            .filter(move |task| task.kind.is_restore() && task.database_name.to_lowercase() == name)
    }

    /// Writes a row into the history of the active node.
    pub(crate) fn record(
        &mut self,
        database: DatabaseId,
        set: Arc<BackupSet>,
        task: u32,
        devices: Vec<String>,
    ) {
        let Some(msdb) = self.msdb.get_mut(self.node) else { return };
        msdb.next_id += 1;
        msdb.rows.push(HistoryRow { backup_set_id: msdb.next_id, database, set, task, devices });
    }

    /// Writes a restore of a set into the history of the active node: its task, whether the database opens, and STOPAT.
    pub(crate) fn record_restore(&mut self, task: u32, set: &BackupSet, stop: Option<Ms>) {
        let Some(task) = self.task(task) else { return };
        let (started, opens) = (task.started.unwrap_or(task.created), task.kind.opens());
        let database_name = Arc::clone(&task.database_name);
        let Some(msdb) = self.msdb.get_mut(self.node) else { return };
        msdb.next_restore += 1;
        let known = msdb.rows.iter().find(|row| row.set.uuid == set.uuid);
        msdb.restores.push(RestoreRow {
            id: msdb.next_restore,
            started,
            database_name,
            backup_set_id: known.map(|row| row.backup_set_id),
            kind: set.kind,
            opens,
            stop,
            devices: set.stripes,
        });
    }

    /// The restores that the active node shows.
    pub(crate) fn restores(&self) -> &[RestoreRow] {
        self.msdb.get(self.node).map_or(&[], |m| m.restores.as_slice())
    }

    /// The history that the active node shows.
    pub(crate) fn history(&self) -> &[HistoryRow] {
        self.msdb.get(self.node).map_or(&[], |m| m.rows.as_slice())
    }

    /// A database by name, without regard to case, as the server's collation compares.
    pub(crate) fn database(&self, name: &str) -> Option<DatabaseId> {
        self.databases.get(&name.trim_end().to_lowercase()).copied()
    }

    /// Drops what a session holds, or only what its transaction holds.
    pub(crate) fn release_locks(&mut self, session: u64, only_transaction: bool) {
        for held in self.locks.values_mut() {
            held.retain(|h| h.session != session || (only_transaction && !h.of_transaction));
        }
        self.locks.retain(|_, held| !held.is_empty());
    }
}
