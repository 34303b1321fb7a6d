//! Events speed things up and decide nothing: a run that died gives way at once, what waited for a failover goes on when it is over, a
//! differential that was admitted before a snapshot is looked at again. Without them, with them late, twice or in part, the day goes
//! as well.

use domain::observed::{Marks, marks_key};
use domain::task::Kind;
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::store::{Key, decode};
use serde_json::{Value, json};
use testbed::event_bridge::Delivery;
use testbed::simulation::Simulation;
use testbed::{Call, Testbed, Verdict};
use world::{Knobs, Span};

use crate::story::{
    INSTANCE, Story, answer, assert_well, at, database, day, everything, instance, lease, minutes, native,
    notes, outcome, runs, tasks,
};
use crate::trouble::throttled;

const OBSERVER: &str = "observe-event";

fn told(simulation: &mut Simulation) {
    simulation.bed().deliver_events(OBSERVER, Delivery::default());
}

/// An event of RDS about an instance.
fn event(id: &str, category: &str, instance: &str, at: Timestamp) -> Value {
    json!({
        "version": "0", "id": format!("{id} {at}"), "detail-type": "RDS DB Instance Event", "source": "aws.rds",
        "account": "123456789012", "time": at.to_string(), "region": "eu-west-1",
        "resources": [format!("arn:aws:rds:eu-west-1:123456789012:db:{instance}")],
        "detail": {
            "EventCategories": [category], "SourceType": "DB_INSTANCE", "SourceIdentifier": instance, "EventID": id,
            "Message": "", "Date": at.to_string()
        }
    })
}

/// What the function answers to an event.
fn observe(simulation: &mut Simulation, event: Value) -> Value {
    answer(simulation, OBSERVER, event)
}

fn marks(bed: &Testbed) -> Option<Marks> {
    let (partition, sort) = marks_key(INSTANCE);
    let item = bed.store().look(|table| table.get(&Key { partition, sort }))?;
    Some(decode(&item).unwrap().record)
}

/// The run that begins the day is stopped by somebody, or ends because nothing of its end can be written.
#[derive(Debug, Clone, Copy)]
enum Death {
    Stopped,
    Failed,
}

fn with_a_death(death: Death) -> Simulation {
    let mut simulation = Story::calm().simulation();
    match death {
        Death::Stopped => simulation.bed().at(at("00:00:20"), |bed| {
            let run = bed.executions_of("instance").next().unwrap();
            bed.stop_execution(run);
        }),
        Death::Failed => simulation.bed().set_gate(|call: &Call<'_>| {
            let ends = matches!(call.state, "ReleaseLease" | "ReleaseAfterTrouble");
            let planning = call.name == "lambda.invoke" && call.function == "plan-backups";
            if call.now < at("00:03") && (ends || planning) {
                let reason = domain::reason::Reason::new(domain::reason::Class::Human, "Denied", "not now");
                return Verdict::Fail(Fault::Refused(reason));
            }
            Verdict::Pass
        }),
    }
    simulation
}

#[test]
fn the_lease_of_a_run_that_died_is_free_within_a_minute() {
    for (death, name) in [(Death::Stopped, "RunAborted"), (Death::Failed, "RunFailed")] {
        let mut simulation = with_a_death(death);
        told(&mut simulation);
        simulation.run_until(at("00:01"));
        let run = runs(&mut simulation).remove(0);
        assert!(run.ended_at.is_some_and(|ended| ended < at("00:00:50")), "{death:?}: {run:?}");
        let free = lease(simulation.bed());
        assert_eq!((free.holder, free.generation), (None, 1), "{death:?}");
        let stored = instance(simulation.bed());
        assert_eq!(stored.trouble.map(|trouble| trouble.name.to_string()).as_deref(), Some(name));
        assert!(stored.due_at.is_some_and(|due| due < at("00:01")));
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let second = runs(&mut simulation).remove(1);
        assert!(second.started_at < at("00:07"), "by the fleet's next look: {}", second.started_at);
        assert_eq!(native(&mut simulation, "orders", true).len(), 1, "{death:?}: nothing is asked for twice");
    }
}

#[test]
fn without_events_it_is_free_after_a_quarter_of_an_hour() {
    for death in [Death::Stopped, Death::Failed] {
        let mut simulation = with_a_death(death);
        simulation.run_until(at("00:14"));
        assert_eq!(lease(simulation.bed()).holder.as_deref(), Some("sales-1"), "{death:?}");
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let second = runs(&mut simulation).remove(1);
        assert!((at("00:15")..at("00:22")).contains(&second.started_at), "{}", second.started_at);
    }
}

#[test]
fn only_the_run_that_died_loses_its_lease() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("00:00:20"));
    assert_eq!(lease(simulation.bed()).holder.as_deref(), Some("sales-1"));
    let machine = simulation.bed().machine_arn("instance");
    let over = |name: &str, machine: &str| {
        let detail = json!({"stateMachineArn": machine, "name": name, "status": "FAILED"});
        let mut event = event("", "", "", at("00:00:20"));
        (event["source"], event["detail"]) = (json!("aws.states"), detail);
        event
    };
    let other = simulation.bed().machine_arn("fleet");
    for (name, machine, outcome) in [
        ("sales-2", machine.as_str(), "known"),
        ("sales-11", machine.as_str(), "known"),
        ("other-1", machine.as_str(), "known"),
        ("sales-1", other.as_str(), "ignored"),
    ] {
        assert_eq!(observe(&mut simulation, over(name, machine))["outcome"], outcome, "{name}");
        assert_eq!(lease(simulation.bed()).holder.as_deref(), Some("sales-1"), "{name}");
    }
    let freed = observe(&mut simulation, over("sales-1", &machine));
    assert_eq!(freed["outcome"], "freed", "{freed}");
    assert_eq!(lease(simulation.bed()).holder, None);
    let again = observe(&mut simulation, over("sales-1", &machine));
    assert_eq!(again["outcome"], "known", "the same event once more: {again}");
}

/// A failover of three minutes begins before logs are due: the run that wants to copy them ends in trouble.
fn with_a_failover() -> Simulation {
    let knobs = Knobs { failover_seconds: Span { min: 200, max: 200 }, ..Knobs::default() };
    let mut simulation = Story { multi_az: "always_on", knobs, ..Story::calm() }.simulation();
    simulation.bed().at(at("01:59:50"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    simulation
}

#[test]
fn a_run_that_failed_for_a_failover_is_followed_by_one_when_it_is_over() {
    let after = |simulation: &mut Simulation| {
        let runs = runs(simulation);
        runs.into_iter().map(|run| run.started_at).find(|started| *started > at("02:02")).unwrap()
    };
    let mut simulation = with_a_failover();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let without = after(&mut simulation);
    assert!(without > at("02:15"), "the premise: trouble is given a quarter of an hour: {without}");

    let mut simulation = with_a_failover();
    told(&mut simulation);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let with = after(&mut simulation);
    assert!((at("02:03:10")..at("02:03:20")).contains(&with), "{with}");
    let told = marks(simulation.bed()).unwrap();
    assert_eq!(told.failed_over_at, Some(at("02:03:10")));
}

#[test]
fn a_start_that_fails_leaves_the_instance_due() {
    let mut simulation = with_a_failover();
    told(&mut simulation);
    simulation.bed().set_gate(|call: &Call<'_>| {
        let starts = call.name == "states.start_execution" && call.function == OBSERVER;
        if starts { throttled() } else { Verdict::Pass }
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let next = runs(&mut simulation)
        .into_iter()
        .map(|run| run.started_at)
        .find(|started| *started > at("02:02"))
        .unwrap();
    assert!((at("02:05")..at("02:07")).contains(&next), "by the fleet's next look: {next}");
    assert_eq!(simulation.bed().dead_letters(), [Value::Null; 0]);
}

/// A differential is admitted, and its dispatch takes a minute and a half to begin; a snapshot comes in between.
fn with_a_snapshot_in_between(is_told: bool) -> Simulation {
    let schedule = r#"differential = { days = ["mon"], at = "01:00" }"#;
    let mut simulation = Story { schedule, ..Story::calm() }.simulation();
    let mut held = false;
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let dispatch = call.name == "lambda.invoke" && call.function == "dispatch-tasks";
        if dispatch && call.now > at("01:00") && !held {
            held = true;
            return Verdict::Delay(SignedDuration::from_secs(90));
        }
        Verdict::Pass
    });
    simulation.run_until(at("01:00"));
    while !everything(simulation.bed()).contains("admitted") {
        assert!(simulation.bed().now() < at("01:08"));
        simulation.bed().step(at("01:08"));
    }
    if is_told {
        told(&mut simulation);
    }
    let soon = simulation.bed().now() + SignedDuration::from_secs(20);
    simulation.bed().at(soon, |bed| bed.world_mut().break_snapshot(INSTANCE));
    simulation
}

/// A snapshot by hand has any name, so RDS is asked whose it is; while it cannot be asked, the event waits.
#[test]
fn a_snapshot_by_hand_is_known_by_what_rds_says_of_it() {
    for is_throttled in [false, true] {
        let mut simulation = Story::calm().simulation();
        told(&mut simulation);
        simulation.bed().at(at("05:00"), |bed| bed.world_mut().break_snapshot(INSTANCE));
        simulation.bed().set_gate(move |call: &Call<'_>| {
            let asks = call.function == OBSERVER && call.name == "rds.describe_db_snapshots";
            if asks && is_throttled && call.now < at("05:00:30") { throttled() } else { Verdict::Pass }
        });
        simulation.run_until(at("05:00:30"));
        let before = marks(simulation.bed()).and_then(|marks| marks.backed_up_at);
        assert_eq!(before == Some(at("05:00")), !is_throttled, "{before:?}");
        simulation.run_until(at("05:02"));
        assert_eq!(marks(simulation.bed()).unwrap().backed_up_at, Some(at("05:00")));
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        assert_eq!(simulation.bed().dead_letters(), [Value::Null; 0]);
    }
}

#[test]
fn a_snapshot_that_is_gone_or_another_s_marks_nothing() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("02:30"));
    simulation.bed().world_mut().break_snapshot(INSTANCE);
    let by_hand = |name: &str| {
        let mut event = event("RDS-EVENT-0042", "creation", name, at("02:30"));
        event["detail"]["SourceType"] = json!("SNAPSHOT");
        event
    };
    for name in ["by-hand-2", "by-hand-1"] {
        let is_gone = simulation.bed().world_mut().break_snapshot_away(name);
        assert_eq!(is_gone, name == "by-hand-1");
        let said = observe(&mut simulation, by_hand(name));
        assert_eq!(
            (&said["outcome"], &said["note"]["name"]),
            (&json!("ignored"), &json!("SnapshotNamesNoInstance"))
        );
    }
    assert_eq!(marks(simulation.bed()), None);
    simulation.bed().world_mut().break_snapshot(INSTANCE);
    assert_eq!(observe(&mut simulation, by_hand("by-hand-1"))["outcome"], "recorded");
}

/// Storage that is used up from the first look on, and added by somebody an hour later: either is a change that a look may find.
#[test]
fn storage_that_is_exhausted_and_storage_that_is_added_are_told() {
    let mut simulation = with_full_storage();
    told(&mut simulation);
    simulation.run_until(at("01:00"));
    let exhausted = marks(simulation.bed()).and_then(|marks| marks.changed_at);
    assert!(exhausted.is_some_and(|at| at < self::at("01:00")), "{exhausted:?}");
    simulation.bed().at(at("01:02"), |bed| assert!(bed.world_mut().break_storage(INSTANCE, 1 << 40)));
    simulation.run_until(at("01:03"));
    assert_eq!(marks(simulation.bed()).unwrap().changed_at, Some(at("01:02")));
}

fn with_full_storage() -> Simulation {
    let databases = format!("storage_gib = 10\n{}{}", database("orders", 8), database("parts", 2));
    Story { databases, ..Story::calm() }.simulation()
}

#[test]
fn a_differential_admitted_before_a_snapshot_is_looked_at_again() {
    let differentials = |simulation: &mut Simulation| {
        let all = native(simulation, "orders", true);
        all.into_iter().filter(|fact| fact.s3_arn.contains("/differential-")).count()
    };
    let mut simulation = with_a_snapshot_in_between(false);
    let (_, view) = day(&mut simulation);
    let [task] = &tasks(&view, "orders", Kind::Differential)[..] else { panic!("one is due") };
    assert!(differentials(&mut simulation) > 0, "the premise: one is taken that restores on nothing of ours");
    assert_ne!(outcome(task), "succeeded");

    let mut simulation = with_a_snapshot_in_between(true);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let [task] = &tasks(&view, "orders", Kind::Differential)[..] else { panic!("one is due") };
    assert_eq!(outcome(task), "skipped BaseIsSnapshot");
    assert!(notes(task).contains(&"BaseMayHaveMoved"), "{:?}", task.notes);
    assert_eq!(differentials(&mut simulation), 0, "nothing is asked for in vain");
}

#[test]
fn old_events_events_of_others_and_events_told_twice_change_nothing() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("02:30"));
    let ended = |minute: &str| event("RDS-EVENT-0002", "backup", INSTANCE, at(minute));
    assert_eq!(observe(&mut simulation, ended("02:20"))["outcome"], "recorded", "nothing waits");
    let before = everything(simulation.bed());
    let mut elsewhere = ended("02:29");
    elsewhere["region"] = json!("us-east-1");
    let mut nameless = ended("02:29");
    nameless["detail"]["SourceType"] = json!("SNAPSHOT");
    for (event, outcome) in [
        (ended("02:20"), "known"),
        (ended("02:19"), "known"),
        (event("RDS-EVENT-0002", "backup", "others", at("02:29")), "ignored"),
        (event("RDS-EVENT-0013", "failover", INSTANCE, at("02:29")), "ignored"),
        (elsewhere, "ignored"),
        (nameless, "ignored"),
    ] {
        let said = observe(&mut simulation, event.clone());
        assert_eq!(said["outcome"], outcome, "{event}: {said}");
        assert_eq!(said["note"].is_object(), outcome == "ignored", "{said}");
        assert_eq!(everything(simulation.bed()), before, "{event}");
    }
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
}

#[test]
fn a_run_at_work_is_left_to_its_rounds() {
    let mut simulation = Story::calm().simulation();
    simulation.run_until(at("00:00:20"));
    let ended = event("RDS-EVENT-0049", "failover", INSTANCE, at("00:00:19"));
    assert_eq!(observe(&mut simulation, ended)["outcome"], "recorded");
    assert_eq!(runs(&mut simulation).len(), 1);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(runs(&mut simulation).len(), 13, "as many as on a calm day");
}

#[test]
fn an_event_that_no_try_can_take_is_a_dead_letter_and_nothing_is_lost() {
    let mut simulation = with_a_failover();
    told(&mut simulation);
    simulation.bed().set_gate(|call: &Call<'_>| {
        let ours = call.function == OBSERVER && call.name == "store.get";
        if ours && call.now < at("02:30") { throttled() } else { Verdict::Pass }
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let dead = simulation.bed().dead_letters();
    let ids: Vec<&str> =
        dead.iter().map(|event| event["detail"]["EventID"].as_str().unwrap_or("run")).collect();
    assert!(ids.contains(&"RDS-EVENT-0049"), "{ids:?}");
    let dead = u64::try_from(dead.len()).unwrap();
    let invoked = simulation.bed().invocations().find(|(name, _)| *name == OBSERVER).unwrap().1;
    assert!(invoked >= 3 * dead, "each is tried three times: {invoked}");
}

#[test]
fn days_go_well_whatever_becomes_of_their_events() {
    let told = Delivery { lost_percent: 30, twice_percent: 40, late_percent: 40, late_minutes_max: 240 };
    for seed in 1..=6 {
        let knobs = Knobs { failover_seconds: Span { min: 30, max: 240 }, ..Knobs::default() };
        let mut simulation = Story { seed, multi_az: "always_on", knobs, ..Story::calm() }.simulation();
        let bed = simulation.bed();
        bed.deliver_events(OBSERVER, told);
        for (number, hour) in [5_i64, 9, 13, 17].into_iter().enumerate() {
            let (seed, number) = (i64::try_from(seed).unwrap(), i64::try_from(number).unwrap());
            bed.at(at("00:00") + minutes(60 * hour + 7 * seed * (number + 1) % 60), |bed| {
                bed.world_mut().break_failover(INSTANCE);
            });
        }
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let bed = simulation.bed();
        assert!(bed.events_told() >= 8, "seed {seed}: {}", bed.events_told());
        assert_eq!(bed.dead_letters(), [Value::Null; 0], "seed {seed}");
    }
}
