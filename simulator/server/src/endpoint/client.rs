//! How is an endpoint asked one thing: signed, in time, more than once where that may help?

use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use tokio::time::timeout;
use url::Url;
use world::{EndpointFault, OBJECT_BYTES_MAX, Outgoing, SeenBody};

use super::Endpoint;

/// How long one request may take, with its body.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// How long is waited before a request is sent again: the SDKs' standard mode sends three times as well.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

/// How long a signed URL is good for.
const SIGNED_FOR: Duration = Duration::from_mins(5);

/// Longest answer that is no object: a page of eleven keys is some kilobytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Longest key, bytes. S3 user guide, "Naming Amazon S3 objects".
const KEY_BYTES_MAX: usize = 1_024;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) size_bytes: u64,
}

/// What a request came to.
struct Answer {
    status: StatusCode,
    etag: String,
    body: Bytes,
}

/// The way to an endpoint.
#[derive(Clone)]
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Url,
    region: String,
    credentials: Credentials,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(endpoint: &Endpoint, connector: HttpsConnector<HttpConnector>) -> Self {
        let held = endpoint.credentials.clone();
        let credentials = match held.token {
            Some(token) => Credentials::new_with_token(held.key, held.secret, token),
            None => Credentials::new(held.key, held.secret),
        };
        Self {
            http: Http::builder(TokioExecutor::new()).build(connector),
            url: endpoint.url.clone(),
            region: endpoint.region.clone(),
            credentials,
        }
    }

    fn bucket(&self, name: &str) -> Result<Bucket, EndpointFault> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        // A name that is a segment of dots would be another path.
        if name.len() < 3 || !name.bytes().all(plain) || name.bytes().all(|byte| byte == b'.') {
            return Err(EndpointFault::NoSuchBucket);
        }
        Bucket::new(self.url.clone(), UrlStyle::Path, name.to_owned(), self.region.clone())
            .map_err(|_| EndpointFault::NoSuchBucket)
    }

    /// Objects under a prefix, the first ones, in order.
    pub(super) async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        keys_max: usize,
    ) -> Result<Vec<Listed>, EndpointFault> {
        let bucket = self.bucket(bucket)?;
        let mut action = bucket.list_objects_v2(Some(&self.credentials));
        action.with_prefix(prefix);
        action.with_max_keys(keys_max);
        let answer = self.ask(&action, Method::GET, None, ANSWER_BYTES_MAX).await?.ok_or(TOO_LONG)?;
        if answer.status != StatusCode::OK {
            return Err(fault(&answer));
        }
        let text = std::str::from_utf8(&answer.body).map_err(|_| EndpointFault::Unreachable)?;
        let page = ListObjectsV2::parse_response(text).map_err(|_| EndpointFault::Unreachable)?;
        let listed = page.contents.into_iter().take(keys_max).map(|object| Listed {
            etag: bare(object.etag.as_deref().unwrap_or_default()),
            size_bytes: object.size.unwrap_or_default(),
            key: object.key,
        });
        Ok(listed.collect())
    }

    /// An object with its `ETag`; `None`: it is gone.
    pub(super) async fn get(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<(String, SeenBody)>, EndpointFault> {
        let bucket = self.bucket(bucket)?;
        check_key(key)?;
        let action = bucket.get_object(Some(&self.credentials), key);
        let Some(answer) = self.ask(&action, Method::GET, None, OBJECT_BYTES_MAX).await? else {
            return Ok(Some((String::new(), SeenBody::TooLarge)));
        };
        match (answer.status, code(&answer.body)) {
            (StatusCode::OK, _) => Ok(Some((answer.etag, SeenBody::Bytes(answer.body.to_vec())))),
            (StatusCode::NOT_FOUND, code) if code != "NoSuchBucket" => Ok(None),
            (StatusCode::FORBIDDEN, "InvalidObjectState") => Ok(Some((answer.etag, SeenBody::Archived))),
            _ => Err(fault(&answer)),
        }
    }

    /// Writes an object; answers with its `ETag`.
    pub(super) async fn put(&self, bucket: &str, object: &Outgoing) -> Result<String, EndpointFault> {
        let bucket = self.bucket(bucket)?;
        check_key(&object.key)?;
        let mut action = bucket.put_object(Some(&self.credentials), &object.key);
        action.headers_mut().insert(SIZE_HEADER, object.size_bytes.to_string());
        let answer = self.ask(&action, Method::PUT, Some(object), ANSWER_BYTES_MAX).await?.ok_or(TOO_LONG)?;
        if answer.status.is_success() { Ok(answer.etag) } else { Err(fault(&answer)) }
    }

    /// Sends a request until there is an answer that another try would not change. `None`: it is longer than `body_max`.
    async fn ask<'a>(
        &self,
        action: &impl S3Action<'a>,
        method: Method,
        object: Option<&Outgoing>,
        body_max: u64,
    ) -> Result<Option<Answer>, EndpointFault> {
        let mut waits = BACKOFF.into_iter();
        loop {
            // Signed anew each time: the clock of a signature runs.
            let url = action.sign(SIGNED_FOR);
            let answer = timeout(REQUEST_MAX, self.send(&url, method.clone(), object, body_max)).await;
            match answer {
                Ok(Ok(None)) => return Ok(None),
                Ok(Ok(Some(answer))) if !may_pass(answer.status) => return Ok(Some(answer)),
                _ => {}
            }
            let Some(wait) = waits.next() else { return Err(EndpointFault::Unreachable) };
            pause(wait).await;
        }
    }

    async fn send(
        &self,
        url: &Url,
        method: Method,
        object: Option<&Outgoing>,
        body_max: u64,
    ) -> Result<Option<Answer>, ()> {
        let mut request = Request::builder().method(method).uri(url.as_str());
        let mut body = Bytes::new();
        if let Some(object) = object {
            request = request.header(SIZE_HEADER, object.size_bytes);
            body = Bytes::copy_from_slice(&object.bytes);
        }
        // Whatever breaks is told in the words of the service: an error of the client may hold the signed URL.
        let request = request.body(Full::new(body)).map_err(|_| ())?;
        let response = self.http.request(request).await.map_err(|_| ())?;
        let status = response.status();
        let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(bare);
        let limit = usize::try_from(body_max).unwrap_or(usize::MAX);
        match Limited::new(response.into_body(), limit).collect().await {
            Ok(body) => Ok(Some(Answer { status, etag: etag.unwrap_or_default(), body: body.to_bytes() })),
            Err(error) if error.is::<LengthLimitError>() => Ok(None),
            Err(_) => Err(()),
        }
    }
}

/// What the file would have on the service: user-defined metadata.
const SIZE_HEADER: &str = "x-amz-meta-backup-bytes";

/// An answer that is no object and has no end.
const TOO_LONG: EndpointFault = EndpointFault::Unreachable;

/// Whether another try may be answered otherwise: `SlowDown`, `InternalError`, a proxy without its server.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// Keys that a URL cannot hold: segments of dots would be another path.
fn check_key(key: &str) -> Result<(), EndpointFault> {
    let dots = key.split('/').any(|segment| segment == "." || segment == "..");
    if key.is_empty() || key.len() > KEY_BYTES_MAX || dots {
        Err(EndpointFault::AccessDenied)
    } else {
        Ok(())
    }
}

/// `Error code` of S3's XML: all that is read of it.
fn code(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let from = text.split_once("<Code>").map_or("", |(_, rest)| rest);
    from.split_once("</Code>").map_or("", |(code, _)| code)
}

fn fault(answer: &Answer) -> EndpointFault {
    match (answer.status, code(&answer.body)) {
        (_, "NoSuchBucket" | "InvalidBucketName") | (StatusCode::NOT_FOUND, _) => EndpointFault::NoSuchBucket,
        // PermanentRedirect, TemporaryRedirect, AuthorizationHeaderMalformed with another Region.
        (status, _) if status.is_redirection() => EndpointFault::OtherRegion,
        _ => EndpointFault::AccessDenied,
    }
}

/// Without the quotes that HTTP puts around it.
fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the endpoint is real, and so is the time that it gets to recover"
)]
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}
