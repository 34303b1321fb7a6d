//! One session is used again over warm invocations, and none about which anything is in doubt.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Poll;
use std::time::Duration;

use domain::request::{NativeBackup, TransferOptions};
use jiff::SignedDuration;
use ports::server::{Fence, OpenSession, ReadClock, ReadDatabases, SubmitTasks};
use sqlserver::{Keep, Options};
use testbed::scenario::Scenario;
use testbed::scenario::event::{Event, Happening};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Around, Bundle, PASSWORD, endpoint, word};
use crate::served::Served;

fn backup() -> NativeBackup {
    NativeBackup {
        database: "nowhere".to_owned(),
        s3_arn: "arn:aws:s3:::bakproof-vault/nowhere.bak".to_owned(),
        kms_key_arn: None,
        differential: false,
        files: 1,
        options: TransferOptions::default(),
    }
}

#[tokio::test]
async fn a_session_that_ended_well_is_used_again() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    let around = Around::new(&[PASSWORD]);
    let adapter = around.adapter(Options::verified(&bundle.0));
    for _ in 0..3 {
        let mut session = adapter.open(&endpoint(served.sales)).await.unwrap();
        assert_eq!(session.databases().await.unwrap().len(), 18);
        assert_eq!(session.lock("bakproof").await, Ok(true));
        session.unlock("bakproof").await.unwrap();
    }
    assert_eq!(around.counts(), (1, 1));
    // Another endpoint is another session; both are kept, and a second one of the same is not.
    let mut other = endpoint(served.sales);
    other.host = "127.0.0.1".to_owned();
    for _ in 0..2 {
        let (_one, _two) = (adapter.open(&endpoint(served.sales)).await, adapter.open(&other).await);
    }
    assert_eq!(around.counts(), (2, 1));
    let three = (
        adapter.open(&endpoint(served.sales)).await.unwrap(),
        adapter.open(&endpoint(served.sales)).await.unwrap(),
    );
    assert_eq!(around.counts(), (3, 1));
    drop(three);
    let two = (adapter.open(&endpoint(served.sales)).await, adapter.open(&endpoint(served.sales)).await);
    assert_eq!(around.counts(), (4, 1));
    drop((two, adapter));
    served.end().await;
}

/// Asks, and goes away before the answer.
async fn is_given_up<T>(request: impl Future<Output = T>) -> bool {
    let mut request = Box::pin(request);
    poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await
}

/// What becomes doubtful about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    Cancelled,
    Refused,
    LockHeld,
    LockHeldTwice,
    LockWanted,
    TooOld,
    Panicked,
    NameMoved,
    NothingIsKept,
}

#[tokio::test]
async fn a_session_in_doubt_is_not() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    for doubt in [
        Doubt::Cancelled,
        Doubt::Refused,
        Doubt::LockHeld,
        Doubt::LockHeldTwice,
        Doubt::LockWanted,
        Doubt::TooOld,
        Doubt::Panicked,
        Doubt::NameMoved,
        Doubt::NothingIsKept,
    ] {
        let around = Around::new(&[PASSWORD]);
        let keep = match doubt {
            Doubt::TooOld => Some(Keep { age_max: Duration::ZERO, ..Keep::default() }),
            Doubt::NothingIsKept => None,
            _ => Some(Keep::default()),
        };
        let adapter = around.adapter(Options { keep, ..Options::verified(&bundle.0) });
        let mut session = adapter.open(&endpoint(served.sales)).await.unwrap();
        match doubt {
            Doubt::Cancelled => {
                assert!(is_given_up(session.clock()).await);
            }
            Doubt::Refused => assert_eq!(
                word(&session.backup_database(&backup()).await.unwrap_err()).split(' ').next(),
                Some("Human")
            ),
            Doubt::LockHeld => assert_eq!(session.lock("bakproof").await, Ok(true)),
            Doubt::LockHeldTwice => {
                assert_eq!(session.lock("bakproof").await, Ok(true));
                assert_eq!(session.lock("bakproof").await, Ok(true));
                session.unlock("bakproof").await.unwrap();
            }
            Doubt::LockWanted => {
                assert!(is_given_up(session.lock("bakproof")).await);
            }
            Doubt::NameMoved => around.moved.set(true),
            Doubt::TooOld | Doubt::NothingIsKept | Doubt::Panicked => assert!(session.clock().await.is_ok()),
        }
        let ended = catch_unwind(AssertUnwindSafe(move || {
            let _session = session;
            // Without the hook, which would print it.
            if doubt == Doubt::Panicked {
                resume_unwind(Box::new("a handler"));
            }
        }));
        assert_eq!(ended.is_err(), doubt == Doubt::Panicked);
        let mut session = adapter.open(&endpoint(served.sales)).await.unwrap();
        assert_eq!(around.connections.get(), 2, "{doubt:?}");
        // The server hears that the first one is gone, and lets go of its lock.
        let mut tries = 0;
        while session.lock("bakproof").await != Ok(true) {
            tries += 1;
            assert!(tries < 1_000, "{doubt:?}: the lock is still held");
            tokio::task::yield_now().await;
        }
        drop((session, adapter));
    }
    served.end().await;
}

#[tokio::test]
async fn after_a_request_that_was_given_up_nothing_more_is_sent() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    let adapter = Around::new(&[PASSWORD]).adapter(Options::verified(&bundle.0));
    let mut session = adapter.open(&endpoint(served.sales)).await.unwrap();
    assert!(is_given_up(session.clock()).await);
    // Not even to learn what the first answer was: it might be taken for the second.
    assert_eq!(word(&session.clock().await.unwrap_err()), "transient");
    assert_eq!(word(&session.backup_database(&backup()).await.unwrap_err()), "transient");
    drop((session, adapter));
    served.end().await;
}

/// A way to the instance that can be cut or fall silent while the session rests.
struct Way {
    port: u16,
    silent: watch::Sender<bool>,
    serving: JoinSet<()>,
}

impl Way {
    async fn to(address: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, is_silent) = watch::channel(false);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            let mut first = true;
            while let Ok((mut here, _)) = listener.accept().await {
                let mut is_silent = is_silent.clone();
                let may_fall_silent = std::mem::take(&mut first);
                clients.spawn(async move {
                    let mut there = TcpStream::connect(address).await.unwrap();
                    if may_fall_silent {
                        tokio::select! {
                            _ = copy_bidirectional(&mut here, &mut there) => return,
                            _ = is_silent.wait_for(|silent| *silent) => {}
                        }
                        // Held open, as by a host that is gone.
                        std::future::pending::<()>().await;
                    }
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                });
            }
        });
        Self { port, silent, serving }
    }
}

#[tokio::test]
async fn a_session_that_died_while_it_rested_is_replaced_before_anything_is_asked() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    for silent in [false, true] {
        let mut way = Way::to(served.sales).await;
        let around = Around::new(&[PASSWORD]);
        let adapter = around.adapter(Options::verified(&bundle.0));
        let mut endpoint = endpoint(served.sales);
        endpoint.port = way.port;
        let mut session = adapter.open(&endpoint).await.unwrap();
        assert!(session.clock().await.is_ok());
        drop(session);
        if silent {
            way.silent.send(true).unwrap();
        } else {
            // The host is gone and another one answers at its address.
            way.serving.shutdown().await;
            way = Way::to(served.sales).await;
            endpoint.port = way.port;
        }
        let mut session = adapter.open(&endpoint).await.unwrap();
        assert!(session.clock().await.is_ok());
        assert_eq!(around.connections.get(), 2, "silent: {silent}");
        drop((session, adapter));
        way.serving.shutdown().await;
    }
    served.end().await;
}

/// A failover ends all sessions of the instance, here at the same address.
#[tokio::test]
async fn after_a_failover_a_new_session_is_opened() {
    let mut scenario = Scenario::quickstart().unwrap();
    scenario.events.push(Event {
        at: scenario.start + SignedDuration::from_mins(2),
        what: Happening::Failover,
        instance: Some("sales".to_owned()),
        database: None,
        kind: None,
        to: None,
        to_instance: None,
    });
    let served = Served::telling(scenario).await;
    let bundle = Bundle::new(&served.authority);
    let around = Around::new(&[PASSWORD]);
    let adapter = around.adapter(Options::verified(&bundle.0));
    // A minute before, a minute before, long after: the story stands still in between.
    for (minutes, connections) in [(1, 1), (0, 1), (30, 2), (0, 2)] {
        served.desk.step(SignedDuration::from_mins(minutes)).await.unwrap();
        let mut session = adapter.open(&endpoint(served.sales)).await.unwrap();
        assert!(session.clock().await.is_ok());
        assert_eq!(around.counts(), (connections, 1), "{minutes}");
    }
    drop(adapter);
    served.end().await;
}
