//! What became of the databases of an instance since somebody last looked, and which of them are to be protected?
//!
//! A database is its lineage, never its name: the name it was known by, the instance it was on and the time of the look only say
//! where its head stands. A restore gives a new `database_guid` and leaves the `family_guid` (Microsoft Learn,
//! `sys.database_recovery_status`), so a restored copy is kin and no twin. Refuses to write: what it finds is a value, and found
//! again in the same place it is the same.

pub mod former;
pub mod heads;
pub mod kin;
pub mod rewrites;
pub mod seen;
pub mod selection;
pub mod settings;
pub mod support;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admission::lineage_of;
use crate::facts::DatabaseState;
use crate::inventory::{Database, Lineage};
use crate::limits::{Name, Profile};
use crate::reason::{Class, Reason};
use settings::Settings;

/// Where a database is, or was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Instance.
    pub instance: String,
    /// Name.
    pub name: String,
}

/// A head of the catalogue, as far as identity goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Where it was seen last.
    pub place: Place,
    /// Identity, once seen on the server.
    pub lineage: Option<Lineage>,
    /// Since when it has not been seen, if so.
    pub gone_at: Option<Timestamp>,
}

impl Known {
    /// What a head tells of itself.
    pub fn of(head: &Database) -> Self {
        let place = Place { instance: head.instance.clone(), name: head.name.clone() };
        Self { place, lineage: head.lineage.clone(), gone_at: head.gone_at }
    }
}

/// What became of a database that the server shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// As it was.
    Unchanged,
    /// Marked as gone, and there again.
    Returned,
    /// The same database under another name: its head moves, its catalogue stays.
    Renamed {
        /// Its name before.
        from: String,
    },
    /// Kin of one that was on another instance and is gone there.
    Moved {
        /// Where it was.
        from: Place,
    },
    /// Kin of one that is still there, or that was dropped here: a copy.
    Restored {
        /// Where the other is or was.
        from: Place,
    },
    /// Another database under a name that was known: its first full is due at once.
    Recreated,
    /// Nobody knew it.
    New,
    /// Not protected, and why.
    Skipped(Reason),
}

impl Change {
    /// Whether a database that had no head gets one.
    pub const fn enrols(&self) -> bool {
        matches!(self, Self::New | Self::Moved { .. } | Self::Restored { .. })
    }
}

/// What one look at an instance found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Every database that the server shows, by name, once.
    pub shown: Vec<(String, Change)>,
    /// Names of heads whose database the server does not show any more: they stay, marked, until a person lets them go.
    pub gone: Vec<String>,
    /// What was not carried out because it is more than one look may do, and what the login may not see.
    pub refused: Vec<Reason>,
}

/// What a look is made with.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The instance.
    pub instance: &'a str,
    /// What is enrolled, and how much at once.
    pub settings: &'a Settings,
    /// The limits of the vault it writes to.
    pub profile: Profile,
    /// Databases that the vault protects already.
    pub in_vault: u64,
}

/// Compares what is known with what the server shows. `known` holds every head of the instance, and of other instances those
/// whose family is shown here; the order of neither matters.
pub fn look(ground: &Ground<'_>, known: &[Known], shown: &[DatabaseState]) -> Look {
    let identity = Identity::new(ground.instance, known, shown);
    let twins = support::twins(shown);
    let mut look = Look::default();
    for state in &identity.shown {
        let change = identity.change(state);
        let twin = twins.get(state.name.as_str()).copied();
        let against = match &change {
            // Its name is protected: what discovery enrols does not matter any more.
            Change::Recreated => support::unsupported(ground, state, twin),
            change if change.enrols() => support::skipped(ground, state, twin),
            _ => None,
        };
        look.shown.push((state.name.clone(), against.map_or(change, Change::Skipped)));
    }
    look.gone = identity.gone();
    look.refused.extend(support::no_files(ground.instance, shown));
    within_limits(ground, &mut look, |name| identity.is_on_another_server(name));
    look
}

/// Who is who: each head goes to at most one database, and a database takes at most one.
struct Identity<'a> {
    /// What the server shows, by name.
    shown: Vec<&'a DatabaseState>,
    /// Heads of this instance by name.
    here: BTreeMap<&'a str, &'a Known>,
    /// Heads of this instance that a database has taken, by the head's name: the database's.
    taken: BTreeMap<&'a str, &'a str>,
    /// The same by the database's name.
    head_of: BTreeMap<&'a str, &'a str>,
    /// Heads by family: here and elsewhere, in order of place.
    families: BTreeMap<String, Vec<&'a Known>>,
    instance: &'a str,
}

impl<'a> Identity<'a> {
    fn new(instance: &'a str, known: &'a [Known], shown: &'a [DatabaseState]) -> Self {
        let mut shown: Vec<_> = shown.iter().collect();
        shown.sort_by_key(|state| state.name.as_str());
        let here: BTreeMap<_, _> = known
            .iter()
            .filter(|head| head.place.instance == instance)
            .map(|head| (head.place.name.as_str(), head))
            .collect();
        let mut families: BTreeMap<String, Vec<&Known>> = BTreeMap::new();
        for head in known {
            if let Some(lineage) = &head.lineage {
                families.entry(lineage.family_guid.as_str().to_ascii_lowercase()).or_default().push(head);
            }
        }
        for heads in families.values_mut() {
            heads.sort_by_key(|head| &head.place);
        }
        let mut identity =
            Self { shown, here, taken: BTreeMap::new(), head_of: BTreeMap::new(), families, instance };
        identity.take();
        identity
    }

    /// Those that kept their name come first, so that a twin cannot take their head; what is left follows its lineage.
    fn take(&mut self) {
        let mut free: BTreeMap<String, &str> = BTreeMap::new();
        for (name, head) in &self.here {
            if let Some(lineage) = &head.lineage {
                // Of two heads of one lineage the one that is not marked as gone is the database's.
                let entry = free.entry(lineage.folded()).or_insert(name);
                if head.gone_at.is_none() && self.here.get(entry).is_some_and(|first| first.gone_at.is_some())
                {
                    *entry = name;
                }
            }
        }
        let mut moved = Vec::new();
        for state in &self.shown {
            let lineage = lineage_of(state);
            match self.here.get_key_value(state.name.as_str()) {
                Some((name, head)) if is_same(head, lineage.as_ref()) => {
                    self.taken.insert(name, &state.name);
                    self.head_of.insert(&state.name, name);
                }
                _ => moved.push((state, lineage)),
            }
        }
        for (state, lineage) in moved {
            let from = lineage.and_then(|lineage| free.get(&lineage.folded()).copied());
            if let Some(from) = from.filter(|from| !self.taken.contains_key(from)) {
                self.taken.insert(from, &state.name);
                self.head_of.insert(&state.name, from);
            }
        }
    }

    fn change(&self, state: &DatabaseState) -> Change {
        let name = state.name.as_str();
        match self.head_of.get(name) {
            Some(head) if *head != name => return Change::Renamed { from: (*head).to_owned() },
            Some(_) if self.here.get(name).is_some_and(|head| head.gone_at.is_some()) => {
                return Change::Returned;
            }
            Some(_) => return Change::Unchanged,
            None => {}
        }
        // The head under its name is another database's: one that is there under a new name takes it along.
        let is_free = self.here.contains_key(name) && !self.taken.contains_key(name);
        if is_free { Change::Recreated } else { self.kin(state) }
    }

    /// Whether the head under a name is of a server that had the instance's name before.
    fn is_on_another_server(&self, name: &str) -> bool {
        let head = self.here.get(name).and_then(|head| head.lineage.as_ref());
        let at = self.shown.binary_search_by_key(&name, |state| state.name.as_str());
        head.zip(at.ok()).is_some_and(|(head, at)| head.server != self.shown[at].server)
    }

    /// Where a database without a head comes from.
    fn kin(&self, state: &DatabaseState) -> Change {
        let family = state.family_guid.as_ref().map(|family| family.as_str().to_ascii_lowercase());
        let Some(heads) = family.and_then(|family| self.families.get(&family)) else { return Change::New };
        let elsewhere = |head: &&&Known| head.place.instance != self.instance && head.gone_at.is_some();
        match (heads.iter().find(elsewhere), heads.first()) {
            // Kin that is still there, anywhere, is what a copy was made of: then nothing has moved.
            (Some(head), _) if heads.iter().all(|head| self.is_gone(head)) => {
                Change::Moved { from: head.place.clone() }
            }
            (_, Some(first)) => {
                let alive = heads.iter().find(|head| !self.is_gone(head)).unwrap_or(first);
                Change::Restored { from: self.now_at(alive) }
            }
            _ => Change::New,
        }
    }

    /// Where a head's database is by this look.
    fn now_at(&self, head: &Known) -> Place {
        let here = head.place.instance == self.instance;
        let renamed = self.taken.get(head.place.name.as_str()).filter(|_| here);
        let name = renamed.map_or(&*head.place.name, |name| name).to_owned();
        Place { instance: head.place.instance.clone(), name }
    }

    /// Whether a head's database is there no more, by this look where it is of this instance.
    fn is_gone(&self, head: &Known) -> bool {
        if head.place.instance == self.instance {
            return !self.taken.contains_key(head.place.name.as_str());
        }
        head.gone_at.is_some()
    }

    /// Heads that nobody took and that are not marked yet; but not where another database has the name and no head of its own, for then it
    /// takes this one's place, or waits for it.
    fn gone(&self) -> Vec<String> {
        let names = self.shown.iter().map(|state| state.name.as_str());
        let heirs: BTreeSet<&str> = names.filter(|name| !self.head_of.contains_key(name)).collect();
        let lost = |(name, head): &(&&str, &&Known)| {
            head.gone_at.is_none() && !self.taken.contains_key(**name) && !heirs.contains(**name)
        };
        self.here.iter().filter(lost).map(|(name, _)| (*name).to_owned()).collect()
    }
}

/// Whether nothing speaks against a database being the one that had its name: what one side does not tell cannot contradict. A
/// database that is not online tells no guids.
fn is_same(head: &Known, lineage: Option<&Lineage>) -> bool {
    match (&head.lineage, lineage) {
        (Some(known), Some(shown)) => known == shown,
        _ => true,
    }
}

/// Takes back what is more than one look may do: a wrong tag, or a name that leads to another server, neither enrols nor lets
/// go a fleet. Nothing of the kind that is too many is carried out; a part of a mistake is a mistake. A server that took the place of another by the
/// control plane's own word is none: every database on it begins anew, however many they are (`is_elsewhere`: whose head is of a server before). That
/// more are missing on it than one look lets go is a person's to judge: the snapshot may have been an old one.
fn within_limits(ground: &Ground<'_>, look: &mut Look, is_elsewhere: impl Fn(&str) -> bool) {
    let settings = ground.settings;
    let enrolled = look.shown.iter().filter(|(_, change)| change.enrols()).count();
    if exceeds(enrolled, settings.enrol_max) {
        let message = format!(
            "{} shows {enrolled} databases that nobody has enrolled, one discovery enrols {}",
            ground.instance, settings.enrol_max
        );
        let reason = Reason::new(Class::Human, "TooManyToEnrol", message)
            .guidance("see whether the right instances and names are selected; then raise enrol_max");
        skip(look, &reason, |_, change| change.enrols());
    }
    let capacity =
        ground.profile.value(Name::DatabasesPerVault).map(|limit| limit.saturating_sub(ground.in_vault));
    if let Some(capacity) = capacity {
        let message = format!("the vault takes {capacity} more databases");
        let reason = Reason::new(Class::Human, "VaultFull", message).guidance("use another vault");
        let mut place = 0_u64;
        skip(look, &reason, |_, change| {
            place = place.saturating_add(u64::from(change.enrols()));
            change.enrols() && place > capacity
        });
    }
    let is_replaced = |name: &str, change: &Change| *change == Change::Recreated && !is_elsewhere(name);
    let recreated = look.shown.iter().filter(|(name, change)| is_replaced(name, change)).count();
    let gone = look.gone.len().saturating_add(recreated);
    if exceeds(gone, settings.let_go_max) {
        let message = format!(
            "{gone} databases of {} are gone or replaced, one discovery lets go {}",
            ground.instance, settings.let_go_max
        );
        let reason = Reason::new(Class::Human, "TooManyGone", message)
            .guidance("see whether the endpoint leads to the right server and its login sees every database; then raise let_go_max");
        look.gone.clear();
        skip(look, &reason, is_replaced);
        if !look.refused.contains(&reason) {
            look.refused.push(reason);
        }
    }
}

fn exceeds(count: usize, max: u32) -> bool {
    u64::try_from(count).unwrap_or(u64::MAX) > u64::from(max)
}

/// Skips those with one reason, which is told once.
fn skip(look: &mut Look, reason: &Reason, mut which: impl FnMut(&str, &Change) -> bool) {
    let mut any = false;
    for (name, change) in &mut look.shown {
        if which(name, change) {
            *change = Change::Skipped(reason.clone());
            any = true;
        }
    }
    if any {
        look.refused.push(reason.clone());
    }
}
