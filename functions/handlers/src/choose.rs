//! What could start now: the tasks that wait, weighed against each other, against slots and windows.
//!
//! Gathers what `domain::slots` needs to decide; decides nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use domain::calendar::{Span, occurrences};
use domain::facts::{DatabaseState, RecoveryModel};
use domain::guards;
use domain::inventory::Database;
use domain::policy::Policy;
use domain::reason::Reason;
use domain::schedule::{latest_log_copy, log_interval, next_data};
use domain::slots::{
    Candidate, Decision, Load, NextCopy, copy_duration, decide, differential_bytes, full_duration,
    with_margin,
};
use domain::task::{Kind, Task};
use jiff::{SignedDuration, Timestamp};
use ports::store::Versioned;

use crate::scope::Scope;

/// A task that waits, with the record of its database.
pub(crate) struct Open {
    pub(crate) task: Versioned<Task>,
    pub(crate) database: Versioned<Database>,
    /// Why the logs do not go on behind those that are copied now, found when the server was looked at.
    pub(crate) break_behind: Option<Reason>,
}

/// What could start, weighed.
pub(crate) struct Chosen<'a> {
    scope: &'a Scope,
    now: Timestamp,
    /// By name in lower case.
    live: BTreeMap<String, Vec<&'a DatabaseState>>,
    windows: Vec<Span>,
    open: BTreeMap<String, Open>,
    /// Log copies that are not due yet, by database.
    next_copies: BTreeMap<String, NextCopy>,
}

/// How far ahead windows are looked at: a day of waiting, and the longest full after it.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 8);

impl<'a> Chosen<'a> {
    pub(crate) fn new(scope: &'a Scope, now: Timestamp, live: &'a [DatabaseState]) -> Result<Self, Reason> {
        let facts = scope.instance.record.facts.as_ref().map(|(_, facts)| facts);
        let until = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        let backup = facts.and_then(|facts| facts.backup_window);
        let maintenance = facts.and_then(|facts| facts.maintenance_window);
        let daily = backup.map(|window| occurrences(now, until, |at| window.current_or_next(at)));
        let weekly = maintenance.map(|window| occurrences(now, until, |at| window.current_or_next(at)));
        let guards = guards::occurrences(&scope.policy, now, until)?;
        let windows = daily.into_iter().chain(weekly).flatten().chain(guards).collect();
        let mut by_name: BTreeMap<String, Vec<&DatabaseState>> = BTreeMap::new();
        for database in live {
            by_name.entry(database.name.to_lowercase()).or_default().push(database);
        }
        Ok(Self { scope, now, live: by_name, windows, open: BTreeMap::new(), next_copies: BTreeMap::new() })
    }

    /// The live database of a name: the very name, or the only one that differs by case.
    pub(crate) fn live(&self, name: &str) -> Option<&'a DatabaseState> {
        let alike = self.live.get(&name.to_lowercase())?.as_slice();
        let exact = alike.iter().find(|live| live.name == name).copied();
        let only = if let [only] = alike { Some(*only) } else { None };
        exact.or(only)
    }

    /// Takes the tasks that wait, each with the head of its database, and what will come due of the others. `copied`: databases whose
    /// logs the service copies now. Returns the tasks whose database has no head.
    pub(crate) fn weigh(
        &mut self,
        waiting: Vec<Versioned<Task>>,
        copied: &BTreeSet<String>,
        heads: Vec<Versioned<Database>>,
    ) -> Vec<Versioned<Task>> {
        let heads: BTreeMap<String, Versioned<Database>> =
            heads.into_iter().map(|head| (head.record.name.clone(), head)).collect();
        let copying: BTreeSet<&str> = waiting
            .iter()
            .filter(|task| task.record.kind == Kind::LogCopy)
            .map(|task| task.record.database.as_str())
            .collect();
        let is_copied = |name: &str| copying.contains(name) || copied.contains(name);
        let calm = heads.values().filter(|head| !is_copied(&head.record.name));
        self.next_copies =
            calm.filter_map(|head| Some((head.record.name.clone(), self.next_copy(&head.record)?))).collect();
        let mut orphans = Vec::new();
        for task in waiting {
            match heads.get(&task.record.database).cloned() {
                Some(database) => {
                    self.open.insert(task.record.key.clone(), Open { task, database, break_behind: None });
                }
                None => orphans.push(task),
            }
        }
        orphans
    }

    /// What to do with each of them by its key, in the order in which to start.
    pub(crate) fn decide(&self, load: Load) -> Result<Vec<(String, Decision)>, Reason> {
        let candidates =
            self.open.values().map(|open| self.candidate(open)).collect::<Result<Vec<_>, Reason>>()?;
        let slots = self.scope.instance.record.slots;
        let decided = decide(candidates, slots, load, &self.windows, &self.next_copies, self.now);
        Ok(decided.into_iter().map(|(candidate, decision)| (candidate.key, decision)).collect())
    }

    /// Takes a task out: nothing is decided about it any more.
    pub(crate) fn take(&mut self, key: &str) -> Option<Open> {
        self.open.remove(key)
    }

    /// Bytes a second of a native backup here: measured, or as cautious as the policy is.
    pub(crate) fn bytes_per_second(&self) -> u64 {
        let assumed = u64::from(self.scope.policy.assumed_mib_per_second) << 20;
        self.scope.instance.record.bytes_per_second.unwrap_or(assumed)
    }

    /// The next log copy of a database whose logs go on.
    fn next_copy(&self, head: &Database) -> Option<NextCopy> {
        let policy = &self.scope.policy;
        let has_logs = self.live(&head.name)?.recovery_model != Some(RecoveryModel::Simple);
        let follows = has_logs && head.broken.is_none() && policy.protects(&head.name);
        let newest = head.newest_log().filter(|_| follows)?;
        let promise = promise(policy);
        let promised_by = newest.checked_add(promise).ok().filter(|by| *by > self.now)?;
        let due_at = latest_log_copy(policy, self.now).checked_add(log_interval(policy)).ok()?;
        Some(NextCopy { due_at, promised_by, promise, duration: copy_duration(Some(newest), due_at) })
    }

    fn candidate(&self, open: &Open) -> Result<Candidate, Reason> {
        let Open { task, database, .. } = open;
        let (task, database) = (&task.record, &database.record);
        let promised_by = promised_by(task, database, &self.scope.policy, self.now)?;
        let live = self.live(&task.database);
        let size = live.and_then(|live| live.data_bytes).unwrap_or(0);
        let size = size.max(database.last_full.as_ref().map_or(0, |full| full.size_bytes));
        Ok(Candidate {
            key: task.key.clone(),
            database: task.database.clone(),
            kind: task.kind,
            promised_by,
            planned_at: task.planned_at,
            not_before: task.not_before,
            heals: task.kind != Kind::LogCopy && database.broken.is_some(),
            duration: match task.kind {
                Kind::Full => self.backup_duration(size),
                Kind::Differential => self.backup_duration(self.differential_bytes(database, size)),
                Kind::LogCopy => copy_duration(database.newest_log(), self.now),
            },
        })
    }

    fn backup_duration(&self, bytes: u64) -> SignedDuration {
        let bare = full_duration(bytes, self.bytes_per_second());
        with_margin(bare, self.scope.policy.speed_margin_percent, &self.windows)
    }

    fn differential_bytes(&self, database: &Database, size: u64) -> u64 {
        let Some(full) = &database.last_full else { return size };
        let before = database.last_differential.as_ref().filter(|last| last.base == full.id);
        let before = before.map(|last| (last.size_bytes, last.finished_at.duration_since(full.started_at)));
        differential_bytes(size, before, self.now.duration_since(full.started_at))
    }
}

/// How old the newest moment in the vault may become.
fn promise(policy: &Policy) -> SignedDuration {
    SignedDuration::from_mins(i64::from(policy.objectives.rpo_minutes.instance))
}

/// When a promise breaks that a task keeps. A log copy, or a data backup that begins or heals a chain: when the newest moment in
/// the vault is older than the promised RPO. A full of the calendar: a week later, when the next one is due at the latest,
/// because the logs go on without it; a differential likewise, when the calendar asks for the next data backup. What somebody asks for is as
/// urgent as logs that are as old as the request.
fn promised_by(
    task: &Task,
    database: &Database,
    policy: &Policy,
    now: Timestamp,
) -> Result<Timestamp, Reason> {
    let chain_holds = database.last_full.is_some() && database.broken.is_none();
    let (since, promised) = match task.kind {
        _ if chain_holds && task.on_demand.is_some() => (task.due_at, promise(policy)),
        Kind::Full if chain_holds => (task.due_at, SignedDuration::from_hours(7 * 24)),
        Kind::Differential if chain_holds => {
            let next = next_data(policy, task.due_at)?.unwrap_or(Timestamp::MAX);
            (task.due_at, next.duration_since(task.due_at))
        }
        Kind::Full | Kind::Differential | Kind::LogCopy => {
            // A database without any backup risks all it ever was: it comes before everybody else.
            let exposure = database.exposure(now).unwrap_or(SignedDuration::from_hours(24 * 365));
            let promised = promise(policy);
            (now.saturating_sub(exposure).unwrap_or(Timestamp::MIN), promised)
        }
    };
    Ok(since.saturating_add(promised).unwrap_or(Timestamp::MAX))
}
