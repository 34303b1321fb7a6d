//! The function observe-event, wired to AWS.

use handlers::observe_event::ObserveEvent;
use lambdas::{EventBridge, run};
use ports::executions::Machine;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(EventBridge, |wiring| {
        let instance_machine = wiring.machine(Machine::Instance)?;
        let (store, executions, clock) = (wiring.store(), wiring.executions(), wiring.clock());
        Ok(ObserveEvent { store, executions, clock, instance_machine, events: wiring.events() })
    })
    .await
}
