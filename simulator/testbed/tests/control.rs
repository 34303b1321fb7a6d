//! People, the control plane, the bus and Step Functions in memory: they pass what the adapters for AWS pass.

use std::cell::Cell;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::cloud::{EVENTS_DAYS, ListEvents};
use serde_json::Value;
use testbed::executor::Ending;
use testbed::{Options, Testbed};
use world::{InstanceConfig, Knobs, World};

#[path = "../../../tests/conformance/cloud/suite.rs"]
mod cloud;
#[path = "../../../tests/conformance/notify/suite.rs"]
mod suite;
#[path = "../../../tests/conformance/telling/suite.rs"]
mod telling;

/// Runs a case as a handler, since only handlers may call ports.
fn run_in<P: 'static, C: AsyncFnOnce(&P) + 'static>(testbed: &mut Testbed, ports: P, case: C) {
    let hour = SignedDuration::from_hours(1);
    let work = Cell::new(Some((case, ports)));
    let code = move |_| -> testbed::executor::Work {
        let work = work.take();
        Box::pin(async move {
            if let Some((case, ports)) = work {
                case(&ports).await;
            }
            Ok(Value::Null)
        })
    };
    testbed.deploy_function("case", hour, Rc::new(code));
    let id = testbed.invoke("case", Value::Null).expect("it has just been deployed");
    let until = testbed.now() + hour;
    testbed.run_until(until);
    assert_eq!(testbed.take_ending(id), Some(Ending::Returned(Ok(Value::Null))));
}

/// A testbed with so many instances, so many days from the beginning.
fn testbed(names: &[String], days: i32) -> Testbed {
    let mut world = World::new(1, Timestamp::UNIX_EPOCH, Knobs::default());
    for name in names {
        world.add_instance(InstanceConfig::named(name, "eu-west-1", "123456789012"));
    }
    let mut testbed = Testbed::new(Options::new(1), world);
    testbed.run_until(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24) * days);
    testbed
}

#[test]
fn every_notice_is_sent_and_an_empty_one_refused() {
    let mut testbed = testbed(&[], 0);
    let people = testbed.people();
    run_in(&mut testbed, people, async |people| {
        suite::every_notice_is_sent_and_an_empty_one_refused(people).await;
    });
    let people = testbed.people();
    let told: Vec<_> =
        people.told().into_iter().map(|(_, notice)| (notice.subject, notice.text.len())).collect();
    let arrives: Vec<_> = suite::notices().into_iter().map(|(_, arrives)| arrives).collect();
    assert_eq!(told, arrives);
}

/// A backup a day begins and ends, and RDS remembers two weeks of them.
#[test]
fn what_happened_is_found_page_by_page_for_two_weeks() {
    let mut testbed = testbed(&["sales".to_owned()], 80);
    let cloud = testbed.cloud();
    run_in(&mut testbed, cloud, async |cloud| {
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

/// Snapshots by hand are what happens once a minute: more than RDS tells on one page.
#[test]
fn the_control_plane_keeps_its_contract() {
    let names: Vec<_> = (0..120).map(cloud::World::name).collect();
    let mut testbed = testbed(&names, 0);
    let from = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(10);
    let world = cloud::World { instances: names.len(), events: 130, from, snapshot: "by-hand-1".to_owned() };
    for number in 0..world.events {
        testbed.run_until(world.at(number));
        testbed.world_mut().break_snapshot(&names[0]);
    }
    let cloud = testbed.cloud();
    run_in(&mut testbed, cloud, async move |cloud| {
        cloud::every_instance_is_listed_once_and_described_as_listed(cloud, &world).await;
        cloud::what_happened_is_found_page_by_page(cloud, &world).await;
        cloud::a_snapshot_is_of_its_instance_and_one_that_is_none_of_nobody(cloud, &world).await;
    });
}

#[test]
fn the_bus_and_step_functions_keep_the_contract_of_telling() {
    let mut testbed = testbed(&[], 0);
    let bus = testbed.event_bus();
    run_in(&mut testbed, bus, async |bus| telling::one_event_to_ten_are_taken_and_no_other_number(bus).await);
    let mut testbed = self::testbed(&[], 0);
    let states = testbed.state_machines();
    run_in(&mut testbed, states, async |states| telling::a_name_begins_one_execution(states).await);
}
