//! From a scenario to a world and to the records that enrol it.

use domain::directory::{Listed, What};
use domain::facts::MultiAz;
use domain::inventory::{Database, Instance, Vault};
use domain::record::Record;
use jiff::SignedDuration;
use ports::store::Versioned;
use world::{BucketConfig, DatabaseConfig, InstanceConfig, Rhythm, World};

use super::SimulationError;
use crate::ports::cloud::{PORT, host};
use crate::scenario::{DatabaseSpec, InstanceSpec, RhythmSpec, Scenario, USER};
use crate::testbed::Testbed;

/// Account of everything in a scenario.
const ACCOUNT: &str = "123456789012";

/// How long databases have existed when a story begins: longer than RDS keeps log files, so that the list is full.
const AGE: SignedDuration = SignedDuration::from_hours(24 * 10);

fn refused(what: String) -> impl FnOnce(world::EngineError) -> SimulationError {
    move |error| SimulationError::Setup { what, why: error.to_string() }
}

pub(super) fn world(scenario: &Scenario, world: &mut World) -> Result<(), SimulationError> {
    for bucket in std::iter::once(&scenario.vault.bucket).chain(&scenario.vault.log_bucket) {
        world.add_bucket(BucketConfig::named(bucket, &scenario.vault.region, ACCOUNT));
    }
    for spec in &scenario.instances {
        world.add_instance(instance_config(spec));
        for database in &spec.databases {
            databases(scenario, spec, database, world)?;
        }
    }
    Ok(())
}

fn instance_config(spec: &InstanceSpec) -> InstanceConfig {
    let mut config = InstanceConfig::named(&spec.name, &spec.region, ACCOUNT);
    config.multi_az = match spec.multi_az {
        MultiAz::SingleAz => world::MultiAz::Single,
        MultiAz::Mirroring => world::MultiAz::Mirroring,
        MultiAz::AlwaysOn | MultiAz::Unspecified => world::MultiAz::AlwaysOn,
    };
    config.backup_window = spec.backup_window.to_string();
    config.maintenance_window = spec.maintenance_window.to_string();
    config.retention_days = u32::from(spec.retention_days);
    config.utc_offset_minutes = spec.utc_offset_minutes;
    config.throughput_bytes = spec.mib_per_second << 20;
    config.instance_class.clone_from(&spec.class);
    config.tags.clone_from(&spec.tags);
    config.master_secret_arn = Some(secret_arn(spec));
    config.allocated_storage_bytes = spec.storage_gib.map(|gib| gib << 30);
    (config.user, config.password) = (USER.to_owned(), spec.password());
    config
}

fn databases(
    scenario: &Scenario,
    instance: &InstanceSpec,
    spec: &DatabaseSpec,
    world: &mut World,
) -> Result<(), SimulationError> {
    for (name, size_bytes, rate_milli) in spec.each() {
        let mut config = DatabaseConfig::named(&name);
        config.size_bytes = size_bytes;
        config.transactions_per_minute_milli = rate_milli;
        config.log_bytes = spec.log_kib_per_transaction << 10;
        config.rhythm = match spec.rhythm {
            RhythmSpec::Flat => Rhythm::Flat,
            RhythmSpec::Office => Rhythm::Office,
        };
        config.created_at = scenario.start.checked_sub(AGE).ok();
        let what = format!("database {name} on {}", instance.name);
        if let Some(history) = &spec.history {
            let rows = super::import::headers(&scenario.folder.join(history), None)?;
            world.add_database_from_history(&instance.name, &config, &rows).map_err(refused(what))?;
        } else {
            world.add_database(&instance.name, &config).map_err(refused(what))?;
        }
    }
    Ok(())
}

fn secret_arn(spec: &InstanceSpec) -> String {
    format!("arn:aws:secretsmanager:{}:{ACCOUNT}:secret:bakproof/{}", spec.region, spec.name)
}

/// Enrols as a person would: policy and vault, then either what discovery selects, or instances and databases, one record each.
pub(super) fn records(scenario: &Scenario, bed: &Testbed) -> Result<(), SimulationError> {
    put(bed, scenario.policy.clone())?;
    list(scenario, bed, What::Policy, &scenario.policy.name)?;
    list(scenario, bed, What::Vault, &scenario.vault.name)?;
    put(
        bed,
        Vault {
            name: scenario.vault.name.clone(),
            bucket: scenario.vault.bucket.clone(),
            log_bucket: scenario.vault.log_bucket.clone(),
            prefix: scenario.vault.prefix.clone(),
            account: ACCOUNT.to_owned(),
            kms_key_arn: None,
            profile: scenario.vault.profile,
        },
    )?;
    if let Some(discovery) = &scenario.discovery {
        let settings = discovery.settings(scenario);
        list(scenario, bed, What::Discovery, &settings.name)?;
        put(bed, settings)?;
    }
    for spec in &scenario.instances {
        let arn = secret_arn(spec);
        bed.secrets().put(&arn, USER, &spec.password());
        if scenario.discovery.is_some() {
            continue;
        }
        list(scenario, bed, What::Instance, &spec.name)?;
        put(
            bed,
            Instance {
                policy: scenario.policy.name.clone(),
                vault: scenario.vault.name.clone(),
                ..Instance::new(&spec.name, (&host(&spec.name), PORT), &arn, scenario.start)
            },
        )?;
        for (name, ..) in spec.databases.iter().flat_map(DatabaseSpec::each) {
            put(bed, Database::new(&spec.name, &name))?;
        }
    }
    Ok(())
}

/// The line of the directory.
fn list(scenario: &Scenario, bed: &Testbed, what: What, name: &str) -> Result<(), SimulationError> {
    put(bed, Listed { what, name: name.to_owned(), by: "scenario".to_owned(), at: scenario.start })
}

fn put<R: Record>(bed: &Testbed, record: R) -> Result<(), SimulationError> {
    let (partition, sort) = record.key();
    let refused = |why: String| SimulationError::Setup { what: format!("record {partition} / {sort}"), why };
    let write = Versioned::new(record).put().map_err(|fault| refused(fault.to_string()))?;
    bed.store().put(&[write]).map_err(|fault| refused(fault.to_string()))
}

/// Where an instance listens.
pub(super) fn endpoint(spec: &InstanceSpec) -> ports::server::Endpoint {
    ports::server::Endpoint {
        instance: spec.name.clone(),
        host: host(&spec.name),
        port: PORT,
        secret_arn: secret_arn(spec),
    }
}
