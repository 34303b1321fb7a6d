//! How fast does virtual time pass?

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The fastest: ten thousand seconds of the story in one.
pub const SPEED_MAX: u32 = 10_000;

/// A clock of the story, told how much real time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So many seconds of the story in a second of ours, 1 to [`SPEED_MAX`].
    Speed(u32),
    /// Time passes when somebody says so.
    Manual,
}

impl Pace {
    /// How far the story goes on in so long.
    pub(crate) fn of(self, real: Duration) -> SignedDuration {
        match self {
            Self::Manual => SignedDuration::ZERO,
            Self::Speed(times) => {
                let real = SignedDuration::try_from(real).unwrap_or(SignedDuration::MAX);
                real.saturating_mul(i32::try_from(times.clamp(1, SPEED_MAX)).unwrap_or(1))
            }
        }
    }
}

/// The next moment of a story that is to go on to `until`: no further than `stride`, so that clients are heard in between.
pub(crate) fn next(now: Timestamp, until: Timestamp, stride: SignedDuration) -> Timestamp {
    now.saturating_add(stride).unwrap_or(Timestamp::MAX).min(until).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_goes_on_so_many_times_as_fast() {
        for (pace, millis, expected) in [
            (Pace::Speed(1), 1_500, "PT1.5S"),
            (Pace::Speed(10_000), 1_000, "PT2h46m40s"),
            // Out of range is brought into it.
            (Pace::Speed(0), 1_000, "PT1S"),
            (Pace::Speed(u32::MAX), 1_000, "PT2h46m40s"),
            (Pace::Manual, 1_000_000, "PT0S"),
        ] {
            let went = pace.of(Duration::from_millis(millis));
            assert_eq!(went, expected.parse().unwrap(), "{pace:?} {millis}");
        }
        assert_eq!(Pace::Speed(10_000).of(Duration::MAX), SignedDuration::MAX);
    }

    #[test]
    fn a_stride_ends_where_the_story_is_to_go_and_never_goes_back() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let minute = SignedDuration::from_mins(1);
        assert_eq!(next(at(0), at(90), minute), at(60));
        assert_eq!(next(at(60), at(90), minute), at(90));
        assert_eq!(next(at(90), at(0), minute), at(90));
    }
}
