//! How long a native task takes to simulate, by layer: tiny in every run, so that it cannot rot; at full size on demand, in
//! release: `cargo test --release -p testbed --lib speed -- --ignored --nocapture`.

use std::fmt::Write;
use std::path::Path;

use crate::meter::{Layer, Spent};
use crate::scenario::Scenario;
use crate::simulation::Simulation;

/// Hourly log copies of so many databases: logs are what fleets are busy with.
fn simulation(instances: usize, databases: usize) -> Simulation {
    let mut text = r#"
name = "speed"
seed = 3
start = "2026-11-16T00:00:00Z"
days = 30
[policy]
name = "weekly"
[policy.objectives]
window_days = 7
rpo_minutes = { damage = 10, instance = 180 }
[policy.schedule]
time_zone = "Etc/UTC"
full = { days = ["sun"], at = "01:00" }
log_copy = { every_minutes = 60 }
[vault]
name = "main"
bucket = "vault"
prefix = "prod"
"#
    .to_owned();
    for instance in 0..instances {
        write!(
            text,
            r#"
[[instance]]
name = "sql-{instance}"
multi_az = "single_az"
backup_window = "04:00-04:30"
maintenance_window = "wed:05:00-wed:05:30"
retention_days = 7
mib_per_second = 200
[[instance.database]]
name = "tenant-{{n}}"
count = {databases}
size_gib = [1, 20]
transactions_per_minute = [0.5, 60]
"#
        )
        .unwrap();
    }
    Simulation::new(Scenario::parse(&text, "speed.toml", Path::new("")).unwrap()).unwrap()
}

fn native_tasks(simulation: &mut Simulation) -> u64 {
    let names: Vec<String> = simulation.scenario().instances.iter().map(|spec| spec.name.clone()).collect();
    let world = simulation.bed().world();
    let tasks = names.iter().flat_map(|name| world.tasks(name));
    tasks.filter(|task| task.ended_at.is_some()).count() as u64
}

/// Runs in strides of an hour until so many native tasks have ended; how many there are, and what they took.
fn until(simulation: &mut Simulation, wanted: u64) -> (u64, Spent) {
    simulation.bed().start_meter();
    let mut tasks = 0;
    while tasks < wanted {
        assert!(simulation.bed().now() < simulation.scenario().end(), "{tasks} tasks in the whole story");
        let stride = simulation.bed().now() + jiff::SignedDuration::from_hours(1);
        simulation.run_until(stride);
        tasks = native_tasks(simulation);
    }
    (tasks, simulation.bed().stop_meter().unwrap())
}

fn table(tasks: u64, spent: &Spent) -> String {
    let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / tasks as f64;
    let mut text = format!("{tasks} native tasks in {:.1} s\n", spent.total.as_secs_f64());
    for (layer, time) in Layer::ALL.iter().zip(spent.layers) {
        writeln!(text, "{:<12}{:>8.1} us a task", layer.as_str(), micros(time)).unwrap();
    }
    let sum = spent.layers.iter().sum();
    writeln!(text, "{:<12}{:>8.1} us a task of {:.1}", "sum", micros(sum), micros(spent.total)).unwrap();
    writeln!(text, "{} readings of the clock, {} a task", spent.readings, spent.readings / tasks).unwrap();
    text
}

#[test]
fn the_stopwatch_misses_nothing_and_changes_nothing() {
    let mut watched = simulation(2, 2);
    let (tasks, spent) = until(&mut watched, 12);
    println!("{}", table(tasks, &spent));
    assert_eq!(spent.layers.iter().sum::<std::time::Duration>(), spent.total, "every moment counts once");
    for (layer, time) in Layer::ALL.iter().zip(spent.layers) {
        assert!(!time.is_zero(), "{} did something", layer.as_str());
    }
    assert!(spent.readings > 1_000, "{}", spent.readings);

    let mut unwatched = simulation(2, 2);
    let now = watched.bed().now();
    unwatched.run_until(now);
    let told = |simulation: &mut Simulation| serde_json::to_string(&simulation.report().unwrap()).unwrap();
    assert_eq!(told(&mut watched), told(&mut unwatched), "the same bytes");
    assert_eq!(unwatched.bed().stop_meter(), None, "it was off");
}

#[test]
#[ignore = "a hundred thousand tasks: a measurement, not a check"]
fn a_hundred_thousand_tasks() {
    let mut simulation = simulation(40, 25);
    // What a task takes must not grow with those before it. The first thousands are the first fulls, and the logs since.
    let mut before = 0;
    for wanted in [5_000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000] {
        let (tasks, spent) = until(&mut simulation, wanted);
        println!("from {before} on: {}", table(tasks - before, &spent));
        before = tasks;
    }
}
