//! The table as data: names of attributes and of the index, and the request that creates it.
//!
//! `infra/template.yaml` deploys the same table; a test beside the conformance suite compares the two.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableInput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};

/// Partition key of the table.
pub const PARTITION: &str = "pk";
/// Sort key of the table.
pub const SORT: &str = "sk";
/// The record as JSON text.
pub const BODY: &str = "body";
/// Version of the item, a number.
pub const VERSION: &str = "version";
/// Name of the sparse index: an item without its two keys is not in it.
pub const DUE_INDEX: &str = "due";
/// Partition key of the index, a number.
pub const DUE_SHARD: &str = "due_shard";
/// Sort key of the index, RFC 3339 in UTC with nine digits.
pub const DUE_AT: &str = "due_at";

/// Attributes that are keys, with their types, in order of the alphabet.
pub const KEYS: [(&str, ScalarAttributeType); 4] = [
    (DUE_AT, ScalarAttributeType::S),
    (DUE_SHARD, ScalarAttributeType::N),
    (PARTITION, ScalarAttributeType::S),
    (SORT, ScalarAttributeType::S),
];

/// The request that creates the table: paid by request, the index with keys only, because whoever acts on an entry reads the
/// item.
///
/// # Errors
/// `BuildError` when the SDK finds a part missing; the names above leave none out.
pub fn create_table(table: &str) -> Result<CreateTableInput, BuildError> {
    let mut request = CreateTableInput::builder().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for (name, of_type) in KEYS {
        let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(of_type);
        request = request.attribute_definitions(definition.build()?);
    }
    let [hash, range] = key_schema(PARTITION, SORT)?;
    let [due_hash, due_range] = key_schema(DUE_SHARD, DUE_AT)?;
    let index = GlobalSecondaryIndex::builder()
        .index_name(DUE_INDEX)
        .key_schema(due_hash)
        .key_schema(due_range)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    request.key_schema(hash).key_schema(range).global_secondary_indexes(index.build()?).build()
}

fn key_schema(hash: &str, range: &str) -> Result<[KeySchemaElement; 2], BuildError> {
    let element =
        |name: &str, of_type| KeySchemaElement::builder().attribute_name(name).key_type(of_type).build();
    Ok([element(hash, KeyType::Hash)?, element(range, KeyType::Range)?])
}
