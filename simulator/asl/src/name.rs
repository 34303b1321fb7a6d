//! May an execution, or a machine, be called this? Source: `StartExecution` in the Step Functions API reference, and
//! developer guide, "Step Functions service quotas", read 2026-11.

use crate::quotas::NAME_CHARS_MAX;

/// Checks a name of 1 to 80 characters without white space, brackets, wildcards, special and control characters.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX {
        return Err(format!("the name has {length} characters, 1 to {NAME_CHARS_MAX} are allowed"));
    }
    let banned = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    match name.chars().find(|c| banned(*c)) {
        Some(c) => Err(format!("the name holds {c:?}, which is not allowed")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_table() {
        let long = "x".repeat(80);
        let longer = "x".repeat(81);
        let table = [
            ("instance-a-17", true),
            ("a.b_c-d", true),
            ("grüße", true),
            (long.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a b", false),
            ("a:b", false),
            ("a/b", false),
            ("a*", false),
            ("a\u{7f}", false),
            ("a\u{85}", false),
        ];
        for (name, good) in table {
            assert_eq!(check(name).is_ok(), good, "{name:?}");
        }
    }
}
