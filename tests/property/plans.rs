//! Can exactly the moments be restored that headers of a server as installed promise, and does each plan do it?
//!
//! Histories are grown by the simulated world ([`grown`]): backups by hand, forks, foreign tools, recovery models, losses. The
//! rules see rows of msdb and heads of objects ([`headers`]). The oracle opens the files: it restores by brute force whatever
//! the engine accepts and compares the content with what the database held.
//!
//! One thing headers cannot tell: when a database was restored over itself. A log that crosses a fork says on which branch
//! it ends, so the moments before it began may lie on either; the oracle does not use such a log for them.

pub(crate) mod execute;
pub(crate) mod grown;
pub(crate) mod headers;
mod regressions;
pub(crate) mod story;
mod targets;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use domain::backup::Backup;
use domain::coverage::{Moments, Window, window};
use domain::history::History;
use domain::restore::{Planner, Request, Target, check};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use world::{Content, EngineError, Judge, Restored};

use crate::{config, seeds};
use execute::{carry_out, tampered};
use grown::Grown;
use story::{Story, story};
use targets::Targets;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Commits of the world lie on milliseconds.
const UNIT: SignedDuration = SignedDuration::from_millis(1);

/// What a datetime may be off by, and one commit more: 1/300 s, rounded.
const DATETIME: SignedDuration = SignedDuration::from_millis(3);

/// What was seen over all cases.
#[derive(Debug, Default)]
struct Seen {
    claimed: u32,
    refused: u32,
    /// Refused where no backup lies around: before the first, behind the last.
    beside: u32,
    causes: BTreeMap<&'static str, u32>,
    orphans: u32,
    points: u32,
    forks: u32,
    plans: u32,
    tampered: u32,
    harmless: u32,
    targets: Targets,
}

/// One grown history, as rules and oracle see it.
struct Case<'a> {
    story: &'a Story,
    grown: &'a Grown,
    rows: &'a [Backup],
    claims: Window,
    claimed: Moments,
    planner: Planner<'a>,
    judge: Judge<'a>,
}

impl Case<'_> {
    /// What brute force finds for a moment, without logs whose headers cannot vouch for it.
    fn restore(&self, at: Timestamp) -> Result<Restored, EngineError> {
        let unsure: BTreeSet<String> = self
            .rows
            .iter()
            .filter(|row| row.crosses_fork() && row.started > at)
            .map(|row| row.id.to_string())
            .collect();
        self.judge.restore_to_using(at, &|uuid| !unsure.contains(&uuid.to_string()))
    }

    fn truth(&self, at: Timestamp) -> Option<Content> {
        self.grown.world.truth(self.grown.database, at)
    }

    /// The story, for a failure.
    fn told(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            format!(
                "{:?} {} [{} {}] {} {} {:?}>{:?}:{:?} valid {:?}{}{} stripes {:?}/{} {:?}",
                row.kind,
                row.id,
                row.first_lsn,
                row.last_lsn,
                row.started,
                row.finished,
                row.first_fork.as_ref().map(|f| f.to_string()[..4].to_owned()),
                row.last_fork.as_ref().map(|f| f.to_string()[..4].to_owned()),
                row.fork_point_lsn.map(|l| l.to_string()),
                row.last_valid_restore_time,
                if row.damaged { " damaged" } else { "" },
                if row.bulk_logged { " bulk" } else { "" },
                row.stripes.expected_count(),
                row.stripes.missing_count(),
                row.obstacle,
            )
        });
        let rows: Vec<String> = rows.collect();
        let claims = &self.claims;
        let intervals = claims.intervals.iter().map(|i| format!("[{} {} on {}]", i.from, i.to, i.anchor));
        let points = claims.points.iter().map(|p| format!(". {} {}", p.at, p.backup));
        let holes = claims
            .holes
            .iter()
            .map(|h| format!("{{{} {} {}: {}}}", h.from, h.to, h.cause.as_str(), h.detail));
        let claims: Vec<String> = intervals.chain(points).chain(holes).collect();
        format!("{}\n{}\n{}", self.grown.told.join("\n"), rows.join("\n"), claims.join("\n"))
    }

    /// The last commits of the history, and the last one before each of these moments.
    fn commits(&self, moments: &[Timestamp]) -> BTreeSet<Timestamp> {
        let before = |at: Timestamp| self.grown.world.last_commit(self.grown.database, at);
        let newest = iter::successors(before(self.grown.now()), |at| before(*at)).take(COMMITS);
        newest.chain(moments.iter().filter_map(|at| before(*at))).collect()
    }

    /// Every edge with a millisecond and a second on both sides, every middle, starts and ends of backups, commits, and the
    /// random moments.
    fn moments(&self) -> Vec<Timestamp> {
        let middle = |from: Timestamp, to: Timestamp| {
            from + SignedDuration::from_millis(
                i64::try_from(to.duration_since(from).as_millis() / 2).expect("hours"),
            )
        };
        let around = |edge: Timestamp| [edge - SECOND, edge - UNIT, edge, edge + UNIT, edge + SECOND];
        let mut moments = Vec::new();
        for interval in &self.claims.intervals {
            moments.extend(around(interval.from));
            moments.extend(around(interval.to));
            moments.push(middle(interval.from, interval.to));
        }
        moments.extend(self.claims.points.iter().flat_map(|point| around(point.at)));
        moments.extend(self.claims.holes.iter().map(|hole| middle(hole.from, hole.to)));
        moments.extend(self.rows.iter().flat_map(|row| [row.started, row.finished, row.reaches()]));
        moments.extend(self.grown.forks.iter().flat_map(|fork| around(*fork)));
        moments.extend(self.commits(&moments).into_iter().flat_map(|at| [at - UNIT, at, at + UNIT]));
        let (created, now) = (self.grown.created, self.grown.now());
        let lived = now.duration_since(created).as_millis();
        for part in &self.story.looks {
            let into = i64::try_from(lived * i128::from(*part) / 1_000_000).expect("histories last hours");
            moments.push(created + SignedDuration::from_millis(into));
        }
        moments.retain(|at| (created..=now).contains(at));
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

/// Claims against contents at one moment.
fn compare(case: &Case<'_>, at: Timestamp, seen: &RefCell<Seen>) -> Result<(), TestCaseError> {
    let (claims, truth) = (&case.claims, case.truth(at));
    prop_assert!(truth.is_some());
    let restored = case.restore(at);
    let is_true = restored.as_ref().is_ok_and(|found| Some(&found.content) == truth.as_ref());
    let claimed = case.claimed.hold(at);
    // Where the engine accepts more than is documented, more can be restored than anybody may promise.
    let agrees = claimed == is_true || case.story.joins_last_fork && is_true;
    prop_assert!(
        agrees,
        "at {at}, {}, where a restore {}\n{}",
        if claimed { "claimed" } else { "refused" },
        restored.map_or_else(|error| error.to_string(), |found| format!("used {:?}", found.objects)),
        case.told()
    );
    planned(case, at, claimed)?;
    let mut seen = seen.borrow_mut();
    seen.claimed += u32::from(claimed);
    if claimed {
        return Ok(());
    }
    seen.refused += 1;
    // What is refused among the backups lies in a hole that says why.
    let hole = claims.hole_at(at);
    if let Some(hole) = hole {
        *seen.causes.entry(hole.cause.as_str()).or_default() += 1;
    }
    let firsts = claims.intervals.iter().map(|i| i.from).chain(claims.points.iter().map(|p| p.at));
    let lasts = claims.intervals.iter().map(|i| i.to).chain(claims.points.iter().map(|p| p.at));
    let inside = firsts.min().is_some_and(|first| first < at) && lasts.max().is_some_and(|last| at < last);
    seen.beside += u32::from(hole.is_none());
    // Where no LSN fails there is no hole: nothing was committed after the last transaction that a log tells of, which
    // commits at its `last_valid_restore_time`, as exactly as a datetime tells.
    let told = case.claimed.nearest(at).0.map(|before| before + DATETIME);
    let idle = || told.is_some_and(|told| at <= told || case.truth(told) == truth);
    prop_assert!(hole.is_some() || !inside || idle(), "{at} lies in no hole\n{}", case.told());
    Ok(())
}

/// There is a plan for what is claimed and for nothing else, it passes the check, and carried out it brings what there was.
fn planned(case: &Case<'_>, at: Timestamp, claimed: bool) -> Result<(), TestCaseError> {
    let request = Request::at(Target::Moment(at));
    match case.planner.plan(&request) {
        Ok(plan) => {
            prop_assert!(claimed, "{at} is planned and not claimed: {plan:#?}\n{}", case.told());
            let objection = check(&plan, case.rows, &request);
            prop_assert!(objection.is_ok(), "{at} {plan:#?}: {objection:?}\n{}", case.told());
            let (content, truth) = (carry_out(&case.grown.world, &plan.steps), case.truth(at));
            prop_assert_eq!(
                content.as_ref().ok(),
                truth.as_ref(),
                "{} {:#?} {:?}\n{}",
                at,
                plan,
                content,
                case.told()
            );
        }
        Err(refusal) => {
            prop_assert!(!claimed, "{at} is claimed and not planned: {refusal:?}\n{}", case.told());
            prop_assert_eq!((refusal.nearest_before, refusal.nearest_after), case.claimed.nearest(at));
        }
    }
    Ok(())
}

/// Whatever is changed in a plan, so that it fails or brings something else, the check objects.
fn tamper(case: &Case<'_>, at: Timestamp, seen: &mut Seen) -> Result<(), TestCaseError> {
    let request = Request::at(Target::Moment(at));
    let Ok(plan) = case.planner.plan(&request) else { return Ok(()) };
    seen.plans += 1;
    for (name, other) in tampered(&plan, case.rows) {
        let result = carry_out(&case.grown.world, &other.steps);
        if result.as_ref().ok() == case.truth(at).as_ref() {
            seen.harmless += 1;
            continue;
        }
        seen.tampered += 1;
        prop_assert!(
            check(&other, case.rows, &request).is_err(),
            "{at} {name}: {:?}\nof {plan:#?}\n{}",
            result.err(),
            case.told()
        );
    }
    Ok(())
}

fn judge_story(story: &Story, seen: &RefCell<Seen>) -> Result<(), TestCaseError> {
    let mut grown = Grown::grow(story);
    let rows = headers::read(&mut grown);
    let history = History::build(rows.clone(), Vec::new(), grown.now())
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(history.warnings(), [""; 0]);
    let Some(lineage) = history.lineages().first() else { return Ok(()) };
    prop_assert_eq!(history.lineages().len(), 1);
    let (claims, _) = window(lineage);
    let judge = grown.world.judge(grown::BUCKET, grown::PREFIX, grown.database);
    let claimed = claims.moments();
    let case =
        Case { story, grown: &grown, rows: &rows, claims, claimed, planner: Planner::new(lineage), judge };
    let moments = case.moments();
    for at in &moments {
        compare(&case, *at, seen)?;
    }
    let mut seen = seen.borrow_mut();
    let held: Vec<Timestamp> = moments.iter().copied().filter(|at| case.claimed.hold(*at)).collect();
    let sample: Vec<Timestamp> = held.iter().copied().step_by(held.len() / SAMPLE + 1).collect();
    for at in &sample {
        tamper(&case, *at, &mut seen)?;
    }
    case.latest(&moments, &mut seen.targets)?;
    case.lsns(&mut seen.targets)?;
    case.points(&mut seen.targets)?;
    case.continued(&sample, &mut seen.targets)?;
    let spread: Vec<Timestamp> = moments.iter().copied().step_by(moments.len() / SAMPLE + 1).collect();
    case.continued_from_fulls(&[sample, spread].concat(), &mut seen.targets)?;
    seen.orphans += u32::try_from(case.claims.orphans.len()).expect("few");
    seen.points += u32::try_from(case.claims.points.len()).expect("few");
    seen.forks += u32::try_from(grown.forks.len()).expect("few");
    Ok(())
}

#[test]
fn a_moment_is_planned_if_and_only_if_the_files_restore_it() {
    let seen = RefCell::new(Seen::default());
    for (what, story) in regressions::stories().into_iter().chain(regressions::traps()) {
        if let Err(error) = judge_story(&story, &seen) {
            panic!("{what}: {error}");
        }
    }
    for seed in seeds::seeds(CASES) {
        let outcome = TestRunner::new(Config { max_shrink_iters: 5_000, ..config(seed, 1) })
            .run(&story(), |story| judge_story(&story, &seen));
        if let Err(error) = outcome {
            panic!("{}\nrules and contents differ: {error}", seeds::replay(seed, "plans"));
        }
    }
    let seen = seen.into_inner();
    let share = f64::from(seen.refused) / f64::from(seen.claimed + seen.refused);
    eprintln!("{} moments, {:.0} % refused: {seen:?}", seen.claimed + seen.refused, share * 100.0);
    assert!((0.1..0.9).contains(&share), "both answers must occur: {seen:?}");
    let among = seen.refused - seen.beside;
    for cause in CAUSES {
        let count = seen.causes.get(cause).copied().unwrap_or_default();
        let share = 100.0 * f64::from(count) / f64::from(among);
        eprintln!("  {cause}: {share:.1} % of the refusals among backups");
        assert!(share >= 1.0, "{cause} occurs too seldom to be tested: {seen:?}");
    }
    let Targets { latest, lsns, inside_logs, points, continued, from_full, refused } = seen.targets;
    let counts = [seen.plans, seen.tampered, latest, lsns, inside_logs, points, continued, refused];
    for count in counts.into_iter().chain([from_full.0, from_full.1]) {
        assert!(count > 100, "too few to be tested: {seen:?}");
    }
    assert!(seen.orphans > 0 && seen.points > 0 && seen.forks > 0, "{seen:?}");
}

/// Moments of a history whose plans are tampered with and cut in two.
const SAMPLE: usize = 6;

/// Newest commits of a history that are tried, beside the last one before each edge.
const COMMITS: usize = 12;

/// Histories tried.
const CASES: u32 = 300;

/// Every cause that these events can produce; imports are whole here.
const CAUSES: [&str; 10] = [
    "log_gap",
    "bulk_logged",
    "damaged",
    "missing_stripe",
    "no_anchor",
    "fork",
    "simple_recovery",
    "unreadable_key",
    "archived",
    "before_first_backup",
];
