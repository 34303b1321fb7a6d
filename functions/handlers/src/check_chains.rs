//! check-chains: the last look before dispatch, against the server's live state.
//!
//! Chooses what could start now (slots, windows, risk) and looks at each of those once more: identity, recovery model, fork,
//! and for a log copy the files that the service lists. Answers admit, promote, put off or skip, each with a Reason in the
//! task's record.

use std::collections::{BTreeMap, BTreeSet};

use domain::admission::{LOG_FILES_PER_COPY_MAX, Verdict, admit_full, admit_log_copy};
use domain::calendar::Span;
use domain::facts::DatabaseState;
use domain::inventory::{Database, LastFull};
use domain::paths::{S3Arn, backup_folder, backup_key};
use domain::policy::Policy;
use domain::reason::{Class, Reason};
use domain::request::{CopyLogs, NativeBackup};
use domain::schedule::DueItem;
use domain::slots::{Candidate, Decision, decide, full_duration};
use domain::task::{Kind, Outcome, Request, Seen, State, Task};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::server::{OpenSession, ReadDatabases, ReadLogFiles, ReadTasks};
use ports::store::{ReadItems, Versioned, Write, WriteItems};

use crate::contract::{CheckChainsOutput, InstanceRun, check_schema};
use crate::handler::Handler;
use crate::scope::{Scope, check_lease, commit_groups, databases, end_task, open_tasks};

/// Files of one native backup. Stripes sized from a forecast come with the policy that asks for them; one file holds 5 TB
/// (RDS user guide, "Limitations").
const FILES: u8 = 1;

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
    Q::Session: ReadDatabases + ReadTasks + ReadLogFiles,
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
        let live =
            rows.iter().filter(|row| row.lifecycle.is_none_or(|lifecycle| !lifecycle.is_final())).count();
        // An intent whose call never arrived is not on the server; it will want a place all the same.
        let intended =
            asked.iter().filter(|task| matches!(task.record.state, State::Intended { .. })).count();
        let outstanding = u32::try_from(live + intended).unwrap_or(u32::MAX);
        let busy: BTreeSet<String> = asked.iter().map(|task| task.record.database.clone()).collect();
        let databases = session.databases().await?;

        let fulls: BTreeSet<String> = waiting
            .iter()
            .chain(&asked)
            .filter(|task| task.record.kind == Kind::Full)
            .map(|task| task.record.database.clone())
            .collect();
        let mut chosen = Chosen::new(self, &scope, now, &databases);
        chosen.weigh(waiting).await?;
        let mut groups = Vec::new();
        for (mut open, decision) in chosen.decide(busy, outstanding) {
            let writes = match decision {
                Decision::Queue => Vec::new(),
                Decision::Hold { until, reason } => {
                    said.held += 1;
                    put_off(&mut open.task, until, reason)?
                }
                Decision::Start(note) => {
                    if let Some(note) = note {
                        open.task.record.note(note);
                    }
                    let full_waits = fulls.contains(&open.task.record.database);
                    let list = self.log_files(&mut session, &open).await?;
                    let live = databases.iter().find(|live| live.name == open.task.record.database);
                    look(open, full_waits, live, &list, &scope, now, &mut said)?
                }
            };
            groups.push(writes);
        }
        commit_groups(&self.store, groups).await?;
        Ok(said)
    }
}

/// A task that waits, with the record of its database.
struct Open {
    task: Versioned<Task>,
    database: Versioned<Database>,
}

/// What could start, weighed.
struct Chosen<'a, H> {
    handler: &'a H,
    scope: &'a Scope,
    now: Timestamp,
    live: &'a [DatabaseState],
    windows: Vec<Span>,
    open: BTreeMap<String, Open>,
}

impl<'a, S: ReadItems, Q, C> Chosen<'a, CheckChains<S, Q, C>> {
    fn new(
        handler: &'a CheckChains<S, Q, C>,
        scope: &'a Scope,
        now: Timestamp,
        live: &'a [DatabaseState],
    ) -> Self {
        let facts = scope.instance.record.facts.as_ref().map(|(_, facts)| facts);
        let backup =
            facts.and_then(|facts| facts.backup_window).and_then(|window| window.current_or_next(now));
        let maintenance =
            facts.and_then(|facts| facts.maintenance_window).and_then(|window| window.current_or_next(now));
        let windows = backup.into_iter().chain(maintenance).collect();
        Self { handler, scope, now, live, windows, open: BTreeMap::new() }
    }

    /// Reads the heads of all databases at once: cheaper than one by one as soon as two tasks wait.
    async fn weigh(&mut self, waiting: Vec<Versioned<Task>>) -> Result<(), Reason> {
        let instance = &self.scope.instance.record.name;
        let heads: BTreeMap<String, Versioned<Database>> = databases(&self.handler.store, instance)
            .await?
            .into_iter()
            .map(|head| (head.record.name.clone(), head))
            .collect();
        for task in waiting {
            let name = task.record.database.as_str();
            let database = heads.get(name).cloned().ok_or_else(|| {
                Reason::new(
                    Class::Human,
                    "RecordMissing",
                    format!("the store has no database {name} of {instance}"),
                )
            })?;
            self.open.insert(task.record.key.clone(), Open { task, database });
        }
        Ok(())
    }

    fn decide(mut self, busy: BTreeSet<String>, outstanding: u32) -> Vec<(Open, Decision)> {
        let candidates = self.open.values().map(|open| self.candidate(open)).collect();
        decide(candidates, busy, outstanding, &self.windows, self.now)
            .into_iter()
            .filter_map(|(candidate, decision)| Some((self.open.remove(&candidate.key)?, decision)))
            .collect()
    }

    fn candidate(&self, open: &Open) -> Candidate {
        let Open { task, database } = open;
        let (task, database) = (&task.record, &database.record);
        let risk = risk_per_mille(task, database, &self.scope.policy, self.now);
        let speed = self.scope.instance.record.bytes_per_second;
        let assumed = u64::from(self.scope.policy.assumed_mib_per_second) << 20;
        let live = self.live.iter().find(|live| live.name == task.database);
        let size = live.and_then(|live| live.data_bytes).unwrap_or(0);
        let size = size.max(database.last_full.as_ref().map_or(0, |full: &LastFull| full.size_bytes));
        Candidate {
            key: task.key.clone(),
            database: task.database.clone(),
            kind: task.kind,
            risk_per_mille: risk,
            not_before: task.not_before,
            duration: match task.kind {
                Kind::Full => full_duration(size, speed.unwrap_or(assumed)),
                Kind::LogCopy => SignedDuration::ZERO,
            },
        }
    }
}

/// What waiting risks. A log copy, or a full that begins or heals a chain: the exposure against the promised RPO. A full of
/// the calendar: its delay against the week until the next one at the latest, because the logs go on without it.
fn risk_per_mille(task: &Task, database: &Database, policy: &Policy, now: Timestamp) -> u64 {
    let chain_holds = database.last_full.is_some() && database.broken.is_none();
    let (waited, promised) = if task.kind == Kind::Full && chain_holds {
        (now.duration_since(task.due_at), SignedDuration::from_hours(7 * 24))
    } else {
        let promised = SignedDuration::from_mins(i64::from(policy.objectives.rpo_minutes.instance));
        // A database without any backup risks all it ever was: it comes before everybody else.
        (database.exposure(now).unwrap_or(SignedDuration::from_hours(24 * 365)), promised)
    };
    let risk = waited.as_secs().max(0).saturating_mul(1_000) / promised.as_secs().max(1);
    u64::try_from(risk).unwrap_or(0)
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

impl<S, Q, C> CheckChains<S, Q, C> {
    /// The files that a log copy could take: after the newest in the vault, or all that there are.
    async fn log_files<T: ReadLogFiles>(
        &self,
        session: &mut T,
        open: &Open,
    ) -> Result<Vec<domain::facts::LogFile>, Reason> {
        let task = &open.task.record;
        if task.kind != Kind::LogCopy {
            return Ok(Vec::new());
        }
        let after = open.database.record.log_tail.as_ref().map_or(0, |tail| tail.seq);
        Ok(session.log_files(&task.database, after, LOG_FILES_PER_COPY_MAX).await?)
    }
}

/// The verdict on one task, as writes. `full_waits`: its database has an open full already.
fn look(
    open: Open,
    full_waits: bool,
    live: Option<&DatabaseState>,
    files: &[domain::facts::LogFile],
    scope: &Scope,
    now: Timestamp,
    said: &mut CheckChainsOutput,
) -> Result<Vec<Write>, Reason> {
    let verdict = match open.task.record.kind {
        Kind::Full => match admit_full(&open.database.record, live) {
            Verdict::Admit(_) => Verdict::Admit(Request::Backup(native_backup(&open.task.record, scope))),
            Verdict::Skip(reason) => Verdict::Skip(reason),
            Verdict::Promote(reason) => Verdict::Promote(reason),
        },
        Kind::LogCopy => match admit_log_copy(&open.database.record, live, files) {
            Verdict::Admit(range) => Verdict::Admit(Request::Copy(CopyLogs {
                database: open.task.record.database.clone(),
                kms_key_arn: scope.log_copy_key(),
                first_seq: range.first_seq,
                last_seq: range.last_seq,
            })),
            Verdict::Skip(reason) => Verdict::Skip(reason),
            Verdict::Promote(reason) => Verdict::Promote(reason),
        },
    };
    let Open { mut task, mut database } = open;
    match verdict {
        Verdict::Admit(request) => {
            said.admitted += 1;
            task.record.seen = live.and_then(|live| {
                let lineage = domain::admission::lineage_of(live)?;
                Some(Seen { lineage, fork: live.recovery_fork_guid.clone() })
            });
            task.record.advance(State::Admitted { request, at: now })?;
            Ok(vec![task.put()?])
        }
        Verdict::Skip(reason) => {
            said.skipped += 1;
            skip(&task, &mut database, reason, now)
        }
        Verdict::Promote(reason) => {
            said.promoted += 1;
            database.record.broken = Some(reason.clone());
            let mut writes = skip(&task, &mut database, reason.clone(), now)?;
            // Its database may have a full of the calendar waiting: that one heals the chain as well.
            if !full_waits {
                let Task { instance, database, due_at, .. } = &task.record;
                let item = DueItem { kind: Kind::Full, moment: *due_at };
                let mut full = Task::plan(instance, database, &item, now);
                full.note(reason);
                writes.push(Versioned::new(full).put()?);
            }
            Ok(writes)
        }
    }
}

/// The task ends with its reason, and its moment of the schedule is answered.
fn skip(
    task: &Versioned<Task>,
    database: &mut Versioned<Database>,
    reason: Reason,
    now: Timestamp,
) -> Result<Vec<Write>, Reason> {
    database.record.answered.answer(task.record.kind, task.record.due_at);
    let done = task.record.ended(Outcome::Skipped(reason), now, None)?;
    let [remove, keep] = end_task(task, done)?;
    Ok(vec![remove, keep, database.put()?])
}

fn native_backup(task: &Task, scope: &Scope) -> NativeBackup {
    let folder = backup_folder(&scope.vault.prefix, &task.instance, &task.database, &task.folder_name());
    let arn = S3Arn {
        partition: scope.partition().to_owned(),
        bucket: scope.vault.bucket.clone(),
        key: backup_key(&folder, FILES),
    };
    NativeBackup {
        database: task.database.clone(),
        s3_arn: arn.to_string(),
        kms_key_arn: scope.vault.kms_key_arn.clone(),
        differential: false,
        files: FILES,
    }
}
