//! What a look changes in the store, in groups that are written together or not at all.
//!
//! A rename frees one name and takes another, so heads that pass names on to each other are one group. Refuses to carry anything
//! out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::former::Former;
use super::kin::Kin;
use super::{Change, Look, heads};
use crate::facts::DatabaseState;
use crate::inventory::Database;
use crate::reason::{Class, Reason};

/// Changes that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rewrite {
    /// Heads as they are to be stored.
    pub put: Vec<Database>,
    /// Names whose head goes.
    pub remove: Vec<String>,
    /// Members of families that take the place of others or come anew.
    pub kin: Vec<Kin>,
    /// Members of families that go.
    pub forget: Vec<Kin>,
    /// Databases that give up their names to others.
    pub former: Vec<Former>,
    /// Names whose waiting tasks end, and why.
    pub ends: Vec<(String, Reason)>,
    /// Names from which heads go on under another: none may have a task at work.
    pub from: Vec<String>,
    /// Whether a database has become due.
    pub is_due: bool,
}

/// What has to be written after a look. `heads`: those of the instance. `is_listed`: whether the family of a head is known to hold it.
pub fn rewrites(
    look: &Look,
    heads: &BTreeMap<&str, &Database>,
    shown: &[DatabaseState],
    (instance, now): (&str, Timestamp),
    is_listed: impl Fn(&Database) -> bool,
) -> Vec<Rewrite> {
    let states: BTreeMap<&str, &DatabaseState> =
        shown.iter().map(|state| (state.name.as_str(), state)).collect();
    let unlisted = |head: &Database| head.lineage.is_some() && !is_listed(head);
    let mut groups = Groups::default();
    let mut wanted: BTreeMap<String, Database> = BTreeMap::new();
    let mut moved: BTreeMap<&str, &str> = BTreeMap::new();
    let mut due = BTreeSet::new();
    for (name, change) in &look.shown {
        let from = if let Change::Renamed { from } = change { from } else { name };
        let head = heads.get(from.as_str()).copied();
        let Some(state) = states.get(name.as_str()) else { continue };
        match heads::settled(change, head, state, (instance, now)) {
            Some(settled) => {
                groups.join(name, from);
                if let Change::Renamed { from } = change {
                    moved.insert(from, name);
                }
                if matches!(change, Change::Recreated | Change::Returned) || change.enrols() {
                    due.insert(name.as_str());
                }
                wanted.insert(name.clone(), settled);
            }
            // One that was there before families were listed, or whose identity was found since.
            None if *change == Change::Unchanged && head.is_some_and(unlisted) => {
                groups.join(name, name);
            }
            None => {}
        }
    }
    for name in &look.gone {
        if let Some(head) = heads.get(name.as_str()) {
            groups.join(name, name);
            // Another may have taken its name.
            wanted.entry(name.clone()).or_insert_with(|| heads::gone(head, now));
        }
    }
    groups
        .into_sets()
        .into_iter()
        .map(|names| {
            let mut group = rewrite(&names, heads, &wanted, &moved, now);
            group.is_due = names.iter().any(|name| due.contains(name.as_str()));
            group
        })
        .collect()
}

fn rewrite(
    names: &BTreeSet<String>,
    heads: &BTreeMap<&str, &Database>,
    wanted: &BTreeMap<String, Database>,
    moved: &BTreeMap<&str, &str>,
    now: Timestamp,
) -> Rewrite {
    let mut group = Rewrite::default();
    for name in names {
        let (head, wanted) = (heads.get(name.as_str()), wanted.get(name));
        let to = moved.get(name.as_str());
        if let Some(wanted) = wanted {
            group.put.push(wanted.clone());
        }
        group.kin.extend(wanted.or(head.copied().filter(|_| to.is_none())).and_then(Kin::of));
        let before = head.and_then(|head| Kin::of(head));
        if let Some(to) = to {
            if wanted.is_none() {
                group.remove.push(name.clone());
            }
            group.forget.extend(before);
            group.from.push(name.clone());
            group.ends.push((name.clone(), renamed(name, to)));
        } else if let Some(wanted) = wanted {
            let before = before.filter(|before| Some(&before.lineage) != wanted.lineage.as_ref());
            let replaced = head.filter(|_| before.is_some());
            group.former.extend(replaced.and_then(|head| Former::of(head, now)));
            group.kin.extend(before.map(|before| Kin { gone_at: before.gone_at.or(Some(now)), ..before }));
            if wanted.gone_at.is_some() {
                group.ends.push((name.clone(), dropped(name)));
            }
        }
    }
    // What goes on under another name is no member under its old one, unless another member is there now.
    let kept: BTreeSet<_> = group.kin.iter().map(crate::record::Record::key).collect();
    group.forget.retain(|kin| !kept.contains(&crate::record::Record::key(kin)));
    group
}

fn renamed(from: &str, to: &str) -> Reason {
    Reason::new(Class::Never, "DatabaseRenamed", format!("database {from:?} is called {to:?} now")).guidance(
        "what was due is planned anew under the new name; what somebody asked for has to be asked for again",
    )
}

fn dropped(name: &str) -> Reason {
    Reason::new(Class::Never, "DatabaseGone", format!("database {name:?} is not on its instance any more"))
        .guidance("its last good chain stays until somebody lets it go")
}

/// Names that belong together, merged as ties come.
#[derive(Default)]
struct Groups {
    sets: Vec<BTreeSet<String>>,
    of: BTreeMap<String, usize>,
}

impl Groups {
    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.set_of(one), self.set_of(other));
        if one != other {
            let (small, large) =
                if self.sets[one].len() < self.sets[other].len() { (one, other) } else { (other, one) };
            for name in std::mem::take(&mut self.sets[small]) {
                self.of.insert(name.clone(), large);
                self.sets[large].insert(name);
            }
        }
    }

    fn set_of(&mut self, name: &str) -> usize {
        if let Some(set) = self.of.get(name) {
            return *set;
        }
        let set = self.sets.len();
        self.sets.push(BTreeSet::from([name.to_owned()]));
        self.of.insert(name.to_owned(), set);
        set
    }

    fn into_sets(self) -> Vec<BTreeSet<String>> {
        self.sets.into_iter().filter(|set| !set.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::tests::{known, shown};
    use super::super::{Ground, look};
    use super::*;
    use crate::limits::Profile;

    fn head(name: &str, known: &super::super::Known) -> Database {
        let mut head = Database::new("a", name);
        (head.lineage, head.gone_at) = (known.lineage.clone(), known.gone_at);
        head
    }

    /// A group in words: `orders=1.1` is put (`!` gone), `-x` removed, `+1.1@x` kin, `~1.1@x` forgotten, `^1.1@x` former, `.x` its tasks end, `*` due.
    fn told(group: &Rewrite) -> String {
        let lineage = |lineage: &crate::inventory::Lineage| {
            format!("{}.{}", lineage.family_guid.as_str(), lineage.incarnation())
        };
        let gone = |at: Option<Timestamp>| if at.is_some() { "!" } else { "" };
        let mut words: Vec<String> = Vec::new();
        words.extend(group.put.iter().map(|head| {
            let of = head.lineage.as_ref().map(lineage).unwrap_or_default();
            format!("{}{}={of}", head.name, gone(head.gone_at))
        }));
        words.extend(group.remove.iter().map(|name| format!("-{name}")));
        let kin = |kin: &Kin| format!("{}@{}{}", lineage(&kin.lineage), kin.place.name, gone(kin.gone_at));
        words.extend(group.kin.iter().map(|one| format!("+{}", kin(one))));
        words.extend(group.forget.iter().map(|one| format!("~{}", kin(one))));
        let former = |one: &Former| format!("^{}@{}", lineage(&one.lineage), one.name);
        words.extend(group.former.iter().map(former));
        words.extend(group.ends.iter().map(|(name, _)| format!(".{name}")));
        words.extend(group.is_due.then(|| "*".to_owned()));
        words.join(" ")
    }

    #[test]
    fn what_passes_a_name_on_is_written_together() {
        let settings = Settings::new("all", "weekly", "vault");
        let ground = Ground { instance: "a", settings: &settings, profile: Profile::Rds, in_vault: 0 };
        for (before, server, expected) in [
            ("", "orders=1.1", "orders=1.1 +1.1@orders *"),
            ("orders=1.1", "orders=1.1", ""),
            ("orders=1.1", "sales=1.1", "sales=1.1 -orders +1.1@sales ~1.1@orders .orders"),
            ("orders=1.1", "", "orders!=1.1 +1.1@orders! .orders"),
            ("orders!=1.1", "orders=1.1", "orders=1.1 +1.1@orders *"),
            // What had the name before is remembered by its family, and by the name.
            ("orders=1.1", "orders=2.2", "orders=2.2 +2.2@orders +1.1@orders! ^1.1@orders *"),
            ("orders=1.1", "orders=1.2", "orders=1.2 +1.2@orders +1.1@orders! ^1.1@orders *"),
            // The same guids, on another server.
            ("orders=1.1", "orders=1.1~1", "orders=1.1~1 +1.1~1@orders +1.1@orders! ^1.1@orders *"),
            ("a=1.1 b=2.2", "a=2.2 b=1.1", "a=2.2 b=1.1 +2.2@a +1.1@b ~1.1@a ~2.2@b .a .b"),
            ("a=1.1 b=2.2", "b=1.1 c=2.2", "b=1.1 c=2.2 -a +1.1@b +2.2@c ~1.1@a ~2.2@b .a .b"),
            // The name of one that is gone goes to one that is renamed.
            ("a=1.1 b!=2.2", "b=1.1", "b=1.1 -a +1.1@b +2.2@b! ~1.1@a ^2.2@b .a"),
            // Renamed aside and restored over.
            ("o=1.1", "old=1.1 o=1.2", "o=1.2 old=1.1 +1.2@o +1.1@old ~1.1@o .o *"),
            ("x=1.1 y=2.2", "y=2.2 z=3.3", "z=3.3 +3.3@z * | x!=1.1 +1.1@x! .x"),
        ] {
            let (known, shown) = (known(before), shown(server));
            let stored: Vec<Database> = known.iter().map(|one| head(&one.place.name, one)).collect();
            let heads: BTreeMap<&str, &Database> =
                stored.iter().map(|head| (head.name.as_str(), head)).collect();
            let look = look(&ground, &known, &shown);
            let groups = rewrites(&look, &heads, &shown, ("a", Timestamp::UNIX_EPOCH), |_| true);
            let words: Vec<String> = groups.iter().map(told).collect();
            assert_eq!(words.join(" | "), expected, "{before:?} against {server:?}");
        }
    }

    #[test]
    fn a_head_that_no_family_lists_is_listed_once() {
        let settings = Settings::new("all", "weekly", "vault");
        let ground = Ground { instance: "a", settings: &settings, profile: Profile::Rds, in_vault: 0 };
        let (known, shown) = (known("o=1.1"), shown("o=1.1"));
        let stored = head("o", &known[0]);
        let heads = BTreeMap::from([("o", &stored)]);
        let look = look(&ground, &known, &shown);
        for (is_listed, expected) in [(false, vec!["+1.1@o"]), (true, vec![])] {
            let groups = rewrites(&look, &heads, &shown, ("a", Timestamp::UNIX_EPOCH), |_| is_listed);
            assert_eq!(groups.iter().map(told).collect::<Vec<_>>(), expected);
        }
    }
}
