//! A handler as a Lambda function.
//!
//! Machines catch errors by `errorType`, and the runtime would name a panic and a bad payload after Rust types, which no
//! machine can catch. So the payload is decoded and unwinding is caught here, and whatever goes wrong leaves as one of the
//! four class names. Lambda developer guide, "Building a custom runtime", "Runtime API", read 2026-11.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use domain::reason::{Class, Reason};
use futures_util::FutureExt;
use handlers::Handler;
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use ports::Clock;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::edge::{Edge, Refusal};
use crate::invocation::{InvocationClock, deadline, within};
use crate::log::Ending;
use crate::redact::Secrets;
use crate::subject::Subject;
use crate::tell::{Tell, Told};
use crate::trail::Trail;
use crate::wiring::{self, Wiring};

/// Reads the environment, builds the handler from it and serves: a whole `main`. The value of the edge only names its type.
///
/// # Errors
/// When the Runtime API itself cannot be spoken to.
pub async fn run<E, H>(_edge: E, build: impl FnOnce(&Wiring) -> Result<H, Reason>) -> Result<(), Error>
where
    E: Edge<H>,
    H: Handler<Output: Tell>,
{
    let (secrets, trail) = (Secrets::default(), Trail::default());
    let handler = Wiring::from_env(&secrets, &trail).await.and_then(|wiring| build(&wiring));
    serve::<E, H>(handler, &secrets, &trail).await
}

/// Serves invocations until Lambda ends the process. A handler that could not be built answers each invocation with the
/// reason: an exit at the start would reach the machine without any class.
///
/// # Errors
/// When the Runtime API itself cannot be spoken to.
pub async fn serve<E, H>(handler: Result<H, Reason>, secrets: &Secrets, trail: &Trail) -> Result<(), Error>
where
    E: Edge<H>,
    H: Handler<Output: Tell>,
{
    tell_panics_by_place();
    let (handler, cold_start, stack) = (&handler, &Cell::new(true), &wiring::stack());
    let service = service_fn(async move |event: LambdaEvent<Box<RawValue>>| {
        let (payload, context) = event.into_parts();
        let (began, cold_start) = (Instant::now(), cold_start.take());
        let (subject, answer) = respond::<E, H>(handler.as_ref(), payload.get(), &context).await;
        let answer = match answer {
            Ok((value, _)) if E::COMES_BACK && secrets.is_in_name(&value) => Err(secret_in_name(H::NAME)),
            Ok((value, told)) => Ok((secrets.clean_answer(value), told)),
            Err(reason) => Err(secrets.clean(reason)),
        };
        let ending = Ending {
            stack,
            function: H::NAME,
            request_id: &context.request_id,
            trace: context.xray_trace_id.as_deref(),
            cold_start,
            subject: &subject,
            at: InvocationClock.now(),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            written: &trail.take(),
            came_of_it: answer.as_ref().map(|(_, told)| told),
        };
        println!("{}", secrets.redact(&ending.line()));
        answer.map_or_else(
            |reason| E::refuse(&reason, &context.request_id),
            |(value, _)| Ok::<_, Refusal>(value),
        )
    });
    lambda_runtime::run(service).await
}

/// One invocation: decode, handle in time, encode.
async fn respond<E, H>(
    handler: Result<&H, &Reason>,
    payload: &str,
    context: &Context,
) -> (Subject, Result<(Value, Told), Reason>)
where
    E: Edge<H>,
    H: Handler<Output: Tell>,
{
    let (subject, input) = E::read(payload);
    let (handler, input) = match (handler, input) {
        (Ok(handler), Ok(input)) => (handler, input),
        (Err(unbuilt), _) => return (subject, Err(unbuilt.clone())),
        (_, Err(unreadable)) => return (subject, Err(unreadable)),
    };
    // Nothing of a panicked invocation is used again: a handler holds adapters, and those hold no state of an invocation.
    // Boxed, because the types of the runtime's futures around the SDK's are more than the compiler wants to nest.
    let work = AssertUnwindSafe(Box::pin(handler.handle(input))).catch_unwind();
    let answer = match within(deadline(context.deadline), work).await {
        None => Err(out_of_time(H::NAME)),
        Some(Err(panic)) => Err(panicked(&*panic)),
        Some(Ok(Err(reason))) => Err(reason),
        Some(Ok(Ok(output))) => {
            let told = output.tell();
            E::write(output).map(|value| (value, told))
        }
    };
    (subject, answer)
}

/// Masked, it would be another name to whoever reads the answer.
fn secret_in_name(function: &str) -> Reason {
    let message = format!("a name in the answer of {function} is or holds a password");
    Reason::new(Class::Human, "SecretInName", message)
        .guidance("give the login a password that no instance, database or folder is called by")
}

/// The machines treat it as the timeout of Lambda that it forestalls.
fn out_of_time(function: &str) -> Reason {
    Reason::new(Class::Retry, "OutOfTime", format!("{function} was not done before its deadline"))
        .guidance("raise the function's timeout if this happens often")
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has panics remembered by place instead of printed: what is logged passes the redaction, and in one line.
fn tell_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        PLACE.with(|last| *last.borrow_mut() = place);
    }));
}

fn panicked(panic: &(dyn Any + Send)) -> Reason {
    let what = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    let place = PLACE.with(|last| last.borrow_mut().take()).unwrap_or_else(|| "a place unknown".to_owned());
    Reason::new(Class::Human, "Panicked", format!("the function panicked at {place}: {what}"))
        .guidance("this is a defect of bakproof: report it with the log of this invocation")
}
