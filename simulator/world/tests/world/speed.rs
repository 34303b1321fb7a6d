//! A week of sixty databases: the size of the first story that users run. It is a test so that it cannot rot; the time it
//! takes is what the test runner prints.

use tds::Value;
use world::{DatabaseConfig, InstanceConfig, SessionId};

use crate::lab::{ACCOUNT, Lab, REGION, cell, text};

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
