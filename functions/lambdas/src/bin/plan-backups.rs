//! The function plan-backups, wired to AWS.

use handlers::plan_backups::PlanBackups;
use lambdas::{Machine, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(Machine, |wiring| Ok(PlanBackups { store: wiring.store(), clock: wiring.clock() })).await
}
