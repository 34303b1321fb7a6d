//! dispatch-tasks: asks the service for what was admitted, once.
//!
//! The intent is written before the call, under a key that no other task ever has. A reply that is lost leaves the intent
//! behind; the next call finds out from the server's own task list whether the service took it. All of this happens under
//! the server's application lock: a call of an earlier, slower invocation cannot be under way at the same time, because its
//! session would still hold the lock.

mod ours;

use domain::inventory::Instance;
use domain::observed::{Marks, marks_key};
use domain::reason::{Class, Reason};
use domain::slots::QUEUE_DEPTH;
use domain::task::{Kind, Outcome, Request, State, Task, TaskId, TaskRow};
use jiff::{SignedDuration, Timestamp};
use ports::events::PublishEvents;
use ports::server::{BackupCompression, Fence, LogCopyTarget, OpenSession, ReadTasks, SubmitTasks};
use ports::store::{ReadItems, Versioned, WriteItems, load};
use ports::{Clock, Fault};

use self::ours::ours;
use crate::cancel::end_cancelled;
use crate::contract::{DispatchTasksOutput, InstanceRun, WAIT_SECONDS_MAX, check_schema};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{Scope, check_lease, commit, end_task, forget_target, lost, no_target, open_tasks};

/// Application lock that all dispatches to one instance share.
pub const FENCE: &str = "bakproof-dispatch";

/// Oldest admission that is acted on: the check is worth as much as it is fresh.
const ADMISSION_AGE_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Invocation time that must be left before a call: the call, its reply and the write that remembers it.
const TIME_LEFT_MIN: SignedDuration = SignedDuration::from_secs(45);

/// How long a task waits whose database somebody else's task keeps busy, or that needs an empty queue.
const BUSY_WAIT: SignedDuration = SignedDuration::from_mins(3);

/// Issues native tasks.
pub struct DispatchTasks<S, Q, C, P> {
    /// Task store.
    pub store: S,
    /// SQL Server.
    pub servers: Q,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, Q, C, P> Handler for DispatchTasks<S, Q, C, P>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: Fence + SubmitTasks + ReadTasks + LogCopyTarget + BackupCompression,
    C: Clock,
    P: PublishEvents,
{
    type Input = InstanceRun;
    type Output = DispatchTasksOutput;
    const NAME: &'static str = "dispatch-tasks";

    async fn handle(&self, input: InstanceRun) -> Result<DispatchTasksOutput, Reason> {
        check_schema(input.schema)?;
        let Self { servers, clock, .. } = self;
        let dispatch = Dispatch { store: Outbox::new(&self.store, self.events.as_ref()), servers, clock };
        let said = dispatch.round(&input).await;
        dispatch.store.tell(clock).await;
        said
    }
}

/// One invocation, with the store that notices what is to be told.
struct Dispatch<'a, S, Q, C> {
    store: S,
    servers: &'a Q,
    clock: &'a C,
}

impl<S: ReadItems + WriteItems, Q, C: Clock> Dispatch<'_, S, Q, C> {
    async fn round(&self, input: &InstanceRun) -> Result<DispatchTasksOutput, Reason>
    where
        Q: OpenSession,
        Q::Session: Fence + SubmitTasks + ReadTasks + LogCopyTarget + BackupCompression,
    {
        let tasks = open_tasks(&self.store, &input.instance).await?;
        let open = !tasks.is_empty();
        let submitted =
            tasks.iter().filter(|task| matches!(task.record.state, State::Submitted { .. })).count();
        let mut ready: Vec<_> = tasks
            .into_iter()
            .filter(|task| matches!(task.record.state, State::Admitted { .. } | State::Intended { .. }))
            .collect();
        // First in, first out: what was decided about windows and promises holds in this order only. Intents may be there already.
        ready.sort_by_key(|task| (matches!(task.record.state, State::Admitted { .. }), task.record.place));
        let mut said = DispatchTasksOutput { dispatched: 0, wait_seconds: 0 };
        if !ready.is_empty() {
            let scope = Scope::load(&self.store, &input.instance).await?;
            let mut session = self.servers.open(&scope.endpoint()).await?;
            if !session.lock(FENCE).await? {
                return Err(Reason::new(
                    Class::Wait,
                    "FenceHeld",
                    format!("another session dispatches to {}", input.instance),
                ));
            }
            // Under the lock: whoever took over since must have had it before us, or waits for it now.
            check_lease(&self.store, input, self.clock.now()).await?;
            said.dispatched = self.dispatch(&mut session, scope, ready).await?;
            session.unlock(FENCE).await?;
        }
        said.wait_seconds = wait_seconds(submitted + said.dispatched as usize, open);
        Ok(said)
    }

    async fn dispatch<T>(
        &self,
        session: &mut T,
        mut scope: Scope,
        ready: Vec<Versioned<Task>>,
    ) -> Result<u32, Reason>
    where
        T: SubmitTasks + ReadTasks + LogCopyTarget + BackupCompression,
    {
        let rows = session.tasks(scope.instance.record.tasks_from).await?;
        let above = rows.last().map_or(scope.instance.record.tasks_from.saturating_sub(1), |row| row.id);
        // The service takes the target of log copies only while no task is pending, and a full may be pending for hours: it
        // is set before the first full is asked for, though no log waits yet.
        let idle = !rows.iter().any(TaskRow::is_unfinished);
        let copies = ready.iter().any(|task| task.record.kind == Kind::LogCopy);
        if ready.iter().any(|task| task.record.kind != Kind::LogCopy) {
            set_compression(session, &scope).await?;
        }
        let mut target =
            if copies || idle { self.log_copy_target(session, &mut scope).await? } else { Ok(()) };
        let mut dispatched = 0;
        let marks = self.marks(&ready).await?;
        for task in ready {
            self.time_left()?;
            match &task.record.state {
                State::Intended { above, request, .. } => {
                    let found = ours(&rows, request, *above);
                    self.settle(task, found).await?;
                    dispatched += u32::from(found.is_some());
                }
                State::Admitted { at, request } => {
                    let now = self.clock.now();
                    if task.record.cancel.is_some() {
                        end_cancelled(&self.store, &task, now).await?;
                    } else if now.duration_since(*at) > ADMISSION_AGE_MAX {
                        self.put_back(task, None, now).await?;
                    } else if let Some(reason) = outdated(&task.record, marks.as_ref(), *at) {
                        self.put_back(task, Some(reason), now).await?;
                    } else if let (Request::Copy(_), Err(reason)) = (request, &target) {
                        self.put_back(task, Some(reason.clone()), now).await?;
                    } else {
                        match self.submit(session, task, above).await? {
                            Reply::Taken => dispatched += 1,
                            Reply::NoTarget(reason) => {
                                forget_target(&self.store, &mut scope.instance).await?;
                                target = Err(reason);
                            }
                            Reply::Refused => {}
                        }
                    }
                }
                State::Planned | State::Submitted { .. } | State::Done { .. } => {}
            }
        }
        Ok(dispatched)
    }

    /// What events told of the instance, where an admitted differential depends on it.
    async fn marks(&self, ready: &[Versioned<Task>]) -> Result<Option<Marks>, Reason> {
        let depends = |task: &&Versioned<Task>| {
            task.record.kind == Kind::Differential && matches!(task.record.state, State::Admitted { .. })
        };
        let Some(task) = ready.iter().find(depends) else { return Ok(None) };
        let marks: Option<Versioned<Marks>> = load(&self.store, marks_key(&task.record.instance)).await?;
        Ok(marks.map(|marks| marks.record))
    }

    fn time_left(&self) -> Result<(), Reason> {
        if self.clock.runs_out(TIME_LEFT_MIN) {
            return Err(Reason::new(
                Class::Retry,
                "TimeRunsOut",
                "too little invocation time is left to ask the service",
            ));
        }
        Ok(())
    }

    /// Makes the service copy logs to our vault. The inner error is why log copies have to wait.
    async fn log_copy_target<T: LogCopyTarget>(
        &self,
        session: &mut T,
        scope: &mut Scope,
    ) -> Result<Result<(), Reason>, Reason> {
        let wanted = scope.log_copy_arn();
        if scope.instance.record.log_copy_target.as_ref() == Some(&wanted) {
            return Ok(Ok(()));
        }
        let set = async {
            if session.log_copy_target().await?.as_ref() != Some(&wanted) {
                session.set_log_copy_target(&wanted).await?;
            }
            Ok(())
        };
        match set.await {
            Ok(()) => {}
            Err(Fault::Refused(reason)) => return Ok(Err(reason)),
            Err(fault) => return Err(fault.into_reason()),
        }
        let instance: &mut Instance = &mut scope.instance.record;
        instance.log_copy_target = Some(wanted);
        commit(&self.store, &[scope.instance.put()?]).await?;
        Ok(Ok(()))
    }

    /// Intent, call, result.
    async fn submit<T>(&self, session: &mut T, task: Versioned<Task>, above: TaskId) -> Result<Reply, Reason>
    where
        T: SubmitTasks + ReadTasks,
    {
        let request = task.record.request().cloned().ok_or_else(|| lost(&task.record.key))?;
        let asked_at = self.clock.now();
        let intended =
            self.step(task, State::Intended { request: request.clone(), at: asked_at, above }).await?;
        let reply = match &request {
            Request::Backup(backup) => session.backup_database(backup).await,
            Request::Copy(copy) => session.copy_logs(copy).await,
        };
        match reply {
            Ok(task_id) => {
                self.step(intended, State::Submitted { request, task_id, at: asked_at, heard: None }).await?;
                if task_id <= above { Err(counts_anew(task_id, above)) } else { Ok(Reply::Taken) }
            }
            // Somebody's task of this database waits or runs; it may be ours after all.
            Err(Fault::Refused(reason)) if reason.name == "TaskAlreadyIssued" => {
                let rows = session.tasks(above + 1).await?;
                let found = ours(&rows, &request, above);
                if found.is_some() {
                    self.settle(intended, found).await?;
                } else {
                    self.put_back(intended, Some(reason), self.clock.now()).await?;
                }
                Ok(if found.is_some() { Reply::Taken } else { Reply::Refused })
            }
            // It was told once: that it is told again mends it.
            Err(Fault::Refused(reason)) if no_target(&reason) => {
                self.refused(intended, Reason { class: Class::Wait, ..reason.clone() }).await?;
                Ok(Reply::NoTarget(reason))
            }
            Err(Fault::Refused(reason)) => {
                self.refused(intended, reason).await?;
                Ok(Reply::Refused)
            }
            // The intent stays: the next call asks the server what became of it.
            Err(fault @ (Fault::Transient(_) | Fault::UnknownOutcome(_))) => Err(fault.into_reason()),
        }
    }

    async fn step(&self, mut task: Versioned<Task>, next: State) -> Result<Versioned<Task>, Reason> {
        task.record.advance(next)?;
        commit(&self.store, &[task.put()?]).await?;
        task.expect = task.expect.written();
        Ok(task)
    }

    /// What became of an intent: the service has it under this id, or never heard of it.
    async fn settle(&self, task: Versioned<Task>, found: Option<TaskId>) -> Result<(), Reason> {
        let now = self.clock.now();
        // The task keeps the moment of its intent: what it made is looked for from then on, and it may have ended long
        // before anybody learned its id.
        if let (Some(task_id), State::Intended { request, at, .. }) = (found, task.record.state.clone()) {
            return self.step(task, State::Submitted { request, task_id, at, heard: None }).await.map(|_| ());
        }
        let reason = Reason::new(Class::Retry, "NeverArrived", "the service has no task of this intent");
        self.put_back(task, Some(reason), now).await
    }

    /// Back to the plan: checked again before it is asked again, and in a folder of its own. What is to be cancelled ends instead: the
    /// service does not have it.
    async fn put_back(
        &self,
        mut task: Versioned<Task>,
        why: Option<Reason>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        if task.record.cancel.is_some() {
            return end_cancelled(&self.store, &task, now).await;
        }
        if matches!(task.record.state, State::Intended { .. }) {
            task.record.attempt += 1;
        }
        if let Some(why) = why {
            if why.class == Class::Wait {
                task.record.not_before = now.checked_add(BUSY_WAIT).ok();
            }
            task.record.note(why);
        }
        self.step(task, State::Planned).await.map(|_| ())
    }

    /// The service said no. What time may mend is put off, the rest ends here and is the database's trouble.
    async fn refused(&self, mut task: Versioned<Task>, reason: Reason) -> Result<(), Reason> {
        let now = self.clock.now();
        if matches!(reason.class, Class::Retry | Class::Wait)
            && task.record.failures + 1 < crate::finish::FAILURES_MAX
        {
            task.record.failures += 1;
            return self.put_back(task, Some(reason), now).await;
        }
        let outcome = Outcome::Failed(reason);
        let mut writes = crate::finish::answer(&self.store, &task.record, &outcome).await?;
        let done = task.record.ended(outcome, now, None)?;
        writes.extend(end_task(&task, done)?);
        commit(&self.store, &writes).await
    }
}

/// What the service said to a request.
enum Reply {
    /// It has it.
    Taken,
    /// It has it not.
    Refused,
    /// It has it not, and copies logs nowhere.
    NoTarget(Reason),
}

/// The ids of one server only grow: the run ends, and the next one asks the control plane which server this is.
fn counts_anew(task_id: TaskId, above: TaskId) -> Reason {
    let message = format!("the service gave the id {task_id}, and has given {above} before");
    Reason::new(Class::Human, "TaskIdsAnew", message)
        .guidance("an instance that was restored and renamed counts anew: the next run sees to it")
}

/// Compression is the instance's, so it is set before a backup is asked for; people may have set it back since the last.
async fn set_compression<T: BackupCompression>(session: &mut T, scope: &Scope) -> Result<(), Reason> {
    let Some(wanted) = scope.policy.storage.compression else { return Ok(()) };
    if session.compression().await.map_err(Fault::into_reason)? != Some(wanted) {
        session.set_compression(wanted).await.map_err(Fault::into_reason)?;
    }
    Ok(())
}

/// How long polling can wait: longer the fuller the service's queue is of ours. While tasks of ours are open and none could be
/// asked for, other people's tasks fill the queue: no reason to hurry either.
fn wait_seconds(outstanding: usize, open: bool) -> u32 {
    match u32::try_from(outstanding).unwrap_or(u32::MAX) {
        0 if !open => 1,
        some if some > 0 && some < QUEUE_DEPTH => WAIT_SECONDS_MAX / 2,
        _ => WAIT_SECONDS_MAX,
    }
}

/// Why a differential is looked at again although it was admitted: an event told of a backup of the instance since, which may have taken
/// its base. The next look asks the server.
fn outdated(task: &Task, marks: Option<&Marks>, admitted_at: Timestamp) -> Option<Reason> {
    let since = marks.filter(|marks| task.kind == Kind::Differential && marks.outdate(admitted_at))?;
    let at = since.backed_up_at?;
    let why = format!(
        "the service told of a backup of the instance at {at}, which may have taken the differential base"
    );
    Some(Reason::new(Class::Retry, "BaseMayHaveMoved", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_waits_longer_the_more_there_is_to_wait_for() {
        assert_eq!(
            [0, 1, 3, 4, 9].map(|outstanding| wait_seconds(outstanding, true)),
            [120, 60, 60, 120, 120]
        );
        assert_eq!(wait_seconds(0, false), 1);
    }
}
