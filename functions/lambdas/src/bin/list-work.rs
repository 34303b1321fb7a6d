//! The function list-work, wired to AWS.

use handlers::list_work::ListWork;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(ListWork { store: wiring.store(), clock: wiring.clock(), events: wiring.events() })
    })
    .await
}
