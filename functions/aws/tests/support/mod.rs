//! A configuration of the SDK that reaches a server of the test and nothing else, and a server that says what it is told.

use aws::SdkConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use tokio::runtime::{Builder, Runtime};

/// The Region every test is in.
pub(crate) const REGION: &str = "eu-west-1";

/// A runtime of one thread with sockets and timers.
pub(crate) fn local() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}

/// The production settings, pointed at an endpoint.
pub(crate) async fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    aws::connection::settings(aws_config::defaults(BehaviorVersion::latest()))
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .load()
        .await
}
