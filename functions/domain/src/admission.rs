//! The last look before dispatch: does the live server still fit what the task was planned for?
//!
//! Read from the server itself, never from what was believed yesterday: recovery model, identity, fork, and for log copies
//! the list of files the service still keeps. The copy procedure does not check the chain (RDS user guide, "Access to
//! transaction log backups": it "doesn't validate" `is_log_chain_broken`), so it is checked here, by LSN.

mod differential;

pub use differential::{Weighed, admit_differential, base_is_ours};

use jiff::{SignedDuration, Timestamp};

use crate::facts::{DatabaseState, LogFile, RecoveryModel};
use crate::inventory::{Database, Lineage};
use crate::reason::{Class, Reason};
use crate::task::Kind;

/// Files in one copy: seven days of five-minute files, all that the service keeps. RDS user guide, read 2026-11.
pub const LOG_FILES_PER_COPY_MAX: u32 = 7 * 24 * 12;

/// What a look at the live server says of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<T> {
    /// Go ahead with this.
    Admit(T),
    /// Something passing stands in the way: look again soon, the moment of the schedule stays open.
    Defer(Reason),
    /// Not needed, or not possible before somebody changes something; the moment of the schedule is answered.
    Skip(Reason),
    /// The chain cannot go on: a data backup is needed instead ([`healing`] says which).
    Promote(Reason),
}

impl<T> Verdict<T> {
    /// The same verdict on something made of what was admitted.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Admit(admitted) => Verdict::Admit(make(admitted)),
            Self::Defer(reason) => Verdict::Defer(reason),
            Self::Skip(reason) => Verdict::Skip(reason),
            Self::Promote(reason) => Verdict::Promote(reason),
        }
    }
}

/// Sequence numbers of the files to copy, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRange {
    /// First.
    pub first_seq: u64,
    /// Last.
    pub last_seq: u64,
    /// Why what the service has behind it does not go on from there, where it does not.
    pub break_behind: Option<Reason>,
}

/// The identity of a live database, when the server tells it.
pub fn lineage_of(live: &DatabaseState) -> Option<Lineage> {
    match (&live.family_guid, &live.database_guid) {
        (Some(family), Some(database)) => Some(Lineage {
            family_guid: family.clone(),
            database_guid: database.clone(),
            server: live.server,
        }),
        _ => None,
    }
}

/// That the login sees a database and none of its files. Then nobody knows its differential base, its size or its FILESTREAM data, and
/// nothing says so: the rows of `sys.master_files` are left out where their right is missing (Microsoft Learn, `sys.master_files`,
/// "Permissions": CREATE DATABASE, ALTER ANY DATABASE or VIEW ANY DEFINITION).
pub fn files_not_visible(live: &DatabaseState) -> Option<Reason> {
    (live.files == 0).then(|| {
        let why = format!(
            "the login sees no file of {}: its differential base and its size are unknown",
            live.name
        );
        Reason::new(Class::Human, "FilesNotVisible", why).guidance(SEE_FILES)
    })
}

/// What makes files visible.
pub const SEE_FILES: &str =
    "as the master user, in the database master: GRANT VIEW ANY DEFINITION TO the login";

/// What every task needs of the live database: that it is there, online, and known by its guids.
fn common<T>(database: &Database, live: Option<&DatabaseState>) -> Result<Lineage, Verdict<T>> {
    let name = &database.name;
    let Some(live) = live else {
        let missing =
            Reason::new(Class::Human, "DatabaseMissing", format!("{name} is not on {}", database.instance))
                .guidance("if it was dropped or renamed, stop its protection or discover the instance again");
        return Err(Verdict::Skip(missing));
    };
    if live.state != "ONLINE" {
        let state = Reason::new(Class::Wait, "DatabaseNotOnline", format!("{name} is {}", live.state));
        return Err(Verdict::Defer(state));
    }
    lineage_of(live).ok_or_else(|| {
        let unknown = format!("the server tells no guids of {name}");
        Verdict::Defer(Reason::new(Class::Wait, "IdentityUnknown", unknown))
    })
}

/// Whether a full can be taken.
pub fn admit_full(database: &Database, live: Option<&DatabaseState>) -> Verdict<Lineage> {
    match common(database, live) {
        Ok(lineage) => Verdict::Admit(lineage),
        Err(verdict) => verdict,
    }
}

/// Which log files to copy. `files` are those the service lists after the newest one in the vault, in order; when the vault
/// has none yet, all it lists.
///
/// The first file to copy is the one that holds the LSN where the chain in the vault goes on: the end of the newest file
/// there, else the end of the newest full. Files before it are of no use, a gap before it breaks the chain (`F1 | L3`). An
/// empty file that was made after the full is of use: it holds no record, but proves that there was none. Where the chain does
/// not run (`last_log_backup_lsn` is NULL in the FULL model) the service makes no files at all until a data backup starts it.
pub fn admit_log_copy(
    database: &Database,
    live: Option<&DatabaseState>,
    files: &[LogFile],
) -> Verdict<FileRange> {
    let lineage = match common(database, live) {
        Ok(lineage) => lineage,
        Err(verdict) => return verdict,
    };
    let name = &database.name;
    if live.is_some_and(|live| live.recovery_model == Some(RecoveryModel::Simple)) {
        return Verdict::Skip(
            Reason::new(
                Class::Human,
                "SimpleRecovery",
                format!("{name} is in SIMPLE recovery and keeps no log"),
            )
            .guidance("switch it to FULL recovery; the next full starts the chain again"),
        );
    }
    if database.lineage.as_ref().is_some_and(|known| *known != lineage) {
        return Verdict::Promote(Reason::new(
            Class::Wait,
            "NewIncarnation",
            format!("{name} is another database than the one in the vault: restored or created anew"),
        ));
    }
    let Some(anchor) = database.anchor().filter(|_| database.last_full.is_some()) else {
        return Verdict::Promote(Reason::new(
            Class::Wait,
            "NoFullYet",
            format!("{name} has no full in the vault"),
        ));
    };
    let live_fork = live.and_then(|live| live.recovery_fork_guid.as_ref());
    let tail = database.log_tail.as_ref();
    if let (Some(known), Some(now)) = (tail.and_then(|tail| tail.fork.as_ref()), live_fork)
        && known != now
    {
        return Verdict::Promote(Reason::new(
            Class::Wait,
            "ForkChanged",
            format!("{name} went on to recovery fork {now}; logs in the vault end on {known}"),
        ));
    }
    let goes_on_at = tail.map_or(anchor.last_lsn, |tail| tail.last_lsn);
    let useful = if tail.is_some() {
        files
    } else {
        let useless = |file: &LogFile| {
            file.last_lsn < goes_on_at || (file.last_lsn == goes_on_at && file.made_at < anchor.finished_at)
        };
        let first = files.iter().position(|file| !useless(file));
        &files[first.unwrap_or(files.len())..]
    };
    match (range_of(name, goes_on_at, tail.is_some(), useful), &database.broken) {
        // What lies before a break is still to be had. Behind it nothing goes on from there: only a data backup heals that.
        (Verdict::Admit(range), Some(broken)) if tail.is_some() && is_ahead(broken) => Verdict::Admit(range),
        (_, Some(broken)) => Verdict::Promote(broken.clone()),
        (Verdict::Defer(other), None) => {
            live.and_then(stopped).map_or(Verdict::Defer(other), Verdict::Promote)
        }
        (verdict, None) => verdict,
    }
}

/// How old the newest log in the vault may become before a person is told that the service will soon remove those behind it: two
/// days are left then. Policy of ours.
const NEAR_HORIZON: SignedDuration = SignedDuration::from_hours(5 * 24);

/// That the logs that wait to be copied come near the seven days for which the service keeps them. RDS user guide, "Access to
/// transaction log backups", read 2026-11.
pub fn near_horizon(database: &Database, now: Timestamp) -> Option<Reason> {
    let newest = database.newest_log()?;
    (now.duration_since(newest) >= NEAR_HORIZON).then(|| {
        let name = &database.name;
        let why = format!(
            "the newest log of {name} in the vault is of {newest}, and the service keeps logs for seven days only"
        );
        Reason::new(Class::Human, "LogsNearHorizon", why)
            .guidance("find what keeps its copies from starting; without them a full must start the chain again")
    })
}

/// Whether a break lies ahead of the logs in the vault, and not between them.
fn is_ahead(broken: &Reason) -> bool {
    matches!(broken.name.as_ref(), "ChainBroken" | "LogChainStopped")
}

/// That the log chain does not run although the recovery model has one: `last_log_backup_lsn` is NULL then.
pub fn stopped(live: &DatabaseState) -> Option<Reason> {
    let runs = live.recovery_model != Some(RecoveryModel::Full) || live.last_log_backup_lsn.is_some();
    (!runs).then(|| {
        let name = &live.name;
        let why = format!(
            "the log chain of {name} does not run: its recovery model was changed and no data backup came since"
        );
        Reason::new(Class::Wait, "LogChainStopped", why)
    })
}

/// What heals a chain: a differential where the log alone is broken and our full is still the base, because it saves what
/// changed and no more; else a full. A new fork and another database have nothing in the vault to go on from.
pub fn healing(database: &Database, live: Option<&DatabaseState>, why: &Reason) -> Kind {
    let log_alone = matches!(why.name.as_ref(), "ChainBroken" | "LogChainStopped" | "LogsForgotten");
    let ours = live.is_some_and(|live| base_is_ours(database, live) == Some(true));
    let same = live.and_then(lineage_of).is_some_and(|live| database.lineage.as_ref() == Some(&live));
    if log_alone && ours && same { Kind::Differential } else { Kind::Full }
}

/// The longest run of files that continues the chain. `exact`: the first file must begin where the vault ends; otherwise it
/// must hold that LSN (it began before the full ended).
fn range_of(name: &str, goes_on_at: crate::lsn::Lsn, exact: bool, files: &[LogFile]) -> Verdict<FileRange> {
    let Some(first) = files.first() else {
        return Verdict::Defer(Reason::new(
            Class::Wait,
            "NoNewLogs",
            format!("the service lists no new log of {name}"),
        ));
    };
    let continues = if exact { first.first_lsn == goes_on_at } else { first.first_lsn <= goes_on_at };
    // When the vault has no log yet, a break before the first file lies before the full: it harms nothing.
    if !continues || (exact && first.chain_broken) || first.error.is_some() {
        let why = first.error.as_deref().map_or_else(
            || format!("file {} begins at {}", first.seq, first.first_lsn),
            |error| format!("file {}: {error}", first.seq),
        );
        return Verdict::Promote(Reason::new(
            Class::Wait,
            "ChainBroken",
            format!("logs of {name} go on at {goes_on_at} in the vault, but {why}"),
        ));
    }
    let whole = files
        .windows(2)
        .take_while(|pair| {
            let next = &pair[1];
            next.first_lsn == pair[0].last_lsn
                && next.seq == pair[0].seq + 1
                && !next.chain_broken
                && next.error.is_none()
        })
        .count();
    let last = &files[whole];
    // An unreadable file may be readable the next time: the next copy finds out.
    let break_behind = files.get(whole + 1).filter(|next| next.error.is_none()).map(|next| {
        let why = format!(
            "logs of {name} end at {} in file {}, and file {} begins at {}",
            last.last_lsn, last.seq, next.seq, next.first_lsn
        );
        Reason::new(Class::Wait, "ChainBroken", why)
    });
    Verdict::Admit(FileRange { first_seq: first.seq, last_seq: last.seq, break_behind })
}

#[cfg(test)]
mod tests;
