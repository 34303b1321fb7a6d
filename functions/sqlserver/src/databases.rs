//! Which databases are there, and in which state? The live row of each, joined from three catalogue views.
//!
//! Refuses to judge a state. Sources: Microsoft Learn, `sys.databases`, `sys.database_recovery_status`,
//! `sys.master_files`; RDS user guide (`rdsadmin` belongs to the service).

use domain::facts::{DatabaseState, RecoveryModel};
use domain::reason::Reason;
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::ReadDatabases;

use crate::cells::Cells;
use crate::columns::sys_databases as column;
use crate::session::{Select, Session};

/// A row for each file: they are counted, and the sizes of data files (`type` 0) add up. Every data file of a database has the same
/// base after a full, so that of the first, the primary data file, is read.
const DATABASES: Select<'static> = Select {
    table: "sys.databases",
    text: "SELECT d.name, d.database_id, d.create_date, d.state_desc, d.recovery_model_desc, d.is_read_only, \
           d.source_database_id, r.database_guid, r.family_guid, r.recovery_fork_guid, r.last_log_backup_lsn, f.differential_base_guid, \
           f.differential_base_lsn, f.file_id, f.type, f.size FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS r ON \
           r.database_id = d.database_id LEFT JOIN sys.master_files AS f ON f.database_id = d.database_id \
           WHERE d.database_id > 4",
};

/// Unit of `sys.master_files.size`.
const PAGE_BYTES: u64 = 8_192;

/// `sys.master_files.type`.
const DATA: u64 = 0;

/// Likewise.
const FILESTREAM: u64 = 2;

/// The database of the service itself. Its id is not documented, so it is recognised by its name.
const SERVICE_DATABASE: &str = "rdsadmin";

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadDatabases for Session<S> {
    async fn databases(&mut self) -> Result<Vec<DatabaseState>, Fault> {
        let mut databases = gathered(self.select(&DATABASES, &[], read).await?);
        databases.retain(|database| !database.name.eq_ignore_ascii_case(SERVICE_DATABASE));
        Ok(databases)
    }
}

/// One of each database, by id, with the number of all its files and the bytes of its data files.
fn gathered(mut rows: Vec<(DatabaseState, Option<u64>)>) -> Vec<DatabaseState> {
    rows.sort_by_key(|(database, file)| (database.id, *file));
    let mut databases: Vec<DatabaseState> = Vec::new();
    for (row, _) in rows {
        match databases.last_mut().filter(|database| database.id == row.id) {
            Some(database) => {
                let both = [database.data_bytes, row.data_bytes].into_iter().flatten();
                database.data_bytes = both.reduce(u64::saturating_add);
                database.files = database.files.saturating_add(row.files);
                database.filestream |= row.filestream;
            }
            None => databases.push(row),
        }
    }
    databases
}

/// A database as a row of one of its files tells it, and the number of that file.
fn read(cells: &mut Cells<'_>) -> Result<(DatabaseState, Option<u64>), Reason> {
    let (file, kind) = (cells.count(column::FILE_ID)?, cells.count(column::TYPE)?);
    let pages = cells.count(column::SIZE)?.filter(|_| kind == Some(DATA));
    let database = DatabaseState {
        name: cells.some_text(column::NAME)?.to_owned(),
        id: cells.some_int(column::DATABASE_ID)?,
        state: cells.some_text(column::STATE_DESC)?.to_owned(),
        recovery_model: cells.text(column::RECOVERY_MODEL_DESC)?.and_then(recovery_model),
        database_guid: cells.guid(column::DATABASE_GUID)?,
        family_guid: cells.guid(column::FAMILY_GUID)?,
        recovery_fork_guid: cells.guid(column::RECOVERY_FORK_GUID)?,
        last_log_backup_lsn: cells.lsn(column::LAST_LOG_BACKUP_LSN)?.filter(|lsn| !lsn.is_zero()),
        differential_base_guid: cells.guid(column::DIFFERENTIAL_BASE_GUID)?,
        differential_base_lsn: cells.lsn(column::DIFFERENTIAL_BASE_LSN)?.filter(|lsn| !lsn.is_zero()),
        data_bytes: pages.map(|pages| pages.saturating_mul(PAGE_BYTES)),
        files: u64::from(file.is_some()),
        filestream: kind == Some(FILESTREAM),
        read_only: cells.flag(column::IS_READ_ONLY)?.unwrap_or(false),
        snapshot_of: cells.int(column::SOURCE_DATABASE_ID)?.and_then(|id| i32::try_from(id).ok()),
        server: 0,
    };
    Ok((database, file))
}

/// Reads the spelling of `recovery_model_desc`, and of `backupset.recovery_model`, which has a hyphen. `None` for one we do
/// not know.
pub(crate) fn recovery_model(text: &str) -> Option<RecoveryModel> {
    Some(match text {
        "FULL" => RecoveryModel::Full,
        "BULK_LOGGED" | "BULK-LOGGED" => RecoveryModel::BulkLogged,
        "SIMPLE" => RecoveryModel::Simple,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::{ColumnData, ColumnType, Row, Uuid};

    use super::*;

    /// A row as the server sends it, one column replaced.
    fn row(column: &str, cell: &ColumnData<'static>) -> Row {
        let lsn = |value| ColumnData::Numeric(Some(Numeric::new_with_scale(value, 0)));
        let text = |text: &'static str| ColumnData::String(Some(text.into()));
        let whole: [(&str, ColumnType, ColumnData<'static>); 16] = [
            ("name", ColumnType::NVarchar, text("orders")),
            ("database_id", ColumnType::Int4, ColumnData::I32(Some(6))),
            ("create_date", ColumnType::Datetime, ColumnData::DateTime(None)),
            ("state_desc", ColumnType::NVarchar, text("ONLINE")),
            ("recovery_model_desc", ColumnType::NVarchar, text("FULL")),
            ("is_read_only", ColumnType::Bit, ColumnData::Bit(Some(false))),
            ("source_database_id", ColumnType::Int4, ColumnData::I32(None)),
            ("database_guid", ColumnType::Guid, ColumnData::Guid(Some(Uuid::from_u128(1)))),
            ("family_guid", ColumnType::Guid, ColumnData::Guid(Some(Uuid::from_u128(2)))),
            ("recovery_fork_guid", ColumnType::Guid, ColumnData::Guid(Some(Uuid::from_u128(3)))),
            ("last_log_backup_lsn", ColumnType::Numericn, lsn(34_000_000_012_300_001)),
            ("differential_base_guid", ColumnType::Guid, ColumnData::Guid(None)),
            ("differential_base_lsn", ColumnType::Numericn, lsn(0)),
            ("file_id", ColumnType::Int4, ColumnData::I32(Some(1))),
            ("type", ColumnType::Int1, ColumnData::U8(Some(0))),
            ("size", ColumnType::Int4, ColumnData::I32(Some(1_024))),
        ];
        let mut builder = Row::builder();
        for (name, kind, value) in whole {
            builder = builder.column(name, kind, if name == column { cell.clone() } else { value });
        }
        builder.build()
    }

    fn state(column: &str, cell: &ColumnData<'static>) -> Result<DatabaseState, String> {
        let row = row(column, cell);
        read(&mut Cells::new(DATABASES.table, &row)).map(|(state, _)| state).map_err(|reason| reason.message)
    }

    #[test]
    fn the_files_of_a_database_add_up_and_the_first_tells_the_base() {
        let file = |id: i32, file: u64, bytes: Option<u64>| {
            let mut state = state("database_id", &ColumnData::I32(Some(id))).unwrap();
            state.data_bytes = bytes;
            state.differential_base_guid = Some(format!("base-of-{file}").as_str().into());
            (state, Some(file))
        };
        let rows = vec![
            file(7, 1, Some(5)),
            file(6, 3, Some(10)),
            file(6, 1, Some(1)),
            file(6, 4, None),
            file(8, 1, None),
        ];
        let told: Vec<_> = gathered(rows)
            .into_iter()
            .map(|state| (state.id, state.data_bytes, state.differential_base_guid.unwrap().to_string()))
            .collect();
        let base = || "base-of-1".to_owned();
        assert_eq!(told, [(6, Some(11), base()), (7, Some(5), base()), (8, None, base())]);
    }

    #[test]
    fn files_of_every_type_are_counted_and_data_alone_is_measured() {
        for (kind, bytes, filestream) in [(0, Some(8 << 20), false), (1, None, false), (2, None, true)] {
            let state = state("type", &ColumnData::U8(Some(kind))).unwrap();
            assert_eq!((state.files, state.data_bytes, state.filestream), (1, bytes, filestream), "{kind}");
        }
        assert_eq!(state("file_id", &ColumnData::I32(None)).unwrap().files, 0, "no row of master_files");
        let file = |kind| (state("type", &ColumnData::U8(Some(kind))).unwrap(), Some(u64::from(kind) + 1));
        let one = gathered(vec![file(0), file(1), file(2)]).pop().unwrap();
        assert_eq!((one.files, one.data_bytes, one.filestream), (3, Some(8 << 20), true));
    }

    #[test]
    fn a_whole_row_is_read() {
        let state = state("", &ColumnData::I32(None)).unwrap();
        assert_eq!((state.name.as_str(), state.id, state.state.as_str()), ("orders", 6, "ONLINE"));
        assert_eq!(state.recovery_model, Some(RecoveryModel::Full));
        assert_eq!(state.recovery_fork_guid.unwrap().as_str(), "00000000-0000-0000-0000-000000000003");
        assert_eq!(state.last_log_backup_lsn.unwrap().to_string(), "34000000012300001");
        assert_eq!((state.differential_base_guid, state.differential_base_lsn), (None, None));
        assert_eq!(state.data_bytes, Some(8 << 20));
    }

    #[test]
    fn what_may_be_null_is_none_and_what_may_not_is_named() {
        let unknown = state("recovery_model_desc", &ColumnData::String(Some("CRASHED".into()))).unwrap();
        assert_eq!(unknown.recovery_model, None);
        assert_eq!(
            state("last_log_backup_lsn", &ColumnData::Numeric(None)).unwrap().last_log_backup_lsn,
            None
        );
        for (column, cell, expected) in [
            ("name", ColumnData::String(None), "sys.databases.name: is NULL"),
            (
                "database_id",
                ColumnData::I64(Some(1 << 40)),
                "sys.databases.database_id: 1099511627776 is out of range",
            ),
            ("family_guid", ColumnData::I32(Some(1)), "sys.databases.family_guid: int is no GUID"),
        ] {
            assert_eq!(state(column, &cell).unwrap_err(), expected);
        }
    }
}
