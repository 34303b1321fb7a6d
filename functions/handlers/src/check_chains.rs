//! check-chains: the last look before dispatch, against the server's live state.
//!
//! Chooses what could start now (slots, windows, risk) and looks at each of those once more: identity, recovery model, fork,
//! for a differential its base, and for a log copy the files that the service lists. Answers admit, promote, put off or
//! skip, each with a Reason in the task's record. A promotion plans a full, within the limit of the policy.

use std::collections::BTreeSet;

use domain::admission::{
    LOG_FILES_PER_COPY_MAX, Verdict, Weighed, admit_differential, admit_full, admit_log_copy, base_is_ours,
    healing, near_horizon, stopped,
};
use domain::backup::Backup;
use domain::facts::DatabaseState;
use domain::inventory::Database;
use domain::policy::Policy;
use domain::promotion::promote;
use domain::reason::Reason;
use domain::request::CopyLogs;
use domain::schedule::{DueItem, latest_log_copy};
use domain::slots::Decision;
use domain::task::{Kind, Outcome, Request, Seen, State, Task, TaskRow};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ports::server::{OpenSession, ReadDatabases, ReadHistory, ReadLogFiles, ReadTasks};
use ports::store::{ReadItems, Versioned, Write, WriteItems};
use ports::{Clock, Fault};

use crate::choose::{Chosen, Open};
use crate::contract::{CheckChainsOutput, InstanceRun, check_schema};
use crate::finish::unprotected;
use crate::handler::Handler;
use crate::scope::{Scope, check_lease, commit_groups, end_task, open_tasks};
use crate::shape::{native_backup, shape};

/// Checks tasks against the live server.
pub struct CheckChains<S, Q, C> {
    /// Task store.
    pub store: S,
    /// SQL Server.
    pub servers: Q,
    /// Clock.
    pub clock: C,
}

impl<S, Q, C> Handler for CheckChains<S, Q, C>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: ReadDatabases + ReadTasks + ReadLogFiles + ReadHistory,
    C: Clock,
{
    type Input = InstanceRun;
    type Output = CheckChainsOutput;
    const NAME: &'static str = "check-chains";

    async fn handle(&self, input: InstanceRun) -> Result<CheckChainsOutput, Reason> {
        check_schema(input.schema)?;
        let now = self.clock.now();
        check_lease(&self.store, &input, now).await?;
        let mut said = CheckChainsOutput { admitted: 0, skipped: 0, promoted: 0, held: 0 };
        let tasks = open_tasks(&self.store, &input.instance).await?;
        let (waiting, asked): (Vec<_>, Vec<_>) = tasks
            .into_iter()
            .partition(|task| matches!(task.record.state, State::Planned | State::Admitted { .. }));
        if waiting.is_empty() {
            return Ok(said);
        }
        let scope = Scope::load(&self.store, &input.instance).await?;
        let mut session = self.servers.open(&scope.endpoint()).await?;
        let rows = session.tasks(scope.instance.record.tasks_from).await?;
        let unfinished = || rows.iter().filter(|row| row.is_unfinished());
        let ahead = ahead(&asked, &rows);
        let busy: BTreeSet<String> = asked
            .iter()
            .map(|task| task.record.database.clone())
            .chain(unfinished().filter_map(|row| row.database.clone()))
            .collect();
        let databases = session.databases().await?;

        let open = || waiting.iter().chain(&asked);
        let (fulls, differentials) = (of_kind(open(), Kind::Full), of_kind(open(), Kind::Differential));
        let mut chosen = Chosen::new(&scope, now, &databases)?;
        let mut groups = Vec::new();
        let copied = of_kind(asked.iter(), Kind::LogCopy);
        let heads = crate::scope::databases(&self.store, &input.instance).await?;
        for orphan in chosen.weigh(waiting, &copied, heads) {
            said.skipped += 1;
            groups.push(orphaned(&orphan, now)?);
        }
        for (place, (mut open, decision)) in (0_u32..).zip(chosen.decide(busy, ahead)?) {
            let warned = warn_of_horizon(&mut open, now);
            let writes = match decision {
                Decision::Queue if warned => vec![open.task.put()?],
                Decision::Queue => Vec::new(),
                Decision::Wait { reason } => {
                    said.held += 1;
                    waits(&mut open.task, reason)?
                }
                Decision::Hold { until, reason } => {
                    said.held += 1;
                    let writes = put_off(&mut open.task, until, reason)?;
                    if warned && writes.is_empty() { vec![open.task.put()?] } else { writes }
                }
                Decision::Start { ends_by, note } => {
                    (open.task.record.ends_by, open.task.record.place) = (ends_by, Some(place));
                    if let Some(note) = note {
                        open.task.record.note(note);
                    }
                    let live = chosen.live(&open.task.record.database);
                    let look = Look {
                        scope: &scope,
                        full_waits: fulls.contains(&open.task.record.database),
                        differential_waits: differentials.contains(&open.task.record.database),
                        bytes_per_second: chosen.bytes_per_second(),
                        now,
                    };
                    let verdict = verdict(&mut session, &mut open, live, &look).await?;
                    carry_out(open, verdict, live, &look, &mut said)?
                }
            };
            groups.push(writes);
        }
        commit_groups(&self.store, groups).await?;
        Ok(said)
    }
}

/// Databases that have a task of a kind.
fn of_kind<'t>(tasks: impl Iterator<Item = &'t Versioned<Task>>, kind: Kind) -> BTreeSet<String> {
    let of_kind = tasks.filter(|task| task.record.kind == kind);
    of_kind.map(|task| task.record.database.clone()).collect()
}

/// Remembers once that the logs a task waits to copy will soon be gone. Whether that is news.
fn warn_of_horizon(open: &mut Open, now: Timestamp) -> bool {
    let task = &mut open.task.record;
    let near = near_horizon(&open.database.record, now)
        .filter(|near| task.kind == Kind::LogCopy && !task.notes.iter().any(|note| note.name == near.name));
    let Some(near) = near else { return false };
    task.note(near);
    true
}

/// Writes only when something is news: a task that waits for a window is held in every round.
fn put_off(task: &mut Versioned<Task>, until: Timestamp, reason: Reason) -> Result<Vec<Write>, Reason> {
    if task.record.not_before == Some(until) {
        return Ok(Vec::new());
    }
    task.record.not_before = Some(until);
    task.record.note(reason);
    Ok(vec![task.put()?])
}

/// Writes only when the task waits for another reason than before: how many it waits for changes with every round.
fn waits(task: &mut Versioned<Task>, reason: Reason) -> Result<Vec<Write>, Reason> {
    if task.record.notes.last().is_some_and(|last| last.name == reason.name) {
        return Ok(Vec::new());
    }
    task.record.note(reason);
    Ok(vec![task.put()?])
}

/// What one task is looked at with.
struct Look<'a> {
    scope: &'a Scope,
    /// The database has an open full.
    full_waits: bool,
    /// The database has an open differential.
    differential_waits: bool,
    bytes_per_second: u64,
    now: Timestamp,
}

/// By when each task that waits or runs has ended at worst: ours as forecast, everybody else's nobody knows. An intent whose
/// call never arrived is not on the server; it will want a place all the same.
fn ahead(asked: &[Versioned<Task>], rows: &[TaskRow]) -> Vec<Option<Timestamp>> {
    let ours = |row: &TaskRow| {
        let mine = asked.iter().find(
            |task| matches!(&task.record.state, State::Submitted { task_id, .. } if *task_id == row.id),
        );
        mine.and_then(|task| task.record.ends_by)
    };
    let listed = rows.iter().filter(|row| row.is_unfinished()).map(ours);
    let intended = asked.iter().filter(|task| matches!(task.record.state, State::Intended { .. }));
    listed.chain(intended.map(|task| task.record.ends_by)).collect()
}

/// The verdict on one task. What the server refuses to tell of one database is that database's trouble, not the run's.
async fn verdict<T: ReadLogFiles + ReadHistory>(
    session: &mut T,
    open: &mut Open,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
) -> Result<Verdict<Request>, Reason> {
    let (task, head, scope) = (&mut open.task.record, &open.database.record, look.scope);
    let backup = |task: &mut Task| {
        let chosen = shape(task, head, live, (&scope.policy, &scope.vault), look.now);
        chosen.notes.into_iter().for_each(|note| task.note(note));
        Request::Backup(native_backup(task, scope, chosen.layout))
    };
    match task.kind {
        Kind::LogCopy => {}
        Kind::Full => {
            return Ok(admit_full(head, live).map(|_| backup(task)));
        }
        Kind::Differential => {
            let history = match history(session, head, live).await {
                Ok(history) => history,
                Err(Fault::Refused(reason)) => return Ok(Verdict::Defer(reason)),
                Err(fault) => return Err(fault.into_reason()),
            };
            let weighed = Weighed {
                policy: &scope.policy,
                history: &history,
                bytes_per_second: look.bytes_per_second,
                full_is_open: look.full_waits,
                now: look.now,
            };
            let verdict = admit_differential(head, live, &weighed)?;
            return Ok(verdict.map(|_| backup(task)));
        }
    }
    // Only an online database lists its files; whatever else it is, the verdict says so without them.
    let files = if live.is_some_and(|live| live.state == "ONLINE") {
        let after = head.log_tail.as_ref().map_or(0, |tail| tail.seq);
        match session.log_files(&task.database, after, LOG_FILES_PER_COPY_MAX).await {
            Ok(files) => files,
            Err(Fault::Refused(reason)) => return Ok(Verdict::Defer(reason)),
            Err(fault) => return Err(fault.into_reason()),
        }
    } else {
        Vec::new()
    };
    let admitted = admit_log_copy(head, live, &files);
    if let Verdict::Admit(range) = &admitted {
        open.break_behind.clone_from(&range.break_behind);
    }
    Ok(admitted.map(|range| {
        Request::Copy(CopyLogs {
            database: task.database.clone(),
            kms_key_arn: scope.log_copy_key(),
            first_seq: range.first_seq,
            last_seq: range.last_seq,
        })
    }))
}

/// Rows that may name what took the base: read only where the base is not ours.
async fn history<T: ReadHistory>(
    session: &mut T,
    head: &Database,
    live: Option<&DatabaseState>,
) -> Result<Vec<Backup>, Fault> {
    let lost = live.is_some_and(|live| base_is_ours(head, live) == Some(false));
    let Some(full) = head.last_full.as_ref().filter(|_| lost) else { return Ok(Vec::new()) };
    // On the server's clock, whose zone is not known here: a day earlier is early enough in any.
    let since = full.finished_at.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    session.backups(&head.name, since.to_zoned(TimeZone::UTC).datetime()).await
}

/// How long a passing state is waited out before the moment of the schedule is answered with it.
fn patience(kind: Kind, policy: &Policy) -> SignedDuration {
    match kind {
        Kind::Full => SignedDuration::from_hours(24),
        Kind::Differential | Kind::LogCopy => {
            SignedDuration::from_mins(i64::from(policy.schedule.log_copy.every_minutes))
        }
    }
}

/// How soon a passing state is looked at again.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// A verdict as writes.
fn carry_out(
    open: Open,
    verdict: Verdict<Request>,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    said: &mut CheckChainsOutput,
) -> Result<Vec<Write>, Reason> {
    let Open { mut task, mut database, break_behind } = open;
    let now = look.now;
    match verdict {
        Verdict::Admit(request) => {
            said.admitted += 1;
            task.record.seen = live.and_then(|live| {
                let lineage = domain::admission::lineage_of(live)?;
                Some(Seen { lineage, fork: live.recovery_fork_guid.clone() })
            });
            if task.record.kind == Kind::LogCopy {
                // What is copied now are all logs there are: whatever came due while it waited is answered with them.
                task.record.answers_to = Some(latest_log_copy(&look.scope.policy, now))
                    .filter(|newest| *newest > task.record.due_at);
            }
            task.record.advance(State::Admitted { request, at: now })?;
            let mut writes = vec![task.put()?];
            // The copy brings what the service has; behind it comes nothing more until a data backup starts the chain.
            let stopped = live.filter(|_| task.record.kind == Kind::LogCopy).and_then(stopped);
            if let Some(why) =
                break_behind.or(stopped).filter(|_| !look.full_waits && !look.differential_waits)
            {
                writes.extend(heal(&task.record, &mut database, live, look, why)?);
            }
            Ok(writes)
        }
        Verdict::Defer(reason)
            if now.duration_since(task.record.due_at) < patience(task.record.kind, &look.scope.policy) =>
        {
            said.held += 1;
            put_off(&mut task, now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX), reason)
        }
        Verdict::Defer(reason) | Verdict::Skip(reason) => {
            said.skipped += 1;
            skip(&task, &mut database, reason, now)
        }
        Verdict::Promote(reason) => {
            // A lost base breaks no chain: the logs go on.
            if task.record.kind == Kind::LogCopy {
                database.record.broken = Some(reason.clone());
            }
            let is_copy = task.record.kind == Kind::LogCopy;
            let kind = if is_copy { healing(&database.record, live, &reason) } else { Kind::Full };
            // Its database may have one of the calendar waiting: that one heals the chain as well.
            let waits = kind == Kind::Differential && look.differential_waits;
            if look.full_waits || waits {
                said.skipped += 1;
                return skip(&task, &mut database, reason, now);
            }
            if let Err(limit) = out_of_turn(&mut database.record, live, look, &reason) {
                said.skipped += 1;
                return skip(&task, &mut database, limit, now);
            }
            said.promoted += 1;
            let healer = instead(&task.record, kind, reason.clone(), now)?;
            let mut writes = skip(&task, &mut database, reason, now)?;
            writes.push(healer);
            Ok(writes)
        }
    }
}

/// A data backup that starts the chain again, where the limit allows one: planned beside the copy that it comes behind.
fn heal(
    copy: &Task,
    database: &mut Versioned<Database>,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    why: Reason,
) -> Result<Vec<Write>, Reason> {
    if out_of_turn(&mut database.record, live, look, &why).is_err() {
        // The next copy meets the limit, and says so.
        return Ok(Vec::new());
    }
    let kind = healing(&database.record, live, &why);
    let healer = instead(copy, kind, why.clone(), look.now)?;
    database.record.broken = Some(why);
    Ok(vec![database.put()?, healer])
}

/// A data backup that is planned for the moment of another task, and why.
fn instead(of: &Task, kind: Kind, why: Reason, now: Timestamp) -> Result<Write, Reason> {
    let item = DueItem { kind, moment: of.due_at };
    let mut task = Task::plan(&of.instance, &of.database, &item, now);
    task.note(why);
    Ok(Versioned::new(task).put()?)
}

/// Whether a data backup may be taken out of turn now. What the live server says decides whether it is one out of turn: the head may still tell
/// of a break of the database that had the name before.
fn out_of_turn(
    head: &mut Database,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    why: &Reason,
) -> Result<(), Reason> {
    let lineage = live.and_then(domain::admission::lineage_of);
    promote(&look.scope.policy, head, lineage.as_ref(), why, look.now)
}

/// The task ends with its reason, and its moment of the schedule is answered.
fn skip(
    task: &Versioned<Task>,
    database: &mut Versioned<Database>,
    reason: Reason,
    now: Timestamp,
) -> Result<Vec<Write>, Reason> {
    database.record.answered.answer(task.record.kind, task.record.answered_moment());
    let done = task.record.ended(Outcome::Skipped(reason), now, None)?;
    let [remove, keep] = end_task(task, done)?;
    Ok(vec![remove, keep, database.put()?])
}

/// A task of a database that nobody protects any more ends with that reason.
fn orphaned(task: &Versioned<Task>, now: Timestamp) -> Result<Vec<Write>, Reason> {
    let done = task.record.ended(Outcome::Skipped(unprotected(&task.record)), now, None)?;
    Ok(end_task(task, done)?.to_vec())
}
