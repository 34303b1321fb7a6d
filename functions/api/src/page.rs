//! Pages of long lists: how many, and where to go on.
//!
//! A cursor is the place in one range of the store, with the range's mark beside: a cursor of another list, or one that was
//! made up, is refused before the store is asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ports::store::{Page, Range, ReadItems};
use serde::{Deserialize, Serialize};

use crate::digest::digest;
use crate::http::Request;
use crate::problem::Refused;

/// Things a page holds unless the request says otherwise.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// Things a page holds at most. Policy of ours: a page of database heads stays below the 6 MB that Lambda answers with.
pub(crate) const LIMIT_MAX: u32 = 500;
/// Characters of a cursor. A sort key has 1,024 bytes at most (DynamoDB developer guide, "Constraints", read 2026-11).
const CURSOR_CHARS_MAX: usize = 2_048;

/// Below every sort key and above every one there can be.
pub(crate) const EVERYTHING: (&str, &str) = ("", "\u{10FFFF}");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    /// Mark of the range.
    of: String,
    /// Sort key to go on after.
    after: String,
}

/// One page of a range, as the request asks for it. Answers with the store's page and the cursor of the next.
pub(crate) async fn page(
    store: &impl ReadItems,
    request: &Request,
    partition: String,
    (from, to): (&str, &str),
    limits: (u32, u32),
) -> Result<(Page, Option<String>), Refused> {
    let mark = mark(&format!("{partition}\n{from}\n{to}"));
    let after = request.parameter("cursor").map(|cursor| read(cursor, &mark, (from, to))).transpose()?;
    let range =
        Range { partition, from: from.to_owned(), to: to.to_owned(), after, limit: limit(request, limits)? };
    let page = store.query(&range).await?;
    let next = page.after.clone().map(|after| write(&Cursor { of: mark, after }));
    Ok((page, next))
}

/// What marks a list in its cursors.
fn mark(list: &str) -> String {
    digest(list.as_bytes(), 8)
}

/// The cursor that goes on in a list behind a place.
pub(crate) fn cursor(list: &str, after: String) -> String {
    write(&Cursor { of: mark(list), after })
}

/// Where a request goes on in a list.
pub(crate) fn go_on(request: &Request, list: &str) -> Result<Option<String>, Refused> {
    request.parameter("cursor").map(|cursor| read(cursor, &mark(list), EVERYTHING)).transpose()
}

/// How many things are asked for. `limits`: the default, and the most.
pub(crate) fn limit(request: &Request, (default, most): (u32, u32)) -> Result<u32, Refused> {
    let Some(text) = request.parameter("limit") else { return Ok(default) };
    text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        Refused::new(400, "LimitOutOfRange", format!("limit: {text:?} is no number from 1 to {most}"))
    })
}

fn write(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).unwrap_or_default())
}

fn read(text: &str, mark: &str, (from, to): (&str, &str)) -> Result<String, Refused> {
    let cursor = (text.len() <= CURSOR_CHARS_MAX)
        .then(|| URL_SAFE_NO_PAD.decode(text).ok())
        .flatten()
        .and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok())
        .filter(|cursor| {
            cursor.of == mark && (from..=to).contains(&cursor.after.as_str()) && !cursor.after.is_empty()
        });
    cursor.map(|cursor| cursor.after).ok_or_else(unknown)
}

/// A cursor that leads nowhere.
pub(crate) fn unknown() -> Refused {
    Refused::new(400, "CursorUnknown", "cursor: it was not given out with a page of this list")
        .guidance("begin the list again without a cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_its_own_list_only() {
        let cursor = write(&Cursor { of: "m".to_owned(), after: "orders".to_owned() });
        assert_eq!(read(&cursor, "m", EVERYTHING).unwrap(), "orders");
        assert_eq!(read(&cursor, "other", EVERYTHING).unwrap_err().reason.name, "CursorUnknown");
        assert!(read(&cursor, "m", ("p", "q")).is_err(), "outside of its range");
        for made_up in
            ["", "*", "e30", &"A".repeat(10_000), &URL_SAFE_NO_PAD.encode("{\"of\":\"m\",\"after\":\"\"}")]
        {
            assert_eq!(read(made_up, "m", EVERYTHING).unwrap_err().status, 400, "{made_up:.20}");
        }
    }

    #[test]
    fn limits_have_a_range() {
        let asked = |value: &str| {
            let query = vec![("limit".to_owned(), value.to_owned())];
            limit(&Request { query, ..Request::new("GET", "/") }, (10, 50)).map_err(|refused| refused.status)
        };
        for (text, expected) in [
            ("1", Ok(1)),
            ("50", Ok(50)),
            ("0", Err(400)),
            ("51", Err(400)),
            ("-1", Err(400)),
            ("x", Err(400)),
        ] {
            assert_eq!(asked(text), expected, "{text}");
        }
        assert_eq!(limit(&Request::new("GET", "/"), (10, 50)).unwrap(), 10);
    }
}
