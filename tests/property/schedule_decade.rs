//! Is no moment of a schedule missed and none doubled in ten years of ten time zones? The clock on the wall again, walked in
//! quarters of an hour, with a calendar of our own.
//!
//! Offsets come from the time zone data, everything else is counted here: days, months, leap days, what a change of the clock
//! skips (due as much later) and repeats (due the first time).

use std::collections::BTreeSet;

use domain::id::BackupId;
use domain::inventory::{Database, LastFull};
use domain::lsn::Lsn;
use domain::policy::{LogCopySchedule, MonthDay, Objectives, Policy, RpoMinutes, Schedule, Times, Week};
use domain::schedule::{due, next_data, next_due, next_full};
use domain::task::Kind;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::minute;

const DAY: i64 = 24 * 60;
const STEP: i64 = 15;
const EACH: usize = 15;

/// 2011-06-01 to 2021-06-01, in days since 1970: with three leap days, and the day that Samoa left out.
const FIRST: i64 = 15_126;
const LAST: i64 = 18_779;

/// An hour in spring and autumn; none; quarters of an hour; half an hour; at midnight; suspended for a month each year; a day
/// skipped.
const ZONES: [&str; 10] = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Pacific/Apia",
];

/// A day of the calendar: number since 1970, day of the month, days of that month, day of the week from Monday.
#[derive(Debug, Clone, Copy)]
struct Date {
    number: i64,
    day: i64,
    days: i64,
    weekday: i64,
}

/// The days from 1970-01-01, a Thursday, on.
fn calendar() -> Vec<Date> {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let mut dates = Vec::new();
    for year in 1970..2023 {
        let february = if leap(year) { 29 } else { 28 };
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            for day in 1..=days {
                let number = i64::try_from(dates.len()).expect("few");
                dates.push(Date { number, day, days, weekday: (number + 3) % 7 });
            }
        }
    }
    dates
}

/// A schedule: in words, as the policy has it, and as a person reads it.
struct Case {
    name: &'static str,
    times: Times,
    asks: fn(Date) -> bool,
}

fn cases(clock: i64) -> Vec<Case> {
    let part = |part: i64| i8::try_from(part).expect("a part of a clock");
    let at = Time::constant(part(clock / 60), part(clock % 60), 0, 0);
    let monthly = |day| Times { days: Vec::new(), month_days: vec![day], at };
    let daily = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let case = |name, times, asks| Case { name, times, asks };
    vec![
        case("daily", Times::weekly(&daily, at), |_| true),
        case("sun", Times::weekly(&["sun"], at), |date| date.weekday == 6),
        case("tue fri", Times::weekly(&["tue", "fri"], at), |date| [1, 4].contains(&date.weekday)),
        case("15", monthly(MonthDay::Number(15)), |date| date.day == 15),
        case("28", monthly(MonthDay::Number(28)), |date| date.day == 28),
        case("last", monthly(MonthDay::Last), |date| date.day == date.days),
        case("first sun", monthly(MonthDay::Of(Week::First, Weekday::Sunday)), |date| {
            date.weekday == 6 && date.day <= 7
        }),
        case("last fri", monthly(MonthDay::Of(Week::Last, Weekday::Friday)), |date| {
            date.weekday == 4 && date.day + 7 > date.days
        }),
    ]
}

/// The readings of the clock on the wall, and what it skipped, each with its moment; in order.
fn readings(zone: &str) -> Vec<(i64, i64)> {
    let zone = TimeZone::get(zone).expect("a zone of the list");
    let wall = |at: i64| at + i64::from(zone.to_offset(minute(at)).seconds()) / 60;
    let start = (FIRST - 3) * DAY;
    let (mut before, mut readings) = (wall(start), Vec::new());
    for at in (start + STEP..(LAST + 40) * DAY).step_by(EACH) {
        let now = wall(at);
        // What the clock jumped over is due as long after the jump as it lay after its beginning.
        let skipped = (before + STEP..now).step_by(EACH);
        readings.extend(skipped.map(|wall| (wall, at + wall - (before + STEP))));
        readings.push((now, at));
        before = now;
    }
    readings
}

/// The moments of a schedule, in minutes since 1970: each of its dates once.
fn moments(readings: &[(i64, i64)], calendar: &[Date], clock: i64, asks: fn(Date) -> bool) -> Vec<i64> {
    let (mut dates, mut found) = (BTreeSet::new(), BTreeSet::new());
    for (wall, at) in readings.iter().filter(|(wall, _)| wall.rem_euclid(DAY) == clock) {
        let date = calendar[usize::try_from(wall.div_euclid(DAY)).expect("after 1970")];
        assert_eq!(date.number, wall.div_euclid(DAY));
        if asks(date) && dates.insert(date.number) {
            found.insert(*at);
        }
    }
    found.into_iter().collect()
}

fn policy(zone: &str, full: Times) -> Policy {
    let objectives = Objectives {
        window_days: 7,
        rpo_minutes: RpoMinutes { damage: 10, instance: 150 },
        rto_minutes: None,
    };
    let schedule = Schedule {
        time_zone: zone.to_owned(),
        full,
        differential: None,
        // So rare that no log copy comes between.
        log_copy: LogCopySchedule { every_minutes: 5_760 },
        guards: Vec::new(),
    };
    Policy::new("p", objectives, schedule)
}

fn saved(at: i64) -> Database {
    let mut database = Database::new("sales", "orders");
    database.last_full = Some(LastFull {
        id: BackupId::new("1"),
        started_at: minute(at),
        finished_at: minute(at),
        last_lsn: Lsn::ZERO,
        size_bytes: 1,
    });
    database.answered.log_copy = Some(minute(i64::from(u32::MAX)));
    database
}

/// The moment of the full that is due for a database that was saved at one minute, at another.
fn full_due(policy: &Policy, saved_at: i64, now: i64) -> Option<i64> {
    let items = due(policy, &saved(saved_at), minute(now)).expect("a policy in range");
    assert!(items.iter().all(|item| item.kind == Kind::Full), "{items:?}");
    items.first().map(|item| item.moment.as_second() / 60)
}

/// Walks a schedule from moment to moment, and asks at each what is due before, at and behind it.
fn check(case: &Case, zone: &str, expected: &[i64]) {
    let policy = policy(zone, case.times.clone());
    assert_eq!(policy.validate(), Ok(()));
    let next =
        |at: i64| next_full(&policy, minute(at)).expect("a policy in range").expect("there is a next one");
    let context = |at: i64| format!("{} at {} in {zone}, {}", case.name, case.times.at, minute(at));
    for pair in expected.windows(2) {
        let (before, at) = (pair[0], pair[1]);
        assert_eq!(next(before).as_second(), at * 60, "after {}", context(before));
        assert_eq!(next(at - 1).as_second(), at * 60, "before {}", context(at));
        assert_eq!(full_due(&policy, before, at - 1), None, "nothing before {}", context(at));
        assert_eq!(full_due(&policy, before, at), Some(at), "{}", context(at));
        assert_eq!(full_due(&policy, at, at), None, "once {}", context(at));
        // After an outage the newest.
        assert_eq!(full_due(&policy, before - 40 * DAY, at), Some(at), "{}", context(at));
        assert_eq!(next_data(&policy, minute(before)), Ok(Some(minute(at))), "{}", context(at));
        let soonest = next_due(&policy, minute(at - 1)).expect("a policy in range");
        assert!(soonest <= minute(at), "{}", context(at));
    }
}

#[test]
fn ten_years_in_ten_zones_have_every_moment_once() {
    let calendar = calendar();
    let mut checked = 0;
    for zone in ZONES {
        let readings = readings(zone);
        for clock in [0, 2 * 60, 2 * 60 + 30, 23 * 60 + 45] {
            for case in cases(clock) {
                // Days come in great number: one clock near the changes is enough, the others come with weeks and months.
                if case.name == "daily" && ![0, 2 * 60 + 30].contains(&clock) {
                    continue;
                }
                let moments = moments(&readings, &calendar, clock, case.asks);
                let decade = |at: &&i64| (FIRST * DAY..LAST * DAY).contains(*at);
                let moments: Vec<i64> = moments.iter().filter(decade).copied().collect();
                let most = if case.name == "daily" { 3_653 } else { 1_044 };
                assert!(
                    (119..=most).contains(&moments.len()),
                    "{} of {} in {zone}",
                    moments.len(),
                    case.name
                );
                check(&case, zone, &moments);
                checked += moments.len();
            }
        }
    }
    println!("{checked} moments");
    assert!(checked > 100_000);
}

/// The calendar that judges, by days that everybody knows.
#[test]
fn the_calendar_of_the_judge_is_right() {
    let calendar = calendar();
    // 2011-06-01 was a Wednesday, 2016-02-29 a Monday, 2021-06-01 a Tuesday.
    for (number, day, days, weekday) in [(FIRST, 1, 30, 2), (16_860, 29, 29, 0), (LAST, 1, 30, 1)] {
        let date = calendar[usize::try_from(number).expect("after 1970")];
        assert_eq!((date.number, date.day, date.days, date.weekday), (number, day, days, weekday));
    }
}
