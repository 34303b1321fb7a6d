//! How are databases listed?
//!
//! `sys.databases` with the five of the system (rdsadmin has number 5, as on RDS), `sys.database_recovery_status`,
//! `sys.master_files` with one row per data file and one for the log. `database_recovery_status` lists every database of
//! the instance, as it does for a login with the right permissions. System databases have no backups here.

use std::sync::Arc;

use tds::{SqlType, Value};

use crate::{
    database::state::Database,
    guid::Guid,
    instance::state::Unrecovered,
    sql::tables::{
        ColumnSpec, Hint, LSN, NAME, Table, col, database_files::DatabaseFile, guid, int, lsn, maybe, text,
        time,
    },
    stream::{Purpose, Stream},
    time::Ms,
    world::World,
};

const GUID: SqlType = SqlType::UniqueIdentifier;

/// The system databases, in order of their numbers.
const SYSTEM: &[(&str, &str)] = &[
    ("master", "SIMPLE"),
    ("tempdb", "SIMPLE"),
    ("model", "FULL"),
    ("msdb", "SIMPLE"),
    ("rdsadmin", "SIMPLE"),
];

/// The number of a system database by its name, without regard to case.
pub(crate) fn system_id(name: &str) -> Option<i64> {
    let place = SYSTEM.iter().position(|(system, _)| system.eq_ignore_ascii_case(name.trim_end()))?;
    i64::try_from(place + 1).ok()
}

/// The number of a database as an instance shows it, by its name.
pub(crate) fn database_number(world: &World, instance: usize, name: &str) -> Option<i64> {
    let user = world.shown(instance).and_then(|host| host.database(name)).and_then(|id| world.database(id));
    user.map(|held| i64::from(held.sql_id)).or_else(|| system_id(name))
}

/// A row: a system database by its place, one of the users', or one that is being restored.
#[derive(Clone, Copy)]
enum Entry<'w> {
    System(usize),
    User(&'w Database),
    Restoring(&'w Unrecovered),
}

impl Entry<'_> {
    fn state(self) -> (i64, &'static str) {
        match self {
            Self::Restoring(_) => (1, "RESTORING"),
            Self::User(database) if database.is_offline => (6, "OFFLINE"),
            Self::System(_) | Self::User(_) => (0, "ONLINE"),
        }
    }
}

struct Rows<'w> {
    world: &'w World,
    instance: usize,
    entries: Vec<Entry<'w>>,
    zone: Ms,
}

impl<'w> Rows<'w> {
    fn new(world: &'w World, instance: usize) -> Self {
        let host = world.shown(instance);
        let mut users: Vec<&Database> = host
            .into_iter()
            .flat_map(|i| i.databases.values())
            .filter_map(|id| world.database(*id))
            .collect();
        users.sort_by_key(|d| d.sql_id);
        let system = (0..SYSTEM.len()).map(Entry::System);
        let restoring = host.into_iter().flat_map(|i| i.restoring.values()).map(Entry::Restoring);
        let entries = system.chain(users.into_iter().map(Entry::User)).chain(restoring).collect();
        Self { world, instance, entries, zone: host.map_or(0, |i| i.zone) }
    }

    fn entry(&self, row: u64) -> Option<Entry<'w>> {
        self.entries.get(usize::try_from(row).ok()?).copied()
    }

    fn numbers(&self) -> Vec<u64> {
        (0..self.entries.len() as u64).collect()
    }

    /// Guids of a system database: made up, but always the same.
    fn system_guid(&self, place: usize, which: u64) -> Guid {
        Stream::of(self.world.seed, Purpose::Guid, &[self.instance as u64, u64::MAX - 3, place as u64, which])
            .guid()
    }
}

fn number(entry: Entry<'_>) -> Value {
    match entry {
        Entry::System(place) => int(place + 1),
        Entry::User(database) => int(database.sql_id),
        Entry::Restoring(held) => int(held.sql_id),
    }
}

/// `sys.databases`.
pub(crate) struct Databases<'w>(Rows<'w>);

const DATABASES: &[ColumnSpec] = &[
    col("name", NAME),
    col("database_id", SqlType::Int),
    col("create_date", SqlType::DateTime),
    col("compatibility_level", SqlType::TinyInt),
    col("collation_name", NAME),
    col("state", SqlType::TinyInt),
    col("state_desc", SqlType::NVarChar(Some(60))),
    col("recovery_model", SqlType::TinyInt),
    col("recovery_model_desc", SqlType::NVarChar(Some(60))),
    col("user_access_desc", SqlType::NVarChar(Some(60))),
    col("is_read_only", SqlType::Bit),
    col("is_encrypted", SqlType::Bit),
    col("is_cdc_enabled", SqlType::Bit),
    col("service_broker_guid", GUID),
    col("source_database_id", SqlType::Int),
    col("replica_id", GUID),
];

impl<'w> Databases<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        Self(Rows::new(world, instance))
    }
}

impl Table for Databases<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        DATABASES
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        self.0.numbers()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let Some(entry) = self.0.entry(row) else { return Value::Null };
        let (name, model, created, major): (Arc<str>, &str, Ms, u8) = match entry {
            Entry::System(place) => {
                let (name, model) = SYSTEM.get(place).copied().unwrap_or_default();
                (Arc::from(name), model, 0, 16)
            }
            Entry::User(d) => {
                (Arc::clone(&d.name), d.recovery_model.description(), d.created, d.major_version)
            }
            Entry::Restoring(held) => {
                let major = held.state.begun_with.set.major_version;
                (Arc::clone(&held.name), held.state.model.description(), held.created, major)
            }
        };
        match column {
            0 => text(&name),
            1 => number(entry),
            2 => time(created + self.0.zone),
            3 => int(u32::from(major) * 10),
            4 => text("SQL_Latin1_General_CP1_CI_AS"),
            5 => int(entry.state().0),
            6 => text(entry.state().1),
            7 => int(match model {
                "FULL" => 1,
                "BULK_LOGGED" => 2,
                _ => 3,
            }),
            8 => text(model),
            9 => text("MULTI_USER"),
            12 => Value::Bit(matches!(entry, Entry::User(database) if database.captures_changes())),
            11 => Value::Bit(matches!(entry, Entry::User(database) if database.encryption.is_on())),
            10 => Value::Bit(false),
            _ => Value::Null,
        }
    }
}

/// `sys.database_recovery_status`.
pub(crate) struct RecoveryStatus<'w>(Rows<'w>);

const RECOVERY_STATUS: &[ColumnSpec] = &[
    col("database_id", SqlType::Int),
    col("database_guid", GUID),
    col("family_guid", GUID),
    col("last_log_backup_lsn", LSN),
    col("recovery_fork_guid", GUID),
    col("first_recovery_fork_guid", GUID),
    col("fork_point_lsn", LSN),
];

impl<'w> RecoveryStatus<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        Self(Rows::new(world, instance))
    }
}

impl Table for RecoveryStatus<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        RECOVERY_STATUS
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        self.0.numbers()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let Some(entry) = self.0.entry(row) else { return Value::Null };
        let database = match entry {
            Entry::System(_) if column == 0 => return number(entry),
            Entry::System(place) => {
                return if matches!(column, 1 | 2 | 4) {
                    guid(self.0.system_guid(place, column as u64))
                } else {
                    Value::Null
                };
            }
            Entry::User(database) => database,
            // Its guids are told when it opens.
            Entry::Restoring(_) => return if column == 0 { number(entry) } else { Value::Null },
        };
        let (world, now) = (self.0.world, self.0.world.now_ms);
        let newest = database.fork();
        // Until a log backup has crossed the newest fork, the next one begins on the fork before it.
        let before = database.forks.iter().rev().nth(1).filter(|_| {
            let (_, end) = database.logs.numbers(now, Ms::MIN);
            database.logs.taken_at(end.saturating_sub(1)).is_none_or(|at| at < newest.from)
        });
        match column {
            0 => number(entry),
            1 => guid(database.database_guid),
            2 => guid(database.family_guid),
            3 => maybe(database.archive_point(&world.branches, now), lsn),
            4 => guid(newest.guid),
            5 => maybe(before, |f| guid(f.guid)),
            6 => maybe(before, |_| lsn(newest.lsn)),
            _ => Value::Null,
        }
    }
}

/// `sys.master_files`.
pub(crate) struct MasterFiles<'w> {
    rows: Rows<'w>,
    /// Place of the database, and the file.
    files: Vec<(u64, DatabaseFile)>,
}

const MASTER_FILES: &[ColumnSpec] = &[
    col("database_id", SqlType::Int),
    col("file_id", SqlType::Int),
    col("file_guid", GUID),
    col("type", SqlType::TinyInt),
    col("type_desc", SqlType::NVarChar(Some(60))),
    col("name", NAME),
    col("physical_name", SqlType::NVarChar(Some(260))),
    col("state_desc", SqlType::NVarChar(Some(60))),
    col("size", SqlType::Int),
    col("differential_base_lsn", LSN),
    col("differential_base_guid", GUID),
    col("differential_base_time", SqlType::DateTime),
    col("redo_start_lsn", LSN),
    col("redo_start_fork_guid", GUID),
    col("is_read_only", SqlType::Bit),
];

impl<'w> MasterFiles<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let rows = Rows::new(world, instance);
        let mut files = Vec::new();
        // "The minimum permissions that are required to see the corresponding row": without, there is no row and no error.
        let hidden = world.instances.get(instance).is_some_and(|host| host.definitions_hidden);
        for (place, entry) in (0_u64..).zip(&rows.entries).filter(|_| !hidden) {
            let data = match entry {
                Entry::System(_) | Entry::Restoring(_) => 1,
                Entry::User(database) => database.file_count,
            };
            files.extend(DatabaseFile::all(data).map(|file| (place, file)));
        }
        Self { rows, files }
    }
}

impl Table for MasterFiles<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        MASTER_FILES
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.files.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let file = usize::try_from(row).ok().and_then(|row| self.files.get(row).copied());
        let Some((place, file)) = file else { return Value::Null };
        let Some(entry) = self.rows.entry(place) else { return Value::Null };
        let is_log = file.is_log();
        let user = match entry {
            Entry::User(database) => Some(database),
            Entry::System(_) | Entry::Restoring(_) => None,
        };
        let restoring = match entry {
            Entry::Restoring(held) => Some(held),
            Entry::System(_) | Entry::User(_) => None,
        };
        let name = user.map(|d| &d.name).or(restoring.map(|held| &held.name));
        let name = name.map_or("system", |name| &**name);
        let base = user.and_then(|d| d.base).filter(|_| !is_log);
        match column {
            0 => number(entry),
            1 => int(file.0),
            2 => maybe(user.and_then(|d| file.guid(self.rows.world.seed, d)), guid),
            3 => int(i64::from(is_log)),
            4 => text(if is_log { "LOG" } else { "ROWS" }),
            5 => text(&file.logical_name(name)),
            6 => text(&file.physical_name(name)),
            7 => text(entry.state().1),
            // In pages of 8 KiB.
            8 => maybe(user, |d| int(file.bytes(self.rows.world, d) / 8_192)),
            9 => maybe(base, |b| lsn(b.lsn)),
            10 => maybe(base, |b| guid(b.uuid)),
            11 => maybe(base, |b| time(b.at)),
            12 => maybe(restoring, |held| lsn(held.state.redo)),
            13 => maybe(restoring, |held| guid(held.state.fork)),
            14 => Value::Bit(false),
            _ => Value::Null,
        }
    }
}
