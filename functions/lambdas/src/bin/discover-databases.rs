//! The function discover-databases, wired to AWS.

use handlers::discover_databases::DiscoverDatabases;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(DiscoverDatabases {
            store: wiring.store(),
            servers: wiring.servers(),
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
