//! The last look before dispatch: does the live server still fit what the task was planned for?
//!
//! Read from the server itself, never from what was believed yesterday: recovery model, identity, fork, and for log copies
//! the list of files the service still keeps. The copy procedure does not check the chain (RDS user guide, "Access to
//! transaction log backups": it "doesn't validate" `is_log_chain_broken`), so it is checked here, by LSN.

mod differential;

pub use differential::{Weighed, admit_differential, base_is_ours};

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
        (Some(family), Some(database)) => {
            Some(Lineage { family_guid: family.clone(), database_guid: database.clone() })
        }
        _ => None,
    }
}

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
        (Verdict::Defer(other), None) => Verdict::Promote(match live.and_then(stopped) {
            Some(stopped) => stopped,
            None => return Verdict::Defer(other),
        }),
        (verdict, None) => verdict,
    }
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
mod tests {
    use super::*;
    use crate::id::{BackupId, Guid};
    use crate::inventory::{LastFull, LogTail};
    use crate::lsn::Lsn;
    use jiff::Timestamp;

    fn live(change: fn(&mut DatabaseState)) -> DatabaseState {
        let mut live = DatabaseState {
            name: "orders".to_owned(),
            id: 7,
            state: "ONLINE".to_owned(),
            recovery_model: Some(RecoveryModel::Full),
            database_guid: Some(Guid::from("d1")),
            family_guid: Some(Guid::from("f1")),
            recovery_fork_guid: Some(Guid::from("k1")),
            last_log_backup_lsn: Some(Lsn::from_u64(15)),
            differential_base_guid: None,
            differential_base_lsn: None,
            data_bytes: None,
        };
        change(&mut live);
        live
    }

    type Change = fn(&mut DatabaseState);

    /// Full ends at 15; the vault's logs end at `tail`, if any.
    fn database(full: bool, tail: Option<u64>) -> Database {
        let mut database = Database::new("sales", "orders");
        database.lineage = lineage_of(&live(|_| ()));
        database.last_full = full.then(|| LastFull {
            id: BackupId::from("1"),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            last_lsn: Lsn::from_u64(15),
            size_bytes: 1,
        });
        database.log_tail = tail.map(|lsn| LogTail {
            seq: lsn / 10,
            last_lsn: Lsn::from_u64(lsn),
            made_at: Timestamp::UNIX_EPOCH,
            fork: Some(Guid::from("k1")),
        });
        database
    }

    /// File `n` holds `[10 n, 10 n + 10)`; `!` an error, `|` the service says broken, `>` begins one LSN late, `=` is empty
    /// at LSN 15, where the full ends, and made after it.
    fn files(text: &str) -> Vec<LogFile> {
        text.split_whitespace()
            .map(|word| {
                let seq: u64 = word.trim_matches(['!', '|', '>', '=']).parse().unwrap();
                LogFile {
                    database_id: 7,
                    family_guid: Guid::from("f1"),
                    seq,
                    epoch: 0,
                    made_at: Timestamp::UNIX_EPOCH
                        - jiff::SignedDuration::from_secs(i64::from(!word.contains('='))),
                    first_lsn: Lsn::from_u64(if word.contains('=') {
                        15
                    } else {
                        seq * 10 + u64::from(word.contains('>'))
                    }),
                    last_lsn: Lsn::from_u64(if word.contains('=') { 15 } else { seq * 10 + 10 }),
                    chain_broken: word.contains('|'),
                    size_bytes: 1,
                    error: word.contains('!').then(|| "unreadable".to_owned()),
                }
            })
            .collect()
    }

    fn said(verdict: Verdict<FileRange>) -> String {
        match verdict {
            Verdict::Admit(range) => {
                let more = range.break_behind.map_or_else(String::new, |why| format!(" then {}", why.name));
                format!("{}-{}{more}", range.first_seq, range.last_seq)
            }
            Verdict::Defer(reason) => format!("defer {}", reason.name),
            Verdict::Skip(reason) => format!("skip {}", reason.name),
            Verdict::Promote(reason) => format!("full {}", reason.name),
        }
    }

    #[test]
    fn logs_go_on_where_the_vault_ends() {
        for (full, tail, listed, expected) in [
            (true, None, "0 1 2 3", "1-3"),
            (true, None, "1 2", "1-2"),
            (true, None, "2 3", "full ChainBroken"),
            (true, None, "0", "defer NoNewLogs"),
            (true, None, "0 =1 =2", "1-2"),
            (true, None, "|1 2", "1-2"),
            (true, Some(20), "2 3 4", "2-4"),
            (true, Some(20), "3 4", "full ChainBroken"),
            (true, Some(20), "", "defer NoNewLogs"),
            (true, Some(20), "|2 3", "full ChainBroken"),
            (true, Some(20), "2 3 |4 5", "2-3 then ChainBroken"),
            (true, Some(20), "2 3 5", "2-3 then ChainBroken"),
            (true, Some(20), "2 3 >4", "2-3 then ChainBroken"),
            (true, Some(20), "2 !3 4", "2-2"),
            (true, Some(20), "!2 3", "full ChainBroken"),
            (false, None, "1 2", "full NoFullYet"),
        ] {
            let verdict = admit_log_copy(&database(full, tail), Some(&live(|_| ())), &files(listed));
            assert_eq!(said(verdict), expected, "full {full}, vault to {tail:?}, service {listed}");
        }
    }

    #[test]
    fn the_live_server_overrules_what_was_believed() {
        let cases: [(&str, Change); 5] = [
            ("skip SimpleRecovery", |live| live.recovery_model = Some(RecoveryModel::Simple)),
            ("defer DatabaseNotOnline", |live| live.state = "RESTORING".to_owned()),
            ("defer IdentityUnknown", |live| live.database_guid = None),
            ("full NewIncarnation", |live| live.database_guid = Some(Guid::from("d2"))),
            ("full ForkChanged", |live| live.recovery_fork_guid = Some(Guid::from("k2"))),
        ];
        for (expected, change) in cases {
            let verdict = admit_log_copy(&database(true, Some(20)), Some(&live(change)), &files("2 3"));
            assert_eq!(said(verdict), expected);
        }
        assert_eq!(
            said(admit_log_copy(&database(true, Some(20)), None, &files("2"))),
            "skip DatabaseMissing"
        );
        // What the service still has is copied first; then a chain that does not run is started.
        let stopped = live(|live| live.last_log_backup_lsn = None);
        for (listed, expected) in [("2 3", "2-3"), ("", "full LogChainStopped")] {
            let verdict = admit_log_copy(&database(true, Some(20)), Some(&stopped), &files(listed));
            assert_eq!(said(verdict), expected);
        }
        let mut broken = database(true, Some(20));
        broken.broken = Some(Reason::new(Class::Wait, "LogsForgotten", "a gap"));
        assert_eq!(said(admit_log_copy(&broken, Some(&live(|_| ())), &files("2 3"))), "full LogsForgotten");
        assert!(matches!(admit_full(&database(false, None), Some(&live(|_| ()))), Verdict::Admit(_)));
        assert!(matches!(admit_full(&database(false, None), None), Verdict::Skip(_)));
    }

    #[test]
    fn a_broken_log_is_healed_by_a_differential_where_our_full_is_still_the_base() {
        let base = |live: &mut DatabaseState| {
            live.differential_base_guid = Some(Guid::from("1"));
        };
        let cases: [(&str, Change, Kind); 8] = [
            ("ChainBroken", |_| (), Kind::Differential),
            ("LogChainStopped", |_| (), Kind::Differential),
            ("LogsForgotten", |_| (), Kind::Differential),
            ("ForkChanged", |_| (), Kind::Full),
            ("NewIncarnation", |_| (), Kind::Full),
            // A snapshot, or somebody's full, took the base; the server names none.
            ("ChainBroken", |live| live.differential_base_guid = Some(Guid::from("2")), Kind::Full),
            ("ChainBroken", |live| live.differential_base_guid = None, Kind::Full),
            ("ChainBroken", |live| live.database_guid = Some(Guid::from("d2")), Kind::Full),
        ];
        for (why, change, expected) in cases {
            let mut live = live(base);
            change(&mut live);
            let why = Reason::new(Class::Wait, why, "a gap");
            assert_eq!(healing(&database(true, Some(20)), Some(&live), &why), expected, "{why}");
        }
        let why = Reason::new(Class::Wait, "ChainBroken", "a gap");
        assert_eq!(healing(&database(true, Some(20)), None, &why), Kind::Full);
    }

    #[test]
    fn behind_a_differential_that_healed_logs_go_on_from_its_end() {
        let mut healed = database(true, None);
        healed.healed = Some(crate::inventory::Healed {
            last_lsn: Lsn::from_u64(35),
            finished_at: Timestamp::UNIX_EPOCH,
        });
        for (listed, expected) in
            [("1 2 3 4", "3-4"), ("4 5", "full ChainBroken"), ("1 2", "defer NoNewLogs")]
        {
            assert_eq!(
                said(admit_log_copy(&healed, Some(&live(|_| ())), &files(listed))),
                expected,
                "{listed}"
            );
        }
    }
}
