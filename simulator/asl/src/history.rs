//! What happened, in the events AWS would list for the execution? Kinds with their names, one recorded event, and the
//! visits of states read back from them. The count of events is a quota, so every event is counted even where nothing
//! is kept.
//!
//! Source: `HistoryEvent` in the Step Functions API reference, read 2026-11.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::machine::StateType;

/// Type of a history event. `Display` gives AWS's name, as `TaskStateEntered`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryKind {
    /// The execution as a whole.
    Execution(Outcome),
    /// A state was entered; data: its input.
    StateEntered(StateType),
    /// A state was left; data: its output.
    StateExited(StateType),
    /// A Map or Parallel starts its children.
    StateStarted(StateType),
    /// All children of a Map or Parallel succeeded.
    StateSucceeded(StateType),
    /// A child of a Map or Parallel failed.
    StateFailed(StateType),
    /// A waiting state was stopped because a sibling failed.
    StateAborted(StateType),
    /// A call of a Lambda function; data of an end: result or error output.
    LambdaFunction(Outcome),
    /// A call of an integrated service; data as above.
    Task(Outcome),
    /// One iteration of a Map.
    MapIteration(Outcome),
}

/// What became of the thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Put on its way.
    Scheduled,
    /// Begun.
    Started,
    /// Ended well.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ran out of time.
    TimedOut,
    /// Stopped from outside.
    Aborted,
}

impl fmt::Display for HistoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execution(outcome) => write!(f, "Execution{outcome:?}"),
            Self::StateEntered(state) => write!(f, "{state:?}StateEntered"),
            Self::StateExited(state) => write!(f, "{state:?}StateExited"),
            Self::StateStarted(state) => write!(f, "{state:?}StateStarted"),
            Self::StateSucceeded(state) => write!(f, "{state:?}StateSucceeded"),
            Self::StateFailed(state) => write!(f, "{state:?}StateFailed"),
            Self::StateAborted(state) => write!(f, "{state:?}StateAborted"),
            Self::LambdaFunction(outcome) => write!(f, "LambdaFunction{outcome:?}"),
            Self::Task(outcome) => write!(f, "Task{outcome:?}"),
            Self::MapIteration(outcome) => write!(f, "MapIteration{outcome:?}"),
        }
    }
}

/// One recorded event.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEvent {
    /// Position in the execution's history, from 1.
    pub id: u32,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: HistoryKind,
    /// Name of the state; empty for the execution as a whole.
    pub state: Arc<str>,
    /// Which strand of the execution: 0 for the main one, then one for each iteration and branch in order of their start.
    pub strand: u32,
    /// Input, output, result or error output, where the event has one.
    pub data: Option<Arc<Value>>,
}

/// One stay in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Name of the state.
    pub state: Arc<str>,
    /// Strand, as in [`HistoryEvent`].
    pub strand: u32,
    /// When the state was entered.
    pub entered_at: Timestamp,
    /// The state's input, before `InputPath`.
    pub input: Arc<Value>,
    /// The state's output, after `OutputPath`; absent while the stay lasts, and where it ended the execution.
    pub output: Option<Arc<Value>>,
}

/// The stays in states, ordered by entry.
pub fn visits(events: &[HistoryEvent]) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for event in events {
        match (event.kind, &event.data) {
            (HistoryKind::StateEntered(_), Some(input)) => visits.push(Visit {
                state: event.state.clone(),
                strand: event.strand,
                entered_at: event.at,
                input: input.clone(),
                output: None,
            }),
            (HistoryKind::StateExited(_), Some(output)) => {
                // A strand is in one state at a time, so its latest visit is the one that ends.
                if let Some(visit) = visits.iter_mut().rev().find(|visit| visit.strand == event.strand) {
                    visit.output = Some(output.clone());
                }
            }
            _ => {}
        }
    }
    visits
}
