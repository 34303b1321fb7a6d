//! What discovery saw last of an instance, for people: every database with what became of it, and what needs a person.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, Look};
use crate::facts::RecoveryModel;
use crate::inventory::Lineage;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// Databases of one page: with names of 128 characters and a reason each they stay below a quarter of what an item holds.
pub const PAGE_DATABASES: usize = 100;

/// Reasons that are kept and told of one look; more are counted.
pub const NEEDS_MAX: usize = 50;

/// One database as the server showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Name.
    pub name: String,
    /// State, as `sys.databases` spells it.
    pub state: String,
    /// Recovery model.
    pub recovery_model: Option<RecoveryModel>,
    /// Bytes of its data files.
    pub data_bytes: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Identity; none while it is not online.
    pub lineage: Option<Lineage>,
    /// What became of it.
    pub change: Change,
    /// Why its logs are not copied, where they are not.
    pub no_logs: Option<Reason>,
    /// Whether its family lists it.
    pub listed: bool,
}

/// A hundred of them, in order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Instance.
    pub instance: String,
    /// Number, from 0.
    pub number: u32,
    /// The databases.
    pub seen: Vec<Seen>,
}

impl Record for Page {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        (partition(&self.instance), format!("page#{:04}", self.number))
    }
}

/// Partition of what was seen of an instance.
pub fn partition(instance: &str) -> String {
    format!("discovered#{instance}")
}

/// Sort keys of the pages, first and last.
pub const PAGES: (&str, &str) = ("page#", "page#~");

/// The look as a whole, and what came of looks before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Looked {
    /// Instance; empty for the listing of instances.
    pub instance: String,
    /// The vault that its databases are written to.
    pub vault: String,
    /// When the server was last seen.
    pub at: Option<Timestamp>,
    /// Databases that it showed.
    pub shown: u64,
    /// Heads of databases that are protected.
    pub protected: u64,
    /// Databases that are not, each with its reason in its page.
    pub skipped: u64,
    /// Heads of databases that are gone.
    pub gone: u64,
    /// What needs a person, the first few.
    pub needs: Vec<Reason>,
    /// How many needed one.
    pub needs_count: u64,
    /// Why the last look failed, if it did.
    pub trouble: Option<Reason>,
    /// Looks in a row that failed.
    pub failures: u32,
    /// Mark of what people were told last.
    pub told: u64,
}

impl Record for Looked {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        looked_key(&self.instance)
    }
}

/// Where the look is stored.
pub fn looked_key(instance: &str) -> (String, String) {
    (partition(instance), "look".to_owned())
}

/// What of a look needs a person: what was refused as a whole, then what is wrong with single databases.
pub fn needs(look: &Look) -> Vec<Reason> {
    let of_databases = look.shown.iter().filter_map(|(_, change)| match change {
        Change::Skipped(reason) => Some(reason.clone()),
        _ => None,
    });
    needs_of(look.refused.iter().cloned().chain(of_databases))
}

/// Those of some reasons that need a person, each once, in their order.
pub fn needs_of(reasons: impl IntoIterator<Item = Reason>) -> Vec<Reason> {
    let mut seen = BTreeSet::new();
    let needs = reasons.into_iter().filter(|reason| reason.class == Class::Human);
    needs.filter(|reason| seen.insert((reason.name.clone(), reason.message.clone()))).collect()
}

impl Looked {
    /// Takes in a look that succeeded.
    pub fn succeed(&mut self, at: Timestamp, needs: Vec<Reason>) {
        self.at = Some(at);
        self.needs_count = u64::try_from(needs.len()).unwrap_or(u64::MAX);
        self.needs = needs;
        self.needs.truncate(NEEDS_MAX);
        (self.trouble, self.failures) = (None, 0);
    }

    /// Takes in one that failed: what was seen before stays.
    pub fn fail(&mut self, trouble: Reason) {
        self.trouble = Some(trouble);
        self.failures = self.failures.saturating_add(1);
    }

    /// Mark of what people should know now; 0 where there is nothing. FNV-1a over names and sentences: the same needs are the same
    /// mark on every build.
    pub fn mark(&self) -> u64 {
        let trouble = self.trouble.iter().map(|reason| reason.name.as_ref());
        let needs = self.needs.iter().map(|reason| reason.message.as_str());
        let mut mark = 0_u64;
        for text in trouble.chain(needs) {
            let seed = if mark == 0 { 0xcbf2_9ce4_8422_2325 } else { mark };
            let hashed = text
                .bytes()
                .chain([0])
                .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            mark = hashed.max(1);
        }
        mark
    }

    /// Whether people have not been told yet of what they should know.
    pub fn is_untold(&self) -> bool {
        let mark = self.mark();
        mark != 0 && mark != self.told
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::tests::shown;
    use super::super::{Ground, look};
    use super::*;
    use crate::limits::Profile;

    #[test]
    fn what_only_a_person_can_mend_is_a_need_and_what_time_mends_is_none() {
        let mut settings = Settings::new("all", "weekly", "vault");
        settings.exclude = vec!["scratch*".to_owned()];
        let names = |server: &str, enrol_max| {
            let settings = Settings { enrol_max, ..settings.clone() };
            let ground = Ground { instance: "a", settings: &settings, profile: Profile::Rds, in_vault: 0 };
            let found = needs(&look(&ground, &[], &shown(server)));
            found.iter().map(|reason| reason.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        for (server, enrol_max, expected) in [
            ("o=1.1 master=2.2 scratch=3.3 x:RESTORING", 9, ""),
            ("x=1.1:SUSPECT y=1.1:SUSPECT", 9, "DatabaseNotOnline DatabaseNotOnline"),
            ("x=1.1 y=2.2 z=3.3", 2, "TooManyToEnrol"),
        ] {
            assert_eq!(names(server, enrol_max), expected, "{server}");
        }
    }

    #[test]
    fn people_are_told_once_of_the_same_needs_and_again_of_others() {
        let need = |message: &str| Reason::new(Class::Human, "DatabaseNotOnline", message);
        let mut looked = Looked { instance: "a".to_owned(), ..Looked::default() };
        assert!(!looked.is_untold(), "nothing is wrong");
        looked.needs = vec![need("database x is SUSPECT")];
        assert!(looked.is_untold());
        looked.told = looked.mark();
        assert!(!looked.is_untold());
        looked.needs.push(need("database y is SUSPECT"));
        assert!(looked.is_untold(), "another database");
        looked.told = looked.mark();
        looked.trouble = Some(Reason::new(Class::Retry, "LoginFailed", "18456"));
        assert!(looked.is_untold());
        looked.told = looked.mark();
        // The sentence of a failure may carry a time or a number: the same failure is told once.
        looked.trouble = Some(Reason::new(Class::Retry, "LoginFailed", "18456, state 5"));
        assert!(!looked.is_untold());
        (looked.needs, looked.trouble) = (Vec::new(), None);
        assert!(!looked.is_untold(), "mended");
    }

    #[test]
    fn a_page_of_the_longest_names_fits_an_item() {
        // `sysname` has 128 units of UTF-16: three bytes each at most.
        let long = "\u{20ac}".repeat(128);
        let seen = Seen {
            name: long.clone(),
            state: "RECOVERY_PENDING".to_owned(),
            recovery_model: Some(RecoveryModel::BulkLogged),
            data_bytes: Some(u64::MAX),
            files: u64::MAX,
            lineage: super::super::tests::guids(&format!("{}.{}", "f".repeat(36), "d".repeat(36))),
            change: Change::Skipped(
                Reason::new(Class::Human, "NamesDifferByCase", long.repeat(3)).guidance("x".repeat(300)),
            ),
            no_logs: Some(Reason::new(Class::Wait, "RecoveryModelNotFull", long.repeat(2))),
            listed: true,
        };
        let page = Page { instance: "a".to_owned(), number: 0, seen: vec![seen; PAGE_DATABASES] };
        // DynamoDB holds 400 KB an item (developer guide, "Constraints").
        assert!(serde_json::to_string(&page).unwrap().len() < 380_000);
    }
}
