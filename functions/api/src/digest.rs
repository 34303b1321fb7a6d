//! What tells two texts apart: entity tags, and marks of ranges.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::http::{Request, Response};
use crate::problem::Refused;

/// The first bytes of the SHA-256 of a text, in hexadecimal.
pub(crate) fn digest(bytes: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(2 * length);
    for byte in Sha256::digest(bytes).iter().take(length) {
        // A text takes whatever is written.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The entity tag of a representation.
pub(crate) fn tag(body: &str) -> String {
    format!("\"{}\"", digest(body.as_bytes(), 16))
}

/// Adds the tag of an answer, and leaves its body out where the client has it.
pub(crate) fn tagged(request: &Request, response: Response) -> Response {
    let tag = tag(&response.body);
    let known = request.header("if-none-match").is_some_and(|given| names(given, &tag));
    let response = if known { Response::empty(304) } else { response };
    response.with("etag", tag)
}

/// Whether a list of tags names one; a weak one counts where only reading is at stake.
fn names(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

/// What a document that was sent does to the one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replace {
    /// It is written.
    Write,
    /// It is what is there: who asks again because the first answer was lost is told so, whatever they have seen.
    Stands,
}

/// Whether a document may be replaced by one that is `wanted`: what is there has to be that already, or what the client has seen.
///
/// # Errors
/// 428 where the client does not say what it has seen, 412 where that is not there.
pub(crate) fn may_replace(
    request: &Request,
    current: Option<&Response>,
    wanted: &Response,
) -> Result<Replace, Refused> {
    let current = current.map(|current| current.body.as_str());
    if current == Some(wanted.body.as_str()) {
        return Ok(Replace::Stands);
    }
    let seen = request.header("if-match");
    let wants_new = request.header("if-none-match") == Some("*");
    match (current.map(tag), seen) {
        (None, None) => Ok(Replace::Write),
        (Some(tag), Some(seen)) if !wants_new && strongly_names(seen, &tag) => Ok(Replace::Write),
        (Some(_), None) if !wants_new => Err(Refused::new(
            428,
            "PreconditionMissing",
            "it exists, and the request does not say which state of it was seen",
        )
        .guidance("read it and send its ETag as If-Match")),
        _ => Err(Refused::new(412, "PreconditionFailed", "it is not as If-Match or If-None-Match says")
            .guidance("read it again, then decide again")),
    }
}

fn strongly_names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|given| given == "*" || given == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { headers, ..Request::new("PUT", "/") }
    }

    fn replaced(headers: &[(&str, &str)], current: Option<&str>) -> Result<Replace, u16> {
        let body = |text: &str| Response::json(200, text.to_owned());
        let current = current.map(body);
        may_replace(&asked(headers), current.as_ref(), &body("wanted")).map_err(|refused| refused.status)
    }

    #[test]
    fn what_was_seen_is_replaced_and_nothing_else() {
        let (old, new) = (tag("old"), tag("new"));
        for (headers, current, status) in [
            (vec![], None, None),
            (vec![("if-none-match", "*")], None, None),
            (vec![("if-match", "*")], None, Some(412)),
            (vec![("if-match", old.as_str())], None, Some(412)),
            (vec![], Some("old"), Some(428)),
            (vec![("if-match", "*")], Some("old"), None),
            (vec![("if-match", old.as_str())], Some("old"), None),
            (vec![("if-match", new.as_str())], Some("old"), Some(412)),
            (vec![("if-none-match", "*")], Some("old"), Some(412)),
        ] {
            assert_eq!(replaced(&headers, current).err(), status, "{headers:?} {current:?}");
            // What is wanted is there: nothing is lost, and nothing is written.
            assert_eq!(replaced(&headers, Some("wanted")), Ok(Replace::Stands), "{headers:?}");
        }
        let weak = format!("W/{old}");
        assert_eq!(replaced(&[("if-match", &weak)], Some("old")), Err(412), "a weak tag replaces nothing");
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let answer = || Response::json(200, "{}".to_owned());
        let fresh = tagged(&asked(&[]), answer());
        let tag = fresh.header("etag").unwrap().to_owned();
        assert_eq!((fresh.status, tag.len()), (200, 34));
        for (given, status) in
            [(tag.clone(), 304), (format!("\"x\", W/{tag}"), 304), ("\"x\"".to_owned(), 200)]
        {
            let answer = tagged(&asked(&[("If-None-Match", &given)]), answer());
            assert_eq!((answer.status, answer.body.is_empty()), (status, status == 304), "{given}");
        }
    }
}
