//! Which fleet is an instance that is protected already? Read off the heads of its databases, so that another policy can be forecast on it.
//!
//! Heads tell sizes, growth and ratio from fulls, and the pace of change from the newest differential. What they do not tell is assumed,
//! and said: a forecast is as good as the worst number in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::fleet::{CloudWatch, Fleet, Group, Network, Server};
use crate::facts::MultiAz;
use crate::growth::fit;
use crate::inventory::{Database, Instance};
use crate::limits::Profile;

/// Per cent of a database that it is assumed to change in a day, where no differential tells. Policy of ours: what a busy database
/// writes, so that a promise that is called kept is kept.
const CHANGE_PERCENT_A_DAY: f64 = 10.0;

/// Hours behind its full from which on a differential tells a pace.
const TELLING_HOURS: f64 = 1.0;

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// A fleet of one instance, and how far it may be believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The instance with the databases whose size is known.
    pub fleet: Fleet,
    /// What nothing told.
    pub assumed: Vec<Assumed>,
    /// Databases that no full has measured yet: nothing is reckoned for them.
    pub unmeasured: Vec<String>,
}

/// A number that nothing told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assumed {
    /// The database; absent where it is about the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// As a fleet calls it.
    pub field: &'static str,
    /// What was taken.
    pub value: String,
    /// What would have told.
    pub why: &'static str,
}

/// The fleet of an instance. `bytes_per_second` is taken where nothing was measured on it. Databases that are gone are none of it.
pub fn observed(
    instance: &Instance,
    profile: Profile,
    heads: &[Database],
    (now, bytes_per_second): (Timestamp, u64),
) -> Observed {
    let mut assumed = Vec::new();
    let mut of_instance = |field, value, why| assumed.push(Assumed { database: None, field, value, why });
    let speed = instance.bytes_per_second.unwrap_or(bytes_per_second);
    let speed = u32::try_from(speed >> 20).unwrap_or(u32::MAX).clamp(1, 100_000);
    if instance.bytes_per_second.is_none() {
        of_instance("backup_mib_per_second", speed.to_string(), "no full has told its speed yet");
    }
    let facts = instance.facts.as_ref().map(|(_, facts)| facts);
    if facts.is_none() {
        of_instance(
            "backup_window",
            "none".to_owned(),
            "no run has read the instance's windows and edition yet",
        );
    }
    let mut databases = Vec::with_capacity(heads.len());
    let mut unmeasured = Vec::new();
    for head in heads.iter().filter(|head| head.gone_at.is_none()) {
        match group(head, now, &mut assumed) {
            Some(group) => databases.push(group),
            None => unmeasured.push(head.name.clone()),
        }
    }
    let server = Server {
        name: instance.name.clone(),
        engine: facts.map_or_else(|| "sqlserver-se".to_owned(), |facts| facts.engine.clone()),
        multi_az: facts.map_or(MultiAz::SingleAz, |facts| facts.multi_az),
        backup_window: facts.and_then(|facts| facts.backup_window),
        maintenance_window: facts.and_then(|facts| facts.maintenance_window),
        retention_days: facts.map_or(7, |facts| facts.retention_days),
        storage_encrypted: facts.is_some_and(|facts| facts.storage_encrypted),
        backup_mib_per_second: speed,
        restore_mib_per_second: None,
        databases,
    };
    let fleet = Fleet {
        profile,
        network: Network::default(),
        cloudwatch: CloudWatch::default(),
        prices: BTreeMap::new(),
        instances: vec![server],
    };
    Observed { fleet, assumed, unmeasured }
}

fn group(head: &Database, now: Timestamp, assumed: &mut Vec<Assumed>) -> Option<Group> {
    let growth = fit(&head.fulls);
    let last = head.last_full.as_ref().map(|full| full.size_bytes);
    // A full of the catalogue that is younger than the samples, or all there is.
    let bytes = growth.map(|growth| growth.at(now).database_bytes).max(last).filter(|bytes| *bytes > 0)?;
    let name = || Some(head.name.clone());
    let stored = growth.and_then(|growth| growth.stored_per_mille);
    let stored_percent = stored.map_or(100, |per_mille| per_mille.div_ceil(10).clamp(1, 200));
    if stored.is_none() {
        let why = "no full whose files were seen in the vault";
        assumed.push(Assumed { database: name(), field: "stored_percent", value: "100".to_owned(), why });
    }
    if head.fulls.len() < 2 {
        let why = "growth shows between two fulls";
        assumed.push(Assumed { database: name(), field: "growth_gib_per_day", value: "0".to_owned(), why });
    }
    let change = change_mib_per_hour(head).unwrap_or_else(|| {
        let change = bytes as f64 / MIB * CHANGE_PERCENT_A_DAY / 100.0 / 24.0;
        let why = "no differential of an hour or more on the newest full";
        let value = format!("{change:.1}");
        assumed.push(Assumed { database: name(), field: "change_mib_per_hour", value, why });
        change
    });
    let gained = growth.map_or(0, |growth| growth.bytes_per_day.max(0));
    Some(Group {
        name: head.name.clone(),
        count: 1,
        size_gib: bytes as f64 / GIB,
        growth_gib_per_day: gained as f64 / GIB,
        change_mib_per_hour: change,
        stored_percent,
    })
}

/// What the newest differential saved, by the hours since its full began.
fn change_mib_per_hour(head: &Database) -> Option<f64> {
    let (full, differential) = (head.last_full.as_ref()?, head.last_differential.as_ref()?);
    let apart = differential.finished_at.duration_since(full.started_at).as_secs_f64() / 3_600.0;
    let tells = differential.base == full.id && apart >= TELLING_HOURS;
    tells.then(|| differential.size_bytes as f64 / MIB / apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::forecast;
    use crate::growth::Sample;
    use crate::id::BackupId;
    use crate::inventory::{LastDifferential, LastFull};
    use crate::policy::tests::weekly;
    use crate::slots::Slots;

    const DAY: i64 = 86_400;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn instance(bytes_per_second: Option<u64>) -> Instance {
        serde_json::from_value(serde_json::json!({
            "name": "sales", "host": "h", "port": 1433, "secret_arn": "s", "policy": "weekly", "vault": "main", "facts": null,
            "bytes_per_second": bytes_per_second, "log_copy_target": null, "tasks_from": 1, "due_at": null,
            "slots": Slots::default(), "trouble": null,
        }))
        .unwrap()
    }

    fn full(day: i64, size_bytes: u64) -> LastFull {
        LastFull {
            id: BackupId::new(format!("full-{day}")),
            started_at: at(day * DAY),
            finished_at: at(day * DAY + 600),
            last_lsn: "1".parse().unwrap(),
            size_bytes,
        }
    }

    fn differential(base: &LastFull, hours: i64, size_bytes: u64) -> LastDifferential {
        LastDifferential {
            id: BackupId::new("differential".to_owned()),
            base: base.id.clone(),
            finished_at: at(base.started_at.as_second() + hours * 3_600),
            last_lsn: "2".parse().unwrap(),
            size_bytes,
        }
    }

    fn fields(observed: &Observed) -> Vec<(Option<&str>, &str, &str)> {
        observed.assumed.iter().map(|one| (one.database.as_deref(), one.field, one.value.as_str())).collect()
    }

    #[test]
    fn heads_tell_size_growth_ratio_and_pace() {
        let gib = 1_u64 << 30;
        let mut head = Database::new("sales", "orders");
        let sample = |day: i64, size: u64| Sample {
            at: at(day * DAY),
            size_bytes: size * gib,
            stored_bytes: Some(size * gib / 4),
        };
        head.fulls = vec![sample(0, 100), sample(7, 107), sample(14, 114)];
        let last = full(14, 114 * gib);
        head.last_differential = Some(differential(&last, 24, 12 * gib));
        head.last_full = Some(last);
        let found = observed(&instance(Some(200 << 20)), Profile::Rds, &[head], (at(15 * DAY), 1));
        assert_eq!(found.assumed.iter().map(|one| one.field).collect::<Vec<_>>(), ["backup_window"]);
        let server = &found.fleet.instances[0];
        assert_eq!((server.backup_mib_per_second, found.unmeasured.len()), (200, 0));
        let group = &server.databases[0];
        assert_eq!((group.size_gib, group.growth_gib_per_day), (115.0, 1.0));
        assert_eq!((group.change_mib_per_hour, group.stored_percent), (512.0, 25));
        assert!(forecast(&weekly(), &found.fleet).is_ok());
    }

    #[test]
    fn what_heads_do_not_tell_is_assumed_and_said() {
        let gib = 1_u64 << 30;
        let mut head = Database::new("sales", "orders");
        head.last_full = Some(full(0, 240 * gib));
        let mut gone = head.clone();
        (gone.name, gone.gone_at) = ("gone".to_owned(), Some(at(1)));
        let young = Database::new("sales", "young");
        let found =
            observed(&instance(None), Profile::Rds, &[head.clone(), gone, young], (at(DAY), 50 << 20));
        assert_eq!(
            fields(&found),
            [
                (None, "backup_mib_per_second", "50"),
                (None, "backup_window", "none"),
                (Some("orders"), "stored_percent", "100"),
                (Some("orders"), "growth_gib_per_day", "0"),
                (Some("orders"), "change_mib_per_hour", "1024.0"),
            ]
        );
        assert_eq!(found.unmeasured, ["young"]);
        assert_eq!(found.fleet.instances[0].databases.len(), 1);
        // A differential of another full, or too young to tell.
        for (of, hours) in [(full(-7, gib), 48), (full(0, gib), 0)] {
            head.last_differential = Some(differential(&of, hours, gib));
            let found = observed(&instance(None), Profile::Rds, &[head.clone()], (at(DAY), 1));
            assert!(fields(&found).contains(&(Some("orders"), "change_mib_per_hour", "1024.0")), "{found:?}");
        }
    }

    #[test]
    fn numbers_without_measure_are_within_what_a_fleet_takes() {
        for (bytes, speed) in [(1, 0), (u64::MAX, u64::MAX), (1 << 60, 1)] {
            let mut head = Database::new("sales", "orders");
            let last = full(0, bytes);
            head.fulls = vec![Sample { at: at(0), size_bytes: bytes, stored_bytes: Some(u64::MAX) }];
            head.last_differential = Some(differential(&last, 1, u64::MAX));
            head.last_full = Some(last);
            let found = observed(&instance(Some(speed)), Profile::Rds, &[head], (at(DAY), 1));
            match forecast(&weekly(), &found.fleet) {
                Ok(told) => assert_eq!(told.instances.len(), 1),
                Err(reason) => assert_eq!(reason.name, "FleetOutOfRange"),
            }
        }
    }
}
