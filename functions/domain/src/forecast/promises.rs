//! What is lost at worst, and how long does a restore take at worst?

use jiff::SignedDuration;
use serde::Serialize;

use super::calendar::Calendar;
use super::fleet::{Group, Server};
use super::load::Work;
use crate::policy::Policy;
use crate::restore_time::Steps;
use crate::slots::QUEUE_DEPTH;

/// Seconds until the schedule of the machine `fleet` looks for work again: it starts every five minutes.
pub const TICK_SECONDS: u64 = 300;

/// Seconds until a run looks at its tasks again at most: the longest wait of the machine `instance`.
pub const POLL_SECONDS: u64 = 120;

/// Minutes that are lost at worst, by the kind of loss, in steady state and while nothing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Losses {
    /// Data is damaged, the instance lives.
    pub damage_minutes: u64,
    /// The database is dropped: RDS drops its log files with it.
    pub drop_minutes: u64,
    /// The instance is lost.
    pub instance_minutes: u64,
}

/// Seconds beyond the interval of the copies after which the newest log is in the vault at worst.
pub(super) fn delay(work: &Work) -> u64 {
    let file = work.service.log_file.unwrap_or(0);
    let waits = work.behind_data(u64::from(QUEUE_DEPTH));
    file + TICK_SECONDS + POLL_SECONDS + waits.saturating_add(work.sweep)
}

pub(super) fn losses(work: &Work) -> Losses {
    // Sweeps that take longer than their interval follow each other.
    let vault = work.every.max(work.sweep).saturating_add(delay(work)).div_ceil(60);
    Losses {
        damage_minutes: work.service.log_file.map_or(vault, |file| file.div_ceil(60)),
        drop_minutes: vault,
        instance_minutes: vault,
    }
}

/// The restore that takes longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restore {
    /// A database, or what several are called together.
    pub database: String,
    /// What it applies.
    pub steps: Steps,
    /// Statements or native tasks.
    pub step_count: u32,
    /// When every step is picked up at once.
    pub least_minutes: u64,
    /// When every step waits as long as the service lets it.
    pub most_minutes: u64,
    /// As the policy promises, if it does.
    pub promised_minutes: Option<u32>,
}

/// The worst moment lies just before a data backup ends: there the most logs follow the one before.
pub(super) fn restore(policy: &Policy, server: &Server, work: &Work, calendar: &Calendar) -> Option<Restore> {
    let done = SignedDuration::from_secs(i64::try_from(work.fulls_done()).unwrap_or(i64::MAX / 4));
    let gaps = calendar.backups.array_windows().map(|[one, next]| {
        // A differential may be as late as a full.
        let after_full = one.after_full.map(|after| after.saturating_add(done));
        (after_full, next.at.duration_since(one.at).saturating_add(done))
    });
    let gaps: Vec<(Option<SignedDuration>, SignedDuration)> = gaps.collect();
    let worst = |group: &Group| {
        gaps.iter()
            .map(|gap| of(policy, server, work, group, *gap))
            .max_by_key(|restore| restore.most_minutes)
    };
    server.databases.iter().filter_map(worst).max_by_key(|restore| restore.most_minutes)
}

fn of(
    policy: &Policy,
    server: &Server,
    work: &Work,
    group: &Group,
    (after_full, gap): (Option<SignedDuration>, SignedDuration),
) -> Restore {
    let full_bytes = group.bytes_in(policy.objectives.window_days);
    let seconds = gap.as_secs().unsigned_abs();
    let changed = |time: SignedDuration| group.log_bytes(time.as_secs_f64() / 3_600.0);
    let steps = Steps {
        full_bytes,
        differential_bytes: after_full.map(|after| changed(after).min(full_bytes)),
        // One more: the file that the full ends in.
        logs: u32::try_from(seconds / work.service.log_file.unwrap_or(work.every).max(1) + 1)
            .unwrap_or(u32::MAX),
        log_bytes: changed(gap),
    };
    let time = steps.time(server.restore_bytes_per_second());
    let minutes = |time: SignedDuration| time.as_secs().unsigned_abs().div_ceil(60);
    let most = if work.service.is_rds { time.most } else { time.least };
    Restore {
        database: group.name.clone(),
        steps,
        step_count: steps.count(),
        least_minutes: minutes(time.least),
        most_minutes: minutes(most),
        promised_minutes: policy.objectives.rto_minutes,
    }
}
