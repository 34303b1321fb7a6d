//! A real history as the past of a simulated database: headers only, for which the world makes content that fits.

use std::path::Path;

use domain::backup::{Backup, Kind};
use domain::lsn::Lsn;
use jiff::Timestamp;
use sqlserver::import::{Options, read};
use world::{BackupKind, Guid, HistoryHeader, ObjectRef};

use super::SimulationError;

/// Reads an exported history of one database.
///
/// # Errors
/// A file that cannot be read or is no history: one line.
pub fn headers(path: &Path, bucket: Option<&str>) -> Result<Vec<HistoryHeader>, SimulationError> {
    let refused = |why: String| SimulationError::Setup { what: path.display().to_string(), why };
    let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let imported = read(&bytes, &Options::default()).map_err(|error| refused(error.to_string()))?;
    Ok(imported.backups.iter().filter_map(|backup| header(backup, bucket)).collect())
}

/// The world's header of a backup; snapshots are the service's own and have no file. With a bucket, every backup is one
/// object in it, under its id.
fn header(backup: &Backup, bucket: Option<&str>) -> Option<HistoryHeader> {
    let kind = match backup.kind {
        Kind::Full | Kind::CopyOnly => BackupKind::Full,
        Kind::Differential => BackupKind::Differential,
        Kind::Log => BackupKind::Log,
        Kind::Snapshot => return None,
    };
    let fork = |fork: Option<&domain::id::Guid>| fork.map(|fork| guid(fork.as_str()));
    Some(HistoryHeader {
        uuid: guid(backup.id.as_str()),
        kind,
        first_lsn: lsn(Some(backup.first_lsn))?,
        last_lsn: lsn(Some(backup.last_lsn))?,
        checkpoint_lsn: lsn(backup.checkpoint_lsn).unwrap_or_default(),
        database_backup_lsn: lsn(backup.database_backup_lsn).unwrap_or_default(),
        differential_base_guid: backup.differential_base_guid.as_ref().map(|base| guid(base.as_str())),
        is_copy_only: backup.kind == Kind::CopyOnly,
        first_fork: fork(backup.entry_fork()),
        last_fork: fork(backup.exit_fork()),
        fork_point: lsn(backup.fork_point_lsn),
        start: backup.started,
        finish: backup.finished,
        size_bytes: backup.size_bytes.max(1),
        objects: bucket.map(|bucket| ObjectRef::newest(bucket, backup.id.as_str())).into_iter().collect(),
    })
}

fn lsn(lsn: Option<Lsn>) -> Option<world::Lsn> {
    world::Lsn::from_numeric(i128::try_from(lsn?.value()).ok()?)
}

/// Exports name backups and forks as they like; what is no GUID gets one of its own, the same for the same text.
fn guid(text: &str) -> Guid {
    Guid::parse(text).unwrap_or_else(|| {
        let mut bytes = [0; 16];
        for (half, seed) in [0xcbf2_9ce4_8422_2325_u64, 0x8422_2325_cbf2_9ce4].into_iter().enumerate() {
            let hash = text.bytes().fold(seed, |hash, byte| {
                (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
            });
            bytes[half * 8..half * 8 + 8].copy_from_slice(&hash.to_be_bytes());
        }
        Guid(bytes)
    })
}

/// The moment after the newest backup of a history: where a story that goes on from it may begin.
pub fn after(headers: &[HistoryHeader]) -> Option<Timestamp> {
    headers.iter().map(|header| header.finish).max()
}
