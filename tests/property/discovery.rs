//! What became of each database, whatever is created, dropped, renamed and restored between two looks?
//!
//! The oracle numbers databases when they are made and remembers whose copy each is. It sees numbers and places, never a guid; the
//! rule sees guids and names, never a number.

use std::collections::BTreeMap;

use domain::discovery::settings::Settings;
use domain::discovery::{Change, Ground, Known, Place, look};
use domain::facts::{DatabaseState, RecoveryModel};
use domain::id::Guid;
use domain::inventory::Lineage;
use domain::limits::Profile;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::seeds::{replay, seeds};
use crate::{config, minute};

const INSTANCES: [&str; 2] = ["a", "b"];
const NAMES: [&str; 4] = ["orders", "sales", "hr", "Orders"];

/// A place: instance and name.
type At = (usize, usize);

#[derive(Debug, Clone, Copy)]
enum Event {
    Create(usize, usize),
    /// One of those that are there.
    Drop(usize),
    Rename(usize, usize, usize),
    /// The backup of any database there ever was, so many before the newest, to an instance and a name.
    Restore(usize, At),
    /// The login does not see one of them any more, or sees one again.
    Hide(usize),
    Show(usize),
    Look(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (i, n) = (0..INSTANCES.len(), 0..NAMES.len());
    let at = || (0..INSTANCES.len(), 0..NAMES.len());
    let event = prop_oneof![
        3 => (i.clone(), n.clone()).prop_map(|(i, n)| Event::Create(i, n)),
        3 => (0_usize..8).prop_map(Event::Drop),
        4 => (i.clone(), n.clone(), n).prop_map(|(i, from, to)| Event::Rename(i, from, to)),
        6 => (0_usize..6, at()).prop_map(|(before, to)| Event::Restore(before, to)),
        3 => (0_usize..8).prop_map(Event::Hide),
        4 => (0_usize..8).prop_map(Event::Show),
        6 => i.prop_map(Event::Look),
    ];
    prop::collection::vec(event, 1..60)
}

/// What the oracle knows of a head: the number of its database, and whether that was gone at the last look.
type Head = (usize, bool);

#[derive(Debug, Default)]
struct Story {
    /// Family of each database ever made.
    families: Vec<usize>,
    alive: BTreeMap<At, usize>,
    /// There, and not seen.
    hidden: BTreeMap<At, usize>,
    /// The oracle's heads.
    heads: BTreeMap<At, Head>,
    /// The rule's heads.
    known: Vec<Known>,
    /// How often each kind of change was told.
    told: BTreeMap<&'static str, u32>,
}

fn place((instance, name): At) -> Place {
    Place { instance: INSTANCES[instance].to_owned(), name: NAMES[name].to_owned() }
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Unchanged => "unchanged",
        Change::Returned => "returned",
        Change::Renamed { .. } => "renamed",
        Change::Moved { .. } => "moved",
        Change::Restored { .. } => "restored",
        Change::Recreated => "recreated",
        Change::New => "new",
        Change::Skipped(_) => "skipped",
    }
}

/// One of them, by a number of any size.
fn nth(databases: &BTreeMap<At, usize>, which: usize) -> Option<At> {
    databases.keys().nth(which.checked_rem(databases.len())?).copied()
}

impl Story {
    fn make(&mut self, at: At, family: Option<usize>) {
        if !self.alive.contains_key(&at) {
            let number = self.families.len();
            self.families.push(family.unwrap_or(number));
            self.alive.insert(at, number);
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Create(i, n) => self.make((i, n), None),
            Event::Drop(which) => {
                if let Some(at) = nth(&self.alive, which) {
                    self.alive.remove(&at);
                }
            }
            Event::Rename(i, from, to) => {
                if !self.alive.contains_key(&(i, to))
                    && let Some(number) = self.alive.remove(&(i, from))
                {
                    self.alive.insert((i, to), number);
                }
            }
            Event::Restore(before, to) => {
                if let Some(family) = self.families.iter().rev().nth(before).copied() {
                    self.make(to, Some(family));
                }
            }
            Event::Hide(which) => {
                if let Some(at) = nth(&self.alive, which)
                    && let Some(number) = self.alive.remove(&at)
                {
                    self.hidden.insert(at, number);
                }
            }
            Event::Show(which) => {
                if let Some(at) = nth(&self.hidden, which).filter(|at| !self.alive.contains_key(at))
                    && let Some(number) = self.hidden.remove(&at)
                {
                    self.alive.insert(at, number);
                }
            }
            Event::Look(i) => self.look(i)?,
        }
        Ok(())
    }

    /// The server's row; guids in capitals on one of two instances, as msdb and log copies differ.
    fn state(&self, (instance, name): At, number: usize) -> DatabaseState {
        let guid = |text: String| Guid::new(if instance == 0 { text } else { text.to_uppercase() });
        DatabaseState {
            name: NAMES[name].to_owned(),
            id: i32::try_from(number).unwrap_or(0),
            state: "ONLINE".to_owned(),
            recovery_model: Some(RecoveryModel::Full),
            database_guid: Some(guid(format!("d-{number}"))),
            family_guid: Some(guid(format!("f-{}", self.families[number]))),
            recovery_fork_guid: None,
            last_log_backup_lsn: None,
            differential_base_guid: None,
            differential_base_lsn: None,
            data_bytes: Some(1 << 30),
            files: 2,
            filestream: false,
            read_only: false,
            snapshot_of: None,
            server: 0,
        }
    }

    /// Whether the database of a head is there, as far as somebody who looks at this instance now can know.
    fn is_there(&self, looked_at: usize, at: At, (number, gone): Head) -> bool {
        if at.0 == looked_at {
            self.alive.iter().any(|(place, other)| place.0 == at.0 && *other == number)
        } else {
            !gone
        }
    }

    fn expected(&self, at: At, number: usize) -> &'static str {
        let here = self.heads.iter().find(|(place, head)| place.0 == at.0 && head.0 == number);
        if let Some((place, (_, gone))) = here {
            return if place.1 != at.1 {
                "renamed"
            } else if *gone {
                "returned"
            } else {
                "unchanged"
            };
        }
        if self.heads.get(&at).is_some_and(|head| !self.is_there(at.0, at, *head)) {
            return "recreated";
        }
        let family = self.families[number];
        let kin: Vec<_> = self.heads.iter().filter(|(_, head)| self.families[head.0] == family).collect();
        let elsewhere = kin.iter().any(|(place, _)| place.0 != at.0);
        match kin.iter().any(|(place, head)| self.is_there(at.0, **place, **head)) {
            _ if kin.is_empty() => "new",
            false if elsewhere => "moved",
            _ => "restored",
        }
    }

    fn look(&mut self, i: usize) -> Result<(), TestCaseError> {
        let here: Vec<_> = self.alive.iter().filter(|(at, _)| at.0 == i).map(|(at, n)| (*at, *n)).collect();
        let states: Vec<_> = here.iter().rev().map(|(at, number)| self.state(*at, *number)).collect();
        let settings = Settings::new("all", "weekly", "vault");
        let ground =
            Ground { instance: INSTANCES[i], settings: &settings, profile: Profile::Rds, in_vault: 0 };
        let found = look(&ground, &self.known, &states);
        let mut expected: Vec<_> =
            here.iter().map(|(at, number)| (NAMES[at.1], self.expected(*at, *number))).collect();
        expected.sort_unstable();
        let told: Vec<_> = found.shown.iter().map(|(name, change)| (name.as_str(), kind(change))).collect();
        prop_assert_eq!(&told, &expected);
        for (_, kind) in told {
            *self.told.entry(kind).or_default() += 1;
        }
        self.keep_heads(i, &here);
        let gone_before = self.known.len();
        self.settle(i, &found.shown, &found.gone, &states);
        prop_assert!(self.known.len() <= gone_before + states.len());
        self.agree()?;
        // Looked at again, nothing has become of anything.
        let again = look(&ground, &self.known, &states);
        prop_assert!(again.gone.is_empty() && again.refused.is_empty(), "{:?}", again);
        prop_assert!(again.shown.iter().all(|(_, change)| *change == Change::Unchanged), "{:?}", again);
        Ok(())
    }

    /// The oracle's heads after a look: whoever is there has the head of its place; what lost its place to nobody stays, gone.
    fn keep_heads(&mut self, i: usize, here: &[(At, usize)]) {
        self.heads.retain(|at, head| at.0 != i || !here.iter().any(|(_, number)| *number == head.0));
        for (at, head) in &mut self.heads {
            head.1 |= at.0 == i;
        }
        self.heads.extend(here.iter().map(|(at, number)| (*at, (*number, false))));
    }

    /// What is done with a look: heads are moved, made, marked.
    fn settle(&mut self, i: usize, shown: &[(String, Change)], gone: &[String], states: &[DatabaseState]) {
        let instance = INSTANCES[i];
        let is = |head: &Known, name: &str| head.place.instance == instance && head.place.name == name;
        let left: Vec<_> = shown
            .iter()
            .filter_map(|(_, change)| if let Change::Renamed { from } = change { Some(from) } else { None })
            .collect();
        self.known.retain(|head| {
            let shown_now = shown.iter().any(|(name, _)| is(head, name));
            !shown_now && !left.iter().any(|from| is(head, from))
        });
        for head in &mut self.known {
            if gone.iter().any(|name| is(head, name)) {
                head.gone_at = Some(minute(1));
            }
        }
        for state in states {
            let lineage = state.family_guid.clone().zip(state.database_guid.clone());
            self.known.push(Known {
                place: Place { instance: instance.to_owned(), name: state.name.clone() },
                lineage: lineage.map(|(family_guid, database_guid)| Lineage {
                    family_guid,
                    database_guid,
                    server: 0,
                }),
                gone_at: None,
            });
        }
    }

    /// Both have the same heads, of the same databases, with the same marks.
    fn agree(&self) -> Result<(), TestCaseError> {
        let mut rule: Vec<_> = self
            .known
            .iter()
            .map(|head| {
                let guid = head.lineage.as_ref().map(|lineage| lineage.database_guid.as_str().to_lowercase());
                (head.place.clone(), guid.unwrap_or_default(), head.gone_at.is_some())
            })
            .collect();
        rule.sort();
        let mut oracle: Vec<_> = self
            .heads
            .iter()
            .map(|(at, (number, gone))| (place(*at), format!("d-{number}"), *gone))
            .collect();
        oracle.sort();
        prop_assert_eq!(rule, oracle);
        Ok(())
    }
}

#[test]
fn every_database_is_recognised_and_found_once() {
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in seeds(4) {
        let counts = std::cell::RefCell::new(BTreeMap::<&str, u32>::new());
        let ran = TestRunner::new(config(seed, 500)).run(&events(), |events| {
            let mut story = Story::default();
            for event in events {
                story.happen(event)?;
            }
            for (kind, count) in story.told {
                *counts.borrow_mut().entry(kind).or_default() += count;
            }
            Ok(())
        });
        assert!(ran.is_ok(), "{}\n{}", ran.unwrap_err(), replay(seed, "discovery"));
        for (kind, count) in counts.into_inner() {
            *told.entry(kind).or_default() += count;
        }
    }
    println!("changes: {told:?}");
    for kind in ["unchanged", "returned", "renamed", "moved", "restored", "recreated", "new"] {
        assert!(told.get(kind).copied().unwrap_or(0) >= 50, "{kind} occurs too rarely: {told:?}");
    }
}
