//! Which databases are there when, under which names: told by the scenario alone.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Scenario;
use super::event::{Event, Happening};

/// A database under one name on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Instance.
    pub instance: String,
    /// Name.
    pub name: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when; to the end and beyond without.
    pub until: Option<Timestamp>,
}

impl Life {
    /// Whether it is there at a moment.
    pub fn is_at(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Scenario {
    /// Every database by instance and name, those of the first moment first.
    pub fn lives(&self) -> Vec<Life> {
        let mut lives: Vec<Life> = Vec::new();
        for instance in &self.instances {
            for (name, ..) in instance.databases.iter().flat_map(super::DatabaseSpec::each) {
                lives.push(Life { instance: instance.name.clone(), name, from: self.start, until: None });
            }
        }
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.at);
        for event in events {
            live(&mut lives, event);
        }
        lives
    }

    /// When the last database of a name went, by instance and name, of those names that none has any more: from then on nothing of it
    /// can be lost.
    pub fn last_moments(&self) -> BTreeMap<(String, String), Timestamp> {
        let mut last: BTreeMap<(String, String), Option<Timestamp>> = BTreeMap::new();
        for Life { instance, name, until, .. } in self.lives() {
            let moment = last.entry((instance, name)).or_insert(until);
            *moment = moment.zip(until).map(|(one, other)| one.max(other));
        }
        last.into_iter().filter_map(|(of, moment)| Some((of, moment?))).collect()
    }
}

fn live(lives: &mut Vec<Life>, event: &Event) {
    let (Some(instance), Some(name)) = (&event.instance, &event.database) else { return };
    let ends = matches!(event.what, Happening::DropDatabase | Happening::RenameDatabase);
    let mut there = lives
        .iter_mut()
        .filter(|life| life.instance == *instance && life.name == *name && life.is_at(event.at));
    if ends && let Some(life) = there.next() {
        life.until = Some(event.at);
    }
    let (instance, name) = match event.what {
        Happening::CreateDatabase => (instance, name),
        Happening::RenameDatabase => (instance, event.to.as_ref().unwrap_or(name)),
        Happening::CopyDatabase => {
            (event.to_instance.as_ref().unwrap_or(instance), event.to.as_ref().unwrap_or(name))
        }
        _ => return,
    };
    lives.push(Life { instance: instance.clone(), name: name.clone(), from: event.at, until: None });
}
