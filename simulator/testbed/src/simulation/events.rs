//! Puts the events of a scenario on the agenda.

use world::RecoveryModel;

use super::deploy::FLEET_SCHEDULE;
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
        (Happening::ScheduleOff, _) => bed.enable_schedule(FLEET_SCHEDULE, false),
        (Happening::ScheduleOn, _) => bed.enable_schedule(FLEET_SCHEDULE, true),
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
        (Happening::RecoverySimple | Happening::RecoveryBulkLogged | Happening::ForeignFull, None)
        | (Happening::RequestBackup | Happening::RequestCancel, _) => {}
    }
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
