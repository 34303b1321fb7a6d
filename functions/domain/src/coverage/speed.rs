//! How long windows take: tiny in every run, so that it cannot rot; at full size on demand, in release:
//! `cargo test --release -p domain --lib coverage::speed -- --ignored --nocapture`.

use jiff::{SignedDuration, Timestamp};

use super::window;
use crate::backup::{Backup, Kind};
use crate::history::History;
use crate::id::Guid;
use crate::lsn::Lsn;

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

fn holes(history: &History) -> usize {
    history.lineages().iter().map(|lineage| window(lineage).0.holes.len()).sum()
}

#[test]
fn many_databases_and_one_large_one_are_answered_alike() {
    for (databases, per_database) in [(20, 400), (1, 8000)] {
        let history = History::build(rows(databases, per_database), vec![], Timestamp::MAX).unwrap();
        assert_eq!(history.lineages().len(), databases);
        let holes = holes(&history);
        assert!(holes > 0 && holes <= databases * per_database / 100, "{holes}");
    }
}

#[test]
#[ignore = "a million rows: a measurement, not a check"]
fn a_million_rows() {
    for (databases, per_database) in [(1, 1_000_000), (1000, 1000)] {
        let rows = rows(databases, per_database);
        #[expect(clippy::disallowed_methods, reason = "a measurement")]
        let start = std::time::Instant::now();
        let history = History::build(rows, vec![], Timestamp::MAX).unwrap();
        let built = start.elapsed();
        let holes = holes(&history);
        let windows = start.elapsed().checked_sub(built).unwrap();
        println!("{databases} x {per_database}: history {built:?}, windows {windows:?}, {holes} holes");
    }
}
