//! Why is nobody let in? Failures before a session, each with its own name and what to do about it.
//!
//! Nothing was asked yet, so nothing can have happened. The driver hands over TLS failures as sentences only; which sentence
//! means what is held by tests over real sockets. Sources: Microsoft Learn, "Database engine events and errors" (18452 to
//! 18488); RDS user guide, "Using SSL/TLS to encrypt a connection to a DB instance" (the bundle's address), read 2026-11;
//! rustls 0.23, `CertificateError`; tiberius 0.13.

use std::io::ErrorKind;
use std::path::Path;

use domain::reason::{Class, Reason};
use ports::Fault;
use ports::server::Endpoint;
use tiberius::error::Error;

use super::{Effect, of_number, short};
use crate::connect::Login;
use crate::options::Options;

/// "Login failed for user": the server does not tell clients which of the reasons it was.
pub(crate) const LOGIN_FAILED: u32 = 18_456;

/// Where RDS publishes the authorities of all Regions.
const BUNDLE: &str = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem";

/// Who wanted in, and where.
pub(crate) struct Attempt<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) login: &'a Login,
    pub(crate) options: &'a Options,
}

impl Attempt<'_> {
    /// The fault of a failed login.
    pub(crate) fn fault(&self, error: Error) -> Fault {
        match error {
            Error::Server(token) => {
                let text = self.clean(token.message());
                match self.refused(token.code(), &text) {
                    Some(reason) => Fault::Refused(reason),
                    None => of_number(token.code(), token.class(), &text, Effect::Read),
                }
            }
            Error::Tls(text) => Fault::Refused(self.untrusted(&text)),
            // The driver reports an unreadable trust bundle and a failed TLS handshake as I/O errors of these kinds; a
            // connection that was lost has others.
            Error::Io {
                kind: ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::InvalidData,
                message,
            } => Fault::Refused(self.no_tls(&message)),
            Error::Protocol(text) if text.contains("encryption level") => Fault::Refused(self.human(
                "TlsMissing",
                "the server offers no TLS",
                "login and backup requests are sent over TLS only: force encryption on the server, or name the instance itself if \
                 something else listens there",
            )),
            Error::Routing { host, port } => Fault::Refused(self.human(
                "Routed",
                &format!("the server sends this login to {host}:{port}"),
                "name the endpoint of the instance itself, not a read-only listener",
            )),
            error => Fault::Transient(format!("{}: {error}", self.place())),
        }
    }

    /// Why the server refused the login, when it stays refused until somebody acts.
    fn refused(&self, number: u32, text: &str) -> Option<Reason> {
        let (user, arn) = (&self.login.user, &self.endpoint.secret_arn);
        let (name, guidance) = match number {
            LOGIN_FAILED => (
                "LoginFailed",
                "the secret was read again and is no better: compare user and password of the secret with the login, then rotate \
                 the secret; the server's error log tells the state that clients are not told"
                    .to_owned(),
            ),
            // 4060 and 4064 cannot open the database, 18452 untrusted domain.
            4_060 | 4_064 => ("LoginFailed", "let the login into the database master".to_owned()),
            18_452 => ("LoginFailed", "the secret must hold a SQL Server login, not a Windows account".to_owned()),
            18_470 => ("LoginDisabled", format!("as the master user: ALTER LOGIN {} ENABLE", quoted(user))),
            18_486 => (
                "LoginLocked",
                format!(
                    "too many wrong passwords: wait for the lockout to end, or as the master user ALTER LOGIN {} WITH PASSWORD = \
                     '...' UNLOCK, and find who tries",
                    quoted(user)
                ),
            ),
            18_487 => (
                "PasswordExpired",
                format!(
                    "rotate the secret; to stop the password of a service from expiring: ALTER LOGIN {} WITH CHECK_EXPIRATION = OFF",
                    quoted(user)
                ),
            ),
            18_488 => (
                "PasswordMustChange",
                format!(
                    "as the master user: ALTER LOGIN {} WITH PASSWORD = '...', without MUST_CHANGE, and put it into the secret",
                    quoted(user)
                ),
            ),
            _ => return None,
        };
        let message = format!("login {user} of secret {arn} is refused: error {number}: {}", short(text));
        Some(self.human(name, &message, &guidance))
    }

    /// What is wrong with the server's certificate.
    fn untrusted(&self, text: &str) -> Reason {
        // The driver's advice goes on to recommend switching verification off; the cause ends before it.
        let cause = text.split(" To connect anyway").next().unwrap_or(text);
        let said = |words: &[&str]| words.iter().any(|word| cause.contains(word));
        let new_one = "RDS gives an instance a new one: rotate the instance's certificate authority, or repair the clock that \
                       judges it";
        let (name, guidance) = if said(&["UnknownIssuer"]) {
            (
                "CertificateUntrusted",
                format!(
                    "no authority in {} vouches for it: download the current bundle from {BUNDLE} (China and GovCloud have their \
                     own), which holds old and new authorities side by side, and publish it as the layer; a certificate that is its own authority has to be \
                     replaced by one that an authority signed",
                    self.bundle()
                ),
            )
        } else if said(&["not valid for name", "NotValidForName"]) {
            (
                "CertificateOfOtherHost",
                "connect by the name that the certificate has: the endpoint that RDS shows, no alias and no address".to_owned(),
            )
        } else if said(&["not valid yet", "NotValidYet"]) {
            ("CertificateNotYetValid", new_one.to_owned())
        } else if said(&["expired", "Expired"]) {
            ("CertificateExpired", new_one.to_owned())
        } else if said(&["CaUsedAsEndEntity", "UnsupportedCertVersion"]) {
            (
                "CertificateSelfSigned",
                "it is the one that SQL Server makes for itself: install one that an authority in the bundle signed".to_owned(),
            )
        } else {
            ("TlsFailed", self.tls_guidance())
        };
        self.human(name, short(cause), &guidance)
    }

    /// No handshake: the bundle cannot be read, or what answers does not speak TLS as we do.
    fn no_tls(&self, text: &str) -> Reason {
        let ours = ["Could not read certificate", "CA source", "PEM", "file-extension"];
        if ours.iter().any(|word| text.contains(word)) {
            return self.human(
                "TrustBundleUnreadable",
                short(text),
                &format!(
                    "put the authorities of RDS there, from {BUNDLE}: as a layer of the function, a .pem file"
                ),
            );
        }
        self.human("TlsFailed", short(text), &self.tls_guidance())
    }

    fn tls_guidance(&self) -> String {
        format!("check that {} speaks TLS 1.2 or later, and the trust bundle {}", self.place(), self.bundle())
    }

    fn bundle(&self) -> String {
        let bundle = self.options.trust_bundle.as_deref().map(Path::display);
        bundle.map_or_else(|| "the host's own store".to_owned(), |path| path.to_string())
    }

    fn place(&self) -> String {
        let Endpoint { instance, host, port, .. } = self.endpoint;
        format!("{instance} ({host}:{port})")
    }

    fn human(&self, name: &'static str, message: &str, guidance: &str) -> Reason {
        Reason::new(Class::Human, name, format!("{}: {message}", self.place())).guidance(guidance.to_owned())
    }

    /// A server knows the password by now, and may say it back.
    fn clean(&self, text: &str) -> String {
        match self.login.password.expose() {
            "" => text.to_owned(),
            password => text.replace(password, "***"),
        }
    }
}

/// A name in brackets: guidance is pasted into query windows.
fn quoted(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::Secret;

    fn with<T>(look: impl Fn(&Attempt<'_>) -> T) -> T {
        let endpoint = Endpoint {
            instance: "sales".to_owned(),
            host: "sales.example".to_owned(),
            port: 1433,
            secret_arn: "arn:aws:secretsmanager:us-east-1:1:secret:sales".to_owned(),
        };
        let login = Login { user: "back]up".to_owned(), password: Secret::new("hunter2") };
        look(&Attempt { endpoint: &endpoint, login: &login, options: &Options::verified("/opt/rds.pem") })
    }

    fn reason(error: &Error) -> Reason {
        match with(|attempt| attempt.fault(error.clone())) {
            Fault::Refused(reason) => reason,
            fault => Reason::new(Class::Retry, "Transient", fault.to_string()),
        }
    }

    fn io(kind: ErrorKind, message: &str) -> Error {
        Error::Io { kind, message: message.to_owned() }
    }

    #[test]
    fn a_failure_before_the_login_has_a_name_of_its_own() {
        let rejected = |why: &str| {
            Error::Tls(format!(
                "the server's certificate was rejected: {why}. To connect anyway you can: trust_cert()"
            ))
        };
        for (error, expected) in [
            (io(ErrorKind::ConnectionRefused, "gone"), "Retry Transient"),
            (io(ErrorKind::UnexpectedEof, "gone"), "Retry Transient"),
            (io(ErrorKind::TimedOut, "gone"), "Retry Transient"),
            (
                io(ErrorKind::InvalidData, "Could not read certificate /opt/rds.pem: not found"),
                "Human TrustBundleUnreadable",
            ),
            (
                io(ErrorKind::InvalidData, "the CA source `/opt/rds.pem` contained no usable certificates"),
                "Human TrustBundleUnreadable",
            ),
            (
                io(ErrorKind::InvalidInput, "Certificate /opt/rds has an unsupported file-extension!"),
                "Human TrustBundleUnreadable",
            ),
            (io(ErrorKind::InvalidData, "received corrupt message"), "Human TlsFailed"),
            (rejected("UnknownIssuer"), "Human CertificateUntrusted"),
            (rejected("certificate expired: verification time 2 (UNIX)"), "Human CertificateExpired"),
            (
                rejected("certificate not valid yet: verification time 2 (UNIX)"),
                "Human CertificateNotYetValid",
            ),
            (rejected("certificate not valid for name \"sales.example\""), "Human CertificateOfOtherHost"),
            (rejected("Other(OtherError(CaUsedAsEndEntity))"), "Human CertificateSelfSigned"),
            (rejected("Other(OtherError(UnsupportedCertVersion))"), "Human CertificateSelfSigned"),
            (rejected("BadSignature"), "Human TlsFailed"),
            (
                Error::Protocol("Server does not allow the requested encryption level.".into()),
                "Human TlsMissing",
            ),
            (Error::Protocol("Never got DONE token.".into()), "Retry Transient"),
            (Error::Routing { host: "h".to_owned(), port: 1 }, "Human Routed"),
        ] {
            let reason = reason(&error);
            assert_eq!(format!("{} {}", reason.class, reason.name), expected, "{error}");
            assert!(reason.message.contains("sales (sales.example:1433): "), "{}", reason.message);
            assert_eq!(reason.guidance.is_empty(), reason.class == Class::Retry, "{error}");
            // The driver's advice to stop verifying is not passed on.
            assert!(!format!("{reason} {}", reason.guidance).contains("trust_cert"), "{reason}");
        }
    }

    #[test]
    fn a_refused_login_is_named_and_its_password_is_not() {
        for (number, expected, guided) in [
            (18_456, Some("LoginFailed"), "rotate"),
            (18_452, Some("LoginFailed"), "Windows"),
            (4_060, Some("LoginFailed"), "master"),
            (18_470, Some("LoginDisabled"), "ALTER LOGIN [back]]up] ENABLE"),
            (18_486, Some("LoginLocked"), "UNLOCK"),
            (18_487, Some("PasswordExpired"), "ALTER LOGIN [back]]up] WITH CHECK_EXPIRATION = OFF"),
            (18_488, Some("PasswordMustChange"), "MUST_CHANGE"),
            (18_401, None, ""),
            (50_000, None, ""),
        ] {
            let reason = with(|attempt| attempt.refused(number, &attempt.clean("not hunter2 for 'back]up'")));
            let Some(reason) = reason else {
                assert_eq!(expected, None, "{number}");
                continue;
            };
            assert_eq!(Some(reason.name.as_ref()), expected, "{number}");
            for named in
                ["sales", "back]up", "arn:aws:secretsmanager:us-east-1:1:secret:sales", "not *** for"]
            {
                assert!(reason.message.contains(named), "{named}: {reason}");
            }
            assert!(reason.guidance.contains(guided), "{}", reason.guidance);
            assert!(!format!("{reason:?}").contains("hunter2"), "{reason:?}");
        }
    }
}
