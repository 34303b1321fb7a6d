//! How does a history come about? Steps of people and of chance, carried out in the simulated world.
//!
//! Backups and log copies are asked for through the server's SQL front, as a tool would; what others do to the database and
//! to the objects is pulled as levers. Whatever the service refuses is no part of the history.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tds::{Parameter, Procedure, Request, Response, Value};
use world::{
    BucketConfig, Damage, DatabaseConfig, DatabaseId, InstanceConfig, KeyConfig, Knobs, Lifecycle,
    ObjectHead, RecoveryModel, SessionId, World,
};

use super::headers;

pub(crate) const BUCKET: &str = "vault";
pub(crate) const PREFIX: &str = "prod/";
pub(crate) const DATABASE: &str = "orders";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1";
const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";
const INSTANCE: &str = "sales";

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A full of ours in so many files, encrypted or not; somebody may take a snapshot while it runs.
    Full { files: u8, encrypted: bool, disturbed: bool },
    /// A differential of ours.
    Differential,
    /// The log files that are new are copied.
    CopyLogs,
    /// They never will be.
    ForgetLogs,
    /// Somebody takes a full.
    ForeignFull { copy_only: bool },
    /// Somebody takes a snapshot.
    Snapshot,
    /// Somebody changes the recovery model.
    Recovery(RecoveryModel),
    /// The service's log backups stop, or go on.
    PauseLogs(bool),
    /// An object, counted from the newest, is lost or spoilt.
    Break(usize, Damage),
    /// Somebody writes.
    Write(u64),
}

/// A world and what happens in it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    seed: u64,
    transactions_per_minute_milli: u64,
    size_bytes: u64,
    /// Each with the seconds that pass before it.
    steps: Vec<(i64, Step)>,
    /// Whether the server refuses a differential on a snapshot; nobody knows, and restored it cannot be.
    refuses_on_snapshot: bool,
    /// Whether backups end on whole seconds; what a header tells of others is rounded.
    pub(crate) whole_seconds: bool,
    /// Whether the key of encrypted backups is lost in the end.
    key_lost: bool,
    /// Random moments, in millionths of the history.
    pub(crate) looks: Vec<u32>,
}

fn step() -> impl Strategy<Value = Step> {
    let damage = prop::sample::select(
        &[Damage::Delete, Damage::Delete, Damage::Corrupt, Damage::Truncate, Damage::Archive][..],
    );
    let model = prop::sample::select(&[RecoveryModel::Simple, RecoveryModel::BulkLogged][..]);
    prop_oneof![
        6 => (1_u8..4, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(files, encrypted, disturbed)| Step::Full { files, encrypted, disturbed }),
        4 => Just(Step::Differential),
        9 => Just(Step::CopyLogs),
        1 => Just(Step::ForgetLogs),
        1 => any::<bool>().prop_map(|copy_only| Step::ForeignFull { copy_only }),
        1 => Just(Step::Snapshot),
        1 => model.prop_map(Step::Recovery),
        1 => any::<bool>().prop_map(Step::PauseLogs),
        4 => (0_usize..12, damage).prop_map(|(number, damage)| Step::Break(number, damage)),
        1 => (1_u64..500).prop_map(Step::Write),
    ]
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let steps = prop::collection::vec((0_i64..2_400, step()), 4..30);
    let rate = prop_oneof![Just(0_u64), 20_u64..500, 500_u64..20_000];
    let looks = prop::collection::vec(0_u32..1_000_000, 12);
    let scalars = (any::<u64>(), rate, 1_u64..120, any::<bool>(), prop::bool::weighted(0.3));
    (scalars, steps, looks).prop_map(
        |((seed, transactions_per_minute_milli, gigabytes, refuses_on_snapshot, key_lost), steps, looks)| {
            Story {
                seed,
                transactions_per_minute_milli,
                size_bytes: gigabytes * 1_000_000_000,
                steps,
                refuses_on_snapshot,
                whole_seconds: true,
                key_lost,
                looks,
            }
        },
    )
}

/// A backup of ours: what was seen in the bucket when it had ended.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) encrypted: bool,
    pub(crate) objects: Vec<ObjectHead>,
}

/// A log file of which we know.
#[derive(Debug, Clone)]
pub(crate) struct CopiedLog {
    /// The row of the service, as JSON.
    pub(crate) row: serde_json::Value,
    /// Recovery fork when it was copied.
    pub(crate) fork: String,
    /// The object when it had been copied.
    pub(crate) object: ObjectHead,
}

/// A world with a history, and what a tool noted while it grew.
pub(crate) struct Grown {
    pub(crate) world: World,
    pub(crate) session: SessionId,
    pub(crate) database: DatabaseId,
    pub(crate) created: Timestamp,
    /// By `backup_set_uuid`.
    pub(crate) taken: BTreeMap<String, Taken>,
    /// By sequence number.
    pub(crate) copied: BTreeMap<u64, CopiedLog>,
    /// What happened, one line each.
    pub(crate) told: Vec<String>,
    next_seq: u64,
    known_objects: BTreeSet<String>,
    folders: u32,
}

impl Grown {
    pub(crate) fn grow(story: &Story) -> Self {
        let created: Timestamp = "2026-11-16T20:00:00Z".parse().expect("a timestamp");
        let mut world = World::new(
            story.seed,
            created,
            Knobs {
                differential_on_snapshot_fails: story.refuses_on_snapshot,
                whole_seconds: story.whole_seconds,
                ..Knobs::default()
            },
        );
        world.add_bucket(BucketConfig::named(BUCKET, REGION, ACCOUNT));
        world.add_key(KeyConfig::usable(KEY, REGION));
        // Headers are server-local: here 90 minutes behind UTC.
        world.add_instance(InstanceConfig {
            utc_offset_minutes: -90,
            ..InstanceConfig::named(INSTANCE, REGION, ACCOUNT)
        });
        let config = DatabaseConfig {
            size_bytes: story.size_bytes,
            transactions_per_minute_milli: story.transactions_per_minute_milli,
            ..DatabaseConfig::named(DATABASE)
        };
        let database = world.add_database(INSTANCE, &config).expect("the first of its name");
        let session =
            world.connect(INSTANCE, "admin", "simulated").expect("the password of a named instance");
        let mut grown = Self {
            world,
            session,
            database,
            created,
            taken: BTreeMap::new(),
            copied: BTreeMap::new(),
            told: Vec::new(),
            next_seq: 1,
            known_objects: BTreeSet::new(),
            folders: 0,
        };
        let target = format!("arn:aws:s3:::{BUCKET}/{PREFIX}logs");
        grown
            .call("rds_tlog_copy_setup", &[("@target_s3_arn", Value::Text(target))])
            .expect("the bucket is ours");
        for (seconds, step) in &story.steps {
            grown.pass(*seconds);
            grown.told.push(format!("{} {step:?}", grown.now()));
            grown.step(step);
        }
        grown.pass(600);
        if story.key_lost {
            grown.world.kms_mut().configure(KEY, |key| key.enabled = false);
        }
        grown
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn pass(&mut self, seconds: i64) {
        self.world.advance_to(self.now() + SignedDuration::from_secs(seconds));
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Full { files, encrypted, disturbed } => {
                self.back_up("FULL", *files, (*encrypted, *disturbed));
            }
            Step::Differential => self.back_up("DIFFERENTIAL", 1, (false, false)),
            Step::CopyLogs => self.copy_logs(),
            Step::ForgetLogs => self.next_seq = self.newest_seq() + 1,
            Step::ForeignFull { copy_only } => self.world.break_foreign_full(self.database, *copy_only),
            Step::Snapshot => self.world.break_snapshot(INSTANCE),
            Step::Recovery(model) => self.world.break_recovery_model(self.database, *model),
            Step::PauseLogs(paused) => self.world.break_log_backups(self.database, *paused),
            Step::Break(number, damage) => self.spoil(*number, *damage),
            Step::Write(transactions) => self.world.write(self.database, *transactions),
        }
    }

    /// Calls a procedure; the text of the server's refusal is the error.
    fn call(&mut self, procedure: &str, arguments: &[(&str, Value)]) -> Result<Response, String> {
        let parameters = arguments
            .iter()
            .map(|(name, value)| Parameter { name: (*name).to_owned(), output: false, value: value.clone() })
            .collect();
        let procedure = Procedure::Name(format!("msdb.dbo.{procedure}"));
        let response = self.world.execute(self.session, &Request::Rpc { procedure, parameters });
        match &response.error {
            Some(error) => Err(error.text.clone()),
            None => Ok(response),
        }
    }

    /// Waits for the newest task; whether it succeeded. Where it is disturbed, somebody takes a snapshot while it runs.
    fn wait_for_task(&mut self, mut disturbed: bool) -> bool {
        loop {
            let lifecycle = self.world.tasks(INSTANCE).last().map(|task| task.lifecycle);
            if lifecycle.is_none_or(Lifecycle::is_ended) {
                return lifecycle == Some(Lifecycle::Success);
            }
            if disturbed && lifecycle == Some(Lifecycle::InProgress) {
                self.world.break_snapshot(INSTANCE);
                disturbed = false;
            }
            self.pass(10);
        }
    }

    fn back_up(&mut self, kind: &str, files: u8, (encrypted, disturbed): (bool, bool)) {
        self.folders += 1;
        let folder = format!("{PREFIX}data/{}/", self.folders);
        let star = if files > 1 { "*" } else { "" };
        let before: BTreeSet<String> = headers::ids(self);
        let mut arguments = vec![
            ("@source_db_name", Value::Text(DATABASE.to_owned())),
            ("@s3_arn_to_backup_to", Value::Text(format!("arn:aws:s3:::{BUCKET}/{folder}backup{star}.bak"))),
            ("@type", Value::Text(kind.to_owned())),
            ("@number_of_files", Value::Int(i64::from(files))),
        ];
        if encrypted {
            arguments.push(("@kms_master_key_arn", Value::Text(KEY.to_owned())));
        }
        if self.call("rds_backup_database", &arguments).is_err() || !self.wait_for_task(disturbed) {
            return;
        }
        let objects = self.new_objects(&folder);
        assert_eq!(objects.len(), usize::from(files), "a backup has as many objects as files");
        let new: Vec<String> = headers::ids(self).difference(&before).cloned().collect();
        let [id] = new.as_slice() else {
            assert_eq!(new.len(), 1, "one backup makes one row that is no snapshot");
            return;
        };
        self.taken.insert(id.clone(), Taken { encrypted, objects });
    }

    fn newest_seq(&mut self) -> u64 {
        headers::listed_logs(self, 0).last().map_or(0, |(seq, _)| *seq)
    }

    fn copy_logs(&mut self) {
        let (next, newest) = (self.next_seq, self.newest_seq());
        if newest < next {
            return;
        }
        let number = |seq: u64| Value::Int(i64::try_from(seq).expect("few files"));
        let arguments = [
            ("@db_name", Value::Text(DATABASE.to_owned())),
            ("@rds_backup_starting_seq_id", number(next)),
            ("@rds_backup_ending_seq_id", number(newest)),
        ];
        if self.call("rds_tlog_backup_copy_to_S3", &arguments).is_err() || !self.wait_for_task(false) {
            return;
        }
        let fork = headers::fork(self);
        let rows: BTreeMap<u64, serde_json::Value> = headers::listed_logs(self, next).into_iter().collect();
        for object in self.new_objects(&format!("{PREFIX}logs/")) {
            // `{db_id}.{family_guid}.{seq}.{epoch}`
            let seq =
                object.key.rsplit('.').nth(1).and_then(|seq| seq.parse().ok()).expect("a documented name");
            let row = rows.get(&seq).expect("what is copied is listed").clone();
            self.copied.insert(seq, CopiedLog { row, fork: fork.clone(), object });
        }
        self.next_seq = newest + 1;
    }

    /// Objects under a prefix that were not there when it was asked for before.
    fn new_objects(&mut self, prefix: &str) -> Vec<ObjectHead> {
        let page = self.world.s3().list(BUCKET, prefix, None, usize::MAX).expect("our bucket");
        let known = &mut self.known_objects;
        page.objects.into_iter().filter(|object| known.insert(object.key.clone())).collect()
    }

    /// Breaks the object that is so many from the newest: every other time one of a data backup.
    fn spoil(&mut self, number: usize, damage: Damage) {
        let page = self.world.s3().list(BUCKET, PREFIX, None, usize::MAX).expect("our bucket");
        let of_data = number.is_multiple_of(2);
        let mut keys: Vec<ObjectHead> =
            page.objects.into_iter().filter(|object| object.key.contains("/data/") == of_data).collect();
        keys.sort_by_key(|object| (std::cmp::Reverse(object.modified), object.key.clone()));
        if let Some(object) = keys.get(number / 2 % keys.len().max(1)) {
            self.told.push(format!("  {}", object.key));
            self.world.break_object(BUCKET, &object.key, damage).expect("it was listed");
        }
    }
}
