//! Creates the task store's table and stores one instance with its policy and vault, through the adapter that the functions
//! use: tests of whole processes begin with records written by the product and not by a second author.
//!
//! `seed TABLE < records.json`, where the JSON is `{"instance": .., "policy": .., "vault": .., "databases": [names]}`, as the records are
//! stored. An existing table is used as it is. Endpoint, Region and credentials come from the SDK's environment.

use std::error::Error;
use std::io::read_to_string;

use aws::DynamoStore;
use aws::store::table::create_table;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use domain::inventory::{Database, Instance, Vault};
use domain::policy::Policy;
use ports::store::{Versioned, WriteItems};
use serde::Deserialize;

#[derive(Deserialize)]
struct Records {
    instance: Instance,
    policy: Policy,
    vault: Vault,
    #[serde(default)]
    databases: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let table = std::env::args().nth(1).ok_or("usage: seed TABLE < records.json")?;
    let records: Records = serde_json::from_str(&read_to_string(std::io::stdin())?)?;
    records.policy.validate()?;
    let config = aws::connect().await;
    create(&Client::new(&config), &table).await?;
    let heads = records.databases.iter().map(|name| Database::new(&records.instance.name, name));
    let mut writes = heads.map(|head| Versioned::new(head).put()).collect::<Result<Vec<_>, _>>()?;
    writes.extend([
        Versioned::new(records.instance).put()?,
        Versioned::new(records.policy).put()?,
        Versioned::new(records.vault).put()?,
    ]);
    Ok(Box::pin(DynamoStore::new(&config, table).commit(&writes)).await?)
}

async fn create(client: &Client, table: &str) -> Result<(), Box<dyn Error>> {
    let input = create_table(table)?;
    let created = client
        .create_table()
        .set_table_name(input.table_name)
        .set_attribute_definitions(input.attribute_definitions)
        .set_key_schema(input.key_schema)
        .set_global_secondary_indexes(input.global_secondary_indexes)
        .set_billing_mode(input.billing_mode)
        .send()
        .await;
    match created {
        Err(error)
            if !error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) =>
        {
            Err(error.into())
        }
        _ => Ok(()),
    }
}
