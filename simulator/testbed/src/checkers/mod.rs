//! What should have been true, judged from the world: content, tasks, time. Checkers know ids, LSNs and moments; they know
//! no rule of the product, because the rules are what they judge.

mod discovery;
mod enrolled;
mod once;
mod recoverability;
mod silence;
mod slots;
mod told;
mod windows;

use domain::backup::HeldIn;
use jiff::Timestamp;
use serde::Serialize;

use crate::scenario::Scenario;
use crate::simulation::View;
use crate::testbed::Testbed;

/// What is claimed of one database: the moments that can be restored, as spans with both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Instance.
    pub instance: String,
    /// Database.
    pub database: String,
    /// Its `database_guid`, once known: the name may be another's by now.
    pub database_guid: Option<String>,
    /// Restorable spans, with what has to survive for them.
    pub spans: Vec<(Timestamp, Timestamp, HeldIn)>,
    /// Single restorable moments.
    pub points: Vec<Timestamp>,
    /// Spans claimed lost, both ends restorable.
    pub lost: Vec<(Timestamp, Timestamp)>,
}

/// What one checker found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Name of the checker.
    pub checker: &'static str,
    /// What it looked at, counted.
    pub looked_at: u64,
    /// What is wrong, one sentence each.
    pub objections: Vec<String>,
}

impl Checked {
    const fn new(checker: &'static str) -> Self {
        Self { checker, looked_at: 0, objections: Vec::new() }
    }

    /// Looks at one more thing; `wrong` says what is wrong with it, if anything.
    fn look(&mut self, wrong: Option<String>) {
        self.looked_at += 1;
        self.objections.extend(wrong);
    }
}

/// Runs all checkers.
pub fn all(scenario: &Scenario, bed: &Testbed, view: &View, claims: &[Claim]) -> Vec<Checked> {
    let world = bed.world();
    let mut checked = vec![
        recoverability::check(scenario, &world, claims),
        once::check(scenario, &world, view),
        slots::check(scenario, &world),
        silence::check(scenario, view),
        windows::check(scenario, &world, view),
    ];
    checked.extend(discovery::check(scenario, &world, view));
    if scenario.event_bus {
        checked.push(told::check(scenario, bed, view));
    }
    checked
}
