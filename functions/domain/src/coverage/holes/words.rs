//! The sentences of a hole: `detail` names the backups, `repair` says what a database administrator can do.

use crate::backup::{Backup, Kind};
use crate::coverage::Cause;
use crate::history::Incomplete;
use crate::lsn::Lsn;

/// The backups that a hole is about.
pub(super) enum Evidence<'a> {
    /// Nothing more is known.
    None,
    /// One backup stands in the way.
    Backup(&'a Backup),
    /// Something lacks between two.
    Between(&'a Backup, &'a Backup),
    /// A row without LSNs.
    Incomplete(&'a Incomplete),
}

fn named(backup: &Backup) -> String {
    format!("{} {}", backup.kind.noun(), backup.id)
}

fn range(from: Option<Lsn>, to: Option<Lsn>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("LSN {from} to {to}"),
        (Some(from), None) => format!("LSN {from} onwards"),
        (None, Some(to)) => format!("LSN up to {to}"),
        (None, None) => "unknown LSNs".to_owned(),
    }
}

fn files(backup: &Backup) -> String {
    let present: Vec<&str> = backup.stripes.files().iter().flatten().map(|file| &**file).collect();
    if present.is_empty() { format!("the file of {}", named(backup)) } else { present.join(", ") }
}

fn detail(evidence: &Evidence<'_>, cause: Cause) -> String {
    match evidence {
        Evidence::None => "no backup tells more".to_owned(),
        Evidence::Backup(backup) => match (cause, backup.defect()) {
            (Cause::BulkLogged, _) => {
                format!("{} holds bulk-logged changes: it applies whole", named(backup))
            }
            (Cause::Fork, _) => {
                let point =
                    backup.fork_point_lsn.map_or_else(String::new, |point| format!(" at LSN {point}"));
                format!("{} leads to another recovery fork{point}", named(backup))
            }
            (Cause::BeforeFirstBackup, _) => {
                format!(
                    "{} and what follows lie before the first data backup that can be restored",
                    named(backup)
                )
            }
            (Cause::NoAnchor, _) => format!("{} has no data backup to be restored on", named(backup)),
            (_, Some(defect)) => format!("{} {defect}", named(backup)),
            (_, None) => named(backup),
        },
        Evidence::Between(before, after) if cause == Cause::Fork => {
            format!("{} ends a recovery path that was left; {} lies on another", named(before), named(after))
        }
        Evidence::Between(before, after) => {
            format!(
                "{} ends at LSN {}; {} begins at LSN {}",
                named(before),
                before.last_lsn,
                named(after),
                after.first_lsn
            )
        }
        Evidence::Incomplete(row) => format!("{} {} lacks {}", row.kind.noun(), row.name, row.lacks),
    }
}

/// What to do, in one sentence.
fn repair(cause: Cause, range: &str, evidence: &Evidence<'_>) -> String {
    let about = match evidence {
        Evidence::Backup(backup) | Evidence::Between(_, backup) => Some(*backup),
        Evidence::None | Evidence::Incomplete(_) => None,
    };
    let file = about.map_or_else(|| "the file".to_owned(), files);
    match cause {
        Cause::LogGap => format!(
            "Find the log backup that holds {range} (another tool may have taken it) and add it; a differential or full restarts the chain for the moments to come."
        ),
        Cause::BulkLogged => format!(
            "Moments inside {range} cannot be reached; take a log backup right before and after bulk operations to keep such holes short."
        ),
        Cause::Damaged => match about {
            Some(backup) if backup.kind == Kind::Log => format!(
                "Restore a good copy of {file} ({range}) from elsewhere; otherwise take a differential or full now to restart the chain."
            ),
            _ => format!("Restore a good copy of {file} from elsewhere; otherwise take a new full with CHECKSUM now."),
        },
        Cause::MissingStripe => {
            format!("Bring back every stripe of the set next to {file}: all stripes are needed to restore {range}.")
        }
        Cause::NoAnchor => match about {
            Some(backup) if backup.kind == Kind::Differential => {
                format!("Take a full backup now, or find the base of differential {}.", backup.id)
            }
            _ => format!("Take a full backup now, or find the full or differential that ends inside {range}."),
        },
        Cause::Fork => {
            "Nothing to repair: the database was recovered to an earlier point and left these moments; take a full backup right after such a recovery.".to_owned()
        }
        Cause::SimpleRecovery => {
            "Only the backups themselves can be restored in the SIMPLE recovery model; switch to FULL and take a full or differential to be able to restore moments between.".to_owned()
        }
        Cause::UnreadableKey => format!("Enable the KMS key of {file} again or cancel its deletion."),
        Cause::Archived => format!("Restore {file} from its archive storage class first."),
        Cause::IncompleteImport => match evidence {
            Evidence::Incomplete(row) => {
                format!("Export {} again with the columns first_lsn and last_lsn (queries/export_history.sql does).", row.name)
            }
            _ => "Export the history again with the columns first_lsn and last_lsn.".to_owned(),
        },
        Cause::BeforeFirstBackup => format!(
            "Nothing to repair: add the full backup that ends inside {range} if an older one still exists."
        ),
    }
}

/// Detail and repair of a hole.
pub(super) fn sentences(
    cause: Cause,
    from: Option<Lsn>,
    to: Option<Lsn>,
    evidence: &Evidence<'_>,
) -> (String, String) {
    (detail(evidence, cause), repair(cause, &range(from, to), evidence))
}
