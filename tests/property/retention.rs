//! Does a sweep ever lose a restorable moment of the promised window? Thousands of histories, swept every day, judged by content.
//!
//! The server (`server`) takes backups for weeks and people interfere; after each day the rules propose from headers what may go,
//! and it goes. The oracle restores by brute force what is left, from what the backups hold.

pub(crate) mod server;

use std::collections::BTreeSet;

use domain::backup::{Backup, Kind};
use domain::history::History;
use domain::id::{BackupId, Guid};
use domain::policy::{Daily, Objectives, Policy, RpoMinutes, Schedule, Times, Weekly};
use domain::retention::{Proposal, Terms, propose};
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};

use crate::chance::Chance;
use crate::seeds::{replay, seeds};
use server::{Content, Record, Server, Stored, at};

/// Histories that are tried.
const HISTORIES: u32 = 2_000;

fn policy(chance: &mut Chance) -> Policy {
    let days: u32 = [2, 3, 5, 8][chance.place(4)];
    let objectives = Objectives {
        window_days: days,
        rpo_minutes: RpoMinutes { damage: 10, instance: 150 },
        rto_minutes: None,
    };
    let schedule = Schedule {
        time_zone: "Etc/UTC".to_owned(),
        full: Times::weekly(&["sun"], Time::constant(1, 0, 0, 0)),
        differential: None,
        log_copy: domain::policy::LogCopySchedule { every_minutes: 120 },
        guards: Vec::new(),
    };
    let mut policy = Policy::new("p", objectives, schedule);
    policy.retention.on_demand_days = chance.days(12);
    if chance.in_hundred(40) {
        policy.retention.differential_days = Some(chance.days(12));
    }
    if chance.in_hundred(30) {
        policy.retention.daily = Some(Daily { keep: chance.days(15) });
        policy.retention.weekly = Some(Weekly { keep: 2, day: Weekday::Wednesday });
    }
    policy
}

/// What was seen over all histories.
#[derive(Debug, Default)]
struct Seen {
    sweeps: u32,
    removed: usize,
    kept: usize,
    promised: usize,
    with_holes: u32,
    with_forks: u32,
    dates_lose: u32,
    histories: u32,
    swept_once: u32,
}

/// One history with what is left of its vault.
struct Story {
    server: Server,
    policy: Policy,
    left: BTreeSet<usize>,
    /// What is left where each object goes on its own date.
    by_own_dates: BTreeSet<usize>,
    dates_lose: bool,
}

impl Story {
    fn new(seed: u64) -> Self {
        let server = Server::new(seed);
        let policy = policy(&mut Chance(seed ^ 0x5eed));
        Self { server, policy, left: BTreeSet::new(), by_own_dates: BTreeSet::new(), dates_lose: false }
    }

    fn window_minutes(&self) -> u64 {
        u64::from(self.policy.objectives.window_days) * 24 * 60
    }

    fn propose(&self, left: &BTreeSet<usize>) -> Result<Proposal, String> {
        let rows: Vec<Backup> = left.iter().map(|number| self.server.vault[*number].row.clone()).collect();
        let now = at(self.server.now);
        let history = History::build(rows, vec![], now).map_err(|error| error.to_string())?;
        propose(history, &Terms::new(&self.policy, now), |_| true).map_err(|reason| reason.to_string())
    }

    /// One day, and a sweep behind it.
    fn day(&mut self, seen: &mut Seen) -> Result<(), String> {
        let before = self.server.vault.len();
        self.server.day();
        self.left.extend(before..self.server.vault.len());
        self.by_own_dates.extend(before..self.server.vault.len());
        let proposal = self.propose(&self.left)?;
        let gone: BTreeSet<usize> = proposal.remove.iter().map(|removed| number(&removed.backup)).collect();
        let stays: BTreeSet<usize> = self.left.difference(&gone).copied().collect();
        self.nothing_is_lost(&self.left, &stays)?;
        self.invariants(&stays, &proposal)?;
        seen.sweeps += 1;
        seen.removed += gone.len();
        self.left = stays;
        self.sweep_by_dates();
        Ok(())
    }

    fn promised(&self, left: &BTreeSet<usize>) -> BTreeSet<Record> {
        let from = self.server.now.saturating_sub(self.window_minutes());
        let states = self.server.restorable(&|number| left.contains(&number));
        states.intersection(&self.server.promised(from)).copied().collect()
    }

    fn nothing_is_lost(&self, before: &BTreeSet<usize>, after: &BTreeSet<usize>) -> Result<(), String> {
        let lost: Vec<Record> = self.promised(before).difference(&self.promised(after)).copied().collect();
        let gone: Vec<&usize> = before.difference(after).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("without {gone:?} the states {lost:?} are lost")) }
    }

    /// What must be true of every sweep (I1, I2, I5, I6 of the derivation; I3 follows from I1, I4 is the promise itself).
    fn invariants(&self, stays: &BTreeSet<usize>, proposal: &Proposal) -> Result<(), String> {
        let vault = &self.server.vault;
        let whole = |number: &usize| vault.get(*number).is_some_and(|stored| stored.is_whole);
        for number in stays.iter().filter(|number| whole(number)) {
            if let Content::Since(base, _) = &vault[*number].content
                && self.left.contains(base)
                && whole(base)
                && !stays.contains(base)
            {
                return Err(format!("differential {number} lost its base {base}"));
            }
        }
        let restores = |number: &&usize| match &vault[**number].content {
            Content::All(_) => whole(number),
            Content::Since(base, _) => whole(number) && self.left.contains(base) && whole(base),
            Content::Range(..) => false,
        };
        let newest = self.left.iter().rev().find(restores);
        if newest.is_some_and(|newest| !stays.contains(newest)) {
            return Err(format!("the newest good backup {newest:?} goes"));
        }
        if self.server.now / (24 * 60) % 4 == 3 {
            let again = self.propose(stays)?;
            if !again.remove.is_empty() {
                return Err(format!("a second sweep finds {} more", again.remove.len()));
            }
        }
        self.claims(stays, proposal)
    }

    /// The edges of what is claimed afterwards can be restored. Where the database went back in time two states have one moment,
    /// and either is an answer: there nothing is asked.
    fn claims(&self, stays: &BTreeSet<usize>, proposal: &Proposal) -> Result<(), String> {
        if self.server.vault.iter().any(crosses) {
            return Ok(());
        }
        let states = self.server.restorable(&|number| stays.contains(&number));
        let windows = proposal.window_after.iter();
        for edge in windows.flat_map(|window| window.intervals.iter().flat_map(|run| [run.from, run.to])) {
            let minute = u64::try_from(edge.duration_since(at(0)).as_mins()).expect("within the story");
            if !states.contains(&self.server.newest_before(minute)) {
                return Err(format!("{edge} is claimed afterwards and cannot be restored"));
            }
        }
        Ok(())
    }

    /// The rule that loses: a full, a differential, a copy-only full and a log each go on their own date.
    fn sweep_by_dates(&mut self) {
        if self.dates_lose {
            return;
        }
        let before = self.by_own_dates.clone();
        let window = self.policy.objectives.window_days;
        let days = |stored: &Stored| match stored.row.kind {
            Kind::Differential => self.policy.retention.differential_days.unwrap_or(window),
            Kind::CopyOnly => self.policy.retention.on_demand_days,
            _ => window,
        };
        let now = at(self.server.now);
        let vault = &self.server.vault;
        let is_young = |number: &usize| {
            let age = now.duration_since(vault[*number].row.finished).as_mins();
            age < i64::from(days(&vault[*number])) * 24 * 60
        };
        let after: BTreeSet<usize> = before.iter().filter(|number| is_young(number)).copied().collect();
        self.dates_lose = self.nothing_is_lost(&before, &after).is_err();
        self.by_own_dates = after;
    }

    /// Sweeping every day leaves what sweeping once leaves, where the policy lets no backup go sooner than the window, keeps none
    /// by a period whose first full may be gone, and the server took no differential on a full that had gone already.
    fn once(&self, seen: &mut Seen) -> Result<(), String> {
        let retention = &self.policy.retention;
        let window = self.policy.objectives.window_days;
        let sooner = retention.differential_days.is_some_and(|days| days < window)
            || retention.on_demand_days < window;
        if sooner || retention.daily.is_some() {
            return Ok(());
        }
        let all: BTreeSet<usize> = (0..self.server.vault.len()).collect();
        let proposal = self.propose(&all)?;
        let kept: BTreeSet<usize> = proposal.keep.iter().map(|kept| number(&kept.backup)).collect();
        let base = |at: &usize| self.server.vault[*at].row.differential_base_guid.as_ref();
        let gone = |base: &Guid| base.as_str().parse().is_ok_and(|base| !self.left.contains(&base));
        if kept.iter().filter_map(base).any(gone) {
            return Ok(());
        }
        seen.swept_once += 1;
        if kept == self.left { Ok(()) } else { Err(format!("once: {kept:?}, daily: {:?}", self.left)) }
    }
}

/// Backups are named by their number.
fn number(id: &BackupId) -> usize {
    id.as_str().parse().expect("the server numbers its backups")
}

fn crosses(stored: &Stored) -> bool {
    stored.row.crosses_fork()
}

fn live(seed: u64, met: &mut Seen) -> Result<(), String> {
    let mut story = Story::new(seed);
    for _ in 0..story.server.habits.days {
        story.day(met)?;
    }
    story.once(met)?;
    met.histories += 1;
    met.kept += story.left.len();
    let states = story.promised(&story.left);
    met.promised += states.len();
    let from = story.server.now.saturating_sub(story.window_minutes());
    met.with_holes += u32::from(states.len() < story.server.promised(from).len());
    met.with_forks += u32::from(story.server.vault.iter().any(crosses));
    met.dates_lose += u32::from(story.dates_lose);
    Ok(())
}

#[test]
fn no_sweep_loses_a_promised_moment() {
    let mut seen = Seen::default();
    for seed in seeds(HISTORIES) {
        if let Err(what) = live(seed, &mut seen) {
            panic!("{what}\n{}", replay(seed, "retention"));
        }
    }
    let Seen { sweeps, removed, kept, promised, with_holes, with_forks, dates_lose, histories, swept_once } =
        seen;
    println!(
        "{histories} histories, {sweeps} sweeps: {removed} backups gone, {kept} left, {promised} promised states \
         restored; {with_holes} histories with holes, {with_forks} with forks, {swept_once} swept once as well; by \
         own dates {dates_lose} lose promised states"
    );
    assert_eq!(histories, HISTORIES);
    // The world is worth its while: things go wrong in it, most backups go, and the naive rule is found out.
    assert!(with_holes * 20 > histories && with_forks * 20 > histories, "{with_holes} {with_forks}");
    assert!(removed > 2 * kept, "{removed} gone, {kept} left");
    assert!(swept_once * 10 > histories, "{swept_once}");
    assert!(dates_lose * 10 > histories * 8, "own dates lose in {dates_lose} of {histories} histories only");
}

#[test]
fn a_clock_put_back_removes_nothing() {
    let mut story = Story::new(7);
    for _ in 0..story.server.habits.days {
        story.server.day();
    }
    let rows: Vec<Backup> = story.server.vault.iter().map(|stored| stored.row.clone()).collect();
    let (seen, now): (Timestamp, Timestamp) = (at(story.server.now), at(story.server.now - 1));
    let history = History::build(rows, vec![], seen).unwrap();
    let terms = Terms { seen: Some(seen), ..Terms::new(&story.policy, now) };
    let refused = propose(history, &terms, |_| true).unwrap_err();
    assert_eq!(refused.name, "ClockMovedBack");
}
