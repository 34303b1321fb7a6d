//! A request and its answer as values: whoever listens (API Gateway, a socket on loopback) makes the one and sends the other.

use serde::{Deserialize, Serialize};

/// Bytes of a body that is read. Policy of ours: the largest document is a policy, a few KB.
pub const BODY_BYTES_MAX: usize = 65_536;

/// A request as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path as on the request line, percent-encoded, without the query. A slash within a name is `~2F`, so that it is none of the path
    /// wherever a gateway decodes.
    pub path: String,
    /// Names and values, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names and values, in order; names in any case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Who asks: the ARN that the gateway authenticated; `None` where it did not.
    pub caller: Option<String>,
    /// What the gateway calls this request, told in every problem.
    pub request_id: String,
}

impl Request {
    /// A request without query, headers and body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), ..Self::default() }
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// JSON text, or nothing.
    pub body: String,
}

impl Response {
    /// An answer of JSON text.
    pub(crate) fn json(status: u16, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    /// The same with one header more.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// Undoes percent-encoding. `None`: a `%` that no two hexadecimal digits follow, or bytes that are no UTF-8.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The query of a request line as names and values: `+` is a space, as forms write it. `None`: as of percent-encoding.
pub fn query_of(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_or_refused() {
        for (text, plain) in [
            ("orders", Some("orders")),
            ("a%2Fb%20c", Some("a/b c")),
            ("%c3%9f", Some("ß")),
            ("ß", Some("ß")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(text).as_deref(), plain, "{text}");
        }
        let pairs = query_of("at=latest&&x=a%26b+c&flag").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("at", "latest"), ("x", "a&b c"), ("flag", "")]);
        assert_eq!(query_of("a=%f"), None);
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let headers = vec![("If-Match".to_owned(), " \"a\" ".to_owned())];
        let request = Request { headers, ..Request::new("GET", "/") };
        assert_eq!(request.header("if-match"), Some("\"a\""));
        assert_eq!(request.header("accept"), None);
    }
}
