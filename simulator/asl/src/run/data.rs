//! What comes in to a state and what goes out? The order of the fields: `InputPath`, `Parameters`, the work,
//! `ResultSelector`, `ResultPath`, `OutputPath`; quotas on the way. And the states that only move data.
//!
//! Source: developer guide, "Processing input and output in Step Functions", read 2026-11.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::strand::{Phase, Strand, StrandId};
use super::{Execution, Move, Purpose, Turn, later};
use crate::choice::timestamp;
use crate::failure::{Failure, RESULT_PATH_MATCH_FAILURE};
use crate::intrinsic::Draw;
use crate::machine::{Choice, Kind, Limit, Next, Placement, Selection, State, Text, Until};
use crate::path::Path;
use crate::quotas::SECONDS_MAX;
use crate::size;
use crate::template::Template;

impl Execution {
    /// A failure that no state can catch, its cause worded as AWS words it.
    pub(super) fn runtime(strand: &Strand, state: &State, why: impl AsRef<str>) -> Failure {
        Failure::runtime(format!(
            "An error occurred while executing the state '{}' (entered at the event id #{}). {}",
            state.name,
            strand.entered_event,
            why.as_ref()
        ))
    }

    fn select(
        &self,
        strand: &Strand,
        state: &State,
        selection: &Selection,
        data: &Arc<Value>,
        field: &str,
    ) -> Result<Arc<Value>, Failure> {
        match selection {
            Selection::Whole => Ok(data.clone()),
            Selection::Nothing => Ok(Arc::new(Value::Object(Map::new()))),
            Selection::Path(path) => {
                let found = path.select(data, &self.context(strand, state)).map(Cow::into_owned);
                found.map(Arc::new).ok_or_else(|| {
                    Self::runtime(
                        strand,
                        state,
                        format!("Invalid path '{path}' in {field}: it selects nothing."),
                    )
                })
            }
        }
    }

    /// The input after `InputPath`.
    pub(super) fn selected_input(&self, strand: &Strand, state: &State) -> Result<Arc<Value>, Failure> {
        self.select(strand, state, &state.input_path, &strand.input, "InputPath")
    }

    /// A payload template over `data`, or `data` itself.
    pub(super) fn shaped(
        &self,
        draw: Draw<'_>,
        strand: &Strand,
        state: &State,
        template: Option<&Template>,
        data: Arc<Value>,
    ) -> Result<Arc<Value>, Failure> {
        let Some(template) = template else {
            return Ok(data);
        };
        let built = template.build(&data, &self.context(strand, state), draw);
        built.map(Arc::new).map_err(|why| Self::runtime(strand, state, why))
    }

    /// The value at a path of `data`.
    pub(super) fn at_path(
        &self,
        strand: &Strand,
        state: &State,
        path: &Path,
        data: &Value,
    ) -> Result<Value, Failure> {
        let found = path.select(data, &self.context(strand, state)).map(Cow::into_owned);
        found.ok_or_else(|| {
            Self::runtime(strand, state, format!("Invalid path '{path}': it selects nothing."))
        })
    }

    /// A number of seconds from `least` on.
    pub(super) fn seconds(
        &self,
        strand: &Strand,
        state: &State,
        limit: &Limit,
        data: &Value,
        least: u32,
    ) -> Result<u32, Failure> {
        let path = match limit {
            Limit::Seconds(seconds) => return Ok(*seconds),
            Limit::Path(path) => path,
        };
        let value = self.at_path(strand, state, path, data)?;
        let seconds = value.as_u64().and_then(|n| u32::try_from(n).ok());
        seconds.filter(|n| (least..=SECONDS_MAX).contains(n)).ok_or_else(|| {
            let why =
                format!("The value {value} at '{path}' is no whole number from {least} to {SECONDS_MAX}.");
            Self::runtime(strand, state, why)
        })
    }

    /// From a finished work's result to the state's output.
    pub(super) fn settle(
        &self,
        turn: &mut Turn<'_>,
        strand: &Strand,
        state: &State,
        result: Arc<Value>,
    ) -> Result<Move, Failure> {
        let Some(handling) = state.kind.handling() else {
            // Only Task, Map and Parallel wait for results.
            return Err(Self::runtime(strand, state, "The state has no result."));
        };
        // Whatever becomes of it: what all iterations of a Map came to counts, also where nothing of it is kept.
        if !size::fits(&result) {
            return Err(Self::too_large(state));
        }
        let result =
            self.shaped(&mut *turn.draw, strand, state, handling.result_selector.as_ref(), result)?;
        let placed = place(&handling.result_path, &strand.input, result)?;
        let output = self.output(strand, state, &placed)?;
        Ok(Move::Leave(handling.next, output))
    }

    /// `OutputPath`, and the quota of outputs.
    fn output(&self, strand: &Strand, state: &State, data: &Arc<Value>) -> Result<Arc<Value>, Failure> {
        let output = self.select(strand, state, &state.output_path, data, "OutputPath")?;
        // What came in unchanged was measured on its way in.
        if !Arc::ptr_eq(&output, &strand.input) && !size::fits(&output) {
            return Err(Self::too_large(state));
        }
        Ok(output)
    }

    fn too_large(state: &State) -> Failure {
        Failure::data_limit(&format!("The state/task '{}' returned a result which", state.name))
    }

    pub(super) fn pass(&self, turn: &mut Turn<'_>, strand: &Strand, state: &State) -> Result<Move, Failure> {
        let Kind::Pass(pass) = &state.kind else {
            return Err(Self::runtime(strand, state, "The state is no Pass."));
        };
        let effective = self.selected_input(strand, state)?;
        let effective = self.shaped(&mut *turn.draw, strand, state, pass.parameters.as_ref(), effective)?;
        let result = pass.result.clone().unwrap_or(effective);
        let placed = place(&pass.result_path, &strand.input, result)?;
        Ok(Move::Leave(pass.next, self.output(strand, state, &placed)?))
    }

    /// Input to output through both paths: Succeed, Wait, Choice.
    pub(super) fn pass_through(&self, strand: &Strand, state: &State, next: Next) -> Result<Move, Failure> {
        let data = self.selected_input(strand, state)?;
        Ok(Move::Leave(next, self.output(strand, state, &data)?))
    }

    pub(super) fn choose(&self, strand: &Strand, state: &State, choice: &Choice) -> Result<Move, Failure> {
        let data = self.selected_input(strand, state)?;
        let mut to = choice.default;
        for (rule, next) in &choice.rules {
            let holds = rule.holds(&data, &self.context(strand, state));
            if holds.map_err(|why| Self::runtime(strand, state, why))? {
                to = Some(*next);
                break;
            }
        }
        let none = "Failed to transition out of the state. The state does not point to a next state.";
        let to = to.ok_or_else(|| Self::runtime(strand, state, none))?;
        Ok(Move::Leave(Next::State(to), self.output(strand, state, &data)?))
    }

    pub(super) fn wait(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
        until: &Until,
        next: Next,
    ) -> Result<Option<Move>, Failure> {
        let data = self.selected_input(strand, state)?;
        let at = match until {
            Until::After(limit) => {
                let seconds = self.seconds(strand, state, limit, &data, 0)?;
                later(turn.now, jiff::SignedDuration::from_secs(seconds.into()))
            }
            Until::Moment(at) => *at,
            Until::MomentAt(path) => {
                let value = self.at_path(strand, state, path, &data)?;
                value.as_str().and_then(timestamp).ok_or_else(|| {
                    Self::runtime(strand, state, format!("The value {value} at '{path}' is no timestamp."))
                })?
            }
        };
        if at <= turn.now {
            return self.pass_through(strand, state, next).map(Some);
        }
        strand.phase = Phase::Timer(self.timer(turn, id, Purpose::Wait, at));
        Ok(None)
    }

    /// The failure a Fail state stands for.
    pub(super) fn fail_state(&self, strand: &Strand, state: &State, error: &Text, cause: &Text) -> Failure {
        let text = |text: &Text| match text {
            Text::Absent => Ok(String::new()),
            Text::Fixed(text) => Ok(text.clone()),
            Text::Path(path) => match self.at_path(strand, state, path, &strand.input)? {
                Value::String(text) => Ok(text),
                other => {
                    Err(Self::runtime(strand, state, format!("The value {other} at '{path}' is no string.")))
                }
            },
        };
        match (text(error), text(cause)) {
            (Ok(error), Ok(cause)) => Failure::new(&error, cause),
            (Err(failure), _) | (_, Err(failure)) => failure,
        }
    }
}

/// `ResultPath`: puts a result into, or instead of, a state's input.
pub(super) fn place(
    placement: &Placement,
    input: &Arc<Value>,
    result: Arc<Value>,
) -> Result<Arc<Value>, Failure> {
    match placement {
        Placement::Replace => Ok(result),
        Placement::Discard => Ok(input.clone()),
        Placement::At(path) => {
            let mut placed = Value::clone(input);
            path.write(&mut placed, Arc::unwrap_or_clone(result))
                .map_err(|why| Failure::new(RESULT_PATH_MATCH_FAILURE, why))?;
            Ok(Arc::new(placed))
        }
    }
}
