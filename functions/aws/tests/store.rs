//! The DynamoDB adapter against the store's contract: on a DynamoDB served in process over loopback, and on whatever
//! endpoint the SDK's environment names.

#[cfg(test)]
#[macro_use]
#[path = "../../../tests/conformance/store/suite.rs"]
mod suite;
mod served;
mod support;

use aws::DynamoStore;
use ports::store::{CommitFault, Due, Expect, Item, Key, ReadDue, ReadItems, Write, WriteItems};
use served::{create, run_with};
use support::local;

fn run(case: impl AsyncFnOnce(&DynamoStore)) {
    run_with(async |_, store| case(store).await);
}

store_conformance!(run);

/// The same cases on a server in a process of its own, which `tests/e2e/ministack.py` starts.
mod on_an_endpoint {
    use super::{DynamoStore, create, local, suite};

    /// Runs a case on a table that is named after it, and removes the table.
    fn run(case: impl AsyncFnOnce(&DynamoStore)) {
        local().block_on(async {
            let config = aws::connect().await;
            let endpoint = config.endpoint_url().unwrap_or_default();
            assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint:?} is not on loopback");
            let thread = std::thread::current();
            let table = format!("bakproof-{}", thread.name().unwrap_or_default().replace("::", "-"));
            create(&config, &table).await;
            case(&DynamoStore::new(&config, &table)).await;
            let removed =
                aws_sdk_dynamodb::Client::new(&config).delete_table().table_name(&table).send().await;
            assert!(removed.is_ok(), "{removed:?}");
        });
    }

    store_conformance!(run, ignore = "needs a server: tests/e2e/ministack.py starts one");
}

fn key(sort: &str) -> Key {
    Key { partition: "p".to_owned(), sort: sort.to_owned() }
}

fn put(sort: &str, body: &str, expect: Expect) -> Write {
    let due = Some(Due { shard: 1, at: jiff::Timestamp::UNIX_EPOCH });
    Write::Put { item: Item { key: key(sort), body: body.to_owned(), due, version: 0 }, expect }
}

/// Writers that read the same version and write at the same time: one wins, whole, and the others are told.
#[test]
fn of_writers_that_read_the_same_version_one_wins() {
    run_with(async |_, store| {
        let begin = [put("a", "0", Expect::Absent), put("b", "0", Expect::Absent)];
        assert_eq!(store.commit(&begin).await, Ok(()));
        for round in 1..20 {
            let write = async |who: &str| {
                let body = format!("{round} {who}");
                let writes =
                    [put("a", &body, Expect::Version(round)), put("b", &body, Expect::Version(round))];
                store.commit(if who == "y" { &writes[..1] } else { &writes[..] }).await
            };
            let (one, two, three) = tokio::join!(write("x"), write("y"), write("z"));
            let won =
                [("x", one), ("y", two), ("z", three)].into_iter().filter_map(|(who, done)| match done {
                    Ok(()) => Some(who),
                    Err(CommitFault::Conflict { .. }) => None,
                    Err(CommitFault::Fault(fault)) => panic!("{fault}"),
                });
            let won: Vec<_> = won.collect();
            assert_eq!(won.len(), 1, "{won:?} won round {round}");
            let [a, b] = [store.get(&key("a")).await, store.get(&key("b")).await]
                .map(|found| found.expect("a read").expect("an item"));
            assert_eq!((a.body.as_str(), a.version), (format!("{round} {}", won[0]).as_str(), round + 1));
            if won == ["y"] {
                // Only the first was written: the second catches up, for the next round.
                assert_eq!(b.version, round);
                assert_eq!(store.commit(&[put("b", &a.body, Expect::Version(round))]).await, Ok(()));
            } else {
                assert_eq!((b.body, b.version), (a.body, round + 1));
            }
        }
        assert_eq!(store.due(1, jiff::Timestamp::UNIX_EPOCH, 10).await.map(|keys| keys.len()), Ok(2));
    });
}
