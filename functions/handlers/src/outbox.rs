//! What an invocation has to tell: written with what makes it true, told afterwards, removed when it was told.
//!
//! An event is one more write of a commit. [`Outbox`] stands before the store and sees which of them came about; those are told when the
//! work is done, whatever came of it. What is not told then, because the bus or the host failed, list-work finds in the index of what is due
//! ([`tell_left`]): events are told at least once, and none is told of what did not happen.

use std::cell::RefCell;

use domain::event::{Event, is_outbox};
use domain::reason::Reason;
use domain::record::OUTBOX_SHARD;
use jiff::{SignedDuration, Timestamp};
use ports::events::{EVENTS_MAX, Event as Entry, PublishEvents};
use ports::store::{
    CommitFault, Item, Key, Page, Range, ReadDue, ReadItems, Versioned, Write, WriteItems, decode,
};
use ports::{Clock, Fault};

/// Invocation time that must be left to tell anything: two calls of ten seconds at worst, and the answer of the function behind them.
const TIME_LEFT_MIN: SignedDuration = SignedDuration::from_secs(25);

/// Events that were left over and are told in one call of list-work. Policy of ours: a bus that was away for a day is caught up with in
/// the background.
const LEFT_MAX: u32 = 100;

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
            let left = clock.deadline().map(|deadline| deadline.duration_since(clock.now()));
            let late = left.is_some_and(|left| left < TIME_LEFT_MIN);
            if late || tell(self.store, bus, items).await.is_err() {
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

/// Tells 1 to [`EVENTS_MAX`] events and removes them.
async fn tell(store: &impl WriteItems, bus: &impl PublishEvents, items: &[Item]) -> Result<(), CommitFault> {
    let entries: Vec<Entry> = items.iter().map(entry).collect::<Result<_, _>>()?;
    bus.publish(&entries).await?;
    let removed: Vec<Write> = items
        .iter()
        .map(|item| Write::Delete {
            key: item.key.clone(),
            expect: ports::store::Expect::Version(item.version),
        })
        .collect();
    store.commit(&removed).await
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

/// Tells what was left over, oldest first, up to [`LEFT_MAX`]. What cannot be read is passed over; the first other fault ends it, for the
/// next call.
pub(crate) async fn tell_left<S>(
    store: &S,
    bus: &impl PublishEvents,
    now: Timestamp,
) -> Result<(), CommitFault>
where
    S: ReadItems + WriteItems + ReadDue,
{
    let mut items = Vec::new();
    for key in store.due(OUTBOX_SHARD, now, LEFT_MAX).await? {
        // The index lags behind: who wrote it may have told it by now.
        items.extend(store.get(&key).await?.filter(|item| entry(item).is_ok()));
    }
    for items in items.chunks(EVENTS_MAX) {
        tell(store, bus, items).await?;
    }
    Ok(())
}
