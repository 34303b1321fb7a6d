//! Who calls a function, and in which form: payload to input, output to answer, reason to refusal.

use std::fmt;

use domain::reason::{Class, Reason};
use handlers::Handler;
use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::subject::Subject;

/// One kind of caller.
pub trait Edge<H: Handler> {
    /// Whether answers come back as inputs, so that a name in them must be what it is.
    const COMES_BACK: bool = false;

    /// The input, and what the payload names for the log, as far as it can be read.
    fn read(payload: &str) -> (Subject, Result<H::Input, Reason>);
    /// The answer as the caller wants it.
    ///
    /// # Errors
    /// `AnswerUnwritable` (class `Human`).
    fn write(output: H::Output) -> Result<Value, Reason>;
    /// A reason on its way out. The default is an error of the function, whose class a machine catches.
    ///
    /// # Errors
    /// The refusal, where the caller reads errors of functions.
    fn refuse(reason: &Reason, _request_id: &str) -> Result<Value, Refusal> {
        Err(Refusal(reason.clone()))
    }
}

/// Step Functions, and whoever else sends a handler's own input.
#[derive(Debug, Clone, Copy)]
pub struct Machine;

impl<H: Handler> Edge<H> for Machine {
    const COMES_BACK: bool = true;

    fn read(payload: &str) -> (Subject, Result<H::Input, Reason>) {
        (Subject::of_run(payload), decode(H::NAME, payload))
    }

    fn write(output: H::Output) -> Result<Value, Reason> {
        encode(H::NAME, output)
    }
}

/// A reason as an error of the function: its class is the `errorType`.
#[derive(PartialEq, Eq)]
pub struct Refusal(pub(crate) Reason);

impl From<Refusal> for Diagnostic {
    fn from(Refusal(reason): Refusal) -> Self {
        let error_message = if reason.guidance.is_empty() {
            reason.to_string()
        } else {
            format!("{reason}; {}", reason.guidance)
        };
        Self { error_type: reason.class.as_str().to_owned(), error_message }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Reads JSON. What is said about it names the field and the place and quotes nothing: serde's own words do, and a payload may
/// hold what no log should.
pub(crate) fn decode<T: DeserializeOwned>(function: &str, payload: &str) -> Result<T, Reason> {
    let mut text = serde_json::Deserializer::from_str(payload);
    let value = serde_path_to_error::deserialize(&mut text).map_err(|error| {
        let path = error.path().to_string();
        malformed(function, &path, error.inner())
    })?;
    text.end().map_err(|error| malformed(function, ".", &error))?;
    Ok(value)
}

fn malformed(function: &str, path: &str, error: &serde_json::Error) -> Reason {
    let place = format!("line {}, column {}", error.line(), error.column());
    let said = error.to_string();
    let what = match error.classify() {
        // The one sentence of serde that is made of our own words only.
        Category::Data if said.starts_with("missing field `") => {
            said.split(" at line ").next().unwrap_or_default().to_owned()
        }
        Category::Data if path == "." => format!("it is not what it has to be ({place})"),
        Category::Data => format!("`{path}` is not what it has to be ({place})"),
        Category::Syntax | Category::Eof | Category::Io => {
            format!("it is no JSON, or nested too deep ({place})")
        }
    };
    unreadable(function, &what)
}

/// A payload that cannot become an input.
pub(crate) fn unreadable(function: &str, what: &str) -> Reason {
    Reason::new(Class::Human, "PayloadMalformed", format!("{function} cannot read its payload: {what}"))
        .guidance("deploy machines and functions together, then start the run again")
}

pub(crate) fn encode(function: &str, output: impl Serialize) -> Result<Value, Reason> {
    serde_json::to_value(output).map_err(|error| {
        Reason::new(Class::Human, "AnswerUnwritable", format!("{function} cannot write its answer: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Input {
        generation: u64,
        #[serde(default)]
        action: Option<Action>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Action {
        Take,
    }

    #[test]
    fn a_bad_payload_is_told_by_place_and_never_quoted() {
        assert_eq!(
            decode::<Input>("f", r#"{"generation": 7, "action": "take", "more": {}}"#),
            Ok(Input { generation: 7, action: Some(Action::Take) })
        );
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for (payload, said) in [
            (r#"{"generation": "hush"}"#, "`generation` is not what it has to be (line 1, column 21)"),
            (
                r#"{"generation": 1, "action": "hush"}"#,
                "`action` is not what it has to be (line 1, column 34)",
            ),
            (r#"{"hush": 1}"#, "missing field `generation`"),
            (r#""hush""#, "it is not what it has to be (line 1, column 6)"),
            ("hush", "it is no JSON, or nested too deep (line 1, column 1)"),
            ("", "it is no JSON, or nested too deep (line 1, column 0)"),
            (r#"{"generation": 1} hush"#, "it is no JSON, or nested too deep (line 1, column 19)"),
            (deep.as_str(), "`[0]` is not what it has to be (line 1, column 1)"),
        ] {
            let reason = decode::<Input>("f", payload).unwrap_err();
            assert_eq!((reason.class, reason.name.as_ref()), (Class::Human, "PayloadMalformed"));
            assert_eq!(reason.message, format!("f cannot read its payload: {said}"));
        }
    }
}
