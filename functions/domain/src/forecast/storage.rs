//! How much lies in the vault once every generation is full?
//!
//! Counted at the size that databases have when the promised window is full for the first time; what they grow by after that is
//! told by the month. A backup is counted once, under the first generation that keeps it.

use jiff::civil::Date;
use serde::Serialize;

use super::calendar::{self, WEEKS};
use super::fleet::{Group, Server};
use super::load::Service;
use crate::policy::{Policy, Retention};

/// What keeps a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// The day from which generations are counted back. Any does: years end on the 31st of December.
const TODAY: Date = Date::constant(2024, 12, 31);

/// Fulls of each generation, in the order window, daily, weekly, monthly, yearly.
pub(super) fn fulls(policy: &Policy) -> [u64; 5] {
    let Retention { daily, weekly, monthly, yearly, .. } = policy.retention;
    let keep = [
        daily.map(|daily| daily.keep),
        weekly.map(|weekly| weekly.keep.saturating_mul(7)),
        monthly.map(|monthly| monthly.keep.saturating_mul(31)),
        yearly.map(|yearly| yearly.keep.saturating_mul(366)),
    ]
    .map(|days| days.map(|days| days.saturating_add(SWEEP_DAYS)));
    let window = policy.objectives.window_days.saturating_add(SWEEP_DAYS);
    let oldest = keep.into_iter().flatten().max().unwrap_or(0).max(window).saturating_add(400);
    let Ok(first) = TODAY.checked_sub(jiff::Span::new().days(i64::from(oldest).min(40_000))) else {
        return [0; 5];
    };
    let mut due = [false; 5];
    let mut tagged: Vec<(u32, [bool; 5])> = Vec::new();
    let days = i64::from(oldest.min(40_000));
    for (age, date) in (0..=days).rev().zip(first.series(jiff::Span::new().days(1))) {
        due[1] = true;
        due[2] |= weekly.is_some_and(|weekly| date.weekday() == weekly.day);
        due[3] |= monthly.is_some_and(|monthly| monthly.day.falls_on(date));
        due[4] |= yearly.is_some_and(|yearly| date.month() == yearly.month && yearly.day.falls_on(date));
        if policy.schedule.full.ask_for(date) {
            tagged.push((u32::try_from(age).unwrap_or(u32::MAX), due));
            due = [false; 5];
        }
    }
    let mut counts = [0; 5];
    // The oldest moment of the window needs the newest full before it.
    let anchor = tagged.iter().map(|(age, _)| *age).filter(|age| *age > window).min();
    for (age, tags) in tagged {
        if age <= window || Some(age) == anchor {
            counts[0] += 1;
            continue;
        }
        let kept = (1..5).find(|at| tags[*at] && keep[at - 1].is_some_and(|days| age <= days));
        if let Some(at) = kept {
            counts[at] += 1;
        }
    }
    // One more that is being taken.
    counts[0] += 1;
    counts
}

/// What an instance's databases have in the vault.
pub(super) fn of(policy: &Policy, server: &Server, service: Service) -> Vec<Stored> {
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
        .zip(fulls(policy))
        .map(|(generation, count)| {
            stored(generation, each(count, &|group| group.stored(group.bytes_in(window))))
        })
        .collect();
    let backups = calendar::data_backups(policy, server, service.is_rds);
    let differentials: Vec<_> = backups.iter().filter_map(|backup| backup.after_full).collect();
    let days = policy.retention.differential_days.unwrap_or(window).saturating_add(SWEEP_DAYS);
    let kept = (differentials.len() as u64 * u64::from(days)).div_ceil(7 * WEEKS);
    let oldest = differentials.into_iter().max().map_or(0.0, |after| after.as_secs_f64() / 3_600.0);
    all.push(stored(
        Generation::Differentials,
        each(kept, &|group| group.stored(group.log_bytes(oldest).min(group.bytes_in(window)))),
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
pub(super) fn growth_a_month(policy: &Policy, server: &Server) -> u64 {
    let kept: u64 = fulls(policy).into_iter().sum();
    let groups = server.databases.iter().map(|group| {
        let month = super::fleet::whole_bytes(group.growth_gib_per_day * 30.0 * f64::from(1 << 30));
        group.stored(month).saturating_mul(u64::from(group.count))
    });
    groups.fold(0, u64::saturating_add).saturating_mul(kept)
}
