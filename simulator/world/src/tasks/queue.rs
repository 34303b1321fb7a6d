//! Which task runs when?
//!
//! First in, first out; two run at a time, whatever their types; each stays CREATED for up to five minutes. A task whose
//! plan changes (failure, abort, cancel, restart) gets a new plan number, which voids what the agenda holds for the old
//! one. Ended tasks are listed for 36 days. Source: RDS user guide, "Limitations" (two concurrent tasks of any type) and
//! "Tracking the status of tasks"; the order is inferred.

use std::sync::Arc;

use crate::{
    database::state::DatabaseId,
    error::EngineError,
    stream::{Purpose, Stream},
    tasks::task::{FileTask, Lifecycle, Line, Task, TaskType, Work},
    time::{DAY, Ms, SECOND},
    world::{Event, World},
};

/// Native tasks in progress at the same time. RDS user guide, "Limitations and recommendations".
pub(crate) const SLOTS: usize = 2;

/// What a call asks for.
#[derive(Debug, Clone)]
pub(crate) struct NewTask {
    pub(crate) kind: TaskType,
    pub(crate) database: Option<DatabaseId>,
    pub(crate) database_name: Arc<str>,
    pub(crate) s3_arn: Arc<str>,
    pub(crate) kms: Option<Arc<str>>,
    pub(crate) overwrite: bool,
    pub(crate) stripes: u8,
    /// `filepath` of a task of files.
    pub(crate) filepath: Option<Arc<str>>,
    /// `@enable_bucket_default_encryption`.
    pub(crate) default_encryption: bool,
    pub(crate) work: Work,
}

impl World {
    /// Queues a task and returns its id.
    pub(crate) fn submit(&mut self, instance: usize, new: NewTask) -> u32 {
        let (now, seed, days) = (self.now_ms, self.seed, self.knobs.task_history_days);
        let Some(host) = self.instances.get_mut(instance) else { return 0 };
        let id = host.next_task;
        host.next_task += 1;
        let mut stream = Stream::of(seed, Purpose::TaskDelay, &[instance as u64, u64::from(id)]);
        let delay = stream.seconds(self.knobs.created_seconds);
        let eligible = now + delay;
        host.tasks.push_back(Task {
            id,
            kind: new.kind,
            lifecycle: Lifecycle::Created,
            plan: 0,
            overwrite: new.overwrite,
            stripes: new.stripes,
            database: new.database,
            database_name: new.database_name,
            s3_arn: new.s3_arn,
            filepath: new.filepath,
            default_encryption: new.default_encryption,
            kms: new.kms,
            created: now,
            eligible,
            started: None,
            data: (0, 0),
            stopped: None,
            ended: None,
            killed: None,
            ending: Lifecycle::Success,
            lines: Vec::new(),
        });
        host.work.insert(id, new.work);
        host.waiting.push_back(id);
        let horizon = now - days * DAY;
        while host
            .tasks
            .front()
            .is_some_and(|t| t.lifecycle.is_ended() && t.ended.is_some_and(|e| e < horizon))
        {
            host.tasks.pop_front();
        }
        let oldest = host.tasks.front().map_or(id, |task| task.id);
        host.listings.retain(|task, _| *task >= oldest);
        self.look_later(instance, eligible);
        id
    }

    fn look_later(&mut self, instance: usize, at: Ms) {
        let Some(host) = self.instances.get_mut(instance) else { return };
        if host.look_at.is_none_or(|planned| at < planned) {
            host.look_at = Some(at);
            self.schedule(at, Event::LookAtQueue { instance });
        }
    }

    /// Free slots take what they may.
    pub(crate) fn look_at_queue(&mut self, instance: usize) {
        let now = self.now_ms;
        if let Some(host) = self.instances.get_mut(instance)
            && host.look_at.is_some_and(|planned| planned <= now)
        {
            host.look_at = None;
        }
        loop {
            let Some(host) = self.instances.get(instance) else { return };
            let Some(task) = host.next_waiting() else { return };
            if host.running.len() >= SLOTS || host.down_until.is_some() {
                return;
            }
            if host.automated_until.is_some()
                && task.kind.is_backup()
                && self.knobs.automated_backup_blocks_start
            {
                return;
            }
            let (id, at) = (task.id, task.eligible.max(host.slot_from));
            if at > now {
                self.look_later(instance, at);
                return;
            }
            self.start(instance, id);
        }
    }

    fn start(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.waiting.retain(|waiting| *waiting != id);
        host.running.push(id);
        let Some(task) = host.task_mut(id) else { return };
        (task.lifecycle, task.started, task.stopped) = (Lifecycle::InProgress, Some(now), None);
        if !self.looks_first(instance, id) {
            self.begin(instance, id);
        }
    }

    /// A task in its slot knows what it has to.
    pub(crate) fn begin(&mut self, instance: usize, id: u32) {
        let Some(task) = self.instances.get(instance).and_then(|i| i.task(id)) else { return };
        if task.kind.is_backup() {
            self.start_backup(instance, id);
        } else if task.kind.is_restore() {
            self.start_restore(instance, id);
        } else if task.kind.is_files() {
            self.start_files(instance, id);
        } else if task.kind.is_of_certificate() {
            self.start_certificate(instance, id);
        } else {
            self.start_copy(instance, id);
        }
    }

    /// The random draws of one run of a task.
    pub(crate) fn run_stream(&self, instance: usize, id: u32, which: u64) -> Stream {
        let plan = self.instances.get(instance).and_then(|i| i.task(id)).map_or(0, |t| t.plan);
        Stream::of(self.seed, Purpose::TaskRun, &[instance as u64, u64::from(id), u64::from(plan), which])
    }

    /// Sets when the data of a task that just started moves, and when it ends.
    pub(crate) fn plan_run(&mut self, instance: usize, id: u32, data: (Ms, Ms), end: Ms) {
        let Some(task) = self.instances.get_mut(instance).and_then(|i| i.task_mut(id)) else { return };
        (task.data, task.ending) = (data, Lifecycle::Success);
        let plan = task.plan;
        self.schedule(end, Event::TaskEnds { instance, task: id, plan });
    }

    /// Gives a running task another end: progress stops now, these lines are written, then it ends.
    pub(crate) fn replan(&mut self, instance: usize, id: u32, ending: Lifecycle, lines: Vec<Line>, end: Ms) {
        let now = self.now_ms;
        let Some(task) = self.instances.get_mut(instance).and_then(|i| i.task_mut(id)) else { return };
        task.plan = task.plan.wrapping_add(1);
        task.stopped = Some(task.stopped.map_or(now, |s| s.min(now)));
        task.ending = ending;
        task.lines.extend(lines);
        let plan = task.plan;
        self.schedule(end, Event::TaskEnds { instance, task: id, plan });
    }

    /// Puts a running task back at the head of the queue: it begins again.
    pub(crate) fn requeue(&mut self, instance: usize, id: u32) {
        self.drop_uploads(instance, id, false);
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.running.retain(|running| *running != id);
        host.waiting.push_front(id);
        if let Some(task) = host.task_mut(id) {
            task.plan = task.plan.wrapping_add(1);
            (task.stopped, task.data) = (None, (0, 0));
        }
    }

    /// Leaves a task as it is for ever; its slot is free again.
    pub(crate) fn freeze(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        self.drop_uploads(instance, id, true);
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.running.retain(|running| *running != id);
        host.work.remove(&id);
        if let Some(task) = host.task_mut(id) {
            task.plan = task.plan.wrapping_add(1);
            task.stopped = Some(now);
        }
    }

    /// A task ends as planned.
    pub(crate) fn task_ends(&mut self, instance: usize, id: u32, plan: u16) {
        let Some(host) = self.instances.get(instance) else { return };
        let Some(task) = host.task(id).filter(|t| t.plan == plan && !t.lifecycle.is_ended()) else { return };
        let (ending, kind) = (task.ending, task.kind);
        if ending == Lifecycle::Success && self.puts_first(instance, id) {
            return;
        }
        let work = self.instances.get_mut(instance).and_then(|host| host.work.remove(&id));
        if ending == Lifecycle::Success {
            match work {
                Some(Work::Backup { bucket, key, running: Some(running), uploads }) => {
                    self.finish_backup(instance, id, (&bucket, &key), running, &uploads);
                }
                Some(Work::Copy { bucket, folder, files, .. }) => {
                    self.finish_copy(instance, id, &bucket, &folder, files);
                }
                Some(work @ Work::Restore { .. }) => self.finish_restore(instance, id, work),
                Some(Work::Files { bucket, key, path, moving }) => {
                    self.finish_files(instance, id, (&bucket, &key), &path, moving);
                }
                Some(work @ Work::Certificate { .. }) => self.finish_certificate(instance, id, work),
                _ => {}
            }
        } else if let Some(Work::Backup { bucket, uploads, .. }) = work
            && kind.is_backup()
        {
            self.abandon_uploads(instance, id, &bucket, &uploads);
        }
        self.concludes(instance, id, ending);
    }

    /// A task has ended, and its slot is free.
    pub(crate) fn concludes(&mut self, instance: usize, id: u32, ending: Lifecycle) {
        let (now, handover) = (self.now_ms, self.knobs.handover_seconds * SECOND);
        let text = match ending {
            Lifecycle::Success => Some(self.knobs.texts.success.clone()),
            Lifecycle::Cancelled => Some(self.knobs.texts.cancelled.clone()),
            _ => None,
        };
        let Some(host) = self.instances.get_mut(instance) else { return };
        host.running.retain(|running| *running != id);
        host.waiting.retain(|waiting| *waiting != id);
        host.slot_from = host.slot_from.max(now + handover);
        if let Some(task) = host.task_mut(id) {
            (task.lifecycle, task.ended) = (ending, Some(now));
            task.stopped = task.stopped.or(Some(now));
            task.lines.extend(text.map(|text| (now, text)));
        }
        self.look_at_queue(instance);
    }

    /// `rds_cancel_task`.
    pub(crate) fn cancel(&mut self, instance: usize, id: u32) -> Result<(), EngineError> {
        let say = |text: &str, state: &str| {
            EngineError::raised(text.replace("{id}", &id.to_string()).replace("{lifecycle}", state))
        };
        let task = self.instances.get(instance).and_then(|i| i.task(id));
        let Some(lifecycle) = task.map(|t| t.lifecycle) else {
            return Err(say(&self.knobs.texts.cancel_unknown, ""));
        };
        if lifecycle.is_ended() {
            return Err(say(&self.knobs.texts.cancel_ended, lifecycle.name()));
        }
        if lifecycle == Lifecycle::CancelRequested {
            return Ok(());
        }
        if task.is_some_and(|task| task.kind == TaskType::FinishRestore) {
            return Err(say(&self.knobs.texts.cancel_finish, ""));
        }
        if task.is_some_and(|task| task.kind.is_of_certificate()) {
            return Err(say(&self.knobs.texts.cancel_certificate, ""));
        }
        // "Delete and list tasks that are in progress can't be cancelled."
        let short = [FileTask::List, FileTask::Delete].map(TaskType::Files);
        if lifecycle == Lifecycle::InProgress && task.is_some_and(|task| short.contains(&task.kind)) {
            return Err(say(&self.knobs.texts.cancel_files, ""));
        }
        self.request_cancel(instance, id);
        Ok(())
    }

    /// Cancels a task that has not ended: it ends soon, as planned or cancelled.
    pub(crate) fn request_cancel(&mut self, instance: usize, id: u32) {
        let (now, span) = (self.now_ms, self.knobs.cancel_seconds);
        let mut stream = Stream::of(self.seed, Purpose::Cancel, &[instance as u64, u64::from(id)]);
        let done = now + stream.between(span.min * SECOND, span.max * SECOND);
        let Some(host) = self.instances.get_mut(instance) else { return };
        let (waits, runs) = (host.waiting.contains(&id), host.running.contains(&id));
        let Some(task) = host.task_mut(id) else { return };
        // One that begins again after a failover waits as well; one that the failover froze does neither, and nothing else ends it.
        let created = task.lifecycle == Lifecycle::Created || waits;
        let frozen = !created && !runs;
        task.lifecycle = Lifecycle::CancelRequested;
        // A task that fails or is killed goes on doing so; one that succeeds first wins the race.
        let failing = task.stopped.is_some();
        let first = created || task.data.1 > done || task.started.is_none();
        if created {
            if let Some(host) = self.instances.get_mut(instance) {
                host.waiting.retain(|waiting| *waiting != id);
            }
            self.replan(instance, id, Lifecycle::Cancelled, Vec::new(), done);
        } else if frozen || first && !failing {
            self.replan(instance, id, Lifecycle::Cancelled, Vec::new(), done);
        }
    }
}
