//! A plan for people: what it comes to, its steps, the T-SQL, warnings; or the refusal with what is nearest.

use std::io::{self, Write};

use domain::history::Lineage;
use domain::restore::{Action, Plan, Refusal, Step};
use jiff::Timestamp;

/// Steps of one table: a restore of five-minute logs has thousands; `--json` has them all.
const STEPS_MAX: usize = 40;

const fn words(action: Action) -> &'static str {
    match action {
        Action::RestoreFull => "restore full",
        Action::RestoreDifferential => "restore differential",
        Action::RestoreLog => "restore log",
        Action::Recover => "recover",
    }
}

/// Prints a plan.
pub(super) fn plan(plan: &Plan, tsql: &[String], lineage: &Lineage, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Database {}  (lineage {})", plan.database, plan.lineage)?;
    let restores = plan.steps.iter().filter(|step| step.action != Action::Recover).count();
    let noun = if restores == 1 { "backup" } else { "backups" };
    writeln!(out, "Recovers to {} with {restores} {noun}\n", plan.recovers_to)?;
    writeln!(out, "Steps")?;
    let hidden = plan.steps.len().saturating_sub(STEPS_MAX);
    // The beginning and the end say most.
    let head = if hidden > 0 { STEPS_MAX / 2 } else { plan.steps.len() };
    for (number, step) in plan.steps.iter().enumerate() {
        if number == head && hidden > 0 {
            writeln!(out, "        ... {hidden} more, in order; --json has them all")?;
        }
        if number < head || number >= head + hidden {
            print_step(number + 1, step, lineage, out)?;
        }
    }
    writeln!(out, "\nT-SQL")?;
    for statement in tsql {
        writeln!(out, "  {statement}")?;
    }
    warned(&plan.warnings, out)
}

fn warned(warnings: &[String], out: &mut dyn Write) -> io::Result<()> {
    if !warnings.is_empty() {
        writeln!(out, "\nWarnings")?;
    }
    for warning in warnings {
        writeln!(out, "  - {warning}")?;
    }
    Ok(())
}

fn print_step(number: usize, step: &Step, lineage: &Lineage, out: &mut dyn Write) -> io::Result<()> {
    let backup = step.backup.as_ref().and_then(|id| lineage.find(id.as_str())).map(|(_, backup)| backup);
    write!(out, "  {number:>4}  ")?;
    match backup {
        None => write!(out, "{}", words(step.action))?,
        Some(backup) => {
            write!(out, "{:<20}  {}  finished {}", words(step.action), backup.id, backup.finished)?;
        }
    }
    if let Some(stop) = step.stop_at {
        write!(out, "  stop at {stop}")?;
    }
    if let Some(lsn) = step.stop_before_lsn {
        write!(out, "  stop before LSN {lsn}")?;
    }
    writeln!(out)
}

/// Prints a refusal, and what was odd about the file: that may be why.
pub(super) fn refusal(refusal: &Refusal, warnings: &[String], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Refused: {}", refusal.reason)?;
    let near = |at: Option<Timestamp>| at.map_or_else(|| "none".to_owned(), |at| at.to_string());
    writeln!(out, "  nearest before: {}", near(refusal.nearest_before))?;
    writeln!(out, "  nearest after:  {}", near(refusal.nearest_after))?;
    if !refusal.reason.guidance.is_empty() {
        writeln!(out, "  what to do:     {}", refusal.reason.guidance)?;
    }
    warned(warnings, out)
}
