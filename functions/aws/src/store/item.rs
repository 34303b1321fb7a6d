//! An item as attributes, and back.
//!
//! Attributes of a stored item are somebody else's bytes: a missing one, one of another type or a number that is none is a
//! refusal that names it, never a panic.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use ports::Fault;
use ports::store::{Due, Item, Key};

use super::table::{BODY, DUE_AT, DUE_SHARD, PARTITION, SORT, VERSION};
use crate::fault::refused;

/// A key as messages name it.
pub(super) fn name(key: &Key) -> String {
    format!("{}/{}", key.partition, key.sort)
}

/// A moment as the sort key of the index: RFC 3339 with nine digits, so that the order of texts is the order of times from
/// the year 0 to the year 9999, and people can read it in the console.
pub(super) fn moment(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// The attributes of an item that is to be stored at `version`, keys included.
pub(super) fn attributes(item: &Item, version: u64) -> Vec<(&'static str, AttributeValue)> {
    let mut attributes = vec![
        (PARTITION, AttributeValue::S(item.key.partition.clone())),
        (SORT, AttributeValue::S(item.key.sort.clone())),
        (BODY, AttributeValue::S(item.body.clone())),
        (VERSION, AttributeValue::N(version.to_string())),
    ];
    if let Some(due) = &item.due {
        attributes.push((DUE_SHARD, AttributeValue::N(due.shard.to_string())));
        attributes.push((DUE_AT, AttributeValue::S(moment(due.at))));
    }
    attributes
}

/// Reads an item from its attributes; `take` gives each by name.
pub(super) fn read(mut take: impl FnMut(&str) -> Option<AttributeValue>) -> Result<Item, Fault> {
    let key = read_key(&mut take)?;
    let body = take_text(BODY, take(BODY))?;
    let version = take_number(VERSION, take(VERSION))?;
    let due = match (take(DUE_SHARD), take(DUE_AT)) {
        (None, None) => None,
        (shard, at) => {
            let at = take_text(DUE_AT, at)?;
            let at = at.parse().map_err(|_| unreadable(DUE_AT, &format!("{at:?} is no moment")))?;
            Some(Due { shard: take_number(DUE_SHARD, shard)?, at })
        }
    };
    Ok(Item { key, body, due, version })
}

/// Reads the key of an item from its attributes.
pub(super) fn read_key(mut take: impl FnMut(&str) -> Option<AttributeValue>) -> Result<Key, Fault> {
    Ok(Key { partition: take_text(PARTITION, take(PARTITION))?, sort: take_text(SORT, take(SORT))? })
}

/// Reads a text attribute.
pub(super) fn take_text(name: &str, value: Option<AttributeValue>) -> Result<String, Fault> {
    match value {
        Some(AttributeValue::S(text)) => Ok(text),
        other => Err(unreadable(name, &format!("{} is no text", kind(other.as_ref())))),
    }
}

fn take_number<N: std::str::FromStr>(name: &str, value: Option<AttributeValue>) -> Result<N, Fault> {
    match value {
        Some(AttributeValue::N(number)) => {
            number.parse().map_err(|_| unreadable(name, &format!("{number} is out of range")))
        }
        other => Err(unreadable(name, &format!("{} is no number", kind(other.as_ref())))),
    }
}

fn kind(value: Option<&AttributeValue>) -> &'static str {
    match value {
        None => "nothing",
        Some(AttributeValue::S(_)) => "a text",
        Some(AttributeValue::N(_)) => "a number",
        Some(_) => "an attribute of another type",
    }
}

fn unreadable(name: &str, what: &str) -> Fault {
    refused("ItemUnreadable", format!("attribute {name} of an item of the task store: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn item(due: Option<Due>) -> Item {
        Item {
            key: Key { partition: "instance#größe".to_owned(), sort: "task#1".to_owned() },
            body: r#"{"schema":1}"#.to_owned(),
            due,
            version: 0,
        }
    }

    fn reread(attributes: &[(&'static str, AttributeValue)]) -> Result<Item, Fault> {
        read(|name| attributes.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn an_item_survives_its_attributes() {
        let at = "2026-11-22T01:02:03.000000004Z".parse().unwrap();
        for due in [None, Some(Due { shard: 7, at })] {
            let stored = reread(&attributes(&item(due.clone()), 41)).unwrap();
            assert_eq!(stored, Item { version: 41, ..item(due) });
        }
    }

    #[test]
    fn moments_sort_as_texts() {
        let moments = [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001, 1_700_000_000_000_000_000]
            .map(|nanos| moment(Timestamp::from_nanosecond(nanos).unwrap()));
        assert!(moments.is_sorted(), "{moments:?}");
        assert_eq!(moments[1], "1970-01-01T00:00:00.000000001Z");
    }

    #[test]
    fn what_is_no_item_of_ours_is_named() {
        let good = attributes(&item(Some(Due { shard: 1, at: Timestamp::UNIX_EPOCH })), 1);
        for (spoilt, value, said) in [
            (PARTITION, None, "pk of an item of the task store: nothing is no text"),
            (
                SORT,
                Some(AttributeValue::N("1".to_owned())),
                "sk of an item of the task store: a number is no text",
            ),
            (BODY, Some(AttributeValue::Bool(true)), "an attribute of another type is no text"),
            (VERSION, Some(AttributeValue::N("-1".to_owned())), "-1 is out of range"),
            (VERSION, Some(AttributeValue::S("1".to_owned())), "a text is no number"),
            (DUE_SHARD, Some(AttributeValue::N("256".to_owned())), "256 is out of range"),
            (DUE_SHARD, None, "due_shard of an item of the task store: nothing is no number"),
            (DUE_AT, Some(AttributeValue::S("soon".to_owned())), "\"soon\" is no moment"),
        ] {
            let mut attributes: Vec<_> = good.iter().filter(|(name, _)| *name != spoilt).cloned().collect();
            attributes.extend(value.map(|value| (spoilt, value)));
            match reread(&attributes) {
                Err(Fault::Refused(reason)) => {
                    assert_eq!(reason.name, "ItemUnreadable");
                    assert!(reason.message.ends_with(said), "{}", reason.message);
                }
                other => panic!("{spoilt}: {other:?}"),
            }
        }
    }

    /// An attribute of any type: DynamoDB numbers are texts, so any text may come as one.
    fn attribute() -> impl Strategy<Value = Option<AttributeValue>> {
        prop_oneof![
            Just(None),
            Just(Some(AttributeValue::Null(true))),
            any::<String>().prop_map(|text| Some(AttributeValue::S(text))),
            any::<String>().prop_map(|text| Some(AttributeValue::N(text))),
            any::<i64>().prop_map(|number| Some(AttributeValue::N(number.to_string()))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_attributes_are_an_item_or_refused(values in proptest::array::uniform6(attribute())) {
            let names = [PARTITION, SORT, BODY, VERSION, DUE_SHARD, DUE_AT];
            let of = |name: &str| names.iter().position(|other| *other == name).and_then(|at| values[at].clone());
            match read(of) {
                Ok(item) => prop_assert_eq!(reread(&attributes(&item, item.version)).unwrap(), item),
                Err(fault) => prop_assert!(matches!(fault, Fault::Refused(_))),
            }
        }

        #[test]
        fn any_item_survives_its_attributes(
            key in any::<(String, String)>(),
            body in any::<String>(),
            due in proptest::option::of((any::<u8>(), 0..253_402_207_199_999_999_999_i128)),
            version in any::<u64>(),
        ) {
            let due = due.map(|(shard, nanos)| Due { shard, at: Timestamp::from_nanosecond(nanos).unwrap() });
            let item = Item { key: Key { partition: key.0, sort: key.1 }, body, due, version };
            prop_assert_eq!(reread(&attributes(&item, version)).unwrap(), item);
        }
    }
}
