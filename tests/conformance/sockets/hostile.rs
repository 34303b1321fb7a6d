//! Servers that are slow, die, or speak nonsense: a fault, within the timeouts.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use domain::request::CopyLogs;
use ports::Fault;
use ports::server::{OpenSession, ReadTasks, SubmitTasks};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sqlserver::{Encryption, Options};
use tokio::time::Instant;

use crate::client::{Around, PASSWORD, endpoint, word};
use crate::rogue::{Answer, Rogue};

const SHORT: Duration = Duration::from_millis(300);

/// Far above every timeout that is set here, far below those of a deployed function.
const SOON: Duration = Duration::from_secs(4);

fn copy() -> CopyLogs {
    CopyLogs { database: "orders".to_owned(), kms_key_arn: None, first_seq: 7, last_seq: 19 }
}

fn impatient(encryption: Encryption) -> Options {
    Options { encryption, handshake_timeout: Some(SHORT), ..Options::default() }
}

#[tokio::test]
async fn a_slow_or_dying_server_ends_in_a_fault_in_time() {
    for (answer, command, request) in [
        (Answer::Silence, SHORT, SOON),
        (Answer::Silence, SOON, SHORT),
        (Answer::Half, SOON, SOON),
        // Each token comes in time, the last one never.
        (Answer::Drip, SHORT, 2 * SHORT),
    ] {
        let rogue = Rogue::new(answer).await;
        let options = Options {
            encryption: Encryption::None,
            command_timeout: Some(command),
            request_timeout: Some(request),
            ..Options::default()
        };
        let adapter = Around::new(&[PASSWORD]).adapter(options);
        let began = now();
        let mut session = adapter.open(&endpoint(rogue.address)).await.unwrap();
        let fault = session.task_info(1).await.unwrap_err();
        assert_eq!(word(&fault), "transient", "{fault}");
        let mut session = adapter.open(&endpoint(rogue.address)).await.unwrap();
        let fault = session.copy_logs(&copy()).await.unwrap_err();
        assert_eq!(word(&fault), "unknown", "{fault}");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
}

/// An answer that never ends is ended before it fills the memory of a function.
#[tokio::test]
async fn a_flood_is_cut_off() {
    let rogue = Rogue::new(Answer::Flood).await;
    let options = Options { encryption: Encryption::None, answer_bytes_max: 1 << 20, ..Options::default() };
    let mut session = Around::new(&[PASSWORD]).adapter(options).open(&endpoint(rogue.address)).await.unwrap();
    let fault = session.copy_logs(&copy()).await.unwrap_err();
    assert_eq!(word(&fault), "unknown");
    assert!(fault.to_string().contains("an answer of more than"), "{fault}");
}

#[tokio::test]
async fn who_does_not_answer_at_all_is_not_waited_for() {
    // Accepts and says nothing: the backlog of a listener that nobody asks.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for encryption in [Encryption::Required, Encryption::Strict, Encryption::None] {
        let began = now();
        let fault = met(address, encryption).await;
        assert_eq!(word(&fault), "transient", "{fault}");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    drop(listener);
    // Nobody listens; nobody has that name, which is longer than a label may be, so that no resolver is asked.
    let fault = met(address, Encryption::Required).await;
    assert_eq!(word(&fault), "transient", "{fault}");
    let mut nowhere = endpoint(address);
    nowhere.host = "x".repeat(64);
    let fault = Around::new(&[PASSWORD]).adapter(Options::default()).open(&nowhere).await.unwrap_err();
    assert!(fault.to_string().starts_with(&format!("sales: {}:", nowhere.host)), "{fault}");
}

async fn met(address: SocketAddr, encryption: Encryption) -> Fault {
    let opened = Around::new(&[PASSWORD]).adapter(impatient(encryption)).open(&endpoint(address)).await;
    opened.map(|_| ()).unwrap_err()
}

/// Whether timeouts hold is a matter of the wall clock.
fn now() -> Instant {
    Instant::now()
}

/// Says this in these pieces to whoever comes, then hangs up or holds the line.
#[expect(clippy::disallowed_methods, reason = "a server beside the client, on a thread that ends with it")]
fn speaker(pieces: Vec<Vec<u8>>, hangs_up: bool) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let Ok((mut socket, _)) = listener.accept() else { return };
        let _ = socket.set_nodelay(true);
        for piece in pieces {
            if socket.write_all(&piece).is_err() {
                return;
            }
            std::thread::yield_now();
        }
        if !hangs_up {
            // Until the client has had enough.
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        }
    });
    address
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Half of them begin as a packet of an answer to pre-login does, so that what follows is looked at.
    let prelogin = Just(vec![4, 1, 0, 43, 0, 0, 1, 0]);
    let begins = prop_oneof![prelogin, prop::collection::vec(any::<u8>(), 0..12)];
    let rest = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6);
    (begins, rest).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(29),
        ..ProptestConfig::with_cases(96)
    })]

    #[test]
    fn any_bytes_in_any_pieces_are_no_session(
        pieces in pieces(),
        hangs_up in prop::bool::weighted(0.8),
        encryption in prop::sample::select(vec![Encryption::Required, Encryption::Strict, Encryption::None]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let began = now();
        let fault = runtime.block_on(met(speaker(pieces, hangs_up), encryption));
        prop_assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        let word = word(&fault);
        prop_assert!(word == "transient" || word.starts_with("Human "), "{}", fault);
        prop_assert!(!fault.to_string().contains(PASSWORD), "{}", fault);
    }
}
