//! What does the live server say of one task that could start?

use domain::admission::{
    LOG_FILES_PER_COPY_MAX, Verdict, Weighed, admit_differential, admit_full, admit_log_copy, base_is_ours,
};
use domain::backup::Backup;
use domain::facts::DatabaseState;
use domain::inventory::Database;
use domain::reason::Reason;
use domain::request::CopyLogs;
use domain::task::{Kind, Request, Task};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::server::{ReadHistory, ReadLogFiles};

use crate::choose::Open;
use crate::scope::Scope;
use crate::shape::{native_backup, shape};

/// What one task is looked at with.
pub(super) struct Look<'a> {
    pub(super) scope: &'a Scope,
    /// The database has an open full.
    pub(super) full_waits: bool,
    /// The database has an open differential.
    pub(super) differential_waits: bool,
    pub(super) bytes_per_second: u64,
    pub(super) now: Timestamp,
}

/// The verdict on one task. What the server refuses to tell of one database is that database's trouble, not the run's.
pub(super) async fn verdict<T: ReadLogFiles + ReadHistory>(
    session: &mut T,
    open: &mut Open,
    live: Option<&DatabaseState>,
    look: &Look<'_>,
) -> Result<Verdict<Request>, Reason> {
    let (task, head, scope) = (&mut open.task.record, &open.database.record, look.scope);
    let backup = |task: &mut Task| {
        let chosen = shape(task, head, live, (&scope.policy, &scope.vault), look.now);
        chosen.notes.into_iter().for_each(|note| task.note(note));
        Request::Backup(native_backup(task, scope, chosen.layout))
    };
    match task.kind {
        Kind::LogCopy => {}
        Kind::Full => {
            return Ok(admit_full(head, live).map(|_| backup(task)));
        }
        Kind::Differential => {
            let history = match history(session, head, live).await {
                Ok(history) => history,
                Err(Fault::Refused(reason)) => return Ok(Verdict::Defer(reason)),
                Err(fault) => return Err(fault.into_reason()),
            };
            let weighed = Weighed {
                policy: &scope.policy,
                history: &history,
                bytes_per_second: look.bytes_per_second,
                full_is_open: look.full_waits,
                now: look.now,
            };
            let verdict = admit_differential(head, live, &weighed)?;
            return Ok(verdict.map(|_| backup(task)));
        }
    }
    // Only an online database lists its files; whatever else it is, the verdict says so without them.
    let files = if live.is_some_and(|live| live.state == "ONLINE") {
        let after = head.log_tail.as_ref().map_or(0, |tail| tail.seq);
        match session.log_files(&task.database, after, LOG_FILES_PER_COPY_MAX).await {
            Ok(files) => files,
            Err(Fault::Refused(reason)) => return Ok(Verdict::Defer(reason)),
            Err(fault) => return Err(fault.into_reason()),
        }
    } else {
        Vec::new()
    };
    let admitted = admit_log_copy(head, live, &files);
    if let Verdict::Admit(range) = &admitted {
        open.break_behind.clone_from(&range.break_behind);
    }
    Ok(admitted.map(|range| {
        Request::Copy(CopyLogs {
            database: task.database.clone(),
            kms_key_arn: scope.log_copy_key(),
            first_seq: range.first_seq,
            last_seq: range.last_seq,
        })
    }))
}

/// Rows that may name what took the base: read only where the base is not ours.
async fn history<T: ReadHistory>(
    session: &mut T,
    head: &Database,
    live: Option<&DatabaseState>,
) -> Result<Vec<Backup>, Fault> {
    let lost = live.is_some_and(|live| base_is_ours(head, live) == Some(false));
    let Some(full) = head.last_full.as_ref().filter(|_| lost) else { return Ok(Vec::new()) };
    // On the server's clock, whose zone is not known here: a day earlier is early enough in any.
    let since = full.finished_at.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    session.backups(&head.name, since.to_zoned(TimeZone::UTC).datetime()).await
}
