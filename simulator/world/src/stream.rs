//! Where does chance come from?
//!
//! From named streams: each is a pure function of the world's seed, a purpose and keys, so a draw added in one place
//! shifts nothing elsewhere. The generator is splitmix64 (Steele, Lea, Flood 2014), 64 bits of state: enough for a model,
//! nothing for secrets. It refuses to know what its numbers are used for.

use crate::{
    guid::Guid,
    knobs::Span,
    time::{Ms, SECOND},
};

/// What a stream is for. The numbers are part of every recorded run: never reuse or renumber one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Writes of a database, keyed by its branch.
    Writes = 1,
    /// Value a transaction writes.
    Value = 2,
    /// Identifiers: database, family, fork, backup set, media.
    Guid = 3,
    /// When the automated backup fires in its window, and how long it takes.
    AutomatedBackup = 4,
    /// How long a task stays CREATED.
    TaskDelay = 5,
    /// How long a task runs, and the gaps between the lines of its `task_info`.
    TaskRun = 6,
    /// Checkpoint slot and log consumed by a backup.
    BackupLog = 7,
    /// Offset of the five-minute log backup.
    LogOffset = 8,
    /// Version identifiers and `ETag`s of S3.
    S3 = 9,
    /// How long a failover takes.
    Failover = 10,
    /// How long a cancel takes.
    Cancel = 11,
    /// What an abort leaves behind.
    Abort = 12,
    /// Knobs of a swarm, keyed by knob.
    Knobs = 20,
    /// Certificates of an instance, and the passwords of their private keys.
    Certificate = 13,
}

/// Finaliser of splitmix64: a bijection that scatters its input.
pub(crate) const fn scatter(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One number from a seed, a purpose and keys.
pub(crate) fn draw(seed: u64, purpose: Purpose, keys: &[u64]) -> u64 {
    keys.iter().fold(scatter(seed ^ scatter(purpose as u64)), |state, key| scatter(state ^ scatter(*key)))
}

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of this purpose and these keys.
    pub(crate) fn of(seed: u64, purpose: Purpose, keys: &[u64]) -> Self {
        Self { state: draw(seed, purpose, keys) }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        let out = scatter(self.state);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        out
    }

    /// A number from `min` to `max`, both included; `min` when the range is empty.
    pub(crate) fn between(&mut self, min: i64, max: i64) -> i64 {
        let out = self.next();
        if max <= min {
            return min;
        }
        let width = u64::try_from(max - min).unwrap_or(0).saturating_add(1);
        min + i64::try_from(out % width).unwrap_or(0)
    }

    /// A length of time from a range of seconds.
    pub(crate) fn seconds(&mut self, span: Span) -> Ms {
        self.between(span.min * SECOND, span.max * SECOND)
    }

    /// True so many times in a million.
    pub(crate) fn chance_ppm(&mut self, ppm: u32) -> bool {
        self.next() % 1_000_000 < u64::from(ppm)
    }

    /// An identifier of version 4.
    pub(crate) fn guid(&mut self) -> Guid {
        let (high, low) = (self.next().to_be_bytes(), self.next().to_be_bytes());
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high);
        bytes[8..].copy_from_slice(&low);
        bytes[6] = 0x40 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Guid(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_apart() {
        let first = |purpose, key| Stream::of(7, purpose, &[key]).next();
        assert_eq!(first(Purpose::Guid, 1), first(Purpose::Guid, 1));
        assert_ne!(first(Purpose::Guid, 1), first(Purpose::Guid, 2));
        assert_ne!(first(Purpose::Guid, 1), first(Purpose::S3, 1));
    }

    #[test]
    fn ranges_are_inclusive() {
        let mut stream = Stream::of(1, Purpose::TaskDelay, &[]);
        let seen: Vec<i64> = (0..200).map(|_| stream.between(3, 5)).collect();
        assert!(
            [3, 4, 5].iter().all(|wanted| seen.contains(wanted))
                && seen.iter().all(|got| (3..=5).contains(got))
        );
        assert_eq!(stream.between(9, 2), 9);
    }
}
