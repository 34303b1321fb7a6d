//! May a full be taken out of turn? As often as the policy says, and not once more.
//!
//! A promotion answers a broken chain or a lost base with a full. What breaks it again at once, somebody's script that
//! switches the recovery model, would have fulls taken without end, each of them at everybody else's expense. The limit is
//! for one database and holds over all promotions of any 24 hours; fulls of the calendar and first fulls are none.

use jiff::{SignedDuration, Timestamp};

use crate::inventory::Database;
use crate::policy::Policy;
use crate::reason::{Class, Reason};

/// The time that the limit is counted over.
pub const SPAN: SignedDuration = SignedDuration::from_hours(24);

/// Remembers a promotion of now, or says why there can be none. `why` is what it would answer.
///
/// # Errors
/// `PromotionLimit` (class `Human`): the database had as many as the policy allows.
pub fn promote(policy: &Policy, database: &mut Database, why: &Reason, now: Timestamp) -> Result<(), Reason> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::weekly;

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
            let mut database = Database::new("sales", "orders");
            let said: String = asked
                .iter()
                .map(|minutes| match promote(&policy, &mut database, &why, at(*minutes)) {
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
