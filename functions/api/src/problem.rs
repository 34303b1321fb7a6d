//! What is answered when something cannot be answered: problem+json (RFC 9457) with the Reason's name, class and guidance.

use std::borrow::Cow;

use domain::policy::Finding;
use domain::reason::{Class, Reason};
use ports::Fault;
use ports::store::CommitFault;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::Response;

/// Media type of every problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind of problem: `urn:bakproof:problem:NoSuchPath`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// One sentence that names the exact thing.
    pub detail: String,
    /// Stable name in `CamelCase`.
    pub name: String,
    /// What a program does about it.
    pub class: Class,
    /// What a person does next; empty where `detail` says it all.
    pub guidance: String,
    /// What the gateway calls the request.
    pub request_id: String,
}

/// Why a request is not answered, and with which status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) reason: Reason,
    /// Headers beside: `allow`.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Characters of a sentence that quotes what was sent. Policy of ours.
const QUOTED_CHARS_MAX: usize = 300;

impl Refused {
    pub(crate) fn new(status: u16, name: &'static str, message: impl Into<String>) -> Self {
        let class = if status == 409 || status == 503 { Class::Retry } else { Class::Never };
        let message: String = message.into();
        let message = message.chars().take(QUOTED_CHARS_MAX).collect::<String>();
        Self { status, reason: Reason::new(class, name, message), headers: Vec::new() }
    }

    /// A query that cannot be read, and what of it.
    pub(crate) fn query(what: impl std::fmt::Display) -> Self {
        Self::new(400, "QueryMalformed", format!("query: {what}"))
    }

    pub(crate) fn guidance(mut self, guidance: impl Into<Cow<'static, str>>) -> Self {
        self.reason = self.reason.guidance(guidance);
        self
    }

    /// A policy that cannot be carried out, and where. 422, whatever class the reason has for a run that meets it.
    pub(crate) fn finding(finding: Finding, whom: &str) -> Self {
        let Finding { field, mut reason, .. } = finding;
        reason.message = format!("{field}: {}; {whom}", reason.message);
        Self { status: 422, reason, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer.
    pub(crate) fn response(self, request_id: &str) -> Response {
        let Self { status, reason, headers } = self;
        let problem = Problem {
            kind: format!("urn:bakproof:problem:{}", reason.name),
            title: words(&reason.name),
            status,
            detail: reason.message,
            name: reason.name.into_owned(),
            class: reason.class,
            guidance: reason.guidance.into_owned(),
            request_id: request_id.to_owned(),
        };
        // Texts and a number: nothing in it that JSON could not hold.
        let mut response = Response::json(status, serde_json::to_string(&problem).unwrap_or_default());
        response.headers = vec![("content-type".to_owned(), MEDIA_TYPE.to_owned())];
        for (name, value) in headers {
            response = response.with(name, value);
        }
        // The same request may succeed soon; how soon is what a client's first step back would be anyway.
        if status == 503 { response.with("retry-after", "1") } else { response }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self { status: status_of(&reason), reason, headers: Vec::new() }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        fault.into_reason().into()
    }
}

impl From<CommitFault> for Refused {
    fn from(fault: CommitFault) -> Self {
        match fault {
            CommitFault::Conflict { key } => {
                Self::new(409, "Conflict", format!("{} / {} changed meanwhile", key.partition, key.sort))
                    .guidance("read it again, then decide again")
            }
            CommitFault::Fault(fault) => fault.into(),
        }
    }
}

/// The status of a reason that rules, handlers and ports gave: by its name where that says whose fault it is, else by its class.
fn status_of(reason: &Reason) -> u16 {
    match (&*reason.name, reason.class) {
        ("RequestMalformed", _) => 400,
        ("DatabaseUnknown" | "InstanceNotFound" | "RecordMissing" | "TaskUnknown" | "TaskOutOfReach", _) => {
            404
        }
        ("Conflict" | "CancelPending" | "DatabaseGone" | "ProtectionStopped", _) => 409,
        ("KeyReused" | "PolicyOutOfRange", _) => 422,
        ("TooManyRequests", _) => 429,
        (_, Class::Retry) => 503,
        (_, Class::Wait) => 409,
        (_, Class::Never) => 422,
        (_, Class::Human) => 500,
    }
}

/// `PolicyOutOfRange` as `Policy out of range`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_all_that_a_reason_does() {
        let refused =
            Refused::new(405, "MethodNotAllowed", "no").guidance("ask").with("allow", "GET".to_owned());
        let response = refused.response("r-1");
        assert_eq!((response.status, response.header("allow")), (405, Some("GET")));
        assert_eq!(response.header("content-type"), Some(MEDIA_TYPE));
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        let expected = serde_json::json!({
            "type": "urn:bakproof:problem:MethodNotAllowed", "title": "Method not allowed", "status": 405, "detail": "no",
            "name": "MethodNotAllowed", "class": "Never", "guidance": "ask", "request_id": "r-1",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn statuses_tell_whose_fault_it_is() {
        for (name, class, status) in [
            ("RecordMissing", Class::Human, 404),
            ("PolicyOutOfRange", Class::Human, 422),
            ("Conflict", Class::Retry, 409),
            ("DatabaseGone", Class::Human, 409),
            ("Unavailable", Class::Retry, 503),
            ("UnknownOutcome", Class::Retry, 503),
            ("LeaseLost", Class::Never, 422),
            ("TasksPending", Class::Wait, 409),
            ("RecordUnreadable", Class::Human, 500),
        ] {
            assert_eq!(Refused::from(Reason::new(class, name, "")).status, status, "{name}");
        }
        let throttled = Refused::from(Fault::Transient("throttled".to_owned())).response("r");
        assert_eq!((throttled.status, throttled.header("retry-after")), (503, Some("1")));
        let long = Refused::new(400, "BodyMalformed", "ß".repeat(10_000));
        assert_eq!(long.reason.message.chars().count(), QUOTED_CHARS_MAX);
    }
}
