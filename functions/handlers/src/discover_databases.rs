//! discover-databases: which databases an instance has, which of them are protected from now on, and what became of the others.
//!
//! Reads the server over a session of its own and asks it for nothing else, so that it needs no lease: a run may be at work. What it
//! writes, it writes on condition that nobody wrote meanwhile.

use domain::discovery::Change;
use domain::reason::Reason;
use ports::Clock;
use ports::events::PublishEvents;
use ports::server::{OpenSession, ReadDatabases};
use ports::store::{ReadItems, WriteItems};

use crate::contract::check_schema;
use crate::contract::discovery::{DiscoverDatabasesOutput, InstanceLook, LOOKS_MAX, LookOutcome};
use crate::discovery::{Found, discover};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{Scope, shown};

/// Looks at the databases of an instance.
pub struct DiscoverDatabases<S, Q, C, P> {
    /// Task store.
    pub store: S,
    /// SQL Server.
    pub servers: Q,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, Q, C, P> Handler for DiscoverDatabases<S, Q, C, P>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: ReadDatabases,
    C: Clock,
    P: PublishEvents,
{
    type Input = InstanceLook;
    type Output = DiscoverDatabasesOutput;
    const NAME: &'static str = "discover-databases";

    async fn handle(&self, input: InstanceLook) -> Result<DiscoverDatabasesOutput, Reason> {
        check_schema(input.schema)?;
        let scope = Scope::load(&self.store, &input.instance).await?;
        if scope.instance.record.stopped.is_some() {
            return Ok(nothing(input));
        }
        let states = shown(&mut self.servers.open(&scope.endpoint()).await?, &scope).await?;
        let outbox = Outbox::new(&self.store, self.events.as_ref());
        let found = discover(&outbox, &scope, &states, self.clock.now()).await;
        outbox.tell(&self.clock).await;
        let Found { look, waits, looked } = found?;
        let outcome = match (waits && input.round + 1 < LOOKS_MAX, looked.is_untold()) {
            (true, _) => LookOutcome::Waits,
            (false, true) => LookOutcome::Tell,
            (false, false) => LookOutcome::Settled,
        };
        let count = |fits: fn(&Change) -> bool| {
            u32::try_from(look.shown.iter().filter(|(_, change)| fits(change)).count()).unwrap_or(u32::MAX)
        };
        Ok(DiscoverDatabasesOutput {
            look: InstanceLook { round: input.round.saturating_add(1), ..input },
            outcome,
            shown: count(|_| true),
            enrolled: count(Change::enrols),
            gone: u32::try_from(look.gone.len()).unwrap_or(u32::MAX),
            skipped: count(|change| matches!(change, Change::Skipped(_))),
        })
    }
}

/// Nobody looks at an instance whose protection was ended.
fn nothing(look: InstanceLook) -> DiscoverDatabasesOutput {
    DiscoverDatabasesOutput {
        look,
        outcome: LookOutcome::Settled,
        shown: 0,
        enrolled: 0,
        gone: 0,
        skipped: 0,
    }
}
