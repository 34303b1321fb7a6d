//! How does a database come out of headers alone?
//!
//! An imported history has no content, so the world makes some that fits: five transactions between any two neighbouring
//! LSNs of a fork, committed before the backup that ends there. Live writes go on in a fresh virtual log file after the
//! greatest LSN, on a child branch, so the clock continues and the next log starts where the last one ended.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload, RecoveryModel},
    database::{
        branch::{BranchId, ContentRef, Position, Waypoint},
        config::DatabaseConfig,
        state::{Database, DatabaseId, DifferentialBase, Fork},
        writes::Writes,
    },
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    restore::ObjectRef,
    s3::Body,
    stream::{Purpose, Stream},
    time::{Ms, floor_ms},
    world::World,
};

/// One backup of a history, as far as its header tells.
#[derive(Debug, Clone)]
pub struct HistoryHeader {
    /// `backup_set_uuid`.
    pub uuid: Guid,
    /// `type`.
    pub kind: BackupKind,
    /// `first_lsn`.
    pub first_lsn: Lsn,
    /// `last_lsn`.
    pub last_lsn: Lsn,
    /// `checkpoint_lsn`.
    pub checkpoint_lsn: Lsn,
    /// `database_backup_lsn`.
    pub database_backup_lsn: Lsn,
    /// `differential_base_guid`; where the history lacks it, the full whose checkpoint `database_backup_lsn` names.
    pub differential_base_guid: Option<Guid>,
    /// `is_copy_only`.
    pub is_copy_only: bool,
    /// `first_recovery_fork_guid`.
    pub first_fork: Option<Guid>,
    /// `last_recovery_fork_guid`.
    pub last_fork: Option<Guid>,
    /// `fork_point_lsn`.
    pub fork_point: Option<Lsn>,
    /// `backup_start_date`, as a moment.
    pub start: Timestamp,
    /// `backup_finish_date`, as a moment.
    pub finish: Timestamp,
    /// `backup_size`, bytes.
    pub size_bytes: u64,
    /// Objects to create, one for each stripe; none leaves the file out of S3.
    pub objects: Vec<ObjectRef>,
}

/// Transactions between two neighbouring LSNs.
const PER_STEP: u64 = 5;

struct Path {
    branch: BranchId,
    /// Ascending.
    counts: Vec<(Lsn, u64)>,
}

impl Path {
    /// Transactions before an LSN.
    fn count(&self, lsn: Lsn) -> u64 {
        let index = self.counts.partition_point(|(l, _)| *l <= lsn);
        index.checked_sub(1).and_then(|i| self.counts.get(i)).map_or(0, |(_, count)| *count)
    }
}

impl World {
    /// Creates a database with a past: the rows enter msdb, their files S3 where objects are named, and the database
    /// goes on from the newest LSN of the newest fork.
    pub fn add_database_from_history(
        &mut self,
        instance: &str,
        config: &DatabaseConfig,
        headers: &[HistoryHeader],
    ) -> Result<DatabaseId, EngineError> {
        let index = self.checked_name(instance, &config.name)?;
        self.refuse_database(index, &config.name)?;
        let id = DatabaseId(u32::try_from(self.databases.len()).unwrap_or(u32::MAX));
        let now = self.now_ms;
        let mut ordered: Vec<&HistoryHeader> = headers.iter().filter(|h| floor_ms(h.finish) <= now).collect();
        ordered.sort_by_key(|h| (h.finish, h.last_lsn, h.first_lsn));
        let Some(newest) = ordered.last().copied() else { return self.add_database(instance, config) };
        let seed = Stream::of(self.seed, Purpose::Writes, &[u64::from(id.0)]).next();
        let paths = self.import_paths(seed, &ordered);
        let latest_fork = newest.last_fork.unwrap_or_default();
        let Some(path) = paths.get(&latest_fork) else { return self.add_database(instance, config) };
        let end = path.counts.last().copied().unwrap_or_default();
        let parent = ContentRef { branch: path.branch, count: end.1 };
        let writes =
            Writes::new(seed, now, config.transactions_per_minute_milli, config.rhythm, &config.bursts);
        let vlf = ordered.iter().map(|h| h.last_lsn.vlf).max().unwrap_or(0).saturating_add(1);
        let branch =
            self.branches.add_generated(seed, Some(parent), now, writes, config.log_bytes.div_ceil(512), vlf);
        let fork = Fork { from: Ms::MIN, lsn: Lsn::ZERO, guid: latest_fork };
        let family = Database::fresh_guid(self.seed, id.0, 1);
        let mut database = self.blank_database(index, id, config, (now, branch), (family, fork));
        database.created = ordered.first().map_or(now, |h| floor_ms(h.start)).min(now);
        continue_state(&mut database, &ordered, path, now);
        let files: Vec<(BackupFile, &HistoryHeader)> =
            ordered.iter().filter_map(|h| Some((import_file(&database, &paths, &ordered, h)?, *h))).collect();
        self.adopt(index, database);
        for (file, header) in files {
            self.place_import(index, id, file, &header.objects);
        }
        Ok(id)
    }

    /// One branch for each fork, in order of appearance.
    fn import_paths(&mut self, seed: u64, ordered: &[&HistoryHeader]) -> BTreeMap<Guid, Path> {
        let mut paths: BTreeMap<Guid, Path> = BTreeMap::new();
        let mut forks: Vec<Guid> = Vec::new();
        for fork in ordered.iter().flat_map(|h| [h.first_fork, h.last_fork]).map(Option::unwrap_or_default) {
            if !forks.contains(&fork) {
                forks.push(fork);
            }
        }
        for (number, fork) in (0_u64..).zip(forks) {
            let crossing = ordered.iter().find(|h| {
                h.last_fork.unwrap_or_default() == fork && h.first_fork.unwrap_or_default() != fork
            });
            let point = crossing.and_then(|h| Some((h.first_fork?, h.fork_point?)));
            let parent = point.and_then(|(from, lsn)| paths.get(&from).map(|p| (p, lsn)));
            let parent = parent.map(|(p, lsn)| {
                (ContentRef { branch: p.branch, count: p.count(lsn) }, lsn, p.counts.clone())
            });
            let times = waypoint_times(ordered, fork, parent.as_ref().map(|(_, lsn, _)| *lsn));
            let first = parent.as_ref().map_or(0, |(at, _, _)| at.count);
            let waypoints = spread(&times, first);
            let mut counts = parent.as_ref().map_or(Vec::new(), |(_, lsn, before)| {
                before.iter().copied().filter(|(l, _)| l <= lsn).collect()
            });
            counts.extend(waypoints.iter().map(|w| (w.lsn, w.count)));
            let branch =
                self.branches.add_imported(seed.wrapping_add(number + 1), parent.map(|p| p.0), waypoints);
            paths.insert(fork, Path { branch, counts });
        }
        paths
    }

    fn place_import(&mut self, instance: usize, id: DatabaseId, file: BackupFile, objects: &[ObjectRef]) {
        let each = file.set.compressed_bytes / u64::from(file.set.stripes.max(1));
        let file = Arc::new(file);
        for (index, object) in (1_u8..).zip(objects) {
            let body = Body::Stripe { file: Arc::clone(&file), index };
            if self.s3.store(&object.bucket, &object.key, body, each).is_err() {
                break;
            }
        }
        if let Some(host) = self.instances.get_mut(instance) {
            let devices = objects.iter().map(|o| format!("s3://{}/{}", o.bucket, o.key)).collect();
            host.record(id, Arc::new(file.set.clone()), 0, devices);
        }
    }
}

/// When the log had grown to each LSN of a fork: the end of the first backup that ends there; a start where nothing ends.
fn waypoint_times(ordered: &[&HistoryHeader], fork: Guid, after: Option<Lsn>) -> BTreeMap<Lsn, Ms> {
    let mut times: BTreeMap<Lsn, Ms> = BTreeMap::new();
    let on = |f: Option<Guid>| f.unwrap_or_default() == fork;
    for header in ordered {
        if on(header.last_fork) {
            let at = floor_ms(header.finish);
            times.entry(header.last_lsn).and_modify(|held| *held = (*held).min(at)).or_insert(at);
        }
    }
    for header in ordered {
        if on(header.first_fork) {
            times.entry(header.first_lsn).or_insert(floor_ms(header.start));
        }
    }
    times.retain(|lsn, _| after.is_none_or(|a| *lsn > a));
    // Clocks may disagree with LSNs, which are right: a later LSN is never earlier.
    let mut latest = Ms::MAX;
    for at in times.values_mut().rev() {
        latest = latest.min(*at);
        *at = latest;
    }
    times
}

/// Waypoints with transactions between them, none where two share a moment.
fn spread(times: &BTreeMap<Lsn, Ms>, first: u64) -> Vec<Waypoint> {
    let mut waypoints: Vec<Waypoint> = Vec::new();
    for (lsn, at) in times {
        let count = waypoints.last().map_or(first, |w| if w.at < *at { w.count + PER_STEP } else { w.count });
        waypoints.push(Waypoint { lsn: *lsn, at: *at, count });
    }
    waypoints
}

/// The state that a database is in after its history.
fn continue_state(database: &mut Database, ordered: &[&HistoryHeader], path: &Path, now: Ms) {
    for header in ordered.iter().filter(|h| h.kind == BackupKind::Full && !h.is_copy_only) {
        let finish = floor_ms(header.finish);
        database.fulls.push((finish, header.checkpoint_lsn));
        let (lsn, uuid) = (header.checkpoint_lsn, header.uuid);
        database.base = Some(DifferentialBase { lsn, uuid, is_snapshot: false, at: finish });
    }
    let logs = ordered.iter().filter(|h| h.kind == BackupKind::Log).max_by_key(|h| (h.finish, h.last_lsn));
    let fulls = ordered.iter().filter(|h| h.kind == BackupKind::Full && !h.is_copy_only);
    let start = logs.map(|h| h.last_lsn).or_else(|| fulls.map(|h| h.first_lsn).min());
    if let Some(lsn) = start.filter(|_| database.recovery_model != RecoveryModel::Simple) {
        database.logs.continue_from(Position { count: path.count(lsn), lsn }, now, now);
    }
}

fn import_file(
    database: &Database,
    paths: &BTreeMap<Guid, Path>,
    ordered: &[&HistoryHeader],
    header: &HistoryHeader,
) -> Option<BackupFile> {
    let path = paths.get(&header.last_fork.unwrap_or_default())?;
    let until = path.count(header.last_lsn);
    let payload = match header.kind {
        BackupKind::Log => {
            let from = path.count(header.first_lsn).min(until);
            Payload::Records { branch: path.branch, from, until, reaches: floor_ms(header.finish) }
        }
        _ => Payload::Pages(ContentRef { branch: path.branch, count: until }),
    };
    let named = ordered.iter().rfind(|h| {
        h.kind == BackupKind::Full && !h.is_copy_only && h.checkpoint_lsn == header.database_backup_lsn
    });
    let base = header.differential_base_guid.or_else(|| named.map(|h| h.uuid));
    let base = base.filter(|_| header.kind == BackupKind::Differential);
    let (first, last) = (header.first_fork.unwrap_or_default(), header.last_fork.unwrap_or_default());
    let set = BackupSet {
        uuid: header.uuid,
        database_name: Arc::clone(&database.name),
        server_name: Arc::clone(&database.server_name),
        database_guid: database.database_guid,
        family_guid: database.family_guid,
        kind: header.kind,
        first_lsn: header.first_lsn,
        last_lsn: header.last_lsn,
        checkpoint_lsn: header.checkpoint_lsn,
        database_backup_lsn: header.database_backup_lsn,
        differential_base: base.map(|uuid| (header.database_backup_lsn, uuid)),
        is_copy_only: header.is_copy_only,
        is_snapshot: false,
        is_damaged: false,
        has_bulk_logged_data: false,
        begins_log_chain: false,
        first_fork: first,
        last_fork: last,
        fork_point: header.fork_point,
        recovery_model: RecoveryModel::Full,
        start: floor_ms(header.start),
        finish: floor_ms(header.finish),
        zone_quarters: database.zone_quarters,
        last_valid: (header.kind == BackupKind::Log).then(|| floor_ms(header.finish)),
        size_bytes: header.size_bytes,
        compressed_bytes: header.size_bytes,
        major_version: database.major_version,
        stripes: u8::try_from(header.objects.len().max(1)).unwrap_or(u8::MAX),
        features: database.features,
        captures_changes: false,
    };
    Some(BackupFile { set, payload, kms_key: None, tde_thumbprint: None })
}
