//! A DynamoDB in process, served on loopback.

use aws::store::table;
use aws::{DynamoStore, SdkConfig};
use aws_sdk_dynamodb::Client;
use dynoxide::Database;
use tokio::net::TcpListener;

use crate::support::{config, local};

/// Name of the table.
pub(crate) const TABLE: &str = "bakproof";

/// Runs a case on an empty table of a database of its own.
pub(crate) fn run_with<T>(case: impl AsyncFnOnce(&SdkConfig, &DynamoStore) -> T) -> T {
    local().block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port of loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let database = Database::memory().expect("a database in memory");
        let config = config(&format!("http://{address}")).await;
        let served = async {
            create(&config, TABLE).await;
            case(&config, &DynamoStore::new(&config, TABLE)).await
        };
        tokio::select! {
            result = served => result,
            () = dynoxide::server::serve_on(listener, database) => unreachable!("the server serves until it is dropped"),
        }
    })
}

/// Creates the table as it is deployed.
pub(crate) async fn create(config: &SdkConfig, name: &str) {
    let input = table::create_table(name).expect("no part is missing");
    Client::new(config)
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
