//! The task store in memory: what the table does beyond what every store does.

use jiff::Timestamp;
use ports::store::{COMMIT_WRITES_MAX, CommitFault, Due, Expect, Item, Key, Range, Write};

use crate::ports::table::{PAGE_BYTES_MAX, Table};

fn key(sort: &str) -> Key {
    Key { partition: "p".into(), sort: sort.into() }
}

fn put(sort: &str, body: &str, due: Option<Due>, expect: Expect) -> Write {
    Write::Put { item: Item { key: key(sort), body: body.into(), due, version: 0 }, expect }
}

fn due(shard: u8, second: i64) -> Due {
    Due { shard, at: Timestamp::from_second(second).unwrap() }
}

fn range(from: &str, to: &str, after: Option<&str>, limit: u32) -> Range {
    let after = after.map(str::to_owned);
    Range { partition: "p".into(), from: from.into(), to: to.into(), after, limit }
}

#[test]
fn a_page_ends_at_its_bytes_and_names_its_last_key() {
    let mut table = Table::default();
    let body = "x".repeat(PAGE_BYTES_MAX / 3);
    for sort in ["a", "b", "c", "d", "e"] {
        table.commit(&[put(sort, &body, None, Expect::Absent)]).unwrap();
    }
    let page = table.query(&range("a", "z", None, 1_000));
    assert_eq!((page.items.len(), page.after.as_deref()), (4, Some("d")));
    let page = table.query(&range("a", "z", Some("d"), 1_000));
    assert_eq!((page.items.len(), page.after), (1, None));
}

#[test]
fn a_full_page_names_its_last_key_even_when_nothing_follows() {
    let mut table = Table::default();
    for sort in ["a", "b"] {
        table.commit(&[put(sort, "", None, Expect::Absent)]).unwrap();
    }
    assert_eq!(table.query(&range("a", "b", None, 2)).after.as_deref(), Some("b"));
    for (from, to, after) in
        [("a", "b", Some("b")), ("b", "a", None), ("a", "b", Some("z")), ("c", "d", None)]
    {
        let page = table.query(&range(from, to, after, 2));
        assert_eq!((page.items.len(), page.after), (0, None), "{from} {to} {after:?}");
    }
}

#[test]
fn the_index_follows_its_items() {
    let mut table = Table::default();
    table
        .commit(&[
            put("a", "", Some(due(1, 30)), Expect::Absent),
            put("b", "", Some(due(1, 10)), Expect::Absent),
            put("c", "", Some(due(2, 10)), Expect::Absent),
        ])
        .unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    let sorts = |table: &Table, shard, until| {
        table.due(shard, at(until), 10).into_iter().map(|key| key.sort).collect::<String>()
    };
    assert_eq!(
        (sorts(&table, 1, 30), sorts(&table, 1, 29), sorts(&table, 2, 99)),
        ("ba".into(), "b".into(), "c".into())
    );
    table
        .commit(&[put("a", "", Some(due(2, 5)), Expect::Version(1)), put("b", "", None, Expect::Version(1))])
        .unwrap();
    assert_eq!((sorts(&table, 1, 99), sorts(&table, 2, 99)), (String::new(), "ac".into()));
    table.commit(&[Write::Delete { key: key("a"), expect: Expect::Version(2) }]).unwrap();
    assert_eq!((sorts(&table, 2, 99), table.len()), ("c".into(), 2));
    assert_eq!(table.due(2, at(99), 0), []);
}

#[test]
fn a_commit_is_refused_by_its_shape_before_anything_is_looked_at() {
    let mut table = Table::default();
    let many: Vec<Write> =
        (0..=COMMIT_WRITES_MAX).map(|n| put(&n.to_string(), "", None, Expect::Absent)).collect();
    let twelve: Vec<Write> =
        (0..12).map(|n| put(&n.to_string(), &"x".repeat(380_000), None, Expect::Absent)).collect();
    for (writes, name) in [
        (vec![], "CommitMalformed"),
        (many, "CommitMalformed"),
        (vec![put("a", "", None, Expect::Absent), put("a", "", None, Expect::Absent)], "CommitMalformed"),
        (vec![put("", "", None, Expect::Absent)], "CommitMalformed"),
        (vec![put("a", &"x".repeat(380_001), None, Expect::Absent)], "ItemTooLarge"),
        (twelve, "CommitMalformed"),
    ] {
        match table.commit(&writes) {
            Err(CommitFault::Fault(ports::Fault::Refused(reason))) => assert_eq!(reason.name, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(table.is_empty());
}

#[test]
fn nothing_of_a_commit_is_written_when_one_expectation_fails() {
    let mut table = Table::default();
    table.commit(&[put("a", "1", None, Expect::Absent)]).unwrap();
    let writes = [put("b", "2", None, Expect::Absent), put("a", "2", None, Expect::Version(7))];
    assert_eq!(table.commit(&writes), Err(CommitFault::Conflict { key: key("a") }));
    assert_eq!((table.len(), table.get(&key("a")).unwrap().body), (1, "1".into()));
    assert_eq!(table.partition("p").map(|item| item.version).collect::<Vec<_>>(), [1]);
    assert_eq!(table.partitions().collect::<Vec<_>>(), ["p"]);
}
