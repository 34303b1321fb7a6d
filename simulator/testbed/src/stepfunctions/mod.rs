//! Step Functions as a local service: machines by ARN, executions by name, what `StartExecution` accepts.
//!
//! It knows names, statuses and counts. What a machine does next is the interpreter's part, carrying it out is
//! [`drive`]'s. Source: Step Functions API reference, `StartExecution`, read 2026-11.

pub(crate) mod drive;

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Effect, Event, Execution, HistoryEvent, Identity, Machine, Record, StartError, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::agenda;
use crate::stream::Stream;

/// How long the name of a closed execution stays taken.
pub const NAME_TAKEN_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// One execution, in order of start from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecutionId(usize);

/// What reaches the service, or a machine through it.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A timer of an execution.
    Timer { execution: ExecutionId, token: asl::Token },
    /// An answer that needs no invocation: a call of Lambda that was turned away.
    Answer { execution: ExecutionId, token: asl::Token, result: Result<Value, asl::TaskError> },
    /// A call of `StartExecution` by a state.
    Start {
        caller: ExecutionId,
        token: asl::Token,
        request: StartRequest,
        lost: bool,
        refused: Option<String>,
    },
}

/// What `StartExecution` is asked.
#[derive(Debug, Clone)]
pub(crate) struct StartRequest {
    pub(crate) machine_arn: String,
    pub(crate) name: Option<String>,
    pub(crate) input: Value,
}

/// Why `StartExecution` refuses. `Display` begins with the name of the exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    /// The name is taken: the execution runs with another input, or closed less than 90 days ago.
    #[error("ExecutionAlreadyExists: Execution Already Exists: '{arn}'")]
    AlreadyExists {
        /// ARN of the execution that has the name.
        arn: String,
    },
    /// There is no such machine.
    #[error("StateMachineDoesNotExist: State Machine Does Not Exist: '{arn}'")]
    NoSuchMachine {
        /// ARN as asked.
        arn: String,
    },
    /// The interpreter refuses name or input.
    #[error(transparent)]
    Malformed(#[from] StartError),
}

impl StartRefusal {
    /// The error name as the optimised integration `states:startExecution` reports it.
    pub fn error_name(&self) -> &'static str {
        match self {
            Self::AlreadyExists { .. } => "StepFunctions.ExecutionAlreadyExistsException",
            Self::NoSuchMachine { .. } => "StepFunctions.StateMachineDoesNotExistException",
            Self::Malformed(StartError::InvalidName(_)) => "StepFunctions.InvalidNameException",
            Self::Malformed(StartError::InvalidExecutionInput) => {
                "StepFunctions.InvalidExecutionInputException"
            }
        }
    }
}

/// What is kept of an execution, running or over.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Name of the execution.
    pub name: String,
    /// Name of the machine.
    pub machine: Arc<str>,
    /// How it stands; holds the output, or error and cause.
    pub status: Status,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// State transitions, as AWS bills them. Counted when it ended.
    pub transitions: u64,
    /// Events of its history. Counted when it ended.
    pub history_events: u32,
    /// The history itself, where the testbed keeps them.
    pub history: Vec<HistoryEvent>,
}

struct Deployed {
    machine: Arc<Machine>,
    name: Arc<str>,
}

struct Running {
    execution: Execution,
    input: Value,
    timers: BTreeMap<asl::Token, agenda::Token>,
}

/// A start that was accepted.
pub(crate) struct Started {
    pub(crate) id: ExecutionId,
    pub(crate) arn: String,
    pub(crate) since: Timestamp,
    /// What the interpreter wants done; empty when the same execution was running already.
    pub(crate) effects: Vec<Effect>,
}

/// The service's state.
pub(crate) struct StepFunctions {
    machines: BTreeMap<String, Deployed>,
    running: BTreeMap<ExecutionId, Running>,
    summaries: Vec<Summary>,
    names: BTreeMap<(Arc<str>, String), ExecutionId>,
    record: Record,
    draws: Stream,
}

impl StepFunctions {
    pub(crate) fn new(seed: u64, record: Record) -> Self {
        Self {
            machines: BTreeMap::new(),
            running: BTreeMap::new(),
            summaries: Vec::new(),
            names: BTreeMap::new(),
            record,
            draws: Stream::new(seed, "step functions"),
        }
    }

    pub(crate) fn deploy(&mut self, arn: String, machine: Machine) {
        let name = Arc::from(machine.name());
        self.machines.insert(arn, Deployed { machine: Arc::new(machine), name });
    }

    pub(crate) fn machine_name(&self, arn: &str) -> Option<Arc<str>> {
        self.machines.get(arn).map(|deployed| Arc::clone(&deployed.name))
    }

    pub(crate) fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    pub(crate) fn summary(&self, id: ExecutionId) -> &Summary {
        &self.summaries[id.0]
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// `StartExecution`.
    pub(crate) fn start(&mut self, request: StartRequest, now: Timestamp) -> Result<Started, StartRefusal> {
        let Some(deployed) = self.machines.get(&request.machine_arn) else {
            return Err(StartRefusal::NoSuchMachine { arn: request.machine_arn });
        };
        let name = request.name.unwrap_or_else(|| uuid(&mut self.draws));
        let arn = format!("{}:{name}", request.machine_arn.replacen(":stateMachine:", ":execution:", 1));
        let key = (Arc::clone(&deployed.name), name.clone());
        if let Some(id) = self.names.get(&key).copied() {
            let same = self.running.get(&id).is_some_and(|running| running.input == request.input);
            let summary = &self.summaries[id.0];
            if same {
                return Ok(Started { id, arn, since: summary.started_at, effects: Vec::new() });
            }
            let free_at = summary.ended_at.and_then(|ended| ended.saturating_add(NAME_TAKEN_FOR).ok());
            if free_at.is_none_or(|free_at| now < free_at) {
                return Err(StartRefusal::AlreadyExists { arn });
            }
        }
        let identity = Identity {
            arn: arn.clone(),
            name: name.clone(),
            state_machine_arn: request.machine_arn,
            role_arn: String::new(),
        };
        let input = request.input.clone();
        let draws = &mut self.draws;
        let mut draw = || draws.draw();
        let machine = Arc::clone(&deployed.machine);
        let (execution, effects) =
            Execution::start(machine, identity, request.input, self.record, now, &mut draw)?;
        let id = ExecutionId(self.summaries.len());
        self.summaries.push(Summary {
            name,
            machine: Arc::clone(&deployed.name),
            status: Status::Running,
            started_at: now,
            ended_at: None,
            transitions: 0,
            history_events: 0,
            history: Vec::new(),
        });
        self.names.insert(key, id);
        self.running.insert(id, Running { execution, input, timers: BTreeMap::new() });
        Ok(Started { id, arn, since: now, effects })
    }

    /// Tells an execution what happened. One that is over hears nothing.
    pub(crate) fn tell(&mut self, id: ExecutionId, event: Event, now: Timestamp) -> Vec<Effect> {
        let draws = &mut self.draws;
        let mut draw = || draws.draw();
        self.running
            .get_mut(&id)
            .map_or_else(Vec::new, |running| running.execution.handle(event, now, &mut draw))
    }

    pub(crate) fn keep_timer(&mut self, id: ExecutionId, token: asl::Token, timer: agenda::Token) {
        if let Some(running) = self.running.get_mut(&id) {
            running.timers.insert(token, timer);
        }
    }

    /// The agenda's token of a timer that fired or is no longer needed.
    pub(crate) fn drop_timer(&mut self, id: ExecutionId, token: asl::Token) -> Option<agenda::Token> {
        self.running.get_mut(&id)?.timers.remove(&token)
    }

    /// Closes an execution, and frees what only a running one needs.
    /// The execution that runs under a name.
    pub(crate) fn running_under(&self, name: &str) -> Option<ExecutionId> {
        self.running.keys().copied().find(|id| self.summaries[id.0].name == name)
    }

    pub(crate) fn close(&mut self, id: ExecutionId, status: Status, now: Timestamp) {
        let Some(mut running) = self.running.remove(&id) else { return };
        let summary = &mut self.summaries[id.0];
        summary.status = status;
        summary.ended_at = Some(now);
        summary.transitions = running.execution.transitions();
        summary.history_events = running.execution.history_events();
        summary.history = running.execution.take_log();
    }
}

/// A random UUID (version 4), as the service names executions that come without a name.
pub(crate) fn uuid(draws: &mut Stream) -> String {
    let (high, low) = (draws.draw(), draws.draw());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
