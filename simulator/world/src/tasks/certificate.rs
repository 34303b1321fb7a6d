//! How do backups and restores of TDE certificates run?
//!
//! As other tasks: what can be refused is looked at when they start, and what they do is there when they end. The private key is
//! locked with a password that only the KMS key opens; it lies in the metadata of the key's object. Source: RDS user guide,
//! "Backing up and restoring TDE certificates".

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    instance::state::Instance,
    s3::{Body, Health, StorageClass},
    sql::encryption::certificate_exists,
    stream::{Purpose, draw},
    tasks::{
        info::plain_failure_lines,
        task::{Lifecycle, TaskType, Work},
    },
    tde::{
        certificate::{Issued, Origin, USER_CERTIFICATES_MAX},
        files::{self, PASSWORD_METADATA, PrivateKey},
    },
    time::{SECOND, ceil_second},
    world::World,
};

/// What a task of a certificate is about.
struct Asked {
    id: u32,
    kind: TaskType,
    name: Arc<str>,
    certificate: (String, String),
    private_key: (String, String),
    kms: Arc<str>,
    overwrite: bool,
}

impl World {
    fn asked(&self, instance: usize, id: u32) -> Option<Asked> {
        let host = self.instances.get(instance)?;
        let (task, work) = (host.task(id)?, host.work.get(&id)?);
        let Work::Certificate { name, certificate, private_key, .. } = work else { return None };
        Some(Asked {
            id,
            kind: task.kind,
            name: Arc::clone(name),
            certificate: certificate.clone(),
            private_key: private_key.clone(),
            kms: task.kms.clone().unwrap_or_default(),
            overwrite: task.overwrite,
        })
    }

    /// A backup or restore of a certificate takes its slot.
    pub(crate) fn start_certificate(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let Some(asked) = self.asked(instance, id) else { return };
        let mut stream = self.run_stream(instance, id, 3);
        let setup = stream.seconds(self.knobs.setup_seconds);
        let looked = match asked.kind {
            TaskType::RestoreCertificate => self.read_certificate(instance, &asked).map(Some),
            _ => self.refuse_certificate_backup(instance, &asked).map_or(Ok(None), Err),
        };
        match looked {
            Err(text) => {
                let (lines, end) = plain_failure_lines(now + setup.min(6 * SECOND), text);
                self.replan(instance, id, Lifecycle::Error, lines, end);
            }
            Ok(issued) => {
                let work = self.instances.get_mut(instance).and_then(|host| host.work.get_mut(&id));
                if let Some(Work::Certificate { read, .. }) = work {
                    *read = issued;
                }
                let (from, until) = (now + setup, now + setup + SECOND);
                let end = until + stream.between(SECOND, 4 * SECOND);
                let end = if self.knobs.whole_seconds { ceil_second(end) } else { end };
                self.plan_run(instance, id, (from, until), end);
            }
        }
    }

    /// Why objects or key of a task can't be used.
    fn refuse_places(&self, instance: usize, asked: &Asked) -> Option<String> {
        for (bucket, key) in [&asked.certificate, &asked.private_key] {
            if let Some(text) = self.refuse_bucket(instance, bucket, key) {
                return Some(text);
            }
        }
        if let Some(text) = self.refuse_key(instance, &asked.kms) {
            return Some(text);
        }
        // "RDS for SQL Server does not support using cross-account keys for TDE."
        let account = self.instances.get(instance).map(|host| host.config.account.as_str());
        (asked.kms.split(':').nth(4) != account)
            .then(|| self.knobs.texts.key_account.replace("{key}", &asked.kms))
    }

    fn refuse_certificate_backup(&self, instance: usize, asked: &Asked) -> Option<String> {
        let texts = &self.knobs.texts;
        if self.instances.get(instance)?.certificate(&asked.name).is_none() {
            return Some(texts.unknown_certificate.replace("{name}", &asked.name));
        }
        if let Some(text) = self.refuse_places(instance, asked) {
            return Some(text);
        }
        let taken = |(bucket, key): &(String, String)| self.s3.bucket(bucket).is_ok_and(|b| b.exists(key));
        (!asked.overwrite && (taken(&asked.certificate) || taken(&asked.private_key)))
            .then(|| texts.certificate_files_exist.clone())
    }

    /// The certificate that the files of a restore hold, or why it fails.
    fn read_certificate(&self, instance: usize, asked: &Asked) -> Result<Issued, String> {
        let texts = &self.knobs.texts;
        if let Some(text) = self.refuse_places(instance, asked) {
            return Err(text);
        }
        let (certificate, _) = self.read_file(&asked.certificate)?;
        let (private_key, encrypted) = self.read_file(&asked.private_key)?;
        let invalid = |key: &str| texts.certificate_file_invalid.replace("{key}", key);
        let issued = files::read(&certificate).ok_or_else(|| invalid(&asked.certificate.1))?;
        let locked = PrivateKey::read(&private_key).filter(|locked| locked.of == issued.thumbprint);
        let locked = locked.ok_or_else(|| invalid(&asked.private_key.1))?;
        let Some(encrypted) = encrypted else {
            return Err(texts.certificate_password_missing.replace("{key}", &asked.private_key.1));
        };
        let password = crate::kms::decrypt(&asked.kms, &encrypted);
        if !password.is_some_and(|password| locked.opens_with(password)) {
            return Err(texts.certificate_password_wrong.clone());
        }
        let Some(host) = self.instances.get(instance) else { return Ok(issued) };
        let (names, taken) = claims(host, asked.id);
        if names.iter().any(|name| name.eq_ignore_ascii_case(&asked.name))
            || taken.iter().any(|other| other.thumbprint == issued.thumbprint)
            || host.certificate(&asked.name).is_some()
            || host.opens(issued.thumbprint)
        {
            return Err(certificate_exists(&asked.name).text);
        }
        // Between the call and now, or beside this task, others may have come.
        if host.user_certificates() + taken.len() >= USER_CERTIFICATES_MAX {
            return Err(texts.certificate_limit.clone());
        }
        Ok(issued)
    }

    /// Bytes of an object and the password beside them, or why it can't be read.
    fn read_file(&self, (bucket, key): &(String, String)) -> Result<(Arc<[u8]>, Option<String>), String> {
        let denied = || "Access Denied".to_owned();
        let data = self.s3.data(bucket, key, None).map_err(|_| denied())?;
        if data.class == StorageClass::Glacier {
            return Err(denied());
        }
        let password = data.metadata.and_then(|held| held.get(PASSWORD_METADATA).cloned());
        match (data.body, data.health) {
            (Body::Bytes(bytes), Health::Good) => Ok((bytes, password)),
            _ => Err(self.knobs.texts.certificate_file_invalid.replace("{key}", key)),
        }
    }

    /// A backup or restore of a certificate ends well.
    pub(crate) fn finish_certificate(&mut self, instance: usize, id: u32, work: Work) {
        let (now, seed) = (self.now_ms, self.seed);
        let Work::Certificate { name, certificate, private_key, read } = work else { return };
        let Some(host) = self.instances.get_mut(instance) else { return };
        let kms = host.task(id).and_then(|task| task.kms.clone()).unwrap_or_default();
        if let Some(issued) = read {
            host.add_certificate(&name, issued, Origin::Restored);
            return;
        }
        let password = draw(seed, Purpose::Certificate, &[instance as u64, u64::MAX, u64::from(id)]);
        let Some(held) = host.certificates.iter_mut().find(|held| held.name == name) else { return };
        held.backed_up = Some(now);
        let written = files::write(&held.issued, password, &kms);
        let metadata = BTreeMap::from([(PASSWORD_METADATA.to_owned(), written.encrypted_password)]);
        let ((bucket, key), (key_bucket, key_key)) = (certificate, private_key);
        // A bucket deleted meanwhile loses the objects: nothing else could happen to them.
        let stored = self
            .s3
            .store_bytes(&bucket, &key, &written.certificate, None)
            .and_then(|()| self.s3.store_bytes(&key_bucket, &key_key, &written.private_key, Some(metadata)));
        debug_assert!(
            stored.is_ok()
                || [&bucket, &key_bucket].into_iter().any(|bucket| self.s3.describe_bucket(bucket).is_err()),
            "only a missing bucket refuses"
        );
    }
}

/// Names and certificates that other restores in progress will put on an instance.
fn claims(host: &Instance, own: u32) -> (Vec<&str>, Vec<&Issued>) {
    let running = host.running.iter().filter(|id| **id != own).filter_map(|id| host.work.get(id));
    running
        .filter_map(|work| match work {
            Work::Certificate { name, read: Some(read), .. } => Some((&**name, read)),
            _ => None,
        })
        .unzip()
}
