//! A proposal for people: bars before and after, what stays for what, what may go, and the proof in words.

use std::io::{self, Write};

use domain::coverage::Window;
use domain::policy::Policy;
use domain::reason::Reason;
use domain::retention::{DatabaseProof, Kept, Proposal, Removed};
use jiff::Timestamp;

use crate::bar;
use crate::output::{ROWS_MAX, rest};

/// Prints why nothing may go.
pub(super) fn refusal(refused: &Reason, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Refused: {refused}")?;
    if refused.guidance.is_empty() { Ok(()) } else { writeln!(out, "  Next: {}", refused.guidance) }
}

/// Prints a proposal, lineage by lineage.
pub(super) fn proposal(proposal: &Proposal, policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let Proposal { keep, remove, window_before, window_after, proof, warnings } = proposal;
    let days = policy.objectives.window_days;
    writeln!(
        out,
        "What may go by policy {}, as of {}: a window of {days} days is promised",
        policy.name, proof.now
    )?;
    if proof.databases.is_empty() {
        writeln!(out, "\nThe history holds no backups.")?;
    }
    // Rows of all lineages stand in one list; a lineage has as many as its proof says, in order.
    let mut keep = keep.as_slice();
    let windows = window_before.iter().zip(window_after);
    for (proof, (before, after)) in proof.databases.iter().zip(windows) {
        let (of_this, rest) =
            keep.split_at(usize::try_from(proof.kept).unwrap_or(keep.len()).min(keep.len()));
        keep = rest;
        writeln!(out, "\nDatabase {}  (lineage {})", proof.database, proof.lineage)?;
        bars(before, after, out)?;
        stays(of_this, out)?;
        proven(proof, out)?;
    }
    goes(remove, out)?;
    if !warnings.is_empty() {
        writeln!(out, "\nWarnings")?;
        for warning in warnings {
            writeln!(out, "  - {warning}")?;
        }
    }
    Ok(())
}

fn bars(before: &Window, after: &Window, out: &mut dyn Write) -> io::Result<()> {
    let Some((from, to)) = bar::extent(before) else { return writeln!(out, "  Nothing can be restored.") };
    writeln!(out, "  now    {}", bar::drawn(before, from, to))?;
    writeln!(out, "  then   {}", bar::drawn(after, from, to))?;
    let (from, to) = (from.to_string(), to.to_string());
    writeln!(out, "         {from}{to:>width$}", width = bar::CELLS.saturating_sub(from.len()))?;
    writeln!(out, "         {}", bar::LEGEND)
}

/// What is said alike of backups that follow each other is said once.
fn runs<T>(rows: &[T], words: impl Fn(&T) -> String) -> Vec<(&[T], String)> {
    let mut runs: Vec<(&[T], String)> = Vec::new();
    let mut from = 0;
    while let Some(first) = rows.get(from) {
        let said = words(first);
        let alike = rows[from..].iter().take_while(|row| words(row) == said).count();
        runs.push((&rows[from..from + alike], said));
        from += alike;
    }
    runs
}

fn date(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "not by the calendar".to_owned(), |at| format!("{at:.0}"))
}

fn stays(kept: &[Kept], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  Stays: {}", kept.len())?;
    let words = |kept: &Kept| {
        let reasons: Vec<String> = kept.reasons.iter().map(|why| why.what.to_string()).collect();
        reasons.join("; ")
    };
    let runs = runs(kept, words);
    for (run, reasons) in runs.iter().take(ROWS_MAX) {
        let [first, .., last] = run else {
            let goes = date(run[0].goes_on);
            writeln!(out, "    {}   {reasons}\n      would go: {goes}", run[0].backup)?;
            continue;
        };
        writeln!(out, "    {} backups, {} to {}   {reasons}", run.len(), first.backup, last.backup)?;
        let (from, to) = (date(first.goes_on), date(last.goes_on));
        let dates = if from == to { from } else { format!("{from} to {to}") };
        writeln!(out, "      would go: {dates}")?;
    }
    rest(runs.len(), out)
}

fn goes(removed: &[Removed], out: &mut dyn Write) -> io::Result<()> {
    let bytes = removed.iter().map(|removed| removed.bytes).fold(0, u64::saturating_add);
    writeln!(out, "\nMay go, in this order: {}{}", removed.len(), freed(bytes))?;
    let runs = runs(removed, |removed| {
        format!("{} of {}: {}", removed.kind.noun(), removed.database, removed.reason)
    });
    for (run, reason) in runs.iter().take(ROWS_MAX) {
        match run {
            [first, .., last] => {
                writeln!(out, "    {} backups, {} to {}   {reason}", run.len(), first.backup, last.backup)?;
            }
            _ => writeln!(out, "    {}   {reason}", run[0].backup)?,
        }
    }
    rest(runs.len(), out)
}

fn freed(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        bytes => format!(" ({}.{} GiB)", bytes >> 30, ((bytes % (1 << 30)) * 10) >> 30),
    }
}

fn proven(proof: &DatabaseProof, out: &mut dyn Write) -> io::Result<()> {
    let runs = &proof.moments;
    let Some(((from, _), (_, to))) = runs.first().zip(runs.last()) else {
        return writeln!(
            out,
            "  Proof holds: no moment at or after {} can be restored now",
            proof.promised_from
        );
    };
    let holes = match runs.len() {
        1 => "without a hole".to_owned(),
        2 => "with the same hole".to_owned(),
        runs => format!("with the same {} holes", runs - 1),
    };
    writeln!(
        out,
        "  Proof holds: promised is what lies at or after {}; {from} to {to} stays, {holes}",
        proof.promised_from
    )
}
