//! The watch over promised RPOs: what is told when the runs themselves tell nothing.

use domain::exposure::{self, Watch};
use jiff::Timestamp;
use ports::store::{Key, decode};
use testbed::simulation::Simulation;
use testbed::{Call, Gate, Testbed, Verdict};

use crate::story::{INSTANCE, Story, at, day, minutes};
use crate::trouble::throttled;

/// What each look of the fleet told: when, and the seconds by which the worst promise was missed.
fn told(simulation: &mut Simulation) -> Vec<(Timestamp, Option<u64>)> {
    let fleets = simulation.bed().executions().iter().filter(|run| &*run.machine == "fleet");
    fleets
        .filter_map(|run| match &run.status {
            asl::Status::Succeeded { output } => {
                Some((run.started_at, output["rpo_overdue_seconds"].as_u64()))
            }
            _ => None,
        })
        .collect()
}

fn watch(bed: &Testbed) -> Option<Watch> {
    let (partition, sort) = exposure::key(INSTANCE);
    let item = bed.store().look(|table| table.get(&Key { partition, sort }))?;
    Some(decode(&item).unwrap().record)
}

/// A day under a trouble: what the looks told.
fn under(gate: impl Gate + 'static) -> (Simulation, Vec<(Timestamp, Option<u64>)>) {
    let mut simulation = Story::calm().simulation();
    simulation.bed().set_gate(gate);
    day(&mut simulation);
    let told = told(&mut simulation);
    (simulation, told)
}

#[test]
fn a_calm_day_is_never_overdue_and_seldom_looked_at() {
    let looks = std::rc::Rc::new(std::cell::Cell::new(0));
    let seen = std::rc::Rc::clone(&looks);
    let mut first = at("00:00");
    let (_, told) = under(move |call: &Call<'_>| {
        // A look reads the heads: the one query of list-work.
        if call.function == "list-work" && call.name == "store.query" {
            assert!(seen.get() < 3 || call.now.duration_since(first) > minutes(20), "{}", call.now);
            first = call.now;
            seen.set(seen.get() + 1);
        }
        Verdict::Pass
    });
    assert_eq!(told.len(), 24 * 12);
    assert!(told.iter().all(|(_, seconds)| *seconds == Some(0)), "{told:?}");
    assert!((20..=30).contains(&looks.get()), "about once an hour: {}", looks.get());
}

#[test]
fn runs_that_fail_for_hours_let_the_metric_rise_and_the_calm_lets_it_fall() {
    // Between the logs of 02:00 and the evening nothing but the fleet works. The promise is five hours.
    let (mut simulation, told) = under(|call: &Call<'_>| {
        let trouble = (at("02:30")..at("18:00")).contains(&call.now);
        if trouble && call.name == "lambda.invoke" && call.function != "list-work" {
            return throttled();
        }
        Verdict::Pass
    });
    let seconds = |moment: Timestamp| {
        let look = told.iter().find(|(started_at, _)| *started_at >= moment).copied().unwrap();
        (look.0, look.1.unwrap())
    };
    assert_eq!(seconds(at("06:50")).1, 0, "the newest log is of about two o'clock");
    let (first, missed) = told.iter().find(|(_, seconds)| *seconds > Some(0)).copied().unwrap();
    assert!((at("06:50")..at("07:10")).contains(&first), "{first}");
    assert!(missed.unwrap() <= 310, "within five minutes: {missed:?}");
    // It rises with the clock, however often runs begin and fail.
    let since = first - jiff::SignedDuration::from_secs(i64::try_from(missed.unwrap()).unwrap());
    for clock in ["08:00", "12:00", "17:55"] {
        let (looked_at, missed) = seconds(at(clock));
        let expected = looked_at.duration_since(since).as_secs();
        assert!((i64::try_from(missed).unwrap() - expected).abs() <= 5, "{clock}: {missed} not {expected}");
    }
    assert_eq!(told.last().unwrap().1, Some(0), "{:?}", watch(simulation.bed()));
    let healed = told.iter().rposition(|(_, seconds)| *seconds > Some(0)).unwrap();
    assert!(told[healed].0 < at("19:30"), "{}", told[healed].0);
}

#[test]
fn a_run_that_never_starts_is_overdue_after_the_promise() {
    let (_, told) = under(
        |call: &Call<'_>| {
            if call.name == "states.start_execution" { throttled() } else { Verdict::Pass }
        },
    );
    let first = told.iter().find(|(_, seconds)| *seconds > Some(0)).unwrap().0;
    assert!(
        (at("05:00")..at("05:11")).contains(&first),
        "waits for its first full since the first look: {first}"
    );
    let last = told.last().unwrap();
    assert!(last.1.unwrap() > 18 * 3_600, "{last:?}");
}

#[test]
fn what_cannot_be_watched_is_told_by_silence_and_keeps_no_run_from_starting() {
    let (mut simulation, told) = under(|call: &Call<'_>| {
        // Behind the eight shards of what is due come those of the watches and of the outbox, which may fail likewise.
        let watches = call.function == "list-work" && call.name == "store.due";
        if watches && call.now >= at("12:00") && call.ordinal >= 9 { throttled() } else { Verdict::Pass }
    });
    let (before, after): (Vec<_>, Vec<_>) =
        told.iter().partition(|(started_at, _)| *started_at < at("11:59"));
    assert!(before.iter().all(|(_, seconds)| *seconds == Some(0)));
    assert!(after.iter().all(|(_, seconds)| seconds.is_none()), "{after:?}");
    assert_eq!(crate::story::runs(&mut simulation).len(), 13, "as many as on any day");
}
