//! The state of the fleet. Bounded by pages: an instance costs five reads (its record, the watch over its promises, discovery's last look,
//! the heads of its databases, its open tasks) and holds a hundred databases at most on RDS, so a page is a hundred reads and 2,000
//! heads; a read of more than 1 MB of heads goes on, which takes several hundred databases.

use domain::directory::{self, Listed, What};
use domain::discovery::seen::{Looked, looked_key};
use domain::exposure::Watch;
use domain::inventory::{Database, Instance, databases_partition, instance_key};
use domain::policy::Policy;
use domain::reason::Reason;
use domain::task::{Task, open_partition};
use jiff::Timestamp;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, Versioned, WriteItems, decode, load, load_range};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::{EVERYTHING, page};
use crate::problem::Refused;
use crate::read::json;
use crate::shapes::{
    BrokenDatabase, ExposureShape, FailingDatabase, FleetDatabase, FleetInstance, FleetShape, FleetTotals,
};

/// Instances a page holds at most, and unless the request says otherwise.
pub(crate) const INSTANCES_MAX: u32 = 20;

/// Databases that are named of one instance; the others are counted.
const NAMED_MAX: usize = 100;

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn fleet(&self, request: &Request) -> Result<Response, Refused> {
        let now = self.clock.now();
        let limits = (INSTANCES_MAX, INSTANCES_MAX);
        let names = directory::partition(What::Instance);
        let (page, next) = page(&self.store, request, names, EVERYTHING, limits).await?;
        // A policy serves many instances, and they are few.
        let mut policies: Vec<Policy> = Vec::new();
        let (mut totals, mut instances) = (FleetTotals::default(), Vec::with_capacity(page.items.len()));
        for item in &page.items {
            let name = decode::<Listed>(item)?.record.name;
            let found: Option<Versioned<Instance>> = load(&self.store, instance_key(&name)).await?;
            // Let go since the directory was read.
            let Some(found) = found else { continue };
            let instance = found.record;
            if !policies.iter().any(|policy| policy.name == instance.policy) {
                policies.extend(self.policy_of(&instance.policy).await?);
            }
            let followed = policies.iter().find(|policy| policy.name == instance.policy);
            let policy = followed.filter(|_| instance.stopped.is_none());
            let watch = self.watch_of(&name).await?;
            let looked: Option<Versioned<Looked>> = load(&self.store, looked_key(&name)).await?;
            let heads: Vec<Versioned<Database>> =
                load_range(&self.store, &databases_partition(&name), EVERYTHING).await?;
            let open: Vec<Versioned<Task>> =
                load_range(&self.store, &open_partition(&name), EVERYTHING).await?;
            let heads: Vec<Database> = heads.into_iter().map(|head| head.record).collect();
            let promises = Promises { policy, watch: &watch, now };
            let mut one = state(&instance, &promises, &heads)?;
            one.discovery_trouble = looked.and_then(|looked| looked.record.trouble);
            one.open_tasks = count(open.len());
            totals.add(&one);
            instances.push(one);
        }
        json(200, &FleetShape { now, totals, instances, next })
    }
}

/// What the databases of an instance are held against.
struct Promises<'a> {
    policy: Option<&'a Policy>,
    watch: &'a Watch,
    now: Timestamp,
}

/// The state of one instance, as its heads tell it.
fn state(instance: &Instance, promises: &Promises<'_>, heads: &[Database]) -> Result<FleetInstance, Reason> {
    let Promises { policy, watch, now } = *promises;
    let mut beyond = Vec::new();
    let mut oldest_exposure_seconds = None;
    for head in heads {
        let exposure = ExposureShape::new(head, policy, watch, now)?;
        if exposure.rpo_minutes.is_some() {
            oldest_exposure_seconds = oldest_exposure_seconds.max(exposure.seconds);
        }
        if exposure.is_beyond {
            beyond.push(FleetDatabase { name: head.name.clone(), exposure });
        }
    }
    // In order of how long they are missed; then by name as they came.
    beyond.sort_by_key(|one| one.exposure.missed_at);
    let there = || heads.iter().filter(|head| head.gone_at.is_none());
    let broken = there()
        .filter_map(|head| Some(BrokenDatabase { name: head.name.clone(), reason: head.broken.clone()? }));
    let mut broken: Vec<BrokenDatabase> = broken.collect();
    let failing = there().filter(|head| head.failures > 0);
    let mut failing: Vec<FailingDatabase> =
        failing.map(|head| FailingDatabase { name: head.name.clone(), failures: head.failures }).collect();
    failing.sort_by_key(|one| std::cmp::Reverse(one.failures));
    Ok(FleetInstance {
        instance: instance.name.clone(),
        trouble: instance.trouble.clone(),
        discovery_trouble: None,
        databases: count(heads.len()),
        beyond_count: named(&mut beyond),
        beyond_rpo: beyond,
        broken_count: named(&mut broken),
        broken,
        failing_count: named(&mut failing),
        failing,
        oldest_exposure_seconds,
        open_tasks: 0,
    })
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// How many there are; those that are named stay.
fn named<T>(all: &mut Vec<T>) -> u64 {
    let there = count(all.len());
    all.truncate(NAMED_MAX);
    there
}
