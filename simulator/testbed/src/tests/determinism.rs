//! Same seed, same bytes; and how fast it is.

use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use jiff::SignedDuration;
use serde_json::Value;

use super::{MINUTE, after, code, counter_key, deploy_add, run_minute, testbed};
use crate::{Call, Verdict};

fn transcript(seed: u64) -> String {
    let mut testbed = testbed(seed);
    deploy_add(&mut testbed);
    let text = Rc::new(RefCell::new(String::new()));
    let log = Rc::clone(&text);
    testbed.set_gate(move |call: &Call<'_>| {
        writeln!(log.borrow_mut(), "{call:?}").unwrap();
        Verdict::Pass
    });
    for second in 0..20 {
        testbed.at(after(SignedDuration::from_secs(second)), |testbed| {
            for _ in 0..3 {
                testbed.invoke("add", Value::Null).unwrap();
            }
        });
    }
    run_minute(&mut testbed);
    text.take()
}

#[test]
fn same_seed_same_bytes() {
    assert_eq!(transcript(1), transcript(1));
    assert_ne!(transcript(1), transcript(2));
    assert_eq!(transcript(1).lines().count(), 120);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a measurement, printed and not judged")]
fn a_call_costs_little() {
    use ports::store::ReadItems;

    let mut testbed = testbed(1);
    let store = testbed.store();
    let work = move |_| {
        let store = store.clone();
        async move {
            for _ in 0..1_000 {
                store.get(&counter_key()).await?;
            }
            Ok(Value::Null)
        }
    };
    testbed.deploy_function("read", MINUTE, code(work));
    for _ in 0..10 {
        testbed.invoke("read", Value::Null).unwrap();
    }
    let begun = std::time::Instant::now();
    run_minute(&mut testbed);
    let calls = testbed.counts().port_calls;
    assert_eq!(calls, 10_000);
    println!("{calls} calls of a port, {:?} each", begun.elapsed() / 10_000);
}
