//! When does the schedule ask for data backups, of what use is each, and which minutes of a week are closed to them?

use jiff::{SignedDuration, Timestamp};

use super::fleet::Server;
use crate::calendar::{Span, occurrences};
use crate::limits::Profile;
use crate::policy::{Policy, Times};
use crate::schedule;

/// Weeks of the schedule that are walked: three cycles of the longest one, from the first Sunday of a month to the next.
pub(super) const WEEKS: u64 = 16;

/// Minutes of a week.
pub(super) const WEEK_MINUTES: u64 = 7 * 24 * 60;

/// Two Mondays, 00:00 UTC, 2025-01-06 and 2025-07-07: the zone of a policy may have summer time, windows have none.
const MONDAYS: [Timestamp; 2] =
    [Timestamp::constant(1_736_121_600, 0), Timestamp::constant(1_751_846_400, 0)];

/// One data backup that the schedule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// When.
    pub(super) at: Timestamp,
    /// For a differential: how long after its full.
    pub(super) after_full: Option<SignedDuration>,
}

/// The calendar of a policy on an instance: the same for whatever is tried with other intervals or fewer databases.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    /// Data backups that come about in [`WEEKS`] weeks.
    pub(super) backups: Vec<Asked>,
    /// What windows and guards leave open.
    pub(super) open: Open,
}

impl Calendar {
    pub(super) fn of(policy: &Policy, profile: Profile, server: &Server) -> Self {
        let is_rds = profile.is_rds();
        Self { backups: data_backups(policy, server, is_rds), open: open(policy, server, is_rds) }
    }
}

/// The data backups of [`WEEKS`] weeks that come about: a differential behind a snapshot of the service does not, because the
/// snapshot took its base.
fn data_backups(policy: &Policy, server: &Server, is_rds: bool) -> Vec<Asked> {
    let from = MONDAYS[0];
    let until = from
        .checked_add(SignedDuration::from_hours(24 * 7 * i64::try_from(WEEKS).unwrap_or(i64::MAX / 1_000)))
        .unwrap_or(Timestamp::MAX);
    let mut backups = Vec::new();
    for full in moments(policy, &policy.schedule.full, from, until) {
        backups.push(Asked { at: full, after_full: None });
    }
    let Some(differential) = &policy.schedule.differential else { return backups };
    for at in moments(policy, differential, from, until) {
        let full = schedule::latest(policy, &policy.schedule.full, at).ok().flatten();
        let snapshot = |full| is_rds && server.retention_days > 0 && snapshot_between(server, full, at);
        if let Some(full) = full.filter(|full| !snapshot(*full)) {
            backups.push(Asked { at, after_full: Some(at.duration_since(full)) });
        }
    }
    backups.sort_by_key(|backup| backup.at);
    backups
}

fn moments(policy: &Policy, times: &Times, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let next = |at: &Timestamp| schedule::next(policy, times, *at).ok().flatten();
    std::iter::successors(next(&from), next).take_while(|at| *at < until).collect()
}

/// Whether a whole backup window lies between a full and a later moment.
fn snapshot_between(server: &Server, full: Timestamp, at: Timestamp) -> bool {
    let Some(window) = server.backup_window else { return false };
    // The window that is open when the full is due may have had its backup already.
    let next = window
        .current_or_next(full)
        .and_then(|open| if open.from < full { window.current_or_next(open.to) } else { Some(open) });
    next.is_some_and(|next| next.to <= at)
}

/// Minutes of a week in which backups of data may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// All of them, in the worse of winter and summer.
    pub(super) minutes: u64,
    /// The longest run of them; `None` where nothing is ever closed.
    pub(super) longest: Option<u64>,
    /// The longest run of closed ones.
    pub(super) longest_closed: u64,
}

/// What windows of the service and guards leave open.
fn open(policy: &Policy, server: &Server, is_rds: bool) -> Open {
    MONDAYS
        .map(|monday| runs(&closed(policy, server, is_rds, monday)))
        .into_iter()
        .min_by_key(|open| (open.minutes, open.longest))
        .unwrap_or(Open { minutes: 0, longest: Some(0), longest_closed: WEEK_MINUTES })
}

fn closed(policy: &Policy, server: &Server, is_rds: bool, monday: Timestamp) -> Vec<bool> {
    let mut closed = vec![false; usize::try_from(WEEK_MINUTES).unwrap_or(0)];
    let until = monday.saturating_add(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MAX);
    let daily = server.backup_window.filter(|_| is_rds && server.retention_days > 0);
    let weekly = server.maintenance_window.filter(|_| is_rds);
    let daily = occurrences(monday, until, |at| daily.and_then(|window| window.current_or_next(at)));
    let weekly = occurrences(monday, until, |at| weekly.and_then(|window| window.current_or_next(at)));
    let minute = |at: Timestamp| {
        let minutes = at.duration_since(monday).as_mins().max(0);
        usize::try_from(minutes).unwrap_or(0).min(closed.len())
    };
    let spans: Vec<_> =
        daily.into_iter().chain(weekly).map(|Span { from, to }| minute(from)..minute(to)).collect();
    for span in spans {
        if let Some(minutes) = closed.get_mut(span) {
            minutes.fill(true);
        }
    }
    if policy.schedule.guards.is_empty() {
        return closed;
    }
    let zone = policy.zone().unwrap_or(jiff::tz::TimeZone::UTC);
    let minutes = std::iter::successors(Some(monday), |at| at.checked_add(SignedDuration::from_mins(1)).ok());
    for (closed, at) in closed.iter_mut().zip(minutes) {
        let local = at.to_zoned(zone.clone());
        let day = u32::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let clock = u32::from(local.hour().unsigned_abs()) * 60 + u32::from(local.minute().unsigned_abs());
        *closed |= policy.schedule.guards.iter().any(|guard| guard.holds(day * 24 * 60 + clock));
    }
    closed
}

/// Counts open and closed runs around the week's end.
fn runs(closed: &[bool]) -> Open {
    let minutes = closed.iter().filter(|closed| !**closed).count() as u64;
    if minutes == WEEK_MINUTES {
        return Open { minutes, longest: None, longest_closed: 0 };
    }
    let longest = |what: bool| {
        let (mut longest, mut run) = (0_u64, 0_u64);
        for minute in closed.iter().chain(closed) {
            run = if *minute == what { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest.min(WEEK_MINUTES)
    };
    Open { minutes, longest: Some(longest(false)), longest_closed: longest(true) }
}
