//! What operations share: bodies in and out, records that must be there.

use domain::inventory::{Database, Instance, database_key, instance_key};
use domain::record::Record;
use jiff::Timestamp;
use ports::store::{ReadItems, Versioned, load};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::{Request, Response};
use crate::problem::Refused;

/// An answer as JSON.
pub(crate) fn json<T: Serialize>(status: u16, answer: &T) -> Result<Response, Refused> {
    let body = serde_json::to_string(answer)
        .map_err(|error| Refused::new(500, "AnswerUnwritable", error.to_string()))?;
    Ok(Response::json(status, body))
}

/// Whether the client takes JSON: it says so, or says nothing.
pub(crate) fn accepts_json(request: &Request) -> Result<(), Refused> {
    let Some(accept) = request.header("accept") else { return Ok(()) };
    let takes = |range: &str| {
        let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(kind.as_str(), "*/*" | "application/*" | "application/json" | "application/problem+json")
    };
    if accept.split(',').any(takes) {
        return Ok(());
    }
    Err(Refused::new(
        406,
        "NotAcceptable",
        format!("Accept: {accept:?} has no application/json, which is all there is"),
    ))
}

/// The body as a `T`.
///
/// # Errors
/// 415 where it is said to be something else than JSON, 400 with the place where it is no `T`.
pub(crate) fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    if let Some(kind) = request.header("content-type") {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = format!("Content-Type: {kind:?} is not application/json");
            return Err(Refused::new(415, "MediaTypeUnknown", message));
        }
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        Refused::new(400, "BodyMalformed", format!("the body: {error}"))
            .guidance("/openapi.json has its schema")
    })
}

/// A moment of the query.
///
/// # Errors
/// 400 where it is none.
pub(crate) fn moment(request: &Request, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| Refused::query(format!("{name}: {text:?} is no moment such as 2026-11-16T14:07:00Z")))
}

/// A record that must be there.
pub(crate) async fn required<R: Record>(
    store: &impl ReadItems,
    key: (String, String),
    what: &str,
    name: &str,
) -> Result<Versioned<R>, Refused> {
    let found = load(store, key).await?;
    found.ok_or_else(|| Refused::new(404, "NotFound", format!("there is no {what} {name:?}")))
}

pub(crate) async fn instance(store: &impl ReadItems, name: &str) -> Result<Versioned<Instance>, Refused> {
    required(store, instance_key(name), "instance", name).await
}

pub(crate) async fn database(
    store: &impl ReadItems,
    instance: &str,
    name: &str,
) -> Result<Database, Refused> {
    let found: Versioned<Database> = required(store, database_key(instance, name), "database", name).await?;
    Ok(found.record)
}
