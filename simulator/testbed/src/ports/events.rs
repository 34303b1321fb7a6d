//! A bus of EventBridge as functions see it: it takes events, all of a call or some, and keeps what it took.

use std::cell::RefCell;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::events::{EVENTS_MAX, Event, PublishEvents, Put};

use crate::kernel::{Kernel, Kind};
use crate::latency::Service;

/// An event on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When the bus took it.
    pub at: Timestamp,
    /// What was put.
    pub event: Event,
}

/// What the bus does with an event of a call that arrived.
type Takes = Box<dyn FnMut(&Event) -> Put>;

/// A handle of the one bus of a testbed; clones share it.
#[derive(Clone)]
pub struct EventBus {
    kernel: Rc<Kernel>,
    told: Rc<RefCell<Vec<Told>>>,
    takes: Rc<RefCell<Option<Takes>>>,
}

impl EventBus {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel, told: Rc::default(), takes: Rc::default() }
    }

    /// Looks at what the bus took, in order.
    pub fn look<T>(&self, at: impl FnOnce(&[Told]) -> T) -> T {
        at(&self.told.borrow())
    }

    /// From now on the service does with each event of a call what `takes` says, as an answer 200 with a `FailedEntryCount` tells.
    pub fn break_entries(&self, takes: impl FnMut(&Event) -> Put + 'static) {
        *self.takes.borrow_mut() = Some(Box::new(takes));
    }

    /// It takes everything again.
    pub fn mend_entries(&self) {
        *self.takes.borrow_mut() = None;
    }

    fn put(&self, events: &[Event]) -> Result<Vec<Put>, Fault> {
        if !(1..=EVENTS_MAX).contains(&events.len()) {
            let message = format!("{} events in a call that takes 1 to {EVENTS_MAX}", events.len());
            let reason = Reason::new(Class::Human, "EventsMalformed", message);
            return Err(Fault::Refused(reason));
        }
        let puts = events.iter().map(|event| {
            let put = self.takes.borrow_mut().as_mut().map_or(Put::Taken, |takes| takes(event));
            if put == Put::Taken {
                self.told.borrow_mut().push(Told { at: self.kernel.now(), event: event.clone() });
            }
            put
        });
        Ok(puts.collect())
    }
}

impl PublishEvents for EventBus {
    async fn publish(&self, events: &[Event]) -> Result<Vec<Put>, Fault> {
        self.kernel.call("events.put_events", (Service::Cloud, Kind::Write), || self.put(events)).await
    }
}
