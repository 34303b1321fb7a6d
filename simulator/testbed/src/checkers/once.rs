//! No effect twice: every native task on a server was wanted once, by one task of ours, and no object was written twice.

use std::collections::BTreeMap;

use domain::task::{State, Task};
use world::World;

use super::Checked;
use crate::scenario::Scenario;
use crate::simulation::View;

pub(super) fn check(scenario: &Scenario, world: &World, view: &View) -> Checked {
    let mut checked = Checked::new("once");
    for instance in &scenario.instances {
        let mut wanted: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
        for (id, task) in view.done.iter().chain(&view.open).flat_map(ids) {
            if task.instance == instance.name {
                wanted.entry(id).or_default().push(&task.key);
            }
        }
        let mut targets: BTreeMap<String, i64> = BTreeMap::new();
        for fact in world.tasks(&instance.name) {
            let id = i64::from(fact.id);
            let wrong = match wanted.get(&id).map(Vec::as_slice) {
                Some([_]) => None,
                Some(keys) => Some(format!("task {id} on {} answers {}", instance.name, keys.join(" and "))),
                None => {
                    Some(format!("task {id} on {} ({}) was wanted by nobody", instance.name, fact.database))
                }
            };
            checked.look(wrong);
            // A log copy names the folder of all logs; a backup has a target of its own.
            if fact.kind.is_backup()
                && let Some(other) = targets.insert(fact.s3_arn.to_string(), id)
            {
                checked.look(Some(format!(
                    "tasks {other} and {id} on {} both wrote {}",
                    instance.name, fact.s3_arn
                )));
            }
        }
    }
    checked
}

/// The ids that the service gave a task of ours, one a try.
fn ids(task: &Task) -> Vec<(i64, &Task)> {
    let current = match &task.state {
        State::Submitted { task_id, .. } => Some(*task_id),
        State::Done { task_id, .. } => *task_id,
        State::Planned | State::Admitted { .. } | State::Intended { .. } => None,
    };
    task.earlier_ids.iter().copied().chain(current).map(|id| (id, task)).collect()
}
