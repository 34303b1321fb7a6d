//! A scenario run from its first moment to its last: the world set up, the functions and machines deployed, time moved.

mod ask;
mod deploy;
pub(crate) use deploy::DISCOVERY_EVERY;
mod events;
pub mod import;
mod look;
mod requests;
mod setup;

use asl::Record;
use jiff::{SignedDuration, Timestamp};
use world::World;

use crate::checkers;
use crate::report::{self, Report};
use crate::scenario::{Scenario, ScenarioError};
use crate::testbed::{Options, Testbed};

pub use look::{DatabaseView, View};
pub use requests::{Client, REQUESTS, Wish};

/// Why a scenario could not be set up or looked at: one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// The scenario is at fault.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The world refused what the scenario asks for.
    #[error("{what}: {why}")]
    Setup {
        /// What was set up.
        what: String,
        /// What stood against it.
        why: String,
    },
    /// What the product left in its store cannot be read.
    #[error("the task store cannot be read: {0}")]
    Store(String),
}

/// A running scenario.
pub struct Simulation {
    scenario: Scenario,
    bed: Testbed,
}

/// How far time moves between two calls of a progress bar.
const STRIDE: SignedDuration = SignedDuration::from_hours(1);

impl Simulation {
    /// Sets a scenario up; nothing has happened yet.
    ///
    /// # Errors
    /// What the world refuses, and histories that cannot be read.
    pub fn new(scenario: Scenario) -> Result<Self, SimulationError> {
        Self::set_up(scenario, world::Knobs::default(), Record::Count)
    }

    /// The same in a world that does otherwise what nobody knows.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_knobs(scenario: Scenario, knobs: world::Knobs) -> Result<Self, SimulationError> {
        Self::set_up(scenario, knobs, Record::Count)
    }

    /// The same, and executions keep their histories: for whoever looks at what a run went through.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_histories(scenario: Scenario) -> Result<Self, SimulationError> {
        Self::set_up(scenario, world::Knobs::default(), Record::Keep)
    }

    fn set_up(scenario: Scenario, knobs: world::Knobs, record: Record) -> Result<Self, SimulationError> {
        let mut world = World::new(scenario.seed, scenario.start, knobs);
        setup::world(&scenario, &mut world)?;
        let mut bed = Testbed::new(Options { record, ..Options::new(scenario.seed) }, world);
        setup::records(&scenario, &bed)?;
        deploy::all(&scenario, &mut bed)?;
        events::all(&scenario, &mut bed);
        Ok(Self { scenario, bed })
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The testbed, to look at or to break.
    pub fn bed(&mut self) -> &mut Testbed {
        &mut self.bed
    }

    /// Moves to a moment.
    pub fn run_until(&mut self, until: Timestamp) {
        self.bed.run_until(until);
    }

    /// Moves to the end; `progress` hears of every hour of the story.
    pub fn run(&mut self, progress: &mut dyn FnMut(Timestamp)) {
        let end = self.scenario.end();
        let mut now = self.bed.now();
        while now < end {
            now = now.saturating_add(STRIDE).unwrap_or(end).min(end);
            self.bed.run_until(now);
            progress(now);
        }
    }

    /// Everything the run left behind, from the store and the server, as nouns.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn view(&mut self) -> Result<View, SimulationError> {
        look::view(&self.scenario, &mut self.bed)
    }

    /// Judges and reports. The checkers see the world and what is claimed of it.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn report(&mut self) -> Result<Report, SimulationError> {
        self.report_and_view().map(|(report, _)| report)
    }

    /// The report, and what it was made from.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn report_and_view(&mut self) -> Result<(Report, View), SimulationError> {
        let view = self.view()?;
        let claims = report::windows::claims(&view);
        let checked = checkers::all(&self.scenario, &self.bed, &view, &report::windows::bare(&claims));
        let report = report::gather(&self.scenario, &self.bed, &view, claims, checked);
        Ok((report, view))
    }
}
