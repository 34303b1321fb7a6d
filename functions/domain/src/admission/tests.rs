//! Tables: what a look at the live server says of each task.

use super::*;
use crate::id::{BackupId, Guid};
use crate::inventory::{LastFull, LogTail};
use crate::lsn::Lsn;

/// `orders` as the server tells of it.
pub(super) fn live(change: fn(&mut DatabaseState)) -> DatabaseState {
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
        files: 2,
        filestream: false,
        read_only: false,
        snapshot_of: None,
        server: 0,
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
    assert_eq!(said(admit_log_copy(&database(true, Some(20)), None, &files("2"))), "skip DatabaseMissing");
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
    healed.healed =
        Some(crate::inventory::Healed { last_lsn: Lsn::from_u64(35), finished_at: Timestamp::UNIX_EPOCH });
    for (listed, expected) in [("1 2 3 4", "3-4"), ("4 5", "full ChainBroken"), ("1 2", "defer NoNewLogs")] {
        assert_eq!(said(admit_log_copy(&healed, Some(&live(|_| ())), &files(listed))), expected, "{listed}");
    }
}

#[test]
fn two_days_before_the_service_forgets_the_next_log_a_person_is_told() {
    let head = database(true, Some(20));
    let newest = head.newest_log().unwrap();
    let told = |hours: i64| near_horizon(&head, newest + SignedDuration::from_hours(hours));
    assert_eq!(told(119), None);
    assert_eq!(told(120).unwrap().name, "LogsNearHorizon");
    assert_eq!(near_horizon(&database(false, None), newest), None);
}
