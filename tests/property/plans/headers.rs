//! What can a tool know of the backups without opening one? Rows of msdb with their devices, heads of objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::backup::{Backup, Obstacle, Stripes};
use serde_json::{Value as Json, json};
use sqlserver::columns::backupset;
use world::{ObjectHead, StorageClass};

use super::grown::{BUCKET, DATABASE, Grown, KEY};
use crate::msdb;

/// All headers as the rules read them, and the objects that each set's files are.
pub(crate) fn read(grown: &mut Grown) -> Vec<Backup> {
    let devices = devices(grown);
    let mut rows = msdb::backup_rows(&mut grown.world, grown.session, DATABASE);
    for row in &mut rows {
        let id = row[backupset::BACKUP_SET_UUID].as_str().expect("an id").to_owned();
        row.insert(backupset::FILES.to_owned(), json!(devices[&id]));
    }
    let bytes = serde_json::to_vec(&json!({ "backups": rows })).expect("JSON can be written");
    let imported =
        sqlserver::import::read(&bytes, &sqlserver::import::Options::default()).expect("rows of a server");
    assert_eq!((imported.incomplete.len(), imported.warnings.len()), (0, 0), "{:?}", imported.warnings);
    let mut backups = imported.backups;
    for backup in &mut backups {
        note_objects(grown, backup);
    }
    backups
}

/// Devices by `backup_set_uuid`, in order of the stripes.
fn devices(grown: &mut Grown) -> BTreeMap<String, Vec<Json>> {
    let text = "SELECT s.backup_set_uuid, f.physical_device_name FROM msdb.dbo.backupset AS s JOIN \
                msdb.dbo.backupmediafamily AS f ON f.media_set_id = s.media_set_id ORDER BY \
                f.family_sequence_number";
    let mut devices: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for mut row in msdb::select(&mut grown.world, grown.session, text) {
        let id = row[backupset::BACKUP_SET_UUID].as_str().expect("an id").to_owned();
        devices.entry(id).or_default().push(row["physical_device_name"].take());
    }
    devices
}

/// Writes into a header what became of its objects; what is not ours has none.
fn note_objects(grown: &Grown, backup: &mut Backup) {
    let Some(taken) = grown.taken.get(backup.id.as_str()) else {
        // `NUL` is what the import knows by itself.
        if backup.stripes.missing_count() == 0 {
            backup.stripes = Stripes::new([None], Some(1));
        }
        return;
    };
    let mut files: Vec<Option<Arc<str>>> = Vec::new();
    for object in &taken.objects {
        let now = grown.world.s3().head(BUCKET, &object.key, None).ok();
        backup.damaged |= now.as_ref().is_some_and(|now| changed(now, object));
        if now.as_ref().is_some_and(|now| now.class == StorageClass::Glacier) {
            backup.obstacle = Some(Obstacle::Archived);
        }
        files.push(now.map(|_| format!("s3://{BUCKET}/{}", object.key).into()));
    }
    backup.stripes = Stripes::new(files, u32::try_from(taken.objects.len()).ok());
    let usable = grown.world.kms().describe(KEY).is_some_and(|key| key.enabled);
    if taken.encrypted && !usable {
        backup.obstacle = Some(Obstacle::UnreadableKey);
    }
}

fn changed(now: &ObjectHead, seen: &ObjectHead) -> bool {
    now.class != StorageClass::Glacier && (&now.etag, now.size_bytes) != (&seen.etag, seen.size_bytes)
}
