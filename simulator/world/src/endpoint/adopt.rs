//! How does an object of another world become a backup of this one?
//!
//! Its branches are found by name or added; what it tells of them must not contradict what other files told, or it is turned
//! down whole and nothing of it is kept.

use std::sync::Arc;

use super::object::{Header, Line, Object, Payload as Written, Unreadable};
use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload, RecoveryModel},
    database::{
        branch::{BranchId, ContentRef, Logged, Recorded},
        config::Features,
    },
    guid::Guid,
    lsn::Lsn,
    tde::certificate::Thumbprint,
    world::World,
};

/// What an object tells of one of its branches.
#[derive(Debug, Default)]
struct Told {
    log: Vec<Logged>,
    /// Transaction, page, value.
    pages: Vec<(u64, u8, u64)>,
    count: u64,
}

impl World {
    /// The backup in bytes that came from an endpoint, and which stripe of it they are.
    pub(super) fn adopt_bytes(&mut self, bytes: &[u8]) -> Result<(BackupFile, u8), Unreadable> {
        let object = Object::decode(bytes)?;
        let set = backup_set(&object.header).ok_or(Unreadable::Damaged)?;
        let told = told(&object).ok_or(Unreadable::Damaged)?;
        let known = self.known_lines(&object.branches).ok_or(Unreadable::Damaged)?;
        let agrees = known.iter().zip(&told).all(|(id, told)| {
            id.and_then(|id| self.branches.recorded(id)).is_none_or(|held| {
                held.agrees(&told.log) && told.pages.iter().all(|(n, page, v)| held.agrees_on(*n, *page, *v))
            })
        });
        if !agrees {
            return Err(Unreadable::Damaged);
        }
        let branch = self.keep(&object.branches, &told).ok_or(Unreadable::Damaged)?;
        let payload = match (&object.payload, set.kind) {
            (Written::Pages { count, .. }, BackupKind::Full | BackupKind::Differential) => {
                Payload::Pages(ContentRef { branch, count: *count })
            }
            (Written::Records { from, reaches, records }, BackupKind::Log) => {
                let until = u64::try_from(records.len()).map_or(*from, |many| from + many);
                Payload::Records { branch, from: *from, until, reaches: *reaches }
            }
            _ => return Err(Unreadable::Damaged),
        };
        let file = BackupFile {
            set,
            payload,
            kms_key: object.kms_key.map(Arc::from),
            tde_thumbprint: object.tde_thumbprint.as_deref().and_then(Thumbprint::parse),
        };
        Ok((file, object.family))
    }

    /// The branches that are known by these names; `None` where they are known to come from somewhere else.
    fn known_lines(&self, lines: &[Line]) -> Option<Vec<Option<BranchId>>> {
        let mirror = self.mirror.as_ref()?;
        let mut found: Vec<Option<BranchId>> = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if lines.iter().take(index).any(|before| before.name == line.name) {
                return None;
            }
            let id = mirror.named.get(&line.name).copied();
            if let Some(id) = id {
                let lineage = self.branches.lineage(id);
                let same = lineage.len() == index + 1
                    && lineage.last().map(|(_, first, start)| (*first, *start))
                        == Some((line.first, line.start))
                    && lineage.iter().zip(&found).all(|((held, ..), found)| Some(*held) == *found);
                if !same {
                    return None;
                }
            }
            found.push(id);
        }
        Some(found)
    }

    /// Adds the branches that are not known, keeps what is told of all, and names the last.
    fn keep(&mut self, lines: &[Line], told: &[Told]) -> Option<BranchId> {
        let mirror = self.mirror.as_mut()?;
        let mut last: Option<BranchId> = None;
        for (line, told) in lines.iter().zip(told) {
            let id = mirror.named.get(&line.name).copied().unwrap_or_else(|| {
                let parent = last.map(|branch| ContentRef { branch, count: line.first });
                let id = self.branches.add_recorded(parent, line.start);
                mirror.named.insert(line.name.clone(), id);
                mirror.names.insert(id, line.name.clone());
                id
            });
            if let Some(held) = self.branches.recorded_mut(id) {
                held.keep(&told.log);
                for (number, page, value) in &told.pages {
                    held.keep_page(*number, *page, *value);
                }
                held.knows(told.count);
            }
            last = Some(id);
        }
        last
    }
}

/// What an object tells, by branch; `None` where it contradicts itself.
fn told(object: &Object) -> Option<Vec<Told>> {
    let lines = &object.branches;
    let mut told: Vec<Told> = lines.iter().map(|_| Told::default()).collect();
    let writer = |number: u64| lines.partition_point(|line| line.first <= number).checked_sub(1);
    let end = match &object.payload {
        Written::Pages { count, pages } => {
            for (page, number, value) in pages {
                told.get_mut(writer(*number)?)?.pages.push((*number, *page, *value));
            }
            *count
        }
        Written::Records { from, records, .. } => {
            let mut number = *from;
            for (at, end, page, value) in records {
                let logged = Logged { number, at: *at, end: lsn(end)?, page: *page, value: *value };
                told.get_mut(writer(number)?)?.log.push(logged);
                number += 1;
            }
            number
        }
    };
    let ends = lines.iter().skip(1).map(|line| line.first).chain([end]);
    for (told, end) in told.iter_mut().zip(ends) {
        told.count = end;
    }
    let ascends = |two: &[Logged]| match two {
        [one, other] => one.at <= other.at && one.end <= other.end,
        _ => true,
    };
    let alone = |told: &Told| {
        told.log.windows(2).all(ascends)
            && told
                .pages
                .iter()
                .enumerate()
                .all(|(index, page)| !told.pages.iter().take(index).any(|before| before.0 == page.0))
            && Recorded::default().agrees(&told.log)
    };
    told.iter().all(alone).then_some(told)
}

fn lsn(text: &str) -> Option<Lsn> {
    Lsn::from_numeric(text.parse().ok()?)
}

fn backup_set(header: &Header) -> Option<BackupSet> {
    let kind = [BackupKind::Full, BackupKind::Differential, BackupKind::Log]
        .into_iter()
        .find(|kind| kind.letter().starts_with(header.r#type))?;
    let recovery_model = [RecoveryModel::Full, RecoveryModel::BulkLogged, RecoveryModel::Simple]
        .into_iter()
        .find(|model| model.description() == header.recovery_model)?;
    let differential_base = match &header.differential_base {
        Some((base, uuid)) => Some((lsn(base)?, Guid::parse(uuid)?)),
        None => None,
    };
    let fork_point = match &header.fork_point_lsn {
        Some(point) => Some(lsn(point)?),
        None => None,
    };
    Some(BackupSet {
        uuid: Guid::parse(&header.backup_set_uuid)?,
        database_name: Arc::from(header.database_name.as_str()),
        server_name: Arc::from(header.server_name.as_str()),
        database_guid: Guid::parse(&header.database_guid)?,
        family_guid: Guid::parse(&header.family_guid)?,
        kind,
        first_lsn: lsn(&header.first_lsn)?,
        last_lsn: lsn(&header.last_lsn)?,
        checkpoint_lsn: lsn(&header.checkpoint_lsn)?,
        database_backup_lsn: lsn(&header.database_backup_lsn)?,
        differential_base,
        is_copy_only: header.is_copy_only,
        is_snapshot: header.is_snapshot,
        is_damaged: header.is_damaged,
        has_bulk_logged_data: header.has_bulk_logged_data,
        begins_log_chain: header.begins_log_chain,
        first_fork: Guid::parse(&header.first_recovery_fork_guid)?,
        last_fork: Guid::parse(&header.last_recovery_fork_guid)?,
        fork_point,
        recovery_model,
        start: header.backup_start_date,
        finish: header.backup_finish_date,
        zone_quarters: header.time_zone,
        last_valid: header.last_valid_restore_time,
        size_bytes: header.backup_size,
        compressed_bytes: header.compressed_backup_size,
        major_version: header.software_major_version,
        stripes: header.stripes,
        features: Features {
            filestream: header.has_filestream,
            in_memory: header.has_memory_optimized_data,
            null_file_guid: header.has_null_file_guid,
        },
        captures_changes: header.is_cdc_enabled,
    })
}
