//! How is a task called, awaited, timed? Calls with their timers, and what answers and wake-ups do.
//!
//! Source: developer guide, "Task workflow state"; "Starting Step Functions workflows in Step Functions", read 2026-11.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::strand::{Phase, Strand, StrandId};
use super::{Effect, Execution, Move, Purpose, Resource, Token, Turn, later};
use crate::failure::{Failure, HEARTBEAT_TIMEOUT, TIMEOUT, TaskError};
use crate::history::{HistoryKind, Outcome};
use crate::machine::{Kind, Next, State, Target, Task};
use crate::size;

impl Execution {
    /// Calls a Task's resource and sets its timers.
    pub(super) fn call(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
        task: &Task,
    ) -> Result<(), Failure> {
        let selected = self.selected_input(strand, state)?;
        let limit = |limit: &Option<_>| {
            limit.as_ref().map(|limit| self.seconds(strand, state, limit, &selected, 1)).transpose()
        };
        let (timeout, heartbeat) = (limit(&task.timeout)?, limit(&task.heartbeat)?);
        let payload =
            self.shaped(&mut *turn.draw, strand, state, task.parameters.as_ref(), selected.clone())?;
        if !Arc::ptr_eq(&payload, &strand.input) && !size::fits(&payload) {
            return Err(Failure::data_limit(&format!("The input of the state/task '{}'", state.name)));
        }
        let (resource, payload) = match &task.target {
            Target::Function(arn) => (Resource::Function(arn.clone()), payload),
            Target::StartExecution => {
                start_execution(payload).map_err(|why| Self::runtime(strand, state, why))?
            }
        };
        self.record(turn, called(task, Outcome::Scheduled), id, &state.name, || Some(payload.clone()));
        self.record(turn, called(task, Outcome::Started), id, &state.name, || None);
        let after = |seconds: u32| later(turn.now, SignedDuration::from_secs(seconds.into()));
        let timeout_at = timeout.map(after);
        let heartbeat_at = heartbeat.map(|seconds| (after(seconds), seconds));
        let call = self.token(id, Purpose::Call);
        turn.effects.push(Effect::Invoke {
            token: call,
            state: state.name.clone(),
            resource,
            payload,
            timeout_at,
        });
        let timeout = timeout_at.map(|at| self.timer(turn, id, Purpose::Timeout, at));
        let heartbeat =
            heartbeat_at.map(|(at, seconds)| (self.timer(turn, id, Purpose::Heartbeat, at), seconds));
        strand.phase = Phase::Call { call, timeout, heartbeat };
        Ok(())
    }

    /// A call has answered.
    pub(super) fn completed(&mut self, turn: &mut Turn<'_>, id: StrandId, result: Result<Value, TaskError>) {
        let result = result.map(Arc::new).map_err(Failure::from).and_then(|value| {
            let what = "The state/task returned a result which";
            if size::fits(&value) { Ok(value) } else { Err(Failure::data_limit(what)) }
        });
        let outcome = if result.is_ok() { Outcome::Succeeded } else { Outcome::Failed };
        let step = match result {
            Ok(value) => Move::Result(value),
            Err(failure) => Move::Fail(failure),
        };
        self.call_over(turn, id, outcome, step, None);
    }

    /// Ends the waiting for a call: clears its tokens, records its outcome, and moves the strand on. A timer that has
    /// just fired, or a call that has just answered, needs no Forget.
    fn call_over(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        outcome: Outcome,
        step: Move,
        fired: Option<Token>,
    ) {
        let Some(strand) = self.strands.get_mut(&id) else {
            return;
        };
        let phase = std::mem::replace(&mut strand.phase, Phase::Idle);
        let state =
            strand.graph.states.get(strand.at).map(|state| (state.name.clone(), state.kind.clone_call()));
        let over = fired.or(if let Phase::Call { call, .. } = &phase { Some(*call) } else { None });
        if let Some(over) = over {
            self.pending.remove(&over);
        }
        for token in phase.tokens() {
            self.forget(turn, token);
        }
        if let Some((name, Some(target))) = state {
            let kind = kind_of(&target, outcome);
            let data = || match &step {
                Move::Result(value) => Some(value.clone()),
                Move::Fail(failure) => Some(Arc::new(failure.output())),
                _ => None,
            };
            self.record(turn, kind, id, &name, data);
        }
        self.ready.push_back((id, step));
    }

    /// A timer other than the execution's deadline has come due.
    pub(super) fn woke(&mut self, turn: &mut Turn<'_>, token: Token, id: StrandId, purpose: Purpose) {
        match purpose {
            Purpose::Timeout | Purpose::Heartbeat => {
                let error = if purpose == Purpose::Timeout { TIMEOUT } else { HEARTBEAT_TIMEOUT };
                let step = Move::Fail(Failure::new(error, ""));
                self.call_over(turn, id, Outcome::TimedOut, step, Some(token));
            }
            Purpose::Wait => {
                self.pending.remove(&token);
                let step = self.waited(id);
                self.awake(id, step);
            }
            Purpose::Backoff => {
                self.pending.remove(&token);
                self.transitions += 1;
                self.awake(id, Some(Move::Attempt));
            }
            Purpose::Call | Purpose::Deadline => {}
        }
    }

    fn awake(&mut self, id: StrandId, step: Option<Move>) {
        if let (Some(strand), Some(step)) = (self.strands.get_mut(&id), step) {
            strand.phase = Phase::Idle;
            self.ready.push_back((id, step));
        }
    }

    fn waited(&self, id: StrandId) -> Option<Move> {
        let strand = self.strands.get(&id)?;
        let state = strand.graph.states.get(strand.at)?;
        let next = if let Kind::Wait(_, next) = &state.kind { *next } else { Next::End };
        Some(self.pass_through(strand, state, next).unwrap_or_else(Move::Fail))
    }

    /// A called task is alive.
    pub(super) fn heartbeat(&mut self, turn: &mut Turn<'_>, token: Token) {
        let Some((id, Purpose::Call)) = self.pending.get(&token).copied() else {
            return;
        };
        let Some(Phase::Call { heartbeat: Some((old, seconds)), .. }) =
            self.strands.get(&id).map(|s| s.phase.clone())
        else {
            return;
        };
        self.forget(turn, old);
        let at = later(turn.now, SignedDuration::from_secs(seconds.into()));
        let new = self.timer(turn, id, Purpose::Heartbeat, at);
        if let Some(Phase::Call { heartbeat, .. }) = self.strands.get_mut(&id).map(|s| &mut s.phase) {
            *heartbeat = Some((new, seconds));
        }
    }
}

fn called(task: &Task, outcome: Outcome) -> HistoryKind {
    kind_of(&task.target, outcome)
}

fn kind_of(target: &Target, outcome: Outcome) -> HistoryKind {
    match target {
        Target::Function(_) => HistoryKind::LambdaFunction(outcome),
        Target::StartExecution => HistoryKind::Task(outcome),
    }
}

impl Kind {
    fn clone_call(&self) -> Option<Target> {
        if let Self::Task(task) = self { Some(task.target.clone()) } else { None }
    }
}

/// Splits the parameters of `startExecution` into the machine with the name, and the input.
fn start_execution(parameters: Arc<Value>) -> Result<(Resource, Arc<Value>), String> {
    let Value::Object(mut parameters) = Arc::unwrap_or_clone(parameters) else {
        return Err("`startExecution` needs an object as its parameters.".to_owned());
    };
    let mut text = |name: &str| match parameters.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("The field '{name}' of `startExecution` is no string: {other}.")),
    };
    let state_machine_arn =
        text("StateMachineArn")?.ok_or("The field 'StateMachineArn' of `startExecution` is missing.")?;
    let name = text("Name")?;
    let input = parameters.remove("Input").unwrap_or_else(|| Value::Object(Map::new()));
    Ok((Resource::StartExecution { state_machine_arn, name }, Arc::new(input)))
}
