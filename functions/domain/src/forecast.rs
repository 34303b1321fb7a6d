//! Can a policy be kept on a fleet, what does it store, and what does it cost? Answered by arithmetic, before anything runs.
//!
//! Everything is a bound: what a simulation of the same fleet reaches is never above it, and a test holds one against the other.
//! A policy is infeasible where a bound breaks a promise or a backup cannot be carried out; then something is proposed that does
//! better, tried by the same arithmetic.

mod calendar;
mod cost;
mod fleet;
mod load;
mod objections;
mod observed;
mod promises;
mod proposals;
mod storage;

use serde::Serialize;

pub use cost::{Activity, Charge};
pub use fleet::{CloudWatch, Fleet, Group, Network, Server};
pub use load::Slots;
pub use observed::{Assumed, Observed, observed};
pub use promises::{Losses, POLL_SECONDS, Restore, TICK_SECONDS};
pub use proposals::Proposal;
pub use storage::{Generation, Stored};

use crate::growth::Expected;
use crate::limits::Profile;
use crate::policy::{Finding, Policy, Weight};
use crate::prices::{Price, Prices};
use crate::reason::Reason;
use crate::stripes::{Ask, Chosen, Layout, layout};
use calendar::Calendar;
use load::Work;

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// What a policy comes to on a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Forecast {
    /// Version of this JSON.
    pub schema: u32,
    /// Name of the policy.
    pub policy: String,
    /// The limits that were counted with.
    pub profile: Profile,
    /// Whether every promise is kept and every backup can be carried out.
    pub feasible: bool,
    /// Instances, in the order of the fleet.
    pub instances: Vec<OfInstance>,
    /// What lies in the vault once every generation is full.
    pub storage: Vec<Stored>,
    /// Bytes of all of it.
    pub storage_bytes: u64,
    /// Bytes that it gains a month behind that, because databases grow.
    pub growth_bytes_a_month: u64,
    /// What happens in a month.
    pub activity: Activity,
    /// The bill of a month.
    pub cost: Vec<Charge>,
    /// Its sum in US dollars.
    pub cost_usd: f64,
    /// The prices that it was reckoned with.
    pub prices: Vec<Price>,
}

/// What it comes to on one instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfInstance {
    /// Identifier.
    pub name: String,
    /// Databases.
    pub databases: u64,
    /// Whether every promise is kept here.
    pub feasible: bool,
    /// Slots in a week.
    pub slots: Slots,
    /// What is lost at worst.
    pub losses: Losses,
    /// The longest restore; `None` where the schedule asks for no second full.
    pub restore: Option<Restore>,
    /// Files and transfers of a full, by database.
    pub layouts: Vec<OfGroup>,
    /// What lies in the vault.
    pub storage: Vec<Stored>,
    /// What happens in a month.
    pub activity: Activity,
    /// What stands against the policy, the gravest first.
    pub findings: Vec<Finding>,
    /// What would do better.
    pub proposals: Vec<Proposal>,
}

/// How the fulls of databases are cut up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfGroup {
    /// A database, or what several are called together.
    pub database: String,
    /// Files and transfers; `None` where no number of files does.
    pub layout: Option<Layout>,
}

/// A policy on a fleet.
///
/// # Errors
/// `PolicyOutOfRange`, `FleetOutOfRange`, `PriceUnknown`: values that nothing can be reckoned with.
pub fn forecast(policy: &Policy, fleet: &Fleet) -> Result<Forecast, Reason> {
    policy.validate()?;
    fleet.validate()?;
    let prices = Prices::with(&fleet.prices)?;
    let fleet = &protected(policy, fleet);
    let (encrypted, kept) = (cost::is_encrypted(policy, fleet), storage::fulls(policy));
    let instances: Vec<OfInstance> = fleet
        .instances
        .iter()
        .map(|server| instance(policy, fleet.profile, server, (encrypted, kept)))
        .collect();
    let mut stored: Vec<Stored> = Vec::new();
    let mut activity = cost::ticks();
    for instance in &instances {
        activity = activity.and(instance.activity);
        for one in &instance.storage {
            match stored.iter_mut().find(|sum| sum.generation == one.generation) {
                Some(sum) => {
                    sum.backups = sum.backups.saturating_add(one.backups);
                    sum.bytes = sum.bytes.saturating_add(one.bytes);
                }
                None => stored.push(*one),
            }
        }
    }
    let growth = fleet.instances.iter().map(|server| storage::growth_a_month(server, kept));
    let cost = cost::charges(fleet, &prices, &activity, &stored, encrypted);
    Ok(Forecast {
        schema: SCHEMA,
        policy: policy.name.clone(),
        profile: fleet.profile,
        feasible: instances.iter().all(|instance| instance.feasible),
        storage_bytes: stored.iter().map(|stored| stored.bytes).fold(0, u64::saturating_add),
        growth_bytes_a_month: growth.fold(0, u64::saturating_add),
        cost_usd: cost.iter().map(|charge| charge.usd).sum(),
        prices: prices.rows().to_vec(),
        instances,
        storage: stored,
        activity,
        cost,
    })
}

/// The fleet without the databases that the policy excludes.
fn protected(policy: &Policy, fleet: &Fleet) -> Fleet {
    let mut fleet = fleet.clone();
    for server in &mut fleet.instances {
        server.databases.retain(|group| policy.protects(&group.name));
    }
    fleet
}

fn instance(
    policy: &Policy,
    profile: Profile,
    server: &Server,
    (encrypted, kept): (bool, storage::Kept),
) -> OfInstance {
    let calendar = Calendar::of(policy, profile, server);
    let reckoned = Reckoned::of(policy, profile, server, &calendar);
    let layouts: Vec<(String, Result<Chosen, Reason>)> =
        server.databases.iter().map(|group| (group.name.clone(), stripes(policy, profile, group))).collect();
    let findings = objections::all(policy, profile, server, &reckoned, &layouts);
    let feasible = findings.iter().all(|finding| finding.weight == Weight::Advice);
    let layout = |(database, chosen): (String, Result<Chosen, Reason>)| OfGroup {
        database,
        layout: chosen.ok().map(|chosen| chosen.layout),
    };
    OfInstance {
        name: server.name.clone(),
        databases: server.count(),
        feasible,
        slots: reckoned.work.slots(),
        losses: reckoned.losses,
        proposals: proposals::all(policy, profile, server, (&reckoned, &calendar)),
        layouts: layouts.into_iter().map(layout).collect(),
        storage: storage::of(policy, server, reckoned.work.service, (kept, &calendar)),
        activity: cost::activity(policy, server, &reckoned.work, encrypted),
        restore: reckoned.restore,
        findings,
    }
}

/// The files of a full when the promised window is full.
fn stripes(policy: &Policy, profile: Profile, group: &Group) -> Result<Chosen, Reason> {
    let bytes = group.bytes_in(policy.objectives.window_days);
    let expected = Expected { database_bytes: bytes, stored_bytes: group.stored(bytes) };
    layout(&Ask { profile, storage: &policy.storage, expected, mirrors: 0, url_characters: 0, failed: None })
}

/// The arithmetic of one policy on one instance: what is proposed is tried by it as well.
struct Reckoned {
    work: Work,
    losses: Losses,
    restore: Option<Restore>,
}

impl Reckoned {
    fn of(policy: &Policy, profile: Profile, server: &Server, calendar: &Calendar) -> Self {
        let work = Work::of(policy, profile, server, calendar);
        let losses = promises::losses(&work);
        let restore = promises::restore(policy, server, &work, calendar);
        Self { work, losses, restore }
    }
}

#[cfg(test)]
mod tests;
