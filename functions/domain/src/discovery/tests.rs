//! Looks in notation. Known heads: `orders=1.1` is family 1, database 1; `!` behind the name: marked as gone; `@b`: on instance
//! b; `1.1~1`: on the second server that has the instance's name; without guids: never seen. What the server shows is written likewise, with its state behind a colon.

use std::collections::BTreeMap;

use super::support::log_copies;
use super::*;
use crate::calendar::{DailyWindow, WeeklyWindow};
use crate::facts::{InstanceFacts, MultiAz, OptionState, RecoveryModel};
use crate::id::Guid;

pub(super) fn guids(text: &str) -> Option<Lineage> {
    let (family, database) = text.split_once('.')?;
    let (database, server) = database.split_once('~').unwrap_or((database, "0"));
    let server = server.parse().unwrap();
    Some(Lineage { family_guid: Guid::from(family), database_guid: Guid::from(database), server })
}

pub(super) fn known(text: &str) -> Vec<Known> {
    let head = |word: &str| {
        let (place, lineage) = word.split_once('=').unwrap_or((word, ""));
        let (name, instance) = place.split_once('@').unwrap_or((place, "a"));
        Known {
            place: Place { instance: instance.to_owned(), name: name.trim_end_matches('!').to_owned() },
            lineage: guids(lineage),
            gone_at: name.ends_with('!').then_some(Timestamp::UNIX_EPOCH),
        }
    };
    text.split_whitespace().map(head).collect()
}

pub(super) fn database(name: &str, lineage: Option<Lineage>) -> DatabaseState {
    DatabaseState {
        name: name.to_owned(),
        id: 5,
        state: "ONLINE".to_owned(),
        recovery_model: Some(RecoveryModel::Full),
        database_guid: lineage.as_ref().map(|lineage| lineage.database_guid.clone()),
        server: lineage.as_ref().map_or(0, |lineage| lineage.server),
        family_guid: lineage.map(|lineage| lineage.family_guid),
        recovery_fork_guid: None,
        last_log_backup_lsn: None,
        differential_base_guid: None,
        differential_base_lsn: None,
        data_bytes: Some(1 << 30),
        files: 2,
        filestream: false,
        read_only: false,
        snapshot_of: None,
    }
}

pub(super) fn shown(text: &str) -> Vec<DatabaseState> {
    let state = |word: &str| {
        let (word, state) = word.split_once(':').unwrap_or((word, "ONLINE"));
        let (name, lineage) = word.split_once('=').unwrap_or((word, ""));
        DatabaseState { state: state.to_owned(), ..database(name, guids(lineage)) }
    };
    text.split_whitespace().map(state).collect()
}

fn word(change: &Change) -> String {
    let at = |place: &Place| format!("{}@{}", place.name, place.instance);
    match change {
        Change::Unchanged => "unchanged".to_owned(),
        Change::Returned => "returned".to_owned(),
        Change::Renamed { from } => format!("renamed<{from}"),
        Change::Moved { from } => format!("moved<{}", at(from)),
        Change::Restored { from } => format!("restored<{}", at(from)),
        Change::Recreated => "recreated".to_owned(),
        Change::New => "new".to_owned(),
        Change::Skipped(reason) => reason.name.to_string(),
    }
}

/// `name:change` of each, then `-name` of what is gone, then `!Reason` of what was refused.
fn told(look: &Look) -> String {
    let shown = look.shown.iter().map(|(name, change)| format!("{name}:{}", word(change)));
    let gone = look.gone.iter().map(|name| format!("-{name}"));
    let refused = look.refused.iter().map(|reason| format!("!{}", reason.name));
    shown.chain(gone).chain(refused).collect::<Vec<_>>().join(" ")
}

fn settings() -> Settings {
    Settings::new("all", "weekly", "vault")
}

fn ground(settings: &Settings, profile: Profile) -> Ground<'_> {
    Ground { instance: "a", settings, profile, in_vault: 0 }
}

#[test]
fn a_database_is_its_lineage() {
    let settings = settings();
    for (heads, server, expected) in [
        ("", "", ""),
        ("", "orders=1.1", "orders:new"),
        ("orders=1.1", "orders=1.1", "orders:unchanged"),
        ("orders", "orders=1.1", "orders:unchanged"),
        ("orders=1.1", "orders:OFFLINE", "orders:unchanged"),
        ("orders=1.1", "sales=1.1", "sales:renamed<orders"),
        ("orders=1.1", "ORDERS=1.1", "ORDERS:renamed<orders"),
        ("orders=1.1", "", "-orders"),
        ("orders!=1.1", "", ""),
        ("orders!=1.1", "orders=1.1", "orders:returned"),
        ("orders!=1.1", "sales=1.1", "sales:renamed<orders"),
        ("orders=1.1", "orders=2.2", "orders:recreated"),
        ("orders!=1.1", "orders=2.2", "orders:recreated"),
        // Dropped and restored under its name: kin of itself, and another database.
        ("orders=1.1", "orders=1.2", "orders:recreated"),
        ("orders=1.1", "copy=1.2 orders=1.1", "copy:restored<orders@a orders:unchanged"),
        ("orders=1.1", "copy=1.2", "copy:restored<orders@a -orders"),
        // Renamed aside and restored over, as it is done on RDS.
        ("orders=1.1", "old=1.1 orders=1.2", "old:renamed<orders orders:restored<old@a"),
        ("a=1.1 b=2.2", "a=2.2 b=1.1", "a:renamed<b b:renamed<a"),
        ("a=1.1 b=2.2", "b=1.1", "b:renamed<a -b"),
        ("a=1.1 b=2.2", "b=1.1 c=2.2", "b:renamed<a c:renamed<b"),
        ("orders@b=1.1", "orders=1.2", "orders:restored<orders@b"),
        ("orders!@b=1.1", "orders=1.2", "orders:moved<orders@b"),
        ("orders!@b=1.1 orders@c=1.3", "orders=1.2", "orders:restored<orders@c"),
        ("orders!@b=1.1", "orders=1.1", "orders:moved<orders@b"),
        // Of a file that was attached twice one keeps the head.
        ("orders=1.1", "copy=1.1 orders=1.1", "copy:restored<orders@a orders:unchanged"),
        ("orders=1.1", "x=1.1 y=1.1", "x:renamed<orders y:restored<x@a"),
        // Two heads of one lineage: the one that is not gone is the database's.
        ("a!=1.1 b=1.1", "c=1.1", "c:renamed<b"),
        ("A=f.D", "A=F.d", "A:unchanged"),
    ] {
        let look = look(&ground(&settings, Profile::Rds), &known(heads), &shown(server));
        assert_eq!(told(&look), expected, "{heads:?} against {server:?}");
    }
}

#[test]
fn what_cannot_be_protected_is_skipped_with_its_reason() {
    let mut settings = settings();
    settings.exclude = vec!["SCRATCH*".to_owned()];
    for (heads, server, expected) in [
        ("", "master=1.1 rdsadmin=2.2", "master:SystemDatabase rdsadmin:SystemDatabase"),
        ("", "rdsadmin_x=1.1", "rdsadmin_x:NameNotSupported"),
        ("", "scratch1=1.1", "scratch1:Excluded"),
        ("", "x:RESTORING", "x:DatabaseNotOnline"),
        ("", "x=1.1:SUSPECT", "x:DatabaseNotOnline"),
        // What is protected stays so, whatever becomes of its name and state.
        ("scratch1=1.1", "scratch1=1.1", "scratch1:unchanged"),
        ("x=1.1", "scratch1=1.1", "scratch1:renamed<x"),
        ("x=1.1", "x=1.1:SUSPECT", "x:unchanged"),
        ("scratch1=1.1", "scratch1=2.2", "scratch1:recreated"),
        // Its head is not for the one that took the name and cannot be protected yet, and stays until it can.
        ("x=1.1", "x=1.2:RESTORING", "x:DatabaseNotOnline"),
    ] {
        let look = look(&ground(&settings, Profile::Rds), &known(heads), &shown(server));
        assert_eq!(told(&look), expected, "{heads:?} against {server:?}");
    }
}

#[test]
fn files_sizes_and_kinds_of_databases_end_at_their_limits() {
    let settings = settings();
    let plain = || database("x", None);
    for (profile, state, expected) in [
        (Profile::Rds, plain(), "x:new"),
        (Profile::Rds, DatabaseState { filestream: true, ..plain() }, "x:FilestreamNotSupported"),
        (Profile::Url, DatabaseState { filestream: true, ..plain() }, "x:new"),
        (Profile::Rds, DatabaseState { snapshot_of: Some(7), ..plain() }, "x:DatabaseSnapshot"),
        (Profile::Rds, DatabaseState { read_only: true, ..plain() }, "x:new"),
        (Profile::AzureVm, DatabaseState { files: 1_000, ..plain() }, "x:new"),
        (Profile::AzureVm, DatabaseState { files: 1_001, ..plain() }, "x:DatabaseTooLarge"),
        (
            Profile::Rds2019,
            DatabaseState { data_bytes: Some(2_000_000_000_000), ..plain() },
            "x:DatabaseTooLarge",
        ),
    ] {
        let look = look(&ground(&settings, profile), &[], std::slice::from_ref(&state));
        assert_eq!(told(&look), expected, "{profile:?} {state:?}");
    }
    // Nobody knows how many there are: no limit is met, and the instance says so once.
    let blind: Vec<_> = ["x", "y"].map(|name| DatabaseState { files: 0, ..database(name, None) }).into();
    let blind = look(&ground(&settings, Profile::AzureVm), &[], &[blind, vec![database("z", None)]].concat());
    assert_eq!(told(&blind), "x:new y:new z:new !FilesNotVisible");
    assert!(blind.refused[0].message.contains("no file of 2 of 3 databases"), "{:?}", blind.refused);
    let twins = look(&ground(&settings, Profile::AzureVm), &[], &shown("Orders=1.1 orders=2.2"));
    assert_eq!(told(&twins), "Orders:new orders:NamesDifferByCase");
    let twins = look(&ground(&settings, Profile::Rds), &[], &shown("Orders=1.1 orders=2.2"));
    assert_eq!(told(&twins), "Orders:new orders:new");
}

#[test]
fn one_look_neither_enrols_nor_lets_go_a_fleet() {
    let mut settings = settings();
    (settings.enrol_max, settings.let_go_max) = (2, 1);
    for (heads, server, expected) in [
        ("", "a=1.1 b=2.2", "a:new b:new"),
        ("", "a=1.1 b=2.2 c=3.3", "a:TooManyToEnrol b:TooManyToEnrol c:TooManyToEnrol !TooManyToEnrol"),
        ("a=1.1 b=2.2", "a=1.1", "a:unchanged -b"),
        ("a=1.1 b=2.2", "", "!TooManyGone"),
        // An endpoint that leads to another server.
        ("a=1.1 b=2.2", "a=3.3 b=4.4", "a:TooManyGone b:TooManyGone !TooManyGone"),
        ("a=1.1 b=2.2", "a=1.1~1 b=4.4~1", "a:recreated b:recreated"),
        ("a=1.1 b=2.2 c=3.3", "a=1.1~1 b=4.4", "a:recreated b:TooManyGone !TooManyGone"),
        ("a=1.1 b=2.2 c=3.3", "x=1.1 y=2.2 z=3.3", "x:renamed<a y:renamed<b z:renamed<c"),
    ] {
        let look = look(&ground(&settings, Profile::Rds), &known(heads), &shown(server));
        assert_eq!(told(&look), expected, "{heads:?} against {server:?}");
    }
    let full = Ground { in_vault: 1_999, ..ground(&settings, Profile::AzureVm) };
    let told_of = told(&look(&full, &known("k=9.9"), &shown("a=1.1 b=2.2 k=9.9")));
    assert_eq!(told_of, "a:new b:VaultFull k:unchanged !VaultFull");
}

#[test]
fn instances_are_selected_by_tag_or_name() {
    let tags: BTreeMap<_, _> = [("backup".to_owned(), "Gold".to_owned())].into();
    for (wanted, names, selected) in [
        ("backup=gold", "", true),
        ("backup=*", "", true),
        ("backup=silver", "", false),
        ("Backup=gold", "", false),
        ("backup", "", false),
        ("", "SALES*", true),
        ("", "ledger", false),
    ] {
        let mut settings = settings();
        settings.tags.extend((!wanted.is_empty()).then(|| wanted.to_owned()));
        settings.instances.extend((!names.is_empty()).then(|| names.to_owned()));
        assert_eq!(settings.selects("sales-1", &tags), selected, "{wanted:?} {names:?}");
    }
    assert!(!settings().selects("sales-1", &tags), "nothing is selected where nothing is said");
}

#[test]
fn settings_out_of_range_are_told() {
    let mut bad = settings();
    assert_eq!(bad.findings(), []);
    (bad.enrol_max, bad.let_go_max) = (0, 5_001);
    bad.tags = vec!["backup".to_owned(), "=x".to_owned()];
    bad.vault.clear();
    let messages: Vec<_> = bad.findings().into_iter().map(|reason| reason.message).collect();
    assert_eq!(
        messages,
        [
            "discovery all: enrol_max: 0 is not within 1 and 5000",
            "discovery all: let_go_max: 5001 is not within 1 and 5000",
            "discovery all: tags: \"backup\" is not key=value",
            "discovery all: tags: \"=x\" is not key=value",
            "discovery all: vault: is empty",
        ]
    );
    let json = r#"{"name":"n","policy":"p","vault":"v"}"#;
    assert_eq!(serde_json::from_str::<Settings>(json).unwrap(), Settings::new("n", "p", "v"));
}

#[test]
fn logs_are_copied_where_the_service_backs_them_up() {
    let facts = InstanceFacts {
        name: "a".to_owned(),
        arn: "arn:aws:rds:eu-west-1:1:db:a".to_owned(),
        status: "available".to_owned(),
        engine: "sqlserver-se".to_owned(),
        engine_version: "16.00".to_owned(),
        multi_az: MultiAz::SingleAz,
        backup_window: None::<DailyWindow>,
        maintenance_window: None::<WeeklyWindow>,
        retention_days: 7,
        backup_option: OptionState::Enabled,
        storage_encrypted: false,
        read_replica: false,
        resource_id: None,
    };
    let model = |recovery_model| DatabaseState { recovery_model, ..database("x", None) };
    let full = || model(Some(RecoveryModel::Full));
    for (facts, state, expected) in [
        (facts.clone(), full(), None),
        (facts.clone(), model(Some(RecoveryModel::Simple)), Some("RecoveryModelNotFull")),
        (facts.clone(), model(Some(RecoveryModel::BulkLogged)), Some("RecoveryModelNotFull")),
        (facts.clone(), model(None), Some("RecoveryModelNotFull")),
        (facts.clone(), DatabaseState { read_only: true, ..full() }, Some("ReadOnlyDatabase")),
        (InstanceFacts { retention_days: 0, ..facts.clone() }, full(), Some("AutomatedBackupsOff")),
        (InstanceFacts { read_replica: true, ..facts.clone() }, full(), Some("NoLogsOnReplica")),
    ] {
        let said = log_copies(&facts, &state).err().map(|reason| reason.name.into_owned());
        assert_eq!(said.as_deref(), expected, "{facts:?} {state:?}");
    }
}
