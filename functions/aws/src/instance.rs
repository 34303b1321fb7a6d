//! Instances, asked of the RDS API.
//!
//! The option for native backup and restore lives in an option group: the instance names its groups, each membership with a
//! status, and the group names its options. RDS API reference, data types
//! `DBInstance`, `OptionGroupMembership`, `OptionGroup`, read 2026-11.

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::operation::describe_db_instances::DescribeDBInstancesError;
use aws_sdk_rds::operation::describe_option_groups::DescribeOptionGroupsError;
use aws_sdk_rds::types::{DbInstance, OptionGroup};
use domain::facts::{InstanceFacts, MultiAz, OptionState};
use ports::Fault;
use ports::cloud::DescribeInstance;

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the ports of this adapter, those in `listing.rs`, `happened.rs` and `snapshot.rs` among them.
pub const ACTIONS: &[Capability] = &[
    Capability {
        port: "DescribeInstance",
        actions: &["rds:DescribeDBInstances", "rds:DescribeOptionGroups"],
    },
    Capability { port: "ListInstances", actions: &["rds:DescribeDBInstances"] },
    Capability { port: "ListEvents", actions: &["rds:DescribeEvents"] },
    Capability { port: "DescribeSnapshot", actions: &["rds:DescribeDBSnapshots"] },
];

/// The option that allows native backup and restore.
pub const BACKUP_OPTION: &str = "SQLSERVER_BACKUP_RESTORE";

/// Pages of one option group that are read. Policy: a group of SQL Server has half a dozen options.
const GROUP_PAGES_MAX: u32 = 5;

/// The RDS control plane of one Region.
#[derive(Debug, Clone)]
pub struct Rds {
    client: Client,
}

impl Rds {
    /// RDS as the configuration reaches it.
    pub fn new(config: &SdkConfig) -> Self {
        let settings = aws_sdk_rds::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()) }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    async fn instance(&self, name: &str) -> Result<DbInstance, Fault> {
        let missing =
            || refused("InstanceNotFound", format!("RDS has no instance {name} in this account and Region"));
        let answer = self.client.describe_db_instances().db_instance_identifier(name).send().await.map_err(
            |error| match error.as_service_error() {
                Some(DescribeDBInstancesError::DbInstanceNotFoundFault(_)) => missing(),
                _ => fault::of(&format!("DescribeDBInstances {name}"), Effect::Read, &error),
            },
        )?;
        let found = answer.db_instances.unwrap_or_default().into_iter().next().ok_or_else(missing)?;
        // RDS keeps identifiers in lower case and finds them in any.
        match found.db_instance_identifier() {
            Some(other) if !other.eq_ignore_ascii_case(name) => Err(refused(
                "InstanceUnreadable",
                format!("RDS was asked about instance {name} and answered about another"),
            )),
            _ => Ok(found),
        }
    }

    /// Whether an option group holds the option for native backup and restore. A group that is gone holds none. One that is asked for by name
    /// comes alone, and nobody promises that it comes on one page.
    async fn has_backup_option(&self, group: &str) -> Result<bool, Fault> {
        let what = format!("DescribeOptionGroups {group}");
        let mut after: Option<String> = None;
        for _ in 0..GROUP_PAGES_MAX {
            let asked = self.client.describe_option_groups().option_group_name(group);
            let answer = match asked.set_marker(after.clone()).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    return match error.as_service_error() {
                        Some(DescribeOptionGroupsError::OptionGroupNotFoundFault(_)) => Ok(false),
                        _ => Err(fault::of(&what, Effect::Read, &error)),
                    };
                }
            };
            let options = answer.option_groups_list().iter().flat_map(OptionGroup::options);
            if options.filter_map(|option| option.option_name()).any(|name| name == BACKUP_OPTION) {
                return Ok(true);
            }
            match said(answer.marker()) {
                None => return Ok(false),
                next => after = next.map(str::to_owned),
            }
        }
        Err(refused("ListingUnreadable", format!("{what}: more than {GROUP_PAGES_MAX} pages of one group")))
    }

    /// State of the option over all memberships: while one group replaces another, both are listed.
    async fn backup_option(&self, instance: &DbInstance) -> Result<OptionState, Fault> {
        let mut state = OptionState::Missing;
        for membership in instance.option_group_memberships() {
            let Some(group) = membership.option_group_name() else { continue };
            if !self.has_backup_option(group).await? {
                continue;
            }
            match option_state(membership.status().unwrap_or_default()) {
                OptionState::Enabled => return Ok(OptionState::Enabled),
                OptionState::Applying => state = OptionState::Applying,
                OptionState::Missing => {}
            }
        }
        Ok(state)
    }
}

/// Reads the status of a membership whose group holds the option: `in-sync`, `pending-apply`, `pending-removal`,
/// `pending-maintenance-apply`, `pending-maintenance-removal`, `applying`, `removing`, `failed`.
fn option_state(status: &str) -> OptionState {
    match status {
        "in-sync" => OptionState::Enabled,
        "failed" => OptionState::Missing,
        _ => OptionState::Applying,
    }
}

impl DescribeInstance for Rds {
    async fn describe_instance(&self, name: &str) -> Result<InstanceFacts, Fault> {
        let instance = self.instance(name).await?;
        let option = self.backup_option(&instance).await?;
        facts(&instance, option).map_err(|what| {
            refused("InstanceUnreadable", format!("RDS describes instance {name} with {what}"))
        })
    }
}

fn facts(instance: &DbInstance, backup_option: OptionState) -> Result<InstanceFacts, String> {
    let text = |what: &str, value: Option<&str>| value.map(str::to_owned).ok_or_else(|| format!("no {what}"));
    let window = |what: &str, value: &str| format!("the {what} window {value:?}");
    let backup_window = match said(instance.preferred_backup_window()) {
        Some(value) => Some(value.parse().map_err(|_| window("backup", value))?),
        None => None,
    };
    let maintenance_window = match said(instance.preferred_maintenance_window()) {
        Some(value) => Some(value.parse().map_err(|_| window("maintenance", value))?),
        None => None,
    };
    let retention_days = instance.backup_retention_period().unwrap_or_default();
    Ok(InstanceFacts {
        name: text("identifier", instance.db_instance_identifier())?,
        arn: text("ARN", instance.db_instance_arn())?,
        status: text("status", instance.db_instance_status())?,
        engine: text("engine", instance.engine())?,
        engine_version: text("engine version", instance.engine_version())?,
        // The API tells that there is a standby and not by which technique.
        multi_az: if instance.multi_az() == Some(true) { MultiAz::Unspecified } else { MultiAz::SingleAz },
        backup_window,
        maintenance_window,
        retention_days: u16::try_from(retention_days)
            .map_err(|_| format!("retention of {retention_days} days"))?,
        backup_option,
        storage_encrypted: instance.storage_encrypted() == Some(true),
        read_replica: said(instance.read_replica_source_db_instance_identifier()).is_some(),
        resource_id: said(instance.dbi_resource_id()).map(str::to_owned),
    })
}

/// A text, unless it is empty: the API leaves out what it has nothing to say about, and some servers send it empty.
pub(crate) fn said(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> aws_sdk_rds::types::builders::DbInstanceBuilder {
        DbInstance::builder()
            .db_instance_identifier("sales")
            .db_instance_arn("arn:aws:rds:eu-west-1:123456789012:db:sales")
            .db_instance_status("available")
            .engine("sqlserver-se")
            .engine_version("16.00.4215.2.v1")
            .backup_retention_period(7)
    }

    #[test]
    fn an_instance_is_read_as_told() {
        let plain = facts(&described().build(), OptionState::Missing).unwrap();
        assert_eq!(
            (plain.multi_az, plain.backup_window, plain.read_replica),
            (MultiAz::SingleAz, None, false)
        );
        assert_eq!((plain.retention_days, plain.storage_encrypted), (7, false));
        let rich = described()
            .preferred_backup_window("03:00-03:30")
            .preferred_maintenance_window("sun:04:00-sun:04:30")
            .multi_az(true)
            .storage_encrypted(true)
            .read_replica_source_db_instance_identifier("primary");
        let rich = facts(&rich.build(), OptionState::Enabled).unwrap();
        assert_eq!(rich.backup_window, Some("03:00-03:30".parse().unwrap()));
        assert_eq!(rich.maintenance_window, Some("sun:04:00-sun:04:30".parse().unwrap()));
        assert_eq!(
            (rich.multi_az, rich.storage_encrypted, rich.read_replica),
            (MultiAz::Unspecified, true, true)
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (instance, said) in [
            (DbInstance::builder(), "no identifier"),
            (described().preferred_backup_window("3-4"), "the backup window \"3-4\""),
            (described().preferred_maintenance_window("x"), "the maintenance window \"x\""),
            (described().backup_retention_period(-1), "retention of -1 days"),
        ] {
            assert_eq!(facts(&instance.build(), OptionState::Enabled).unwrap_err(), said);
        }
    }

    #[test]
    fn a_membership_counts_once_it_is_in_sync() {
        for (status, state) in [
            ("in-sync", OptionState::Enabled),
            ("pending-apply", OptionState::Applying),
            ("applying", OptionState::Applying),
            ("pending-maintenance-removal", OptionState::Applying),
            ("removing", OptionState::Applying),
            ("", OptionState::Applying),
            ("failed", OptionState::Missing),
        ] {
            assert_eq!(option_state(status), state, "{status}");
        }
    }
}
