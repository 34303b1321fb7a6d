//! The function run-lease, wired to AWS.

use handlers::run_lease::RunLease;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(RunLease { store: wiring.store(), clock: wiring.clock(), events: wiring.events() })
    })
    .await
}
