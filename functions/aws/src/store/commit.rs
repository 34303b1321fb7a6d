//! Writes: what is refused before it is sent, and what an answer says about each write.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem};
use ports::Fault;
use ports::store::{COMMIT_WRITES_MAX, CommitFault, Expect, ITEM_BYTES_MAX, Item, Key, Write};

use super::item;
use super::table::{PARTITION, SORT, VERSION};
use crate::fault::{self, Effect, refused};

/// Bytes of all bodies in one commit. DynamoDB: 4 MB a transaction (developer guide, "Transactions", read 2026-11); the rest is
/// head-room for keys and index attributes of 100 items.
const COMMIT_BYTES_MAX: usize = 3_600_000;

/// Bytes of a partition key and of a sort key. Developer guide, "Constraints", read 2026-11.
const PARTITION_BYTES_MAX: usize = 2_048;
const SORT_BYTES_MAX: usize = 1_024;

const _: () =
    assert!(COMMIT_BYTES_MAX + COMMIT_WRITES_MAX * (PARTITION_BYTES_MAX + SORT_BYTES_MAX + 512) < 4_000_000);

pub(super) fn key(write: &Write) -> &Key {
    match write {
        Write::Put { item, .. } => &item.key,
        Write::Delete { key, .. } => key,
    }
}

/// Refuses what DynamoDB would refuse with less to say, before anything is sent.
pub(super) fn check(writes: &[Write]) -> Result<(), Fault> {
    if writes.is_empty() || writes.len() > COMMIT_WRITES_MAX {
        let count = writes.len();
        return Err(refused(
            "CommitMalformed",
            format!("{count} writes in one commit, 1 to {COMMIT_WRITES_MAX} fit"),
        ));
    }
    let mut keys: Vec<&Key> = writes.iter().map(key).collect();
    keys.sort_unstable();
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(refused("CommitMalformed", format!("{} twice in one commit", item::name(pair[0]))));
    }
    for key in keys {
        check_key(key)?;
    }
    let mut total_bytes = 0;
    for write in writes {
        if let Write::Put { item, .. } = write {
            if item.body.len() > ITEM_BYTES_MAX {
                let (name, bytes) = (item::name(&item.key), item.body.len());
                return Err(refused(
                    "ItemTooLarge",
                    format!("{name} has {bytes} bytes, {ITEM_BYTES_MAX} at most"),
                ));
            }
            total_bytes += item.body.len();
        }
    }
    if total_bytes > COMMIT_BYTES_MAX {
        return Err(refused(
            "CommitTooLarge",
            format!("{total_bytes} bytes in one commit, {COMMIT_BYTES_MAX} at most"),
        ));
    }
    Ok(())
}

fn check_key(key: &Key) -> Result<(), Fault> {
    for (what, text, max) in
        [("partition", &key.partition, PARTITION_BYTES_MAX), ("sort", &key.sort, SORT_BYTES_MAX)]
    {
        if text.is_empty() || text.len() > max {
            let (name, bytes) = (item::name(key), text.len());
            return Err(refused(
                "KeyMalformed",
                format!("{what} key of {name:?} has {bytes} bytes, 1 to {max} fit"),
            ));
        }
    }
    Ok(())
}

/// The condition of a write, with the value it compares to.
fn condition(expect: Expect) -> (String, Option<AttributeValue>) {
    match expect {
        Expect::Absent => (format!("attribute_not_exists({PARTITION})"), None),
        Expect::Version(version) => {
            (format!("{VERSION} = :expected"), Some(AttributeValue::N(version.to_string())))
        }
    }
}

/// The version that a write of an item with this expectation stores.
fn next_version(expect: Expect) -> u64 {
    match expect {
        Expect::Absent => 1,
        Expect::Version(version) => version.saturating_add(1),
    }
}

pub(super) async fn put(
    client: &Client,
    table: &str,
    item: &Item,
    expect: Expect,
) -> Result<(), CommitFault> {
    let (condition, expected) = condition(expect);
    let mut request = client.put_item().table_name(table).condition_expression(condition);
    if let Some(expected) = expected {
        request = request.expression_attribute_values(":expected", expected);
    }
    for (name, value) in item::attributes(item, next_version(expect)) {
        request = request.item(name, value);
    }
    request.send().await.map(drop).map_err(|error| {
        let lost = matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_)));
        single(lost, "PutItem", &item.key, &error)
    })
}

pub(super) async fn delete(
    client: &Client,
    table: &str,
    key: &Key,
    expect: Expect,
) -> Result<(), CommitFault> {
    let (condition, expected) = condition(expect);
    let mut request = client
        .delete_item()
        .table_name(table)
        .key(PARTITION, AttributeValue::S(key.partition.clone()))
        .key(SORT, AttributeValue::S(key.sort.clone()))
        .condition_expression(condition);
    if let Some(expected) = expected {
        request = request.expression_attribute_values(":expected", expected);
    }
    request.send().await.map(drop).map_err(|error| {
        let lost =
            matches!(error.as_service_error(), Some(DeleteItemError::ConditionalCheckFailedException(_)));
        single(lost, "DeleteItem", key, &error)
    })
}

fn single<E>(
    lost_the_race: bool,
    operation: &str,
    key: &Key,
    error: &SdkError<E, HttpResponse>,
) -> CommitFault
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if lost_the_race {
        return CommitFault::Conflict { key: key.clone() };
    }
    CommitFault::Fault(fault::of(&format!("{operation} {}", item::name(key)), Effect::Write, error))
}

pub(super) async fn transact(client: &Client, table: &str, writes: &[Write]) -> Result<(), CommitFault> {
    let mut request = client.transact_write_items();
    for write in writes {
        request = request.transact_items(action(table, write)?);
    }
    request.send().await.map(drop).map_err(|error| {
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            return cancellation(writes, cancelled.cancellation_reasons());
        }
        let first = writes.first().map(key).map(item::name).unwrap_or_default();
        let what = format!("TransactWriteItems of {} from {first}", writes.len());
        CommitFault::Fault(fault::of(&what, Effect::Write, &error))
    })
}

/// One write as a part of a transaction.
fn action(table: &str, write: &Write) -> Result<TransactWriteItem, Fault> {
    let malformed =
        |error: aws_sdk_dynamodb::error::BuildError| refused("CommitMalformed", error.to_string());
    match write {
        Write::Put { item, expect } => {
            let (condition, expected) = condition(*expect);
            let mut put = Put::builder().table_name(table).condition_expression(condition);
            if let Some(expected) = expected {
                put = put.expression_attribute_values(":expected", expected);
            }
            for (name, value) in item::attributes(item, next_version(*expect)) {
                put = put.item(name, value);
            }
            Ok(TransactWriteItem::builder().put(put.build().map_err(malformed)?).build())
        }
        Write::Delete { key, expect } => {
            let (condition, expected) = condition(*expect);
            let mut delete = Delete::builder()
                .table_name(table)
                .key(PARTITION, AttributeValue::S(key.partition.clone()))
                .key(SORT, AttributeValue::S(key.sort.clone()))
                .condition_expression(condition);
            if let Some(expected) = expected {
                delete = delete.expression_attribute_values(":expected", expected);
            }
            Ok(TransactWriteItem::builder().delete(delete.build().map_err(malformed)?).build())
        }
    }
}

/// What a cancelled transaction says: reasons come in the order of the writes, `None` for those that were not at fault.
/// Developer guide, "Transactions", "Transaction conflict handling", read 2026-11. A failed expectation outweighs the
/// rest: asking again cannot mend it.
fn cancellation(writes: &[Write], reasons: &[CancellationReason]) -> CommitFault {
    let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
    let failed = reasons.iter().position(|reason| code(reason) == "ConditionalCheckFailed");
    if let Some(write) = failed.and_then(|at| writes.get(at)) {
        return CommitFault::Conflict { key: key(write).clone() };
    }
    let blamed: Vec<(String, String)> = reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| code(reason) != "None")
        .map(|(at, reason)| {
            let subject = writes.get(at).map(key).map(item::name).unwrap_or_default();
            (code(reason), format!("{subject}: {} {}", code(reason), reason.message().unwrap_or_default()))
        })
        .collect();
    let said = blamed.iter().map(|(_, said)| said.trim_end()).collect::<Vec<_>>().join("; ");
    let said = format!("the transaction was cancelled: {said}");
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    if !blamed.is_empty() && blamed.iter().any(|(code, _)| !passing.contains(&code.as_str())) {
        CommitFault::Fault(refused("ServiceRefused", said))
    } else {
        CommitFault::Fault(Fault::Transient(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(sort: &str) -> Key {
        Key { partition: "p".to_owned(), sort: sort.to_owned() }
    }

    fn delete_of(sort: &str) -> Write {
        Write::Delete { key: key_of(sort), expect: Expect::Absent }
    }

    fn put_of(sort: &str, bytes: usize) -> Write {
        let item = Item { key: key_of(sort), body: "x".repeat(bytes), due: None, version: 0 };
        Write::Put { item, expect: Expect::Version(1) }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_sent() {
        let many = |count: usize, bytes: usize| -> Vec<Write> {
            (0..count).map(|n| put_of(&format!("{n}"), bytes)).collect()
        };
        for (writes, expected) in [
            (vec![], "CommitMalformed"),
            (many(101, 1), "CommitMalformed"),
            (many(100, 1), ""),
            (vec![delete_of("a"), put_of("b", 1), put_of("a", 1)], "CommitMalformed"),
            (vec![put_of("a", ITEM_BYTES_MAX)], ""),
            (vec![put_of("a", ITEM_BYTES_MAX + 1)], "ItemTooLarge"),
            (many(9, ITEM_BYTES_MAX), ""),
            (many(10, ITEM_BYTES_MAX), "CommitTooLarge"),
            (vec![delete_of("")], "KeyMalformed"),
            (vec![delete_of(&"s".repeat(1_024))], ""),
            (vec![delete_of(&"s".repeat(1_025))], "KeyMalformed"),
        ] {
            let said = match check(&writes) {
                Ok(()) => String::new(),
                Err(Fault::Refused(reason)) => reason.name.into_owned(),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(said, expected, "{} writes", writes.len());
        }
    }

    #[test]
    fn a_cancelled_transaction_blames_the_first_failed_expectation() {
        let writes = [delete_of("a"), delete_of("b"), delete_of("c")];
        for (codes, expected) in [
            (&["None", "ConditionalCheckFailed", "ConditionalCheckFailed"][..], "conflict b"),
            (&["TransactionConflict", "None", "ConditionalCheckFailed"], "conflict c"),
            (&["TransactionConflict", "None", "None"], "transient"),
            (&["None", "ThrottlingError", "ProvisionedThroughputExceeded"], "transient"),
            (&["None", "ValidationError", "ThrottlingError"], "refused"),
            (&["None", "ItemCollectionSizeLimitExceeded", "None"], "refused"),
            (&["None", "None", "None", "ConditionalCheckFailed"], "refused"),
            (&[], "transient"),
        ] {
            let reasons: Vec<_> =
                codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect();
            let said = match cancellation(&writes, &reasons) {
                CommitFault::Conflict { key } => format!("conflict {}", key.sort),
                CommitFault::Fault(Fault::Transient(_)) => "transient".to_owned(),
                CommitFault::Fault(Fault::Refused(_)) => "refused".to_owned(),
                CommitFault::Fault(Fault::UnknownOutcome(_)) => "unknown".to_owned(),
            };
            assert_eq!(said, expected, "{codes:?}");
        }
    }
}
