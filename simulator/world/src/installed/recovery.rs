//! What changes the line of history of a database as installed: recovery models, bulk operations, restores over it?
//!
//! RESTORE over the existing database WITH REPLACE keeps `database_guid` and `family_guid` and begins a recovery fork: what
//! comes then shares LSNs with the branch left behind. The database goes on with the differential base and the log chain
//! that the backups restored it with. Sources: "Recovery paths", "View or change the recovery model", "RESTORE"; the start
//! of the first log after the recovery is documented nowhere, here it is where the last set applied whole ended.

use jiff::Timestamp;

use crate::{
    backup_file::RecoveryModel,
    database::{
        branch::Position,
        state::{Database, DatabaseId, DifferentialBase, Fork},
    },
    error::EngineError,
    installed::{backup::serialized, chain::Archive},
    restore::{ObjectRef, Restoring, no_certificate_for},
    stream::{Purpose, Stream},
    tde::key::Encryption,
    time::ceil_ms,
    world::World,
};

impl World {
    /// ALTER DATABASE SET RECOVERY: SIMPLE ends the log chain, and the way back needs a full or differential backup.
    pub fn alter_recovery_model(&mut self, id: DatabaseId, model: RecoveryModel) -> Result<(), EngineError> {
        let (database, _) = self.installed(id)?;
        let Some(chain) = &mut database.installed else { return Ok(()) };
        if chain.data_runs || chain.log_runs {
            return Err(serialized());
        }
        if model == RecoveryModel::Simple {
            chain.end();
        }
        database.recovery_model = model;
        Ok(())
    }

    /// Transactions of an operation that `BULK_LOGGED` logs minimally and the other models log in full.
    pub fn bulk_load(&mut self, id: DatabaseId, transactions: u64) -> Result<(), EngineError> {
        let now = self.now_ms;
        let (database, branches) = self.installed(id)?;
        let before = branches.position_at(database.branch, now);
        branches.write(database.branch, now, transactions);
        if let Some(chain) =
            database.installed.as_mut().filter(|_| database.recovery_model == RecoveryModel::BulkLogged)
        {
            chain.note_bulk(before.lsn);
        }
        Ok(())
    }

    /// RESTORE over the database WITH REPLACE from objects in the order given, to a moment or to their end. Refused while a
    /// backup runs (3101), for what the engine refuses, and for a stop inside a log that crosses a fork: on which of its
    /// forks that is, the model does not follow.
    pub fn restore_over(
        &mut self,
        id: DatabaseId,
        objects: &[ObjectRef],
        stop_at: Option<Timestamp>,
    ) -> Result<(), EngineError> {
        let now = self.now_ms;
        let busy = |d: &Database| d.installed.as_ref().is_some_and(|chain| chain.data_runs || chain.log_runs);
        if busy(self.installed(id)?.0) {
            let text = "Exclusive access could not be obtained because the database is in use.";
            return Err(EngineError::new(3101, text));
        }
        let stop = stop_at.map(ceil_ms);
        self.opens_all(id, objects)?;
        let restored = self.restoring(objects, stop)?;
        if stop.is_some() && !restored.stopped {
            return Err(Restoring::not_reached());
        }
        if restored.stopped_on_crossing {
            return Err(EngineError::raised("the model does not stop inside a log that crosses a fork"));
        }
        let (at, whole, needed) = (restored.at, restored.whole, restored.tde_thumbprint);
        let lsn = if restored.by_log {
            let moment = stop.map_or(now, |stop| stop - 1);
            self.branches.position_at(at.branch, moment).lsn.clamp(whole.lsn, restored.redo)
        } else {
            restored.redo
        };
        let serial = self.database(id).map_or(0, |d| d.serial) + 1;
        let mut stream = Stream::of(self.seed, Purpose::Guid, &[u64::from(id.0), serial, 3]);
        let (seed, guid) = (stream.next(), stream.guid());
        let recovery = stream.between(1, 6).unsigned_abs();
        let Some(branch) = self.branches.add_fork(seed, at, lsn, now, recovery) else {
            return Err(EngineError::raised("an imported history is not restored over"));
        };
        let model = restored.model;
        let base = self.database(id).and_then(|d| d.base_after(&restored));
        let (database, _) = self.installed(id)?;
        database.serial = serial;
        if needed != database.encryption.needed_at(now) {
            database.encryption =
                needed.map_or_else(Encryption::default, |certificate| Encryption::restored(certificate, now));
        }
        database.left.push((now, std::mem::replace(&mut database.branch, branch)));
        database.forks.push(Fork { from: now, lsn, guid });
        (database.base, database.recovery_model) = (base, model);
        database.fulls.push((now, base.map_or(crate::lsn::Lsn::ZERO, |b| b.lsn)));
        let archive =
            Archive { position: Position { count: whole.count, lsn: whole.lsn }, fork: restored.whole_fork };
        if let Some(chain) = &mut database.installed {
            chain.go_on_from((model != RecoveryModel::Simple).then_some(archive), lsn);
            chain.bases.extend(base.map(|base| DifferentialBase { at: now, ..base }));
        }
        Ok(())
    }
}

impl World {
    /// Refuses objects whose certificate is not on the server of a database (33111). What can't be read is refused where it is.
    fn opens_all(&self, id: DatabaseId, objects: &[ObjectRef]) -> Result<(), EngineError> {
        let host = self.database(id).and_then(|held| self.instances.get(held.instance));
        for object in objects {
            let needed = self.tde_thumbprint(object).ok().flatten();
            if let Some(missing) = needed.filter(|print| !host.is_some_and(|host| host.opens(*print))) {
                return Err(no_certificate_for(missing));
            }
        }
        Ok(())
    }
}

impl Database {
    /// The differential base of a database restored so: the full it began with, or what a copy-only full had as base.
    fn base_after(&self, restored: &Restoring) -> Option<DifferentialBase> {
        let chain = self.installed.as_ref()?;
        let full = &restored.begun_with.set;
        if full.is_copy_only {
            return chain.base_at(full.start);
        }
        Some(DifferentialBase {
            lsn: full.checkpoint_lsn,
            uuid: full.uuid,
            is_snapshot: false,
            at: full.finish,
        })
    }
}
