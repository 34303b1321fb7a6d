//! An item as attributes, and back.
//!
//! Attributes of a stored item are somebody else's bytes: a missing one, one of another type or a number that is none is a
//! refusal that names the item and the attribute, never a panic.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::store::{Due, Item, Key};

use super::table::{BODY, DUE_AT, DUE_SHARD, PARTITION, SORT, VERSION};

/// Characters of a stored text that a message quotes. Policy: enough to recognise it.
const QUOTED_CHARS_MAX: usize = 40;

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
    match rest(take) {
        Ok((body, version, due)) => Ok(Item { key, body, due, version }),
        Err(what) => Err(unreadable(&name(&key), &what)),
    }
}

/// Reads the key of an item from its attributes.
pub(super) fn read_key(mut take: impl FnMut(&str) -> Option<AttributeValue>) -> Result<Key, Fault> {
    let text = |name: &str, value| text(name, value).map_err(|what| unreadable("an item", &what));
    Ok(Key { partition: text(PARTITION, take(PARTITION))?, sort: text(SORT, take(SORT))? })
}

/// Reads everything but the key, or says which attribute is not what it should be.
fn rest(mut take: impl FnMut(&str) -> Option<AttributeValue>) -> Result<(String, u64, Option<Due>), String> {
    let body = text(BODY, take(BODY))?;
    let version: u64 = number(VERSION, take(VERSION))?;
    // No write stores 0, and nothing could follow the largest: two writers that expect it would both win.
    if version == 0 || version == u64::MAX {
        return Err(format!("attribute {VERSION}: {version} is out of range"));
    }
    let due = match (take(DUE_SHARD), take(DUE_AT)) {
        (None, None) => None,
        (shard, at) => {
            let at = text(DUE_AT, at)?;
            let at =
                at.parse().map_err(|_| format!("attribute {DUE_AT}: {:?} is no moment", shortened(&at)))?;
            Some(Due { shard: number(DUE_SHARD, shard)?, at })
        }
    };
    Ok((body, version, due))
}

fn text(name: &str, value: Option<AttributeValue>) -> Result<String, String> {
    match value {
        Some(AttributeValue::S(text)) => Ok(text),
        other => Err(format!("attribute {name}: {} is no text", kind(other.as_ref()))),
    }
}

fn number<N: std::str::FromStr>(name: &str, value: Option<AttributeValue>) -> Result<N, String> {
    match value {
        Some(AttributeValue::N(number)) => number
            .parse()
            .map_err(|_| format!("attribute {name}: {} is out of range", shortened(&number).escape_debug())),
        other => Err(format!("attribute {name}: {} is no number", kind(other.as_ref()))),
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

/// The beginning of a stored text: a message travels through a machine, whose payload is limited.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(QUOTED_CHARS_MAX).map_or(text, |(end, _)| text.get(..end).unwrap_or_default())
}

fn unreadable(which: &str, what: &str) -> Fault {
    let reason = Reason::new(Class::Human, "ItemUnreadable", format!("{which} in the task store: {what}"));
    Fault::Refused(reason.guidance("restore the item from a backup of the table"))
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
            (PARTITION, None, "an item in the task store: attribute pk: nothing is no text"),
            (
                SORT,
                Some(AttributeValue::N("1".to_owned())),
                "an item in the task store: attribute sk: a number is no text",
            ),
            (BODY, Some(AttributeValue::Bool(true)), "an attribute of another type is no text"),
            (VERSION, Some(AttributeValue::N("-1".to_owned())), "-1 is out of range"),
            (VERSION, Some(AttributeValue::N("0".to_owned())), "attribute version: 0 is out of range"),
            (VERSION, Some(AttributeValue::N(u64::MAX.to_string())), "18446744073709551615 is out of range"),
            (
                VERSION,
                Some(AttributeValue::N("9".repeat(400_000))),
                &format!("version: {} is out of range", "9".repeat(40)),
            ),
            (VERSION, Some(AttributeValue::S("1".to_owned())), "a text is no number"),
            (DUE_SHARD, Some(AttributeValue::N("256".to_owned())), "256 is out of range"),
            (
                DUE_SHARD,
                None,
                "instance#größe/task#1 in the task store: attribute due_shard: nothing is no number",
            ),
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
                Err(Fault::Refused(reason)) => prop_assert_eq!(reason.name, "ItemUnreadable"),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn any_item_survives_its_attributes(
            key in any::<(String, String)>(),
            body in any::<String>(),
            due in proptest::option::of((any::<u8>(), 0..253_402_207_199_999_999_999_i128)),
            version in 1..u64::MAX,
        ) {
            let due = due.map(|(shard, nanos)| Due { shard, at: Timestamp::from_nanosecond(nanos).unwrap() });
            let item = Item { key: Key { partition: key.0, sort: key.1 }, body, due, version };
            prop_assert_eq!(reread(&attributes(&item, version)).unwrap(), item);
        }
    }
}
