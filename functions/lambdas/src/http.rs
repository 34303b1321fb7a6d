//! Requests of API Gateway's HTTP API (payload format 2.0) as inputs, and responses back.
//!
//! API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs", read 2026-11. Not in it, but seen by many: an
//! HTTP API decodes the path before it sends it (`rawPath`), and leaves the query encoded (`rawQueryString`). A slash within a name
//! therefore travels as `~2F`, which the router of `api` undoes.

use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::http::HeaderName;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::reason::{Class, Reason};
use handlers::Handler;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::{Value, json};

use crate::edge::{Edge, Refusal, decode, encode, unreadable};
use crate::subject::Subject;

/// What stands for itself in a path (RFC 3986, "Unreserved Characters"), and the slashes between segments.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// API Gateway, as the caller of handlers whose input is made from a [`Request`] and whose output makes a [`Response`].
#[derive(Debug, Clone, Copy)]
pub struct HttpApi;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Decoded, without the stage: `/v1/instances`.
    pub path: String,
    /// Decoded pairs in order, repeated names too.
    pub query: Vec<(String, String)>,
    /// Names in small letters, in order of the alphabet; repeated names are joined by commas, as API Gateway does.
    pub headers: Vec<(String, String)>,
    /// The bytes that were sent.
    pub body: Vec<u8>,
    /// ARN of the caller whom IAM authorized; none where the route asks for no authorization.
    pub caller: Option<String>,
    /// API Gateway's id of the request.
    pub request_id: String,
    /// Address of the caller.
    pub source_ip: Option<String>,
}

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers; a name or value that HTTP does not allow is an answer that cannot be written.
    pub headers: Vec<(String, String)>,
    /// Body; what is no UTF-8 travels as base64.
    pub body: Vec<u8>,
}

impl Request {
    fn read(function: &str, payload: &str) -> Result<Self, Reason> {
        let request: ApiGatewayV2httpRequest = decode(function, payload)?;
        let context = request.request_context;
        let path = request.raw_path.unwrap_or_default();
        let body = request.body.unwrap_or_default();
        let body = if request.is_base64_encoded {
            BASE64_STANDARD.decode(body).map_err(|_| unreadable(function, "its body is no base64"))?
        } else {
            body.into_bytes()
        };
        let mut headers = Vec::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let value = value.to_str().map_err(|_| unreadable(function, "a header is no text"))?;
            headers.push((name.as_str().to_owned(), value.to_owned()));
        }
        headers.sort();
        let query = request.raw_query_string.unwrap_or_default();
        let iam = context.authorizer.and_then(|authorizer| authorizer.iam);
        Ok(Self {
            method: context.http.method.as_str().to_owned(),
            path: without_stage(&path, context.stage.as_deref()).to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body,
            caller: iam.and_then(|iam| iam.user_arn).filter(|arn| !arn.is_empty()),
            request_id: context.request_id.unwrap_or_default(),
            source_ip: context.http.source_ip,
        })
    }

    /// The path as on a request line: encoded again, as the gateway decodes it.
    fn encoded_path(&self) -> String {
        percent_encoding::utf8_percent_encode(&self.path, SEGMENT).to_string()
    }

    fn subject(&self) -> Subject {
        Subject::default()
            .name("method", Some(&self.method))
            .name("path", Some(&self.path))
            .name("caller", self.caller.as_deref())
            .name("api_request_id", Some(&self.request_id))
    }
}

/// A stage other than `$default` is in front of the path.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let rest = stage.filter(|stage| !stage.is_empty() && *stage != "$default").and_then(|stage| {
        let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    });
    match rest.unwrap_or(path) {
        "" => "/",
        path => path,
    }
}

impl Response {
    /// As API Gateway reads it.
    fn write(self, function: &str) -> Result<Value, Reason> {
        let unwritable = |what: &str| {
            Reason::new(
                Class::Human,
                "AnswerUnwritable",
                format!("{function} cannot write its answer: {what}"),
            )
        };
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status);
        for (name, value) in self.headers {
            let name = name.parse::<HeaderName>().map_err(|_| unwritable("a header has no name of HTTP"))?;
            let value =
                value.parse().map_err(|_| unwritable(&format!("header {name} has no value of HTTP")))?;
            response.headers.append(name, value);
        }
        response.body = Some(match String::from_utf8(self.body) {
            Ok(text) => Body::Text(text),
            Err(bytes) => {
                response.is_base64_encoded = true;
                Body::Binary(bytes.into_bytes())
            }
        });
        encode(function, response)
    }
}

impl From<Request> for api::Request {
    fn from(request: Request) -> Self {
        let path = request.encoded_path();
        let Request { method, query, headers, body, caller, request_id, .. } = request;
        Self { method, path, query, headers, body, caller, request_id }
    }
}

impl From<api::Response> for Response {
    fn from(response: api::Response) -> Self {
        let api::Response { status, headers, body } = response;
        Self { status, headers, body: body.into_bytes() }
    }
}

impl<H> Edge<H> for HttpApi
where
    H: Handler<Input: From<Request>, Output: Into<Response>>,
{
    fn read(payload: &str) -> (Subject, Result<H::Input, Reason>) {
        match Request::read(H::NAME, payload) {
            Ok(request) => (request.subject(), Ok(request.into())),
            Err(reason) => (Subject::default(), Err(reason)),
        }
    }

    fn write(output: H::Output) -> Result<Value, Reason> {
        output.into().write(H::NAME)
    }

    /// A problem (RFC 9457): an error of the function would reach the caller as a bare 500 of API Gateway, without a name.
    fn refuse(reason: &Reason, request_id: &str) -> Result<Value, Refusal> {
        let status = match reason.class {
            Class::Retry | Class::Wait => 503,
            Class::Never | Class::Human => 500,
        };
        let problem = json!({
            "type": "about:blank", "title": reason.name, "status": status, "detail": reason.message, "name": reason.name,
            "class": reason.class, "guidance": reason.guidance, "request_id": request_id,
        });
        let headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
        Response { status, headers, body: problem.to_string().into_bytes() }.write(H::NAME).map_err(Refusal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// After the example of the developer guide, payload format 2.0 with IAM authorization.
    fn example() -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/my/päth",
            "rawQueryString": "parameter1=value1&parameter1=a%26b&parameter2=a+b&flag",
            "cookies": ["cookie1"], "headers": {"Header2": "value2", "header1": "value1,value2"},
            "queryStringParameters": {"parameter1": "value1,a&b"},
            "requestContext": {
                "accountId": "123456789012", "apiId": "api-id", "stage": "$default", "requestId": "id", "routeKey": "$default",
                "authorizer": {"iam": {"accessKey": "AKIA", "accountId": "123456789012", "callerId": "c",
                    "cognitoIdentity": null, "principalOrgId": "o", "userArn": "arn:aws:iam::123456789012:user/Admin",
                    "userId": "u"}},
                "domainName": "id.execute-api.us-east-1.amazonaws.com", "domainPrefix": "id",
                "http": {"method": "POST", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "agent"},
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64
            },
            "body": "aMOk", "isBase64Encoded": true
        })
    }

    fn read(request: &Value) -> Result<Request, Reason> {
        Request::read("api", &request.to_string())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_request_is_read_whole() {
        let request = read(&example()).unwrap();
        assert_eq!(
            request,
            Request {
                method: "POST".to_owned(),
                path: "/my/päth".to_owned(),
                query: pairs(&[
                    ("parameter1", "value1"),
                    ("parameter1", "a&b"),
                    ("parameter2", "a b"),
                    ("flag", "")
                ]),
                headers: pairs(&[("header1", "value1,value2"), ("header2", "value2")]),
                body: "hä".as_bytes().to_vec(),
                caller: Some("arn:aws:iam::123456789012:user/Admin".to_owned()),
                request_id: "id".to_owned(),
                source_ip: Some("192.0.2.1".to_owned()),
            }
        );
        let mut plain = example();
        plain["isBase64Encoded"] = json!(false);
        plain["requestContext"].as_object_mut().unwrap().remove("authorizer");
        let plain = read(&plain).unwrap();
        assert_eq!((plain.body.as_slice(), plain.caller), (b"aMOk".as_slice(), None));
    }

    #[test]
    fn a_slash_of_a_name_stays_in_its_segment() {
        // The gateway decodes what is percent-encoded: the slash of `%2F` is one of the path by now, that of `~2F` is not.
        let of = |raw_path: &str| {
            let mut request = example();
            request["rawPath"] = json!(raw_path);
            api::Request::from(read(&request).unwrap()).path
        };
        assert_eq!(
            of("/v1/instances/sales/databases/a~2Fb/window"),
            "/v1/instances/sales/databases/a~2Fb/window"
        );
        assert_eq!(of("/databases/100% ~7E2F ä"), "/databases/100%25%20~7E2F%20%C3%A4");
    }

    #[test]
    fn a_stage_is_no_part_of_the_path() {
        for (path, stage, expected) in [
            ("/v1/fleet", "$default", "/v1/fleet"),
            ("/prod/v1/fleet", "prod", "/v1/fleet"),
            ("/prod", "prod", "/"),
            ("/production/v1", "prod", "/production/v1"),
            ("/v1", "", "/v1"),
            ("", "$default", "/"),
        ] {
            assert_eq!(without_stage(path, Some(stage)), expected, "{path} {stage}");
        }
        assert_eq!(without_stage("/v1", None), "/v1");
    }

    #[test]
    fn what_is_no_request_is_refused_and_not_quoted() {
        for (pointer, value, said) in [
            ("/body", json!("hush!"), "its body is no base64"),
            ("/headers", json!({"bad name hush": "x"}), "`headers"),
            ("/headers", json!({"h": "\u{0}hush"}), "`headers"),
            ("/requestContext/http/method", json!("hush hush"), "`requestContext.http.method`"),
            ("/requestContext", json!(7), "`requestContext`"),
            ("/rawPath", json!({}), "`rawPath`"),
        ] {
            let mut request = example();
            *request.pointer_mut(pointer).unwrap() = value;
            let reason = read(&request).unwrap_err();
            assert!(reason.message.contains(said) && !reason.message.contains("hush"), "{pointer}: {reason}");
        }
    }

    fn written(response: Response) -> Value {
        response.write("api").unwrap()
    }

    #[test]
    fn a_response_is_written_as_the_gateway_reads_it() {
        let headers = pairs(&[("content-type", "application/json"), ("etag", "\"1\"")]);
        let answer = written(Response { status: 201, headers, body: b"{}".to_vec() });
        assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(201), &json!("{}")));
        assert_eq!(
            (&answer["headers"]["etag"], &answer["isBase64Encoded"]),
            (&json!("\"1\""), &json!(false))
        );
        let bytes = written(Response { status: 200, headers: Vec::new(), body: vec![0xff, 0xfe] });
        assert_eq!((&bytes["body"], &bytes["isBase64Encoded"]), (&json!("//4="), &json!(true)));
        for bad in [("bad name", "x"), ("x", "split\r\nhere")] {
            let response = Response { status: 200, headers: pairs(&[bad]), body: Vec::new() };
            assert_eq!(response.write("api").unwrap_err().name, "AnswerUnwritable");
        }
    }

    proptest! {
        #[test]
        fn hostile_requests_end_in_a_reason(
            pointer in prop::sample::select(vec![
                "/rawPath", "/rawQueryString", "/headers", "/body", "/cookies", "/requestContext/http/method",
                "/requestContext/stage", "/requestContext/authorizer", "/requestContext/timeEpoch", "/isBase64Encoded",
            ]),
            text in ".{0,40}", number in any::<f64>(), which in 0..4,
        ) {
            let mut request = example();
            *request.pointer_mut(pointer).unwrap() =
                match which { 0 => json!(text), 1 => json!(number), 2 => json!([text]), _ => json!({text: number}) };
            if let Ok(request) = read(&request) {
                prop_assert!(!request.method.is_empty() && !request.path.is_empty());
            }
        }

        #[test]
        fn any_response_is_written_or_refused(
            status in any::<u16>(), name in ".{0,10}", value in ".{0,10}", body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let response = Response { status, headers: vec![(name, value)], body: body.clone() };
            if let Ok(answer) = response.write("api") {
                let text = answer["body"].as_str().unwrap();
                let back = if answer["isBase64Encoded"] == json!(true) {
                    BASE64_STANDARD.decode(text).unwrap()
                } else {
                    text.as_bytes().to_vec()
                };
                prop_assert_eq!(back, body);
            }
        }
    }
}
