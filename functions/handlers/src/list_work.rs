//! list-work: which instances have work, and the names their runs must have; by how much the worst promise is missed. Tells the events that
//! others left over, too.

use std::collections::BTreeSet;

use domain::inventory::instance_of_partition;
use domain::reason::{Class, Reason};
use domain::record::DUE_SHARDS;
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::events::PublishEvents;
use ports::store::{ReadDue, ReadItems, WriteItems};

use crate::contract::{ListWorkInput, ListWorkOutput, REASONS_MAX, RunStart, check_schema};
use crate::handler::Handler;
use crate::outbox::tell_left;
use crate::wake::offer_run;
use crate::watch::overdue;

/// Runs offered from one shard in one call: with eight shards 512, about 75 KB of payload. What does not fit is still due five minutes later.
const PER_SHARD: u32 = 64;

/// Instances read from one shard in one call. One whose run is at work stays due until that ends, before those that became due since.
const READ_MAX: u32 = 512;

/// Invocation time behind which no more are read: promises are watched and events told with it, and without an answer no run starts at all.
const TIME_LEFT_MIN: SignedDuration = SignedDuration::from_secs(60);

/// Reads what is due and names the runs, and watches the promises; starts nothing itself.
pub struct ListWork<S, C, P> {
    /// Task store.
    pub store: S,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, C, P> Handler for ListWork<S, C, P>
where
    S: ReadItems + WriteItems + ReadDue,
    C: Clock,
    P: PublishEvents,
{
    type Input = ListWorkInput;
    type Output = ListWorkOutput;
    const NAME: &'static str = "list-work";

    async fn handle(&self, input: ListWorkInput) -> Result<ListWorkOutput, Reason> {
        check_schema(input.schema)?;
        let now = self.clock.now();
        let (mut runs, mut unstarted, mut unstarted_because) = (Vec::new(), 0, Vec::new());
        for shard in 0..DUE_SHARDS {
            let offered = self.offer(shard, now).await?;
            runs.extend(offered.runs);
            unstarted += u32::try_from(offered.refused.len()).unwrap_or(u32::MAX);
            unstarted_because.extend(offered.refused);
        }
        unstarted_because.truncate(REASONS_MAX);
        // Runs start whether or not promises can be watched: silence is what the alarm hears then.
        let (rpo_overdue_seconds, unwatched) = match overdue(&self.store, now).await {
            Ok(overdue) => (Some(overdue.as_secs().unsigned_abs()), None),
            Err(reason) => (None, Some(reason)),
        };
        // That they cannot be told keeps no run waiting: they are still there in five minutes.
        let untold = match &self.events {
            Some(bus) => tell_left(&self.store, bus, now).await,
            None => Vec::new(),
        };
        Ok(ListWorkOutput { runs, rpo_overdue_seconds, unwatched, unstarted, unstarted_because, untold })
    }
}

/// What came of the instances of a shard that are due.
#[derive(Default)]
struct Offered {
    runs: Vec<RunStart>,
    /// Why no run of others can be started.
    refused: Vec<Reason>,
}

impl<S: ReadItems + WriteItems + ReadDue, C: Clock, P> ListWork<S, C, P> {
    /// Reads on while those that are read have runs at work: they would keep the others waiting.
    async fn offer(&self, shard: u8, now: Timestamp) -> Result<Offered, Reason> {
        let (mut offered, mut asked, mut limit) = (Offered::default(), BTreeSet::new(), PER_SHARD);
        loop {
            let keys = self.store.due(shard, now, limit).await?;
            let is_all = u32::try_from(keys.len()).is_ok_and(|count| count < limit);
            for key in keys {
                if offered.runs.len() >= PER_SHARD as usize || !asked.insert(key.partition.clone()) {
                    continue;
                }
                let Some(instance) = instance_of_partition(&key.partition) else { continue };
                match offer_run(&self.store, instance, now).await {
                    Ok(run) => offered.runs.extend(run),
                    // The store itself: a retry of the call finds all of them again.
                    Err(reason) if matches!(reason.class, Class::Retry | Class::Wait) => return Err(reason),
                    // One instance's own trouble is no other's.
                    Err(reason) => offered.refused.push(of_instance(instance, reason)),
                }
            }
            let late = self.clock.runs_out(TIME_LEFT_MIN);
            if is_all || late || limit >= READ_MAX || offered.runs.len() >= PER_SHARD as usize {
                return Ok(offered);
            }
            limit *= 2;
        }
    }
}

/// A reason with the instance that it is about.
fn of_instance(instance: &str, reason: Reason) -> Reason {
    Reason { message: format!("no run of {instance}: {}", reason.message), ..reason }
}
