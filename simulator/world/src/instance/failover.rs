//! What does a failover do?
//!
//! Everything connected is cut off, msdb is the other node's, log copies begin again, native tasks meet a fate that no
//! source states (a knob). The databases lose nothing: a standby is promoted only when in sync. Log backups pause, and
//! the next one covers the pause. Source: RDS user guide, "Multi-AZ deployments" and "Access to transaction log backups".

use crate::{
    database::state::{Database, Fork},
    instance::{config::MultiAz, disk::Disk},
    knobs::FailoverFate,
    stream::{Purpose, Stream},
    tasks::task::{Lifecycle, TaskType},
    time::SECOND,
    world::{Event, World},
};

impl World {
    /// Fails an instance over, or reboots it when it has one node only. Returns whether it exists and was up.
    pub fn break_failover(&mut self, instance: &str) -> bool {
        let Some(index) = self.index_of(instance) else { return false };
        let span = self.knobs.failover_seconds;
        let (now, seed) = (self.now_ms, self.seed);
        let Some(host) = self.instances.get_mut(index).filter(|i| i.down_until.is_none()) else {
            return false;
        };
        host.failovers += 1;
        let length =
            Stream::of(seed, Purpose::Failover, &[index as u64, host.failovers]).between(span.min, span.max);
        let up = now + length * SECOND;
        host.down_until = Some(up);
        host.up_since = up;
        host.locks.clear();
        let multi = host.config.multi_az != MultiAz::Single;
        if multi {
            host.node = 1 - host.node;
            host.failed_over = Some(now);
            // "Files in the D:\S3 folder are deleted on the standby replica after a failover."
            host.disk = Disk::default();
        }
        self.sessions.retain(|_, session| session.instance != index);
        for position in self.alive_on(index) {
            let Some(database) = self.databases.get_mut(position) else { continue };
            let branch = database.branch;
            database.logs.pause(&self.branches, branch, now);
            if multi && self.knobs.failover_starts_fork {
                let lsn = self.branches.position_at(branch, now).lsn;
                let which = 1_000 + database.forks.len() as u64;
                let guid = Database::fresh_guid(seed, database.id.0, which);
                database.forks.push(Fork { from: now, lsn, guid });
            }
        }
        let (id, text) = if multi {
            ("RDS-EVENT-0013", "Multi-AZ instance failover started.")
        } else {
            ("RDS-EVENT-0004", "DB instance shutdown")
        };
        self.publish(index, id, text);
        self.tasks_after_failover(index, up);
        self.schedule(up, Event::Up { instance: index });
        true
    }

    /// Positions of the databases that exist on an instance.
    pub(crate) fn alive_on(&self, instance: usize) -> Vec<usize> {
        let ids = self.instances.get(instance).map(|i| i.databases.values());
        ids.into_iter().flatten().map(|id| id.0 as usize).collect()
    }

    fn tasks_after_failover(&mut self, index: usize, up: crate::time::Ms) {
        let running: Vec<u32> = self.instances.get(index).map(|i| i.running.clone()).unwrap_or_default();
        let text = self.knobs.texts.failover.clone();
        for id in running {
            let Some(task) = self.instances.get(index).and_then(|i| i.task(id)) else { continue };
            let fate =
                if task.kind == TaskType::LogCopy { FailoverFate::Restart } else { self.knobs.failover_fate };
            let cancelling = task.lifecycle == Lifecycle::CancelRequested;
            match fate {
                _ if cancelling => self.replan(index, id, Lifecycle::Cancelled, Vec::new(), up),
                FailoverFate::Error => self.replan(index, id, Lifecycle::Error, vec![(up, text.clone())], up),
                FailoverFate::Restart => self.requeue(index, id),
                FailoverFate::Frozen => self.freeze(index, id),
            }
        }
    }

    /// The instance is back.
    pub(crate) fn instance_up(&mut self, index: usize) {
        let now = self.now_ms;
        let Some(host) = self.instances.get_mut(index) else { return };
        host.down_until = None;
        let multi = host.config.multi_az != MultiAz::Single;
        let retains = host.config.retention_days > 0;
        for position in self.alive_on(index) {
            if let Some(database) = self.databases.get_mut(position).filter(|_| retains) {
                database.logs.resume(now);
            }
        }
        let (id, text) = if multi {
            ("RDS-EVENT-0049", "Multi-AZ instance failover completed")
        } else {
            ("RDS-EVENT-0006", "DB instance restarted")
        };
        self.publish(index, id, text);
        self.look_at_queue(index);
    }
}
