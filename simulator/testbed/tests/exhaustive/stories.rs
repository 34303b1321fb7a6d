//! The stories: one instance, two small young databases, three hours from a Monday at midnight.
//!
//! First fulls at midnight, logs at every full hour, a full of the calendar at half past one.

use std::path::Path;
use std::rc::Rc;

use domain::inventory::{Vault, vault_key};
use domain::task::Kind;
use handlers::contract::{ROUNDS_MAX, SCHEMA};
use jiff::{SignedDuration, Timestamp};
use ports::store::{Key, Versioned, decode};
use serde_json::{Value, json};
use testbed::Testbed;
use testbed::functions::Code;
use testbed::scenario::Scenario;
use testbed::scenario::discovery::DiscoverySpec;
use testbed::scheduler::Schedule;
use testbed::simulation::{Client, REQUESTS, Simulation, Wish};
use world::{DatabaseConfig, KeyConfig, MultiAz};

use crate::trouble::Place;

/// The one instance.
pub(crate) const INSTANCE: &str = "sales";
/// Its databases.
pub(crate) const DATABASES: [&str; 2] = ["orders", "parts"];

/// How old the databases are when a story begins: the service lists a dozen log files of each then, and not the two thousand of
/// a week, which take time to read.
const AGE: SignedDuration = SignedDuration::from_hours(1);

/// The key of vault and storage.
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/0b7d9a52-6c1f-4f4e-9a43-2f1f5b0c8e11";

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    /// An ordinary day.
    Day,
    /// A day on which every run counts many rounds from the beginning, so that it hands over to its successor after two.
    HandOver,
    /// A day on which a function of another version once answers what the machine does not know: the run ends in trouble.
    OtherVersion,
    /// A day on which a failover ends the first full while it runs: what the server says of its end is read.
    Failover,
    /// A slow day on which people have a full of the calendar cancelled while the service has it, ask for a full, and for a log copy that
    /// they cancel before anybody has looked at it.
    Requests,
    /// A day on which nothing was enrolled by hand: discovery, every ten minutes, finds the instance, its databases, and one that
    /// people have to look after.
    Discovery,
    /// The same, and both functions of discovery once answer what the machine does not know.
    DiscoveryOfOtherVersion,
}

/// The machines under test, by name.
pub(crate) const MACHINES: [(&str, &str); 2] = [
    ("instance", include_str!("../../../../statemachine/instance.asl.json")),
    ("discovery", include_str!("../../../../statemachine/discovery.asl.json")),
];

/// A state of a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) machine: &'static str,
    pub(crate) state: String,
    /// Whether it calls something.
    pub(crate) is_task: bool,
}

/// The states of the machines, those inside of a Map as well.
pub(crate) fn states() -> Vec<Named> {
    let mut found = Vec::new();
    for (machine, text) in MACHINES {
        gather(machine, &serde_json::from_str(text).unwrap(), &mut found);
    }
    found
}

fn gather(machine: &'static str, scope: &Value, found: &mut Vec<Named>) {
    for (name, state) in scope["States"].as_object().unwrap() {
        if let Some(inner) = state.get("ItemProcessor") {
            gather(machine, inner, found);
        }
        found.push(Named { machine, state: name.clone(), is_task: state["Type"] == "Task" });
    }
}

/// Functions of the discovery machine.
const OF_DISCOVERY: [&str; 3] = ["list-instances", "discover-databases", "report-discovery"];

/// The story in which a function is at work.
pub(crate) fn story_of(function: &str) -> Story {
    if OF_DISCOVERY.contains(&function) { Story::Discovery } else { Story::Day }
}

impl Story {
    pub(crate) const ALL: [Self; 7] = [
        Self::Day,
        Self::HandOver,
        Self::OtherVersion,
        Self::Failover,
        Self::Requests,
        Self::Discovery,
        Self::DiscoveryOfOtherVersion,
    ];

    fn is_of_discovery(self) -> bool {
        matches!(self, Self::Discovery | Self::DiscoveryOfOtherVersion)
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::HandOver => "hand-over",
            Self::OtherVersion => "other version",
            Self::Failover => "failover",
            Self::Requests => "requests",
            Self::Discovery => "discovery",
            Self::DiscoveryOfOtherVersion => "discovery of another version",
        }
    }

    /// Whether a call is troubled in this story: each in the story that is about it.
    pub(crate) fn is_about(self, place: &Place) -> bool {
        let state = place.state.as_str();
        match self {
            // Whatever another story is not about, states that nobody thought of included.
            Self::Day => !matches!(state, "HandOverLease" | "StartSuccessor" | "ReleaseAfterTrouble"),
            Self::HandOver => matches!(state, "HandOverLease" | "StartSuccessor" | "TakeLease"),
            Self::OtherVersion => {
                // The trouble begins and ends, and both is told.
                state == "ReleaseAfterTrouble" || state == "ReleaseLease" && place.call.starts_with("events.")
            }
            // First all tasks are read, then the log of each that failed.
            Self::Failover => {
                state == "PollTasks" && place.call.ends_with("rds_fn_task_status") && place.again
            }
            Self::Requests => {
                let ends = state == "CheckChains"
                    && ["store.", "events."].iter().any(|of| place.call.starts_with(of));
                place.function == REQUESTS || place.call == "sql.rds_cancel_task" || ends
            }
            Self::Discovery => {
                let is_ours = OF_DISCOVERY.contains(&place.function.as_str());
                is_ours && !matches!(state, "TellOfFailure" | "TellOfListingFailure")
            }
            Self::DiscoveryOfOtherVersion => matches!(state, "TellOfFailure" | "TellOfListingFailure"),
        }
    }

    /// Sets it up; nothing has happened yet.
    pub(crate) fn simulation(self) -> Simulation {
        let mut scenario = Scenario::parse(TEXT, "exhaustive.toml", Path::new("")).unwrap();
        if self.is_of_discovery() {
            let instances = vec![INSTANCE.to_owned()];
            scenario.discovery = Some(DiscoverySpec { instances, ..DiscoverySpec::default() });
        }
        let start = scenario.start;
        let mut simulation = Simulation::with_histories(scenario).unwrap();
        let bed = simulation.bed();
        with_key(bed);
        let mut world = bed.world_mut();
        for name in DATABASES {
            let old = world.find_database(INSTANCE, name).unwrap();
            assert!(world.break_drop_database(old));
            let config = DatabaseConfig {
                size_bytes: 1 << 30,
                created_at: Some(start - AGE),
                ..DatabaseConfig::named(name)
            };
            world.add_database(INSTANCE, &config).unwrap();
        }
        drop(world);
        match self {
            Self::Day => {}
            Self::HandOver => bed.wrap_function("run-lease", many_rounds).unwrap(),
            Self::OtherVersion => bed.wrap_function("plan-backups", other_version).unwrap(),
            Self::Failover => {
                bed.world_mut().configure_instance(INSTANCE, |config| config.multi_az = MultiAz::AlwaysOn);
                bed.at(start, fail_over_while_a_task_runs);
            }
            Self::Requests => requests(bed, start),
            Self::Discovery => discovery(bed, start),
            Self::DiscoveryOfOtherVersion => {
                discovery(bed, start);
                bed.wrap_function("list-instances", other_version).unwrap();
                bed.wrap_function("discover-databases", other_version).unwrap();
            }
        }
        simulation
    }
}

/// Encrypts the instance's storage and the vault with a key, so that it is asked for.
fn with_key(bed: &mut Testbed) {
    bed.world_mut().add_key(KeyConfig::usable(KEY, "eu-west-1"));
    bed.world_mut().configure_instance(INSTANCE, |config| {
        config.storage_encrypted = true;
        config.storage_kms_key = Some(KEY.to_owned());
    });
    let (partition, sort) = vault_key("main");
    let item = bed.store().look(|table| table.get(&Key { partition, sort })).unwrap();
    let mut vault: Versioned<Vault> = decode(&item).unwrap();
    vault.record.kms_key_arn = Some(KEY.to_owned());
    bed.store().put(&[vault.put().unwrap()]).unwrap();
}

/// Discovery more often than every eight hours, so that what a fault spoils is looked at again within the story; and a database that
/// cannot be protected, of which people are told.
fn discovery(bed: &mut Testbed, start: Timestamp) {
    let config = DatabaseConfig { size_bytes: 1 << 20, ..DatabaseConfig::named("rdsadmin-notes") };
    bed.world_mut().add_database(INSTANCE, &config).unwrap();
    let every = SignedDuration::from_mins(10);
    let (machine_arn, input) = (bed.machine_arn("discovery"), json!({ "schema": SCHEMA }));
    let name = "discovery-again".to_owned();
    bed.schedule(Schedule { name, machine_arn, first_at: start + every, every, input }).unwrap();
}

/// What people ask for, and when. A full takes about six minutes.
fn requests(bed: &mut Testbed, start: Timestamp) {
    bed.world_mut().configure_instance(INSTANCE, |config| config.throughput_bytes = 3 << 20);
    let wish = |database: &str, kind, cancels| {
        let (instance, database, by) = (INSTANCE.to_owned(), database.to_owned(), "ops".to_owned());
        if cancels {
            Wish::Cancel { instance, database, kind, by }
        } else {
            let key = format!("{database}-1");
            Wish::Backup { instance, database, kind, by, key }
        }
    };
    for (seconds, wish) in [
        (5_460, wish("parts", Kind::Full, true)),
        (8_410, wish("orders", Kind::Full, false)),
        (8_410, wish("parts", Kind::LogCopy, false)),
        (8_420, wish("parts", Kind::LogCopy, true)),
    ] {
        bed.at(start + SignedDuration::from_secs(seconds), move |bed| Client::ask(bed, wish));
    }
}

/// Looks every second until a native task runs, and lets the host fail over under it.
fn fail_over_while_a_task_runs(bed: &mut Testbed) {
    let runs = bed.world().tasks(INSTANCE).any(|task| task.started_at.is_some() && task.ended_at.is_none());
    if runs {
        assert!(bed.world_mut().break_failover(INSTANCE));
    } else {
        bed.at(bed.now() + SignedDuration::from_secs(1), fail_over_while_a_task_runs);
    }
}

/// A function whose answers are changed on their way.
fn answering(code: Code, change: impl Fn(&mut Value) + 'static) -> Code {
    let change = Rc::new(change);
    Rc::new(move |payload| {
        let (work, change) = (code(payload), Rc::clone(&change));
        Box::pin(async move {
            let mut answer = work.await?;
            change(&mut answer);
            Ok(answer)
        })
    })
}

fn many_rounds(code: Code) -> Code {
    answering(code, |answer| {
        if answer["outcome"] == "taken" {
            answer["round"] = json!(ROUNDS_MAX - 2);
        }
    })
}

/// The first answer only: then the other version is rolled back.
fn other_version(code: Code) -> Code {
    let answered = std::cell::Cell::new(false);
    answering(code, move |answer| {
        if !answered.replace(true) {
            answer["outcome"] = json!("postponed");
        }
    })
}

/// When the last moment of the schedule has been answered, trouble or not, and the next has not come.
pub(crate) fn end() -> Timestamp {
    "2026-11-16T03:00:00Z".parse().unwrap()
}

const TEXT: &str = r#"
name = "exhaustive"
seed = 11
event_bus = true
start = "2026-11-16T00:00:00Z"
days = 1

[policy]
name = "weekly"
[policy.objectives]
window_days = 7
rpo_minutes = { damage = 10, instance = 120 }
[policy.schedule]
time_zone = "Etc/UTC"
full = { days = ["mon"], at = "01:30" }
log_copy = { every_minutes = 60 }

[vault]
name = "main"
bucket = "vault"
prefix = "prod"

[[instance]]
name = "sales"
multi_az = "single_az"
backup_window = "12:00-12:30"
maintenance_window = "sun:04:30-sun:05:00"
retention_days = 7
mib_per_second = 200

[[instance.database]]
name = "orders"
size_gib = 1
transactions_per_minute = 6

[[instance.database]]
name = "parts"
size_gib = 1
transactions_per_minute = 6
"#;
