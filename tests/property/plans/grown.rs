//! How does the history of a database as installed come about? Statements of people, carried out in the simulated world.
//!
//! Whatever the server refuses is no part of the history. Everything lies a second apart at least, except that a backup may
//! begin and end at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use world::{
    BackupKind, BackupOrder, BucketConfig, DatabaseConfig, DatabaseId, Device, InstanceConfig, KeyConfig,
    Knobs, ObjectHead, ObjectRef, SessionId, Ticket, World,
};

use super::story::{Kind, Place, Step, Story};

pub(crate) const BUCKET: &str = "vault";
pub(crate) const PREFIX: &str = "prod/";
pub(crate) const DATABASE: &str = "orders";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1";
const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";
const INSTANCE: &str = "sales";

/// A backup of ours: what was seen in the bucket when it had ended.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) encrypted: bool,
    pub(crate) objects: Vec<ObjectHead>,
}

/// A backup that runs.
struct Running {
    end: Timestamp,
    ticket: Ticket,
    /// `None`: not ours.
    objects: Option<Vec<ObjectRef>>,
    encrypted: bool,
}

/// A world with a history, and what a tool noted while it grew.
pub(crate) struct Grown {
    pub(crate) world: World,
    pub(crate) session: SessionId,
    pub(crate) database: DatabaseId,
    pub(crate) created: Timestamp,
    /// Backups of ours by `backup_set_uuid`.
    pub(crate) taken: BTreeMap<String, Taken>,
    /// What happened, one line each.
    pub(crate) told: Vec<String>,
    /// Moments at which the database was restored over itself.
    pub(crate) forks: Vec<Timestamp>,
    /// Ends of the data backups that we hold.
    data: Vec<Timestamp>,
    running: Vec<Running>,
    folders: u32,
}

impl Grown {
    pub(crate) fn grow(story: &Story) -> Self {
        let created: Timestamp = "2026-11-16T20:00:00Z".parse().expect("a timestamp");
        let knobs = Knobs {
            differential_on_snapshot_fails: story.refuses_on_snapshot,
            crossing_log_joins_last_fork: story.joins_last_fork,
            long_transaction_ppm: story.long_transaction_ppm,
            ..Knobs::default()
        };
        let mut world = World::new(story.seed, created, knobs);
        world.add_bucket(BucketConfig::named(BUCKET, REGION, ACCOUNT));
        world.add_key(KeyConfig::usable(KEY, REGION));
        // Headers are server-local: here 90 minutes behind UTC.
        world.add_instance(InstanceConfig {
            utc_offset_minutes: -90,
            retention_days: 0,
            engine_version: format!("{}.0.1", story.major_version),
            ..InstanceConfig::named(INSTANCE, REGION, ACCOUNT)
        });
        let config = DatabaseConfig {
            transactions_per_minute_milli: story.transactions_per_minute_milli,
            ..DatabaseConfig::named(DATABASE)
        };
        let database = world
            .add_installed_database(INSTANCE, &config, story.model)
            .expect("the first of its name, on a server that nothing backs up");
        let session =
            world.connect(INSTANCE, "admin", "simulated").expect("the password of a named instance");
        let mut grown = Self {
            world,
            session,
            database,
            created,
            taken: BTreeMap::new(),
            told: Vec::new(),
            forks: Vec::new(),
            data: Vec::new(),
            running: Vec::new(),
            folders: 0,
        };
        if story.begins_with_snapshot {
            grown.pass(60);
            grown.world.volume_snapshot(database).expect("nothing runs yet");
        }
        for (seconds, step) in &story.steps {
            grown.pass(seconds + 1);
            let told = format!("{} {step:?}", grown.now());
            let refusal = if story.calm { grown.step(&step.calm()) } else { grown.step(step) }.err();
            grown.told.push(refusal.map_or(told.clone(), |why| format!("{told}: refused: {why}")));
        }
        grown.pass(4_000);
        if story.key_lost {
            grown.world.kms_mut().configure(KEY, |key| key.enabled = false);
        }
        grown
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// Lets time pass; backups that end meanwhile end at their own second.
    fn pass(&mut self, seconds: i64) {
        let to = self.now() + SignedDuration::from_secs(seconds);
        self.running.sort_by_key(|running| running.end);
        let due = self.running.partition_point(|running| running.end <= to);
        for running in self.running.drain(..due).collect::<Vec<_>>() {
            self.world.advance_to(running.end);
            self.end(running);
        }
        self.world.advance_to(to);
    }

    fn end(&mut self, running: Running) {
        let Running { ticket, objects, encrypted, .. } = running;
        let uuid = match self.world.end_backup(ticket) {
            Ok(uuid) => uuid.to_string(),
            Err(error) => return self.told.push(format!("{} a backup failed: {error}", self.now())),
        };
        self.told.push(format!("{} {uuid} ended", self.now()));
        let Some(objects) = objects else { return };
        let head = |object: &ObjectRef| self.world.s3().head(BUCKET, &object.key, None);
        let objects: Vec<ObjectHead> =
            objects.iter().map(|object| head(object).expect("it was just written")).collect();
        if objects.iter().any(|object| object.key.contains("/data/")) {
            self.data.push(self.now());
        }
        self.taken.insert(uuid, Taken { encrypted, objects });
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let id = self.database;
        match step {
            Step::Back { kind, to, seconds, damaged, encrypted } => {
                return self.back_up(*kind, *to, *seconds, (*damaged, *encrypted));
            }
            Step::Snapshot => self.world.volume_snapshot(id),
            Step::Model(model) => self.world.alter_recovery_model(id, *model),
            Step::Write { transactions, bulk: true } => self.world.bulk_load(id, *transactions),
            Step::Write { transactions, bulk: false } => {
                self.world.write(id, *transactions);
                Ok(())
            }
            Step::Restore { since, to, whole } => self.restore_over(*since, *to, *whole),
            Step::Break { number, of_log, damage } => {
                if let Some(key) = self.nth_newest(*number, *of_log) {
                    self.told.push(format!("  {key}"));
                    self.world.break_object(BUCKET, &key, *damage).expect("it was listed");
                }
                Ok(())
            }
        }
        .map_err(|error| error.to_string())
    }

    fn back_up(
        &mut self,
        kind: Kind,
        to: Place,
        seconds: i64,
        (damaged, encrypted): (bool, bool),
    ) -> Result<(), String> {
        self.folders += 1;
        let of_log = matches!(kind, Kind::Log | Kind::CopyOnlyLog);
        let folder = format!("{PREFIX}{}/{:03}", if of_log { "log" } else { "data" }, self.folders);
        let objects = match to {
            Place::Vault(files) => Some(
                (1..=files)
                    .map(|file| ObjectRef::newest(BUCKET, &format!("{folder}/{file}.bak")))
                    .collect::<Vec<_>>(),
            ),
            Place::Foreign | Place::Nul => None,
        };
        let device = match to {
            Place::Nul => "NUL",
            _ => r"\\elsewhere\foreign.bak",
        };
        let order = BackupOrder {
            kind: match kind {
                Kind::Full | Kind::CopyOnly => BackupKind::Full,
                Kind::Differential => BackupKind::Differential,
                Kind::Log | Kind::CopyOnlyLog => BackupKind::Log,
            },
            copy_only: matches!(kind, Kind::CopyOnly | Kind::CopyOnlyLog),
            to: objects.clone().map_or_else(|| Device::Elsewhere(device.to_owned()), Device::Objects),
            damaged,
            kms_key: encrypted.then(|| KEY.to_owned()),
        };
        let ticket = self.world.begin_backup(self.database, order).map_err(|error| error.to_string())?;
        let running =
            Running { end: self.now() + SignedDuration::from_secs(seconds), ticket, objects, encrypted };
        if seconds == 0 {
            self.end(running);
        } else {
            self.running.push(running);
        }
        Ok(())
    }

    /// A restore as somebody with all files would find it.
    fn restore_over(&mut self, since: usize, to: i64, whole: bool) -> Result<(), world::EngineError> {
        while let Some(end) = self.running.iter().map(|running| running.end).max() {
            self.pass(end.duration_since(self.now()).as_secs() + 1);
        }
        let Some(begin) = self.data.iter().rev().nth(since % self.data.len().max(1)).copied() else {
            return Ok(());
        };
        let moment = begin + SignedDuration::from_millis(self.now().duration_since(begin).as_secs() * to);
        let way = self.world.judge(BUCKET, PREFIX, self.database).restore_to(moment)?;
        let stop = (!whole).then_some(moment);
        self.world.restore_over(self.database, &way.objects, stop)?;
        self.forks.push(self.now());
        Ok(())
    }

    fn nth_newest(&self, number: usize, of_log: bool) -> Option<String> {
        let folder = format!("{PREFIX}{}/", if of_log { "log" } else { "data" });
        let page = self.world.s3().list(BUCKET, &folder, None, usize::MAX).expect("our bucket");
        let mut keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        keys.sort();
        let keys: BTreeSet<String> = keys.into_iter().collect();
        keys.iter().rev().nth(number % keys.len().max(1)).cloned()
    }
}
