//! What a look decided, written: heads, their families, tasks that end.

use std::collections::{BTreeMap, BTreeSet};

use domain::discovery::kin::Kin;
use domain::discovery::rewrites::{Rewrite, rewrites};
use domain::discovery::{Change, Look};
use domain::event::{Event, What};
use domain::inventory::Database;
use domain::reason::{Class, Reason};
use domain::record::Record;
use domain::task::{Outcome, State, Task};
use jiff::Timestamp;
use ports::store::{COMMIT_WRITES_MAX, Expect, ReadItems, Versioned, Write, WriteItems, load, replacing};

use super::{Discovery, Sight, is_listed};
use crate::outbox;
use crate::scope::{commit_groups, end_task, of_chain};

/// What was carried out.
#[derive(Default)]
pub(super) struct Done {
    /// Whether something waits for a task to end.
    pub(super) waits: bool,
    /// Names that their families list now.
    pub(super) listed: BTreeSet<String>,
    /// What could not be carried out at all.
    pub(super) refused: Vec<Reason>,
}

impl<S: ReadItems + WriteItems> Discovery<'_, S> {
    pub(super) async fn carry_out(&self, sight: &Sight<'_>, look: &Look) -> Result<Done, Reason> {
        let before = sight.before();
        let at = (sight.instance(), sight.now);
        let groups = rewrites(look, &sight.heads(), sight.states, at, |head| is_listed(&before, head));
        let are_asked = groups.iter().any(|group| !group.ends.is_empty());
        let tasks = self.open_tasks(sight, are_asked).await?;
        let stored: BTreeMap<&str, &Versioned<Database>> =
            sight.heads.iter().map(|head| (head.record.name.as_str(), head)).collect();
        let changes: BTreeMap<&str, &Change> =
            look.shown.iter().map(|(name, change)| (name.as_str(), change)).collect();
        let mut done = Done::default();
        let mut commits = Vec::new();
        let mut is_due = false;
        for group in groups {
            if group.from.iter().any(|name| tasks.iter().any(|task| is_at_work(task, name))) {
                done.waits = true;
                continue;
            }
            let mut writes = self.writes(&group, &stored, &tasks, sight).await?;
            writes.extend(told(&group, &changes, &stored, sight.now)?);
            // One is left for the instance.
            if writes.len() >= COMMIT_WRITES_MAX {
                done.refused.push(too_many(&group));
                continue;
            }
            is_due |= group.is_due || !group.from.is_empty();
            done.listed.extend(group.kin.iter().map(|kin| kin.place.name.clone()));
            if !writes.is_empty() {
                commits.push(writes);
            }
        }
        if is_due && let Some(first) = commits.first_mut() {
            // With the first of them: whoever starts over finds nothing new, and the instance due.
            let mut instance = sight.scope.instance.clone();
            instance.record.due_by(sight.now);
            first.push(instance.put()?);
        }
        commit_groups(self.store, commits).await?;
        Ok(done)
    }

    async fn writes(
        &self,
        group: &Rewrite,
        heads: &BTreeMap<&str, &Versioned<Database>>,
        tasks: &[Versioned<Task>],
        sight: &Sight<'_>,
    ) -> Result<Vec<Write>, Reason> {
        let mut writes = Vec::new();
        for head in &group.put {
            let expect = heads.get(head.name.as_str()).map_or(Expect::Absent, |stored| stored.expect);
            writes.push(Versioned { record: head.clone(), expect }.put()?);
        }
        writes.extend(
            group.remove.iter().filter_map(|name| heads.get(name.as_str())).map(|head| head.delete()),
        );
        for kin in &group.kin {
            let stored: Option<Versioned<Kin>> = load(self.store, kin.key()).await?;
            if stored.as_ref().is_none_or(|stored| stored.record != *kin) {
                let expect = stored.map_or(Expect::Absent, |stored| stored.expect);
                writes.push(Versioned { record: kin.clone(), expect }.put()?);
            }
        }
        for former in &group.former {
            writes.push(replacing(self.store, former.clone()).await?);
        }
        for kin in &group.forget {
            let stored: Option<Versioned<Kin>> = load(self.store, kin.key()).await?;
            writes.extend(stored.map(|stored| stored.delete()));
        }
        for (name, reason) in &group.ends {
            for task in tasks.iter().filter(|task| task.record.database == *name && !is_at_work(task, name)) {
                let outcome = Outcome::Skipped(reason.clone());
                writes.extend(end_task(task, task.record.ended(outcome, sight.now, None)?)?);
            }
        }
        Ok(writes)
    }
}

/// What is told of the databases of a group. What is gone is gone with all that was told of it, whether its name is free now or another's.
fn told(
    group: &Rewrite,
    changes: &BTreeMap<&str, &Change>,
    heads: &BTreeMap<&str, &Versioned<Database>>,
    now: Timestamp,
) -> Result<Vec<Write>, Reason> {
    let mut writes = Vec::new();
    for head in &group.put {
        let (instance, name) = (head.instance.as_str(), head.name.as_str());
        let before = heads.get(name).map(|stored| &stored.record);
        let is_replaced = group.former.iter().any(|former| former.name == name);
        let is_gone = head.gone_at.is_some() || is_replaced;
        let gone = before.filter(|before| before.gone_at.is_none() && is_gone);
        let begins = match changes.get(name) {
            Some(Change::Renamed { from }) => Some(What::DatabaseRenamed { from: from.clone() }),
            Some(Change::Returned | Change::Recreated) => Some(What::DatabaseEnrolled),
            Some(change) if change.enrols() => Some(What::DatabaseEnrolled),
            Some(_) | None => None,
        };
        for what in gone.map(|_| What::DatabaseGone).into_iter().chain(begins) {
            writes.push(outbox::with(Event::new(instance, Some(name), now, what))?);
        }
        if changes.get(name) == Some(&&Change::Returned) {
            writes.extend(of_chain(None, head, now)?);
        }
    }
    Ok(writes)
}

/// Whether the service has been asked for a task of a database, or may have been.
fn is_at_work(task: &Versioned<Task>, name: &str) -> bool {
    let asked = matches!(task.record.state, State::Intended { .. } | State::Submitted { .. });
    asked && task.record.database == name
}

fn too_many(group: &Rewrite) -> Reason {
    let message = format!("{} databases have passed their names on to each other", group.put.len());
    Reason::new(Class::Human, "TooManyRenamed", message).guidance(
        "more than one commit holds: give some of them names that are free, then wait for the next discovery",
    )
}
