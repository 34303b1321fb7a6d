//! What do `rds_task_status` and `rds_cancel_task` answer?
//!
//! The status procedure has exactly fourteen columns, as three independent INSERT ... EXEC consumers agree; the table
//! function has fifteen and lives among the tables.

use tds::{Response, ResultSet};

use crate::{
    error::EngineError,
    instance::state::Instance,
    knobs::Documents,
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

/// Those of 2019.
pub(super) const CANCEL_OF_2019: &[Declared] = &[optional("@db_name"), optional("@task_id")];

impl World {
    /// `msdb.dbo.rds_task_status`.
    pub(super) fn rds_task_status(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let task = value::integer(call.bound.get(1), "int")?.filter(|t| *t != 0);
        let shown = self.knobs.documents.status_columns();
        let table = TaskTable::procedure(self, call.instance, call.bound.text(0), task);
        let places = || (0..table.columns().len()).filter(|place| shown.contains(place));
        let columns = places().map(|place| table.columns()[place].column()).collect();
        let rows = table.rows(&[]).into_iter();
        let rows = rows.map(|row| places().map(|place| table.value(row, place)).collect());
        let rows = rows.collect();
        answer.results.push(ResultSet { columns, rows, affected: None });
        Ok(())
    }

    /// `msdb.dbo.rds_cancel_task`.
    pub(super) fn rds_cancel_task(&mut self, call: &Call<'_>, _: &mut Response) -> Result<(), EngineError> {
        let (name, place) = match self.knobs.documents {
            Documents::Of2019 => (call.bound.text(0), 1),
            Documents::Of2023 | Documents::Newest => (None, 0),
        };
        let id = value::integer(call.bound.get(place), "int")?;
        let host = self.instances.get(call.instance);
        // By name it means the newest task of the database that has not ended.
        let of_database = |name: String| {
            let tasks = host.into_iter().flat_map(Instance::open_tasks);
            tasks
                .filter(|task| name.trim_end().eq_ignore_ascii_case(&task.database_name))
                .map(|task| task.id)
                .max()
        };
        let id = id.and_then(|id| u32::try_from(id).ok()).or(name.and_then(of_database));
        self.cancel(call.instance, id.unwrap_or(0))
    }
}
