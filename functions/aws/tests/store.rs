//! The DynamoDB adapter against the store's contract, on a DynamoDB served in process over loopback.

#[cfg(test)]
#[macro_use]
#[path = "../../../tests/conformance/store/suite.rs"]
mod suite;
mod support;

use aws::DynamoStore;
use aws::store::table;
use dynoxide::Database;
use support::{config, local};
use tokio::net::TcpListener;

const TABLE: &str = "bakproof";

/// Runs a case on an empty table of a database of its own.
fn run(case: impl AsyncFnOnce(&DynamoStore)) {
    local().block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port of loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let database = Database::memory().expect("a database in memory");
        let config = config(&format!("http://{address}")).await;
        let served = async {
            create(&config).await;
            case(&DynamoStore::new(&config, TABLE)).await;
        };
        tokio::select! {
            () = served => {}
            () = dynoxide::server::serve_on(listener, database) => unreachable!("the server serves until it is dropped"),
        }
    });
}

async fn create(config: &aws::SdkConfig) {
    let input = table::create_table(TABLE).expect("no part is missing");
    aws_sdk_dynamodb::Client::new(config)
        .create_table()
        .set_table_name(input.table_name)
        .set_attribute_definitions(input.attribute_definitions)
        .set_key_schema(input.key_schema)
        .set_global_secondary_indexes(input.global_secondary_indexes)
        .set_billing_mode(input.billing_mode)
        .send()
        .await
        .expect("the table is created");
}

store_conformance!(run);
