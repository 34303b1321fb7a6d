//! A database that begins with an imported history: content that fits, and a clock that goes on.

use jiff::{SignedDuration, Timestamp};
use tds::Value;
use world::{BackupKind, DatabaseConfig, Guid, HistoryHeader, Lsn, ObjectRef};

use crate::lab::{Lab, cell};

fn header(number: u8, kind: BackupKind, lsns: [u32; 4], at: &str) -> HistoryHeader {
    let lsn = |block: u32| if block == 0 { Lsn::ZERO } else { Lsn::new(34, block, 1) };
    let finish: Timestamp = format!("2026-11-02T{at}Z").parse().unwrap();
    HistoryHeader {
        uuid: Guid([number; 16]),
        kind,
        first_lsn: lsn(lsns[0]),
        last_lsn: lsn(lsns[1]),
        checkpoint_lsn: lsn(lsns[2]),
        database_backup_lsn: lsn(lsns[3]),
        differential_base_guid: None,
        is_copy_only: false,
        first_fork: None,
        last_fork: None,
        fork_point: None,
        start: finish,
        finish,
        size_bytes: 1_000_000,
        objects: vec![ObjectRef::newest("vault", &format!("import/{number}"))],
    }
}

/// A full, logs across it, a differential, and more logs, as in published histories.
fn published() -> Vec<HistoryHeader> {
    use BackupKind::{Differential, Full, Log};
    vec![
        header(1, Full, [69, 144, 69, 0], "07:42:17"),
        header(2, Log, [69, 168, 69, 69], "07:44:47"),
        header(3, Log, [168, 197, 170, 69], "07:47:17"),
        header(4, Log, [197, 213, 199, 69], "07:49:47"),
        header(5, Differential, [219, 222, 219, 69], "07:49:48"),
        header(6, Log, [213, 232, 219, 69], "07:52:18"),
        header(7, Log, [232, 248, 234, 69], "07:54:48"),
    ]
}

#[test]
fn imported_files_restore_what_their_order_says() {
    let mut lab = Lab::new();
    let database =
        lab.world.add_database_from_history("prod", &DatabaseConfig::named("A"), &published()).unwrap();
    let object = |n: u8| ObjectRef::newest("vault", &format!("import/{n}"));
    let restore =
        |numbers: &[u8]| lab.world.restore(&numbers.iter().map(|n| object(*n)).collect::<Vec<_>>(), None);
    let by_logs = restore(&[1, 2, 3, 4, 6, 7]).unwrap();
    let by_differential = restore(&[1, 5, 6, 7]).unwrap();
    assert_eq!(by_logs, by_differential);
    assert!(by_logs.row_count() > 20);
    assert_eq!(restore(&[1, 3]).unwrap_err().number, 4305);
    assert_eq!(restore(&[1, 5, 4]).unwrap_err().number, 4326);
    assert_eq!(restore(&[5]).unwrap_err().number, 3118);
    let judge = lab.world.judge("vault", "import/", database);
    let first: Timestamp = "2026-11-02T07:42:17Z".parse().unwrap();
    for seconds in 0..=751 {
        let at = first + SignedDuration::from_secs(seconds);
        let way = judge.restore_to(at).unwrap_or_else(|e| panic!("{at} {e}"));
        assert_eq!(Some(way.content), lab.world.truth(database, at), "{at}");
    }
    assert!(judge.restore_to(first - SignedDuration::from_secs(1)).is_err());
    assert!(judge.restore_to(first + SignedDuration::from_secs(752)).is_err());
}

#[test]
fn the_lsn_clock_goes_on_where_the_history_ended() {
    let mut lab = Lab::new();
    let database =
        lab.world.add_database_from_history("prod", &DatabaseConfig::named("A"), &published()).unwrap();
    lab.set_up_logs();
    lab.wait(1_800);
    let rows = lab.select(
        "SELECT starting_lsn, ending_lsn FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('A') ORDER BY rds_backup_seq_id",
        &[],
    );
    let imported = lab.select(
        "SELECT MAX(last_lsn) AS last, COUNT(*) AS n FROM msdb.dbo.backupset WHERE database_name = 'a'",
        &[],
    );
    assert_eq!(cell(&rows, 0, "starting_lsn"), cell(&imported, 0, "last"));
    assert_eq!(*cell(&imported, 0, "n"), Value::Int(7));
    let copy = lab.copy_all("A");
    assert_eq!(lab.finish(copy), "SUCCESS");
    let at = lab.now() - SignedDuration::from_secs(900);
    let way = lab.world.judge("vault", "", database).restore_to(at).unwrap();
    assert_eq!(Some(way.content), lab.world.truth(database, at), "from the imported full into our own logs");
}

#[test]
fn forks_of_a_history_are_branches() {
    let (a, b) = (Guid([0xaa; 16]), Guid([0xbb; 16]));
    let fork = |mut h: HistoryHeader, first: Guid, last: Guid, point: Option<u32>| {
        (h.first_fork, h.last_fork) = (Some(first), Some(last));
        h.fork_point = point.map(|block| Lsn::new(34, block, 1));
        h
    };
    use BackupKind::{Full, Log};
    let history = [
        fork(header(1, Full, [50, 100, 60, 0], "07:00:00"), a, a, None),
        fork(header(2, Log, [50, 200, 60, 60], "07:10:00"), a, a, None),
        fork(header(3, Log, [200, 300, 60, 60], "07:20:00"), a, a, None),
        fork(header(4, Log, [200, 290, 60, 60], "07:40:00"), a, b, Some(200)),
        fork(header(5, Log, [290, 380, 60, 60], "07:50:00"), b, b, None),
    ];
    let mut lab = Lab::new();
    lab.world.add_database_from_history("prod", &DatabaseConfig::named("A"), &history).unwrap();
    let restore = |numbers: &[u8]| {
        let objects: Vec<_> =
            numbers.iter().map(|n| ObjectRef::newest("vault", &format!("import/{n}"))).collect();
        lab.world.restore(&objects, None)
    };
    let (left, right) = (restore(&[1, 2, 3]).unwrap(), restore(&[1, 2, 4, 5]).unwrap());
    assert_ne!(left, right);
    assert_eq!(restore(&[1, 2, 3, 5]).unwrap_err().number, 4330);
    let recovery = lab.select(
        "SELECT r.recovery_fork_guid AS f FROM sys.database_recovery_status AS r WHERE r.database_id = 6",
        &[],
    );
    assert_eq!(*cell(&recovery, 0, "f"), Value::Guid(b.0));
}
