//! Where does one strand of an execution stand? Its state, its input, its retries, and what it waits for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec;

use jiff::Timestamp;
use serde_json::Value;

use super::Token;
use crate::context::MapItem;
use crate::machine::{Graph, StateType};

/// Names a strand of one execution, in order of their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StrandId(pub(super) u32);

#[derive(Clone, Debug)]
pub(super) struct Strand {
    pub(super) graph: Arc<Graph>,
    /// The strand that waits for this one, and the place of this one's result there.
    pub(super) parent: Option<(StrandId, usize)>,
    /// The item of the innermost Map around.
    pub(super) item: Option<Arc<MapItem>>,
    /// Position of the current state in `graph`.
    pub(super) at: usize,
    /// Input of the current state, before `InputPath`.
    pub(super) input: Arc<Value>,
    pub(super) entered_at: Timestamp,
    /// Id of the event by which the current state was entered: causes of `States.Runtime` name it.
    pub(super) entered_event: u32,
    /// Retries used of each retrier of the current state; empty before the first.
    pub(super) retries: Vec<u32>,
    /// Retries of the current state, of all retriers.
    pub(super) retry_count: u32,
    pub(super) phase: Phase,
}

/// What a strand waits for.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Nothing: it is being moved, or ready.
    Idle,
    Call {
        call: Token,
        timeout: Option<Token>,
        /// The timer, and the seconds it is set for.
        heartbeat: Option<(Token, u32)>,
    },
    /// A Wait, or the time before a retry.
    Timer(Token),
    Children(Children),
}

/// The iterations of a Map, or the branches of a Parallel.
#[derive(Clone, Debug)]
pub(super) struct Children {
    /// Results by position; absent until a child has succeeded.
    pub(super) results: Vec<Option<Arc<Value>>>,
    pub(super) running: BTreeSet<StrandId>,
    /// Items that wait for a free place; none for a Parallel.
    pub(super) items: vec::IntoIter<Value>,
    /// What `$` means in the `ItemSelector`.
    pub(super) effective: Arc<Value>,
}

impl Strand {
    pub(super) fn new(graph: Arc<Graph>, input: Arc<Value>, now: Timestamp) -> Self {
        Self {
            at: graph.start,
            graph,
            parent: None,
            item: None,
            input,
            entered_at: now,
            entered_event: 0,
            retries: Vec::new(),
            retry_count: 0,
            phase: Phase::Idle,
        }
    }

    /// Begins a stay in a state: retriers count anew.
    pub(super) fn enter(&mut self, now: Timestamp, event: u32) {
        self.entered_at = now;
        self.entered_event = event;
        self.retries.clear();
        self.retry_count = 0;
    }

    pub(super) fn state_type(&self) -> Option<StateType> {
        self.graph.states.get(self.at).map(|state| state.kind.state_type())
    }
}

impl Phase {
    /// The calls and timers waited for.
    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> + use<> {
        let tokens = match self {
            Self::Idle | Self::Children(_) => [None; 3],
            Self::Call { call, timeout, heartbeat } => {
                [Some(*call), *timeout, heartbeat.map(|(token, _)| token)]
            }
            Self::Timer(token) => [Some(*token), None, None],
        };
        tokens.into_iter().flatten()
    }
}
