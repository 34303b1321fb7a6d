//! What do the objects of a bucket hold, and what is in a database that they are restored into?
//!
//! A restore applies what files contain and nothing else: it never asks the database they came from. What the engine accepts
//! after what is `sequence`'s question; here objects are read, stripes put together, statements carried out one by one.

mod sequence;

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    backup_file::{BackupFile, BackupSet},
    content::Content,
    error::EngineError,
    lsn::Lsn,
    s3::{Body, Health, S3Error, StorageClass},
    tde::certificate::Thumbprint,
    time::{Ms, ceil_ms},
    world::World,
};

pub(crate) use sequence::{Engine, Restoring};

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

/// One RESTORE statement: the stripes of one backup, and where it stops.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreStep {
    /// Stripes, in any order.
    pub objects: Vec<ObjectRef>,
    /// STOPAT.
    pub stop_at: Option<Timestamp>,
    /// STOPBEFOREMARK with an LSN, of a log.
    pub stop_before_lsn: Option<Lsn>,
}

fn terminated(number: u32, text: String) -> EngineError {
    EngineError::new(number, text)
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

    /// `TDEThumbprint` of RESTORE FILELISTONLY of one object: the certificate that it can't be restored without.
    pub fn tde_thumbprint(&self, object: &ObjectRef) -> Result<Option<Thumbprint>, EngineError> {
        self.read_backup(object).map(|(file, _)| file.tde_thumbprint)
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
        let file = found.ok_or_else(no_device)?;
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
        self.restoring(objects, stop)?.recover(self.engine(), stop)
    }

    /// The engine that restores here.
    pub(crate) fn engine(&self) -> Engine<'_> {
        Engine { branches: &self.branches, joins_last_fork: self.knobs.crossing_log_joins_last_fork }
    }

    /// Carries out RESTORE statements one by one WITH NORECOVERY, then RESTORE DATABASE WITH RECOVERY. A stop that no log
    /// reaches leaves the database restoring (4322, a message and no error), and recovery brings what was applied.
    pub fn restore_steps(&self, steps: &[RestoreStep]) -> Result<Content, EngineError> {
        let mut state: Option<Restoring> = None;
        for step in steps {
            let (file, stop) = (self.read_set(&step.objects)?, step.stop_at.map(ceil_ms));
            match (&mut state, step.stop_before_lsn) {
                (None, _) => state = Some(Restoring::full(self.engine(), &file, stop)?),
                (Some(restoring), None) => restoring.apply(self.engine(), &file, stop)?,
                (Some(restoring), Some(lsn)) => restoring.apply_below(self.engine(), &file, lsn)?,
            }
        }
        state.ok_or_else(no_device)?.recover(self.engine(), None)
    }

    /// The database after these objects, not recovered.
    pub(crate) fn restoring(
        &self,
        objects: &[ObjectRef],
        stop: Option<Ms>,
    ) -> Result<Restoring, EngineError> {
        let engine = self.engine();
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
                None => state = Some(Restoring::full(engine, &file, stop)?),
                Some(restoring) => restoring.apply(engine, &file, stop)?,
            }
            rest = others;
        }
        state.ok_or_else(no_device)
    }
}

/// The error for a backup whose certificate is not on the server.
pub(crate) fn no_certificate_for(thumbprint: Thumbprint) -> EngineError {
    terminated(33_111, format!("Cannot find server certificate with thumbprint '{thumbprint}'."))
}

fn no_device() -> EngineError {
    EngineError::raised("S3 ARN prefix cannot be empty")
}
