//! What a session is in, and what is left of it when it starts afresh.

use tds::Value;

use crate::lab::{Lab, text};

#[test]
fn a_session_starts_afresh_in_the_database_of_its_login() {
    let mut lab = Lab::new();
    lab.database("Orders");
    let session = lab.session;
    let database = |lab: &Lab| lab.world.session_database(session).map(str::to_owned);
    assert_eq!(lab.world.enter(session, "nowhere").unwrap_err().number, 4060);
    assert_eq!(database(&lab).as_deref(), Some("master"));
    lab.world.enter(session, "Orders").unwrap();
    for (keeps, open) in [(true, 1), (false, 0)] {
        lab.batch("BEGIN TRAN");
        lab.call(
            "sp_getapplock",
            &[("@Resource", text("run")), ("@LockMode", text("Exclusive")), ("@LockOwner", text("Session"))],
        );
        lab.batch("USE msdb");
        lab.world.reset(session, keeps);
        assert_eq!(database(&lab).as_deref(), Some("Orders"));
        let answer = lab.batch("SELECT @@TRANCOUNT, APPLOCK_MODE('public', 'run', 'Session')");
        let mode = if keeps { text("Exclusive") } else { text("NoLock") };
        assert_eq!(answer.results[0].rows[0], [Value::Int(open), mode], "keeps the transaction: {keeps}");
    }
}
