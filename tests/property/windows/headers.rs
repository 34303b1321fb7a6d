//! What can a tool know of the backups without opening one? Rows of msdb and of the service, heads of objects.
//!
//! Rows are read by SELECT and turned into backups by the import of `sqlserver`, the reader that histories go through.
//! What no row tells is added as a catalogue has it: which objects a backup was seen to have, and what became of them.

use std::collections::BTreeSet;

use domain::backup::{Backup, HeldIn, Obstacle, Stripes};
use domain::id::Guid;
use serde_json::{Map, Value as Json, json};
use sqlserver::columns::{backupset, rds_tlog_backup_metadata as log_column};
use world::{ObjectHead, StorageClass};

use super::grown::{BUCKET, DATABASE, Grown, Taken};
use crate::msdb;

const LOG_COLUMNS: [&str; 8] = [
    log_column::DB_NAME,
    log_column::FAMILY_GUID,
    log_column::RDS_BACKUP_SEQ_ID,
    log_column::BACKUP_FILE_TIME_UTC,
    log_column::STARTING_LSN,
    log_column::ENDING_LSN,
    log_column::FILE_SIZE_BYTES,
    log_column::ERROR,
];

/// The rows of a SELECT as objects.
fn select(grown: &mut Grown, text: &str) -> Vec<Map<String, Json>> {
    msdb::select(&mut grown.world, grown.session, text)
}

fn backup_rows(grown: &mut Grown) -> Vec<Map<String, Json>> {
    msdb::backup_rows(&mut grown.world, grown.session, DATABASE)
}

/// Ids of all backups that are no snapshots.
pub(crate) fn ids(grown: &mut Grown) -> BTreeSet<String> {
    let rows = backup_rows(grown);
    let real = rows.iter().filter(|row| row[backupset::IS_SNAPSHOT] != json!(true));
    real.filter_map(|row| row[backupset::BACKUP_SET_UUID].as_str().map(str::to_owned)).collect()
}

/// The log files that the service lists from a number on.
pub(crate) fn listed_logs(grown: &mut Grown, from: u64) -> Vec<(u64, Json)> {
    let columns = LOG_COLUMNS.join(", ");
    let number = log_column::RDS_BACKUP_SEQ_ID;
    let text = format!(
        "SELECT {columns} FROM msdb.dbo.rds_fn_list_tlog_backup_metadata(N'{DATABASE}') WHERE {number} >= {from} \
         ORDER BY {number}"
    );
    let rows = select(grown, &text);
    rows.into_iter().map(|row| (row[number].as_u64().expect("a number"), Json::Object(row))).collect()
}

/// The identity of the database: family, incarnation, fork.
fn identity(grown: &mut Grown) -> [String; 3] {
    let text = format!(
        "SELECT r.family_guid, r.database_guid, r.recovery_fork_guid FROM sys.databases AS d JOIN \
         sys.database_recovery_status AS r ON r.database_id = d.database_id WHERE d.name = N'{DATABASE}'"
    );
    let rows = select(grown, &text);
    ["family_guid", "database_guid", "recovery_fork_guid"]
        .map(|column| rows[0][column].as_str().expect("a live database has guids").to_owned())
}

/// The recovery fork now.
pub(crate) fn fork(grown: &mut Grown) -> String {
    let [_, _, fork] = identity(grown);
    fork
}

/// What became of an object that was seen.
fn look(grown: &Grown, seen: &ObjectHead) -> Fate {
    match grown.world.s3().head(BUCKET, &seen.key, None) {
        Err(_) => Fate::Lost,
        Ok(now) if now.class == StorageClass::Glacier => Fate::Archived,
        Ok(now) if (&now.etag, now.size_bytes) != (&seen.etag, seen.size_bytes) => Fate::Changed,
        Ok(_) => Fate::Kept,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Lost,
    Changed,
    Archived,
}

/// Writes into a header what became of its objects.
fn note_objects(grown: &Grown, backup: &mut Backup, objects: &[ObjectHead]) {
    let fates: Vec<Fate> = objects.iter().map(|object| look(grown, object)).collect();
    let files = objects.iter().zip(&fates).map(|(object, fate)| {
        (*fate != Fate::Lost).then(|| format!("arn:aws:s3:::{BUCKET}/{}", object.key).into())
    });
    backup.stripes = Stripes::new(files.collect::<Vec<_>>(), u32::try_from(objects.len()).ok());
    backup.damaged |= fates.contains(&Fate::Changed);
    if fates.contains(&Fate::Archived) {
        backup.obstacle = Some(Obstacle::Archived);
    }
    backup.held_in = HeldIn::Vault;
}

/// All headers as the rules read them: of the vault, and of the logs that only the service holds.
pub(crate) fn read(grown: &mut Grown) -> Vec<Backup> {
    let listed = listed_logs(grown, 0);
    let [_, incarnation, fork] = identity(grown);
    let mut logs: Vec<(u64, Json)> = grown.copied.iter().map(|(seq, log)| (*seq, log.row.clone())).collect();
    logs.extend(listed.iter().filter(|(seq, _)| !grown.copied.contains_key(seq)).cloned());
    let backups = backup_rows(grown);
    let document =
        json!({ "backups": backups, "rds_logs": logs.iter().map(|log| &log.1).collect::<Vec<_>>() });
    let bytes = serde_json::to_vec(&document).expect("JSON can be written");
    let imported =
        sqlserver::import::read(&bytes, &sqlserver::import::Options::default()).expect("rows of a server");
    assert_eq!((imported.incomplete.len(), imported.warnings.len()), (0, 0), "{:?}", imported.warnings);
    let mut rows = imported.backups;
    let log_rows = rows.split_off(backups.len());
    for row in &mut rows {
        note_data(grown, row);
    }
    for ((seq, _), mut row) in logs.iter().zip(log_rows) {
        row.database_guid = Some(Guid::from(incarnation.as_str()));
        let copied = grown.copied.get(seq);
        let fork = Guid::from(copied.map_or(fork.as_str(), |log| log.fork.as_str()));
        (row.first_fork, row.last_fork) = (Some(fork.clone()), Some(fork));
        // A copy that is of no use matters only where the service has forgotten the file.
        let service = row.clone();
        if let Some(log) = copied {
            note_objects(grown, &mut row, std::slice::from_ref(&log.object));
            let useless = look(grown, &log.object) != Fate::Kept;
            if useless && listed.iter().any(|(listed, _)| listed == seq) {
                row.id = format!("{}-copy", row.id).into();
                rows.push(service);
            }
        }
        rows.push(row);
    }
    rows
}

/// A data backup: ours with its objects, anybody else's with none.
fn note_data(grown: &Grown, row: &mut Backup) {
    match grown.taken.get(row.id.as_str()).cloned() {
        Some(Taken { encrypted, objects }) => {
            note_objects(grown, row, &objects);
            let usable = grown.world.kms().describe(super::grown::KEY).is_some_and(|key| key.enabled);
            if encrypted && !usable {
                row.obstacle = Some(Obstacle::UnreadableKey);
            }
        }
        None => row.stripes = Stripes::new([None], Some(1)),
    }
}
