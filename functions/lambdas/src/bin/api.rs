//! The function api, wired to AWS.

use api::{Anonymous, Api};
use lambdas::{HttpApi, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(HttpApi, |wiring| {
        let (store, executions) = (wiring.store_again(), wiring.executions());
        Ok(Api::new(store, executions, wiring.listing(), wiring.clock(), Anonymous::Refused))
    })
    .await
}
