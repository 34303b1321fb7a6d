//! Puts the events of a scenario on the agenda.

use world::RecoveryModel;

use super::deploy::FLEET_SCHEDULE;
use crate::scenario::Scenario;
use crate::scenario::event::{Event, Happening};
use crate::testbed::Testbed;

pub(super) fn all(scenario: &Scenario, bed: &mut Testbed) {
    for event in scenario.events.iter().cloned() {
        bed.at(event.at, move |bed| happen(&event, bed));
    }
}

/// A database that is gone by then is left alone.
fn happen(event: &Event, bed: &mut Testbed) {
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
        (Happening::RecoverySimple | Happening::RecoveryBulkLogged | Happening::ForeignFull, None) => {}
    }
}
