//! Is the window of RDS that a rule names the one that is open or opens next? Found again by walking minute by minute.

use domain::calendar::{DailyWindow, WeeklyWindow};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{config, minute};

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// 1970-01-01 was a Thursday; the week of these windows begins on Monday.
const EPOCH_MINUTE_OF_WEEK: i64 = 3 * DAY;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn clock(minute_of_day: i64) -> String {
    format!("{:02}:{:02}", minute_of_day / 60, minute_of_day % 60)
}

fn day_and_clock(minute_of_week: i64) -> String {
    let day = usize::try_from(minute_of_week / DAY).expect("a minute of the week is not negative");
    format!("{}:{}", DAYS[day], clock(minute_of_week % DAY))
}

/// The first run of open minutes that ends after `now`, walking one minute at a time.
fn walk(now: Timestamp, open: impl Fn(i64) -> bool) -> (Timestamp, Timestamp) {
    let mut first = now.as_second().div_euclid(60);
    if open(first) {
        while open(first - 1) {
            first -= 1;
        }
    } else {
        while !open(first) {
            first += 1;
        }
    }
    let mut after = first;
    while open(after) {
        after += 1;
    }
    (minute(first), minute(after))
}

/// Whether a minute of a period lies in `[start, start + length)`, wrapping.
fn is_open(minute_of_period: i64, start: i64, length: i64, period: i64) -> bool {
    let end = start + length;
    (start..end).contains(&minute_of_period) || (start..end).contains(&(minute_of_period + period))
}

/// Any second of the years around 2026.
fn moment() -> impl Strategy<Value = Timestamp> {
    (1_700_000_000_i64..1_900_000_000, 0_i32..1_000_000_000)
        .prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap_or(Timestamp::UNIX_EPOCH))
}

proptest! {
    #![proptest_config(config(4, 400))]

    #[test]
    fn the_daily_window_is_the_one_a_walk_finds(start in 0..DAY, length in 1..DAY, now in moment()) {
        let text = format!("{}-{}", clock(start), clock((start + length) % DAY));
        let Ok(window) = text.parse::<DailyWindow>() else {
            prop_assert!(length < 30, "{} is refused", text);
            return Ok(());
        };
        prop_assert!(length >= 30, "{} is accepted", text);
        prop_assert_eq!(window.to_string(), text.clone());
        let expected = walk(now, |minute| is_open(minute.rem_euclid(DAY), start, length, DAY));
        let span = window.current_or_next(now).expect("inside the calendar");
        prop_assert_eq!((span.from, span.to), expected, "{} at {}", text, now);
    }

    #[test]
    fn the_weekly_window_is_the_one_a_walk_finds(start in 0..WEEK, length in 1..WEEK, now in moment()) {
        let text = format!("{}-{}", day_and_clock(start), day_and_clock((start + length) % WEEK));
        let Ok(window) = text.parse::<WeeklyWindow>() else {
            prop_assert!(length < 30, "{} is refused", text);
            return Ok(());
        };
        prop_assert!(length >= 30, "{} is accepted", text);
        prop_assert_eq!(window.to_string(), text.clone());
        let of_week = |minute: i64| (minute + EPOCH_MINUTE_OF_WEEK).rem_euclid(WEEK);
        let expected = walk(now, |minute| is_open(of_week(minute), start, length, WEEK));
        let span = window.current_or_next(now).expect("inside the calendar");
        prop_assert_eq!((span.from, span.to), expected, "{} at {}", text, now);
    }

    /// Touching a span is having a second in common with it.
    #[test]
    fn work_touches_a_span_where_they_share_a_second(from in 0_i64..40, length in 1_i64..20, start in 0_i64..60, work in 1_i64..30) {
        let at = |second: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let span = domain::calendar::Span { from: at(from), to: at(from + length) };
        let shared = (start..start + work).any(|second| (from..from + length).contains(&second));
        prop_assert_eq!(span.overlaps(at(start), SignedDuration::from_secs(work)), shared);
    }
}
