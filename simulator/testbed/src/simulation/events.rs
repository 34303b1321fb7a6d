//! Puts the events of a scenario on the agenda.

use world::{DatabaseConfig, DatabaseId, RecoveryModel, World};

use super::deploy::{DISCOVERY_SCHEDULE, FLEET_SCHEDULE};
use super::requests::{Client, Wish};
use crate::scenario::Scenario;
use crate::scenario::event::{Event, Happening};
use crate::testbed::Testbed;

pub(super) fn all(scenario: &Scenario, bed: &mut Testbed) {
    for (number, event) in scenario.events.iter().cloned().enumerate() {
        bed.at(event.at, move |bed| happen(&event, number, bed));
    }
}

/// A database that is gone by then is left alone.
fn happen(event: &Event, number: usize, bed: &mut Testbed) {
    if let Some(wish) = wish(event, number) {
        Client::ask(bed, wish);
        return;
    }
    let instance = event.instance.as_deref().unwrap_or_default();
    let database = event.database.as_deref().and_then(|name| bed.world().find_database(instance, name));
    match (event.what, database) {
        (what @ (Happening::ScheduleOff | Happening::ScheduleOn), _) => {
            for schedule in [FLEET_SCHEDULE, DISCOVERY_SCHEDULE] {
                bed.enable_schedule(schedule, what == Happening::ScheduleOn);
            }
        }
        (Happening::Snapshot, _) => bed.world_mut().break_snapshot(instance),
        (Happening::Failover, _) => {
            bed.world_mut().break_failover(instance);
        }
        (Happening::RecoverySimple, Some(id)) => {
            bed.world_mut().break_recovery_model(id, RecoveryModel::Simple);
        }
        (Happening::RecoveryBulkLogged, Some(id)) => {
            bed.world_mut().break_recovery_model(id, RecoveryModel::BulkLogged);
        }
        (Happening::ForeignFull, Some(id)) => bed.world_mut().break_foreign_full(id, false),
        (what, id) => change_databases(event, what, id, &mut bed.world_mut()),
    }
}

/// What is created, dropped, renamed and copied. The scenario was checked: every name is free when it is taken.
fn change_databases(event: &Event, what: Happening, id: Option<DatabaseId>, world: &mut World) {
    let instance = event.instance.as_deref().unwrap_or_default();
    let name = event.database.as_deref().unwrap_or_default();
    let to = event.to.as_deref().unwrap_or(name);
    let done = match (what, id) {
        (Happening::CreateDatabase, None) => {
            let config = DatabaseConfig {
                size_bytes: 1 << 30,
                transactions_per_minute_milli: 6_000,
                log_bytes: 8 << 10,
                ..DatabaseConfig::named(name)
            };
            world.add_database(instance, &config).map(|_| ())
        }
        (Happening::DropDatabase, Some(id)) => {
            world.break_drop_database(id);
            Ok(())
        }
        (Happening::RenameDatabase, Some(id)) => world.break_rename(id, to),
        (Happening::CopyDatabase, Some(id)) => {
            let other = event.to_instance.as_deref().unwrap_or(instance);
            world.break_restore_copy(id, other, to).map(|_| ())
        }
        _ => Ok(()),
    };
    debug_assert!(done.is_ok(), "{event:?}: {done:?}");
}

/// What an event asks bakproof for, if anything.
fn wish(event: &Event, number: usize) -> Option<Wish> {
    let (instance, database) = (event.instance.clone()?, event.database.clone()?);
    let (kind, by) = (event.kind?, format!("arn:aws:iam::123456789012:user/event-{number}"));
    match event.what {
        Happening::RequestBackup => {
            Some(Wish::Backup { instance, database, kind, by, key: format!("event-{number}") })
        }
        Happening::RequestCancel => Some(Wish::Cancel { instance, database, kind, by }),
        _ => None,
    }
}
