//! No task of ours was killed by a window that was known beforehand, unless no start could have avoided it and that was said
//! beforehand.
//!
//! Read from the server's own record of what the automated backup and maintenance killed, and from the windows as the scenario
//! sets them. The week is walked minute by minute; nothing here knows how starts are chosen.

use domain::reason::Reason;
use domain::task::{State, Task};
use jiff::{SignedDuration, Timestamp};
use world::{TaskFact, World};

use super::Checked;
use crate::scenario::{InstanceSpec, Scenario};
use crate::simulation::View;

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes that a task may wait before it runs. RDS user guide, read 2026-11. Owned here a second time on purpose.
const CREATED_MINUTES: i64 = 5;

/// The name of the note that says beforehand that a window will be met.
const SAID: &str = "WindowUnavoidable";

/// The windows of an instance, minute by minute from Monday: for each open minute, how many minutes ago its window opened.
struct Week(Vec<Option<i64>>);

impl Week {
    fn of(instance: &InstanceSpec) -> Option<Self> {
        let mut open = vec![None; usize::try_from(WEEK).ok()?];
        let daily = instance.backup_window.to_string();
        let (from, to) = daily.split_once('-')?;
        for day in 0..7 {
            mark(&mut open, day * DAY + clock(from)?, (clock(to)? - clock(from)?).rem_euclid(DAY));
        }
        let weekly = instance.maintenance_window.to_string();
        let (from, to) = weekly.split_once('-')?;
        mark(&mut open, of_week(from)?, (of_week(to)? - of_week(from)?).rem_euclid(WEEK));
        Some(Self(open))
    }

    /// When the window that is open at a moment opened.
    fn opened(&self, at: Timestamp) -> Option<Timestamp> {
        // 1970-01-01 was a Thursday.
        let minute = at.as_second().div_euclid(60);
        let place = usize::try_from((minute + 3 * DAY).rem_euclid(WEEK)).ok()?;
        let since = (*self.0.get(place)?)?;
        Timestamp::from_second((minute - since) * 60).ok()
    }

    /// The longest time without a window.
    fn longest_free(&self) -> SignedDuration {
        let (mut free, mut longest) = (0, 0);
        for open in self.0.iter().chain(&self.0) {
            free = if open.is_some() { 0 } else { free + 1 };
            longest = longest.max(free);
        }
        SignedDuration::from_mins(longest.min(WEEK))
    }
}

fn mark(open: &mut [Option<i64>], from: i64, length: i64) {
    for since in 0..length {
        if let Some(minute) =
            usize::try_from((from + since).rem_euclid(WEEK)).ok().and_then(|at| open.get_mut(at))
        {
            // Where two windows overlap, the one that opened first kills first.
            *minute = (*minute).max(Some(since));
        }
    }
}

/// Minutes of `hh:mm`.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
}

/// Minutes of `ddd:hh:mm` from Monday.
fn of_week(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(':')?;
    let day = DAYS.iter().position(|name| name.eq_ignore_ascii_case(day))?;
    Some(i64::try_from(day).ok()? * DAY + clock(time)?)
}

pub(super) fn check(scenario: &Scenario, world: &World, view: &View) -> Checked {
    let mut checked = Checked::new("windows");
    for instance in &scenario.instances {
        let Some(week) = Week::of(instance) else {
            checked.look(Some(format!("the windows of {} cannot be read", instance.name)));
            continue;
        };
        let ours = || view.done.iter().chain(&view.open).filter(|task| task.instance == instance.name);
        for fact in world.tasks(&instance.name).filter(|fact| fact.kind.is_backup()) {
            let id = i64::from(fact.id);
            // What somebody else asked for is no start of ours.
            let Some(task) = ours().find(|task| asked_for(task, id)) else { continue };
            checked.look(
                wrong(&week, &fact, &task.notes)
                    .map(|what| format!("task {id} on {} ({}) {what}", instance.name, fact.database)),
            );
        }
    }
    checked
}

fn asked_for(task: &Task, id: i64) -> bool {
    let current = match &task.state {
        State::Submitted { task_id, .. } => Some(*task_id),
        State::Done { task_id, .. } => *task_id,
        State::Planned | State::Admitted { .. } | State::Intended { .. } => None,
    };
    current == Some(id) || task.earlier_ids.contains(&id)
}

/// What is wrong with a native backup, given what was noted of its task.
fn wrong(week: &Week, fact: &TaskFact, notes: &[Reason]) -> Option<String> {
    let killed = fact.killed_at?;
    // Outside of every window nobody could know.
    let opened = week.opened(killed)?;
    // A note is about one window: it names the moment it opens.
    let said = notes.iter().any(|note| note.name == SAID && note.message.contains(&opened.to_string()));
    if !said {
        return Some(format!(
            "was killed at {killed} in the window of {opened}, which nobody had said beforehand"
        ));
    }
    let needed = fact.length? + SignedDuration::from_mins(CREATED_MINUTES);
    let free = week.longest_free();
    (needed <= free).then(|| {
        format!(
            "was killed at {killed} in the window of {opened}, said to be unavoidable, but it takes {} of {} free minutes",
            needed.as_mins(),
            free.as_mins()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::reason::Class;
    use world::{Lifecycle, TaskType};

    use super::*;

    /// Backups daily from 03:00 to 03:30, maintenance on Sunday from 23:50 to 00:20.
    fn week() -> Week {
        let mut scenario = Scenario::quickstart().unwrap();
        scenario.instances.truncate(1);
        scenario.instances[0].backup_window = "03:00-03:30".parse().unwrap();
        scenario.instances[0].maintenance_window = "sun:23:50-mon:00:20".parse().unwrap();
        Week::of(&scenario.instances[0]).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn windows_wrap_and_the_longest_time_between_them_is_found() {
        let week = week();
        for (moment, opened) in [
            ("16T03:00", Some("16T03:00")),
            ("18T03:29", Some("18T03:00")),
            ("18T03:30", None),
            ("18T02:59", None),
            // 2026-11-22 is a Sunday.
            ("22T23:50", Some("22T23:50")),
            ("23T00:19", Some("22T23:50")),
            ("23T00:20", None),
            ("21T23:55", None),
        ] {
            assert_eq!(week.opened(at(moment)), opened.map(at), "{moment}");
        }
        assert_eq!(week.longest_free().as_mins(), 24 * 60 - 30);
    }

    #[test]
    fn it_objects_to_a_kill_that_could_be_known_and_was_not_said_or_could_be_avoided() {
        let note =
            |opened: &str| Reason::new(Class::Human, SAID, format!("will meet the window at {}", at(opened)));
        let other = Reason::new(Class::Wait, "WindowAhead", format!("until {}", at("16T03:00")));
        for (killed, minutes, notes, objects) in [
            (None, 60, vec![], false),
            (Some("16T03:10"), 60, vec![], true),
            (Some("16T03:10"), 60, vec![other], true),
            // Said of another day.
            (Some("16T03:10"), 24 * 60, vec![note("17T03:00")], true),
            (Some("16T03:10"), 24 * 60, vec![note("16T03:00")], false),
            (Some("16T03:10"), 24 * 60, vec![note("17T03:00"), note("16T03:00")], false),
            // It could have run between two windows: 23 hours and 30 minutes, five of them in CREATED.
            (Some("16T03:10"), 23 * 60 + 26, vec![note("16T03:00")], false),
            (Some("16T03:10"), 23 * 60 + 25, vec![note("16T03:00")], true),
            // A snapshot outside of all windows: nobody could know.
            (Some("16T12:00"), 60, vec![], false),
        ] {
            let fact = TaskFact {
                id: 1,
                kind: TaskType::BackupDifferential,
                database: Arc::from("orders"),
                s3_arn: Arc::from(""),
                lifecycle: Lifecycle::Error,
                created_at: at("16T02:00"),
                started_at: Some(at("16T02:01")),
                ended_at: killed.map(at),
                killed_at: killed.map(at),
                length: Some(SignedDuration::from_mins(minutes)),
            };
            assert_eq!(wrong(&week(), &fact, &notes).is_some(), objects, "{killed:?} {minutes} {notes:?}");
        }
    }
}
