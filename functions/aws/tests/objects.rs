//! The S3 adapter against the contract of objects, on whatever endpoint the SDK's environment names.

#[cfg(test)]
#[macro_use]
#[path = "../../../tests/conformance/objects/suite.rs"]
mod suite;

use aws::S3;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};
use ports::objects::{ListVersions, PurgeVersions};
use tokio::runtime::Builder;

/// Runs a case on an empty versioned bucket, and removes the bucket. One case at a time: they share its name.
fn run(case: impl AsyncFnOnce(&S3)) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    runtime.block_on(async {
        let config = aws::connect().await;
        let endpoint = config.endpoint_url().unwrap_or_default();
        assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint:?} is not on loopback");
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let (client, s3) = (Client::new(&config), S3::new(&config));
        let place = BucketLocationConstraint::from(region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        let created = client.create_bucket().bucket(suite::BUCKET).create_bucket_configuration(place);
        created.send().await.expect("the bucket is created");
        let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let versioned =
            client.put_bucket_versioning().bucket(suite::BUCKET).versioning_configuration(versioned);
        versioned.send().await.expect("the bucket is versioned");
        case(&s3).await;
        loop {
            let page = s3.list_versions(suite::BUCKET, "", None).await.expect("a page");
            let ids: Vec<_> = page.versions.into_iter().map(|version| version.id).collect();
            if ids.is_empty() {
                break;
            }
            assert_eq!(s3.purge_versions(suite::BUCKET, &ids).await, Ok(vec![]));
        }
        client.delete_bucket().bucket(suite::BUCKET).send().await.expect("the bucket is removed");
    });
}

objects_conformance!(run, ignore = "needs a server: tests/e2e/ministack.py starts one");
