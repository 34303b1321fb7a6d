//! Is everything that the calendar asks for due once, and nothing else? The calendar again, by walking minute by minute.
//!
//! The walk reads the clock on the wall at every minute and compares it with the minute before: it finds the moments of
//! fulls, those that a change of DST skips (due as much later as was skipped) and those that it repeats (due the first
//! time). It asks the time zone data for offsets and jiff for nothing else.

use std::collections::BTreeSet;

use domain::id::BackupId;
use domain::inventory::{Database, LastFull};
use domain::lsn::Lsn;
use domain::policy::{LogCopySchedule, Objectives, Policy, RpoMinutes, Schedule, Times};
use domain::schedule::{due, next_data, next_due};
use domain::task::Kind;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::{config, minute};

const DAY: i64 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Zones with a change of theirs: an hour, half an hour, at midnight, a whole day; and one without.
const ZONES: [(&str, &str); 8] = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/Nuuk", "2026-03-29T01:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kolkata", "2026-11-16T00:00:00Z"),
];

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// A policy, and two weeks around a change of its zone.
#[derive(Debug, Clone)]
struct Case {
    policy: Policy,
    from: i64,
    to: i64,
}

fn times(days: &BTreeSet<usize>, clock: i64) -> Times {
    let part = |part: i64| i8::try_from(part).expect("a part of a clock");
    let days: Vec<&str> = days.iter().map(|day| DAYS[*day]).collect();
    Times::weekly(&days, Time::constant(part(clock / 60), part(clock % 60), 0, 0))
}

fn policy(zone: &str, full: Times, differential: Option<Times>, every_minutes: u32) -> Policy {
    let rpo_minutes = RpoMinutes { damage: 10, instance: 150 };
    let objectives = Objectives { window_days: 7, rpo_minutes, rto_minutes: None };
    let schedule = Schedule {
        time_zone: zone.to_owned(),
        full,
        differential,
        log_copy: LogCopySchedule { every_minutes },
        guards: Vec::new(),
    };
    Policy::new("p", objectives, schedule)
}

/// A time of day: anywhere (`Err`), or so many minutes from the change of the zone (`Ok`), which comes often.
fn clock() -> impl Strategy<Value = Result<i64, i64>> {
    prop_oneof![1 => (0..DAY).prop_map(Err), 3 => (-75_i64..75).prop_map(Ok)]
}

fn case() -> impl Strategy<Value = Case> {
    let days = prop::collection::btree_set(0_usize..7, 1..4);
    let differential = prop::option::of((prop::collection::btree_set(0_usize..7, 1..7), clock()));
    let every = prop_oneof![Just(5_u32), Just(60), Just(120), 5_u32..5_761];
    (prop::sample::select(&ZONES[..]), days, clock(), differential, every, 3_i64..9).prop_map(
        |((zone, change), mut days, clock, differential, every, before)| {
            let change = at(change).as_second() / 60;
            let near = wall(&TimeZone::get(zone).expect("a zone of the list"), change - 1);
            let on_wall = |clock: Result<i64, i64>| clock.map_or_else(|clock| clock, |shift| near + shift);
            if let Ok(shift) = clock {
                days.insert(usize::try_from(weekday_of(near + shift)).expect("not negative"));
            }
            let full = times(&days, on_wall(clock).rem_euclid(DAY));
            let differential = differential.and_then(|(mut named, clock)| {
                if let Ok(shift) = clock {
                    named.insert(usize::try_from(weekday_of(near + shift)).expect("not negative"));
                }
                named.retain(|day| !days.contains(day));
                (!named.is_empty()).then(|| times(&named, on_wall(clock).rem_euclid(DAY)))
            });
            let policy = policy(zone, full, differential, every);
            Case { policy, from: change - before * DAY, to: change + (14 - before) * DAY }
        },
    )
}

/// The weekday of a minute on the wall, Monday 0: 1970-01-01 was a Thursday.
fn weekday_of(wall: i64) -> i64 {
    (wall.div_euclid(DAY) + 3).rem_euclid(7)
}

/// Minutes since 1970 as the clock on the wall shows them.
fn wall(zone: &TimeZone, at: i64) -> i64 {
    at + i64::from(zone.to_offset(minute(at)).seconds()) / 60
}

/// The moments of fulls in the days of a case and a week around them.
fn fulls(case: &Case) -> Vec<i64> {
    moments(case, &case.policy.schedule.full)
}

/// The moments of differentials likewise.
fn differentials(case: &Case) -> Vec<i64> {
    case.policy.schedule.differential.as_ref().map(|times| moments(case, times)).unwrap_or_default()
}

/// The moments of a calendar in the days of a case and a week around them, by a walk.
fn moments(case: &Case, full: &Times) -> Vec<i64> {
    let zone = TimeZone::get(&case.policy.schedule.time_zone).expect("a zone of the list");
    let asked: Vec<i64> =
        (0_i64..).zip(DAYS).filter(|(_, day)| full.days.iter().any(|d| d == day)).map(|d| d.0).collect();
    let clock = i64::from(full.at.hour()) * 60 + i64::from(full.at.minute());
    let wanted = |wall: i64| wall.rem_euclid(DAY) == clock && asked.contains(&weekday_of(wall));
    let start = case.from - 8 * DAY;
    let (mut before, mut dates, mut found) = (wall(&zone, start), BTreeSet::new(), BTreeSet::new());
    for at in start + 1..=case.to + 9 * DAY {
        let now = wall(&zone, at);
        // What the clock jumped over is due as long after the jump as it lay after its beginning.
        for skipped in (before + 1..now).filter(|wall| wanted(*wall)) {
            dates.insert(skipped.div_euclid(DAY));
            found.insert(at + skipped - (before + 1));
        }
        if wanted(now) && dates.insert(now.div_euclid(DAY)) {
            found.insert(at);
        }
        before = now;
    }
    found.into_iter().collect()
}

/// The newest moment at or before a minute.
fn newest(moments: &[i64], at: i64) -> Option<i64> {
    moments.iter().copied().take_while(|moment| *moment <= at).last()
}

fn newest_log(policy: &Policy, at: i64) -> i64 {
    let every = i64::from(policy.schedule.log_copy.every_minutes);
    (0..every)
        .map(|back| at - back)
        .find(|moment| moment % every == 0)
        .expect("one of that many is a multiple")
}

/// A database that was saved once, at a minute.
fn saved(at: i64) -> Database {
    let mut database = Database::new("sales", "orders");
    database.last_full = Some(LastFull {
        id: BackupId::new("1"),
        started_at: minute(at),
        finished_at: minute(at),
        last_lsn: Lsn::ZERO,
        size_bytes: 1,
    });
    database
}

/// What is due, as minutes: full, differential, log copy.
type Asked = (Option<i64>, Option<i64>, Option<i64>);

fn asked(policy: &Policy, database: &Database, now: i64) -> Asked {
    let items = due(policy, database, minute(now)).expect("a policy in range");
    let of = |kind: Kind| {
        let mut moments =
            items.iter().filter(|item| item.kind == kind).map(|item| item.moment.as_second() / 60);
        let first = moments.next();
        assert_eq!(moments.next(), None, "nothing is asked for twice");
        first
    };
    (of(Kind::Full), of(Kind::Differential), of(Kind::LogCopy))
}

/// Minutes at which somebody looks: around every moment of the calendars, around the first moments of logs, and anywhere.
fn looks(case: &Case, moments: &[i64], random: &[i64]) -> Vec<i64> {
    let around = |moment: &i64| [moment - 1, *moment, moment + 1];
    let every = i64::from(case.policy.schedule.log_copy.every_minutes);
    let logs: Vec<i64> = (0..40).map(|n| newest_log(&case.policy, case.from) + n * every).collect();
    let mut looks: Vec<i64> = moments.iter().chain(&logs).flat_map(around).collect();
    looks.extend(random.iter().map(|at| case.from + at));
    looks.retain(|at| (case.from..case.to).contains(at));
    looks.sort_unstable();
    looks.dedup();
    looks
}

proptest! {
    #![proptest_config(config(3, 40))]

    /// A service that looks now and then and answers what it is asked: each moment is due once, and after an outage the
    /// newest only. A full taken by hand counts for the moments before it; so does any full for differentials, which are
    /// not asked for beside it. Some answers come to nothing: a differential is then left to its next moment.
    #[test]
    fn every_moment_is_due_once_and_after_an_outage_the_newest(
        case in case(),
        random in prop::collection::vec(0_i64..14 * DAY, 0..60),
        outages in prop::collection::vec((0_i64..14 * DAY, 0_i64..4 * DAY), 0..3),
        by_hand in prop::option::of(0_i64..14 * DAY),
    ) {
        let (fulls, differentials) = (fulls(&case), differentials(&case));
        let mut database = saved(case.from - 30 * DAY);
        let (mut full_done, mut differential_done, mut log_done) = (i64::MIN, i64::MIN, i64::MIN);
        let moments: Vec<i64> = fulls.iter().chain(&differentials).copied().collect();
        for now in looks(&case, &moments, &random) {
            if outages.iter().any(|(from, length)| (*from..from + length).contains(&(now - case.from))) {
                continue;
            }
            if let Some(hand) = by_hand.map(|hand| case.from + hand).filter(|hand| *hand <= now && *hand > full_done) {
                database.last_full = saved(hand).last_full;
                full_done = full_done.max(hand);
            }
            let expected_full = newest(&fulls, now).filter(|moment| *moment > full_done);
            let open = |moment: &i64| expected_full.is_none() && *moment > full_done && *moment > differential_done;
            let expected_differential = newest(&differentials, now).filter(open);
            let newest_log = newest_log(&case.policy, now);
            let expected_log = Some(newest_log).filter(|moment| *moment > log_done);
            let asked = asked(&case.policy, &database, now);
            let expected = (expected_full, expected_differential, expected_log);
            prop_assert_eq!(asked, expected, "{:?} at {}", case, minute(now));
            if let Some(moment) = asked.0 {
                database.last_full = saved(now).last_full;
                database.answered.answer(Kind::Full, minute(moment));
                full_done = full_done.max(now);
            }
            if let Some(moment) = asked.1 {
                database.answered.answer(Kind::Differential, minute(moment));
                differential_done = moment;
            }
            if let Some(moment) = asked.2 {
                database.answered.answer(Kind::LogCopy, minute(moment));
                log_done = log_done.max(moment);
            }
        }
    }

    /// A full that never comes about is asked for once in each log interval, from its moment of the calendar on.
    #[test]
    fn a_full_that_failed_is_asked_for_again_once_in_each_interval(
        case in case(),
        random in prop::collection::vec(0_i64..14 * DAY, 0..60),
    ) {
        let fulls = fulls(&case);
        let mut database = saved(case.from - 30 * DAY);
        let mut tried = i64::MIN;
        for now in looks(&case, &fulls, &random) {
            let Some(moment) = newest(&fulls, now) else { continue };
            let again = newest_log(&case.policy, now).max(moment);
            let expected = if tried < moment { Some(moment) } else { Some(again).filter(|again| *again > tried) };
            prop_assert_eq!(asked(&case.policy, &database, now).0, expected, "{:?} at {}", case, minute(now));
            if let Some(moment) = expected {
                database.answered.answer(Kind::Full, minute(moment));
                tried = moment;
            }
        }
    }

    /// Who has everything at a look has nothing new to do until the moment named, and then has something.
    #[test]
    fn the_next_moment_is_the_first_at_which_anything_changes(
        case in case(),
        random in prop::collection::vec(0_i64..14 * DAY, 1..60),
        seconds in 0_i64..60,
    ) {
        let (fulls, differentials) = (fulls(&case), differentials(&case));
        let every = i64::from(case.policy.schedule.log_copy.every_minutes);
        let moments: Vec<i64> = fulls.iter().chain(&differentials).copied().collect();
        for now in looks(&case, &moments, &random) {
            let mut database = saved(now);
            database.answered.answer(Kind::LogCopy, minute(newest_log(&case.policy, now)));
            let after = |moments: &[i64]| moments.iter().copied().find(|moment| *moment > now);
            let next_backup = after(&fulls).into_iter().chain(after(&differentials)).min();
            let asked_at = minute(now) + jiff::SignedDuration::from_secs(seconds);
            prop_assert_eq!(next_data(&case.policy, asked_at), Ok(next_backup.map(minute)), "{:?} at {}", case, asked_at);
            let expected = next_backup.unwrap_or(i64::MAX).min(newest_log(&case.policy, now) + every);
            let next = next_due(&case.policy, asked_at).expect("a policy in range");
            prop_assert_eq!(next, minute(expected), "{:?} at {}", case, asked_at);
            prop_assert_eq!(asked(&case.policy, &database, now), (None, None, None));
            prop_assert_eq!(asked(&case.policy, &database, expected - 1), (None, None, None));
            prop_assert_ne!(asked(&case.policy, &database, expected), (None, None, None));
        }
    }

    /// A database without a base asks for a full once in a log interval, and for nothing else.
    #[test]
    fn a_first_full_is_asked_for_once_in_each_interval(
        case in case(),
        random in prop::collection::vec(0_i64..14 * DAY, 1..60),
    ) {
        let mut database = Database::new("sales", "orders");
        let mut done = BTreeSet::new();
        for now in looks(&case, &differentials(&case), &random) {
            let interval = newest_log(&case.policy, now);
            let expected = done.insert(interval).then_some(interval);
            let asked = asked(&case.policy, &database, now);
            prop_assert_eq!(asked, (expected, None, None));
            if let Some(moment) = expected {
                database.answered.answer(Kind::Full, minute(moment));
            }
        }
    }
}

/// In Nuuk the clock jumps from 23:00 on Saturday to midnight: a full of 23:30 is due at 00:30 on Sunday, which is ahead at
/// 00:10 although its day has passed.
#[test]
fn a_moment_that_dst_moves_into_the_next_day_is_still_ahead() {
    let policy = policy("America/Nuuk", times(&BTreeSet::from([5]), 23 * 60 + 30), None, 120);
    assert_eq!(next_due(&policy, at("2026-03-29T01:10:00Z")), Ok(at("2026-03-29T01:30:00Z")));
}
