//! What discovery saw last of an instance, for people: every database with what became of it, and what needs a person.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, Look};
use crate::facts::RecoveryModel;
use crate::inventory::Lineage;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// Databases of one page: with the longest names and reasons they stay below what an item holds, and a page with an event of each is
/// one commit.
pub const PAGE_DATABASES: usize = 90;

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

impl Seen {
    /// Why it was to be protected and is not, where a person has to mend that and the last look did not find the same. What is refused
    /// of a look as a whole is told of the instance, once.
    pub fn fails_anew(&self, before: Option<&Self>, refused: &[Reason]) -> Option<&Reason> {
        let failure = |seen: &Self| match &seen.change {
            Change::Skipped(reason) if reason.class == Class::Human => Some(reason.name.clone()),
            _ => None,
        };
        let is_known = || before.and_then(failure) == failure(self);
        match &self.change {
            Change::Skipped(reason) if failure(self).is_some() => {
                (!refused.contains(reason) && !is_known()).then_some(reason)
            }
            _ => None,
        }
    }
}

/// Why many databases at once were to be protected and are not, where the last look did not find the same.
pub fn refused_anew<'l>(look: &'l Look, before: &Looked) -> Vec<&'l Reason> {
    let is_of_databases = |reason: &&Reason| {
        look.shown.iter().any(|(_, change)| matches!(change, Change::Skipped(of) if of == *reason))
    };
    let is_known = |reason: &&Reason| before.needs.iter().any(|need| need.name == reason.name);
    look.refused.iter().filter(is_of_databases).filter(|reason| !is_known(reason)).collect()
}

/// A page of them, in order of their names.
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
    /// Mark of the needs that people were told last; 0 once there were none.
    pub told: u64,
    /// The same of the trouble.
    #[serde(default)]
    pub told_trouble: u64,
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
        (self.trouble, self.failures, self.told_trouble) = (None, 0, 0);
        // What is mended and comes again is news.
        if self.needs.is_empty() {
            self.told = 0;
        }
    }

    /// Takes in one that failed: what was seen before stays.
    pub fn fail(&mut self, trouble: Reason) {
        self.trouble = Some(trouble);
        self.failures = self.failures.saturating_add(1);
    }

    /// Marks of the needs and of the trouble that people should know of now; 0 where there is none. A failure's sentence may carry a time
    /// or a number: what it is called and what the function behind it called it make its mark.
    fn marks(&self) -> (u64, u64) {
        let needs = mark(self.needs.iter().map(|reason| reason.message.as_str()));
        let trouble = self.trouble.iter().flat_map(|reason| [reason.name.as_ref(), stem(&reason.message)]);
        (needs, mark(trouble))
    }

    /// Whether people have not been told yet of what they should know.
    pub fn is_untold(&self) -> bool {
        let (needs, trouble) = self.marks();
        needs != 0 && needs != self.told || trouble != 0 && trouble != self.told_trouble
    }

    /// People know now.
    pub fn tell(&mut self) {
        (self.told, self.told_trouble) = self.marks();
    }
}

/// The class and the name in a sentence of the form `Class: Name: what happened`; nothing of any other.
fn stem(sentence: &str) -> &str {
    let second = sentence.match_indices(": ").nth(1);
    second.map_or("", |(end, _)| &sentence[..end])
}

/// FNV-1a: the same texts are the same mark on every build; 0 is none.
fn mark<'t>(texts: impl Iterator<Item = &'t str>) -> u64 {
    let mut mark = 0_u64;
    for text in texts {
        let seed = if mark == 0 { 0xcbf2_9ce4_8422_2325 } else { mark };
        let hashed = text
            .bytes()
            .chain([0])
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        mark = hashed.max(1);
    }
    mark
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::tests::shown;
    use super::super::{Ground, look};
    use super::*;
    use crate::limits::Profile;

    fn seen(name: &str) -> Seen {
        Seen {
            name: name.to_owned(),
            state: "ONLINE".to_owned(),
            recovery_model: None,
            data_bytes: None,
            files: 2,
            lineage: None,
            change: Change::Unchanged,
            no_logs: None,
            listed: false,
        }
    }

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
    fn an_enrolment_fails_anew_where_the_look_before_did_not_find_the_same() {
        let skipped = |class, name| Change::Skipped(Reason::new(class, name, "x"));
        let suspect = || skipped(Class::Human, "DatabaseNotOnline");
        let full = || skipped(Class::Human, "VaultFull");
        let refused = [Reason::new(Class::Human, "VaultFull", "x")];
        for (before, after, anew) in [
            (None, Change::New, false),
            (None, suspect(), true),
            (Some(Change::New), suspect(), true),
            (Some(suspect()), suspect(), false),
            (Some(skipped(Class::Wait, "DatabaseNotOnline")), suspect(), true),
            (Some(full()), suspect(), true),
            (None, skipped(Class::Wait, "DatabaseNotOnline"), false),
            (None, skipped(Class::Never, "Excluded"), false),
            (None, full(), false),
        ] {
            let seen = |change| Seen { change, ..seen("orders") };
            let before = before.map(seen);
            let told = seen(after.clone()).fails_anew(before.as_ref(), &refused).is_some();
            assert_eq!(told, anew, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_is_refused_of_many_at_once_is_told_once() {
        let refused = |name| Reason::new(Class::Human, name, "x");
        let of_databases = Change::Skipped(refused("VaultFull"));
        let look = Look {
            shown: vec![("a".to_owned(), of_databases), ("b".to_owned(), Change::New)],
            // Nobody is left out because too many are gone.
            refused: vec![refused("VaultFull"), refused("TooManyGone")],
            ..Look::default()
        };
        let mut before = Looked::default();
        assert_eq!(refused_anew(&look, &before), [&refused("VaultFull")]);
        before.needs = vec![Reason::new(Class::Human, "VaultFull", "another number")];
        assert!(refused_anew(&look, &before).is_empty());
    }

    #[test]
    fn people_are_told_once_of_the_same_needs_and_again_of_others() {
        let need = |message: &str| Reason::new(Class::Human, "DatabaseNotOnline", message);
        let mut looked = Looked { instance: "a".to_owned(), ..Looked::default() };
        assert!(!looked.is_untold(), "nothing is wrong");
        looked.needs = vec![need("database x is SUSPECT")];
        assert!(looked.is_untold());
        looked.tell();
        assert!(!looked.is_untold());
        looked.needs.push(need("database y is SUSPECT"));
        assert!(looked.is_untold(), "another database");
        looked.tell();
        looked.trouble = Some(Reason::new(Class::Retry, "LoginFailed", "18456"));
        assert!(looked.is_untold());
        looked.tell();
        // The sentence of a failure may carry a time or a number: the same failure is told once.
        looked.trouble = Some(Reason::new(Class::Retry, "LoginFailed", "18456, state 5"));
        assert!(!looked.is_untold());
        looked.trouble = Some(Reason::new(Class::Human, "LookFailed", "Human: LoginFailed: 18456"));
        assert!(looked.is_untold(), "another");
        looked.tell();
        looked.trouble = Some(Reason::new(Class::Human, "LookFailed", "Human: LoginFailed: 18456, state 5"));
        assert!(!looked.is_untold());
        looked.trouble = Some(Reason::new(Class::Retry, "LookFailed", "Retry: HostUnreachable: timeout"));
        assert!(looked.is_untold(), "another cause");
        looked.tell();
        let needs = looked.needs.clone();
        looked.succeed(Timestamp::UNIX_EPOCH, needs.clone());
        assert!(!looked.is_untold(), "what they know of needs they know");
        looked.succeed(Timestamp::UNIX_EPOCH, Vec::new());
        assert!(!looked.is_untold(), "mended");
        looked.succeed(Timestamp::UNIX_EPOCH, needs);
        assert!(looked.is_untold(), "and there again");
        looked.tell();
        looked.fail(Reason::new(Class::Retry, "LookFailed", "Retry: HostUnreachable: timeout"));
        assert!(looked.is_untold(), "so is a failure after a look that succeeded");
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
