//! Brute force against proposals: on tiny histories everything that stays is restored in every way that the engine allows, and
//! every change of a proposal is shown to its judge.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::verify::{Run, moments_of};
use super::*;
use crate::backup::HeldIn;
use crate::coverage::oracle::{Minute, any_backup, config, minute, moments, rows, steps};
use crate::policy::tests;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

fn policy() -> Policy {
    let mut policy = tests::weekly();
    policy.objectives.window_days = 1;
    policy.retention.on_demand_days = 1;
    policy
}

/// Terms with a window of so many minutes: tiny histories last an hour or two.
fn terms(policy: &Policy, now: Timestamp, minutes: i64) -> Terms<'_> {
    Terms { doubt: MINUTE * i32::try_from(minutes).unwrap() - DAY, ..Terms::new(policy, now) }
}

fn of(rows: &[Backup]) -> History {
    History::build(rows.to_vec(), vec![], Timestamp::MAX).unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn kept(rows: &[Backup], terms: &Terms<'_>) -> Result<Vec<Backup>, TestCaseError> {
    let proposal = propose(of(rows), terms, |_| true).map_err(|why| TestCaseError::fail(why.to_string()))?;
    let gone: BTreeSet<&BackupId> = proposal.remove.iter().map(|removed| &removed.backup).collect();
    prop_assert_eq!(gone.len() + proposal.keep.len(), rows.len());
    Ok(rows.iter().filter(|row| !gone.contains(&row.id)).cloned().collect())
}

fn in_vault(rows: &[Backup]) -> Vec<Backup> {
    rows.iter().filter(|row| row.held_in == HeldIn::Vault).cloned().collect()
}

fn promised(rows: &[Backup], from: Timestamp) -> BTreeSet<Minute> {
    moments(rows).into_iter().filter(|moment| at(*moment) >= from).collect()
}

fn minutes(runs: &[Run]) -> BTreeSet<Minute> {
    runs.iter().flat_map(|(from, to)| minute(*from)..=minute(*to)).collect()
}

proptest! {
    #![proptest_config(config(21, 3000))]

    /// The judge's own account of moments is that of brute force.
    #[test]
    fn the_judge_knows_every_moment(steps in steps()) {
        let rows = rows(&steps);
        let history = of(&rows);
        let ordered = history.lineages()[0].backups();
        let found = moments_of(ordered, Timestamp::MIN, |_| true).unwrap();
        prop_assert_eq!(minutes(&found), moments(&rows), "{:#?}", rows);
        let vault = |row: u32| ordered[row as usize].held_in == HeldIn::Vault;
        let found = moments_of(ordered, Timestamp::MIN, vault).unwrap();
        prop_assert_eq!(minutes(&found), moments(&in_vault(&rows)), "{:#?}", rows);
    }

    /// No promised moment is lost, nor one that survives the loss of the instance; a second sweep finds nothing more, and
    /// sweeping in between makes no difference.
    #[test]
    fn nothing_promised_is_lost(steps in steps(), window in 1_i64..120, later in 0_i64..150, between in 0_i64..150) {
        let rows = rows(&steps);
        let last = minute(rows.last().map_or(Timestamp::UNIX_EPOCH, |row| row.finished));
        let policy = policy();
        let now = at(last + later);
        let terms = terms(&policy, now, window);
        let stays = kept(&rows, &terms)?;
        let from = terms.promised_from().unwrap();
        prop_assert_eq!(promised(&rows, from), promised(&stays, from), "{:#?}", rows);
        prop_assert_eq!(promised(&in_vault(&rows), from), promised(&in_vault(&stays), from), "{:#?}", rows);
        prop_assert_eq!(&kept(&stays, &terms)?, &stays);
        let before = Terms { now: now - MINUTE * i32::try_from(between).unwrap(), ..terms };
        // What finished after the earlier sweep did not exist then.
        if rows.iter().all(|row| row.finished <= before.now) {
            prop_assert_eq!(&kept(&kept(&rows, &before)?, &terms)?, &stays, "{:#?}", rows);
        }
    }

    /// The date on which a backup goes is the date: a second before it is there, a second later it is not.
    #[test]
    fn dates_are_kept(steps in steps(), window in 1_i64..120, later in 0_i64..150) {
        let rows = rows(&steps);
        let last = minute(rows.last().map_or(Timestamp::UNIX_EPOCH, |row| row.finished));
        let policy = policy();
        let terms = terms(&policy, at(last + later), window);
        let second = SignedDuration::from_secs(1);
        let told = propose(of(&rows), &terms, |_| true).unwrap().keep;
        for (backup, goes_on) in told.iter().filter_map(|kept| Some((&kept.backup, kept.goes_on?))) {
            let is_kept = |now: Timestamp| -> Result<bool, TestCaseError> {
                Ok(kept(&rows, &Terms { now, ..terms })?.iter().any(|row| row.id == *backup))
            };
            prop_assert!(is_kept((goes_on - second).max(terms.now))?, "{} {}\n{:#?}", backup, goes_on, rows);
            prop_assert!(!is_kept(goes_on + second)?, "{} {}\n{:#?}", backup, goes_on, rows);
        }
    }

    /// Removing one backup more than was proposed is refused where it loses a moment, and a proof that says anything else is
    /// refused always.
    #[test]
    fn changed_proposals_are_refused(steps in steps(), window in 1_i64..120, later in 0_i64..60) {
        let rows = rows(&steps);
        let last = minute(rows.last().map_or(Timestamp::UNIX_EPOCH, |row| row.finished));
        let policy = policy();
        let terms = terms(&policy, at(last + later), window);
        let from = terms.promised_from().unwrap();
        let history = of(&rows);
        let lineage = &history.lineages()[0];
        let proposal = propose(history.clone(), &terms, |_| true).unwrap();
        let proof = &proposal.proof.databases[0];
        let keep: Vec<&BackupId> = proposal.keep.iter().map(|kept| &kept.backup).collect();
        let mut remove: Vec<&BackupId> = proposal.remove.iter().map(|removed| &removed.backup).collect();
        remove.sort_by_key(|id| lineage.find(id.as_str()).map(|(row, _)| row));
        let judge = |keep: &[&BackupId], remove: &[&BackupId], proof: &DatabaseProof| {
            verify(lineage, keep.iter().copied(), remove.iter().copied(), &terms, proof)
        };
        prop_assert_eq!(judge(&keep, &remove, proof), Ok(()));
        for (place, id) in keep.iter().enumerate() {
            let mut fewer = keep.clone();
            fewer.remove(place);
            prop_assert!(judge(&fewer, &remove, proof).is_err(), "{} is forgotten", id);
            let mut more = [remove.as_slice(), &[*id]].concat();
            more.sort_by_key(|id| lineage.find(id.as_str()).map(|(row, _)| row));
            let adjusted = DatabaseProof { kept: proof.kept - 1, removed: proof.removed + 1, ..proof.clone() };
            prop_assert!(judge(&fewer, &more, proof).is_err(), "{} by the old proof", id);
            let stays: Vec<Backup> = rows.iter().filter(|row| !more.contains(&&row.id)).cloned().collect();
            let loses = promised(&rows, from) != promised(&stays, from)
                || promised(&in_vault(&rows), from) != promised(&in_vault(&stays), from);
            prop_assert!(!loses || judge(&fewer, &more, &adjusted).is_err(), "{} is needed\n{:#?}", id, rows);
            prop_assert!(judge(&keep, &more, proof).is_err(), "{} is named twice", id);
        }
        for changed in changes(proof) {
            prop_assert!(judge(&keep, &remove, &changed).is_err(), "{:#?}", changed);
        }
    }
}

/// A proof with one thing changed each.
fn changes(proof: &DatabaseProof) -> Vec<DatabaseProof> {
    let change = |change: &dyn Fn(&mut DatabaseProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed
    };
    let mut changes = vec![
        change(&|proof| proof.database = Arc::from("another")),
        change(&|proof| proof.lineage.push('x')),
        change(&|proof| proof.promised_from += MINUTE),
        change(&|proof| proof.kept += 1),
        change(&|proof| proof.removed += 1),
        change(&|proof| proof.moments.push((Timestamp::MAX, Timestamp::MAX))),
        change(&|proof| proof.with_service.push((Timestamp::MAX, Timestamp::MAX))),
    ];
    for run in 0..proof.moments.len() {
        changes.push(change(&|proof| proof.moments[run].1 += MINUTE));
        changes.push(change(&|proof| proof.moments[run].0 -= MINUTE));
        changes.push(change(&|proof| {
            proof.moments.remove(run);
        }));
    }
    for run in 0..proof.with_service.len() {
        changes.push(change(&|proof| proof.with_service[run].1 -= MINUTE));
        changes.push(change(&|proof| {
            proof.with_service.remove(run);
        }));
    }
    changes
}

proptest! {
    #![proptest_config(config(22, 3000))]

    /// Whatever headers say, there is a proposal with a proof, or a refusal: for want of knowledge, or because headers that no
    /// server writes (a log that ends before the full it begins in) mean one thing to a rule and another to its judge.
    #[test]
    fn random_headers_are_answered(rows in prop::collection::vec(any_backup(), 0..25), now in 0_i64..4000, window in 1_i64..50) {
        let Ok(history) = History::build(rows, vec![], Timestamp::MAX) else { return Ok(()) };
        let policy = policy();
        let terms = terms(&policy, Timestamp::from_second(now).unwrap(), window);
        match propose(history, &terms, |_| true) {
            Ok(proposal) => prop_assert!(proposal.proof.holds),
            Err(why) => {
                let known = ["IncompleteKnowledge", "NoWayToPromisedMoment", "ProofFailed"];
                prop_assert!(known.contains(&why.name.as_ref()), "{}", why);
                prop_assert!(!why.guidance.is_empty(), "{}", why);
            }
        }
    }
}
