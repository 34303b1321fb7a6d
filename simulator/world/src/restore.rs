//! Which files does the engine accept, in this order, and what is in the database then?
//!
//! A restore applies what files contain and nothing else: it never asks the database they came from. Order is judged by
//! LSN and fork, as the engine does. STOPAT applies commits strictly before the moment; one at the very moment is out.
//! Source: "Restore sequences", "Recovery paths" and the RESTORE arguments in the SQL Server documentation; error
//! numbers of SQL Server 2022.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload},
    content::Content,
    database::branch::{Branches, ContentRef},
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    s3::{Body, Health, S3Error, StorageClass},
    time::{Ms, ceil_ms},
    world::World,
};

/// An object of a bucket: the newest version, or a given one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version; `None` is the newest.
    pub version: Option<String>,
}

impl ObjectRef {
    /// The newest version of an object.
    pub fn newest(bucket: &str, key: &str) -> Self {
        Self { bucket: bucket.into(), key: key.into(), version: None }
    }
}

/// A database in a restore sequence.
#[derive(Debug, Clone)]
pub(crate) struct Restoring {
    pub(crate) content: Content,
    /// Transactions applied, in the numbering of the branch last applied.
    at: ContentRef,
    /// `redo_start_lsn`.
    pub(crate) redo: Lsn,
    /// `redo_start_fork_guid`.
    fork: Guid,
    /// The full it began with.
    base: Guid,
    /// The moment that files applied so far cover.
    pub(crate) finish: Ms,
    /// Whether STOPAT has been reached.
    pub(crate) stopped: bool,
    /// Whether a log reached it: a data backup that ends at the very moment still takes the log that spans its end.
    by_log: bool,
}

fn terminated(number: u32, text: String) -> EngineError {
    EngineError::new(number, text)
}

impl Restoring {
    /// RESTORE DATABASE of a full.
    pub(crate) fn full(
        branches: &Branches,
        file: &BackupFile,
        stop: Option<Ms>,
    ) -> Result<Self, EngineError> {
        let Payload::Pages(at) = file.payload else { return Err(no_database(&file.set)) };
        if file.set.kind != BackupKind::Full {
            return Err(no_database(&file.set));
        }
        check_damage(&file.set)?;
        check_not_later(branches, at, stop)?;
        Ok(Self {
            content: branches.content(at),
            at,
            redo: file.set.last_lsn,
            fork: file.set.last_fork,
            base: file.set.uuid,
            finish: file.set.finish,
            stopped: stop.is_some_and(|s| s <= file.set.finish),
            by_log: false,
        })
    }

    /// Applies a differential or a log.
    pub(crate) fn apply(
        &mut self,
        branches: &Branches,
        file: &BackupFile,
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        check_damage(&file.set)?;
        match (file.set.kind, file.payload) {
            (BackupKind::Full, _) => {
                *self = Self::full(branches, file, stop)?;
                Ok(())
            }
            (BackupKind::Differential, Payload::Pages(at)) => self.differential(branches, file, at, stop),
            (BackupKind::Log, Payload::Records { branch, from, until }) => {
                self.accepts(&file.set)?;
                self.log(branches, &file.set, (branch, from, until), stop)
            }
            _ => Err(no_database(&file.set)),
        }
    }

    fn differential(
        &mut self,
        branches: &Branches,
        file: &BackupFile,
        at: ContentRef,
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        if file.set.differential_base.map(|(_, uuid)| uuid) != Some(self.base) {
            return Err(terminated(
                3136,
                "This differential backup cannot be restored because the database has not been restored to the correct earlier state.".into(),
            ));
        }
        if file.set.last_lsn < self.redo {
            return Err(terminated(
                3120,
                "This backup set will not be restored because all data has already been restored to a point beyond the time covered by this backup set.".into(),
            ));
        }
        check_not_later(branches, at, stop)?;
        self.content = branches.content(at);
        (self.at, self.redo, self.fork) = (at, file.set.last_lsn, file.set.last_fork);
        self.finish = file.set.finish;
        self.stopped = stop.is_some_and(|s| s <= file.set.finish);
        Ok(())
    }

    /// Whether RESTORE LOG accepts a set here, by LSN and fork.
    pub(crate) fn accepts(&self, set: &BackupSet) -> Result<(), EngineError> {
        if set.first_lsn > self.redo {
            return Err(terminated(
                4305,
                format!(
                    "The log in this backup set begins at LSN {}, which is too recent to apply to the database. An earlier log backup that includes LSN {} can be restored.",
                    set.first_lsn, self.redo
                ),
            ));
        }
        if set.last_lsn < self.redo {
            return Err(terminated(
                4326,
                format!(
                    "The log in this backup set terminates at LSN {}, which is too early to apply to the database. A more recent log backup that includes LSN {} can be restored.",
                    set.last_lsn, self.redo
                ),
            ));
        }
        // A set that crosses a fork applies on its first fork up to the fork point, and on its last from there on.
        let before = set.fork_point.is_none_or(|point| self.redo <= point);
        let after = set.fork_point.is_some_and(|point| self.redo >= point);
        if !(set.first_fork == self.fork && before
            || set.last_fork == self.fork && (after || set.fork_point.is_none()))
        {
            return Err(wrong_path());
        }
        Ok(())
    }

    fn log(
        &mut self,
        branches: &Branches,
        set: &BackupSet,
        (branch, from, until): (crate::database::branch::BranchId, u64, u64),
        stop: Option<Ms>,
    ) -> Result<(), EngineError> {
        check_not_later(branches, self.at, stop)?;
        let wanted = stop.map_or(until, |s| branches.commits_before(branch, s));
        // Records before the redo point are skipped, as in the engine.
        let start = from.max(self.at.count);
        let end = until.min(wanted).max(start);
        branches.apply(&mut self.content, branch, start, end);
        self.at = ContentRef { branch, count: end };
        (self.redo, self.fork) = (set.last_lsn.max(self.redo), set.last_fork);
        self.finish = self.finish.max(set.finish);
        self.stopped = stop.is_some_and(|s| s <= self.finish);
        self.by_log = self.stopped;
        Ok(())
    }

    /// RECOVERY: what the database holds, if the moment asked for was reached.
    pub(crate) fn recover(self, stop: Option<Ms>) -> Result<Content, EngineError> {
        if stop.is_some() && !self.stopped {
            return Err(terminated(
                4322,
                "This backup set contains records that were logged before the designated point in time. The database is being left in the restoring state so that more roll forward can be performed.".into(),
            ));
        }
        Ok(self.content)
    }
}

/// The database must not hold a commit that is not before the moment asked for.
fn check_not_later(branches: &Branches, at: ContentRef, stop: Option<Ms>) -> Result<(), EngineError> {
    if stop.is_some_and(|s| branches.commits_before(at.branch, s) < at.count) {
        return Err(terminated(
            4335,
            "The specified STOPAT time is too early. All or part of the database is already rolled forward beyond that point.".into(),
        ));
    }
    Ok(())
}

fn check_damage(set: &BackupSet) -> Result<(), EngineError> {
    if set.is_damaged {
        return Err(terminated(
            3182,
            "The backup set cannot be restored because the database was damaged when the backup occurred. Salvage attempts may exploit WITH CONTINUE_AFTER_ERROR.".into(),
        ));
    }
    Ok(())
}

fn wrong_path() -> EngineError {
    terminated(
        4330,
        "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time.".into(),
    )
}

fn no_database(set: &BackupSet) -> EngineError {
    terminated(
        3118,
        format!(
            "The database \"{}\" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.",
            set.database_name
        ),
    )
}

impl World {
    /// What one object holds: a backup and which stripe of it, from 1.
    pub(crate) fn read_backup(&self, object: &ObjectRef) -> Result<(Arc<BackupFile>, u8), EngineError> {
        let device = format!("s3://{}/{}", object.bucket, object.key);
        let cannot = |what: &str| {
            terminated(3201, format!("Cannot open backup device '{device}'. Operating system error {what}."))
        };
        let data =
            self.s3.data(&object.bucket, &object.key, object.version.as_deref()).map_err(|e| match e {
                S3Error::AccessDenied => cannot("5(Access is denied.)"),
                _ => cannot("2(The system cannot find the file specified.)"),
            })?;
        if data.class == StorageClass::Glacier {
            return Err(cannot("5(The operation is not valid for the object's storage class)"));
        }
        let malformed = || {
            let text = format!(
                "The media family on device '{device}' is incorrectly formed. SQL Server cannot process this media family."
            );
            terminated(3241, text)
        };
        match data.health {
            Health::Good => {}
            Health::Corrupt => return Err(malformed()),
            Health::Truncated => {
                let text = format!(
                    "The backup set on device '{device}' was terminated while it was being created and is incomplete. RESTORE sequence is terminated abnormally."
                );
                return Err(terminated(3256, text));
            }
        }
        match data.body {
            Body::Bytes(_) => Err(malformed()),
            Body::Stripe { file, index } => {
                let unreadable =
                    file.kms_key.as_deref().filter(|arn| !self.kms.describe(arn).is_some_and(|k| k.enabled));
                match unreadable {
                    Some(arn) => Err(terminated(50_000, format!("Key {arn} does not exist"))),
                    None => Ok((file, index)),
                }
            }
            Body::Log(log) => {
                let file = self.database(log.database).and_then(|d| {
                    d.log_backup(&self.branches, self.seed, self.knobs.log_file_overhead_bytes, log.number)
                });
                file.map(|f| (Arc::new(f), 1)).ok_or_else(malformed)
            }
        }
    }

    /// RESTORE HEADERONLY of one object.
    pub fn header(&self, object: &ObjectRef) -> Result<BackupSet, EngineError> {
        self.read_backup(object).map(|(file, _)| file.set.clone())
    }

    /// The backup that these objects are the stripes of.
    pub(crate) fn read_set(&self, stripes: &[ObjectRef]) -> Result<Arc<BackupFile>, EngineError> {
        let mut found: Option<Arc<BackupFile>> = None;
        let mut seen = Vec::new();
        for object in stripes {
            let (file, index) = self.read_backup(object)?;
            if found.as_ref().is_some_and(|f| f.set.uuid != file.set.uuid) {
                let text = format!(
                    "The volume on device '{}' does not belong to the media set that is currently being processed.",
                    object.key
                );
                return Err(terminated(3133, text));
            }
            if !seen.contains(&index) {
                seen.push(index);
            }
            found = Some(file);
        }
        let file = found.ok_or_else(|| EngineError::raised("S3 ARN prefix cannot be empty"))?;
        let members = usize::from(file.set.stripes);
        if seen.len() != members {
            let text = format!(
                "The media set has {members} media families but only {} are provided. All members must be provided.",
                seen.len()
            );
            return Err(terminated(3132, text));
        }
        Ok(file)
    }

    /// Restores objects in the order given and recovers: stripes of one backup follow each other. With `stop_at`, commits
    /// strictly before it are applied and files must reach it; without, everything is applied.
    pub fn restore(&self, objects: &[ObjectRef], stop_at: Option<Timestamp>) -> Result<Content, EngineError> {
        let stop = stop_at.map(ceil_ms);
        let mut state: Option<Restoring> = None;
        let mut rest = objects;
        while let Some(first) = rest.first() {
            let uuid = self.read_backup(first)?.0.set.uuid;
            let same = rest
                .iter()
                .take_while(|o| self.read_backup(o).is_ok_and(|(f, _)| f.set.uuid == uuid))
                .count();
            let (stripes, others) = rest.split_at(same.max(1));
            let file = self.read_set(stripes)?;
            match &mut state {
                None => state = Some(Restoring::full(&self.branches, &file, stop)?),
                Some(restoring) if restoring.by_log && file.set.kind == BackupKind::Log => {
                    return Err(terminated(3117, "The log or differential backup cannot be restored because no files are ready to rollforward.".into()));
                }
                Some(restoring) => restoring.apply(&self.branches, &file, stop)?,
            }
            rest = others;
        }
        state.ok_or_else(|| EngineError::raised("S3 ARN prefix cannot be empty"))?.recover(stop)
    }
}
