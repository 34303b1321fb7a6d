//! Can this moment of this database really be restored from these objects?
//!
//! Brute force, knowing nothing of chains or plans: every full, newest first, with and without every differential, then
//! whatever log file the engine accepts, in any order, until the moment is reached. It is the opposite of a planner on
//! purpose: it may try anything, and what it finds is compared with what the database held.
//!
//! Of headers it reads file identity alone: which set and which family an object belongs to. The order in which sets are
//! tried, and the skipping of logs whose LSNs the engine would refuse anyway (4305, 4326, the test of `restore::sequence`
//! made before the file is opened), save time; neither can hide a moment, because no set is left out for any other reason.

mod below;

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use jiff::Timestamp;

use crate::{
    backup_file::{BackupFile, BackupKind},
    content::Content,
    database::{
        branch::ContentRef,
        state::{Database, DatabaseId},
    },
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    restore::{ObjectRef, Restoring},
    s3::{Body, LogRef},
    time::{DAY, Ms, ceil_ms},
    world::World,
};

/// A way found to restore a moment.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the restored database holds.
    pub content: Content,
    /// The objects used, in order; log files of the service are none.
    pub objects: Vec<ObjectRef>,
}

/// Where a log file is.
#[derive(Debug, Clone)]
enum Place {
    Object(ObjectRef),
    /// All stripes of a set, read when it was found.
    Stripes(Arc<BackupFile>, Vec<ObjectRef>),
    /// RDS keeps it: it can be copied while the instance lives.
    Service(LogRef),
}

/// A log file that a sequence may try.
#[derive(Clone)]
struct Candidate {
    first: Lsn,
    last: Lsn,
    place: Place,
}

/// All backups of one family under a prefix.
#[derive(Clone)]
pub struct Judge<'w> {
    world: &'w World,
    database: DatabaseId,
    /// Complete, readable data backups, newest first.
    data: Vec<(Arc<BackupFile>, Vec<ObjectRef>)>,
    /// Ascending by first LSN.
    logs: Vec<Candidate>,
    /// Greatest last LSN of the logs up to each place: where a search backwards may stop.
    reach: Vec<Lsn>,
}

impl World {
    /// What a database held at a moment: the commits strictly before it. `None` before its creation, after its end and in
    /// the future.
    pub fn truth(&self, database: DatabaseId, at: Timestamp) -> Option<Content> {
        let held = self.database(database)?;
        let ms = ceil_ms(at);
        let lived = held.created <= ms && held.dropped.is_none_or(|d| ms <= d) && at <= self.now();
        lived.then(|| self.branches.content(held.truth_at(&self.branches, ms)))
    }

    /// The last commit strictly before a moment, as the database lived then.
    pub fn last_commit(&self, database: DatabaseId, before: Timestamp) -> Option<Timestamp> {
        let ms = ceil_ms(before);
        let at = self.database(database)?.truth_at(&self.branches, ms);
        self.branches.last_commit(at.branch, at.count, ms).map(crate::time::timestamp)
    }

    /// What a database held when its log had grown to an LSN, on the branch of a recovery fork; `None` where it had no such.
    pub fn truth_below(&self, database: DatabaseId, fork: Guid, lsn: Lsn) -> Option<Content> {
        let held = self.database(database)?;
        let number = held.forks.iter().position(|known| known.guid == fork)?;
        let branch = held.left.get(number).map_or(held.branch, |(_, branch)| *branch);
        let count = self.branches.count_below(branch, lsn);
        Some(self.branches.content(ContentRef { branch, count }))
    }

    /// Collects the backups of a database's family under a prefix, for as many questions as wanted.
    pub fn judge(&self, bucket: &str, prefix: &str, database: DatabaseId) -> Judge<'_> {
        let family = self.database(database).map(|d| d.family_guid);
        let mut judge =
            Judge { world: self, database, data: Vec::new(), logs: Vec::new(), reach: Vec::new() };
        if let Some(family) = family {
            judge.collect(bucket, prefix, family);
        }
        judge
    }
}

impl Judge<'_> {
    fn collect(&mut self, bucket: &str, prefix: &str, family: Guid) {
        let Ok(held) = self.world.s3.bucket(bucket) else { return };
        let mut sets: BTreeMap<Guid, Vec<ObjectRef>> = BTreeMap::new();
        for (key, versions) in
            held.objects.range(prefix.to_owned()..).take_while(|(k, _)| k.starts_with(prefix))
        {
            let Some(data) = versions.last().and_then(|v| v.data.as_ref()) else { continue };
            let object = ObjectRef::newest(bucket, key);
            match &data.body {
                Body::Bytes(_) => {}
                _ if self.world.read_backup(&object).is_err() => {}
                Body::Stripe { file, .. } if file.set.family_guid == family => {
                    sets.entry(file.set.uuid).or_default().push(object);
                }
                Body::Stripe { .. } => {}
                Body::Log(log) => self.add_log(*log, Place::Object(object), family),
            }
        }
        for (key, entry) in
            held.packed_from(prefix, Bound::Included(prefix), usize::MAX, |e| e.visible().then_some(*e))
        {
            let log = LogRef { database: entry.database, number: entry.number };
            self.add_log(log, Place::Object(ObjectRef { bucket: bucket.into(), key, version: None }), family);
        }
        for stripes in sets.into_values() {
            let Ok(file) = self.world.read_set(&stripes) else { continue };
            if file.set.kind == BackupKind::Log {
                let (first, last) = (file.set.first_lsn, file.set.last_lsn);
                self.logs.push(Candidate { first, last, place: Place::Stripes(file, stripes) });
            } else {
                self.data.push((file, stripes));
            }
        }
        self.data.sort_by_key(|(file, _)| std::cmp::Reverse((file.set.finish, file.set.last_lsn)));
        self.order_logs();
    }

    fn order_logs(&mut self) {
        self.logs.sort_by_key(|l| (l.first, l.last));
        let mut reach = Lsn::ZERO;
        self.reach = self
            .logs
            .iter()
            .map(|l| {
                reach = reach.max(l.last);
                reach
            })
            .collect();
    }

    /// The same with what lies in another bucket.
    #[must_use]
    pub fn with_bucket(mut self, bucket: &str, prefix: &str) -> Self {
        if let Some(family) = self.world.database(self.database).map(|database| database.family_guid) {
            self.collect(bucket, prefix, family);
        }
        self
    }

    /// The same with the log files that RDS still keeps: what can be restored while the instance lives.
    #[must_use]
    pub fn with_service(mut self) -> Self {
        let world = self.world;
        let now = world.now_ms;
        let horizon = now - world.knobs.log_list_days * DAY;
        let Some(own) = world.database(self.database) else { return self };
        let (from, until) = own.logs.numbers(now, horizon);
        for number in from..until {
            let log = LogRef { database: own.id, number };
            self.add_log(log, Place::Service(log), own.family_guid);
        }
        self.order_logs();
        self
    }

    /// The same, beginning with data backups of this very database alone: a copy can be restored to what it held from backups of what it
    /// is a copy of and its own logs, and those are another database's.
    #[must_use]
    pub fn of_its_own(mut self) -> Self {
        if let Some(own) = self.world.database(self.database).map(|database| database.database_guid) {
            self.data.retain(|(file, _)| file.set.database_guid == own);
        }
        self
    }

    fn add_log(&mut self, log: LogRef, place: Place, family: Guid) {
        let owner: Option<&Database> = self.world.database(log.database).filter(|d| d.family_guid == family);
        let Some(file) = owner.and_then(|d| d.log_file(&self.world.branches, log.number)) else { return };
        self.logs.push(Candidate { first: file.start.lsn, last: file.end.lsn, place });
    }

    /// A way to restore a moment, preferring one that yields what the database held; otherwise the first way found, or
    /// the engine's last refusal.
    pub fn restore_to(&self, at: Timestamp) -> Result<Restored, EngineError> {
        self.restore_to_using(at, &|_| true)
    }

    /// The same with those backups only whose `backup_set_uuid` may be used.
    pub fn restore_to_using(
        &self,
        at: Timestamp,
        may_use: &dyn Fn(Guid) -> bool,
    ) -> Result<Restored, EngineError> {
        let stop = ceil_ms(at);
        let truth = self.world.database(self.database).map(|d| d.truth_at(&self.world.branches, stop));
        let truth = truth.map(|t| self.world.branches.content(t));
        let mut found: Option<Restored> = None;
        let mut refusal = EngineError::new(3118, "No full backup ended before the moment.");
        let fulls = self.data.iter().filter(|(f, _)| f.set.kind == BackupKind::Full && may_use(f.set.uuid));
        for (full, stripes) in fulls {
            for (state, used) in self.starts((full, stripes), stop, may_use, &mut refusal) {
                match self.roll_forward(state, &used, (stop, truth.as_ref()), may_use) {
                    Ok(restored) if truth.as_ref().is_none_or(|t| *t == restored.content) => {
                        return Ok(restored);
                    }
                    Ok(restored) => found = found.or(Some(restored)),
                    Err(error) => refusal = error,
                }
            }
        }
        found.ok_or(refusal)
    }

    /// A full alone, and a full with each differential that it accepts, newest first.
    fn starts(
        &self,
        (full, stripes): (&Arc<BackupFile>, &[ObjectRef]),
        stop: Ms,
        may_use: &dyn Fn(Guid) -> bool,
        refusal: &mut EngineError,
    ) -> Vec<(Restoring, Vec<ObjectRef>)> {
        let engine = self.world.engine();
        let state = match Restoring::full(engine, full, Some(stop)) {
            Ok(state) => state,
            Err(error) => {
                *refusal = error;
                return Vec::new();
            }
        };
        let mut starts = Vec::new();
        let differentials = self.data.iter().filter(|(f, _)| f.set.kind == BackupKind::Differential);
        for (file, more) in differentials.filter(|(f, _)| may_use(f.set.uuid)) {
            let mut with = state.clone();
            if with.apply(engine, file, Some(stop)).is_ok() {
                starts.push((with, [stripes, more].concat()));
            }
        }
        starts.insert(0, (state, stripes.to_vec()));
        starts
    }

    /// Applies whatever is accepted, depth first, until the moment is reached with the content wanted; a way to the moment
    /// with other content is the second choice.
    fn roll_forward(
        &self,
        state: Restoring,
        used: &[ObjectRef],
        (stop, wanted): (Ms, Option<&Content>),
        may_use: &dyn Fn(Guid) -> bool,
    ) -> Result<Restored, EngineError> {
        let engine = self.world.engine();
        let mut found: Option<Restored> = None;
        let mut visited = vec![false; self.logs.len()];
        let mut refusal = EngineError::new(4322, "No log file reaches the moment.");
        // Steps taken so far, each with the step before it: paths share their beginnings.
        let mut steps: Vec<(Option<usize>, usize)> = Vec::new();
        let mut open = vec![(state, None)];
        while let Some((state, step)) = open.pop() {
            if state.stopped {
                match state.recover(engine, Some(stop)) {
                    Ok(content) => {
                        let right = wanted.is_none_or(|w| *w == content);
                        let way = Restored { content, objects: self.path(used, &steps, step) };
                        if right {
                            return Ok(way);
                        }
                        found = found.or(Some(way));
                    }
                    Err(error) => refusal = error,
                }
                continue;
            }
            let beyond = self.logs.partition_point(|l| l.first <= state.redo);
            for index in (0..beyond).rev() {
                if self.reach.get(index).is_none_or(|reach| *reach < state.redo) {
                    break;
                }
                let Some(log) = self.logs.get(index).filter(|log| log.last >= state.redo) else { continue };
                if visited.get(index).copied().unwrap_or(true) {
                    continue;
                }
                let Some(file) = self.read(&log.place).filter(|file| may_use(file.set.uuid)) else {
                    continue;
                };
                let mut next = state.clone();
                match next.apply(engine, &file, Some(stop)) {
                    Ok(()) if next.is_where(&state) => {}
                    Ok(()) => {
                        if let Some(seen) = visited.get_mut(index) {
                            *seen = true;
                        }
                        steps.push((step, index));
                        open.push((next, Some(steps.len() - 1)));
                    }
                    Err(error) => refusal = error,
                }
            }
        }
        found.ok_or(refusal)
    }

    fn read(&self, place: &Place) -> Option<Arc<BackupFile>> {
        match place {
            Place::Object(object) => self.world.read_backup(object).ok().map(|(file, _)| file),
            Place::Stripes(file, _) => Some(Arc::clone(file)),
            Place::Service(log) => self.world.database(log.database).and_then(|d| {
                let overhead = self.world.knobs.log_file_overhead_bytes;
                d.log_backup(&self.world.branches, self.world.seed, overhead, log.number).map(Arc::new)
            }),
        }
    }

    /// The objects of a path: those it began with, then its logs.
    fn path(
        &self,
        used: &[ObjectRef],
        steps: &[(Option<usize>, usize)],
        last: Option<usize>,
    ) -> Vec<ObjectRef> {
        let mut logs: Vec<&[ObjectRef]> = Vec::new();
        let mut at = last.and_then(|i| steps.get(i));
        while let Some((before, index)) = at {
            match self.logs.get(*index).map(|l| &l.place) {
                Some(Place::Object(object)) => logs.push(std::slice::from_ref(object)),
                Some(Place::Stripes(_, objects)) => logs.push(objects),
                Some(Place::Service(_)) | None => {}
            }
            at = before.and_then(|i| steps.get(i));
        }
        used.iter().chain(logs.into_iter().rev().flatten()).cloned().collect()
    }

    /// How many data backups and log files were found.
    pub fn counts(&self) -> (usize, usize) {
        (self.data.len(), self.logs.len())
    }
}
