//! The two arrays of RDS: tasks, which alone know the S3 ARNs, and the log files that the service still keeps.

use std::sync::Arc;

use domain::backup::{Backup, HeldIn, Kind, Stripes};
use domain::history::Incomplete;
use domain::id::{BackupId, caseless_cmp};
use jiff::{SignedDuration, Timestamp};

use super::cell::{Place, raw_row};
use super::dates::{Zone, moment};
use super::row::{Reader, Taken};
use super::{ImportError, Origin};
use crate::columns::{rds_task_status as task_column, rds_tlog_backup_metadata as log_column};

raw_row! {
    /// A row of `rds_task_status`.
    RawTask {
        task_type: task_column::TASK_TYPE,
        database_name: task_column::DATABASE_NAME,
        lifecycle: task_column::LIFECYCLE,
        last_updated: task_column::LAST_UPDATED,
        created_at: task_column::CREATED_AT,
        s3_object_arn: task_column::S3_OBJECT_ARN,
    }
}

raw_row! {
    /// A row of `rds_fn_list_tlog_backup_metadata`.
    RawLog {
        db_name: log_column::DB_NAME,
        family_guid: log_column::FAMILY_GUID,
        rds_backup_seq_id: log_column::RDS_BACKUP_SEQ_ID,
        backup_file_time_utc: log_column::BACKUP_FILE_TIME_UTC,
        starting_lsn: log_column::STARTING_LSN,
        ending_lsn: log_column::ENDING_LSN,
        file_size_bytes: log_column::FILE_SIZE_BYTES,
        error: log_column::ERROR,
    }
}

/// A finished backup task. Its times are those of the row read as UTC: the zone of this column is not documented.
#[derive(Debug)]
pub(super) struct Task {
    database: String,
    differential: bool,
    created: Timestamp,
    updated: Timestamp,
    arn: Arc<str>,
}

/// A task, where it is a finished backup with an ARN.
pub(super) fn task(raw: RawTask<'_>, origin: Origin) -> Result<Option<Task>, ImportError> {
    let at = |column| Place { origin, column };
    let task_type = raw.task_type.text(at(task_column::TASK_TYPE))?.unwrap_or_default();
    let lifecycle = raw.lifecycle.text(at(task_column::LIFECYCLE))?.unwrap_or_default();
    let database = raw.database_name.text(at(task_column::DATABASE_NAME))?;
    let arn = raw.s3_object_arn.text(at(task_column::S3_OBJECT_ARN))?;
    let created = moment(&raw.created_at, Zone::Unknown, at(task_column::CREATED_AT))?;
    let updated = moment(&raw.last_updated, Zone::Unknown, at(task_column::LAST_UPDATED))?;
    let differential = match task_type.as_ref() {
        "BACKUP_DB" => false,
        "BACKUP_DB_DIFFERENTIAL" => true,
        _ => return Ok(None),
    };
    let (Some(database), Some(arn), Some(created), Some(updated)) = (database, arn, created, updated) else {
        return Ok(None);
    };
    let done = lifecycle.eq_ignore_ascii_case("SUCCESS");
    let (database, arn) = (database.into_owned(), Arc::from(&*arn));
    Ok(done.then_some(Task { database, differential, created, updated, arn }))
}

/// Task times have rounding of their own; a backup may seem to finish just after its task did.
const SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Gives backups the ARN of the task that wrote them: the same database and kind, inside the task's time, which may be UTC or
/// server-local. A task that fits several backups, or a backup that fits several tasks, says nothing.
pub(super) fn name_files(backups: &mut [Backup], mut tasks: Vec<Task>) {
    tasks.sort_by(|left, right| {
        caseless_cmp(&left.database, &right.database).then(left.created.cmp(&right.created))
    });
    let mut written: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    for (row, backup) in backups.iter().enumerate() {
        let fulls = matches!(backup.kind, Kind::Full | Kind::CopyOnly);
        if !fulls && backup.kind != Kind::Differential {
            continue;
        }
        let from = tasks.partition_point(|task| caseless_cmp(&task.database, &backup.database).is_lt());
        let of_database =
            tasks[from..].iter().take_while(|task| caseless_cmp(&task.database, &backup.database).is_eq());
        let fits: Vec<usize> = of_database
            .enumerate()
            .filter(|(_, task)| task.differential != fulls && fits(task, backup))
            .map(|(index, _)| from + index)
            .collect();
        if let [only] = fits.as_slice() {
            written[*only].push(row);
        }
    }
    for (task, rows) in tasks.iter().zip(written) {
        if let [row] = rows.as_slice() {
            backups[*row].stripes = Stripes::present([Arc::clone(&task.arn)]);
        }
    }
}

fn fits(task: &Task, backup: &Backup) -> bool {
    let quarters = i64::from(backup.time_zone_quarter_hours.unwrap_or(0));
    [SignedDuration::ZERO, SignedDuration::from_mins(quarters * 15)].into_iter().any(|offset| {
        let shifted = |at: Timestamp| at.saturating_add(offset).unwrap_or(at);
        let created = task.created.saturating_sub(SLACK).unwrap_or(task.created);
        let updated = task.updated.saturating_add(SLACK).unwrap_or(task.updated);
        created <= shifted(backup.started) && shifted(backup.finished) <= updated
    })
}

/// A log file that the service keeps, identified by family and sequence number.
pub(super) fn log(raw: RawLog<'_>, origin: Origin, reader: &mut Reader) -> Result<Taken, ImportError> {
    let at = |column| Place { origin, column };
    let missing =
        |column| at(column).error("is missing", "export all columns of rds_fn_list_tlog_backup_metadata");
    let name = raw.db_name.text(at(log_column::DB_NAME))?.ok_or_else(|| missing(log_column::DB_NAME))?;
    let database = reader.share(&name);
    let family = reader.guid(raw.family_guid, at(log_column::FAMILY_GUID))?;
    let family = family.ok_or_else(|| missing(log_column::FAMILY_GUID))?;
    let seq = raw.rds_backup_seq_id.integer(at(log_column::RDS_BACKUP_SEQ_ID))?;
    let seq = seq.ok_or_else(|| missing(log_column::RDS_BACKUP_SEQ_ID))?;
    let made = moment(&raw.backup_file_time_utc, Zone::Unknown, at(log_column::BACKUP_FILE_TIME_UTC))?;
    let made = made.ok_or_else(|| missing(log_column::BACKUP_FILE_TIME_UTC))?;
    let first = raw.starting_lsn.lsn(at(log_column::STARTING_LSN))?;
    let last = raw.ending_lsn.lsn(at(log_column::ENDING_LSN))?.filter(|last| !last.is_zero());
    let failure = raw.error.text(at(log_column::ERROR))?.filter(|text| !text.is_empty());
    let id = format!("{family}.{seq}");
    let lsns = first.zip(last).filter(|_| failure.is_none());
    let Some((first, last)) = lsns else {
        reader.lacks();
        let lacks = match (failure, first) {
            (Some(failure), _) => format!("its content: {}", super::shown(&failure)),
            (None, None) => log_column::STARTING_LSN.to_owned(),
            (None, Some(_)) => log_column::ENDING_LSN.to_owned(),
        };
        return Ok(Taken::Incomplete(Incomplete {
            name: id,
            database,
            kind: Kind::Log,
            family_guid: Some(family),
            database_guid: None,
            started: made,
            finished: made,
            lacks,
        }));
    };
    if last < first {
        let what = format!("{last} lies before starting_lsn {first}");
        return Err(at(log_column::ENDING_LSN).error(what, "export the row again"));
    }
    let mut backup = Backup::new(BackupId::from(id), database, Kind::Log, (first, last), made);
    backup.family_guid = Some(family);
    backup.held_in = HeldIn::Service;
    backup.size_bytes = raw.file_size_bytes.bytes(at(log_column::FILE_SIZE_BYTES))?;
    backup.compressed_size_bytes = backup.size_bytes;
    Ok(Taken::Backup(backup))
}
