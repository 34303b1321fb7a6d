//! What does a machine do when its functions answer as written down? A case names a definition, an input and the answers
//! of each function in order; running it gives a trace in virtual time. The same cases run against other engines
//! (`tests/conformance/asl`), so this file knows nothing that only this interpreter has, but strands and event names.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::context::Identity;
use crate::failure::TaskError;
use crate::history::{HistoryEvent, visits};
use crate::machine::Machine;
use crate::run::{Effect, Event, Execution, Record, Resource, Status, Token};

/// When scripts start: 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// One conformance case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of the case; names the machine too.
    pub name: String,
    /// What the case is about, in a sentence.
    pub why: String,
    /// The definition, in the Amazon States Language.
    pub definition: Value,
    /// Input of the execution.
    pub input: Value,
    /// Answers of each function by its name, in order of the calls; the last one repeats. `startExecution` names the
    /// integration.
    #[serde(default)]
    pub functions: BTreeMap<String, Vec<Reply>>,
    /// The numbers that chance gives, in turn and again; zero where there are none.
    #[serde(default)]
    pub draws: Vec<u64>,
    /// `StopExecution` after so many seconds.
    #[serde(default)]
    pub abort_after_seconds: Option<u32>,
    /// What must come out, see [`Case::differences`].
    #[serde(default)]
    pub expect: BTreeMap<String, Value>,
    /// Engines that are known to differ, each with the reason.
    #[serde(default)]
    pub known_gaps: BTreeMap<String, String>,
}

/// One answer of a function.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// What happens.
    pub answer: Answer,
    /// After how many seconds.
    #[serde(default)]
    pub after_seconds: u32,
    /// Seconds after the call at which the task reports that it is alive.
    #[serde(default)]
    pub heartbeats_seconds: Vec<u32>,
}

/// The kinds of answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// This result.
    Return(Value),
    /// The payload is the result.
    Echo,
    /// A string of so many characters.
    ReturnChars(usize),
    /// A failure of the function: `[errorType, errorMessage]`.
    Throw(String, String),
    /// No answer ever.
    Never,
}

/// What an execution did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    /// Stays in states, ordered by entry.
    pub states: Vec<TraceState>,
    /// Calls of functions, in order.
    pub calls: Vec<TraceCall>,
    /// How it ended.
    pub outcome: Outcome,
    /// Names of the history's events, in order.
    pub events: Vec<String>,
    /// State transitions.
    pub transitions: u64,
    /// Virtual milliseconds from start to end.
    pub ended_ms: i128,
}

/// One stay in a state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceState {
    /// Name of the state.
    pub name: String,
    /// 0 for the main strand, see [`HistoryEvent::strand`].
    pub strand: u32,
    /// Input before `InputPath`.
    pub input: Value,
    /// Output; null where there was none.
    pub output: Option<Value>,
    /// Virtual milliseconds from start to entry.
    pub entered_ms: i128,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceCall {
    /// Name of the function, or `startExecution`.
    pub function: String,
    /// What it received.
    pub payload: Value,
    /// Virtual milliseconds from start to call.
    pub at_ms: i128,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: &'static str,
    /// Output of a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Error of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Cause of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Case {
    /// Loads the machine and runs the case.
    ///
    /// # Errors
    /// The refusals of the loader, one a line, or what is wrong with the script.
    pub fn run(&self) -> Result<Trace, String> {
        let lines = |refusals: Vec<crate::Refusal>| {
            refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let machine =
            Machine::parse(&self.name, &self.definition.to_string(), &BTreeMap::new()).map_err(lines)?;
        run_script(&Arc::new(machine), self)
    }

    /// Compares a trace with `expect`. Keys: `status`, `output`, `error`, `cause`, `states` (names in order of entry),
    /// `outputs` (of the main strand's states, in order), `calls` (`[function, payload]`), `call_times_ms`, `events`,
    /// `history_events`, `transitions`, `ended_ms`.
    pub fn differences(&self, trace: &Trace) -> Vec<String> {
        let mut found = Vec::new();
        for (key, expected) in &self.expect {
            let main = trace.states.iter().filter(|state| state.strand == 0);
            let actual = match key.as_str() {
                "status" => json!(trace.outcome.status),
                "output" => json!(trace.outcome.output),
                "error" => json!(trace.outcome.error),
                "cause" => json!(trace.outcome.cause),
                "states" => trace.states.iter().map(|state| state.name.as_str()).collect(),
                "outputs" => main.map(|state| json!(state.output)).collect(),
                "calls" => trace.calls.iter().map(|call| json!([call.function, call.payload])).collect(),
                "call_times_ms" => trace.calls.iter().map(|call| json!(call.at_ms)).collect(),
                "events" => trace.events.iter().map(String::as_str).collect(),
                "history_events" => json!(trace.events.len()),
                "transitions" => json!(trace.transitions),
                "ended_ms" => json!(trace.ended_ms),
                other => {
                    found.push(format!("`{other}` can not be expected"));
                    continue;
                }
            };
            if actual != *expected {
                found.push(format!("{key}: expected {expected}, found {actual}"));
            }
        }
        found
    }
}

/// Runs an execution of `machine` to its end, with the input, answers and chance of `case`.
///
/// # Errors
/// The execution can not start, or a function has no answers.
pub fn run_script(machine: &Arc<Machine>, case: &Case) -> Result<Trace, String> {
    let arn = |kind: &str, name: &str| format!("arn:aws:states:us-east-1:000000000000:{kind}:{name}");
    let identity = Identity {
        arn: arn("execution", &format!("{}:run", machine.name())),
        name: "run".to_owned(),
        state_machine_arn: arn("stateMachine", machine.name()),
        role_arn: "arn:aws:iam::000000000000:role/states".to_owned(),
    };
    let mut drawn = 0;
    let mut draw = || {
        let value = if case.draws.is_empty() { 0 } else { case.draws[drawn % case.draws.len()] };
        drawn += 1;
        value
    };
    let input = case.input.clone();
    let (mut execution, effects) =
        Execution::start(machine.clone(), identity, input, Record::Keep, START, &mut draw)
            .map_err(|e| e.to_string())?;
    let mut stage =
        Stage { case, agenda: BTreeMap::new(), entries: 0, calls: Vec::new(), answered: BTreeMap::new() };
    if let Some(seconds) = case.abort_after_seconds {
        stage.enter(after(START, seconds), Event::Abort);
    }
    let mut now = START;
    stage.carry_out(now, effects)?;
    while *execution.status() == Status::Running {
        let Some(((at, _), event)) = stage.agenda.pop_first() else {
            return Err("nothing is left to happen, and the execution still runs".to_owned());
        };
        now = at;
        let effects = execution.handle(event, now, &mut draw);
        stage.carry_out(now, effects)?;
    }
    Ok(trace(&mut execution, stage.calls, now))
}

/// The world of a script: an agenda, and functions that answer in turn.
struct Stage<'c> {
    case: &'c Case,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    entries: u64,
    calls: Vec<TraceCall>,
    answered: BTreeMap<String, usize>,
}

impl Stage<'_> {
    fn enter(&mut self, at: Timestamp, event: Event) {
        self.agenda.insert((at, self.entries), event);
        self.entries += 1;
    }

    fn carry_out(&mut self, now: Timestamp, effects: Vec<Effect>) -> Result<(), String> {
        for effect in effects {
            match effect {
                Effect::WakeAt { token, at } => self.enter(at, Event::Woke { token }),
                Effect::Invoke { token, resource, payload, .. } => {
                    self.call(now, token, &resource, &payload)?;
                }
                // Answers that come late must be ignored: they stay in the agenda on purpose.
                Effect::Forget { .. } | Effect::Finish { .. } => {}
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        now: Timestamp,
        token: Token,
        resource: &Resource,
        payload: &Value,
    ) -> Result<(), String> {
        let (function, payload) = match resource {
            Resource::Function(arn) => {
                let name = arn.split(':').nth(6).unwrap_or_default().to_owned();
                (name, payload.clone())
            }
            Resource::StartExecution { state_machine_arn, name } => {
                let payload = json!({"StateMachineArn": state_machine_arn, "Name": name, "Input": payload});
                ("startExecution".to_owned(), payload)
            }
        };
        let replies = self.case.functions.get(&function).filter(|replies| !replies.is_empty());
        let replies = replies.ok_or_else(|| format!("function `{function}` has no answers"))?;
        let turn = self.answered.entry(function.clone()).or_default();
        let reply = replies[(*turn).min(replies.len() - 1)].clone();
        *turn += 1;
        let result = match reply.answer {
            Answer::Return(value) => Some(Ok(value)),
            Answer::Echo => Some(Ok(payload.clone())),
            Answer::ReturnChars(length) => Some(Ok(Value::String("x".repeat(length)))),
            Answer::Throw(error_type, message) => Some(Err(TaskError::lambda(&error_type, &message))),
            Answer::Never => None,
        };
        self.calls.push(TraceCall { function, payload, at_ms: since(now) });
        for seconds in reply.heartbeats_seconds {
            self.enter(after(now, seconds), Event::Heartbeat { token });
        }
        if let Some(result) = result {
            self.enter(after(now, reply.after_seconds), Event::Completed { token, result });
        }
        Ok(())
    }
}

fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

/// Milliseconds since the script's start.
fn since(at: Timestamp) -> i128 {
    at.duration_since(START).as_millis()
}

fn trace(execution: &mut Execution, calls: Vec<TraceCall>, now: Timestamp) -> Trace {
    let log: Vec<HistoryEvent> = execution.take_log();
    let states = visits(&log).into_iter().map(|visit| TraceState {
        name: visit.state.to_string(),
        strand: visit.strand,
        input: Value::clone(&visit.input),
        output: visit.output.as_deref().cloned(),
        entered_ms: since(visit.entered_at),
    });
    let mut outcome = Outcome { status: "RUNNING", output: None, error: None, cause: None };
    match execution.status().clone() {
        Status::Running => {}
        Status::TimedOut => outcome.status = "TIMED_OUT",
        Status::Aborted => outcome.status = "ABORTED",
        Status::Succeeded { output } => {
            outcome.status = "SUCCEEDED";
            outcome.output = Some(Arc::unwrap_or_clone(output));
        }
        Status::Failed { error, cause } => {
            outcome.status = "FAILED";
            (outcome.error, outcome.cause) = (Some(error), Some(cause));
        }
    }
    Trace {
        states: states.collect(),
        calls,
        outcome,
        events: log.iter().map(|event| event.kind.to_string()).collect(),
        transitions: execution.transitions(),
        ended_ms: since(now),
    }
}
