//! What does an event of RDS mean?
//!
//! Events are known by their number where a source tells what it is (RDS user guide, "Amazon RDS event categories and event messages",
//! read 2026-11); any other is taken by its category, and that is said.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Observed, cut, ignored};
use crate::reason::{Class, Reason};

/// The detail of an event of RDS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RdsDetail {
    /// `RDS-EVENT-0001`.
    #[serde(rename = "EventID", default)]
    pub event_id: Option<String>,
    /// `backup`, `failover`, ...
    #[serde(default)]
    pub event_categories: Vec<String>,
    /// `DB_INSTANCE`, `SNAPSHOT`, ...
    pub source_type: String,
    /// Identifier of the source.
    pub source_identifier: String,
}

/// What an event says of its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    BackupBegan,
    BackupEnded,
    FailedOver,
    Changed,
    /// Something began that another event ends: until then no look helps.
    NotOver,
    Nothing,
}

/// Events whose meaning is told by their message.
const KNOWN: [(&str, Says); 17] = [
    ("RDS-EVENT-0001", Says::BackupBegan), // Backing up DB instance.
    ("RDS-EVENT-0002", Says::BackupEnded), // Finished DB instance backup.
    ("RDS-EVENT-0004", Says::NotOver),     // DB instance shutdown.
    ("RDS-EVENT-0006", Says::Changed),     // DB instance restarted.
    ("RDS-EVENT-0007", Says::NotOver),     // Allocated storage has been exhausted.
    ("RDS-EVENT-0012", Says::NotOver),     // Applying modification to database instance class.
    ("RDS-EVENT-0013", Says::NotOver),     // Multi-AZ instance failover started.
    ("RDS-EVENT-0014", Says::Changed),     // Finished applying modification to DB instance class.
    ("RDS-EVENT-0015", Says::FailedOver),  // Multi-AZ failover to standby complete.
    ("RDS-EVENT-0017", Says::Changed),     // Finished applying modification to allocated storage.
    ("RDS-EVENT-0018", Says::NotOver),     // Applying modification to allocated storage.
    ("RDS-EVENT-0026", Says::NotOver),     // Applying off-line patches.
    ("RDS-EVENT-0027", Says::Changed),     // Finished applying off-line patches.
    ("RDS-EVENT-0040", Says::BackupBegan), // Creating manual snapshot.
    ("RDS-EVENT-0042", Says::BackupEnded), // Manual snapshot created.
    ("RDS-EVENT-0049", Says::FailedOver),  // Multi-AZ instance failover completed.
    ("RDS-EVENT-0089", Says::NotOver),     // The free storage capacity is low.
];

/// What a category says, the most telling first.
const CATEGORIES: [(&str, Says); 11] = [
    ("backup", Says::BackupEnded),
    ("failover", Says::FailedOver),
    ("recovery", Says::Changed),
    ("restoration", Says::Changed),
    ("availability", Says::Changed),
    ("maintenance", Says::Changed),
    ("configuration change", Says::Changed),
    ("creation", Says::Changed),
    ("deletion", Says::Changed),
    ("failure", Says::Changed),
    ("low storage", Says::NotOver),
];

/// The categories in which an event may mean something, in order of the alphabet: whoever passes events on leaves out the others.
pub fn categories() -> Vec<&'static str> {
    let telling = CATEGORIES.iter().filter(|(_, says)| !matches!(says, Says::NotOver | Says::Nothing));
    let mut names: Vec<_> = telling.map(|(category, _)| *category).collect();
    names.sort_unstable();
    names
}

/// What an event of RDS means, and that it was taken by its category where its number is not known.
pub fn of_rds(detail: &RdsDetail, at: Timestamp) -> (Observed, Option<Reason>) {
    let RdsDetail { event_id, event_categories, source_type, source_identifier } = detail;
    let named = match source_type.as_str() {
        "DB_INSTANCE" => Some(source_identifier.as_str()),
        "SNAPSHOT" => instance_of_snapshot(source_identifier),
        _ => return (ignored("NoInstance", format!("it is about a {:?}", cut(source_type))), None),
    };
    let Some(instance) = named else {
        let what =
            format!("snapshot {:?} does not name its instance: a look will find it", cut(source_identifier));
        return (ignored("SnapshotNamesNoInstance", what), None);
    };
    if !is_identifier(instance) {
        return (ignored("IdentifierMalformed", format!("{:?} is no instance", cut(instance))), None);
    }
    let known = |id: &String| KNOWN.iter().find(|(known, _)| known == id).map(|(_, says)| *says);
    let (says, note) = event_id.as_ref().and_then(known).map_or_else(
        || {
            let says = by_category(source_type, event_categories);
            let id = cut(event_id.as_deref().unwrap_or("an event without number"));
            let what = format!(
                "{id} is not known and was taken by its categories {:?}",
                cut(&event_categories.join(", "))
            );
            (says, Some(Reason::new(Class::Never, "ByCategory", what)))
        },
        |says| (says, None),
    );
    let instance = instance.to_owned();
    let observed = match says {
        Says::BackupBegan => Observed::BaseStale { instance, at, ended: false },
        Says::BackupEnded => Observed::BaseStale { instance, at, ended: true },
        Says::FailedOver => Observed::FailedOver { instance, at },
        Says::Changed => Observed::Changed { instance, at },
        Says::NotOver => ignored("NotOver", format!("what began on {instance} is not over")),
        Says::Nothing => ignored("NothingToDo", format!("nothing on {instance} waits for this")),
    };
    (observed, note)
}

/// What is created of a snapshot is a backup.
fn by_category(source_type: &str, categories: &[String]) -> Says {
    let has = |category: &str| categories.iter().any(|told| told == category);
    if source_type == "SNAPSHOT" {
        return if has("creation") || has("backup") { Says::BackupEnded } else { Says::Nothing };
    }
    CATEGORIES.iter().find(|(category, _)| has(category)).map_or(Says::Nothing, |(_, says)| *says)
}

/// The instance in the name of an automated snapshot: `rds:sales-2026-11-16-03-12`. Manual ones have any name. RDS user guide,
/// "Creating EventBridge rules for Amazon RDS events", example of a snapshot, read 2026-11.
fn instance_of_snapshot(snapshot: &str) -> Option<&str> {
    let named = snapshot.strip_prefix("rds:")?;
    let (instance, date) = named.split_at_checked(named.len().checked_sub("-yyyy-mm-dd-hh-mm".len())?)?;
    let is_date = date.bytes().enumerate().all(|(place, byte)| {
        if [0, 5, 8, 11, 14].contains(&place) { byte == b'-' } else { byte.is_ascii_digit() }
    });
    is_date.then_some(instance)
}

/// Letters, digits and hyphens, 63 at most, a letter first (RDS user guide, "Settings for DB instances", read 2026-11).
fn is_identifier(text: &str) -> bool {
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    begins && text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, categories: &[&str], (source_type, source): (&str, &str)) -> RdsDetail {
        RdsDetail {
            event_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            event_categories: categories.iter().map(|category| (*category).to_owned()).collect(),
            source_type: source_type.to_owned(),
            source_identifier: source.to_owned(),
        }
    }

    /// `stale`, `backed up`, ... and the instance; or why not.
    fn told(detail: &RdsDetail) -> String {
        match of_rds(detail, Timestamp::UNIX_EPOCH).0 {
            Observed::BaseStale { instance, ended: false, .. } => format!("began {instance}"),
            Observed::BaseStale { instance, ended: true, .. } => format!("ended {instance}"),
            Observed::FailedOver { instance, .. } => format!("failed over {instance}"),
            Observed::Changed { instance, .. } => format!("changed {instance}"),
            Observed::Ignored(reason) => reason.name.to_string(),
            Observed::RunEnded(ended) => format!("{ended:?}"),
        }
    }

    #[test]
    fn events_mean_what_their_number_says_else_their_category() {
        let sales = ("DB_INSTANCE", "sales");
        for (id, categories, source, expected) in [
            ("RDS-EVENT-0001", &["backup"][..], sales, "began sales"),
            ("RDS-EVENT-0002", &["backup"], sales, "ended sales"),
            ("RDS-EVENT-0013", &["failover"], sales, "NotOver"),
            ("RDS-EVENT-0049", &["failover"], sales, "failed over sales"),
            ("RDS-EVENT-0006", &["availability"], sales, "changed sales"),
            ("RDS-EVENT-0007", &["failure", "low storage"], sales, "NotOver"),
            ("RDS-EVENT-9999", &["backup"], sales, "ended sales"),
            ("", &["notification", "failover"], sales, "failed over sales"),
            ("RDS-EVENT-9999", &["low storage"], sales, "NotOver"),
            ("RDS-EVENT-9999", &["notification"], sales, "NothingToDo"),
            ("RDS-EVENT-9999", &[], sales, "NothingToDo"),
            (
                "RDS-EVENT-0091",
                &["creation"],
                ("SNAPSHOT", "rds:sales-eu-2026-11-16-03-12"),
                "ended sales-eu",
            ),
            ("RDS-EVENT-0041", &["deletion"], ("SNAPSHOT", "rds:sales-2026-11-16-03-12"), "NothingToDo"),
            ("RDS-EVENT-0042", &["creation"], ("SNAPSHOT", "before-upgrade"), "SnapshotNamesNoInstance"),
            (
                "RDS-EVENT-0091",
                &["creation"],
                ("SNAPSHOT", "rds:sales-2026-11-16"),
                "SnapshotNamesNoInstance",
            ),
            ("RDS-EVENT-0091", &["creation"], ("SNAPSHOT", "rds:-2026-11-16-03-12"), "IdentifierMalformed"),
            ("RDS-EVENT-0001", &["backup"], ("CLUSTER", "sales"), "NoInstance"),
            ("RDS-EVENT-0001", &["backup"], ("DB_INSTANCE", "sales#1"), "IdentifierMalformed"),
            ("RDS-EVENT-0001", &["backup"], ("DB_INSTANCE", ""), "IdentifierMalformed"),
        ] {
            assert_eq!(told(&event(id, categories, source)), expected, "{id} {categories:?} {source:?}");
        }
    }

    #[test]
    fn a_number_that_is_not_known_is_told() {
        let note = |id| of_rds(&event(id, &["backup"], ("DB_INSTANCE", "sales")), Timestamp::UNIX_EPOCH).1;
        assert_eq!(note("RDS-EVENT-0001"), None);
        let said = note("RDS-EVENT-9999").unwrap().message;
        assert_eq!(said, "RDS-EVENT-9999 is not known and was taken by its categories \"backup\"");
    }

    #[test]
    fn numbers_are_known_once() {
        assert!(KNOWN.is_sorted_by(|one, other| one.0 < other.0));
    }
}
