//! What is said of promises: by the API when somebody asks, and by the alarm without being asked. Both say the same.

use domain::discovery::seen::{Looked, looked_key};
use domain::facts::RecoveryModel;
use domain::id::BackupId;
use domain::inventory::{Database, LastFull, LogTail, database_key};
use domain::lsn::Lsn;
use domain::policy::{self, Policy};
use domain::reason::{Class, Reason};
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use serde_json::{Value, json};
use testbed::{Call, Verdict};

use crate::story::Asker;

const LEDGER: &str = "ledger";

fn head(asker: &mut Asker, name: &str, change: impl FnOnce(&mut Database)) {
    asker.amend(database_key(LEDGER, name), change);
}

fn full(at: Timestamp) -> LastFull {
    LastFull { id: BackupId::new("1"), started_at: at, finished_at: at, last_lsn: Lsn::ZERO, size_bytes: 1 }
}

/// A story in which the fleet looks and no run works: what is in the vault stays as it is.
fn still() -> Asker {
    let mut asker = Asker::after(0);
    asker.simulation.bed().set_gate(|call: &Call<'_>| {
        let works = call.name == "lambda.invoke" && !["list-work", "api"].contains(&call.function);
        if works { Verdict::Fail(Fault::Transient("no run works".to_owned())) } else { Verdict::Pass }
    });
    asker
}

/// When the newest look of the fleet began, and by how many seconds it found the worst promise missed.
fn alarm(asker: &mut Asker) -> (Timestamp, i64) {
    let looks = asker.simulation.bed().executions().iter().rev();
    let mut ended = looks.filter(|run| &*run.machine == "fleet").filter_map(|run| match &run.status {
        asl::Status::Succeeded { output } => Some((run.started_at, output["rpo_overdue_seconds"].as_i64())),
        _ => None,
    });
    let (at, seconds) = ended.next().expect("the fleet was looked at");
    (at, seconds.expect("it could be watched"))
}

/// Since when the API says that the worst promise is missed.
fn missed_since(fleet: &Value) -> Option<Timestamp> {
    let worst = &fleet["instances"][0]["beyond_rpo"][0];
    worst["exposure"]["missed_at"].as_str().map(|at| at.parse().unwrap())
}

#[test]
fn the_api_and_the_alarm_say_the_same_of_every_promise() {
    // Fulls on Sunday at one and nothing between, an RPO of 150 minutes. A Monday, and nothing reaches the vault any more.
    let mut asker = still();
    let start = asker.now();
    asker.amend(policy::key("weekly"), |policy: &mut Policy| policy.schedule.differential = None);
    let hours = |hours: i64| SignedDuration::from_hours(hours);
    head(&mut asker, "archive-001", |head| {
        head.recovery_model = Some(RecoveryModel::Simple);
        head.last_full = Some(full(start - hours(22)));
    });
    head(&mut asker, "general-ledger", |head| {
        head.last_full = Some(full(start - hours(22)));
        head.log_tail = Some(LogTail { seq: 1, last_lsn: Lsn::ZERO, made_at: start + hours(50), fork: None });
    });
    let gone_at = start + hours(100);
    let mut said = Vec::new();
    for hour in 1..=170 {
        if hour == 3 {
            // It waits for its first full, as was seen before; then it has one.
            head(&mut asker, "archive-002", |head| {
                head.recovery_model = Some(RecoveryModel::Simple);
                head.last_full = Some(full(start + hours(2)));
            });
        }
        if hour == 100 {
            head(&mut asker, "general-ledger", |head| head.gone_at = Some(gone_at));
        }
        asker.wait(hours(1));
        let (_, fleet) = asker.get("/v1/fleet");
        let (looked_at, seconds) = alarm(&mut asker);
        let since = missed_since(&fleet);
        // The clock of the look is read a moment after it began.
        let by_the_alarm = (seconds > 0).then(|| looked_at - SignedDuration::from_secs(seconds));
        let differ = match (since, by_the_alarm) {
            (Some(one), Some(other)) => one.duration_since(other).abs() > SignedDuration::from_secs(10),
            (one, other) => one.is_some() != other.is_some(),
        };
        // A look is due once an hour while nothing is missed: a promise that was lifted is noticed by then.
        assert!(!differ, "hour {hour}: the API says {since:?}, the alarm {by_the_alarm:?}: {fleet}");
        said.push((hour, fleet["totals"]["beyond"].as_u64().unwrap()));
    }
    said.dedup_by_key(|(_, beyond)| *beyond);
    // The logs of the fiftieth hour are too old at 52:30; the database goes in the hundredth; on Sunday at 145:00 the calendar asks for
    // fulls of both others, and at 147:30 they are missed.
    assert_eq!(said, [(1, 0), (53, 1), (100, 0), (148, 2)]);
}

#[test]
fn a_first_full_has_the_time_that_was_promised() {
    let mut asker = still();
    let first = |asker: &mut Asker| {
        let (_, database) = asker.get("/v1/instances/ledger/databases/archive-001");
        (database["exposure"]["is_beyond"].clone(), database["exposure"]["seconds"].clone())
    };
    asker.wait(SignedDuration::from_mins(140));
    assert_eq!(first(&mut asker), (json!(false), Value::Null), "seen a moment ago");
    asker.wait(SignedDuration::from_mins(25));
    assert_eq!(first(&mut asker), (json!(true), Value::Null));
    let (_, list) = asker.get("/v1/instances/ledger/databases?limit=1");
    assert_eq!(list["items"][0]["exposure"]["is_beyond"], json!(true), "{list}");
}

#[test]
fn the_fleet_says_what_is_wrong_with_whom() {
    let mut asker = still();
    let broken = Reason::new(Class::Human, "LogGap", "logs are missing");
    head(&mut asker, "archive-001", |head| head.broken = Some(broken));
    head(&mut asker, "archive-002", |head| head.failures = 2);
    head(&mut asker, "general-ledger", |head| head.failures = 3);
    let looked = Looked {
        instance: LEDGER.to_owned(),
        trouble: Some(Reason::new(Class::Retry, "LoginFailed", "18456")),
        ..Looked::default()
    };
    assert_eq!(looked_key(LEDGER), domain::record::Record::key(&looked));
    asker.simulation.bed().store().put(&[ports::store::Versioned::new(looked).put().unwrap()]).unwrap();
    let (_, fleet) = asker.get("/v1/fleet");
    let ledger = &fleet["instances"][0];
    assert_eq!(ledger["discovery_trouble"]["name"], json!("LoginFailed"), "{fleet}");
    assert_eq!((&ledger["broken_count"], &ledger["broken"][0]["name"]), (&json!(1), &json!("archive-001")));
    assert_eq!(ledger["broken"][0]["reason"]["name"], json!("LogGap"));
    assert_eq!(
        ledger["failing"],
        json!([{"name": "general-ledger", "failures": 3}, {"name": "archive-002", "failures": 2}])
    );
    let totals = json!({
        "instances": 1, "in_trouble": 1, "databases": 3, "beyond": 0, "broken": 1, "failing": 2, "open_tasks": 0,
    });
    assert_eq!(fleet["totals"], totals);
    // Of what is gone nothing has to be healed.
    let now = asker.now();
    for name in ["archive-001", "general-ledger"] {
        head(&mut asker, name, |head| head.gone_at = Some(now));
    }
    let (_, fleet) = asker.get("/v1/fleet");
    assert_eq!((&fleet["totals"]["broken"], &fleet["totals"]["failing"]), (&json!(0), &json!(1)), "{fleet}");
}
