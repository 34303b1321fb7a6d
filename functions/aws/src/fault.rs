//! What an SDK error means for a port: nothing happened, the service said no, or nobody knows.
//!
//! Sources: DynamoDB developer guide, "Error handling" (a write answered by HTTP 500 may have happened); AWS general
//! reference, "Common errors"; S3 API reference, "Error responses"; read 2026-11.

use std::error::Error;
use std::io;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use domain::reason::{Class, Reason};
use ports::Fault;

/// Whether asking twice can hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reading: a lost answer is asked for again.
    Read,
    /// Writing: a lost answer leaves open whether the write happened.
    Write,
}

/// Codes that mean "not now": the request was turned away before it had any effect.
const THROTTLED: [&str; 18] = [
    "BandwidthLimitExceeded",
    "ConditionalRequestConflict",
    "ExecutionLimitExceeded",
    "LimitExceededException",
    "OperationAborted",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
];

/// Codes of a call that the role is not allowed to make, or that was signed by nobody the service knows.
const DENIED: [&str; 11] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes of a signature that is not the one expected. What is said beside them quotes the canonical request, session token included
/// (IAM user guide, "Troubleshoot Signature Version 4 signing for AWS API requests", read 2026-11), and a fault may be stored.
const QUOTES_THE_REQUEST: [&str; 4] = [
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
];

/// Reads an SDK error. `what` names the operation and its subject.
pub(crate) fn of<E>(what: &str, effect: Effect, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let lost = |how: String| match effect {
        Effect::Read => Fault::Transient(how),
        Effect::Write => Fault::UnknownOutcome(how),
    };
    match error {
        SdkError::ConstructionFailure(_) => refused("RequestMalformed", format!("{what}: {}", chain(error))),
        SdkError::DispatchFailure(_) if never_connected(error) => {
            Fault::Transient(format!("{what}: {}", chain(error)))
        }
        SdkError::ServiceError(answer) => {
            let (error, status) = (answer.err(), answer.raw().status());
            let code = error.code().unwrap_or_default();
            // A success that the SDK could not read comes as an error: done, and the answer is lost.
            if status.is_success() && code.is_empty() {
                let why = format!("{what}: HTTP {} with an answer that cannot be read", status.as_u16());
                return lost(format!("{why}: {}", chain(error)));
            }
            service(what, code, error.message(), status.as_u16(), lost)
        }
        _ => lost(format!("{what}: {}", chain(error))),
    }
}

/// The code a service refused a request with.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Reads the code and status a service answered with.
pub(crate) fn service(
    what: &str,
    code: &str,
    message: Option<&str>,
    status: u16,
    lost: impl FnOnce(String) -> Fault,
) -> Fault {
    let mut said = format!("{what}: HTTP {status}");
    if !code.is_empty() {
        said.extend([" ", &short(code)]);
    }
    if let Some(message) = message.filter(|_| !QUOTES_THE_REQUEST.contains(&code)) {
        said.extend([": ", &short(message)]);
    }
    if status == 429 || THROTTLED.contains(&code) {
        Fault::Transient(said)
    } else if status >= 500 || status == 408 || (200..300).contains(&status) {
        // S3 may begin with 200 and end with an error.
        lost(said)
    } else if DENIED.contains(&code) || status == 403 {
        Fault::Refused(Reason::new(Class::Human, "AccessDenied", said).guidance(
            "allow the function's role the actions that its ports list, and check the resource's own policy",
        ))
    } else {
        refused("ServiceRefused", said)
    }
}

/// Characters that a message quotes of what a service said. Policy: a sentence of AWS fits, a page of HTML does not.
const QUOTED_CHARS_MAX: usize = 500;

/// What a service said, on one line and no longer than it takes to recognise it.
pub(crate) fn short(said: &str) -> String {
    let line = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = line.take(QUOTED_CHARS_MAX).collect();
    if said.chars().nth(QUOTED_CHARS_MAX).is_some() {
        line.push_str("...");
    }
    line
}

/// A refusal that somebody has to look at.
pub(crate) fn refused(name: &'static str, message: String) -> Fault {
    Fault::Refused(Reason::new(Class::Human, name, message))
}

/// Whether the connection was refused: then nothing can have been sent. Any other trouble on the way leaves that open.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused)
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The error and its causes in one line, each once: the SDK's `Display` names the kind only.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
    }
    short(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_are_read_alike_for_every_service() {
        let kind = |fault: Fault| match fault {
            Fault::Transient(_) => "transient".to_owned(),
            Fault::UnknownOutcome(_) => "unknown".to_owned(),
            Fault::Refused(reason) => format!("{} {}", reason.class, reason.name),
        };
        for (code, status, read, write) in [
            ("ThrottlingException", 400, "transient", "transient"),
            ("ProvisionedThroughputExceededException", 400, "transient", "transient"),
            ("SlowDown", 503, "transient", "transient"),
            ("ExecutionLimitExceeded", 400, "transient", "transient"),
            ("", 429, "transient", "transient"),
            ("InternalServerError", 500, "transient", "unknown"),
            ("ServiceUnavailable", 503, "transient", "unknown"),
            ("", 502, "transient", "unknown"),
            ("", 408, "transient", "unknown"),
            ("", 200, "transient", "unknown"),
            ("PermanentRedirect", 301, "Human ServiceRefused", "Human ServiceRefused"),
            ("AccessDeniedException", 400, "Human AccessDenied", "Human AccessDenied"),
            ("AccessDenied", 403, "Human AccessDenied", "Human AccessDenied"),
            ("ExpiredTokenException", 400, "Human AccessDenied", "Human AccessDenied"),
            ("ValidationException", 400, "Human ServiceRefused", "Human ServiceRefused"),
            ("", 418, "Human ServiceRefused", "Human ServiceRefused"),
        ] {
            let said = |lost: fn(String) -> Fault| kind(service("Get x", code, Some("m"), status, lost));
            assert_eq!(said(Fault::Transient), read, "{code} {status} read");
            assert_eq!(said(Fault::UnknownOutcome), write, "{code} {status} write");
        }
    }

    #[test]
    fn of_what_a_service_says_one_short_line_is_quoted() {
        assert_eq!(short("a\r\nb\u{0}c"), "a  b c");
        for letter in ["x", "\u{1f4be}"] {
            assert_eq!(short(&letter.repeat(QUOTED_CHARS_MAX)), letter.repeat(QUOTED_CHARS_MAX));
            let long = short(&letter.repeat(9_000));
            assert_eq!(long, [&letter.repeat(QUOTED_CHARS_MAX), "..."].concat());
        }
        let page = "<html>\n".repeat(100_000);
        let Fault::Refused(reason) = service("Get x", &page, Some(&page), 400, Fault::Transient) else {
            unreachable!("HTTP 400 is a refusal")
        };
        assert!(reason.message.len() < 2_000 && !reason.message.contains('\n'), "{}", reason.message.len());
    }

    #[test]
    fn what_quotes_the_request_is_not_quoted() {
        let said = "The Canonical String should have been 'x-amz-security-token:hush'";
        for code in QUOTES_THE_REQUEST {
            let Fault::Refused(reason) = service("Get x", code, Some(said), 403, Fault::Transient) else {
                unreachable!("nobody whom the service knows is refused")
            };
            assert_eq!(
                (reason.name.as_ref(), reason.message),
                ("AccessDenied", format!("Get x: HTTP 403 {code}"))
            );
        }
    }

    #[test]
    fn causes_are_printed_once() {
        let inner = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        assert_eq!(chain(&inner), "refused");
        assert!(never_connected(&inner));
        assert!(!never_connected(&io::Error::new(io::ErrorKind::ConnectionReset, "reset")));
    }
}
