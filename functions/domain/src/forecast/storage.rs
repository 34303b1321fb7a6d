//! How much lies in the vault once every generation is full?
//!
//! Counted at the size that databases have when the promised window is full for the first time; what they grow by after that is
//! told by the month. A backup is counted once, under the first generation that keeps it.

use jiff::civil::Date;
use serde::Serialize;

use super::calendar::{Calendar, WEEKS};
use super::fleet::{Group, Server};
use super::load::Service;
use crate::policy::{Policy, Retention};

/// What keeps a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// Fulls that the promised window needs.
    Window,
    /// The first full of each day.
    Daily,
    /// Of each week.
    Weekly,
    /// Of each month.
    Monthly,
    /// Of each year.
    Yearly,
    /// Differentials.
    Differentials,
    /// Logs.
    Logs,
}

/// Backups of one generation, of all databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stored {
    /// Which.
    pub generation: Generation,
    /// Backups; log files where it is logs.
    pub backups: u64,
    /// Bytes of them in the vault.
    pub bytes: u64,
}

/// Bytes that a log file is given even when it holds no record. Policy of ours.
const LOG_FILE_BYTES_MIN: u64 = 16_384;

/// Days by which a sweep of what has expired may come late: one, because it is daily.
const SWEEP_DAYS: u32 = 1;

/// The last day of the year whose fullest day counts. Any year does; this one has a day more than most.
const LAST_DAY: Date = Date::constant(2024, 12, 31);

/// Days of that year.
const YEAR_DAYS: u32 = 366;

/// Days that are looked back at most: the longest generation, 99 years, and the year.
const BACK_MAX: u32 = 37_000;

/// Fulls of one database by what keeps them, in the order window, daily, weekly, monthly, yearly: on the day of a year on which most
/// are kept.
pub(super) type Kept = [u64; 5];

pub(super) fn fulls(policy: &Policy) -> Kept {
    let Retention { daily, weekly, monthly, yearly, .. } = policy.retention;
    let keep = [
        Some(policy.objectives.window_days),
        daily.map(|daily| daily.keep),
        weekly.map(|weekly| weekly.keep.saturating_mul(7)),
        monthly.map(|monthly| monthly.keep.saturating_mul(31)),
        yearly.map(|yearly| yearly.keep.saturating_mul(366)),
    ]
    .map(|days| days.map(|days| days.saturating_add(SWEEP_DAYS)));
    let tagged = tagged(policy, keep);
    (0..YEAR_DAYS)
        .map(|back| kept(&tagged, keep, back))
        .max_by_key(|kept| kept.iter().sum::<u64>())
        .unwrap_or_default()
}

/// A full: its age on the last day, and of which generations it is the first of a period.
type Tagged = (u32, [bool; 5]);

/// All fulls that any day of the year may keep, the oldest first.
fn tagged(policy: &Policy, keep: [Option<u32>; 5]) -> Vec<Tagged> {
    let Retention { weekly, monthly, yearly, .. } = policy.retention;
    let longest = keep.into_iter().flatten().max().unwrap_or(0);
    // A period more, so that the first one begins where it should, and an anchor for the window.
    let back = longest.saturating_add(2 * YEAR_DAYS).min(BACK_MAX);
    let recent = keep[0].unwrap_or(0).saturating_add(2 * YEAR_DAYS);
    let Ok(first) = LAST_DAY.checked_sub(jiff::Span::new().days(i64::from(back))) else { return Vec::new() };
    let mut due = [false; 5];
    let mut tagged = Vec::new();
    for (age, date) in (0..=back).rev().zip(first.series(jiff::Span::new().days(1))) {
        due[1] = keep[1].is_some();
        due[2] |= weekly.is_some_and(|weekly| date.weekday() == weekly.day);
        due[3] |= monthly.is_some_and(|monthly| monthly.day.falls_on(date));
        due[4] |= yearly.is_some_and(|yearly| date.month() == yearly.month && yearly.day.falls_on(date));
        if policy.schedule.full.ask_for(date) {
            if age <= recent || due.contains(&true) {
                tagged.push((age, due));
            }
            due = [false; 5];
        }
    }
    tagged
}

/// What is kept so many days before the last one.
fn kept(tagged: &[Tagged], keep: [Option<u32>; 5], back: u32) -> Kept {
    let ages = || tagged.iter().filter_map(|(age, tags)| Some((age.checked_sub(back)?, tags)));
    let window = keep[0].unwrap_or(0);
    // The oldest moment of the window needs the newest full before it.
    let anchor = ages().map(|(age, _)| age).filter(|age| *age > window).min();
    let mut counts = Kept::default();
    for (age, tags) in ages() {
        let in_window = age <= window || Some(age) == anchor;
        let generation = (1..5).find(|at| tags[*at] && keep[*at].is_some_and(|days| age <= days));
        if let Some(at) = if in_window { Some(0) } else { generation } {
            counts[at] += 1;
        }
    }
    counts
}

/// What an instance's databases have in the vault.
pub(super) fn of(
    policy: &Policy,
    server: &Server,
    service: Service,
    (kept, calendar): (Kept, &Calendar),
) -> Vec<Stored> {
    const FULLS: [Generation; 5] =
        [Generation::Window, Generation::Daily, Generation::Weekly, Generation::Monthly, Generation::Yearly];
    let window = policy.objectives.window_days;
    let each = |count: u64, bytes: &dyn Fn(&Group) -> u64| -> (u64, u64) {
        let groups = server.databases.iter();
        let bytes =
            groups.map(|group| u64::from(group.count).saturating_mul(count.saturating_mul(bytes(group))));
        (server.count().saturating_mul(count), bytes.fold(0, u64::saturating_add))
    };
    let stored = |generation, (backups, bytes)| Stored { generation, backups, bytes };
    let mut all: Vec<Stored> = FULLS
        .into_iter()
        .zip(kept)
        .map(|(generation, count)| {
            stored(generation, each(count, &|group| group.stored(group.bytes_in(window))))
        })
        .collect();
    let differentials: Vec<_> = calendar.backups.iter().filter_map(|backup| backup.after_full).collect();
    let days = policy.retention.differential_days.unwrap_or(window).saturating_add(SWEEP_DAYS);
    let all_differentials = (differentials.len() as u64 * u64::from(days)).div_ceil(7 * WEEKS);
    let oldest = differentials.into_iter().max().map_or(0.0, |after| after.as_secs_f64() / 3_600.0);
    all.push(stored(
        Generation::Differentials,
        each(all_differentials, &|group| group.stored(group.log_bytes(oldest).min(group.bytes_in(window)))),
    ));
    let gap = policy.schedule.full.longest_gap_days();
    let days = u64::from(window.saturating_add(SWEEP_DAYS).saturating_add(gap));
    let every = service.log_file.unwrap_or(u64::from(policy.schedule.log_copy.every_minutes) * 60).max(1);
    let files = days.saturating_mul(24 * 60 * 60).div_ceil(every);
    let (_, bytes) = each(1, &|group| {
        let written = group.log_bytes(days as f64 * 24.0);
        written.saturating_add(files.saturating_mul(LOG_FILE_BYTES_MIN))
    });
    all.push(stored(Generation::Logs, (server.count().saturating_mul(files), bytes)));
    all
}

/// Bytes by which the kept fulls of an instance grow a month.
pub(super) fn growth_a_month(server: &Server, kept: Kept) -> u64 {
    let groups = server.databases.iter().map(|group| {
        let month = super::fleet::whole_bytes(group.growth_gib_per_day * 30.0 * f64::from(1 << 30));
        group.stored(month).saturating_mul(u64::from(group.count))
    });
    groups.fold(0, u64::saturating_add).saturating_mul(kept.into_iter().sum())
}
