//! Which procedures are there?
//!
//! Those of RDS in msdb and rdsadmin, and the few of SQL Server that a backup tool calls. Each file says what its
//! procedures take and refuse; this one finds them.

mod administration;
mod backup;
mod certificate;
mod configuration;
mod documents;
mod files;
mod restore;
mod status;
mod tlog;

use tds::{Column, Response, ResultSet, SqlType, Value};

use crate::{
    error::EngineError,
    instance::config::OptionStatus,
    sql::{
        Raised,
        applock::{GET, RELEASE},
        calls::{Argument, Bound, ObjectName, bind, no_procedure},
        session::SessionId,
    },
    time::nanoseconds,
    world::World,
};

/// What a procedure of RDS is given.
pub(super) struct Call<'a> {
    pub(super) session: SessionId,
    pub(super) instance: usize,
    pub(super) bound: &'a Bound,
}

type Procedure = fn(&mut World, &Call<'_>, &mut Response) -> Result<(), EngineError>;

/// The procedures of RDS: their database, name, parameters, and what they do.
const RDS: &[(&str, &str, &[crate::sql::calls::Declared], Procedure)] = &[
    ("msdb", "rds_backup_database", backup::BACKUP, World::rds_backup_database),
    ("msdb", "rds_restore_database", restore::RESTORE, World::rds_restore_database),
    ("msdb", "rds_restore_log", restore::RESTORE_LOG, World::rds_restore_log),
    ("msdb", "rds_finish_restore", restore::FINISH, World::rds_finish_restore),
    ("msdb", "rds_drop_database", restore::DROP, World::rds_drop_database),
    ("msdb", "rds_task_status", status::STATUS, World::rds_task_status),
    ("msdb", "rds_cancel_task", status::CANCEL, World::rds_cancel_task),
    ("msdb", "rds_tlog_copy_setup", tlog::SETUP, World::rds_tlog_copy_setup),
    ("msdb", "rds_tlog_backup_copy_to_s3", tlog::COPY, World::rds_tlog_backup_copy_to_s3),
    ("msdb", "rds_failover_time", administration::NOTHING, World::rds_failover_time),
    ("msdb", "rds_cdc_disable_db", administration::ONE_DATABASE, World::rds_cdc_disable_db),
    ("msdb", "rds_download_from_s3", files::DOWNLOAD, World::rds_download_from_s3),
    ("msdb", "rds_upload_to_s3", files::UPLOAD, World::rds_upload_to_s3),
    ("msdb", "rds_gather_file_details", administration::NOTHING, World::rds_gather_file_details),
    ("msdb", "rds_delete_from_filesystem", files::DELETE, World::rds_delete_from_filesystem),
    ("rdsadmin", "rds_modify_db_name", administration::RENAME, World::rds_modify_db_name),
    ("rdsadmin", "rds_set_database_online", administration::ONE_DATABASE, World::rds_set_database_online),
    ("rdsadmin", "rds_show_configuration", configuration::SHOW, World::rds_show_configuration),
    ("rdsadmin", "rds_set_configuration", configuration::SET, World::rds_set_configuration),
    ("msdb", "rds_backup_tde_certificate", certificate::BACKUP, World::rds_backup_tde_certificate),
    ("msdb", "rds_restore_tde_certificate", certificate::RESTORE, World::rds_restore_tde_certificate),
    ("msdb", "rds_drop_tde_certificate", certificate::DROP, World::rds_drop_tde_certificate),
];

impl World {
    /// Calls a procedure. Returns its status, which is also in the answer.
    pub(crate) fn call(
        &mut self,
        session: SessionId,
        name: &ObjectName,
        arguments: &[Argument],
        answer: &mut Response,
        depth: u32,
    ) -> Result<i32, Raised> {
        let Some(held) = self.sessions.get(&session.0) else {
            return Err(no_procedure(&name.written).into());
        };
        let (instance, current) = (held.instance, held.database.clone());
        let raised = |error| Raised { error, procedure: name.written.clone() };
        let found =
            RDS.iter().find(|(database, known, ..)| *known == name.object && name.is_in(database, &current));
        if let Some((database, known, declared, procedure)) =
            found.filter(|(_, known, ..)| self.knobs.documents.knows(known))
        {
            let declared = self.knobs.documents.parameters(known, declared);
            let bound = bind(&name.written, declared, arguments).map_err(raised)?;
            self.knobs.documents.check(known, &name.written, arguments).map_err(raised)?;
            self.may_execute(instance, database, known).map_err(raised)?;
            procedure(self, &Call { session, instance, bound: &bound }, answer).map_err(raised)?;
            answer.status = Some(0);
            return Ok(0);
        }
        let status = match name.object.as_str() {
            "sp_getapplock" => {
                let bound = bind("sp_getapplock", GET, arguments).map_err(raised)?;
                self.get_app_lock(session, &bound).map_err(raised)?
            }
            "sp_releaseapplock" => {
                let bound = bind("sp_releaseapplock", RELEASE, arguments).map_err(raised)?;
                self.release_app_lock(session, &bound).map_err(raised)?
            }
            "sp_executesql" => {
                self.execute_sql(session, arguments, answer, depth)?;
                0
            }
            // Drivers ask for the types at connect and live without an answer.
            "sp_datatype_info" | "sp_datatype_info_100" => {
                answer.results.push(ResultSet {
                    columns: vec![text_column("TYPE_NAME"), int_column("DATA_TYPE")],
                    ..ResultSet::default()
                });
                0
            }
            _ => return Err(raised(no_procedure(&full_name(name)))),
        };
        answer.status = Some(status);
        Ok(status)
    }

    /// Grants that are lost are refused as SQL Server does; they are those of msdb.
    fn may_execute(&self, instance: usize, database: &str, procedure: &str) -> Result<(), EngineError> {
        if database == "msdb" && self.instances.get(instance).is_some_and(|i| i.grants_lost) {
            let text = format!(
                "The EXECUTE permission was denied on the object '{procedure}', database 'msdb', schema 'dbo'."
            );
            return Err(EngineError::new(229, text));
        }
        Ok(())
    }

    /// Whether the session has an open transaction.
    pub(super) fn in_transaction(&self, session: SessionId) -> bool {
        self.sessions.get(&session.0).is_some_and(|s| s.transactions > 0)
    }

    /// Whether the backup option is on.
    pub(super) fn has_option(&self, instance: usize) -> bool {
        self.instances.get(instance).is_some_and(|i| i.config.option == OptionStatus::InSync)
    }

    /// The result that a call which queued a task answers with.
    pub(super) fn announce(&self, call: &Call<'_>, task: u32, answer: &mut Response) {
        let Some(held) = self.instances.get(call.instance).and_then(|i| i.task(task)) else { return };
        let at = Value::DateTime(nanoseconds(self.task_clock(call.instance, held.created)));
        let text = |t: &str| Value::Text(t.into());
        let cells = [
            (int_column("task_id"), Value::Int(i64::from(task))),
            (text_column("task_type"), text(held.kind.name(&self.knobs))),
            (text_column("lifecycle"), text(held.lifecycle.name())),
            (time_column("created_at"), at.clone()),
            (time_column("last_updated"), at),
            (
                text_column("database_name"),
                Some(&*held.database_name).filter(|name| !name.is_empty()).map_or(Value::Null, text),
            ),
            (text_column("S3_object_arn"), text(&held.s3_arn)),
            (int_column("overwrite_S3_backup_file"), Value::Int(i64::from(held.overwrite))),
            (text_column("KMS_master_key_arn"), held.kms.as_deref().map_or(Value::Null, text)),
            (int_column("task_progress"), Value::Int(0)),
            (text_column("task_info"), Value::Null),
        ];
        let (columns, row) = cells.into_iter().unzip();
        answer.results.push(ResultSet { columns, rows: vec![row], affected: None });
        answer
            .messages
            .push(self.print(call.session, &format!("Task created successfully.\nTask Id: {task}")));
    }

    /// A moment on the clock that task tables show.
    pub(crate) fn task_clock(&self, instance: usize, at: crate::time::Ms) -> crate::time::Ms {
        crate::time::round_datetime(at + self.task_shift(instance))
    }

    /// What the clock of task tables differs from UTC.
    pub(crate) fn task_shift(&self, instance: usize) -> crate::time::Ms {
        let zone = self.instances.get(instance).map_or(0, |i| i.zone);
        if self.knobs.task_times_local { zone } else { 0 }
    }
}

fn full_name(name: &ObjectName) -> String {
    [&name.database, &name.schema, &name.written]
        .into_iter()
        .filter(|p| !p.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join(".")
}

pub(super) fn text_column(name: &str) -> Column {
    Column { name: name.into(), sql_type: SqlType::NVarChar(Some(4000)), nullable: true }
}

pub(super) fn int_column(name: &str) -> Column {
    Column { name: name.into(), sql_type: SqlType::Int, nullable: true }
}

pub(super) fn time_column(name: &str) -> Column {
    Column { name: name.into(), sql_type: SqlType::DateTime, nullable: true }
}
