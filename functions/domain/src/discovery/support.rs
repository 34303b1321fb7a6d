//! Which databases cannot be protected, and whose logs cannot be copied: each with its reason.
//!
//! Sources: RDS user guide, native backup and restore (FILESTREAM, `rdsadmin`), access to transaction log backups (system
//! databases, automated backups); Microsoft Learn, `sys.databases` (states); Azure Backup, support matrix (database snapshots).

use std::collections::BTreeMap;

use crate::admission::{SEE_FILES, files_not_visible};
use crate::facts::{DatabaseState, InstanceFacts, RecoveryModel};
use crate::limits::names::{self, By, Wish};
use crate::reason::{Class, Reason};

use super::Ground;

/// Databases of SQL Server and of the service.
const SYSTEM: [&str; 5] = ["master", "model", "msdb", "tempdb", "rdsadmin"];

/// Why a database is not enrolled, if it is not. `twin`: one whose name differs by case only and comes first.
pub fn skipped(ground: &Ground<'_>, state: &DatabaseState, twin: Option<&str>) -> Option<Reason> {
    let name = &state.name;
    let is_system = SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(name));
    let is_excluded = !is_system && !ground.settings.includes(name);
    let excluded = || {
        let message = format!("database {name:?} is not among those that discovery enrols");
        Reason::new(Class::Never, "Excluded", message)
    };
    is_excluded.then(excluded).or_else(|| unsupported(ground, state, twin))
}

/// Why a database cannot be protected, whoever wants it to be.
pub(super) fn unsupported(ground: &Ground<'_>, state: &DatabaseState, twin: Option<&str>) -> Option<Reason> {
    let name = state.name.as_str();
    let because =
        |class, reason, what: &str| Some(Reason::new(class, reason, format!("database {name:?} {what}")));
    if SYSTEM.iter().any(|system| system.eq_ignore_ascii_case(name)) {
        return because(Class::Never, "SystemDatabase", "is a system database");
    }
    if state.snapshot_of.is_some() {
        return because(Class::Never, "DatabaseSnapshot", "is a snapshot of a database");
    }
    let files = Some(state.files).filter(|_| files_not_visible(state).is_none());
    let wish = |name| Wish { server: ground.instance, name, files, bytes: state.data_bytes };
    let found = |wishes: &[Wish<'_>]| names::findings(ground.profile, wishes, 0, By::AutoProtection);
    let own = found(&[wish(name)]).into_iter().next();
    let both = || {
        let all = twin.map(|twin| found(&[wish(twin), wish(name)]));
        all.into_iter().flatten().find(|reason| reason.name == "NamesDifferByCase")
    };
    if let Some(reason) = own.or_else(both) {
        return Some(reason);
    }
    if ground.profile.is_rds() && state.filestream {
        return because(
            Class::Human,
            "FilestreamNotSupported",
            "has FILESTREAM data, which RDS cannot restore",
        );
    }
    match state.state.as_str() {
        "ONLINE" => None,
        state @ ("RESTORING" | "RECOVERING") => {
            because(Class::Wait, "DatabaseNotOnline", &format!("is {state}"))
        }
        state => because(Class::Human, "DatabaseNotOnline", &format!("is {state:?}")),
    }
}

/// That databases show none of their files: told of the instance, once, because one right mends all. They are enrolled all the same; fulls
/// and log copies need no file.
pub fn no_files(instance: &str, shown: &[DatabaseState]) -> Option<Reason> {
    let blind = shown.iter().filter(|state| files_not_visible(state).is_some()).count();
    (blind > 0).then(|| {
        let why = format!(
            "the login of {instance} sees no file of {blind} of {} databases: their differential bases and sizes are unknown",
            shown.len()
        );
        Reason::new(Class::Human, "FilesNotVisible", why).guidance(SEE_FILES)
    })
}

/// For each name that differs by case only from one before it: that one.
pub(super) fn twins(shown: &[DatabaseState]) -> BTreeMap<&str, &str> {
    let mut names: Vec<_> = shown.iter().map(|state| state.name.as_str()).collect();
    names.sort_unstable();
    let (mut first, mut twins) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        let before = *first.entry(name.to_lowercase()).or_insert(name);
        if before != name {
            twins.insert(name, before);
        }
    }
    twins
}

/// Whether logs of a database can be copied; it is protected by fulls and differentials either way.
///
/// # Errors
/// `NoLogsOnReplica`, `AutomatedBackupsOff`, `ReadOnlyDatabase`, `RecoveryModelNotFull` (RDS sets FULL again within five
/// minutes).
pub fn log_copies(facts: &InstanceFacts, state: &DatabaseState) -> Result<(), Reason> {
    let refuse = |class, name, what: &str| {
        Err(Reason::new(class, name, format!("logs of {:?} are not copied: {what}", state.name)))
    };
    if facts.read_replica {
        return refuse(Class::Never, "NoLogsOnReplica", "the instance is a read replica");
    }
    if facts.retention_days == 0 {
        return refuse(Class::Human, "AutomatedBackupsOff", "the instance keeps no automated backups");
    }
    if state.read_only {
        return refuse(Class::Never, "ReadOnlyDatabase", "the database is read-only");
    }
    match state.recovery_model {
        Some(RecoveryModel::Full) => Ok(()),
        Some(RecoveryModel::BulkLogged) => refuse(Class::Wait, "RecoveryModelNotFull", "BULK_LOGGED"),
        Some(RecoveryModel::Simple) => refuse(Class::Wait, "RecoveryModelNotFull", "SIMPLE"),
        None => refuse(Class::Human, "RecoveryModelNotFull", "a recovery model that is not known"),
    }
}
