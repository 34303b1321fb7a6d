//! May a backup be taken on demand, and what does its caller have to know?

use super::Requested;
use crate::facts::RecoveryModel;
use crate::inventory::Database;
use crate::policy::Policy;
use crate::reason::{Class, Reason};
use crate::task::{Kind, Task};

/// Backups on demand that may be open on one instance. Policy of ours: each waits for one of a few slots, and what waits behind a
/// hundred is better asked for later.
pub const ASKED_MAX: usize = 100;

/// What a request is weighed with.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Policy of the instance.
    pub policy: &'a Policy,
    /// Head of the database.
    pub head: &'a Database,
    /// What is asked for.
    pub kind: Kind,
    /// Open tasks of the instance.
    pub open: &'a [&'a Task],
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A task is to be planned; this is what its caller is told.
    Plan(Vec<Reason>),
    /// One of this database and kind is open: it is the answer.
    Open(&'a Task, Vec<Reason>),
}

/// Weighs a request. A database that the policy excludes may be asked for: excluding it says that the schedule leaves it alone.
///
/// # Errors
/// `DatabaseGone` (class `Human`): it is not on the server any more. `CancelPending` (class `Wait`): one of this kind is open and being cancelled. `TooManyRequests` (class `Wait`).
pub fn ask<'a>(asking: &Asking<'a>) -> Result<Asked<'a>, Reason> {
    let Asking { head, kind, open, .. } = *asking;
    if let Some(gone_at) = head.gone_at {
        let (name, instance) = (&head.name, &head.instance);
        let message =
            format!("{name} is not on {instance} any more: discovery has not found it since {gone_at}");
        return Err(Reason::new(Class::Human, "DatabaseGone", message)
            .guidance("where it is there again, let discovery look, then ask again"));
    }
    let same = |task: &&&Task| task.database == head.name && task.kind == kind;
    if let Some(task) = open.iter().find(same).copied() {
        let (name, word) = (&head.name, kind.as_str());
        if task.cancel.is_some() {
            return Err(Reason::new(
                Class::Wait,
                "CancelPending",
                format!("the {word} {} of {name} is open and being cancelled", task.key),
            )
            .guidance("ask again when it has ended"));
        }
        let whose = task.on_demand.as_ref().map_or("the schedule", |Requested { by, .. }| by.as_str());
        let said =
            format!("a {word} of {name} is open, asked for by {whose}: it is the answer to this request");
        let mut notes = vec![Reason::new(Class::Wait, "AlreadyOpen", said)];
        notes.extend(consequences(asking));
        return Ok(Asked::Open(task, notes));
    }
    if open.iter().filter(|task| task.on_demand.is_some()).count() >= ASKED_MAX {
        return Err(Reason::new(
            Class::Wait,
            "TooManyRequests",
            format!("{ASKED_MAX} backups on demand are open on {}", head.instance),
        )
        .guidance("ask again when some have ended"));
    }
    Ok(Asked::Plan(consequences(asking)))
}

/// What a backup on demand changes, and what may become of it instead.
fn consequences(asking: &Asking<'_>) -> Vec<Reason> {
    let Asking { policy, head, kind, open } = *asking;
    let name = &head.name;
    let mut notes = Vec::new();
    let mut note = |word: &'static str, message: String| notes.push(Reason::new(Class::Wait, word, message));
    if !policy.protects(name) {
        note("Excluded", format!("policy {} excludes {name}: nothing follows on this backup", policy.name));
    }
    let full_is_open = open.iter().any(|task| task.database == *name && task.kind == Kind::Full);
    match kind {
        Kind::Full => {
            note(
                "BecomesBase",
                format!(
                    "RDS takes no copy-only backup: differentials of {name} are based on this full from its start on"
                ),
            );
        }
        Kind::Differential if full_is_open => {
            note("FullInstead", format!("a full of {name} is open: the differential is skipped while it is"));
        }
        Kind::Differential => match &head.last_full {
            None => note(
                "NoFullYet",
                format!("{name} has no full in the vault: the differential will be skipped"),
            ),
            Some(full) => note(
                "BaseIsChecked",
                format!(
                    "it is taken if the server still names our full {} as base; a snapshot or somebody's full since then \
                     makes it a skip, or a full where the policy's window demands one",
                    full.id
                ),
            ),
        },
        // Seen at the last look; the live server is asked before the copy, so that no request is refused for what was.
        Kind::LogCopy if head.recovery_model == Some(RecoveryModel::Simple) => note(
            "SimpleRecovery",
            format!(
                "{name} was in SIMPLE recovery when it was seen last, and keeps no log: the copy is skipped while it is"
            ),
        ),
        Kind::LogCopy if head.last_full.is_none() => {
            note("NoFullYet", format!("{name} has no full in the vault: a full is taken first"));
        }
        Kind::LogCopy => {}
    }
    notes
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::id::BackupId;
    use crate::inventory::LastFull;
    use crate::lsn::Lsn;
    use crate::policy::tests::weekly;

    fn head(full: bool) -> Database {
        let mut head = Database::new("sales", "orders");
        head.last_full = full.then(|| LastFull {
            id: BackupId::from("1"),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        head
    }

    fn task(database: &str, kind: Kind, by: Option<&str>) -> Task {
        let at = Timestamp::UNIX_EPOCH;
        let mut task = Task::on_demand("sales", database, kind, Requested { by: "ops".to_owned(), at });
        task.on_demand = by.map(|by| Requested { by: by.to_owned(), at });
        task
    }

    fn said(policy: &Policy, head: &Database, kind: Kind, open: &[Task]) -> String {
        let open: Vec<&Task> = open.iter().collect();
        let names =
            |notes: &[Reason]| notes.iter().map(|note| note.name.to_string()).collect::<Vec<_>>().join(" ");
        match ask(&Asking { policy, head, kind, open: &open }) {
            Ok(Asked::Plan(notes)) => format!("plan {}", names(&notes)).trim().to_owned(),
            Ok(Asked::Open(task, notes)) => format!("{} {}", task.key, names(&notes)),
            Err(reason) => format!("{} {}", reason.class, reason.name),
        }
    }

    #[test]
    fn what_becomes_of_a_request() {
        let scheduled = task("orders", Kind::Full, None);
        let mut cancelled = scheduled.clone();
        cancelled.cancel = Some(Requested { by: "ops".to_owned(), at: Timestamp::UNIX_EPOCH });
        let other = task("parts", Kind::Full, Some("ops"));
        let key = scheduled.key.clone();
        for (full, kind, open, expected) in [
            (true, Kind::Full, vec![], "plan BecomesBase".to_owned()),
            (true, Kind::Full, vec![other], "plan BecomesBase".to_owned()),
            (true, Kind::Full, vec![scheduled.clone()], format!("{key} AlreadyOpen BecomesBase")),
            (true, Kind::Full, vec![cancelled], "Wait CancelPending".to_owned()),
            (true, Kind::Differential, vec![], "plan BaseIsChecked".to_owned()),
            (false, Kind::Differential, vec![], "plan NoFullYet".to_owned()),
            (true, Kind::Differential, vec![scheduled], "plan FullInstead".to_owned()),
            (true, Kind::LogCopy, vec![], "plan".to_owned()),
            (false, Kind::LogCopy, vec![], "plan NoFullYet".to_owned()),
        ] {
            assert_eq!(said(&weekly(), &head(full), kind, &open), expected, "{kind:?} {}", open.len());
        }
        let mut policy = weekly();
        policy.exclude.push("ord*".to_owned());
        assert_eq!(said(&policy, &head(true), Kind::LogCopy, &[]), "plan Excluded");
    }

    #[test]
    fn what_is_gone_is_refused_and_what_keeps_no_log_is_said() {
        let gone = Database { gone_at: Some(Timestamp::UNIX_EPOCH), ..head(true) };
        for kind in [Kind::Full, Kind::Differential, Kind::LogCopy] {
            let open = task("orders", kind, None);
            for open in [vec![], vec![open]] {
                assert_eq!(said(&weekly(), &gone, kind, &open), "Human DatabaseGone", "{kind:?}");
            }
        }
        let simple = Database { recovery_model: Some(RecoveryModel::Simple), ..head(true) };
        assert_eq!(said(&weekly(), &simple, Kind::LogCopy, &[]), "plan SimpleRecovery");
        assert_eq!(said(&weekly(), &simple, Kind::Full, &[]), "plan BecomesBase");
    }

    #[test]
    fn as_many_are_open_as_slots_can_stand() {
        let open: Vec<Task> =
            (0..ASKED_MAX).map(|n| task(&format!("d{n}"), Kind::Full, Some("ops"))).collect();
        assert_eq!(said(&weekly(), &head(true), Kind::Full, &open), "Wait TooManyRequests");
        assert_eq!(said(&weekly(), &head(true), Kind::Full, &open[1..]), "plan BecomesBase");
        // The schedule's own are not counted.
        let scheduled: Vec<Task> = (0..ASKED_MAX).map(|n| task(&format!("d{n}"), Kind::Full, None)).collect();
        assert_eq!(said(&weekly(), &head(true), Kind::Full, &scheduled), "plan BecomesBase");
    }
}
