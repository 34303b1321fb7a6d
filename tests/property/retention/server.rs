//! A server over some weeks, and what its backups hold: log records, in a tree because a database may be put back in time.
//!
//! Nothing here knows a rule. The server writes headers as SQL Server does and remembers beside each backup which records it
//! holds; people take copy-only fulls, other tools take logs and fulls away, backups fail, are damaged, lose stripes.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::backup::{Backup, Kind, Stripes};
use domain::id::Guid;
use domain::lsn::Lsn;
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::minute;

/// A log record: its place in the tree. Some are commits; the others are what backups write.
pub(crate) type Record = u32;

/// What restoring a backup does to the content.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Everything up to a record.
    All(Record),
    /// The same, on the full of this number alone.
    Since(usize, Record),
    /// Records in order.
    Range(Range),
}

/// What a log holds. A restore that stands at one of the first so many records applies it.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    records: Vec<Record>,
    /// All of them, or those up to where a fork begins: a log that crosses over begins on the old fork, and RESTORE refuses it
    /// on the new one.
    applies_to: usize,
    /// Whether it is applied whole.
    is_whole: bool,
}

/// One backup as it lies in the vault.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) row: Backup,
    pub(crate) content: Content,
    /// Whether its bytes are all there and whole.
    pub(crate) is_whole: bool,
}

/// How a server is run.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) days: u64,
    pub(crate) full_every_days: u64,
    pub(crate) differential_daily: bool,
    pub(crate) log_every_minutes: u64,
    /// In a hundred: fulls that fail; backups that are damaged or lose a stripe; logs that another tool takes.
    pub(crate) failed: u64,
    pub(crate) spoiled: u64,
    pub(crate) stolen: u64,
    /// In a hundred, each day: copy-only fulls, foreign fulls, hours of bulk-logged changes, returns in time.
    pub(crate) copy_only: u64,
    pub(crate) foreign: u64,
    pub(crate) bulk: u64,
    pub(crate) returns: u64,
}

impl Habits {
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let mut some = |shares: &[u64]| shares[chance.place(shares.len())];
        Self {
            days: some(&[12, 18, 25, 40]),
            full_every_days: some(&[1, 2, 7, 7, 14]),
            differential_daily: some(&[0, 1]) == 1,
            log_every_minutes: some(&[180, 240, 360, 720]),
            failed: some(&[0, 10, 30]),
            spoiled: some(&[0, 3, 10]),
            stolen: some(&[0, 2, 8]),
            copy_only: some(&[0, 5, 15]),
            foreign: some(&[0, 3, 10]),
            bulk: some(&[0, 0, 5]),
            returns: some(&[0, 0, 3, 8]),
        }
    }
}

/// What differentials are based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// No full was ever taken.
    None,
    /// One that lies elsewhere.
    Elsewhere,
    /// One of the vault, by its number.
    Vault(usize),
}

/// Where the next log begins: LSN, record, fork.
type LogFrom = (u64, Record, u32);

/// The server: its clock in minutes, its log, and what its vault holds.
pub(crate) struct Server {
    pub(crate) habits: Habits,
    pub(crate) chance: Chance,
    pub(crate) now: u64,
    pub(crate) vault: Vec<Stored>,
    /// For each record the one before it, and the newest commit among it and those before.
    parents: Vec<Record>,
    commits: Vec<Record>,
    /// When each record was made, and which of them are commits.
    made: Vec<(u64, bool)>,
    /// When which commit became the newest: (minute, commit).
    pub(crate) told: Vec<(u64, Record)>,
    head: Record,
    lsn: u64,
    fork: u32,
    log_from: Option<LogFrom>,
    /// The LSN and the record at which the newest fork began, until a log holds them.
    fork_point: Option<(u64, Record)>,
    /// The full that differentials are based on.
    base: Base,
    is_bulk: bool,
    /// What a return in time can go back to: record, LSN, and where the next log would begin.
    marks: Vec<(Record, u64, Option<LogFrom>)>,
}

/// When a minute of the story is.
pub(crate) fn at(minutes: u64) -> Timestamp {
    minute(29_000_000 + i64::try_from(minutes).expect("a story of weeks"))
}

impl Server {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let habits = Habits::by(&mut chance);
        Self {
            habits,
            chance,
            now: 0,
            vault: Vec::new(),
            parents: vec![0],
            commits: vec![0],
            made: vec![(0, true)],
            told: vec![(0, 0)],
            head: 0,
            lsn: 1_000,
            fork: 0,
            log_from: None,
            fork_point: None,
            base: Base::None,
            is_bulk: false,
            marks: Vec::new(),
        }
    }

    /// Lets one day go by.
    pub(crate) fn day(&mut self) {
        let end = self.now + 24 * 60;
        let day = self.now / (24 * 60);
        self.is_bulk = self.chance.in_hundred(self.habits.bulk);
        let copy_only =
            self.chance.in_hundred(self.habits.copy_only).then(|| self.chance.below(1_440) / 30 * 30 + 7);
        let foreign =
            self.chance.in_hundred(self.habits.foreign).then(|| self.chance.below(1_440) / 30 * 30 + 11);
        let returns =
            self.chance.in_hundred(self.habits.returns).then(|| self.chance.below(1_440) / 30 * 30 + 13);
        while self.now < end {
            let minute = self.now % (24 * 60);
            if minute == 60 {
                self.data_of(day);
            }
            if copy_only == Some(minute) {
                self.data(Kind::CopyOnly);
            }
            if foreign == Some(minute) {
                self.taken_by_others();
            }
            if returns == Some(minute) {
                self.go_back();
            }
            if minute % self.habits.log_every_minutes == 30 {
                self.log();
            }
            if minute % 30 == 17 && self.chance.in_hundred(40) {
                self.commit();
            }
            self.now += 1;
        }
    }

    /// Writes a record of so many LSNs.
    fn write(&mut self, lsns: u64, is_commit: bool) {
        let record = u32::try_from(self.parents.len()).expect("a story of weeks");
        self.parents.push(self.head);
        self.commits.push(if is_commit { record } else { self.commits[self.head as usize] });
        self.made.push((self.now, is_commit));
        (self.head, self.lsn) = (record, self.lsn + lsns);
    }

    fn commit(&mut self) {
        self.write(10, true);
        self.told.push((self.now, self.head));
    }

    fn data_of(&mut self, day: u64) {
        if day.is_multiple_of(self.habits.full_every_days) {
            if !self.chance.in_hundred(self.habits.failed) {
                self.data(Kind::Full);
            }
        } else if self.habits.differential_daily && self.base != Base::None {
            self.data(Kind::Differential);
        }
    }

    /// A data backup that ends now.
    fn data(&mut self, kind: Kind) {
        let (first, begun) = (self.lsn, self.head);
        self.write(3, false);
        let lsns = (first, self.lsn);
        let number = self.vault.len();
        let content = match (kind, self.base) {
            // A base that is not in the vault: restored on nothing.
            (Kind::Differential, Base::Vault(base)) => Content::Since(base, self.head),
            (Kind::Differential, _) => Content::Since(usize::MAX, self.head),
            _ => Content::All(self.head),
        };
        let mut row = self.row(kind, lsns, (self.fork, self.fork));
        row.checkpoint_lsn = Some(Lsn::from_u64(first));
        if kind == Kind::Differential {
            let base =
                if let Base::Vault(base) = self.base { base.to_string() } else { "elsewhere".to_owned() };
            row.differential_base_guid = Some(Guid::new(base));
        }
        if kind == Kind::Full {
            self.base = Base::Vault(number);
        }
        if kind != Kind::CopyOnly {
            self.log_from.get_or_insert((first, begun, self.fork));
        }
        self.store(row, content);
    }

    /// Another tool takes a full, which becomes the base and lies elsewhere.
    fn taken_by_others(&mut self) {
        let begun = (self.lsn, self.head, self.fork);
        self.write(3, false);
        self.base = Base::Elsewhere;
        self.log_from.get_or_insert(begun);
    }

    fn log(&mut self) {
        let Some((first, from, fork)) = self.log_from else { return };
        self.write(1, false);
        let last = self.lsn;
        self.log_from = Some((last, self.head, self.fork));
        self.marks.push((self.head, last, self.log_from));
        let (fork_point, crosses) = (self.fork_point.take(), fork != self.fork);
        // It is gone with whoever took it.
        if self.chance.in_hundred(self.habits.stolen) {
            return;
        }
        let mut row = self.row(Kind::Log, (first, last), (fork, self.fork));
        let fork_point = fork_point.filter(|_| crosses);
        row.fork_point_lsn = fork_point.map(|(lsn, _)| Lsn::from_u64(lsn));
        row.bulk_logged = self.is_bulk;
        let records = self.path(from);
        let left_at = fork_point.and_then(|(_, left)| records.iter().position(|record| *record == left));
        let applies_to = left_at.map_or(records.len(), |at| at + 1);
        let content = Content::Range(Range { records, applies_to, is_whole: self.is_bulk });
        self.store(row, content);
    }

    /// The records from one to the newest, both in.
    fn path(&self, from: Record) -> Vec<Record> {
        let before = |record: &Record| Some(self.parents[*record as usize]);
        let mut path: Vec<Record> =
            std::iter::successors(Some(self.head), before).take_while(|record| *record != from).collect();
        path.push(from);
        path.reverse();
        path
    }

    /// The database is restored to the end of one of its last logs and goes on from there, on a new fork.
    fn go_back(&mut self) {
        let back = self.chance.place(4);
        let Some(place) = self.marks.len().checked_sub(1 + back) else { return };
        let (record, lsn, log_from) = self.marks[place];
        self.marks.truncate(place + 1);
        (self.head, self.lsn, self.log_from) = (record, lsn, log_from);
        self.fork += 1;
        self.fork_point = Some((lsn, record));
        // What it was restored from is no base any more, whatever the vault holds.
        self.base = Base::Elsewhere;
        self.told.push((self.now, self.commits[self.head as usize]));
    }

    fn row(&self, kind: Kind, (first, last): (u64, u64), forks: (u32, u32)) -> Backup {
        let number = self.vault.len().to_string();
        let lsns = (Lsn::from_u64(first), Lsn::from_u64(last));
        let mut row = Backup::new(number, "db", kind, lsns, at(self.now));
        row.started = at(self.now) - SignedDuration::from_mins(if kind == Kind::Log { 1 } else { 10 });
        row.first_fork = Some(Guid::new(format!("fork-{}", forks.0)));
        row.last_fork = Some(Guid::new(format!("fork-{}", forks.1)));
        row.time_zone_quarter_hours = Some(0);
        row
    }

    fn store(&mut self, mut row: Backup, content: Content) {
        let is_whole = !self.chance.in_hundred(self.habits.spoiled);
        if !is_whole && self.chance.in_hundred(50) {
            row.damaged = true;
        } else if !is_whole {
            let files = [Some(Arc::from(format!("{}.1", row.id.as_str()))), None];
            row.stripes = Stripes::new(files, Some(2));
        }
        self.vault.push(Stored { row, content, is_whole });
    }

    /// The commits that were made from a minute on. Not the one that was the newest then, nor one that was gone back to: that
    /// those lasted so long is told by a later backup or by none.
    pub(crate) fn promised(&self, from: u64) -> BTreeSet<Record> {
        let begun = self.made.partition_point(|(minute, _)| *minute < from);
        let records = (0_u32..).zip(&self.made).skip(begun);
        records.filter(|(_, (_, is_commit))| *is_commit).map(|(record, _)| record).collect()
    }

    /// The commits that some order of restores brings the database to, from those backups that are there.
    pub(crate) fn restorable(&self, there: &dyn Fn(usize) -> bool) -> BTreeSet<Record> {
        restorable(&self.vault, there).into_iter().map(|record| self.commits[record as usize]).collect()
    }

    /// The commit that was the newest just before a moment.
    pub(crate) fn newest_before(&self, minute: u64) -> Record {
        let begun = self.told.partition_point(|(told, _)| *told < minute);
        self.told[begun.saturating_sub(1)].1
    }
}

/// The states that some order of restores brings back, tried until nothing new comes: what each backup holds, and nothing of
/// what its header says.
fn restorable(vault: &[Stored], there: &dyn Fn(usize) -> bool) -> BTreeSet<Record> {
    let whole = |number: usize| there(number) && vault.get(number).is_some_and(|stored| stored.is_whole);
    let mut states = BTreeSet::new();
    for number in (0..vault.len()).filter(|number| whole(*number)) {
        match &vault[number].content {
            Content::All(record) => drop(states.insert(*record)),
            Content::Since(base, record) if whole(*base) => drop(states.insert(*record)),
            Content::Since(..) | Content::Range(..) => {}
        }
    }
    loop {
        let before = states.len();
        for number in (0..vault.len()).filter(|number| whole(*number)) {
            let Content::Range(Range { records, applies_to, is_whole }) = &vault[number].content else {
                continue;
            };
            let stands = records[..*applies_to].iter().position(|record| states.contains(record));
            match stands {
                None => {}
                Some(_) if *is_whole => states.extend(records.last()),
                // Of a log that crosses over, what comes behind the fork.
                Some(_) if *applies_to < records.len() => states.extend(&records[*applies_to..]),
                Some(at) => states.extend(&records[at..]),
            }
        }
        if states.len() == before {
            return states;
        }
    }
}
