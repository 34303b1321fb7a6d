//! Items that nobody of us wrote: whatever stands in the table, a read ends in an item or in a reason that names it, and a
//! write that expects another version changes nothing.

mod served;
mod support;

use std::collections::BTreeMap;

use aws::store::table::{BODY, DUE_AT, DUE_SHARD, PARTITION, SORT, VERSION};
use aws::{DynamoStore, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::reason::Class;
use domain::record::Record;
use ports::Fault;
use ports::store::{
    CommitFault, Expect, Item, Key, Range, ReadDue, ReadItems, Versioned, Write, WriteItems, load, load_range,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde::{Deserialize, Serialize};
use served::{TABLE, run_with};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const SCHEMA: u32 = 3;
    fn key(&self) -> (String, String) {
        ("p".to_owned(), self.text.clone())
    }
}

fn key() -> Key {
    Key { partition: "p".to_owned(), sort: "m".to_owned() }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &str) -> AttributeValue {
    AttributeValue::N(value.to_owned())
}

/// Stores attributes as they are, beside the adapter; whether the service took them: it knows the types of index keys.
async fn plant(config: &SdkConfig, attributes: &BTreeMap<&'static str, AttributeValue>) -> bool {
    let mut request =
        Client::new(config).put_item().table_name(TABLE).item(PARTITION, text("p")).item(SORT, text("m"));
    for (name, value) in attributes {
        request = request.item(*name, value.clone());
    }
    request.send().await.is_ok()
}

/// The reason a read was refused with.
fn refusal<T: std::fmt::Debug>(result: Result<T, Fault>) -> (String, String) {
    let said = format!("{result:?}");
    let Err(Fault::Refused(reason)) = result else { unreachable!("this is a refusal: {said}") };
    assert_eq!(reason.class, Class::Human, "{reason}");
    assert!(reason.message.len() < 600, "{} bytes of message", reason.message.len());
    (reason.name.into_owned(), reason.message)
}

fn range() -> Range {
    Range { partition: "p".to_owned(), from: "a".to_owned(), to: "z".to_owned(), after: None, limit: 10 }
}

fn good() -> BTreeMap<&'static str, AttributeValue> {
    BTreeMap::from([(BODY, text(r#"{"schema":3,"text":"m"}"#)), (VERSION, number("1"))])
}

#[test]
fn a_spoilt_item_is_named_and_its_neighbours_are_not() {
    run_with(async |config, store| {
        for (name, value) in [
            (BODY, None),
            (BODY, Some(AttributeValue::Bool(true))),
            (BODY, Some(AttributeValue::M([(BODY.to_owned(), text("{}"))].into()))),
            (VERSION, None),
            (VERSION, Some(text("1"))),
            (VERSION, Some(number("-1"))),
            (VERSION, Some(number("0"))),
            (VERSION, Some(number("1.5"))),
            (VERSION, Some(number("1e37"))),
            (VERSION, Some(number("18446744073709551615"))),
            (DUE_SHARD, Some(number("256"))),
            (DUE_AT, Some(text("soon"))),
        ] {
            let mut attributes = good();
            attributes.remove(name);
            attributes.extend(value.clone().map(|value| (name, value)));
            assert!(plant(config, &attributes).await, "{name} {value:?}");
            for said in [refusal(store.get(&key()).await), refusal(store.query(&range()).await)] {
                assert_eq!(said.0, "ItemUnreadable");
                assert!(said.1.starts_with("p/m in the task store: attribute "), "{}", said.1);
            }
            assert_eq!(store.get(&Key { sort: "n".to_owned(), ..key() }).await, Ok(None));
        }
    });
}

#[test]
fn a_body_that_is_no_record_of_this_version_is_a_reason() {
    run_with(async |config, store| {
        let long = format!(r#"{{"schema":"{}"}}"#, "x".repeat(100_000));
        let deep = format!(r#"{{"schema":3,"text":{}"#, "[".repeat(100_000));
        for body in [
            "",
            "null",
            "[]",
            "{",
            r#"{"schema":4,"text":"m"}"#,
            r#"{"schema":1,"text":"m"}"#,
            r#"{"schema":4294967296,"text":"m"}"#,
            r#"{"schema":"3","text":"m"}"#,
            r#"{"text":"m"}"#,
            r#"{"schema":3,"text":7}"#,
            long.as_str(),
            deep.as_str(),
        ] {
            let attributes = BTreeMap::from([(BODY, text(body)), (VERSION, number("1"))]);
            assert!(plant(config, &attributes).await);
            let key = ("p".to_owned(), "m".to_owned());
            for said in [
                refusal(load::<Note>(store, key.clone()).await),
                refusal(load_range::<Note>(store, "p", ("a", "z")).await),
            ] {
                assert_eq!(said.0, "RecordUnreadable", "{body:.100}");
                assert!(said.1.starts_with("p/m: "), "{}", said.1);
            }
        }
        let attributes = BTreeMap::from([(BODY, text(r#"{"schema":2,"text":"m"}"#)), (VERSION, number("7"))]);
        assert!(plant(config, &attributes).await);
        let found = load::<Note>(store, ("p".to_owned(), "m".to_owned())).await;
        let expected = Versioned { record: Note { text: "m".to_owned() }, expect: Expect::Version(7) };
        assert_eq!(found, Ok(Some(expected)), "the version before is read");
    });
}

fn attribute() -> impl Strategy<Value = AttributeValue> {
    let texts = vec![
        "",
        "m",
        "{}",
        "{\"schema\":3,\"text\":\"m\"}",
        "2026-11-22T01:02:03.000000004Z",
        "9999",
        "\u{0}",
    ];
    let numbers = vec!["0", "1", "2", "-1", "0.5", "255", "256", "1e30", "18446744073709551614"];
    let leaf = prop_oneof![
        prop::sample::select(texts).prop_map(text),
        ".{0,20}".prop_map(AttributeValue::S),
        prop::sample::select(numbers).prop_map(number),
        any::<i64>().prop_map(|value| AttributeValue::N(value.to_string())),
        any::<bool>().prop_map(AttributeValue::Bool),
        Just(AttributeValue::Null(true)),
        prop::collection::vec(any::<u8>(), 1..9).prop_map(|bytes| AttributeValue::B(bytes.into())),
        Just(AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()])),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(AttributeValue::L),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..3)
                .prop_map(|entries| AttributeValue::M(entries.into_iter().collect())),
        ]
    })
}

/// Attributes under our names, some of them missing.
fn attributes() -> impl Strategy<Value = BTreeMap<&'static str, AttributeValue>> {
    let names = vec![BODY, VERSION, DUE_SHARD, DUE_AT, "another"];
    let good = prop_oneof![Just(BTreeMap::new()), Just(good())];
    let shard = prop::option::of(prop::sample::select(vec!["0", "1", "300"]).prop_map(number));
    (good, shard, prop::collection::btree_map(prop::sample::select(names), attribute(), 0..4)).prop_map(
        |(mut all, shard, spoilt)| {
            all.extend(shard.map(|shard| (DUE_SHARD, shard)));
            all.extend(spoilt);
            all
        },
    )
}

/// What every read and every write makes of the planted item; an error is what should not have been.
async fn touch(config: &SdkConfig, store: &DynamoStore) -> Result<(), String> {
    let bystander =
        Item { key: Key { sort: "n".to_owned(), ..key() }, body: "{}".to_owned(), due: None, version: 0 };
    let put = |item: Item, expect| Write::Put { item, expect };
    let found = store.get(&key()).await;
    let page = store.query(&range()).await;
    let version = match (&found, &page) {
        (Ok(Some(item)), Ok(page)) if page.items == [item.clone()] => Some(item.version),
        (Err(Fault::Refused(one)), Err(Fault::Refused(other)))
            if one == other && one.name == "ItemUnreadable" =>
        {
            None
        }
        other => return Err(format!("{other:?}")),
    };
    if let Err(Fault::Transient(_) | Fault::UnknownOutcome(_)) =
        load::<Note>(store, ("p".to_owned(), "m".to_owned())).await
    {
        return Err("a record is read or refused".to_owned());
    }
    for shard in [0, 1, 44, 255] {
        let due = store.due(shard, jiff::Timestamp::MAX, 10).await;
        if !matches!(&due, Ok(keys) if keys.iter().all(|found| *found == key())) {
            return Err(format!("{due:?}"));
        }
    }
    let wrong = version.map_or(3, |version| version - 1);
    for expect in [Expect::Absent, Expect::Version(wrong)] {
        let mine = Item { key: key(), body: "mine".to_owned(), due: None, version: 0 };
        for writes in [
            vec![put(mine.clone(), expect)],
            vec![Write::Delete { key: key(), expect }],
            vec![put(bystander.clone(), Expect::Absent), put(mine, expect)],
        ] {
            let done = store.commit(&writes).await;
            if done != Err(CommitFault::Conflict { key: key() }) {
                return Err(format!("{writes:?}: {done:?}"));
            }
        }
    }
    let raw = Client::new(config).get_item().table_name(TABLE).key(PARTITION, text("p")).key(SORT, text("n"));
    let raw = raw.send().await.map_err(|error| format!("{error:?}"))?;
    if raw.item.is_some() || store.get(&key()).await != found {
        return Err("a commit that failed has written".to_owned());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_stands_in_the_table_is_read_or_refused(attributes in attributes()) {
        let touched = run_with(async |config, store| {
            if plant(config, &attributes).await { Some(touch(config, store).await) } else { None }
        });
        prop_assert_eq!(touched.unwrap_or(Ok(())), Ok(()));
    }
}
