//! Which world of all that the sources allow is this one?
//!
//! A swarm runs one story over many of them. Each knob has a stream of its own, so that one more shifts no other, and the literal
//! below names all of them, so that a new one can't be forgotten. Ranges are those of the field notes.

use crate::{
    knobs::{Documents, FailoverFate, Knobs, MaintenanceRule, SnapshotBase, Span, Texts},
    stream::{Purpose, Stream},
};

/// Draws by the number of a knob. Numbers are part of every recorded run: never reuse or renumber one.
struct Draw(u64);

impl Draw {
    fn stream(&self, knob: u64) -> Stream {
        Stream::of(self.0, Purpose::Knobs, &[knob])
    }

    fn whole(&self, knob: u64, min: i64, max: i64) -> i64 {
        self.stream(knob).between(min, max)
    }

    fn span(&self, knob: u64, min: i64, max: i64) -> Span {
        let mut stream = self.stream(knob);
        let (one, other) = (stream.between(min, max), stream.between(min, max));
        Span::new(one.min(other), one.max(other))
    }

    fn flag(&self, knob: u64) -> bool {
        self.whole(knob, 0, 1) == 1
    }

    fn parts(&self, knob: u64, max: u32) -> u32 {
        u32::try_from(self.whole(knob, 0, i64::from(max))).unwrap_or(max)
    }

    fn of<T: Copy>(&self, knob: u64, first: T, others: &[T]) -> T {
        let place = self.whole(knob, 0, i64::try_from(others.len()).unwrap_or(0));
        let other = usize::try_from(place - 1).ok().and_then(|place| others.get(place));
        other.copied().unwrap_or(first)
    }
}

impl Knobs {
    /// The knobs of one world of a swarm: every one anywhere in its range, but the texts.
    pub fn drawn(seed: u64) -> Self {
        let draw = Draw(seed);
        Self {
            documents: draw.of(1, Documents::Newest, &[Documents::Of2019, Documents::Of2023]),
            created_seconds: draw.span(2, 0, 300),
            handover_seconds: draw.whole(3, 0, 60),
            setup_seconds: draw.span(4, 1, 120),
            speed_percent: draw.span(5, 50, 150),
            refresh_seconds: draw.whole(6, 60, 180),
            task_times_local: draw.flag(7),
            task_history_days: 36,
            automated_backup_seconds: draw.span(8, 60, 7_200),
            automated_backup_skip_ppm: draw.parts(9, 200_000),
            automated_backup_blocks_start: draw.flag(10),
            aborted_is_cancelled: draw.flag(11),
            abandoned_upload_ppm: draw.parts(12, 1_000_000),
            maintenance: draw.of(
                13,
                MaintenanceRule::FailsAtRun,
                &[MaintenanceRule::RefusedAtCall, MaintenanceRule::Ignored],
            ),
            maintenance_aborts_running: draw.flag(14),
            region_refused_at_call: draw.flag(15),
            copy_excludes_backup: draw.flag(16),
            snapshot_base: draw.of(17, SnapshotBase::Moves, &[SnapshotBase::Leaves, SnapshotBase::Clears]),
            differential_on_snapshot_fails: draw.flag(18),
            multi_az_refuses_chains: draw.flag(19),
            failover_fate: draw.of(20, FailoverFate::Error, &[FailoverFate::Restart, FailoverFate::Frozen]),
            failover_seconds: draw.span(21, 60, 120),
            failover_starts_fork: draw.flag(22),
            recovery_reset_seconds: draw.span(23, 1, 300),
            cancel_seconds: draw.span(24, 1, 120),
            copy_file_ms: draw.span(25, 10, 2_000),
            log_list_days: 7,
            log_file_overhead_bytes: draw.whole(26, 512, 65_536).unsigned_abs(),
            log_key_guid_upper: draw.flag(27),
            stripe_underscore: draw.flag(28),
            crossing_log_joins_last_fork: draw.flag(29),
            compressed_percent: draw.whole(30, 10, 100).unsigned_abs(),
            long_transaction_ppm: draw.parts(31, 1_000_000),
            whole_seconds: draw.flag(32),
            database_limit_at_call: draw.flag(33),
            storage_look_seconds: draw.whole(34, 60, 900),
            texts: Texts::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_world_and_all_values_occur() {
        assert_eq!(Knobs::drawn(7), Knobs::drawn(7));
        assert_ne!(Knobs::drawn(7), Knobs::drawn(8));
        let drawn: Vec<Knobs> = (0..200).map(Knobs::drawn).collect();
        let spans = |knobs: &Knobs| {
            [
                (knobs.created_seconds, 0, 300),
                (knobs.setup_seconds, 1, 120),
                (knobs.speed_percent, 50, 150),
                (knobs.automated_backup_seconds, 60, 7_200),
                (knobs.failover_seconds, 60, 120),
                (knobs.recovery_reset_seconds, 1, 300),
                (knobs.cancel_seconds, 1, 120),
                (knobs.copy_file_ms, 10, 2_000),
            ]
        };
        for (span, min, max) in drawn.iter().flat_map(spans) {
            assert!(min <= span.min && span.min <= span.max && span.max <= max, "{span:?} in {min} to {max}");
        }
        for wanted in [Documents::Of2019, Documents::Of2023, Documents::Newest] {
            assert!(drawn.iter().any(|knobs| knobs.documents == wanted), "{wanted:?}");
        }
        for wanted in [FailoverFate::Error, FailoverFate::Restart, FailoverFate::Frozen] {
            assert!(drawn.iter().any(|knobs| knobs.failover_fate == wanted), "{wanted:?}");
        }
        for wanted in [SnapshotBase::Moves, SnapshotBase::Leaves, SnapshotBase::Clears] {
            assert!(drawn.iter().any(|knobs| knobs.snapshot_base == wanted), "{wanted:?}");
        }
        let flags = |knobs: &Knobs| [knobs.whole_seconds, knobs.task_times_local, knobs.stripe_underscore];
        assert!(drawn.iter().map(flags).any(|flags| flags == [true, false, true]), "apart from each other");
    }
}
