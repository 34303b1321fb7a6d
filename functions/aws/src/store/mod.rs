//! The task store on DynamoDB: one table, one item a record, one sparse index of what is due.
//!
//! Reads of items are strongly consistent; the index is not, and the port says so. One write is a conditional put or delete,
//! several are one transaction: half the price where one will do. Sources: DynamoDB developer guide, "Condition
//! expressions", "Transactions", "Querying tables", read 2026-11.

mod commit;
mod item;
pub mod table;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use ports::Fault;
use ports::store::{CommitFault, Item, Key, Page, Range, ReadDue, ReadItems, Write, WriteItems};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};
use table::{DUE_AT, DUE_INDEX, DUE_SHARD, PARTITION, SORT};

/// IAM actions behind the ports of this adapter; `dynamodb:Query` of [`ReadDue`] is on the index.
pub const ACTIONS: &[Capability] = &[
    Capability { port: "ReadItems", actions: &["dynamodb:GetItem", "dynamodb:Query"] },
    // A transaction needs the actions of its parts and none of its own.
    Capability { port: "WriteItems", actions: &["dynamodb:DeleteItem", "dynamodb:PutItem"] },
    Capability { port: "ReadDue", actions: &["dynamodb:Query"] },
];

/// The task store in one DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
}

impl DynamoStore {
    /// The store in the table of this name.
    pub fn new(config: &SdkConfig, table: impl Into<String>) -> Self {
        let settings = aws_sdk_dynamodb::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()), table: table.into() }
    }
}

impl ReadItems for DynamoStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION, text(&key.partition))
            .key(SORT, text(&key.sort))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault::of(&format!("GetItem {}", item::name(key)), Effect::Read, &error))?;
        answer.item.map(|mut attributes| item::read(|name| attributes.remove(name))).transpose()
    }

    async fn query(&self, range: &Range) -> Result<Page, Fault> {
        // DynamoDB refuses a range whose end lies before its beginning, and a start outside the range: neither is an error
        // of the caller, who pages until nothing is left.
        let after = range.after.as_deref().filter(|after| !after.is_empty() && *after >= range.from.as_str());
        let is_over = range.to.is_empty()
            || range.to < range.from
            || after.is_some_and(|after| after >= range.to.as_str());
        if is_over {
            return Ok(Page { items: Vec::new(), after: None });
        }
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(page_limit(range.limit))
            .expression_attribute_values(":partition", text(&range.partition))
            .expression_attribute_values(":to", text(&range.to));
        // An empty text is no key, so it is no bound of a key either.
        request = if range.from.is_empty() {
            request.key_condition_expression(format!("{PARTITION} = :partition AND {SORT} <= :to"))
        } else {
            request
                .key_condition_expression(format!(
                    "{PARTITION} = :partition AND {SORT} BETWEEN :from AND :to"
                ))
                .expression_attribute_values(":from", text(&range.from))
        };
        if let Some(after) = after {
            request = request
                .exclusive_start_key(PARTITION, text(&range.partition))
                .exclusive_start_key(SORT, text(after));
        }
        let answer = request.send().await.map_err(|error| {
            let what = format!("Query {} from {:?} to {:?}", range.partition, range.from, range.to);
            fault::of(&what, Effect::Read, &error)
        })?;
        page(range, after, answer)
    }
}

impl WriteItems for DynamoStore {
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
        commit::check(writes)?;
        match writes {
            [Write::Put { item, expect }] => commit::put(&self.client, &self.table, item, *expect).await,
            [Write::Delete { key, expect }] => commit::delete(&self.client, &self.table, key, *expect).await,
            _ => commit::transact(&self.client, &self.table, writes).await,
        }
    }
}

impl ReadDue for DynamoStore {
    async fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Result<Vec<Key>, Fault> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut keys = Vec::new();
        let mut from = None;
        while keys.len() < wanted {
            let rest = u32::try_from(wanted - keys.len()).unwrap_or(limit);
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(DUE_INDEX)
                .limit(page_limit(rest))
                .key_condition_expression(format!("{DUE_SHARD} = :shard AND {DUE_AT} <= :until"))
                .expression_attribute_values(":shard", AttributeValue::N(shard.to_string()))
                .expression_attribute_values(":until", AttributeValue::S(item::moment(until)))
                .set_exclusive_start_key(from.clone())
                .send()
                .await
                .map_err(|error| {
                    fault::of(&format!("Query {DUE_INDEX} of shard {shard}"), Effect::Read, &error)
                })?;
            for mut attributes in answer.items.unwrap_or_default() {
                keys.push(item::read_key(|name| attributes.remove(name))?);
            }
            if answer.last_evaluated_key.is_none() {
                break;
            }
            if answer.last_evaluated_key == from {
                let what = "the page ends where the one before ended";
                return Err(refused(
                    "AnswerUnreadable",
                    format!("Query {DUE_INDEX} of shard {shard}: {what}"),
                ));
            }
            from = answer.last_evaluated_key;
        }
        keys.truncate(wanted);
        Ok(keys)
    }
}

/// Reads the answer to a query. Whoever pages trusts that pages end: one that is larger than asked for, or leads back to where
/// it came from, is refused.
fn page(range: &Range, before: Option<&str>, answer: QueryOutput) -> Result<Page, Fault> {
    let malformed = |what: &str| {
        refused("AnswerUnreadable", format!("Query {} from {:?}: {what}", range.partition, range.from))
    };
    let found = answer.items.unwrap_or_default();
    if i32::try_from(found.len()).unwrap_or(i32::MAX) > page_limit(range.limit) {
        return Err(malformed("the page holds more items than were asked for"));
    }
    let mut items = Vec::with_capacity(found.len());
    for mut attributes in found {
        items.push(item::read(|name| attributes.remove(name))?);
    }
    let after = match answer.last_evaluated_key {
        None => None,
        Some(mut key) => Some(item::read_key(|name| key.remove(name))?.sort),
    };
    if after.as_deref().zip(before).is_some_and(|(after, before)| after <= before) {
        return Err(malformed("the page ends where the one before ended"));
    }
    Ok(Page { items, after })
}

/// Items of one page, as the SDK wants the number.
fn page_limit(limit: u32) -> i32 {
    i32::try_from(limit.clamp(1, 1_000)).unwrap_or(1_000)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
