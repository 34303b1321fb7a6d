//! What is claimed of each database: its window, from the catalogue in the store and what the service still lists.

use domain::backup::Backup;
use domain::coverage::{self, Target, Window};
use domain::facts::InstanceFacts;
use domain::history::History;
use domain::inventory::{Instance, instance_key};
use ports::store::{Key, decode};

use super::{DatabaseReport, rpo, rto};
use crate::checkers::Claim;
use crate::ports::table::Table;
use crate::scenario::Scenario;
use crate::simulation::{DatabaseView, View};
use crate::testbed::Testbed;

/// Windows as people read them, and the same as bare moments for the checkers.
pub type Claims = Vec<(Window, Claim)>;

/// The windows of all databases.
pub fn claims(view: &View) -> Claims {
    view.databases.iter().map(|database| claim(view, database)).collect()
}

/// The window of a database of which nothing is held.
fn empty(database: &str) -> Window {
    Window {
        database: database.into(),
        lineage: String::new(),
        target: Target::Any,
        intervals: Vec::new(),
        points: Vec::new(),
        orphans: Vec::new(),
        holes: Vec::new(),
    }
}

/// The bare moments of all windows.
pub fn bare(claims: &Claims) -> Vec<Claim> {
    claims.iter().map(|(_, claim)| claim.clone()).collect()
}

/// Headers of all that is in the vault or still with the service.
fn headers(database: &DatabaseView) -> Vec<Backup> {
    let data = database.data.iter().map(|entry| entry.backup.clone());
    let logs = database.logs.iter().flat_map(domain::catalogue::LogDay::backups);
    data.chain(logs).chain(database.in_service.iter().cloned()).collect()
}

fn claim(view: &View, database: &DatabaseView) -> (Window, Claim) {
    let mut window = History::build(headers(database), Vec::new(), view.now)
        .ok()
        .and_then(|history| coverage::report(&history, view.now, |_| true).databases.into_iter().next())
        .unwrap_or_else(|| empty(&database.head.name));
    // Backups keep the name that the database had when they were taken.
    window.database = database.head.name.as_str().into();
    let claim = Claim {
        instance: database.head.instance.clone(),
        database: database.head.name.clone(),
        database_guid: database.head.lineage.as_ref().map(|lineage| lineage.database_guid.to_string()),
        spans: window.intervals.iter().map(|span| (span.from, span.to, span.held_in)).collect(),
        points: window.points.iter().map(|point| point.at).collect(),
        lost: window.holes.iter().map(|hole| (hole.from, hole.to)).collect(),
    };
    (window, claim)
}

pub(super) fn databases(
    scenario: &Scenario,
    bed: &Testbed,
    view: &View,
    claims: Claims,
) -> Vec<DatabaseReport> {
    let objectives = scenario.policy.objectives;
    let last_moments = scenario.last_moments();
    view.databases
        .iter()
        .zip(claims)
        .map(|(database, (window, _))| {
            let speed = speed(scenario, bed, &database.head.instance);
            let headers = headers(database);
            let of = (database.head.instance.clone(), database.head.name.clone());
            let gone = last_moments.get(&of).copied();
            DatabaseReport {
                instance: database.head.instance.clone(),
                rpo: rpo::reached(scenario, view, (database, gone), &window),
                rto: rto::worst(database, headers, &window, view.now, speed, objectives.rto_minutes),
                window,
            }
        })
        .collect()
}

/// Bytes a second as measured on an instance, or as the policy assumes.
fn speed(scenario: &Scenario, bed: &Testbed, instance: &str) -> u64 {
    let measured = bed.store().look(|table| record(table, instance)).and_then(|found| found.bytes_per_second);
    measured.unwrap_or(u64::from(scenario.policy.assumed_mib_per_second) << 20)
}

fn record(table: &Table, instance: &str) -> Option<Instance> {
    let (partition, sort) = instance_key(instance);
    let item = table.get(&Key { partition, sort })?;
    Some(decode::<Instance>(&item).ok()?.record)
}

/// What the control plane said of an instance when it was last asked.
pub(super) fn facts(table: &Table, instance: &str) -> Option<InstanceFacts> {
    record(table, instance)?.facts.map(|(_, facts)| facts)
}

/// What stopped the last run of an instance.
pub(super) fn trouble(table: &Table, instance: &str) -> Option<String> {
    record(table, instance)?.trouble.map(|reason| reason.message)
}
