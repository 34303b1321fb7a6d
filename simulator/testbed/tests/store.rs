//! The task store in memory passes what every task store must pass.

use std::cell::Cell;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testbed::executor::Ending;
use testbed::ports::store::Store;
use testbed::{Options, Testbed};
use world::{Knobs, World};

#[macro_use]
#[path = "../../../tests/conformance/store/suite.rs"]
mod suite;

/// Runs a case as a handler, since only handlers may call ports.
fn run<C: AsyncFnOnce(&Store) + 'static>(case: C) {
    let hour = SignedDuration::from_hours(1);
    let world = World::new(1, Timestamp::UNIX_EPOCH, Knobs::default());
    let mut testbed = Testbed::new(Options::new(1), world);
    let store = testbed.store();
    let case = Cell::new(Some(case));
    let code = move |_| -> testbed::executor::Work {
        let (case, store) = (case.take(), store.clone());
        Box::pin(async move {
            if let Some(case) = case {
                case(&store).await;
            }
            Ok(Value::Null)
        })
    };
    testbed.deploy_function("case", hour, Rc::new(code));
    let id = testbed.invoke("case", Value::Null).expect("it has just been deployed");
    testbed.run_until(Timestamp::UNIX_EPOCH + hour);
    assert_eq!(testbed.take_ending(id), Some(Ending::Returned(Ok(Value::Null))));
}

store_conformance!(run);
