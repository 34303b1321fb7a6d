//! The function check-chains, wired to AWS.

use handlers::check_chains::CheckChains;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(CheckChains {
            store: wiring.store(),
            servers: wiring.servers(),
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
