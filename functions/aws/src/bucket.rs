//! Buckets and objects, asked of S3.
//!
//! A bucket is asked for in its own Region: S3 answers a request from elsewhere with a redirect that names the Region, and
//! then we ask there. Whether it is ours S3 tells by refusing a request that names the expected owner. S3 API reference,
//! `HeadBucket`, and user guide, "Verifying bucket ownership with bucket owner condition", read 2026-11.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Config, Region};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{
    BucketVersioningStatus, EncodingType, Object, ObjectOwnership as Ownership, ServerSideEncryption,
};
use domain::facts::{BucketFacts, ObjectOwnership};
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::{DescribeBucket, ListObjects, ObjectFacts};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::connection::OPERATION_TIMEOUT;
use crate::fault::{self, Effect, refused};
use crate::objects::listing::key;

/// IAM actions behind the ports of this adapter: `HeadBucket` and `ListObjectsV2` are both allowed by `s3:ListBucket`,
/// `GetBucketEncryption` by `s3:GetEncryptionConfiguration`.
pub const ACTIONS: &[Capability] = &[
    Capability {
        port: "DescribeBucket",
        actions: &[
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:ListBucket",
        ],
    },
    Capability { port: "ListObjects", actions: &["s3:ListBucket"] },
];

/// Objects of one page. S3: 1,000 at most (API reference, `ListObjectsV2`, read 2026-11).
const PAGE_OBJECTS: i32 = 1_000;

/// Error codes of buckets on which nobody has set it. S3 API reference, "Error responses", read 2026-11.
const NO_ENCRYPTION: &str = "ServerSideEncryptionConfigurationNotFoundError";
const NO_OWNERSHIP: &str = "OwnershipControlsNotFoundError";

const REGION_HEADER: &str = "x-amz-bucket-region";

/// S3, asked from one Region.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    region: Option<Region>,
    /// How long an object's bytes may take: the SDK's time ends with the head of such an answer.
    pub(crate) patience: Duration,
}

/// What S3 says of a bucket when asked in one Region.
enum Head {
    /// It is there, and we may see it.
    Here { region: String },
    /// It is in another Region.
    Elsewhere { region: String },
    /// It is not the expected owner's, or we may not see it.
    Denied,
}

impl S3 {
    /// S3 as the configuration reaches it.
    pub fn new(config: &SdkConfig) -> Self {
        let settings = aws_sdk_s3::config::Builder::from(config).interceptor(AnswerLimit);
        let told = config.timeout_config().and_then(TimeoutConfig::operation_timeout);
        Self {
            client: Client::from_conf(settings.build()),
            region: config.region().cloned(),
            patience: told.unwrap_or(OPERATION_TIMEOUT),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn head(&self, bucket: &str, owner: Option<&str>, region: Option<&str>) -> Result<Head, Fault> {
        let answer = self
            .client
            .head_bucket()
            .bucket(bucket)
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .customize()
            .config_override(in_region(region))
            .send()
            .await;
        let error = match answer {
            Ok(found) => {
                return found.bucket_region.map(|region| Head::Here { region }).ok_or_else(|| {
                    refused(
                        "BucketRegionUnknown",
                        format!("S3 does not say in which Region bucket {bucket} is"),
                    )
                });
            }
            Err(error) => error,
        };
        let asked = region.or_else(|| self.region.as_ref().map(AsRef::as_ref));
        let SdkError::ServiceError(answer) = &error else {
            return Err(fault::of(&format!("HeadBucket {bucket}"), Effect::Read, &error));
        };
        let status = answer.raw().status().as_u16();
        let told = answer.raw().headers().get(REGION_HEADER);
        match (status, told) {
            (301 | 307 | 400 | 403, Some(told)) if asked != Some(told) => {
                Ok(Head::Elsewhere { region: told.to_owned() })
            }
            (403, _) => Ok(Head::Denied),
            (404, _) => Err(refused("BucketNotFound", format!("there is no bucket {bucket}"))),
            _ => Err(fault::of(&format!("HeadBucket {bucket}"), Effect::Read, &error)),
        }
    }

    /// The bucket's Region, and whether it belongs to the account.
    async fn locate(&self, bucket: &str, account: &str) -> Result<(String, bool), Fault> {
        let (mut owner, mut region) = (Some(account), None);
        // Three questions at most: each turn but the last uses up one of the two things that can be asked differently.
        loop {
            match self.head(bucket, owner, region.as_deref()).await? {
                Head::Here { region } => return Ok((region, owner.is_some())),
                Head::Elsewhere { region: told } if region.is_none() => region = Some(told),
                Head::Denied if owner.is_some() => owner = None,
                Head::Elsewhere { .. } | Head::Denied => {
                    return Err(refused(
                        "BucketNotVisible",
                        format!("bucket {bucket} exists and S3 does not let this function see it"),
                    ));
                }
            }
        }
    }

    async fn is_versioned(&self, bucket: &str, account: &str, region: &str) -> Result<bool, Fault> {
        let answer = self
            .client
            .get_bucket_versioning()
            .bucket(bucket)
            .expected_bucket_owner(account)
            .customize()
            .config_override(in_region(Some(region)))
            .send()
            .await
            .map_err(|error| fault::of(&format!("GetBucketVersioning {bucket}"), Effect::Read, &error))?;
        Ok(answer.status == Some(BucketVersioningStatus::Enabled))
    }

    /// Whether the default encryption is with KMS. A bucket without any, as there were before 2023, is encrypted by S3.
    async fn is_under_kms(&self, bucket: &str, account: &str, region: &str) -> Result<bool, Fault> {
        let asked =
            self.client.get_bucket_encryption().bucket(bucket).expected_bucket_owner(account).customize();
        let answer = match asked.config_override(in_region(Some(region))).send().await {
            Err(error) if fault::code(&error) == Some(NO_ENCRYPTION) => return Ok(false),
            answer => answer
                .map_err(|error| fault::of(&format!("GetBucketEncryption {bucket}"), Effect::Read, &error))?,
        };
        let rules = answer.server_side_encryption_configuration.into_iter().flat_map(|told| told.rules);
        let mut algorithms = rules
            .filter_map(|rule| rule.apply_server_side_encryption_by_default)
            .map(|default| default.sse_algorithm);
        Ok(algorithms.any(|algorithm| {
            matches!(algorithm, ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
        }))
    }

    /// Whose objects are.
    async fn ownership(&self, bucket: &str, account: &str, region: &str) -> Result<ObjectOwnership, Fault> {
        let asked = self
            .client
            .get_bucket_ownership_controls()
            .bucket(bucket)
            .expected_bucket_owner(account)
            .customize();
        let answer = match asked.config_override(in_region(Some(region))).send().await {
            Err(error) if fault::code(&error) == Some(NO_OWNERSHIP) => {
                return Ok(ObjectOwnership::ObjectWriter);
            }
            answer => answer.map_err(|error| {
                fault::of(&format!("GetBucketOwnershipControls {bucket}"), Effect::Read, &error)
            })?,
        };
        let rules = answer.ownership_controls.into_iter().flat_map(|told| told.rules);
        let told: Vec<_> = rules.map(|rule| rule.object_ownership).collect();
        match told[..] {
            [Ownership::BucketOwnerEnforced] => Ok(ObjectOwnership::BucketOwnerEnforced),
            [Ownership::BucketOwnerPreferred] => Ok(ObjectOwnership::BucketOwnerPreferred),
            [Ownership::ObjectWriter] => Ok(ObjectOwnership::ObjectWriter),
            _ => Err(refused(
                "BucketOwnershipUnknown",
                format!("S3 does not say in words that are known whose the objects of bucket {bucket} are"),
            )),
        }
    }
}

fn in_region(region: Option<&str>) -> aws_sdk_s3::config::Builder {
    let builder = Config::builder();
    match region {
        Some(region) => builder.region(Region::new(region.to_owned())),
        None => builder,
    }
}

impl DescribeBucket for S3 {
    async fn describe_bucket(&self, bucket: &str, account: &str) -> Result<BucketFacts, Fault> {
        let (region, owned) = self.locate(bucket, account).await?;
        // A stranger's bucket is refused whatever its settings: not worth calls that its policy will deny.
        if !owned {
            let name = bucket.to_owned();
            return Ok(BucketFacts {
                name,
                region,
                owned,
                versioned: false,
                default_sse_kms: false,
                ownership: None,
            });
        }
        Ok(BucketFacts {
            name: bucket.to_owned(),
            owned,
            versioned: self.is_versioned(bucket, account, &region).await?,
            default_sse_kms: self.is_under_kms(bucket, account, &region).await?,
            ownership: Some(self.ownership(bucket, account, &region).await?),
            region,
        })
    }
}

impl ListObjects for S3 {
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<(Vec<ObjectFacts>, bool), Fault> {
        let what = || format!("ListObjectsV2 {bucket}/{prefix}");
        let answer = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .set_start_after(after.map(str::to_owned))
            .max_keys(PAGE_OBJECTS)
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| fault::of(&what(), Effect::Read, &error))?;
        let unreadable = |why: &str| refused("ListingUnreadable", format!("{}: {why}", what()));
        let encoding = answer.encoding_type.as_ref();
        let objects = answer.contents.unwrap_or_default().into_iter();
        let objects = objects.map(|object| object_facts(object, encoding)).collect::<Option<Vec<_>>>();
        let objects = objects.ok_or_else(|| unreadable("an object without key, size, tag or time"))?;
        let more = answer.is_truncated.unwrap_or(false);
        // The next page is asked for after the last key: without a later one it would be this page again.
        if more && objects.last().map(|object| object.key.as_str()) <= after {
            return Err(unreadable("there is more, and no key leads to it"));
        }
        Ok((objects, more))
    }
}

fn object_facts(object: Object, encoding: Option<&EncodingType>) -> Option<ObjectFacts> {
    let modified = object.last_modified?;
    Some(ObjectFacts {
        key: key(object.key?, encoding)?,
        size_bytes: u64::try_from(object.size?).ok()?,
        etag: object.e_tag?.trim_matches('"').to_owned(),
        modified: Timestamp::new(modified.secs(), i32::try_from(modified.subsec_nanos()).ok()?).ok()?,
    })
}
