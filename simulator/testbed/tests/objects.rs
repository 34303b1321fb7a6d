//! The objects in memory pass what every keeper of objects must pass.

use std::cell::Cell;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use testbed::executor::Ending;
use testbed::ports::cloud::Cloud;
use testbed::{Options, Testbed};
use world::{BucketConfig, Knobs, World};

#[macro_use]
#[path = "../../../tests/conformance/objects/suite.rs"]
mod suite;

/// Runs a case as a handler, since only handlers may call ports.
fn run<C: AsyncFnOnce(&Cloud) + 'static>(case: C) {
    let hour = SignedDuration::from_hours(1);
    let mut world = World::new(1, Timestamp::UNIX_EPOCH, Knobs::default());
    world.add_bucket(BucketConfig::named(suite::BUCKET, "eu-west-1", "123456789012"));
    let mut testbed = Testbed::new(Options::new(1), world);
    let cloud = testbed.cloud();
    let case = Cell::new(Some(case));
    let code = move |_| -> testbed::executor::Work {
        let (case, cloud) = (case.take(), cloud.clone());
        Box::pin(async move {
            if let Some(case) = case {
                case(&cloud).await;
            }
            Ok(Value::Null)
        })
    };
    testbed.deploy_function("case", hour, Rc::new(code));
    let id = testbed.invoke("case", Value::Null).expect("it has just been deployed");
    testbed.run_until(Timestamp::UNIX_EPOCH + hour);
    assert_eq!(testbed.take_ending(id), Some(Ending::Returned(Ok(Value::Null))));
}

objects_conformance!(run);
