//! What others are told: events on a bus of our own.

use domain::reason::Reason;
use jiff::Timestamp;

use crate::fault::Fault;

/// Events of one call. EventBridge: 10 entries a request (API reference, `PutEvents`, read 2026-11).
pub const EVENTS_MAX: usize = 10;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What kind of event: `Backup Finished`.
    pub detail_type: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// The event as JSON, an `id` in it that is the same whenever it is told again.
    pub detail: String,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is on the bus.
    Taken,
    /// It may be there or not: it is told again, and receivers know it by the `id` in its detail. With what the bus said.
    Left(String),
    /// The bus will not take it as it is, whenever it is told.
    Refused(Reason),
}

/// Tells others.
pub trait PublishEvents {
    /// Puts 1 to [`EVENTS_MAX`] events on the bus; what became of each, in their order. On a fault any of them may be there: they are told
    /// again, all of them.
    async fn publish(&self, events: &[Event]) -> Result<Vec<Put>, Fault>;
}
