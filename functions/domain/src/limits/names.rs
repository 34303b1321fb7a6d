//! Which databases may be protected, by their names, numbers and sizes?
//!
//! Sources: RDS user guide, limits of RDS for SQL Server (names); Azure Backup, "Back up multiple SQL Server VMs from the
//! Recovery Services vault" (naming guidelines, 50 databases in one job) and its support matrix.

use std::collections::BTreeMap;

use super::{Name, Profile};
use crate::reason::{Class, Reason};

/// A database that somebody wants protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Server it is on.
    pub server: &'a str,
    /// Name.
    pub name: &'a str,
    /// Files it has; `None` where unknown.
    pub files: Option<u64>,
    /// Its size; `None` where unknown.
    pub bytes: Option<u64>,
}

/// How it came to be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Somebody named it.
    Choice,
    /// Auto-protection found it: takes any number, and names that a choice does not.
    AutoProtection,
}

/// What a name may not be on RDS, where it holds for every database.
fn name_fault_on_rds(name: &str) -> Option<&'static str> {
    if name.to_ascii_lowercase().starts_with("rdsadmin") {
        return Some("begins with rdsadmin");
    }
    if name.starts_with([' ', '\t']) || name.ends_with([' ', '\t']) {
        return Some("begins or ends with a space or a tab");
    }
    if name.contains(['\n', '\r']) {
        return Some("holds a line break");
    }
    name.contains('\'').then_some("holds a single quote")
}

/// What a name may not be for Azure Backup.
fn name_fault_on_azure(name: &str, by: By) -> Option<&'static str> {
    if name.starts_with(' ') || name.ends_with(' ') {
        return Some("begins or ends with a space");
    }
    if name.ends_with('!') {
        return Some("ends with an exclamation mark");
    }
    if name.contains([']', ';', '/']) {
        return Some("holds one of ] ; /");
    }
    let special = by == By::Choice && name.contains(['+', '&']);
    special.then_some("holds + or &, which only auto-protection takes")
}

/// Everything that stands against protecting these databases. `already`: how many the vault protects.
pub fn findings(profile: Profile, wishes: &[Wish<'_>], already: u64, by: By) -> Vec<Reason> {
    let mut findings = Vec::new();
    let mut refuse = |name, message| findings.push(Reason::new(Class::Human, name, message));
    for wish in wishes {
        let fault = match profile {
            Profile::AzureVm => name_fault_on_azure(wish.name, by),
            profile if profile.is_rds() => name_fault_on_rds(wish.name),
            _ => None,
        };
        if let Some(fault) = fault {
            refuse("NameNotSupported", format!("database {:?} {fault}", wish.name));
        }
        for (limit, value, what) in [
            (Name::FilesPerDatabase, wish.files, "files"),
            (Name::DatabaseBytes, wish.bytes, "bytes"),
            (Name::BackupBytes, wish.bytes, "bytes"),
        ] {
            if let (Some(limit), Some(value)) = (profile.value(limit), value)
                && value > limit
            {
                refuse(
                    "DatabaseTooLarge",
                    format!("database {:?} has {value} {what}, the limit is {limit}", wish.name),
                );
            }
        }
    }
    if profile == Profile::AzureVm {
        let mut seen: BTreeMap<(&str, String), &str> = BTreeMap::new();
        for wish in wishes {
            let before = seen.insert((wish.server, wish.name.to_lowercase()), wish.name);
            if let Some(before) = before.filter(|before| *before != wish.name) {
                refuse(
                    "NamesDifferByCase",
                    format!("{before:?} and {:?} on {} differ by case only", wish.name, wish.server),
                );
            }
        }
    }
    let count = u64::try_from(wishes.len()).unwrap_or(u64::MAX);
    if let Some(limit) =
        profile.value(Name::DatabasesPerChange).filter(|limit| by == By::Choice && count > *limit)
    {
        refuse(
            "TooManyDatabases",
            format!(
                "{count} databases in one change, the limit is {limit}: split it, or use auto-protection"
            ),
        );
    }
    let all = count.saturating_add(already);
    if let Some(limit) = profile.value(Name::DatabasesPerVault).filter(|limit| all > *limit) {
        refuse(
            "VaultFull",
            format!("the vault would protect {all} databases, the limit is {limit}: use another vault"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Wish<'_> {
        Wish { server: "vm", name, files: Some(2), bytes: Some(1 << 30) }
    }

    fn said(profile: Profile, wishes: &[Wish<'_>], already: u64, by: By) -> String {
        let findings = findings(profile, wishes, already, by);
        findings.iter().map(|finding| finding.name.as_ref()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_refused_where_the_documents_do() {
        for (name, rds, azure_choice, azure_auto) in [
            ("orders", false, false, false),
            ("rdsadmin_x", true, false, false),
            (" orders", true, true, true),
            ("orders ", true, true, true),
            ("or'ders", true, false, false),
            ("or\nders", true, false, false),
            ("orders!", false, true, true),
            ("or!ders", false, false, false),
            ("a]b", false, true, true),
            ("a;b", false, true, true),
            ("a/b", false, true, true),
            ("a+b", false, true, false),
            ("a&b", false, true, false),
        ] {
            let refused = |profile, by| !said(profile, &[named(name)], 0, by).is_empty();
            assert_eq!(refused(Profile::Rds, By::Choice), rds, "{name:?} on RDS");
            assert_eq!(refused(Profile::AzureVm, By::Choice), azure_choice, "{name:?} by choice");
            assert_eq!(
                refused(Profile::AzureVm, By::AutoProtection),
                azure_auto,
                "{name:?} by auto-protection"
            );
            assert!(!refused(Profile::Url, By::Choice), "{name:?}");
        }
    }

    #[test]
    fn numbers_and_sizes_end_at_their_limits() {
        let many = |count: usize| vec![named("d"); count];
        let azure = |wishes: &[Wish<'_>], already, by| said(Profile::AzureVm, wishes, already, by);
        assert_eq!(azure(&many(50), 1_950, By::Choice), "");
        assert_eq!(azure(&many(51), 0, By::Choice), "TooManyDatabases");
        assert_eq!(azure(&many(51), 0, By::AutoProtection), "");
        assert_eq!(azure(&many(50), 1_951, By::Choice), "VaultFull");
        assert_eq!(azure(&[named("Orders"), named("orders")], 0, By::Choice), "NamesDifferByCase");
        let wish = |files, bytes| Wish { files, bytes, ..named("d") };
        assert_eq!(azure(&[wish(Some(1_000), Some(6 << 40))], 0, By::Choice), "");
        assert_eq!(azure(&[wish(Some(1_001), None)], 0, By::Choice), "DatabaseTooLarge");
        assert_eq!(azure(&[wish(None, Some((6 << 40) + 1))], 0, By::Choice), "DatabaseTooLarge");
        let tb = [wish(None, Some(1_000_000_000_001))];
        assert_eq!(said(Profile::Rds2019, &tb, 0, By::Choice), "DatabaseTooLarge");
        assert_eq!(said(Profile::Rds, &tb, 0, By::Choice), "");
    }
}
