//! The function validate-region, wired to AWS.

use handlers::validate_region::ValidateRegion;
use lambdas::{Wiring, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let wiring = Wiring::from_env().await;
    serve(wiring.map(|wiring| ValidateRegion {
        store: wiring.store(),
        cloud: wiring.cloud(),
        clock: wiring.clock(),
    }))
    .await
}
