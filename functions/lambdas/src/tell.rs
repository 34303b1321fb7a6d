//! What an output tells the log: the word a Choice reads, and counts that become metrics.
//!
//! Handlers say nothing about logs. Whoever adds a function says here what is worth counting; without it the binary does not compile.

use handlers::contract::discovery::{DiscoverDatabasesOutput, ListInstancesOutput, ReportDiscoveryOutput};
use handlers::contract::{
    CheckChainsOutput, DispatchTasksOutput, ListWorkOutput, ObserveEventOutput, ObserveOutcome,
    PlanBackupsOutput, PollTasksOutput, RunLeaseOutput, ValidateRegionOutput,
};
use serde::Serialize;
use serde_json::Value;

/// Seconds by which the worst database is over its promised RPO. Absent where it could not be found out: the alarm on it takes
/// silence for the worst.
pub const RPO_OVERDUE: &str = "rpo_overdue_seconds";

/// What one output tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub(crate) outcome: Option<String>,
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Whether the line is a warning, although the function did what it could.
    pub(crate) warns: bool,
}

impl Told {
    /// Counts by the name of their metric.
    pub fn counts(counts: &[(&'static str, u32)]) -> Self {
        Self {
            counts: counts.iter().map(|(name, count)| (*name, u64::from(*count))).collect(),
            ..Self::default()
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
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let mut told = Told::counts(&[("runs", count(self.runs.len())), ("unstarted", self.unstarted)]);
        told.counts.extend(self.rpo_overdue_seconds.map(|seconds| (RPO_OVERDUE, seconds)));
        let unwatched = self.unwatched.iter().map(|reason| format!("unwatched: {reason}"));
        let unstarted = self.unstarted_because.iter().map(|reason| format!("unstarted: {reason}"));
        let untold = self.untold.iter().map(|reason| format!("untold: {reason}"));
        let all: Vec<String> = unwatched.chain(unstarted).chain(untold).collect();
        if all.is_empty() {
            return told;
        }
        Told { warns: true, ..told.outcome(&all.join("; ")) }
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
    /// What an event came to is worth counting where it changed what a run does.
    fn tell(&self) -> Told {
        let is = |outcome| u32::from(self.outcome == outcome);
        Told::counts(&[("woken", is(ObserveOutcome::Woken)), ("freed", is(ObserveOutcome::Freed))])
            .outcome(&self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use handlers::contract::{LeaseOutcome, PlanOutcome, PollOutcome};

    use super::*;

    fn listed(rpo_overdue_seconds: Option<u64>) -> ListWorkOutput {
        ListWorkOutput {
            runs: Vec::new(),
            rpo_overdue_seconds,
            unwatched: None,
            unstarted: 0,
            unstarted_because: Vec::new(),
            untold: Vec::new(),
        }
    }

    /// What each function tells: its name and those of its counts.
    fn told() -> BTreeSet<(&'static str, &'static str)> {
        let next_due_at = jiff::Timestamp::UNIX_EPOCH;
        let all = [
            ("list-work", listed(Some(1)).tell()),
            ("run-lease", RunLeaseOutput { outcome: LeaseOutcome::Taken, round: 0, successor: None }.tell()),
            ("validate-region", ValidateRegionOutput { region: "eu-west-1".to_owned() }.tell()),
            (
                "plan-backups",
                PlanBackupsOutput { outcome: PlanOutcome::Idle, planned: 0, open: 0, next_due_at }.tell(),
            ),
            ("check-chains", CheckChainsOutput { admitted: 0, skipped: 0, promoted: 0, held: 0 }.tell()),
            ("dispatch-tasks", DispatchTasksOutput { dispatched: 0, wait_seconds: 1 }.tell()),
            (
                "poll-tasks",
                PollTasksOutput { outcome: PollOutcome::Again, round: 1, finished: 0, outstanding: 0 }.tell(),
            ),
        ];
        let counts = |(function, told): (&'static str, Told)| {
            told.counts.into_iter().map(move |(metric, _)| (function, metric))
        };
        all.into_iter().flat_map(counts).collect()
    }

    /// The dashboard and the alarms show what is told and nothing else; a name that nobody tells would be a flat line, or an alarm that is
    /// silent or never is.
    #[test]
    fn the_template_names_metrics_that_functions_tell() {
        let template = include_str!("../../../infra/template.yaml");
        let told = told();
        let told = |metric: &str, function: &str| told.iter().any(|one| *one == (function, metric));
        let mut shown = 0;
        for row in template.lines().filter_map(|line| line.trim().strip_prefix("[\"bakproof\", ")) {
            let parts: Vec<&str> = row.split('"').collect();
            // The name of the metric, then each dimension and its value.
            let quoted: Vec<_> = parts.into_iter().skip(1).step_by(2).collect();
            let [metric, "stack", "${AWS::StackName}", "function", function] = quoted[..] else {
                panic!("metrics are told by stack and function: {row}");
            };
            assert!(told(metric, function), "nobody tells {metric} of {function}");
            shown += 1;
        }
        assert!(shown > 10, "{shown} rows of the dashboard were found");
        let mut alarmed = Vec::new();
        for alarm in template.split("Namespace: bakproof\n").skip(1) {
            let after = |word: &str| {
                let (_, rest) = alarm.split_once(word).unwrap();
                rest.split([' ', '\n', '}']).next().unwrap()
            };
            assert_eq!(after("Name: stack, Value: !Ref "), "AWS::StackName");
            let (metric, function) = (after("MetricName: "), after("Name: function, Value: "));
            assert!(told(metric, function), "nobody tells {metric} of {function}");
            alarmed.push(metric);
        }
        assert_eq!(alarmed, [RPO_OVERDUE, "unstarted"]);
        let searched: Vec<_> = template.lines().filter(|line| line.contains("SEARCH(")).collect();
        let of_stack = r#"SEARCH('{bakproof,stack,function} stack=\"${AWS::StackName}\" MetricName="#;
        assert!(searched.len() == 2 && searched.iter().all(|line| line.contains(of_stack)), "{searched:?}");
    }

    #[test]
    fn a_promise_that_nobody_could_watch_is_no_zero() {
        let reason = domain::reason::Reason::new(domain::reason::Class::Retry, "Throttled", "slow down");
        let mut output = ListWorkOutput { unwatched: Some(reason.clone()), ..listed(None) };
        let told = output.tell();
        assert_eq!(told.counts, [("runs", 0), ("unstarted", 0)]);
        assert_eq!(told.outcome.as_deref(), Some("unwatched: Throttled: slow down"));
        (output.unstarted, output.unstarted_because) = (12, vec![reason.clone()]);
        output.untold = vec![reason];
        let told = output.tell();
        assert_eq!(told.counts, [("runs", 0), ("unstarted", 12)]);
        let all = ["unwatched", "unstarted", "untold"].map(|what| format!("{what}: Throttled: slow down"));
        assert_eq!((told.outcome, told.warns), (Some(all.join("; ")), true));
        assert!(!listed(Some(0)).tell().warns);
    }

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
