//! How much could have been lost at the worst moment, by kind of loss.
//!
//! Loss of the instance: only what is in the vault counts, from the moment it is known to be there. Damage: what the service
//! keeps counts too, so the worst is the longest time between two log files. Both are read off what was recorded, and both
//! are only defined from the first full on. What lies in a hole of the window counts for nothing: no chain reaches it.

use domain::coverage::{Moments, Window};
use domain::request::CopyLogs;
use domain::task::{Outcome, Request, State, Task};
use jiff::Timestamp;
use serde::Serialize;

use crate::scenario::Scenario;
use crate::simulation::{DatabaseView, View};

/// RPO of one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rpo {
    /// Data damaged, instance alive.
    pub damage: Loss,
    /// Instance lost.
    pub instance: Loss,
}

/// Minutes of one kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// As the policy promises.
    pub promised_minutes: u64,
    /// At the worst moment; `None` when there never was a full.
    pub reached_minutes: Option<u64>,
}

impl Loss {
    /// Whether the promise was kept.
    pub fn holds(&self) -> bool {
        self.reached_minutes.is_some_and(|reached| reached <= self.promised_minutes)
    }
}

impl Rpo {
    /// Whether both promises were kept.
    pub fn holds(&self) -> bool {
        self.damage.holds() && self.instance.holds()
    }
}

/// The longest wait for the next better edge: edges are (known from, newest moment that can be restored).
fn worst_minutes(mut edges: Vec<(Timestamp, Timestamp)>, end: Timestamp) -> Option<u64> {
    edges.sort_unstable();
    let (_, mut newest) = *edges.first()?;
    let mut worst = 0;
    let mut exposed = |until: Timestamp, newest: Timestamp| {
        worst = worst.max(until.duration_since(newest).as_secs());
    };
    for (known, edge) in edges {
        exposed(known, newest);
        newest = newest.max(edge);
    }
    exposed(end, newest);
    u64::try_from(worst).ok().map(|seconds| seconds.div_ceil(60))
}

/// What a database reached. `gone`: when it went, if it did.
pub(super) fn reached(
    scenario: &Scenario,
    view: &View,
    (database, gone): (&DatabaseView, Option<Timestamp>),
    window: &Window,
) -> Rpo {
    let promised = scenario.policy.objectives.rpo_minutes;
    let tasks: Vec<&Task> = view.done.iter().filter(|task| is_of(task, database)).collect();
    let held = window.moments();
    let end = gone.map_or(view.now, |gone| gone.min(view.now));
    Rpo {
        damage: Loss {
            promised_minutes: u64::from(promised.damage),
            reached_minutes: damage(database, &held, (gone, view.now)),
        },
        instance: Loss {
            promised_minutes: u64::from(promised.instance),
            reached_minutes: worst_minutes(vault_edges(&tasks, database, &held), end),
        },
    }
}

/// Whether a task was one of this database, whatever its name was then.
fn is_of(task: &Task, database: &DatabaseView) -> bool {
    let head = &database.head;
    let same = match (&task.seen, &head.lineage) {
        (Some(seen), Some(lineage)) => seen.lineage == *lineage,
        _ => task.database == head.name,
    };
    task.instance == head.instance && same
}

/// What each finished task added to the vault, from the moment its record said so.
fn vault_edges(tasks: &[&Task], database: &DatabaseView, held: &Moments) -> Vec<(Timestamp, Timestamp)> {
    let files = || database.logs.iter().flat_map(|day| &day.files);
    tasks
        .iter()
        .filter_map(|task| {
            let State::Done { outcome: Outcome::Succeeded, at, task_id, request } = &task.state else {
                return None;
            };
            let full = database.data.iter().find(|entry| Some(entry.task_id) == *task_id);
            let edge = match (full, request) {
                (Some(full), _) => Some(full.backup.finished),
                (None, Some(Request::Copy(CopyLogs { last_seq, .. }))) => {
                    files().find(|file| file.seq == *last_seq).map(|file| file.made_at)
                }
                _ => None,
            };
            edge.filter(|edge| held.hold(*edge)).map(|edge| (*at, edge))
        })
        .collect()
}

/// Files known of: those in the vault and those the service still lists, each restorable from the moment it was made.
fn damage(
    database: &DatabaseView,
    held: &Moments,
    (gone, now): (Option<Timestamp>, Timestamp),
) -> Option<u64> {
    let first_full = database.data.iter().map(|entry| entry.backup.finished).min()?;
    let in_vault = database.logs.iter().flat_map(|day| &day.files).map(|file| file.made_at);
    let in_service = database.in_service.iter().map(|file| file.finished);
    let reached = |made: &Timestamp| *made >= first_full && held.hold(*made);
    let mut edges: Vec<(Timestamp, Timestamp)> =
        in_vault.chain(in_service).filter(reached).map(|made| (made, made)).collect();
    edges.push((first_full, first_full));
    // What the service kept of one that was dropped, nobody knows any more: a drop is a loss of its own.
    let newest = edges.iter().map(|(made, _)| *made).max();
    worst_minutes(edges, gone.and(newest).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_moment_is_just_before_the_next_edge_is_known() {
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        for (edges, end, expected) in [
            (vec![], 10, None),
            (vec![(5, 4)], 10, Some(6)),
            // Known at 130 that 125 is safe: just before that, 4 was the newest.
            (vec![(5, 4), (130, 125)], 140, Some(126)),
            // An edge that comes late and is older changes nothing.
            (vec![(5, 4), (130, 125), (131, 50)], 200, Some(126)),
            (vec![(130, 125), (5, 4)], 300, Some(175)),
        ] {
            let edges = edges.into_iter().map(|(known, edge)| (at(known), at(edge))).collect();
            assert_eq!(worst_minutes(edges, at(end)), expected);
        }
    }
}
