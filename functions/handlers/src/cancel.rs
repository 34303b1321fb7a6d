//! What becomes of tasks that somebody asked to cancel: those that the service never heard of end here, for the others the
//! service is asked.

use domain::reason::{Class, Reason};
use domain::task::{Outcome, State, Task, TaskId};
use jiff::Timestamp;
use ports::Fault;
use ports::server::CancelTask;
use ports::store::{ReadItems, Versioned, WriteItems};

use crate::finish::answer;
use crate::scope::{commit, end_task};

/// Ends a task that the service does not have as cancelled, and answers its moment of the schedule with that.
pub(crate) async fn end_cancelled(
    store: &(impl ReadItems + WriteItems),
    task: &Versioned<Task>,
    now: Timestamp,
) -> Result<(), Reason> {
    let mut writes = answer(store, &task.record, &Outcome::Cancelled).await?;
    let done = task.record.ended(Outcome::Cancelled, now, None)?;
    writes.extend(end_task(task, done)?);
    commit(store, &writes).await
}

/// Ends those of some open tasks that are to be cancelled and that the service was not asked for; how many. One commit each: two of one
/// database share its head, and cancels are few.
pub(crate) async fn end_waiting(
    store: &(impl ReadItems + WriteItems),
    tasks: &mut Vec<Versioned<Task>>,
    now: Timestamp,
) -> Result<u32, Reason> {
    let waits = |task: &mut Versioned<Task>| {
        let unasked = matches!(task.record.state, State::Planned | State::Admitted { .. });
        unasked && task.record.cancel.is_some()
    };
    let cancelled: Vec<_> = tasks.extract_if(.., waits).collect();
    for task in &cancelled {
        end_cancelled(store, task, now).await?;
    }
    Ok(u32::try_from(cancelled.len()).unwrap_or(u32::MAX))
}

/// Asks the service to cancel tasks, once each. A refusal or a lost answer ends nothing: what became of the task, the next round
/// reads from its lifecycle; the task remembers why once.
pub(crate) async fn ask_service<T: CancelTask>(
    store: &impl WriteItems,
    session: &mut T,
    tasks: Vec<(Versioned<Task>, TaskId)>,
) -> Result<(), Reason> {
    for (mut task, task_id) in tasks {
        let why = match session.cancel_task(task_id).await {
            Ok(()) => continue,
            Err(Fault::Refused(reason)) => reason,
            Err(fault @ (Fault::Transient(_) | Fault::UnknownOutcome(_))) => {
                Reason::new(Class::Retry, "CancelUnheard", format!("rds_cancel_task {task_id}: {fault}"))
            }
        };
        if !task.record.notes.iter().any(|note| note.name == why.name) {
            task.record.note(why);
            commit(store, &[task.put()?]).await?;
        }
    }
    Ok(())
}
