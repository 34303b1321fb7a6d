//! The control planes in memory: RDS, S3 and KMS of the world, behind latencies and the gate.
//!
//! They tell what the services tell and no more, and refusals are called as the adapters for AWS call them, so that a
//! handler meets the same names here and there.

use std::cell::RefCell;
use std::rc::Rc;

use domain::facts::{BucketFacts, InstanceFacts, KeyFacts, MultiAz, ObjectOwnership, OptionState};
use domain::reason::{Class, Reason};
use ports::Fault;
use ports::cloud::{
    DescribeBucket, DescribeInstance, DescribeKey, DescribeSnapshot, ListInstances, ListObjects,
    ListedInstance, ListedInstances, ObjectFacts,
};
use world::{InstanceDescription, OptionStatus, S3Error, World};

use crate::kernel::{Kernel, Kind};
use crate::latency::Service;

/// Objects of one page of a listing. S3 API reference, `ListObjectsV2`: 1,000, read 2026-11.
const PAGE_OBJECTS_MAX: usize = 1_000;

/// Instances of one page. RDS API reference, `DescribeDBInstances`: 100, read 2026-11.
const PAGE_INSTANCES_MAX: usize = 100;

/// The control planes.
#[derive(Clone)]
pub struct Cloud {
    kernel: Rc<Kernel>,
    world: Rc<RefCell<World>>,
}

impl Cloud {
    pub(crate) fn new(kernel: Rc<Kernel>, world: Rc<RefCell<World>>) -> Self {
        Self { kernel, world }
    }

    async fn ask<T>(&self, name: &str, answer: impl Fn(&World) -> Result<T, Fault>) -> Result<T, Fault> {
        self.kernel.call(name, (Service::Cloud, Kind::Read), || answer(&self.world.borrow())).await
    }

    /// A call that may change the world.
    pub(super) async fn change<T>(
        &self,
        name: &str,
        kind: Kind,
        effect: impl Fn(&mut World) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.kernel.call(name, (Service::Cloud, kind), || effect(&mut self.world.borrow_mut())).await
    }
}

fn refused(name: &'static str, message: String) -> Fault {
    Fault::Refused(Reason::new(Class::Human, name, message))
}

impl DescribeInstance for Cloud {
    async fn describe_instance(&self, name: &str) -> Result<InstanceFacts, Fault> {
        self.ask("rds.describe_db_instances", |world| {
            let description = world.describe_instance(name).ok_or_else(|| {
                refused("InstanceNotFound", format!("RDS has no instance {name} in this account and Region"))
            })?;
            facts(&description).map_err(|what| {
                refused("InstanceUnreadable", format!("RDS describes instance {name} with {what}"))
            })
        })
        .await
    }
}

fn facts(description: &InstanceDescription) -> Result<InstanceFacts, String> {
    let config = &description.config;
    let window = |what: &str, value: &str| format!("the {what} window {value:?}");
    Ok(InstanceFacts {
        name: config.name.clone(),
        arn: config.arn.clone(),
        status: description.status.to_owned(),
        engine: config.edition.engine().to_owned(),
        engine_version: config.engine_version.clone(),
        // The API tells that there is a standby and not by which technique.
        multi_az: match config.multi_az {
            world::MultiAz::Single => MultiAz::SingleAz,
            world::MultiAz::Mirroring | world::MultiAz::AlwaysOn => MultiAz::Unspecified,
        },
        backup_window: Some(
            config.backup_window.parse().map_err(|_| window("backup", &config.backup_window))?,
        ),
        maintenance_window: Some(
            config
                .maintenance_window
                .parse()
                .map_err(|_| window("maintenance", &config.maintenance_window))?,
        ),
        retention_days: u16::try_from(config.retention_days)
            .map_err(|_| format!("retention of {} days", config.retention_days))?,
        backup_option: match config.option {
            OptionStatus::InSync => OptionState::Enabled,
            OptionStatus::Applying => OptionState::Applying,
            OptionStatus::Absent => OptionState::Missing,
        },
        storage_encrypted: config.storage_encrypted,
        read_replica: config.replica_of.is_some(),
        resource_id: Some(description.resource_id.clone()),
    })
}

impl DescribeSnapshot for Cloud {
    async fn instance_of_snapshot(&self, snapshot: &str) -> Result<Option<String>, Fault> {
        self.ask("rds.describe_db_snapshots", |world| {
            Ok(world.describe_snapshot(snapshot).map(str::to_owned))
        })
        .await
    }
}

impl ListInstances for Cloud {
    async fn list_instances(&self, after: Option<&str>) -> Result<ListedInstances, Fault> {
        self.ask("rds.describe_db_instances", |world| {
            let mut names: Vec<&str> = world.instance_names().collect();
            names.sort_unstable();
            let from = after.map_or(0, |after| names.partition_point(|name| *name <= after));
            let page = names.get(from..).unwrap_or_default();
            let more = page.len() > PAGE_INSTANCES_MAX;
            let page: Vec<_> = page.iter().take(PAGE_INSTANCES_MAX).copied().collect();
            Ok(ListedInstances {
                after: page.last().filter(|_| more).map(|last| (*last).to_owned()),
                instances: page
                    .iter()
                    .filter_map(|name| Some(listed(&world.describe_instance(name)?)))
                    .collect(),
            })
        })
        .await
    }
}

fn listed(description: &InstanceDescription) -> ListedInstance {
    let config = &description.config;
    ListedInstance {
        name: config.name.clone(),
        arn: config.arn.clone(),
        status: description.status.to_owned(),
        engine: config.edition.engine().to_owned(),
        endpoint: Some((host(&config.name), PORT)),
        master_secret_arn: config.master_secret_arn.clone(),
        read_replica: config.replica_of.is_some(),
        tags: config.tags.clone(),
    }
}

/// Host name of an instance: as on RDS, the identifier comes first.
pub(crate) fn host(instance: &str) -> String {
    format!("{instance}.rds.simulated")
}

/// Where SQL Server listens.
pub(crate) const PORT: u16 = 1433;

impl DescribeBucket for Cloud {
    async fn describe_bucket(&self, bucket: &str, account: &str) -> Result<BucketFacts, Fault> {
        self.ask("s3.describe_bucket", |world| {
            let config = world
                .s3()
                .describe_bucket(bucket)
                .map_err(|_| refused("BucketNotFound", format!("there is no bucket {bucket}")))?;
            if !config.caller_access {
                let message = format!("bucket {bucket} exists and S3 does not let this function see it");
                return Err(refused("BucketNotVisible", message));
            }
            let owned = config.account == account;
            Ok(BucketFacts {
                name: bucket.to_owned(),
                region: config.region.clone(),
                owned,
                versioned: owned && config.versioned,
                default_sse_kms: owned && config.default_kms_key.is_some(),
                ownership: owned.then_some(match config.object_ownership {
                    "BucketOwnerEnforced" => ObjectOwnership::BucketOwnerEnforced,
                    "BucketOwnerPreferred" => ObjectOwnership::BucketOwnerPreferred,
                    _ => ObjectOwnership::ObjectWriter,
                }),
            })
        })
        .await
    }
}

impl DescribeKey for Cloud {
    async fn describe_key(&self, arn: &str) -> Result<KeyFacts, Fault> {
        domain::paths::arn_parts(arn).map_err(Fault::Refused)?;
        self.ask("kms.describe_key", |world| {
            let key = world
                .kms()
                .describe(arn)
                .ok_or_else(|| refused("KeyNotFound", format!("there is no key {arn}")))?;
            Ok(KeyFacts {
                arn: key.arn.clone(),
                enabled: key.enabled,
                symmetric: key.symmetric,
                customer_managed: key.customer_managed,
            })
        })
        .await
    }
}

impl ListObjects for Cloud {
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<(Vec<ObjectFacts>, bool), Fault> {
        self.ask("s3.list_objects", |world| {
            let page = world.s3().list(bucket, prefix, after, PAGE_OBJECTS_MAX).map_err(|error| {
                let name = if error == S3Error::AccessDenied { "AccessDenied" } else { "ServiceRefused" };
                refused(name, format!("ListObjectsV2 {bucket}/{prefix}: {error}"))
            })?;
            let more = page.next.is_some();
            let objects = page.objects.into_iter().map(|object| ObjectFacts {
                key: object.key,
                size_bytes: object.size_bytes,
                etag: object.etag,
                modified: object.modified,
            });
            Ok((objects.collect(), more))
        })
        .await
    }
}
