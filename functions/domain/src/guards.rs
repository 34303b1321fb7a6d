//! When do a policy's guards keep fulls and differentials out? Its hours as occurrences, in the policy's zone.
//!
//! A guard is a window of somebody else's: no native backup of data starts in it, and none starts that would run into it. On the
//! days of changing clocks it is as long as its local times are apart. Logs are copied at any time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::calendar::{Span, weekday};
use crate::policy::{Guard, Policy};
use crate::reason::Reason;

/// The occurrences of all guards that are open at `now` or open before `until`, by their beginning.
///
/// # Errors
/// The policy's own, when its zone is wrong.
pub fn occurrences(policy: &Policy, now: Timestamp, until: Timestamp) -> Result<Vec<Span>, Reason> {
    let guards = &policy.schedule.guards;
    if guards.is_empty() {
        return Ok(Vec::new());
    }
    let zone = policy.zone()?;
    let mut spans: Vec<Span> = guards.iter().flat_map(|guard| of(guard, &zone, now, until)).collect();
    spans.sort_unstable_by_key(|span| (span.from, span.to));
    Ok(spans)
}

/// Those of one guard. It may have begun on the day before, or on the one before that where clocks changed.
fn of(guard: &Guard, zone: &TimeZone, now: Timestamp, until: Timestamp) -> Vec<Span> {
    let date = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let Ok(first) = date(now).checked_sub(2.days()) else { return Vec::new() };
    let last = date(until);
    let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take_while(|day| *day <= last);
    let named = days.filter(|day| guard.days.iter().any(|named| weekday(named) == Some(day.weekday())));
    let spans = named.filter_map(|day| {
        let end = if guard.to > guard.from { day } else { day.tomorrow().ok()? };
        let at = |local| zone.to_ambiguous_timestamp(local).compatible().ok();
        Some(Span { from: at(day.to_datetime(guard.from))?, to: at(end.to_datetime(guard.to))? })
    });
    spans.filter(|span| span.from < span.to && now < span.to && span.from < until).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;
    use crate::policy::tests::weekly;

    fn spans(zone: &str, days: &[&str], hours: (i8, i8), now: &str, until: &str) -> Vec<String> {
        let mut policy = weekly();
        policy.schedule.time_zone = zone.to_owned();
        let days = days.iter().map(|day| (*day).to_owned()).collect();
        let (from, to) = (Time::constant(hours.0, 0, 0, 0), Time::constant(hours.1, 0, 0, 0));
        policy.schedule.guards.push(Guard { days, from, to });
        let all = occurrences(&policy, now.parse().unwrap(), until.parse().unwrap()).unwrap();
        all.iter().map(|span| format!("{} {}", span.from, span.to)).collect()
    }

    #[test]
    fn guards_open_on_their_days_in_their_zone() {
        for (zone, days, hours, now, until, expected) in [
            // 2026-11-23 is a Monday.
            (
                "Etc/UTC",
                &["mon", "wed"][..],
                (8, 18),
                "2026-11-23T00:00:00Z",
                "2026-11-26T00:00:00Z",
                &["2026-11-23T08:00:00Z 2026-11-23T18:00:00Z", "2026-11-25T08:00:00Z 2026-11-25T18:00:00Z"][..],
            ),
            // Over midnight: open since yesterday.
            (
                "Etc/UTC",
                &["sun"],
                (22, 6),
                "2026-11-23T05:59:00Z",
                "2026-11-24T00:00:00Z",
                &["2026-11-22T22:00:00Z 2026-11-23T06:00:00Z"],
            ),
            ("Etc/UTC", &["sun"], (22, 6), "2026-11-23T06:00:00Z", "2026-11-24T00:00:00Z", &[]),
            // A whole day; and one on which clocks go forward is an hour shorter.
            (
                "Europe/Berlin",
                &["sun"],
                (0, 0),
                "2026-03-28T12:00:00Z",
                "2026-03-30T00:00:00Z",
                &["2026-03-28T23:00:00Z 2026-03-29T22:00:00Z"],
            ),
        ] {
            assert_eq!(spans(zone, days, hours, now, until), expected, "{days:?} {hours:?} at {now}");
        }
    }
}
