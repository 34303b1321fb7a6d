//! Clients on real sockets of loopback: what they agree on about TLS, many at a time, the slow, the end.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::SignedDuration;
use server::{Authority, Desk, Pace, Port, Tls};
use testbed::scenario::Scenario;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// The quickstart's instances, served; time stands still.
struct Served {
    address: SocketAddr,
    authority: String,
    desk: Desk,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    world: JoinHandle<()>,
}

async fn served() -> Served {
    let names = ["sales".to_owned(), "ledger".to_owned()];
    let authority = Authority::new(&names).unwrap();
    let tls = Arc::new(Tls::new(&authority).unwrap());
    let (desk, world) = server::open(Scenario::quickstart().unwrap(), Pace::Manual, None).unwrap();
    let port = Port::open("sales".to_owned(), 0).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let address = port.address;
    let mut serving = JoinSet::new();
    serving.spawn(server::serve(vec![port], desk.clone(), tls, stopped));
    Served { address, authority: authority.pem, desk, stop, serving, world }
}

impl Served {
    async fn end(self) {
        self.stop.send(true).unwrap();
        self.serving.join_all().await;
        self.desk.close();
        self.world.join().unwrap();
    }

    fn config(&self, encryption: EncryptionLevel, password: &str) -> Config {
        let mut config = Config::new();
        config.host("localhost");
        config.port(self.address.port());
        config.authentication(AuthMethod::sql_server("admin", password));
        config.encryption(encryption);
        // The driver's patience is no matter of the server: two hundred at once on a busy machine take their time.
        config.handshake_timeout(None);
        config.command_timeout(None);
        config.trust_cert_ca_bundle(self.authority.as_bytes());
        config
    }

    async fn connect(&self, config: Config) -> tiberius::Result<Client<Compat<TcpStream>>> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        Box::pin(Client::connect(config, socket.compat_write())).await
    }

    async fn client(
        &self,
        encryption: EncryptionLevel,
        password: &str,
    ) -> tiberius::Result<Client<Compat<TcpStream>>> {
        self.connect(self.config(encryption, password)).await
    }
}

async fn databases(client: &mut Client<Compat<TcpStream>>) -> usize {
    let asked = client.query("SELECT name FROM sys.databases WHERE name LIKE @P1", &[&"tenant-%"]);
    asked.await.unwrap().into_first_result().await.unwrap().len()
}

#[tokio::test]
async fn clients_log_in_however_they_encrypt() {
    let served = served().await;
    for encryption in [
        EncryptionLevel::NotSupported,
        EncryptionLevel::Off,
        EncryptionLevel::On,
        EncryptionLevel::Required,
        EncryptionLevel::Strict,
    ] {
        let mut client = served.client(encryption, "simulated-sales").await.unwrap();
        assert_eq!(databases(&mut client).await, 17, "{encryption:?}");
    }
    served.end().await;
}

/// Far more than TLS or the socket buffers at a time.
#[tokio::test]
async fn a_large_answer_arrives_however_it_is_encrypted() {
    let served = served().await;
    let sql = "SELECT TOP 60 REPLICATE('x', 4000) AS x FROM sys.databases AS a CROSS JOIN sys.databases AS b";
    for encryption in [EncryptionLevel::Off, EncryptionLevel::Required, EncryptionLevel::Strict] {
        let mut client = served.client(encryption, "simulated-sales").await.unwrap();
        let rows = client.simple_query(sql).await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 60, "{encryption:?}");
        assert!(rows.iter().all(|row| row.get::<&str, _>(0).is_some_and(|x| x.len() == 4_000)));
    }
    served.end().await;
}

#[tokio::test]
async fn the_database_of_the_login_is_entered_or_the_login_fails() {
    let served = served().await;
    for (database, entered) in [("orders", Ok("orders")), ("msdb", Ok("msdb")), ("nowhere", Err(4_060))] {
        let mut config = served.config(EncryptionLevel::Required, "simulated-sales");
        config.database(database);
        let found = match served.connect(config).await {
            Ok(mut client) => {
                let row = client
                    .simple_query("SELECT DB_NAME() AS d")
                    .await
                    .unwrap()
                    .into_row()
                    .await
                    .unwrap()
                    .unwrap();
                Ok(row.get::<&str, _>("d").unwrap().to_owned())
            }
            Err(tiberius::error::Error::Server(token)) => Err(token.code()),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(found, entered.map(str::to_owned), "{database}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_as_sql_server_does() {
    let served = served().await;
    for encryption in [EncryptionLevel::Off, EncryptionLevel::Required] {
        let refused = served.client(encryption, "guessed").await.err().unwrap();
        let tiberius::error::Error::Server(token) = refused else { panic!("{refused:?}") };
        assert_eq!(
            (token.code(), token.class(), token.message()),
            (18_456, 14, "Login failed for user 'admin'.")
        );
    }
    served.end().await;
}

#[tokio::test]
async fn two_hundred_clients_are_served_side_by_side() {
    let served = Arc::new(served().await);
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let served = Arc::clone(&served);
        clients.spawn(async move {
            let mut client = served.client(EncryptionLevel::Required, "simulated-sales").await.unwrap();
            let mut seen = 0;
            for _ in 0..5 {
                seen += databases(&mut client).await;
            }
            seen
        });
    }
    assert_eq!(clients.join_all().await, vec![85; 200]);
    Arc::into_inner(served).unwrap().end().await;
}

#[tokio::test]
async fn a_backup_goes_on_while_time_is_told_to_pass() {
    let served = served().await;
    let mut client = served.client(EncryptionLevel::Required, "simulated-sales").await.unwrap();
    let backup = "EXEC msdb.dbo.rds_backup_database @source_db_name = @P1, @s3_arn_to_backup_to = @P2";
    let arn = "arn:aws:s3:::bakproof-vault/mine.bak";
    client.query(backup, &[&"orders", &arn]).await.unwrap().into_results().await.unwrap();
    let status = "EXEC msdb.dbo.rds_task_status @db_name = @P1";
    let mut lifecycles = Vec::new();
    for _ in 0..40 {
        let rows = client.query(status, &[&"orders"]).await.unwrap().into_first_result().await.unwrap();
        let lifecycle = rows[0].get::<&str, _>("lifecycle").unwrap().to_owned();
        if lifecycles.last() != Some(&lifecycle) {
            lifecycles.push(lifecycle);
        }
        served.desk.step(SignedDuration::from_mins(1)).await.unwrap();
    }
    assert_eq!(lifecycles, ["CREATED", "IN_PROGRESS", "SUCCESS"]);
    served.end().await;
}

/// What the server sends until it hangs up.
async fn heard(socket: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // It may hang up so soon that what we sent is not read: that is a reset, and an end as well.
    let _ = socket.read_to_end(&mut heard).await;
    heard
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_hung_up_on() {
    let served = served().await;
    let mut socket = TcpStream::connect(served.address).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(heard(&mut socket).await, [0; 0]);
    assert!(began.elapsed().as_secs() >= 60, "{:?}", began.elapsed());
    served.end().await;
}

#[tokio::test]
async fn who_speaks_something_else_is_hung_up_on_and_nobody_else() {
    let served = served().await;
    let mut good = served.client(EncryptionLevel::Required, "simulated-sales").await.unwrap();
    for noise in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        // A record that begins as TLS and is none; a packet whose length is shorter than its header.
        &[0x16, 3, 1, 0, 2, 1, 0],
        &[0x12, 1, 0, 3, 0, 0, 0, 0],
    ] {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        socket.write_all(noise).await.unwrap();
        // Nothing more comes: who waits for the rest of it need not wait for the minute to end.
        socket.shutdown().await.unwrap();
        heard(&mut socket).await;
        assert_eq!(databases(&mut good).await, 17, "{noise:?}");
    }
    served.end().await;
}

#[tokio::test]
async fn when_the_server_stops_clients_hear_it() {
    let served = served().await;
    let mut client = served.client(EncryptionLevel::Required, "simulated-sales").await.unwrap();
    assert_eq!(databases(&mut client).await, 17);
    served.end().await;
    assert!(client.simple_query("SELECT 1 AS one").await.is_err());
}
