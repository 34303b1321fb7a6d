//! Tasks by kind and outcome, with the reasons that ended them and how long they took.

use std::collections::{BTreeMap, BTreeSet};

use domain::task::{Kind, Outcome, State, Task};
use serde::Serialize;

use crate::simulation::View;

/// Tasks of one instance that ended the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskLine {
    /// Instance.
    pub instance: String,
    /// Kind.
    pub kind: &'static str,
    /// Outcome.
    pub outcome: &'static str,
    /// Name of the reason, where there is one.
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
    /// From planning to the end.
    pub took: Duration,
    /// Tries beyond the first.
    pub retries: u64,
}

/// A distribution of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Duration {
    /// Half took no longer.
    pub median_seconds: u64,
    /// The longest.
    pub longest_seconds: u64,
}

fn outcome(task: &Task) -> Option<(&'static str, Option<String>)> {
    let State::Done { outcome, .. } = &task.state else { return None };
    Some(match outcome {
        Outcome::Succeeded => ("succeeded", None),
        Outcome::Failed(reason) => ("failed", Some(reason.name.to_string())),
        Outcome::Skipped(reason) => ("skipped", Some(reason.name.to_string())),
        Outcome::Cancelled => ("cancelled", None),
    })
}

pub(super) fn lines(view: &View) -> Vec<TaskLine> {
    type Group<'a> = (&'a str, &'static str, &'static str, Option<String>);
    let mut groups: BTreeMap<Group<'_>, (Vec<u64>, u64)> = BTreeMap::new();
    for task in &view.done {
        let (State::Done { at, .. }, Some((outcome, reason))) = (&task.state, outcome(task)) else {
            continue;
        };
        let seconds = u64::try_from(at.duration_since(task.planned_at).as_secs()).unwrap_or(0);
        let group = groups.entry((&task.instance, task.kind.as_str(), outcome, reason)).or_default();
        group.0.push(seconds);
        group.1 += u64::from(task.attempt.saturating_sub(1));
    }
    groups
        .into_iter()
        .map(|((instance, kind, outcome, reason), (mut seconds, retries))| {
            seconds.sort_unstable();
            let took = Duration {
                median_seconds: seconds[(seconds.len() - 1) / 2],
                longest_seconds: seconds.last().copied().unwrap_or(0),
            };
            let count = seconds.len() as u64;
            TaskLine { instance: instance.to_owned(), kind, outcome, reason, count, took, retries }
        })
        .collect()
}

/// Moments of the log schedule, so many minutes apart, that a task of some database answered.
pub(super) fn moments_answered(view: &View, every_minutes: u32) -> u64 {
    let interval = i64::from(every_minutes.max(1)) * 60;
    let of_interval = |at: jiff::Timestamp| at.as_second().div_euclid(interval);
    let copies = view.done.iter().filter(|task| task.kind == Kind::LogCopy);
    let moments: BTreeSet<(&str, &str, i64)> = copies
        .flat_map(|task| {
            let newest = of_interval(task.answers_to.unwrap_or(task.due_at));
            let moments = of_interval(task.due_at)..=newest;
            moments.map(|moment| (task.instance.as_str(), task.database.as_str(), moment))
        })
        .collect();
    moments.len() as u64
}
