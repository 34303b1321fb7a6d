//! Which tables can be selected from?
//!
//! A table hands out row numbers and computes a value only when asked: a poll that filters by task id never builds the
//! 86,400 tasks of 36 days, and `task_info` is written only where it is projected.

mod backup_files;
pub(crate) mod certificates;
mod database_files;
pub(crate) mod databases;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod logs;
pub(crate) mod requests;
mod restores;
pub(crate) mod tasks;

use std::cmp::Ordering;

use tds::{Column, SqlType, Value};

use crate::{
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    sql::{calls::ObjectName, session::SessionId, value},
    time::{Ms, nanoseconds, round_datetime},
    world::World,
};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnSpec {
    pub(crate) name: &'static str,
    pub(crate) sql_type: SqlType,
}

impl ColumnSpec {
    /// As a result set describes it.
    pub(crate) fn column(&self) -> Column {
        Column { name: self.name.into(), sql_type: self.sql_type, nullable: true }
    }
}

/// A column, in short.
pub(crate) const fn col(name: &'static str, sql_type: SqlType) -> ColumnSpec {
    ColumnSpec { name, sql_type }
}

/// sysname.
pub(crate) const NAME: SqlType = SqlType::NVarChar(Some(128));
/// numeric(25,0).
pub(crate) const LSN: SqlType = SqlType::Numeric { precision: 25, scale: 0 };

/// A bound that a query puts on a column: rows outside it need not be handed out.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    /// Place of the column.
    pub(crate) column: usize,
    /// How the column compares with the value in the rows wanted.
    pub(crate) wanted: &'static [Ordering],
    pub(crate) value: Value,
}

/// A table or table function.
pub(crate) trait Table {
    /// Its columns.
    fn columns(&self) -> &'static [ColumnSpec];
    /// Numbers of its rows, in order; the bounds may be used to leave some out and need not be.
    fn rows(&self, hints: &[Hint]) -> Vec<u64>;
    /// The value of a column in a row.
    fn value(&self, row: u64, column: usize) -> Value;
}

impl World {
    /// Opens a table by name; functions come with their arguments.
    pub(crate) fn open_table<'w>(
        &'w self,
        session: SessionId,
        name: &ObjectName,
        arguments: Option<&[Value]>,
    ) -> Result<Box<dyn Table + 'w>, EngineError> {
        let held = self.sessions.get(&session.0);
        let (instance, current) = held.map_or((usize::MAX, ""), |s| (s.instance, s.database.as_str()));
        let catalogue = name.schema == "sys";
        match (name.object.as_str(), arguments) {
            ("databases", None) if catalogue => Ok(Box::new(databases::Databases::new(self, instance))),
            ("database_recovery_status", None) if catalogue => {
                Ok(Box::new(databases::RecoveryStatus::new(self, instance)))
            }
            ("master_files", None) if catalogue => Ok(Box::new(databases::MasterFiles::new(self, instance))),
            ("dm_database_encryption_keys", None) if catalogue => {
                Ok(Box::new(certificates::EncryptionKeys::new(self, instance)))
            }
            ("certificates", None) if catalogue => {
                let database = if name.database.is_empty() { current } else { &name.database };
                Ok(Box::new(certificates::Certificates::new(self, instance, database)))
            }
            ("rds_fn_list_user_tde_certificates", Some(given))
                if name.is_in("msdb", current) && self.knobs.documents.knows(&name.object) =>
            {
                exactly(given, 0, "rds_fn_list_user_tde_certificates")?;
                Ok(Box::new(certificates::UserCertificates::new(self, instance)))
            }
            ("backupset", None) if name.is_in("msdb", current) => {
                Ok(Box::new(history::BackupSets::new(self, instance)))
            }
            ("backupmediafamily", None) if name.is_in("msdb", current) => {
                Ok(Box::new(history::MediaFamilies::new(self, instance)))
            }
            ("backupfile", None) if name.is_in("msdb", current) => {
                Ok(Box::new(backup_files::BackupFiles::new(self, instance)))
            }
            ("restorehistory", None) if name.is_in("msdb", current) => {
                Ok(Box::new(restores::RestoreHistory::new(self, instance)))
            }
            ("dm_exec_requests", None) if catalogue => {
                Ok(Box::new(requests::Requests::new(self, instance, session)))
            }
            ("dm_exec_sessions", None) if catalogue => {
                Ok(Box::new(requests::Sessions::new(self, instance, session)))
            }
            ("rds_fn_task_status", Some(given)) if name.is_in("msdb", current) => {
                let given = exactly(given, 2, "rds_fn_task_status")?;
                let task = value::integer(&given[1], "int")?.filter(|t| *t != 0);
                Ok(Box::new(tasks::TaskTable::function(self, instance, value::text(&given[0]), task)))
            }
            ("rds_fn_list_file_details", Some(given))
                if name.is_in("msdb", current) && self.knobs.documents.knows(&name.object) =>
            {
                let given = exactly(given, 1, "rds_fn_list_file_details")?;
                let task = value::integer(&given[0], "int")?.and_then(|task| u32::try_from(task).ok());
                Ok(Box::new(files::FileTable::new(self, instance, task)))
            }
            ("rds_fn_list_tlog_backup_metadata", Some(given))
                if name.is_in("msdb", current) && self.knobs.documents.knows(&name.object) =>
            {
                let given = exactly(given, 1, "rds_fn_list_tlog_backup_metadata")?;
                Ok(Box::new(logs::LogTable::new(self, instance, value::text(&given[0]).as_deref())))
            }
            _ => {
                let parts = [&name.database, &name.schema, &name.written];
                let full: Vec<&str> =
                    parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
                Err(EngineError::new(208, format!("Invalid object name '{}'.", full.join("."))))
            }
        }
    }
}

fn exactly<'v>(given: &'v [Value], wanted: usize, function: &str) -> Result<&'v [Value], EngineError> {
    match given.len().cmp(&wanted) {
        Ordering::Equal => Ok(given),
        Ordering::Less => {
            let text = format!(
                "An insufficient number of arguments were supplied for the procedure or function {function}."
            );
            Err(EngineError::new(313, text))
        }
        Ordering::Greater => {
            let text = format!("Procedure or function {function} has too many arguments specified.");
            Err(EngineError::new(8144, text))
        }
    }
}

/// Text.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A whole number.
pub(crate) fn int(number: impl TryInto<i64>) -> Value {
    number.try_into().map_or(Value::Null, Value::Int)
}

/// A guid.
pub(crate) fn guid(guid: Guid) -> Value {
    Value::Guid(guid.0)
}

/// numeric(25,0).
pub(crate) fn lsn(lsn: Lsn) -> Value {
    Value::Numeric { mantissa: lsn.numeric(), scale: 0 }
}

/// datetime.
pub(crate) fn time(at: Ms) -> Value {
    Value::DateTime(nanoseconds(round_datetime(at)))
}

/// Something or NULL.
pub(crate) fn maybe<T>(held: Option<T>, show: impl FnOnce(T) -> Value) -> Value {
    held.map_or(Value::Null, show)
}

/// Narrows a range of numbers by the bounds on a column: `(first, one after last)`.
pub(crate) fn narrow(hints: &[Hint], column: usize, range: (i64, i64)) -> (i64, i64) {
    let (mut first, mut end) = range;
    for hint in hints.iter().filter(|h| h.column == column) {
        let Ok(Some(bound)) = value::integer(&hint.value, "int") else { continue };
        let may = |order| hint.wanted.contains(&order);
        if !may(Ordering::Less) {
            first = first.max(if may(Ordering::Equal) { bound } else { bound.saturating_add(1) });
        }
        if !may(Ordering::Greater) {
            end = end.min(if may(Ordering::Equal) { bound.saturating_add(1) } else { bound });
        }
    }
    (first, end.max(first))
}
