//! What Azure Backup for SQL Server in Azure VMs lets a policy say: its rules, for vaults of that profile.
//!
//! Sources: "Back up multiple SQL Server VMs from the Recovery Services vault" (2023-05), "Azure Backup architecture", and the
//! policy's documented values; numbers are rows of `limits`.

use super::findings::Findings;
use super::{Policy, Retention};
use crate::limits::{Name, Profile};

/// Minutes between two log backups that a policy can choose from.
const LOG_MINUTES: [u32; 8] = [15, 30, 60, 120, 240, 480, 720, 1_440];

/// Days for which the longest-lived fulls are kept at least, months and years counted short.
pub(super) fn fulls_days(policy: &Policy) -> u32 {
    let Retention { daily, weekly, monthly, yearly, .. } = policy.retention;
    let days = [
        daily.map(|daily| daily.keep),
        weekly.map(|weekly| weekly.keep.saturating_mul(7)),
        monthly.map(|monthly| monthly.keep.saturating_mul(28)),
        yearly.map(|yearly| yearly.keep.saturating_mul(365)),
    ];
    days.into_iter().flatten().max().unwrap_or(0).max(policy.objectives.window_days)
}

pub(super) fn find(policy: &Policy, found: &mut Findings) {
    let limit =
        |name| Profile::AzureVm.value(name).and_then(|value| u32::try_from(value).ok()).unwrap_or(u32::MAX);
    let full = &policy.schedule.full;
    let weekly = full.month_days.is_empty() && full.days.len() == 1;
    if !weekly && !full.are_daily() {
        let message = "fulls are daily or on one day of the week".to_owned();
        found.refuse("schedule.full", "FullDailyOrWeekly", message);
    }
    if policy.schedule.differential.is_some() && !weekly {
        let message = "differentials need weekly fulls".to_owned();
        found.refuse("schedule.differential", "DifferentialNeedsWeeklyFull", message);
    }
    let every = policy.schedule.log_copy.every_minutes;
    if !LOG_MINUTES.contains(&every) {
        let least = limit(Name::LogMinutesMin);
        let message = format!("{every} is none of {LOG_MINUTES:?}, at least {least} minutes apart");
        found.refuse("schedule.log_copy.every_minutes", "LogIntervalNotOffered", message);
    }
    let Retention { daily, differential_days, on_demand_days, .. } = policy.retention;
    let window = policy.objectives.window_days;
    let least = limit(Name::RetentionDaysMin);
    for (field, days) in [
        ("objectives.window_days", Some(window)),
        ("retention.daily.keep", daily.map(|daily| daily.keep)),
        ("retention.differential_days", differential_days),
    ] {
        if let Some(days) = days.filter(|days| *days < least) {
            found.refuse(field, "RetentionTooShort", format!("{days} days, at least {least} are kept"));
        }
    }
    if window > limit(Name::LogDays) {
        let message = format!("logs for {window} days, at most {} are kept", limit(Name::LogDays));
        found.refuse("objectives.window_days", "LogsKeptTooLong", message);
    }
    if on_demand_days < limit(Name::OnDemandDaysMin) {
        let message = format!(
            "{on_demand_days} days, an on-demand full is kept for {} at least",
            limit(Name::OnDemandDaysMin)
        );
        found.refuse("retention.on_demand_days", "RetentionTooShort", message);
    }
    if let Some(days) = differential_days {
        let (most, fulls) = (limit(Name::DifferentialDays), fulls_days(policy));
        if days > most || days > fulls {
            let message = format!(
                "differentials for {days} days, at most {most} and not longer than their fulls ({fulls})"
            );
            found.refuse("retention.differential_days", "DifferentialsKeptTooLong", message);
        }
    }
}
