//! How do the iterations of a Map and the branches of a Parallel start, end, and stop? Results stand in the order of
//! items or branches, whatever the order of their ends. One failure stops the others and fails the state.
//!
//! Source: developer guide, "Using Map state in Inline mode", "Parallel workflow state", read 2026-11.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::strand::{Children, Phase, Strand, StrandId};
use super::{Execution, Move, Turn};
use crate::context::{Context, MapItem};
use crate::failure::Failure;
use crate::history::{HistoryKind, Outcome};
use crate::machine::{Graph, Kind, Map, Parallel, State, StateType};
use crate::size;

impl Execution {
    pub(super) fn start_map(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
        map: &Map,
    ) -> Result<Option<Move>, Failure> {
        let effective = self.selected_input(strand, state)?;
        let items = match &map.items_path {
            Some(path) => self.at_path(strand, state, path, &effective)?,
            None => Value::clone(&effective),
        };
        let Value::Array(items) = items else {
            return Err(Self::runtime(strand, state, "The items of a Map must be an array."));
        };
        self.record(turn, HistoryKind::StateStarted(StateType::Map), id, &state.name, || None);
        if items.is_empty() {
            self.record(turn, HistoryKind::StateSucceeded(StateType::Map), id, &state.name, || None);
            return Ok(Some(Move::Result(Arc::new(Value::Array(Vec::new())))));
        }
        let results = vec![None; items.len()];
        let mut children =
            Children { results, running: BTreeSet::new(), items: items.into_iter(), effective };
        self.start_items(turn, id, strand, state, map, &mut children)?;
        strand.phase = Phase::Children(children);
        Ok(None)
    }

    /// Starts iterations while there are items and free places.
    fn start_items(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &Strand,
        state: &State,
        map: &Map,
        children: &mut Children,
    ) -> Result<(), Failure> {
        while children.running.len() < map.concurrency_max && !self.exhausted {
            let index = children.results.len() - children.items.len();
            let Some(value) = children.items.next() else {
                return Ok(());
            };
            let item = Arc::new(MapItem { index, value: Arc::new(value) });
            let input = match &map.item_selector {
                None => item.value.clone(),
                Some(template) => {
                    let context = Context { item: Some(&item), ..self.context(strand, state) };
                    let built = template.build(&children.effective, &context, &mut *turn.draw);
                    let built = built.map_err(|why| Self::runtime(strand, state, why))?;
                    if !size::fits(&built) {
                        return Err(Failure::data_limit(&format!(
                            "The input of an item of '{}'",
                            state.name
                        )));
                    }
                    Arc::new(built)
                }
            };
            let child = self.start_child(turn, (id, index), map.processor.clone(), input, Some(item));
            children.running.insert(child);
            self.record(turn, HistoryKind::MapIteration(Outcome::Started), child, &state.name, || None);
        }
        Ok(())
    }

    pub(super) fn start_parallel(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
        parallel: &Parallel,
    ) -> Result<(), Failure> {
        let selected = self.selected_input(strand, state)?;
        let effective =
            self.shaped(&mut *turn.draw, strand, state, parallel.parameters.as_ref(), selected)?;
        if !Arc::ptr_eq(&effective, &strand.input) && !size::fits(&effective) {
            return Err(Failure::data_limit(&format!("The input of the state/task '{}'", state.name)));
        }
        self.record(turn, HistoryKind::StateStarted(StateType::Parallel), id, &state.name, || None);
        let mut running = BTreeSet::new();
        for (slot, branch) in parallel.branches.iter().enumerate() {
            let child =
                self.start_child(turn, (id, slot), branch.clone(), effective.clone(), strand.item.clone());
            running.insert(child);
        }
        let results = vec![None; parallel.branches.len()];
        strand.phase =
            Phase::Children(Children { results, running, items: Vec::new().into_iter(), effective });
        Ok(())
    }

    fn start_child(
        &mut self,
        turn: &Turn<'_>,
        parent: (StrandId, usize),
        graph: Arc<Graph>,
        input: Arc<Value>,
        item: Option<Arc<MapItem>>,
    ) -> StrandId {
        let id = StrandId(self.strands_made);
        self.strands_made += 1;
        let mut child = Strand::new(graph, input, turn.now);
        child.parent = Some(parent);
        child.item = item;
        self.strands.insert(id, child);
        self.ready.push_back((id, Move::Enter));
        id
    }

    pub(super) fn child_succeeded(
        &mut self,
        turn: &mut Turn<'_>,
        child: StrandId,
        parent: (StrandId, usize),
        output: Arc<Value>,
    ) {
        let (id, slot) = parent;
        let Some(mut strand) = self.strands.remove(&id) else {
            return;
        };
        let graph = strand.graph.clone();
        let phase = std::mem::replace(&mut strand.phase, Phase::Idle);
        if let (Some(state), Phase::Children(mut children)) = (graph.states.get(strand.at), phase) {
            children.running.remove(&child);
            if let Some(place) = children.results.get_mut(slot) {
                *place = Some(output);
            }
            let mut started = Ok(());
            if let Kind::Map(map) = &state.kind {
                self.record(turn, HistoryKind::MapIteration(Outcome::Succeeded), child, &state.name, || None);
                started = self.start_items(turn, id, &strand, state, map, &mut children);
            }
            if let Err(failure) = started {
                self.break_off(turn, id, state, &children, failure);
            } else if children.running.is_empty() {
                self.record(
                    turn,
                    HistoryKind::StateSucceeded(state.kind.state_type()),
                    id,
                    &state.name,
                    || None,
                );
                let results = children.results.into_iter().flatten().map(Arc::unwrap_or_clone).collect();
                self.ready.push_back((id, Move::Result(Arc::new(Value::Array(results)))));
            } else {
                strand.phase = Phase::Children(children);
            }
        }
        self.strands.insert(id, strand);
    }

    pub(super) fn child_failed(
        &mut self,
        turn: &mut Turn<'_>,
        child: StrandId,
        parent: (StrandId, usize),
        failure: Failure,
    ) {
        let (id, _) = parent;
        let Some(strand) = self.strands.get_mut(&id) else {
            return;
        };
        let graph = strand.graph.clone();
        let at = strand.at;
        let phase = std::mem::replace(&mut strand.phase, Phase::Idle);
        if let (Some(state), Phase::Children(mut children)) = (graph.states.get(at), phase) {
            children.running.remove(&child);
            if matches!(state.kind, Kind::Map(_)) {
                self.record(turn, HistoryKind::MapIteration(Outcome::Failed), child, &state.name, || None);
            }
            self.break_off(turn, id, state, &children, failure);
        }
    }

    /// Stops the children that still run, and lets the state fail.
    fn break_off(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        state: &State,
        children: &Children,
        failure: Failure,
    ) {
        for sibling in &children.running {
            self.stop(turn, *sibling, matches!(state.kind, Kind::Map(_)));
        }
        self.record(turn, HistoryKind::StateFailed(state.kind.state_type()), id, &state.name, || None);
        self.ready.push_back((id, Move::Fail(failure)));
    }
}
