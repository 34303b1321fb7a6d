//! poll-tasks: what the service says of our tasks, folded into their records.
//!
//! One call reads all tasks of the instance. A finished backup enters the catalogue when its history row is read and its
//! stripes are seen in the bucket; until then it does not exist for any window.

use domain::inventory::Instance;
use domain::lease::{self, Lease, renewed_until};
use domain::paths::S3Arn;
use domain::reason::{Class, Reason};
use domain::request::NativeBackup;
use domain::stripes::Layout;
use domain::task::{Lifecycle, Outcome, Request, State, Task, TaskId, TaskRow};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::cloud::ListObjects;
use ports::events::PublishEvents;
use ports::server::{CancelTask, OpenSession, ReadClock, ReadHistory, ReadLogFiles, ReadTasks};
use ports::store::{COMMIT_WRITES_MAX, ReadItems, Versioned, Write, WriteItems, load};

use crate::cancel::ask_service;
use crate::contract::{
    InstanceRun, PollOutcome, PollTasksInput, PollTasksOutput, ROUNDS_MAX, WAIT_SECONDS_MAX, check_schema,
};
use crate::finish::{Asked, FAILURES_MAX, Finished, Snag, answer, finish_backup, finish_copy};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{Scope, commit, end_task, forget_target, lost, no_target, open_tasks};

/// How long a task waits after its n-th failure, in minutes: long enough for an automated backup to pass.
const BACKOFF_MINUTES: [i64; 3] = [5, 15, 30];

/// Follows native tasks.
pub struct PollTasks<S, Q, A, C, P> {
    /// Task store.
    pub store: S,
    /// SQL Server.
    pub servers: Q,
    /// S3.
    pub cloud: A,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, Q, A, C, P> Handler for PollTasks<S, Q, A, C, P>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: ReadClock + ReadTasks + ReadHistory + ReadLogFiles + CancelTask,
    A: ListObjects,
    C: Clock,
    P: PublishEvents,
{
    type Input = PollTasksInput;
    type Output = PollTasksOutput;
    const NAME: &'static str = "poll-tasks";

    async fn handle(&self, input: PollTasksInput) -> Result<PollTasksOutput, Reason> {
        check_schema(input.run.schema)?;
        let Self { servers, cloud, clock, .. } = self;
        let poll = Poll { store: Outbox::new(&self.store, self.events.as_ref()), servers, cloud, clock };
        let said = poll.round(input).await;
        poll.store.tell(clock).await;
        said
    }
}

/// One invocation, with the store that notices what is to be told.
struct Poll<'a, S, Q, A, C> {
    store: S,
    servers: &'a Q,
    cloud: &'a A,
    clock: &'a C,
}

impl<S, Q, A, C> Poll<'_, S, Q, A, C>
where
    S: ReadItems + WriteItems,
    C: Clock,
{
    async fn round(&self, input: PollTasksInput) -> Result<PollTasksOutput, Reason>
    where
        Q: OpenSession,
        Q::Session: ReadClock + ReadTasks + ReadHistory + ReadLogFiles + CancelTask,
        A: ListObjects,
    {
        self.renew(&input.run).await?;
        let tasks = open_tasks(&self.store, &input.run.instance).await?;
        let mut said = PollTasksOutput {
            outcome: PollOutcome::Drained,
            round: input.round + 1,
            finished: 0,
            outstanding: 0,
        };
        let mut plan_at = input.next_due_at.unwrap_or(Timestamp::MAX);
        let mut open = tasks;
        if open.iter().any(|task| matches!(task.record.state, State::Submitted { .. })) {
            if self.follow(&input.run, open, &mut said).await? {
                // A full makes the first log copy due, or the first after a break.
                plan_at = self.clock.now();
            }
            // Read again: what just ended may have been put back for another try.
            open = open_tasks(&self.store, &input.run.instance).await?;
        }
        said.outcome = self.outcome(&open, &said, plan_at);
        Ok(said)
    }

    /// Renews the lease, or finds that it is not ours any more.
    async fn renew(&self, run: &InstanceRun) -> Result<(), Reason> {
        let now = self.clock.now();
        let name = lease::run_name(&run.instance, run.generation);
        let stored: Option<Versioned<Lease>> = load(&self.store, lease::key(&run.instance)).await?;
        let mut stored =
            stored.filter(|lease| lease.record.is_held_by(&name, now)).ok_or_else(|| lost(&name))?;
        stored.record.expires_at = renewed_until(now);
        commit(&self.store, &[stored.put()?]).await
    }

    /// Whether another round can do anything before the next look would be due anyway.
    fn outcome(&self, tasks: &[Versioned<Task>], said: &PollTasksOutput, plan_at: Timestamp) -> PollOutcome {
        let soon = self
            .clock
            .now()
            .saturating_add(SignedDuration::from_secs(i64::from(WAIT_SECONDS_MAX)))
            .unwrap_or(Timestamp::MAX);
        let active = tasks.iter().any(|task| match task.record.state {
            State::Planned if task.record.cancel.is_some() => true,
            State::Planned => task.record.not_before.is_none_or(|at| at <= soon),
            State::Admitted { .. } | State::Intended { .. } | State::Submitted { .. } => true,
            State::Done { .. } => false,
        });
        match active {
            false => PollOutcome::Drained,
            true if said.round >= ROUNDS_MAX => PollOutcome::HandOver,
            true if self.clock.now() >= plan_at => PollOutcome::Plan,
            true => PollOutcome::Again,
        }
    }

    /// Folds the service's answers into the tasks. `true`: a full came about.
    async fn follow(
        &self,
        run: &InstanceRun,
        tasks: Vec<Versioned<Task>>,
        said: &mut PollTasksOutput,
    ) -> Result<bool, Reason>
    where
        Q: OpenSession,
        Q::Session: ReadClock + ReadTasks + ReadHistory + ReadLogFiles + CancelTask,
        A: ListObjects,
    {
        let mut scope = Scope::load(&self.store, &run.instance).await?;
        let mut session = self.servers.open(&scope.endpoint()).await?;
        let clock = session.clock().await?;
        // Our host's clock may differ from the server's: moments of ours are compared with rows of the server's.
        let skew = clock.utc.duration_since(self.clock.now());
        let offset = clock.local.duration_since(clock.utc.to_zoned(jiff::tz::TimeZone::UTC).datetime());
        let rows = session.tasks(first_of(&tasks).min(scope.instance.record.tasks_from)).await?;
        let target = S3Arn::parse(&scope.log_copy_arn())?;
        let mut speed = scope.instance.record.bytes_per_second;
        let (mut full, mut unseen, mut unwanted, mut news) = (false, None, Vec::new(), Vec::new());
        let unsettled = tasks.iter().any(|task| matches!(task.record.state, State::Intended { .. }));
        for mut task in tasks {
            let State::Submitted { request, task_id, at, .. } = task.record.state.clone() else { continue };
            let row = rows.binary_search_by_key(&task_id, |row| row.id).ok().map(|at| &rows[at]);
            let ended = match row {
                None if !was_missed_before(&task.record, run) => {
                    unseen = Some(self.vanished(task, task_id, run).await?);
                    continue;
                }
                None => Some(End::Bad(gone(task_id))),
                Some(row) => end_of(&mut session, row).await?,
            };
            let Some(ended) = ended else {
                said.outstanding += 1;
                let heard = row.is_some_and(|row| row.lifecycle == Some(Lifecycle::CancelRequested));
                if task.record.cancel.is_some() && !heard {
                    unwanted.push((task, task_id));
                } else if row.is_some_and(|row| task.record.hear(row, self.clock.now())) {
                    news.push(task);
                }
                continue;
            };
            said.finished += 1;
            let result = match ended {
                End::Good => {
                    let last_updated = row.and_then(|row| row.last_updated);
                    let asked = Asked { at: at + skew, offset, last_updated, now: self.clock.now() };
                    self.made(&mut session, (&task.record, task_id), &request, &asked, &target).await
                }
                End::Cancelled => {
                    let writes = answer(&self.store, &task.record, &Outcome::Cancelled).await?;
                    self.end(task, task_id, Outcome::Cancelled, writes).await?;
                    continue;
                }
                End::Bad(reason) => Err(Snag::Task(reason)),
            };
            match result {
                Ok(Finished { writes, speed: measured, useless }) => {
                    full |= matches!(&request, Request::Backup(backup) if !backup.differential);
                    speed = measured.map(|measured| measured.after(speed)).or(speed);
                    let outcome = useless.map_or(Outcome::Succeeded, Outcome::Failed);
                    self.end(task, task_id, outcome, writes).await?;
                }
                Err(Snag::Task(reason)) => {
                    self.failed(&mut scope.instance, (task, task_id), reason).await?;
                }
                Err(Snag::Unseen(reason)) if reason.class == Class::Retry => return Err(reason),
                // The others are folded all the same; then the run ends with what people have to mend.
                Err(Snag::Unseen(reason)) => unseen = unseen.or(Some(reason)),
            }
        }
        // Behind all that has ended: whatever comes of it, the next round looks.
        ask_service(&self.store, &mut session, unwanted).await?;
        if let Some(reason) = unseen {
            return Err(reason);
        }
        // Whoever settles an intent looks for its task among those that are read: it must not fall out of the range.
        let rows = if unsettled { &[] } else { rows.as_slice() };
        self.remember(&mut scope.instance, rows, speed, &news).await?;
        Ok(full)
    }

    /// A task that is not listed may have been another server's: the run ends, the next one asks the control plane which this is. One that is
    /// still missing then has failed.
    async fn vanished(
        &self,
        mut task: Versioned<Task>,
        task_id: TaskId,
        run: &InstanceRun,
    ) -> Result<Reason, Reason> {
        task.record.note(gone(task_id));
        task.record.missed_by = Some(lease::run_name(&run.instance, run.generation));
        commit(&self.store, &[task.put()?]).await?;
        Ok(gone(task_id))
    }

    /// What a task that the service calls a success made.
    async fn made<T>(
        &self,
        session: &mut T,
        (task, task_id): (&Task, TaskId),
        request: &Request,
        asked: &Asked,
        target: &S3Arn,
    ) -> Result<Finished, Snag>
    where
        T: ReadHistory + ReadLogFiles,
        A: ListObjects,
    {
        let (store, cloud) = (&self.store, self.cloud);
        match request {
            Request::Backup(backup) => {
                finish_backup(store, cloud, session, (task, task_id), backup, asked).await
            }
            Request::Copy(copy) => {
                let writes = finish_copy(store, cloud, session, task, copy, (target, asked.now)).await?;
                Ok(Finished { writes, speed: None, useless: None })
            }
        }
    }

    /// Ends a task together with everything that it leaves behind.
    async fn end(
        &self,
        task: Versioned<Task>,
        task_id: TaskId,
        outcome: Outcome,
        mut writes: Vec<Write>,
    ) -> Result<(), Reason> {
        let done = task.record.ended(outcome, self.clock.now(), Some(task_id))?;
        writes.extend(end_task(&task, done)?);
        commit(&self.store, &writes).await
    }

    /// Another try later, while there are tries left, time may mend it and somebody wants it; the end otherwise.
    async fn failed(
        &self,
        instance: &mut Versioned<Instance>,
        (mut task, task_id): (Versioned<Task>, TaskId),
        reason: Reason,
    ) -> Result<(), Reason> {
        if no_target(&reason) {
            forget_target(&self.store, instance).await?;
        }
        task.record.failures += 1;
        if reason.name == "FileTooLarge"
            && let Some(Request::Backup(backup)) = task.record.request()
        {
            let NativeBackup { files, options, .. } = backup;
            task.record.outgrew =
                Some(Layout { files: *files, max_transfer_bytes: options.max_transfer_bytes });
        }
        let failures = task.record.failures;
        let unwanted = task.record.cancel.is_some();
        if failures >= FAILURES_MAX || unwanted || matches!(reason.class, Class::Never) {
            let outcome = Outcome::Failed(reason);
            let writes = answer(&self.store, &task.record, &outcome).await?;
            return self.end(task, task_id, outcome, writes).await;
        }
        let pause = usize::try_from(failures - 1).unwrap_or(0).min(BACKOFF_MINUTES.len() - 1);
        task.record.not_before =
            self.clock.now().checked_add(SignedDuration::from_mins(BACKOFF_MINUTES[pause])).ok();
        task.record.attempt += 1;
        task.record.note(reason);
        task.record.advance(State::Planned)?;
        commit(&self.store, &[task.put()?]).await
    }

    /// Remembers where reading the task list may begin next time, the measured speed, and how far tasks are, in one commit.
    async fn remember(
        &self,
        instance: &mut Versioned<Instance>,
        rows: &[TaskRow],
        speed: Option<u64>,
        news: &[Versioned<Task>],
    ) -> Result<(), Reason> {
        let news = news.iter().take(COMMIT_WRITES_MAX - 1).map(Versioned::put);
        let mut writes = news.collect::<Result<Vec<Write>, _>>()?;
        let unfinished = rows.iter().find(|row| row.is_unfinished()).map(|row| row.id);
        let from = unfinished.or(rows.last().map(|row| row.id + 1)).unwrap_or(instance.record.tasks_from);
        if from == instance.record.tasks_from && speed == instance.record.bytes_per_second {
            // Somebody wrote meanwhile, such as that a task is to be cancelled: how far it is, the next round hears.
            let told = commit(&self.store, &writes).await;
            return if told.as_ref().is_err_and(|reason| reason.name == "Conflict") { Ok(()) } else { told };
        }
        instance.record.tasks_from = from;
        instance.record.bytes_per_second = speed;
        writes.push(instance.put()?);
        commit(&self.store, &writes).await
    }
}

/// The first of our tasks that the service has: one below what was read before is there where it counts anew.
fn first_of(tasks: &[Versioned<Task>]) -> TaskId {
    let ids = tasks.iter().filter_map(|task| match task.record.state {
        State::Submitted { task_id, .. } => Some(task_id),
        _ => None,
    });
    ids.min().unwrap_or(TaskId::MAX)
}

/// How a native task ended.
enum End {
    Good,
    Cancelled,
    Bad(Reason),
}

/// `None` while it waits or runs. A lifecycle of a spelling we do not know is no end: the task stays watched.
async fn end_of<T: ReadTasks>(session: &mut T, row: &TaskRow) -> Result<Option<End>, Reason> {
    Ok(match row.lifecycle {
        Some(Lifecycle::Success) => Some(End::Good),
        Some(Lifecycle::Cancelled) => Some(End::Cancelled),
        Some(Lifecycle::Error) => Some(End::Bad(session.task_end(row.id).await?.unwrap_or_else(|| {
            Reason::new(
                Class::Human,
                "TaskFailed",
                format!("task {} failed and its task_info does not say why", row.id),
            )
        }))),
        Some(Lifecycle::Created | Lifecycle::InProgress | Lifecycle::CancelRequested) | None => None,
    })
}

fn gone(task_id: TaskId) -> Reason {
    Reason::new(Class::Human, "TaskVanished", format!("the service does not list task {task_id} any more"))
        .guidance("history is kept 36 days; an instance restored from a snapshot has another history")
}

/// Whether an earlier run has missed it: this one has asked the control plane since. A retry of this run's own call has not.
fn was_missed_before(task: &Task, run: &InstanceRun) -> bool {
    let name = lease::run_name(&run.instance, run.generation);
    task.missed_by.as_ref().is_some_and(|by| *by != name)
}
