//! Handlers at work: they interleave, they run out of time, they may wait for nothing but the agenda.

use std::future;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{MINUTE, code, counter, deploy_add, ending, outcome, run_minute, testbed};
use crate::executor::Ending;
use crate::{Call, NoSuchFunction, Verdict};

#[test]
fn two_handlers_that_interleave_lose_no_update_because_versions_conflict() {
    let mut lost = 0;
    for seed in 0..20 {
        let mut testbed = testbed(seed);
        deploy_add(&mut testbed);
        let ids = [(); 2].map(|()| testbed.invoke("add", Value::Null).unwrap());
        run_minute(&mut testbed);
        let outcomes = ids.map(|id| outcome(&mut testbed, id));
        let added = outcomes.iter().filter(|outcome| *outcome == "added").count() as u64;
        assert_eq!(counter(&testbed), added, "{outcomes:?}");
        lost += u64::from(outcomes.iter().any(|outcome| outcome == "Conflict"));
    }
    assert!(lost > 0, "some seed interleaves reads and writes");
}

#[test]
fn one_after_the_other_they_both_add() {
    let mut testbed = testbed(3);
    deploy_add(&mut testbed);
    for expected in 1..=2 {
        assert_eq!(ending(&mut testbed, "add", Value::Null), Some(Ending::Returned(Ok(json!("added")))));
        assert_eq!(counter(&testbed), expected);
    }
}

#[test]
#[should_panic(expected = "handler waits-for-nobody waits for something that is no entry of the agenda")]
fn a_handler_that_waits_for_nothing_on_the_agenda_is_named() {
    let mut testbed = testbed(1);
    testbed.deploy_function("waits-for-nobody", MINUTE, code(|_| future::pending()));
    ending(&mut testbed, "waits-for-nobody", Value::Null);
}

#[test]
#[should_panic(expected = "handler spins wakes itself without end")]
fn a_handler_that_spins_is_named() {
    let mut testbed = testbed(1);
    let spin = |_| {
        future::poll_fn(|context| {
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
    };
    testbed.deploy_function("spins", MINUTE, code(spin));
    ending(&mut testbed, "spins", Value::Null);
}

#[test]
fn calls_that_are_joined_run_side_by_side() {
    use futures_util::future::{join, join_all};
    use ports::store::ReadItems;

    let mut testbed = testbed(1);
    let store = testbed.store();
    let work = move |_| {
        let store = store.clone();
        async move {
            let key = super::counter_key();
            let many = join_all((0..40).map(|_| store.get(&key)));
            let (one, many) = join(store.get(&key), many).await;
            Ok(json!([one.is_ok(), many.iter().filter(|read| read.is_ok()).count()]))
        }
    };
    testbed.deploy_function("join", MINUTE, code(work));
    let begun = testbed.now();
    let id = testbed.invoke("join", Value::Null).unwrap();
    // The longest of 41 calls takes 12 ms at most; one after the other they would take 82 ms at least.
    testbed.run_until(begun + SignedDuration::from_millis(13));
    assert_eq!(testbed.take_ending(id), Some(Ending::Returned(Ok(json!([true, 40])))));
}

#[test]
fn a_function_that_is_late_ends_with_its_call_under_way_undone() {
    let mut testbed = testbed(1);
    deploy_add(&mut testbed);
    testbed.set_gate(|call: &Call<'_>| match call.name {
        "store.commit" => Verdict::Delay(MINUTE),
        _ => Verdict::Pass,
    });
    let id = testbed.invoke("add", Value::Null).unwrap();
    let until = testbed.now() + MINUTE;
    testbed.run_until(until);
    assert_eq!(testbed.take_ending(id), Some(Ending::TimedOut { after: MINUTE }));
    run_minute(&mut testbed);
    assert_eq!((counter(&testbed), testbed.invocations_running()), (0, 0));
}

#[test]
fn a_typed_handler_decodes_and_encodes_as_on_lambda() {
    struct Double;
    impl handlers::Handler for Double {
        type Input = u32;
        type Output = u32;
        const NAME: &'static str = "double";
        async fn handle(&self, input: u32) -> Result<u32, domain::reason::Reason> {
            Ok(input * 2)
        }
    }
    let mut testbed = testbed(1);
    testbed.deploy_function("double", MINUTE, crate::functions::code(Double));
    assert_eq!(ending(&mut testbed, "double", json!(21)), Some(Ending::Returned(Ok(json!(42)))));
    let Some(Ending::Returned(Err(reason))) = ending(&mut testbed, "double", json!("x")) else { panic!() };
    assert_eq!((reason.class.as_str(), &*reason.name), ("Human", "PayloadMalformed"));
    assert_eq!(testbed.invoke("treble", json!(1)), Err(NoSuchFunction("treble".into())));
    assert_eq!(testbed.invocations().collect::<Vec<_>>(), [("double", 2)]);
}
