//! The instance of a snapshot, asked of the RDS API.
//!
//! RDS API reference, `DescribeDBSnapshots` (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html>), read
//! 2026-11: one that is asked for by name comes alone; with the name of an automated one its type has to be told, without a type manual ones
//! are found too. Names are kept in small letters and found in any.

use ports::Fault;
use ports::cloud::DescribeSnapshot;

use crate::Rds;
use crate::fault::{self, Effect, refused};
use crate::instance::said;

/// How RDS says that there is no such snapshot.
const MISSING: [&str; 2] = ["DBSnapshotNotFound", "DBSnapshotNotFoundFault"];

/// Types of snapshots that a service names, by how it begins their names.
const TYPES: [(&str, &str); 2] = [("rds:", "automated"), ("awsbackup:", "awsbackup")];

impl DescribeSnapshot for Rds {
    async fn instance_of_snapshot(&self, snapshot: &str) -> Result<Option<String>, Fault> {
        let what = format!("DescribeDBSnapshots {snapshot}");
        let of_type =
            TYPES.iter().find(|(prefix, _)| snapshot.starts_with(prefix)).map(|(_, of_type)| *of_type);
        let asked = self.client().describe_db_snapshots().db_snapshot_identifier(snapshot);
        let answer = match asked.set_snapshot_type(of_type.map(str::to_owned)).send().await {
            Ok(answer) => answer,
            Err(error) if fault::code(&error).is_some_and(|code| MISSING.contains(&code)) => return Ok(None),
            Err(error) => return Err(fault::of(&what, Effect::Read, &error)),
        };
        let Some(found) = answer.db_snapshots().first() else { return Ok(None) };
        let unreadable = |why: &str| Err(refused("SnapshotUnreadable", format!("{what}: {why}")));
        match (said(found.db_snapshot_identifier()), said(found.db_instance_identifier())) {
            (Some(name), _) if !name.eq_ignore_ascii_case(snapshot) => {
                unreadable("the answer is about another")
            }
            (_, None) => unreadable("a snapshot without an instance"),
            (_, Some(instance)) => Ok(Some(instance.to_owned())),
        }
    }
}
