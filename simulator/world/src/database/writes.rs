//! When does a database commit, and how often?
//!
//! A pure function of (seed, rate, rhythm, bursts, five-minute slot): how many transactions committed before a moment, and
//! when the n-th did. The count up to a slot is the integral of the intensity plus a jitter that never overtakes the next
//! slot, so any moment is reached in constant time and nothing is stored: eight million log files cost nothing until
//! someone looks. It knows no LSN and no content.

use crate::{
    stream::{Purpose, draw},
    time::{HOUR, Ms, SLOT},
};

/// How the write rate changes over a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rhythm {
    /// The same at all hours.
    #[default]
    Flat,
    /// Busy from 8 to 18 UTC on working days, quiet at night and at the weekend.
    Office,
}

/// A time of more writes than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// First moment.
    pub from: jiff::Timestamp,
    /// End.
    pub until: jiff::Timestamp,
    /// Intensity added, per cent of the plain rate: 900 makes it ten times as busy.
    pub extra_percent: u32,
}

#[derive(Debug, Clone, Copy)]
struct BurstMs {
    from: Ms,
    until: Ms,
    extra_percent: u32,
}

/// The write law of one database.
#[derive(Debug, Clone)]
pub(crate) struct Writes {
    seed: u64,
    origin: Ms,
    /// Transactions per minute, times 1,000.
    rate_milli: u64,
    rhythm: Rhythm,
    bursts: Vec<BurstMs>,
}

const HOURS_PER_WEEK: usize = 168;

/// Per cent of the plain rate in each hour of a week that starts on Thursday, as 1970 did; summed up to that hour.
const fn office_sums() -> [i64; HOURS_PER_WEEK + 1] {
    let mut sums = [0; HOURS_PER_WEEK + 1];
    let mut hour = 0;
    while hour < HOURS_PER_WEEK {
        let (day, of_day) = (hour / 24, hour % 24);
        let weekend = day == 2 || day == 3;
        let weight = if weekend {
            10
        } else if of_day >= 8 && of_day < 18 {
            250
        } else {
            55
        };
        sums[hour + 1] = sums[hour] + weight;
        hour += 1;
    }
    sums
}

static OFFICE: [i64; HOURS_PER_WEEK + 1] = office_sums();

impl Rhythm {
    /// Integral of the weight since 1970, in per cent times milliseconds.
    fn integral(self, at: Ms) -> i128 {
        if self == Self::Flat {
            return i128::from(at) * 100;
        }
        let week = 7 * 24 * HOUR;
        let (weeks, into) = (at.div_euclid(week), at.rem_euclid(week));
        let hour = usize::try_from(into / HOUR).unwrap_or(0);
        let weight = OFFICE[hour + 1] - OFFICE[hour];
        i128::from(weeks) * i128::from(OFFICE[HOURS_PER_WEEK] * HOUR)
            + i128::from(OFFICE[hour] * HOUR + weight * (into % HOUR))
    }
}

impl Writes {
    /// A law from `origin` on.
    pub(crate) fn new(seed: u64, origin: Ms, rate_milli: u64, rhythm: Rhythm, bursts: &[Burst]) -> Self {
        let bursts = bursts
            .iter()
            .map(|b| BurstMs {
                from: crate::time::floor_ms(b.from),
                until: crate::time::floor_ms(b.until),
                extra_percent: b.extra_percent,
            })
            .collect();
        Self { seed, origin, rate_milli, rhythm, bursts }
    }

    /// The same habits from another moment on, with other chance.
    pub(crate) fn again(&self, seed: u64, origin: Ms) -> Self {
        Self { seed, origin, ..self.clone() }
    }

    /// Expected transactions from the origin to a moment, times 1,000.
    fn expected_milli(&self, at: Ms) -> u64 {
        if at <= self.origin || self.rate_milli == 0 {
            return 0;
        }
        let mut weight = self.rhythm.integral(at) - self.rhythm.integral(self.origin);
        for burst in &self.bursts {
            let overlap = at.min(burst.until) - self.origin.max(burst.from);
            weight += i128::from(overlap.max(0)) * i128::from(burst.extra_percent);
        }
        u64::try_from(weight * i128::from(self.rate_milli) / 6_000_000).unwrap_or(u64::MAX)
    }

    /// Transactions committed before a slot starts.
    fn before_slot(&self, slot: i64) -> u64 {
        let start = slot * SLOT;
        if start <= self.origin || self.rate_milli == 0 {
            return 0;
        }
        let (low, high) = (self.expected_milli(start), self.expected_milli(start + SLOT));
        let jitter = draw(self.seed, Purpose::Writes, &[slot.cast_unsigned()]) >> 32;
        let part = (u128::from(high - low) * u128::from(jitter)) >> 32;
        (low + u64::try_from(part).unwrap_or(0)) / 1_000
    }

    /// Commit time of transaction `index` of the `count` in a slot.
    fn commit_in_slot(&self, slot: i64, index: u64, count: u64) -> Ms {
        let start = (slot * SLOT).max(self.origin);
        let length = ((slot + 1) * SLOT - start).cast_unsigned();
        let jitter = draw(self.seed, Purpose::Writes, &[slot.cast_unsigned(), index]) % length.max(1);
        start + ((index * length + jitter) / count.max(1)).cast_signed()
    }

    /// How many transactions committed strictly before a moment.
    pub(crate) fn committed_before(&self, at: Ms) -> u64 {
        if at <= self.origin || self.rate_milli == 0 {
            return 0;
        }
        let slot = at.div_euclid(SLOT);
        let before = self.before_slot(slot);
        let count = self.before_slot(slot + 1) - before;
        let start = (slot * SLOT).max(self.origin);
        let length = ((slot + 1) * SLOT - start).cast_unsigned();
        // Transaction i commits in [i, i + 1) * length / count, so only one candidate needs its exact time.
        let candidate = (at - start).cast_unsigned() * count / length.max(1);
        let candidate_in = candidate < count && self.commit_in_slot(slot, candidate, count) < at;
        before + candidate.min(count) + u64::from(candidate_in)
    }

    /// When transaction `number` (from 0) commits, if before `limit`.
    pub(crate) fn commit_time(&self, number: u64, limit: Ms) -> Option<Ms> {
        if self.committed_before(limit) <= number {
            return None;
        }
        let (mut low, mut high) = (self.origin.div_euclid(SLOT), limit.div_euclid(SLOT));
        while low < high {
            let middle = low + (high - low + 1) / 2;
            if self.before_slot(middle) <= number { low = middle } else { high = middle - 1 }
        }
        let before = self.before_slot(low);
        Some(self.commit_in_slot(low, number - before, self.before_slot(low + 1) - before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn law(rate_milli: u64, rhythm: Rhythm, origin: Ms) -> Writes {
        let burst = Burst {
            from: crate::time::timestamp(2 * HOUR),
            until: crate::time::timestamp(3 * HOUR),
            extra_percent: 900,
        };
        Writes::new(11, origin, rate_milli, rhythm, &[burst])
    }

    #[test]
    fn rates_are_kept_over_a_week() {
        for rhythm in [Rhythm::Flat, Rhythm::Office] {
            let writes = Writes::new(3, 0, 60_000, rhythm, &[]);
            let week = writes.committed_before(7 * 24 * HOUR);
            let plain = 7 * 24 * 60 * 60_u64;
            assert!(week.abs_diff(plain) < plain / 8, "{rhythm:?} {week} {plain}");
        }
    }

    #[test]
    fn nothing_commits_before_the_origin_or_at_rate_zero() {
        assert_eq!(law(60_000, Rhythm::Flat, HOUR).committed_before(HOUR), 0);
        assert_eq!(law(0, Rhythm::Flat, 0).committed_before(HOUR), 0);
        assert_eq!(law(0, Rhythm::Flat, 0).commit_time(0, HOUR), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn counting_and_commit_times_agree(
            rate in 1_u64..400_000, origin in 0_i64..HOUR, into in 0_i64..(6 * HOUR), office in any::<bool>(),
        ) {
            let writes = law(rate, if office { Rhythm::Office } else { Rhythm::Flat }, origin);
            let at = origin + into;
            let count = writes.committed_before(at);
            prop_assert!(writes.committed_before(at + 1) >= count);
            if count > 0 {
                let last = writes.commit_time(count - 1, at).unwrap();
                prop_assert!(last < at && last >= origin);
                prop_assert!(writes.committed_before(last) < count);
                prop_assert!(writes.committed_before(last + 1) >= count);
            }
            if let Some(next) = writes.commit_time(count, at + HOUR) {
                prop_assert!(next >= at);
            }
        }
    }
}
