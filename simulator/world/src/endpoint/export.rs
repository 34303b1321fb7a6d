//! How does a backup of this world become an object that holds everything?

use super::{
    OBJECT_BYTES_MAX,
    object::{Header, Line, MOMENTS, Object, Payload as Written},
};
use crate::{
    backup_file::{BackupFile, BackupSet, Payload},
    database::branch::BranchId,
    time::Ms,
    world::World,
};

impl World {
    /// One stripe of a backup as bytes, `family` from 1. `None`: it is beyond what an object holds.
    pub(super) fn object_bytes(&self, file: &BackupFile, family: u8) -> Option<Vec<u8>> {
        let (branch, payload) = match file.payload {
            Payload::Pages(at) => {
                let content = self.branches.content(at);
                let pages = (0_u8..).zip(content.pages());
                let pages = pages.filter_map(|(page, held)| held.map(|v| (page, v.transaction, v.value)));
                (at.branch, Written::Pages { count: at.count, pages: pages.collect() })
            }
            Payload::Records { branch, from, until, reaches } => {
                let limit = reaches.max(file.set.finish).saturating_add(1);
                let logged = (from..until).map(|number| self.branches.logged(branch, number, limit));
                let records = logged.map(|l| l.map(|l| (l.at, l.end.to_string(), l.page, l.value)));
                (branch, Written::Records { from, reaches, records: records.collect::<Option<_>>()? })
            }
        };
        let object = Object {
            family,
            kms_key: file.kms_key.as_deref().map(str::to_owned),
            tde_thumbprint: file.tde_thumbprint.map(|print| print.to_string()),
            header: header(&file.set),
            branches: self.lines(branch)?,
            payload,
        };
        object.encode().filter(|bytes| u64::try_from(bytes.len()).is_ok_and(|len| len <= OBJECT_BYTES_MAX))
    }

    fn lines(&self, branch: BranchId) -> Option<Vec<Line>> {
        let mirror = self.mirror.as_ref()?;
        let lineage = self.branches.lineage(branch).into_iter();
        let lines = lineage.map(|(id, first, start)| Line {
            name: mirror.names.get(&id).cloned().unwrap_or_else(|| format!("{}/{}", mirror.life, id.0)),
            first,
            start: within(start),
        });
        Some(lines.collect())
    }
}

/// Branches without a beginning have an early one.
fn within(at: Ms) -> Ms {
    at.clamp(*MOMENTS.start(), *MOMENTS.end())
}

fn header(set: &BackupSet) -> Header {
    Header {
        backup_set_uuid: set.uuid.to_string(),
        database_name: set.database_name.to_string(),
        server_name: set.server_name.to_string(),
        database_guid: set.database_guid.to_string(),
        family_guid: set.family_guid.to_string(),
        r#type: set.kind.letter().chars().next().unwrap_or_default(),
        first_lsn: set.first_lsn.to_string(),
        last_lsn: set.last_lsn.to_string(),
        checkpoint_lsn: set.checkpoint_lsn.to_string(),
        database_backup_lsn: set.database_backup_lsn.to_string(),
        differential_base: set.differential_base.map(|(lsn, uuid)| (lsn.to_string(), uuid.to_string())),
        is_copy_only: set.is_copy_only,
        is_snapshot: set.is_snapshot,
        is_damaged: set.is_damaged,
        has_bulk_logged_data: set.has_bulk_logged_data,
        begins_log_chain: set.begins_log_chain,
        first_recovery_fork_guid: set.first_fork.to_string(),
        last_recovery_fork_guid: set.last_fork.to_string(),
        fork_point_lsn: set.fork_point.map(|lsn| lsn.to_string()),
        recovery_model: set.recovery_model.description().to_owned(),
        backup_start_date: set.start,
        backup_finish_date: set.finish,
        time_zone: set.zone_quarters,
        last_valid_restore_time: set.last_valid,
        backup_size: set.size_bytes,
        compressed_backup_size: set.compressed_bytes,
        software_major_version: set.major_version,
        stripes: set.stripes,
        has_filestream: set.features.filestream,
        has_memory_optimized_data: set.features.in_memory,
        has_null_file_guid: set.features.null_file_guid,
        is_cdc_enabled: set.captures_changes,
    }
}
