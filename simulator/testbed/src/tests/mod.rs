//! Tests of the executor, the ports, the pipe and the services together, one file a theme.

mod against_world;
mod calls;
mod determinism;
mod invocations;
mod machines;
mod schedules;
mod sessions;
mod speed;
mod store;

use std::rc::Rc;

use domain::reason::Reason;
use jiff::{SignedDuration, Timestamp};
use ports::store::{Expect, Item, Key, ReadItems, Write, WriteItems};
use serde_json::{Value, json};
use world::{Knobs, World};

use crate::executor::{Answer, Ending};
use crate::functions::Code;
use crate::ports::store::Store;
use crate::{InvocationId, Options, Testbed};

pub(crate) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub(crate) fn start() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

pub(crate) fn after(duration: SignedDuration) -> Timestamp {
    start() + duration
}

/// A testbed around a world without instances.
pub(crate) fn testbed(seed: u64) -> Testbed {
    Testbed::new(Options::new(seed), World::new(seed, start(), Knobs::default()))
}

/// A closure as code of a function.
pub(crate) fn code<F: Future<Output = Answer> + 'static>(work: impl Fn(Value) -> F + 'static) -> Code {
    Rc::new(move |payload| Box::pin(work(payload)))
}

/// Invokes a function and runs for a minute: its ending.
pub(crate) fn ending(testbed: &mut Testbed, function: &str, payload: Value) -> Option<Ending> {
    let id = testbed.invoke(function, payload).unwrap();
    run_minute(testbed);
    testbed.take_ending(id)
}

pub(crate) fn run_minute(testbed: &mut Testbed) {
    let until = testbed.now() + MINUTE;
    testbed.run_until(until);
}

pub(crate) fn counter_key() -> Key {
    Key { partition: "counter".into(), sort: "counter".into() }
}

/// The counter's value, read from outside.
pub(crate) fn counter(testbed: &Testbed) -> u64 {
    let item = testbed.store().look(|table| table.get(&counter_key()));
    item.map_or(0, |item| item.body.parse().unwrap())
}

/// Deploys a function `add`: reads a counter and writes it back, one higher, if nobody was faster.
pub(crate) fn deploy_add(testbed: &mut Testbed) {
    let store = testbed.store();
    testbed.deploy_function("add", MINUTE, code(move |_| add(store.clone())));
}

async fn add(store: Store) -> Answer {
    let found = store.get(&counter_key()).await?;
    let (value, expect) = found.map_or((0, Expect::Absent), |item| {
        (item.body.parse::<u64>().unwrap(), Expect::Version(item.version))
    });
    let item = Item { key: counter_key(), body: (value + 1).to_string(), due: None, version: 0 };
    let outcome = match store.commit(&[Write::Put { item, expect }]).await {
        Ok(()) => "added".to_owned(),
        Err(fault) => format!("{fault:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    };
    Ok::<Value, Reason>(json!(outcome))
}

/// What `add` answered, or how it ended.
pub(crate) fn outcome(testbed: &mut Testbed, id: InvocationId) -> String {
    match testbed.take_ending(id) {
        Some(Ending::Returned(Ok(answer))) => answer.as_str().unwrap_or("?").to_owned(),
        other => format!("{other:?}"),
    }
}
