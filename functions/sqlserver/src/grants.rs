//! What must the login be granted? The objects of msdb that this adapter uses and a right of the server, once; the script that grants
//! them.
//!
//! RDS does not carry permissions in msdb over to the standby, so after a failover every login but the master user is denied
//! what it could do before. Source: RDS user guide, "Multi-AZ deployments for RDS for SQL Server", limitations; "Using native backup
//! and restore", permissions (`GRANT EXECUTE` on the procedures, `GRANT SELECT` on `rds_fn_task_status`); Microsoft Learn, GRANT.
//! Log copies also want `db_owner` in each database ("Access to transaction log backups", "Setting up"), which is a database's own and
//! fails over with it. Which rights `rds_show_configuration` and `rds_set_configuration` of rdsadmin want, no source says.

use std::fmt::Write as _;

use domain::reason::Reason;
use ports::Fault;

/// Objects of msdb, in its schema `dbo`, and the right that is needed on each.
pub const GRANTS: [(&str, &str); 7] = [
    ("EXECUTE", "rds_backup_database"),
    ("EXECUTE", "rds_tlog_backup_copy_to_S3"),
    ("EXECUTE", "rds_tlog_copy_setup"),
    ("EXECUTE", "rds_cancel_task"),
    ("SELECT", "rds_fn_task_status"),
    ("SELECT", "rds_fn_list_tlog_backup_metadata"),
    ("SELECT", "backupset"),
];

/// Right of the server without which `sys.master_files` leaves out the rows of databases (Microsoft Learn, `sys.master_files`,
/// "Permissions"): their differential bases, their sizes. The master user has it (RDS user guide, "Master user account privileges").
pub const OF_SERVER: &str = "VIEW ANY DEFINITION";

/// The T-SQL that grants everything to a login, for the master user to run. It may be run as often as one likes.
pub fn script(login: &str) -> String {
    let (name, text) = (login.replace(']', "]]"), login.replace('\'', "''"));
    // Rights of the server are granted in master alone (Microsoft Learn, "GRANT Server Permissions").
    let mut script = format!(
        "USE master;\nGRANT {OF_SERVER} TO [{name}];\nUSE msdb;\nIF DATABASE_PRINCIPAL_ID(N'{text}') IS NULL CREATE USER [{name}] FOR LOGIN [{name}];\n"
    );
    for (right, object) in GRANTS {
        // A String takes everything.
        let _ = writeln!(script, "GRANT {right} ON OBJECT::dbo.{object} TO [{name}];");
    }
    script
}

/// Tells a denied login what it needs, all of it: after a failover the next object would be denied next.
pub(crate) fn explained(fault: Fault, login: &str) -> Fault {
    match fault {
        Fault::Refused(reason) if is_denied(&reason) => {
            let guidance = format!(
                "grants in msdb are not replicated: on the new primary after a failover they are gone. As the master \
                 user: {}",
                script(login).trim_end().replace('\n', " ")
            );
            Fault::Refused(reason.guidance(guidance))
        }
        fault => fault,
    }
}

/// Denied in msdb; what is denied elsewhere no grant in msdb mends.
fn is_denied(reason: &Reason) -> bool {
    ["ExecuteDenied", "PermissionDenied"].contains(&reason.name.as_ref()) && reason.message.contains("msdb")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use domain::reason::Class;

    use super::*;

    /// The documented script is this one, for a login called bakproof.
    #[test]
    fn the_documented_script_grants_the_same() {
        let documented = include_str!("../queries/grants.sql");
        let statements: Vec<_> =
            documented.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect();
        assert_eq!(statements, script("bakproof").lines().collect::<Vec<_>>());
    }

    /// Names in quotes that begin with msdb, in what is not test, script for people or import of this crate.
    fn used(text: &str) -> impl Iterator<Item = &str> {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        code.split("\"msdb.dbo.").skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn what_the_adapter_uses_is_granted_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut seen = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("grants.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for object in used(&text) {
                    // Called by name is a procedure, read as a table everything else.
                    let call = format!("Command::new(\"msdb.dbo.{object}\")");
                    let right = if text.contains(&call) { "EXECUTE" } else { "SELECT" };
                    seen.insert((right.to_owned(), object.to_owned()));
                }
            }
        }
        let granted: BTreeSet<_> =
            GRANTS.iter().map(|(right, object)| ((*right).to_owned(), (*object).to_owned())).collect();
        assert_eq!(seen, granted, "on the left what is used, on the right what GRANTS lists");
    }

    #[test]
    fn a_login_is_quoted_whatever_it_is_called() {
        let script = script("o'brien]; DROP DATABASE x");
        assert!(script.contains("(N'o''brien]; DROP DATABASE x')"), "{script}");
        assert_eq!(
            script.matches(" TO [o'brien]]; DROP DATABASE x];\n").count(),
            1 + GRANTS.len(),
            "{script}"
        );
    }

    #[test]
    fn only_a_denial_gets_the_script() {
        for (name, message, expected) in [
            ("ExecuteDenied", "denied on the object 'rds_backup_database', database 'msdb'", true),
            ("PermissionDenied", "not able to access the database \"msdb\"", true),
            ("ExecuteDenied", "denied on the object 'sp_getapplock', database 'mssqlsystemresource'", false),
            ("ServerRefused", "msdb is tired", false),
        ] {
            let refused = Fault::Refused(Reason::new(Class::Human, name, message).guidance("g"));
            let Fault::Refused(reason) = explained(refused, "backup") else { panic!("a refusal") };
            let of_server = format!("USE master; GRANT {OF_SERVER} TO [backup]; USE msdb;");
            let granted = GRANTS.iter().all(|(right, object)| {
                reason.guidance.contains(&format!("GRANT {right} ON OBJECT::dbo.{object} TO [backup];"))
            }) && reason.guidance.contains(&of_server);
            assert_eq!(
                (granted, reason.guidance == "g"),
                (expected, !expected),
                "{name}: {}",
                reason.guidance
            );
        }
        let lost = Fault::Transient("lost".to_owned());
        assert_eq!(explained(lost.clone(), "backup"), lost);
    }
}
