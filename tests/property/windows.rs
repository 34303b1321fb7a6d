//! Can exactly the moments be restored that a window claims? Headers on one side, contents on the other.
//!
//! Histories are grown by the simulated world, not drawn: databases commit, the service backs up logs and takes snapshots,
//! people interfere, objects are lost. The rules see headers ([`headers`]: rows read by SELECT, heads of objects) and claim
//! moments. The oracle opens the files: it restores by brute force whatever the engine accepts and compares the content with
//! what the database held. Times are exact here: backups and log files end on whole seconds, which headers can tell, so no
//! edge needs a tolerance. Where backups end between two seconds headers round, and what is claimed must hold all the same.

pub(crate) mod grown;
pub(crate) mod headers;

use std::cell::RefCell;
use std::collections::BTreeMap;

use domain::backup::{Backup, HeldIn};
use domain::coverage::{Window, window};
use domain::history::{History, Lineage};
use domain::restore::{Planner, Request, Target, check};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use world::Judge;

use crate::config;
use crate::plans::execute::carry_out;
use grown::{Grown, Story, story};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What was seen over all cases.
#[derive(Debug, Default)]
struct Seen {
    claimed: u32,
    refused: u32,
    causes: BTreeMap<&'static str, u32>,
    orphans: u32,
    points: u32,
}

fn of(backups: Vec<Backup>, now: Timestamp) -> Result<History, TestCaseError> {
    let history =
        History::build(backups, Vec::new(), now).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(history.warnings(), [""; 0]);
    prop_assert_eq!(history.lineages().len(), 1);
    Ok(history)
}

/// Every edge with a second on both sides, every middle, and the random moments: `[created, now]`.
fn moments(window: &Window, story: &Story, grown: &Grown) -> Vec<Timestamp> {
    let middle = |from: Timestamp, to: Timestamp| {
        from + SignedDuration::from_secs(to.duration_since(from).as_secs() / 2)
    };
    let around = |edge: Timestamp| [edge - SECOND, edge, edge + SECOND];
    let mut moments = Vec::new();
    for interval in &window.intervals {
        moments.extend(around(interval.from));
        moments.extend(around(interval.to));
        moments.push(middle(interval.from, interval.to));
    }
    moments.extend(window.points.iter().flat_map(|point| around(point.at)));
    moments.extend(window.holes.iter().map(|hole| middle(hole.from, hole.to)));
    let lived = grown.now().duration_since(grown.created).as_millis();
    for part in &story.looks {
        let into = i64::try_from(lived * i128::from(*part) / 1_000_000).expect("histories last hours");
        moments.push(grown.created + SignedDuration::from_millis(into));
    }
    moments.retain(|at| (grown.created..=grown.now()).contains(at));
    moments.sort_unstable();
    moments.dedup();
    moments
}

/// What is claimed has a plan that passes the check, and that restores the moment where the vault alone serves it.
fn planned(lineage: &Lineage, at: Timestamp, claimed: bool, grown: &Grown) -> Result<(), TestCaseError> {
    let request = Request::at(Target::Moment(at));
    let answer = Planner::new(lineage).plan(&request);
    prop_assert_eq!(answer.is_ok(), claimed, "{} {:#?}\n{}", at, answer, grown.told.join("\n"));
    let Ok(plan) = answer else { return Ok(()) };
    let objection = check(&plan, lineage.backups(), &request).err();
    prop_assert_eq!(objection, None, "{} {:#?}", at, plan);
    let in_vault = plan.steps.iter().all(|step| step.backup.is_none() || !step.files.is_empty());
    if in_vault {
        let content = carry_out(&grown.world, &plan.steps);
        prop_assert_eq!(content.ok(), grown.world.truth(grown.database, at), "{} {:#?}", at, plan);
    }
    Ok(())
}

/// Claims against contents, at every moment.
fn compare(
    lineage: &Lineage,
    judge: &Judge<'_>,
    (story, grown): (&Story, &Grown),
    seen: &RefCell<Seen>,
) -> Result<(), TestCaseError> {
    let (claims, _) = &window(lineage);
    let last = claims.intervals.iter().map(|i| i.to).chain(claims.points.iter().map(|p| p.at)).max();
    let held = claims.moments();
    for at in moments(claims, story, grown) {
        let truth = grown.world.truth(grown.database, at);
        prop_assert!(truth.is_some());
        let restored = judge.restore_to(at);
        let is_true = restored.as_ref().is_ok_and(|found| Some(&found.content) == truth.as_ref());
        let claimed = held.hold(at);
        planned(lineage, at, claimed, grown)?;
        let mut seen = seen.borrow_mut();
        seen.claimed += u32::from(claimed);
        seen.refused += u32::from(!claimed);
        prop_assert_eq!(
            claimed,
            is_true,
            "at {}, where a restore {}\n{}\n{:#?}",
            at,
            restored.map_or_else(|error| error.to_string(), |found| format!("used {:?}", found.objects)),
            grown.told.join("\n"),
            claims
        );
        // What is refused between the first and the last moment lies in a hole that says why.
        let hole = claims.hole_at(at).filter(|_| !claimed);
        if let Some(hole) = hole {
            *seen.causes.entry(hole.cause.as_str()).or_default() += 1;
        }
        prop_assert!(claimed || hole.is_some() || last.is_none_or(|last| last < at) || is_before(claims, at));
    }
    Ok(())
}

fn is_before(claims: &Window, at: Timestamp) -> bool {
    let firsts = claims.intervals.iter().map(|i| i.from).chain(claims.points.iter().map(|p| p.at));
    firsts.min().is_none_or(|first| at < first)
}

/// One history: with what the vault holds alone, and with the logs that the service still keeps.
fn judge_story(story: &Story, seen: &RefCell<Seen>) -> Result<(), TestCaseError> {
    let mut grown = Grown::grow(story);
    let rows = headers::read(&mut grown);
    let now = grown.now();
    let in_vault: Vec<Backup> = rows.iter().filter(|row| row.held_in == HeldIn::Vault).cloned().collect();
    for (history, judge) in [
        (of(in_vault, now)?, grown.world.judge(grown::BUCKET, grown::PREFIX, grown.database)),
        (of(rows, now)?, grown.world.judge(grown::BUCKET, grown::PREFIX, grown.database).with_service()),
    ] {
        let lineage = &history.lineages()[0];
        compare(lineage, &judge, (story, &grown), seen)?;
        let (claims, _) = window(lineage);
        let mut seen = seen.borrow_mut();
        seen.orphans += u32::try_from(claims.orphans.len()).expect("few");
        seen.points += u32::try_from(claims.points.len()).expect("few");
    }
    Ok(())
}

#[test]
fn a_moment_is_claimed_if_and_only_if_the_files_restore_it() {
    let seen = RefCell::new(Seen::default());
    let outcome = TestRunner::new(config(8, 240)).run(&story(), |story| judge_story(&story, &seen));
    if let Err(error) = outcome {
        panic!("claims and contents differ: {error}");
    }
    let seen = seen.into_inner();
    let share = f64::from(seen.refused) / f64::from(seen.claimed + seen.refused);
    eprintln!("{:.0} % of the moments refused: {seen:?}", share * 100.0);
    assert!((0.1..0.9).contains(&share), "both answers must occur: {seen:?}");
    for cause in ["log_gap", "missing_stripe", "damaged", "archived", "unreadable_key", "before_first_backup"]
    {
        assert!(seen.causes.contains_key(cause), "{cause} never occurred: {seen:?}");
    }
    assert!(seen.orphans > 0 && seen.points > 0, "{seen:?}");
}

/// Every interval that begins between two seconds, from its first moment on. A point is left out: what a full holds at a rounded
/// moment nobody can say.
fn judge_rounded(story: &Story, begun: &RefCell<u32>) -> Result<(), TestCaseError> {
    let mut grown = Grown::grow(story);
    let rows = headers::read(&mut grown);
    let in_vault: Vec<Backup> = rows.into_iter().filter(|row| row.held_in == HeldIn::Vault).collect();
    let history = of(in_vault, grown.now())?;
    let (claims, _) = window(&history.lineages()[0]);
    let judge = grown.world.judge(grown::BUCKET, grown::PREFIX, grown.database);
    for interval in claims.intervals.iter().filter(|interval| interval.from.subsec_nanosecond() != 0) {
        *begun.borrow_mut() += 1;
        let length = interval.to.duration_since(interval.from);
        for at in [interval.from, interval.from + length / 2, interval.to] {
            let restored = judge.restore_to(at).map(|found| Some(found.content));
            let truth = grown.world.truth(grown.database, at);
            prop_assert_eq!(restored, Ok(truth), "{}\n{}\n{:#?}", at, grown.told.join("\n"), claims);
        }
    }
    Ok(())
}

#[test]
fn what_is_claimed_from_a_rounded_finish_on_can_be_restored() {
    let begun = RefCell::new(0);
    let between = story().prop_map(|mut story| {
        story.whole_seconds = false;
        story
    });
    let outcome = TestRunner::new(config(15, 120)).run(&between, |story| judge_rounded(&story, &begun));
    if let Err(error) = outcome {
        panic!("claims and contents differ: {error}");
    }
    let begun = begun.into_inner();
    assert!(begun > 60, "{begun} intervals began at a rounded finish");
}
