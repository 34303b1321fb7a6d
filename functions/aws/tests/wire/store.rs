//! The task store: what it asks DynamoDB for, and what comes of every way in which an answer can go wrong.

use std::time::Duration;

use aws::connection::{CONNECT_TIMEOUT, OPERATION_TIMEOUT};
use aws::{Again, DynamoStore, SdkConfig};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use ports::Fault;
use ports::store::{
    CommitFault, Expect, ITEM_BYTES_MAX, Item, Key, Page, Range, ReadDue, ReadItems, Write, WriteItems,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::playback::{Answer, Call, play};
use crate::support::{config, local};
use crate::{assert_actions, says};

fn key() -> Key {
    Key { partition: "p".to_owned(), sort: "s".to_owned() }
}

fn delete(sort: &str) -> Write {
    Write::Delete { key: Key { sort: sort.to_owned(), ..key() }, expect: Expect::Absent }
}

fn put() -> Write {
    let item = Item { key: key(), body: "{}".to_owned(), due: None, version: 0 };
    Write::Put { item, expect: Expect::Absent }
}

#[test]
fn the_store_needs_the_actions_it_names() {
    let range =
        Range { partition: "p".to_owned(), from: "a".to_owned(), to: "z".to_owned(), after: None, limit: 10 };
    let empty = |count| vec![Answer::new(200, "{}"); count];
    let ((), calls) = play(empty(2), async |config| {
        let store = DynamoStore::new(&config, "bakproof");
        assert_eq!(store.get(&key()).await, Ok(None));
        assert_eq!(store.query(&range).await.map(|page| page.items), Ok(vec![]));
    });
    assert_actions("ReadItems", &calls);
    assert!(calls.iter().all(|call| call.body.contains(r#""ConsistentRead":true"#)), "{calls:?}");
    let ((), calls) = play(empty(1), async |config| {
        let due = DynamoStore::new(&config, "bakproof").due(0, jiff::Timestamp::UNIX_EPOCH, 10).await;
        assert_eq!(due, Ok(vec![]));
    });
    assert_actions("ReadDue", &calls);
    let ((), calls) = play(empty(3), async |config| {
        let store = DynamoStore::new(&config, "bakproof");
        for writes in commits() {
            assert_eq!(store.commit(&writes).await, Ok(()));
        }
    });
    let operations: Vec<_> = calls.iter().map(Call::operation).collect();
    assert_eq!(operations, ["PutItem", "DeleteItem", "TransactWriteItems"]);
    assert_actions("WriteItems", &calls[..2]);
}

/// One write of each kind, and a transaction.
fn commits() -> [Vec<Write>; 3] {
    [vec![put()], vec![delete("a")], vec![put(), delete("a")]]
}

/// What a read and each kind of commit make of an answer, asked once each.
fn assert_read_and_written(answer: &Answer, read: &str, written: &str) {
    let get = async |config| DynamoStore::new(&hasty(config), "bakproof").get(&key()).await;
    let (found, calls) = play(vec![answer.clone()], get);
    assert_eq!((says(found).as_str(), calls.len()), (read, 1), "{:.300}", format!("{answer:?}"));
    for writes in commits() {
        let commit = async |config| DynamoStore::new(&hasty(config), "bakproof").commit(&writes).await;
        let (done, calls) = play(vec![answer.clone()], commit);
        let said = match done {
            Ok(()) => "done".to_owned(),
            Err(CommitFault::Conflict { key }) => format!("conflict {}", key.sort),
            Err(CommitFault::Fault(fault)) => says::<()>(Err(fault)),
        };
        assert_eq!((said.as_str(), calls.len()), (written, 1), "{:.300} {writes:?}", format!("{answer:?}"));
    }
}

/// The settings with a tenth of a second for an operation: whoever waits for a hanging service need not wait for long.
fn hasty(config: SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(100)).build();
    config.into_builder().timeout_config(timeouts).build()
}

#[test]
fn a_lost_answer_leaves_a_write_open_and_a_read_to_be_repeated() {
    for (answer, read, written) in [
        (Answer::silence(), "transient", "unknown"),
        (Answer::silence().stalled(), "transient", "unknown"),
        (Answer::new(200, "{}").cut(), "transient", "unknown"),
        (Answer::new(200, "{}").stalled(), "transient", "unknown"),
        (Answer::new(200, "not json"), "transient", "unknown"),
        (Answer::new(200, r#"{"Item":{"pk":{"S":"#), "transient", "unknown"),
        (Answer::new(502, "<html>Bad Gateway</html>"), "transient", "unknown"),
        (Answer::error(500, "InternalServerError"), "transient", "unknown"),
        (Answer::error(500, "InternalServerError").cut(), "transient", "unknown"),
        (Answer::error(400, "ConditionalCheckFailedException").cut(), "transient", "unknown"),
        (Answer::error(503, "ServiceUnavailable"), "transient", "unknown"),
    ] {
        assert_read_and_written(&answer, read, written);
    }
}

/// A store for functions without a machine: what came to nothing is asked once more, and what may have come about is not.
#[test]
fn what_came_to_nothing_is_asked_again_once() {
    let (dead, whole) = (Answer::silence(), Answer::new(200, "{}"));
    let throttled = Answer::error(400, "ThrottlingException");
    let get = async |config| Again(DynamoStore::new(&hasty(config), "bakproof")).get(&key()).await;
    for (answers, expected) in [
        (vec![dead.clone(), whole.clone()], "None"),
        (vec![throttled.clone(), whole.clone()], "None"),
        (vec![dead.clone(), dead.clone()], "transient"),
        (vec![whole.clone()], "None"),
        (vec![Answer::error(400, "ValidationException")], "Human ServiceRefused"),
    ] {
        let asked = answers.len();
        let (found, calls) = play(answers, get);
        assert_eq!((says(found).as_str(), calls.len()), (expected, asked));
    }
    for writes in commits() {
        let commit = async |config| Again(DynamoStore::new(&hasty(config), "bakproof")).commit(&writes).await;
        for (answers, expected) in [
            (vec![dead.clone()], Err("unknown")),
            (vec![Answer::new(503, "")], Err("unknown")),
            (vec![throttled.clone(), whole.clone()], Ok(())),
            (vec![whole.clone()], Ok(())),
        ] {
            let asked = answers.len();
            let (done, calls) = play(answers, commit);
            let said = done.map_err(|fault| match fault {
                CommitFault::Fault(Fault::UnknownOutcome(_)) => "unknown",
                _ => "another",
            });
            assert_eq!((said, calls.len()), (expected, asked), "{writes:?}");
        }
    }
}

#[test]
fn an_answer_that_says_no_leaves_nothing_open() {
    for (answer, said) in [
        (Answer::error(400, "ProvisionedThroughputExceededException"), "transient"),
        (Answer::error(400, "RequestLimitExceeded"), "transient"),
        (Answer::error(400, "ThrottlingException"), "transient"),
        (Answer::error(400, "TransactionConflictException"), "transient"),
        (Answer::error(400, "ResourceNotFoundException"), "Human ServiceRefused"),
        (Answer::error(400, "ValidationException"), "Human ServiceRefused"),
        (Answer::error(400, "AccessDeniedException"), "Human AccessDenied"),
        (Answer::new(400, "<html>Bad Request</html>"), "Human ServiceRefused"),
    ] {
        assert_read_and_written(&answer, said, said);
    }
}

#[test]
fn a_failed_expectation_is_the_ports_own_answer() {
    let conflict = Answer::error(400, "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException");
    for (writes, sort) in [(vec![put()], "s"), (vec![delete("a")], "a")] {
        let commit = async |config| DynamoStore::new(&config, "bakproof").commit(&writes).await;
        let first = Key { sort: sort.to_owned(), ..key() };
        assert_eq!(play(vec![conflict.clone()], commit).0, Err(CommitFault::Conflict { key: first }));
    }
    for (reasons, expected) in [
        (json!([{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "m"}]), "Conflict"),
        (json!([{"Code": "TransactionConflict"}, {"Code": "None"}]), "Transient"),
        (json!([{}, {"Code": "ThrottlingError"}]), "Transient"),
        (json!([{"Code": "ValidationError"}, {"Code": "None"}]), "Refused"),
        (json!(null), "Transient"),
        (json!("nonsense"), "Refused"),
    ] {
        let body = json!({"__type": "TransactionCanceledException", "CancellationReasons": reasons});
        let commit = async |config| DynamoStore::new(&config, "bakproof").commit(&[put(), delete("a")]).await;
        let said = format!("{:?}", play(vec![Answer::new(400, &body.to_string())], commit).0);
        assert!(said.contains(expected), "{reasons}: {said}");
    }
}

#[test]
fn no_request_is_repeated_and_none_waits_for_ever() {
    let config = local().block_on(config("http://127.0.0.1:1"));
    assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(1));
    let timeouts = config.timeout_config().expect("timeouts are set");
    assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
    assert_eq!(timeouts.operation_timeout(), Some(OPERATION_TIMEOUT));
}

#[test]
fn an_answer_without_an_end_is_not_read_to_its_end() {
    let endless = Answer::new(200, &format!("{{\"Item\":{}", " ".repeat(9_000_000)));
    let get = async |config| DynamoStore::new(&config, "bakproof").get(&key()).await;
    let commit = async |config| DynamoStore::new(&config, "bakproof").commit(&[put()]).await;
    for answer in [endless.clone(), endless.unannounced()] {
        match play(vec![answer.clone()], get).0 {
            Err(Fault::Transient(said)) => assert!(said.contains("length limit exceeded"), "{said}"),
            other => panic!("{:.300}", format!("{other:?}")),
        }
        let done = play(vec![answer], commit).0;
        assert!(matches!(done, Err(CommitFault::Fault(Fault::UnknownOutcome(_)))), "{done:?}");
    }
    // The largest item, each byte of it spelled in six, is read.
    let body = "\u{1}".repeat(ITEM_BYTES_MAX);
    let stored =
        json!({"Item": {"pk": {"S": "p"}, "sk": {"S": "s"}, "version": {"N": "7"}, "body": {"S": body}}});
    let found = play(vec![Answer::new(200, &stored.to_string())], get).0;
    assert_eq!(found, Ok(Some(Item { key: key(), body, due: None, version: 7 })));
}

fn page(items: usize, last: &Value) -> Answer {
    let item = json!({"pk": {"S": "p"}, "sk": {"S": "n"}, "version": {"N": "1"}, "body": {"S": "{}"}});
    let mut page = json!({"Items": vec![item; items]});
    if !last.is_null() {
        page["LastEvaluatedKey"] = last.clone();
    }
    Answer::new(200, &page.to_string())
}

#[test]
fn pages_that_lead_nowhere_are_refused() {
    let range = Range {
        partition: "p".to_owned(),
        from: "a".to_owned(),
        to: "z".to_owned(),
        after: Some("m".to_owned()),
        limit: 3,
    };
    let last = |sort: &str| json!({"pk": {"S": "p"}, "sk": {"S": sort}});
    for (answer, expected) in [
        (page(3, &last("n")), ""),
        (page(0, &last("n")), ""),
        (page(3, &last("m")), "Human AnswerUnreadable"),
        (page(3, &last("a")), "Human AnswerUnreadable"),
        (page(4, &last("n")), "Human AnswerUnreadable"),
        (page(3, &json!({"pk": {"S": "p"}})), "Human ItemUnreadable"),
        (page(3, &json!({"sk": {"N": "1"}})), "Human ItemUnreadable"),
    ] {
        let query = async |config| DynamoStore::new(&config, "bakproof").query(&range).await;
        match play(vec![answer], query).0 {
            Ok(Page { after, .. }) => assert_eq!(("", after.as_deref()), (expected, Some("n"))),
            fault => assert_eq!(says(fault), expected),
        }
    }
}

#[test]
fn an_index_that_leads_nowhere_is_refused_and_gives_no_more_than_was_asked_for() {
    let due =
        async |config| DynamoStore::new(&config, "bakproof").due(0, jiff::Timestamp::UNIX_EPOCH, 5).await;
    let last = json!({"pk": {"S": "p"}, "sk": {"S": "n"}, "due_shard": {"N": "0"}, "due_at": {"S": "1970"}});
    let count = |answers| play(answers, due).0.map(|keys| keys.len());
    assert_eq!(count(vec![page(2, &last), page(2, &Value::Null)]), Ok(4));
    assert_eq!(count(vec![page(2, &last), page(9, &Value::Null)]), Ok(5));
    assert_eq!(says(count(vec![page(2, &last), page(2, &last)])), "Human AnswerUnreadable");
    assert_eq!(says(count(vec![page(0, &last), page(0, &last)])), "Human AnswerUnreadable");
}

#[test]
fn where_nobody_listens_nothing_was_written() {
    let done = local().block_on(async {
        let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        DynamoStore::new(&config(&format!("http://{free}")).await, "bakproof").commit(&[put()]).await
    });
    assert!(matches!(done, Err(CommitFault::Fault(Fault::Transient(_)))), "{done:?}");
}

/// JSON of any shape, often with the names that DynamoDB answers with.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "Item",
        "Items",
        "LastEvaluatedKey",
        "__type",
        "message",
        "CancellationReasons",
        "Code",
        "pk",
        "sk",
        "body",
        "version",
        "due_shard",
        "due_at",
        "S",
        "N",
        "BOOL",
        "L",
        "M",
        "NULL",
        "B",
    ]);
    let text = prop::sample::select(vec![
        "",
        "1",
        "-1",
        "1e99",
        "p",
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "\u{0}",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_answer_is_a_panic(
        status in prop::sample::select(vec![200_u16, 400, 500]),
        item in any_json(),
        (kind, last) in (any_json(), any_json()),
    ) {
        let body = json!({
            "Item": item, "Items": [item], "LastEvaluatedKey": last, "__type": kind, "CancellationReasons": [item, last],
        });
        let answer = Answer::new(status, &body.to_string());
        let range = Range { partition: "p".to_owned(), from: "a".to_owned(), to: "z".to_owned(), after: None, limit: 1 };
        let asked = play(vec![answer.clone(); 2], async |config| {
            let store = DynamoStore::new(&config, "bakproof");
            (store.get(&key()).await.is_ok(), store.query(&range).await.is_ok())
        });
        if status != 200 {
            prop_assert_eq!(asked.0, (false, false));
        }
        for writes in commits() {
            let commit = async |config| DynamoStore::new(&config, "bakproof").commit(&writes).await;
            let (done, _) = play(vec![answer.clone()], commit);
            prop_assert!(status == 200 || done.is_err(), "{done:?}");
        }
    }
}
