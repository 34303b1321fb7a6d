//! Which tags has an object: `PutObjectTagging`, `GetObjectTagging`.

use std::{collections::BTreeMap, sync::Arc};

use crate::s3::{S3, S3Error};

impl S3 {
    /// `PutObjectTagging` of the newest version: these tags and no others.
    pub fn tag(&mut self, bucket: &str, key: &str, tags: BTreeMap<String, String>) -> Result<(), S3Error> {
        self.tags(bucket, key)?;
        let tags = (!tags.is_empty()).then(|| Arc::new(tags));
        self.alter(bucket, key, |data| data.tags = tags)
    }

    /// `GetObjectTagging` of the newest version.
    pub fn tags(&self, bucket: &str, key: &str) -> Result<BTreeMap<String, String>, S3Error> {
        let found = self.find(self.readable(bucket)?, key, None)?;
        Ok(found.data.and_then(|data| data.tags).map_or_else(BTreeMap::new, |held| (*held).clone()))
    }
}
