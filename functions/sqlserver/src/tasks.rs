//! Which native tasks are there? Rows of `rds_fn_task_status`, and the log of one task.
//!
//! Reads named columns only: the function has one column more than the procedure and spells another differently, and the
//! log of every task of 36 days would be most of the bytes. Refuses to know which tasks are ours. Source: RDS user guide,
//! "Tracking the status of tasks"; consumers of the function's result set.

use domain::reason::{Class, Reason};
use domain::task::{Lifecycle, TaskId, TaskRow};
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::ReadTasks;

use crate::cells::Cells;
use crate::columns::{rds_fn_task_status as live, rds_task_status as column};
use crate::session::{Select, Session};
use crate::task_info;

const TABLE: &str = "msdb.dbo.rds_fn_task_status";

/// Bytes kept of a log, its end: a backup of ten files writes two lines per file and 5 percent, a few tens of KiB.
const TASK_INFO_BYTES_MAX: usize = 64 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ReadTasks for Session<S> {
    async fn tasks(&mut self, from: TaskId) -> Result<Vec<TaskRow>, Fault> {
        let text = format!(
            "SELECT {}, {}, {}, {}, {} AS {}, {}, {}, {} FROM {TABLE}(NULL, 0) WHERE {} >= @P1 ORDER BY {}",
            column::TASK_ID,
            column::TASK_TYPE,
            column::DATABASE_NAME,
            column::LIFECYCLE,
            live::PERCENT,
            live::PERCENT_COMPLETE,
            column::LAST_UPDATED,
            column::CREATED_AT,
            column::S3_OBJECT_ARN,
            column::TASK_ID,
            column::TASK_ID,
        );
        self.select(&Select { table: TABLE, text: &text }, &[&from], read).await
    }

    async fn task_info(&mut self, task: TaskId) -> Result<String, Fault> {
        self.log(task).await?.ok_or_else(|| {
            Fault::Refused(
                Reason::new(Class::Never, "TaskMissing", format!("the service knows no task {task}"))
                    .guidance("tasks are kept for 36 days"),
            )
        })
    }

    async fn task_end(&mut self, task: TaskId) -> Result<Option<Reason>, Fault> {
        Ok(self.log(task).await?.and_then(|log| task_info::cause(&log)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// The log of a task, or `None` when there is no such task.
    async fn log(&mut self, task: TaskId) -> Result<Option<String>, Fault> {
        let text = format!("SELECT {} FROM {TABLE}(NULL, @P1)", live::TASK_INFO);
        let read =
            |cells: &mut Cells<'_>| Ok(tail(cells.text(live::TASK_INFO)?.unwrap_or_default()).to_owned());
        Ok(self.select(&Select { table: TABLE, text: &text }, &[&task], read).await?.into_iter().next())
    }
}

/// Reads a row. The queue carries tasks of every kind and of everybody, so what a rule can do without never stops the reading
/// of all tasks of the instance: a type that is not told is empty, an absurd percent is none.
fn read(cells: &mut Cells<'_>) -> Result<TaskRow, Reason> {
    Ok(TaskRow {
        id: cells.some_int(column::TASK_ID)?,
        task_type: cells.text(column::TASK_TYPE)?.unwrap_or_default().to_owned(),
        database: filled(cells.text(column::DATABASE_NAME)?),
        lifecycle: cells.text(column::LIFECYCLE)?.and_then(Lifecycle::parse),
        percent: cells
            .number(live::PERCENT_COMPLETE)
            .ok()
            .flatten()
            .filter(|percent| (0.0..=100.0).contains(percent)),
        last_updated: cells.moment(column::LAST_UPDATED)?,
        created_at: cells.moment(column::CREATED_AT)?,
        s3_arn: filled(cells.text(column::S3_OBJECT_ARN)?),
    })
}

fn filled(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The end of a log, cut at a character.
fn tail(log: &str) -> &str {
    let from = log.ceil_char_boundary(log.len().saturating_sub(TASK_INFO_BYTES_MAX));
    log.get(from..).unwrap_or(log)
}

#[cfg(test)]
mod tests {
    use tiberius::numeric::Numeric;
    use tiberius::{ColumnData, ColumnType, Row, time};

    use super::*;

    fn text(text: &'static str) -> ColumnData<'static> {
        ColumnData::String(Some(text.into()))
    }

    fn task(lifecycle: &'static str, percent: ColumnData<'static>) -> Result<TaskRow, Reason> {
        let row = Row::builder()
            .column("task_id", ColumnType::Int4, ColumnData::I32(Some(17)))
            .column("task_type", ColumnType::NVarchar, text("BACKUP_DB"))
            .column("database_name", ColumnType::NVarchar, text("orders"))
            .column("lifecycle", ColumnType::NVarchar, text(lifecycle))
            .column("percent_complete", ColumnType::Numericn, percent)
            .column(
                "last_updated",
                ColumnType::Datetime,
                ColumnData::DateTime(Some(time::DateTime::new(46_300, 1))),
            )
            .column("created_at", ColumnType::Datetime, ColumnData::DateTime(None))
            .column("s3_object_arn", ColumnType::NVarchar, text(" "))
            .build();
        read(&mut Cells::new(TABLE, &row))
    }

    #[test]
    fn a_row_is_read_whatever_the_service_left_out() {
        let percent = ColumnData::Numeric(Some(Numeric::new_with_scale(2_500, 2)));
        let read = task("IN_PROGRESS", percent).unwrap();
        assert_eq!((read.id, read.lifecycle, read.percent), (17, Some(Lifecycle::InProgress), Some(25.0)));
        assert_eq!(read.last_updated.unwrap().to_string(), "2026-10-07T00:00:00.003");
        assert_eq!((read.created_at, read.s3_arn), (None, None));
    }

    #[test]
    fn unknown_spellings_and_absurd_percents_are_none() {
        for (lifecycle, percent, expected) in [
            ("PAUSED", ColumnData::F64(Some(f64::NAN)), (None, None)),
            ("SUCCESS", ColumnData::I32(Some(101)), (Some(Lifecycle::Success), None)),
            ("ERROR", text("half"), (Some(Lifecycle::Error), None)),
            ("ERROR", text("-1 %"), (Some(Lifecycle::Error), None)),
            ("CREATED", ColumnData::I32(Some(0)), (Some(Lifecycle::Created), Some(0.0))),
        ] {
            let read = task(lifecycle, percent).unwrap();
            assert_eq!((read.lifecycle, read.percent), expected, "{lifecycle}");
        }
    }

    #[test]
    fn a_long_log_keeps_its_end() {
        let log = format!("{}end", "ä".repeat(TASK_INFO_BYTES_MAX));
        let kept = tail(&log);
        assert!(kept.len() <= TASK_INFO_BYTES_MAX && kept.ends_with("äend"), "{}", kept.len());
        assert_eq!(tail("short"), "short");
    }
}
