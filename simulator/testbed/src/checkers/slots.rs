//! At no moment more than two native tasks of one instance ran, and no database had two of the same.
//!
//! Read from the server's own record of when each task started and ended. The world keeps the first by construction; a
//! testbed that stops checking what cannot happen stops being believed when it can.

use jiff::Timestamp;
use world::World;

use super::Checked;
use crate::scenario::Scenario;

/// Tasks that RDS runs at a time. RDS user guide, "Limitations", read 2026-11. Owned here a second time on purpose.
const RUNNING_MAX: i64 = 2;

pub(super) fn check(scenario: &Scenario, world: &World) -> Checked {
    let mut checked = Checked::new("slots");
    for instance in &scenario.instances {
        let mut edges: Vec<(Timestamp, i64)> = Vec::new();
        let mut by_database: Vec<(String, Timestamp, Timestamp)> = Vec::new();
        for fact in world.tasks(&instance.name) {
            let ended = fact.ended_at.unwrap_or(Timestamp::MAX);
            if let Some(started) = fact.started_at {
                edges.extend([(started, 1), (ended, -1)]);
            }
            by_database.push((fact.database.to_string(), fact.created_at, ended));
        }
        // At the same moment an end comes before a start: the slot is handed over.
        edges.sort_unstable();
        let mut running = 0;
        for (at, change) in edges {
            running += change;
            checked.look(
                (running > RUNNING_MAX).then(|| format!("{running} tasks ran on {} at {at}", instance.name)),
            );
        }
        by_database.sort();
        for pair in by_database.windows(2) {
            let overlap = pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2;
            checked.look(overlap.then(|| {
                format!("{} on {} had two tasks asked for at {}", pair[0].0, instance.name, pair[1].1)
            }));
        }
    }
    checked
}
