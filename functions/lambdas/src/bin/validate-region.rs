//! The function validate-region, wired to AWS.

use handlers::validate_region::ValidateRegion;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(ValidateRegion { store: wiring.store(), cloud: wiring.cloud(), clock: wiring.clock() })
    })
    .await
}
