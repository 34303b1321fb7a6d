//! What does RDS do by itself?
//!
//! Once a day, anywhere inside the backup window, it snapshots the instance: native backups that run are killed with the
//! texts seen in the field, every database gets a row of type D with `is_snapshot`, and its differential base moves (a
//! knob), while the log chain goes on. A changed recovery model is set back within five minutes, with a snapshot. Source:
//! RDS user guide, "Working with backups" and "Limitations"; field logs of 2017 and 2025.

use std::sync::Arc;

use crate::{
    backup_file::RecoveryModel,
    database::state::DatabaseId,
    instance::storage::Fullness,
    knobs::MaintenanceRule,
    stream::{Purpose, Stream},
    tasks::{
        info::{AUTOMATED_BACKUP, abort_lines},
        task::Lifecycle,
    },
    time::{Ms, SECOND, ceil_second},
    world::{Event, World},
};

impl World {
    /// Puts the automated backup of the next window that opens at or after a moment on the agenda.
    pub(crate) fn schedule_automated_backup(&mut self, instance: usize, from: Ms) {
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.automated_serial += 1;
        let keys = [instance as u64, host.automated_serial, 0];
        let opening = host.backup_window.next_opening(from);
        let into =
            Stream::of(self.seed, Purpose::AutomatedBackup, &keys).between(0, host.backup_window.length());
        self.schedule(ceil_second(opening + into), Event::AutomatedBackup { instance });
    }

    /// The automated backup starts.
    pub(crate) fn automated_backup(&mut self, instance: usize) {
        let (now, seed) = (self.now_ms, self.seed);
        let Some(host) = self.instances.get(instance) else { return };
        let mut stream =
            Stream::of(seed, Purpose::AutomatedBackup, &[instance as u64, host.automated_serial, 1]);
        let skipped = stream.chance_ppm(self.knobs.automated_backup_skip_ppm);
        let busy = host.down_until.is_some() || host.automated_until.is_some();
        // "Automated backups don't occur" while the instance is not available.
        let busy = busy || host.storage == Fullness::Full;
        let retains = host.config.retention_days > 0;
        let span = self.knobs.automated_backup_seconds;
        let length = stream.between(span.min, span.max) * SECOND;
        // The window of tomorrow opens after the rest of today's has passed.
        let tomorrow = now + crate::time::DAY - host.backup_window.length();
        self.schedule_automated_backup(instance, tomorrow.max(now + SECOND));
        if skipped || busy || !retains {
            return;
        }
        if let Some(host) = self.instances.get_mut(instance) {
            host.automated_until = Some(now + length);
        }
        self.publish(instance, "RDS-EVENT-0001", "Backing up DB instance");
        self.abort_backups(instance, AUTOMATED_BACKUP);
        self.snapshot_instance(instance);
        self.schedule(now + length, Event::AutomatedBackupEnds { instance });
    }

    /// The automated backup ends.
    pub(crate) fn automated_backup_ends(&mut self, instance: usize) {
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.automated_until = None;
        self.publish(instance, "RDS-EVENT-0002", "Finished DB instance backup");
        self.look_at_queue(instance);
    }

    /// Kills the native backups that run; log copies go on.
    pub(crate) fn abort_backups(&mut self, instance: usize, cause: &str) {
        let Some(host) = self.instances.get(instance) else { return };
        let now = self.now_ms;
        let victims = host.running.iter().filter_map(|id| host.task(*id));
        // A task whose plan already stopped is failing by itself.
        let victims = victims.filter(|t| t.kind.is_backup() && t.stopped.is_none());
        let plans: Vec<_> = victims
            .map(|task| (task.id, abort_lines(task, self.seed, instance, &self.knobs, now, cause)))
            .collect();
        let ending = if self.knobs.aborted_is_cancelled { Lifecycle::Cancelled } else { Lifecycle::Error };
        for (id, (lines, end)) in plans {
            self.note_killed(instance, id);
            self.replan(instance, id, ending, lines, end);
        }
    }

    /// Remembers that the service itself ended a task, or kept it from running.
    pub(crate) fn note_killed(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        if let Some(task) = self.instances.get_mut(instance).and_then(|host| host.task_mut(id)) {
            task.killed = Some(now);
        }
    }

    /// A snapshot of every database of an instance.
    pub(crate) fn snapshot_instance(&mut self, instance: usize) {
        let Some(host) = self.instances.get(instance) else { return };
        let databases: Vec<DatabaseId> = host.databases.values().copied().collect();
        for id in databases {
            self.snapshot_database(id, self.now_ms);
        }
    }

    /// A snapshot of one database: a row in msdb, and its base moves.
    pub(crate) fn snapshot_database(&mut self, id: DatabaseId, at: Ms) {
        let Some(database) = self.databases.get_mut(id.0 as usize) else { return };
        let file = database.snapshot(&mut self.branches, self.seed, &self.knobs, at);
        let instance = database.instance;
        if let Some(host) = self.instances.get_mut(instance) {
            host.record(id, Arc::new(file.set), 0, Vec::new());
        }
    }

    /// RDS sets a changed recovery model back and takes a snapshot of the instance.
    pub(crate) fn recovery_reset(&mut self, id: DatabaseId) {
        let Some(instance) = self.database(id).filter(|d| d.dropped.is_none()).map(|d| d.instance) else {
            return;
        };
        if !self.retains(instance) {
            return;
        }
        let Some(database) = self.database_mut(id) else { return };
        if database.recovery_model == RecoveryModel::Full {
            return;
        }
        database.recovery_model = RecoveryModel::Full;
        self.snapshot_instance(instance);
    }

    /// Puts the next opening of the maintenance window on the agenda, where a knob makes it matter.
    pub(crate) fn schedule_maintenance(&mut self, instance: usize, from: Ms) {
        if !self.knobs.maintenance_aborts_running || self.knobs.maintenance == MaintenanceRule::Ignored {
            return;
        }
        let Some(opening) = self.instances.get(instance).map(|i| i.maintenance_window.next_opening(from))
        else {
            return;
        };
        self.schedule(opening, Event::Maintenance { instance });
    }

    /// The maintenance window opens.
    pub(crate) fn maintenance_opens(&mut self, instance: usize) {
        let cause = self.knobs.texts.maintenance.clone();
        self.abort_backups(instance, &cause);
        self.schedule_maintenance(instance, self.now_ms + SECOND);
    }
}
