//! list-work: which instances have work, and the names their runs must have.

use domain::inventory::instance_of_partition;
use domain::lease::{self, Lease};
use domain::reason::Reason;
use domain::record::DUE_SHARDS;
use ports::Clock;
use ports::store::{CommitFault, Expect, ReadDue, ReadItems, Versioned, WriteItems, load};

use crate::contract::{InstanceRun, ListWorkInput, ListWorkOutput, RunStart, SCHEMA, check_schema};
use crate::handler::Handler;

/// Instances read from one shard in one call: with eight shards 512 runs, about 75 KB of payload. What does not fit is
/// still due five minutes later.
const PER_SHARD: u32 = 64;

/// Reads what is due and names the runs; starts nothing itself.
pub struct ListWork<S, C> {
    /// Task store.
    pub store: S,
    /// Clock.
    pub clock: C,
}

impl<S: ReadItems + WriteItems + ReadDue, C: Clock> Handler for ListWork<S, C> {
    type Input = ListWorkInput;
    type Output = ListWorkOutput;
    const NAME: &'static str = "list-work";

    async fn handle(&self, input: ListWorkInput) -> Result<ListWorkOutput, Reason> {
        check_schema(input.schema)?;
        let now = self.clock.now();
        let mut runs = Vec::new();
        for shard in 0..DUE_SHARDS {
            for key in self.store.due(shard, now, PER_SHARD).await? {
                if let Some(instance) = instance_of_partition(&key.partition) {
                    runs.extend(self.run_for(instance).await?);
                }
            }
        }
        Ok(ListWorkOutput { runs })
    }
}

impl<S: ReadItems + WriteItems, C: Clock> ListWork<S, C> {
    /// The run to start, unless one is at work. Its generation is written down before its name is given out: a run that dies
    /// before it takes the lease has spent its name for 90 days, and the next one must have another.
    async fn run_for(&self, instance: &str) -> Result<Option<RunStart>, Reason> {
        let stored: Option<Versioned<Lease>> = load(&self.store, lease::key(instance)).await?;
        let expect = stored.as_ref().map_or(Expect::Absent, |lease| lease.expect);
        let Some(record) = lease::offer(stored.map(|lease| lease.record), instance, self.clock.now()) else {
            return Ok(None);
        };
        let generation = record.offered;
        match self.store.commit(&[Versioned { record, expect }.put()?]).await {
            Ok(()) => {}
            // Another fleet run offers one, or a run took the lease meanwhile: either is at work.
            Err(CommitFault::Conflict { .. }) => return Ok(None),
            Err(CommitFault::Fault(fault)) => return Err(fault.into_reason()),
        }
        let input = InstanceRun { schema: SCHEMA, instance: instance.to_owned(), generation };
        Ok(Some(RunStart { name: lease::run_name(instance, generation), input }))
    }
}
