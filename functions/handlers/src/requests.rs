//! What people ask of an instance's run: a backup on demand, a cancel. Written into the task store, which is the run's mailbox.
//!
//! Each request is one commit together with the instance, which becomes due now: a run that gives its lease back at the same moment writes
//! the instance too, so one of the two comes later and sees the other. Whoever asked wakes the run afterwards; where that fails,
//! list-work finds the instance.

use domain::inventory::{Database, database_key};
use domain::mailbox::{
    Answer, Answers, Asked, Asking, Requested, after_end, answers_key, ask, before_end, check_caller,
    check_idempotency_key,
};
use domain::reason::{Class, Reason};
use domain::task::{Kind, Task};
use jiff::Timestamp;
use ports::store::{ReadItems, Versioned, Write, WriteItems, load};
use serde::{Deserialize, Serialize};

use crate::scope::{Scope, commit, open_tasks};
use crate::views::one_task;

/// Times that a request is written anew because others wrote first. Policy of ours: the next one is the caller's.
const TRIES: u32 = 3;

/// Characters of a database name (sysname; Microsoft Learn, "Database identifiers").
const NAME_MAX: usize = 128;

/// Asks for a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRequest {
    /// Instance.
    pub instance: String,
    /// Database.
    pub database: String,
    /// What to take.
    pub kind: Kind,
    /// Who asks.
    pub requested_by: String,
    /// The same key of the same caller asks for the same thing, for a day.
    pub idempotency_key: String,
}

/// A request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Key of the task that answers it.
    pub task: String,
    /// Whether the task was planned for it; otherwise it was open already.
    pub is_new: bool,
    /// What the caller has to know.
    pub notes: Vec<Reason>,
}

/// Asks to cancel a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// Instance.
    pub instance: String,
    /// Key of the task.
    pub task: String,
    /// Who asks.
    pub requested_by: String,
}

/// What becomes of a cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAnswer {
    /// Key of the task.
    pub task: String,
    /// Whether it will be tried.
    pub outcome: CancelOutcome,
    /// What the caller has to know.
    pub notes: Vec<Reason>,
}

/// Whether a cancel will be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelOutcome {
    /// The run will; how the task ends, its record tells.
    Requested,
    /// The task had ended.
    AlreadyEnded,
}

/// Plans a backup on demand, or finds the open task that answers the request.
///
/// # Errors
/// `RequestMalformed`, `ProtectionStopped`, `KeyReused`, `DatabaseUnknown`, `DatabaseGone`, `CancelPending`, `TooManyRequests`,
/// `RecordMissing`; `Conflict` when others wrote first again and again; the store's own.
pub async fn request_backup(
    store: &(impl ReadItems + WriteItems),
    request: &BackupRequest,
    now: Timestamp,
) -> Result<Accepted, Reason> {
    check_caller(&request.requested_by)?;
    check_idempotency_key(&request.idempotency_key)?;
    let length = request.database.chars().count();
    if !(1..=NAME_MAX).contains(&length) {
        let what = format!("a database name has 1 to {NAME_MAX} characters, not {length}");
        return Err(Reason::new(Class::Never, "RequestMalformed", what));
    }
    let mut tries = 1;
    loop {
        let (accepted, writes) = accept(store, request, now).await?;
        match commit(store, &writes).await {
            Err(reason) if reason.name == "Conflict" && tries < TRIES => tries += 1,
            written => return written.map(|()| accepted),
        }
    }
}

/// The answer, and what has to be written before it may be given.
async fn accept(
    store: &impl ReadItems,
    request: &BackupRequest,
    now: Timestamp,
) -> Result<(Accepted, Vec<Write>), Reason> {
    let BackupRequest { instance, database, kind, requested_by, idempotency_key } = request;
    let mut scope = Scope::load(store, instance).await?;
    scope.instance.record.must_be_protected()?;
    let stored: Option<Versioned<Answers>> = load(store, answers_key(instance, idempotency_key)).await?;
    let mut answers = stored.unwrap_or_else(|| Versioned::new(Answers::none(instance, idempotency_key)));
    let of = (database.as_str(), *kind);
    if let Some(given) = answers.record.find(idempotency_key, of, requested_by, now)? {
        let Answer { task, is_new, notes, .. } = given.clone();
        return Ok((Accepted { task, is_new, notes }, Vec::new()));
    }
    let head: Option<Versioned<Database>> = load(store, database_key(instance, database)).await?;
    let head = head.ok_or_else(|| unknown(instance, database))?.record;
    let open = open_tasks(store, instance).await?;
    let open: Vec<&Task> = open.iter().map(|task| &task.record).collect();
    let asked = ask(&Asking { policy: &scope.policy, head: &head, kind: *kind, open: &open })?;
    let mut writes = Vec::new();
    let accepted = match asked {
        Asked::Open(task, notes) => Accepted { task: task.key.clone(), is_new: false, notes },
        Asked::Plan(notes) => {
            let by = Requested { by: requested_by.clone(), at: now };
            let task = Task::on_demand(instance, database, *kind, by);
            let accepted = Accepted { task: task.key.clone(), is_new: true, notes };
            writes.extend([Versioned::new(task).put()?, due_now(&mut scope, now)?]);
            accepted
        }
    };
    let Accepted { task, is_new, notes } = accepted.clone();
    let (key, database) = (idempotency_key.clone(), database.clone());
    let by = requested_by.clone();
    answers.record.remember(Answer { key, database, kind: *kind, by, at: now, task, is_new, notes }, now)?;
    writes.push(answers.put()?);
    Ok((accepted, writes))
}

fn unknown(instance: &str, database: &str) -> Reason {
    Reason::new(Class::Human, "DatabaseUnknown", format!("no database {database} of {instance} is enrolled"))
        .guidance("enrol it, or compare the spelling: names are taken as they are enrolled")
}

/// The write that makes the instance due.
fn due_now(scope: &mut Scope, now: Timestamp) -> Result<Write, Reason> {
    scope.instance.record.due_by(now);
    Ok(scope.instance.put()?)
}

/// Writes down that a task is to be cancelled. Asking again changes nothing.
///
/// # Errors
/// `RequestMalformed`, `TaskUnknown`, `TaskOutOfReach`, `RecordMissing`; `Conflict` when others wrote first again and again; the store's own.
pub async fn request_cancel(
    store: &(impl ReadItems + WriteItems),
    request: &CancelRequest,
    now: Timestamp,
) -> Result<CancelAnswer, Reason> {
    check_caller(&request.requested_by)?;
    let mut tries = 1;
    loop {
        let (answer, writes) = cancel(store, request, now).await?;
        match commit(store, &writes).await {
            Err(reason) if reason.name == "Conflict" && tries < TRIES => tries += 1,
            written => return written.map(|()| answer),
        }
    }
}

async fn cancel(
    store: &impl ReadItems,
    request: &CancelRequest,
    now: Timestamp,
) -> Result<(CancelAnswer, Vec<Write>), Reason> {
    let CancelRequest { instance, task: key, requested_by } = request;
    let mut scope = Scope::load(store, instance).await?;
    let open = open_tasks(store, instance).await?;
    let Some(mut task) = open.into_iter().find(|task| task.record.key == *key) else {
        let ended = one_task(store, instance, key).await?;
        let (outcome, notes) = (CancelOutcome::AlreadyEnded, vec![after_end(&ended)]);
        return Ok((CancelAnswer { task: key.clone(), outcome, notes }, Vec::new()));
    };
    let database = &task.record.database;
    let head: Option<Versioned<Database>> = load(store, database_key(instance, database)).await?;
    let head = head.map_or_else(|| Database::new(instance, database), |head| head.record);
    let notes = before_end(&scope.policy, &head, &task.record, now)?;
    let answer = CancelAnswer { task: key.clone(), outcome: CancelOutcome::Requested, notes };
    if task.record.cancel.is_some() {
        return Ok((answer, Vec::new()));
    }
    task.record.cancel = Some(Requested { by: requested_by.clone(), at: now });
    Ok((answer, vec![task.put()?, due_now(&mut scope, now)?]))
}
