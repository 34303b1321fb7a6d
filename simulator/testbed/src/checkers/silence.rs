//! Nothing is passed over in silence: every database, in every interval of the policy, has a task that ended, done or
//! skipped with its reason or failed with its reason.
//!
//! The intervals are counted here from 1970 by plain arithmetic, apart from the schedule they judge.

use std::collections::BTreeSet;

use domain::task::{Kind, Outcome, State};

use super::Checked;
use crate::scenario::{DatabaseSpec, Scenario};
use crate::simulation::View;

pub(super) fn check(scenario: &Scenario, view: &View) -> Checked {
    let mut checked = Checked::new("silence");
    let interval = i64::from(scenario.policy.schedule.log_copy.every_minutes) * 60;
    let mut heard: BTreeSet<(&str, &str, i64)> = BTreeSet::new();
    for task in &view.done {
        let State::Done { outcome, .. } = &task.state else { continue };
        // The first full stands for the first interval: no log is copied before it.
        let counts = task.kind == Kind::LogCopy || task.due_at.as_second().rem_euclid(interval) == 0;
        if counts {
            heard.insert((&task.instance, &task.database, task.due_at.as_second().div_euclid(interval)));
        }
        if let Outcome::Failed(reason) | Outcome::Skipped(reason) = outcome {
            let mute = reason.name.is_empty() || reason.message.is_empty();
            checked.look(mute.then(|| format!("task {} ended without saying why", task.key)));
        }
    }
    let first = scenario.start.as_second().div_euclid(interval);
    // The last interval has as long as the one before it took: its tasks may still run when the story ends.
    let last = scenario.end().as_second().div_euclid(interval) - 1;
    for instance in &scenario.instances {
        for (name, ..) in instance.databases.iter().flat_map(DatabaseSpec::each) {
            for moment in first..last {
                let silent = !heard.contains(&(instance.name.as_str(), name.as_str(), moment));
                checked.look(silent.then(|| {
                    let at = jiff::Timestamp::from_second(moment * interval).unwrap_or(scenario.start);
                    format!("nothing is known of {name} on {} for the interval from {at}", instance.name)
                }));
            }
        }
    }
    checked
}
