//! The function dispatch-tasks, wired to AWS.

use handlers::dispatch_tasks::DispatchTasks;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(DispatchTasks {
            store: wiring.store(),
            servers: wiring.servers(),
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
