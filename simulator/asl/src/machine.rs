//! What is a loaded machine? The parsed definition as values, ready to run: names resolved to positions, paths and
//! templates parsed, every number checked. Knows neither time nor executions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::choice::Rule;
use crate::path::Path;
use crate::refusal::Refusal;
use crate::template::Template;

/// A state machine that passed every check of the loader.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) name: Arc<str>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) timeout_seconds: Option<u32>,
}

impl Machine {
    /// Loads a definition in the Amazon States Language (JSON). `substitutions` fill `${Name}` in the text, as
    /// `DefinitionSubstitutions` of AWS SAM do; a placeholder without a value is refused.
    ///
    /// # Errors
    /// Every finding at once, in the order of the text's states: fields, state types, operators, intrinsics and resources
    /// that are not implemented; dangling or missing transitions; unreachable states; duplicates.
    pub fn parse(
        name: &str,
        text: &str,
        substitutions: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Refusal>> {
        crate::load::machine(name, text, substitutions)
    }

    /// Name of the machine.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `TimeoutSeconds` of the machine.
    pub fn timeout_seconds(&self) -> Option<u32> {
        self.timeout_seconds
    }

    /// Names of all states, inner ones included.
    pub fn states(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.graph.walk(&mut |state| {
            names.insert(&*state.name);
        });
        names
    }

    /// ARNs of all Lambda functions the machine may invoke.
    pub fn functions(&self) -> BTreeSet<&str> {
        let mut functions = BTreeSet::new();
        self.graph.walk(&mut |state| {
            if let Kind::Task(Task { target: Target::Function(arn), .. }) = &state.kind {
                functions.insert(&**arn);
            }
        });
        functions
    }
}

/// The states of a machine, of an item processor, or of a branch.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) start: usize,
    pub(crate) states: Vec<State>,
}

impl Graph {
    fn walk<'g>(&'g self, see: &mut dyn FnMut(&'g State)) {
        for state in &self.states {
            see(state);
            match &state.kind {
                Kind::Map(map) => map.processor.walk(see),
                Kind::Parallel(parallel) => parallel.branches.iter().for_each(|branch| branch.walk(see)),
                _ => {}
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) name: Arc<str>,
    pub(crate) input_path: Selection,
    pub(crate) output_path: Selection,
    pub(crate) kind: Kind,
}

/// `InputPath` and `OutputPath`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selection {
    Whole,
    /// `null`: an empty object.
    Nothing,
    Path(Path),
}

/// `ResultPath`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Placement {
    /// `$`, the default: the result replaces the input.
    Replace,
    /// `null`: the result is dropped.
    Discard,
    At(Path),
}

/// The type of a state, by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateType {
    /// `Pass`
    Pass,
    /// `Task`
    Task,
    /// `Choice`
    Choice,
    /// `Wait`
    Wait,
    /// `Succeed`
    Succeed,
    /// `Fail`
    Fail,
    /// `Map`, inline
    Map,
    /// `Parallel`
    Parallel,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Pass(Pass),
    Task(Task),
    Choice(Choice),
    Wait(Until, Next),
    Succeed,
    Fail(Text, Text),
    Map(Map),
    Parallel(Parallel),
}

impl Kind {
    pub(crate) fn state_type(&self) -> StateType {
        match self {
            Self::Pass(_) => StateType::Pass,
            Self::Task(_) => StateType::Task,
            Self::Choice(_) => StateType::Choice,
            Self::Wait(..) => StateType::Wait,
            Self::Succeed => StateType::Succeed,
            Self::Fail(..) => StateType::Fail,
            Self::Map(_) => StateType::Map,
            Self::Parallel(_) => StateType::Parallel,
        }
    }

    /// Retriers, catchers and result fields, where the type has them.
    pub(crate) fn handling(&self) -> Option<&Handling> {
        match self {
            Self::Task(task) => Some(&task.handling),
            Self::Map(map) => Some(&map.handling),
            Self::Parallel(parallel) => Some(&parallel.handling),
            _ => None,
        }
    }
}

/// Where a state leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    State(usize),
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) parameters: Option<Template>,
    pub(crate) result: Option<Arc<Value>>,
    pub(crate) result_path: Placement,
    pub(crate) next: Next,
}

/// What a Task calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Function(Arc<str>),
    StartExecution,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) target: Target,
    pub(crate) parameters: Option<Template>,
    pub(crate) timeout: Option<Limit>,
    pub(crate) heartbeat: Option<Limit>,
    pub(crate) handling: Handling,
}

/// A number of seconds, fixed or found in the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limit {
    Seconds(u32),
    Path(Path),
}

/// What Task, Map and Parallel share once their work is done or has failed.
#[derive(Clone, Debug)]
pub(crate) struct Handling {
    pub(crate) result_selector: Option<Template>,
    pub(crate) result_path: Placement,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
    pub(crate) next: Next,
}

#[derive(Clone, Debug)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<String>,
    pub(crate) interval_seconds: u32,
    pub(crate) attempts_max: u32,
    pub(crate) backoff_rate: f64,
    pub(crate) delay_max_seconds: Option<u32>,
    pub(crate) full_jitter: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<String>,
    pub(crate) result_path: Placement,
    pub(crate) next: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) rules: Vec<(Rule, usize)>,
    pub(crate) default: Option<usize>,
}

/// What a Wait waits for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Until {
    After(Limit),
    Moment(jiff::Timestamp),
    MomentAt(Path),
}

/// `Error` and `Cause` of a Fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Absent,
    Fixed(String),
    Path(Path),
}

#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub(crate) items_path: Option<Path>,
    pub(crate) item_selector: Option<Template>,
    /// Iterations at a time, the quota of inline Maps applied.
    pub(crate) concurrency_max: usize,
    pub(crate) processor: Arc<Graph>,
    pub(crate) handling: Handling,
}

#[derive(Clone, Debug)]
pub(crate) struct Parallel {
    pub(crate) parameters: Option<Template>,
    pub(crate) branches: Vec<Arc<Graph>>,
    pub(crate) handling: Handling,
}
