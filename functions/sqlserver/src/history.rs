//! What does msdb say was backed up? Rows of `backupset` as backups: fulls, differentials and snapshots of one database.
//!
//! Refuses to know where the files are: the device of a native backup is a GUID, not the object it became. Dates are in the
//! server's zone of that moment, told by `time_zone` in quarter hours. Columns newer than SQL Server 2019 are not
//! asked for, because older servers refuse the whole statement. Source: Microsoft Learn, `backupset`.

use std::sync::Arc;

use domain::backup::{Backup, Kind};
use domain::id::BackupId;
use domain::reason::Reason;
use domain::tick::certainly_ended;
use futures_util::io::{AsyncRead, AsyncWrite};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz};
use ports::Fault;
use ports::server::ReadHistory;

use crate::cells::Cells;
use crate::columns::backupset as column;
use crate::databases::recovery_model;
use crate::dates::Parameter;
use crate::session::{Select, Session};

const TABLE: &str = "msdb.dbo.backupset";

/// Columns read, in this order.
const COLUMNS: [&str; 25] = [
    column::BACKUP_SET_UUID,
    column::DATABASE_NAME,
    column::DATABASE_GUID,
    column::FAMILY_GUID,
    column::TYPE,
    column::IS_SNAPSHOT,
    column::IS_COPY_ONLY,
    column::FIRST_LSN,
    column::LAST_LSN,
    column::CHECKPOINT_LSN,
    column::DATABASE_BACKUP_LSN,
    column::DIFFERENTIAL_BASE_LSN,
    column::DIFFERENTIAL_BASE_GUID,
    column::FIRST_RECOVERY_FORK_GUID,
    column::LAST_RECOVERY_FORK_GUID,
    column::FORK_POINT_LSN,
    column::TIME_ZONE,
    column::BACKUP_START_DATE,
    column::BACKUP_FINISH_DATE,
    column::IS_DAMAGED,
    column::HAS_BULK_LOGGED_DATA,
    column::RECOVERY_MODEL,
    column::BACKUP_SIZE,
    column::COMPRESSED_BACKUP_SIZE,
    column::SOFTWARE_MAJOR_VERSION,
];

/// `time_zone` for a zone that msdb does not know.
const ZONE_UNKNOWN: i64 = 127;

/// Seconds of a quarter hour, the unit of `time_zone`.
const QUARTER_SECONDS: i32 = 900;

/// Zones that exist, in quarter hours: UTC-12 to UTC+14.
const ZONES: std::ops::RangeInclusive<i64> = -48..=56;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadHistory for Session<S> {
    async fn backups(&mut self, database: &str, since: DateTime) -> Result<Vec<Backup>, Fault> {
        let text = format!(
            "SELECT {} FROM {TABLE} WHERE database_name = @P1 AND type IN ('D','I') AND backup_finish_date >= @P2 \
             ORDER BY backup_finish_date",
            COLUMNS.join(", ")
        );
        self.select(&Select { table: TABLE, text: &text }, &[&database, &Parameter(since)], read).await
    }
}

fn read(cells: &mut Cells<'_>) -> Result<Backup, Reason> {
    let id = cells.guid(column::BACKUP_SET_UUID)?;
    let id = BackupId::new(cells.required(column::BACKUP_SET_UUID, id)?.shared().clone());
    let database: Arc<str> = cells.some_text(column::DATABASE_NAME)?.into();
    let (database_guid, family_guid) = (cells.guid(column::DATABASE_GUID)?, cells.guid(column::FAMILY_GUID)?);
    let kind = kind(cells)?;
    let first = cells.lsn(column::FIRST_LSN)?;
    let first = cells.required(column::FIRST_LSN, first)?;
    let last = cells.lsn(column::LAST_LSN)?;
    let last = cells.required(column::LAST_LSN, last)?;
    if last < first {
        return Err(cells.unreadable(column::LAST_LSN, format_args!("{last} lies before first_lsn {first}")));
    }
    // Zero is msdb's way of saying none.
    let mut some_lsn = |name| cells.lsn(name).map(|lsn| lsn.filter(|lsn| !lsn.is_zero()));
    let checkpoint_lsn = some_lsn(column::CHECKPOINT_LSN)?;
    let database_backup_lsn = some_lsn(column::DATABASE_BACKUP_LSN)?;
    let differential_base_lsn = some_lsn(column::DIFFERENTIAL_BASE_LSN)?;
    let differential_base_guid = cells.guid(column::DIFFERENTIAL_BASE_GUID)?;
    let first_fork = cells.guid(column::FIRST_RECOVERY_FORK_GUID)?;
    let last_fork = cells.guid(column::LAST_RECOVERY_FORK_GUID)?;
    let fork_point_lsn = cells.lsn(column::FORK_POINT_LSN)?.filter(|lsn| !lsn.is_zero());
    let time_zone_quarter_hours =
        cells.int(column::TIME_ZONE)?.filter(|zone| *zone != ZONE_UNKNOWN && ZONES.contains(zone));
    let time_zone_quarter_hours = time_zone_quarter_hours.and_then(|zone| i8::try_from(zone).ok());
    let started = utc(cells, column::BACKUP_START_DATE, time_zone_quarter_hours)?;
    let finished = certainly_ended(utc(cells, column::BACKUP_FINISH_DATE, time_zone_quarter_hours)?);
    Ok(Backup {
        checkpoint_lsn,
        database_backup_lsn,
        differential_base_lsn,
        differential_base_guid,
        first_fork,
        last_fork,
        fork_point_lsn,
        database_guid,
        family_guid,
        started,
        damaged: cells.flag(column::IS_DAMAGED)?.unwrap_or(false),
        bulk_logged: cells.flag(column::HAS_BULK_LOGGED_DATA)?.unwrap_or(false),
        recovery_model: cells.text(column::RECOVERY_MODEL)?.and_then(recovery_model),
        size_bytes: cells.count(column::BACKUP_SIZE)?.unwrap_or(0),
        compressed_size_bytes: cells.count(column::COMPRESSED_BACKUP_SIZE)?.unwrap_or(0),
        software_major_version: cells
            .int(column::SOFTWARE_MAJOR_VERSION)?
            .and_then(|major| u16::try_from(major).ok()),
        time_zone_quarter_hours,
        ..Backup::new(id, database, kind, (first, last), finished)
    })
}

/// A snapshot that is copy-only moves no base, but nobody can restore from it either: it stays a snapshot.
fn kind(cells: &mut Cells<'_>) -> Result<Kind, Reason> {
    let letter = cells.some_text(column::TYPE)?;
    let snapshot = cells.flag(column::IS_SNAPSHOT)?.unwrap_or(false);
    let copy_only = cells.flag(column::IS_COPY_ONLY)?.unwrap_or(false);
    match letter {
        "D" if snapshot => Ok(Kind::Snapshot),
        "D" if copy_only => Ok(Kind::CopyOnly),
        "D" => Ok(Kind::Full),
        "I" => Ok(Kind::Differential),
        other => Err(cells.unreadable(column::TYPE, format_args!("{other:?} is neither D nor I"))),
    }
}

/// A server-local date as UTC; in an unknown zone it counts as UTC.
fn utc(cells: &mut Cells<'_>, column: &'static str, quarter_hours: Option<i8>) -> Result<Timestamp, Reason> {
    let local = cells.some_moment(column)?;
    tz::Offset::from_seconds(i32::from(quarter_hours.unwrap_or(0)) * QUARTER_SECONDS)
        .and_then(|offset| offset.to_timestamp(local))
        .map_err(|error| cells.unreadable(column, error))
}

#[cfg(test)]
mod tests {
    use domain::id::Guid;
    use domain::lsn::Lsn;
    use tiberius::numeric::Numeric;
    use tiberius::{ColumnData, ColumnType, Row, Uuid, time};

    use super::*;

    fn text(text: &'static str) -> ColumnData<'static> {
        ColumnData::String(Some(text.into()))
    }

    fn lsn(value: i128) -> ColumnData<'static> {
        ColumnData::Numeric(Some(Numeric::new_with_scale(value, 0)))
    }

    /// A cell as msdb has it for a full.
    fn cell(column: &str) -> ColumnData<'static> {
        match column {
            "backup_set_uuid" => ColumnData::Guid(Some(Uuid::from_u128(1))),
            "database_guid" | "family_guid" => ColumnData::Guid(Some(Uuid::from_u128(2))),
            "first_recovery_fork_guid" | "last_recovery_fork_guid" => {
                ColumnData::Guid(Some(Uuid::from_u128(3)))
            }
            "differential_base_guid" => ColumnData::Guid(None),
            "database_name" => text("orders"),
            "type" => text("D"),
            "recovery_model" => text("FULL"),
            "first_lsn" => lsn(10),
            "last_lsn" => lsn(20),
            "checkpoint_lsn" => lsn(11),
            "database_backup_lsn" => lsn(0),
            "differential_base_lsn" | "fork_point_lsn" => ColumnData::Numeric(None),
            "backup_size" => lsn(4_096),
            "compressed_backup_size" => lsn(1_024),
            "time_zone" => ColumnData::I16(Some(-20)),
            "software_major_version" => ColumnData::U8(Some(16)),
            "backup_start_date" => ColumnData::DateTime(Some(time::DateTime::new(46_300, 300 * 60))),
            "backup_finish_date" => ColumnData::DateTime(Some(time::DateTime::new(46_300, 300 * 120))),
            _ => ColumnData::Bit(Some(false)),
        }
    }

    fn backup(changes: &[(&str, ColumnData<'static>)]) -> Result<Backup, String> {
        let mut builder = Row::builder();
        for column in COLUMNS {
            let replaced = changes.iter().find(|(name, _)| *name == column).map(|(_, cell)| cell.clone());
            builder = builder.column(column, ColumnType::SSVariant, replaced.unwrap_or_else(|| cell(column)));
        }
        let row = builder.build();
        read(&mut Cells::new(TABLE, &row)).map_err(|reason| reason.message)
    }

    #[test]
    fn a_full_is_read_with_its_dates_in_utc() {
        let full = backup(&[]).unwrap();
        assert_eq!(full.id.as_str(), "00000000-0000-0000-0000-000000000001");
        assert_eq!((full.kind, full.database.as_ref()), (Kind::Full, "orders"));
        assert_eq!((full.first_lsn, full.last_lsn), (Lsn::from_u64(10), Lsn::from_u64(20)));
        assert_eq!((full.checkpoint_lsn, full.database_backup_lsn), (Some(Lsn::from_u64(11)), None));
        // 00:01 and 00:02 in a zone five hours behind UTC.
        assert_eq!(full.started.to_string(), "2026-10-07T05:01:00Z");
        assert_eq!(full.finished.to_string(), "2026-10-07T05:02:00Z");
        assert_eq!((full.size_bytes, full.compressed_size_bytes), (4_096, 1_024));
        assert_eq!((full.software_major_version, full.time_zone_quarter_hours), (Some(16), Some(-20)));
        assert_eq!(full.first_fork, Some(Guid::from("00000000-0000-0000-0000-000000000003")));
    }

    #[test]
    fn a_finish_between_two_seconds_was_rounded_and_one_on_a_second_was_not() {
        for (fragments, expected) in [
            (300 * 120, "2026-10-07T05:02:00Z"),
            (300 * 120 + 1, "2026-10-07T05:02:00.007Z"),
            (300 * 120 + 299, "2026-10-07T05:02:01Z"),
        ] {
            let cell = ColumnData::DateTime(Some(time::DateTime::new(46_300, fragments)));
            let full = backup(&[("backup_finish_date", cell)]).unwrap();
            assert_eq!(full.finished.to_string(), expected);
        }
    }

    #[test]
    fn type_and_flags_make_the_kind() {
        let on = || ColumnData::Bit(Some(true));
        for (changes, expected) in [
            (vec![("is_copy_only", on())], Ok(Kind::CopyOnly)),
            (vec![("is_snapshot", on())], Ok(Kind::Snapshot)),
            (vec![("is_snapshot", on()), ("is_copy_only", on())], Ok(Kind::Snapshot)),
            (vec![("is_snapshot", ColumnData::Bit(None))], Ok(Kind::Full)),
            (vec![("type", text("I"))], Ok(Kind::Differential)),
            (vec![("type", text("L"))], Err("msdb.dbo.backupset.type: \"L\" is neither D nor I".to_owned())),
            (vec![("type", ColumnData::String(None))], Err("msdb.dbo.backupset.type: is NULL".to_owned())),
        ] {
            assert_eq!(backup(&changes).map(|backup| backup.kind), expected, "{changes:?}");
        }
    }

    #[test]
    fn an_unknown_zone_counts_as_utc() {
        for zone in [ColumnData::I16(Some(127)), ColumnData::I16(None), ColumnData::I16(Some(-300))] {
            let full = backup(&[("time_zone", zone)]).unwrap();
            assert_eq!(
                (full.started.to_string().as_str(), full.time_zone_quarter_hours),
                ("2026-10-07T00:01:00Z", None)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (column, cell, expected) in [
            ("first_lsn", ColumnData::Numeric(None), "msdb.dbo.backupset.first_lsn: is NULL"),
            (
                "backup_set_uuid",
                ColumnData::Guid(Some(Uuid::nil())),
                "msdb.dbo.backupset.backup_set_uuid: is NULL",
            ),
            ("backup_size", lsn(-1), "msdb.dbo.backupset.backup_size: -1 is out of range"),
            (
                "backup_finish_date",
                ColumnData::DateTime(Some(time::DateTime::new(i32::MAX, 0))),
                "msdb.dbo.backupset.backup_finish_date: there is no such date",
            ),
        ] {
            assert_eq!(backup(&[(column, cell)]).unwrap_err(), expected);
        }
    }
}
