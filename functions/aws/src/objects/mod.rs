//! Objects of S3: written when they are new, and uploads aborted. Reading, listing, deleting and tagging have files of their own.
//!
//! S3 API reference, `PutObject` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>), `AbortMultipartUpload`, and user
//! guide, "How to prevent object overwrites with conditional writes": 412 when there is one of that key, 409 when another write
//! was under way; read 2026-11.

mod delete;
mod head;
pub(crate) mod listing;
mod reading;
mod tagging;

use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadError;
use aws_sdk_s3::primitives::ByteStream;
use ports::Fault;
use ports::objects::{AbortUpload, UploadId, WriteObject, Written};

use crate::S3;
use crate::actions::Capability;
use crate::fault::{self, Effect};

/// IAM actions behind the ports of this adapter. Service authorization reference, "Actions, resources, and condition keys for
/// Amazon S3", read 2026-11: deletes in a batch are allowed like single ones, key by key.
pub const ACTIONS: &[Capability] = &[
    Capability { port: "ListVersions", actions: &["s3:ListBucketVersions"] },
    Capability { port: "TrashObjects", actions: &["s3:DeleteObject"] },
    Capability { port: "PurgeVersions", actions: &["s3:DeleteObjectVersion"] },
    Capability { port: "ListUploads", actions: &["s3:ListBucketMultipartUploads"] },
    Capability { port: "AbortUpload", actions: &["s3:AbortMultipartUpload"] },
    // Whoever may not list the bucket is told 403 of a key that is not there, which is no answer.
    Capability { port: "HeadObject", actions: &["s3:GetObject"] },
    Capability { port: "ReadObject", actions: &["s3:GetObject"] },
    Capability { port: "WriteObject", actions: &["s3:PutObject"] },
    Capability { port: "ReadTags", actions: &["s3:GetObjectTagging"] },
    Capability { port: "TagObject", actions: &["s3:PutObjectTagging"] },
];

impl AbortUpload for S3 {
    async fn abort_upload(&self, bucket: &str, id: &UploadId) -> Result<(), Fault> {
        let asked = self.client().abort_multipart_upload().bucket(bucket).key(&id.key).upload_id(&id.upload);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(AbortMultipartUploadError::is_no_such_upload) =>
            {
                Ok(())
            }
            Err(error) => {
                Err(fault::of(&format!("AbortMultipartUpload {bucket}/{}", id.key), Effect::Write, &error))
            }
        }
    }
}

impl WriteObject for S3 {
    async fn write_object(&self, bucket: &str, key: &str, body: &[u8]) -> Result<Written, Fault> {
        let asked = self.client().put_object().bucket(bucket).key(key).if_none_match("*");
        match asked.body(ByteStream::from(body.to_vec())).send().await {
            Ok(_) => Ok(Written::New),
            Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
                Some(412) => Ok(Written::Exists),
                _ => Err(fault::of(&format!("PutObject {bucket}/{key}"), Effect::Write, &error)),
            },
        }
    }
}
