//! The function observe-event, wired to AWS.

use handlers::observe_event::ObserveEvent;
use lambdas::{EventBridge, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(EventBridge, |wiring| {
        Ok(ObserveEvent {
            store: wiring.store(),
            executions: wiring.executions(),
            clock: wiring.clock(),
            events: wiring.events(),
        })
    })
    .await
}
