//! What does an execution do next? The engine: events in, effects out. Pure: no clock, no chance, no input or output of
//! its own. Time comes with each event, chance from the caller's draw; timers and calls are effects with tokens.
//!
//! An execution is a set of strands: the main one, and one for each running iteration of a Map or branch of a Parallel.
//! A strand stands in one state. Work is done in the order it became ready, so the same events give the same effects.

mod api;
mod children;
mod data;
mod errors;
mod strand;
mod tasks;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::context::{Context, Identity};
use crate::failure::{Failure, RUNTIME};
use crate::history::{HistoryEvent, HistoryKind, Outcome};
use crate::intrinsic::Draw;
use crate::machine::{Kind, Machine, Next, State, StateType};
use crate::quotas::{EXECUTION_SECONDS_MAX, HISTORY_EVENTS_MAX};
use crate::{name, size};
pub use api::{Effect, Event, Record, Resource, StartError, Status, Token};
use strand::{Phase, Strand, StrandId};

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Call,
    Timeout,
    Heartbeat,
    Wait,
    Backoff,
    Deadline,
}

/// What a strand does next.
#[derive(Clone, Debug)]
enum Move {
    Enter,
    Attempt,
    Result(Arc<Value>),
    Leave(Next, Arc<Value>),
    Fail(Failure),
}

/// What comes from outside with an event, and goes out.
struct Turn<'d> {
    now: Timestamp,
    draw: Draw<'d>,
    effects: Vec<Effect>,
}

/// One execution of a machine.
#[derive(Clone, Debug)]
pub struct Execution {
    machine: Arc<Machine>,
    identity: Identity,
    input: Arc<Value>,
    started_at: Timestamp,
    deadline: Timestamp,
    status: Status,
    strands: BTreeMap<StrandId, Strand>,
    ready: VecDeque<(StrandId, Move)>,
    pending: BTreeMap<Token, (StrandId, Purpose)>,
    strands_made: u32,
    tokens_made: u64,
    transitions: u64,
    events: u32,
    exhausted: bool,
    log: Option<Vec<HistoryEvent>>,
}

const MAIN: StrandId = StrandId(0);

impl Execution {
    /// Starts an execution and runs it to its first calls and timers.
    ///
    /// # Errors
    /// As `StartExecution`: a bad name, or an input above the quota. A name that is taken is the caller's to know.
    pub fn start(
        machine: Arc<Machine>,
        identity: Identity,
        input: Value,
        record: Record,
        now: Timestamp,
        draw: &mut dyn FnMut() -> u64,
    ) -> Result<(Self, Vec<Effect>), StartError> {
        name::check(&identity.name).map_err(StartError::InvalidName)?;
        if !size::fits(&input) {
            return Err(StartError::InvalidExecutionInput);
        }
        let seconds =
            machine.timeout_seconds.map_or(EXECUTION_SECONDS_MAX, |s| EXECUTION_SECONDS_MAX.min(s.into()));
        let input = Arc::new(input);
        let main = Strand::new(machine.graph.clone(), input.clone(), now);
        let mut execution = Self {
            machine,
            identity,
            input: input.clone(),
            started_at: now,
            deadline: later(now, SignedDuration::from_secs(seconds)),
            status: Status::Running,
            strands: BTreeMap::from([(MAIN, main)]),
            ready: VecDeque::from([(MAIN, Move::Enter)]),
            pending: BTreeMap::new(),
            strands_made: 1,
            tokens_made: 0,
            transitions: 0,
            events: 0,
            exhausted: false,
            log: (record == Record::Keep).then(Vec::new),
        };
        let mut turn = Turn { now, draw, effects: Vec::new() };
        execution.record(&turn, HistoryKind::Execution(Outcome::Started), MAIN, "", || Some(input));
        execution.timer(&mut turn, MAIN, Purpose::Deadline, execution.deadline);
        execution.run(&mut turn);
        Ok((execution, turn.effects))
    }

    /// Takes an event and runs on to the next calls and timers. Events with a stale or foreign token do nothing, nor do
    /// events after the end. `draw` is used for jitter and `States.UUID` only.
    pub fn handle(&mut self, event: Event, now: Timestamp, draw: &mut dyn FnMut() -> u64) -> Vec<Effect> {
        let mut turn = Turn { now, draw, effects: Vec::new() };
        if self.status != Status::Running {
            return turn.effects;
        }
        match event {
            Event::Abort => self.finish(&mut turn, Status::Aborted),
            Event::Heartbeat { token } => self.heartbeat(&mut turn, token),
            Event::Completed { token, result } => {
                if let Some((id, Purpose::Call)) = self.pending.get(&token).copied() {
                    self.completed(&mut turn, id, result);
                }
            }
            Event::Woke { token } => match self.pending.get(&token).copied() {
                Some((_, Purpose::Deadline)) => self.finish(&mut turn, Status::TimedOut),
                Some((id, purpose)) if purpose != Purpose::Call => self.woke(&mut turn, token, id, purpose),
                _ => {}
            },
        }
        self.run(&mut turn);
        turn.effects
    }

    /// How the execution stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Events in the execution's history so far, counted as AWS counts them.
    pub fn history_events(&self) -> u32 {
        self.events
    }

    /// State transitions so far, as AWS bills them: states entered, plus retries.
    pub fn transitions(&self) -> u64 {
        self.transitions
    }

    /// The recorded history since the last call; empty with [`Record::Count`].
    pub fn take_log(&mut self) -> Vec<HistoryEvent> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Who this execution is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The machine that is executed.
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// When the execution times out.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Works off what is ready.
    fn run(&mut self, turn: &mut Turn<'_>) {
        while self.status == Status::Running {
            if self.exhausted {
                let cause = format!(
                    "The execution reached the maximum number of history events ({HISTORY_EVENTS_MAX})."
                );
                self.finish(turn, Status::Failed { error: RUNTIME.to_owned(), cause });
                return;
            }
            let Some((id, step)) = self.ready.pop_front() else {
                return;
            };
            // A strand that was stopped meanwhile is gone.
            if let Some(strand) = self.strands.remove(&id) {
                self.drive(turn, id, strand, step);
            }
        }
    }

    /// Moves one strand on until it waits or ends. It is outside `self.strands` meanwhile.
    fn drive(&mut self, turn: &mut Turn<'_>, id: StrandId, mut strand: Strand, mut step: Move) {
        let graph = strand.graph.clone();
        loop {
            let Some(state) = graph.states.get(strand.at) else {
                return;
            };
            if self.exhausted {
                self.strands.insert(id, strand);
                return;
            }
            let next = match step {
                Move::Enter => {
                    self.enter(turn, id, &mut strand, state);
                    Ok(Some(Move::Attempt))
                }
                Move::Attempt => self.attempt(turn, id, &mut strand, state),
                Move::Result(result) => self.settle(turn, &strand, state, result).map(Some),
                Move::Leave(next, output) => {
                    let data = output.clone();
                    let kind = HistoryKind::StateExited(state.kind.state_type());
                    self.record(turn, kind, id, &state.name, || Some(data));
                    let Next::State(at) = next else {
                        self.ended(turn, id, &strand, Ok(output));
                        return;
                    };
                    strand.at = at;
                    strand.input = output;
                    Ok(Some(Move::Enter))
                }
                Move::Fail(failure) => match self.judge(turn, id, &mut strand, state, failure) {
                    Ok(next) => Ok(next),
                    Err(failure) => {
                        self.ended(turn, id, &strand, Err(failure));
                        return;
                    }
                },
            };
            step = match next {
                Ok(Some(step)) => step,
                Ok(None) => {
                    self.strands.insert(id, strand);
                    return;
                }
                Err(failure) => Move::Fail(failure),
            };
        }
    }

    fn enter(&mut self, turn: &Turn<'_>, id: StrandId, strand: &mut Strand, state: &State) {
        let input = strand.input.clone();
        self.record(turn, HistoryKind::StateEntered(state.kind.state_type()), id, &state.name, || {
            Some(input)
        });
        self.transitions += 1;
        strand.enter(turn.now, self.events);
    }

    /// Does a state's work, or begins it. Nothing means that the strand waits.
    fn attempt(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
    ) -> Result<Option<Move>, Failure> {
        match &state.kind {
            Kind::Pass(_) => self.pass(turn, strand, state).map(Some),
            Kind::Succeed => self.pass_through(strand, state, Next::End).map(Some),
            Kind::Choice(choice) => self.choose(strand, state, choice).map(Some),
            Kind::Wait(until, next) => self.wait(turn, id, strand, state, until, *next),
            Kind::Fail(error, cause) => Err(self.fail_state(strand, state, error, cause)),
            Kind::Task(task) => self.call(turn, id, strand, state, task).map(|()| None),
            Kind::Map(map) => self.start_map(turn, id, strand, state, map),
            Kind::Parallel(parallel) => self.start_parallel(turn, id, strand, state, parallel).map(|()| None),
        }
    }

    /// A strand came to its end: the main one ends the execution, others report to their parent.
    fn ended(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &Strand,
        result: Result<Arc<Value>, Failure>,
    ) {
        match (strand.parent, result) {
            (Some(parent), Ok(output)) => self.child_succeeded(turn, id, parent, output),
            (Some(parent), Err(failure)) if !failure.is_terminal() => {
                self.child_failed(turn, id, parent, failure);
            }
            (_, Err(failure)) => {
                self.finish(turn, Status::Failed { error: failure.error, cause: failure.cause });
            }
            (None, Ok(output)) if !self.exhausted => self.finish(turn, Status::Succeeded { output }),
            // The history is full: `run` ends the execution.
            (None, Ok(_)) => {}
        }
    }

    fn finish(&mut self, turn: &mut Turn<'_>, status: Status) {
        let outcome = match &status {
            Status::Succeeded { .. } => Outcome::Succeeded,
            Status::Failed { .. } => Outcome::Failed,
            Status::TimedOut => Outcome::TimedOut,
            Status::Aborted | Status::Running => Outcome::Aborted,
        };
        let data = if let Status::Succeeded { output } = &status { Some(output.clone()) } else { None };
        self.note(turn, HistoryKind::Execution(outcome), MAIN, "", || data);
        self.status = status.clone();
        self.strands.clear();
        self.ready.clear();
        let tokens = std::mem::take(&mut self.pending);
        turn.effects.extend(tokens.into_keys().map(|token| Effect::Forget { token }));
        turn.effects.push(Effect::Finish { status });
    }

    /// Counts an event and keeps it where asked to. The last place of the history belongs to the end of the execution.
    fn record(
        &mut self,
        turn: &Turn<'_>,
        kind: HistoryKind,
        id: StrandId,
        state: &str,
        data: impl FnOnce() -> Option<Arc<Value>>,
    ) {
        if self.events + 1 >= HISTORY_EVENTS_MAX {
            self.exhausted = true;
        } else {
            self.note(turn, kind, id, state, data);
        }
    }

    fn note(
        &mut self,
        turn: &Turn<'_>,
        kind: HistoryKind,
        id: StrandId,
        state: &str,
        data: impl FnOnce() -> Option<Arc<Value>>,
    ) {
        self.events += 1;
        if let Some(log) = &mut self.log {
            let state = Arc::from(state);
            log.push(HistoryEvent { id: self.events, at: turn.now, kind, state, strand: id.0, data: data() });
        }
    }

    fn token(&mut self, id: StrandId, purpose: Purpose) -> Token {
        let token = Token(self.tokens_made);
        self.tokens_made += 1;
        self.pending.insert(token, (id, purpose));
        token
    }

    fn timer(&mut self, turn: &mut Turn<'_>, id: StrandId, purpose: Purpose, at: Timestamp) -> Token {
        let token = self.token(id, purpose);
        turn.effects.push(Effect::WakeAt { token, at });
        token
    }

    fn forget(&mut self, turn: &mut Turn<'_>, token: Token) {
        if self.pending.remove(&token).is_some() {
            turn.effects.push(Effect::Forget { token });
        }
    }

    /// Stops a strand and everything below it. `iteration` tells that it is one of a Map.
    fn stop(&mut self, turn: &mut Turn<'_>, id: StrandId, iteration: bool) {
        let Some(strand) = self.strands.remove(&id) else {
            return;
        };
        for token in strand.phase.tokens() {
            self.forget(turn, token);
        }
        let is_map = strand.state_type() == Some(StateType::Map);
        if let Phase::Children(children) = &strand.phase {
            for child in &children.running {
                self.stop(turn, *child, is_map);
            }
        }
        let is_waiting = !matches!(strand.phase, Phase::Idle);
        if let Some(state) = strand.graph.states.get(strand.at).filter(|_| is_waiting) {
            self.record(turn, HistoryKind::StateAborted(state.kind.state_type()), id, &state.name, || None);
        }
        if iteration {
            self.record(turn, HistoryKind::MapIteration(Outcome::Aborted), id, "", || None);
        }
    }

    fn context<'v>(&'v self, strand: &'v Strand, state: &'v State) -> Context<'v> {
        Context {
            identity: &self.identity,
            started_at: self.started_at,
            input: &self.input,
            machine: &self.machine.name,
            state: &state.name,
            entered_at: strand.entered_at,
            retry_count: strand.retry_count,
            item: strand.item.as_deref(),
        }
    }
}

/// A moment moved on, or the end of time.
fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
