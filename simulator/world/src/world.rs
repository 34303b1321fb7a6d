//! The world: who exists, what time it is, what happens next.
//!
//! One thread, no clock but [`World::advance_to`], no chance but named streams: the same calls give the same bytes. What
//! can be computed is not stored (progress, log files, the text of tasks); only changes of plan are on the agenda.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    backup_file::RecoveryModel,
    database::{
        branch::Branches,
        config::DatabaseConfig,
        logs::LogSchedule,
        state::{Database, DatabaseId, Fork},
        writes::Writes,
    },
    endpoint::Mirror,
    error::EngineError,
    instance::{
        config::{InstanceConfig, InstanceDescription, RdsEvent},
        names::taken,
        state::Instance,
        storage::Fullness,
    },
    kms::{KeyConfig, Kms},
    knobs::Knobs,
    lsn::Lsn,
    s3::{BucketConfig, S3},
    sql::{session::Session, statements::Statements},
    stream::{Purpose, Stream},
    tde::key::Encryption,
    time::{Ms, floor_ms, timestamp},
};

/// How long RDS remembers an event: 14 days. RDS API reference, `DescribeEvents`, read 2026-11.
const EVENTS_SECONDS: i64 = 14 * 24 * 60 * 60;

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A free slot looks at the queue.
    LookAtQueue { instance: usize },
    /// A task ends, if its plan is still this one.
    TaskEnds { instance: usize, task: u32, plan: u16 },
    /// The automated backup starts.
    AutomatedBackup { instance: usize },
    /// It ends.
    AutomatedBackupEnds { instance: usize },
    /// RDS sets the recovery model back.
    RecoveryReset { database: DatabaseId },
    /// The instance is back after a failover.
    Up { instance: usize },
    /// The maintenance window opens.
    Maintenance { instance: usize },
    /// The service looks at the storage.
    LookAtStorage { instance: usize },
}

/// The simulated world.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) seed: u64,
    pub(crate) knobs: Knobs,
    now: Timestamp,
    pub(crate) now_ms: Ms,
    agenda: BTreeMap<(Ms, u64), Event>,
    agenda_serial: u64,
    pub(crate) instances: Vec<Instance>,
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) databases: Vec<Database>,
    pub(crate) branches: Branches,
    pub(crate) s3: S3,
    pub(crate) kms: Kms,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) session_serial: u64,
    pub(crate) statements: Statements,
    events: VecDeque<RdsEvent>,
    /// What `DescribeEvents` finds, by instance and in order of time.
    remembered: BTreeMap<usize, VecDeque<RdsEvent>>,
    /// Manual snapshots by name, and the instance of each.
    pub(crate) snapshots: BTreeMap<String, String>,
    /// What moves to and from a real endpoint, where there is one.
    pub(crate) mirror: Option<Box<Mirror>>,
}

impl World {
    /// An empty world at a moment.
    pub fn new(seed: u64, start: Timestamp, knobs: Knobs) -> Self {
        Self {
            seed,
            knobs,
            now: start,
            now_ms: floor_ms(start),
            agenda: BTreeMap::new(),
            agenda_serial: 0,
            instances: Vec::new(),
            names: BTreeMap::new(),
            databases: Vec::new(),
            branches: Branches::default(),
            s3: S3::new(seed, floor_ms(start)),
            kms: Kms::default(),
            sessions: BTreeMap::new(),
            session_serial: 0,
            statements: Statements::default(),
            events: VecDeque::new(),
            remembered: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            mirror: None,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The knobs this world was made with.
    pub fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// When something happens next by itself. Progress of tasks and five-minute log backups are computed when read and
    /// are no events.
    pub fn next_event_at(&self) -> Option<Timestamp> {
        self.agenda.keys().next().map(|(at, _)| timestamp(*at).max(self.now))
    }

    /// Lets time pass up to and with a moment; the past is ignored.
    pub fn advance_to(&mut self, to: Timestamp) {
        let limit = floor_ms(to);
        while let Some(((at, _), event)) = self.agenda.first_key_value().map(|(k, v)| (*k, *v)) {
            if at > limit {
                break;
            }
            self.agenda.pop_first();
            self.set_time(timestamp(at).max(self.now));
            self.happen(event);
        }
        self.set_time(to.max(self.now));
    }

    fn set_time(&mut self, now: Timestamp) {
        self.now = now;
        self.now_ms = floor_ms(now);
        self.s3.now = self.now_ms;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::LookAtQueue { instance } => self.look_at_queue(instance),
            Event::TaskEnds { instance, task, plan } => self.task_ends(instance, task, plan),
            Event::AutomatedBackup { instance } => self.automated_backup(instance),
            Event::AutomatedBackupEnds { instance } => self.automated_backup_ends(instance),
            Event::RecoveryReset { database } => self.recovery_reset(database),
            Event::Up { instance } => self.instance_up(instance),
            Event::Maintenance { instance } => self.maintenance_opens(instance),
            Event::LookAtStorage { instance } => self.look_at_storage(instance),
        }
    }

    pub(crate) fn schedule(&mut self, at: Ms, event: Event) {
        self.agenda_serial += 1;
        self.agenda.insert((at.max(self.now_ms), self.agenda_serial), event);
    }

    pub(crate) fn publish(&mut self, instance: usize, id: &'static str, message: impl Into<String>) {
        self.publish_of(instance, id, message.into(), None);
    }

    /// Publishes an event about an instance, or about a manual snapshot of it.
    pub(crate) fn publish_of(
        &mut self,
        instance: usize,
        id: &'static str,
        message: String,
        snapshot: Option<String>,
    ) {
        let Some(held) = self.instances.get(instance) else { return };
        let event = RdsEvent { at: self.now, instance: held.config.name.clone(), id, message, snapshot };
        let remembered = self.remembered.entry(instance).or_default();
        let forgotten = self.now.as_second() - EVENTS_SECONDS;
        while remembered.front().is_some_and(|oldest| oldest.at.as_second() < forgotten) {
            remembered.pop_front();
        }
        remembered.push_back(event.clone());
        self.events.push_back(event);
    }

    /// `DescribeEvents`: what happened to an instance from one moment to another, as far as RDS remembers it, oldest first; `None`
    /// without the instance.
    pub fn describe_events(
        &self,
        instance: &str,
        (since, until): (Timestamp, Timestamp),
    ) -> Option<impl Iterator<Item = &RdsEvent>> {
        let index = self.index_of(instance)?;
        let remembered = self.remembered.get(&index).into_iter().flatten();
        let since = since.as_second().max(self.now.as_second() - EVENTS_SECONDS);
        Some(remembered.filter(move |event| event.at.as_second() >= since && event.at <= until))
    }

    /// Takes the RDS events published since the last call.
    pub fn take_events(&mut self) -> Vec<RdsEvent> {
        self.events.drain(..).collect()
    }

    /// Creates a bucket.
    pub fn add_bucket(&mut self, config: BucketConfig) {
        self.s3.add_bucket(config);
    }

    /// Creates a key.
    pub fn add_key(&mut self, config: KeyConfig) {
        self.kms.keys.insert(config.arn.clone(), config);
    }

    /// Creates an instance; its automated backups begin with the next backup window.
    pub fn add_instance(&mut self, config: InstanceConfig) {
        let index = self.instances.len();
        self.names.insert(config.name.clone(), index);
        self.instances.push(Instance { up_since: self.now_ms, ..Instance::new(config) });
        self.schedule_automated_backup(index, self.now_ms);
        self.schedule_maintenance(index, self.now_ms);
        self.schedule_storage(index);
        self.generate_certificate(index);
    }

    /// S3, as its API shows it.
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    /// S3, to write.
    pub fn s3_mut(&mut self) -> &mut S3 {
        &mut self.s3
    }

    /// KMS, as its API shows it.
    pub fn kms(&self) -> &Kms {
        &self.kms
    }

    /// KMS, to change keys.
    pub fn kms_mut(&mut self) -> &mut Kms {
        &mut self.kms
    }

    pub(crate) fn index_of(&self, instance: &str) -> Option<usize> {
        self.names.get(instance).copied()
    }

    /// Names of all instances.
    pub fn instance_names(&self) -> impl Iterator<Item = &str> {
        self.instances.iter().map(|i| i.config.name.as_str())
    }

    /// `DescribeDBSnapshots` of one manual snapshot: the instance that it was taken of; `None` is `DBSnapshotNotFound`.
    pub fn describe_snapshot(&self, name: &str) -> Option<&str> {
        self.snapshots.get(name).map(String::as_str)
    }

    /// `DescribeDBInstances` of one instance; `None` is `DBInstanceNotFound`.
    pub fn describe_instance(&self, name: &str) -> Option<InstanceDescription> {
        let index = self.index_of(name)?;
        let instance = self.instances.get(index)?;
        let status = if instance.down_until.is_some() {
            "rebooting"
        } else if instance.storage == Fullness::Full {
            "storage-full"
        } else if instance.automated_until.is_some() {
            "backing-up"
        } else {
            "available"
        };
        let logged = instance.databases.values().filter_map(|id| {
            let database = self.database(*id)?;
            let (_, end) = database.logs.numbers(self.now_ms, database.created);
            database.logs.taken_at(end.checked_sub(1)?)
        });
        let latest = if instance.config.retention_days > 0 { logged.min() } else { None };
        Some(InstanceDescription {
            config: instance.config.clone(),
            resource_id: format!("db-SIMULATED{index:016}"),
            status,
            latest_restorable_time: latest.map(timestamp),
        })
    }

    pub(crate) fn database(&self, id: DatabaseId) -> Option<&Database> {
        self.databases.get(id.0 as usize)
    }

    pub(crate) fn database_mut(&mut self, id: DatabaseId) -> Option<&mut Database> {
        self.databases.get_mut(id.0 as usize)
    }

    /// A database of an instance by name, as it is now; a read replica has those of its source.
    pub fn find_database(&self, instance: &str, name: &str) -> Option<DatabaseId> {
        self.shown(self.index_of(instance)?)?.database(name)
    }

    /// The incarnation of a `database_guid`, whatever its name is or was; of twins the one on this instance.
    pub fn database_of_guid(&self, guid: &str, instance: &str) -> Option<DatabaseId> {
        let same = |known: &&Database| known.database_guid.to_string().eq_ignore_ascii_case(guid);
        let there = self.index_of(instance);
        let of_guid = || self.databases.iter().filter(same);
        let found = of_guid().find(|known| Some(known.instance) == there).or_else(|| of_guid().next());
        found.map(|known| known.id)
    }

    /// Every incarnation of every database that ever existed, with its instance and name.
    pub fn all_databases(&self) -> impl Iterator<Item = (DatabaseId, &str, &str)> {
        self.databases.iter().filter_map(|d| {
            let instance = self.instances.get(d.instance)?;
            Some((d.id, instance.config.name.as_str(), &*d.name))
        })
    }

    /// Creates a database. Its first snapshot, its log chain and its differential base start at its creation, as RDS
    /// backs a new database up by itself.
    pub fn add_database(
        &mut self,
        instance: &str,
        config: &DatabaseConfig,
    ) -> Result<DatabaseId, EngineError> {
        let index = self.checked_name(instance, &config.name)?;
        self.refuse_database(index, &config.name)?;
        let id = DatabaseId(u32::try_from(self.databases.len()).unwrap_or(u32::MAX));
        let created = config.created_at.map_or(self.now_ms, floor_ms).min(self.now_ms);
        let seed = Stream::of(self.seed, Purpose::Writes, &[u64::from(id.0)]).next();
        let vlf = u32::try_from(Stream::of(seed, Purpose::BackupLog, &[]).between(34, 20_000)).unwrap_or(34);
        let writes =
            Writes::new(seed, created, config.transactions_per_minute_milli, config.rhythm, &config.bursts);
        let sectors = config.log_bytes.div_ceil(512);
        let branch = self.branches.add_generated(seed, None, created, writes, sectors, vlf);
        let family_guid = Database::fresh_guid(self.seed, id.0, 1);
        let fork = Fork { from: created, lsn: Lsn::ZERO, guid: Database::fresh_guid(self.seed, id.0, 2) };
        let database = self.blank_database(index, id, config, (created, branch), (family_guid, fork));
        self.adopt(index, database);
        if self.retains(index) {
            self.snapshot_database(id, created);
        }
        Ok(id)
    }

    /// The instance's index, when the name may be used on it.
    pub(crate) fn checked_name(&self, instance: &str, name: &str) -> Result<usize, EngineError> {
        let index = self.index_of(instance).ok_or_else(|| {
            EngineError::raised(format!("DBInstanceNotFound: DBInstance {instance} not found."))
        })?;
        if self.instances.get(index).is_some_and(|host| host.has_name_like(name)) {
            return Err(EngineError::new(1801, taken(name)));
        }
        Ok(index)
    }

    /// A database without log or backups.
    pub(crate) fn blank_database(
        &self,
        instance: usize,
        id: DatabaseId,
        config: &DatabaseConfig,
        (created, branch): (Ms, crate::database::branch::BranchId),
        (family_guid, fork): (crate::guid::Guid, Fork),
    ) -> Database {
        let host = self.instances.get(instance).map(|i| &i.config);
        let model = if self.retains(instance) { RecoveryModel::Full } else { RecoveryModel::Simple };
        Database {
            id,
            instance,
            name: Arc::from(config.name.as_str()),
            server_name: Arc::from(host.map_or(String::new(), |h| h.name.to_uppercase())),
            sql_id: 0,
            created,
            dropped: None,
            database_guid: Database::fresh_guid(self.seed, id.0, 0),
            family_guid,
            forks: vec![fork],
            branch,
            recovery_model: model,
            size_bytes: config.size_bytes,
            growth_bytes: config.growth_bytes,
            file_count: config.file_count,
            base: None,
            fulls: Vec::new(),
            logs: LogSchedule::new(self.seed, id.0),
            installed: None,
            left: Vec::new(),
            zone_quarters: i64::from(host.map_or(0, |h| h.utc_offset_minutes / 15)),
            major_version: host.map_or(0, InstanceConfig::major_version),
            serial: 0,
            is_offline: false,
            captures: Vec::new(),
            features: config.features,
            encryption: Encryption::default(),
        }
    }

    /// Puts a database on its instance.
    pub(crate) fn adopt(&mut self, instance: usize, mut database: Database) {
        if let Some(host) = self.instances.get_mut(instance) {
            database.sql_id = host.next_sql_id;
            host.next_sql_id += 1;
            host.databases.insert(database.name.to_lowercase(), database.id);
        }
        self.databases.push(database);
    }

    /// Whether an instance takes automated backups.
    pub(crate) fn retains(&self, instance: usize) -> bool {
        self.instances.get(instance).is_some_and(|i| i.config.retention_days > 0)
    }
}
