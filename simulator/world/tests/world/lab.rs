//! A small world and short words for what tests do with it.

use jiff::{SignedDuration, Timestamp};
use tds::{Parameter, Procedure, Request, Response, ResultSet, Value};
use world::{
    BucketConfig, DatabaseConfig, DatabaseId, InstanceConfig, KeyConfig, Knobs, SessionId, Span, World,
};

pub(crate) const START: &str = "2026-11-02T10:00:00Z";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/good";

pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) session: SessionId,
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.into())
}

/// Knobs without waiting in the queue: tests that are not about it end sooner.
pub(crate) fn prompt() -> Knobs {
    Knobs { created_seconds: Span::new(1, 1), ..Knobs::default() }
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(prompt(), |_| {})
    }

    pub(crate) fn with(knobs: Knobs, change: impl FnOnce(&mut InstanceConfig)) -> Self {
        let mut world = World::new(7, START.parse().unwrap(), knobs);
        world.add_bucket(BucketConfig::named("vault", REGION, ACCOUNT));
        world.add_bucket(BucketConfig::named("far", "us-east-1", ACCOUNT));
        world
            .add_bucket(BucketConfig { rds_access: false, ..BucketConfig::named("closed", REGION, ACCOUNT) });
        world.add_bucket(BucketConfig::named("stranger", REGION, "999900001111"));
        world.add_key(KeyConfig::usable(KEY, REGION));
        let mut config = InstanceConfig::named("prod", REGION, ACCOUNT);
        change(&mut config);
        world.add_instance(config);
        let session = world.connect("prod", "admin", "simulated").unwrap();
        Self { world, session }
    }

    pub(crate) fn database(&mut self, name: &str) -> DatabaseId {
        self.world.add_database("prod", &DatabaseConfig::named(name)).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.now()
    }

    pub(crate) fn wait(&mut self, seconds: i64) {
        let to = self.now() + SignedDuration::from_secs(seconds);
        self.world.advance_to(to);
    }

    pub(crate) fn call(&mut self, procedure: &str, arguments: &[(&str, Value)]) -> Response {
        let parameters = arguments
            .iter()
            .map(|(name, value)| Parameter { name: (*name).into(), output: false, value: value.clone() })
            .collect();
        let request = Request::Rpc { procedure: Procedure::Name(procedure.into()), parameters };
        self.world.execute(self.session, &request)
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Response {
        self.world.execute(self.session, &Request::Batch(sql.into()))
    }

    /// A SELECT through `sp_executesql`, with `@P1` and so on.
    pub(crate) fn select(&mut self, sql: &str, values: &[Value]) -> ResultSet {
        let names: Vec<String> = (1..=values.len()).map(|i| format!("@P{i}")).collect();
        let definition: Vec<String> = names.iter().map(|n| format!("{n} nvarchar(4000)")).collect();
        let parameter = |name: &str, value: Value| Parameter { name: name.into(), output: false, value };
        let mut parameters =
            vec![parameter("stmt", text(sql)), parameter("params", text(&definition.join(",")))];
        parameters.extend(names.iter().zip(values).map(|(name, value)| parameter(name, value.clone())));
        let request = Request::Rpc { procedure: Procedure::Id(10), parameters };
        let answer = self.world.execute(self.session, &request);
        assert_eq!(answer.error, None, "{sql}");
        answer.results.into_iter().next().expect("a SELECT has a result")
    }

    pub(crate) fn backup(&mut self, database: &str, key: &str) -> i64 {
        let answer = self.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text(database)),
                ("@s3_arn_to_backup_to", text(&format!("arn:aws:s3:::vault/{key}"))),
            ],
        );
        assert_eq!(answer.error, None);
        task_id(&answer)
    }

    /// Turns log copies to `vault/logs` on.
    pub(crate) fn set_up_logs(&mut self) {
        let answer =
            self.call("msdb.dbo.rds_tlog_copy_setup", &[("@target_s3_arn", text("arn:aws:s3:::vault/logs"))]);
        assert_eq!(answer.error, None);
    }

    pub(crate) fn copy_all(&mut self, database: &str) -> i64 {
        let answer = self.call(
            "msdb..rds_tlog_backup_copy_to_S3",
            &[("@db_name", text(database)), ("@rds_backup_starting_seq_id", Value::Int(1))],
        );
        assert_eq!(answer.error, None);
        task_id(&answer)
    }

    /// A cell of a task's row.
    pub(crate) fn task(&mut self, id: i64, column: &str) -> Value {
        let rows = self.select(
            &format!("SELECT [{column}] AS x FROM msdb.dbo.rds_fn_task_status(NULL, @P1)"),
            &[Value::Int(id)],
        );
        rows.rows.into_iter().next().expect("the task is listed").remove(0)
    }

    pub(crate) fn lifecycle(&mut self, id: i64) -> String {
        string(&self.task(id, "lifecycle"))
    }

    pub(crate) fn info(&mut self, id: i64) -> String {
        string(&self.task(id, "task_info"))
    }

    /// Waits until a task has ended.
    pub(crate) fn finish(&mut self, id: i64) -> String {
        for _ in 0..2_000 {
            let lifecycle = self.lifecycle(id);
            if matches!(lifecycle.as_str(), "SUCCESS" | "ERROR" | "CANCELLED") {
                return lifecycle;
            }
            self.wait(10);
        }
        panic!("the task never ends");
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.world.s3().list("vault", prefix, None, usize::MAX - 1).unwrap();
        page.objects.into_iter().map(|o| o.key).collect()
    }
}

pub(crate) fn string(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    }
}

pub(crate) fn task_id(answer: &Response) -> i64 {
    match answer.results.first().and_then(|r| r.rows.first()).and_then(|r| r.first()) {
        Some(Value::Int(id)) => *id,
        other => panic!("no task id: {other:?}"),
    }
}

pub(crate) fn error(answer: &Response) -> (u32, String) {
    let error = answer.error.as_ref().expect("an error");
    (error.number, error.text.clone())
}

/// A cell by row and column name.
pub(crate) fn cell<'r>(set: &'r ResultSet, row: usize, column: &str) -> &'r Value {
    let place =
        set.columns.iter().position(|c| c.name.eq_ignore_ascii_case(column)).expect("the column exists");
    &set.rows[row][place]
}
