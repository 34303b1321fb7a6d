//! What AWS is asked about instances, buckets, keys and objects.

use jiff::Timestamp;

pub use domain::facts::ListedInstance;
use domain::facts::{BucketFacts, InstanceFacts, KeyFacts};

use crate::fault::Fault;

/// Asks the RDS control plane about an instance.
pub trait DescribeInstance {
    /// The instance as the control plane sees it; `Refused` when there is none of that name.
    async fn describe_instance(&self, name: &str) -> Result<InstanceFacts, Fault>;
}

/// One page of a listing of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInstances {
    /// Those of engine SQL Server; a page may hold none and still not be the last.
    pub instances: Vec<ListedInstance>,
    /// Where to go on, when there is more.
    pub after: Option<String>,
}

/// Lists the SQL Server instances of the account and Region.
pub trait ListInstances {
    /// One page, from the beginning or after the last one's `after`.
    async fn list_instances(&self, after: Option<&str>) -> Result<ListedInstances, Fault>;
}

/// Asks the RDS control plane about a snapshot.
pub trait DescribeSnapshot {
    /// The instance that a snapshot was taken of; none where RDS has no snapshot of that name, or no longer.
    async fn instance_of_snapshot(&self, snapshot: &str) -> Result<Option<String>, Fault>;
}

/// Asks S3 about a bucket.
pub trait DescribeBucket {
    /// Region, owner, versioning; `Refused` when it does not exist or is not ours to see. `account` is the owner we expect.
    async fn describe_bucket(&self, bucket: &str, account: &str) -> Result<BucketFacts, Fault>;
}

/// Asks KMS about a key.
pub trait DescribeKey {
    /// The key behind an ARN; `Refused` when it does not exist.
    async fn describe_key(&self, arn: &str) -> Result<KeyFacts, Fault>;
}

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Key within the bucket.
    pub key: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Entity tag, without quotes.
    pub etag: String,
    /// When it was last written.
    pub modified: Timestamp,
}

/// Lists objects.
pub trait ListObjects {
    /// Objects whose keys begin with `prefix`, in key order, after the key `after`, at most 1,000. Fewer than 1,000 does
    /// not mean the end unless the second value is `false`.
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<(Vec<ObjectFacts>, bool), Fault>;
}

/// Days for which RDS remembers events. API reference, `DescribeEvents`,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html>, read 2026-11.
pub const EVENTS_DAYS: u32 = 14;

/// What happened to an instance, as the control plane remembers it. Unlike an event that EventBridge brings it has no `EventID`
/// (API reference, data type `Event`, read 2026-11): categories and the sentence are all there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceEvent {
    /// When.
    pub at: Timestamp,
    /// `backup`, `failover`, `maintenance`, ...; new ones come about.
    pub categories: Vec<String>,
    /// A sentence for people: `Finished DB instance backup`.
    pub message: String,
}

/// One page of a listing of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceEvents {
    /// At most 100; nothing is promised about their order.
    pub events: Vec<InstanceEvent>,
    /// Where to go on, when there is more.
    pub after: Option<String>,
}

/// Lists what happened to an instance: who looks back with it needs no event of EventBridge to arrive.
pub trait ListEvents {
    /// One page of what happened from the first moment to the second, which lie within the last [`EVENTS_DAYS`] days; from the
    /// beginning or after the last page's `after`. Of an instance that RDS does not know there is nothing, or it is `Refused` as
    /// `InstanceNotFound`: no source says which.
    async fn list_events(
        &self,
        instance: &str,
        between: (Timestamp, Timestamp),
        after: Option<&str>,
    ) -> Result<InstanceEvents, Fault>;
}
