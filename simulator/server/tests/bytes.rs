//! Any bytes in any pieces: no panic, no memory without bound, no event before a login.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use server::{Authority, Secure, Tls};
use tds::Event;

static TLS: LazyLock<Arc<Tls>> = LazyLock::new(|| {
    let authority = Authority::new(&["sales".to_owned()]).unwrap();
    Arc::new(Tls::new(&authority).unwrap())
});

/// A pre-login of a client that encrypts, and the beginning of a TLS 1.2 handshake in a packet.
const PRELOGIN: [u8; 26] =
    [0x12, 1, 0, 26, 0, 0, 0, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, 1];
const HELLO: [u8; 17] = [0x12, 1, 0, 17, 0, 0, 0, 0, 0x16, 3, 1, 0, 4, 1, 0, 0, 0];

/// Feeds bytes in pieces and takes what is said. The number of bytes that were said, and whether anybody wanted to log in.
fn fed(bytes: &[u8], piece: usize) -> (usize, bool) {
    let mut secure = Secure::new("sales", 51, Arc::clone(&TLS));
    let (mut said, mut logs_in) = (0, false);
    for bytes in bytes.chunks(piece.max(1)) {
        let received = secure.receive(bytes);
        while let Ok(Some(event)) = secure.next_event() {
            match event {
                Event::Login(_) => logs_in = true,
                Event::Request(request) => assert!(logs_in, "{request:?} before a login"),
            }
            if secure.is_closed() {
                break;
            }
            if logs_in {
                return (said, true);
            }
        }
        said += secure.take_output().len();
        if received.is_err() || secure.is_closed() {
            break;
        }
    }
    secure.close();
    (said + secure.take_output().len(), logs_in)
}

#[test]
fn a_handshake_that_is_agreed_on_is_answered_in_packets() {
    let (said, logs_in) = fed(&PRELOGIN, 1);
    assert!(said > 30 && !logs_in, "the answer to the pre-login: {said}");
    let (more, _) = fed(&[&PRELOGIN[..], &HELLO[..]].concat(), 7);
    assert!(more > said, "an alert for a hello that is none");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_126), ..ProptestConfig::default() })]

    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1_usize..64) {
        let (said, logs_in) = fed(&bytes, piece);
        prop_assert!(said < 4_096 && !logs_in, "{} bytes said", said);
    }

    #[test]
    fn noise_behind_a_pre_login_is_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        in_packet in any::<bool>(),
        piece in 1_usize..64,
    ) {
        let length = u16::try_from(bytes.len() + 8).unwrap().to_be_bytes();
        let header = if in_packet { vec![0x12, 1, length[0], length[1], 0, 0, 0, 0] } else { Vec::new() };
        let (said, logs_in) = fed(&[&PRELOGIN[..], &header[..], &bytes[..]].concat(), piece);
        prop_assert!(said < 4_096 && !logs_in, "{} bytes said", said);
    }

    #[test]
    fn a_spoiled_handshake_is_survived(
        at in 0_usize..43,
        byte in any::<u8>(),
        rest in prop::collection::vec(any::<u8>(), 0..100),
        piece in 1_usize..64,
    ) {
        let mut bytes = [&PRELOGIN[..], &HELLO[..], &rest[..]].concat();
        bytes[at] = byte;
        let (said, _) = fed(&bytes, piece);
        prop_assert!(said < 4_096, "{} bytes said", said);
    }
}
