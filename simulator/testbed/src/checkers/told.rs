//! Everything told that happened, and nothing that did not: the bus against the tasks that ended, the heads, the
//! instances and what discovery saw.

use std::collections::{BTreeMap, BTreeSet};

use domain::inventory::{Instance, instance_key};
use domain::task::{Outcome, State, Task};
use jiff::{SignedDuration, Timestamp};
use ports::store::{Key, decode};
use serde_json::Value;

use super::{Checked, enrolled};
use crate::scenario::Scenario;
use crate::simulation::View;
use crate::testbed::Testbed;

/// How long something may have happened without having been told: left to its function, then met by the fleet's next round, with slack.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// The end of everything that was told of a database.
const GONE: &str = "database_gone";

/// What happened to what: the ends of one task, the chain of one database, the trouble of one instance.
type About = (String, String);

pub(super) fn check(scenario: &Scenario, bed: &Testbed, view: &View) -> Checked {
    let mut checked = Checked::new("told");
    let mut told = told(bed, &mut checked);
    let old = view.now.saturating_sub(PATIENCE).unwrap_or(Timestamp::MIN);
    for instance in &scenario.instances {
        told.extend(under_way(&instance.name, bed, old));
    }
    let mut by_task: BTreeMap<About, Vec<&Value>> = BTreeMap::new();
    for event in told.values() {
        if let Some(key) = event["task"]["key"].as_str() {
            by_task.entry((text(&event["instance"]), key.to_owned())).or_default().push(event);
        }
    }
    for task in &view.done {
        let events = by_task.remove(&(task.instance.clone(), task.key.clone())).unwrap_or_default();
        checked.look(of_task(task, &events));
    }
    for events in by_task.values() {
        checked.look(Some(format!("{events:?} of a task that has not ended")));
    }
    let renamed: BTreeSet<About> = told
        .values()
        .filter(|event| event["event"] == "database_renamed")
        .flat_map(|event| ["from", "database"].map(|name| (text(&event["instance"]), text(&event[name]))))
        .collect();
    for database in &view.databases {
        let head = &database.head;
        let about = (head.instance.as_str(), Some(head.name.as_str()));
        let words = ["window_hole_opened", "window_hole_closed"];
        // A chain goes on under another name.
        if !renamed.contains(&(head.instance.clone(), head.name.clone())) {
            let is_open = head.broken.is_some() && head.gone_at.is_none();
            checked.look(turns(&told, about, words, is_open));
        }
    }
    for instance in &scenario.instances {
        let (partition, sort) = instance_key(&instance.name);
        let stored = bed.store().look(|table| table.get(&Key { partition, sort }));
        let Some(Ok(stored)) = stored.map(|item| decode::<Instance>(&item)) else { continue };
        let words = ["instance_trouble_began", "instance_trouble_ended"];
        let about = (instance.name.as_str(), None);
        checked.look(turns(&told, about, words, stored.record.trouble.is_some()));
    }
    enrolled::check(&told, bed, view, &mut checked);
    checked
}

/// What was written moments ago and is still to be told.
fn under_way(instance: &str, bed: &Testbed, old: Timestamp) -> Vec<(String, Value)> {
    let bodies: Vec<String> = bed
        .store()
        .look(|table| table.partition(&format!("outbox#{instance}")).map(|item| item.body).collect());
    let events = bodies.iter().filter_map(|body| serde_json::from_str::<Value>(body).ok());
    let young = events.filter(|event| moment(event).is_some_and(|at| at > old));
    young.map(|event| (text(&event["id"]), event)).collect()
}

/// What was told, by id. Whatever is told again is the same to the letter.
fn told(bed: &Testbed, checked: &mut Checked) -> BTreeMap<String, Value> {
    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    bed.event_bus().look(|events| {
        for event in events {
            let Ok(detail) = serde_json::from_str::<Value>(&event.event.detail) else {
                checked.look(Some(format!("no JSON was told: {}", event.event.detail)));
                continue;
            };
            let before = told.insert(text(&detail["id"]), detail.clone());
            let differs = before.is_some_and(|before| before != detail);
            checked.look(differs.then(|| format!("an id was told with two contents, this is one: {detail}")));
        }
    });
    told
}

/// The word for how a task ended, and when; none where that is not told.
fn end_of(task: &Task) -> Option<(&'static str, Timestamp)> {
    let State::Done { outcome, at, .. } = &task.state else { return None };
    let word = match outcome {
        Outcome::Succeeded => "backup_finished",
        Outcome::Failed(_) => "task_failed",
        Outcome::Cancelled => "task_cancelled",
        Outcome::Skipped(_) => return None,
    };
    Some((word, *at))
}

/// The end of a task is told by one event, as what it was.
fn of_task(task: &Task, events: &[&Value]) -> Option<String> {
    match (end_of(task), events) {
        (None, []) => None,
        (Some((word, at)), [event]) if event["event"] == word && moment(event) == Some(at) => None,
        (Some((word, at)), []) => Some(format!("{word} of {} at {at} was never told", task.key)),
        (end, events) => Some(format!("{} ended as {end:?} and was told as {events:?}", task.key)),
    }
}

/// What turns on and off is told in turns, and the last turn is how it is now. With a database everything ends that was told of its chain; of
/// two events at one moment it comes first.
fn turns(
    told: &BTreeMap<String, Value>,
    (instance, database): (&str, Option<&str>),
    [on, off]: [&str; 2],
    is_on: bool,
) -> Option<String> {
    let mut events: Vec<(Timestamp, &Value)> = told
        .values()
        .filter(|event| event["instance"] == instance && event["database"].as_str() == database)
        .filter(|event| event["event"] == on || event["event"] == off || event["event"] == GONE)
        .filter_map(|event| Some((moment(event)?, event)))
        .collect();
    events.sort_by_key(|(at, event)| (*at, event["event"] != GONE));
    let name = database.unwrap_or(instance);
    let mut was_on = false;
    for (at, event) in &events {
        if event["event"] == GONE {
            was_on = false;
            continue;
        }
        if (event["event"] == on) == was_on {
            return Some(format!("{} of {name} was told at {at}, and was so already", event["event"]));
        }
        was_on = !was_on;
    }
    (was_on != is_on)
        .then(|| format!("{name}: the last that was told is {:?}, and it is {is_on}", events.last()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn moment(event: &Value) -> Option<Timestamp> {
    event["at"].as_str()?.parse().ok()
}
