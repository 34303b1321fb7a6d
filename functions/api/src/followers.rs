//! Who follows a policy: whom another one would stop, and who takes it up now. Who writes to a vault: whom its new limits would stop.
//!
//! Instances name their policy, so that they are looked through by the directory, so many a request; the answer says where to go on.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::{self, Listed, What};
use domain::inventory::{Instance, Vault, instance_key, vault_key};
use domain::limits::Profile;
use domain::policy::Policy;
use jiff::Timestamp;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{CommitFault, ReadItems, Versioned, WriteItems, decode, load};

use crate::Api;
use crate::http::Request;
use crate::page::{EVERYTHING, page};
use crate::problem::Refused;
use crate::shapes::FollowersShape;

/// Instances that one request looks through: a read each, and a commit for who follows. At 20 ms a call they are eight of the 29 seconds
/// that API Gateway waits.
const INSTANCES_MAX: u32 = 200;

/// Some of those that follow a policy, and the cursor of those behind them.
pub(crate) struct Followers {
    found: Vec<Versioned<Instance>>,
    next: Option<String>,
}

impl Followers {
    /// Nobody.
    pub(crate) const fn none() -> Self {
        Self { found: Vec::new(), next: None }
    }
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    /// Those that follow a policy, from where the request goes on.
    pub(crate) async fn followers(&self, request: &Request, policy: &str) -> Result<Followers, Refused> {
        self.those(request, |instance| instance.policy == policy).await
    }

    /// Instances that something is true of, from where the request goes on.
    async fn those(&self, request: &Request, fits: impl Fn(&Instance) -> bool) -> Result<Followers, Refused> {
        let names = directory::partition(What::Instance);
        let (page, next) =
            page(&self.store, request, names, EVERYTHING, (INSTANCES_MAX, INSTANCES_MAX)).await?;
        let mut found = Vec::new();
        for item in &page.items {
            let name = decode::<Listed>(item)?.record.name;
            let instance: Option<Versioned<Instance>> = load(&self.store, instance_key(&name)).await?;
            found.extend(instance.filter(|instance| fits(&instance.record)));
        }
        Ok(Followers { found, next })
    }

    /// Fails where a policy would stop every backup of one that follows it: what the limits of its vault refuse, its runs refuse. What
    /// depends on more than the limits a preview says.
    pub(crate) async fn stops_none(&self, policy: &Policy, followers: &Followers) -> Result<(), Refused> {
        let mut profiles: BTreeMap<&str, Profile> = BTreeMap::new();
        for follower in &followers.found {
            let Instance { name, vault, .. } = &follower.record;
            if profiles.contains_key(vault.as_str()) {
                continue;
            }
            let stored: Option<Versioned<Vault>> = load(&self.store, vault_key(vault)).await?;
            let profile = stored.map(|stored| stored.record.profile).unwrap_or_default();
            if let Some(finding) = policy.refusals(profile, None).into_iter().next() {
                let whom = format!("{name} follows it and writes to vault {vault} ({})", profile.as_str());
                return Err(Refused::finding(finding, &whom));
            }
            profiles.insert(vault, profile);
        }
        Ok(())
    }

    /// Fails where the new limits of a vault would stop every backup of an instance that writes to it, among the first [`INSTANCES_MAX`].
    pub(crate) async fn stops_no_writer(&self, request: &Request, vault: &Vault) -> Result<(), Refused> {
        let writers = self.those(request, |instance| instance.vault == vault.name).await?;
        let mut fit: BTreeSet<&str> = BTreeSet::new();
        for writer in &writers.found {
            let Instance { name, policy, .. } = &writer.record;
            if !fit.insert(policy) {
                continue;
            }
            let Some(followed) = self.policy_of(policy).await? else { continue };
            if let Some(finding) = followed.refusals(vault.profile, None).into_iter().next() {
                let whom = format!("{name} writes to it ({}) and follows {policy}", vault.profile.as_str());
                return Err(Refused::finding(finding, &whom));
            }
        }
        Ok(())
    }

    /// Makes those that follow a policy due, so that its next look of the fleet starts their runs. One whose record changed meanwhile has a run at
    /// work, which plans by the new policy anyway.
    pub(crate) async fn make_due(
        &self,
        followers: Followers,
        now: Timestamp,
    ) -> Result<FollowersShape, Refused> {
        let Followers { found, next } = followers;
        let mut told = FollowersShape { due: 0, at_work: 0, next };
        for mut follower in found {
            let known = follower.record.due_at;
            follower.record.due_by(now);
            if follower.record.due_at == known {
                told.due += 1;
                continue;
            }
            match self.store.commit(&[follower.put()?]).await {
                Ok(()) => told.due += 1,
                Err(CommitFault::Conflict { .. }) => told.at_work += 1,
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(told)
    }
}
