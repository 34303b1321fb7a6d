//! Small scenarios as text, and short words for what is read off a run.

use std::path::{Path, PathBuf};

use domain::inventory::{Instance, instance_key};
use domain::lease::{self, Lease};
use domain::record::Record;
use domain::task::{Kind, Outcome, State, Task};
use handlers::contract::SCHEMA;
use jiff::{SignedDuration, Timestamp};
use ports::store::{Item, Key, decode};
use serde_json::{Value, json};
use testbed::Testbed;
use testbed::executor::Ending;
use testbed::report::{DatabaseReport, Report};
use testbed::scenario::Scenario;
use testbed::simulation::{Simulation, View};
use testbed::stepfunctions::Summary;
use world::{DatabaseId, Knobs, TaskFact};

/// The one instance of every story.
pub(crate) const INSTANCE: &str = "sales";
/// Its bucket.
pub(crate) const BUCKET: &str = "vault";

/// What a story changes of the usual: one instance, two small databases, one day or more from a Monday at midnight UTC.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    /// Whether somebody is told what happens.
    pub(crate) event_bus: bool,
    pub(crate) days: u32,
    pub(crate) every_minutes: u32,
    pub(crate) rpo_instance_minutes: u32,
    pub(crate) bucket_region: &'static str,
    /// More lines of the vault's table.
    pub(crate) vault: &'static str,
    pub(crate) multi_az: &'static str,
    pub(crate) backup_window: &'static str,
    pub(crate) maintenance_window: &'static str,
    /// More lines of the policy's tables.
    pub(crate) policy: &'static str,
    pub(crate) objectives: &'static str,
    pub(crate) schedule: &'static str,
    /// Days and time of the fulls.
    pub(crate) full: &'static str,
    pub(crate) knobs: Knobs,
    pub(crate) mib_per_second: u32,
    pub(crate) databases: String,
}

impl Story {
    /// Logs every two hours, nothing near a limit.
    pub(crate) fn calm() -> Self {
        Self {
            seed: 11,
            event_bus: true,
            days: 1,
            every_minutes: 120,
            rpo_instance_minutes: 300,
            bucket_region: "eu-west-1",
            vault: "",
            multi_az: "single_az",
            backup_window: "03:00-03:30",
            maintenance_window: "sun:04:30-sun:05:00",
            policy: "",
            objectives: "",
            schedule: "",
            full: "days = [\"sun\"], at = \"01:00\"",
            knobs: Knobs::default(),
            mib_per_second: 200,
            databases: database("orders", 8) + &database("parts", 2),
        }
    }

    /// A full that takes hours: no log is copied before it, so the schedule is slower than the full.
    pub(crate) fn slow(size_gib: u32, mib_per_second: u32) -> Self {
        Self {
            every_minutes: 720,
            rpo_instance_minutes: 1_440,
            mib_per_second,
            databases: database("orders", size_gib) + &database("parts", 1),
            ..Self::calm()
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { seed, event_bus, days, every_minutes, rpo_instance_minutes, .. } = self;
        let Self { bucket_region, vault, multi_az, backup_window, maintenance_window, .. } = self;
        let Self { policy, objectives, schedule, full, mib_per_second, databases, .. } = self;
        format!(
            r#"
            name = "spine"
            seed = {seed}
            event_bus = {event_bus}
            start = "2026-11-16T00:00:00Z"
            days = {days}
            [policy]
            name = "weekly"
            {policy}
            [policy.objectives]
            window_days = 7
            rpo_minutes = {{ damage = 10, instance = {rpo_instance_minutes} }}
            {objectives}
            [policy.schedule]
            time_zone = "Etc/UTC"
            full = {{ {full} }}
            log_copy = {{ every_minutes = {every_minutes} }}
            {schedule}
            [vault]
            name = "main"
            bucket = "{BUCKET}"
            prefix = "prod"
            region = "{bucket_region}"
            {vault}
            [[instance]]
            name = "{INSTANCE}"
            multi_az = "{multi_az}"
            backup_window = "{backup_window}"
            maintenance_window = "{maintenance_window}"
            retention_days = 7
            mib_per_second = {mib_per_second}
            {databases}
            "#
        )
    }

    /// The text with discovery, which looks at every instance; `more` of its settings, a line each.
    pub(crate) fn discovered(&self, more: &str) -> String {
        let settings = format!("[discovery]\ninstances = [\"*\"]\n{more}[vault]");
        self.text().replacen("[vault]", &settings, 1)
    }

    /// Sets the story up; nothing has happened yet.
    pub(crate) fn simulation(&self) -> Simulation {
        let scenario = Scenario::parse(&self.text(), "spine.toml", &histories()).unwrap();
        Simulation::with_knobs(scenario, self.knobs.clone()).unwrap()
    }
}

/// The simulation of a text.
pub(crate) fn simulated(text: &str) -> Simulation {
    Simulation::new(Scenario::parse(text, "spine.toml", &histories()).unwrap()).unwrap()
}

/// Real histories that others exported.
pub(crate) fn histories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/histories")
}

/// Somebody asks for a look now.
pub(crate) fn look(bed: &mut Testbed, name: &str) {
    let started = bed.start_execution("discovery", Some(name), json!({ "schema": SCHEMA }));
    assert!(started.is_ok(), "{started:?}");
}

/// Another instance of the scenario, with one database of 1 GiB.
pub(crate) fn another_instance(name: &str, with: &str) -> String {
    let of = database(with, 1);
    format!(
        "\n[[instance]]\nname = \"{name}\"\nmulti_az = \"single_az\"\nbackup_window = \"04:00-04:30\"\n\
         maintenance_window = \"sun:04:30-sun:05:00\"\nretention_days = 7\nmib_per_second = 200\n{of}"
    )
}

/// A database of the scenario.
pub(crate) fn database(name: &str, size_gib: u32) -> String {
    format!("[[instance.database]]\nname = \"{name}\"\nsize_gib = {size_gib}\ntransactions_per_minute = 6\n")
}

/// A moment of the day: `05:30` or `05:30:10`.
pub(crate) fn at(clock: &str) -> Timestamp {
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    format!("2026-11-16T{clock}{seconds}Z").parse().unwrap()
}

pub(crate) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Runs to the end of the day: what became of it.
pub(crate) fn day(simulation: &mut Simulation) -> (Report, View) {
    simulation.run(&mut |_| {});
    let view = simulation.view().unwrap();
    (simulation.report().unwrap(), view)
}

/// What the checkers have to say, each sentence after the name of its checker.
pub(crate) fn objections(report: &Report) -> Vec<String> {
    let of = |checker: &str, objections: &[String]| -> Vec<String> {
        objections.iter().map(|objection| format!("{checker}: {objection}")).collect()
    };
    report.checkers.iter().flat_map(|checked| of(checked.checker, &checked.objections)).collect()
}

/// The day went well, whatever happened in it: nobody objects, promises are kept, nothing is open, nothing failed.
pub(crate) fn assert_well(report: &Report, view: &View) {
    assert_eq!(objections(report), [""; 0]);
    assert!(report.holds, "{report}");
    assert_whole(report, view);
}

/// The chains of the day are whole, whoever objects to what: nothing is open, nothing failed, every window reaches up to now.
pub(crate) fn assert_whole(report: &Report, view: &View) {
    assert!(view.open.is_empty(), "{:?}", view.open);
    assert_eq!((report.measures["tasks_failed"], report.measures["holes"]), (0, 0), "{report}");
    assert_eq!(report.instances[0].trouble, None);
    for database in &report.databases {
        assert_eq!(database.window.intervals.len(), 2, "vault, then service: {:?}", database.window);
        let [vault, service] = &database.window.intervals[..] else { panic!("counted above") };
        assert_eq!(vault.to, service.from, "the window is whole");
        assert!(service.to > report.end - minutes(10), "up to now: {}", service.to);
    }
}

/// Tasks of a database that ended, in order of their end.
pub(crate) fn tasks<'v>(view: &'v View, database: &str, kind: Kind) -> Vec<&'v Task> {
    view.done.iter().filter(|task| task.database == database && task.kind == kind).collect()
}

/// `succeeded`, or how else it ended and why.
pub(crate) fn outcome(task: &Task) -> String {
    match &task.state {
        State::Done { outcome: Outcome::Succeeded, .. } => "succeeded".to_owned(),
        State::Done { outcome: Outcome::Failed(reason), .. } => format!("failed {}", reason.name),
        State::Done { outcome: Outcome::Skipped(reason), .. } => format!("skipped {}", reason.name),
        State::Done { outcome: Outcome::Cancelled, .. } => "cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}

/// How the log copies of a database ended. The first one may find no log made since its full, and is left out then.
pub(crate) fn copies(view: &View, database: &str) -> Vec<String> {
    let mut copies: Vec<String> = tasks(view, database, Kind::LogCopy).into_iter().map(outcome).collect();
    if copies.first().is_some_and(|first| first == "skipped NoNewLogs") {
        copies.remove(0);
    }
    copies
}

/// Every native task was wanted: one for each task of ours that succeeded at its first try, so none was asked for twice.
pub(crate) fn assert_nothing_was_asked_twice(report: &Report) {
    let [fulls, copies] = ["fulls_succeeded", "log_copies_succeeded"].map(|measure| report.measures[measure]);
    assert_eq!((fulls, report.measures["log_moments_answered"]), (2, 24), "{report}");
    assert_eq!(report.work.native_tasks, fulls + copies, "{report}");
}

/// Names of the reasons that a task remembers.
pub(crate) fn notes(task: &Task) -> Vec<&str> {
    task.notes.iter().map(|note| &*note.name).collect()
}

/// Native tasks of a database, as the server lists them.
pub(crate) fn native(simulation: &mut Simulation, database: &str, backup: bool) -> Vec<TaskFact> {
    let world = simulation.bed().world();
    world
        .tasks(INSTANCE)
        .filter(|fact| &*fact.database == database && fact.kind.is_backup() == backup)
        .collect()
}

/// What is reported of a database.
pub(crate) fn reported<'r>(report: &'r Report, database: &str) -> &'r DatabaseReport {
    report.databases.iter().find(|found| &*found.window.database == database).unwrap()
}

/// The world's own name of a database.
pub(crate) fn id_of(bed: &Testbed, database: &str) -> DatabaseId {
    bed.world().find_database(INSTANCE, database).unwrap()
}

/// Runs of the instance, in order of start.
pub(crate) fn runs(simulation: &mut Simulation) -> Vec<Summary> {
    simulation.bed().executions().iter().filter(|run| &*run.machine == "instance").cloned().collect()
}

/// What the machine and each function of the loop is told of a run.
pub(crate) fn run_input(generation: u64) -> Value {
    json!({ "schema": handlers::contract::SCHEMA, "instance": INSTANCE, "generation": generation })
}

fn record<R: Record>(bed: &Testbed, (partition, sort): (String, String)) -> R {
    let item = bed.store().look(|table| table.get(&Key { partition, sort })).unwrap();
    decode(&item).unwrap().record
}

/// The instance's record.
pub(crate) fn instance(bed: &Testbed) -> Instance {
    record(bed, instance_key(INSTANCE))
}

/// The lease's record.
pub(crate) fn lease(bed: &Testbed) -> Lease {
    record(bed, lease::key(INSTANCE))
}

/// What a function answers.
pub(crate) fn answer(simulation: &mut Simulation, function: &str, input: Value) -> Value {
    let bed = simulation.bed();
    let id = bed.invoke(function, input).unwrap();
    loop {
        if let Some(ending) = bed.take_ending(id) {
            let Ending::Returned(Ok(answer)) = ending else { panic!("{ending:?}") };
            return answer;
        }
        bed.step(Timestamp::MAX);
    }
}

/// Everything in the store, with versions: to see that nothing was written.
pub(crate) fn everything(bed: &Testbed) -> String {
    bed.store().look(|table| {
        let partitions: Vec<String> = table.partitions().map(str::to_owned).collect();
        let items: Vec<Item> = partitions.iter().flat_map(|name| table.partition(name)).collect();
        format!("{items:?}")
    })
}
