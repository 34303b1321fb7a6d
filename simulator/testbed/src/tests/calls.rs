//! What becomes of a call under each verdict: who learns what, and what has happened.

use jiff::SignedDuration;
use ports::Fault;

use super::{counter, deploy_add, outcome, run_minute, start, testbed};
use crate::{Call, Moment, Verdict};

/// `add` under one verdict for its commit: its outcome, and the counter.
fn under(verdict: Verdict) -> (String, u64) {
    let mut testbed = testbed(1);
    deploy_add(&mut testbed);
    testbed.set_gate(move |call: &Call<'_>| match call.name {
        "store.commit" => verdict.clone(),
        _ => Verdict::Pass,
    });
    let id = testbed.invoke("add", serde_json::Value::Null).unwrap();
    run_minute(&mut testbed);
    (outcome(&mut testbed, id), counter(&testbed))
}

#[test]
fn verdicts_differ_in_what_the_caller_learns_and_in_what_happened() {
    for (verdict, expected, count) in [
        (Verdict::Pass, "added", 1),
        (Verdict::Delay(SignedDuration::from_secs(5)), "added", 1),
        (Verdict::Fail(Fault::Transient("throttled".into())), "Fault", 0),
        (Verdict::LoseReply, "Fault", 1),
        // The second of the two finds the first one's item.
        (Verdict::Duplicate, "Conflict", 1),
        (Verdict::Crash(Moment::Before), "Some(Crashed)", 0),
        (Verdict::Crash(Moment::After), "Some(Crashed)", 1),
    ] {
        assert_eq!(under(verdict.clone()), (expected.to_owned(), count), "{verdict:?}");
    }
}

#[test]
fn a_lost_reply_is_an_unknown_outcome_for_a_write_and_transient_for_a_read() {
    use super::code;
    use ports::store::{ReadItems, WriteItems};

    let mut testbed = testbed(1);
    let store = testbed.store();
    testbed.deploy_function(
        "ask",
        super::MINUTE,
        code(move |_| {
            let store = store.clone();
            async move {
                let read = store.get(&super::counter_key()).await;
                let write = store.commit(&[]).await;
                Ok(serde_json::json!([format!("{read:?}"), format!("{write:?}")]))
            }
        }),
    );
    testbed.set_gate(|_: &Call<'_>| Verdict::LoseReply);
    let ending = super::ending(&mut testbed, "ask", serde_json::Value::Null);
    let text = format!("{ending:?}");
    assert!(text.contains("Err(Transient(") && text.contains("store.get: the reply was lost"), "{text}");
    assert!(text.contains("Err(Fault(UnknownOutcome("), "{text}");
}

#[test]
fn a_delay_takes_as_long_as_it_says() {
    let mut testbed = testbed(1);
    deploy_add(&mut testbed);
    testbed.set_gate(|call: &Call<'_>| match call.ordinal {
        1 => Verdict::Delay(SignedDuration::from_secs(20)),
        _ => Verdict::Pass,
    });
    let id = testbed.invoke("add", serde_json::Value::Null).unwrap();
    testbed.run_until(start() + SignedDuration::from_secs(20));
    assert_eq!(testbed.invocations_running(), 1);
    testbed.run_until(start() + SignedDuration::from_secs(21));
    assert_eq!(outcome(&mut testbed, id), "added");
}

#[test]
fn the_gate_sees_who_calls_what_in_which_order() {
    let mut testbed = testbed(1);
    deploy_add(&mut testbed);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let log = std::rc::Rc::clone(&seen);
    testbed.set_gate(move |call: &Call<'_>| {
        log.borrow_mut().push(format!("{} {} {} {}", call.function, call.attempt, call.ordinal, call.name));
        Verdict::Pass
    });
    for _ in 0..2 {
        testbed.invoke("add", serde_json::Value::Null).unwrap();
        run_minute(&mut testbed);
    }
    let expected = ["add 1 1 store.get", "add 1 2 store.commit", "add 2 1 store.get", "add 2 2 store.commit"];
    assert_eq!(*seen.borrow(), expected);
}
