//! list-work: which instances have work, and the names their runs must have; by how much the worst promise is missed. Tells the events that
//! others left over, too.

use domain::inventory::instance_of_partition;
use domain::reason::{Class, Reason};
use domain::record::DUE_SHARDS;
use ports::Clock;
use ports::events::PublishEvents;
use ports::store::{ReadDue, ReadItems, WriteItems};

use crate::contract::{ListWorkInput, ListWorkOutput, REASONS_MAX, check_schema};
use crate::handler::Handler;
use crate::outbox::tell_left;
use crate::wake::offer_run;
use crate::watch::overdue;

/// Instances read from one shard in one call: with eight shards 512 runs, about 75 KB of payload. What does not fit is
/// still due five minutes later.
const PER_SHARD: u32 = 64;

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
            for key in self.store.due(shard, now, PER_SHARD).await? {
                let Some(instance) = instance_of_partition(&key.partition) else { continue };
                match offer_run(&self.store, instance, now).await {
                    Ok(run) => runs.extend(run),
                    // The store itself: a retry of the call finds all of them again.
                    Err(reason) if matches!(reason.class, Class::Retry | Class::Wait) => return Err(reason),
                    // One instance's own trouble is no other's.
                    Err(reason) => {
                        unstarted += 1;
                        unstarted_because.push(of_instance(instance, reason));
                    }
                }
            }
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

/// A reason with the instance that it is about.
fn of_instance(instance: &str, reason: Reason) -> Reason {
    Reason { message: format!("no run of {instance}: {}", reason.message), ..reason }
}
