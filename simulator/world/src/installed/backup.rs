//! What does a BACKUP statement do on a server as installed, and when is it refused?
//!
//! One data backup and one log backup of a database at a time (3023). Files go to objects of a bucket, one for each stripe,
//! or somewhere that we do not hold: another tool's share, or `NUL`, which msdb records like any other device. Sources:
//! "BACKUP (Transact-SQL)" and the error messages of SQL Server 2022: 3023, 3035, 4208, 4214.

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind, RecoveryModel},
    database::{
        backups::{Flavour, RunningBackup},
        config::DatabaseConfig,
        state::{Database, DatabaseId},
    },
    error::EngineError,
    guid::Guid,
    installed::chain::LogChain,
    restore::ObjectRef,
    s3::Body,
    time::Ms,
    world::World,
};

/// Where a backup goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// One object for each stripe.
    Objects(Vec<ObjectRef>),
    /// Where we cannot read: `NUL`, a share of somebody else. msdb names it all the same.
    Elsewhere(String),
}

/// What BACKUP is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupOrder {
    /// DATABASE, DATABASE WITH DIFFERENTIAL, LOG.
    pub kind: BackupKind,
    /// `COPY_ONLY`; without effect on a differential, as documented.
    pub copy_only: bool,
    /// TO.
    pub to: Device,
    /// Whether `CONTINUE_AFTER_ERROR` has to be used: the set says `is_damaged`.
    pub damaged: bool,
    /// KMS key that the objects are encrypted under.
    pub kms_key: Option<String>,
}

/// A backup that runs.
#[derive(Debug, Clone)]
pub struct Ticket {
    database: DatabaseId,
    order: BackupOrder,
    start: Ms,
    /// `None`: of the log.
    data: Option<RunningBackup>,
}

fn refused(number: u32, text: impl Into<String>) -> EngineError {
    EngineError::new(number, text)
}

/// 3023.
pub(crate) fn serialized() -> EngineError {
    refused(
        3023,
        "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized. Reissue the statement after the current backup or file manipulation operation is completed.",
    )
}

impl World {
    /// Creates a database on an instance that nothing backs up by itself (`retention_days` 0): no backup, no chain.
    pub fn add_installed_database(
        &mut self,
        instance: &str,
        config: &DatabaseConfig,
        model: RecoveryModel,
    ) -> Result<DatabaseId, EngineError> {
        if self.index_of(instance).is_some_and(|index| self.retains(index)) {
            return Err(EngineError::raised(format!(
                "{instance} has automated backups: it is no server as installed"
            )));
        }
        let id = self.add_database(instance, config)?;
        if let Some(database) = self.database_mut(id) {
            (database.recovery_model, database.installed) = (model, Some(LogChain::default()));
        }
        Ok(id)
    }

    /// A database as installed that lives.
    pub(crate) fn installed(
        &mut self,
        id: DatabaseId,
    ) -> Result<(&mut Database, &mut crate::database::branch::Branches), EngineError> {
        let database = self.databases.get_mut(id.0 as usize);
        let database = database.filter(|d| d.dropped.is_none() && d.installed.is_some());
        database
            .map(|d| (d, &mut self.branches))
            .ok_or_else(|| EngineError::raised("no such database on a server as installed"))
    }

    /// BACKUP begins: 3023 while another one of its sort runs, 3035 without a base, 4208 under SIMPLE, 4214 without a chain.
    pub fn begin_backup(&mut self, id: DatabaseId, order: BackupOrder) -> Result<Ticket, EngineError> {
        let (now, seed, knobs) = (self.now_ms, self.seed, self.knobs.clone());
        let (database, branches) = self.installed(id)?;
        database.may_back_up(&order, knobs.differential_on_snapshot_fails)?;
        let of_log = order.kind == BackupKind::Log;
        let data = (!of_log).then(|| database.begin_backup(branches, seed, &knobs, order.kind, now));
        if let Some(chain) = &mut database.installed {
            if of_log { chain.log_runs = true } else { chain.data_runs = true }
        }
        Ok(Ticket { database: id, order, start: now, data })
    }

    /// BACKUP ends: the files are there, msdb has the row. Answers with `backup_set_uuid`.
    pub fn end_backup(&mut self, ticket: Ticket) -> Result<Guid, EngineError> {
        let (now, seed) = (self.now_ms, self.seed);
        let Ticket { database: id, order, start, data } = ticket;
        let (database, branches) = self.installed(id)?;
        let copy_only = order.copy_only && order.kind != BackupKind::Differential;
        let flavour = if copy_only { Flavour::CopyOnly } else { Flavour::Native };
        let file = match data {
            Some(running) => Some(database.end_backup(branches, seed, running, flavour, now)),
            None => database.end_log_backup(branches, seed, start, copy_only, now),
        };
        let base = database.base;
        if let Some(chain) = &mut database.installed {
            if data.is_some() {
                chain.data_runs = false;
            } else {
                chain.log_runs = false;
            }
            if let Some(base) = base.filter(|base| chain.bases.last() != Some(base)) {
                chain.bases.push(base);
            }
        }
        let mut file = file.ok_or_else(no_chain)?;
        file.set.is_damaged = order.damaged;
        file.kms_key = order.kms_key.as_deref().map(Arc::from);
        let uuid = file.set.uuid;
        self.place(id, file, &order.to);
        Ok(uuid)
    }

    /// Files and row of a backup that ended.
    fn place(&mut self, id: DatabaseId, mut file: BackupFile, to: &Device) {
        let objects: &[ObjectRef] = match to {
            Device::Objects(objects) => objects,
            Device::Elsewhere(_) => &[],
        };
        file.set.stripes = u8::try_from(objects.len().max(1)).unwrap_or(u8::MAX);
        let each = file.set.compressed_bytes / u64::from(file.set.stripes);
        let file = Arc::new(file);
        for (index, object) in (1_u8..).zip(objects) {
            let body = Body::Stripe { file: Arc::clone(&file), index };
            let stored = self.s3.store(&object.bucket, &object.key, body, each);
            debug_assert!(stored.is_ok(), "only a missing bucket refuses");
        }
        let devices = match to {
            Device::Objects(objects) => {
                objects.iter().map(|o| format!("s3://{}/{}", o.bucket, o.key)).collect()
            }
            Device::Elsewhere(device) => vec![device.clone()],
        };
        let instance = self.database(id).map(|d| d.instance);
        if let Some(host) = instance.and_then(|index| self.instances.get_mut(index)) {
            host.record(id, Arc::new(file.set.clone()), 0, devices);
        }
    }

    /// A volume snapshot by somebody else's tool that is not copy-only: a row in msdb, the base moves, nothing to restore.
    pub fn volume_snapshot(&mut self, id: DatabaseId) -> Result<(), EngineError> {
        let now = self.now_ms;
        let (database, _) = self.installed(id)?;
        if database.installed.as_ref().is_some_and(|chain| chain.data_runs) {
            return Err(serialized());
        }
        self.snapshot_database(id, now);
        let (database, _) = self.installed(id)?;
        if let (Some(chain), Some(base)) = (&mut database.installed, database.base) {
            chain.bases.push(base);
        }
        Ok(())
    }
}

fn no_chain() -> EngineError {
    refused(4214, "BACKUP LOG cannot be performed because there is no current database backup.")
}

impl Database {
    fn may_back_up(&self, order: &BackupOrder, snapshot_is_no_base: bool) -> Result<(), EngineError> {
        let Some(chain) = &self.installed else { return Err(no_chain()) };
        if order.kind == BackupKind::Log {
            if self.recovery_model == RecoveryModel::Simple {
                let text = "The statement BACKUP LOG is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE.";
                return Err(refused(4208, text.to_owned()));
            }
            if chain.log_runs {
                return Err(serialized());
            }
            return chain.archive().map(|_| ()).ok_or_else(no_chain);
        }
        if chain.data_runs {
            return Err(serialized());
        }
        let has_base = self.base.is_some_and(|base| !(base.is_snapshot && snapshot_is_no_base));
        if order.kind == BackupKind::Differential && !has_base {
            let name = &self.name;
            return Err(refused(
                3035,
                format!(
                    "Cannot perform a differential backup for database \"{name}\", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option."
                ),
            ));
        }
        Ok(())
    }
}
