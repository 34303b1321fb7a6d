//! Policies: read, made, replaced.

use domain::directory::What;
use domain::inventory::Instance;
use domain::limits::Profile;
use domain::policy::{self, Finding, Policy};
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{Expect, ReadItems, Versioned, WriteItems, load};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::digest::{Replace, may_replace, tag};
use crate::followers::Followers;
use crate::http::{Request, Response};
use crate::problem::Refused;
use crate::read::{body, json, required};
use crate::shapes::FollowersShape;

/// A policy that was put, and what was found in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyPut {
    /// The policy as it is now.
    policy: Policy,
    /// What is found in it whatever its instances are; a preview says what they add.
    findings: Vec<Finding>,
    /// What becomes of the instances that follow it.
    followers: FollowersShape,
}

/// A field that a policy does not have. A misspelt `retention` would keep nothing.
pub(crate) fn unknown_field(policy: &serde_json::Value) -> Result<(), Refused> {
    let fields = policy.as_object().into_iter().flatten();
    match fields.map(|(name, _)| name).find(|name| !Policy::FIELDS.contains(&name.as_str())) {
        Some(unknown) => {
            let fields = Policy::FIELDS.join(", ");
            let message = format!("the policy has an unknown field {unknown:?}, expected one of {fields}");
            Err(Refused::new(400, "BodyMalformed", message))
        }
        None => Ok(()),
    }
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    /// A policy by its name, where there is one.
    pub(crate) async fn policy_of(&self, name: &str) -> Result<Option<Policy>, Refused> {
        let found: Option<Versioned<Policy>> = load(&self.store, policy::key(name)).await?;
        Ok(found.map(|found| found.record))
    }

    /// The policy that an instance follows, as long as it is protected: of any other nothing is promised.
    pub(crate) async fn promises_of(&self, instance: &Instance) -> Result<Option<Policy>, Refused> {
        if instance.stopped.is_some() { Ok(None) } else { self.policy_of(&instance.policy).await }
    }

    pub(crate) async fn get_policy(&self, name: &str) -> Result<Response, Refused> {
        let found: Versioned<Policy> = required(&self.store, policy::key(name), "policy", name).await?;
        json(200, &found.record)
    }

    pub(crate) async fn put_policy(
        &self,
        request: &Request,
        caller: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        let given: serde_json::Value = body(request)?;
        unknown_field(&given)?;
        let policy: Policy = body(request)?;
        if policy.name != name {
            let message = format!("the policy is called {:?}, the path says {name:?}", policy.name);
            return Err(Refused::new(422, "NameDiffers", message));
        }
        policy.validate()?;
        if let Some(finding) = policy.refused_everywhere() {
            return Err(Refused::finding(finding, "no instance could follow it"));
        }
        let stored: Option<Versioned<Policy>> = load(&self.store, policy::key(name)).await?;
        let current = stored.as_ref().map(|stored| json(200, &stored.record)).transpose()?;
        let wanted = json(200, &policy)?;
        let replace = may_replace(request, current.as_ref(), &wanted)?;
        let (expect, status) = stored.as_ref().map_or((Expect::Absent, 201), |stored| (stored.expect, 200));
        // A name that nothing was under has nobody who follows it.
        let followers =
            if stored.is_some() { self.followers(request, name).await? } else { Followers::none() };
        self.stops_none(&policy, &followers).await?;
        let record = Versioned { record: policy, expect };
        if replace == Replace::Write {
            self.enrol(What::Policy, name, caller, record.put()?).await?;
        }
        // By whoever asks again as well: the first may have died on the way.
        let followers = self.make_due(followers, self.clock.now()).await?;
        let policy = record.record;
        let findings = policy.findings(Profile::default(), None);
        let tag = tag(&wanted.body);
        Ok(json(status, &PolicyPut { policy, findings, followers })?.with("etag", tag))
    }
}
