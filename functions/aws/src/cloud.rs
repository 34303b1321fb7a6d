//! Everything that is asked of AWS about instances, buckets, keys and objects, in one value.
//!
//! A handler names the ports it uses as bounds of one field, so this answers all of them; what its role may do follows from
//! the bounds ([`crate::actions`]), not from this type.

use aws_config::SdkConfig;
use domain::facts::{BucketFacts, InstanceFacts, KeyFacts};
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::{
    DescribeBucket, DescribeInstance, DescribeKey, DescribeSnapshot, InstanceEvents, ListEvents,
    ListInstances, ListObjects, ListedInstances, ObjectFacts,
};

use crate::{Kms, Rds, S3};

/// RDS, S3 and KMS.
#[derive(Debug, Clone)]
pub struct Cloud {
    rds: Rds,
    s3: S3,
    kms: Kms,
}

impl Cloud {
    /// The three as the configuration reaches them.
    pub fn new(config: &SdkConfig) -> Self {
        Self { rds: Rds::new(config), s3: S3::new(config), kms: Kms::new(config) }
    }
}

impl DescribeInstance for Cloud {
    async fn describe_instance(&self, name: &str) -> Result<InstanceFacts, Fault> {
        self.rds.describe_instance(name).await
    }
}

impl DescribeSnapshot for Cloud {
    async fn instance_of_snapshot(&self, snapshot: &str) -> Result<Option<String>, Fault> {
        self.rds.instance_of_snapshot(snapshot).await
    }
}

impl ListInstances for Cloud {
    async fn list_instances(&self, after: Option<&str>) -> Result<ListedInstances, Fault> {
        self.rds.list_instances(after).await
    }
}

impl DescribeBucket for Cloud {
    async fn describe_bucket(&self, bucket: &str, account: &str) -> Result<BucketFacts, Fault> {
        self.s3.describe_bucket(bucket, account).await
    }
}

impl DescribeKey for Cloud {
    async fn describe_key(&self, arn: &str) -> Result<KeyFacts, Fault> {
        self.kms.describe_key(arn).await
    }
}

impl ListObjects for Cloud {
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<(Vec<ObjectFacts>, bool), Fault> {
        self.s3.list_objects(bucket, prefix, after).await
    }
}

impl ListEvents for Cloud {
    async fn list_events(
        &self,
        instance: &str,
        between: (Timestamp, Timestamp),
        after: Option<&str>,
    ) -> Result<InstanceEvents, Fault> {
        self.rds.list_events(instance, between, after).await
    }
}
