//! What does it cost a month?
//!
//! The work is counted from the machines: which states a run goes through, how often it looks at its tasks, what each look
//! reads and writes. Counts err on the long side and are held against simulated months by a test. Retries, free tiers and tiers
//! of volume are left out.

use serde::Serialize;

use super::fleet::{Fleet, Server};
use super::load::Work;
use super::promises::{POLL_SECONDS, TICK_SECONDS};
use super::storage::{Generation, Stored};
use crate::policy::Policy;
use crate::prices::{Item, Prices};
use crate::slots::{QUEUE_DEPTH, SLOTS};

/// Hours of a month: 8,760 of a year in twelve.
const MONTH_HOURS: u64 = 730;

/// State transitions of a run around its rounds: lease, region, plan, choices and release; twice, for the plan that is made
/// again behind the first. `instance.asl.json`.
const RUN_TRANSITIONS: u64 = 12;

/// Transitions of a round: look, dispatch, wait, poll, choose.
const ROUND_TRANSITIONS: u64 = 5;

/// Invocations of a run around its rounds, and of a round: three of its five states are functions.
const RUN_INVOCATIONS: u64 = 6;
const ROUND_INVOCATIONS: u64 = 3;

/// Transitions of a look for work, and of each instance that has some. `fleet.asl.json`.
const TICK_TRANSITIONS: u64 = 4;
const START_TRANSITIONS: u64 = 3;

/// Write units of a task: its record five times, its database, the catalogue's entry, the lease.
const TASK_WRITES: u64 = 12;

/// Write units of the record that holds a day's log files of one database at its fullest: 288 of 80 bytes, a kilobyte a unit.
const LOG_DAY_WRITES: u64 = 23;

/// Read units of an invocation beside the databases of its instance: lease, instance, policy, vault, open tasks.
const INVOCATION_READS: u64 = 12;

/// Seconds that an invocation is billed for, and gibibytes of its memory (256 MiB, `template.yaml`). Policy of ours: most wait
/// for the server.
const INVOCATION_SECONDS: f64 = 1.0;
const MEMORY_GB: f64 = 0.25;

/// Bytes of log that an invocation writes: the three lines of the platform and one of ours.
const INVOCATION_LOG_BYTES: f64 = 1_024.0;

/// Bytes of the records that a task leaves in the table.
const TASK_RECORD_BYTES: u64 = 2_048;

/// Bytes of the smallest part of an upload: 5 MB. "SQL Server backup to URL for S3-compatible object storage".
const PART_BYTES: u64 = 5_000_000;

const GIB: f64 = 1_073_741_824.0;

/// How often what happens in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activity {
    /// Fulls.
    pub fulls: u64,
    /// Differentials that come about.
    pub differentials: u64,
    /// Log copies.
    pub log_copies: u64,
    /// Executions of the machine `instance`.
    pub runs: u64,
    /// State transitions, those of the machine `fleet` included.
    pub transitions: u64,
    /// Invocations of functions.
    pub invocations: u64,
    /// Parts of uploads and requests that list.
    pub s3_requests: u64,
    /// Write units of the table.
    pub write_units: u64,
    /// Read units.
    pub read_units: u64,
    /// Requests of KMS.
    pub kms_requests: u64,
    /// Calls of Secrets Manager.
    pub secret_calls: u64,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Charge {
    /// Service, in AWS's own name.
    pub service: &'static str,
    /// For what, in words.
    pub what: String,
    /// US dollars a month.
    pub usd: f64,
}

/// Times in a month that something happens so many times in some weeks.
fn a_month(times: u64, weeks: u64) -> u64 {
    times.saturating_mul(MONTH_HOURS).div_ceil(weeks.max(1) * 7 * 24)
}

/// Rounds of one run whose tasks keep the slots busy for so many seconds: the wait is the longest one while the queue is full, and
/// half of it while its rest runs out.
fn rounds(busy: u64, databases: u64, longest: u64) -> u64 {
    let tail = busy.min(longest.saturating_mul(u64::from(QUEUE_DEPTH / SLOTS)));
    let full = if databases >= u64::from(QUEUE_DEPTH) { busy } else { 0 };
    full.div_ceil(POLL_SECONDS).saturating_add(tail.div_ceil(POLL_SECONDS / 2)).saturating_add(3)
}

/// What happens on one instance in a month.
pub(super) fn activity(policy: &Policy, server: &Server, work: &Work, encrypted: bool) -> Activity {
    let databases = work.databases;
    let fulls = a_month(work.fulls.saturating_mul(databases), super::calendar::WEEKS);
    let differentials = a_month(work.differentials.saturating_mul(databases), super::calendar::WEEKS);
    let sweeps = (MONTH_HOURS * 3_600).div_ceil(work.every.max(60));
    let log_copies = sweeps.saturating_mul(databases);
    let longest = work.longest_full().max(work.copy);
    let data_runs = a_month(work.fulls + work.differentials, super::calendar::WEEKS);
    // One run for what is due together; a healing full, or a backup that waited for a window, has its own.
    let runs = sweeps.saturating_add(data_runs.saturating_mul(2)).min(MONTH_HOURS * 3_600 / TICK_SECONDS);
    let data_seconds = work.slots().data_minutes.saturating_mul(60).div_ceil(u64::from(SLOTS));
    let data_busy = a_month(data_seconds, 1);
    let copy_rounds = sweeps.saturating_mul(rounds(work.sweep, databases, work.copy));
    let data_rounds = data_busy
        .div_ceil(POLL_SECONDS / 2)
        .saturating_add(data_runs.saturating_mul(rounds(longest, 1, longest)));
    let all_rounds = copy_rounds.saturating_add(data_rounds);
    let invocations =
        runs.saturating_mul(RUN_INVOCATIONS).saturating_add(all_rounds.saturating_mul(ROUND_INVOCATIONS));
    let transitions = runs
        .saturating_mul(RUN_TRANSITIONS + START_TRANSITIONS)
        .saturating_add(all_rounds.saturating_mul(ROUND_TRANSITIONS));
    let tasks = fulls.saturating_add(differentials).saturating_add(log_copies);
    let parts: u64 = server
        .databases
        .iter()
        .map(|group| {
            let full = group.stored(group.bytes_in(policy.objectives.window_days));
            let each = full.div_ceil(PART_BYTES).saturating_add(2);
            let data = fulls.saturating_add(differentials).div_ceil(databases.max(1));
            each.saturating_mul(u64::from(group.count)).saturating_mul(data)
        })
        .fold(0, u64::saturating_add);
    let files = work.service.log_file.map_or(sweeps, |file| (MONTH_HOURS * 3_600).div_ceil(file.max(1)));
    let log_files = files.saturating_mul(databases);
    let reads_each = INVOCATION_READS.saturating_add(databases.div_ceil(4));
    Activity {
        fulls,
        differentials,
        log_copies,
        runs,
        transitions,
        invocations,
        // A list or two of what a task left.
        s3_requests: parts.saturating_add(log_files).saturating_add(tasks.saturating_mul(2)),
        write_units: tasks
            .saturating_mul(TASK_WRITES)
            .saturating_add(log_copies.saturating_mul(LOG_DAY_WRITES))
            .saturating_add(invocations),
        read_units: invocations.saturating_mul(reads_each),
        kms_requests: if encrypted {
            fulls.saturating_add(differentials).saturating_add(log_files).saturating_add(runs)
        } else {
            0
        },
        secret_calls: all_rounds.saturating_mul(ROUND_INVOCATIONS).saturating_add(runs.saturating_mul(2)),
    }
}

/// What looking for work takes, whatever there is.
pub(super) fn ticks() -> Activity {
    let ticks = MONTH_HOURS * 3_600 / TICK_SECONDS;
    Activity {
        transitions: ticks * TICK_TRANSITIONS,
        invocations: ticks,
        read_units: ticks * INVOCATION_READS,
        ..Activity::default()
    }
}

impl Activity {
    /// Both together.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        let sum = |of: fn(&Self) -> u64| of(&self).saturating_add(of(&other));
        Self {
            fulls: sum(|a| a.fulls),
            differentials: sum(|a| a.differentials),
            log_copies: sum(|a| a.log_copies),
            runs: sum(|a| a.runs),
            transitions: sum(|a| a.transitions),
            invocations: sum(|a| a.invocations),
            s3_requests: sum(|a| a.s3_requests),
            write_units: sum(|a| a.write_units),
            read_units: sum(|a| a.read_units),
            kms_requests: sum(|a| a.kms_requests),
            secret_calls: sum(|a| a.secret_calls),
        }
    }
}

/// The bill of a month.
pub(super) fn charges(
    fleet: &Fleet,
    prices: &Prices,
    activity: &Activity,
    storage: &[Stored],
    encrypted: bool,
) -> Vec<Charge> {
    let usd = |item, units: u64| prices.of(item, units as f64);
    let bytes: u64 = storage.iter().map(|stored| stored.bytes).fold(0, u64::saturating_add);
    let gib = bytes as f64 / GIB;
    let invocations = activity.invocations as f64;
    let tasks = activity.fulls + activity.differentials + activity.log_copies;
    let log_days: u64 = storage
        .iter()
        .filter(|stored| stored.generation == Generation::Logs)
        .map(|stored| stored.backups.saturating_mul(80))
        .fold(0, u64::saturating_add);
    let table = tasks.saturating_mul(TASK_RECORD_BYTES).saturating_add(log_days) as f64 / GIB;
    let Fleet { network, cloudwatch, .. } = fleet;
    let zones = u64::from(network.interface_endpoints) * u64::from(network.availability_zones);
    let secrets = fleet.instances.len() as u64;
    let keys = u64::from(encrypted);
    let charge = |service, what: String, usd: f64| Charge { service, what, usd };
    vec![
        charge("S3", format!("{gib:.1} GB in the vault"), prices.of(Item::S3Standard, gib)),
        charge("S3", format!("{} requests", activity.s3_requests), usd(Item::S3Put, activity.s3_requests)),
        charge(
            "Step Functions",
            format!("{} state transitions", activity.transitions),
            usd(Item::Transition, activity.transitions),
        ),
        charge(
            "Lambda",
            format!("{} invocations of {INVOCATION_SECONDS} s at {MEMORY_GB} GB", activity.invocations),
            usd(Item::Invocation, activity.invocations)
                + prices.of(Item::LambdaGbSecond, invocations * INVOCATION_SECONDS * MEMORY_GB),
        ),
        charge(
            "DynamoDB",
            format!("{} writes, {} reads, {table:.2} GB", activity.write_units, activity.read_units),
            usd(Item::WriteUnit, activity.write_units)
                + usd(Item::ReadUnit, activity.read_units)
                + prices.of(Item::TableStorage, table),
        ),
        charge(
            "KMS",
            format!("{keys} keys, {} requests", activity.kms_requests),
            usd(Item::KmsKey, keys) + usd(Item::KmsRequest, activity.kms_requests),
        ),
        charge(
            "Secrets Manager",
            format!("{secrets} secrets, {} calls", activity.secret_calls),
            usd(Item::Secret, secrets) + usd(Item::SecretCall, activity.secret_calls),
        ),
        charge(
            "CloudWatch",
            format!(
                "{:.2} GB of logs, {} metrics, {} alarms",
                invocations * INVOCATION_LOG_BYTES / GIB,
                cloudwatch.metrics,
                cloudwatch.alarms
            ),
            prices.of(Item::LogIngestion, invocations * INVOCATION_LOG_BYTES / GIB)
                + usd(Item::Metric, u64::from(cloudwatch.metrics))
                + usd(Item::Alarm, u64::from(cloudwatch.alarms)),
        ),
        charge(
            "VPC endpoints",
            format!(
                "{} interface endpoints in {} zones",
                network.interface_endpoints, network.availability_zones
            ),
            usd(Item::EndpointHour, zones * MONTH_HOURS),
        ),
    ]
}

/// Whether the vault needs a key of its own.
pub(super) fn is_encrypted(policy: &Policy, fleet: &Fleet) -> bool {
    policy.storage.kms_key_arn.is_some() || fleet.instances.iter().any(|server| server.storage_encrypted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Name, Profile};

    #[test]
    fn a_part_is_as_large_as_the_documents_guarantee() {
        assert_eq!(Profile::Url.value(Name::PartBytes), Some(PART_BYTES));
    }

    #[test]
    fn a_month_has_four_weeks_and_a_third() {
        assert_eq!([a_month(16, 16), a_month(112, 16), a_month(0, 16)], [5, 31, 0]);
    }

    #[test]
    fn a_full_queue_is_looked_at_half_as_often() {
        // An hour of busy slots, tasks of five minutes: 30 looks while the queue is full, 10 while its rest runs out.
        assert_eq!(rounds(3_600, 18, 300), 30 + 10 + 3);
        assert_eq!(rounds(300, 1, 300), 5 + 3);
    }
}
