//! SQL Server as installed: what its BACKUP and RESTORE statements refuse, record and leave behind.

use jiff::{SignedDuration, Timestamp};
use world::{
    BackupKind, BackupOrder, BackupSet, BucketConfig, DatabaseConfig, DatabaseId, Device, EngineError,
    InstanceConfig, Knobs, ObjectRef, RecoveryModel, RestoreStep, World,
};

use crate::lab::{ACCOUNT, REGION, START};

struct Shop {
    world: World,
    database: DatabaseId,
    taken: u32,
}

impl Shop {
    fn open(model: RecoveryModel, knobs: Knobs) -> Self {
        let mut world = World::new(3, START.parse().unwrap(), knobs);
        world.add_bucket(BucketConfig::named("vault", REGION, ACCOUNT));
        world.add_instance(InstanceConfig {
            retention_days: 0,
            ..InstanceConfig::named("shop", REGION, ACCOUNT)
        });
        let database = world.add_installed_database("shop", &DatabaseConfig::named("A"), model).unwrap();
        Self { world, database, taken: 0 }
    }

    fn wait(&mut self, seconds: i64) {
        let to = self.world.now() + SignedDuration::from_secs(seconds);
        self.world.advance_to(to);
    }

    fn order(&mut self, kind: BackupKind, copy_only: bool) -> (BackupOrder, ObjectRef) {
        self.taken += 1;
        let object = ObjectRef::newest("vault", &format!("{}.bak", self.taken));
        let to = Device::Objects(vec![object.clone()]);
        (BackupOrder { kind, copy_only, to, damaged: false, kms_key: None }, object)
    }

    /// A backup of half a minute; a minute passes before it.
    fn back_up(&mut self, kind: BackupKind, copy_only: bool) -> Result<(ObjectRef, BackupSet), EngineError> {
        self.wait(60);
        let (order, object) = self.order(kind, copy_only);
        let ticket = self.world.begin_backup(self.database, order)?;
        self.wait(30);
        self.world.end_backup(ticket)?;
        let header = self.world.header(&object)?;
        Ok((object, header))
    }

    fn full(&mut self) -> (ObjectRef, BackupSet) {
        self.back_up(BackupKind::Full, false).unwrap()
    }

    fn log(&mut self) -> (ObjectRef, BackupSet) {
        self.back_up(BackupKind::Log, false).unwrap()
    }

    fn refusal(&mut self, kind: BackupKind) -> u32 {
        self.back_up(kind, false).unwrap_err().number
    }

    fn model(&mut self, model: RecoveryModel) {
        self.wait(1);
        self.world.alter_recovery_model(self.database, model).unwrap();
    }
}

#[test]
fn a_chain_begins_with_a_data_backup_and_ends_with_simple() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    assert_eq!(shop.refusal(BackupKind::Log), 4214);
    assert_eq!(shop.refusal(BackupKind::Differential), 3035);
    shop.back_up(BackupKind::Full, true).unwrap();
    assert_eq!(shop.refusal(BackupKind::Log), 4214, "a copy-only full starts no chain");
    let (_, full) = shop.full();
    let (_, first) = shop.log();
    assert!(first.begins_log_chain && first.first_lsn == full.first_lsn);
    let (_, second) = shop.log();
    assert!(!second.begins_log_chain && second.first_lsn == first.last_lsn);
    shop.model(RecoveryModel::Simple);
    assert_eq!(shop.refusal(BackupKind::Log), 4208);
    shop.model(RecoveryModel::Full);
    assert_eq!(shop.refusal(BackupKind::Log), 4214);
    let (_, healed) = shop.back_up(BackupKind::Differential, false).unwrap();
    assert_eq!(healed.differential_base, Some((full.checkpoint_lsn, full.uuid)), "a differential is enough");
    let (_, third) = shop.log();
    assert!(
        third.begins_log_chain && third.first_lsn == healed.first_lsn && third.first_lsn > second.last_lsn
    );
}

#[test]
fn backups_of_one_sort_exclude_each_other_and_logs_go_on_beside_a_full() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    shop.full();
    let (order, object) = shop.order(BackupKind::Full, false);
    let long = shop.world.begin_backup(shop.database, order).unwrap();
    let (_, during) = shop.log();
    assert_eq!(shop.refusal(BackupKind::Differential), 3023);
    assert_eq!(shop.world.volume_snapshot(shop.database).unwrap_err().number, 3023);
    let model = shop.world.alter_recovery_model(shop.database, RecoveryModel::Simple);
    assert_eq!(model.unwrap_err().number, 3023);
    assert_eq!(shop.world.restore_over(shop.database, &[], None).unwrap_err().number, 3101);
    shop.world.end_backup(long).unwrap();
    let full = shop.world.header(&object).unwrap();
    assert!(during.last_lsn < full.last_lsn && during.database_backup_lsn != full.checkpoint_lsn);
    let (_, spans) = shop.log();
    assert!(spans.first_lsn <= full.last_lsn && full.last_lsn < spans.last_lsn);
}

#[test]
fn copy_only_logs_overlap_the_next_and_a_log_to_nul_is_gone() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    shop.full();
    let (_, copy) = shop.back_up(BackupKind::Log, true).unwrap();
    let (_, next) = shop.log();
    assert!(copy.is_copy_only && copy.first_lsn == next.first_lsn && copy.last_lsn < next.last_lsn);
    let (order, _) = shop.order(BackupKind::Log, false);
    let order = BackupOrder { to: Device::Elsewhere("NUL".into()), ..order };
    let ticket = shop.world.begin_backup(shop.database, order).unwrap();
    shop.wait(1);
    shop.world.end_backup(ticket).unwrap();
    let (_, after) = shop.log();
    assert!(after.first_lsn > next.last_lsn, "the chain moved without a file");
    let session = shop.world.connect("shop", "admin", "simulated").unwrap();
    for (devices, count) in [("= 'NUL' AND device_type = 2", 1), ("LIKE 's3://%' AND device_type = 9", 4)] {
        let text = format!(
            "SELECT COUNT(*) AS n FROM msdb.dbo.backupmediafamily WHERE physical_device_name {devices}"
        );
        let response = shop.world.execute(session, &tds::Request::Batch(text));
        assert_eq!(response.results[0].rows[0][0], tds::Value::Int(count), "{devices}");
    }
}

#[test]
fn bulk_logged_changes_apply_whole_or_not_at_all() {
    let mut shop = Shop::open(RecoveryModel::BulkLogged, Knobs::default());
    let (full, _) = shop.full();
    let (plain, set) = shop.log();
    assert!(!set.has_bulk_logged_data);
    shop.wait(10);
    shop.world.bulk_load(shop.database, 5).unwrap();
    let (bulk, set) = shop.log();
    assert!(set.has_bulk_logged_data);
    let (next, after) = shop.log();
    assert!(!after.has_bulk_logged_data);
    let all = [full.clone(), plain, bulk, next];
    let restore = |at: Timestamp| shop.world.restore(&all, Some(at));
    let inside = set.finish() - SignedDuration::from_secs(5);
    assert_eq!(restore(inside).unwrap_err().number, 4341);
    let within_next = after.start();
    assert_eq!(restore(within_next).ok(), shop.world.truth(shop.database, within_next));
    shop.model(RecoveryModel::Full);
    shop.world.bulk_load(shop.database, 5).unwrap();
    assert!(!shop.log().1.has_bulk_logged_data, "FULL logs everything");
}

#[test]
fn a_restore_over_the_database_forks_and_shares_lsns_with_what_it_left() {
    for joins in [false, true] {
        let knobs = Knobs { crossing_log_joins_last_fork: joins, ..Knobs::default() };
        let mut shop = Shop::open(RecoveryModel::Full, knobs);
        let (full, head) = shop.full();
        let (first, _) = shop.log();
        shop.wait(1_200);
        let (second, left) = shop.log();
        shop.wait(60);
        let (moment, fork) = (left.start() - SignedDuration::from_secs(1_000), shop.world.now());
        let way = [full.clone(), first.clone(), second.clone()];
        shop.world.restore_over(shop.database, &way, Some(moment)).unwrap();
        let (behind, anchor) = shop.full();
        let (crossing, crosses) = shop.log();
        shop.wait(300);
        let (last, newest) = shop.log();
        assert_eq!((anchor.database_guid, anchor.family_guid), (head.database_guid, head.family_guid));
        assert!(anchor.first_fork == anchor.last_fork && anchor.last_fork != head.last_fork);
        assert_eq!((crosses.first_fork, crosses.last_fork), (head.last_fork, anchor.last_fork));
        let point = crosses.fork_point.unwrap();
        assert!(crosses.first_lsn <= point && point < left.last_lsn, "both branches use the same LSNs");
        assert!(anchor.first_lsn < left.last_lsn);
        let before_last =
            |set: &BackupSet| set.last_valid_restore_time().unwrap() - SignedDuration::from_secs(1);
        let restore = |objects: &[&ObjectRef], at: Timestamp| {
            let objects: Vec<ObjectRef> = objects.iter().map(|o| (*o).clone()).collect();
            shop.world.restore(&objects, Some(at)).map_err(|error| error.number)
        };
        let (old, new) = (before_last(&left), before_last(&newest));
        assert!(old < fork);
        let truth = |at| shop.world.truth(shop.database, at).ok_or(0);
        assert_eq!(restore(&[&full, &first, &second], old), truth(old), "the branch left behind");
        assert_eq!(restore(&[&full, &first, &crossing, &last], new), truth(new));
        assert!(
            matches!(restore(&[&full, &first, &second, &last], new), Err(4305 | 4326 | 4330)),
            "paths mixed"
        );
        let joined = restore(&[&behind, &crossing, &last], new);
        assert_eq!(joined, if joins { truth(new) } else { Err(4330) }, "undocumented");
        let judge = shop.world.judge("vault", "", shop.database);
        for at in [old, new] {
            assert_eq!(judge.restore_to(at).map(|way| way.content).map_err(|_| 0), truth(at));
        }
    }
}

#[test]
fn a_restored_database_goes_on_with_the_base_it_was_restored_with() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    let (object, first) = shop.full();
    let (copy, _) = shop.back_up(BackupKind::Full, true).unwrap();
    shop.full();
    for from in [object, copy] {
        shop.wait(60);
        shop.world.restore_over(shop.database, &[from], None).unwrap();
        let (_, differential) = shop.back_up(BackupKind::Differential, false).unwrap();
        assert_eq!(differential.differential_base, Some((first.checkpoint_lsn, first.uuid)));
    }
}

#[test]
fn statements_carry_their_own_stop_and_a_striped_log_needs_all_stripes() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    let (full, _) = shop.full();
    shop.wait(60);
    let stripes = [ObjectRef::newest("vault", "s1"), ObjectRef::newest("vault", "s2")];
    let (order, _) = shop.order(BackupKind::Log, false);
    let order = BackupOrder { to: Device::Objects(stripes.to_vec()), ..order };
    let ticket = shop.world.begin_backup(shop.database, order).unwrap();
    shop.wait(60);
    shop.world.end_backup(ticket).unwrap();
    let at = shop.world.now() - SignedDuration::from_secs(45);
    let step = |objects: &[ObjectRef], stop_at| RestoreStep {
        objects: objects.to_vec(),
        stop_at,
        stop_before_lsn: None,
    };
    let full = step(&[full], None);
    let steps = |stop, stripes: &[ObjectRef]| {
        shop.world.restore_steps(&[full.clone(), step(stripes, stop)]).map_err(|error| error.number)
    };
    assert_eq!(steps(Some(at), &stripes), shop.world.truth(shop.database, at).ok_or(0));
    let never = shop.world.now() + SignedDuration::from_secs(1);
    assert_eq!(steps(Some(never), &stripes), steps(None, &stripes), "recovery brings what was applied");
    assert_eq!(steps(None, &stripes[..1]), Err(3132));
    let set = shop.world.header(&stripes[0]).unwrap();
    let below = |lsn| {
        let log = RestoreStep { objects: stripes.to_vec(), stop_at: None, stop_before_lsn: Some(lsn) };
        shop.world.restore_steps(&[full.clone(), log]).map_err(|error| error.number)
    };
    assert_eq!(below(set.last_lsn), steps(None, &stripes));
    assert_eq!(below(set.last_lsn.with_slot(2)), below(set.last_lsn));
    assert_eq!(below(set.first_lsn), Err(4335), "the full holds more");
    assert_eq!(below(set.last_lsn).ok(), shop.world.truth_below(shop.database, set.last_fork, set.last_lsn));
    assert!(steps(None, &stripes).is_ok_and(|all| Ok(all) != steps(Some(at), &stripes)));
    let way = shop.world.judge("vault", "", shop.database).restore_to(at).unwrap();
    assert_eq!(way.objects.len(), 3, "all stripes are named");
    assert_eq!(shop.world.restore(&way.objects, Some(at)).ok(), Some(way.content));
}

#[test]
fn a_copy_only_full_anchors_logs_and_no_differential() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    let (full, base) = shop.full();
    let (copy, copied) = shop.back_up(BackupKind::Full, true).unwrap();
    let (log, _) = shop.log();
    let (differential, set) = shop.back_up(BackupKind::Differential, true).unwrap();
    let (later, _) = shop.back_up(BackupKind::Differential, false).unwrap();
    assert!(copied.is_copy_only && !set.is_copy_only, "COPY_ONLY is ignored of a differential");
    assert_eq!(set.differential_base, Some((base.checkpoint_lsn, base.uuid)), "the base did not move");
    let restore = |objects: &[&ObjectRef]| {
        let objects: Vec<ObjectRef> = objects.iter().map(|object| (*object).clone()).collect();
        shop.world.restore(&objects, None).map_or_else(|error| error.number, |_| 0)
    };
    for (objects, number) in [
        (&[&copy, &log][..], 0),
        (&[&full, &log], 0),
        (&[&full, &differential], 0),
        (&[&copy, &differential], 3136),
        (&[&differential], 3118),
        (&[&full, &later, &differential], 3120),
        (&[&full, &differential, &log], 4326),
    ] {
        assert_eq!(restore(objects), number, "{objects:?}");
    }
}

#[test]
fn what_was_damaged_when_it_was_backed_up_is_not_restored() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    let (order, object) = shop.order(BackupKind::Full, false);
    let ticket = shop.world.begin_backup(shop.database, BackupOrder { damaged: true, ..order }).unwrap();
    shop.wait(30);
    shop.world.end_backup(ticket).unwrap();
    assert!(shop.world.header(&object).unwrap().is_damaged);
    assert_eq!(shop.world.restore(&[object], None).unwrap_err().number, 3182);
}

/// A snapshot by somebody's tool moves the base, and the differential of the next night fails.
#[test]
fn a_volume_snapshot_takes_the_base_and_leaves_the_log_chain() {
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    shop.full();
    let (_, before) = shop.log();
    shop.wait(60);
    shop.world.volume_snapshot(shop.database).unwrap();
    assert_eq!(shop.refusal(BackupKind::Differential), 3035);
    let (_, after) = shop.log();
    assert_eq!(after.first_lsn, before.last_lsn, "no data backup breaks the log chain");
    let (_, full) = shop.full();
    let (_, differential) = shop.back_up(BackupKind::Differential, false).unwrap();
    assert_eq!(differential.differential_base, Some((full.checkpoint_lsn, full.uuid)));
}

/// FULL and `BULK_LOGGED` change places without a break; where nothing happens a log is empty; a name comes back as another
/// database.
#[test]
fn chains_go_on_across_models_and_quiet_hours_and_not_across_a_drop() {
    let quiet = DatabaseConfig { transactions_per_minute_milli: 0, ..DatabaseConfig::named("Quiet") };
    let mut shop = Shop::open(RecoveryModel::Full, Knobs::default());
    shop.database = shop.world.add_installed_database("shop", &quiet, RecoveryModel::Full).unwrap();
    shop.full();
    let (_, first) = shop.log();
    shop.model(RecoveryModel::BulkLogged);
    let (_, second) = shop.log();
    shop.model(RecoveryModel::Full);
    let (_, third) = shop.log();
    for (before, after) in [(&first, &second), (&second, &third)] {
        assert!(after.first_lsn == before.last_lsn && !after.begins_log_chain);
        assert_eq!(after.first_lsn, after.last_lsn, "nothing was written");
        assert_eq!(after.last_valid_restore_time(), None);
    }
    assert!(shop.world.break_drop_database(shop.database));
    shop.database = shop.world.add_installed_database("shop", &quiet, RecoveryModel::Full).unwrap();
    assert_eq!(shop.refusal(BackupKind::Log), 4214);
    let (_, again) = shop.full();
    assert!(again.database_guid != first.database_guid && again.family_guid != first.family_guid);
    assert_ne!(again.last_fork, first.last_fork);
}
