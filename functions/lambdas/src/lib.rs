//! Wiring: environment to adapters, handler to Lambda.
//!
//! The only room that reads environment variables and speaks to the Lambda runtime. One binary a function under `src/bin`;
//! what a function does is in `handlers`, how AWS is asked is in `aws`.

pub mod edge;
pub mod event_bridge;
pub mod http;
pub mod invocation;
pub mod log;
pub mod redact;
pub mod serve;
pub mod tell;
pub mod trail;
pub mod wiring;

mod subject;

pub use edge::Machine;
pub use event_bridge::EventBridge;
pub use http::HttpApi;
pub use serve::{run, serve};
pub use tell::{Tell, Told};
pub use wiring::Wiring;
