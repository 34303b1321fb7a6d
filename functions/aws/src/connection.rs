//! How the SDK reaches AWS: one configuration for all adapters.
//!
//! Region, credentials and endpoint overrides come from the standard environment of the SDK (`AWS_REGION`,
//! `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_RDS`, ...), which Lambda fills in.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};

pub use aws_config::SdkConfig;

/// Longest time to a connection. Policy: endpoints of the own Region answer within milliseconds, so two seconds mean that
/// nobody listens, and the machine's next try is better than a longer wait.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest time for one operation. Policy: well inside the shortest function timeout (30 seconds), so that a hanging service
/// is reported as what it is and not as a function that ran out of time.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings that hold for every adapter, whatever the endpoint: no retries of the SDK, deliberate timeouts.
pub fn settings(loader: ConfigLoader) -> ConfigLoader {
    loader.retry_config(RetryConfig::disabled()).timeout_config(
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build(),
    )
}

/// Loads the configuration from the SDK's standard environment.
pub async fn connect() -> SdkConfig {
    settings(aws_config::defaults(BehaviorVersion::latest())).load().await
}
