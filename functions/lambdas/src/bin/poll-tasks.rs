//! The function poll-tasks, wired to AWS.

use handlers::poll_tasks::PollTasks;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| {
        Ok(PollTasks {
            store: wiring.store(),
            servers: wiring.servers(),
            cloud: wiring.cloud(),
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
