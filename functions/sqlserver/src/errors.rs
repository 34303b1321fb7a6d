//! What went wrong? The driver's errors and the server's error tokens as the three kinds of fault a caller can act on.
//!
//! Whether a request may have had its effect depends on two things only: whether it changes anything, and whether a byte
//! of it left. Refuses to know which handler asks. Sources: RDS user guide, troubleshooting pages of native backup and
//! transaction log access; Microsoft Learn, "Database engine events and errors".

pub(crate) mod login;
mod numbers;
pub(crate) mod texts;

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
        Error::Server(token) => of_number(token.code(), token.class(), token.message(), effect),
        // The driver has one word for a request it cannot write and for an answer it cannot read.
        Error::Encoding(what) if !sent => {
            Fault::Refused(Reason::new(Class::Never, "RequestUnencodable", what))
        }
        error if effect == Effect::Change && sent => Fault::UnknownOutcome(format!("no answer: {error}")),
        error => Fault::Transient(error.to_string()),
    }
}

/// Whether the server ends the session with this error.
pub(crate) fn ends_session(token: &TokenError) -> bool {
    token.class() >= SEVERITY_FATAL
}

/// The fault of an error with a number.
fn of_number(number: u32, severity: u8, text: &str, effect: Effect) -> Fault {
    let passing = severity >= SEVERITY_FATAL || numbers::is_passing(number);
    if passing || texts::is_internal_failure(text) {
        let what = format!("error {number}: {}", short(text));
        // The procedure may have come far enough before it was stopped.
        return if effect == Effect::Change { Fault::UnknownOutcome(what) } else { Fault::Transient(what) };
    }
    Fault::Refused(refusal(number, text))
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

/// The text, cut at a character when it is too long for a reason.
pub(crate) fn short(text: &str) -> &str {
    let text = text.trim();
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

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
