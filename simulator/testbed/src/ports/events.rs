//! A bus of EventBridge as functions see it: it takes events, all of a call or some, and keeps what it took.

use std::cell::RefCell;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::events::{EVENTS_MAX, Event, PublishEvents};

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

/// Whether the bus takes an event of a call that arrived.
type Takes = Box<dyn FnMut(&Event) -> bool>;

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

    /// From now on the service takes of each call what `takes` says, as an answer 200 with a `FailedEntryCount` tells; the rest failed
    /// inside of it.
    pub fn break_entries(&self, takes: impl FnMut(&Event) -> bool + 'static) {
        *self.takes.borrow_mut() = Some(Box::new(takes));
    }

    /// It takes everything again.
    pub fn mend_entries(&self) {
        *self.takes.borrow_mut() = None;
    }

    fn put(&self, events: &[Event]) -> Result<(), Fault> {
        if !(1..=EVENTS_MAX).contains(&events.len()) {
            let message = format!("{} events in a call that takes 1 to {EVENTS_MAX}", events.len());
            let reason = Reason::new(Class::Human, "EventsMalformed", message);
            return Err(Fault::Refused(reason));
        }
        let mut failed = 0;
        for event in events {
            if self.takes.borrow_mut().as_mut().is_none_or(|takes| takes(event)) {
                self.told.borrow_mut().push(Told { at: self.kernel.now(), event: event.clone() });
            } else {
                failed += 1;
            }
        }
        let message = format!("PutEvents: {failed} of {} events not taken", events.len());
        match failed {
            0 => Ok(()),
            all if all == events.len() => Err(Fault::Transient(message)),
            _ => Err(Fault::UnknownOutcome(message)),
        }
    }
}

impl PublishEvents for EventBus {
    async fn publish(&self, events: &[Event]) -> Result<(), Fault> {
        self.kernel.call("events.put_events", (Service::Cloud, Kind::Write), || self.put(events)).await
    }
}
