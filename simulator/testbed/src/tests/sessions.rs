//! The SQL Server adapter over the pipe, against a small scripted server: locks, lost replies, dead hosts.

use std::cell::RefCell;
use std::rc::Rc;

use domain::reason::Reason;
use domain::request::NativeBackup;
use jiff::SignedDuration;
use ports::Fault;
use ports::server::{Endpoint, Fence, OpenSession, SubmitTasks};
use serde_json::{Value, json};
use sqlserver::SqlServer;
use tds::{Column, Procedure, Request, Response, ResultSet, ServerMessage, SqlType};
use world::{Knobs, World};

use super::{MINUTE, code, run_minute, start};
use crate::executor::{Answer, Ending};
use crate::pipe::Servers;
use crate::{Call, Moment, Options, Testbed, Verdict};

/// One instance `sales` with one application lock and tasks that are only counted.
#[derive(Default)]
struct Front {
    opened: u64,
    closed: u64,
    holder: Option<u64>,
    tasks: i64,
    /// A session that the server has ended.
    ended: Option<u64>,
    /// Answers with a row that does not fit its columns.
    garbles: bool,
}

impl Front {
    fn procedure(&mut self, session: u64, name: &str) -> Response {
        let status = match name {
            "sp_getapplock" => {
                let holder = *self.holder.get_or_insert(session);
                if holder == session { 0 } else { -1 }
            }
            "sp_releaseapplock" => {
                self.holder = None;
                0
            }
            _ => {
                self.tasks += 1;
                0
            }
        };
        let column = Column { name: "task_id".into(), sql_type: SqlType::Int, nullable: false };
        let values = vec![tds::Value::Int(self.tasks); if self.garbles { 2 } else { 1 }];
        let results = vec![ResultSet { columns: vec![column], rows: vec![values], affected: None }];
        let is_backup = name.ends_with("rds_backup_database");
        Response {
            results: if is_backup { results } else { vec![] },
            status: Some(status),
            ..Response::default()
        }
    }
}

impl Servers for Front {
    fn listens(&self, instance: &str) -> bool {
        instance == "sales"
    }

    fn connect(&mut self, _: &str, user: &str, password: &str) -> Result<u64, ServerMessage> {
        if (user, password) != ("admin", "right") {
            let text = format!("Login failed for user '{user}'.");
            let (server, procedure) = ("sales".into(), String::new());
            return Err(ServerMessage {
                number: 18_456,
                state: 1,
                severity: 14,
                text,
                server,
                procedure,
                line: 1,
            });
        }
        self.opened += 1;
        Ok(self.opened)
    }

    fn is_connected(&self, session: u64) -> bool {
        self.ended != Some(session)
    }

    fn execute(&mut self, session: u64, request: &Request) -> Response {
        match request {
            Request::Rpc { procedure: Procedure::Name(name), .. } => self.procedure(session, name),
            other => panic!("{other:?}"),
        }
    }

    fn disconnect(&mut self, session: u64) {
        self.closed += 1;
        if self.holder == Some(session) {
            self.holder = None;
        }
    }
}

type Sql = SqlServer<crate::ports::sql::Dial, crate::ports::secrets::Secrets>;

async fn dispatch(server: Rc<Sql>, host: String) -> Answer {
    let endpoint = Endpoint { instance: "sales".into(), host, port: 1433, secret_arn: "arn:secret".into() };
    let mut session = Box::pin(server.open(&endpoint)).await?;
    if !session.lock("bakproof").await? {
        return Ok(json!("locked"));
    }
    let request = NativeBackup {
        database: "orders".into(),
        s3_arn: "arn:aws:s3:::vault/orders.bak".into(),
        kms_key_arn: None,
        differential: false,
        files: 1,
        options: domain::request::TransferOptions::default(),
    };
    match session.backup_database(&request).await {
        Ok(task) => Ok(json!(task)),
        Err(Fault::UnknownOutcome(_)) => Ok(json!("unknown")),
        Err(fault) => Err(Reason::from(fault)),
    }
}

fn sales() -> (Testbed, Rc<RefCell<Front>>) {
    let front = Rc::new(RefCell::new(Front::default()));
    let world = Rc::new(RefCell::new(World::new(1, start(), Knobs::default())));
    let mut testbed = Testbed::assemble(Options::new(1), world, Rc::clone(&front) as _);
    let secrets = testbed.secrets();
    secrets.put("arn:secret", "admin", "right");
    let server = Rc::new(SqlServer::new(testbed.dial(), secrets, sqlserver::Options::in_process()));
    let work = move |host: Value| dispatch(Rc::clone(&server), host.as_str().unwrap_or_default().to_owned());
    testbed.deploy_function("dispatch", MINUTE, code(work));
    (testbed, front)
}

const HOST: &str = "sales.abc.eu-west-1.rds.amazonaws.com";

fn run(testbed: &mut Testbed, host: &str) -> String {
    let id = testbed.invoke("dispatch", json!(host)).unwrap();
    run_minute(testbed);
    match testbed.take_ending(id).unwrap() {
        Ending::Returned(Ok(answer)) => answer.to_string(),
        Ending::Returned(Err(reason)) => format!("{} {}", reason.class, reason.name),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_adapter_runs_unchanged_over_the_pipe() {
    let (mut testbed, front) = sales();
    assert_eq!(run(&mut testbed, HOST), "1");
    let front = front.borrow();
    assert_eq!((front.opened, front.closed, front.tasks, front.holder), (1, 1, 1, None));
    let counts = testbed.counts();
    // Secret and connection; login, lock, backup.
    assert_eq!((counts.port_calls, counts.sql_sessions, counts.sql_requests), (2, 1, 3));
}

#[test]
fn a_lock_is_held_by_one_session_at_a_time_and_gone_with_it() {
    let (mut testbed, front) = sales();
    testbed.set_gate(|call: &Call<'_>| match (call.attempt, call.name) {
        (1, "sql.rds_backup_database") => Verdict::Delay(SignedDuration::from_secs(10)),
        _ => Verdict::Pass,
    });
    let first = testbed.invoke("dispatch", json!(HOST)).unwrap();
    testbed.run_until(start() + SignedDuration::from_secs(5));
    assert_eq!((front.borrow().holder, front.borrow().tasks), (Some(1), 0));
    let second = testbed.invoke("dispatch", json!(HOST)).unwrap();
    testbed.run_until(start() + SignedDuration::from_secs(9));
    assert_eq!(testbed.take_ending(second), Some(Ending::Returned(Ok(json!("locked")))));
    run_minute(&mut testbed);
    assert_eq!(testbed.take_ending(first), Some(Ending::Returned(Ok(json!(1)))));
    assert_eq!(run(&mut testbed, HOST), "2");
    assert_eq!((front.borrow().opened, front.borrow().closed), (3, 3));
}

#[test]
fn a_broken_connection_leaves_open_what_happened() {
    let transient = || Verdict::Fail(Fault::Transient("reset".into()));
    for (name, verdict, expected, tasks) in [
        ("sql.connect", transient(), "Retry Unavailable", 0),
        ("sql.connect", Verdict::LoseReply, "Retry Unavailable", 0),
        ("sql.login", transient(), "Retry Unavailable", 0),
        ("sql.login", Verdict::LoseReply, "Retry Unavailable", 0),
        ("sql.sp_getapplock", transient(), "Retry Unavailable", 0),
        ("sql.rds_backup_database", transient(), "\"unknown\"", 0),
        ("sql.rds_backup_database", Verdict::LoseReply, "\"unknown\"", 1),
        ("sql.rds_backup_database", Verdict::Duplicate, "1", 1),
        ("sql.rds_backup_database", Verdict::Crash(Moment::Before), "Crashed", 0),
        ("sql.rds_backup_database", Verdict::Crash(Moment::After), "Crashed", 1),
        // Longer than the function may run: the request is executed all the same, its sender gone.
        ("sql.rds_backup_database", Verdict::Delay(MINUTE), "TimedOut { after: 1m }", 1),
    ] {
        let (mut testbed, front) = sales();
        testbed
            .set_gate(move |call: &Call<'_>| if call.name == name { verdict.clone() } else { Verdict::Pass });
        assert_eq!(run(&mut testbed, HOST), expected, "{name}");
        run_minute(&mut testbed);
        let front = front.borrow();
        assert_eq!(
            (front.tasks, front.holder, front.opened),
            (tasks, None, front.closed),
            "{name} {expected}"
        );
    }
}

#[test]
fn who_is_not_let_in_learns_why() {
    let (mut testbed, _) = sales();
    assert_eq!(run(&mut testbed, "nowhere.abc.rds.amazonaws.com"), "Retry Unavailable");
    testbed.secrets().put("arn:secret", "admin", "wrong");
    assert_eq!(run(&mut testbed, HOST), "Human LoginFailed");
}

#[test]
fn a_session_that_the_server_ended_is_a_broken_connection() {
    let (mut testbed, front) = sales();
    front.borrow_mut().ended = Some(1);
    assert_eq!(run(&mut testbed, HOST), "Retry Unavailable");
    assert_eq!(run(&mut testbed, HOST), "1");
}

#[test]
fn an_answer_that_cannot_be_sent_is_an_error_of_the_server() {
    let (mut testbed, front) = sales();
    front.borrow_mut().garbles = true;
    let answer = run(&mut testbed, HOST);
    assert!(answer.starts_with("Human "), "{answer}");
    assert_eq!(front.borrow().tasks, 1);
}
