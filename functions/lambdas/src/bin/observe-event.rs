//! The function observe-event, wired to AWS.

use handlers::observe_event::ObserveEvent;
use lambdas::{EventBridge, run};
use ports::executions::Machine;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(EventBridge, |wiring| {
        let instance_machine = wiring.machine(Machine::Instance)?;
        let (store, cloud, clock) = (wiring.store(), wiring.listing(), wiring.clock());
        let (executions, events) = (wiring.executions(), wiring.events());
        Ok(ObserveEvent { store, cloud, executions, clock, instance_machine, events })
    })
    .await
}
