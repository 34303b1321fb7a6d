//! Under which key does S3 keep an object?
//!
//! A bucket has a default: keys of S3 or one of KMS. RDS asks for keys of S3 unless `@enable_bucket_default_encryption` is 1 or the
//! bucket is a directory bucket. What lies under a key of KMS is read by those who may use the key; that RDS says "Access Denied"
//! otherwise is inferred. Sources: RDS user guide, "Using native backup and restore"; S3 user guide, "Setting default server-side
//! encryption behavior".

use std::sync::Arc;

use crate::{s3::S3, world::World};

impl S3 {
    /// Encrypts the newest version of an object as the bucket does by default.
    pub(crate) fn encrypt_by_default(&mut self, bucket: &str, key: &str) {
        let default = self.bucket(bucket).ok().and_then(|held| held.config.default_kms_key.clone());
        if let Some(arn) = default {
            // An object that went away meanwhile needs no key.
            let altered = self.alter(bucket, key, |data| data.kms_key = Some(Arc::from(arn)));
            debug_assert!(altered.is_ok(), "the caller has just stored it");
        }
    }
}

impl World {
    /// Why RDS can't encrypt with the default key of a bucket. A key that AWS manages is as good as any here.
    pub(crate) fn refuse_default_key(&self, instance: usize, bucket: &str) -> Option<String> {
        let arn = self.s3.describe_bucket(bucket).ok()?.default_kms_key.as_deref()?;
        let is_managed = |key: &crate::kms::KeyConfig| key.enabled && key.rds_access && !key.customer_managed;
        if self.kms.describe(arn).is_some_and(is_managed) {
            return None;
        }
        self.refuse_key(instance, arn)
    }

    /// Whether RDS may use the key that an object lies under, if any.
    pub(crate) fn may_decrypt(&self, bucket: &str, key: &str) -> bool {
        let kms_key = self.s3.data(bucket, key, None).ok().and_then(|data| data.kms_key);
        let may = |arn: Arc<str>| self.kms.describe(&arn).is_some_and(|key| key.enabled && key.rds_access);
        kms_key.is_none_or(may)
    }
}
