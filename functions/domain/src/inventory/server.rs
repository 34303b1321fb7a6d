//! Is the server behind an instance's name still the one that it was?
//!
//! Whoever restores an instance from a snapshot or to a moment and gives it the name of the one before has another server there: its task list
//! begins anew, it copies logs nowhere, and its databases go on from the snapshot with the guids of the others.

use jiff::Timestamp;

use super::Instance;
use crate::facts::InstanceFacts;

impl Instance {
    /// Takes in what the control plane says. `true`: the name is another server's than when it was last asked, and what was known of that one is
    /// forgotten. Where it tells no `DbiResourceId` nothing speaks against the server being the same.
    pub fn learn(&mut self, mut facts: InstanceFacts, now: Timestamp) -> bool {
        let known = self.facts.as_ref().and_then(|(_, known)| known.resource_id.clone());
        facts.resource_id = facts.resource_id.or_else(|| known.clone());
        let is_another = known.is_some_and(|known| facts.resource_id != Some(known));
        if is_another {
            self.server = self.server.saturating_add(1);
            self.tasks_from = 1;
            self.log_copy_target = None;
            self.bytes_per_second = None;
        }
        self.facts = Some((now, facts));
        is_another
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{MultiAz, OptionState};

    fn told(resource_id: Option<&str>) -> InstanceFacts {
        InstanceFacts {
            name: "sales".to_owned(),
            arn: "arn:aws:rds:eu-west-1:111122223333:db:sales".to_owned(),
            status: "available".to_owned(),
            engine: "sqlserver-se".to_owned(),
            engine_version: "16.00.4215.2.v1".to_owned(),
            multi_az: MultiAz::SingleAz,
            backup_window: None,
            maintenance_window: None,
            retention_days: 7,
            backup_option: OptionState::Enabled,
            storage_encrypted: false,
            read_replica: false,
            resource_id: resource_id.map(str::to_owned),
        }
    }

    #[test]
    fn a_server_is_another_where_the_control_plane_says_so() {
        let mut instance = Instance::new("sales", ("h", 1433), "arn:secret", Timestamp::UNIX_EPOCH);
        for (resource_id, is_another, server) in [
            (None, false, 0),
            (Some("db-A"), false, 0),
            (Some("db-A"), false, 0),
            (None, false, 0),
            (Some("db-B"), true, 1),
            (None, false, 1),
            (Some("db-B"), false, 1),
            (Some("db-A"), true, 2),
        ] {
            (instance.tasks_from, instance.log_copy_target) = (70, Some("arn:aws:s3:::logs".to_owned()));
            assert_eq!(
                instance.learn(told(resource_id), Timestamp::UNIX_EPOCH),
                is_another,
                "{resource_id:?}"
            );
            let from = if is_another { 1 } else { 70 };
            assert_eq!((instance.server, instance.tasks_from), (server, from), "{resource_id:?}");
            assert_eq!(instance.log_copy_target.is_none(), is_another);
        }
    }
}
