//! What becomes of a task by its verdict, or by the decision that it waits: writes to the store.

use domain::admission::{Verdict, healing, near_horizon, stopped};
use domain::facts::DatabaseState;
use domain::inventory::Database;
use domain::policy::Policy;
use domain::promotion::promote;
use domain::reason::Reason;
use domain::schedule::{DueItem, latest_log_copy};
use domain::slots::Decision;
use domain::task::{Kind, Outcome, Request, Seen, State, Task};
use jiff::{SignedDuration, Timestamp};
use ports::store::{Versioned, Write};

use super::verdict::Look;
use crate::choose::Open;
use crate::contract::CheckChainsOutput;
use crate::finish::unprotected;
use crate::scope::{end_task, of_chain};

/// How long a task waits for a place before that is remembered: shorter waits are the order of the day. Policy of ours.
const QUEUED_IN_SILENCE: SignedDuration = SignedDuration::from_hours(1);

/// A task that does not start now. Writes only when something is news: it is held in every round.
pub(super) fn waits(
    mut open: Open,
    decision: Decision,
    now: Timestamp,
    said: &mut CheckChainsOutput,
) -> Result<Vec<Write>, Reason> {
    let warned = warn_of_horizon(&mut open, now);
    let withdrawn = withdraw(&mut open.task.record)?;
    let task = &mut open.task;
    let long = now.duration_since(task.record.planned_at) >= QUEUED_IN_SILENCE;
    let news = match decision {
        Decision::Queue { reason } => long && note(&mut task.record, reason),
        Decision::Wait { reason } => {
            said.held += 1;
            note(&mut task.record, reason)
        }
        Decision::Hold { until, reason } => {
            said.held += 1;
            put_off(&mut task.record, until, reason)
        }
        Decision::Start { .. } => false,
    };
    if warned || withdrawn || news { Ok(vec![task.put()?]) } else { Ok(Vec::new()) }
}

/// An admission that was not acted on is worth nothing when the task has to wait after all.
fn withdraw(task: &mut Task) -> Result<bool, Reason> {
    let admitted = matches!(task.state, State::Admitted { .. });
    if admitted {
        task.advance(State::Planned)?;
        (task.ends_by, task.place) = (None, None);
    }
    Ok(admitted)
}

/// Remembers once that the logs a task waits to copy will soon be gone. Whether that is news.
pub(super) fn warn_of_horizon(open: &mut Open, now: Timestamp) -> bool {
    let task = &mut open.task.record;
    let near = near_horizon(&open.database.record, now)
        .filter(|near| task.kind == Kind::LogCopy && !task.notes.iter().any(|note| note.name == near.name));
    let Some(near) = near else { return false };
    task.note(near);
    true
}

/// Whether it is news that a task is not to be started before a moment.
fn put_off(task: &mut Task, until: Timestamp, reason: Reason) -> bool {
    let news = task.not_before != Some(until);
    if news {
        task.not_before = Some(until);
        task.note(reason);
    }
    news
}

/// Whether a task waits for another reason than before: how many it waits for changes with every round.
fn note(task: &mut Task, reason: Reason) -> bool {
    let news = task.notes.last().is_none_or(|last| last.name != reason.name);
    if news {
        task.note(reason);
    }
    news
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
pub(super) fn carry_out(
    open: Open,
    verdict: Verdict<Request>,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    said: &mut CheckChainsOutput,
) -> Result<Vec<Write>, Reason> {
    let Open { task, mut database, break_behind } = open;
    let before = database.record.broken.clone();
    let mut writes = answer(task, &mut database, verdict, break_behind, live, look, said)?;
    writes.extend(of_chain(before.as_ref(), &database.record, look.now)?);
    Ok(writes)
}

fn answer(
    mut task: Versioned<Task>,
    database: &mut Versioned<Database>,
    verdict: Verdict<Request>,
    break_behind: Option<Reason>,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    said: &mut CheckChainsOutput,
) -> Result<Vec<Write>, Reason> {
    let now = look.now;
    match verdict {
        Verdict::Admit(request) => {
            said.admitted += 1;
            task.record.seen = live.and_then(|live| {
                let lineage = domain::admission::lineage_of(live)?;
                Some(Seen { lineage, fork: live.recovery_fork_guid.clone(), at: Some(now) })
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
            if let Some(why) = break_behind.or(stopped) {
                writes.extend(heal(&task.record, database, live, look, why)?);
            }
            Ok(writes)
        }
        Verdict::Defer(reason)
            if now.duration_since(open_since(&task.record))
                < patience(task.record.kind, &look.scope.policy) =>
        {
            said.held += 1;
            withdraw(&mut task.record)?;
            put_off(&mut task.record, now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX), reason);
            Ok(vec![task.put()?])
        }
        Verdict::Defer(reason) | Verdict::Skip(reason) => {
            said.skipped += 1;
            skip(&task, database, reason, now)
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
                return skip(&task, database, reason, now);
            }
            if let Err(limit) = out_of_turn(&mut database.record, live, look, &reason) {
                said.skipped += 1;
                return skip(&task, database, limit, now);
            }
            said.promoted += 1;
            let healer = instead(&task.record, kind, reason.clone(), now)?;
            let mut writes = skip(&task, database, reason, now)?;
            writes.push(healer);
            Ok(writes)
        }
    }
}

/// Since when a task can be tried: what came due while nobody ran was planned later.
fn open_since(task: &Task) -> Timestamp {
    task.due_at.max(task.planned_at)
}

/// A data backup that starts the chain again, where none waits already and the limit allows one: planned beside the copy that it
/// comes behind.
fn heal(
    copy: &Task,
    database: &mut Versioned<Database>,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
    why: Reason,
) -> Result<Vec<Write>, Reason> {
    if look.full_waits || look.differential_waits {
        // That one heals the chain as well, and has to know that it does.
        database.record.broken = Some(why);
        return Ok(vec![database.put()?]);
    }
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
    let outcome = Outcome::Skipped(reason);
    database.record.answered.learn(&task.record, &outcome);
    let done = task.record.ended(outcome, now, None)?;
    let mut writes = end_task(task, done)?;
    writes.push(database.put()?);
    Ok(writes)
}

/// A task of a database that nobody protects any more ends with that reason.
pub(super) fn orphaned(task: &Versioned<Task>, now: Timestamp) -> Result<Vec<Write>, Reason> {
    let done = task.record.ended(Outcome::Skipped(unprotected(&task.record)), now, None)?;
    end_task(task, done)
}
