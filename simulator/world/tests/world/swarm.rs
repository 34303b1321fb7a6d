//! The swarm: one story over many worlds that the sources allow, and what no knob may break.
//!
//! Two tasks run at most; a backup or a copy is passed by nothing behind it; no task is lost; a lifecycle moves only along the
//! documented edges. The story is watched at every event.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use world::{
    Condition, DatabaseConfig, FailoverFate, FileTask, Knobs, Lifecycle, MultiAz, RecoveryModel, TaskFact,
    TaskType,
};

use crate::lab::{Lab, prompt};

/// What was seen of the tasks.
#[derive(Default)]
struct Watch {
    lifecycles: BTreeMap<u32, Lifecycle>,
    started: BTreeMap<u32, Timestamp>,
    /// Those that a failover leaves as they are for ever.
    frozen: BTreeSet<u32>,
    asked: u32,
}

/// Whether a lifecycle may follow another: RDS user guide, "Tracking the status of tasks".
fn may_follow(before: Lifecycle, after: Lifecycle) -> bool {
    use Lifecycle::{CancelRequested, Cancelled, Created, Error, InProgress, Success};
    before == after
        || matches!(
            (before, after),
            (Created, InProgress | CancelRequested)
                // A backup that the service kills may end cancelled: nobody knows.
                | (InProgress, Success | Error | Cancelled | CancelRequested)
                | (CancelRequested, Cancelled | Success | Error)
        )
}

fn holds_a_slot(fact: &TaskFact) -> bool {
    fact.started_at.is_some() && matches!(fact.lifecycle, Lifecycle::InProgress | Lifecycle::CancelRequested)
}

impl Watch {
    fn look(&mut self, lab: &Lab, seed: u64) {
        let facts: Vec<TaskFact> = lab.world.tasks("prod").collect();
        let ids: Vec<u32> = facts.iter().map(|fact| fact.id).collect();
        assert_eq!(ids, (1..=self.asked).collect::<Vec<_>>(), "seed {seed}: no task is lost");
        for fact in &facts {
            let before = self.lifecycles.insert(fact.id, fact.lifecycle).unwrap_or(Lifecycle::Created);
            assert!(may_follow(before, fact.lifecycle), "seed {seed}: {before:?} to {fact:?}");
            assert_eq!(fact.ended_at.is_some(), fact.lifecycle.is_ended(), "seed {seed}: {fact:?}");
            if let Some(started) = fact.started_at {
                self.started.entry(fact.id).or_insert(started);
            }
        }
        let running = facts.iter().filter(|fact| holds_a_slot(fact) && !self.frozen.contains(&fact.id));
        assert!(running.count() <= 2, "seed {seed}: two run at most: {facts:?}");
        let files = facts.iter().filter(|fact| holds_a_slot(fact) && fact.kind.is_files());
        let files = files.filter(|fact| !self.frozen.contains(&fact.id)).count();
        assert!(files <= 1, "seed {seed}: files move one by one: {facts:?}");
    }

    /// Nothing behind a backup or a copy was started before it.
    fn is_in_order(&self, facts: &[TaskFact], seed: u64) {
        for (place, fact) in facts.iter().enumerate() {
            let Some(started) = self.started.get(&fact.id) else { continue };
            let is_plain = fact.kind.is_backup() || fact.kind == TaskType::LogCopy;
            let behind = facts[place + 1..].iter().filter(|_| is_plain);
            for other in behind.filter_map(|other| self.started.get(&other.id)) {
                assert!(started <= other, "seed {seed}: {fact:?} was passed");
            }
        }
    }
}

/// A story of people: what they ask for in three minutes.
fn act(lab: &mut Lab, watch: &mut Watch, step: i64) {
    let name = format!("D{}", step / 7 % 4);
    let arn = format!("arn:aws:s3:::vault/{step}");
    let sql = match step % 13 {
        0 | 5 => format!("EXEC msdb.dbo.rds_backup_database '{name}', '{arn}.bak'"),
        2 => format!("EXEC msdb.dbo.rds_backup_database '{name}', '{arn}.dif', @type = 'DIFFERENTIAL'"),
        4 => format!(
            "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = '{name}', @rds_backup_starting_seq_id = 1"
        ),
        6 => format!(
            "EXEC msdb.dbo.rds_restore_database 'R{step}', 'arn:aws:s3:::vault/0.bak', @with_norecovery = 1"
        ),
        7 => format!("EXEC msdb.dbo.rds_finish_restore 'R{}'", step - 1 - 13),
        8 => format!("EXEC msdb.dbo.rds_restore_database 'S{step}', 'arn:aws:s3:::vault/0.bak'"),
        9 => format!("EXEC msdb.dbo.rds_cancel_task @task_id = {}", watch.asked),
        11 => format!("EXEC msdb.dbo.rds_drop_database 'S{}'", step - 3 - 13),
        _ => return,
    };
    let answer = lab.batch(&sql);
    let is_task = answer.results.first().is_some_and(|result| {
        result.columns.first().is_some_and(|column| column.name == "task_id") && result.rows.len() == 1
    });
    watch.asked += u32::from(is_task);
}

/// Somebody else's deeds.
fn interfere(lab: &mut Lab, watch: &mut Watch, step: i64) {
    match step {
        17 | 200 | 300 => {
            let arn = "arn:aws:s3:::vault/data.csv";
            for (task, path) in [
                (FileTask::Download, "data.csv"),
                (FileTask::Download, "other.csv"),
                (FileTask::Upload, "none.csv"),
                (FileTask::List, ""),
            ] {
                watch.asked += u32::from(lab.world.break_file_task("prod", task, arn, path).is_some());
            }
        }
        30 => lab.world.break_snapshot("prod"),
        40 => {
            let id = lab.world.find_database("prod", "D1").unwrap();
            lab.world.break_recovery_model(id, RecoveryModel::Simple);
        }
        66 | 366 => {
            let facts: Vec<TaskFact> = lab.world.tasks("prod").collect();
            if lab.world.knobs().failover_fate == FailoverFate::Frozen {
                let left = |fact: &&TaskFact| {
                    fact.lifecycle == Lifecycle::InProgress && fact.kind != TaskType::LogCopy
                };
                watch.frozen.extend(facts.iter().filter(left).map(|fact| fact.id));
            }
            lab.world.break_failover("prod");
        }
        _ => {}
    }
    if !lab.world.is_connected(lab.session)
        && let Ok(session) = lab.world.connect("prod", "admin", "simulated")
    {
        lab.session = session;
    }
}

/// So many seconds go by, watched at every event.
fn pass(lab: &mut Lab, watch: &mut Watch, seconds: i64, seed: u64) {
    let to = lab.now() + SignedDuration::from_secs(seconds);
    while let Some(next) = lab.world.next_event_at().filter(|next| *next <= to) {
        lab.world.advance_to(next);
        watch.look(lab, seed);
    }
    lab.world.advance_to(to);
}

/// A day and more, with its automated backup and on a Sunday with its maintenance.
fn story(seed: u64) -> Vec<TaskFact> {
    let mode = [MultiAz::Single, MultiAz::Mirroring, MultiAz::AlwaysOn][usize::try_from(seed % 3).unwrap()];
    let mut lab = Lab::with(Knobs::drawn(seed), |config| {
        config.multi_az = mode;
        config.maintenance_window = "Mon:20:00-Mon:21:00".into();
        config.allocated_storage_bytes = Some(100_000_000_000);
        config.instance_class = Some("db.m6i.large".into());
        config.throughput_bytes = 20_000_000;
    });
    lab.world.s3_mut().put("vault", "data.csv", b"1", &Condition::Always).unwrap();
    for n in 0..4 {
        let config = DatabaseConfig { size_bytes: 4_000_000_000, ..DatabaseConfig::named(&format!("D{n}")) };
        lab.world.add_database("prod", &config).unwrap();
    }
    lab.batch("EXEC msdb.dbo.rds_tlog_copy_setup @target_s3_arn = 'arn:aws:s3:::vault/logs'");
    let mut watch = Watch::default();
    for step in 0..500 {
        act(&mut lab, &mut watch, step);
        interfere(&mut lab, &mut watch, step);
        watch.look(&lab, seed);
        pass(&mut lab, &mut watch, 180, seed);
    }
    // Whatever was asked for ends, but for what nobody will ever hear of again.
    pass(&mut lab, &mut watch, 86_400 * 4, seed);
    let facts: Vec<TaskFact> = lab.world.tasks("prod").collect();
    let open = facts.iter().filter(|fact| !fact.lifecycle.is_ended() && !watch.frozen.contains(&fact.id));
    assert_eq!(open.count(), 0, "seed {seed}: {facts:?}");
    assert!(facts.iter().any(|fact| fact.lifecycle == Lifecycle::Success), "seed {seed}: something works");
    watch.is_in_order(&facts, seed);
    facts
}

#[test]
fn no_knob_breaks_what_is_certain() {
    let facts: Vec<TaskFact> = (0..24).flat_map(story).collect();
    // The story tells of everything.
    let seen = |kind: fn(TaskType) -> bool, ending| {
        let count = facts.iter().filter(|fact| kind(fact.kind) && fact.lifecycle == ending).count();
        assert!(count > 0, "{ending:?}");
    };
    for ending in [Lifecycle::Success, Lifecycle::Error, Lifecycle::Cancelled, Lifecycle::InProgress] {
        seen(TaskType::is_backup, ending);
    }
    for ending in [Lifecycle::Success, Lifecycle::Error] {
        seen(TaskType::is_restore, ending);
        seen(TaskType::is_files, ending);
    }
    seen(|kind| kind == TaskType::LogCopy, Lifecycle::Success);
    seen(|kind| kind == TaskType::FinishRestore, Lifecycle::Success);
}

#[test]
fn a_world_of_the_swarm_is_a_function_of_its_seed() {
    assert!(story(5) == story(5));
    assert!(story(5) != story(6));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Any two moments of a story may be swapped for one long step: nobody has to look for things to happen.
    #[test]
    fn a_quiet_world_of_any_knobs_goes_by_itself(seed in any::<u64>(), hours in 1_i64..72) {
        let mut lab = Lab::with(Knobs { created_seconds: prompt().created_seconds, ..Knobs::drawn(seed) }, |_| {});
        lab.database("A");
        lab.batch("EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/a.bak'");
        let mut other = lab.world.clone();
        let to = lab.now() + SignedDuration::from_hours(hours);
        while let Some(next) = other.next_event_at().filter(|next| *next <= to) {
            other.advance_to(next);
        }
        other.advance_to(to);
        lab.world.advance_to(to);
        prop_assert_eq!(format!("{:?}", lab.world), format!("{other:?}"));
    }
}
