//! What a plan comes to as T-SQL, and what its reader is told.

use domain::backup::{HeldIn, Stripes};
use domain::chain::State;
use domain::history::History;
use domain::lsn::Lsn;
use domain::notation;
use domain::restore::{Planner, Request, Target};
use jiff::Timestamp;

use super::*;

fn rows(line: &str, file: impl Fn(&str) -> Vec<String>) -> Vec<Backup> {
    let mut rows = notation::backups(line).unwrap();
    for row in &mut rows {
        row.stripes = Stripes::present(file(row.id.as_str()));
        row.time_zone_quarter_hours = Some(4);
    }
    rows
}

fn history(rows: Vec<Backup>) -> History {
    History::build(rows, vec![], Timestamp::MAX).unwrap()
}

fn of(history: &History, at: Target, naming: &Naming) -> Script {
    asked(history, &Request::at(at), naming)
}

fn asked(history: &History, request: &Request, naming: &Naming) -> Script {
    let lineage = &history.lineages()[0];
    let plan = Planner::new(lineage).plan(request).unwrap();
    script(&plan, lineage, naming)
}

/// The script of an RDS history with these files for the full.
fn restored_from(files: &[&str], others: &[&str]) -> Script {
    let mut rows = rows("F1 F2", |id| {
        let files = if id == "1" { files } else { others };
        files.iter().map(|file| (*file).to_owned()).collect()
    });
    if others.is_empty() {
        rows.truncate(1);
    }
    of(&history(rows), Target::Point(notation::id(1)), &Naming::default())
}

fn named(name: &str) -> Naming {
    Naming { target_name: Some(name.to_owned()), ..Naming::default() }
}

fn inside(number: u32) -> Target {
    Target::Moment(notation::finished(number) - jiff::SignedDuration::from_micros(1_500_000_999))
}

fn disk(id: &str) -> Vec<String> {
    vec![format!(r"D:\{id}.bak")]
}

fn arn(id: &str) -> Vec<String> {
    vec![format!("arn:aws:s3:::v/{id}")]
}

#[test]
fn an_engine_restores_from_urls_and_disks_in_local_time() {
    let history = history(rows("F1 D2 L3", |id| match id {
        "1" => vec!["s3://b/1-of-2".to_owned(), "s3://b/2-of-2".to_owned()],
        _ => vec![format!(r"D:\it's\{id}.bak")],
    }));
    let script = of(&history, inside(3), &named("a]b"));
    assert_eq!(
        script.statements,
        [
            "RESTORE DATABASE [a]]b] FROM URL = N's3://b/1-of-2', URL = N's3://b/2-of-2' WITH NORECOVERY;",
            r"RESTORE DATABASE [a]]b] FROM DISK = N'D:\it''s\2.bak' WITH NORECOVERY;",
            r"RESTORE LOG [a]]b] FROM DISK = N'D:\it''s\3.bak' WITH NORECOVERY, STOPAT = N'2026-01-01T03:45:00.000';",
            "RESTORE DATABASE [a]]b] WITH RECOVERY;",
        ]
    );
    let lsn = of(&history, Target::Lsn(Lsn::from_u64(26)), &Naming::default());
    assert!(lsn.statements[2].ends_with("WITH NORECOVERY, STOPBEFOREMARK = N'lsn:26';"), "{lsn:?}");
}

#[test]
fn rds_restores_by_procedures() {
    let history = history(rows("F1 D2 L3", |id| match id {
        "1" => {
            ["arn:aws:s3:::v/o/part1-of-2.bak", "arn:aws:s3:::v/o/part2-of-2.bak"].map(str::to_owned).into()
        }
        _ => arn(id),
    }));
    let zone = Naming { target_zone: Some("Europe/Berlin".parse().unwrap()), ..Naming::default() };
    let script = of(&history, inside(3), &zone);
    assert_eq!(
        script.statements,
        [
            "EXEC msdb.dbo.rds_restore_database @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/o/part*', @type = N'FULL', @with_norecovery = 1;",
            "EXEC msdb.dbo.rds_restore_database @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/2', @type = N'DIFFERENTIAL', @with_norecovery = 1;",
            "EXEC msdb.dbo.rds_restore_log @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/3', @stopat = '2026-01-01T03:45:00.000', @with_norecovery = 1;",
            "EXEC msdb.dbo.rds_finish_restore @db_name = N'db';",
        ]
    );
    let alone = of(&history, Target::Point(notation::id(1)), &Naming::default());
    assert_eq!(alone.statements.len(), 1, "{alone:?}");
    assert!(alone.statements[0].ends_with("@type = N'FULL', @with_norecovery = 0;"), "{alone:?}");
}

#[test]
fn rds_finishes_what_was_begun_elsewhere() {
    let history = history(rows("F1 L2", arn));
    let full = &history.lineages()[0].backups()[0];
    let from = Some(State { redo_lsn: full.last_lsn, fork: None });
    let request = Request { at: Target::Latest, continue_from: from };
    let one = asked(&history, &request, &Naming::default());
    assert_eq!(
        one.statements,
        [
            "EXEC msdb.dbo.rds_restore_log @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/2', @with_norecovery = 1;",
            "EXEC msdb.dbo.rds_finish_restore @db_name = N'db';",
        ]
    );
    let lineage = &history.lineages()[0];
    let mut plan = Planner::new(lineage).plan(&request).unwrap();
    plan.steps.remove(0);
    let none = script(&plan, lineage, &Naming::default());
    assert_eq!(none.statements, ["EXEC msdb.dbo.rds_finish_restore @db_name = N'db';"]);
}

#[test]
fn what_is_not_known_is_said() {
    let mut kept = notation::backups("F1 L2").unwrap();
    kept[0].stripes = Stripes::present(arn("1"));
    kept[1].held_in = HeldIn::Service;
    kept[1].id = "family.17".into();
    let script = of(&history(kept), inside(2), &Naming::default());
    assert_eq!(
        script.statements[0],
        "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = N'db', @rds_backup_starting_seq_id = 17, @rds_backup_ending_seq_id = 17;"
    );
    assert!(script.statements[2].contains("N'<ARN of log family.17>'"), "{script:?}");
    let told = script.warnings.join("\n");
    for part in [
        "--target-zone",
        "put them in",
        "@kms_key_arn to rds_tlog_backup_copy_to_S3",
        "@kms_master_key_arn to restores",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let script = of(&notation::history("F1").unwrap(), Target::Latest, &Naming::default());
    assert_eq!(
        script.statements[0],
        "RESTORE DATABASE [db] FROM DISK = N'<file of full 1>' WITH NORECOVERY;"
    );
}

/// The logs alone would say that the database is none of RDS: its full says that it is.
#[test]
fn the_lineage_says_whether_it_is_rds() {
    let log = |id: &str| match id {
        "1" => arn(id),
        "2" => vec![],
        "3" => disk(id),
        // RDS restores a log from one object.
        _ => vec!["arn:aws:s3:::v/a".to_owned(), "arn:aws:s3:::v/b".to_owned()],
    };
    let history = history(rows("F1 L2 L3 L4", log));
    let from = State { redo_lsn: history.lineages()[0].backups()[0].last_lsn, fork: None };
    let request = Request { at: Target::Latest, continue_from: Some(from) };
    let script = asked(&history, &request, &Naming::default());
    for (statement, number) in script.statements.iter().zip(["2", "3", "4"]) {
        let expected = format!("@s3_arn_to_restore_from = N'<ARN of log {number}>', @with_norecovery = 1;");
        assert!(statement.ends_with(&expected), "{script:?}");
    }
    let told = script.warnings.join("\n");
    assert!(told.contains("the ARN of log 2 is not known, nor those of 2 more"), "{told}");
    // Where no object is known, a log that the service keeps says it as well.
    let mut kept = notation::backups("F1 L2").unwrap();
    kept[1].held_in = HeldIn::Service;
    let full = of(&self::history(kept), Target::Point(notation::id(1)), &Naming::default());
    assert!(full.statements[0].contains("@s3_arn_to_restore_from = N'<ARN of backup 1>'"), "{full:?}");
    let virtual_full = restored_from(&["{0F5A3C1E-0000-4000-8000-00000000ABCD}1"], &["arn:aws:s3:::v/2"]);
    assert!(virtual_full.statements[0].contains("N'<ARN of backup 1>'"), "{virtual_full:?}");
}

#[test]
fn stripes_share_one_arn_inside_one_folder() {
    let v = |rest: &str| format!("arn:aws:s3:::v/{rest}");
    for (files, others, expected, warned) in [
        (["o/a-1.bak", "o/a-2.bak"], &["o/b.bak"][..], "o/a-*", ""),
        (["o/1-a.bak", "o/2-a.bak"], &[], "o/*", ""),
        (["o/1-a.bak", "o/2-a.bak"], &["o/b.bak"], "o/*", "arn:aws:s3:::v/o/b.bak begins with"),
        (["o/a-1.bak", "o/a-2.bak"], &["o/a-1.bak", "o/a-x.bak"], "o/a-*", "o/a-x.bak begins with"),
        (["o/p1/a.bak", "o/p2/a.bak"], &[], "o/*", "lie in several folders"),
        (["o/a", "o/a/b"], &[], "o/a*", ""),
        (["a", "b"], &[], "*", ""),
    ] {
        let (files, others) = (files.map(v), others.iter().map(|rest| v(rest)).collect::<Vec<_>>());
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let script = restored_from(&files.each_ref().map(String::as_str), &others);
        let told = script.warnings[..script.warnings.len() - 1].join("\n");
        let arn = format!("@s3_arn_to_restore_from = N'{}',", v(expected));
        assert!(script.statements[0].contains(&arn), "{files:?}: {script:?}");
        assert_eq!(told.is_empty(), warned.is_empty(), "{files:?}: {told}");
        assert!(told.contains(warned), "{files:?}: {told}");
    }
    let point = "arn:aws:s3:eu-west-1:1:accesspoint/";
    for files in [
        ["arn:aws:s3:::v1/a", "arn:aws:s3:::v2/a"].map(str::to_owned),
        ["p1", "p2"].map(|name| format!("{point}{name}/object/a")),
    ] {
        let script = restored_from(&files.each_ref().map(String::as_str), &[]);
        assert!(script.statements[0].contains("N'<ARN of backup 1>'"), "{script:?}");
        assert!(script.warnings[0].contains("lie in several buckets"), "{script:?}");
    }
}

#[test]
fn more_stripes_than_rds_takes_are_told() {
    for (count, is_told) in [(10, false), (11, true)] {
        let files: Vec<String> = (1..=count).map(|n| format!("arn:aws:s3:::v/a{n}-of-{count}")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let told = restored_from(&files, &[]).warnings.join("\n");
        assert_eq!(told.contains("RDS restores up to 10"), is_told, "{count}: {told}");
    }
}

/// Logs that RDS keeps, by number and whether they hold records, and which calls copy them.
#[test]
fn logs_are_copied_in_runs_that_empty_logs_do_not_split() {
    for (numbers, expected) in [
        (&[(5, true), (6, true), (7, true)][..], &[(5, 7)][..]),
        (&[(5, true), (6, false), (7, false), (8, true)], &[(5, 8)]),
        (&[(5, true), (7, true)], &[(5, 5), (7, 7)]),
        (&[(5, true), (6, false), (8, true)], &[(5, 5), (8, 8)]),
        (&[(4, false), (5, true), (6, false)], &[(5, 5)]),
    ] {
        let mut rows = rows("F1", arn);
        let mut lsn = rows[0].last_lsn;
        for (at, (number, holds)) in (2_u32..).zip(numbers) {
            let last = if *holds { Lsn::from_u64(u64::from(at) * 1_000) } else { lsn };
            let log = notation::finished(at);
            let mut log =
                Backup::new(format!("f.{number}"), "db", domain::backup::Kind::Log, (lsn, last), log);
            log.held_in = HeldIn::Service;
            log.database_guid.clone_from(&rows[0].database_guid);
            log.family_guid.clone_from(&rows[0].family_guid);
            rows.push(log);
            lsn = last;
        }
        let script = of(&history(rows), Target::Latest, &Naming::default());
        let copies: Vec<&String> =
            script.statements.iter().filter(|text| text.contains("rds_tlog_backup_copy_to_S3")).collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|(first, last)| format!("EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = N'db', @rds_backup_starting_seq_id = {first}, @rds_backup_ending_seq_id = {last};"))
            .collect();
        assert_eq!(copies, expected.iter().collect::<Vec<_>>(), "{numbers:?}");
    }
}

#[test]
fn a_set_of_a_shared_file_is_restored_by_its_number() {
    let mut shared = rows("F1 D2 L3", |_| disk("all"));
    for (row, position) in shared.iter_mut().zip([Some(1), Some(2), Some(3)]) {
        row.position = position;
    }
    let script = of(&history(shared.clone()), inside(3), &Naming::default());
    assert_eq!(
        script.statements[..3],
        [
            r"RESTORE DATABASE [db] FROM DISK = N'D:\all.bak' WITH NORECOVERY;",
            r"RESTORE DATABASE [db] FROM DISK = N'D:\all.bak' WITH FILE = 2, NORECOVERY;",
            r"RESTORE LOG [db] FROM DISK = N'D:\all.bak' WITH FILE = 3, NORECOVERY, STOPAT = N'2026-01-01T03:45:00.000';",
        ]
    );
    shared[1].stripes = Stripes::present(["https://a.blob/all.bak"]);
    let script = of(&history(shared), inside(3), &Naming::default());
    assert_eq!(
        script.statements[1],
        "RESTORE DATABASE [db] FROM URL = N'https://a.blob/all.bak' WITH NORECOVERY;"
    );
    assert!(script.statements[2].contains("FILE = 3"), "{script:?}");
    let told = script.warnings.join("\n");
    assert!(
        told.contains("backup 2 is number 2 of its media set, and FILE is not supported on URLs"),
        "{told}"
    );
}

#[test]
fn what_the_target_server_may_hold_is_told_once() {
    let whole = history(rows("F1 L2 L3", disk));
    let from = State { redo_lsn: whole.lineages()[0].backups()[0].last_lsn, fork: None };
    let going_on = Request { at: Target::Latest, continue_from: Some(from) };
    for (request, naming, expected) in [
        (Request::at(Target::Latest), Naming::default(), Some("WITH REPLACE")),
        (Request::at(Target::Latest), named("DB"), Some("(error 3159)")),
        (Request::at(Target::Latest), named("copy"), Some("add MOVE")),
        (going_on.clone(), Naming::default(), None),
        (going_on, named("copy"), None),
    ] {
        let script = asked(&whole, &request, &naming);
        assert_eq!(script.warnings.len(), usize::from(expected.is_some()), "{script:?}");
        assert!(expected.is_none_or(|part| script.warnings[0].contains(part)), "{script:?}");
    }
}

#[test]
fn devices_that_are_no_disks_are_told_once() {
    for (file, is_told) in [
        ("{0F5A3C1E-0000-4000-8000-00000000ABCD}", true),
        ("{0f5a3c1e-0000-4000-8000-00000000abcd}7", true),
        (r"\\.\TAPE0", true),
        (r"\\.\tape0", true),
        ("{0F5A3C1E}", false),
        ("{0F5A3C1E-0000-4000-8000-00000000WXYZ}", false),
        (r"\\server\tape\1.bak", false),
        (r"D:\{0F5A3C1E-0000-4000-8000-00000000ABCD}.bak", false),
    ] {
        let script =
            of(&history(rows("F1 L2 L3", |_| vec![file.to_owned()])), Target::Latest, &Naming::default());
        let told =
            script.warnings.iter().filter(|text| text.contains("virtual or tape device, as 2 more are"));
        assert_eq!(told.count(), usize::from(is_told), "{file}: {script:?}");
    }
}
