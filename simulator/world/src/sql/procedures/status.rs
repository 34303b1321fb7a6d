//! What do `rds_task_status` and `rds_cancel_task` answer?
//!
//! The status procedure has exactly fourteen columns, as three independent INSERT ... EXEC consumers agree; the table
//! function has fifteen and lives among the tables.

use tds::{Response, ResultSet};

use crate::{
    error::EngineError,
    sql::{
        calls::{Declared, optional, required},
        procedures::Call,
        tables::{Table, tasks::TaskTable},
        value,
    },
    world::World,
};

/// Parameters of `rds_task_status`.
pub(super) const STATUS: &[Declared] = &[optional("@db_name"), optional("@task_id")];

/// Parameters of `rds_cancel_task`.
pub(super) const CANCEL: &[Declared] = &[required("@task_id")];

impl World {
    /// `msdb.dbo.rds_task_status`.
    pub(super) fn rds_task_status(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let task = value::integer(call.bound.get(1), "int")?.filter(|t| *t != 0);
        let table = TaskTable::procedure(self, call.instance, call.bound.text(0), task);
        let columns = table.columns().iter().map(crate::sql::tables::ColumnSpec::column).collect();
        let width = table.columns().len();
        let rows = table
            .rows(&[])
            .into_iter()
            .map(|row| (0..width).map(|column| table.value(row, column)).collect());
        let rows = rows.collect();
        answer.results.push(ResultSet { columns, rows, affected: None });
        Ok(())
    }

    /// `msdb.dbo.rds_cancel_task`.
    pub(super) fn rds_cancel_task(&mut self, call: &Call<'_>, _: &mut Response) -> Result<(), EngineError> {
        let id = value::integer(call.bound.get(0), "int")?.unwrap_or(0);
        self.cancel(call.instance, u32::try_from(id).unwrap_or(0))
    }
}
