//! What stands against a policy on an instance? A bound that breaks a promise, a backup that cannot be carried out.

use super::Reckoned;
use super::fleet::Server;
use super::promises::Restore;
use crate::limits::{Name, Profile};
use crate::policy::{Finding, Policy, Weight};
use crate::reason::{Class, Reason};
use crate::stripes::Chosen;

fn finding(
    weight: Weight,
    field: &'static str,
    name: &'static str,
    message: String,
    guidance: &'static str,
) -> Finding {
    Finding { weight, field, reason: Reason::new(Class::Human, name, message).guidance(guidance) }
}

/// Everything, the gravest first.
pub(super) fn all(
    policy: &Policy,
    profile: Profile,
    server: &Server,
    reckoned: &Reckoned,
    layouts: &[(String, Result<Chosen, Reason>)],
) -> Vec<Finding> {
    let mut found = policy.findings(profile, Some(&server.facts()));
    // The bound on the loss says more than the interval alone.
    found.retain(|finding| finding.reason.name != "RpoUnreachable");
    found.extend(of_server(profile, server));
    found.extend(slots(reckoned));
    found.extend(losses(policy, reckoned));
    found.extend(reckoned.restore.as_ref().and_then(restore));
    for (database, chosen) in layouts {
        let said = |weight, reason: &Reason| {
            let mut reason = reason.clone();
            reason.message = format!("{database}: {}", reason.message);
            Finding { weight, field: "storage.stripes", reason }
        };
        match chosen {
            Ok(chosen) => found.extend(chosen.notes.iter().map(|note| said(Weight::Advice, note))),
            Err(reason) => found.push(said(Weight::Refused, reason)),
        }
    }
    found.sort_by_key(|finding| finding.weight);
    found
}

fn of_server(profile: Profile, server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    if profile.is_rds() && server.retention_days == 0 {
        found.push(finding(
            Weight::Refused,
            "instance.retention_days",
            "NoLogFiles",
            "without automated backups RDS sets SIMPLE recovery and makes no log files".to_owned(),
            "keep automated backups for one day at least",
        ));
    }
    if let Some(limit) = profile.value(Name::DatabasesPerInstance).filter(|limit| server.count() > *limit) {
        found.push(finding(
            Weight::Refused,
            "instance.database",
            "TooManyDatabases",
            format!("{} databases, an instance has {limit} at most", server.count()),
            "spread the databases over more instances",
        ));
    }
    if let Some(limit) = profile.value(Name::RestoreBytes) {
        let large = server.databases.iter().find(|group| group.bytes_in(0) > limit);
        found.extend(large.map(|group| {
            finding(
                Weight::Unkept,
                "instance.database",
                "RestoreTooLarge",
                format!(
                    "{} has {} bytes, a native restore takes {limit} at most",
                    group.name,
                    group.bytes_in(0)
                ),
                "split the database, or protect it by snapshots of the instance",
            )
        }));
    }
    found
}

fn slots(reckoned: &Reckoned) -> Vec<Finding> {
    let slots = reckoned.work.slots();
    let mut found = Vec::new();
    let needed = slots.data_minutes.saturating_add(slots.copy_minutes);
    if needed > slots.available_minutes {
        let message = format!(
            "{} slot hours a week are needed, {} for data and {} for log copies; there are {}",
            hours(needed),
            hours(slots.data_minutes),
            hours(slots.copy_minutes),
            hours(slots.available_minutes)
        );
        let guidance = "copy logs less often, take fewer fulls, or spread the databases over more instances";
        found.push(finding(Weight::Unkept, "schedule", "SlotsTooFew", message, guidance));
    }
    if slots.data_minutes > slots.data_available_minutes {
        let message = format!(
            "backups of data need {} slot hours a week, windows and guards leave {}",
            hours(slots.data_minutes),
            hours(slots.data_available_minutes)
        );
        let guidance = "take fewer fulls, shorten the guards, or spread the databases over more instances";
        found.push(finding(Weight::Unkept, "schedule.full", "OpenHoursTooFew", message, guidance));
    }
    if let Some(open) = slots.longest_open_minutes.filter(|open| slots.longest_full_minutes > *open) {
        let message = format!(
            "the longest full takes {} at worst, the longest time between two windows or guards is {}",
            clock(slots.longest_full_minutes),
            clock(open)
        );
        let guidance = "move the maintenance window beside the backup window, shorten the guards, or take a larger instance";
        found.push(finding(Weight::Refused, "schedule.full", "FullLongerThanGap", message, guidance));
    }
    found
}

fn losses(policy: &Policy, reckoned: &Reckoned) -> Vec<Finding> {
    let promised = policy.objectives.rpo_minutes;
    let losses = reckoned.losses;
    let sweep = reckoned.work.sweep.div_ceil(60);
    [
        ("objectives.rpo_minutes.damage", "damage", losses.damage_minutes, promised.damage),
        ("objectives.rpo_minutes.instance", "the loss of the instance", losses.instance_minutes, promised.instance),
    ]
    .into_iter()
    .filter(|(.., bound, promised)| *bound > u64::from(*promised))
    .map(|(field, loss, bound, promised)| {
        let message = format!(
            "{loss} may cost {bound} minutes, {promised} are promised: copies every {}, a sweep of {} databases takes {sweep}",
            reckoned.work.every / 60,
            reckoned.work.databases
        );
        let guidance = "copy logs at another interval, spread the databases over more instances, or promise less";
        finding(Weight::Unkept, field, "RpoMissed", message, guidance)
    })
    .collect()
}

fn restore(restore: &Restore) -> Option<Finding> {
    let promised = u64::from(restore.promised_minutes?);
    if restore.most_minutes <= promised {
        return None;
    }
    let verb = if restore.least_minutes > promised { "takes" } else { "may take" };
    let message = format!(
        "a restore of {} {verb} {}, {} are promised: {} steps, each of which may wait to be picked up",
        restore.database,
        clock(restore.most_minutes),
        clock(promised),
        restore.step_count
    );
    let guidance = "take fulls every day, or promise more";
    Some(finding(Weight::Unkept, "objectives.rto_minutes", "RtoMissed", message, guidance))
}

/// Hours of minutes, in tenths.
pub(super) fn hours(minutes: u64) -> String {
    let tenths = minutes.div_ceil(6);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `hours:minutes`, with the unit.
pub(super) fn clock(minutes: u64) -> String {
    format!("{}:{:02} hours", minutes / 60, minutes % 60)
}
