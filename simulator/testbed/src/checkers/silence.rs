//! Nothing is passed over in silence: every database, in every interval of the logs and for every full and differential of the
//! calendar, has a task that ended, done or skipped with its reason or failed with its reason.
//!
//! Intervals and days are counted here by plain arithmetic, apart from the schedule they judge.

use std::collections::BTreeSet;

use domain::policy::{MonthDay, Times, Week};
use domain::task::{Kind, Outcome, State, Task};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Checked;
use super::discovery::is_selected;
use crate::scenario::Scenario;
use crate::scenario::lives::Life;
use crate::simulation::{DISCOVERY_EVERY, View};

pub(super) fn check(scenario: &Scenario, view: &View) -> Checked {
    let mut checked = Checked::new("silence");
    let interval = i64::from(scenario.policy.schedule.log_copy.every_minutes) * 60;
    let heard = heard(view, interval, &mut checked);
    let first = scenario.start.as_second().div_euclid(interval);
    // The last interval has as long as the one before it took: its tasks may still run when the story ends.
    let end = scenario.end().min(view.now);
    let last = end.as_second().div_euclid(interval) - 1;
    let schedule = &scenario.policy.schedule;
    let outages = scenario.outages();
    let out = |moment: i64| {
        let at = Timestamp::from_second(moment * interval);
        at.is_ok_and(|at| outage(&outages, at).is_some())
    };
    let fulls = askable(&moments(scenario, &schedule.full, end), &outages, end);
    let mut differentials =
        schedule.differential.as_ref().map(|times| moments(scenario, times, end)).unwrap_or_default();
    differentials.retain(|moment| outage(&outages, *moment).is_none());
    for life in scenario.lives().into_iter().filter(|life| is_enrolled(scenario, &life.instance)) {
        let Life { instance, name, .. } = &life;
        let patterns =
            scenario.policy.exclude.iter().chain(scenario.discovery.iter().flat_map(|of| &of.exclude));
        if patterns.into_iter().any(|pattern| fits(pattern.as_bytes(), name.as_bytes())) {
            let busy = ours(view, instance, name).next().is_some();
            checked.look(busy.then(|| format!("{name} on {instance} is excluded and has tasks")));
            continue;
        }
        let known = Known::of(scenario, &life);
        let is_known = |moment: i64| {
            let (from, to) = (moment * interval, (moment + 1) * interval);
            known.from.as_second() <= from && known.until.is_none_or(|until| to <= until.as_second())
        };
        for moment in (first..last).filter(|moment| !out(*moment) && is_known(*moment)) {
            let silent = !heard.contains(&(instance.as_str(), name.as_str(), moment));
            checked.look(silent.then(|| {
                let at = Timestamp::from_second(moment * interval).unwrap_or(scenario.start);
                format!("nothing is known of {name} on {instance} for the interval from {at}")
            }));
        }
        for &moment in fulls.iter().filter(|moment| known.has(**moment)) {
            let heard = ours(view, instance, name)
                .any(|task| task.kind == Kind::Full && (task.due_at == moment || took_over(task, moment)));
            checked.look(
                (!heard).then(|| format!("nothing is known of the full of {name} on {instance} at {moment}")),
            );
        }
        for &moment in differentials.iter().filter(|moment| known.has(**moment)) {
            let heard = ours(view, instance, name).any(|task| answers(task, moment, interval));
            checked.look((!heard).then(|| {
                format!("nothing is known of the differential of {name} on {instance} at {moment}")
            }));
        }
    }
    checked
}

/// Whether an instance is served: by hand, or because discovery is to select it.
fn is_enrolled(scenario: &Scenario, instance: &str) -> bool {
    scenario.discovery.is_none() || is_selected(scenario, instance)
}

/// The intervals of which each database has a task that ended; how each ended is looked at.
fn heard<'v>(view: &'v View, interval: i64, checked: &mut Checked) -> BTreeSet<(&'v str, &'v str, i64)> {
    let mut heard: BTreeSet<(&'v str, &'v str, i64)> = BTreeSet::new();
    for task in &view.done {
        let State::Done { outcome, .. } = &task.state else { continue };
        // The first full stands for the first interval: no log is copied before it.
        let counts = task.kind == Kind::LogCopy || task.due_at.as_second().rem_euclid(interval) == 0;
        if counts {
            let of_interval = |at: Timestamp| at.as_second().div_euclid(interval);
            // A log copy that waited answers every moment that came while it did.
            let newest = task.answers_to.filter(|_| task.kind == Kind::LogCopy).unwrap_or(task.due_at);
            let moments = of_interval(task.due_at)..=of_interval(newest);
            heard.extend(moments.map(|moment| (task.instance.as_str(), task.database.as_str(), moment)));
        }
        if let Outcome::Failed(reason) | Outcome::Skipped(reason) = outcome {
            let mute = reason.name.is_empty() || reason.message.is_empty();
            checked.look(mute.then(|| format!("task {} ended without saying why", task.key)));
        }
        if *outcome == Outcome::Cancelled {
            // By us, whose name stands there, or by whoever asked the service, where it had the task.
            let ours = task.cancel.as_ref().is_some_and(|asked| !asked.by.is_empty());
            let sent = matches!(&task.state, State::Done { task_id: Some(_), .. });
            checked.look((!ours && !sent).then(|| format!("task {} was cancelled by nobody", task.key)));
        }
    }
    heard
}

/// When somebody had to know of a database under its name.
struct Known {
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Known {
    fn of(scenario: &Scenario, life: &Life) -> Self {
        let from = found_by(scenario, life);
        Self { from, until: life.until }
    }

    /// Whether a backup that is due at a moment could end while it was there.
    fn has(&self, moment: Timestamp) -> bool {
        self.from <= moment && self.until.is_none_or(|until| until.duration_since(moment) > BACKUP_TAKES)
    }
}

/// By when a database is found: at once where it was enrolled by hand, else by the next discovery and an hour for its look, the fleet's
/// and the first full.
pub(super) fn found_by(scenario: &Scenario, life: &Life) -> Timestamp {
    if scenario.discovery.is_none() && life.from == scenario.start {
        return life.from;
    }
    let every = if life.from == scenario.start { SignedDuration::ZERO } else { DISCOVERY_EVERY };
    let found = life.from.saturating_add(every + SignedDuration::from_hours(1));
    found.unwrap_or(Timestamp::MAX)
}

/// The outage that a moment lies in: nobody ran bakproof then.
fn outage(outages: &[(Timestamp, Timestamp)], moment: Timestamp) -> Option<(Timestamp, Timestamp)> {
    outages.iter().copied().find(|(from, to)| (*from..*to).contains(&moment))
}

/// Fulls that somebody could ask for: of those that came due in an outage the newest, when it was over.
fn askable(fulls: &[Timestamp], outages: &[(Timestamp, Timestamp)], end: Timestamp) -> Vec<Timestamp> {
    let is_askable = |moment: &&Timestamp| match outage(outages, **moment) {
        None => true,
        Some((_, to)) => to < end && !fulls.iter().any(|other| *other > **moment && *other < to),
    };
    fulls.iter().filter(is_askable).copied().collect()
}

/// Whether a name fits a pattern of an exclusion, tried letter by letter.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*', after @ ..], _) => fits(after, name) || (!name.is_empty() && fits(pattern, &name[1..])),
        ([], _) => name.is_empty(),
        ([one, after @ ..], [other, rest @ ..]) => one.eq_ignore_ascii_case(other) && fits(after, rest),
        ([_, ..], []) => false,
    }
}

fn ours<'a>(view: &'a View, instance: &'a str, database: &'a str) -> impl Iterator<Item = &'a Task> {
    view.done.iter().filter(move |task| task.instance == instance && task.database == database)
}

/// Whether a task answers for a differential: its own, or a full that was open when the differential was due, or came to be
/// asked for in the same interval of the logs.
fn answers(task: &Task, moment: Timestamp, interval: i64) -> bool {
    let State::Done { at, .. } = &task.state else { return false };
    let of_interval = |at: Timestamp| at.as_second().div_euclid(interval);
    match task.kind {
        Kind::Differential => task.due_at == moment,
        Kind::Full => {
            (task.planned_at <= moment && *at >= moment) || of_interval(task.due_at) == of_interval(moment)
        }
        Kind::LogCopy => false,
    }
}

/// Whether a full on demand stands for one of the calendar: it succeeded, was open or came just when that was due, and began no earlier.
fn took_over(task: &Task, moment: Timestamp) -> bool {
    let State::Done { outcome: Outcome::Succeeded, at, .. } = &task.state else { return false };
    task.on_demand.is_some() && *at >= moment && at.duration_since(moment) <= BACKUP_TAKES
}

/// How long before the end a backup must have been due to have ended: a held one waits for windows, a large one runs.
pub(super) const BACKUP_TAKES: SignedDuration = SignedDuration::from_hours(10);

/// The moments of a calendar that fall into the story as far as it was told, found by walking it minute by minute.
fn moments(scenario: &Scenario, times: &Times, end: Timestamp) -> Vec<Timestamp> {
    let Ok(zone) = TimeZone::get(&scenario.policy.schedule.time_zone) else { return Vec::new() };
    let minutes = i64::from(scenario.days) * 24 * 60;
    let walk =
        (1..minutes).filter_map(|minute| scenario.start.checked_add(SignedDuration::from_mins(minute)).ok());
    let due = |at: &Timestamp| {
        let local = at.to_zoned(zone.clone());
        let day = local.strftime("%a").to_string().to_lowercase();
        let of_week = || times.days.iter().any(|named| named.to_lowercase() == day);
        let of_month = || times.month_days.iter().any(|named| is_day(*named, local.date()));
        local.time() == times.at && (of_week() || of_month())
    };
    walk.filter(due).filter(|at| end.duration_since(*at) > BACKUP_TAKES).collect()
}

/// Whether a date is a named day of its month, found by counting days of that name from the month's edge.
fn is_day(named: MonthDay, date: Date) -> bool {
    let last = date.last_of_month().day();
    match named {
        MonthDay::Number(day) => date.day() == day,
        MonthDay::Last => date.day() == last,
        MonthDay::Of(week, weekday) => {
            let days = (1..=last)
                .filter(|day| date.with().day(*day).build().is_ok_and(|other| other.weekday() == weekday));
            let days: Vec<i8> = days.collect();
            let day = match week {
                Week::First => days.first(),
                Week::Second => days.get(1),
                Week::Third => days.get(2),
                Week::Fourth => days.get(3),
                Week::Last => days.last(),
            };
            day == Some(&date.day())
        }
    }
}
