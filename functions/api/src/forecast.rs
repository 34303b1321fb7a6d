//! What would a policy come to on an instance? Reckoned from the heads of its databases, by the arithmetic of `bakproof forecast`; no
//! catalogue is read.

use domain::forecast::{forecast, observed};
use domain::inventory::{Database, Instance, databases_partition};
use domain::limits::Profile;
use domain::policy::Policy;
use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::store::{Range, ReadItems, decode};

use crate::page::EVERYTHING;
use crate::problem::Refused;
use crate::shapes::Forecasted;

/// Databases of an instance that is forecast. RDS: 100 on one (user guide, "Microsoft SQL Server on Amazon RDS", limits, read 2026-11), and
/// heads outlive databases.
const HEADS_MAX: usize = 300;

/// Pages of the store that they come in at most. Policy of ours: a page of heads holds a hundred at least.
const PAGES_MAX: usize = 4;

/// Heads of the databases of an instance; `None` where there are more than [`HEADS_MAX`].
pub(crate) async fn heads(store: &impl ReadItems, instance: &str) -> Result<Option<Vec<Database>>, Refused> {
    let (mut heads, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let left = (HEADS_MAX + 1).saturating_sub(heads.len());
        let range = Range {
            partition: databases_partition(instance),
            from: EVERYTHING.0.to_owned(),
            to: EVERYTHING.1.to_owned(),
            after,
            limit: u32::try_from(left).unwrap_or(u32::MAX),
        };
        let page = store.query(&range).await?;
        for item in &page.items {
            heads.push(decode::<Database>(item)?.record);
        }
        if heads.len() > HEADS_MAX {
            return Ok(None);
        }
        match page.after {
            None => return Ok(Some(heads)),
            more => after = more,
        }
    }
    Ok(None)
}

/// What a policy comes to on an instance with these databases.
pub(crate) fn forecasted(
    policy: &Policy,
    (instance, profile): (&Instance, Profile),
    heads: Option<&[Database]>,
    now: Timestamp,
) -> Forecasted {
    let refused = |refused| Forecasted::Refused { refused };
    let Some(heads) = heads else {
        let message = format!("instance {} has more than {HEADS_MAX} databases", instance.name);
        let guidance = "ask `bakproof forecast` with a fleet of your own";
        return refused(Reason::new(Class::Never, "TooManyDatabases", message).guidance(guidance));
    };
    let seen = observed(instance, profile, heads, (now, u64::from(policy.assumed_mib_per_second) << 20));
    let is_measured = seen.fleet.instances.iter().any(|server| !server.databases.is_empty());
    if !is_measured {
        let message = format!("no full of a database of instance {} has been taken yet", instance.name);
        let guidance = "ask again behind the first full, or `bakproof forecast` with sizes of your own";
        return refused(Reason::new(Class::Wait, "NothingMeasured", message).guidance(guidance));
    }
    match forecast(policy, &seen.fleet) {
        Ok(told) => Forecasted::Reckoned {
            forecast: Box::new(told),
            assumed: seen.assumed,
            unmeasured: seen.unmeasured,
        },
        Err(reason) => refused(reason),
    }
}
