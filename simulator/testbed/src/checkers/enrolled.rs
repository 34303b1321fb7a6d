//! Who is protected is told: from the events alone a receiver knows which names are, and of which enrolments failed.

use std::collections::{BTreeMap, BTreeSet};

use domain::discovery::Change;
use domain::discovery::seen::{Looked, looked_key};
use domain::reason::Class;
use jiff::Timestamp;
use ports::store::{Key, decode};
use serde_json::Value;

use super::Checked;
use crate::simulation::View;
use crate::testbed::Testbed;

/// A name on an instance.
type Name<'a> = (&'a str, &'a str);

pub(super) fn check(told: &BTreeMap<String, Value>, bed: &Testbed, view: &View, checked: &mut Checked) {
    let turns = turns(told);
    let heads: BTreeMap<Name<'_>, bool> = view
        .databases
        .iter()
        .map(|held| &held.head)
        .map(|head| ((head.instance.as_str(), head.name.as_str()), head.gone_at.is_none()))
        .collect();
    for (name, is_protected) in &heads {
        // One that a person enrolled is told of from what becomes of it on.
        let last = turns.get(name).and_then(|turns| turns.last()).is_none_or(|(_, is_there)| *is_there);
        let objection = || format!("{name:?}: told {:?}, and it is {is_protected}", turns.get(name));
        checked.look((last != *is_protected).then(objection));
    }
    for (name, turns) in turns.iter().filter(|(name, _)| !heads.contains_key(*name)) {
        let is_there = turns.last().is_some_and(|(_, is_there)| *is_there);
        checked.look(is_there.then(|| format!("{name:?} was told to be protected and has no head")));
    }
    failed(told, bed, view, checked);
}

/// When each name began to be protected (true) and ceased to be. Of two turns at one moment the name was given up first.
fn turns(told: &BTreeMap<String, Value>) -> BTreeMap<Name<'_>, Vec<(Timestamp, bool)>> {
    let mut turns: BTreeMap<Name<'_>, Vec<(Timestamp, bool)>> = BTreeMap::new();
    for event in told.values() {
        let Some(at) = event["at"].as_str().and_then(|at| at.parse().ok()) else { continue };
        let fields: &[(&str, bool)] = match event["event"].as_str() {
            Some("database_enrolled") => &[("database", true)],
            Some("database_gone") => &[("database", false)],
            Some("database_renamed") => &[("from", false), ("database", true)],
            _ => continue,
        };
        for (field, is_there) in fields {
            let (Some(instance), Some(name)) = (event["instance"].as_str(), event[*field].as_str()) else {
                continue;
            };
            turns.entry((instance, name)).or_default().push((at, *is_there));
        }
    }
    for turns in turns.values_mut() {
        turns.sort();
    }
    turns
}

/// Whoever is not protected and should be, has been told of: by name, or with all others of its instance. And nobody else has.
fn failed(told: &BTreeMap<String, Value>, bed: &Testbed, view: &View, checked: &mut Checked) {
    let failed = told.values().filter(|event| event["event"] == "enrolment_failed");
    let failed: BTreeSet<(&str, Option<&str>, &str)> = failed
        .filter_map(|event| {
            Some((event["instance"].as_str()?, event["database"].as_str(), event["reason"]["name"].as_str()?))
        })
        .collect();
    for page in &view.seen {
        for seen in &page.seen {
            let Change::Skipped(reason) = &seen.change else { continue };
            let instance = page.instance.as_str();
            let is_told = [Some(seen.name.as_str()), None]
                .iter()
                .any(|name| failed.contains(&(instance, *name, reason.name.as_ref())));
            let by_name = failed.contains(&(instance, Some(seen.name.as_str()), reason.name.as_ref()));
            let objection = match reason.class {
                Class::Human => !is_told,
                Class::Retry | Class::Wait | Class::Never => by_name,
            };
            let name = (instance, &seen.name);
            checked.look(objection.then(|| format!("{name:?} is skipped: {reason}; told: {failed:?}")));
        }
    }
    let instances: BTreeSet<&str> = view.databases.iter().map(|held| held.head.instance.as_str()).collect();
    for instance in instances {
        let (partition, sort) = looked_key(instance);
        let stored = bed.store().look(|table| table.get(&Key { partition, sort }));
        let Some(Ok(looked)) = stored.map(|item| decode::<Looked>(&item)) else { continue };
        let Some(trouble) = looked.record.trouble else { continue };
        let is_told = failed.iter().any(|(of, name, _)| *of == instance && name.is_none());
        checked
            .look((!is_told).then(|| format!("no look at {instance} succeeds: {trouble}; nobody was told")));
    }
}
