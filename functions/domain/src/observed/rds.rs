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
const KNOWN: [(&str, Says); 19] = [
    ("RDS-EVENT-0001", Says::BackupBegan), // Backing up DB instance.
    ("RDS-EVENT-0002", Says::BackupEnded), // Finished DB instance backup.
    ("RDS-EVENT-0004", Says::NotOver),     // DB instance shutdown.
    ("RDS-EVENT-0006", Says::Changed),     // DB instance restarted.
    ("RDS-EVENT-0007", Says::Changed), // Allocated storage has been exhausted: nothing goes on, and a run's trouble tells it.
    ("RDS-EVENT-0012", Says::NotOver), // Applying modification to database instance class.
    ("RDS-EVENT-0013", Says::NotOver), // Multi-AZ instance failover started.
    ("RDS-EVENT-0014", Says::Changed), // Finished applying modification to DB instance class.
    ("RDS-EVENT-0015", Says::FailedOver), // Multi-AZ failover to standby complete.
    ("RDS-EVENT-0017", Says::Changed), // Finished applying modification to allocated storage.
    ("RDS-EVENT-0018", Says::NotOver), // Applying modification to allocated storage.
    ("RDS-EVENT-0026", Says::NotOver), // Applying off-line patches.
    ("RDS-EVENT-0027", Says::Changed), // Finished applying off-line patches.
    ("RDS-EVENT-0040", Says::BackupBegan), // Creating manual snapshot.
    ("RDS-EVENT-0042", Says::BackupEnded), // Manual snapshot created.
    ("RDS-EVENT-0049", Says::FailedOver), // Multi-AZ instance failover completed.
    ("RDS-EVENT-0089", Says::Nothing), // The free storage capacity is low: a warning, nothing fails of it yet.
    ("RDS-EVENT-0090", Says::BackupBegan), // Creating automated snapshot.
    ("RDS-EVENT-0091", Says::BackupEnded), // Automated snapshot created.
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
    ("low storage", Says::Changed),
];

/// The categories in which an event may mean something, in order of the alphabet: whoever passes events on leaves out the others.
pub fn categories() -> Vec<&'static str> {
    let telling = CATEGORIES.iter().filter(|(_, says)| !matches!(says, Says::NotOver | Says::Nothing));
    let mut names: Vec<_> = telling.map(|(category, _)| *category).collect();
    names.sort_unstable();
    names
}

/// The snapshot that RDS has to be asked about before an event can mean something: it tells of a backup, of an instance that the name does
/// not say.
pub fn unnamed_snapshot(detail: &RdsDetail) -> Option<&str> {
    let name = detail.source_identifier.as_str();
    let is_unnamed =
        detail.source_type == "SNAPSHOT" && is_snapshot(name) && instance_of_snapshot(name).is_none();
    let says = known(detail).unwrap_or_else(|| by_category("SNAPSHOT", &detail.event_categories));
    (is_unnamed && matches!(says, Says::BackupBegan | Says::BackupEnded)).then_some(name)
}

/// What a number says, where a source tells.
fn known(detail: &RdsDetail) -> Option<Says> {
    let id = detail.event_id.as_ref()?;
    KNOWN.iter().find(|(known, _)| known == id).map(|(_, says)| *says)
}

/// What an event of RDS means, and that it was taken by its category where its number is not known. `owner`: the instance of its
/// [`unnamed_snapshot`], where RDS knows it.
pub fn of_rds(detail: &RdsDetail, at: Timestamp, owner: Option<&str>) -> (Observed, Option<Reason>) {
    let RdsDetail { event_id, event_categories, source_type, source_identifier } = detail;
    let named = match source_type.as_str() {
        "DB_INSTANCE" => Some(source_identifier.as_str()),
        "SNAPSHOT" => instance_of_snapshot(source_identifier).or(owner),
        _ => return (ignored("NoInstance", format!("it is about a {:?}", cut(source_type))), None),
    };
    let Some(instance) = named else {
        let what = format!(
            "snapshot {:?} does not name its instance, and RDS knows none: a look will find it",
            cut(source_identifier)
        );
        return (ignored("SnapshotNamesNoInstance", what), None);
    };
    if !is_identifier(instance) {
        return (ignored("IdentifierMalformed", format!("{:?} is no instance", cut(instance))), None);
    }
    let (says, note) = known(detail).map_or_else(
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

/// 1 to 255 letters, digits and hyphens (API reference, `CreateDBSnapshot`, read 2026-11); those of services have a prefix with a colon:
/// `awsbackup:job-1`.
fn is_snapshot(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b':';
    (1..=255).contains(&text.len()) && text.bytes().all(is_part)
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
    fn told(detail: &RdsDetail, owner: Option<&str>) -> String {
        match of_rds(detail, Timestamp::UNIX_EPOCH, owner).0 {
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
            ("RDS-EVENT-0007", &["failure", "low storage"], sales, "changed sales"),
            ("RDS-EVENT-0089", &["low storage"], sales, "NothingToDo"),
            ("RDS-EVENT-9999", &["backup"], sales, "ended sales"),
            ("", &["notification", "failover"], sales, "failed over sales"),
            ("RDS-EVENT-9999", &["low storage"], sales, "changed sales"),
            ("RDS-EVENT-9999", &["notification"], sales, "NothingToDo"),
            ("RDS-EVENT-9999", &[], sales, "NothingToDo"),
            (
                "RDS-EVENT-0091",
                &["creation"],
                ("SNAPSHOT", "rds:sales-eu-2026-11-16-03-12"),
                "ended sales-eu",
            ),
            ("RDS-EVENT-0090", &["creation"], ("SNAPSHOT", "rds:sales-2026-11-16-03-12"), "began sales"),
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
            assert_eq!(
                told(&event(id, categories, source), None),
                expected,
                "{id} {categories:?} {source:?}"
            );
        }
    }

    #[test]
    fn rds_is_asked_about_a_snapshot_that_names_no_instance_where_it_is_a_backup() {
        let long = "s".repeat(255);
        for (id, categories, source, asks, expected) in [
            ("RDS-EVENT-0042", &["creation"][..], ("SNAPSHOT", "before-upgrade"), true, "ended sales"),
            ("RDS-EVENT-0040", &["creation"], ("SNAPSHOT", "before-upgrade"), true, "began sales"),
            ("RDS-EVENT-9999", &["creation"], ("SNAPSHOT", "awsbackup:job-1"), true, "ended sales"),
            ("RDS-EVENT-0042", &["creation"], ("SNAPSHOT", &long), true, "ended sales"),
            ("RDS-EVENT-0091", &["creation"], ("SNAPSHOT", "rds:sales-2026-11-16"), true, "ended sales"),
            // The name says it, whatever anybody else says.
            ("RDS-EVENT-0091", &["creation"], ("SNAPSHOT", "rds:hr-2026-11-16-03-12"), false, "ended hr"),
            ("RDS-EVENT-0041", &["deletion"], ("SNAPSHOT", "before-upgrade"), false, "NothingToDo"),
            ("RDS-EVENT-0042", &["creation"], ("SNAPSHOT", "before upgrade"), false, "ended sales"),
            ("RDS-EVENT-0042", &["creation"], ("SNAPSHOT", ""), false, "ended sales"),
            ("RDS-EVENT-0002", &["backup"], ("DB_INSTANCE", "hr"), false, "ended hr"),
            ("RDS-EVENT-0042", &["creation"], ("CLUSTER_SNAPSHOT", "before-upgrade"), false, "NoInstance"),
        ] {
            let detail = event(id, categories, source);
            assert_eq!(unnamed_snapshot(&detail), asks.then_some(source.1), "{id} {source:?}");
            assert_eq!(told(&detail, Some("sales")), expected, "{id} {source:?}");
        }
        let foreign = event("RDS-EVENT-0042", &["creation"], ("SNAPSHOT", "before-upgrade"));
        assert_eq!(told(&foreign, Some("sales#1")), "IdentifierMalformed");
    }

    #[test]
    fn a_number_that_is_not_known_is_told() {
        let event = |id| event(id, &["backup"], ("DB_INSTANCE", "sales"));
        let note = |id| of_rds(&event(id), Timestamp::UNIX_EPOCH, None).1;
        assert_eq!(note("RDS-EVENT-0001"), None);
        let said = note("RDS-EVENT-9999").unwrap().message;
        assert_eq!(said, "RDS-EVENT-9999 is not known and was taken by its categories \"backup\"");
    }

    #[test]
    fn numbers_are_known_once() {
        assert!(KNOWN.is_sorted_by(|one, other| one.0 < other.0));
    }
}
