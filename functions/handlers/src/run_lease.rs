//! run-lease: begins a run, ends it, passes it on.
//!
//! Ending a run also says when somebody should look at the instance next, so that list-work finds it.

use std::collections::BTreeSet;

use domain::inventory::{Instance, instance_key};
use domain::lease::{self, Claim, Lease, claim};
use domain::reason::Reason;
use domain::schedule::{due, next_due};
use domain::task::{Kind, Task};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::events::PublishEvents;
use ports::store::{ReadItems, Versioned, WriteItems, load};

use crate::contract::{
    CaughtError, InstanceRun, LeaseAction, LeaseOutcome, RunLeaseInput, RunLeaseOutput, RunStart,
    after_trouble, check_schema,
};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{Scope, caught, commit, databases, of_trouble, open_tasks};

/// Soonest an instance is looked at again: the fleet's own rhythm.
const SOONEST: SignedDuration = SignedDuration::from_mins(1);

/// Keeps the lease.
pub struct RunLease<S, C, P> {
    /// Task store.
    pub store: S,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S: ReadItems + WriteItems, C: Clock, P: PublishEvents> Handler for RunLease<S, C, P> {
    type Input = RunLeaseInput;
    type Output = RunLeaseOutput;
    const NAME: &'static str = "run-lease";

    async fn handle(&self, input: RunLeaseInput) -> Result<RunLeaseOutput, Reason> {
        check_schema(input.run.schema)?;
        let clock = &self.clock;
        let leases = Leases { store: Outbox::new(&self.store, self.events.as_ref()), clock };
        let said = match input.action {
            LeaseAction::Take => leases.take(&input.run).await,
            LeaseAction::Release => leases.release(&input.run, input.error).await,
            LeaseAction::HandOver => leases.hand_over(input.run).await,
        };
        leases.store.tell(clock).await;
        said
    }
}

/// One invocation, with the store that notices what is to be told.
struct Leases<'a, S, C> {
    store: S,
    clock: &'a C,
}

const fn said(outcome: LeaseOutcome) -> RunLeaseOutput {
    RunLeaseOutput { outcome, round: 0, successor: None }
}

impl<S: ReadItems + WriteItems, C: Clock> Leases<'_, S, C> {
    async fn stored(&self, run: &InstanceRun) -> Result<Option<Versioned<Lease>>, Reason> {
        Ok(load(&self.store, lease::key(&run.instance)).await?)
    }

    async fn take(&self, run: &InstanceRun) -> Result<RunLeaseOutput, Reason> {
        let stored = self.stored(run).await?;
        let expect = stored.as_ref().map(|lease| lease.expect);
        match claim(stored.map(|lease| lease.record), &run.instance, run.generation, self.clock.now()) {
            Claim::Take(lease) => {
                let mut taken = Versioned::new(lease);
                taken.expect = expect.unwrap_or(taken.expect);
                commit(&self.store, &[taken.put()?]).await?;
                Ok(said(LeaseOutcome::Taken))
            }
            Claim::AlreadyOurs(_) => Ok(said(LeaseOutcome::Taken)),
            Claim::Held(_) => Ok(said(LeaseOutcome::Held)),
        }
    }

    /// Gives the lease back if it is still ours, and plans the next look; passes it on where a request waits. A run that lost its lease
    /// changes nothing: the instance belongs to its successor, which is named in case that an earlier reply was lost.
    async fn release(&self, run: &InstanceRun, error: Option<CaughtError>) -> Result<RunLeaseOutput, Reason> {
        let now = self.clock.now();
        let name = lease::run_name(&run.instance, run.generation);
        let Some(stored) = self.stored(run).await? else {
            return Ok(said(LeaseOutcome::Released));
        };
        if stored.record.holder.as_ref() != Some(&name) {
            return Ok(successor(&stored.record, run));
        }
        let mut writes = Vec::new();
        if let Some(error) = error {
            // Whatever is wrong may be the policy or the vault: neither is needed to say so.
            let instance: Option<Versioned<Instance>> =
                load(&self.store, instance_key(&run.instance)).await?;
            if let Some(mut instance) = instance {
                let open = open_tasks(&self.store, &run.instance).await;
                // Whoever asked found this run at work and started none: theirs comes with the next look of the fleet.
                let is_asked = open.is_ok_and(|open| open.iter().any(|task| task.record.is_request(now)));
                let soon = now.saturating_add(SOONEST).unwrap_or(Timestamp::MAX);
                instance.record.due_at = Some(if is_asked { soon } else { after_trouble(now) });
                let before = instance.record.trouble.replace(caught("RunFailed", &error));
                writes.push(instance.put()?);
                writes.extend(of_trouble(&instance.record, before.as_ref(), now)?);
            }
        } else {
            let mut scope = Scope::load(&self.store, &run.instance).await?;
            let open = open_tasks(&self.store, &run.instance).await?;
            if open.iter().any(|task| task.record.is_request(now)) {
                // Whoever wrote it found this run at work and started none.
                return self.pass_on(stored, run).await;
            }
            scope.instance.record.due_at = Some(self.next_look(&scope, &open, now).await?);
            let before = scope.instance.record.trouble.take();
            writes.push(scope.instance.put()?);
            writes.extend(of_trouble(&scope.instance.record, before.as_ref(), now)?);
        }
        let released = Versioned { record: stored.record.released(now), expect: stored.expect };
        writes.push(released.put()?);
        commit(&self.store, &writes).await?;
        Ok(said(LeaseOutcome::Released))
    }

    /// The earliest of: the schedule's next moment, the time for which an open task was put off, and at once if something
    /// became due while the run was at work (a first full makes the first log copy due).
    async fn next_look(
        &self,
        scope: &Scope,
        open: &[Versioned<Task>],
        now: Timestamp,
    ) -> Result<Timestamp, Reason> {
        let instance = &scope.instance.record.name;
        let soonest = now.saturating_add(SOONEST).unwrap_or(Timestamp::MAX);
        let busy: BTreeSet<(&str, Kind)> =
            open.iter().map(|task| (task.record.database.as_str(), task.record.kind)).collect();
        for database in databases(&self.store, instance).await? {
            if !scope.policy.protects(&database.record.name) {
                continue;
            }
            let items = due(&scope.policy, &database.record, now)?;
            if items.iter().any(|item| !busy.contains(&(database.record.name.as_str(), item.kind))) {
                return Ok(soonest);
            }
        }
        let put_off = open.iter().map(|task| task.record.not_before.unwrap_or(now)).min();
        let scheduled = next_due(&scope.policy, now)?;
        Ok(put_off.map_or(scheduled, |at| at.min(scheduled)).max(soonest))
    }

    async fn hand_over(&self, run: InstanceRun) -> Result<RunLeaseOutput, Reason> {
        let name = lease::run_name(&run.instance, run.generation);
        let Some(stored) = self.stored(&run).await? else {
            return Ok(said(LeaseOutcome::Released));
        };
        if stored.record.holder.as_ref() == Some(&name) {
            return self.pass_on(stored, &run).await;
        }
        Ok(successor(&stored.record, &run))
    }

    async fn pass_on(&self, held: Versioned<Lease>, run: &InstanceRun) -> Result<RunLeaseOutput, Reason> {
        let passed = Versioned { record: held.record.handed_over(self.clock.now()), expect: held.expect };
        commit(&self.store, &[passed.put()?]).await?;
        Ok(successor(&passed.record, run))
    }
}

/// The run to start: the lease was passed on by an earlier call whose reply was lost, or lost to another run altogether, whose name
/// is taken.
fn successor(lease: &Lease, run: &InstanceRun) -> RunLeaseOutput {
    let generation = lease.generation;
    let name = lease::run_name(&run.instance, generation);
    if generation <= run.generation || lease.holder.as_ref() != Some(&name) {
        return said(LeaseOutcome::Released);
    }
    let successor = Some(RunStart { name, input: InstanceRun { generation, ..run.clone() } });
    RunLeaseOutput { outcome: LeaseOutcome::HandedOver, round: 0, successor }
}
