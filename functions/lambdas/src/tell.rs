//! What an output tells the log: the word a Choice reads, and counts that become metrics.
//!
//! Handlers say nothing about logs. Whoever adds a function says here what is worth counting; without it the binary does not compile.

use handlers::contract::discovery::{DiscoverDatabasesOutput, ListInstancesOutput, ReportDiscoveryOutput};
use handlers::contract::observe::ObserveEventOutput;
use handlers::contract::{
    CheckChainsOutput, DispatchTasksOutput, ListWorkOutput, PlanBackupsOutput, PollTasksOutput,
    RunLeaseOutput, ValidateRegionOutput,
};
use serde::Serialize;
use serde_json::Value;

/// What one output tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub(crate) outcome: Option<String>,
    pub(crate) counts: Vec<(&'static str, u64)>,
}

impl Told {
    /// Counts by the name of their metric.
    pub fn counts(counts: &[(&'static str, u32)]) -> Self {
        Self {
            outcome: None,
            counts: counts.iter().map(|(name, count)| (*name, u64::from(*count))).collect(),
        }
    }

    /// With the outcome, in the word that the machines compare.
    #[must_use]
    pub fn outcome(self, outcome: &impl Serialize) -> Self {
        let outcome = match serde_json::to_value(outcome) {
            Ok(Value::String(word)) => Some(word),
            _ => None,
        };
        Self { outcome, ..self }
    }
}

/// An output that tells.
pub trait Tell {
    /// Counts and outcome. Names of counts are names of metrics.
    fn tell(&self) -> Told;
}

impl Tell for api::Response {
    /// The status is the outcome: `201`.
    fn tell(&self) -> Told {
        Told::default().outcome(&self.status.to_string())
    }
}

impl Tell for ListWorkOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("runs", u32::try_from(self.runs.len()).unwrap_or(u32::MAX))])
    }
}

impl Tell for RunLeaseOutput {
    fn tell(&self) -> Told {
        Told::default().outcome(&self.outcome)
    }
}

impl Tell for ValidateRegionOutput {
    fn tell(&self) -> Told {
        Told::default()
    }
}

impl Tell for PlanBackupsOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("planned", self.planned), ("open", self.open)]).outcome(&self.outcome)
    }
}

impl Tell for CheckChainsOutput {
    fn tell(&self) -> Told {
        Told::counts(&[
            ("admitted", self.admitted),
            ("skipped", self.skipped),
            ("promoted", self.promoted),
            ("held", self.held),
        ])
    }
}

impl Tell for DispatchTasksOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("dispatched", self.dispatched)])
    }
}

impl Tell for PollTasksOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("finished", self.finished), ("outstanding", self.outstanding)]).outcome(&self.outcome)
    }
}

impl Tell for ListInstancesOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("enrolled", self.enrolled), ("skipped", self.skipped)]).outcome(&self.outcome)
    }
}

impl Tell for DiscoverDatabasesOutput {
    fn tell(&self) -> Told {
        Told::counts(&[
            ("shown", self.shown),
            ("enrolled", self.enrolled),
            ("gone", self.gone),
            ("skipped", self.skipped),
        ])
        .outcome(&self.outcome)
    }
}

impl Tell for ReportDiscoveryOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("told", u32::from(self.told))])
    }
}

impl Tell for ObserveEventOutput {
    fn tell(&self) -> Told {
        Told::counts(&[("woken", u32::from(self.woken))]).outcome(&self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use handlers::contract::PollOutcome;

    use super::*;

    #[test]
    fn an_outcome_is_told_in_the_word_that_a_choice_compares() {
        let output =
            PollTasksOutput { outcome: PollOutcome::HandOver, round: 3, finished: 2, outstanding: 1 };
        let told = output.tell();
        assert_eq!(told.outcome.as_deref(), Some("hand_over"));
        assert_eq!(told.counts, [("finished", 2), ("outstanding", 1)]);
        assert_eq!(Told::default().outcome(&7).outcome, None);
    }
}
