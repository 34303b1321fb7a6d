//! What does an error number say by itself? The numbers of SQL Server that mean the same whatever the text.
//!
//! Source: `sys.messages`, as Microsoft Learn lists it ("Database engine events and errors"; troubleshooting of
//! availability groups).

use domain::reason::{Class, Reason};

use super::short;

/// Logins that stay refused until a person acts: 4060 and 4064 cannot open the database, 18456 wrong user or password,
/// 18452 untrusted domain, 18470 disabled, 18486 locked out, 18487 and 18488 password expired.
pub(super) fn is_login_refusal(number: u32) -> bool {
    matches!(number, 4_060 | 4_064 | 18_452 | 18_456 | 18_470 | 18_486..=18_488)
}

/// States that pass by themselves: a deadlock (1205), a lock that was not free in time (1222), memory (701, 802, 8645,
/// 8651), a database in recovery, in restore or changing roles (922, 927, 952, 954, 976, 979, 983, 988, 1219), a server
/// that starts, pauses or shuts down (596, 6005, 10054, 17142, 17147, 17148, 17187, 17188, 18401).
pub(super) fn is_passing(number: u32) -> bool {
    const PASSING: [u32; 24] = [
        596, 701, 802, 922, 927, 952, 954, 976, 979, 983, 988, 1_205, 1_219, 1_222, 6_005, 8_645, 8_651,
        10_054, 17_142, 17_147, 17_148, 17_187, 17_188, 18_401,
    ];
    PASSING.binary_search(&number).is_ok()
}

/// 208 no such object, 2812 no such procedure, 4121 no such function.
pub(super) fn is_missing_object(number: u32) -> bool {
    matches!(number, 208 | 2_812 | 4_121)
}

/// A permission that the login lacks: 229 on an object, 230 on a column, 262 in a database, 297 and 300 on the server, 916
/// no access to the database.
pub(super) fn permission(number: u32, text: &str) -> Option<Reason> {
    if !matches!(number, 229 | 230 | 262 | 297 | 300 | 916) {
        return None;
    }
    let name = match (number, text.contains("EXECUTE")) {
        (229, true) => "ExecuteDenied",
        _ => "PermissionDenied",
    };
    let object = text.split('\'').nth(1).filter(|object| is_identifier(object));
    let grant = match (name, object) {
        ("ExecuteDenied", Some(object)) => format!("GRANT EXECUTE ON dbo.{object} TO [login];"),
        (_, Some(object)) if number == 229 => format!("GRANT SELECT ON dbo.{object} TO [login];"),
        _ => "GRANT what the text names to the login;".to_owned(),
    };
    Some(Reason::new(Class::Human, name, format!("error {number}: {}", short(text))).guidance(format!(
        "as the master user: USE msdb; {grant} the login needs a user in msdb; grants in msdb are not replicated, so \
         repeat this on the new primary after a failover"
    )))
}

/// Whether the text is a plain identifier: guidance is pasted into query windows, so nothing else gets into it.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_its_search() {
        for number in [596, 983, 1_205, 6_005, 18_401] {
            assert!(is_passing(number), "{number}");
        }
        for number in [0, 229, 2_812, 18_456, 50_000] {
            assert!(!is_passing(number), "{number}");
        }
    }

    #[test]
    fn a_denied_procedure_comes_with_the_grant_that_mends_it() {
        let text = "The EXECUTE permission was denied on the object 'rds_backup_database', database 'msdb', schema 'dbo'.";
        let reason = permission(229, text).unwrap();
        assert_eq!(reason.name, "ExecuteDenied");
        assert!(
            reason.guidance.contains("GRANT EXECUTE ON dbo.rds_backup_database TO"),
            "{}",
            reason.guidance
        );
        let text =
            "The SELECT permission was denied on the object 'backupset', database 'msdb', schema 'dbo'.";
        let reason = permission(229, text).unwrap();
        assert_eq!(reason.name, "PermissionDenied");
        assert!(reason.guidance.contains("GRANT SELECT ON dbo.backupset TO"), "{}", reason.guidance);
    }

    #[test]
    fn guidance_holds_identifiers_only() {
        let reason =
            permission(229, "The EXECUTE permission was denied on the object 'x; DROP DATABASE y'.").unwrap();
        assert!(!reason.guidance.contains("DROP"), "{}", reason.guidance);
        assert_eq!(permission(50_000, "EXECUTE permission"), None);
    }
}
