//! The application lock between two processes, each with the adapter as deployed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use ports::server::{Fence, OpenSession};
use sqlserver::Options;

use crate::client::{Around, Bundle, PASSWORD, endpoint};
use crate::served::Served;

const LOCK: &str = "bakproof-dispatch";

/// Port and bundle for the other process.
const TO: &str = "BAKPROOF_TEST_FENCE";

/// The other process: this test, in this binary, and nothing else. Does a word at a time, and tells what came of it.
#[tokio::test]
#[ignore = "the other process of the_fence_holds_between_processes"]
async fn the_other_process() {
    #[expect(clippy::disallowed_methods, reason = "how a test tells its other process where to go")]
    let Ok(to) = std::env::var(TO) else { return };
    let (port, bundle) = to.split_once(' ').unwrap();
    let adapter = Around::new(&[PASSWORD]).adapter(Options::verified(bundle));
    let endpoint = endpoint(([127, 0, 0, 1], port.parse().unwrap()).into());
    let mut session = adapter.open(&endpoint).await.unwrap();
    for word in std::io::stdin().lines() {
        let said = match word.unwrap().as_str() {
            "lock" => format!("{:?}", session.lock(LOCK).await),
            "unlock" => format!("{:?}", session.unlock(LOCK).await),
            other => panic!("{other}"),
        };
        println!("said {said}");
    }
}

struct Other {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Other {
    fn start(port: u16, bundle: &Bundle) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "fence::the_other_process", "--nocapture"])
            .env(TO, format!("{port} {}", bundle.0.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    fn does(&mut self, word: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.says.read_line(&mut line).unwrap(), 0, "the other process ended");
            // The harness says more than the test does, on the same line at times.
            if let Some((_, said)) = line.split_once("said ") {
                return said.trim().to_owned();
            }
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The instances are served on a second thread, so that a question to the other process may block this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fence_holds_between_processes() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    let port = served.sales.port();
    let adapter = Around::new(&[PASSWORD]).adapter(Options::verified(&bundle.0));
    let mut ours = adapter.open(&endpoint(served.sales)).await.unwrap();
    let mut other = Other::start(port, &bundle);

    assert_eq!(ours.lock(LOCK).await, Ok(true));
    assert_eq!(other.does("lock"), "Ok(false)");
    ours.unlock(LOCK).await.unwrap();
    assert_eq!(other.does("lock"), "Ok(true)");
    assert_eq!(ours.lock(LOCK).await, Ok(false));
    assert_eq!(other.does("unlock"), "Ok(())");
    assert_eq!(ours.lock(LOCK).await, Ok(true));
    ours.unlock(LOCK).await.unwrap();

    // A process that dies with the lock leaves it behind for nobody.
    assert_eq!(other.does("lock"), "Ok(true)");
    assert_eq!(ours.lock(LOCK).await, Ok(false));
    drop(other);
    let mut tries = 0;
    while ours.lock(LOCK).await != Ok(true) {
        tries += 1;
        assert!(tries < 10_000, "the lock outlived its process");
        tokio::task::yield_now().await;
    }

    // A session that is dropped with the lock, by a handler that failed, frees it as well.
    let mut other = Other::start(port, &bundle);
    assert_eq!(other.does("lock"), "Ok(false)");
    drop(ours);
    let mut freed = false;
    for _ in 0..1_000 {
        freed = freed || other.does("lock") == "Ok(true)";
    }
    assert!(freed);
    drop((other, adapter));
    served.end().await;
}
