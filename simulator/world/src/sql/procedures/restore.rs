//! What do the procedures that restore take and refuse?
//!
//! Refused by the call: the option is off, an open transaction, a name that is taken, a chain that was not begun, a restore of
//! the same database that will open it. Bucket, objects and their order are looked at when the task runs. Source: RDS user
//! guide, "Using native backup and restore" and "Dropping a database".

use std::sync::Arc;

use tds::Response;

use super::administration::is_a_name;
use super::backup::check_transfer;
use crate::{
    backup_file::BackupKind,
    database::state::Database,
    error::EngineError,
    instance::{config::MultiAz, names::taken},
    sql::{
        calls::{Declared, optional, required},
        procedures::Call,
        session::{Session, SessionId},
        value,
    },
    tasks::{
        queue::NewTask,
        task::{Recovery, TaskType, Work},
    },
    time::Ms,
    world::World,
};

/// Parameters of `rds_restore_database`, in the order of the user guide.
pub(super) const RESTORE: &[Declared] = &[
    required("@restore_db_name"),
    required("@s3_arn_to_restore_from"),
    optional("@with_norecovery"),
    optional("@keep_cdc"),
    optional("@data_file_volume"),
    optional("@log_file_volume"),
    optional("@kms_master_key_arn"),
    optional("@block_size"),
    optional("@max_transfer_size"),
    optional("@buffer_count"),
    optional("@type"),
];

/// Parameters of `rds_restore_log`.
pub(super) const RESTORE_LOG: &[Declared] = &[
    required("@restore_db_name"),
    required("@s3_arn_to_restore_from"),
    optional("@kms_master_key_arn"),
    optional("@with_norecovery"),
    optional("@keep_cdc"),
    optional("@stopat"),
    optional("@block_size"),
    optional("@max_transfer_size"),
    optional("@buffer_count"),
];

/// Parameters of `rds_finish_restore`.
pub(super) const FINISH: &[Declared] = &[required("@db_name")];

/// Parameters of `rds_drop_database`.
pub(super) const DROP: &[Declared] = &[required("@db_name")];

/// Volumes for data and log files. RDS user guide, "Additional storage volumes".
const VOLUMES: [&str; 4] = ["D:", "H:", "I:", "J:"];

fn refuse<T>(text: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::raised(text))
}

/// What a restore is asked for.
struct Asked {
    name: String,
    arn: String,
    kind: BackupKind,
    recovery: Recovery,
    kms: Option<String>,
    stop: Option<Ms>,
    keeps_cdc: bool,
}

impl World {
    /// `msdb.dbo.rds_restore_database`.
    pub(super) fn rds_restore_database(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.may_run_native(call)?;
        let bound = call.bound;
        let norecovery = value::integer(bound.get(2), "int")?;
        let kind = match bound.text(10).map(|kind| kind.to_uppercase()).as_deref() {
            None | Some("FULL") => BackupKind::Full,
            Some("DIFFERENTIAL") if norecovery.is_none() => {
                return refuse(self.knobs.texts.norecovery_required.clone());
            }
            Some("DIFFERENTIAL") => BackupKind::Differential,
            Some(other) => {
                return refuse(format!(
                    "Invalid value '{other}' for the parameter @type. Valid values are FULL and DIFFERENTIAL."
                ));
            }
        };
        for volume in [4, 5].into_iter().filter_map(|place| bound.text(place)) {
            if !VOLUMES.iter().any(|known| known.eq_ignore_ascii_case(&volume)) {
                return refuse(format!("Invalid value '{volume}' for a file volume."));
            }
        }
        check_transfer(bound, 7)?;
        // "A full restore WITH NORECOVERY and KEEP_CDC isn't supported."
        let keeps_cdc = value::integer(bound.get(3), "int")?.unwrap_or(0) != 0;
        if keeps_cdc && kind == BackupKind::Full && norecovery.unwrap_or(0) != 0 {
            return refuse(self.knobs.texts.keep_cdc_norecovery.clone());
        }
        let asked = Asked {
            name: bound.text(0).unwrap_or_default(),
            arn: bound.text(1).unwrap_or_default(),
            kind,
            recovery: recovery(norecovery.unwrap_or(0)),
            kms: bound.text(6),
            stop: None,
            keeps_cdc,
        };
        self.queue_restore(call, asked, answer)
    }

    /// `msdb.dbo.rds_restore_log`.
    pub(super) fn rds_restore_log(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.may_run_native(call)?;
        let bound = call.bound;
        check_transfer(bound, 6)?;
        // On the clock of the server.
        let zone = self.instances.get(call.instance).map_or(0, |host| host.zone);
        let asked = Asked {
            name: bound.text(0).unwrap_or_default(),
            arn: bound.text(1).unwrap_or_default(),
            kind: BackupKind::Log,
            recovery: recovery(value::integer(bound.get(3), "int")?.unwrap_or(1)),
            kms: bound.text(2),
            stop: value::moment_ms(bound.get(5))?.map(|local| local - zone),
            keeps_cdc: value::integer(bound.get(4), "int")?.unwrap_or(0) != 0,
        };
        self.queue_restore(call, asked, answer)
    }

    /// `msdb.dbo.rds_finish_restore`.
    pub(super) fn rds_finish_restore(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.may_run_native(call)?;
        self.refuse_cross_region(call.instance)?;
        let name = call.bound.text(0).unwrap_or_default();
        self.refuse_chain(call.instance)?;
        self.refuse_open_restore(call.instance, &name, true)?;
        let host = self.instances.get(call.instance);
        let Some(held) = host.and_then(|host| host.restoring.get(&name.trim_end().to_lowercase())) else {
            return refuse(self.knobs.texts.not_restoring.replace("{name}", &name));
        };
        let name = Arc::clone(&held.name);
        let work = Work::Restore { from: None, stop: None, keeps_cdc: false, restored: None, read: None };
        self.submit_restore(call, (TaskType::FinishRestore, name, ""), None, work, answer);
        Ok(())
    }

    /// `msdb.dbo.rds_drop_database`: at once, with its history.
    pub(super) fn rds_drop_database(
        &mut self,
        call: &Call<'_>,
        _answer: &mut Response,
    ) -> Result<(), EngineError> {
        let name = call.bound.text(0).unwrap_or_default();
        self.refuse_open_restore(call.instance, &name, true)?;
        let key = name.trim_end().to_lowercase();
        let Some(host) = self.instances.get_mut(call.instance) else { return Ok(()) };
        if host.restoring.remove(&key).is_some() {
            return Ok(());
        }
        match host.database(&name) {
            Some(database) if self.database(database).is_some_and(Database::captures_changes) => {
                refuse(self.knobs.texts.drop_with_cdc.replace("{name}", &name))
            }
            Some(database) => {
                self.leave_database(call, &key);
                self.break_drop_database(database);
                Ok(())
            }
            None => refuse(self.knobs.texts.unknown_database.replace("{name}", &name)),
        }
    }

    /// "Drops all existing connections to the database"; the one that drops it is in master.
    fn leave_database(&mut self, call: &Call<'_>, name: &str) {
        if let Some(own) =
            self.sessions.get_mut(&call.session.0).filter(|own| own.database.to_lowercase() == name)
        {
            own.database = "master".into();
        }
        let is_in = |held: &Session| held.instance == call.instance && held.database.to_lowercase() == name;
        let gone: Vec<u64> =
            self.sessions.iter().filter(|(_, held)| is_in(held)).map(|(id, _)| *id).collect();
        for id in gone {
            self.disconnect(SessionId(id));
        }
    }

    fn queue_restore(
        &mut self,
        call: &Call<'_>,
        asked: Asked,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let Asked { name, arn, kind, recovery, kms, stop, keeps_cdc } = asked;
        let name = name.trim_end().to_owned();
        if arn.trim().is_empty() {
            return refuse("S3 ARN prefix cannot be empty");
        }
        self.refuse_cross_region(call.instance)?;
        if kind != BackupKind::Full || recovery == Recovery::NoRecovery {
            self.refuse_chain(call.instance)?;
        }
        let Some(host) = self.instances.get(call.instance) else { return Ok(()) };
        let begun =
            host.restoring.contains_key(&name.to_lowercase()) || host.restores_of(&name).next().is_some();
        if kind == BackupKind::Full {
            if !is_a_name(&name) {
                return refuse(self.knobs.texts.invalid_name.replace("{name}", &name));
            }
            if host.has_name_like(&name) {
                return refuse(taken(&name));
            }
            self.refuse_open_restore(call.instance, &name, true)?;
            if self.knobs.database_limit_at_call {
                self.refuse_database(call.instance, &name)?;
            }
        } else {
            self.refuse_open_restore(call.instance, &name, false)?;
            if !begun || host.database(&name).is_some() {
                return refuse(self.knobs.texts.not_restoring.replace("{name}", &name));
            }
        }
        // A malformed ARN is no error of the call: the task ends in Access Denied.
        let (bucket, key) = self.locate(call.instance, &arn).unwrap_or_default();
        self.refuse_at_call(call.instance, &bucket)?;
        let work = Work::Restore { from: Some((bucket, key)), stop, keeps_cdc, restored: None, read: None };
        let kms = kms.filter(|arn| !arn.is_empty()).map(Arc::from);
        let kind = TaskType::Restore(kind, recovery);
        self.submit_restore(call, (kind, Arc::from(name), &arn), kms, work, answer);
        Ok(())
    }

    fn submit_restore(
        &mut self,
        call: &Call<'_>,
        (kind, database_name, arn): (TaskType, Arc<str>, &str),
        kms: Option<Arc<str>>,
        work: Work,
        answer: &mut Response,
    ) {
        let new = NewTask {
            kind,
            database: None,
            database_name,
            s3_arn: Arc::from(arn),
            kms,
            overwrite: false,
            stripes: 1,
            filepath: None,
            default_encryption: false,
            work,
        };
        let task = self.submit(call.instance, new);
        self.announce(call, task, answer);
    }

    /// Chains on Multi-AZ instances, where the older text of the documents holds.
    fn refuse_chain(&self, instance: usize) -> Result<(), EngineError> {
        let multi = self.instances.get(instance).is_some_and(|host| host.config.multi_az != MultiAz::Single);
        if multi && self.knobs.multi_az_refuses_chains {
            return refuse(self.knobs.texts.multi_az_chain.clone());
        }
        Ok(())
    }

    /// "You can't submit a restore task for a database that already has a pending restore task with RECOVERY"; for what wants the
    /// database to itself, with any.
    fn refuse_open_restore(&self, instance: usize, name: &str, any: bool) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        match host.restores_of(name).find(|task| any || task.kind.opens()) {
            None => Ok(()),
            Some(task) => refuse(format!(
                "A task has already been issued for database: {} with task Id: {}, please try again later.",
                task.database_name, task.id
            )),
        }
    }
}

const fn recovery(norecovery: i64) -> Recovery {
    if norecovery == 0 { Recovery::Recovery } else { Recovery::NoRecovery }
}
