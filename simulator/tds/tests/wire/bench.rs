//! How long do connecting, logging in and one call take? Printed on every run, so that it cannot rot; no gate.

use tds::{Options, Response};
use tiberius::Client;

use crate::{
    pipe::{Pieces, Pipe, run},
    server::{PASSWORD, config, script},
};

#[test]
#[expect(clippy::disallowed_methods, reason = "a bench measures; nothing depends on what it reads")]
fn connect_login_and_call() {
    let rounds = if cfg!(debug_assertions) { 100 } else { 5_000 };
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        let pipe = Pipe::new(Options::default(), Pieces::WHOLE, script(|_| Some(Response::default())));
        run(async {
            let mut client = Box::pin(Client::connect(config(PASSWORD), pipe)).await.unwrap();
            client.execute("exec msdb.dbo.rds_backup_database @source_db_name=@P1", &[&"db"]).await.unwrap();
        });
    }
    let each = start.elapsed() / rounds;
    println!("connect + login + call: {} us over {rounds} rounds", each.as_micros());
}
