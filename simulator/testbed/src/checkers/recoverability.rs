//! Every claimed moment is restored by brute force, and what comes back is compared with what the database held.
//!
//! Edges of every span, random moments inside, every point. And the other way round: a moment that is not claimed must not be
//! restorable, or the window hides what it has. Brute force tries every full and whatever log the engine accepts.

use domain::backup::HeldIn;
use jiff::{SignedDuration, Timestamp};
use world::{Judge, World};

use super::{Checked, Claim};
use crate::scenario::Scenario;
use crate::stream::Stream;

/// Random moments tried in each span.
const RANDOM_MOMENTS: u64 = 3;

pub(super) fn check(scenario: &Scenario, world: &World, claims: &[Claim]) -> Checked {
    let mut checked = Checked::new("recoverability");
    let mut stream = Stream::new(scenario.seed, "checker recoverability");
    for claim in claims {
        let Some(database) = told_of(world, claim) else {
            checked.look(Some(format!("{} on {} does not exist", claim.database, claim.instance)));
            continue;
        };
        let vault = &scenario.vault;
        let mut in_vault = world.judge(&vault.bucket, &vault.prefix, database);
        if let Some(logs) = &vault.log_bucket {
            in_vault = in_vault.with_bucket(logs, &vault.prefix);
        }
        let with_service = in_vault.clone().with_service();
        for &(from, to, held_in) in &claim.spans {
            let judge = if held_in == HeldIn::Vault { &in_vault } else { &with_service };
            for moment in moments((from, to), &mut stream) {
                checked.look(restorable(world, judge, claim, database, moment));
            }
        }
        for &point in &claim.points {
            checked.look(restorable(world, &in_vault, claim, database, point));
        }
        // Windows are stated by lineage.
        let own = with_service.clone().of_its_own();
        for moment in unclaimed(scenario, world, claim, &mut stream) {
            let found = own.restore_to(moment);
            let held = found.is_ok_and(|found| world.truth(database, moment) == Some(found.content));
            checked.look(held.then(|| {
                format!(
                    "{} on {}: {moment} is not claimed, but can be restored",
                    claim.database, claim.instance
                )
            }));
        }
    }
    checked
}

/// The database that a claim is about.
fn told_of(world: &World, claim: &Claim) -> Option<world::DatabaseId> {
    let by_guid =
        claim.database_guid.as_deref().and_then(|guid| world.database_of_guid(guid, &claim.instance));
    by_guid.or_else(|| world.find_database(&claim.instance, &claim.database))
}

/// Random moments of the whole story that no span or point claims. Headers have whole seconds, so the seconds at an edge may
/// belong to either side.
fn unclaimed(scenario: &Scenario, world: &World, claim: &Claim, stream: &mut Stream) -> Vec<Timestamp> {
    let edge = SignedDuration::from_secs(1);
    let mut moments: Vec<Timestamp> = claim
        .lost
        .iter()
        .filter(|(from, to)| to.duration_since(*from) > edge * 2)
        .map(|&(from, to)| within((from + edge, to - edge), stream))
        .collect();
    moments.extend((0..RANDOM_MOMENTS).map(|_| within((scenario.start, world.now()), stream)));
    let claimed = |at: Timestamp| {
        claim.spans.iter().any(|&(from, to, _)| from - edge <= at && at <= to + edge)
            || claim.points.iter().any(|&point| point - edge <= at && at <= point + edge)
    };
    moments.retain(|&at| !claimed(at));
    moments
}

fn within((from, to): (Timestamp, Timestamp), stream: &mut Stream) -> Timestamp {
    let span = u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0);
    let offset = i64::try_from(stream.between(0, span)).unwrap_or(0);
    from.saturating_add(SignedDuration::from_millis(offset)).unwrap_or(to)
}

fn moments(span: (Timestamp, Timestamp), stream: &mut Stream) -> Vec<Timestamp> {
    let mut moments = vec![span.0, span.1];
    moments.extend((0..RANDOM_MOMENTS).map(|_| within(span, stream)));
    moments
}

/// What is wrong with the claim that a moment can be restored.
fn restorable(
    world: &World,
    judge: &Judge<'_>,
    claim: &Claim,
    database: world::DatabaseId,
    moment: Timestamp,
) -> Option<String> {
    let who = format!("{} on {}", claim.database, claim.instance);
    match judge.restore_to(moment) {
        Err(error) => Some(format!("{who}: {moment} is claimed, but cannot be restored: {error}")),
        Ok(restored) => {
            let same = world.truth(database, moment).is_some_and(|truth| truth == restored.content);
            (!same).then(|| format!("{who}: {moment} comes back with other content than it had"))
        }
    }
}
