//! May a full be taken out of turn? As many within a day as the policy says, each with its retries.
//!
//! A promotion answers a broken chain or a lost base with a full. What breaks it again at once, somebody's script that
//! switches the recovery model, would have fulls taken without end, each of them at everybody else's expense. The limit is
//! for one database and counts the fulls out of turn that were decided in any 24 hours: a task of ours that fails is asked for
//! again a few times, and all of its tries are one promotion. Fulls of the calendar and first fulls are none; the first full of
//! a database that was restored or created anew under an old name is a first full, for the vault has nothing of it.

use jiff::{SignedDuration, Timestamp};

use crate::inventory::{Database, Lineage};
use crate::policy::Policy;
use crate::reason::{Class, Reason};

/// The time that the limit is counted over.
pub const SPAN: SignedDuration = SignedDuration::from_hours(24);

/// Remembers a promotion of now, or says why there can be none. `live` is the identity that the server tells, `why` what the
/// full would answer. A first full is always allowed and never counted; promotions of a database that had the name before are
/// none of this one.
///
/// # Errors
/// `PromotionLimit` (class `Human`): the database had as many as the policy allows.
pub fn promote(
    policy: &Policy,
    database: &mut Database,
    live: Option<&Lineage>,
    why: &Reason,
    now: Timestamp,
) -> Result<(), Reason> {
    if is_first(database, live) {
        database.promoted_at.clear();
        return Ok(());
    }
    database.promoted_at.retain(|at| now.duration_since(*at) < SPAN);
    let (had, limit) = (database.promoted_at.len(), policy.promotions_per_day);
    if u32::try_from(had).is_ok_and(|had| had < limit) {
        database.promoted_at.push(now);
        return Ok(());
    }
    let message = format!(
        "{} had {had} fulls out of turn within a day, and no more are allowed: {}",
        database.name, why.message
    );
    Err(Reason::new(Class::Human, "PromotionLimit", message).guidance(
        "find what breaks the chain again and again; promotions_per_day of the policy is the limit",
    ))
}

/// Whether the vault has no full of the live database: none at all, or only those of another one of its name.
fn is_first(database: &Database, live: Option<&Lineage>) -> bool {
    let another = |known: &Lineage| live.is_some_and(|live| live != known);
    database.last_full.is_none() || database.lineage.as_ref().is_some_and(another)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BackupId, Guid};
    use crate::inventory::LastFull;
    use crate::lsn::Lsn;
    use crate::policy::tests::weekly;

    fn lineage(incarnation: u8) -> Lineage {
        Lineage {
            family_guid: Guid::from("f1"),
            database_guid: Guid::new(format!("d{incarnation}")),
            server: 0,
        }
    }

    /// A database of incarnation 1 with a full in the vault.
    fn with_full() -> Database {
        let mut database = Database::new("sales", "orders");
        database.lineage = Some(lineage(1));
        database.last_full = Some(LastFull {
            id: BackupId::from("1"),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        database
    }

    #[test]
    fn a_first_full_is_no_promotion() {
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        // The head may still tell of the break of the database before: the reason decides nothing.
        for why in ["NewIncarnation", "ChainBroken", "WindowDemandsFull"] {
            let why = Reason::new(Class::Wait, why, "a gap");
            for (limit, known, live, allowed, counted) in [
                (0, with_full(), Some(lineage(2)), true, 0),
                (1, with_full(), Some(lineage(2)), true, 0),
                (0, Database::new("sales", "orders"), Some(lineage(1)), true, 0),
                (0, with_full(), Some(lineage(1)), false, 0),
                (1, with_full(), Some(lineage(1)), true, 1),
                // Nobody knows that it is another one.
                (0, with_full(), None, false, 0),
                (1, with_full(), None, true, 1),
            ] {
                let mut policy = weekly();
                policy.promotions_per_day = limit;
                let mut database = known;
                let context = format!("{} {live:?} {limit}", why.name);
                let said = promote(&policy, &mut database, live.as_ref(), &why, at(0));
                assert_eq!((said.is_ok(), database.promoted_at.len()), (allowed, counted), "{context}");
            }
        }
    }

    #[test]
    fn promotions_of_a_database_before_are_forgotten_with_it() {
        let why = Reason::new(Class::Wait, "ChainBroken", "a gap");
        let mut policy = weekly();
        policy.promotions_per_day = 1;
        let mut database = with_full();
        let asked = |database: &mut Database, incarnation| {
            promote(&policy, database, Some(&lineage(incarnation)), &why, Timestamp::UNIX_EPOCH).is_ok()
        };
        assert_eq!([1, 1, 2, 2].map(|live| asked(&mut database, live)), [true, false, true, true]);
        // Its first full came about; now the limit is its own.
        database.lineage = Some(lineage(2));
        assert_eq!([2, 2].map(|live| asked(&mut database, live)), [true, false]);
    }

    #[test]
    fn the_limit_counts_over_any_day_and_forgets_what_is_older() {
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let why = Reason::new(Class::Wait, "ChainBroken", "a gap");
        for (limit, asked, allowed) in [
            (0, vec![0, 2_000], "--"),
            (1, vec![0, 1, 1_439, 1_440, 1_441], "+--+-"),
            (2, vec![0, 700, 1_439, 1_440, 2_139, 2_140], "++-+-+"),
            // Being refused costs nothing.
            (1, vec![0, 1_000, 1_440], "+-+"),
        ] {
            let mut policy = weekly();
            policy.promotions_per_day = limit;
            let mut database = with_full();
            let said: String = asked
                .iter()
                .map(|minutes| match promote(&policy, &mut database, Some(&lineage(1)), &why, at(*minutes)) {
                    Ok(()) => '+',
                    Err(reason) => {
                        assert_eq!((reason.name.as_ref(), reason.class), ("PromotionLimit", Class::Human));
                        assert!(reason.message.ends_with("a gap"), "{}", reason.message);
                        '-'
                    }
                })
                .collect();
            assert_eq!(said, allowed, "{limit} a day at {asked:?}");
            assert!(database.promoted_at.len() <= limit as usize);
        }
    }
}
