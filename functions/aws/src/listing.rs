//! Instances, listed by the RDS API.
//!
//! RDS API reference, `DescribeDBInstances`: pages of at most 100, `Marker` leads to the next; tags and the secret of the master
//! user come along. An instance that is being created has no endpoint yet. Read 2026-11.

use aws_sdk_rds::types::DbInstance;
use ports::Fault;
use ports::cloud::{ListInstances, ListedInstance, ListedInstances};

use crate::Rds;
use crate::fault::{self, Effect, refused};
use crate::instance::said;

/// Instances of one page: as many as RDS gives.
const PAGE_INSTANCES: i32 = 100;

/// How the engines begin that have the procedures for native backup. RDS Custom (`custom-sqlserver-ee`) has none.
const ENGINE_PREFIX: &str = "sqlserver-";

impl ListInstances for Rds {
    async fn list_instances(&self, after: Option<&str>) -> Result<ListedInstances, Fault> {
        let asked = self.client().describe_db_instances().max_records(PAGE_INSTANCES);
        let answer = asked
            .set_marker(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| fault::of("DescribeDBInstances", Effect::Read, &error))?;
        let after = match said(answer.marker()) {
            // Whoever follows it would never come to an end.
            next @ Some(_) if next == after => {
                return Err(refused(
                    "ListingUnreadable",
                    "DescribeDBInstances: the page leads to itself".to_owned(),
                ));
            }
            next => next.map(str::to_owned),
        };
        let ours = answer.db_instances().iter().filter(|instance| {
            // One without an engine is read, so that it is named.
            instance.engine().is_none_or(|engine| engine.starts_with(ENGINE_PREFIX))
        });
        let instances = ours.map(listed).collect::<Result<_, _>>().map_err(|what| {
            refused("ListingUnreadable", format!("DescribeDBInstances: an instance with {what}"))
        })?;
        Ok(ListedInstances { instances, after })
    }
}

fn listed(instance: &DbInstance) -> Result<ListedInstance, String> {
    let text =
        |what: &str, value: Option<&str>| said(value).map(str::to_owned).ok_or_else(|| format!("no {what}"));
    let endpoint = match instance.endpoint() {
        Some(endpoint) => match (said(endpoint.address()), endpoint.port()) {
            (Some(host), Some(port)) => {
                let port = u16::try_from(port).map_err(|_| format!("port {port}"))?;
                Some((host.to_owned(), port))
            }
            _ => None,
        },
        None => None,
    };
    let tags = instance.tag_list().iter().filter_map(|tag| {
        let value = tag.value().unwrap_or_default();
        tag.key().map(|key| (key.to_owned(), value.to_owned()))
    });
    let secret = instance.master_user_secret().and_then(|secret| said(secret.secret_arn()));
    Ok(ListedInstance {
        name: text("identifier", instance.db_instance_identifier())?,
        arn: text("ARN", instance.db_instance_arn())?,
        status: text("status", instance.db_instance_status())?,
        engine: text("engine", instance.engine())?,
        endpoint,
        master_secret_arn: secret.map(str::to_owned),
        read_replica: said(instance.read_replica_source_db_instance_identifier()).is_some(),
        tags: tags.collect(),
    })
}
