//! The forecast as tables.

use std::io::{self, Write};

use domain::forecast::{Forecast, OfInstance, Restore, Slots, Stored};
use domain::policy::{Policy, Weight};

use crate::output::{ROWS_MAX, rest};

/// Characters of a bar.
const BAR: usize = 32;

pub(super) fn print(forecast: &Forecast, policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let databases: u64 = forecast.instances.iter().map(|instance| instance.databases).sum();
    let verdict = if forecast.feasible { "feasible" } else { "infeasible" };
    let instances = forecast.instances.len();
    writeln!(out, "{}: {verdict} on {instances} instances with {databases} databases", forecast.policy)?;
    writeln!(out, "Bounds: what is reached lies below them while nothing fails.")?;
    for instance in forecast.instances.iter().take(ROWS_MAX) {
        writeln!(out)?;
        of_instance(instance, policy, out)?;
    }
    rest(instances, out)?;
    writeln!(out)?;
    storage(forecast, out)?;
    writeln!(out)?;
    cost(forecast, out)
}

fn of_instance(instance: &OfInstance, policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let verdict = if instance.feasible { "feasible" } else { "infeasible" };
    writeln!(out, "{}: {} databases, {verdict}", instance.name, instance.databases)?;
    slots(&instance.slots, out)?;
    let promised = policy.objectives.rpo_minutes;
    let losses = instance.losses;
    writeln!(out, "  RPO, minutes                promised    bound")?;
    for (loss, promised, bound) in [
        ("damage", promised.damage, losses.damage_minutes),
        ("drop of the database", promised.instance, losses.drop_minutes),
        ("loss of the instance", promised.instance, losses.instance_minutes),
    ] {
        writeln!(out, "    {loss:<24}{promised:>10}{bound:>9}{}", missed(bound > u64::from(promised)))?;
    }
    if let Some(restore) = &instance.restore {
        of_restore(restore, out)?;
    }
    for of_group in
        instance.layouts.iter().filter(|group| group.layout.is_some_and(|layout| layout.files > 1))
    {
        let files = of_group.layout.map_or(0, |layout| layout.files);
        writeln!(out, "  Files of a full of {}: {files}", of_group.database)?;
    }
    for finding in instance.findings.iter().take(ROWS_MAX) {
        let mark = if finding.weight == Weight::Advice { "-" } else { "!" };
        writeln!(out, "  {mark} {}: {}", finding.reason.name, finding.reason.message)?;
        if !finding.reason.guidance.is_empty() {
            writeln!(out, "      {}", finding.reason.guidance)?;
        }
    }
    rest(instance.findings.len(), out)?;
    for proposal in &instance.proposals {
        writeln!(out, "  > {}: {}", proposal.field, proposal.value)?;
        writeln!(out, "      {}", proposal.reason.message)?;
    }
    Ok(())
}

fn slots(slots: &Slots, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  Slots, hours a week           needed     open")?;
    for (what, needed, available) in [
        ("fulls and differentials", slots.data_minutes, slots.data_available_minutes),
        ("and log copies", slots.data_minutes.saturating_add(slots.copy_minutes), slots.available_minutes),
    ] {
        let mark = missed(needed > available);
        writeln!(
            out,
            "    {what:<24}{:>10}{:>9}  {}{mark}",
            tenths(needed),
            tenths(available),
            bar(needed, available)
        )?;
    }
    let open = slots.longest_open_minutes.map_or("no window".to_owned(), clock);
    writeln!(
        out,
        "  Longest full {}, longest time between windows {open}, a sweep of log copies {}",
        clock(slots.longest_full_minutes),
        clock(slots.sweep_minutes)
    )
}

fn of_restore(restore: &Restore, out: &mut dyn Write) -> io::Result<()> {
    let differential = if restore.steps.differential_bytes.is_some() { " + 1 differential" } else { "" };
    writeln!(
        out,
        "  RTO of {}: 1 full{differential} + {} logs + recovery",
        restore.database, restore.steps.logs
    )?;
    let promised = restore.promised_minutes.map_or("no RTO is promised".to_owned(), |promised| {
        format!(
            "{} are promised{}",
            clock(u64::from(promised)),
            missed(restore.most_minutes > u64::from(promised))
        )
    });
    writeln!(
        out,
        "    {} steps take {} to {} hours; {promised}",
        restore.step_count,
        clock(restore.least_minutes),
        clock(restore.most_minutes)
    )
}

fn storage(forecast: &Forecast, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "In the vault, once every generation is full    backups        size")?;
    let most = forecast.storage.iter().map(|stored| stored.bytes).max().unwrap_or(0);
    for Stored { generation, backups, bytes } in forecast.storage.iter().filter(|stored| stored.backups > 0) {
        let name = serde_json::to_value(generation).ok();
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
        writeln!(out, "  {name:<40}{backups:>12}{:>12}  {}", size(*bytes), bar(*bytes, most))?;
    }
    writeln!(out, "  {:<52}{:>12}", "all", size(forecast.storage_bytes))?;
    writeln!(out, "  {:<52}{:>12}", "and more each month behind that", size(forecast.growth_bytes_a_month))
}

fn cost(forecast: &Forecast, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<66}{:>12}", "A month costs", "USD")?;
    for charge in &forecast.cost {
        writeln!(out, "  {:<16} {:<47}{:>12.2}", charge.service, charge.what, charge.usd)?;
    }
    writeln!(out, "  {:<64}{:>12.2}", "all", forecast.cost_usd)?;
    let region = forecast.prices.first().map_or("", |price| price.region);
    let date = forecast.prices.first().map_or("", |price| price.date);
    writeln!(out, "  prices of {region}, {date}, without free tiers; a fleet overrides them under [prices]")
}

const fn missed(missed: bool) -> &'static str {
    if missed { "  missed" } else { "" }
}

/// A bar of what is needed of what there is; full where it is more.
fn bar(needed: u64, available: u64) -> String {
    let cells = u128::from(needed) * BAR as u128;
    let filled = usize::try_from(cells.div_ceil(u128::from(available.max(1)))).unwrap_or(BAR).min(BAR);
    "\u{2588}".repeat(filled) + &"\u{b7}".repeat(BAR - filled)
}

fn clock(minutes: u64) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// Hours of minutes, in tenths.
fn tenths(minutes: u64) -> String {
    let tenths = minutes.div_ceil(6);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Bytes in the unit that leaves one to four digits before the point.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64 / f64::from(1 << 20);
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
