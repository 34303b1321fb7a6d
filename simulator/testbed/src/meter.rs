//! Where does the time of a run go? A stopwatch that layers hand on at their seams, so that every moment counts for one of them.
//!
//! It is off unless a bench turns it on, and then costs one look at a flag. It reads the machine's own clock and tells only
//! the bench: nothing in a simulation depends on it.

use std::cell::Cell;
use std::future::Future;
use std::time::{Duration, Instant};

/// Who is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The testbed itself: agenda, executor, gate, pipes.
    Testbed,
    /// The interpreter of the machines.
    Asl,
    /// The functions, their rules and the records they read and write.
    Handlers,
    /// The task store.
    Store,
    /// The SQL Server adapter and the TDS driver under it.
    Client,
    /// The TDS server and the world: requests executed, time moved, control planes asked.
    Server,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Testbed, Self::Asl, Self::Handlers, Self::Store, Self::Client, Self::Server];

    /// Its name in a table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Testbed => "testbed",
            Self::Asl => "asl",
            Self::Handlers => "handlers",
            Self::Store => "store",
            Self::Client => "client TDS",
            Self::Server => "server",
        }
    }
}

/// What a metered stretch took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// All of it.
    pub total: Duration,
    /// By layer, in the order of [`Layer::ALL`]. What is between two readings belongs to the layer that began there.
    pub layers: [Duration; 6],
    /// How often the clock was read: each reading costs some tens of nanoseconds, which are in the figures.
    pub readings: u64,
}

/// The stopwatch.
#[derive(Debug)]
pub(crate) struct Meter {
    on: Cell<bool>,
    running: Cell<Option<Running>>,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    began: Instant,
    since: Instant,
    layer: Layer,
    layers: [Duration; 6],
    readings: u64,
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the machine's own time")]
fn clock() -> Instant {
    Instant::now()
}

impl Running {
    fn hand_on(&mut self, to: Layer) {
        let now = clock();
        self.layers[self.layer as usize] += now - self.since;
        self.since = now;
        self.layer = to;
        self.readings += 1;
    }
}

impl Meter {
    pub(crate) const fn off() -> Self {
        Self { on: Cell::new(false), running: Cell::new(None) }
    }

    /// Begins to measure, from nothing.
    pub(crate) fn start(&self) {
        let now = clock();
        let layers = [Duration::ZERO; 6];
        let running = Running { began: now, since: now, layer: Layer::Testbed, layers, readings: 1 };
        self.running.set(Some(running));
        self.on.set(true);
    }

    /// Ends measuring; what was spent since the start, if there was one.
    pub(crate) fn stop(&self) -> Option<Spent> {
        self.on.set(false);
        let mut running = self.running.take()?;
        running.hand_on(Layer::Testbed);
        Some(Spent {
            total: running.since - running.began,
            layers: running.layers,
            readings: running.readings,
        })
    }

    fn hand_on(&self, to: Layer) -> Option<Layer> {
        let mut running = self.running.get()?;
        let before = running.layer;
        running.hand_on(to);
        self.running.set(Some(running));
        Some(before)
    }

    /// Does some work of a layer, and gives the watch back to whoever had it.
    pub(crate) fn within<T>(&self, layer: Layer, work: impl FnOnce() -> T) -> T {
        if !self.on.get() {
            return work();
        }
        let before = self.hand_on(layer);
        let done = work();
        self.hand_on(before.unwrap_or(Layer::Testbed));
        done
    }

    /// The same for work that gives way: what others do meanwhile is theirs.
    pub(crate) async fn of<F: Future>(&self, layer: Layer, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| self.within(layer, || future.as_mut().poll(context))).await
    }
}
