//! What a finished native task leaves behind: the catalogue's new entries and the database's new head.

mod copy;

use domain::backup::{Backup, Evidence, Kind as BackupKind, Stripes};
use domain::catalogue::{DataBackup, SeenObject};
use domain::discovery::former::Former;
use domain::growth::Sample;
use domain::id::Guid;
use domain::inventory::{Database, Healed, LastDifferential, LastFull, Lineage, database_key};
use domain::lsn::Lsn;
use domain::paths::S3Arn;
use domain::reason::{Class, Reason};
use domain::request::NativeBackup;
use domain::slots::Speed;
use domain::task::{Outcome, Seen, Task, TaskId};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::cloud::{ListObjects, ObjectFacts};
use ports::server::ReadHistory;
use ports::store::{ReadItems, Versioned, Write, load, replacing};

use crate::scope::of_chain;

pub(crate) use copy::finish_copy;

/// Failures at one moment of the schedule before it counts as failed. Policy of ours: three, then people hear of it.
pub(crate) const FAILURES_MAX: u32 = 3;

/// Why what a finished task made is not in the catalogue.
#[derive(Debug)]
pub(crate) enum Snag {
    /// What the task should have made is not there, or not what it should be: the task went wrong.
    Task(Reason),
    /// It could not be looked at: that says nothing about the task, which has to be looked at again.
    Unseen(Reason),
}

impl From<Reason> for Snag {
    fn from(reason: Reason) -> Self {
        Self::Task(reason)
    }
}

impl From<Fault> for Snag {
    fn from(fault: Fault) -> Self {
        Self::Unseen(fault.into_reason())
    }
}

/// When a task was asked for and what the server says of its end, on the server's clock.
pub(crate) struct Asked {
    /// When, UTC.
    pub(crate) at: Timestamp,
    /// How far the server's local time is ahead of UTC now.
    pub(crate) offset: SignedDuration,
    /// The task's last change, in a zone that is not documented: UTC or local.
    pub(crate) last_updated: Option<DateTime>,
    /// Now.
    pub(crate) now: Timestamp,
}

/// Slack between two readings of one clock, and the whole seconds of headers.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// How far local time may have jumped since a task was asked for: daylight saving, twice over.
const JUMP: SignedDuration = SignedDuration::from_hours(2);

impl Asked {
    /// From when on rows of history are read, on the server's local clock.
    fn since(&self) -> DateTime {
        let local = self.at.saturating_add(self.offset - JUMP).unwrap_or(Timestamp::MIN);
        local.to_zoned(TimeZone::UTC).datetime()
    }

    /// Whether a backup of a kind may be the one that was asked for. It is the first to start since: the service takes no second task of
    /// a database while one waits or runs, so whatever is somebody else's started after ours had ended.
    fn fits(&self, kind: BackupKind, row: &Backup) -> bool {
        row.kind == kind && row.started.saturating_add(SLACK).is_ok_and(|started| started >= self.at)
    }

    /// The moment the task ended, as its status tells: read as UTC, or as local time where only that lies between the
    /// request and now. Otherwise the earliest that it can have been.
    fn ended(&self) -> Timestamp {
        let utc = self.last_updated.and_then(|told| TimeZone::UTC.to_timestamp(told).ok());
        let local = utc.and_then(|told| told.checked_sub(self.offset).ok());
        let between = |told: &Timestamp| (self.at..=self.now).contains(told);
        utc.filter(between).or(local.filter(between)).unwrap_or(self.at)
    }
}

/// The head of a task's database, while somebody protects it.
async fn find_head(store: &impl ReadItems, task: &Task) -> Result<Option<Versioned<Database>>, Fault> {
    load(store, database_key(&task.instance, &task.database)).await
}

async fn head(store: &impl ReadItems, task: &Task) -> Result<Versioned<Database>, Snag> {
    Ok(find_head(store, task).await?.ok_or_else(|| unprotected(task))?)
}

/// Why a task of a database without a record ends.
pub(crate) fn unprotected(task: &Task) -> Reason {
    let Task { instance, database, .. } = task;
    Reason::new(Class::Human, "RecordMissing", format!("the store has no database {database} of {instance}"))
        .guidance("enrol the database again if it shall be protected")
}

/// The write that says that a moment of the schedule was answered; none when nobody protects the database any more, or another one has its
/// name.
pub(crate) async fn answer(
    store: &impl ReadItems,
    task: &Task,
    outcome: &Outcome,
) -> Result<Vec<Write>, Reason> {
    let Some(mut head) = find_head(store, task).await? else { return Ok(Vec::new()) };
    if task.seen.as_ref().is_some_and(|seen| seen.is_former(&head.record)) {
        return Ok(Vec::new());
    }
    settle(&mut head.record, task, outcome);
    Ok(vec![head.put()?])
}

fn settle(head: &mut Database, task: &Task, outcome: &Outcome) {
    head.answered.learn(task, outcome);
    match outcome {
        Outcome::Succeeded => head.failures = 0,
        // What somebody wanted is no failure.
        Outcome::Cancelled if task.cancel.is_some() => {}
        Outcome::Failed(_) | Outcome::Skipped(_) | Outcome::Cancelled => {
            head.failures = head.failures.saturating_add(1);
        }
    }
}

fn seen(task: &Task) -> Result<&Seen, Reason> {
    task.seen.as_ref().ok_or_else(|| {
        Reason::new(
            Class::Human,
            "RecordUnreadable",
            format!("task {} was submitted without being admitted", task.key),
        )
    })
}

/// All objects under a prefix.
async fn objects(cloud: &impl ListObjects, bucket: &str, prefix: &str) -> Result<Vec<ObjectFacts>, Fault> {
    let mut all: Vec<ObjectFacts> = Vec::new();
    loop {
        let after = all.last().map(|object| object.key.clone());
        let (page, more) = cloud.list_objects(bucket, prefix, after.as_deref()).await?;
        let empty = page.is_empty();
        all.extend(page);
        if !more || empty {
            return Ok(all);
        }
    }
}

/// What a finished task leaves behind.
pub(crate) struct Finished {
    /// The catalogue's new entry, and the head.
    pub(crate) writes: Vec<Write>,
    /// Of a full, where it took long enough to tell.
    pub(crate) speed: Option<Speed>,
    /// Why no restore can use it, although the service made it.
    pub(crate) useless: Option<Reason>,
}

/// A finished full or differential: its header from the server's history, its stripes from the bucket.
///
/// When the server's history has no row (a failover: msdb is not replicated), the task itself is the evidence. Such a full is
/// a point that can be restored, without LSNs that logs or differentials could be measured against. Such a differential is
/// nothing, because nothing proves its base; no more is one whose row names another base than our full.
pub(crate) async fn finish_backup<T: ReadHistory>(
    store: &impl ReadItems,
    cloud: &impl ListObjects,
    session: &mut T,
    (task, task_id): (&Task, TaskId),
    request: &NativeBackup,
    asked: &Asked,
) -> Result<Finished, Snag> {
    let arn = S3Arn::parse(&request.s3_arn)?;
    let folder = arn.key.rsplit_once('/').map_or(arn.key.as_str(), |(folder, _)| folder);
    let mut stripes = objects(cloud, &arn.bucket, &format!("{folder}/")).await?;
    stripes.sort_by_key(|object| stripe_of(&object.key));
    if stripes.len() != usize::from(request.files) {
        return Err(Reason::new(
            Class::Human,
            "StripesMissing",
            format!("{} of {} files of {} are in {folder}/", stripes.len(), request.files, task.key),
        )
        .guidance("nobody but the service writes to this folder: look for a lifecycle rule or a deletion")
        .into());
    }
    let seen = seen(task)?;
    let rows = session.backups(&task.database, asked.since()).await?;
    let kind = if request.differential { BackupKind::Differential } else { BackupKind::Full };
    let fitting: Vec<Backup> = rows.into_iter().filter(|row| asked.fits(kind, row)).collect();
    let is_of_another = !fitting.is_empty();
    let row = fitting.into_iter().find(|row| is_of(row, &seen.lineage));
    if row.is_none() && is_of_another {
        return Err(Snag::Task(another(task)));
    }
    let mut backup = row.unwrap_or_else(|| by_evidence_of_the_task(kind, (task, seen), asked));
    backup.stripes = Stripes::present(
        stripes.iter().map(|object| format!("arn:{}:s3:::{}/{}", arn.partition, arn.bucket, object.key)),
    );
    let stored = stripes.iter().map(|object| object.size_bytes).fold(0, u64::saturating_add);
    let mut finished = behind(store, (task, seen), (&backup, stored), asked).await?;
    let entry = Versioned::new(DataBackup {
        lineage: seen.lineage.clone(),
        instance: task.instance.clone(),
        bucket: arn.bucket,
        task_id,
        objects: stripes
            .into_iter()
            .map(|object| SeenObject { key: object.key, size_bytes: object.size_bytes, etag: object.etag })
            .collect(),
        backup,
    });
    finished.writes.push(entry.put()?);
    Ok(finished)
}

/// Whether a row of history is of a lineage, as far as it says.
fn is_of(row: &Backup, lineage: &Lineage) -> bool {
    let same = |told: Option<&Guid>, known: &Guid| told.is_none_or(|told| told == known);
    same(row.database_guid.as_ref(), &lineage.database_guid)
        && same(row.family_guid.as_ref(), &lineage.family_guid)
}

/// Another database took the name between the look and the backup.
fn another(task: &Task) -> Reason {
    let message = format!("{} backed up another database than the one that was looked at", task.key);
    Reason::new(Class::Retry, "AnotherDatabase", message)
}

/// The head behind a finished backup of data. It stays as it is where another database has the name by now: the vault has one more backup of
/// the one before.
async fn behind(
    store: &impl ReadItems,
    (task, seen): (&Task, &Seen),
    (backup, stored_bytes): (&Backup, u64),
    asked: &Asked,
) -> Result<Finished, Snag> {
    let mut head = head(store, task).await?;
    if seen.is_former(&head.record) {
        return Ok(Finished { writes: Vec::new(), speed: None, useless: None });
    }
    let former = former(store, &head.record, seen, asked.now).await?;
    let before = head.record.broken.clone();
    let (speed, useless) = if backup.kind == BackupKind::Differential {
        (None, head_of_differential(&mut head.record, task, backup))
    } else {
        head_of_full(&mut head.record, task, seen, (backup, stored_bytes), asked.at);
        (Speed::of(backup.size_bytes, backup.finished.duration_since(backup.started)), None)
    };
    let mut writes = vec![head.put()?];
    writes.extend(former);
    writes.extend(of_chain(before.as_ref(), &head.record, asked.now)?);
    Ok(Finished { writes, speed, useless })
}

/// The way to the database that had the name before, where no look has followed it: more were replaced at once than a look takes.
async fn former(
    store: &impl ReadItems,
    head: &Database,
    seen: &Seen,
    now: Timestamp,
) -> Result<Option<Write>, Snag> {
    match Former::of(head, now).filter(|_| seen.is_other(head)) {
        Some(former) => Ok(Some(replacing(store, former).await?)),
        None => Ok(None),
    }
}

/// Its identity is that of the database when it was asked for: without, the entry would be of another lineage than its partition's.
fn by_evidence_of_the_task(kind: BackupKind, (task, seen): (&Task, &Seen), asked: &Asked) -> Backup {
    let lsns = (Lsn::ZERO, Lsn::ZERO);
    let mut backup = Backup::new(task.folder_name(), task.database.as_str(), kind, lsns, asked.ended());
    backup.started = asked.at;
    backup.evidence = Evidence::Task;
    backup.family_guid = Some(seen.lineage.family_guid.clone());
    backup.database_guid = Some(seen.lineage.database_guid.clone());
    backup
}

fn head_of_full(
    head: &mut Database,
    task: &Task,
    seen: &Seen,
    (backup, stored_bytes): (&Backup, u64),
    asked_at: Timestamp,
) {
    let another_life = head.lineage.as_ref() != Some(&seen.lineage);
    let begins_anew = head.broken.is_some() || another_life;
    head.lineage = Some(seen.lineage.clone());
    head.recovery_model = backup.recovery_model.or(head.recovery_model);
    settle(head, task, &Outcome::Succeeded);
    if backup.evidence == Evidence::Task {
        return;
    }
    if begins_anew {
        head.log_tail = None;
    }
    (head.broken, head.healed) = (None, None);
    let (at, size_bytes) = (backup.finished, backup.size_bytes);
    head.remember_full(Sample { at, size_bytes, stored_bytes: Some(stored_bytes) }, another_life);
    head.last_full = Some(LastFull {
        id: backup.id.clone(),
        started_at: asked_at,
        finished_at: backup.finished,
        last_lsn: backup.last_lsn,
        size_bytes: backup.size_bytes,
    });
}

/// The head after a differential; why it is of no use, where it is not.
fn head_of_differential(head: &mut Database, task: &Task, backup: &Backup) -> Option<Reason> {
    let name = &task.database;
    let full = head.last_full.as_ref().map(|full| full.id.clone());
    let base = backup.differential_base_guid.as_ref();
    let useless = match (&full, base) {
        (Some(full), Some(base)) if full.as_str().eq_ignore_ascii_case(base.as_str()) => None,
        _ if backup.evidence == Evidence::Task => Some(Reason::new(
            Class::Human,
            "BaseUnproven",
            format!(
                "no history in reach has a row of the differential {} of {name}: nothing proves its base",
                backup.id
            ),
        )),
        (_, base) => Some(Reason::new(
            Class::Human,
            "BaseNotOurs",
            format!(
                "the differential {} of {name} is based on {}, which is not our newest full: no restore can use it",
                backup.id,
                base.map_or("nothing its row names", |base| base.as_str())
            ),
        )),
    };
    settle(head, task, &useless.clone().map_or(Outcome::Succeeded, Outcome::Failed));
    if let (None, Some(base)) = (&useless, full) {
        head.last_differential = Some(LastDifferential {
            id: backup.id.clone(),
            base,
            finished_at: backup.finished,
            last_lsn: backup.last_lsn,
            size_bytes: backup.size_bytes,
        });
        // Where the log was broken the chain goes on from here; whether it does, the next look at the log files says.
        if head.broken.take().is_some() {
            head.log_tail = None;
            head.healed = Some(Healed { last_lsn: backup.last_lsn, finished_at: backup.finished });
        }
    }
    useless.map(|reason| {
        reason.guidance("it stays in the catalogue as what it is; the next full is a base again")
    })
}

/// The number of a stripe, from `...i-of-n...`; a single file is the first.
fn stripe_of(key: &str) -> (u32, String) {
    let name = key.rsplit('/').next().unwrap_or(key);
    let number = name.split("-of-").next().and_then(|before| {
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        before[before.len() - digits..].parse().ok()
    });
    (number.unwrap_or(1), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_ordered_by_their_number() {
        let mut keys = ["f/part10-of-10.bak", "f/part2-of-10.bak", "f/x_1-of-10"];
        keys.sort_by_key(|key| stripe_of(key));
        assert_eq!(keys, ["f/x_1-of-10", "f/part2-of-10.bak", "f/part10-of-10.bak"]);
        assert_eq!(stripe_of("f/all.bak").0, 1);
    }
}
