//! What an invocation has to tell: written with what makes it true, told afterwards, removed when it was told.
//!
//! An event is one more write of a commit. [`Outbox`] stands before the store and sees which of them came about; those are told when the
//! work is done, whatever came of it. What is not told then, because the bus or the host failed, list-work finds in the index of what is due
//! ([`tell_left`]): events are told at least once, and none is told of what did not happen.

use std::cell::RefCell;

use domain::event::{Event, is_outbox};
use domain::reason::{Class, Reason};
use domain::record::OUTBOX_SHARD;
use jiff::{SignedDuration, Timestamp};
use ports::events::{EVENTS_MAX, Event as Entry, PublishEvents, Put};
use ports::store::{
    CommitFault, Due, Expect, Item, Key, Page, Range, ReadDue, ReadItems, Versioned, Write, WriteItems,
    decode,
};
use ports::{Clock, Fault};

use crate::contract::REASONS_MAX;

/// Invocation time that must be left to tell anything: two calls of ten seconds at worst, and the answer of the function behind them.
const TIME_LEFT_MIN: SignedDuration = SignedDuration::from_secs(25);

/// Events that were left over and are told in one call of list-work. Policy of ours: a bus that was away for a day is caught up with in
/// the background.
const LEFT_MAX: usize = 100;

/// Events that are looked at for it: the rest may be none that can be read. Policy of ours.
const LOOKS_MAX: u32 = 300;

/// When an event that cannot be read is looked at again. Policy of ours: often enough for a deployment that is rolled forward again.
const PUT_OFF: SignedDuration = SignedDuration::from_hours(24);

/// A store that notices what its commits tell. Without a bus nothing is told, and nothing is written that nobody would remove.
pub(crate) struct Outbox<'a, S, P> {
    store: &'a S,
    bus: Option<&'a P>,
    committed: RefCell<Vec<Item>>,
}

impl<'a, S: WriteItems, P: PublishEvents> Outbox<'a, S, P> {
    pub(crate) fn new(store: &'a S, bus: Option<&'a P>) -> Self {
        Self { store, bus, committed: RefCell::default() }
    }

    /// Tells what was committed. That it cannot be told is no fault of the work: it is left over.
    pub(crate) async fn tell(self, clock: &impl Clock) {
        let Some(bus) = self.bus else { return };
        for items in self.committed.take().chunks(EVENTS_MAX) {
            if clock.runs_out(TIME_LEFT_MIN) || tell(self.store, bus, items).await.is_err() {
                return;
            }
        }
    }
}

impl<S: ReadItems, P> ReadItems for Outbox<'_, S, P> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.store.get(key).await
    }

    async fn query(&self, range: &Range) -> Result<Page, Fault> {
        self.store.query(range).await
    }
}

impl<S: WriteItems, P> WriteItems for Outbox<'_, S, P> {
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
        let events: Vec<Item> = writes.iter().filter_map(event).map(as_stored).collect();
        if events.is_empty() {
            return self.store.commit(writes).await;
        }
        if self.bus.is_none() {
            let writes: Vec<Write> = writes.iter().filter(|write| event(write).is_none()).cloned().collect();
            return self.store.commit(&writes).await;
        }
        // A commit whose reply was lost may have come about or not: if it did, its events are found in the store.
        self.store.commit(writes).await?;
        self.committed.borrow_mut().extend(events);
        Ok(())
    }
}

/// The event that a write stores, if it does.
fn event(write: &Write) -> Option<&Item> {
    match write {
        Write::Put { item, .. } if is_outbox(&item.key.partition) => Some(item),
        Write::Put { .. } | Write::Delete { .. } => None,
    }
}

fn as_stored(item: &Item) -> Item {
    Item { version: 1, ..item.clone() }
}

/// The write that stores an event beside what makes it true.
pub(crate) fn with(event: Event) -> Result<Write, Reason> {
    Ok(Versioned::new(event).put()?)
}

/// Tells 1 to [`EVENTS_MAX`] events and removes those that the bus took. What became of each, in their order.
async fn tell(
    store: &impl WriteItems,
    bus: &impl PublishEvents,
    items: &[Item],
) -> Result<Vec<Put>, CommitFault> {
    let entries: Vec<Entry> = items.iter().map(entry).collect::<Result<_, _>>()?;
    let put = bus.publish(&entries).await?;
    let taken = items.iter().zip(&put).filter(|(_, put)| **put == Put::Taken);
    remove(store, taken.map(|(item, _)| item)).await?;
    Ok(put)
}

/// Removes events in one commit; each in its own where another was there first, who told and removed some of them.
async fn remove(
    store: &impl WriteItems,
    items: impl Iterator<Item = &Item> + Clone,
) -> Result<(), CommitFault> {
    let removal =
        |item: &Item| Write::Delete { key: item.key.clone(), expect: Expect::Version(item.version) };
    let all: Vec<Write> = items.map(removal).collect();
    if all.is_empty() {
        return Ok(());
    }
    match store.commit(&all).await {
        Err(CommitFault::Conflict { .. }) => {}
        committed => return committed,
    }
    for one in all {
        match store.commit(&[one]).await {
            Ok(()) | Err(CommitFault::Conflict { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// An event as the bus takes it. What is stored is what is told: no version of this function writes it anew.
fn entry(item: &Item) -> Result<Entry, Fault> {
    let event: Event = decode(item)?.record;
    Ok(Entry {
        detail_type: event.what.detail_type(),
        at: event.at,
        resources: Vec::new(),
        detail: item.body.clone(),
    })
}

/// Tells what was left over, oldest first, up to [`LEFT_MAX`]; what could not be told, and why, up to [`REASONS_MAX`].
///
/// None keeps those behind it waiting: what cannot be read is looked at again in [`PUT_OFF`], when the version that wrote it may be back, and
/// what the bus refuses for good is removed, as nobody could ever be told it. A bus that takes nothing, or a store that cannot be asked, ends
/// it for the next call.
pub(crate) async fn tell_left<S>(store: &S, bus: &impl PublishEvents, now: Timestamp) -> Vec<Reason>
where
    S: ReadItems + WriteItems + ReadDue,
{
    let mut untold = Vec::new();
    if let Err(fault) = sweep(store, bus, now, &mut untold).await {
        untold.push(match fault {
            CommitFault::Fault(fault) => fault.into_reason(),
            CommitFault::Conflict { key } => {
                Reason::new(Class::Retry, "Conflict", format!("{key:?} has changed"))
            }
        });
    }
    untold.truncate(REASONS_MAX);
    untold
}

async fn sweep<S>(
    store: &S,
    bus: &impl PublishEvents,
    now: Timestamp,
    untold: &mut Vec<Reason>,
) -> Result<(), CommitFault>
where
    S: ReadItems + WriteItems + ReadDue,
{
    let items = readable(store, now, untold).await?;
    for items in items.chunks(EVENTS_MAX) {
        let put = tell(store, bus, items).await?;
        let mut refused = Vec::new();
        for (item, put) in items.iter().zip(&put) {
            match put {
                Put::Taken => {}
                Put::Refused(reason) => {
                    untold.push(told_never(item, reason));
                    refused.push(item);
                }
                Put::Left(said) => untold.push(Reason::new(Class::Retry, "EventLeft", said.clone())),
            }
        }
        remove(store, refused.into_iter()).await?;
        if put.iter().all(|put| matches!(put, Put::Left(_))) {
            break;
        }
    }
    Ok(())
}

/// What is left over and can be read, up to [`LEFT_MAX`] of the oldest [`LOOKS_MAX`].
async fn readable<S>(store: &S, now: Timestamp, untold: &mut Vec<Reason>) -> Result<Vec<Item>, CommitFault>
where
    S: ReadItems + WriteItems + ReadDue,
{
    let mut items = Vec::new();
    for key in store.due(OUTBOX_SHARD, now, LOOKS_MAX).await? {
        if items.len() == LEFT_MAX {
            break;
        }
        let item = match store.get(&key).await {
            // The index lags behind: who wrote it may have told it by now.
            Ok(None) => continue,
            Ok(Some(item)) => item,
            // What is no item of ours cannot be put off either.
            Err(Fault::Refused(reason)) => {
                untold.push(reason);
                continue;
            }
            Err(fault) => return Err(fault.into()),
        };
        match entry(&item) {
            Ok(_) => items.push(item),
            Err(fault) => {
                untold.push(fault.into_reason());
                put_off(store, item, now).await?;
            }
        }
    }
    Ok(items)
}

/// Moves an event behind the others, as it is.
async fn put_off(store: &impl WriteItems, item: Item, now: Timestamp) -> Result<(), CommitFault> {
    let at = now.saturating_add(PUT_OFF).unwrap_or(Timestamp::MAX);
    let expect = Expect::Version(item.version);
    let item = Item { due: Some(Due { shard: OUTBOX_SHARD, at }), ..item };
    match store.commit(&[Write::Put { item, expect }]).await {
        Ok(()) | Err(CommitFault::Conflict { .. }) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// The line that is left of an event which nobody will be told.
fn told_never(item: &Item, reason: &Reason) -> Reason {
    let message = format!("{} is told no more: {}", item.key.sort, reason.message);
    Reason::new(reason.class, "EventRefused", message)
        .guidance("what it was about is in the records of the instance; an event that no bus takes is a defect of bakproof")
}
