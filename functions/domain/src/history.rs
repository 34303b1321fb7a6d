//! Which backups exist, and which of them belong to one database?
//!
//! A [`History`] is a validated set of backups, split into lineages, each ordered by LSN and never by time: clocks jump,
//! LSNs do not. Refuses to know what can be restored (`coverage`) and which backup needs which (`chain`).
//! Sources: Microsoft Learn, backupset and `sys.database_recovery_status` (`family_guid` survives a restore, `database_guid`
//! is new with every restore); names are no identity.

mod columns;
mod forks;
mod identity;
mod index;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

pub(crate) use self::columns::Columns;
pub(crate) use self::forks::Forks;
use crate::backup::{Backup, Kind};
use crate::id::{BackupId, Guid, caseless_cmp};
use crate::lsn::Lsn;

/// A row that names a backup but not enough to use it: without LSNs no chain can be proved. It is evidence for holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// What to call it in a sentence: its id, or where the row stands in the source.
    pub name: String,
    /// The database it names.
    pub database: Arc<str>,
    /// Its kind.
    pub kind: Kind,
    /// Original database.
    pub family_guid: Option<Guid>,
    /// Physical incarnation.
    pub database_guid: Option<Guid>,
    /// When it started (UTC).
    pub started: Timestamp,
    /// When it finished (UTC).
    pub finished: Timestamp,
    /// What it lacks, in words: "no `last_lsn`".
    pub lacks: String,
}

/// Two rows of one id that say different things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("backup {id} is given twice with different content")]
pub struct Conflict {
    /// The id.
    pub id: BackupId,
    /// Position of the first row in the input.
    pub first_row: usize,
    /// Position of the second row in the input.
    pub second_row: usize,
}

/// All backups of one database, over all its recovery forks.
#[derive(Debug, Clone)]
pub struct Lineage {
    database: Arc<str>,
    id: String,
    backups: Vec<Backup>,
    incomplete: Vec<Incomplete>,
    /// Read with the order of the backups; anew, when asked for, where those changed.
    columns: OnceLock<Columns>,
    /// Bases that exist, but in another lineage: (id of the differential, lineage of its base).
    foreign_bases: BTreeMap<BackupId, String>,
    is_rds: bool,
    is_doubtful: bool,
}

/// Backups of which no two contradict each other, each with its lineage, in the order they came.
#[derive(Debug)]
pub struct Validated {
    lineages: Vec<Lineage>,
    future_count: usize,
    warnings: Vec<String>,
}

/// A validated set of backups in lineages, each in the order of its log.
#[derive(Debug, Clone)]
pub struct History {
    lineages: Vec<Lineage>,
    future_count: usize,
    warnings: Vec<String>,
}

impl Lineage {
    fn new(database: Arc<str>, id: String, backups: Vec<Backup>, incomplete: Vec<Incomplete>) -> Self {
        let is_rds = backups.iter().any(Backup::is_of_rds);
        let (columns, foreign_bases) = (OnceLock::new(), BTreeMap::new());
        Self { database, id, backups, incomplete, columns, foreign_bases, is_rds, is_doubtful: false }
    }

    const fn doubtful(mut self, is_doubtful: bool) -> Self {
        self.is_doubtful = is_doubtful;
        self
    }

    /// Whether backups of it may belong to another lineage, or of another to it: some carry half of their guids or none, and several
    /// lineages share the name or the guid.
    pub const fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Whether the database is one of RDS, which restores by its own procedures only. Any backup of it says so, because a way
    /// may lead over logs of unknown files only.
    pub const fn is_rds(&self) -> bool {
        self.is_rds
    }

    /// The same lineage as if every obstacle to reading its backups were gone.
    pub(crate) fn without_obstacles(&self) -> Self {
        let mut lifted = self.clone();
        lifted.columns = OnceLock::new();
        for backup in &mut lifted.backups {
            backup.obstacle = None;
        }
        lifted
    }

    /// Leaves those backups only that `keep` marks, one mark for each in their order.
    pub(crate) fn leave(&mut self, keep: &[bool]) {
        let mut marks = keep.iter();
        self.backups.retain(|_| marks.next().copied().unwrap_or(true));
        self.columns = OnceLock::new();
    }

    /// The order of the log. Exports come in it, or nearly.
    fn sort(&mut self) {
        match Columns::of_ordered(&self.backups, order) {
            Some(columns) => self.columns = OnceLock::from(columns),
            None => index::sort_by(&mut self.backups, order),
        }
    }

    /// What is read of every backup, side by side.
    pub(crate) fn columns(&self) -> &Columns {
        self.columns.get_or_init(|| Columns::of(&self.backups))
    }

    /// Name of the database as its newest backup (by LSN) has it.
    pub fn database(&self) -> &Arc<str> {
        &self.database
    }

    /// `family_guid/database_guid`, or the database name where the source has no guids.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The backups by `last_lsn`; at the same LSN logs, bulk-logged logs, logs that cross a fork, data backups,
    /// empty logs: so that what reaches an LSN comes before what only shows that nothing followed.
    pub fn backups(&self) -> &[Backup] {
        &self.backups
    }

    /// Rows that cannot be used for want of LSNs.
    pub fn incomplete(&self) -> &[Incomplete] {
        &self.incomplete
    }

    /// The backup of this id and its position in [`Self::backups`].
    pub fn find(&self, id: &str) -> Option<(usize, &Backup)> {
        self.columns().index.find(&self.backups, id)
    }

    /// The full, differential, copy-only full or snapshot of this id; logs are not looked at.
    pub fn find_data(&self, id: &str) -> Option<&Backup> {
        self.columns().index.find_data(&self.backups, id)
    }

    /// The fulls, copy-only fulls and snapshots with this checkpoint, in LSN order.
    pub fn fulls_at_checkpoint(&self, checkpoint: Lsn) -> impl Iterator<Item = &Backup> {
        self.columns().index.at_checkpoint(checkpoint).map(|position| &self.backups[position])
    }

    /// The lineage that holds the base of this differential, where it is another one.
    pub fn foreign_base(&self, differential: &Backup) -> Option<&str> {
        self.foreign_bases.get(&differential.id).map(String::as_str)
    }
}

/// Order inside a lineage. Time and id break ties only, so that any order of the input gives the same history.
fn order(left: &Backup, right: &Backup) -> Ordering {
    let rank = |backup: &Backup| match backup.kind {
        Kind::Log if backup.crosses_fork() => 2,
        Kind::Log if backup.is_empty_log() => 4,
        Kind::Log => u8::from(backup.bulk_logged),
        _ => 3,
    };
    let ties = || rank(left).cmp(&rank(right)).then_with(|| left.first_lsn.cmp(&right.first_lsn));
    let (finished, id) = (|| left.finished.cmp(&right.finished), || left.id.cmp(&right.id));
    left.last_lsn.cmp(&right.last_lsn).then_with(ties).then_with(finished).then_with(id)
}

impl Validated {
    /// Checks that no two rows contradict each other and splits them into lineages. Rows finished after `now` are ignored
    /// with a warning.
    ///
    /// Rows of one id and the same content are one backup (the copy in the vault wins over the one in the service);
    /// with different content they are a [`Conflict`], named by the rows' positions in `backups`.
    pub fn new(backups: Vec<Backup>, incomplete: Vec<Incomplete>, now: Timestamp) -> Result<Self, Conflict> {
        let mut warnings = Vec::new();
        let backups = index::without_duplicates(backups)?;
        let all = backups.len();
        let backups = without_future(backups, now, &mut warnings);
        let future_count = all - backups.len();
        let lineages = identity::split(backups, incomplete, &mut warnings);
        Ok(Self { lineages, future_count, warnings })
    }

    /// Orders every lineage by LSN.
    pub fn in_order(self) -> History {
        let Self { mut lineages, future_count, warnings } = self;
        for lineage in &mut lineages {
            lineage.sort();
        }
        let mut history = History { lineages, future_count, warnings };
        history.find_foreign_bases();
        history
    }
}

impl History {
    /// [`Validated::new`] in the order of the log.
    pub fn build(
        backups: Vec<Backup>,
        incomplete: Vec<Incomplete>,
        now: Timestamp,
    ) -> Result<Self, Conflict> {
        Validated::new(backups, incomplete, now).map(Validated::in_order)
    }

    /// The lineages by database name, then by id.
    pub fn lineages(&self) -> &[Lineage] {
        &self.lineages
    }

    /// The lineages themselves, in the same order.
    pub fn into_lineages(self) -> Vec<Lineage> {
        self.lineages
    }

    /// How many backups were left out because they finished later than now: by a clock that is wrong, or times whose zone is.
    pub const fn future_count(&self) -> usize {
        self.future_count
    }

    /// What was odd but no error, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Lineages of a database name, compared as SQL Server's default collations do: without case.
    pub fn of_database<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Lineage> {
        self.lineages.iter().filter(move |lineage| caseless_cmp(&lineage.database, name).is_eq())
    }

    /// The backup of this id, wherever it is.
    pub fn find(&self, id: &str) -> Option<(&Lineage, &Backup)> {
        self.lineages.iter().find_map(|lineage| lineage.find(id).map(|(_, backup)| (lineage, backup)))
    }

    fn find_foreign_bases(&mut self) {
        if self.lineages.len() < 2 {
            return;
        }
        let mut missing = Vec::new();
        for (position, lineage) in self.lineages.iter().enumerate() {
            let data = lineage.columns().data.iter().map(|row| &lineage.backups[*row as usize]);
            for backup in data.filter(|backup| backup.kind == Kind::Differential) {
                let base = backup.differential_base_guid.as_ref();
                if let Some(base) = base.filter(|base| lineage.find_data(base.as_str()).is_none()) {
                    missing.push((position, backup.id.clone(), base.clone()));
                }
            }
        }
        if missing.is_empty() {
            return;
        }
        let mut all: Vec<(&BackupId, usize)> = Vec::new();
        for (position, lineage) in self.lineages.iter().enumerate() {
            let data = &lineage.columns().data;
            all.extend(data.iter().map(|row| (&lineage.backups[*row as usize].id, position)));
        }
        all.sort_unstable();
        let mut found = Vec::new();
        for (position, differential, base) in missing {
            let at = all.partition_point(|(id, _)| caseless_cmp(id.as_str(), base.as_str()).is_lt());
            if let Some((_, other)) =
                all.get(at).filter(|(id, _)| id.as_str().eq_ignore_ascii_case(base.as_str()))
            {
                found.push((position, differential, self.lineages[*other].id.clone()));
            }
        }
        for (position, differential, other) in found {
            self.lineages[position].foreign_bases.insert(differential, other);
        }
    }
}

fn without_future(backups: Vec<Backup>, now: Timestamp, warnings: &mut Vec<String>) -> Vec<Backup> {
    let (past, future): (Vec<_>, Vec<_>) = if backups.iter().all(|backup| backup.finished <= now) {
        (backups, Vec::new())
    } else {
        backups.into_iter().partition(|backup| backup.finished <= now)
    };
    if let Some(first) = future.first() {
        let (id, count) = (&first.id, future.len());
        warnings
            .push(format!("{count} backups finished after {now} and are ignored, the first of them {id}"));
    }
    past
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(id: &str, database: &str, family: Option<&str>, incarnation: Option<&str>) -> Backup {
        let lsns = (Lsn::from_u64(10), Lsn::from_u64(20));
        let mut backup = Backup::new(id, database, Kind::Full, lsns, Timestamp::UNIX_EPOCH);
        backup.family_guid = family.map(Guid::from);
        backup.database_guid = incarnation.map(Guid::from);
        backup
    }

    fn build(backups: Vec<Backup>) -> History {
        History::build(backups, vec![], Timestamp::MAX).unwrap()
    }

    fn ids(history: &History) -> Vec<(&str, Vec<&str>)> {
        history
            .lineages
            .iter()
            .map(|l| (l.id(), l.backups.iter().map(|backup| backup.id.as_str()).collect()))
            .collect()
    }

    #[test]
    fn guids_make_a_lineage_and_names_only_where_there_are_none() {
        let history = build(vec![
            backup("1", "orders", Some("f"), Some("d")),
            backup("2", "renamed", Some("F"), Some("D")),
            backup("3", "copy", Some("f"), Some("e")),
            backup("4", "plain", None, None),
            backup("5", "PLAIN", None, None),
        ]);
        assert_eq!(ids(&history), [("f/e", vec!["3"]), ("plain", vec!["4", "5"]), ("f/d", vec!["1", "2"])]);
    }

    #[test]
    fn rows_without_guids_join_the_only_lineage_of_their_name() {
        let joined =
            build(vec![backup("1", "orders", Some("f"), Some("d")), backup("2", "Orders", None, None)]);
        assert_eq!(ids(&joined), [("f/d", vec!["1", "2"])]);
        let torn = build(vec![
            backup("1", "orders", Some("f"), Some("d")),
            backup("2", "orders", Some("f"), Some("e")),
            backup("3", "orders", None, None),
        ]);
        assert_eq!(torn.lineages().len(), 3);
        assert!(torn.warnings()[0].contains("orders"), "{:?}", torn.warnings());
    }

    #[test]
    fn rows_with_one_guid_join_the_only_lineage_that_has_it() {
        let history =
            build(vec![backup("1", "orders", Some("f"), Some("d")), backup("2", "orders", Some("f"), None)]);
        assert_eq!(ids(&history), [("f/d", vec!["1", "2"])]);
        let two = build(vec![
            backup("1", "orders", Some("f"), Some("d")),
            backup("2", "copy", Some("f"), Some("e")),
            backup("3", "copy", Some("f"), None),
        ]);
        assert_eq!(ids(&two), [("f/e", vec!["2", "3"]), ("f/d", vec!["1"])]);
    }

    #[test]
    fn the_same_row_twice_is_one_backup_and_two_stories_are_an_error() {
        let same = build(vec![backup("A", "d", None, None), backup("a", "d", None, None)]);
        assert_eq!(same.lineages()[0].backups().len(), 1);
        let mut other = backup("a", "d", None, None);
        other.last_lsn = Lsn::from_u64(99);
        let rows = vec![backup("b", "d", None, None), backup("A", "d", None, None), other];
        let conflict = History::build(rows, vec![], Timestamp::MAX).unwrap_err();
        assert_eq!((conflict.first_row, conflict.second_row), (1, 2));
    }

    #[test]
    fn what_the_service_still_keeps_of_a_copied_log_is_the_copy() {
        let mut service = backup("a", "d", None, None);
        service.held_in = crate::backup::HeldIn::Service;
        let history = build(vec![service, backup("a", "d", None, None)]);
        assert_eq!(history.lineages()[0].backups()[0].held_in, crate::backup::HeldIn::Vault);
    }

    #[test]
    fn rows_of_the_future_are_ignored_with_a_warning() {
        let mut future = backup("2", "d", None, None);
        future.finished = Timestamp::MAX;
        let now = Timestamp::UNIX_EPOCH;
        let history = History::build(vec![backup("1", "d", None, None), future], vec![], now).unwrap();
        assert_eq!(history.lineages()[0].backups().len(), 1);
        assert_eq!(history.warnings().len(), 1);
    }

    #[test]
    fn order_is_that_of_lsns_whatever_the_clock_says() {
        let mut early = backup("early", "d", None, None);
        early.finished = Timestamp::from_second(500).unwrap();
        let mut late = backup("late", "d", None, None);
        (late.first_lsn, late.last_lsn) = (Lsn::from_u64(20), Lsn::from_u64(30));
        let history = build(vec![late, early]);
        assert_eq!(ids(&history), [("d", vec!["early", "late"])]);
        assert!(history.lineages()[0].find("LATE").is_some());
    }
}
