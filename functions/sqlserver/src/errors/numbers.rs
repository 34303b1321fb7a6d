//! What does an error number say by itself? The numbers of SQL Server that mean the same whatever the text.
//!
//! Source: `sys.messages`, as Microsoft Learn lists it ("Database engine events and errors"; troubleshooting of
//! availability groups).

use domain::reason::{Class, Reason};

use super::short;

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
    Some(Reason::new(Class::Human, name, format!("error {number}: {}", short(text))).guidance(
        "give the login the right that the text names; every login has those of sys and master unless somebody took them away",
    ))
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
    fn a_denial_is_told_by_its_number() {
        for (number, text, expected) in [
            (
                229,
                "The EXECUTE permission was denied on the object 'p', database 'msdb'",
                Some("ExecuteDenied"),
            ),
            (229, "The EXECUTE permission was denied on the object 'sp_getapplock'", Some("ExecuteDenied")),
            (229, "The SELECT permission was denied on the object 'backupset'", Some("PermissionDenied")),
            (
                916,
                "The server principal is not able to access the database \"msdb\"",
                Some("PermissionDenied"),
            ),
            (50_000, "EXECUTE permission", None),
        ] {
            let name = permission(number, text).map(|reason| reason.name);
            assert_eq!(name.as_deref(), expected, "{text}");
        }
    }
}
