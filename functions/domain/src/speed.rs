//! How long windows and plans take, and how that grows: tiny in every run, so that it cannot rot; at full size, in release,
//! with its limits asserted: `cargo test --release -p domain --lib speed -- --ignored --nocapture`.
//!
//! The clock starts at validated rows: of which no two contradict each other, each with its lineage, in the order of an
//! export, without any index. Parsing is measured where it lives, in `sqlserver::import`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{Backup, Kind, Stripes};
use crate::coverage::window;
use crate::history::{History, Validated};
use crate::id::Guid;
use crate::lsn::Lsn;
use crate::policy::tests::weekly;
use crate::restore::{Planner, Request, Target};
use crate::retention::{Terms, propose};

/// Databases with a full a week, a differential a day and a log every hour; every hundredth log lacks.
fn rows(databases: usize, per_database: usize) -> Vec<Backup> {
    let mut rows = Vec::with_capacity(databases * per_database);
    for database in 0..databases {
        let (name, family) = (format!("db{database}"), Guid::new(format!("family-{database:06}")));
        let incarnation = Guid::new(format!("incarnation-{database:06}"));
        let fork = Guid::new(format!("fork-{database:06}"));
        let mut base = None;
        let mut end = 1_000_u64;
        for number in 0..per_database {
            let kind = match number {
                number if number % 175 == 0 => Kind::Full,
                number if number % 25 == 0 => Kind::Differential,
                _ => Kind::Log,
            };
            let first = end;
            end += 10;
            let last = if kind == Kind::Log { end } else { first + 5 };
            // A log holds what the data backup before it left out; every hundredth begins late.
            let first = match (kind, number % 100) {
                (Kind::Log, 99) => first + 5,
                (Kind::Log, _) => first - 10,
                _ => first,
            };
            let hours = SignedDuration::from_hours(i64::try_from(number).unwrap());
            let finished = Timestamp::from_second(1_700_000_000).unwrap() + hours;
            let id =
                format!("{:08x}-{number:08}-{database:08}", number.wrapping_mul(0x9E37_79B1) & 0xFFFF_FFFF);
            let lsns = (Lsn::from_u64(first), Lsn::from_u64(last));
            let mut row = Backup::new(id.as_str(), name.as_str(), kind, lsns, finished);
            row.family_guid = Some(family.clone());
            row.database_guid = Some(incarnation.clone());
            (row.first_fork, row.last_fork) = (Some(fork.clone()), Some(fork.clone()));
            row.checkpoint_lsn = Some(lsns.0);
            row.stripes = Stripes::present([format!("arn:aws:s3:::vault/{name}/{}.bak", row.id)]);
            if kind == Kind::Full {
                base = Some(Guid::new(id));
            } else if kind == Kind::Differential {
                row.differential_base_guid.clone_from(&base);
            }
            rows.push(row);
        }
    }
    rows
}

fn validated(rows: Vec<Backup>) -> Validated {
    Validated::new(rows, vec![], Timestamp::MAX).unwrap()
}

fn holes(history: &History) -> usize {
    history.lineages().iter().map(|lineage| window(lineage).0.holes.len()).sum()
}

/// Moments all over the first lineage, inside holes and outside.
fn moments(history: &History, count: i64) -> impl Iterator<Item = Timestamp> {
    let backups = history.lineages()[0].backups();
    let (first, last) = (backups[0].finished, backups[backups.len() - 1].finished);
    let step = last.duration_since(first).as_secs() / count;
    // Shifted by a prime, so that the moments do not keep step with the holes.
    (0..count).map(move |number| first + SignedDuration::from_secs(number * step + number * 7_919 % step))
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Measured {
    windows: Duration,
    first_plan: Duration,
    first_refusal: Duration,
    /// Of all later ones.
    longest_plan: Duration,
    holes: usize,
    planned: u32,
    refused: u32,
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let done = work();
    (done, start.elapsed())
}

const LATER_PLANS: i64 = 1_000;

/// Rows to measure with, so many times. All are there before the first is measured: what is small enough for the cache comes from
/// memory too, as the rows of a large history do, and growth is that of the work.
fn prepared(times: u32, databases: usize, per_database: usize) -> Vec<Validated> {
    (0..times).map(|_| validated(rows(databases, per_database))).collect()
}

/// The mean of so many histories alike; of the plans behind the first the longest.
fn measure(times: u32, databases: usize, per_database: usize) -> Measured {
    let mut measured = Measured {
        windows: Duration::ZERO,
        first_plan: Duration::ZERO,
        first_refusal: Duration::ZERO,
        longest_plan: Duration::ZERO,
        holes: 0,
        planned: 0,
        refused: 0,
    };
    for fresh in prepared(times, databases, per_database) {
        let ((_history, found), took) = timed(|| {
            let history = fresh.in_order();
            let found = holes(&history);
            (history, found)
        });
        measured.windows += took / times;
        measured.holes = found;
    }
    for fresh in prepared(times, databases, per_database) {
        plans(fresh, times, &mut measured);
    }
    measured
}

fn plans(fresh: Validated, times: u32, measured: &mut Measured) {
    let (history, ordered) = timed(|| fresh.in_order());
    let (asked, looked) = timed(|| Planner::new(&history.lineages()[0]));
    let (first, found) = timed(|| asked.plan(&Request::at(Target::Latest)));
    assert!(first.is_ok(), "{first:?}");
    measured.first_plan += (ordered + looked + found) / times;
    // The first refusal looks for its hole in the window of the database, which is made for it and kept.
    let (refused, took) = timed(|| asked.plan(&Request::at(Target::Moment(Timestamp::MAX))));
    assert!(refused.is_err());
    measured.first_refusal += took / times;
    (measured.planned, measured.refused) = (0, 0);
    for at in moments(&history, LATER_PLANS) {
        let (plan, took) = timed(|| asked.plan(&Request::at(Target::Moment(at))));
        measured.planned += u32::from(plan.is_ok());
        measured.refused += u32::from(plan.is_err());
        measured.longest_plan = measured.longest_plan.max(took);
    }
}

/// What disturbs the machine only adds: the best of three runs, and of up to a dozen while that is not within the limits.
fn best_of<T>(run: impl Fn() -> T, better: impl Fn(T, T) -> T, is_within: impl Fn(&T) -> bool) -> T {
    let mut best = better(run(), run());
    for _ in 2..12 {
        best = better(best, run());
        if is_within(&best) {
            break;
        }
    }
    best
}

/// A sweep over rows of which the promised window needs the newer half, or ten years of them.
struct Swept {
    /// Proposal and proof, from validated rows that nobody has indexed: the mean of several alike.
    took: Duration,
    kept: usize,
    removed: usize,
}

fn sweep(times: u32, databases: usize, per_database: usize) -> Swept {
    let hours = SignedDuration::from_hours(i64::try_from(per_database).unwrap());
    let now = Timestamp::from_second(1_700_000_000).unwrap() + hours;
    let mut policy = weekly();
    policy.objectives.window_days = u32::try_from(per_database / 48).unwrap().clamp(1, 3_650);
    let terms = Terms::new(&policy, now);
    let mut swept = Swept { took: Duration::ZERO, kept: 0, removed: 0 };
    for fresh in prepared(times, databases, per_database) {
        let (proposal, took) = timed(|| propose(fresh.in_order(), &terms, |_| true).unwrap());
        assert!(proposal.proof.holds);
        swept.took += took / times;
        (swept.kept, swept.removed) = (proposal.keep.len(), proposal.remove.len());
    }
    swept
}

/// Ten times the rows take so many times as long at most; a square takes a hundred.
const GROWTH_MAX: f64 = 13.0;

#[test]
fn a_sweep_keeps_what_is_promised_and_no_more() {
    for (databases, per_database) in [(20, 400), (1, 8000)] {
        let Swept { kept, removed, .. } = sweep(1, databases, per_database);
        let all = databases * per_database;
        assert_eq!(kept + removed, all);
        assert!((all / 2..all * 3 / 4).contains(&kept), "{kept} of {all}");
    }
}

#[test]
#[ignore = "a million rows: in release, by tests/all"]
fn a_million_rows_are_swept() {
    for one in [true, false] {
        let run = |times: u32, rows: usize| {
            let databases = if one { 1 } else { rows / 1_000 };
            sweep(times, databases, rows / databases)
        };
        let better = |one: Swept, other: Swept| if other.took < one.took { other } else { one };
        let best = |times: u32, rows: usize| best_of(|| run(times, rows), better, |_| true);
        let (least, small) = (best(100, 10_000), best(10, 100_000));
        let ratio = |small: &Swept, large: &Swept| large.took.as_secs_f64() / small.took.as_secs_f64();
        let within =
            |large: &Swept| large.took <= Duration::from_secs(2) && ratio(&small, large) <= GROWTH_MAX;
        let large = best_of(|| run(1, 1_000_000), better, within);
        println!(
            "{}: proposal with proof {:?} of 10,000 rows, {:?} of 100,000 ({:.1} x), {:?} of 1,000,000 ({:.1} x); {} stay, {} may go",
            if one { "one database" } else { "a thousand rows each" },
            least.took,
            small.took,
            ratio(&least, &small),
            large.took,
            ratio(&small, &large),
            large.kept,
            large.removed
        );
        assert!(large.took <= Duration::from_secs(2), "a sweep took {:?}", large.took);
        let growth = ratio(&small, &large);
        assert!(growth <= GROWTH_MAX, "ten times the rows took {growth:.1} times as long");
    }
}

#[test]
fn many_databases_and_one_large_one_are_answered_alike() {
    for (databases, per_database) in [(20, 400), (1, 8000)] {
        let measured = measure(1, databases, per_database);
        assert!(measured.holes > 0 && measured.holes <= databases * per_database / 100, "{measured:?}");
        assert!(measured.planned > 900 && measured.refused > 0, "{measured:?}");
    }
}

#[test]
#[ignore = "a million rows: in release, by tests/all"]
fn a_million_rows() {
    for databases in [1, 1000] {
        let better = |best: Measured, run: Measured| Measured {
            windows: best.windows.min(run.windows),
            first_plan: best.first_plan.min(run.first_plan),
            first_refusal: best.first_refusal.min(run.first_refusal),
            longest_plan: best.longest_plan.min(run.longest_plan),
            ..run
        };
        let ratio = |small: Duration, large: Duration| large.as_secs_f64() / small.as_secs_f64();
        let small = best_of(|| measure(10, databases, 100_000 / databases), better, |_| true);
        let within = |large: &Measured| {
            large.windows.max(large.first_refusal) <= Duration::from_secs(1)
                && large.first_plan <= Duration::from_millis(100)
                && large.longest_plan <= Duration::from_millis(1)
                && ratio(small.windows, large.windows) <= GROWTH_MAX
                && ratio(small.first_plan, large.first_plan) <= GROWTH_MAX
        };
        let large = best_of(|| measure(1, databases, 1_000_000 / databases), better, within);
        let (windows, plans) =
            (ratio(small.windows, large.windows), ratio(small.first_plan, large.first_plan));
        println!(
            "{databases} x {}: windows {:?} ({windows:.1} x 100,000 rows), first plan {:?} ({plans:.1} x), first refusal {:?}, longest of {LATER_PLANS} later ones {:?}; {} holes, {} planned, {} refused",
            1_000_000 / databases,
            large.windows,
            large.first_plan,
            large.first_refusal,
            large.longest_plan,
            large.holes,
            large.planned,
            large.refused
        );
        assert!(large.windows <= Duration::from_secs(1), "windows took {:?}", large.windows);
        assert!(large.first_plan <= Duration::from_millis(100), "the first plan took {:?}", large.first_plan);
        assert!(
            large.first_refusal <= Duration::from_secs(1),
            "the first refusal took {:?}",
            large.first_refusal
        );
        assert!(large.longest_plan <= Duration::from_millis(1), "a later plan took {:?}", large.longest_plan);
        assert!(
            windows <= GROWTH_MAX && plans <= GROWTH_MAX,
            "ten times the rows took {windows:.1} and {plans:.1} times as long"
        );
    }
}
