//! Wiring: environment to adapters, handler to Lambda.
//!
//! The only room that reads environment variables and speaks to the Lambda runtime. One binary a function under `src/bin`;
//! what a function does is in `handlers`, how AWS is asked is in `aws`.

pub mod serve;
pub mod wiring;

pub use serve::serve;
pub use wiring::Wiring;
