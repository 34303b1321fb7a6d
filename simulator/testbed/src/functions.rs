//! The functions that are deployed, and how Lambda reports what becomes of an invocation.
//!
//! Sources: Step Functions developer guide, "Handle Lambda service exceptions" and "Handling errors in Step Functions
//! workflows"; Lambda developer guide, "Troubleshoot execution issues", read 2026-11.

use std::collections::BTreeMap;
use std::rc::Rc;

use asl::TaskError;
use domain::reason::{Class, Reason};
use handlers::Handler;
use jiff::SignedDuration;
use serde_json::Value;

use crate::executor::{Ending, Work};

/// Code of a function: payload in, work out.
pub type Code = Rc<dyn Fn(Value) -> Work>;

/// One deployed function.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) name: Rc<str>,
    pub(crate) timeout: SignedDuration,
    pub(crate) code: Code,
}

/// Functions by ARN.
#[derive(Default)]
pub(crate) struct Functions {
    by_arn: BTreeMap<String, Function>,
}

impl Functions {
    pub(crate) fn add(&mut self, arn: String, name: &str, timeout: SignedDuration, code: Code) {
        self.by_arn.insert(arn, Function { name: Rc::from(name), timeout, code });
    }

    pub(crate) fn get(&self, arn: &str) -> Option<&Function> {
        self.by_arn.get(arn)
    }
}

/// A handler as code of a function: decodes the payload and encodes the answer, as the product's own server for Lambda does.
pub fn code<H: Handler + 'static>(handler: H) -> Code {
    let handler = Rc::new(handler);
    Rc::new(move |payload| {
        let handler = Rc::clone(&handler);
        Box::pin(async move {
            let input = serde_json::from_value(payload).map_err(|error| {
                Reason::new(
                    Class::Human,
                    "PayloadMalformed",
                    format!("{} cannot read its payload: {error}", H::NAME),
                )
                .guidance("deploy machines and functions together, then start the run again")
            })?;
            let output = handler.handle(input).await?;
            serde_json::to_value(output).map_err(|error| {
                Reason::new(Class::Human, "AnswerUnwritable", format!("{}: {error}", H::NAME))
            })
        })
    })
}

/// Whether deaths of a runtime are named as now or as in the past. The guide names both and promises neither, so machines
/// have to stand either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeathNames {
    /// `Sandbox.Timedout` and `Runtime.ExitError`.
    #[default]
    Current,
    /// `Lambda.Unknown` for both.
    Historic,
}

/// What a machine gets to see of an ending.
pub(crate) fn reported(ending: Ending, names: DeathNames) -> Result<Value, TaskError> {
    match ending {
        Ending::Returned(Ok(answer)) => Ok(answer),
        Ending::Returned(Err(reason)) => {
            let message = match &*reason.guidance {
                "" => reason.to_string(),
                guidance => format!("{reason}; {guidance}"),
            };
            Err(TaskError::lambda(reason.class.as_str(), &message))
        }
        Ending::TimedOut { after } => {
            let message = format!("Task timed out after {:.2} seconds", after.as_secs_f64());
            Err(death("Sandbox.Timedout", &message, names))
        }
        Ending::Crashed => {
            let message = "Runtime exited with error: signal: killed";
            Err(death("Runtime.ExitError", message, names))
        }
    }
}

fn death(name: &str, message: &str, names: DeathNames) -> TaskError {
    match names {
        DeathNames::Current => TaskError::lambda(name, message),
        DeathNames::Historic => TaskError::new(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {{\"errorMessage\":\"{message}\"}}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_reported_by_the_names_that_machines_catch() {
        let reason = Reason::new(Class::Wait, "TasksPending", "two tasks run").guidance("wait");
        let late = || Ending::TimedOut { after: SignedDuration::from_millis(2_500) };
        for (ending, names, error, in_cause) in [
            (Ending::Returned(Err(reason)), DeathNames::Current, "Wait", "TasksPending: two tasks run; wait"),
            (late(), DeathNames::Current, "Sandbox.Timedout", "timed out after 2.50 seconds"),
            (late(), DeathNames::Historic, "Lambda.Unknown", "timed out after 2.50 seconds"),
            (Ending::Crashed, DeathNames::Current, "Runtime.ExitError", "signal: killed"),
            (Ending::Crashed, DeathNames::Historic, "Lambda.Unknown", "signal: killed"),
        ] {
            let reported = reported(ending, names).unwrap_err();
            assert_eq!(reported.error, error);
            assert!(reported.cause.contains(in_cause), "{}", reported.cause);
        }
        let answer = Ending::Returned(Ok(Value::from(7)));
        assert_eq!(reported(answer, DeathNames::Current), Ok(Value::from(7)));
    }
}
