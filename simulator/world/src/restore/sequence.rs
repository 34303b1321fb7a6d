//! Which set does the engine accept next, and where does a restore stand then?
//!
//! Order is judged by LSN and fork, STOPAT by time: commits strictly before it are applied, one at the very moment is out. A
//! data backup is restored to its own end, so STOPAT may not lie before that; a log with bulk-logged changes applies whole.
//! Source: "Restore sequences", "Recovery paths" and the RESTORE arguments in the SQL Server documentation; error numbers of
//! SQL Server 2022.

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload, RecoveryModel},
    content::Content,
    database::branch::{BranchId, Branches, ContentRef, Position},
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    tde::certificate::Thumbprint,
    time::Ms,
};

/// What an engine restores with: the histories that files number, and its undocumented side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Engine<'w> {
    pub(crate) branches: &'w Branches,
    /// `Knobs::crossing_log_joins_last_fork`.
    pub(crate) joins_last_fork: bool,
}

/// A database in a restore sequence.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and any of them may go with any other"
)]
pub(crate) struct Restoring {
    /// Transactions that files brought, as ranges of branches in the order applied: content is made when it is asked for.
    applied: Vec<(BranchId, u64, u64)>,
    /// Transactions applied, in the numbering of the branch last applied.
    pub(crate) at: ContentRef,
    /// `redo_start_lsn`.
    pub(crate) redo: Lsn,
    /// `redo_start_fork_guid`.
    pub(crate) fork: Guid,
    /// The full it began with.
    pub(crate) begun_with: Arc<BackupFile>,
    /// Recovery model that the last set brought.
    pub(crate) model: RecoveryModel,
    /// Where the last set applied whole ended, and its fork.
    pub(crate) whole: Position,
    pub(crate) whole_fork: Guid,
    /// The moment that files applied so far cover.
    pub(crate) finish: Ms,
    /// Whether STOPAT has been reached.
    pub(crate) stopped: bool,
    /// Whether a log reached it: a data backup that ends at the very moment still takes the log that spans its end.
    pub(crate) by_log: bool,
    /// Whether that log crosses a fork.
    pub(crate) stopped_on_crossing: bool,
    /// The certificate that the set applied last needs.
    pub(crate) tde_thumbprint: Option<Thumbprint>,
    /// Whether change data capture was on where the last set applied whole ended.
    pub(crate) captures_changes: bool,
}

impl Restoring {
    /// RESTORE DATABASE of a full.
    pub(crate) fn full(
        engine: Engine<'_>,
        file: &Arc<BackupFile>,
        stop: Option<Ms>,
    ) -> Result<Self, EngineError> {
        let set = &file.set;
        let Payload::Pages(at) = file.payload else { return Err(no_database(set)) };
        if set.kind != BackupKind::Full {
            return Err(no_database(set));
        }
        check_damage(set)?;
        check_ended(set, stop)?;
        check_not_later(engine.branches, at, stop)?;
        Ok(Self {
            applied: vec![(at.branch, 0, at.count)],
            at,
            redo: set.last_lsn,
            fork: set.last_fork,
            begun_with: Arc::clone(file),
            model: set.recovery_model,
            whole: Position { count: at.count, lsn: set.last_lsn },
            whole_fork: set.last_fork,
            finish: set.finish,
            stopped: stop.is_some_and(|s| s <= set.finish),
            by_log: false,
            stopped_on_crossing: false,
            tde_thumbprint: file.tde_thumbprint,
            captures_changes: set.captures_changes,
        })
    }

    /// Applies a differential or a log.
    pub(crate) fn apply(
        &mut self,
        engine: Engine<'_>,
        file: &Arc<BackupFile>,
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        check_damage(&file.set)?;
        let applied = match (file.set.kind, file.payload) {
            (BackupKind::Full, _) => {
                *self = Self::full(engine, file, stop)?;
                Ok(())
            }
            (BackupKind::Differential, Payload::Pages(at)) => self.differential(engine, file, at, stop),
            (BackupKind::Log, Payload::Records { branch, from, until, reaches }) => {
                if self.by_log {
                    return Err(recovered());
                }
                self.accepts(engine, &file.set)?;
                self.log(engine, &file.set, (branch, from, until, reaches), stop)
            }
            _ => Err(no_database(&file.set)),
        };
        if applied.is_ok() {
            self.tde_thumbprint = file.tde_thumbprint;
        }
        applied
    }

    fn differential(
        &mut self,
        engine: Engine<'_>,
        file: &BackupFile,
        at: ContentRef,
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        if self.by_log {
            return Err(recovered());
        }
        if file.set.differential_base.map(|(_, uuid)| uuid) != Some(self.begun_with.set.uuid) {
            return Err(EngineError::new(
                3136,
                "This differential backup cannot be restored because the database has not been restored to the correct earlier state.",
            ));
        }
        if file.set.last_lsn < self.redo {
            return Err(EngineError::new(
                3120,
                "This backup set will not be restored because all data has already been restored to a point beyond the time covered by this backup set.",
            ));
        }
        check_ended(&file.set, stop)?;
        check_not_later(engine.branches, at, stop)?;
        self.applied = vec![(at.branch, 0, at.count)];
        (self.at, self.redo, self.fork) = (at, file.set.last_lsn, file.set.last_fork);
        self.note_whole(&file.set);
        self.finish = file.set.finish;
        self.stopped = stop.is_some_and(|s| s <= file.set.finish);
        Ok(())
    }

    fn note_whole(&mut self, set: &BackupSet) {
        self.whole = Position { count: self.at.count, lsn: self.redo };
        (self.whole_fork, self.model) = (self.fork, set.recovery_model);
        self.captures_changes = set.captures_changes;
    }

    /// Whether RESTORE LOG accepts a set here, by LSN and fork.
    fn accepts(&self, engine: Engine<'_>, set: &BackupSet) -> Result<(), EngineError> {
        if set.first_lsn > self.redo {
            return Err(EngineError::new(
                4305,
                format!(
                    "The log in this backup set begins at LSN {}, which is too recent to apply to the database. An earlier log backup that includes LSN {} can be restored.",
                    set.first_lsn, self.redo
                ),
            ));
        }
        if set.last_lsn < self.redo {
            return Err(EngineError::new(
                4326,
                format!(
                    "The log in this backup set terminates at LSN {}, which is too early to apply to the database. A more recent log backup that includes LSN {} can be restored.",
                    set.last_lsn, self.redo
                ),
            ));
        }
        // A set that crosses a fork applies on its first fork up to the fork point, and on its last from there on.
        let before = set.fork_point.is_none_or(|point| self.redo <= point);
        let after = engine.joins_last_fork && set.fork_point.is_some_and(|point| self.redo >= point);
        if !(set.first_fork == self.fork && before
            || set.last_fork == self.fork && (after || set.fork_point.is_none()))
        {
            return Err(wrong_path());
        }
        Ok(())
    }

    fn log(
        &mut self,
        engine: Engine<'_>,
        set: &BackupSet,
        (branch, from, until, reaches): (BranchId, u64, u64, Ms),
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        let branches = engine.branches;
        check_not_later(branches, self.at, stop)?;
        let moves = set.last_lsn > self.redo;
        if set.has_bulk_logged_data && moves && stop.is_some_and(|s| s < set.finish) {
            return Err(bulk_logged());
        }
        let wanted = stop.map_or(until, |s| branches.commits_before(branch, s));
        // Records before the redo point are skipped, as in the engine.
        let start = from.max(self.at.count);
        let end = until.min(wanted).max(start);
        match self.applied.last_mut() {
            Some((last, _, upto)) if *last == branch && *upto == start => *upto = end,
            _ => self.applied.push((branch, start, end)),
        }
        self.at = ContentRef { branch, count: end };
        (self.redo, self.fork) = (set.last_lsn.max(self.redo), set.last_fork);
        // What is applied whole reaches the end of its backup.
        self.finish = self.finish.max(if set.has_bulk_logged_data && moves { set.finish } else { reaches });
        self.stopped = stop.is_some_and(|s| s <= self.finish);
        self.by_log = self.stopped;
        self.stopped_on_crossing = self.stopped && set.fork_point.is_some();
        if !self.stopped {
            self.note_whole(set);
        }
        Ok(())
    }

    /// RESTORE LOG WITH STOPBEFOREMARK = 'lsn:N': the records below N; all where the log does not reach N.
    pub(crate) fn apply_below(
        &mut self,
        engine: Engine<'_>,
        file: &Arc<BackupFile>,
        lsn: Lsn,
    ) -> Result<(), EngineError> {
        let set = &file.set;
        if lsn >= set.last_lsn {
            return self.apply(engine, file, None);
        }
        check_damage(set)?;
        let Payload::Records { branch, from, until, .. } = file.payload else { return Err(no_database(set)) };
        if self.by_log {
            return Err(recovered());
        }
        self.accepts(engine, set)?;
        if set.has_bulk_logged_data {
            return Err(bulk_logged());
        }
        if lsn < self.redo {
            return Err(too_early());
        }
        let start = from.max(self.at.count);
        let end = until.min(engine.branches.count_below(branch, lsn)).max(start);
        self.applied.push((branch, start, end));
        self.at = ContentRef { branch, count: end };
        (self.redo, self.fork, self.stopped, self.by_log) = (lsn, set.last_fork, true, true);
        Ok(())
    }

    /// Whether a step changed nothing: neither where the restore stands nor what moment it has reached.
    pub(crate) fn is_where(&self, before: &Self) -> bool {
        let stand = |state: &Self| (state.redo, state.fork, state.at, state.finish, state.stopped);
        stand(self) == stand(before)
    }

    /// What the database would hold.
    pub(crate) fn content(&self, branches: &Branches) -> Content {
        let mut content = Content::default();
        for (branch, from, until) in &self.applied {
            branches.apply(&mut content, *branch, *from, *until);
        }
        content
    }

    /// RECOVERY: what the database holds, if the moment asked for was reached.
    pub(crate) fn recover(self, engine: Engine<'_>, stop: Option<Ms>) -> Result<Content, EngineError> {
        if stop.is_some() && !self.stopped {
            Err(Self::not_reached())
        } else {
            Ok(self.content(engine.branches))
        }
    }

    /// 4322.
    pub(crate) fn not_reached() -> EngineError {
        EngineError::new(
            4322,
            "This backup set contains records that were logged before the designated point in time. The database is being left in the restoring state so that more roll forward can be performed.",
        )
    }
}

fn recovered() -> EngineError {
    EngineError::new(
        3117,
        "The log or differential backup cannot be restored because no files are ready to rollforward.",
    )
}

fn bulk_logged() -> EngineError {
    EngineError::new(
        4341,
        "This log backup contains bulk-logged changes. It cannot be used to stop at an arbitrary point in time.",
    )
}

/// "A full whose end is earlier than the target": a data backup is restored to its own end, and STOPAT may not lie before.
fn check_ended(set: &BackupSet, stop: Option<Ms>) -> Result<(), EngineError> {
    if stop.is_some_and(|s| s < set.finish) { Err(too_early()) } else { Ok(()) }
}

fn too_early() -> EngineError {
    EngineError::new(
        4335,
        "The specified STOPAT time is too early. All or part of the database is already rolled forward beyond that point.",
    )
}

/// The database must not hold a commit that is not before the moment asked for.
fn check_not_later(branches: &Branches, at: ContentRef, stop: Option<Ms>) -> Result<(), EngineError> {
    if stop.is_some_and(|s| branches.commits_before(at.branch, s) < at.count) {
        return Err(too_early());
    }
    Ok(())
}

fn check_damage(set: &BackupSet) -> Result<(), EngineError> {
    if set.is_damaged {
        return Err(EngineError::new(
            3182,
            "The backup set cannot be restored because the database was damaged when the backup occurred. Salvage attempts may exploit WITH CONTINUE_AFTER_ERROR.",
        ));
    }
    Ok(())
}

fn wrong_path() -> EngineError {
    EngineError::new(
        4330,
        "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time.",
    )
}

fn no_database(set: &BackupSet) -> EngineError {
    EngineError::new(
        3118,
        format!(
            "The database \"{}\" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.",
            set.database_name
        ),
    )
}
