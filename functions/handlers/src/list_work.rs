//! list-work: which instances have work, and the names their runs must have.

use domain::inventory::instance_of_partition;
use domain::lease::{self, Lease};
use domain::reason::Reason;
use domain::record::DUE_SHARDS;
use ports::Clock;
use ports::store::{ReadDue, ReadItems, Versioned, load};

use crate::contract::{InstanceRun, ListWorkInput, ListWorkOutput, RunStart, SCHEMA, check_schema};
use crate::handler::Handler;

/// Instances read from one shard in one call: with eight shards 512 runs, about 75 KB of payload. What does not fit is
/// still due five minutes later.
const PER_SHARD: u32 = 64;

/// Reads what is due; starts nothing itself.
pub struct ListWork<S, C> {
    /// Task store.
    pub store: S,
    /// Clock.
    pub clock: C,
}

impl<S: ReadItems + ReadDue, C: Clock> Handler for ListWork<S, C> {
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

impl<S: ReadItems, C: Clock> ListWork<S, C> {
    async fn run_for(&self, instance: &str) -> Result<Option<RunStart>, Reason> {
        let lease: Option<Versioned<Lease>> = load(&self.store, lease::key(instance)).await?;
        let now = self.clock.now();
        let generation = match lease {
            Some(lease) if lease.record.is_alive(now) => return Ok(None),
            Some(lease) => lease.record.generation + 1,
            None => 1,
        };
        let input = InstanceRun { schema: SCHEMA, instance: instance.to_owned(), generation };
        Ok(Some(RunStart { name: lease::run_name(instance, generation), input }))
    }
}
