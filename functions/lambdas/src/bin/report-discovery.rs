//! The function report-discovery, wired to AWS.

use handlers::report_discovery::ReportDiscovery;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(ReportDiscovery {
            store: wiring.store(),
            people: wiring.people()?,
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
