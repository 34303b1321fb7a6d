//! What restores yield: the moments that must come back, the files the engine must refuse, and brute force over both.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tds::Value;
use world::{Content, Damage, DatabaseId, Knobs, MultiAz, ObjectRef};

use crate::lab::{Lab, prompt, text};

fn vault(keys: &[String]) -> Vec<ObjectRef> {
    keys.iter().map(|k| ObjectRef::newest("vault", k)).collect()
}

/// The keys of all copied logs, by number.
fn logs(lab: &Lab) -> Vec<String> {
    let mut keys = lab.keys("logs/");
    keys.sort_by_key(|k| k.rsplit('.').nth(1).and_then(|n| n.parse::<u32>().ok()));
    keys
}

fn full(lab: &mut Lab, key: &str) {
    let id = lab.backup("A", key);
    assert_eq!(lab.finish(id), "SUCCESS");
}

fn copy(lab: &mut Lab) {
    let id = lab.copy_all("A");
    assert_eq!(lab.finish(id), "SUCCESS");
}

fn finish_of(lab: &Lab, key: &str) -> Timestamp {
    lab.world.header(&ObjectRef::newest("vault", key)).unwrap().finish()
}

/// A database with a full in the middle of an afternoon and its logs in the vault.
fn afternoon() -> (Lab, DatabaseId) {
    let mut lab = Lab::new();
    let database = lab.database("A");
    lab.set_up_logs();
    lab.wait(1_800);
    full(&mut lab, "full.bak");
    lab.wait(3_600);
    copy(&mut lab);
    (lab, database)
}

#[test]
fn every_moment_after_the_full_comes_back() {
    let (lab, database) = afternoon();
    let (from, keys) = (finish_of(&lab, "full.bak"), logs(&lab));
    let to = finish_of(&lab, keys.last().unwrap());
    let mut sequence = vec!["full.bak".to_owned()];
    let full = lab.world.header(&ObjectRef::newest("vault", "full.bak")).unwrap();
    sequence.extend(keys.into_iter().filter(|k| {
        lab.world.header(&ObjectRef::newest("vault", k)).is_ok_and(|h| h.last_lsn >= full.last_lsn)
    }));
    let mut moment = from;
    let mut before = Content::default();
    while moment <= to {
        let ends = sequence.iter().position(|k| k != "full.bak" && finish_of(&lab, k) >= moment).unwrap();
        let restored = lab.world.restore(&vault(&sequence[..=ends]), Some(moment)).unwrap();
        assert_eq!(Some(&restored), lab.world.truth(database, moment).as_ref(), "{moment}");
        assert!(restored.row_count() >= before.row_count());
        before = restored;
        moment += SignedDuration::from_secs(97);
    }
    assert!(before.row_count() > 1_500);
}

#[test]
fn a_commit_at_the_very_moment_is_out() {
    let mut lab = Lab::new();
    let database = lab.database("A");
    lab.set_up_logs();
    full(&mut lab, "full.bak");
    lab.wait(600);
    lab.world.write(database, 5);
    let at = lab.now();
    lab.wait(600);
    copy(&mut lab);
    let rows = |lab: &Lab, t: Timestamp| {
        let judged = lab.world.judge("vault", "", database).restore_to(t).unwrap();
        assert_eq!(Some(&judged.content), lab.world.truth(database, t).as_ref());
        judged.content.row_count()
    };
    let (out, inside) = (rows(&lab, at), rows(&lab, at + SignedDuration::from_millis(1)));
    assert!(inside >= out + 5 && inside <= out + 6, "{out} {inside}");
}

#[test]
fn the_engine_refuses_by_lsn_fork_and_media() {
    let (mut lab, _) = afternoon();
    let keys = logs(&lab);
    let chain = |numbers: &[usize]| -> Vec<ObjectRef> {
        let picked: Vec<String> =
            std::iter::once("full.bak".to_owned()).chain(numbers.iter().map(|n| keys[*n].clone())).collect();
        vault(&picked)
    };
    // The full ends within a file; the next ones follow.
    let base = lab.world.header(&ObjectRef::newest("vault", "full.bak")).unwrap();
    let spans = keys
        .iter()
        .position(|k| {
            let log = lab.world.header(&ObjectRef::newest("vault", k)).unwrap();
            log.first_lsn <= base.last_lsn && base.last_lsn < log.last_lsn
        })
        .unwrap();
    let late = lab.now();
    let early = base.finish() - SignedDuration::from_secs(300);
    for (objects, stop, number) in [
        (chain(&[spans, spans + 1]), None, 0),
        (chain(&[spans + 1]), None, 4305),
        (chain(&[spans, spans + 2]), None, 4305),
        (chain(&[0]), None, 4326),
        (vault(&keys[..1]), None, 3118),
        (chain(&[]), Some(early), 4335),
        (chain(&[spans]), Some(late), 4322),
        (chain(&[]), Some(base.finish()), 0),
        (vec![ObjectRef::newest("vault", "nothing")], None, 3201),
        (Vec::new(), None, 50_000),
    ] {
        let got = lab.world.restore(&objects, stop).map_or_else(|e| e.number, |_| 0);
        assert_eq!(got, number, "{objects:?}");
    }
    for (damage, number) in [(Damage::Corrupt, 3241), (Damage::Truncate, 3256), (Damage::Archive, 3201)] {
        lab.world.break_object("vault", "full.bak", damage).unwrap();
        assert_eq!(lab.world.restore(&chain(&[]), None).unwrap_err().number, number);
        full(&mut lab, &format!("again-{number}.bak"));
        let fresh = lab.world.restore(&[ObjectRef::newest("vault", &format!("again-{number}.bak"))], None);
        assert!(fresh.is_ok());
        lab.world.break_object("vault", "full.bak", Damage::Delete).unwrap();
        assert_eq!(lab.world.restore(&chain(&[]), None).unwrap_err().number, 3201);
        let marker = lab.world.s3().list_versions("vault", "full.bak", None, 9).unwrap().versions[0]
            .object
            .version
            .clone();
        lab.world.s3_mut().delete("vault", "full.bak", marker.as_deref()).unwrap();
    }
}

#[test]
fn stripes_and_differentials_need_their_own() {
    let mut lab = Lab::new();
    let database = lab.database("A");
    let backup = |lab: &mut Lab, key: &str, kind: &str, files: i64| {
        let answer = lab.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text("A")),
                ("@s3_arn_to_backup_to", text(&format!("arn:aws:s3:::vault/{key}"))),
                ("@type", text(kind)),
                ("@number_of_files", Value::Int(files)),
            ],
        );
        let id = crate::lab::task_id(&answer);
        assert_eq!(lab.finish(id), "SUCCESS");
        lab.world.write(database, 10);
        lab.wait(60);
    };
    backup(&mut lab, "f1.bak", "FULL", 1);
    backup(&mut lab, "d1.bak", "DIFFERENTIAL", 1);
    backup(&mut lab, "f2_*.bak", "FULL", 3);
    backup(&mut lab, "d2.bak", "DIFFERENTIAL", 1);
    let restore = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        lab.world.restore(&vault(&names), None).map_or_else(|e| e.number, |_| 0)
    };
    let striped = ["f2_2-of-3.bak", "f2_1-of-3.bak", "f2_3-of-3.bak"];
    assert_eq!(restore(&["f1.bak", "d1.bak"]), 0);
    assert_eq!(restore(&["f1.bak", "d2.bak"]), 3136);
    assert_eq!(restore(&striped), 0);
    assert_eq!(restore(&striped[..2]), 3132);
    assert_eq!(restore(&[striped[0], striped[1], striped[2], "d2.bak"]), 0);
    assert_eq!(restore(&[striped[0], striped[1], striped[2], "d1.bak"]), 3136);
    let judged = lab.world.judge("vault", "", database);
    for key in ["d1.bak", "d2.bak"] {
        let at = finish_of(&lab, key);
        let way = judged.restore_to(at).unwrap();
        assert_eq!(Some(way.content), lab.world.truth(database, at));
        assert_eq!(way.objects.last().unwrap().key, key);
    }
}

#[test]
fn recovery_paths_do_not_mix_and_both_can_be_restored() {
    let (mut lab, old) = afternoon();
    let fork = lab.now() - SignedDuration::from_secs(900);
    let new = lab.world.break_restore_in_place(old, fork).unwrap();
    lab.wait(1_800);
    full(&mut lab, "after.bak");
    lab.wait(1_200);
    copy(&mut lab);
    let judge_old = lab.world.judge("vault", "", old);
    let before = fork + SignedDuration::from_secs(300);
    let way = judge_old.restore_to(before).unwrap();
    assert_eq!(Some(way.content), lab.world.truth(old, before), "the branch left behind");
    let judge_new = lab.world.judge("vault", "", new);
    for seconds in [60, 600, 2_000, 2_500] {
        let at = fork + SignedDuration::from_secs(900 + seconds);
        let way = judge_new.restore_to(at).unwrap();
        assert_eq!(Some(way.content), lab.world.truth(new, at), "{seconds}");
    }
    // A log of the old branch after the fork does not apply to the new full, nor the reverse.
    let stem = |number: u32| {
        let mine = lab.keys("logs/6.");
        mine.into_iter().find(|k| k.rsplit('.').nth(1) == Some(number.to_string().as_str())).unwrap()
    };
    let last_old = logs(&lab).into_iter().filter(|k| k.contains("/6.")).count();
    let newest = stem(u32::try_from(last_old).unwrap());
    let objects = vault(&["after.bak".to_owned(), newest]);
    let refused = lab.world.restore(&objects, None).unwrap_err().number;
    assert!(matches!(refused, 4326 | 4330 | 4305), "{refused}");
}

#[test]
fn a_hole_stays_a_hole_until_the_next_full() {
    let (mut lab, database) = afternoon();
    lab.wait(600);
    full(&mut lab, "second.bak");
    lab.wait(1_800);
    copy(&mut lab);
    let keys = logs(&lab);
    let lost = keys[keys.len() / 2].clone();
    let at = finish_of(&lab, &lost);
    lab.world.break_object("vault", &lost, Damage::Delete).unwrap();
    let judge = lab.world.judge("vault", "", database);
    let second = finish_of(&lab, "second.bak");
    let inside = at - SignedDuration::from_secs(100);
    assert!(judge.restore_to(inside).is_err());
    assert!(judge.restore_to(second - SignedDuration::from_secs(30)).is_err());
    assert!(judge.restore_to(at - SignedDuration::from_secs(400)).is_ok());
    assert!(judge.restore_to(second).is_ok());
    assert!(judge.restore_to(second + SignedDuration::from_secs(600)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(3), ..ProptestConfig::default() })]

    /// Whatever happens to a database, what the judge restores is what the database held, and nothing but a fault ever
    /// opens a hole between the first full and the last copied file.
    #[test]
    fn judged_content_is_true(
        forks in any::<bool>(),
        whole in any::<bool>(),
        steps in proptest::collection::vec((0_u8..9, 60_i64..4_000), 4..14), probes in proptest::collection::vec(0_i64..10_000, 12)) {
        let knobs = Knobs { failover_starts_fork: forks, whole_seconds: whole, ..prompt() };
        let mut lab = Lab::with(knobs, |config| config.multi_az = MultiAz::AlwaysOn);
        let database = lab.database("A");
        lab.set_up_logs();
        full(&mut lab, "first.bak");
        let from = finish_of(&lab, "first.bak");
        let mut harmed = false;
        for (number, (what, seconds)) in steps.into_iter().enumerate() {
            lab.wait(seconds);
            match what {
                0 => { let id = lab.backup("A", &format!("{number}.bak")); lab.finish(id); }
                1 | 2 => copy(&mut lab),
                3 => lab.world.write(database, 3),
                4 => lab.world.break_foreign_full(database, seconds % 2 == 0),
                5 => lab.world.break_snapshot("prod"),
                6 => {
                    lab.world.break_failover("prod");
                    lab.wait(121);
                    lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
                }
                7 if seconds % 3 == 0 => { lab.world.break_recovery_model(database, world::RecoveryModel::Simple); harmed = true; }
                8 if seconds % 3 == 0 => {
                    let keys = logs(&lab);
                    if let Some(key) = keys.get(keys.len() / 2) {
                        lab.world.break_object("vault", key, Damage::Corrupt).unwrap();
                        harmed = true;
                    }
                }
                _ => {}
            }
        }
        lab.wait(700);
        copy(&mut lab);
        let to = finish_of(&lab, logs(&lab).last().unwrap());
        let judge = lab.world.judge("vault", "", database);
        let width = to.duration_since(from).as_secs();
        for probe in probes {
            let at = from + SignedDuration::from_secs(width * probe / 10_000);
            match judge.restore_to(at) {
                Ok(way) => prop_assert_eq!(Some(way.content), lab.world.truth(database, at), "{}", at),
                Err(error) => prop_assert!(harmed, "{} {}", at, error),
            }
        }
    }
}
