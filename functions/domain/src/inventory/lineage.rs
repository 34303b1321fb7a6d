//! Which database is this, whatever it is called?

use serde::{Deserialize, Serialize};

use crate::id::Guid;

/// A database's own identity: its name is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Original database.
    pub family_guid: Guid,
    /// Physical incarnation.
    pub database_guid: Guid,
    /// On which of the servers that had the instance's name, from 0. Storage that was restored from a snapshot shows the same guids on the same
    /// fork and goes on with logs of its own: a chain from one server to the other is none.
    #[serde(default, skip_serializing_if = "is_first")]
    pub server: u32,
}

/// Whether a server is the first of an instance's name. Records without one are of it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
pub(super) fn is_first(server: &u32) -> bool {
    *server == 0
}

impl Lineage {
    /// Both guids and the server, without regard to case: what two spellings of one lineage have in common.
    pub fn folded(&self) -> String {
        format!("{}#{}", self.family_guid.as_str().to_ascii_lowercase(), self.incarnation())
    }

    /// What tells it from others of its family, without regard to case: `database_guid`, and `~1` behind it on the second server.
    pub fn incarnation(&self) -> String {
        format!("{}{}", self.database_guid.as_str().to_ascii_lowercase(), self.mark())
    }

    /// As keys of records hold it: both guids as the server spells them, and the server behind them.
    pub(crate) fn key(&self) -> String {
        format!("{}#{}{}", self.family_guid, self.database_guid, self.mark())
    }

    /// What the server adds to both guids; nothing for the first.
    fn mark(&self) -> String {
        if is_first(&self.server) { String::new() } else { format!("~{}", self.server) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_another_server_is_another_and_records_of_the_first_are_as_they_were() {
        let on = |server| Lineage { family_guid: Guid::from("F"), database_guid: Guid::from("D"), server };
        assert_eq!(
            (on(0).folded(), on(0).incarnation(), on(0).mark()),
            ("f#d".to_owned(), "d".to_owned(), String::new())
        );
        assert_eq!(
            (on(2).folded(), on(2).incarnation(), on(2).mark()),
            ("f#d~2".to_owned(), "d~2".to_owned(), "~2".to_owned())
        );
        let text = serde_json::to_string(&on(0)).unwrap();
        assert_eq!(text, r#"{"family_guid":"F","database_guid":"D"}"#);
        for lineage in [on(0), on(2)] {
            let text = serde_json::to_string(&lineage).unwrap();
            assert_eq!(serde_json::from_str::<Lineage>(&text).unwrap(), lineage);
        }
    }
}
