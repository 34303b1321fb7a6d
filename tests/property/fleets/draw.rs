//! Fleets of databases with what is due of each, by chance: nights of fulls, days of log copies, mornings after an outage.

use crate::chance::Chance;

/// Minutes.
pub(crate) type Minute = i64;

/// One thing that is due.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) database: usize,
    /// A full, which keeps out of windows; else a log copy.
    pub(crate) is_full: bool,
    /// When it comes due.
    pub(crate) release: Minute,
    /// By when it must have ended.
    pub(crate) promised: Minute,
    /// How long it is thought to run, and how long it does.
    pub(crate) forecast: Minute,
    pub(crate) takes: Minute,
    /// How long it waits in CREATED, though a slot be free.
    pub(crate) delay: Minute,
}

/// A fleet on one instance.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) works: Vec<Work>,
    /// Hours in which no full may run: from, to.
    pub(crate) windows: Vec<(Minute, Minute)>,
}

/// What a fleet has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Fulls of all databases at once, a window some hours later, and a log copy of each in between.
    Night,
    /// Log copies alone, tight against their promises.
    Day,
    /// After an outage: everything is due at once, and some promises are broken already.
    Stampede,
    /// A few large fulls that only just fit between two windows, and copies.
    Large,
    /// Many databases that have no backup yet, and so are late already, beside some whose logs are copied in time.
    Newcomers,
}

impl Scenario {
    pub(crate) const ALL: [Self; 5] = [Self::Night, Self::Day, Self::Stampede, Self::Large, Self::Newcomers];
}

/// A fleet of at most so many things to do.
pub(crate) fn fleet(scenario: Scenario, most: Minute, chance: &mut Chance) -> Fleet {
    let mut works: Vec<Work> = Vec::new();
    let mut add = |chance: &mut Chance, database, is_full, release, promised, forecast: Minute| {
        let takes = (forecast * chance.within(60, 100) / 100).max(1);
        let delay = chance.within(0, 5);
        works.push(Work { database, is_full, release, promised, forecast, takes, delay });
    };
    let count = usize::try_from(chance.within(2, most)).expect("small");
    let mut windows = Vec::new();
    match scenario {
        Scenario::Night => {
            for database in 0..=count / 2 {
                let long = chance.within(5, 120);
                add(chance, database, true, 0, 7 * 24 * 60, long);
            }
            let interval = chance.within(60, 360);
            for database in 0..count / 2 {
                let (release, long) = (chance.within(0, 60), chance.within(1, 6));
                add(chance, database, false, release, release + interval, long);
            }
            let from = chance.within(240, 900);
            windows.push((from, from + 30));
        }
        Scenario::Day => {
            let slack = chance.within(15, 90);
            for database in 0..count {
                let (release, long) = (chance.within(0, 5), chance.within(1, 8));
                add(chance, database, false, release, release + slack, long);
            }
        }
        Scenario::Stampede => {
            for database in 0..count {
                let is_full = chance.in_hundred(40);
                let long = if is_full { chance.within(10, 90) } else { chance.within(1, 20) };
                let promised = if is_full { 7 * 24 * 60 } else { chance.within(-60, 240) };
                add(chance, database, is_full, 0, promised, long);
            }
            let from = chance.within(60, 600);
            windows.push((from, from + chance.within(30, 120)));
        }
        Scenario::Large => {
            let first = chance.within(60, 300);
            windows.push((first, first + 30));
            windows.push((first + 24 * 60, first + 24 * 60 + 30));
            for database in 0..count.min(3) {
                let (release, long) = (chance.within(0, 30), chance.within(60, 600));
                add(chance, database, true, release, 7 * 24 * 60, long);
            }
            for database in 3..count {
                let (release, long) = (chance.within(0, 120), chance.within(1, 5));
                let promised = release + chance.within(60, 240);
                add(chance, database, false, release, promised, long);
            }
        }
        Scenario::Newcomers => {
            for database in 0..=count / 2 {
                let long = chance.within(20, 120);
                add(chance, database, true, 0, -365 * 24 * 60, long);
            }
            for database in 0..count / 2 {
                let (release, long) = (chance.within(0, 240), chance.within(1, 3));
                let promised = release + chance.within(45, 90);
                add(chance, count + database, false, release, promised, long);
            }
        }
    }
    Fleet { works, windows }
}
