//! Rotation: a secret that changed is read again once, and a login that stays refused says whose it is.

use ports::Fault;
use ports::server::{OpenSession, ReadClock};
use sqlserver::Options;

use crate::client::{Around, Bundle, PASSWORD, endpoint, word};
use crate::served::Served;

#[tokio::test]
async fn a_secret_is_read_again_once_and_no_password_is_tried_twice() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    for (passwords, expected, counts) in [
        (&[PASSWORD][..], "in", (1, 1)),
        (&["before-rotation", PASSWORD], "in", (2, 2)),
        // The same again: another try would only count towards a lockout.
        (&["wrong"], "Human LoginFailed", (1, 2)),
        (&["wrong", "also-wrong"], "Human LoginFailed", (2, 2)),
        (&["wrong", "also-wrong", PASSWORD], "Human LoginFailed", (2, 2)),
    ] {
        let around = Around::new(passwords);
        let opened = around.adapter(Options::verified(&bundle.0)).open(&endpoint(served.sales)).await;
        let told = opened.as_ref().map_or_else(word, |_| "in".to_owned());
        assert_eq!((told.as_str(), around.counts()), (expected, counts), "{passwords:?}");
        if let Err(Fault::Refused(reason)) = opened {
            for named in ["sales", "admin", "arn:aws:secretsmanager:us-east-1:111122223333:secret:sales"] {
                assert!(reason.message.contains(named), "{named}: {reason}");
            }
            assert!(!format!("{reason:?}").contains("wrong"), "{reason:?}");
        }
    }
    served.end().await;
}

/// Two instances that share a secret's ARN stand for one whose password was changed between two invocations.
#[tokio::test]
async fn a_login_that_was_good_is_not_asked_for_again_until_it_is_refused() {
    let served = Served::new().await;
    let bundle = Bundle::new(&served.authority);
    let around = Around::new(&[PASSWORD, "simulated-ledger"]);
    let adapter = around.adapter(Options::verified(&bundle.0));
    let mut first = adapter.open(&endpoint(served.sales)).await.unwrap();
    let mut second = adapter.open(&endpoint(served.sales)).await.unwrap();
    assert!(first.clock().await.is_ok() && second.clock().await.is_ok());
    assert_eq!(around.counts(), (2, 1));
    // Known by now, refused, read again, let in.
    let mut third = adapter.open(&endpoint(served.ledger)).await.unwrap();
    assert!(third.clock().await.is_ok());
    assert_eq!(around.counts(), (4, 2));
    // The new one is the one that is kept.
    let fourth = adapter.open(&endpoint(served.ledger)).await.unwrap();
    assert_eq!(around.counts(), (5, 2));
    drop((first, second, third, fourth, adapter));
    served.end().await;
}
