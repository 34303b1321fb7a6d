//! What would another policy do to an instance? Retention is asked twice for each database, by the policy that the instance follows and by
//! the one given, and so is the forecast for the instance; nothing is written.

use domain::catalogue::Life;
use domain::history::History;
use domain::inventory::{Database, Vault, databases_partition, vault_key};
use domain::policy::Policy;
use domain::retention::{Hold, Terms, propose};
use jiff::Timestamp;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, Versioned, WriteItems, decode, load};

use crate::Api;
use crate::forecast::{forecasted, heads};
use crate::http::{Request, Response};
use crate::page::{EVERYTHING, page};
use crate::policy::unknown_field;
use crate::problem::Refused;
use crate::read::{body, instance, json};
use crate::shapes::{PreviewBody, PreviewDatabase, PreviewShape, Swept};

/// Databases a page holds at most: each costs its whole catalogue.
pub(crate) const DATABASES_MAX: u32 = 20;
/// Unless the request says otherwise.
const DATABASES_DEFAULT: u32 = 5;

/// Backups that are named of those that would go; the others are counted.
const NAMED_MAX: usize = 100;

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn preview(&self, request: &Request, name: &str) -> Result<Response, Refused> {
        let given: serde_json::Value = body(request)?;
        given.get("policy").map_or(Ok(()), unknown_field)?;
        let PreviewBody { policy: then, instance: on } = body(request)?;
        if then.name != name {
            let message = format!("the policy is called {:?}, the path says {name:?}", then.name);
            return Err(Refused::new(422, "NameDiffers", message));
        }
        then.validate()?;
        let now = self.clock.now();
        let instance = instance(&self.store, &on).await?.record;
        // The one that it follows, whether that is the one that would change or one that it would leave.
        let as_is = self.policy_of(&instance.policy).await?;
        let vault: Option<Versioned<Vault>> = load(&self.store, vault_key(&instance.vault)).await?;
        let profile = vault.map(|vault| vault.record.profile).unwrap_or_default();
        let facts = instance.facts.as_ref().map(|(_, facts)| facts);
        let partition = databases_partition(&on);
        let (page, next) =
            page(&self.store, request, partition, EVERYTHING, (DATABASES_DEFAULT, DATABASES_MAX)).await?;
        let mut databases = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let head: Database = decode(item)?.record;
            databases.push(self.preview_of(head, as_is.as_ref(), &then, now).await?);
        }
        let (forecast_now, forecast_then) = if request.parameter("cursor").is_none() {
            let heads = heads(&self.store, &on).await?;
            let of = |policy| forecasted(policy, (&instance, profile), heads.as_deref(), now);
            (as_is.as_ref().map(of), Some(of(&then)))
        } else {
            (None, None)
        };
        let findings_now = as_is.as_ref().map(|policy| policy.findings(profile, facts));
        let findings_then = then.findings(profile, facts);
        let follows = instance.policy;
        json(
            200,
            &PreviewShape {
                now,
                follows,
                findings_now,
                findings_then,
                forecast_now,
                forecast_then,
                databases,
                next,
            },
        )
    }

    async fn preview_of(
        &self,
        head: Database,
        as_is: Option<&Policy>,
        then: &Policy,
        now: Timestamp,
    ) -> Result<PreviewDatabase, Refused> {
        let (history, holds) = match &Life::of(&head) {
            Some(life) => (self.history(life).await?, self.holds(life).await?),
            None => (empty(now)?, Vec::new()),
        };
        let window = domain::coverage::report(&history, now, |_| true).databases;
        let of_now = as_is.map(|policy| swept(history.clone(), policy, &holds, now));
        let of_then = swept(history, then, &holds, now);
        Ok(PreviewDatabase { name: head.name, window, now: of_now, then: of_then })
    }
}

fn empty(now: Timestamp) -> Result<History, Refused> {
    History::build(Vec::new(), Vec::new(), now)
        .map_err(|_| Refused::new(500, "CatalogueContradictory", "nothing contradicts itself"))
}

/// What retention would do by a policy.
fn swept(history: History, policy: &Policy, holds: &[Hold], now: Timestamp) -> Swept {
    let terms = Terms { holds, ..Terms::new(policy, now) };
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    match propose(history, &terms, |_| true) {
        Ok(mut proposal) => {
            let removed_count = count(proposal.remove.len());
            let removed_bytes = proposal.remove.iter().map(|removed| removed.bytes).sum();
            proposal.remove.truncate(NAMED_MAX);
            Swept::Proposed {
                kept_count: count(proposal.keep.len()),
                removed_count,
                removed_bytes,
                removed: proposal.remove,
                window_after: proposal.window_after,
            }
        }
        Err(refused) => Swept::Refused { refused },
    }
}
