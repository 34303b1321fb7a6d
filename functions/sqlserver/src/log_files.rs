//! Which five-minute log files does the service keep? Rows of `rds_fn_list_tlog_backup_metadata`, by sequence number.
//!
//! Sequence numbers are per database and dense, so a page is a range of them and no `TOP` is needed. The service forgets
//! files after seven days: then a range that was asked for may begin before the first file there is. Refuses to judge
//! chains. Source: RDS user guide, "Access to transaction log backups" (the eleven columns).

use domain::facts::LogFile;
use domain::lsn::Lsn;
use domain::reason::Reason;
use futures_util::io::{AsyncRead, AsyncWrite};
use jiff::tz::TimeZone;
use ports::Fault;
use ports::server::ReadLogFiles;

use crate::cells::Cells;
use crate::columns::{rds_fn_list_tlog_backup_metadata as live, rds_tlog_backup_metadata as column};
use crate::session::{Select, Session};

const TABLE: &str = "msdb.dbo.rds_fn_list_tlog_backup_metadata";

/// Columns read, in this order.
const COLUMNS: [&str; 10] = [
    live::DB_ID,
    column::FAMILY_GUID,
    column::RDS_BACKUP_SEQ_ID,
    column::BACKUP_FILE_EPOCH,
    column::BACKUP_FILE_TIME_UTC,
    column::STARTING_LSN,
    column::ENDING_LSN,
    column::IS_LOG_CHAIN_BROKEN,
    column::FILE_SIZE_BYTES,
    column::ERROR,
];

/// The smallest number, in our result set.
const FIRST_SEQ: &str = "first_seq";

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadLogFiles for Session<S> {
    async fn log_files(&mut self, database: &str, after: u64, limit: u32) -> Result<Vec<LogFile>, Fault> {
        let mut files = self.page(database, after, limit).await?;
        if files.is_empty() && limit > 0 {
            // Nothing new, the usual answer; or the numbers asked for are forgotten already.
            let Some(first) = self.first_seq(database, after).await? else { return Ok(files) };
            files = self.page(database, first.saturating_sub(1), limit).await?;
        } else if files.first().is_some_and(|file| file.seq > after.saturating_add(1)) {
            // The front of the range is forgotten: fill the page, so that fewer than `limit` means that there are no more.
            let missing = limit.saturating_sub(u32::try_from(files.len()).unwrap_or(u32::MAX));
            files.extend(self.page(database, after.saturating_add(u64::from(limit)), missing).await?);
        }
        Ok(files)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Files with the numbers `after + 1` to `after + width`.
    async fn page(&mut self, database: &str, after: u64, width: u32) -> Result<Vec<LogFile>, Fault> {
        if width == 0 {
            return Ok(Vec::new());
        }
        let (above, upto) = (bound(after), bound(after.saturating_add(u64::from(width))));
        let text = format!(
            "SELECT {} FROM {TABLE}(@P1) WHERE {seq} > @P2 AND {seq} <= @P3 ORDER BY {seq}",
            COLUMNS.join(", "),
            seq = column::RDS_BACKUP_SEQ_ID,
        );
        self.select(&Select { table: TABLE, text: &text }, &[&database, &above, &upto], read).await
    }

    /// The smallest number above `after`.
    async fn first_seq(&mut self, database: &str, after: u64) -> Result<Option<u64>, Fault> {
        let above = bound(after);
        let text = format!(
            "SELECT MIN({seq}) AS {FIRST_SEQ}, MAX({seq}) AS last_seq FROM {TABLE}(@P1) WHERE {seq} > @P2",
            seq = column::RDS_BACKUP_SEQ_ID,
        );
        let select = Select { table: TABLE, text: &text };
        let rows = self.select(&select, &[&database, &above], |cells| cells.count(FIRST_SEQ)).await?;
        Ok(rows.into_iter().next().flatten())
    }
}

/// A sequence number as a parameter; beyond bigint there are none.
fn bound(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Reads a row. A file that the service itself reports as failed may have no LSNs and no size: it stays in the list, as a
/// file that breaks the chain, because leaving it out would make a hole without a cause.
fn read(cells: &mut Cells<'_>) -> Result<LogFile, Reason> {
    let database_id = cells.some_int(live::DB_ID)?;
    let family = cells.guid(column::FAMILY_GUID)?;
    let family_guid = cells.required(column::FAMILY_GUID, family)?;
    let seq = cells.some_int(column::RDS_BACKUP_SEQ_ID)?;
    let epoch = cells.some_int(column::BACKUP_FILE_EPOCH)?;
    let made_at = cells.some_moment(column::BACKUP_FILE_TIME_UTC)?;
    let made_at = made_at
        .to_zoned(TimeZone::UTC)
        .map_err(|error| cells.unreadable(column::BACKUP_FILE_TIME_UTC, error))?
        .timestamp();
    let (first, last) = (cells.lsn(column::STARTING_LSN)?, cells.lsn(column::ENDING_LSN)?);
    let broken = cells.flag(column::IS_LOG_CHAIN_BROKEN)?;
    let size = cells.count(column::FILE_SIZE_BYTES)?;
    let error = cells.text(column::ERROR)?.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let failed = error.is_some();
    let known = |lsn: Option<Lsn>| if failed { lsn.or(Some(Lsn::ZERO)) } else { lsn };
    Ok(LogFile {
        database_id,
        family_guid,
        seq,
        epoch,
        made_at,
        first_lsn: cells.required(column::STARTING_LSN, known(first))?,
        last_lsn: cells.required(column::ENDING_LSN, known(last))?,
        chain_broken: cells.required(column::IS_LOG_CHAIN_BROKEN, broken.or(failed.then_some(true)))?
            || (failed && (first.is_none() || last.is_none())),
        size_bytes: cells.required(column::FILE_SIZE_BYTES, size.or(failed.then_some(0)))?,
        error,
    })
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::{ColumnData, ColumnType, Row, Uuid, time};

    use super::*;

    fn file(lsn: Option<i128>, error: Option<&'static str>) -> Result<LogFile, Reason> {
        let numeric = |value| ColumnData::Numeric(Some(Numeric::new_with_scale(value, 0)));
        let row = Row::builder()
            .column("db_id", ColumnType::Int4, ColumnData::I32(Some(6)))
            .column("family_guid", ColumnType::Guid, ColumnData::Guid(Some(Uuid::from_u128(2))))
            .column("rds_backup_seq_id", ColumnType::Int4, ColumnData::I32(Some(41)))
            .column("backup_file_epoch", ColumnType::Int8, ColumnData::I64(Some(1_790_000_000)))
            .column(
                "backup_file_time_utc",
                ColumnType::Datetime,
                ColumnData::DateTime(Some(time::DateTime::new(46_300, 300))),
            )
            .column("starting_lsn", ColumnType::Numericn, lsn.map_or(ColumnData::Numeric(None), numeric))
            .column("ending_lsn", ColumnType::Numericn, numeric(20))
            .column("is_log_chain_broken", ColumnType::Bit, ColumnData::Bit(Some(false)))
            .column("file_size_bytes", ColumnType::Int8, ColumnData::I64(Some(4_096)))
            .column("Error", ColumnType::BigVarChar, ColumnData::String(error.map(Into::into)))
            .build();
        read(&mut Cells::new(TABLE, &row))
    }

    #[test]
    fn a_file_is_read() {
        let file = file(Some(10), None).unwrap();
        assert_eq!((file.database_id, file.seq, file.epoch, file.size_bytes), (6, 41, 1_790_000_000, 4_096));
        assert_eq!((file.first_lsn, file.last_lsn), (Lsn::from_u64(10), Lsn::from_u64(20)));
        assert_eq!(file.made_at.to_string(), "2026-10-07T00:00:01Z");
        assert!(!file.chain_broken && file.error.is_none());
    }

    #[test]
    fn a_failed_file_breaks_the_chain_and_a_row_without_excuse_is_refused() {
        let failed = file(None, Some("could not be read")).unwrap();
        assert!(failed.chain_broken && failed.first_lsn.is_zero(), "{failed:?}");
        assert!(!file(Some(10), Some("late")).unwrap().chain_broken);
        let reason = file(None, Some(" ")).unwrap_err();
        assert_eq!(reason.message, "msdb.dbo.rds_fn_list_tlog_backup_metadata.starting_lsn: is NULL");
    }
}
