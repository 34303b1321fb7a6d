//! Do the states of one `StartAt`/`States` pair hang together? Names, transitions, reachability, a way to an end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Loader;
use super::fields::Fields;
use super::states;
use crate::machine::{Choice, Graph, Kind, Next, State};
use crate::path::Scope;
use crate::quotas::STATE_NAME_CHARS_MAX;

/// Positions of the states of one graph by name.
pub(super) struct Names {
    positions: BTreeMap<String, usize>,
}

impl Names {
    /// Position of the state called `name`; a dangling name is refused.
    pub(super) fn find(
        &self,
        loader: &mut Loader,
        fields: &Fields<'_>,
        field: &str,
        name: &str,
    ) -> Option<usize> {
        let position = self.positions.get(name).copied();
        if position.is_none() {
            fields.refuse(loader, field, format!("there is no state `{name}` here"));
        }
        position
    }
}

/// Reads `StartAt` and `States` of a machine, an item processor or a branch.
pub(super) fn read(loader: &mut Loader, fields: &mut Fields<'_>, scope: Scope) -> Option<Graph> {
    let start = fields.text(loader, "StartAt");
    if !fields.has("StartAt") {
        fields.refuse(loader, "StartAt", "required");
    }
    if !fields.has("States") {
        fields.refuse(loader, "States", "required");
    }
    let objects = fields.object(loader, "States")?;
    let positions = objects.keys().cloned().zip(0..).collect();
    let names = Names { positions };
    let start = start.and_then(|start| names.find(loader, fields, "StartAt", start));
    let mut found = Vec::with_capacity(objects.len());
    for (name, value) in objects {
        check_name(loader, name);
        let kind = if let Value::Object(object) = value {
            states::read(loader, &names, name, object, scope)
        } else {
            loader.refuse(name, "", "a state is an object");
            None
        };
        found.push(kind.map(|read| State {
            name: Arc::from(name.as_str()),
            input_path: read.input_path,
            output_path: read.output_path,
            kind: read.kind,
        }));
    }
    // Transitions can be judged only where every state could be read.
    let states = found.into_iter().collect::<Option<Vec<State>>>()?;
    let graph = Graph { start: start?, states };
    check_reachable(loader, &graph);
    Some(graph)
}

fn check_name(loader: &mut Loader, name: &str) {
    let length = name.chars().count();
    if length == 0 || length > STATE_NAME_CHARS_MAX {
        loader.refuse(
            name,
            "",
            format!("a state's name has 1 to {STATE_NAME_CHARS_MAX} characters, not {length}"),
        );
    }
    if !loader.names.insert(name.to_owned()) {
        loader.refuse(
            name,
            "",
            "this name is used twice in the machine: names are unique, inner states included",
        );
    }
}

fn check_reachable(loader: &mut Loader, graph: &Graph) {
    let mut reached = BTreeSet::new();
    let mut open = vec![graph.start];
    while let Some(position) = open.pop() {
        if reached.insert(position)
            && let Some(state) = graph.states.get(position)
        {
            open.extend(successors(&state.kind));
        }
    }
    for (position, state) in graph.states.iter().enumerate() {
        if !reached.contains(&position) {
            loader.refuse(&state.name, "", "no transition leads to this state");
        }
    }
    let ends =
        graph.states.iter().enumerate().any(|(at, state)| reached.contains(&at) && is_end(&state.kind));
    if !ends {
        let start = graph.states.get(graph.start).map_or("", |state| &state.name);
        loader.refuse(start, "", "no way from here leads to an end");
    }
}

fn successors(kind: &Kind) -> Vec<usize> {
    let next = |next: &Next| if let Next::State(at) = next { vec![*at] } else { Vec::new() };
    match kind {
        Kind::Pass(pass) => next(&pass.next),
        Kind::Wait(_, to) => next(to),
        Kind::Choice(Choice { rules, default }) => rules.iter().map(|(_, at)| *at).chain(*default).collect(),
        Kind::Succeed | Kind::Fail(..) => Vec::new(),
        Kind::Task(_) | Kind::Map(_) | Kind::Parallel(_) => {
            kind.handling().map_or_else(Vec::new, |handling| {
                handling.catch.iter().map(|catcher| catcher.next).chain(next(&handling.next)).collect()
            })
        }
    }
}

fn is_end(kind: &Kind) -> bool {
    match kind {
        Kind::Succeed | Kind::Fail(..) => true,
        Kind::Pass(pass) => pass.next == Next::End,
        Kind::Wait(_, next) => *next == Next::End,
        Kind::Choice(_) => false,
        Kind::Task(_) | Kind::Map(_) | Kind::Parallel(_) => {
            kind.handling().is_some_and(|h| h.next == Next::End)
        }
    }
}
