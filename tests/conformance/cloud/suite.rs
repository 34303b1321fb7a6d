//! What everybody who answers for the control plane of RDS must do: instances, what happened to them, whose a snapshot is.
//!
//! Included by path from the tests of each implementation. The contract is the documentation of `ports::cloud`; what both have to hold when it
//! is asked is said by [`World`].

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::cloud::{DescribeInstance, DescribeSnapshot, ListEvents, ListInstances};

/// What there is: so many instances of SQL Server, `sql-000` and on, more than one page of them; to the first of them happened so many
/// things, one a minute from a moment on, more than one page of them; and of it a snapshot was taken.
pub(crate) struct World {
    pub(crate) instances: usize,
    pub(crate) events: usize,
    pub(crate) from: Timestamp,
    pub(crate) snapshot: String,
}

impl World {
    /// The name of an instance.
    pub(crate) fn name(number: usize) -> String {
        format!("sql-{number:03}")
    }

    /// When the event of this number happened.
    pub(crate) fn at(&self, number: usize) -> Timestamp {
        self.from + SignedDuration::from_mins(1) * i32::try_from(number).expect("few events")
    }
}

/// Pages hold at most so many of anything.
const PAGE_MAX: usize = 100;

pub(crate) async fn every_instance_is_listed_once_and_described_as_listed(
    cloud: &(impl ListInstances + DescribeInstance),
    world: &World,
) {
    let (mut names, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = cloud.list_instances(after.as_deref()).await.expect("a page");
        assert!(page.instances.len() <= PAGE_MAX, "{}", page.instances.len());
        pages += 1;
        for listed in page.instances {
            let facts =
                cloud.describe_instance(&listed.name).await.expect("an instance that is listed is there");
            assert_eq!(
                (&facts.name, &facts.arn, &facts.engine, &facts.status, facts.read_replica),
                (&listed.name, &listed.arn, &listed.engine, &listed.status, listed.read_replica)
            );
            assert!(listed.engine.starts_with("sqlserver-"), "{}", listed.engine);
            names.push(listed.name);
        }
        match page.after {
            next @ Some(_) => after = next,
            None => break,
        }
    }
    assert!(pages > 1, "{pages} pages");
    names.sort_unstable();
    assert_eq!(names, (0..world.instances).map(World::name).collect::<Vec<_>>());
    let Err(Fault::Refused(reason)) = cloud.describe_instance("ghost").await else {
        unreachable!("there is no such instance")
    };
    assert_eq!(reason.name, "InstanceNotFound");
}

pub(crate) async fn what_happened_is_found_page_by_page(cloud: &impl ListEvents, world: &World) {
    let instance = World::name(0);
    let last = world.events - 1;
    // The first moment and the last are within; a second is the finest that RDS is asked by.
    for (from, to) in [(0, last), (3, 7), (5, 5), (last, last)] {
        let between = (world.at(from), world.at(to));
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = cloud.list_events(&instance, between, after.as_deref()).await.expect("a page");
            assert!(page.events.len() <= PAGE_MAX);
            pages += 1;
            for event in page.events {
                assert!(
                    !event.message.is_empty() && (between.0..=between.1).contains(&event.at),
                    "{event:?}"
                );
                found.push(event.at);
            }
            match page.after {
                next @ Some(_) => after = next,
                None => break,
            }
        }
        let expected = to - from + 1;
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), expected, "{from} to {to}");
        assert_eq!((found.len(), pages), (expected, expected.div_ceil(PAGE_MAX)), "{from} to {to}");
    }
    let between = (world.at(0), world.at(last));
    match cloud.list_events(&World::name(1), between, None).await {
        Ok(page) => assert_eq!((page.events.len(), page.after), (0, None), "to the second nothing happened"),
        Err(fault) => unreachable!("{fault}"),
    }
    match cloud.list_events("ghost", between, None).await {
        Ok(page) => assert_eq!((page.events.len(), page.after), (0, None)),
        Err(Fault::Refused(reason)) => assert_eq!(reason.name, "InstanceNotFound"),
        Err(fault) => unreachable!("{fault}"),
    }
}

pub(crate) async fn a_snapshot_is_of_its_instance_and_one_that_is_none_of_nobody(
    cloud: &impl DescribeSnapshot,
    world: &World,
) {
    assert_eq!(cloud.instance_of_snapshot(&world.snapshot).await, Ok(Some(World::name(0))));
    for none in ["ghost", "rds:ghost-2026-11-16-03-12", "awsbackup:job-ghost"] {
        assert_eq!(cloud.instance_of_snapshot(none).await, Ok(None), "{none}");
    }
}
