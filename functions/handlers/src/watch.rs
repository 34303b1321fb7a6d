//! The watch over promised RPOs: what the runs themselves cannot tell when they are stuck, dead or never started.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use domain::exposure::{self, Watch};
use domain::inventory::{Instance, instance_key, instance_of_partition};
use domain::policy::{self, Policy};
use domain::reason::{Class, Reason};
use domain::record::WATCH_SHARD;
use jiff::{SignedDuration, Timestamp};
use ports::store::{CommitFault, Key, ReadDue, ReadItems, Versioned, Write, WriteItems, load};

use crate::scope::databases;

/// Instances looked at in one call. What does not fit is first in the index five minutes later; a look is a read of the heads,
/// and is due once an hour for an instance whose promises are kept.
const LOOKS: u32 = 256;

/// Commits the first lease of an instance and begins the watch over it, both or none. A watch that is there already goes on: a lease may be
/// lost and begin anew.
pub(crate) async fn with_watch(
    store: &impl WriteItems,
    lease: Write,
    instance: &str,
    now: Timestamp,
) -> Result<(), CommitFault> {
    let watch = Versioned::new(Watch::new(instance, now)).put()?;
    let (partition, sort) = exposure::key(instance);
    match store.commit(&[lease.clone(), watch]).await {
        Err(CommitFault::Conflict { key }) if key == (Key { partition, sort }) => {
            store.commit(&[lease]).await
        }
        committed => committed,
    }
}

/// By how much the worst promise of all instances is missed; zero when none is.
///
/// The index has the instances in order of the moment before which nothing can be missed, so that the first whose truth is no later
/// than the next one's moment is the worst: in a calm nobody is found, in trouble the first of thousands.
pub(crate) async fn overdue(
    store: &(impl ReadItems + WriteItems + ReadDue),
    now: Timestamp,
) -> Result<SignedDuration, Reason> {
    let mut policies = BTreeMap::new();
    let mut worst = SignedDuration::ZERO;
    for key in store.due(WATCH_SHARD, now, LOOKS).await? {
        let Some(instance) = instance_of_partition(&key.partition) else { continue };
        // The index may lag: what has gone meanwhile is nobody's promise.
        let Some(stored) = load::<Watch>(store, exposure::key(instance)).await? else { continue };
        if now.duration_since(stored.record.look_at) <= worst {
            break;
        }
        worst = worst.max(look(store, stored, &mut policies, now).await?);
    }
    Ok(worst)
}

/// Works out the truth of one instance and writes down when to look again.
async fn look(
    store: &(impl ReadItems + WriteItems),
    stored: Versioned<Watch>,
    policies: &mut BTreeMap<String, Policy>,
    now: Timestamp,
) -> Result<SignedDuration, Reason> {
    let Versioned { record: watch, expect } = stored;
    let Some(instance) = load::<Instance>(store, instance_key(&watch.instance)).await? else {
        settle(store, Versioned { record: watch, expect }.delete()).await?;
        return Ok(SignedDuration::ZERO);
    };
    let policy = policy_of(store, policies, &instance.record.policy).await?;
    // Nothing is promised of an instance whose protection was ended; the watch goes on, should it begin again.
    let is_stopped = instance.record.stopped.is_some();
    let heads = if is_stopped { Vec::new() } else { databases(store, &watch.instance).await? };
    let looked = watch.looked(policy, heads.iter().map(|head| &head.record), now)?;
    let overdue = looked.overdue(now).unwrap_or(SignedDuration::ZERO);
    if looked != watch {
        settle(store, Versioned { record: looked, expect }.put()?).await?;
    }
    Ok(overdue)
}

/// Writes the outcome of a look; who was first, looked as well.
async fn settle(store: &impl WriteItems, write: Write) -> Result<(), Reason> {
    match store.commit(&[write]).await {
        Ok(()) | Err(CommitFault::Conflict { .. }) => Ok(()),
        Err(CommitFault::Fault(fault)) => Err(fault.into_reason()),
    }
}

/// A policy, read once a call: many instances share it.
async fn policy_of<'p>(
    store: &impl ReadItems,
    policies: &'p mut BTreeMap<String, Policy>,
    name: &str,
) -> Result<&'p Policy, Reason> {
    match policies.entry(name.to_owned()) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            let stored = load::<Policy>(store, policy::key(name)).await?.ok_or_else(|| {
                Reason::new(Class::Human, "RecordMissing", format!("the store has no policy {name}"))
                    .guidance("put the policy, or another in the instance's settings")
            })?;
            Ok(unknown.insert(stored.record))
        }
    }
}
