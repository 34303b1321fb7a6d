//! A store for functions that no machine stands behind: what came to nothing is asked once more, at once.
//!
//! A function that was frozen between two invocations may wake up with a connection that the other side has long closed, and its first
//! call dies on it. A machine tries again; a caller of the API would read that as a 503.

use std::time::Duration;

use jiff::Timestamp;
use ports::Fault;
use ports::store::{CommitFault, Item, Key, Page, Range, ReadDue, ReadItems, Write, WriteItems};
use tokio::time::Instant;

/// How quick a failure must be to be asked about once more. Policy: a dead connection shows in milliseconds, and what took longer leaves no
/// time for more within the 29 seconds of the API.
const QUICK: Duration = Duration::from_secs(3);

/// A store that is asked again after a quick failure that had no effect: a read of any kind, and a write that was certainly not made. A
/// write whose answer was lost stays [`Fault::UnknownOutcome`]: its condition would fail on itself.
#[derive(Debug, Clone)]
pub struct Again<S>(pub S);

/// Asks, and asks again.
async fn ask<T, E>(
    question: impl AsyncFn() -> Result<T, E>,
    came_to_nothing: impl FnOnce(&E) -> bool,
) -> Result<T, E> {
    let began = Instant::now();
    match question().await {
        Err(fault) if came_to_nothing(&fault) && began.elapsed() < QUICK => question().await,
        answer => answer,
    }
}

fn is_transient(fault: &Fault) -> bool {
    matches!(fault, Fault::Transient(_))
}

impl<S: ReadItems> ReadItems for Again<S> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        ask(async || self.0.get(key).await, is_transient).await
    }

    async fn query(&self, range: &Range) -> Result<Page, Fault> {
        ask(async || self.0.query(range).await, is_transient).await
    }
}

impl<S: WriteItems> WriteItems for Again<S> {
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
        let came_to_nothing = |fault: &CommitFault| matches!(fault, CommitFault::Fault(Fault::Transient(_)));
        ask(async || self.0.commit(writes).await, came_to_nothing).await
    }
}

impl<S: ReadDue> ReadDue for Again<S> {
    async fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Result<Vec<Key>, Fault> {
        ask(async || self.0.due(shard, until, limit).await, is_transient).await
    }
}
