//! `bakproof forecast` as people run it, and held against simulations of the same fleets: what it promises is never less than
//! what they reach.

use std::fmt::Write as _;
use std::path::Path;

use domain::task::{Outcome, State};
use serde_json::Value;
use testbed::scenario::Scenario;
use testbed::simulation::Simulation;
use world::{Knobs, Span};

use crate::command::{Answer, bakproof, file, fixture, process};

/// Files that answer: a policy and a fleet of `tests/fixtures`.
fn paths(policy: &str, fleet: &str) -> (String, String) {
    let path =
        |folder: &str, name: &str| fixture(&format!("{folder}/{name}.toml")).to_str().unwrap().to_owned();
    (path("policies", policy), path("fleets", fleet))
}

fn asked(policy: &str, fleet: &str) -> Answer {
    bakproof(&["forecast", "--policy", policy, "--fleet", fleet])
}

fn json(policy: &str, fleet: &str) -> (u8, Value) {
    let answer = bakproof(&["forecast", "--policy", policy, "--fleet", fleet, "--json"]);
    assert_eq!(answer.stderr, "");
    (answer.code, serde_json::from_str(&answer.stdout).unwrap())
}

#[test]
fn weekly_fulls_are_infeasible_by_their_log_files_and_daily_ones_are_proposed() {
    let (weekly, fleet) = paths("weekly", "two_instances");
    let answer = asked(&weekly, &fleet);
    assert_eq!((answer.code, answer.stderr.as_str()), (1, ""));
    assert!(answer.stdout.starts_with("weekly: infeasible on 2 instances with 30 databases\n"));
    assert!(answer.stdout.lines().all(|line| line.chars().count() <= 220), "{}", answer.stdout);
    let (code, said) = json(&weekly, &fleet);
    assert_eq!((code, said["feasible"].as_bool()), (1, Some(false)));
    for instance in said["instances"].as_array().unwrap() {
        let steps = instance["restore"]["step_count"].as_u64().unwrap();
        assert!(
            (2_016..2_304).contains(&steps),
            "a week of five-minute files and at most a day more: {steps}"
        );
        assert!(instance["findings"].as_array().unwrap().iter().any(|f| f["name"] == "RtoMissed"));
        let proposal = &instance["proposals"][0];
        let clock = if instance["name"] == "sales" { "03:30" } else { "22:40" };
        assert_eq!(proposal["name"], "DailyFulls");
        assert!(proposal["value"].as_str().unwrap().contains(clock), "{proposal}");
    }
    let (daily, _) = paths("daily", "two_instances");
    assert_eq!(json(&daily, &fleet).0, 0, "what is proposed is feasible");
}

#[test]
fn the_readme_shows_what_is_printed() {
    let (weekly, fleet) = paths("weekly", "two_instances");
    let printed = asked(&weekly, &fleet).stdout;
    let readme = std::fs::read_to_string(fixture("../../README.md")).unwrap();
    let (_, shown) = readme.split_once("fleets/two_instances.toml\n").unwrap();
    let (shown, _) = shown.split_once("\n...\n").unwrap();
    assert!(shown.lines().count() > 20 && printed.starts_with(shown), "{shown}");
}

#[test]
fn the_bill_is_the_sum_of_dated_prices_and_a_fleet_overrides_them() {
    let (daily, fleet) = paths("daily", "two_instances");
    let (_, said) = json(&daily, &fleet);
    let charges = said["cost"].as_array().unwrap();
    let sum: f64 = charges.iter().map(|charge| charge["usd"].as_f64().unwrap()).sum();
    assert!((sum - said["cost_usd"].as_f64().unwrap()).abs() < 1e-6);
    for service in [
        "S3",
        "Step Functions",
        "Lambda",
        "DynamoDB",
        "KMS",
        "Secrets Manager",
        "CloudWatch",
        "VPC endpoints",
    ] {
        assert!(charges.iter().any(|charge| charge["service"] == service), "{service}");
    }
    for price in said["prices"].as_array().unwrap() {
        assert!(price["date"].is_string() && price["source"].is_string(), "{price}");
        assert_eq!(price["region"], "us-east-1");
    }
    let text = std::fs::read_to_string(&fleet).unwrap();
    let dear = file("dear.toml", format!("prices = {{ s3_standard = 2.3 }}\n{text}").as_bytes());
    let (_, dear) = json(&daily, &dear);
    let storage = |said: &Value| said["cost"][0]["usd"].as_f64().unwrap();
    assert!((storage(&dear) - 100.0 * storage(&said)).abs() < 1e-6);
}

#[test]
fn mistakes_are_one_line_and_exit_code_2() {
    let (policy, fleet) = paths("daily", "two_instances");
    let (policy_text, fleet_text) =
        (std::fs::read_to_string(&policy).unwrap(), std::fs::read_to_string(&fleet).unwrap());
    let spoiled = |name: &str, text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        file(name, text.replacen(from, to, 1).as_bytes())
    };
    for (from, to, expected) in [
        ("window_days = 7", "window_days = 0", "objectives.window_days: 0 is not in 1 to 3650"),
        ("[retention]", "[retentoin]", "unknown field `retentoin`, expected one of name, objectives"),
        ("every_minutes", "every_minuets", "line 12: unknown field `every_minuets`"),
        ("Etc/UTC", "Etc/Moon", "schedule.time_zone: \"Etc/Moon\" is no IANA time zone"),
        ("[objectives]", "[objectives", "line 4: "),
    ] {
        let answer = asked(&spoiled("spoiled-policy.toml", &policy_text, from, to), &fleet);
        assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.lines().count()), (2, "", 1), "{to}");
        let told = answer.stderr.contains("spoiled-policy.toml") && answer.stderr.contains("; mend: ");
        assert!(told && answer.stderr.contains(expected), "{to}: {}", answer.stderr);
    }
    for (from, to, expected) in [
        ("size_gib = 90", "size_gib = 0", "instance sales, database orders: size_gib: 0 is not above 0"),
        ("size_gib = 90", "size_gib = nan", "database orders: size_gib: NaN is not above 0"),
        ("change_mib_per_hour = 115", "change_mib_per_hour = -1", "change_mib_per_hour: -1 is not 0 or more"),
        ("count = 17", "count = 0", "database tenants: count: 0 is not in 1 to 10000"),
        ("count = 17", "cuont = 17", "line 20: unknown field `cuont`"),
        ("name = \"ledger\"", "name = \"sales\"", "instance: two are called sales"),
        ("03:00-03:30", "3-4", "is no window: write hh:mm-hh:mm"),
        ("backup_mib_per_second = 200", "", "missing field `backup_mib_per_second`"),
        (
            "\n[[instance]]\n",
            "\nprices = { s3 = 1.0 }\n[[instance]]\n",
            "prices.s3: no such price: write one of s3_standard",
        ),
    ] {
        let answer = asked(&policy, &spoiled("spoiled-fleet.toml", &fleet_text, from, to));
        assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.lines().count()), (2, "", 1), "{to}");
        let told = answer.stderr.contains("spoiled-fleet.toml") && answer.stderr.contains("; mend: ");
        assert!(told && answer.stderr.contains(expected), "{to}: {}", answer.stderr);
    }
    let nowhere = asked("nowhere.toml", &fleet);
    assert_eq!((nowhere.code, nowhere.stderr.lines().count()), (2, 1), "{}", nowhere.stderr);
    let without = bakproof(&["forecast", "--policy", &policy]);
    assert_eq!((without.code, without.stderr.lines().count()), (2, 1), "{}", without.stderr);
}

#[test]
fn the_same_files_give_the_same_bytes_in_another_process_zone_and_folder() {
    let (policy, fleet) = paths("weekly", "two_instances");
    let arguments = ["forecast", "--policy", &policy, "--fleet", &fleet, "--json"];
    let environment = [("TZ", "Asia/Tokyo"), ("LANG", "de_DE.UTF-8")];
    let same = process(&arguments, &environment, Path::new("/")) == bakproof(&arguments);
    assert!(same, "another process answers otherwise");
}

/// One instance, told to both.
struct Story {
    name: &'static str,
    days: u32,
    full: &'static str,
    every_minutes: u32,
    compressed: bool,
    mib_per_second: u32,
    /// Whether the service is as slow as anybody may assume: five minutes in CREATED each time, the longest beginnings.
    slow_service: bool,
    /// Name, count, gibibytes, commits a minute.
    databases: &'static [(&'static str, u32, u32, u32)],
}

const STORIES: [Story; 3] = [
    Story {
        name: "a few databases, compressed",
        days: 3,
        full: "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], at = \"03:30\"",
        every_minutes: 60,
        compressed: true,
        mib_per_second: 100,
        slow_service: false,
        databases: &[("orders", 1, 60, 90), ("tenant-{n}", 3, 8, 6)],
    },
    Story {
        name: "one large and slow",
        days: 7,
        full: "days = [\"tue\", \"fri\"], at = \"05:00\"",
        every_minutes: 240,
        compressed: false,
        mib_per_second: 15,
        slow_service: false,
        databases: &[("archive", 1, 150, 30), ("small-{n}", 2, 2, 2)],
    },
    Story {
        name: "many on two slots",
        days: 2,
        full: "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], at = \"04:00\"",
        every_minutes: 240,
        compressed: false,
        mib_per_second: 250,
        slow_service: true,
        databases: &[("tenant-{n}", 24, 10, 3)],
    },
];

/// Kibibytes of log a commit writes in the simulated world.
const LOG_KIB: u32 = 8;

impl Story {
    fn policy(&self) -> String {
        let Self { full, every_minutes, compressed, .. } = self;
        format!(
            "name = \"story\"\nstorage.compression = {compressed}\n\
             objectives = {{ window_days = 7, rpo_minutes = {{ damage = 10, instance = 1440 }} }}\n\
             schedule.time_zone = \"Etc/UTC\"\nschedule.full = {{ {full} }}\n\
             schedule.log_copy.every_minutes = {every_minutes}\n"
        )
    }

    fn scenario(&self) -> Scenario {
        let mut text =
            format!("name = \"story\"\nseed = 11\nstart = \"2026-11-16T00:00:00Z\"\ndays = {}\n", self.days);
        for line in self.policy().lines() {
            writeln!(text, "policy.{line}").unwrap();
        }
        writeln!(
            text,
            "vault = {{ name = \"main\", bucket = \"vault\" }}\n[[instance]]\nname = \"sales\"\nmulti_az = \"single_az\"\n\
             backup_window = \"03:00-03:30\"\nmaintenance_window = \"sun:04:30-sun:05:00\"\nretention_days = 7\n\
             mib_per_second = {}",
            self.mib_per_second
        )
        .unwrap();
        for (name, count, gib, commits) in self.databases {
            writeln!(
                text,
                "[[instance.database]]\nname = \"{name}\"\ncount = {count}\nsize_gib = {gib}\n\
                 transactions_per_minute = {commits}\nlog_kib_per_transaction = {LOG_KIB}"
            )
            .unwrap();
        }
        Scenario::parse(&text, "story.toml", Path::new("")).unwrap()
    }

    /// Speeds as the slowest task of that world has them (85 per cent), rates with a tenth more for what headers add.
    fn fleet(&self) -> String {
        let mut text = format!(
            "[[instance]]\nname = \"sales\"\nbackup_window = \"03:00-03:30\"\n\
             maintenance_window = \"sun:04:30-sun:05:00\"\nbackup_mib_per_second = {}\n",
            self.mib_per_second * 85 / 100
        );
        for (name, count, gib, commits) in self.databases {
            let change = f64::from(commits * LOG_KIB * 60) / 1_024.0 * 1.1;
            let stored = if self.compressed { 30 } else { 100 };
            writeln!(
                text,
                "[[instance.database]]\nname = \"{name}\"\ncount = {count}\nsize_gib = {gib}\n\
                 growth_gib_per_day = 0.05\nchange_mib_per_hour = {change}\nstored_percent = {stored}"
            )
            .unwrap();
        }
        text
    }
}

/// What a simulation came to, in the words of the forecast.
struct Reached {
    damage_minutes: u64,
    instance_minutes: u64,
    restore_minutes: u64,
    restore_steps: u64,
    fulls: u64,
    copies: u64,
    transitions: u64,
    invocations: u64,
    full_bytes: u64,
    log_bytes: u64,
    slot_minutes: u64,
}

fn simulated(story: &Story) -> Reached {
    let mut knobs = Knobs::default();
    if story.slow_service {
        (knobs.created_seconds, knobs.setup_seconds) = (Span::new(300, 300), Span::new(20, 20));
        (knobs.speed_percent, knobs.copy_file_ms) = (Span::new(85, 85), Span::new(2_000, 2_000));
    }
    let mut simulation = Simulation::with_knobs(story.scenario(), knobs).unwrap();
    simulation.run(&mut |_| {});
    let (report, view) = simulation.report_and_view().unwrap();
    assert!(report.holds, "{}: {report}", story.name);
    let measure = |name: &str| report.measures[name];
    let succeeded = view
        .done
        .iter()
        .filter(|task| matches!(&task.state, State::Done { outcome: Outcome::Succeeded, .. }));
    assert_eq!(succeeded.count() as u64, measure("fulls_succeeded") + measure("log_copies_succeeded"));
    let world = simulation.bed().world();
    let slot_seconds: i64 = world
        .tasks("sales")
        .filter_map(|task| Some(task.ended_at?.duration_since(task.started_at?).as_secs()))
        .sum();
    let data = view.databases.iter().flat_map(|database| &database.data);
    let logs = view.databases.iter().flat_map(|database| &database.logs).flat_map(|day| &day.files);
    Reached {
        damage_minutes: measure("rpo_damage_minutes"),
        instance_minutes: measure("rpo_instance_minutes"),
        restore_minutes: measure("rto_minutes_most"),
        restore_steps: measure("restore_steps"),
        fulls: measure("fulls_succeeded"),
        copies: measure("log_copies_succeeded"),
        transitions: report.work.transitions,
        invocations: report.work.invocations,
        full_bytes: data.flat_map(|entry| &entry.objects).map(|object| object.size_bytes).sum(),
        log_bytes: logs.map(|file| file.size_bytes).sum(),
        slot_minutes: u64::try_from(slot_seconds).unwrap().div_ceil(60),
    }
}

/// A bound lies above what was reached, and not further than so many times above it.
fn holds(story: &Story, what: &str, reached: u64, bound: f64, times: f64) {
    let name = story.name;
    println!("{name}: {what}: reached {reached}, bound {bound:.0}, {:.2} times", bound / reached as f64);
    assert!(reached as f64 <= bound, "{name}: {what}: {reached} were reached, {bound} is the bound");
    assert!(bound <= reached as f64 * times, "{name}: {what}: {bound} bounds {reached} too loosely");
}

#[test]
fn what_the_forecast_knows_of_the_machines_is_what_they_do() {
    assert_eq!(domain::forecast::POLL_SECONDS, u64::from(handlers::contract::WAIT_SECONDS_MAX));
}

#[test]
fn a_simulation_of_the_same_fleet_reaches_no_more_than_was_forecast() {
    for (number, story) in STORIES.iter().enumerate() {
        let policy = file(&format!("story-{number}.policy.toml"), story.policy().as_bytes());
        let fleet = file(&format!("story-{number}.fleet.toml"), story.fleet().as_bytes());
        let (code, said) = json(&policy, &fleet);
        assert_eq!(code, 0, "{}: {:#}", story.name, said["instances"][0]["findings"]);
        let (instance, reached) = (&said["instances"][0], simulated(story));
        let number = |value: &Value| value.as_f64().unwrap();
        let databases = number(&instance["databases"]);
        let month = f64::from(story.days) * 24.0 / 730.0;
        let generation = |name: &str| {
            let all = said["storage"].as_array().unwrap();
            all.iter().find(|stored| stored["generation"] == name).unwrap().clone()
        };
        let (losses, restore, activity) = (&instance["losses"], &instance["restore"], &instance["activity"]);
        holds(story, "RPO damage", reached.damage_minutes, number(&losses["damage_minutes"]), 1.0);
        holds(story, "RPO instance", reached.instance_minutes, number(&losses["instance_minutes"]), 4.0);
        holds(story, "RPO drop", reached.instance_minutes, number(&losses["drop_minutes"]), 4.0);
        holds(story, "RTO minutes", reached.restore_minutes, number(&restore["most_minutes"]), 2.0);
        holds(story, "restore steps", reached.restore_steps, number(&restore["step_count"]), 2.0);
        // Beside those of the calendar each database has a first one.
        let fulls = number(&activity["fulls"]) * month + databases;
        holds(story, "fulls", reached.fulls, fulls, 1.5);
        holds(story, "log copies", reached.copies, number(&activity["log_copies"]) * month, 1.2);
        let work = &said["activity"];
        holds(story, "transitions", reached.transitions, number(&work["transitions"]) * month, 5.0);
        holds(story, "invocations", reached.invocations, number(&work["invocations"]) * month, 5.0);
        // In the vault: as many fulls as were taken, at the size that each is given; logs by the days.
        let window = generation("window");
        let each = number(&window["bytes"]) / number(&window["backups"]);
        holds(story, "bytes of fulls", reached.full_bytes, each * reached.fulls as f64, 1.5);
        let logs = generation("logs");
        let days = number(&logs["backups"]) / databases / 288.0;
        holds(
            story,
            "bytes of logs",
            reached.log_bytes,
            number(&logs["bytes"]) / days * f64::from(story.days),
            1.6,
        );
        let slots = &instance["slots"];
        let needed = number(&slots["data_minutes"]) + number(&slots["copy_minutes"]);
        let first = number(&slots["longest_full_minutes"]) * databases;
        holds(
            story,
            "slot minutes",
            reached.slot_minutes,
            needed * f64::from(story.days) / 7.0 + first,
            40.0,
        );
    }
}
