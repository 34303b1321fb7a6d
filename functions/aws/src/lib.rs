//! The AWS adapters: what the ports ask for, answered by DynamoDB, S3, KMS, the RDS API, Step Functions, EventBridge, SNS
//! and Secrets Manager.
//!
//! The only room with the AWS SDK. It knows attribute names, operations, error codes and the IAM actions behind each port;
//! it knows no rule, no environment variable of ours, and it neither waits nor retries: the SDK's own retries are off,
//! because the state machines own them. [`Again`] is for the functions that have no machine behind them.

pub mod actions;
pub mod again;
mod answer;
pub mod bucket;
pub mod clock;
pub mod cloud;
pub mod connection;
pub mod events;
pub mod executions;
mod fault;
mod happened;
pub mod instance;
pub mod key;
mod listing;
pub mod objects;
pub mod secret;
mod snapshot;
pub mod store;
pub mod topic;

pub use actions::Capability;
pub use again::Again;
pub use bucket::S3;
pub use clock::HostClock;
pub use cloud::Cloud;
pub use connection::{SdkConfig, connect};
pub use events::EventBridge;
pub use executions::StepFunctions;
pub use instance::Rds;
pub use key::Kms;
pub use secret::SecretsManager;
pub use store::DynamoStore;
pub use topic::Topic;
