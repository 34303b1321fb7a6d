//! What came of every differential that the calendar asked for: taken, skipped and why, or a full instead and why.

use std::collections::BTreeSet;

use domain::reason::Reason;
use domain::task::{Kind, Outcome, State, Task};
use jiff::Timestamp;
use serde::Serialize;

use crate::simulation::View;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Instance.
    pub instance: String,
    /// Database.
    pub database: String,
    /// The moment of the calendar.
    pub due_at: Timestamp,
    /// `taken`, `skipped`, `promoted`, `failed` or `cancelled`.
    pub decision: &'static str,
    /// Why, unless it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// Decisions of one instance that were the same for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alike<'a> {
    pub(super) first: &'a Decision,
    pub(super) last_due_at: Timestamp,
    pub(super) count: usize,
    pub(super) databases: BTreeSet<&'a str>,
}

/// All decisions, by instance, moment and database.
pub(super) fn decisions(view: &View) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = view
        .done
        .iter()
        .filter(|task| task.kind == Kind::Differential)
        .filter_map(|task| {
            let State::Done { outcome, .. } = &task.state else { return None };
            let (decision, reason) = match outcome {
                Outcome::Succeeded => ("taken", None),
                Outcome::Skipped(reason) if promoted(view, task, reason) => ("promoted", Some(reason)),
                Outcome::Skipped(reason) => ("skipped", Some(reason)),
                Outcome::Failed(reason) => ("failed", Some(reason)),
                Outcome::Cancelled => ("cancelled", None),
            };
            Some(Decision {
                instance: task.instance.clone(),
                database: task.database.clone(),
                due_at: task.due_at,
                decision,
                reason: reason.cloned(),
            })
        })
        .collect();
    decisions.sort_by(|a, b| (&a.instance, a.due_at, &a.database).cmp(&(&b.instance, b.due_at, &b.database)));
    decisions
}

/// Whether a full was planned for the very reason that the differential was not taken.
fn promoted(view: &View, task: &Task, reason: &Reason) -> bool {
    view.done.iter().chain(&view.open).any(|full| {
        full.kind == Kind::Full
            && full.instance == task.instance
            && full.database == task.database
            && full.notes.contains(reason)
    })
}

/// The decisions in groups that a person reads at once, in order of their first.
pub(super) fn alike(decisions: &[Decision]) -> Vec<Alike<'_>> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    let name = |decision: &Decision| decision.reason.as_ref().map(|reason| reason.name.clone());
    for decision in decisions {
        let same = |group: &&mut Alike<'_>| {
            group.first.instance == decision.instance
                && group.first.decision == decision.decision
                && name(group.first) == name(decision)
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.last_due_at = group.last_due_at.max(decision.due_at);
            group.count += 1;
            group.databases.insert(&decision.database);
        } else {
            let databases = BTreeSet::from([decision.database.as_str()]);
            groups.push(Alike { first: decision, last_due_at: decision.due_at, count: 1, databases });
        }
    }
    groups
}
