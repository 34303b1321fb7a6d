//! What a run came to: one value, printed as text or written as JSON.

mod differentials;
mod findings;
mod rpo;
mod rto;
mod tasks;
mod text;
pub mod windows;

use std::collections::BTreeMap;

use domain::coverage::Window;
use jiff::Timestamp;
use serde::Serialize;

use crate::checkers::Checked;
use crate::scenario::Scenario;
use crate::scenario::expect::{self, Met};
use crate::simulation::View;
use crate::testbed::Testbed;

pub use differentials::Decision;
pub use findings::PolicyFinding;
pub use rpo::Rpo;
pub use rto::Rto;
pub use tasks::{Duration, TaskLine};

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this JSON.
    pub schema: u32,
    /// Scenario.
    pub scenario: String,
    /// Seed.
    pub seed: u64,
    /// First moment.
    pub start: Timestamp,
    /// Last moment.
    pub end: Timestamp,
    /// Whether everything held.
    pub holds: bool,
    /// Expectations of the scenario.
    pub expectations: Vec<Met>,
    /// What the policy asks for and will not get on these instances.
    pub findings: Vec<PolicyFinding>,
    /// Checkers.
    pub checkers: Vec<Checked>,
    /// Numbers, by the names that expectations use.
    pub measures: BTreeMap<&'static str, u64>,
    /// Tasks by instance, kind and outcome.
    pub tasks: Vec<TaskLine>,
    /// What came of each differential that was due.
    pub differentials: Vec<Decision>,
    /// Instances.
    pub instances: Vec<InstanceReport>,
    /// Databases.
    pub databases: Vec<DatabaseReport>,
    /// What it took.
    pub work: Work,
    /// How to see it again.
    pub replay: String,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceReport {
    /// Name.
    pub name: String,
    /// Runs, by how they ended.
    pub runs: BTreeMap<&'static str, u64>,
    /// State transitions of its runs.
    pub transitions: u64,
    /// What stopped the last run, if anything did.
    pub trouble: Option<String>,
}

/// One database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseReport {
    /// Instance.
    pub instance: String,
    /// What can be restored.
    pub window: Window,
    /// RPO, promised and reached.
    pub rpo: Rpo,
    /// The restore that would take longest; `None` while nothing can be restored.
    pub rto: Option<Rto>,
}

/// What a run took.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    /// Function invocations.
    pub invocations: u64,
    /// State transitions, as they are billed.
    pub transitions: u64,
    /// Calls of the store and the control planes.
    pub port_calls: u64,
    /// Requests on SQL sessions.
    pub sql_requests: u64,
    /// Native tasks that ended.
    pub native_tasks: u64,
}

/// Puts the report together.
pub fn gather(
    scenario: &Scenario,
    bed: &Testbed,
    view: &View,
    claims: windows::Claims,
    checkers: Vec<Checked>,
) -> Report {
    let tasks = tasks::lines(view);
    let databases = windows::databases(scenario, bed, view, claims);
    let counts = bed.counts();
    let instances = instances(scenario, bed);
    let work = Work {
        invocations: counts.invocations,
        transitions: bed.executions().iter().map(|execution| execution.transitions).sum(),
        port_calls: counts.port_calls,
        sql_requests: counts.sql_requests,
        native_tasks: native_tasks(scenario, bed),
    };
    let differentials = differentials::decisions(view);
    let mut measures = measures(scenario, view, &tasks, &databases, &checkers);
    measures.extend(of_differentials(&differentials));
    let expectations = expect::hold(&scenario.expect, &measures);
    let promises_hold = databases.iter().all(|database| database.rpo.holds());
    let holds = promises_hold
        && expectations.iter().all(|met| met.met)
        && checkers.iter().all(|checked| checked.objections.is_empty());
    Report {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        start: scenario.start,
        end: view.now,
        holds,
        expectations,
        findings: findings::findings(scenario, bed),
        checkers,
        measures,
        tasks,
        differentials,
        instances,
        databases,
        work,
        replay: replay(scenario),
    }
}

fn native_tasks(scenario: &Scenario, bed: &Testbed) -> u64 {
    let world = bed.world();
    let tasks = scenario.instances.iter().flat_map(|instance| world.tasks(&instance.name));
    tasks.filter(|task| task.ended_at.is_some()).count() as u64
}

fn replay(scenario: &Scenario) -> String {
    let file = if scenario.file.is_empty() { String::new() } else { format!(" {}", scenario.file) };
    format!("bakproof simulate{file} --seed {} --days {}", scenario.seed, scenario.days)
}

fn instances(scenario: &Scenario, bed: &Testbed) -> Vec<InstanceReport> {
    let mut reports: Vec<InstanceReport> = scenario
        .instances
        .iter()
        .map(|instance| InstanceReport {
            name: instance.name.clone(),
            runs: BTreeMap::new(),
            transitions: 0,
            trouble: bed.store().look(|table| windows::trouble(table, &instance.name)),
        })
        .collect();
    for execution in bed.executions().iter().filter(|execution| &*execution.machine == "instance") {
        // A run's name is `{instance}-{generation}`.
        let instance = execution.name.rsplit_once('-').map_or("", |(instance, _)| instance);
        if let Some(report) = reports.iter_mut().find(|report| report.name == instance) {
            *report.runs.entry(ending(&execution.status)).or_default() += 1;
            report.transitions += execution.transitions;
        }
    }
    reports
}

const fn ending(status: &asl::Status) -> &'static str {
    match status {
        asl::Status::Running => "running",
        asl::Status::Succeeded { .. } => "succeeded",
        asl::Status::Failed { .. } => "failed",
        asl::Status::TimedOut => "timed_out",
        asl::Status::Aborted => "aborted",
    }
}

fn measures(
    scenario: &Scenario,
    view: &View,
    tasks: &[TaskLine],
    databases: &[DatabaseReport],
    checkers: &[Checked],
) -> BTreeMap<&'static str, u64> {
    let count = |kind: &str, outcome: &str| -> u64 {
        let matching =
            tasks.iter().filter(|line| (kind.is_empty() || line.kind == kind) && line.outcome == outcome);
        matching.map(|line| line.count).sum()
    };
    let holes = databases.iter().map(|database| database.window.holes.len() as u64).sum();
    let longest =
        |of: fn(&Rto) -> u64| databases.iter().filter_map(|d| d.rto.as_ref().map(of)).max().unwrap_or(0);
    let worst = |of: fn(&Rpo) -> Option<u64>| databases.iter().filter_map(|database| of(&database.rpo)).max();
    BTreeMap::from([
        ("fulls_succeeded", count("full", "succeeded")),
        ("log_copies_succeeded", count("log_copy", "succeeded")),
        (
            "log_moments_answered",
            tasks::moments_answered(view, scenario.policy.schedule.log_copy.every_minutes),
        ),
        ("tasks_failed", count("", "failed")),
        ("tasks_skipped", count("", "skipped")),
        ("tasks_cancelled", count("", "cancelled")),
        ("tasks_open", view.open.len() as u64),
        ("databases_with_window", databases.iter().filter(|d| !d.window.intervals.is_empty()).count() as u64),
        ("holes", holes),
        ("rpo_instance_minutes", worst(|rpo| rpo.instance.reached_minutes).unwrap_or(u64::MAX)),
        ("rpo_damage_minutes", worst(|rpo| rpo.damage.reached_minutes).unwrap_or(u64::MAX)),
        ("restore_steps", longest(|rto| u64::from(rto.step_count))),
        ("rto_minutes_least", longest(|rto| rto.least_minutes)),
        ("rto_minutes_most", longest(|rto| rto.most_minutes)),
        ("objections", checkers.iter().map(|checked| checked.objections.len() as u64).sum()),
    ])
}

/// How many differentials were decided how.
fn of_differentials(decisions: &[Decision]) -> [(&'static str, u64); 4] {
    let count = |decision: &str| decisions.iter().filter(|made| made.decision == decision).count() as u64;
    [
        ("differentials_taken", count("taken")),
        ("differentials_skipped", count("skipped")),
        ("differentials_promoted", count("promoted")),
        ("differentials_failed", count("failed")),
    ]
}
