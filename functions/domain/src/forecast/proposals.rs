//! What would do better? Every proposal is tried by the arithmetic that found fault.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Reckoned;
use super::calendar::Calendar;
use super::fleet::Server;
use super::objections::clock;
use crate::limits::Profile;
use crate::policy::{LOG_COPY_MINUTES_MAX, Policy, RANGES, Times};
use crate::reason::{Class, Reason};

/// A change, and what it brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proposal {
    /// The field to change.
    pub field: &'static str,
    /// Its new value, as it is written in TOML, or a number of instances.
    pub value: String,
    /// Name and sentence.
    #[serde(flatten)]
    pub reason: Reason,
}

fn proposal(field: &'static str, value: String, name: &'static str, message: String) -> Proposal {
    Proposal { field, value, reason: Reason::new(Class::Human, name, message) }
}

/// The most minutes that a field of a policy may promise.
fn most_minutes(field: &str) -> u64 {
    RANGES.iter().find(|range| range.field == field).map_or(u64::MAX, |range| u64::from(range.max))
}

/// Intervals of log copies that are tried, in minutes, the longest first.
const INTERVALS: [u32; 15] =
    [LOG_COPY_MINUTES_MAX, 2_880, 1_440, 720, 480, 360, 240, 180, 120, 60, 30, 20, 15, 10, 5];

/// Most instances over which it is tried to spread the databases of one.
const SPREAD_MAX: u32 = 16;

const EVERY_DAY: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What would do better; empty where nothing is amiss.
pub(super) fn all(
    policy: &Policy,
    profile: Profile,
    server: &Server,
    (reckoned, calendar): (&Reckoned, &Calendar),
) -> Vec<Proposal> {
    if profile.is_rds() && server.retention_days == 0 {
        let message = "automated backups for one day at least make log files".to_owned();
        return vec![proposal("instance.retention_days", "1".to_owned(), "AutomatedBackups", message)];
    }
    let mut proposals = Vec::new();
    proposals.extend(daily_fulls(policy, profile, server, reckoned));
    if !keeps_up(policy, reckoned) {
        proposals.extend(another_interval(policy, profile, server, calendar));
    }
    proposals
}

/// Whether slots and losses are as promised.
fn keeps_up(policy: &Policy, reckoned: &Reckoned) -> bool {
    fits(reckoned) && reckoned.losses.instance_minutes <= u64::from(policy.objectives.rpo_minutes.instance)
}

/// Whether the slots carry what they must.
fn fits(reckoned: &Reckoned) -> bool {
    let slots = reckoned.work.slots();
    slots.data_minutes.saturating_add(slots.copy_minutes) <= slots.available_minutes
        && slots.data_minutes <= slots.data_available_minutes
        && slots.longest_open_minutes.is_none_or(|open| slots.longest_full_minutes <= open)
}

/// The clock at which the backup window ends, UTC; without one, the schedule's own.
fn after_window(policy: &Policy, profile: Profile, server: &Server) -> (Time, String) {
    let window = server.backup_window.filter(|_| profile.is_rds() && server.retention_days > 0);
    match window.and_then(|window| window.current_or_next(Timestamp::UNIX_EPOCH)) {
        Some(span) => (span.to.to_zoned(TimeZone::UTC).time(), "Etc/UTC".to_owned()),
        None => (policy.schedule.full.at, policy.schedule.time_zone.clone()),
    }
}

/// Fulls every day, right after the backup window: a snapshot of the service costs no differential base then, and no restore has
/// more than a day of log files. Proposed where they shorten the longest restore and that matters: a promise is missed, or none
/// is made.
fn daily_fulls(policy: &Policy, profile: Profile, server: &Server, reckoned: &Reckoned) -> Vec<Proposal> {
    let Some(now) = &reckoned.restore else { return Vec::new() };
    let promised = now.promised_minutes.map(u64::from);
    if promised.is_some_and(|promised| now.most_minutes <= promised) {
        return Vec::new();
    }
    let mut proposals = Vec::new();
    let mut best = now.most_minutes;
    let (at, time_zone) = after_window(policy, profile, server);
    let mut daily = policy.clone();
    daily.schedule.full = Times::weekly(&EVERY_DAY, at);
    daily.schedule.differential = None;
    daily.schedule.time_zone.clone_from(&time_zone);
    let tried = Reckoned::of(&daily, profile, server, &Calendar::of(&daily, profile, server));
    if let Some(then) = tried.restore.as_ref().filter(|then| fits(&tried) && then.most_minutes < best) {
        best = then.most_minutes;
        let value = format!(
            "full = {{ days = {EVERY_DAY:?}, at = \"{}\" }}, time_zone = \"{time_zone}\", no differential",
            at.strftime("%H:%M")
        );
        let message = format!(
            "fulls every day right after the backup window: a restore has at most {} steps and takes {} instead of {} steps and {}",
            then.step_count,
            clock(then.most_minutes),
            now.step_count,
            clock(now.most_minutes)
        );
        proposals.push(proposal("schedule", value, "DailyFulls", message));
    }
    if promised.is_some_and(|promised| best > promised) {
        let field = "objectives.rto_minutes";
        if best > most_minutes(field) {
            let message = format!("{} is more than a policy may promise: promise no RTO", clock(best));
            proposals.push(proposal(field, "absent".to_owned(), "PromiseNoTime", message));
            return proposals;
        }
        let message = format!(
            "log files are restored one by one: {} is what can be promised; a snapshot of the instance restores faster",
            clock(best)
        );
        proposals.push(proposal(field, best.to_string(), "PromiseMoreTime", message));
    }
    proposals
}

/// The longest interval at which slots and losses hold. Where there is none: as many instances as it takes, and the promise that
/// the best interval keeps.
fn another_interval(
    policy: &Policy,
    profile: Profile,
    server: &Server,
    calendar: &Calendar,
) -> Vec<Proposal> {
    let every = "schedule.log_copy.every_minutes";
    let mut changed = policy.clone();
    let mut best: Option<(u64, u32)> = None;
    for minutes in INTERVALS {
        changed.schedule.log_copy.every_minutes = minutes;
        let tried = Reckoned::of(&changed, profile, server, calendar);
        let bound = tried.losses.instance_minutes;
        if keeps_up(policy, &tried) {
            let message = format!(
                "log copies every {minutes} minutes: the loss of the instance costs {bound} minutes at worst"
            );
            return vec![proposal(every, minutes.to_string(), "AnotherInterval", message)];
        }
        if fits(&tried) && best.is_none_or(|(least, _)| bound < least) {
            best = Some((bound, minutes));
        }
    }
    let kept = spread(policy, profile, server, calendar, |tried| keeps_up(policy, tried));
    // Slots that carry nothing as it is are the worse trouble.
    let carried = || if best.is_none() { spread(policy, profile, server, calendar, fits) } else { None };
    let mut proposals: Vec<Proposal> = kept.or_else(carried).into_iter().collect();
    let field = "objectives.rpo_minutes.instance";
    if let Some((bound, minutes)) = best.filter(|(bound, _)| *bound <= most_minutes(field)) {
        let message =
            format!("with log copies every {minutes} minutes {bound} minutes are what can be promised");
        let value = format!("{bound}, {every} = {minutes}");
        proposals.push(proposal(field, value, "PromiseLess", message));
    }
    proposals
}

/// The least number of instances that does with the databases of one spread evenly.
fn spread(
    policy: &Policy,
    profile: Profile,
    server: &Server,
    calendar: &Calendar,
    does: impl Fn(&Reckoned) -> bool,
) -> Option<Proposal> {
    (2..=SPREAD_MAX).find_map(|instances| {
        let mut part = server.clone();
        for group in &mut part.databases {
            group.count = group.count.div_ceil(instances);
        }
        let tried = Reckoned::of(policy, profile, &part, calendar);
        if part.count() >= server.count() || !does(&tried) {
            return None;
        }
        let message = format!(
            "{} databases on each of {instances} instances: the loss of one costs {} minutes at worst",
            part.count(),
            tried.losses.instance_minutes
        );
        Some(proposal("instance", instances.to_string(), "MoreInstances", message))
    })
}
