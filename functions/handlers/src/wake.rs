//! How a run of an instance begins: its name is written down, then given out.

use domain::lease::{self, Lease};
use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::executions::{Machine, StartExecution};
use ports::store::{CommitFault, Expect, ReadItems, Versioned, WriteItems, load};

use crate::contract::{InstanceRun, RunStart, SCHEMA};
use crate::watch::with_watch;

/// The run to start, unless one is at work. Its generation is written down before its name is given out: a run that dies
/// before it takes the lease has spent its name for 90 days, and the next one must have another. With the first of them the
/// watch over the instance's promises begins: whatever becomes of the run, somebody looks.
pub(crate) async fn offer_run(
    store: &(impl ReadItems + WriteItems),
    instance: &str,
    now: Timestamp,
) -> Result<Option<RunStart>, Reason> {
    let stored: Option<Versioned<Lease>> = load(store, lease::key(instance)).await?;
    let expect = stored.as_ref().map_or(Expect::Absent, |lease| lease.expect);
    let Some(record) = lease::offer(stored.map(|lease| lease.record), instance, now) else {
        return Ok(None);
    };
    let generation = record.offered;
    let lease = Versioned { record, expect }.put()?;
    let committed = match expect {
        Expect::Absent => with_watch(store, lease, instance, now).await,
        Expect::Version(_) => store.commit(&[lease]).await,
    };
    match committed {
        Ok(()) => {}
        // Another offers one, or a run took the lease meanwhile: either is at work.
        Err(CommitFault::Conflict { .. }) => return Ok(None),
        Err(CommitFault::Fault(fault)) => return Err(fault.into_reason()),
    }
    let input = InstanceRun { schema: SCHEMA, instance: instance.to_owned(), generation };
    Ok(Some(RunStart { name: lease::run_name(instance, generation), input }))
}

/// Starts a run of an instance now, without waiting for the fleet's next look. Whether one was started; none is while one is at
/// work, which looks at the store in every round.
///
/// # Errors
/// The ports' own. Nothing is lost then that is written in the store: an instance that is due is started by list-work.
pub async fn wake(
    store: &(impl ReadItems + WriteItems),
    executions: &impl StartExecution,
    instance: &str,
    now: Timestamp,
) -> Result<bool, Reason> {
    let Some(start) = offer_run(store, instance, now).await? else {
        return Ok(false);
    };
    let input = serde_json::to_string(&start.input)
        .map_err(|error| Reason::new(Class::Human, "AnswerUnwritable", format!("{}: {error}", start.name)))?;
    executions.start_execution(Machine::Instance, &start.name, &input).await?;
    Ok(true)
}
