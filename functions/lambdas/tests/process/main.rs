//! Functions as processes, spoken to through the Runtime API as Lambda speaks to them.
//!
//! [`serve`] asks how invocations end, of a function that does what it is told; [`functions`] starts the programs that are deployed.

mod functions;
mod runtime_api;
mod serve;
#[path = "../../../aws/tests/served/mod.rs"]
mod served;
#[path = "../../../aws/tests/support/mod.rs"]
mod support;
