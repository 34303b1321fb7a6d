//! What does the caller of a cancel have to know: what the service still decides, and what schedule and promise lose?
//!
//! The moment of the schedule that a task answers is answered with its cancel, so nothing plans it again at once. A full of
//! the calendar stays away until the calendar asks for the next one; a database without any full is asked for again with
//! the next log interval, for nothing of it could be restored from the vault. "Not cancellable" are `FINISH_RESTORE` and the tasks
//! of TDE certificates (RDS user guide), none of which is ours.

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Database;
use crate::policy::Policy;
use crate::reason::{Class, Reason};
use crate::schedule::{latest_log_copy, log_interval, next, next_full};
use crate::task::{Kind, Outcome, State, Task};

/// What is told about a task that has not ended.
///
/// # Errors
/// The policy's own.
pub fn before_end(
    policy: &Policy,
    head: &Database,
    task: &Task,
    now: Timestamp,
) -> Result<Vec<Reason>, Reason> {
    let mut notes = Vec::new();
    if matches!(task.state, State::Intended { .. } | State::Submitted { .. }) {
        notes.push(Reason::new(
            Class::Wait,
            "ServiceDecides",
            format!("the service was asked for {}: it may finish before it is cancelled", task.key),
        ));
    }
    notes.push(lost(policy, head, task, now)?);
    Ok(notes)
}

/// What is told about a task that ended before anybody asked to cancel it.
pub fn after_end(task: &Task) -> Reason {
    let (how, at) = match &task.state {
        State::Done { outcome, at, .. } => (word(outcome), at.to_string()),
        _ => ("ended", String::new()),
    };
    Reason::new(
        Class::Never,
        "AlreadyEnded",
        format!("{} {how} at {at}, before it could be cancelled: it stays what it is", task.key),
    )
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped(_) => "was skipped",
        Outcome::Cancelled => "was cancelled",
    }
}

/// What schedule and promise lose by it.
fn lost(policy: &Policy, head: &Database, task: &Task, now: Timestamp) -> Result<Reason, Reason> {
    let name = &head.name;
    let told = |word: &'static str, message: String| Ok(Reason::new(Class::Wait, word, message));
    let next_copy =
        latest_log_copy(policy, now).saturating_add(log_interval(policy)).unwrap_or(Timestamp::MAX);
    if task.on_demand.is_some() {
        return told(
            "ScheduleUnchanged",
            format!("the schedule of {name} goes on as if it had not been asked for"),
        );
    }
    let Some(full) = &head.last_full else {
        return told(
            "NothingInVault",
            format!(
                "nothing of {name} can be restored from the vault; the schedule asks again at {next_copy}"
            ),
        );
    };
    if let Some(broken) = head.broken.as_ref().filter(|_| task.kind != Kind::LogCopy) {
        let edge = edge(head);
        return told(
            "ChainStaysBroken",
            format!(
                "the chain of {name} in the vault ends at {edge} until another data backup: {}",
                broken.message
            ),
        );
    }
    match task.kind {
        Kind::Full => {
            let next = next_full(policy, now)?.map_or_else(|| "none".to_owned(), |at| at.to_string());
            let finished = full.finished_at;
            told(
                "FullLeftOut",
                format!(
                    "the next full of {name} is that of {next}; restores go on from the full of {finished} and the logs since"
                ),
            )
        }
        Kind::Differential => {
            let schedule = policy.schedule.differential.as_ref();
            let next = schedule.map(|times| next(policy, times, now)).transpose()?.flatten();
            let next = next.map_or_else(|| "none".to_owned(), |at| at.to_string());
            told(
                "DifferentialLeftOut",
                format!("the next differential of {name} is that of {next}; restores apply more logs"),
            )
        }
        Kind::LogCopy => {
            let promise = SignedDuration::from_mins(i64::from(policy.objectives.rpo_minutes.instance));
            let at_risk = head.newest_log().map(|newest| next_copy.duration_since(newest));
            let edge = edge(head);
            let said = format!("the vault ends at {edge} until the log copy of {next_copy} has ended");
            match at_risk.filter(|risk| *risk > promise) {
                Some(risk) => told(
                    "PromiseBroken",
                    format!("{said}: {} minutes, and {} are promised", risk.as_mins(), promise.as_mins()),
                ),
                None => told("LogsLater", said),
            }
        }
    }
}

fn edge(head: &Database) -> String {
    head.newest_log().map_or_else(|| "nothing".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BackupId;
    use crate::inventory::LastFull;
    use crate::lsn::Lsn;
    use crate::mailbox::Requested;
    use crate::policy::tests::with_differentials;
    use crate::schedule::DueItem;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A database whose full ended on Sunday at two.
    fn head(full: bool) -> Database {
        let mut head = Database::new("sales", "orders");
        head.last_full = full.then(|| LastFull {
            id: BackupId::from("1"),
            started_at: at("2026-11-22T01:00:00Z"),
            finished_at: at("2026-11-22T02:00:00Z"),
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        head
    }

    #[test]
    fn the_caller_hears_what_is_lost() {
        let policy = with_differentials();
        let broken = Some(Reason::new(Class::Wait, "ChainBroken", "a gap"));
        for (full, broken, kind, on_demand, now, expected, holds) in [
            (true, None, Kind::Full, true, "2026-11-23T10:00:00Z", "ScheduleUnchanged", "orders"),
            (
                false,
                None,
                Kind::Full,
                false,
                "2026-11-23T10:30:00Z",
                "NothingInVault",
                "2026-11-23T12:00:00Z",
            ),
            (true, None, Kind::Full, false, "2026-11-29T01:30:00Z", "FullLeftOut", "2026-12-06T01:00:00Z"),
            (true, broken.clone(), Kind::Full, false, "2026-11-23T10:00:00Z", "ChainStaysBroken", "a gap"),
            (
                true,
                None,
                Kind::Differential,
                false,
                "2026-11-23T20:10:00Z",
                "DifferentialLeftOut",
                "2026-11-24T20:00:00Z",
            ),
            (true, None, Kind::LogCopy, false, "2026-11-22T02:10:00Z", "LogsLater", "2026-11-22T04:00:00Z"),
            // Of a broken chain as well: the copy brings what lies before the break.
            (
                true,
                broken,
                Kind::LogCopy,
                false,
                "2026-11-22T02:10:00Z",
                "LogsLater",
                "ends at 2026-11-22T02:00:00Z",
            ),
            (
                true,
                None,
                Kind::LogCopy,
                false,
                "2026-11-23T10:00:00Z",
                "PromiseBroken",
                "2026-11-23T12:00:00Z",
            ),
        ] {
            let mut head = head(full);
            head.broken = broken;
            let item = DueItem { kind, moment: at(now) };
            let mut task = Task::plan("sales", "orders", &item, at(now));
            task.on_demand = on_demand.then(|| Requested { by: "ops".to_owned(), at: at(now) });
            let notes = before_end(&policy, &head, &task, at(now)).unwrap();
            let [note] = &notes[..] else { panic!("{notes:?}") };
            assert_eq!(note.name, expected, "{}", note.message);
            assert!(note.message.contains(holds), "{}", note.message);
        }
    }

    #[test]
    fn an_end_is_told_as_what_it_is() {
        let item = DueItem { kind: Kind::Full, moment: at("2026-11-22T01:00:00Z") };
        let task = Task::plan("sales", "orders", &item, at("2026-11-22T01:00:00Z"));
        let failed = Outcome::Failed(Reason::new(Class::Human, "X", "x"));
        let skipped = Outcome::Skipped(Reason::new(Class::Human, "X", "x"));
        for (outcome, expected) in [
            (Outcome::Succeeded, " succeeded at 2026-11-22T02:00:00Z"),
            (failed, " failed at"),
            (skipped, " was skipped at"),
            (Outcome::Cancelled, " was cancelled at"),
        ] {
            let done = task.ended(outcome, at("2026-11-22T02:00:00Z"), None).unwrap();
            let said = after_end(&done);
            assert!(said.message.contains(expected), "{}", said.message);
        }
    }
}
