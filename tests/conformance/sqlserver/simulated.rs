//! The adapter against the simulated instance: what it asks is understood, and what comes back means what it says.
//!
//! Nothing is scripted here. A disagreement is a defect of one of the two, and each was written from the documents alone.

use std::cell::RefCell;
use std::rc::Rc;

use domain::backup::Kind;
use domain::facts::RecoveryModel;
use domain::request::{CopyLogs, NativeBackup, TransferOptions};
use domain::task::{Lifecycle, TaskId};
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::server::{
    BackupCompression, CancelTask, Fence, LogCopyTarget, ReadClock, ReadDatabases, ReadHistory, ReadLogFiles,
    ReadTasks, SubmitTasks,
};
use sqlserver::Session;
use tds::{Request, ServerMessage};
use world::{BucketConfig, DatabaseConfig, InstanceConfig, Knobs, OptionStatus, SessionId, World};

use crate::answers::word;
use crate::wire::{PASSWORD, Pipe, Reply, Server, Wire};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "111122223333";
const TARGET: &str = "arn:aws:s3:::vault/logs";

/// One login on the simulated instance.
struct Simulated {
    world: Rc<RefCell<World>>,
    session: Option<SessionId>,
}

impl Server for Simulated {
    fn login(&mut self, login: &tds::Login) -> Result<(), ServerMessage> {
        let session = self.world.borrow_mut().connect("sales", &login.user, login.password.as_str())?;
        self.session = Some(session);
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let session = self.session.expect("requests come after the login");
        Reply::Answer(self.world.borrow_mut().execute(session, request))
    }
}

/// A world with one instance, two hours ahead of UTC, on a Monday morning.
struct Story {
    world: Rc<RefCell<World>>,
}

impl Story {
    fn new() -> Self {
        let start: Timestamp = "2026-03-02T10:00:00Z".parse().expect("a timestamp");
        let mut world = World::new(7, start, Knobs::default());
        world.add_bucket(BucketConfig::named("vault", REGION, ACCOUNT));
        world.add_bucket(BucketConfig::named("far", "eu-west-1", ACCOUNT));
        let mut instance = InstanceConfig::named("sales", REGION, ACCOUNT);
        instance.utc_offset_minutes = 120;
        PASSWORD.clone_into(&mut instance.password);
        world.add_instance(instance);
        world.add_database("sales", &DatabaseConfig::named("orders")).expect("a new name");
        let archive = DatabaseConfig { size_bytes: 2_000_000_000_000, ..DatabaseConfig::named("archive") };
        world.add_database("sales", &archive).expect("a new name");
        Self { world: Rc::new(RefCell::new(world)) }
    }

    fn log_in(&self) -> (Wire<Simulated>, Session<Pipe>) {
        let mut wire = Wire::new(Simulated { world: Rc::clone(&self.world), session: None });
        let session = wire.open().expect("the password is right");
        (wire, session)
    }

    fn now(&self) -> Timestamp {
        self.world.borrow().now()
    }

    fn advance_to(&self, at: &str) {
        self.world.borrow_mut().advance_to(at.parse().expect("a timestamp"));
    }

    fn advance_minutes(&self, minutes: i64) {
        let to = self.now() + SignedDuration::from_mins(minutes);
        self.world.borrow_mut().advance_to(to);
    }
}

fn full(database: &str, bucket: &str) -> NativeBackup {
    NativeBackup {
        database: database.to_owned(),
        s3_arn: format!("arn:aws:s3:::{bucket}/{database}/full-*.bak"),
        kms_key_arn: None,
        differential: false,
        files: 3,
        options: TransferOptions { max_transfer_bytes: Some(1_048_576), ..TransferOptions::default() },
    }
}

fn lifecycle(wire: &mut Wire<Simulated>, session: &mut Session<Pipe>, id: TaskId) -> Option<Lifecycle> {
    let tasks = wire.drive(session.tasks(id)).expect("tasks can be read");
    tasks.first().and_then(|task| task.lifecycle)
}

#[test]
fn the_clock_and_the_databases_are_the_world_s() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    let clock = wire.drive(session.clock()).unwrap();
    assert_eq!(clock.utc, story.now());
    assert_eq!(clock.local.to_string(), "2026-03-02T12:00:00");
    let databases = wire.drive(session.databases()).unwrap();
    let names: Vec<_> = databases.iter().map(|database| database.name.as_str()).collect();
    assert_eq!(names, ["orders", "archive"]);
    for database in databases {
        assert_eq!((database.state.as_str(), database.recovery_model), ("ONLINE", Some(RecoveryModel::Full)));
        assert!(database.family_guid.is_some() && database.recovery_fork_guid.is_some(), "{database:?}");
        assert!(database.data_bytes.is_some_and(|bytes| bytes > 1_000_000_000), "{database:?}");
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let story = Story::new();
    story.world.borrow_mut().configure_instance("sales", |instance| instance.password = "another".to_owned());
    let mut wire = Wire::new(Simulated { world: Rc::clone(&story.world), session: None });
    assert_eq!(word(&wire.open().map(|_| ()).unwrap_err()), "Human LoginFailed");
}

#[test]
fn a_full_is_queued_runs_and_becomes_the_base() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    let begun = wire.drive(session.clock()).unwrap().local;
    let id = wire.drive(session.backup_database(&full("orders", "vault"))).unwrap();
    assert_eq!(lifecycle(&mut wire, &mut session, id), Some(Lifecycle::Created));
    let again = wire.drive(session.backup_database(&full("orders", "vault"))).unwrap_err();
    assert_eq!(word(&again), "Wait TaskAlreadyIssued");

    story.advance_minutes(120);
    let task = wire.drive(session.tasks(id)).unwrap().remove(0);
    assert_eq!((task.id, task.lifecycle, task.percent), (id, Some(Lifecycle::Success), Some(100.0)));
    assert_eq!(task.database.as_deref(), Some("orders"));
    assert!(wire.drive(session.tasks(id + 1)).unwrap().is_empty());
    let log = wire.drive(session.task_info(id)).unwrap();
    assert!(log.contains("Task execution has started."), "{log}");

    let backups = wire.drive(session.backups("orders", begun)).unwrap();
    let ours: Vec<_> = backups.iter().filter(|backup| backup.kind == Kind::Full).collect();
    assert_eq!(ours.len(), 1, "{backups:?}");
    assert!(ours[0].finished > "2026-03-02T10:00:00Z".parse().unwrap() && ours[0].finished < story.now());
    assert!(ours[0].first_lsn < ours[0].last_lsn && ours[0].size_bytes > 0);
    assert_eq!(ours[0].time_zone_quarter_hours, Some(8));
    let databases = wire.drive(session.databases()).unwrap();
    let orders = databases.iter().find(|database| database.name == "orders").unwrap();
    assert_eq!(orders.differential_base_guid.as_ref().unwrap().as_str(), ours[0].id.as_str());
    assert_eq!(orders.differential_base_lsn, ours[0].checkpoint_lsn);
    assert_eq!(orders.family_guid, ours[0].family_guid);
    // What is older than asked for is not told.
    let later = wire.drive(session.clock()).unwrap().local;
    assert_eq!(wire.drive(session.backups("orders", later)), Ok(Vec::new()));
}

#[test]
fn logs_are_listed_and_copied_to_where_they_were_set_up_to_go() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    story.advance_minutes(60);
    let files = wire.drive(session.log_files("orders", 0, 5)).unwrap();
    assert_eq!(files.len(), 5, "{files:?}");
    let rest = wire.drive(session.log_files("orders", files[4].seq, 1_000)).unwrap();
    let files: Vec<_> = files.into_iter().chain(rest).collect();
    for pair in files.windows(2) {
        assert_eq!((pair[1].seq, pair[1].first_lsn), (pair[0].seq + 1, pair[0].last_lsn));
        assert!(!pair[1].chain_broken);
    }
    let last = files.last().unwrap().seq;
    assert_eq!(wire.drive(session.log_files("orders", last, 10)), Ok(Vec::new()));

    let range = CopyLogs {
        database: "orders".to_owned(),
        kms_key_arn: None,
        first_seq: files[0].seq,
        last_seq: last,
    };
    assert_eq!(wire.drive(session.log_copy_target()), Ok(None));
    assert_eq!(word(&wire.drive(session.copy_logs(&range)).unwrap_err()), "Human SetupMissing");
    wire.drive(session.set_log_copy_target(TARGET)).unwrap();
    wire.drive(session.set_log_copy_target(TARGET)).unwrap();
    assert_eq!(wire.drive(session.log_copy_target()), Ok(Some(TARGET.to_owned())));
    let id = wire.drive(session.copy_logs(&range)).unwrap();
    let again = wire.drive(session.copy_logs(&range)).unwrap_err();
    assert_eq!(word(&again), "Wait TaskAlreadyIssued");
    let Fault::Refused(reason) = again else { panic!("a refusal") };
    assert!(reason.message.contains(&format!("task {id} ")), "{}", reason.message);

    story.advance_minutes(60);
    assert_eq!(lifecycle(&mut wire, &mut session, id), Some(Lifecycle::Success));
    let world = story.world.borrow();
    for file in &files {
        let name = format!("{}.{}", file.database_id, file.family_guid.as_str().to_lowercase());
        let key = format!("logs/{name}/{name}.{}.{}", file.seq, file.epoch);
        let found = world.s3().list("vault", "logs/", None, 1_000).unwrap();
        let found: Vec<_> = found.objects.iter().map(|object| object.key.to_lowercase()).collect();
        assert!(found.contains(&key), "{key} in {found:?}");
    }
}

#[test]
fn after_the_horizon_moved_the_list_begins_where_the_service_s_begins() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    story.advance_minutes(10 * 24 * 60);
    let files = wire.drive(session.log_files("orders", 0, 10)).unwrap();
    assert_eq!(files.len(), 10);
    assert!(files[0].seq > 100, "{files:?}");
    let before = files[0].seq - 4;
    let bridged = wire.drive(session.log_files("orders", before, 10)).unwrap();
    assert_eq!(bridged, files, "a page whose front is forgotten is filled behind its end");
}

#[test]
fn the_automated_backup_is_named_as_the_cause() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    story.advance_to("2026-03-03T02:40:00Z");
    let id = wire.drive(session.backup_database(&full("archive", "vault"))).unwrap();
    story.advance_to("2026-03-03T04:00:00Z");
    let ended = lifecycle(&mut wire, &mut session, id);
    assert!(matches!(ended, Some(Lifecycle::Error | Lifecycle::Cancelled)), "{ended:?}");
    let reason = wire.drive(session.task_end(id)).unwrap().unwrap();
    assert_eq!(format!("{} {}", reason.class, reason.name), "Wait AutomatedBackup");
}

#[test]
fn a_cancel_is_heard_at_once_and_ends_the_task_soon() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    let id = wire.drive(session.backup_database(&full("archive", "vault"))).unwrap();
    assert_eq!(wire.drive(session.cancel_task(id)), Ok(()));
    assert_eq!(lifecycle(&mut wire, &mut session, id), Some(Lifecycle::CancelRequested));
    assert_eq!(wire.drive(session.cancel_task(id)), Ok(()), "twice is once");
    story.advance_minutes(10);
    assert_eq!(lifecycle(&mut wire, &mut session, id), Some(Lifecycle::Cancelled));
    for (task, expected) in [(id, "CANCELLED state"), (id + 1, "does not exist")] {
        let fault = wire.drive(session.cancel_task(task)).unwrap_err();
        let Fault::Refused(reason) = fault else { panic!("{fault}") };
        assert!(reason.message.contains(expected), "{}", reason.message);
    }
}

#[test]
fn a_task_that_the_service_cannot_do_says_why() {
    for (bucket, expected) in [("far", "Human BucketInOtherRegion"), ("nowhere", "Human BucketMissing")] {
        let story = Story::new();
        let (mut wire, mut session) = story.log_in();
        // The service may refuse the call or the task: both are documented for the Region.
        let reason = match wire.drive(session.backup_database(&full("orders", bucket))) {
            Err(fault) => word(&fault),
            Ok(id) => {
                story.advance_minutes(60);
                assert_eq!(lifecycle(&mut wire, &mut session, id), Some(Lifecycle::Error));
                let reason = wire.drive(session.task_end(id)).unwrap().unwrap();
                format!("{} {}", reason.class, reason.name)
            }
        };
        assert_eq!(reason, expected, "{bucket}");
    }
}

#[test]
fn what_stands_in_the_way_of_a_call_is_named() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    story.world.borrow_mut().break_grants("sales", true);
    let fault = wire.drive(session.backup_database(&full("orders", "vault"))).unwrap_err();
    assert_eq!(word(&fault), "Human ExecuteDenied");
    let Fault::Refused(reason) = fault else { panic!("a refusal") };
    // Everything, for this login: after a failover nothing is left.
    let script = sqlserver::grants::script("admin");
    assert!(script.lines().all(|line| reason.guidance.contains(line)), "{}", reason.guidance);
    story.world.borrow_mut().break_grants("sales", false);
    story.world.borrow_mut().set_option("sales", OptionStatus::Applying);
    let fault = wire.drive(session.backup_database(&full("orders", "vault"))).unwrap_err();
    assert_eq!(word(&fault), "Wait OptionNotEnabled");
}

#[test]
fn files_that_the_login_may_not_see_are_none() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    let mut seen = |hidden| {
        story.world.borrow_mut().break_definitions("sales", hidden);
        let databases = wire.drive(session.databases()).unwrap();
        databases.into_iter().map(|state| (state.files > 0, state.data_bytes.is_some())).collect::<Vec<_>>()
    };
    let all = seen(false).len();
    assert!(all > 0);
    // The databases are there, and nothing is made up of their files.
    assert_eq!(seen(true), vec![(false, false); all]);
    assert_eq!(seen(false), vec![(true, true); all]);
}

#[test]
fn the_lock_belongs_to_one_session_and_dies_with_it() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    let (mut other_wire, mut other) = story.log_in();
    assert_eq!(wire.drive(session.lock("bakproof")), Ok(true));
    assert_eq!(other_wire.drive(other.lock("bakproof")), Ok(false));
    assert_eq!(other_wire.drive(other.lock("another")), Ok(true));
    wire.drive(session.unlock("bakproof")).unwrap();
    assert_eq!(other_wire.drive(other.lock("bakproof")), Ok(true));
    assert_eq!(wire.drive(session.lock("bakproof")), Ok(false));
    let gone = other_wire.server.session.expect("logged in");
    story.world.borrow_mut().disconnect(gone);
    assert_eq!(wire.drive(session.lock("bakproof")), Ok(true));
}

#[test]
fn compression_is_shown_as_it_was_set() {
    let story = Story::new();
    let (mut wire, mut session) = story.log_in();
    for (set, expected) in [(None, false), (Some(true), true), (Some(true), true), (Some(false), false)] {
        if let Some(on) = set {
            assert_eq!(wire.drive(session.set_compression(on)), Ok(()));
        }
        assert_eq!(wire.drive(session.compression()), Ok(Some(expected)));
    }
}
