//! What do the procedures for TDE certificates take and refuse?
//!
//! Refused by the call: an open transaction, an option that is off, Multi-AZ, names and file extensions that break the documented
//! rules, the eleventh user certificate. Buckets, key and files are looked at when the task runs. Dropping is no task: the user
//! guide speaks of backup and restore tasks only. Source: RDS user guide, "Backing up and restoring TDE certificates"; it gives the
//! rules and no texts.

use std::sync::Arc;

use tds::Response;

use crate::{
    error::EngineError,
    instance::config::{MultiAz, OptionStatus},
    sql::{
        calls::{Declared, optional, required},
        procedures::Call,
        value,
    },
    tasks::{
        info::split_arn,
        queue::NewTask,
        task::{TaskType, Work},
    },
    tde::certificate::{Thumbprint, USER_CERTIFICATES_MAX, has_service_keyword, is_of_user},
    world::World,
};

/// Parameters of `rds_backup_tde_certificate`.
pub(super) const BACKUP: &[Declared] = &[
    required("@certificate_name"),
    required("@certificate_file_s3_arn"),
    required("@private_key_file_s3_arn"),
    required("@kms_password_key_arn"),
    optional("@overwrite_s3_files"),
];

/// Parameters of `rds_restore_tde_certificate`.
pub(super) const RESTORE: &[Declared] = &[
    required("@certificate_name"),
    required("@certificate_file_s3_arn"),
    required("@private_key_file_s3_arn"),
    required("@kms_password_key_arn"),
];

/// Parameters of `rds_drop_tde_certificate`.
pub(super) const DROP: &[Declared] = &[required("@certificate_name")];

/// Characters of a sysname.
const NAME_MAX: usize = 128;

fn refuse<T>(text: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::raised(text))
}

/// Whether a name has only the characters that `@certificate_name` can include: a-z, 0-9, @, $, # and underscore.
fn is_a_name(name: &str) -> bool {
    name.len() <= NAME_MAX && name.chars().all(|c| c.is_ascii_alphanumeric() || "@$#_".contains(c))
}

impl World {
    /// `msdb.dbo.rds_backup_tde_certificate`.
    pub(super) fn rds_backup_tde_certificate(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let name = self.certificate_name(call)?;
        self.refuse_certificate_task(call)?;
        let host = self.instances.get(call.instance);
        let Some(certificate) = host.and_then(|host| host.certificate(&name)) else {
            return refuse(self.knobs.texts.unknown_certificate.replace("{name}", &name));
        };
        let name = Arc::clone(&certificate.name);
        let overwrite = value::integer(call.bound.get(4), "int")?.unwrap_or(0) != 0;
        self.queue_certificate(call, (TaskType::BackupCertificate, name, overwrite), answer)
    }

    /// `msdb.dbo.rds_restore_tde_certificate`.
    pub(super) fn rds_restore_tde_certificate(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let name = self.certificate_name(call)?;
        self.refuse_certificate_task(call)?;
        if !is_of_user(&name) || has_service_keyword(&name) {
            return refuse(self.knobs.texts.certificate_name.replace("{name}", &name));
        }
        let host = self.instances.get(call.instance);
        if host.is_some_and(|host| host.user_certificates() >= USER_CERTIFICATES_MAX) {
            return refuse(self.knobs.texts.certificate_limit.clone());
        }
        self.queue_certificate(call, (TaskType::RestoreCertificate, Arc::from(name), false), answer)
    }

    /// `msdb.dbo.rds_drop_tde_certificate`: at once.
    pub(super) fn rds_drop_tde_certificate(
        &mut self,
        call: &Call<'_>,
        _: &mut Response,
    ) -> Result<(), EngineError> {
        let name = self.certificate_name(call)?;
        let Some(host) = self.instances.get(call.instance) else { return Ok(()) };
        let Some(held) = host.certificate(&name) else {
            return refuse(self.knobs.texts.unknown_certificate.replace("{name}", &name));
        };
        if !is_of_user(&held.name) {
            return refuse(self.knobs.texts.drop_rds_certificate.replace("{name}", &name));
        }
        let (id, thumbprint) = (held.id, held.issued.thumbprint);
        if self.protects_keys(call.instance, thumbprint) {
            let text = format!(
                "The certificate '{name}' cannot be dropped because it is bound to one or more database encryption key."
            );
            return Err(EngineError::new(3_716, text));
        }
        if let Some(host) = self.instances.get_mut(call.instance) {
            host.certificates.retain(|held| held.id != id);
        }
        Ok(())
    }

    /// Whether a certificate encrypts the key of a database of the instance.
    fn protects_keys(&self, instance: usize, thumbprint: Thumbprint) -> bool {
        let host = self.instances.get(instance).into_iter();
        let mut databases = host.flat_map(|host| host.databases.values()).filter_map(|id| self.database(*id));
        databases.any(|held| held.encryption.key.is_some_and(|key| key.certificate == thumbprint))
    }

    /// The name that all three are called with, once nothing else stands in the way.
    fn certificate_name(&self, call: &Call<'_>) -> Result<String, EngineError> {
        self.may_run_native(call)?;
        let texts = &self.knobs.texts;
        let host = self.instances.get(call.instance);
        if host.is_none_or(|host| host.config.tde_option != OptionStatus::InSync) {
            return refuse(texts.tde_option.clone());
        }
        let name = call.bound.text(0).unwrap_or_default();
        if name.trim().is_empty() {
            return refuse(texts.certificate_name_empty.clone());
        }
        if !is_a_name(&name) {
            return refuse(texts.certificate_name.replace("{name}", &name));
        }
        Ok(name)
    }

    /// What keeps a backup or restore of a certificate from being queued, whichever it is.
    fn refuse_certificate_task(&self, call: &Call<'_>) -> Result<(), EngineError> {
        let texts = &self.knobs.texts;
        let host = self.instances.get(call.instance);
        if host.is_some_and(|host| host.config.multi_az != MultiAz::Single) {
            return refuse(texts.multi_az_certificate.clone());
        }
        for (place, parameter, extension) in
            [(1, "@certificate_file_s3_arn", ".cer"), (2, "@private_key_file_s3_arn", ".pvk")]
        {
            let arn = call.bound.text(place).unwrap_or_default();
            if arn.trim().is_empty() {
                return refuse("S3 ARN prefix cannot be empty");
            }
            if !arn.trim_end().to_lowercase().ends_with(extension) {
                let text = texts.certificate_extension.replace("{parameter}", parameter);
                return refuse(text.replace("{extension}", extension));
            }
        }
        Ok(())
    }

    fn queue_certificate(
        &mut self,
        call: &Call<'_>,
        (kind, name, overwrite): (TaskType, Arc<str>, bool),
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let text = |place| call.bound.text(place).unwrap_or_default();
        // A malformed ARN is no error of the call, here as for backups.
        let object = |arn: &str| {
            split_arn(arn.trim_end()).map_or_else(Default::default, |(b, k)| (b.to_owned(), k.to_owned()))
        };
        let (certificate, private_key) = (object(&text(1)), object(&text(2)));
        self.refuse_at_call(call.instance, &certificate.0)?;
        let new = NewTask {
            kind,
            database: None,
            database_name: Arc::from(""),
            s3_arn: Arc::from(text(1)),
            kms: Some(Arc::from(text(3))),
            overwrite,
            stripes: 1,
            filepath: None,
            default_encryption: false,
            work: Work::Certificate { name, certificate, private_key, read: None },
        };
        let task = self.submit(call.instance, new);
        self.announce(call, task, answer);
        Ok(())
    }
}
