//! Events of RDS and Step Functions: they say sooner what the next look would find, and nothing depends on them.

use domain::observed::{Observed, observed_key};
use jiff::Timestamp;
use ports::Fault;
use ports::store::{Key, decode};
use serde_json::json;
use testbed::gate::Moment;
use testbed::scenario::Scenario;
use testbed::simulation::Simulation;
use testbed::{Call, Testbed, Verdict};

use crate::story::{
    INSTANCE, Story, assert_well, at, day, histories, instance, lease, minutes, native, runs,
};

/// A story in which events are heard.
fn hearing(story: &Story) -> Simulation {
    let mut scenario = Scenario::parse(&story.text(), "events.toml", &histories()).unwrap();
    scenario.hears_events = true;
    Simulation::with_knobs(scenario, story.knobs.clone()).unwrap()
}

fn observed(bed: &Testbed) -> Observed {
    let (partition, sort) = observed_key(INSTANCE);
    let item = bed.store().look(|table| table.get(&Key { partition, sort })).unwrap();
    decode(&item).unwrap().record
}

/// Stops the run that is at work at a moment.
fn abort(bed: &mut Testbed) {
    let running = bed.executions().iter().find(|run| &*run.machine == "instance" && run.ended_at.is_none());
    let name = running.expect("a run is at work").name.clone();
    assert!(bed.stop_execution(&name));
}

/// When the lease of the stopped run was free, looked at every second.
fn freed(simulation: &mut Simulation, stopped: Timestamp) -> Timestamp {
    let mut now = stopped;
    loop {
        now += jiff::SignedDuration::from_secs(1);
        simulation.run_until(now);
        if !lease(simulation.bed()).is_alive(now) {
            return now;
        }
    }
}

#[test]
fn the_lease_of_a_run_that_was_stopped_is_free_within_a_minute_and_without_events_in_a_quarter_of_an_hour() {
    let mut story = Story::calm();
    // The full takes half an hour: a run is at work.
    story.mib_per_second = 4;
    story.every_minutes = 240;
    for (hears, within, at_least) in [(true, 60, 0), (false, 15 * 60, 10 * 60)] {
        let mut simulation = if hears { hearing(&story) } else { story.simulation() };
        let stopped = at("00:12");
        simulation.run_until(stopped);
        abort(simulation.bed());
        let took = freed(&mut simulation, stopped).duration_since(stopped).as_secs();
        assert!((at_least..=within).contains(&took), "events {hears}: {took} s");
        if hears {
            assert_eq!(instance(simulation.bed()).trouble.unwrap().name, "RunEnded");
        }
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        assert_eq!(
            native(&mut simulation, "orders", true).len(),
            1,
            "the full goes on, and is asked for once"
        );
    }
}

#[test]
fn a_failed_run_that_gave_its_lease_back_is_not_started_again_at_once() {
    let mut simulation = hearing(&Story::calm());
    let refused =
        Fault::Refused(domain::reason::Reason::new(domain::reason::Class::Human, "AccessDenied", "no"));
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let fails = call.function == "plan-backups" && call.name == "store.query";
        if fails && call.now < at("03:00") { Verdict::Fail(refused.clone()) } else { Verdict::Pass }
    });
    simulation.run_until(at("03:00"));
    let failed = runs(&mut simulation).len();
    assert!(failed <= 13, "every fifteen minutes, as without events: {failed}");
}

#[test]
fn a_snapshot_is_heard_once_and_a_failover_wakes_the_run() {
    let mut story = Story::calm();
    story.multi_az = "always_on";
    let mut simulation = hearing(&story);
    // Every event comes twice.
    simulation.bed().set_gate(|call: &Call<'_>| {
        if call.name == "lambda.invoke_async" { Verdict::Duplicate } else { Verdict::Pass }
    });
    simulation.bed().at(at("13:01"), |bed| {
        assert!(bed.world_mut().break_failover(INSTANCE));
    });
    simulation.run_until(at("13:00"));
    let before = runs(&mut simulation).len();
    simulation.run_until(at("13:10"));
    assert!(runs(&mut simulation).len() > before, "the schedule has nothing for it before 14:00");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let heard = observed(simulation.bed());
    let ids: Vec<&str> = heard.events.iter().map(|told| told.id.as_str()).collect();
    assert_eq!(ids, ["RDS-EVENT-0001", "RDS-EVENT-0002", "RDS-EVENT-0013", "RDS-EVENT-0049"]);
    let moved = heard.base_moved_at.unwrap();
    assert!((at("03:00")..at("03:40")).contains(&moved), "the automated backup: {moved}");
    assert_eq!(simulation.bed().dead_letters(), [json!(null); 0]);
}

#[test]
fn events_that_are_lost_late_or_cannot_be_taken_change_no_promise() {
    for verdict in [
        Verdict::Fail(Fault::Transient("throttled".to_owned())),
        Verdict::Crash(Moment::Before),
        Verdict::Crash(Moment::After),
        Verdict::Delay(minutes(180)),
    ] {
        let mut simulation = hearing(&Story::calm());
        let (once, mut delayed) = (verdict.clone(), 0);
        simulation.bed().set_gate(move |call: &Call<'_>| {
            if call.name != "lambda.invoke_async" {
                return Verdict::Pass;
            }
            delayed += 1;
            if matches!(once, Verdict::Delay(_)) && delayed > 4 { Verdict::Pass } else { once.clone() }
        });
        for clock in ["10:10", "11:10"] {
            simulation.bed().at(at(clock), |bed| bed.world_mut().break_snapshot(INSTANCE));
        }
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let lost = matches!(verdict, Verdict::Fail(_) | Verdict::Crash(Moment::Before));
        assert_eq!(!simulation.bed().dead_letters().is_empty(), lost, "{verdict:?}");
    }
}
