//! How long would a restore of the worst moment take? A forecast, not a measurement: as many steps as the plan has, each of
//! which may wait as long as the service lets it.
//!
//! The worst moment lies just before a data backup ends, or where a window ends: there the most logs follow the last one.

use domain::backup::Backup;
use domain::coverage::Window;
use domain::history::{History, Lineage};
use domain::restore::{Action, Plan, Planner, Request, Target};
use domain::restore_time::Steps;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::simulation::DatabaseView;

/// The restore that takes longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rto {
    /// The moment to restore.
    pub at: Timestamp,
    /// What the restore applies.
    pub steps: Steps,
    /// Native tasks, one after the other.
    pub step_count: u32,
    /// Bytes a second that were measured on backups, or are assumed.
    pub bytes_per_second: u64,
    /// When every step is picked up at once.
    pub least_minutes: u64,
    /// When every step waits as long as the service lets it.
    pub most_minutes: u64,
    /// As the policy promises, if it does.
    pub promised_minutes: Option<u32>,
}

impl Rto {
    /// How the promise stands, where there is one.
    pub(super) fn verdict(&self) -> Option<&'static str> {
        let promised = u64::from(self.promised_minutes?);
        Some(match (self.least_minutes <= promised, self.most_minutes <= promised) {
            (_, true) => "kept",
            (true, false) => "may be missed",
            (false, false) => "missed",
        })
    }
}

fn minutes(time: SignedDuration) -> u64 {
    u64::try_from(time.as_secs()).unwrap_or(0).div_ceil(60)
}

/// The worst restore of a database; `None` while nothing can be restored.
pub(super) fn worst(
    database: &DatabaseView,
    headers: Vec<Backup>,
    window: &Window,
    now: Timestamp,
    bytes_per_second: u64,
    promised_minutes: Option<u32>,
) -> Option<Rto> {
    let history = History::build(headers, Vec::new(), now).ok()?;
    let lineage = history.lineages().iter().find(|lineage| lineage.id() == window.lineage)?;
    let planner = Planner::new(lineage);
    moments(database, window)
        .into_iter()
        .filter_map(|at| {
            let steps = steps(&planner.plan(&Request::at(Target::Moment(at))).ok()?, lineage);
            let time = steps.time(bytes_per_second);
            Some(Rto {
                at,
                steps,
                step_count: steps.count(),
                bytes_per_second,
                least_minutes: minutes(time.least),
                most_minutes: minutes(time.most),
                promised_minutes,
            })
        })
        .max_by_key(|rto| (rto.most_minutes, rto.at))
}

/// Moments of the window before which the most logs have gathered.
fn moments(database: &DatabaseView, window: &Window) -> Vec<Timestamp> {
    // Headers have whole seconds.
    let before = |backup: &Backup| backup.finished.checked_sub(SignedDuration::from_secs(1)).ok();
    let ends = window.intervals.iter().map(|interval| interval.to);
    let mut moments: Vec<Timestamp> =
        database.data.iter().filter_map(|entry| before(&entry.backup)).chain(ends).collect();
    let held = window.moments();
    moments.retain(|at| held.hold(*at));
    moments
}

fn steps(plan: &Plan, lineage: &Lineage) -> Steps {
    let mut steps = Steps { full_bytes: 0, differential_bytes: None, logs: 0, log_bytes: 0 };
    for step in &plan.steps {
        let backup = step.backup.as_ref().and_then(|id| lineage.find(id.as_str()));
        let bytes = backup.map_or(0, |(_, backup)| backup.size_bytes);
        match step.action {
            Action::RestoreFull => steps.full_bytes = bytes,
            Action::RestoreDifferential => steps.differential_bytes = Some(bytes),
            Action::RestoreLog => {
                steps.logs += 1;
                steps.log_bytes += bytes;
            }
            Action::Recover => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_when_it_is_kept_at_worst() {
        for (least, most, promised, expected) in [
            (1, 2, None, None),
            (10, 60, Some(60), Some("kept")),
            (10, 61, Some(60), Some("may be missed")),
            (60, 61, Some(60), Some("may be missed")),
            (61, 90, Some(60), Some("missed")),
        ] {
            let rto = Rto {
                at: Timestamp::UNIX_EPOCH,
                steps: Steps { full_bytes: 0, differential_bytes: None, logs: 0, log_bytes: 0 },
                step_count: 2,
                bytes_per_second: 1,
                least_minutes: least,
                most_minutes: most,
                promised_minutes: promised,
            };
            assert_eq!(rto.verdict(), expected, "{least} to {most} of {promised:?}");
        }
    }
}
