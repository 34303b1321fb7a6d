//! What do the procedures for names, states and change data capture do?
//!
//! Sources: RDS user guide, "Renaming a database" ("not on Multi-AZ"), "Transitioning a database from OFFLINE to ONLINE",
//! "Using change data capture", "Viewing error and agent logs". The names of their parameters are not documented: people call
//! them by position.

use tds::{Response, ResultSet, Value};

use crate::{
    database::state::DatabaseId,
    error::EngineError,
    instance::config::MultiAz,
    sql::{
        calls::{Declared, required},
        procedures::{Call, time_column},
        tables::{databases::system_id, maybe, time},
    },
    world::World,
};

/// Parameters of `rds_modify_db_name`.
pub(super) const RENAME: &[Declared] = &[required("@old_db_name"), required("@new_db_name")];

/// Parameters of `rds_set_database_online`, `rds_cdc_disable_db` and their like.
pub(super) const ONE_DATABASE: &[Declared] = &[required("@db_name")];

/// Parameters of `rds_failover_time`.
pub(super) const NOTHING: &[Declared] = &[];

fn refuse<T>(text: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::raised(text))
}

/// Whether RDS takes a name for a database. RDS user guide, "Naming limitations": none that begins with `rdsadmin`, begins or
/// ends with a space or a tab, contains a line break or a single quote.
pub(super) fn is_a_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let edges = [' ', '\t'];
    !name.is_empty()
        && !lower.starts_with("rdsadmin")
        && !name.starts_with(edges)
        && !name.ends_with(edges)
        && !name.contains(['\n', '\r', '\''])
}

impl World {
    /// `rdsadmin.dbo.rds_modify_db_name`.
    pub(super) fn rds_modify_db_name(
        &mut self,
        call: &Call<'_>,
        _: &mut Response,
    ) -> Result<(), EngineError> {
        let database = self.named(call, 0)?;
        let new = call.bound.text(1).unwrap_or_default();
        let multi =
            self.instances.get(call.instance).is_some_and(|host| host.config.multi_az != MultiAz::Single);
        if multi {
            return refuse(self.knobs.texts.multi_az_rename.clone());
        }
        if !is_a_name(&new) || system_id(&new).is_some() {
            return refuse(self.knobs.texts.invalid_name.replace("{name}", &new));
        }
        self.break_rename(database, &new)
    }

    /// `rdsadmin.dbo.rds_set_database_online`.
    pub(super) fn rds_set_database_online(
        &mut self,
        call: &Call<'_>,
        _: &mut Response,
    ) -> Result<(), EngineError> {
        let database = self.named(call, 0)?;
        self.set_offline(database, false);
        Ok(())
    }

    /// `msdb.dbo.rds_cdc_disable_db`.
    pub(super) fn rds_cdc_disable_db(
        &mut self,
        call: &Call<'_>,
        _: &mut Response,
    ) -> Result<(), EngineError> {
        let database = self.named(call, 0)?;
        self.break_change_data_capture(database, false);
        Ok(())
    }

    /// `msdb.dbo.rds_failover_time`: from when on the error log is kept, and when the last failover was, on the server's clock.
    #[expect(clippy::unnecessary_wraps, reason = "all procedures have one signature")]
    pub(super) fn rds_failover_time(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(call.instance) else { return Ok(()) };
        let local = |at| time(at + host.zone);
        let row: Vec<Value> = vec![local(host.up_since), maybe(host.failed_over, local)];
        let columns = vec![time_column("errorlog_available_from"), time_column("recent_failover_time")];
        answer.results.push(ResultSet { columns, rows: vec![row], affected: None });
        Ok(())
    }

    /// The database that an argument names.
    fn named(&self, call: &Call<'_>, place: usize) -> Result<DatabaseId, EngineError> {
        let name = call.bound.text(place).unwrap_or_default();
        let found = self.instances.get(call.instance).and_then(|host| host.database(&name));
        found.map_or_else(|| refuse(self.knobs.texts.unknown_database.replace("{name}", &name)), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_rds_takes() {
        for (name, taken) in [
            ("orders", true),
            ("Orders 2026", true),
            ("rdsadmin2", false),
            ("RDSAdmin", false),
            (" orders", false),
            ("orders\t", false),
            ("or\nders", false),
            ("o'rders", false),
            ("", false),
        ] {
            assert_eq!(is_a_name(name), taken, "{name:?}");
        }
    }
}
