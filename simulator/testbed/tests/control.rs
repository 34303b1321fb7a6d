//! People and the memory of RDS, in memory: they pass what the adapters for AWS pass.

use std::cell::Cell;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::cloud::{EVENTS_DAYS, ListEvents};
use serde_json::Value;
use testbed::executor::Ending;
use testbed::ports::cloud::Cloud;
use testbed::ports::people::People;
use testbed::{Options, Testbed};
use world::{InstanceConfig, Knobs, World};

#[path = "../../../tests/conformance/notify/suite.rs"]
mod suite;

/// Runs a case as a handler, since only handlers may call ports, so many days from the beginning.
fn run<C: AsyncFnOnce(&Cloud, &People) + 'static>(days: u32, case: C) -> People {
    let hour = SignedDuration::from_hours(1);
    let mut world = World::new(1, Timestamp::UNIX_EPOCH, Knobs::default());
    world.add_instance(InstanceConfig::named("sales", "eu-west-1", "123456789012"));
    let mut testbed = Testbed::new(Options::new(1), world);
    let from = Timestamp::UNIX_EPOCH + hour * i32::try_from(days * 24).expect("days of a test are few");
    testbed.run_until(from);
    let (cloud, people, told) = (testbed.cloud(), testbed.people(), testbed.people());
    let case = Cell::new(Some(case));
    let code = move |_| -> testbed::executor::Work {
        let (case, cloud, people) = (case.take(), cloud.clone(), people.clone());
        Box::pin(async move {
            if let Some(case) = case {
                case(&cloud, &people).await;
            }
            Ok(Value::Null)
        })
    };
    testbed.deploy_function("case", hour, Rc::new(code));
    let id = testbed.invoke("case", Value::Null).expect("it has just been deployed");
    testbed.run_until(from + hour);
    assert_eq!(testbed.take_ending(id), Some(Ending::Returned(Ok(Value::Null))));
    told
}

#[test]
fn every_notice_is_sent_and_an_empty_one_refused() {
    let people = run(0, async |_, people| suite::every_notice_is_sent_and_an_empty_one_refused(people).await);
    let told: Vec<_> =
        people.told().into_iter().map(|(_, notice)| (notice.subject, notice.text.len())).collect();
    let arrives: Vec<_> = suite::notices().into_iter().map(|(_, arrives)| arrives).collect();
    assert_eq!(told, arrives);
}

/// A backup a day begins and ends, and RDS remembers two weeks of them.
#[test]
fn what_happened_is_found_page_by_page_for_two_weeks() {
    run(80, async |cloud, _| {
        let day = |number: u32| {
            Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24) * i32::try_from(number).unwrap()
        };
        let count = async |between| {
            let page = cloud.list_events("sales", between, None).await.expect("a page");
            assert!(page.events.iter().all(|event| (between.0..=between.1).contains(&event.at)));
            assert!(page.events.iter().all(|event| event.categories == ["backup"]), "{page:?}");
            assert_eq!(page.after, None);
            page.events.len()
        };
        assert_eq!(count((day(78), day(79))).await, 2);
        assert_eq!(count((day(80), day(79))).await, 0);
        let all = count((day(0), day(80))).await;
        assert_eq!(all, 2 * usize::try_from(EVENTS_DAYS).unwrap());
        let Err(Fault::Refused(reason)) = cloud.list_events("ghost", (day(78), day(79)), None).await else {
            unreachable!("there is no such instance")
        };
        assert_eq!(reason.name, "InstanceNotFound");
    });
}
