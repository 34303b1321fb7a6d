//! Who is connected, and what runs?
//!
//! `sys.dm_exec_sessions` and `sys.dm_exec_requests`: the sessions of the instance, the request that asks, and the native tasks
//! in their slots, whose BACKUP and RESTORE commands show how far they are. Source: the pages of both views in the SQL Server
//! documentation.

use tds::{SqlType, Value};

use crate::{
    sql::{
        session::SessionId,
        tables::{ColumnSpec, Hint, NAME, Table, col, databases::database_number, int, maybe, text, time},
    },
    tasks::task::Task,
    world::World,
};

/// The first number of a user's session.
const USERS_FROM: u64 = 51;

/// `session_id` of a session, as `@@SPID` tells it.
pub(crate) fn session_number(session: u64) -> i64 {
    i64::try_from(USERS_FROM + session % 32_000).unwrap_or(0)
}

/// `sys.dm_exec_sessions`.
pub(crate) struct Sessions<'w> {
    world: &'w World,
    instance: usize,
    numbers: Vec<u64>,
    asking: SessionId,
}

const SESSIONS: &[ColumnSpec] = &[
    col("session_id", SqlType::SmallInt),
    col("login_name", NAME),
    col("original_login_name", NAME),
    col("status", SqlType::NVarChar(Some(30))),
    col("is_user_process", SqlType::Bit),
    col("database_id", SqlType::SmallInt),
    col("open_transaction_count", SqlType::Int),
];

impl<'w> Sessions<'w> {
    pub(crate) fn new(world: &'w World, instance: usize, asking: SessionId) -> Self {
        let here = world.sessions.iter().filter(|(_, held)| held.instance == instance);
        Self { world, instance, numbers: here.map(|(id, _)| *id).collect(), asking }
    }
}

impl Table for Sessions<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        SESSIONS
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.numbers.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let session = usize::try_from(row).ok().and_then(|row| self.numbers.get(row));
        let Some((id, held)) = session.and_then(|id| Some((*id, self.world.sessions.get(id)?))) else {
            return Value::Null;
        };
        let login = self.world.instances.get(self.instance).map(|host| host.config.user.as_str());
        match column {
            0 => int(session_number(id)),
            1 | 2 => maybe(login, text),
            3 => text(if id == self.asking.0 { "running" } else { "sleeping" }),
            4 => Value::Bit(true),
            5 => maybe(database_number(self.world, self.instance, &held.database), int),
            6 => int(held.transactions),
            _ => Value::Null,
        }
    }
}

/// `sys.dm_exec_requests`.
pub(crate) struct Requests<'w> {
    world: &'w World,
    instance: usize,
    asking: SessionId,
    running: Vec<&'w Task>,
}

const REQUESTS: &[ColumnSpec] = &[
    col("session_id", SqlType::SmallInt),
    col("request_id", SqlType::Int),
    col("start_time", SqlType::DateTime),
    col("status", SqlType::NVarChar(Some(30))),
    col("command", SqlType::NVarChar(Some(32))),
    col("database_id", SqlType::SmallInt),
    col("blocking_session_id", SqlType::SmallInt),
    col("wait_type", SqlType::NVarChar(Some(60))),
    col("percent_complete", SqlType::Float),
    col("estimated_completion_time", SqlType::BigInt),
    col("total_elapsed_time", SqlType::Int),
];

impl<'w> Requests<'w> {
    pub(crate) fn new(world: &'w World, instance: usize, asking: SessionId) -> Self {
        let host = world.instances.get(instance);
        let tasks = host.into_iter().flat_map(|host| host.running.iter().filter_map(|id| host.task(*id)));
        // Only what the engine itself carries out is a request of it.
        let running = tasks.filter(|task| task.kind.command().is_some()).collect();
        Self { world, instance, asking, running }
    }

    fn of_task(&self, place: usize, column: usize) -> Value {
        let Some(task) = self.running.get(place) else { return Value::Null };
        let (world, now) = (self.world, self.world.now_ms);
        let zone = world.instances.get(self.instance).map_or(0, |host| host.zone);
        let percent = task.percent(&world.knobs, now);
        let elapsed = now - task.started.unwrap_or(now);
        match column {
            // Sessions of the agent have low numbers among those of users.
            0 => int(USERS_FROM - 1 - place as u64),
            2 => maybe(task.started, |at| time(at + zone)),
            3 => text("suspended"),
            4 => maybe(task.kind.command(), text),
            5 => maybe(database_number(world, self.instance, &task.database_name), int),
            7 => text("BACKUPIO"),
            8 => Value::Float(f64::from(u32::try_from(percent).unwrap_or(0))),
            9 => match percent {
                0 => Value::Int(0),
                percent => int(elapsed * (100 - percent) / percent),
            },
            10 => int(elapsed.min(i64::from(i32::MAX))),
            1 | 6 => Value::Int(0),
            _ => Value::Null,
        }
    }
}

impl Table for Requests<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        REQUESTS
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..=self.running.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        if let Some(place) = usize::try_from(row).ok().and_then(|row| row.checked_sub(1)) {
            return self.of_task(place, column);
        }
        let current = self.world.session_database(self.asking).unwrap_or_default();
        let zone = self.world.instances.get(self.instance).map_or(0, |host| host.zone);
        match column {
            0 => int(session_number(self.asking.0)),
            2 => time(self.world.now_ms + zone),
            3 => text("running"),
            4 => text("SELECT"),
            5 => maybe(database_number(self.world, self.instance, current), int),
            8 => Value::Float(0.0),
            1 | 6 | 9 | 10 => Value::Int(0),
            _ => Value::Null,
        }
    }
}
