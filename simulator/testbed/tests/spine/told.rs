//! Is everything told that happened, and nothing that did not? The bus away, slow, or taking half of a call; functions that die before and
//! after they told; commits that come to nothing.
//!
//! The checker `told` holds the bus against the tasks, the heads and the instances at the end; here is what it was told and when.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use domain::event::{Event, What};
use domain::reason::{Class, Reason};
use handlers::contract::REASONS_MAX;
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::events::Put;
use ports::store::{Due, Expect, Item, Key, Versioned, Write};
use serde_json::{Value, json};
use testbed::simulation::Simulation;
use testbed::stream::Stream;
use testbed::{Call, Moment, Testbed, Verdict};

use crate::story::{INSTANCE, Story, answer, assert_well, at, day, objections};
use crate::trouble::{later, throttled};

const PUT: &str = "events.put_events";

/// What was told, in order: when the bus took it, and the detail.
pub(crate) fn told(bed: &Testbed) -> Vec<(Timestamp, Value)> {
    bed.event_bus().look(|told| {
        let detail = |text: &str| serde_json::from_str(text).unwrap();
        told.iter().map(|told| (told.at, detail(&told.event.detail))).collect()
    })
}

/// How often each event was told, by id.
fn times(bed: &Testbed) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (_, detail) in told(bed) {
        *times.entry(detail["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    times
}

/// Events that lie in the store.
fn left(bed: &Testbed) -> usize {
    bed.store().look(|table| table.partition(&format!("outbox#{INSTANCE}")).count())
}

/// Calls to the bus and of list-work to the index, counted while a gate looks on.
fn counting(
    simulation: &mut Simulation,
    mut gate: impl FnMut(&Call<'_>) -> Verdict + 'static,
) -> Rc<Cell<(usize, usize)>> {
    let counts = Rc::new(Cell::new((0, 0)));
    let seen = Rc::clone(&counts);
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let (puts, dues) = seen.get();
        seen.set((puts + usize::from(call.name == PUT), dues + usize::from(call.name == "store.due")));
        gate(call)
    });
    counts
}

#[test]
fn an_undisturbed_day_is_told_once_and_at_once() {
    let mut simulation = Story::calm().simulation();
    let counts = counting(&mut simulation, |_| Verdict::Pass);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let bed = simulation.bed();
    assert!(times(bed).values().all(|times| *times == 1), "{:?}", times(bed));
    assert_eq!(left(bed), 0);
    for (taken, detail) in told(bed) {
        let happened: Timestamp = detail["at"].as_str().unwrap().parse().unwrap();
        assert!(taken.duration_since(happened) < SignedDuration::from_secs(5), "{detail} at {taken}");
        assert_eq!(detail["schema"], 1);
    }
    // Nothing is asked of the store or the bus where nothing is to be told, but one look of the fleet's every five minutes; eight shards
    // hold what is due, one the outbox, one the watch.
    let rounds =
        usize::try_from(bed.invocations().find(|(name, _)| *name == "list-work").unwrap().1).unwrap();
    assert_eq!(counts.get().1, 10 * rounds);
    assert!((1..=told(bed).len()).contains(&counts.get().0), "{:?}", counts.get());
}

#[test]
fn without_a_bus_nothing_is_written_that_nobody_would_remove() {
    let mut simulation = Story { event_bus: false, ..Story::calm() }.simulation();
    let counts = counting(&mut simulation, |_| Verdict::Pass);
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert!(!report.checkers.iter().any(|checked| checked.checker == "told"));
    let bed = simulation.bed();
    assert_eq!((told(bed), left(bed), counts.get().0), (Vec::new(), 0, 0));
}

#[test]
fn a_bus_that_is_away_for_most_of_the_day_keeps_no_work_waiting_and_hears_of_all_of_it() {
    let gone = || Fault::Refused(Reason::new(Class::Human, "ResourceNotFoundException", "no such bus"));
    let mut simulation = Story { every_minutes: 60, rpo_instance_minutes: 180, ..Story::calm() }.simulation();
    let counts = counting(&mut simulation, move |call: &Call<'_>| match call.name {
        PUT if call.now < at("20:00") => Verdict::Fail(gone()),
        _ => Verdict::Pass,
    });
    simulation.run_until(at("20:00"));
    let (waiting, before) = (left(simulation.bed()), told(simulation.bed()).len());
    assert!(waiting > 30, "{waiting} were left over, the other functions went on");
    assert_eq!(before, 0);
    // One call of ten for each five minutes while nobody answers, beside those that functions make for what they did themselves.
    assert!(counts.get().0 < 20 * 12 + 100, "{:?}", counts.get());
    simulation.run_until(at("20:06"));
    assert_eq!(left(simulation.bed()), 0, "the fleet's next round tells them all");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert!(times(simulation.bed()).values().all(|times| *times == 1));
}

#[test]
fn of_a_call_that_was_taken_in_part_the_rest_is_told_again() {
    let mut simulation = Story::calm().simulation();
    let bus = simulation.bed().event_bus();
    // Every other entry fails inside the service, whichever call it comes with.
    let taken = RefCell::new(false);
    bus.break_entries(move |_| {
        let take = !taken.take();
        taken.replace(take);
        if take { Put::Taken } else { Put::Left("InternalFailure".to_owned()) }
    });
    simulation.run_until(at("18:00"));
    bus.mend_entries();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(left(simulation.bed()), 0);
    assert!(times(simulation.bed()).values().all(|times| *times == 1), "what was taken is told no more");
}

/// The bus takes nothing yet, and of one event it will never be asked again.
#[test]
fn an_event_that_no_bus_takes_keeps_no_other_waiting_and_is_named_once() {
    let mut simulation = Story::calm().simulation();
    let bus = simulation.bed().event_bus();
    bus.break_entries(|event| match event.detail_type {
        "Database Gone" => {
            Put::Refused(Reason::new(Class::Human, "EventRefused", "PutEvents: MalformedDetail: no JSON"))
        }
        _ => Put::Left("PutEvents: AccessDeniedException: not yet".to_owned()),
    });
    simulation.run_until(at("00:12"));
    let waiting = left(simulation.bed());
    assert!(waiting > 0, "fulls are done");
    let gone = Event::new(INSTANCE, Some("orders"), at("00:06"), What::DatabaseGone);
    simulation.bed().store().put(&[Versioned::new(gone).put().unwrap()]).unwrap();
    let mut work = || {
        let said = answer(&mut simulation, "list-work", json!({"schema": 1}));
        let reasons = said["untold"].as_array().cloned().unwrap_or_default();
        let message = |reason: &Value| reason["message"].as_str().unwrap().to_owned();
        reasons.iter().map(message).collect::<Vec<_>>()
    };
    let first = work();
    let named = |reason: &String| reason.contains("is told no more: PutEvents: MalformedDetail");
    assert_eq!(first.iter().filter(|reason| named(reason)).count(), 1, "{first:?}");
    assert!(first.iter().any(|reason| reason.contains("AccessDeniedException")), "{first:?}");
    assert!(!work().iter().any(named), "and then it is gone");
    assert_eq!(left(simulation.bed()), waiting, "the others wait for the bus");
    bus.mend_entries();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert!(times(simulation.bed()).values().all(|times| *times == 1));
}

/// Whoever deployed a newer version and went back leaves events that cannot be read.
#[test]
fn events_that_cannot_be_read_keep_no_other_waiting_and_stay() {
    let mut simulation = Story::calm().simulation();
    let newer = |number: usize| {
        let key = Key { partition: format!("outbox#{INSTANCE}"), sort: format!("newer-{number:03}") };
        let due = Some(Due { shard: domain::record::OUTBOX_SHARD, at: at("00:00") });
        Write::Put {
            item: Item { key, body: r#"{"schema":99}"#.to_owned(), due, version: 0 },
            expect: Expect::Absent,
        }
    };
    let store = simulation.bed().store();
    for chunk in (0..250).map(newer).collect::<Vec<_>>().chunks(100) {
        store.put(chunk).unwrap();
    }
    simulation.bed().set_gate(|call: &Call<'_>| match call.name {
        PUT if call.now < at("04:00") => throttled(),
        _ => Verdict::Pass,
    });
    let said = answer(&mut simulation, "list-work", json!({"schema": 1}));
    let reasons = said["untold"].as_array().unwrap();
    assert_eq!((reasons.len(), &reasons[0]["name"]), (REASONS_MAX, &json!("RecordUnreadable")), "{said}");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(left(simulation.bed()), 250, "they are for the version that wrote them");
    let bed = simulation.bed();
    let due =
        |until: &str| bed.store().look(|table| table.due(domain::record::OUTBOX_SHARD, at(until), 300).len());
    assert_eq!(due("23:59"), 0, "looked at again a day later");
}

#[test]
fn an_instance_whose_lease_cannot_be_read_keeps_no_other_waiting() {
    let mut simulation = Story::calm().simulation();
    let (partition, sort) = domain::lease::key("broken");
    let due = Some(Due { shard: 0, at: Timestamp::UNIX_EPOCH });
    let item = Item { key: Key { partition, sort }, body: r#"{"schema":99}"#.to_owned(), due, version: 0 };
    simulation.bed().store().put(&[Write::Put { item, expect: Expect::Absent }]).unwrap();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let said = answer(&mut simulation, "list-work", json!({"schema": 1}));
    assert_eq!(said["unstarted"], 1, "{said}");
    let reason = &said["unstarted_because"][0];
    assert_eq!(reason["name"], "RecordUnreadable");
    assert!(reason["message"].as_str().unwrap().starts_with("no run of broken: "), "{reason}");
}

#[test]
fn whatever_becomes_of_calls_to_the_bus_everything_is_told_and_no_work_is_lost() {
    for seed in 0..6 {
        let mut simulation = Story { seed, ..Story::calm() }.simulation();
        let mut chance = Stream::new(seed, "trouble with the bus");
        simulation.bed().set_gate(move |call: &Call<'_>| {
            if call.name != PUT || call.now > at("20:00") {
                return Verdict::Pass;
            }
            match chance.between(0, 8) {
                0 => throttled(),
                1 => Verdict::Fail(Fault::UnknownOutcome("connection reset".to_owned())),
                2 => Verdict::LoseReply,
                3 => Verdict::Duplicate,
                4 => Verdict::Crash(Moment::Before),
                5 => Verdict::Crash(Moment::After),
                6 => later(3),
                _ => Verdict::Pass,
            }
        });
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        assert_eq!(left(simulation.bed()), 0, "seed {seed}");
    }
}

#[test]
fn what_was_not_committed_is_not_told() {
    for seed in 0..4 {
        let mut simulation = Story { seed, ..Story::calm() }.simulation();
        let mut chance = Stream::new(seed, "commits that come to nothing");
        simulation.bed().set_gate(move |call: &Call<'_>| {
            // The first commit of an invocation renews the lease.
            let ends = call.name == "store.commit" && call.function == "poll-tasks" && call.ordinal > 4;
            if ends && call.now < at("20:00") && chance.between(0, 1) == 0 {
                throttled()
            } else {
                Verdict::Pass
            }
        });
        let (report, _) = day(&mut simulation);
        assert_eq!(objections(&report), [""; 0], "seed {seed}");
        let ids: BTreeSet<_> = times(simulation.bed()).into_keys().collect();
        let contents: BTreeSet<String> =
            told(simulation.bed()).iter().map(|(_, detail)| detail.to_string()).collect();
        assert_eq!(ids.len(), contents.len(), "an event has one content");
    }
}
