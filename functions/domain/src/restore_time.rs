//! How long does a restore take? A range: every step is one native task, and no source says how long it waits.
//!
//! RDS restores a full, a differential and every single log file by a call of its own (`rds_restore_database`,
//! `rds_restore_log`), and recovers by one more (`rds_finish_restore`), one after the other, and each waits in CREATED for up to five minutes before it moves a byte. So the
//! logs between two data backups decide: a day of five-minute files is 288 steps.

use jiff::SignedDuration;
use serde::Serialize;

use crate::slots::CREATED_DELAY_MAX;

/// Time between two log files of the service. RDS user guide, "Access to transaction log backups", read 2026-11.
pub const LOG_FILE_SPAN: SignedDuration = SignedDuration::from_mins(5);

/// What one restore applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Steps {
    /// Bytes of the full.
    pub full_bytes: u64,
    /// Bytes of the differential, where there is one.
    pub differential_bytes: Option<u64>,
    /// Log files that hold a record.
    pub logs: u32,
    /// Bytes of them together.
    pub log_bytes: u64,
}

/// The shortest and the longest that a restore can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// Every step is picked up at once: the bytes alone.
    pub least: SignedDuration,
    /// Every step waits as long as the service may let it.
    pub most: SignedDuration,
}

impl Steps {
    /// Native tasks: one for each backup, and one that recovers.
    pub const fn count(&self) -> u32 {
        self.logs.saturating_add(2).saturating_add(self.differential_bytes.is_some() as u32)
    }

    /// Bytes of all steps.
    pub fn bytes(&self) -> u64 {
        let data = self.full_bytes.saturating_add(self.differential_bytes.unwrap_or(0));
        data.saturating_add(self.log_bytes)
    }

    /// How long the steps take at a speed: as far as it is known, the speed of backups.
    pub fn time(&self, bytes_per_second: u64) -> Range {
        let seconds = self.bytes().div_ceil(bytes_per_second.max(1));
        let least = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2));
        let waits = CREATED_DELAY_MAX.as_secs().saturating_mul(i64::from(self.count()));
        Range { least, most: least.saturating_add(SignedDuration::from_secs(waits)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_counted_by_the_step_and_the_bytes_by_the_speed() {
        for (differential, logs, steps, least, most) in [
            (None, 0, 2, 10, 10 + 600),
            (Some(50), 0, 3, 15, 15 + 900),
            (None, 288, 290, 10, 10 + 290 * 300),
            (Some(50), 1_740, 1_743, 15, 15 + 1_743 * 300),
        ] {
            let all = Steps { full_bytes: 100, differential_bytes: differential, logs, log_bytes: 0 };
            let time = all.time(10);
            assert_eq!((all.count(), time.least.as_secs(), time.most.as_secs()), (steps, least, most));
        }
        let endless =
            Steps { full_bytes: u64::MAX, differential_bytes: Some(1), logs: u32::MAX, log_bytes: 1 };
        assert!(endless.time(0).most > endless.time(0).least, "no overflow");
    }
}
