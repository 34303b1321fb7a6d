//! What becomes of the head of a catalogue when its database changed.

use jiff::Timestamp;

use super::Change;
use crate::admission::lineage_of;
use crate::facts::DatabaseState;
use crate::inventory::Database;

/// The head as it is to be stored under the name that the server shows; `None` where nothing is to be written. `head`: the one
/// that the change goes on from, for a rename that of the old name, which goes in the same transaction.
///
/// What is another database begins without a full, so that its first is due at once; the catalogue of the one before it lies under
/// its own lineage and stays.
pub fn settled(
    change: &Change,
    head: Option<&Database>,
    state: &DatabaseState,
    (instance, now): (&str, Timestamp),
) -> Option<Database> {
    match change {
        Change::Skipped(_) => None,
        // One that was enrolled by hand has no identity yet, and is lost with its name until it has.
        Change::Unchanged => {
            let head = head.filter(|head| head.lineage.is_none())?;
            let lineage = Some(lineage_of(state)?);
            Some(Database { lineage, recovery_model: state.recovery_model, ..head.clone() })
        }
        Change::Returned | Change::Renamed { .. } => {
            let mut head = head?.clone();
            head.name.clone_from(&state.name);
            head.gone_at = None;
            Some(head)
        }
        Change::New | Change::Moved { .. } | Change::Restored { .. } | Change::Recreated => {
            let mut head = Database::new(instance, &state.name);
            head.lineage = lineage_of(state);
            head.recovery_model = state.recovery_model;
            head.begun_at = Some(now);
            Some(head)
        }
    }
}

/// The head of a database that is gone. The first moment stays, however often it is found gone.
pub fn gone(head: &Database, now: Timestamp) -> Database {
    let mut head = head.clone();
    head.gone_at.get_or_insert(now);
    head
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::Place;
    use super::super::tests::{database, guids};
    use super::*;
    use crate::policy::tests::weekly;
    use crate::reason::{Class, Reason};
    use crate::schedule::due;
    use crate::task::Kind;

    const AT: (&str, Timestamp) = ("a", Timestamp::UNIX_EPOCH);

    /// A head with a past.
    fn head() -> Database {
        let mut head = Database::new("a", "orders");
        head.lineage = guids("1.1");
        head.failures = 3;
        head.gone_at = Some(Timestamp::UNIX_EPOCH);
        head
    }

    #[test]
    fn a_rename_takes_the_head_along_and_another_database_begins_anew() {
        let from = || Place { instance: "b".to_owned(), name: "x".to_owned() };
        let state = database("sales", guids("1.2"));
        for (change, failures, lineage) in [
            (Change::Unchanged, None, None),
            (Change::Skipped(Reason::new(Class::Never, "Excluded", "x")), None, None),
            (Change::Renamed { from: "orders".to_owned() }, Some(3), guids("1.1")),
            (Change::Returned, Some(3), guids("1.1")),
            (Change::New, Some(0), guids("1.2")),
            (Change::Recreated, Some(0), guids("1.2")),
            (Change::Moved { from: from() }, Some(0), guids("1.2")),
            (Change::Restored { from: from() }, Some(0), guids("1.2")),
        ] {
            let settled = settled(&change, Some(&head()), &state, AT);
            assert_eq!(settled.as_ref().map(|head| head.failures), failures, "{change:?}");
            assert_eq!(settled.as_ref().and_then(|head| head.lineage.clone()), lineage, "{change:?}");
            let placed = settled
                .is_none_or(|head| head.name == "sales" && head.instance == "a" && head.gone_at.is_none());
            assert!(placed, "{change:?}");
        }
        assert_eq!(settled(&Change::Returned, None, &state, AT), None, "there is nothing to go on from");
        let by_hand = Database { lineage: None, gone_at: None, ..head() };
        let learned =
            settled(&Change::Unchanged, Some(&by_hand), &database("orders", guids("1.2")), AT).unwrap();
        assert_eq!((learned.lineage, learned.failures), (guids("1.2"), 3), "its identity is learned once");
        assert_eq!(settled(&Change::Unchanged, Some(&by_hand), &database("orders", None), AT), None);
    }

    #[test]
    fn a_new_life_is_due_at_once_and_what_is_gone_never() {
        let (policy, now) = (weekly(), Timestamp::UNIX_EPOCH);
        let fresh =
            settled(&Change::Recreated, Some(&head()), &database("orders", guids("2.2")), AT).unwrap();
        let items = due(&policy, &fresh, now).unwrap();
        assert_eq!(items.iter().map(|item| item.kind).collect::<Vec<_>>(), [Kind::Full]);
        let lost = gone(&fresh, now);
        assert_eq!(due(&policy, &lost, now).unwrap(), []);
        let later = now + SignedDuration::from_hours(8);
        assert_eq!(gone(&lost, later).gone_at, Some(now));
        let json = serde_json::to_string(&lost).unwrap();
        assert_eq!(serde_json::from_str::<Database>(&json).unwrap(), lost);
    }
}
