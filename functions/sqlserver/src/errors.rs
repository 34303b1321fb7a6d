//! What went wrong? The driver's errors and the server's error tokens as the three kinds of fault a caller can act on.
//!
//! Whether a request may have had its effect depends on two things only: whether it changes anything, and whether a byte
//! of it left. Refuses to know which handler asks. Sources: RDS user guide, troubleshooting pages of native backup and
//! transaction log access; Microsoft Learn, "Database engine events and errors".

mod numbers;
pub(crate) mod texts;

use std::io::ErrorKind;

use domain::reason::{Class, Reason};
use ports::Fault;
use tiberius::error::{Error, TokenError};

/// Longest server text that goes into a reason, in bytes: enough for every documented one.
const TEXT_BYTES_MAX: usize = 700;

/// Severity from which the server ends the session (Microsoft Learn, "Database engine error severities").
const SEVERITY_FATAL: u8 = 20;

/// What a request can do to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: asking again is harmless.
    Read,
    /// It enqueues or sets something.
    Change,
}

/// The fault of a failed request. `sent` tells whether any byte of it left.
pub(crate) fn of_request(error: Error, effect: Effect, sent: bool) -> Fault {
    match error {
        Error::Server(token) => of_token(&token, effect),
        // The driver has one word for a request it cannot write and for an answer it cannot read.
        Error::Encoding(what) if !sent => {
            Fault::Refused(Reason::new(Class::Never, "RequestUnencodable", what))
        }
        error if effect == Effect::Change && sent => Fault::UnknownOutcome(format!("no answer: {error}")),
        error => Fault::Transient(error.to_string()),
    }
}

/// The fault of a failed login. Nothing was asked yet, so nothing can have happened.
pub(crate) fn of_login(error: Error) -> Fault {
    match error {
        Error::Server(token) if numbers::is_login_refusal(token.code()) => {
            Fault::Refused(human("LoginFailed", &token).guidance(
                "compare user and password of the secret with the instance; rotate the secret if they differ",
            ))
        }
        Error::Server(token) => of_token(&token, Effect::Read),
        Error::Tls(text) => Fault::Refused(tls(&text)),
        // The driver reports an unreadable trust bundle and a failed TLS handshake as I/O errors of these kinds; a
        // connection that was lost has others.
        Error::Io {
            kind:
                ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidInput
                | ErrorKind::InvalidData,
            message,
        } => Fault::Refused(tls(&message)),
        Error::Protocol(text) if text.contains("encryption level") => Fault::Refused(tls(&text)),
        Error::Routing { host, port } => Fault::Refused(
            Reason::new(Class::Human, "Routed", format!("the server sends this login to {host}:{port}"))
                .guidance("name the endpoint of the instance itself, not a read-only listener"),
        ),
        error => Fault::Transient(error.to_string()),
    }
}

fn tls(text: &str) -> Reason {
    // The driver's advice goes on to recommend switching verification off; the cause ends before it.
    let cause = text.split(" To connect anyway").next().unwrap_or(text);
    Reason::new(Class::Human, "TlsFailed", short(cause)).guidance(
        "check the trust bundle (RDS signs with authorities of its own) and that the endpoint's name is in the \
         server's certificate",
    )
}

/// The fault of an error token.
fn of_token(token: &TokenError, effect: Effect) -> Fault {
    let passing = token.class() >= SEVERITY_FATAL || numbers::is_passing(token.code());
    if passing || texts::is_internal_failure(token.message()) {
        let what = format!("error {}: {}", token.code(), short(token.message()));
        // The procedure may have come far enough before it was stopped.
        return if effect == Effect::Change { Fault::UnknownOutcome(what) } else { Fault::Transient(what) };
    }
    Fault::Refused(refusal(token.code(), token.message()))
}

/// A statement that always has a row had none.
pub(crate) fn no_row(table: &'static str) -> Fault {
    Fault::Refused(Reason::new(Class::Human, "RowUnreadable", format!("{table}: the answer has no row")))
}

/// Why the server said no, by number and text.
pub(crate) fn refusal(number: u32, text: &str) -> Reason {
    if let Some(reason) = numbers::permission(number, text) {
        return reason;
    }
    if let Some(reason) = texts::known(text) {
        return reason;
    }
    if numbers::is_missing_object(number) {
        return Reason::new(Class::Human, "ProcedureMissing", format!("error {number}: {}", short(text)))
            .guidance(
                "the login sees no such object: is this an RDS instance, with SQLSERVER_BACKUP_RESTORE in its option group?",
            );
    }
    Reason::new(Class::Human, "ServerRefused", format!("error {number}: {}", short(text)))
}

fn human(name: &'static str, token: &TokenError) -> Reason {
    Reason::new(Class::Human, name, format!("error {}: {}", token.code(), short(token.message())))
}

/// The text, cut at a character when it is too long for a reason.
pub(crate) fn short(text: &str) -> &str {
    let text = text.trim();
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(kind: ErrorKind) -> Error {
        Error::Io { kind, message: "gone".to_owned() }
    }

    fn word(fault: &Fault) -> String {
        match fault {
            Fault::Transient(_) => "transient".to_owned(),
            Fault::UnknownOutcome(_) => "unknown".to_owned(),
            Fault::Refused(reason) => format!("{} {}", reason.class, reason.name),
        }
    }

    #[test]
    fn a_lost_answer_is_unknown_only_for_a_change_that_left() {
        for (error, effect, sent, expected) in [
            (io(ErrorKind::ConnectionReset), Effect::Read, false, "transient"),
            (io(ErrorKind::ConnectionReset), Effect::Read, true, "transient"),
            (io(ErrorKind::BrokenPipe), Effect::Change, false, "transient"),
            (io(ErrorKind::UnexpectedEof), Effect::Change, true, "unknown"),
            (io(ErrorKind::TimedOut), Effect::Change, true, "unknown"),
            (Error::Protocol("invalid token type 7".into()), Effect::Change, true, "unknown"),
            (Error::Protocol("invalid token type 7".into()), Effect::Read, true, "transient"),
            (Error::Utf16, Effect::Change, true, "unknown"),
            (Error::Encoding("too long".into()), Effect::Change, false, "Never RequestUnencodable"),
            (Error::Encoding("invalid sequence".into()), Effect::Change, true, "unknown"),
            (Error::Encoding("invalid sequence".into()), Effect::Read, true, "transient"),
        ] {
            let text = error.to_string();
            assert_eq!(word(&of_request(error, effect, sent)), expected, "{text} {effect:?} {sent}");
        }
    }

    #[test]
    fn a_login_fails_for_people_or_for_a_moment() {
        for (error, expected) in [
            (io(ErrorKind::ConnectionRefused), "transient"),
            (io(ErrorKind::UnexpectedEof), "transient"),
            (io(ErrorKind::TimedOut), "transient"),
            (io(ErrorKind::NotFound), "Human TlsFailed"),
            (io(ErrorKind::InvalidData), "Human TlsFailed"),
            (Error::Tls("bad certificate".to_owned()), "Human TlsFailed"),
            (
                Error::Protocol("Server does not allow the requested encryption level.".into()),
                "Human TlsFailed",
            ),
            (Error::Protocol("Never got DONE token.".into()), "transient"),
            (Error::Routing { host: "h".to_owned(), port: 1 }, "Human Routed"),
        ] {
            let text = error.to_string();
            assert_eq!(word(&of_login(error)), expected, "{text}");
        }
    }

    #[test]
    fn advice_to_stop_verifying_is_not_repeated() {
        let text = "the certificate was rejected: UnknownIssuer. To connect anyway you can: trust_cert()";
        let Fault::Refused(reason) = of_login(Error::Tls(text.to_owned())) else { panic!("a refusal") };
        assert!(reason.message.ends_with("UnknownIssuer."), "{}", reason.message);
        assert!(!reason.to_string().contains("trust_cert"), "{reason}");
    }

    #[test]
    fn numbers_come_before_texts_and_unknown_ones_are_for_people() {
        for (number, text, expected) in [
            (229, "The EXECUTE permission was denied on the object 'p'", "Human ExecuteDenied"),
            (
                2_812,
                "Could not find stored procedure 'msdb.dbo.rds_backup_database'.",
                "Human ProcedureMissing",
            ),
            (208, "Invalid object name 'msdb.dbo.rds_fn_task_status'.", "Human ProcedureMissing"),
            (50_000, "A task has already been issued for database: orders", "Wait TaskAlreadyIssued"),
            (50_000, "Something nobody documented.", "Human ServerRefused"),
        ] {
            let reason = refusal(number, text);
            assert_eq!(format!("{} {}", reason.class, reason.name), expected, "{text}");
        }
        assert_eq!(refusal(50_000, "Odd.").message, "error 50000: Odd.");
        let long = "ä".repeat(TEXT_BYTES_MAX);
        assert!(refusal(1, &long).message.len() < TEXT_BYTES_MAX + 20);
    }
}
