//! Whose certificate is believed, and what is said about one that is not.

use ports::Fault;
use ports::server::{OpenSession, ReadClock};
use server::Tls;
use sqlserver::{Encryption, Options};

use crate::client::{Around, Bundle, PASSWORD, endpoint, word};
use crate::rogue::{Answer, Rogue};
use crate::served::{Life, Served, Signer, self_signed};

/// What comes of logging in to a server that presents this, with this bundle.
async fn met(tls: Tls, bundle: &str, encryption: Encryption) -> Result<(), Fault> {
    let served = Served::with(tls).await;
    let bundle = Bundle::new(bundle);
    let options = Options { encryption, ..Options::verified(&bundle.0) };
    let adapter = Around::new(&[PASSWORD]).adapter(options);
    let met = match adapter.open(&endpoint(served.sales)).await {
        Ok(mut session) => session.clock().await.map(|_| ()),
        Err(fault) => Err(fault),
    };
    drop(adapter);
    served.end().await;
    met
}

#[tokio::test]
async fn authorities_are_rotated_without_an_outage() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let both = old.pem() + &new.pem();
    for encryption in [Encryption::Required, Encryption::Strict] {
        for (signer, bundle, expected) in [
            (&old, old.pem(), "in"),
            (&old, both.clone(), "in"),
            (&new, both.clone(), "in"),
            (&new, new.pem(), "in"),
            (&new, old.pem(), "Human CertificateUntrusted"),
        ] {
            let met = met(signer.vouches_for("localhost", Life::Present), &bundle, encryption).await;
            let told = met.as_ref().map_or_else(word, |()| "in".to_owned());
            assert_eq!(told, expected, "{met:?}");
            if let Err(Fault::Refused(reason)) = met {
                assert!(
                    reason.guidance.contains("https://truststore.pki.rds.amazonaws.com/"),
                    "{}",
                    reason.guidance
                );
                assert!(reason.message.contains("sales (localhost:"), "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn each_certificate_that_is_refused_has_its_reason() {
    let signer = Signer::new("ours");
    for encryption in [Encryption::Required, Encryption::Strict] {
        for (tls, expected) in [
            (signer.vouches_for("localhost", Life::Past), "Human CertificateExpired"),
            (signer.vouches_for("localhost", Life::Future), "Human CertificateNotYetValid"),
            (signer.vouches_for("sales.elsewhere.example", Life::Present), "Human CertificateOfOtherHost"),
            (self_signed("localhost", true), "Human CertificateSelfSigned"),
            // The driver tells no difference between this one and an authority that it does not know; the guidance has both.
            (self_signed("localhost", false), "Human CertificateUntrusted"),
        ] {
            let fault = met(tls, &signer.pem(), encryption).await.unwrap_err();
            assert_eq!(word(&fault), expected, "{fault}");
            let Fault::Refused(reason) = fault else { panic!("a refusal") };
            assert!(!reason.guidance.is_empty() && !reason.message.contains("trust_cert"), "{reason}");
        }
    }
}

#[tokio::test]
async fn a_bundle_that_cannot_be_read_is_named() {
    let signer = Signer::new("ours");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bundle in ["", "no certificates here", garbage, "-----BEGIN CERTIFICATE-----\n!"] {
        let tls = signer.vouches_for("localhost", Life::Present);
        let fault = met(tls, bundle, Encryption::Required).await.unwrap_err();
        assert_eq!(word(&fault), "Human TrustBundleUnreadable", "{bundle:?}: {fault}");
    }
    let served = Served::new().await;
    let adapter = Around::new(&[PASSWORD]).adapter(Options::verified("/nowhere/bundle.pem"));
    let fault = adapter.open(&endpoint(served.sales)).await.unwrap_err();
    assert_eq!(word(&fault), "Human TrustBundleUnreadable", "{fault}");
    assert!(fault.to_string().contains("/nowhere/bundle.pem"), "{fault}");
    served.end().await;
}

/// Whoever listens in the place of the instance and offers no TLS hears no password.
#[tokio::test]
async fn a_server_without_tls_gets_no_password() {
    let rogue = Rogue::new(Answer::Silence).await;
    let adapter = Around::new(&[PASSWORD]).adapter(Options::default());
    let fault = adapter.open(&endpoint(rogue.address)).await.unwrap_err();
    assert_eq!(word(&fault), "Human TlsMissing", "{fault}");
    assert!(!rogue.let_in(), "a login was sent in the clear");
}
