//! A week of sixty databases: the size of the first story that users run. It is a test so that it cannot rot; the time it
//! takes is what the test runner prints.

use tds::Value;
use tiberius::Client;
use world::{DatabaseConfig, InstanceConfig, SessionId};

use crate::{
    lab::{ACCOUNT, Lab, REGION, cell, text},
    pipe::{Pipe, config, run},
};

const INSTANCES: usize = 2;
const DATABASES: usize = 30;
const HOURS: usize = 7 * 24;

#[test]
fn a_week_of_sixty_databases() {
    let mut lab = Lab::new();
    lab.world.add_instance(InstanceConfig::named("second", REGION, ACCOUNT));
    let other = lab.world.connect("second", "admin", "simulated").unwrap();
    let sessions: [SessionId; INSTANCES] = [lab.session, other];
    for (place, instance) in ["prod", "second"].into_iter().enumerate() {
        for number in 0..DATABASES {
            let config =
                DatabaseConfig { size_bytes: 4_000_000_000, ..DatabaseConfig::named(&format!("D{number}")) };
            lab.world.add_database(instance, &config).unwrap();
        }
        lab.session = sessions[place];
        lab.set_up_logs();
    }
    let mut tasks = 0;
    for hour in 0..HOURS {
        for session in sessions {
            lab.session = session;
            for number in 0..DATABASES {
                let name = format!("D{number}");
                // A full each day, a copy every fifth hour, spread over the databases.
                if (hour + number) % 24 == 0 {
                    lab.backup(&name, &format!("{}/{name}/{hour}.bak", session.0));
                    tasks += 1;
                } else if hour > 0 && (hour + number) % 5 == 0 {
                    let answer = lab.call(
                        "msdb.dbo.rds_tlog_backup_copy_to_S3",
                        &[
                            ("@db_name", text(&name)),
                            (
                                "@rds_backup_starting_seq_id",
                                Value::Int(i64::try_from((hour.saturating_sub(5)) * 12 + 1).unwrap()),
                            ),
                        ],
                    );
                    tasks += usize::from(answer.error.is_none());
                }
            }
        }
        for _ in 0..6 {
            lab.wait(600);
            for session in sessions {
                lab.session = session;
                lab.select("SELECT task_id, lifecycle, [% complete] FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id >= @P1 ORDER BY task_id", &[Value::Int(i64::try_from(tasks / INSTANCES).unwrap() - 5)]);
            }
        }
    }
    let done = lab.select(
        "SELECT COUNT(*) AS n FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE lifecycle = 'SUCCESS'",
        &[],
    );
    let Value::Int(done) = cell(&done, 0, "n") else { panic!("a number") };
    assert!(tasks > 2_000 && usize::try_from(*done).unwrap() > tasks / INSTANCES - 60, "{tasks} {done}");
    assert!(lab.keys("logs/").len() > 100_000);
}

/// Hours of 36 days, as long as tasks are listed.
const HISTORY_HOURS: usize = 36 * 24;
/// Hours between two rounds of backups: only where it is measured is every hour lived.
const ROUND: usize = if cfg!(debug_assertions) { 12 } else { 1 };
/// Calls of one stretch, and stretches: the least disturbed one counts, so they are short and many.
const CALLS: u32 = if cfg!(debug_assertions) { 20 } else { 250 };
const STRETCHES: u32 = if cfg!(debug_assertions) { 2 } else { 800 };
/// What is promised, calls a second on one core.
const PROMISED: f64 = 50_000.0;

/// Calls a second in the least disturbed stretch.
fn calls_a_second(mut call: impl FnMut()) -> f64 {
    let mut most = 0.0_f64;
    for _ in 0..STRETCHES {
        #[expect(clippy::disallowed_methods, reason = "what this measures")]
        let began = std::time::Instant::now();
        (0..CALLS).for_each(|_| call());
        most = most.max(f64::from(CALLS) / began.elapsed().as_secs_f64());
    }
    most
}

/// Polls over 36 days of history: from the bytes of a call, as tiberius sends it, to the bytes of its answer; and the same with
/// tiberius itself at the other end of the pipe, which takes longer than the server. A release build is held to the promise.
#[test]
fn polls_over_36_days_of_history() {
    let mut lab = Lab::new();
    for number in 0..4 {
        let small = DatabaseConfig { size_bytes: 4_000_000, ..DatabaseConfig::named(&format!("D{number}")) };
        lab.world.add_database("prod", &small).unwrap();
    }
    let mut last = 0;
    for hour in (0..HISTORY_HOURS).step_by(ROUND) {
        for number in 0..4 {
            last = lab.backup(&format!("D{number}"), &format!("{number}/{hour}.bak"));
        }
        lab.wait(3_600 * i64::try_from(ROUND).unwrap());
    }
    let first = i32::try_from(last).unwrap() - 9;
    let pipe = Pipe::into(lab);
    let sql = "SELECT task_id, task_type, lifecycle, [% complete] AS percent_complete, last_updated FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id >= @P1 ORDER BY task_id";
    let bytes = pipe.connect();
    let mut client =
        run(async { Box::pin(Client::connect(config("simulated"), bytes.clone())).await }).unwrap();
    let login = bytes.sent();
    let mut ask = || {
        let rows = run(async { client.query(sql, &[&first]).await?.into_first_result().await }).unwrap();
        assert_eq!(rows.len(), 10);
    };
    ask();
    let request = bytes.sent().split_off(login.len());
    let mut raw = pipe.raw();
    raw.answer(&login);
    let expected = raw.answer(&request);
    let bare = calls_a_second(|| assert_eq!(raw.answer(&request).len(), expected.len()));
    let whole = calls_a_second(ask);
    println!("{bare:.0} polls a second, {whole:.0} with tiberius, {last} tasks in 36 days");
    assert!(cfg!(debug_assertions) || bare > PROMISED, "{bare:.0} a second");
}
