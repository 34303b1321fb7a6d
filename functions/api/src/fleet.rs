//! The state of the fleet. Bounded by pages: an instance costs three reads (its record, the heads of its databases, its open tasks) and
//! holds a hundred databases at most on RDS, so a page is sixty reads and 2,000 heads.

use domain::directory::{self, Listed, What};
use domain::inventory::{Database, Instance, databases_partition, instance_key};
use domain::policy::Policy;
use domain::task::{Task, open_partition};
use jiff::Timestamp;
use ports::Clock;
use ports::executions::StartExecution;
use ports::store::{ReadItems, Versioned, WriteItems, decode, load, load_range};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::{EVERYTHING, page};
use crate::problem::Refused;
use crate::read::json;
use crate::shapes::{ExposureShape, FleetDatabase, FleetInstance, FleetShape};

/// Instances a page holds at most, and unless the request says otherwise.
pub(crate) const INSTANCES_MAX: u32 = 20;

/// Databases that are named of one instance; the others are counted.
const NAMED_MAX: usize = 100;

impl<S: ReadItems + WriteItems, X: StartExecution, C: Clock> Api<S, X, C> {
    pub(crate) async fn fleet(&self, request: &Request) -> Result<Response, Refused> {
        let now = self.clock.now();
        let limits = (INSTANCES_MAX, INSTANCES_MAX);
        let names = directory::partition(What::Instance);
        let (page, next) = page(&self.store, request, names, EVERYTHING, limits).await?;
        // A policy serves many instances, and they are few.
        let mut policies: Vec<Policy> = Vec::new();
        let mut instances = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let name = decode::<Listed>(item)?.record.name;
            let found: Option<Versioned<Instance>> = load(&self.store, instance_key(&name)).await?;
            // Let go since the directory was read.
            let Some(found) = found else { continue };
            let instance = found.record;
            if !policies.iter().any(|policy| policy.name == instance.policy) {
                policies.extend(self.policy_of(&instance.policy).await?);
            }
            let policy = policies.iter().find(|policy| policy.name == instance.policy);
            let heads: Vec<Versioned<Database>> =
                load_range(&self.store, &databases_partition(&name), EVERYTHING).await?;
            let open: Vec<Versioned<Task>> =
                load_range(&self.store, &open_partition(&name), EVERYTHING).await?;
            let heads: Vec<Database> = heads.into_iter().map(|head| head.record).collect();
            instances.push(state(&instance, policy, &heads, open.len(), now));
        }
        json(200, &FleetShape { now, instances, next })
    }
}

/// The state of one instance.
fn state(
    instance: &Instance,
    policy: Option<&Policy>,
    heads: &[Database],
    open: usize,
    now: Timestamp,
) -> FleetInstance {
    let exposures = heads.iter().map(|head| {
        let rpo = policy.and_then(|policy| policy.rpo_of(&head.name));
        FleetDatabase { name: head.name.clone(), exposure: ExposureShape::new(head, rpo, now) }
    });
    let promised: Vec<FleetDatabase> = exposures.filter(|one| one.exposure.rpo_minutes.is_some()).collect();
    let oldest_exposure_seconds = promised.iter().filter_map(|one| one.exposure.seconds).max();
    let mut beyond: Vec<FleetDatabase> = promised.into_iter().filter(|one| one.exposure.is_beyond).collect();
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let beyond_count = count(beyond.len());
    // What has nothing in the vault loses everything; then the oldest, then by name as they came.
    beyond.sort_by_key(|one| std::cmp::Reverse(one.exposure.seconds.unwrap_or(i64::MAX)));
    beyond.truncate(NAMED_MAX);
    FleetInstance {
        instance: instance.name.clone(),
        trouble: instance.trouble.clone(),
        databases: count(heads.len()),
        beyond_count,
        beyond_rpo: beyond,
        oldest_exposure_seconds,
        open_tasks: count(open),
    }
}
