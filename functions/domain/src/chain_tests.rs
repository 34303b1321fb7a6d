//! Tables for the chain rules, in notation.

use super::*;
use crate::history::{History, Lineage};
use crate::notation;

fn answer(lineage: &Lineage) -> String {
    let differentials = lineage.backups().iter().filter(|backup| backup.kind == Kind::Differential);
    let answers = differentials.map(|differential| match base_of(differential, lineage) {
        Ok(base) => format!("{} on {}", notation::short(differential), notation::short(base)),
        Err(orphan) => format!("{} orphan: {}", notation::short(differential), brief(&orphan)),
    });
    answers.collect::<Vec<_>>().join("; ")
}

fn brief(orphan: &Orphan) -> String {
    match orphan {
        Orphan::Missing(base) => format!("missing {base}"),
        Orphan::Foreign(base, _) => format!("foreign {base}"),
        Orphan::Snapshot(base) => format!("snapshot S{base}"),
        Orphan::CopyOnly(base) => format!("copy-only C{base}"),
        Orphan::NoFull(base) => format!("no full {base}"),
        Orphan::Unusable(base, _) => format!("unusable F{base}"),
        Orphan::Unproven(base) => format!("unproven F{base}"),
        Orphan::Unnamed => "unnamed".to_owned(),
    }
}

/// Both ways of naming a base must agree: by guid, and by checkpoint where an old export has no guids.
fn check(line: &str, expected: &str) {
    let rows = notation::backups(line).unwrap();
    let with_guids = History::build(rows.clone(), vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&with_guids.lineages()[0]), expected, "{line}, by guid");
    let old = rows.into_iter().map(|row| Backup { differential_base_guid: None, ..row }).collect();
    let by_checkpoint = History::build(old, vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&by_checkpoint.lineages()[0]), expected, "{line}, by checkpoint_lsn");
}

#[test]
fn a_differential_restores_on_its_own_base() {
    check("F1 D2 L3", "D2 on F1");
    check("F1 F2 D3", "D3 on F2");
    check("F1 C2 D3", "D3 on F1");
    check("F1 S2 D3", "D3 orphan: snapshot S2");
    check("F1 S2 D3 F4 D5", "D3 orphan: snapshot S2; D5 on F4");
    check("F1! D2", "D2 orphan: unusable F1");
    check("F1- D2", "D2 orphan: unusable F1");
    check("C1 D2", "D2 orphan: unnamed");
}

#[test]
fn the_base_is_looked_up_by_checkpoint_and_never_by_first_lsn() {
    let mut rows = notation::backups("F1 F2 D3").unwrap();
    for row in &mut rows {
        row.differential_base_guid = None;
    }
    // A long transaction: the first full begins where the second has its checkpoint.
    rows[0].first_lsn = Lsn::from_u64(1);
    rows[0].checkpoint_lsn = Some(Lsn::from_u64(20));
    rows[1].first_lsn = Lsn::from_u64(20);
    rows[1].checkpoint_lsn = Some(Lsn::from_u64(21));
    let history = History::build(rows, vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&history.lineages()[0]), "D3 on F1");
}

/// Nothing is written between two fulls of an idle database, so they share a checkpoint; and a header may be wrong.
#[test]
fn a_copy_only_full_is_never_the_base_though_a_header_seems_to_name_it() {
    let mut rows = notation::backups("F1 C2 D3").unwrap();
    rows[2].differential_base_guid = Some(Guid::from(rows[1].id.as_str()));
    let by_guid = History::build(rows.clone(), vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&by_guid.lineages()[0]), "D3 orphan: copy-only C2");

    rows[2].differential_base_guid = None;
    (rows[0].kind, rows[1].kind) = (Kind::CopyOnly, Kind::Full);
    rows[1].checkpoint_lsn = rows[0].checkpoint_lsn;
    rows[2].differential_base_lsn = rows[0].checkpoint_lsn;
    let by_checkpoint = History::build(rows, vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&by_checkpoint.lineages()[0]), "D3 on F2", "not on the copy-only full before it");
}

#[test]
fn a_base_that_is_not_ours_is_named() {
    let mut rows = notation::backups("F1 D2").unwrap();
    rows[1].differential_base_guid = Some(Guid::from("elsewhere"));
    let history = History::build(rows.clone(), vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&history.lineages()[0]), "D2 orphan: missing elsewhere");
    let mut other = notation::backups("F7").unwrap().remove(0);
    other.database = "other".into();
    rows[1].differential_base_guid = Some(Guid::from("7"));
    rows.push(other);
    let history = History::build(rows.clone(), vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&history.lineages()[0]), "D2 orphan: foreign 7");
    rows[1].differential_base_guid = Some(Guid::from("2"));
    let history = History::build(rows, vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&history.lineages()[0]), "D2 orphan: no full 2");
}

#[test]
fn a_full_known_from_its_task_alone_is_no_base() {
    let mut rows = notation::backups("F1 D2").unwrap();
    rows[0].evidence = Evidence::Task;
    let history = History::build(rows, vec![], jiff::Timestamp::MAX).unwrap();
    assert_eq!(answer(&history.lineages()[0]), "D2 orphan: unproven F1");
}

#[test]
fn a_log_applies_by_lsn_and_fork() {
    let state =
        |redo: u64, fork: Option<&str>| State { redo_lsn: Lsn::from_u64(redo), fork: fork.map(Guid::from) };
    for (state, log, expected) in [
        (state(15, None), "L2[10-28]", Applies::Yes),
        (state(10, None), "L2[10-28]", Applies::Yes),
        (state(28, None), "L2[10-28]", Applies::Nothing),
        (state(28, None), "L2[28-28]", Applies::Nothing),
        (state(9, None), "L2[10-28]", Applies::TooRecent),
        (state(29, None), "L2[10-28]", Applies::TooEarly),
        (state(15, Some("a")), "L2@a[10-28]", Applies::Yes),
        (state(15, Some("A")), "L2@a[10-28]", Applies::Yes),
        (state(15, Some("b")), "L2@a[10-28]", Applies::OtherFork),
        (state(15, None), "L2@a[10-28]", Applies::Yes),
        (state(15, Some("a")), "L2[10-28]", Applies::Yes),
        (state(15, Some("a")), "L2@a>b:20[10-28]", Applies::Yes),
        (state(21, Some("a")), "L2@a>b:20[10-28]", Applies::OtherFork),
        (state(21, Some("a")), "L2@a>b[10-28]", Applies::Yes),
        (state(15, Some("b")), "L2@a>b:20[10-28]", Applies::OtherFork),
    ] {
        let log = notation::backups(log).unwrap().remove(0);
        assert_eq!(state.applies(&log), expected, "{state:?} {log:?}");
    }
    let crossing = notation::backups("L2@a>b:20[10-28]").unwrap().remove(0);
    assert_eq!(state(15, Some("a")).after_log(&crossing), state(28, Some("b")));
    let silent = notation::backups("L2[10-28]").unwrap().remove(0);
    assert_eq!(state(15, Some("a")).after_log(&silent), state(28, Some("a")));
}

/// Restore a full in the middle of a log that other tools drop: its `database_backup_lsn` is that of the full before.
#[test]
fn the_log_that_spans_the_end_of_a_full_applies_whatever_its_label() {
    let mut rows = notation::backups("F1 F3 L4[20-40]").unwrap();
    rows[2].database_backup_lsn = rows[0].checkpoint_lsn;
    assert_eq!(State::after(&rows[1]).applies(&rows[2]), Applies::Yes);
}

#[test]
fn what_can_begin_a_restore() {
    for (line, expected) in [
        ("F1", Ok(None)),
        ("C1", Ok(None)),
        ("F1 D2", Ok(Some("F1".to_owned()))),
        ("L1", Err(NoAnchor::Log)),
        ("S1", Err(NoAnchor::Snapshot)),
        ("F1!", Err(NoAnchor::Defect(Defect::Damaged))),
        ("F1-", Err(NoAnchor::Defect(Defect::MissingStripe(1)))),
        ("F1! D2", Err(NoAnchor::Orphan(Orphan::Unusable(notation::id(1), Defect::Damaged)))),
    ] {
        let history = notation::history(line).unwrap();
        let lineage = &history.lineages()[0];
        let last = lineage.backups().last().unwrap();
        assert_eq!(anchor(last, lineage).map(|base| base.map(notation::short)), expected, "{line}");
    }
}
