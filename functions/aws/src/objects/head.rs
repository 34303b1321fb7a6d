//! An object, looked at.
//!
//! S3 API reference, `HeadObject` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>), read 2026-11: an error has a status
//! and no body. A delete marker is 404.

use aws_sdk_s3::operation::head_object::HeadObjectError;
use ports::Fault;
use ports::objects::{HeadObject, ObjectHead};

use super::listing::moment;
use crate::S3;
use crate::fault::{self, Effect, refused};

impl HeadObject for S3 {
    async fn head_object(&self, bucket: &str, key: &str) -> Result<Option<ObjectHead>, Fault> {
        let what = format!("HeadObject {bucket}/{key}");
        let answer = match self.client().head_object().bucket(bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
                return Ok(None);
            }
            Err(error) => return Err(fault::of(&what, Effect::Read, &error)),
        };
        let size_bytes = answer.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        let modified = moment(answer.last_modified());
        let etag = answer.e_tag().map(|tag| tag.trim_matches('"')).filter(|tag| !tag.is_empty());
        let (Some(size_bytes), Some(modified), Some(etag)) = (size_bytes, modified, etag) else {
            return Err(refused("AnswerUnreadable", format!("{what}: without size, time or entity tag")));
        };
        let version = answer.version_id().filter(|version| !version.is_empty()).map(str::to_owned);
        Ok(Some(ObjectHead { size_bytes, etag: etag.to_owned(), version, modified }))
    }
}
