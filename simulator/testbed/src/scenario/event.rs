//! What happens in a story besides its backups: what people and the service do to instances and databases, and when nobody
//! runs bakproof.

use domain::task::Kind;
use jiff::Timestamp;
use serde::Deserialize;

use super::{InstanceSpec, Scenario};

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// To which instance.
    pub instance: Option<String>,
    /// To which of its databases.
    pub database: Option<String>,
    /// Which backup is asked for, or cancelled.
    pub kind: Option<Kind>,
    /// Its other name.
    pub to: Option<String>,
    /// The other instance.
    pub to_instance: Option<String>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// The schedule that starts the fleet machine is disabled: nobody runs bakproof.
    ScheduleOff,
    /// It is enabled again.
    ScheduleOn,
    /// Somebody takes a manual snapshot of an instance.
    Snapshot,
    /// An instance fails over.
    Failover,
    /// Somebody sets a database to the SIMPLE recovery model. With automated backups RDS sets it back to FULL within five
    /// minutes and takes a snapshot.
    RecoverySimple,
    /// Somebody sets it to `BULK_LOGGED`; likewise.
    RecoveryBulkLogged,
    /// Somebody takes a full of a database and keeps it elsewhere.
    ForeignFull,
    /// Somebody asks bakproof for a backup of a kind.
    RequestBackup,
    /// Somebody asks bakproof to cancel the open task of a kind, if there is one.
    RequestCancel,
    /// Somebody creates a database: 1 GiB, six commits a minute.
    CreateDatabase,
    /// Somebody drops one; its logs and its history go with it.
    DropDatabase,
    /// Somebody gives it another name.
    RenameDatabase,
    /// Somebody restores a copy of it, as it is now, under another name, on another instance, or both.
    CopyDatabase,
}

/// What an event is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Nothing,
    Instance,
    Database,
}

impl Happening {
    const fn object(self) -> Object {
        match self {
            Self::ScheduleOff | Self::ScheduleOn => Object::Nothing,
            Self::Snapshot | Self::Failover => Object::Instance,
            Self::RecoverySimple
            | Self::RecoveryBulkLogged
            | Self::ForeignFull
            | Self::RequestBackup
            | Self::RequestCancel
            | Self::CreateDatabase
            | Self::DropDatabase
            | Self::RenameDatabase
            | Self::CopyDatabase => Object::Database,
        }
    }

    /// Whether it is about one kind of task.
    const fn is_of_kind(self) -> bool {
        matches!(self, Self::RequestBackup | Self::RequestCancel)
    }
}

impl Event {
    /// Whether it lies in the story and names what it is done to.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), String> {
        if self.at < scenario.start || self.at >= scenario.end() {
            return Err(format!("{} lies outside the story", self.at));
        }
        match (self.kind.is_some(), self.what.is_of_kind()) {
            (true, false) => return Err("is of no kind: leave it out".to_owned()),
            (false, true) => return Err("name the kind: full, differential or log_copy".to_owned()),
            _ => {}
        }
        let object = self.what.object();
        let wants = (object != Object::Nothing, object == Object::Database);
        match ((self.instance.is_some(), self.database.is_some()), wants) {
            (given, wants) if given == wants => {}
            (_, (false, _)) => return Err("concerns everything: leave out instance and database".to_owned()),
            (_, (true, false)) => return Err("concerns an instance: name it, and no database".to_owned()),
            (_, (true, true)) => return Err("concerns a database: name it and its instance".to_owned()),
        }
        let Some(name) = &self.instance else { return Ok(()) };
        let instance: Option<&InstanceSpec> = scenario.instances.iter().find(|known| known.name == *name);
        let Some(instance) = instance else { return Err(format!("there is no instance {name}")) };
        let Some(database) = &self.database else { return Ok(()) };
        self.check_names(scenario, &instance.name, database)
    }

    /// Whether the database is there when it happens, and what it becomes is free then.
    fn check_names(&self, scenario: &Scenario, instance: &str, database: &str) -> Result<(), String> {
        let renames = (self.what == Happening::RenameDatabase, self.what == Happening::CopyDatabase);
        match (renames, self.to.is_some(), self.to_instance.is_some()) {
            ((false, false), false, false) | ((true, false), true, false) => {}
            ((false, true), to, to_instance) if to || to_instance => {}
            ((true, false), ..) => {
                return Err("name what it is called then: to, and no to_instance".to_owned());
            }
            ((_, true), ..) => return Err("name where the copy goes: to, to_instance or both".to_owned()),
            _ => return Err("becomes nothing else: leave out to and to_instance".to_owned()),
        }
        let other = self.to_instance.as_deref().unwrap_or(instance);
        if !scenario.instances.iter().any(|known| known.name == other) {
            return Err(format!("there is no instance {other}"));
        }
        let lives = scenario.lives();
        let is_there = |instance: &str, name: &str| {
            let mut same = lives.iter().filter(|life| life.instance == instance && life.name == name);
            // What begins or ends with this event was not there before it, or was.
            same.any(|life| {
                life.from < self.at && life.until.is_none_or(|until| self.at <= until)
                    || life.from == self.at && self.at == scenario.start
            })
        };
        let creates = self.what == Happening::CreateDatabase;
        if creates == is_there(instance, database) {
            let what = if creates { "is a database" } else { "is no database" };
            return Err(format!("there {what} {database} on {instance} at that time"));
        }
        if renames != (false, false) {
            let to = self.to.as_deref().unwrap_or(database);
            if is_there(other, to) {
                return Err(format!("there is a database {to} on {other} at that time"));
            }
        }
        Ok(())
    }
}

impl Scenario {
    /// The spans in which nobody runs bakproof, in order.
    pub fn outages(&self) -> Vec<(Timestamp, Timestamp)> {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.at);
        let mut outages = Vec::new();
        let mut since = None;
        for event in events {
            match event.what {
                Happening::ScheduleOff => since = since.or(Some(event.at)),
                Happening::ScheduleOn => outages.extend(since.take().map(|since| (since, event.at))),
                _ => {}
            }
        }
        outages.extend(since.map(|since| (since, self.end())));
        outages
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::QUICKSTART;

    fn with(event: &str) -> Result<Scenario, String> {
        let text = format!("{QUICKSTART}\n[[event]]\n{event}\n");
        Scenario::parse(&text, "story.toml", Path::new("")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_event_names_what_it_is_done_to_and_lies_in_the_story() {
        for (event, expected) in [
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "schedule_off""#,
                Ok(()),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "recovery_simple"
                instance = "sales"
                database = "tenant-003""#,
                Ok(()),
            ),
            (
                r#"at = "2026-11-15T23:59:59Z"
                what = "schedule_off""#,
                Err("lies outside the story"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "schedule_off"
                instance = "sales""#,
                Err("leave out instance and database"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "snapshot""#,
                Err("name it, and no database"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "foreign_full"
                instance = "sales""#,
                Err("name it and its instance"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "snapshot"
                instance = "nobody""#,
                Err("there is no instance nobody"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "foreign_full"
                instance = "sales"
                database = "tenant-{n}""#,
                Err("there is no database tenant-{n} on sales"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "earthquake""#,
                Err("unknown variant `earthquake`"),
            ),
        ] {
            judge(event, expected);
        }
    }

    fn judge(event: &str, expected: Result<(), &str>) {
        match (with(event).map(|_| ()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(said), Err(expected)) => assert!(said.contains(expected), "{said}"),
            (said, _) => panic!("{event}: {said:?}"),
        }
    }

    #[test]
    fn a_request_names_the_kind_that_it_is_about_and_nothing_else_does() {
        for (event, expected) in [
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "request_backup"
                kind = "full"
                instance = "sales"
                database = "orders""#,
                Ok(()),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "request_cancel"
                instance = "sales"
                database = "orders""#,
                Err("name the kind"),
            ),
            (
                r#"at = "2026-11-17T00:00:00Z"
                what = "foreign_full"
                kind = "full"
                instance = "sales"
                database = "orders""#,
                Err("is of no kind"),
            ),
        ] {
            judge(event, expected);
        }
    }

    #[test]
    fn outages_last_until_the_schedule_is_enabled_or_the_story_ends() {
        let day = |day: u32| format!("2026-11-{day}T00:00:00Z");
        let event = |at: u32, what: &str| format!("at = \"{}\"\nwhat = \"{what}\"\n[[event]]\n", day(at));
        let text = event(17, "schedule_off") + &event(18, "schedule_off") + &event(19, "schedule_on");
        let scenario = with(&format!("{text}at = \"{}\"\nwhat = \"schedule_off\"", day(21))).unwrap();
        let moment = |at: u32| day(at).parse().unwrap();
        assert_eq!(scenario.outages(), [(moment(17), moment(19)), (moment(21), moment(23))]);
    }
}
