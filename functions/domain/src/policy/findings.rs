//! What in a policy is in range and still cannot work, or works otherwise than it reads? Said before the first night.
//!
//! A finding is refused, or a promise that cannot be kept, or advice. Findings depend on the policy, on the
//! limits that hold for its vault ([`Profile`]) and, where known, on the instance.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Guard, Policy, Retention, azure};
use crate::calendar::{DailyWindow, weekday};
use crate::facts::InstanceFacts;
use crate::limits::{Name, Profile, chain_restore};
use crate::reason::{Class, Reason};
use crate::restore_time::LOG_FILE_SPAN;
use crate::schedule;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The policy cannot be carried out.
    Refused,
    /// It can, and a promise of it cannot be kept. Backups that keep less than was promised are better than none.
    Unkept,
    /// It can, and will disappoint.
    Advice,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// The field that is to be changed.
    pub field: &'static str,
    /// Name, sentence, guidance.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Findings as they are made.
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn refuse(&mut self, field: &'static str, name: &'static str, message: String) {
        self.add(Weight::Refused, field, Reason::new(Class::Human, name, message));
    }

    fn advise(&mut self, field: &'static str, name: &'static str, message: String, guidance: &'static str) {
        self.add(Weight::Advice, field, Reason::new(Class::Human, name, message).guidance(guidance));
    }

    fn add(&mut self, weight: Weight, field: &'static str, reason: Reason) {
        self.0.push(Finding { weight, field, reason });
    }
}

impl Policy {
    /// Why the policy cannot be carried out; empty when it can. A policy out of range has that as its only finding. Cheap: every
    /// run asks.
    pub fn refusals(&self, profile: Profile, facts: Option<&InstanceFacts>) -> Vec<Finding> {
        let mut found = Findings(Vec::new());
        if let Err(reason) = self.validate() {
            found.add(Weight::Refused, "", reason);
            return found.0;
        }
        self.find_storage(profile, facts, &mut found);
        if !self.schedule.guards.is_empty() && self.is_all_guarded() {
            let message =
                "the guards leave no minute of the week in which a backup of data may start".to_owned();
            found.refuse("schedule.guards", "NothingMayStart", message);
        }
        if profile == Profile::AzureVm {
            azure::find(self, &mut found);
        }
        found.0
    }

    /// Why the policy cannot be carried out by anybody: what the limits of every profile refuse. No vault and no instance has to be known.
    pub fn refused_everywhere(&self) -> Option<Finding> {
        let mut first = None;
        for profile in Profile::ALL {
            let found = self.refusals(profile, None).into_iter().next()?;
            first.get_or_insert(found);
        }
        first
    }

    /// Everything that was found, refusals first. A policy out of range has that as its only finding. Walks a year of the
    /// schedule.
    pub fn findings(&self, profile: Profile, facts: Option<&InstanceFacts>) -> Vec<Finding> {
        let mut found = Findings(self.refusals(profile, facts));
        if self.validate().is_err() {
            return found.0;
        }
        self.find_rpo(profile, &mut found);
        if !self.is_all_guarded() {
            self.find_guards(&mut found);
        }
        self.find_generations(&mut found);
        if let Some(facts) = facts.filter(|_| profile.is_rds()) {
            self.find_differentials(facts, &mut found);
            self.find_windows(facts, &mut found);
            if let Err(reason) = chain_restore(profile, facts.multi_az, None) {
                found.add(Weight::Advice, "objectives.window_days", reason);
            }
        }
        found.0.sort_by_key(|finding| finding.weight);
        found.0
    }

    /// What no schedule of copies can reach.
    fn find_rpo(&self, profile: Profile, found: &mut Findings) {
        let every = self.schedule.log_copy.every_minutes;
        let rpo = self.objectives.rpo_minutes;
        // The newest file that a copy finds may be as old as the service makes them.
        let made = if profile.is_rds() { u32::try_from(LOG_FILE_SPAN.as_mins()).unwrap_or(0) } else { 0 };
        let least = every.saturating_add(made);
        if least > rpo.instance {
            let message = format!(
                "logs every {every} minutes{} lose up to {least} with the instance, {} are promised",
                if made > 0 { format!(" whose newest is up to {made} old") } else { String::new() },
                rpo.instance
            );
            found.add(Weight::Unkept, "objectives.rpo_minutes.instance", unreachable(message));
        }
        if !profile.is_rds() && every > rpo.damage {
            let message = format!(
                "logs every {every} minutes lose up to {every} by damage, {} are promised",
                rpo.damage
            );
            found.add(Weight::Unkept, "objectives.rpo_minutes.damage", unreachable(message));
        }
    }

    fn find_storage(&self, profile: Profile, facts: Option<&InstanceFacts>, found: &mut Findings) {
        let storage = &self.storage;
        let files = storage.stripes.zip(profile.value(Name::FilesPerBackup));
        if let Some((files, limit)) = files.filter(|(files, limit)| u64::from(*files) > *limit) {
            let message = format!("{files} files, a backup has {limit} at most");
            found.refuse("storage.stripes", "TooManyFiles", message);
        }
        let (least, most) = (profile.value(Name::TransferBytesMin), profile.value(Name::TransferBytes));
        if let (Some(bytes), Some(least), Some(most)) = (storage.max_transfer_bytes, least, most)
            && !(least..=most).contains(&u64::from(bytes))
        {
            let message = format!("{bytes} bytes are not in {least} to {most}");
            found.refuse("storage.max_transfer_bytes", "TransferOutOfRange", message);
        }
        if profile == Profile::Url
            && storage.max_transfer_bytes.is_some()
            && storage.compression != Some(true)
        {
            let message = "MAXTRANSFERSIZE can be changed with COMPRESSION only".to_owned();
            found.refuse("storage.compression", "TransferNeedsCompression", message);
        }
        let options = storage.max_transfer_bytes.or(storage.block_bytes).or(storage.buffer_count);
        if profile.is_rds() && profile.value(Name::TransferBytes).is_none() && options.is_some() {
            let message = "the procedures of that time take no transfer options".to_owned();
            found.refuse("storage.max_transfer_bytes", "OptionNotOffered", message);
        }
        let edition = facts.map(|facts| facts.engine.as_str()).filter(|_| storage.compression == Some(true));
        if let Some(edition) = edition.filter(|engine| engine.ends_with("-web") || engine.ends_with("-ex")) {
            let message = format!("BACKUP DATABASE WITH COMPRESSION is not supported on {edition}");
            found.refuse("storage.compression", "CompressionNotSupported", message);
        }
    }

    fn is_all_guarded(&self) -> bool {
        (0..WEEK_MINUTES).all(|minute| self.schedule.guards.iter().any(|guard| holds(guard, minute)))
    }

    fn find_guards(&self, found: &mut Findings) {
        let guards = &self.schedule.guards;
        let times = [
            ("schedule.full", Some(&self.schedule.full)),
            ("schedule.differential", self.schedule.differential.as_ref()),
        ];
        for (field, times) in times.into_iter().filter_map(|(field, times)| Some((field, times?))) {
            // A day of the month falls on any day of the week.
            let minute = minute_of(times.at);
            let guarded = |day: u32| guards.iter().any(|guard| holds(guard, day * DAY_MINUTES + minute));
            let asked = |day: &u32| {
                !times.month_days.is_empty()
                    || times
                        .days
                        .iter()
                        .any(|named| weekday(named).is_some_and(|named| number(named) == *day))
            };
            if (0..7).filter(asked).any(guarded) {
                let message = format!(
                    "{} lies in hours that a guard keeps free: it will wait until they end",
                    times.at
                );
                found.advise(field, "DueInsideGuard", message, "move the time, or the guard");
            }
        }
    }

    fn find_generations(&self, found: &mut Findings) {
        let Retention { daily, weekly, monthly, yearly, differential_days, .. } = self.retention;
        let window = self.objectives.window_days;
        let gap = self.schedule.full.longest_gap_days();
        for (field, days, unit, period) in [
            ("retention.daily.keep", daily.map(|daily| daily.keep), "daily", 1),
            ("retention.weekly.keep", weekly.map(|weekly| weekly.keep.saturating_mul(7)), "weekly", 7),
            ("retention.monthly.keep", monthly.map(|monthly| monthly.keep.saturating_mul(28)), "monthly", 31),
            ("retention.yearly.keep", yearly.map(|yearly| yearly.keep.saturating_mul(365)), "yearly", 366),
        ] {
            let Some(days) = days else { continue };
            if gap > period {
                let message =
                    format!("fulls are up to {gap} days apart: the {unit} generation keeps those there are");
                found.advise(
                    field,
                    "GenerationWithoutFulls",
                    message,
                    "take fulls as often as the generation asks for one",
                );
            }
            if days < window {
                let message = format!(
                    "{days} days are less than the window of {window}, for which fulls are kept anyhow"
                );
                found.advise(
                    field,
                    "GenerationWithinWindow",
                    message,
                    "keep the generation for longer, or leave it out",
                );
            }
        }
        let fulls = azure::fulls_days(self);
        if let Some(days) = differential_days.filter(|days| *days > fulls) {
            let message = format!(
                "a differential is kept for {days} days, its full for {fulls}: the full stays as long"
            );
            let guidance = "keep fulls for as long, or differentials for less";
            found.advise("retention.differential_days", "DifferentialOutlivesFulls", message, guidance);
        }
    }

    /// Every snapshot of the service takes the differential base away, and there is one in each backup window.
    fn find_differentials(&self, facts: &InstanceFacts, found: &mut Findings) {
        let Some(window) = facts.backup_window.filter(|_| facts.retention_days > 0) else { return };
        let Some((useless, all)) = self.useless_differentials(&window) else { return };
        if useless == 0 {
            return;
        }
        let message = format!(
            "{useless} of {all} differentials in eight weeks come after an automated backup ({window} UTC) that took their base from them"
        );
        let name = if useless == all { "DifferentialsUseless" } else { "DifferentialsPartlyUseless" };
        let guidance =
            "take the differential between the full and the next backup window, or fulls every day";
        found.advise("schedule.differential", name, message, guidance);
    }

    /// How many differentials of eight weeks have a whole backup window between their full and themselves, and of how many.
    fn useless_differentials(&self, window: &DailyWindow) -> Option<(u32, u32)> {
        let differential = self.schedule.differential.as_ref()?;
        let weeks = SignedDuration::from_hours(24 * 7 * 8);
        // Any eight weeks do, behind enough time for a first full.
        let from = Timestamp::constant(1_735_689_600, 0);
        let until = from.checked_add(weeks).ok()?;
        let (mut useless, mut all) = (0, 0);
        let mut at = from;
        loop {
            at = schedule::next(self, differential, at).ok()??;
            if at >= until {
                return (all > 0).then_some((useless, all));
            }
            let full = schedule::latest(self, &self.schedule.full, at).ok()??;
            // The window that is open when the full is due may have had its backup already.
            let open = window.current_or_next(full)?;
            let next = if open.from < full { window.current_or_next(open.to)? } else { open };
            all += 1;
            useless += u32::from(next.to <= at);
        }
    }

    /// Times that lie in a window of the service in any week: the schedule's zone may have summer time, the windows have none.
    fn find_windows(&self, facts: &InstanceFacts, found: &mut Findings) {
        let times = [
            ("schedule.full", Some(&self.schedule.full)),
            ("schedule.differential", self.schedule.differential.as_ref()),
        ];
        for (field, times) in times.into_iter().filter_map(|(field, times)| Some((field, times?))) {
            let mut at = Timestamp::constant(1_735_689_600, 0);
            // A year of moments meets every offset of the zone.
            let inside = std::iter::from_fn(|| {
                at = schedule::next(self, times, at).ok()??;
                Some(at)
            })
            .take(366)
            .find(|at| {
                let daily = facts.backup_window.filter(|_| facts.retention_days > 0);
                let daily = daily.and_then(|window| window.current_or_next(*at));
                let weekly = facts.maintenance_window.and_then(|window| window.current_or_next(*at));
                daily.into_iter().chain(weekly).any(|span| span.from <= *at)
            });
            if let Some(at) = inside {
                let message = format!(
                    "{} lies in a window of the service, as on {at}: it will wait until the window ends",
                    times.at
                );
                found.advise(field, "DueInsideWindow", message, "move the time behind the window");
            }
        }
    }
}

fn unreachable(message: String) -> Reason {
    Reason::new(Class::Human, "RpoUnreachable", message).guidance("copy logs more often, or promise less")
}

const DAY_MINUTES: u32 = 24 * 60;
const WEEK_MINUTES: u32 = 7 * DAY_MINUTES;

fn minute_of(time: Time) -> u32 {
    u32::from(time.hour().unsigned_abs()) * 60 + u32::from(time.minute().unsigned_abs())
}

fn number(day: jiff::civil::Weekday) -> u32 {
    u32::from(day.to_monday_zero_offset().unsigned_abs())
}

/// Whether a guard holds a minute of the week, counted from Monday.
pub(super) fn holds(guard: &Guard, minute: u32) -> bool {
    let (from, to) = (minute_of(guard.from), minute_of(guard.to));
    let length = if to > from { to - from } else { to + DAY_MINUTES - from };
    guard.days.iter().filter_map(|day| weekday(day)).any(|day| {
        let start = number(day) * DAY_MINUTES + from;
        (minute + WEEK_MINUTES - start) % WEEK_MINUTES < length
    })
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
