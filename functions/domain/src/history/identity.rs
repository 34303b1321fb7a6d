//! Which rows belong to one database: by guids, by name only where a row has none.
//!
//! Never by server name: the replicas of an availability group write one chain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Incomplete, Lineage};
use crate::backup::Backup;
use crate::id::Guid;

/// What a row says about its identity: family, incarnation.
type Guids = (Option<Guid>, Option<Guid>);

#[derive(Default)]
struct Group {
    id: String,
    backups: Vec<Backup>,
    incomplete: Vec<Incomplete>,
    /// It and another share a name or a guid, and rows of one of them do not tell which they belong to.
    is_doubtful: bool,
}

/// The lineages being gathered. Positions in `members` are the values of every index.
#[derive(Default)]
struct Groups {
    members: Vec<Group>,
    by_guids: BTreeMap<Guids, usize>,
    by_family: BTreeMap<Guid, Vec<usize>>,
    by_incarnation: BTreeMap<Guid, Vec<usize>>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_name_only: BTreeMap<String, usize>,
    torn: BTreeMap<String, usize>,
}

impl Groups {
    fn open(&mut self, id: String) -> usize {
        self.members.push(Group { id, ..Group::default() });
        self.members.len() - 1
    }

    fn add_name(&mut self, name: &str, group: usize) {
        let groups = self.by_name.entry(name.to_ascii_lowercase()).or_default();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }

    /// The group of a row with both guids.
    fn whole(&mut self, guids: &Guids, name: &str) -> usize {
        let group = if let Some(group) = self.by_guids.get(guids) {
            *group
        } else {
            let group = self.open(written(guids));
            self.by_guids.insert(guids.clone(), group);
            if let Some(family) = &guids.0 {
                self.by_family.entry(family.clone()).or_default().push(group);
            }
            if let Some(incarnation) = &guids.1 {
                self.by_incarnation.entry(incarnation.clone()).or_default().push(group);
            }
            group
        };
        self.add_name(name, group);
        group
    }

    /// The group of a row with one guid: the only one that shares it, else the only one of that name among them.
    fn half(&mut self, guids: &Guids, name: &str) -> usize {
        let key = name.to_ascii_lowercase();
        let sharing = match guids {
            (Some(family), _) => self.by_family.get(family),
            (_, Some(incarnation)) => self.by_incarnation.get(incarnation),
            (None, None) => None,
        };
        let named = self.by_name.get(&key).map_or(&[][..], Vec::as_slice);
        if let Some(sharing) = sharing {
            if let [only] = sharing.as_slice() {
                return *only;
            }
            let mut both = sharing.iter().filter(|group| named.contains(group));
            if let (Some(only), None) = (both.next(), both.next()) {
                return *only;
            }
        }
        if let Some(group) = self.by_guids.get(guids) {
            return *group;
        }
        let group = self.open(written(guids));
        self.by_guids.insert(guids.clone(), group);
        group
    }

    /// The group of a row without guids: the only one of its name, else one of its own.
    fn nameless(&mut self, name: &str) -> usize {
        let key = name.to_ascii_lowercase();
        if let Some(group) = self.by_name_only.get(&key) {
            if let Some(count) = self.torn.get_mut(&key) {
                *count += 1;
            }
            return *group;
        }
        let group = match self.by_name.get(&key).map(Vec::as_slice) {
            Some([only]) => *only,
            Some(_) => {
                self.torn.insert(key.clone(), 1);
                self.open(name.to_owned())
            }
            None => self.open(name.to_owned()),
        };
        self.by_name_only.insert(key, group);
        group
    }

    fn place(&mut self, guids: &Guids, name: &str) -> usize {
        match guids {
            (Some(_), Some(_)) => self.whole(guids, name),
            (None, None) => self.nameless(name),
            _ => self.half(guids, name),
        }
    }
}

fn written((family, incarnation): &Guids) -> String {
    let text = |guid: &Option<Guid>| guid.as_ref().map_or_else(|| "?".to_owned(), Guid::to_string);
    format!("{}/{}", text(family), text(incarnation))
}

/// How much a row says: whole identities are gathered first, for the others to join.
fn precision(guids: &Guids) -> usize {
    2 - usize::from(guids.0.is_some()) - usize::from(guids.1.is_some())
}

/// Splits rows into lineages.
pub(super) fn split(
    backups: Vec<Backup>,
    incomplete: Vec<Incomplete>,
    warnings: &mut Vec<String>,
) -> Vec<Lineage> {
    let mut groups = Groups::default();
    let mut passes: [Vec<Backup>; 3] = Default::default();
    if backups.iter().all(|row| row.family_guid.is_some() && row.database_guid.is_some()) {
        passes[0] = backups;
    } else {
        for row in backups {
            passes[precision(&(row.family_guid.clone(), row.database_guid.clone()))].push(row);
        }
    }
    for (pass, rows) in passes.into_iter().enumerate() {
        // Exports come by database: what the row before was answered is nearly always the answer again.
        let mut last: Option<(Guids, Arc<str>, usize)> = None;
        for row in rows {
            let group = match &last {
                Some((guids, name, group))
                    if *name == row.database
                        && guids.0 == row.family_guid
                        && guids.1 == row.database_guid =>
                {
                    *group
                }
                _ => {
                    let guids = (row.family_guid.clone(), row.database_guid.clone());
                    let group = groups.place(&guids, &row.database);
                    last = Some((guids, Arc::clone(&row.database), group));
                    group
                }
            };
            groups.members[group].backups.push(row);
        }
        if pass == 1 {
            groups.name_halves();
        }
    }
    place_incomplete(&mut groups, incomplete);
    groups.doubt();
    for name in groups.torn.keys() {
        warnings.push(format!(
            "database {name}: some backups carry no guids and the name had several lives; those backups are kept as a lineage of their own"
        ));
    }
    lineages(groups.members)
}

impl Groups {
    /// Marks lineages that may be parts of each other: one is known by half of its guids or by name alone, and shares what it is known
    /// by, or its name, with others.
    fn doubt(&mut self) {
        let mut halves: BTreeSet<usize> = BTreeSet::new();
        let mut related: Vec<Vec<usize>> = Vec::new();
        for ((family, incarnation), group) in &self.by_guids {
            let sharing = match (family, incarnation) {
                (Some(_), Some(_)) => continue,
                (Some(family), None) => self.by_family.get(family),
                (None, Some(incarnation)) => self.by_incarnation.get(incarnation),
                (None, None) => None,
            };
            halves.insert(*group);
            related.push([sharing.map_or(&[][..], Vec::as_slice), &[*group]].concat());
        }
        for (name, group) in &self.by_name_only {
            let named = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
            related.push([named, &[*group]].concat());
        }
        let named = self.by_name.values().filter(|groups| groups.iter().any(|group| halves.contains(group)));
        related.extend(named.cloned());
        for groups in &mut related {
            groups.sort_unstable();
            groups.dedup();
            if groups.len() > 1 {
                for group in groups.iter() {
                    self.members[*group].is_doubtful = true;
                }
            }
        }
    }

    /// Lets rows without guids find lineages known by half a guid pair, too.
    fn name_halves(&mut self) {
        for group in 0..self.members.len() {
            let names: Vec<Arc<str>> = match self.members[group].backups.as_slice() {
                rows if rows.iter().all(|row| row.family_guid.is_some() && row.database_guid.is_some()) => {
                    continue;
                }
                rows => rows.iter().map(|row| Arc::clone(&row.database)).collect(),
            };
            let mut last: Option<&Arc<str>> = None;
            for name in &names {
                if last != Some(name) {
                    self.add_name(name, group);
                    last = Some(name);
                }
            }
        }
    }
}

fn place_incomplete(groups: &mut Groups, incomplete: Vec<Incomplete>) {
    for row in incomplete {
        let guids = (row.family_guid.clone(), row.database_guid.clone());
        let group = groups.place(&guids, &row.database);
        groups.members[group].incomplete.push(row);
    }
}

fn lineages(groups: Vec<Group>) -> Vec<Lineage> {
    let mut lineages: Vec<(String, Lineage)> = groups
        .into_iter()
        .filter(|group| !group.backups.is_empty() || !group.incomplete.is_empty())
        .map(|group| {
            let newest = group.backups.iter().max_by(|left, right| left.last_lsn.cmp(&right.last_lsn));
            let name = newest.map(|row| &row.database).or(group.incomplete.first().map(|row| &row.database));
            let name = name.map_or_else(|| Arc::from(""), Arc::clone);
            let key = name.to_ascii_lowercase();
            (key, Lineage::new(name, group.id, group.backups, group.incomplete).doubtful(group.is_doubtful))
        })
        .collect();
    lineages.sort_by(|(left, a), (right, b)| left.cmp(right).then_with(|| a.id.cmp(&b.id)));
    lineages.into_iter().map(|(_, lineage)| lineage).collect()
}
