//! Is our newest full still what a differential would be based on, and if not: is a full wanted instead?
//!
//! Observed, never assumed. `sys.master_files.differential_base_guid` is the `backup_set_uuid` of the base (Microsoft Learn,
//! `sys.master_files`), and a failover does not lose it, while the rows of msdb stay on the other node. Every automated and
//! manual snapshot takes the base (RDS user guide, "Using native backup and restore", "Limitations"), so with daily
//! automated backups a weekly full is a base for hours. A lost base is no harm by itself: logs lead on from the full.

use jiff::{SignedDuration, Timestamp};

use super::{Verdict, common, files_not_visible};
use crate::backup::{Backup, Kind};
use crate::facts::{DatabaseState, RecoveryModel};
use crate::inventory::{Database, LastFull, Lineage};
use crate::policy::Policy;
use crate::reason::{Class, Reason};
use crate::restore_time::{LOG_FILE_SPAN, Steps};
use crate::schedule::{next_data, next_full};

/// What a differential is weighed with, beside the live database.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    /// Policy of the database.
    pub policy: &'a Policy,
    /// Rows of msdb since the newest full of ours; they name what took the base, where they are in reach.
    pub history: &'a [Backup],
    /// Bytes a second, measured or assumed.
    pub bytes_per_second: u64,
    /// Whether a full of the database waits or runs.
    pub full_is_open: bool,
    /// Now.
    pub now: Timestamp,
}

/// Whether the live database says that our newest full is its differential base; `None` where it says nothing.
pub fn base_is_ours(database: &Database, live: &DatabaseState) -> Option<bool> {
    let base = live.differential_base_guid.as_ref()?;
    let full = database.last_full.as_ref()?;
    Some(base.as_str().eq_ignore_ascii_case(full.id.as_str()))
}

/// Whether a differential can be taken that restores on our newest full.
///
/// # Errors
/// The policy's own.
pub fn admit_differential(
    database: &Database,
    live: Option<&DatabaseState>,
    weighed: &Weighed<'_>,
) -> Result<Verdict<Lineage>, Reason> {
    let lineage = match common(database, live) {
        Ok(lineage) => lineage,
        Err(verdict) => return Ok(verdict),
    };
    let name = &database.name;
    if weighed.full_is_open {
        let why = format!("a full of {name} waits or runs, which makes the differential needless");
        return Ok(Verdict::Skip(Reason::new(Class::Wait, "FullInstead", why)));
    }
    let Some(full) = &database.last_full else {
        let why = format!("{name} has no full in the vault that its history proves");
        return Ok(Verdict::Skip(Reason::new(Class::Wait, "NoFullYet", why)));
    };
    if database.lineage.as_ref().is_some_and(|known| *known != lineage) {
        let why = format!("{name} is another database than the one in the vault, of which it has no backup");
        return Ok(Verdict::Promote(demanded("WindowDemandsFull", &why)));
    }
    if let Some(reason) = live.and_then(files_not_visible) {
        return Ok(Verdict::Skip(reason));
    }
    let Some(ours) = live.and_then(|live| base_is_ours(database, live)) else {
        let why = format!("the server names no differential base of {name}");
        return Ok(Verdict::Defer(
            Reason::new(Class::Wait, "BaseUnknown", why).guidance("the next full gives it one"),
        ));
    };
    if ours {
        return Ok(Verdict::Admit(lineage));
    }
    let lost = lost(full, live, weighed.history, name);
    Ok(demand(database, full, live, weighed)?.map_or(Verdict::Skip(lost.clone()), |(reason, why)| {
        Verdict::Promote(demanded(reason, &format!("{}; {why}", lost.message)))
    }))
}

fn demanded(name: &'static str, message: &str) -> Reason {
    Reason::new(Class::Wait, name, message)
}

/// What is the base now, and what took it.
fn lost(full: &LastFull, live: Option<&DatabaseState>, history: &[Backup], name: &str) -> Reason {
    let base = live.and_then(|live| live.differential_base_guid.as_ref());
    let base = base.map_or("nothing", |base| base.as_str());
    let taker = history.iter().find(|backup| backup.id.as_str().eq_ignore_ascii_case(base));
    let (class, reason, what, guidance) = match taker.map(|backup| (backup.kind, backup.finished)) {
        Some((Kind::Snapshot, at)) => (
            Class::Wait,
            "BaseIsSnapshot",
            format!("a snapshot of {at}"),
            "automated and manual snapshots take the base: a differential is of use between a full and the next snapshot",
        ),
        Some((_, at)) => (
            Class::Human,
            "BaseIsForeignFull",
            format!("somebody else's full of {at}"),
            "find who takes fulls of this database, and have them take copy-only ones",
        ),
        None => (
            Class::Wait,
            "BaseIsUnknown",
            "a backup that the history in reach does not name".to_owned(),
            "a failover leaves the history on the other node; the next full takes the base back",
        ),
    };
    let message = format!("the differential base of {name} is {what} ({base}), not our full {}", full.id);
    Reason::new(class, reason, message).guidance(guidance)
}

/// Whether window or RTO demand a full now that no differential can be taken: the name of the demand, and why.
///
/// The window does when no log leads on from the full: then a data backup is all that later moments can be restored from.
/// The RTO does when it breaks before the calendar's next full without one, and holds until the next look with one: what
/// no full can mend demands none.
fn demand(
    database: &Database,
    full: &LastFull,
    live: Option<&DatabaseState>,
    weighed: &Weighed<'_>,
) -> Result<Option<(&'static str, String)>, Reason> {
    if let Some(broken) = &database.broken {
        return Ok(Some(("WindowDemandsFull", format!("and no log leads on from it: {}", broken.message))));
    }
    if live.is_some_and(|live| live.recovery_model == Some(RecoveryModel::Simple)) {
        let why = "and in SIMPLE recovery no log leads on from it".to_owned();
        return Ok(Some(("WindowDemandsFull", why)));
    }
    let (policy, now) = (weighed.policy, weighed.now);
    let Some(rto) = policy.objectives.rto_minutes else { return Ok(None) };
    let (Some(until_full), Some(until_data)) = (next_full(policy, now)?, next_data(policy, now)?) else {
        return Ok(None);
    };
    let on_full = |differential| Steps {
        full_bytes: full.size_bytes,
        differential_bytes: differential,
        logs: 0,
        log_bytes: 0,
    };
    let (anchored, steps) = match &database.last_differential {
        Some(last) if last.base == full.id => (last.finished_at, on_full(Some(last.size_bytes))),
        _ => (full.finished_at, on_full(None)),
    };
    let promised = SignedDuration::from_mins(i64::from(rto));
    let at_worst = |steps: Steps, from: Timestamp, to: Timestamp| {
        let files = to.duration_since(from).as_secs().max(0) / LOG_FILE_SPAN.as_secs();
        let logs = u32::try_from(files).unwrap_or(u32::MAX);
        Steps { logs, ..steps }.time(weighed.bytes_per_second).most
    };
    let without = at_worst(steps, anchored, until_full);
    let with = at_worst(on_full(None), now, until_data);
    Ok((without > promised && with <= promised).then(|| {
        let hours = |time: SignedDuration| time.as_mins().div_euclid(60) + 1;
        let why = format!(
            "and a restore may take up to {} hours before the full of {until_full}, where {rto} minutes are promised",
            hours(without)
        );
        ("RtoDemandsFull", why)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::tests::live;
    use crate::id::{BackupId, Guid};
    use crate::inventory::LastDifferential;
    use crate::lsn::Lsn;
    use crate::policy::tests::with_differentials;

    /// Monday 2026-11-16 at a time of day.
    fn at(clock: &str) -> Timestamp {
        format!("2026-11-16T{clock}:00Z").parse().unwrap()
    }

    /// What happened, in notation: `F1` is ours, and the newest of ours; `S2` a snapshot, `F3` somebody's full, `C4` a
    /// copy-only one, `R` the database restored anew. The base is what the server would say: the newest of F and S.
    fn story(words: &str) -> (Database, DatabaseState, Vec<Backup>) {
        let mut database = Database::new("sales", "orders");
        let mut live = live(|live| live.last_log_backup_lsn = None);
        database.lineage = super::super::lineage_of(&live);
        let mut history = Vec::new();
        for word in words.split_whitespace() {
            let (letter, id) = word.split_at(1);
            let kind = match letter {
                "F" => Kind::Full,
                "S" => Kind::Snapshot,
                "C" => Kind::CopyOnly,
                _ => {
                    live.database_guid = Some(Guid::from("d2"));
                    continue;
                }
            };
            if kind != Kind::CopyOnly {
                live.differential_base_guid = Some(Guid::from(id));
            }
            let lsns = (Lsn::ZERO, Lsn::ZERO);
            history.push(Backup::new(id, "orders", kind, lsns, at("03:10")));
            if word == "F1" {
                database.last_full = Some(LastFull {
                    id: BackupId::from("1"),
                    started_at: at("01:00"),
                    finished_at: at("01:00"),
                    last_lsn: Lsn::ZERO,
                    size_bytes: 0,
                });
            }
        }
        (database, live, history)
    }

    type Change = fn(&mut Database, &mut DatabaseState, &mut Vec<Backup>, &mut Policy);

    fn said(words: &str, change: Change) -> String {
        let (mut database, mut live, mut history) = story(words);
        let mut policy = with_differentials();
        change(&mut database, &mut live, &mut history, &mut policy);
        let weighed = Weighed {
            policy: &policy,
            history: &history,
            bytes_per_second: 1,
            full_is_open: words.ends_with("..."),
            now: at("20:00"),
        };
        match admit_differential(&database, Some(&live), &weighed).unwrap() {
            Verdict::Admit(_) => "differential".to_owned(),
            Verdict::Defer(reason) => format!("defer {}", reason.name),
            Verdict::Skip(reason) => format!("skip {}", reason.name),
            Verdict::Promote(reason) => format!("full {}", reason.name),
        }
    }

    #[test]
    fn a_differential_is_taken_on_our_full_only() {
        for (words, expected) in [
            ("F1", "differential"),
            ("F1 C2", "differential"),
            ("S2 F1", "differential"),
            ("F1 S2", "skip BaseIsSnapshot"),
            ("F1 S2 C3", "skip BaseIsSnapshot"),
            ("F1 F2", "skip BaseIsForeignFull"),
            ("F1 S2 F3", "skip BaseIsForeignFull"),
            ("F2", "skip NoFullYet"),
            ("", "skip NoFullYet"),
            ("F1 R", "full WindowDemandsFull"),
            ("F1 ...", "skip FullInstead"),
        ] {
            assert_eq!(said(words, |_, _, _, _| ()), expected, "{words}");
        }
    }

    #[test]
    fn what_cannot_be_observed_is_not_assumed() {
        let cases: [(&str, &str, Change); 7] = [
            ("F1", "defer BaseUnknown", |_, live, _, _| live.differential_base_guid = None),
            // A right that is missing is no base that is missing: time mends one of them.
            ("F1", "skip FilesNotVisible", |_, live, _, _| {
                (live.files, live.differential_base_guid) = (0, None);
            }),
            ("S2", "skip NoFullYet", |_, live, _, _| (live.files, live.differential_base_guid) = (0, None)),
            ("F1", "defer IdentityUnknown", |_, live, _, _| live.family_guid = None),
            ("F1", "defer DatabaseNotOnline", |_, live, _, _| live.state = "RESTORING".to_owned()),
            // Failed over: the history of the other node names nothing.
            ("F1 S2", "skip BaseIsUnknown", |_, _, history, _| history.clear()),
            ("F1 FA", "differential", |database, live, _, _| {
                database.last_full.as_mut().unwrap().id = BackupId::from("A");
                live.differential_base_guid = Some(Guid::from("a"));
            }),
        ];
        for (words, expected, change) in cases {
            assert_eq!(said(words, change), expected, "{words}");
        }
        let (database, _, _) = story("F1");
        let policy = with_differentials();
        let weighed = Weighed {
            policy: &policy,
            history: &[],
            bytes_per_second: 1,
            full_is_open: false,
            now: at("20:00"),
        };
        let gone = admit_differential(&database, None, &weighed).unwrap();
        assert!(matches!(gone, Verdict::Skip(reason) if reason.name == "DatabaseMissing"));
    }

    #[test]
    fn a_full_is_taken_instead_only_where_window_or_rto_demand_it() {
        // The full is of Monday 01:00, the next one is due on Sunday 01:00: 144 hours, 1,728 logs, a full and the recovery,
        // each up to five minutes. With a full of now it is a day until the next look: 288 logs and these two, 1,450 minutes.
        let cases: [(&str, &str, Change); 9] = [
            ("F1 S2", "full WindowDemandsFull", |database, _, _, _| {
                database.broken = Some(Reason::new(Class::Wait, "ChainBroken", "a gap"));
            }),
            ("F1 S2", "full WindowDemandsFull", |_, live, _, _| {
                live.recovery_model = Some(RecoveryModel::Simple);
            }),
            ("F1 S2", "skip BaseIsSnapshot", |_, _, _, policy| policy.objectives.rto_minutes = Some(1_449)),
            ("F1 S2", "full RtoDemandsFull", |_, _, _, policy| policy.objectives.rto_minutes = Some(1_450)),
            ("F1 S2", "full RtoDemandsFull", |_, _, _, policy| policy.objectives.rto_minutes = Some(8_649)),
            ("F1 S2", "skip BaseIsSnapshot", |_, _, _, policy| policy.objectives.rto_minutes = Some(8_650)),
            // A differential of 13:00 on the same full saves twelve hours, and is a step more.
            ("F1 S2", "skip BaseIsSnapshot", |database, _, _, policy| {
                database.last_differential = Some(last_differential("1"));
                policy.objectives.rto_minutes = Some(8_650 - 12 * 60 + 5);
            }),
            ("F1 S2", "full RtoDemandsFull", |database, _, _, policy| {
                database.last_differential = Some(last_differential("1"));
                policy.objectives.rto_minutes = Some(8_650 - 12 * 60 + 4);
            }),
            // Its base is an older full.
            ("F1 S2", "full RtoDemandsFull", |database, _, _, policy| {
                database.last_differential = Some(last_differential("0"));
                policy.objectives.rto_minutes = Some(8_649);
            }),
        ];
        for (words, expected, change) in cases {
            assert_eq!(said(words, change), expected, "{words}");
        }
    }

    fn last_differential(base: &str) -> LastDifferential {
        LastDifferential {
            id: BackupId::from("9"),
            base: BackupId::from(base),
            finished_at: at("13:00"),
            last_lsn: Lsn::ZERO,
            size_bytes: 0,
        }
    }
}
