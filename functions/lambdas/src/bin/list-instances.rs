//! The function list-instances, wired to AWS.

use handlers::list_instances::ListInstances;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(ListInstances { store: wiring.store(), cloud: wiring.listing(), clock: wiring.clock() })
    })
    .await
}
