//! What every task store must do, whoever keeps the items: the port's contract as cases.
//!
//! Included by path from the tests of each implementation, which call [`store_conformance!`] with a function that gives a
//! case an empty store and polls it to its end. Knows `ports::store` and nothing of who implements it; the contract is the
//! documentation of those traits.

use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::store::{
    COMMIT_WRITES_MAX, CommitFault, Due, Expect, ITEM_BYTES_MAX, Item, Key, Range, ReadDue, ReadItems, Write,
    WriteItems,
};

/// Everything a store is.
pub(crate) trait Store: ReadItems + WriteItems + ReadDue {}
impl<S: ReadItems + WriteItems + ReadDue> Store for S {}

/// One `#[test]` for each case. `$run` is a function that takes `impl AsyncFnOnce(&S)` and calls it on an empty store;
/// `ignore = "why"` leaves the cases to whoever asks for them.
macro_rules! store_conformance {
    ($run:path $(, ignore = $why:literal)?) => {
        store_conformance!($run $(, $why)?:
            what_is_absent_is_none,
            a_put_is_read_back_at_version_one,
            each_put_names_the_version_it_expects,
            a_delete_names_the_version_it_expects,
            a_commit_writes_all_or_nothing,
            a_commit_of_the_most_writes_is_one_commit,
            a_malformed_commit_is_refused_and_writes_nothing,
            an_item_too_large_is_refused_and_the_largest_is_not,
            a_range_is_inclusive_and_in_order_of_bytes,
            pages_go_on_where_the_last_one_ended,
            a_range_with_nothing_in_it_is_empty_and_no_error,
            large_items_come_in_smaller_pages,
            what_is_due_comes_earliest_first,
            an_entry_follows_its_item,
        );
    };
    ($run:path: $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $run(async |store| suite::$case(store).await);
            }
        )+
    };
    ($run:path, $why:literal: $($case:ident),+ $(,)?) => {
        $(
            #[test]
            #[ignore = $why]
            fn $case() {
                $run(async |store| suite::$case(store).await);
            }
        )+
    };
}

fn key(partition: &str, sort: &str) -> Key {
    Key { partition: partition.to_owned(), sort: sort.to_owned() }
}

fn item(key: &Key, body: &str) -> Item {
    Item { key: key.clone(), body: body.to_owned(), due: None, version: 0 }
}

fn put(key: &Key, body: &str, expect: Expect) -> Write {
    Write::Put { item: item(key, body), expect }
}

fn put_due(key: &Key, due: Option<Due>, expect: Expect) -> Write {
    Write::Put { item: Item { due, ..item(key, "{}") }, expect }
}

fn delete(key: &Key, expect: Expect) -> Write {
    Write::Delete { key: key.clone(), expect }
}

/// A moment that needs all nine digits.
fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes) + SignedDuration::from_nanos(7)
}

async fn commit(store: &impl Store, writes: &[Write]) {
    let done = store.commit(writes).await;
    assert_eq!(done, Ok(()), "{writes:?}");
}

async fn conflict(store: &impl Store, writes: &[Write], first: &Key) {
    let done = store.commit(writes).await;
    assert_eq!(done, Err(CommitFault::Conflict { key: first.clone() }), "{writes:?}");
}

async fn refusal(store: &impl Store, writes: &[Write]) {
    let done = store.commit(writes).await;
    let refused = matches!(done, Err(CommitFault::Fault(Fault::Refused(_))));
    assert!(refused, "{done:?} for {} writes", writes.len());
}

async fn stored(store: &impl Store, key: &Key) -> Option<(String, u64)> {
    let item = store.get(key).await.expect("a read of a store that works");
    item.map(|item| (item.body, item.version))
}

fn range(partition: &str, from: &str, to: &str, limit: u32) -> Range {
    Range { partition: partition.to_owned(), from: from.to_owned(), to: to.to_owned(), after: None, limit }
}

/// Sort keys of a range over all its pages; no page is larger than its limit.
async fn sorts(store: &impl Store, mut range: Range) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let page = store.query(&range).await.expect("a query of a store that works");
        assert!(
            page.items.len() <= range.limit as usize,
            "{} items in a page of {}",
            page.items.len(),
            range.limit
        );
        found.extend(page.items.into_iter().map(|item| item.key.sort));
        match page.after {
            None => return found,
            Some(after) => {
                assert!(range.after.as_ref().is_none_or(|before| *before < after), "the pages do not go on");
                range.after = Some(after);
            }
        }
    }
}

async fn due_sorts(store: &impl Store, shard: u8, until: Timestamp, limit: u32) -> Vec<String> {
    let keys = store.due(shard, until, limit).await.expect("a read of the index of a store that works");
    keys.into_iter().map(|key| key.sort).collect()
}

pub(crate) async fn what_is_absent_is_none(store: &impl Store) {
    assert_eq!(store.get(&key("p", "a")).await, Ok(None));
    assert_eq!(sorts(store, range("p", "a", "z", 10)).await, [""; 0]);
    assert_eq!(due_sorts(store, 0, at(0), 10).await, [""; 0]);
}

pub(crate) async fn a_put_is_read_back_at_version_one(store: &impl Store) {
    let key = key("instance#größe 東京", "task#\u{1f600}#a/b:c");
    let due = Some(Due { shard: 7, at: at(61) });
    let body = "{\"text\":\"\\u0000 größe \u{1f600} \\\"quoted\\\"\"}";
    let item = Item { key: key.clone(), body: body.to_owned(), due: due.clone(), version: 99 };
    commit(store, &[Write::Put { item: item.clone(), expect: Expect::Absent }]).await;
    assert_eq!(store.get(&key).await, Ok(Some(Item { version: 1, ..item.clone() })));
    let page = store
        .query(&range(&key.partition, "task", "task~", 10))
        .await
        .expect("a query of a store that works");
    assert_eq!(page.items, [Item { version: 1, ..item }]);
}

pub(crate) async fn each_put_names_the_version_it_expects(store: &impl Store) {
    let (here, absent) = (key("p", "a"), key("p", "b"));
    commit(store, &[put(&here, "1", Expect::Absent)]).await;
    conflict(store, &[put(&here, "x", Expect::Absent)], &here).await;
    conflict(store, &[put(&here, "x", Expect::Version(0))], &here).await;
    conflict(store, &[put(&here, "x", Expect::Version(2))], &here).await;
    conflict(store, &[put(&absent, "x", Expect::Version(1))], &absent).await;
    assert_eq!(stored(store, &here).await, Some(("1".to_owned(), 1)));
    assert_eq!(stored(store, &absent).await, None);
    commit(store, &[put(&here, "2", Expect::Version(1))]).await;
    conflict(store, &[put(&here, "x", Expect::Version(1))], &here).await;
    commit(store, &[put(&here, "3", Expect::Version(2))]).await;
    assert_eq!(stored(store, &here).await, Some(("3".to_owned(), 3)));
}

pub(crate) async fn a_delete_names_the_version_it_expects(store: &impl Store) {
    let (here, absent) = (key("p", "a"), key("p", "b"));
    commit(store, &[put(&here, "1", Expect::Absent)]).await;
    conflict(store, &[delete(&here, Expect::Absent)], &here).await;
    conflict(store, &[delete(&here, Expect::Version(2))], &here).await;
    conflict(store, &[delete(&absent, Expect::Version(1))], &absent).await;
    commit(store, &[delete(&absent, Expect::Absent)]).await;
    assert_eq!(stored(store, &here).await, Some(("1".to_owned(), 1)));
    commit(store, &[delete(&here, Expect::Version(1))]).await;
    assert_eq!(stored(store, &here).await, None);
    // A new item under an old key begins anew: its version says nothing of the life before.
    commit(store, &[put(&here, "again", Expect::Absent)]).await;
    assert_eq!(stored(store, &here).await, Some(("again".to_owned(), 1)));
}

pub(crate) async fn a_commit_writes_all_or_nothing(store: &impl Store) {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|sort| key("p", sort));
    let elsewhere = key("q", "a");
    commit(store, &[put(&a, "1", Expect::Absent), put(&b, "1", Expect::Absent)]).await;
    let two_late = [
        put(&c, "x", Expect::Absent),
        put(&a, "x", Expect::Version(1)),
        put(&b, "x", Expect::Version(9)),
        delete(&d, Expect::Version(1)),
        put(&elsewhere, "x", Expect::Absent),
    ];
    conflict(store, &two_late, &b).await;
    assert_eq!(stored(store, &a).await, Some(("1".to_owned(), 1)));
    assert_eq!(stored(store, &b).await, Some(("1".to_owned(), 1)));
    assert_eq!((stored(store, &c).await, stored(store, &elsewhere).await), (None, None));
    let good = [
        put(&c, "new", Expect::Absent),
        put(&a, "2", Expect::Version(1)),
        delete(&b, Expect::Version(1)),
        delete(&d, Expect::Absent),
        put(&elsewhere, "far", Expect::Absent),
    ];
    commit(store, &good).await;
    assert_eq!(stored(store, &a).await, Some(("2".to_owned(), 2)));
    assert_eq!(stored(store, &b).await, None);
    assert_eq!(stored(store, &c).await, Some(("new".to_owned(), 1)));
    assert_eq!(stored(store, &elsewhere).await, Some(("far".to_owned(), 1)));
}

fn numbered(count: usize) -> Vec<Key> {
    (0..count).map(|n| key("p", &format!("{n:04}"))).collect()
}

pub(crate) async fn a_commit_of_the_most_writes_is_one_commit(store: &impl Store) {
    let keys = numbered(COMMIT_WRITES_MAX);
    let writes: Vec<_> = keys.iter().map(|key| put(key, "1", Expect::Absent)).collect();
    commit(store, &writes).await;
    assert_eq!(sorts(store, range("p", "0000", "9999", 1_000)).await.len(), COMMIT_WRITES_MAX);
    // All but the last would fit.
    let writes: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| delete(key, Expect::Version(if n + 1 < COMMIT_WRITES_MAX { 1 } else { 2 })))
        .collect();
    conflict(store, &writes, &keys[COMMIT_WRITES_MAX - 1]).await;
    assert_eq!(sorts(store, range("p", "0000", "9999", 1_000)).await.len(), COMMIT_WRITES_MAX);
}

pub(crate) async fn a_malformed_commit_is_refused_and_writes_nothing(store: &impl Store) {
    refusal(store, &[]).await;
    let too_many: Vec<_> =
        numbered(COMMIT_WRITES_MAX + 1).iter().map(|key| put(key, "1", Expect::Absent)).collect();
    refusal(store, &too_many).await;
    let (a, b) = (key("p", "a"), key("p", "b"));
    refusal(store, &[put(&a, "1", Expect::Absent), put(&b, "1", Expect::Absent), delete(&a, Expect::Absent)])
        .await;
    refusal(store, &[put(&a, "1", Expect::Absent), put(&a, "1", Expect::Absent)]).await;
    assert_eq!(sorts(store, range("p", "0", "z", 1_000)).await, [""; 0]);
}

pub(crate) async fn an_item_too_large_is_refused_and_the_largest_is_not(store: &impl Store) {
    let (a, b) = (key("p", "a"), key("p", "b"));
    let (largest, too_large) = ("x".repeat(ITEM_BYTES_MAX), "x".repeat(ITEM_BYTES_MAX + 1));
    refusal(store, &[put(&a, &too_large, Expect::Absent)]).await;
    refusal(store, &[put(&b, "1", Expect::Absent), put(&a, &too_large, Expect::Absent)]).await;
    assert_eq!((stored(store, &a).await, stored(store, &b).await), (None, None));
    commit(store, &[put(&a, &largest, Expect::Absent)]).await;
    assert_eq!(stored(store, &a).await, Some((largest, 1)));
}

pub(crate) async fn a_range_is_inclusive_and_in_order_of_bytes(store: &impl Store) {
    // UTF-8 puts U+FF5E before U+1F600, UTF-16 the other way round; digits are texts.
    let sorted = ["10", "9", "A", "a", "a#", "a#1", "b", "ä", "\u{ff5e}", "\u{1f600}"];
    for sort in sorted.iter().rev() {
        commit(
            store,
            &[put(&key("p", sort), "1", Expect::Absent), put(&key("pp", sort), "1", Expect::Absent)],
        )
        .await;
    }
    for (from, to, expected) in [
        ("10", "\u{1f600}", &sorted[..]),
        ("", "\u{10ffff}", &sorted[..]),
        ("a", "a#1", &sorted[3..6]),
        ("a", "a", &sorted[3..4]),
        ("a!", "a#0", &sorted[4..5]),
        ("c", "\u{ff5e}", &sorted[7..9]),
    ] {
        assert_eq!(sorts(store, range("p", from, to, 1_000)).await, expected, "{from:?} to {to:?}");
    }
}

pub(crate) async fn pages_go_on_where_the_last_one_ended(store: &impl Store) {
    let keys = numbered(7);
    for key in &keys {
        commit(store, &[put(key, "1", Expect::Absent)]).await;
    }
    let all: Vec<_> = keys.iter().map(|key| key.sort.clone()).collect();
    for limit in 1..=8 {
        assert_eq!(sorts(store, range("p", "0000", "9999", limit)).await, all, "pages of {limit}");
    }
    let after = |sort: &str| Range { after: Some(sort.to_owned()), ..range("p", "0001", "0005", 2) };
    assert_eq!(sorts(store, after("0002")).await, all[3..6]);
    assert_eq!(sorts(store, after("0002x")).await, all[3..6], "no item need be there");
    assert_eq!(sorts(store, after("0000")).await, all[1..6], "before the range");
    assert_eq!(sorts(store, after("0005")).await, all[0..0]);
    // Between two pages an item goes away: the next page is none the worse.
    commit(store, &[delete(&keys[2], Expect::Version(1))]).await;
    assert_eq!(sorts(store, after("0002")).await, all[3..6]);
}

pub(crate) async fn a_range_with_nothing_in_it_is_empty_and_no_error(store: &impl Store) {
    commit(store, &[put(&key("p", "m"), "1", Expect::Absent)]).await;
    for (from, to, after) in
        [("n", "z", None), ("a", "l", None), ("z", "a", None), ("a", "z", Some("zz")), ("", "", None)]
    {
        let range = Range { after: after.map(str::to_owned), ..range("p", from, to, 10) };
        assert_eq!(sorts(store, range).await, [""; 0], "{from:?} to {to:?} after {after:?}");
    }
}

pub(crate) async fn large_items_come_in_smaller_pages(store: &impl Store) {
    let (keys, body) = (numbered(6), "x".repeat(ITEM_BYTES_MAX));
    for key in &keys {
        commit(store, &[put(key, &body, Expect::Absent)]).await;
    }
    let all: Vec<_> = keys.iter().map(|key| key.sort.clone()).collect();
    assert_eq!(sorts(store, range("p", "0000", "9999", 1_000)).await, all);
}

pub(crate) async fn what_is_due_comes_earliest_first(store: &impl Store) {
    for (sort, shard, minutes) in [("c", 3, 30), ("a", 3, 10), ("d", 3, 40), ("b", 3, 20), ("other", 4, 5)] {
        let due = Some(Due { shard, at: at(minutes) });
        commit(store, &[put_due(&key(&format!("instance#{sort}"), sort), due, Expect::Absent)]).await;
    }
    commit(store, &[put_due(&key("p", "never"), None, Expect::Absent)]).await;
    let nanosecond = SignedDuration::from_nanos(1);
    for (until, limit, expected) in [
        (at(100), 10, &["a", "b", "c", "d"][..]),
        (at(30), 10, &["a", "b", "c"]),
        (at(30) - nanosecond, 10, &["a", "b"]),
        (at(100), 3, &["a", "b", "c"]),
        (at(100), 1, &["a"]),
        (at(9), 10, &[]),
    ] {
        assert_eq!(due_sorts(store, 3, until, limit).await, expected, "until {until}, {limit} at most");
    }
    assert_eq!(store.due(4, at(100), 10).await, Ok(vec![key("instance#other", "other")]));
    assert_eq!(due_sorts(store, 5, at(100), 10).await, [""; 0]);
}

pub(crate) async fn an_entry_follows_its_item(store: &impl Store) {
    let (a, b) = (key("p", "a"), key("p", "b"));
    let due = |shard, minutes| Some(Due { shard, at: at(minutes) });
    let seen = async |shard, minutes| due_sorts(store, shard, at(minutes), 10).await;
    commit(store, &[put_due(&a, due(1, 10), Expect::Absent), put_due(&b, due(1, 20), Expect::Absent)]).await;
    assert_eq!(seen(1, 20).await, ["a", "b"]);
    commit(store, &[put_due(&a, due(1, 30), Expect::Version(1))]).await;
    assert_eq!(
        (seen(1, 20).await, seen(1, 30).await),
        (vec!["b".to_owned()], vec!["b".to_owned(), "a".to_owned()])
    );
    commit(store, &[put_due(&a, due(2, 30), Expect::Version(2))]).await;
    assert_eq!((seen(1, 30).await, seen(2, 30).await), (vec!["b".to_owned()], vec!["a".to_owned()]));
    // A write that fails moves nothing.
    conflict(store, &[put_due(&a, due(1, 1), Expect::Version(1))], &a).await;
    assert_eq!(seen(1, 30).await, ["b"]);
    commit(store, &[put_due(&a, None, Expect::Version(3)), delete(&b, Expect::Version(1))]).await;
    assert_eq!((seen(1, 99).await, seen(2, 99).await), (vec![], vec![]));
    assert_eq!(stored(store, &a).await, Some(("{}".to_owned(), 4)), "out of the index, not out of the store");
}
