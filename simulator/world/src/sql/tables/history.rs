//! How does msdb tell of backups?
//!
//! `backupset` and `backupmediafamily` of the active node. Dates are server-local with `time_zone` in quarter hours. A
//! native backup of RDS writes to a virtual device (type 7) named by a guid: msdb never knows the S3 object.

use tds::{SqlType, Value};

use crate::{
    instance::state::HistoryRow,
    sql::tables::{ColumnSpec, Hint, LSN, NAME, Table, col, guid, int, lsn, maybe, text, time},
    stream::{Purpose, Stream},
    tasks::info::device,
    time::{MINUTE, Ms},
    world::World,
};

const GUID: SqlType = SqlType::UniqueIdentifier;
const SIZE: SqlType = SqlType::Numeric { precision: 20, scale: 0 };

const BACKUPSET: &[ColumnSpec] = &[
    col("backup_set_id", SqlType::Int),
    col("backup_set_uuid", GUID),
    col("media_set_id", SqlType::Int),
    col("database_name", NAME),
    col("server_name", NAME),
    col("machine_name", NAME),
    col("database_guid", GUID),
    col("family_guid", GUID),
    col("type", SqlType::NVarChar(Some(1))),
    col("first_lsn", LSN),
    col("last_lsn", LSN),
    col("checkpoint_lsn", LSN),
    col("database_backup_lsn", LSN),
    col("differential_base_lsn", LSN),
    col("differential_base_guid", GUID),
    col("is_copy_only", SqlType::Bit),
    col("is_snapshot", SqlType::Bit),
    col("is_damaged", SqlType::Bit),
    col("has_bulk_logged_data", SqlType::Bit),
    col("begins_log_chain", SqlType::Bit),
    col("has_incomplete_metadata", SqlType::Bit),
    col("is_force_offline", SqlType::Bit),
    col("has_backup_checksums", SqlType::Bit),
    col("is_readonly", SqlType::Bit),
    col("is_single_user", SqlType::Bit),
    col("first_recovery_fork_guid", GUID),
    col("last_recovery_fork_guid", GUID),
    col("fork_point_lsn", LSN),
    col("recovery_model", SqlType::NVarChar(Some(60))),
    col("backup_start_date", SqlType::DateTime),
    col("backup_finish_date", SqlType::DateTime),
    col("time_zone", SqlType::SmallInt),
    col("last_valid_restore_time", SqlType::DateTime),
    col("backup_size", SIZE),
    col("compressed_backup_size", SIZE),
    col("software_major_version", SqlType::TinyInt),
    col("software_minor_version", SqlType::TinyInt),
    col("software_build_version", SqlType::SmallInt),
    col("compatibility_level", SqlType::TinyInt),
    col("position", SqlType::Int),
    col("name", NAME),
    col("description", SqlType::NVarChar(Some(255))),
    col("user_name", NAME),
    col("expiration_date", SqlType::DateTime),
    col("encryptor_type", SqlType::NVarChar(Some(32))),
    col("key_algorithm", SqlType::NVarChar(Some(32))),
    col("database_creation_date", SqlType::DateTime),
];

/// `msdb.dbo.backupset`.
pub(crate) struct BackupSets<'w> {
    world: &'w World,
    rows: &'w [HistoryRow],
}

fn history(world: &World, instance: usize) -> &[HistoryRow] {
    world.instances.get(instance).map_or(&[], |i| i.history())
}

/// numeric(20,0).
fn bytes(count: u64) -> Value {
    Value::Numeric { mantissa: i128::from(count), scale: 0 }
}

impl<'w> BackupSets<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        Self { world, rows: history(world, instance) }
    }
}

impl Table for BackupSets<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        BACKUPSET
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.rows.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let row = usize::try_from(row).ok().and_then(|r| self.rows.get(r));
        let Some(row) = row else { return Value::Null };
        let set = &row.set;
        let zone: Ms = set.zone_quarters * 15 * MINUTE;
        match column {
            0 | 2 => int(row.backup_set_id),
            1 => guid(set.uuid),
            3 => text(&set.database_name),
            4 | 5 => text(&set.server_name),
            6 => guid(set.database_guid),
            7 => guid(set.family_guid),
            8 => text(set.kind.letter()),
            9 => lsn(set.first_lsn),
            10 => lsn(set.last_lsn),
            11 => lsn(set.checkpoint_lsn),
            12 => lsn(set.database_backup_lsn),
            13 => maybe(set.differential_base, |b| lsn(b.0)),
            14 => maybe(set.differential_base, |b| guid(b.1)),
            15 => Value::Bit(set.is_copy_only),
            16 => Value::Bit(set.is_snapshot),
            17 => Value::Bit(set.is_damaged),
            18 => Value::Bit(set.has_bulk_logged_data),
            19 => Value::Bit(set.begins_log_chain),
            20..=24 => Value::Bit(false),
            25 => guid(set.first_fork),
            26 => guid(set.last_fork),
            27 => maybe(set.fork_point, lsn),
            28 => text(set.recovery_model.description()),
            29 => time(set.start + zone),
            30 => time(set.finish + zone),
            31 => int(set.zone_quarters),
            32 => maybe(set.last_valid, |at| time(at + zone)),
            33 => bytes(set.size_bytes),
            34 => bytes(set.compressed_bytes),
            35 => int(set.major_version),
            36 => int(0),
            37 => int(4_095),
            38 => int(u32::from(set.major_version) * 10),
            39 => int(1),
            42 => text("NT AUTHORITY\\SYSTEM"),
            46 => maybe(self.world.database(row.database), |d| time(d.created + zone)),
            _ => Value::Null,
        }
    }
}

/// `device_type` of a virtual device, which native backups of RDS and volume snapshots write to.
const VIRTUAL: u32 = 7;

/// `device_type` of what somebody else wrote to: a URL, or a disk, of which `NUL` is one.
fn device_type(device: &str) -> u32 {
    if device.contains("://") { 9 } else { 2 }
}

const MEDIA: &[ColumnSpec] = &[
    col("media_set_id", SqlType::Int),
    col("family_sequence_number", SqlType::TinyInt),
    col("media_family_id", GUID),
    col("media_count", SqlType::Int),
    col("logical_device_name", NAME),
    col("physical_device_name", SqlType::NVarChar(Some(260))),
    col("device_type", SqlType::TinyInt),
    col("physical_block_size", SqlType::Int),
    col("mirror", SqlType::TinyInt),
];

/// `msdb.dbo.backupmediafamily`.
pub(crate) struct MediaFamilies<'w> {
    world: &'w World,
    instance: usize,
    rows: &'w [HistoryRow],
    /// Place of the set, and the stripe from 1.
    families: Vec<(usize, u8)>,
}

impl<'w> MediaFamilies<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let rows = history(world, instance);
        let stripes =
            |(place, row): (usize, &HistoryRow)| (1..=row.set.stripes).map(move |stripe| (place, stripe));
        Self { world, instance, rows, families: rows.iter().enumerate().flat_map(stripes).collect() }
    }
}

impl Table for MediaFamilies<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        MEDIA
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.families.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let family = usize::try_from(row).ok().and_then(|r| self.families.get(r).copied());
        let Some((place, stripe)) = family else { return Value::Null };
        let Some(row) = self.rows.get(place) else { return Value::Null };
        let seed = self.world.seed;
        let imported = row.devices.get(usize::from(stripe - 1));
        match column {
            0 => int(row.backup_set_id),
            1 => int(stripe),
            2 => {
                let set = u64::from_be_bytes(row.set.uuid.0.first_chunk().copied().unwrap_or_default());
                guid(Stream::of(seed, Purpose::Guid, &[set, u64::from(stripe)]).guid())
            }
            3 => int(1),
            5 => match imported {
                Some(device) => text(device),
                None if row.set.is_snapshot => {
                    let snapshot = u32::MAX - row.backup_set_id;
                    text(&format!("{{{}}}{stripe}", device(seed, self.instance, snapshot, stripe)))
                }
                None => text(&device(seed, self.instance, row.task, stripe).to_string()),
            },
            6 => int(imported.map_or(VIRTUAL, |device| device_type(device))),
            7 => int(512),
            8 => int(0),
            _ => Value::Null,
        }
    }
}
