//! Which names of databases are one and the same to RDS?
//!
//! "Two databases that differ only by case or accent are not allowed", though the server tells them apart by accent. Source: RDS
//! user guide, "Troubleshooting" of native backups; which letters that are is Unicode's: those that decompose into a Latin letter
//! and marks.

use crate::{instance::state::Instance, sql::tables::databases::system_id};

/// Letters by the letter that they are with a mark.
const MARKED: &[(char, &str)] = &[
    ('a', "àáâãäåāăą"),
    ('c', "çćĉċč"),
    ('d', "ď"),
    ('e', "èéêëēĕėęě"),
    ('g', "ĝğġģ"),
    ('h', "ĥ"),
    ('i', "ìíîïĩīĭį"),
    ('j', "ĵ"),
    ('k', "ķ"),
    ('l', "ĺļľ"),
    ('n', "ñńņň"),
    ('o', "òóôõöōŏő"),
    ('r', "ŕŗř"),
    ('s', "śŝşšș"),
    ('t', "ţťț"),
    ('u', "ùúûüũūŭůűų"),
    ('w', "ŵ"),
    ('y', "ýÿŷ"),
    ('z', "źżž"),
];

/// A name without case and accents.
fn plain(name: &str) -> String {
    let is_mark = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    let unmarked = |c| MARKED.iter().find(|(_, marked)| marked.contains(c)).map_or(c, |(letter, _)| *letter);
    name.trim_end().to_lowercase().chars().filter(|c| !is_mark(c)).map(unmarked).collect()
}

/// Whether two names differ only by case or accent.
pub(crate) fn alike(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// What a name that is taken is refused with.
pub(crate) fn taken(name: &str) -> String {
    format!(
        "Database '{name}' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name."
    )
}

impl Instance {
    /// Whether a database, of the system, of a user or being restored, keeps another from having this name.
    pub(crate) fn has_name_like(&self, name: &str) -> bool {
        let mut held = self.databases.keys().chain(self.restoring.keys());
        system_id(&plain(name)).is_some() || held.any(|held| alike(held, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_make_no_other_name() {
        for (one, other, same) in [
            ("Cafe", "CAFÉ", true),
            ("cafe\u{301}", "Café", true),
            ("Łódź", "łodz", true),
            ("Łódź", "Lodz", false),
            ("Orders", "orders ", true),
            ("Orders", "Order", false),
            ("Größe", "Große", true),
        ] {
            assert_eq!(alike(one, other), same, "{one} {other}");
        }
    }
}
