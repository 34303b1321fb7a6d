//! Small histories in one line, for rules and their tables: `F1 D2 L3 L4 | F5`.
//!
//! | text | means |
//! |---|---|
//! | `F1 D2 L3 C4 S5` | full, differential, log, copy-only full, snapshot; the number is id, order and clock |
//! | a bar between items | a break of the log chain |
//! | `F1!` | damaged |
//! | `L3%` | holds bulk-logged changes |
//! | `F1-` | lacks a stripe |
//! | `L3=` | an empty log |
//! | `L3^` | RDS still keeps it |
//! | `F1$` | taken in the SIMPLE recovery model |
//! | `L3@a`, `L5@a>b`, `L5@a>b:35` | on fork a; crosses from a to b; at LSN 35 |
//! | `L3[20-30]` | these LSNs instead of those of the number |
//!
//! Item n starts at hour n and finishes ten minutes later. A data backup n has the LSNs `[10n, 10n+5)` and checkpoint `10n`;
//! a log n goes from the end of the log before it (or where the chain begins) to `10n+8`. The base of a differential is the
//! full or snapshot before it, as the server has it. Refuses to know any rule.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{Backup, HeldIn, Kind, RecoveryModel, Stripes};
use crate::history::History;
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;

/// Hour zero: 2026-01-01T00:00:00Z.
const ORIGIN_SECOND: i64 = 1_767_225_600;

/// Largest number of an item; its clock stays far inside what a timestamp holds.
const NUMBER_MAX: u32 = 100_000;

/// A text that is no notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{item:?} is no item of the notation: {why}")]
pub struct NotationError {
    /// The item.
    pub item: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// One item of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Break,
    Backup(Entry),
}

/// A backup as written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    number: u32,
    marks: String,
    forks: Option<(String, String)>,
    fork_point: Option<u64>,
    lsns: Option<(u64, u64)>,
}

/// A line of notation: parsed, printable, and buildable into backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notation(Vec<Item>);

/// When item `number` finishes.
pub fn finished(number: u32) -> Timestamp {
    started(number) + SignedDuration::from_mins(10)
}

/// When item `number` starts.
pub fn started(number: u32) -> Timestamp {
    let origin = Timestamp::from_second(ORIGIN_SECOND).unwrap_or(Timestamp::UNIX_EPOCH);
    origin.saturating_add(SignedDuration::from_hours(i64::from(number))).unwrap_or(Timestamp::MAX)
}

/// The backups of a line, of a database named `db` without guids.
pub fn backups(text: &str) -> Result<Vec<Backup>, NotationError> {
    Ok(text.parse::<Notation>()?.backups())
}

/// The history of a line.
pub fn history(text: &str) -> Result<History, NotationError> {
    let conflict = |conflict: crate::history::Conflict| NotationError {
        item: conflict.id.to_string(),
        why: "the number is used twice",
    };
    History::build(backups(text)?, Vec::new(), Timestamp::MAX).map_err(conflict)
}

impl FromStr for Notation {
    type Err = NotationError;

    fn from_str(text: &str) -> Result<Self, NotationError> {
        text.split_whitespace()
            .map(|item| if item == "|" { Ok(Item::Break) } else { entry(item).map(Item::Backup) })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn entry(item: &str) -> Result<Entry, NotationError> {
    let wrong = |why| NotationError { item: item.to_owned(), why };
    let mut letters = item.chars();
    let kind = match letters.next() {
        Some('F') => Kind::Full,
        Some('D') => Kind::Differential,
        Some('L') => Kind::Log,
        Some('C') => Kind::CopyOnly,
        Some('S') => Kind::Snapshot,
        _ => return Err(wrong("it begins with F, D, L, C, S or is |")),
    };
    let rest = letters.as_str();
    let (number, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let number = number.parse().map_err(|_| wrong("a number follows the letter"))?;
    if number == 0 || number > NUMBER_MAX {
        return Err(wrong("numbers go from 1 to 100000"));
    }
    let (rest, lsns) = match rest.split_once('[') {
        None => (rest, None),
        Some((rest, range)) => {
            let range = range.strip_suffix(']').and_then(|range| range.split_once('-'));
            let parsed = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
            (rest, Some(parsed.ok_or_else(|| wrong("LSNs are written [20-30]"))?))
        }
    };
    let (marks, forks, fork_point) = match rest.split_once('@') {
        None => (rest, None, None),
        Some((marks, forks)) => {
            let (forks, point) = match forks.split_once(':') {
                None => (forks, None),
                Some((forks, point)) => {
                    (forks, Some(point.parse().map_err(|_| wrong("a fork point is an LSN"))?))
                }
            };
            let (first, last) = forks.split_once('>').unwrap_or((forks, forks));
            if first.is_empty() || last.is_empty() {
                return Err(wrong("a fork has a name"));
            }
            (marks, Some((first.to_owned(), last.to_owned())), point)
        }
    };
    if !marks.chars().all(|mark| "!%-=^$".contains(mark)) {
        return Err(wrong("marks are ! % - = ^ $"));
    }
    Ok(Entry { kind, number, marks: marks.to_owned(), forks, fork_point, lsns })
}

impl fmt::Display for Notation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            match item {
                Item::Break => f.write_str("|")?,
                Item::Backup(entry) => write!(f, "{entry}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.kind.letter(), self.number, self.marks)?;
        if let Some((first, last)) = &self.forks {
            write!(f, "@{first}")?;
            if first != last {
                write!(f, ">{last}")?;
            }
        }
        if let Some(point) = self.fork_point {
            write!(f, ":{point}")?;
        }
        if let Some((first, last)) = self.lsns {
            write!(f, "[{first}-{last}]")?;
        }
        Ok(())
    }
}

/// What the server remembers between two backups.
#[derive(Default)]
struct Server {
    /// Where the next log begins; `None` while no chain runs.
    log_chain: Option<u64>,
    /// Number and checkpoint of the differential base.
    base: Option<(u32, u64)>,
}

impl Notation {
    /// The backups, as a server would have recorded them.
    pub fn backups(&self) -> Vec<Backup> {
        let mut server = Server::default();
        let mut backups = Vec::new();
        for item in &self.0 {
            match item {
                Item::Break => server.log_chain = None,
                Item::Backup(entry) => backups.push(entry.backup(&mut server)),
            }
        }
        backups
    }
}

impl Entry {
    fn backup(&self, server: &mut Server) -> Backup {
        let here = u64::from(self.number) * 10;
        let chain = server.log_chain.unwrap_or(here);
        let marked = |mark| self.marks.contains(mark);
        let lsns = self.lsns.unwrap_or(match self.kind {
            Kind::Log if marked('=') => (chain, chain),
            Kind::Log => (chain, here + 8),
            _ => (here, here + 5),
        });
        let (first, last) = (Lsn::from_u64(lsns.0), Lsn::from_u64(lsns.1));
        let name = self.number.to_string();
        let mut backup = Backup::new(name.as_str(), "db", self.kind, (first, last), finished(self.number));
        backup.started = started(self.number);
        backup.damaged = marked('!');
        backup.bulk_logged = marked('%');
        backup.held_in = if marked('^') { HeldIn::Service } else { HeldIn::Vault };
        backup.recovery_model = marked('$').then_some(RecoveryModel::Simple);
        if marked('-') {
            backup.stripes = Stripes::new([Some(Arc::from(name.as_str())), None], Some(2));
        }
        if let Some((entry, exit)) = &self.forks {
            backup.first_fork = Some(Guid::from(entry.as_str()));
            backup.last_fork = Some(Guid::from(exit.as_str()));
            backup.fork_point_lsn = self.fork_point.map(Lsn::from_u64);
        }
        self.link(&mut backup, lsns, server);
        backup
    }

    /// Links the header to what came before, and leaves behind what comes after.
    fn link(&self, backup: &mut Backup, (first, last): (u64, u64), server: &mut Server) {
        backup.database_backup_lsn = server.base.map(|(_, checkpoint)| Lsn::from_u64(checkpoint));
        match self.kind {
            Kind::Log => server.log_chain = Some(last),
            Kind::Differential => {
                backup.checkpoint_lsn = Some(backup.first_lsn);
                backup.differential_base_lsn = backup.database_backup_lsn;
                backup.differential_base_guid = server.base.map(|(number, _)| Guid::new(number.to_string()));
                self.begin_chain(first, server);
            }
            Kind::Full | Kind::Snapshot => {
                backup.checkpoint_lsn = Some(backup.first_lsn);
                server.base = Some((self.number, first));
                self.begin_chain(first, server);
            }
            Kind::CopyOnly => backup.checkpoint_lsn = Some(backup.first_lsn),
        }
    }

    /// A full or differential starts the log chain, but not in the SIMPLE recovery model, which ends it.
    fn begin_chain(&self, first: u64, server: &mut Server) {
        if self.marks.contains('$') {
            server.log_chain = None;
        } else {
            server.log_chain.get_or_insert(first);
        }
    }
}

/// `F1`: letter and id of a backup.
pub fn short(backup: &Backup) -> String {
    format!("{}{}", backup.kind.letter(), backup.id)
}

/// The ids of numbers, to compare with.
pub fn id(number: u32) -> BackupId {
    BackupId::new(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_prints_the_same() {
        for text in [
            "F1 D2 L3 L4 | F5",
            "F1! C2 S3 L4% L5= L6^",
            "F1$ F2-",
            "L5@a>b:35[20-58] F6@b",
            "L7@a D8[1-2]",
            "",
        ] {
            assert_eq!(text.parse::<Notation>().unwrap().to_string(), text);
        }
        for text in ["X1", "F", "F0", "F1?", "F1@", "L1[2]", "F9999999", "F1@a>b:x", "é"] {
            assert!(text.parse::<Notation>().is_err(), "{text}");
        }
    }

    #[test]
    fn headers_are_those_a_server_would_write() {
        let rows = backups("F1 L2 C3 D4 L5= | L7 S8 D9").unwrap();
        let lsns: Vec<(u128, u128)> =
            rows.iter().map(|b| (b.first_lsn.value(), b.last_lsn.value())).collect();
        assert_eq!(lsns, [(10, 15), (10, 28), (30, 35), (40, 45), (28, 28), (70, 78), (80, 85), (90, 95)]);
        assert_eq!(rows[3].differential_base_guid, Some(Guid::from("1")), "a copy-only full moves no base");
        assert_eq!(rows[7].differential_base_guid, Some(Guid::from("8")), "a snapshot does");
        assert_eq!(rows[1].finished, "2026-01-01T02:10:00Z".parse().unwrap());
        assert_eq!(short(&rows[2]), "C3");
    }
}
