//! What does a date of msdb say of the moment that it was rounded from?
//!
//! `datetime` counts in 1/300 s and shows milliseconds that end in 0, 3 or 7; what it is given is rounded to the nearest, up or
//! down (Microsoft Learn, "datetime (Transact-SQL)", rounding of fractional second precision). A finish that was rounded down
//! is a moment at which the backup had not finished, and STOPAT there is refused (4335).

use jiff::{SignedDuration, Timestamp};

/// Ticks of a `datetime` in a second.
const TICKS: i64 = 300;

/// Milliseconds into its second that a tick shows.
const fn shown(tick: i64) -> i64 {
    (tick * 10 + 1) / 3
}

/// The first moment that msdb can write and at which a backup with this finish had certainly ended: the next tick.
///
/// A date in whole seconds stays as it is: headers are written so, and nobody rounded them to a tick. One finish in 300 that
/// was rounded has no fraction either, and cannot be told from them.
pub fn certainly_ended(finish: Timestamp) -> Timestamp {
    let fraction = i64::from(finish.subsec_nanosecond());
    if fraction == 0 {
        return finish;
    }
    let into = |tick: i64| shown(tick) * 1_000_000;
    // The tick before this one shows less than the fraction, so it is one of the next few.
    let from = (fraction * TICKS / 1_000_000_000).max(1);
    let next = (from..=TICKS).map(into).find(|at| *at > fraction).unwrap_or(into(TICKS));
    finish.saturating_add(SignedDuration::from_nanos(next - fraction)).unwrap_or(finish)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: &str) -> Timestamp {
        format!("2026-11-16T00:12:{second}Z").parse().unwrap()
    }

    #[test]
    fn a_finish_with_a_fraction_is_the_next_tick() {
        for (finish, expected) in [
            ("50", "50"),
            ("50.003", "50.007"),
            ("50.007", "50.010"),
            ("50.010", "50.013"),
            ("50.993", "50.997"),
            ("50.997", "51"),
            // No datetime, but a text of another program.
            ("50.0000001", "50.003"),
            ("50.124", "50.127"),
            ("50.9999999", "51"),
        ] {
            assert_eq!(certainly_ended(at(finish)), at(expected), "{finish}");
        }
        assert_eq!(certainly_ended(Timestamp::MAX), Timestamp::MAX, "there is no later one");
    }

    #[test]
    fn no_moment_lies_behind_what_its_rounded_date_tells() {
        // Every tenth of a millisecond of a second that a datetime rounds to another tick than a whole second.
        for tenth in 17..9_983_i64 {
            let ended = at("50") + SignedDuration::from_micros(tenth * 100);
            let tick = (tenth * 3 + 50) / 100;
            let written = at("50") + SignedDuration::from_millis(shown(tick));
            let certain = certainly_ended(written);
            assert!(ended <= certain, "{ended} is written {written}");
            assert!(certain.duration_since(ended) <= SignedDuration::from_millis(6), "{ended} {certain}");
        }
    }
}
