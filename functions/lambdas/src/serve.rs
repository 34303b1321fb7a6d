//! A handler as a Lambda function.
//!
//! Machines catch errors by `errorType`, and the runtime would name a panic and a bad payload after Rust types, which no
//! machine can catch. So the payload is decoded and unwinding is caught here, and whatever goes wrong leaves as one of the
//! four class names. Lambda developer guide, "Building a custom runtime", "Runtime API", read 2026-11.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;

use domain::reason::{Class, Reason};
use futures_util::FutureExt;
use handlers::Handler;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;

/// Serves invocations until Lambda ends the process. A handler that could not be built answers each invocation with the
/// reason: an exit at the start would reach the machine without any class.
///
/// # Errors
/// When the Runtime API itself cannot be spoken to.
pub async fn serve<H: Handler>(handler: Result<H, Reason>) -> Result<(), Error> {
    let handler = &handler;
    let service = service_fn(async move |event: LambdaEvent<Value>| {
        let answer = respond(handler.as_ref(), event.payload).await;
        if let Err(Refusal(reason)) = &answer {
            log(H::NAME, &event.context.request_id, reason);
        }
        answer
    });
    lambda_runtime::run(service).await
}

/// A reason on its way out of the function.
#[derive(PartialEq, Eq)]
struct Refusal(Reason);

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

/// One invocation: decode, handle, encode.
async fn respond<H: Handler>(handler: Result<&H, &Reason>, payload: Value) -> Result<Value, Refusal> {
    let handler = handler.map_err(|reason| Refusal(reason.clone()))?;
    // Nothing of a panicked invocation is used again: a handler holds adapters, and those hold no state of an invocation.
    // Boxed, because the types of the runtime's futures around the SDK's are more than the compiler wants to nest.
    let answered = AssertUnwindSafe(Box::pin(answer(handler, payload))).catch_unwind().await;
    answered.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(Refusal)
}

async fn answer<H: Handler>(handler: &H, payload: Value) -> Result<Value, Reason> {
    let input = serde_json::from_value(payload).map_err(|error| {
        Reason::new(Class::Human, "PayloadMalformed", format!("{} cannot read its payload: {error}", H::NAME))
            .guidance("deploy machines and functions together, then start the run again")
    })?;
    let output = handler.handle(input).await?;
    serde_json::to_value(output).map_err(|error| {
        Reason::new(Class::Human, "AnswerUnwritable", format!("{} cannot write its answer: {error}", H::NAME))
    })
}

fn panicked(panic: &(dyn Any + Send)) -> Reason {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    Reason::new(Class::Human, "Panicked", format!("the function panicked: {what}"))
        .guidance("this is a defect of bakproof: report it with the log of this invocation")
}

/// A line of the log that `CloudWatch` reads as JSON.
#[derive(Serialize)]
struct Line<'a> {
    level: &'static str,
    function: &'a str,
    request_id: &'a str,
    reason: &'a Reason,
}

/// Logs why an invocation failed. What passes by itself is a warning, what somebody has to see is an error.
fn log(function: &str, request_id: &str, reason: &Reason) {
    let level = match reason.class {
        Class::Retry | Class::Wait => "WARN",
        Class::Never | Class::Human => "ERROR",
    };
    if let Ok(line) = serde_json::to_string(&Line { level, function, request_id, reason }) {
        println!("{line}");
    }
}
