//! What does an event of AWS mean, and is it news?
//!
//! Events come late, out of order, twice or never: "Amazon RDS emits events on a best effort basis", and nobody may depend on their
//! order or existence (RDS user guide, "Monitoring Amazon RDS events", read 2026-11). So an event decides nothing: it says that a look is
//! worth while, or that a look of before is worth nothing any more. What it says is folded into [`Marks`], whose times only grow.

mod rds;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::lease::{Lease, run_of_name};
use crate::reason::{Class, Reason};
use crate::record::Record;

pub use rds::{RdsDetail, categories, of_rds, unnamed_snapshot};

/// What an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// The service began or ended a backup of the whole instance, which moves the differential base of its databases (RDS user guide,
    /// "Using native backup and restore", "Limitations").
    BaseStale {
        /// Instance.
        instance: String,
        /// When, as the service says.
        at: Timestamp,
        /// Whether it is over: until then no native backup runs.
        ended: bool,
    },
    /// Another node serves the instance.
    FailedOver {
        /// Instance.
        instance: String,
        /// When.
        at: Timestamp,
    },
    /// Something about the instance changed or is over, which a look may find.
    Changed {
        /// Instance.
        instance: String,
        /// When.
        at: Timestamp,
    },
    /// An execution ended as no state of its machine could catch.
    RunEnded(RunEnded),
    /// Nothing that concerns us.
    Ignored(Reason),
}

impl Observed {
    /// Whether what waits on the instance may go on sooner for it.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::BaseStale { ended: true, .. } | Self::FailedOver { .. } | Self::Changed { .. })
    }
}

/// How an execution ended. Step Functions developer guide, "Execution status changes", read 2026-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Its machine ended in a Fail state or met an error that nothing catches.
    Failed,
    /// The time of machine or execution was over.
    TimedOut,
    /// Somebody stopped it.
    Aborted,
    /// Everything else.
    #[serde(other)]
    Other,
}

/// The detail of an event "Step Functions Execution Status Change", as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StatusChange {
    /// Machine.
    #[serde(rename = "stateMachineArn")]
    pub state_machine_arn: String,
    /// Name of the execution.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// Error name. The schema of the event has none, the history of the execution has.
    #[serde(default)]
    pub error: Option<String>,
    /// Cause; likewise.
    #[serde(default)]
    pub cause: Option<String>,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnded {
    /// Name of the execution, which is the run's.
    pub run: String,
    /// The instance that it served.
    pub instance: String,
    /// What people read.
    pub trouble: Reason,
}

/// What a change of status means. `machine`: ARN of the machine that serves instances; names of other machines' executions may look alike.
pub fn of_execution(change: &StatusChange, machine: &str) -> Observed {
    if change.state_machine_arn != machine {
        let what = format!("an execution of {:?} is no run of an instance", cut(&change.state_machine_arn));
        return ignored("OtherMachine", what);
    }
    let Some((instance, _)) = run_of_name(&change.name) else {
        return ignored("NoRun", format!("{:?} is not the name of a run", cut(&change.name)));
    };
    let (name, how) = match change.status {
        Status::Failed => ("RunFailed", "failed"),
        Status::TimedOut => ("RunTimedOut", "timed out"),
        Status::Aborted => ("RunAborted", "was stopped"),
        Status::Other => return ignored("RunGoesOn", format!("{} did not end badly", cut(&change.name))),
    };
    let error = change.error.as_deref().unwrap_or_default();
    let class = Class::ALL.into_iter().find(|class| class.as_str() == error).unwrap_or(Class::Human);
    let why: Vec<String> = [Some(error), change.cause.as_deref()]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(|text| text.chars().take(1_000).collect())
        .collect();
    let mut message = format!("run {} {how} and gave its lease not back", change.name);
    if !why.is_empty() {
        message = format!("{message}: {}", why.join(": "));
    }
    let trouble = Reason::new(class, name, message).guidance("its execution's history says where it ended");
    Observed::RunEnded(RunEnded { run: change.name.clone(), instance: instance.to_owned(), trouble })
}

/// The lease without its holder, if that is the run that ended, and no other.
pub fn freed(lease: Lease, run: &str, now: Timestamp) -> Option<Lease> {
    (lease.holder.as_deref() == Some(run)).then(|| lease.released(now))
}

/// The newest that events told of an instance. They may be missing, so nothing follows from the absence of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Instance.
    pub instance: String,
    /// Newest begin or end of a backup of the whole instance.
    #[serde(default)]
    pub backed_up_at: Option<Timestamp>,
    /// Newest end of a failover.
    #[serde(default)]
    pub failed_over_at: Option<Timestamp>,
    /// Newest change of anything else.
    #[serde(default)]
    pub changed_at: Option<Timestamp>,
}

/// By how much a look's clock and an event's may differ: events are told by the second, and hosts' clocks differ by less than a minute
/// (as for [`crate::lease::LEASE_DURATION`]).
pub const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

impl Marks {
    /// Nothing was told yet.
    pub fn none(instance: &str) -> Self {
        Self { instance: instance.to_owned(), backed_up_at: None, failed_over_at: None, changed_at: None }
    }

    /// Takes an event in. Whether it is news: one that is as old as what is known, or older, changes nothing.
    pub fn fold(&mut self, observed: &Observed) -> bool {
        let (mark, at) = match observed {
            Observed::BaseStale { at, .. } => (&mut self.backed_up_at, *at),
            Observed::FailedOver { at, .. } => (&mut self.failed_over_at, *at),
            Observed::Changed { at, .. } => (&mut self.changed_at, *at),
            Observed::RunEnded(_) | Observed::Ignored(_) => return false,
        };
        let is_news = mark.is_none_or(|known| known < at);
        if is_news {
            *mark = Some(at);
        }
        is_news
    }

    /// Whether what was seen of a differential base at a moment may have changed since: the server has to be asked again.
    pub fn outdate(&self, seen_at: Timestamp) -> bool {
        self.backed_up_at.is_some_and(|at| seen_at.duration_since(at) < CLOCKS)
    }
}

impl Record for Marks {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        marks_key(&self.instance)
    }
}

/// Where the marks of an instance are stored.
pub fn marks_key(instance: &str) -> (String, String) {
    (format!("instance#{instance}"), "marks".to_owned())
}

fn ignored(name: &'static str, message: String) -> Observed {
    Observed::Ignored(Reason::new(Class::Never, name, message))
}

/// A text of somebody else, of a length that no log minds.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:bakproof-instance";

    fn change(name: &str, status: Status) -> StatusChange {
        let (name, state_machine_arn) = (name.to_owned(), MACHINE.to_owned());
        StatusChange { state_machine_arn, name, status, error: None, cause: None }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn an_execution_that_ended_badly_is_a_run_by_its_name() {
        for (name, status, expected) in [
            ("sales-7", Status::Failed, Ok(("sales", "RunFailed"))),
            ("sales-7", Status::TimedOut, Ok(("sales", "RunTimedOut"))),
            ("sales-eu-12", Status::Aborted, Ok(("sales-eu", "RunAborted"))),
            ("sales-7", Status::Other, Err("RunGoesOn")),
            ("sales", Status::Failed, Err("NoRun")),
            ("sales-07", Status::Failed, Err("NoRun")),
            ("sales-+7", Status::Failed, Err("NoRun")),
            ("-7", Status::Failed, Err("NoRun")),
            ("sales-99999999999999999999", Status::Failed, Err("NoRun")),
            ("", Status::Failed, Err("NoRun")),
        ] {
            match (of_execution(&change(name, status), MACHINE), expected) {
                (Observed::RunEnded(ended), Ok((instance, trouble))) => {
                    assert_eq!((ended.instance.as_str(), &*ended.trouble.name), (instance, trouble));
                    assert_eq!(ended.run, name);
                }
                (Observed::Ignored(reason), Err(expected)) => assert_eq!(reason.name, expected, "{name}"),
                (other, expected) => panic!("{name}: {other:?}, expected {expected:?}"),
            }
        }
        let other = of_execution(&change("sales-7", Status::Failed), "another machine");
        assert!(matches!(other, Observed::Ignored(reason) if reason.name == "OtherMachine"));
    }

    #[test]
    fn what_ended_a_run_is_told_with_its_class_where_the_event_has_it() {
        let mut change = change("sales-7", Status::Failed);
        (change.error, change.cause) = (Some("Never".to_owned()), Some("x".repeat(5_000)));
        let Observed::RunEnded(ended) = of_execution(&change, MACHINE) else { panic!("a run") };
        assert_eq!(ended.trouble.class, Class::Never);
        assert!(ended.trouble.message.ends_with("xxx") && ended.trouble.message.len() < 1_100);
    }

    #[test]
    fn only_the_run_that_ended_loses_its_lease() {
        let lease = |holder: Option<&str>| Lease {
            group: "sales".to_owned(),
            generation: 7,
            holder: holder.map(str::to_owned),
            expires_at: at(15),
            offered: 8,
        };
        let free = freed(lease(Some("sales-7")), "sales-7", at(3)).unwrap();
        assert_eq!(
            (free.holder.as_ref(), free.is_alive(at(3)), free.generation, free.offered),
            (None, false, 7, 8)
        );
        for holder in [Some("sales-8"), Some("sales-70"), None] {
            assert_eq!(freed(lease(holder), "sales-7", at(3)), None, "{holder:?}");
        }
    }

    #[test]
    fn an_old_event_is_no_news_and_each_mark_is_its_own() {
        let instance = || "sales".to_owned();
        let stale = |minutes, ended| Observed::BaseStale { instance: instance(), at: at(minutes), ended };
        let failed_over = |minutes| Observed::FailedOver { instance: instance(), at: at(minutes) };
        let mut marks = Marks::none("sales");
        for (observed, news) in [
            (stale(5, false), true),
            (stale(5, false), false),
            (stale(4, true), false),
            (failed_over(3), true),
            (stale(9, true), true),
            (Observed::Changed { instance: instance(), at: at(1) }, true),
            (failed_over(2), false),
            (ignored("Nothing", String::new()), false),
        ] {
            assert_eq!(marks.fold(&observed), news, "{observed:?}");
        }
        let Marks { backed_up_at, failed_over_at, changed_at, .. } = marks;
        assert_eq!([backed_up_at, failed_over_at, changed_at], [9, 3, 1].map(|minutes| Some(at(minutes))));
    }

    #[test]
    fn what_was_seen_before_a_backup_or_within_a_minute_of_it_is_seen_again() {
        let mut marks = Marks::none("sales");
        assert!(!marks.outdate(at(0)), "nothing was told");
        marks.fold(&Observed::BaseStale { instance: "sales".to_owned(), at: at(10), ended: false });
        let seconds = |seconds| at(10) + SignedDuration::from_secs(seconds);
        for (seen, outdated) in [(-600, true), (0, true), (59, true), (60, false), (3_600, false)] {
            assert_eq!(marks.outdate(seconds(seen)), outdated, "{seen} s");
        }
        marks.backed_up_at = None;
        marks.fold(&Observed::FailedOver { instance: "sales".to_owned(), at: at(10) });
        assert!(!marks.outdate(at(9)), "a failover takes no base");
    }
}
