//! A server that plays back answers in order and remembers what it was asked.

use aws::SdkConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{config, local};

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As announced.
    Whole,
    /// The head announces no length: the answer ends with the connection.
    Unannounced,
    /// The connection dies a byte too early.
    Cut,
    /// A byte is missing, and the connection stays open.
    Stalled,
}

/// One canned answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// HTTP status; 0 says not a word.
    pub(crate) status: u16,
    /// Headers beside those that HTTP needs.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Body.
    pub(crate) body: String,
    /// How it ends.
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), end: End::Whole }
    }

    /// An error of a service that speaks JSON.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::new(status, &serde_json::json!({"__type": code, "message": "m"}).to_string())
    }

    /// The request arrives and the connection dies.
    pub(crate) fn silence() -> Self {
        Self::new(0, "")
    }

    /// This answer without its length: it ends with the connection.
    pub(crate) fn unannounced(self) -> Self {
        Self { end: End::Unannounced, ..self }
    }

    /// This answer without its last byte, and then the connection dies.
    pub(crate) fn cut(self) -> Self {
        Self { end: End::Cut, ..self }
    }

    /// This answer without its last byte, which is waited for in vain.
    pub(crate) fn stalled(self) -> Self {
        Self { end: End::Stalled, ..self }
    }
}

/// One request as it came.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Region of the credential scope: `Credential=test/20261122/eu-west-1/s3/aws4_request`.
    pub(crate) fn signed_region(&self) -> &str {
        self.header("authorization").and_then(|signed| signed.split('/').nth(2)).unwrap_or_default()
    }

    /// Service of the credential scope.
    fn service(&self) -> &str {
        self.header("authorization").and_then(|signed| signed.split('/').nth(3)).unwrap_or_default()
    }

    /// Name of the operation: where it is depends on the protocol of the service.
    pub(crate) fn operation(&self) -> String {
        if let Some(target) = self.header("x-amz-target") {
            return target.rsplit('.').next().unwrap_or_default().to_owned();
        }
        if let Some(action) = self.body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
            return action.to_owned();
        }
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let operation = match self.method.as_str() {
            "HEAD" if path.trim_matches('/').contains('/') => "HeadObject",
            "HEAD" => "HeadBucket",
            "POST" if query.starts_with("delete") => "DeleteObjects",
            "GET" if query.starts_with("tagging") => "GetObjectTagging",
            "PUT" if query.starts_with("tagging") => "PutObjectTagging",
            "DELETE" if query.contains("uploadId=") => "AbortMultipartUpload",
            "PUT" if query.contains("x-id=PutObject") => "PutObject",
            _ if query.contains("x-id=GetObject") => "GetObject",
            _ if query.split('&').any(|name| name == "versions") => "ListObjectVersions",
            _ if query.split('&').any(|name| name == "uploads") => "ListMultipartUploads",
            _ if self.path.contains("versioning") => "GetBucketVersioning",
            _ if query.starts_with("encryption") => "GetBucketEncryption",
            _ if query.starts_with("ownershipControls") => "GetBucketOwnershipControls",
            _ if self.path.contains("list-type=2") => "ListObjectsV2",
            _ => "unknown",
        };
        operation.to_owned()
    }

    /// The IAM action of the operation. Service authorization reference, "Actions, resources, and condition keys for Amazon
    /// S3": some operations are allowed by an action of another name.
    pub(crate) fn action(&self) -> String {
        let operation = self.operation();
        let action = match operation.as_str() {
            "HeadBucket" | "ListObjectsV2" => "ListBucket",
            "GetBucketEncryption" => "GetEncryptionConfiguration",
            "ListObjectVersions" => "ListBucketVersions",
            "ListMultipartUploads" => "ListBucketMultipartUploads",
            "HeadObject" => "GetObject",
            "DeleteObjects" if self.body.contains("<VersionId>") => "DeleteObjectVersion",
            "DeleteObjects" => "DeleteObject",
            other => other,
        };
        format!("{}:{action}", self.service())
    }
}

/// Runs a client against the answers; gives what it returned and what it asked. One request a connection.
pub(crate) fn play<T>(answers: Vec<Answer>, client: impl AsyncFnOnce(SdkConfig) -> T) -> (T, Vec<Call>) {
    let mut left = answers.into_iter();
    let (result, calls) = serve(|_| left.next().expect("an answer for each request"), client);
    assert_eq!(left.len(), 0, "answers that nobody asked for after {calls:?}");
    (result, calls)
}

/// Runs a client against a service; likewise.
pub(crate) fn serve<T>(
    mut service: impl FnMut(&Call) -> Answer,
    client: impl AsyncFnOnce(SdkConfig) -> T,
) -> (T, Vec<Call>) {
    local().block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port of loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let config = config(&format!("http://{address}")).await;
        let (mut calls, mut stalled) = (Vec::new(), Vec::new());
        let serving = async {
            loop {
                let (mut connection, _) = listener.accept().await.expect("the client connects");
                let call = call(&mut connection).await;
                let answer = service(&call);
                calls.push(call);
                if answer.status != 0 {
                    send(&mut connection, &answer).await;
                }
                if answer.end == End::Stalled {
                    stalled.push(connection);
                }
            }
        };
        let result = tokio::select! {
            result = client(config) => result,
            () = serving => unreachable!("the server serves until it is dropped"),
        };
        (result, calls)
    })
}

async fn send(connection: &mut TcpStream, answer: &Answer) {
    let headers: String =
        answer.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let (status, body) = (answer.status, answer.body.as_bytes());
    let length = match answer.end {
        End::Unannounced => String::new(),
        _ => format!("content-length: {}\r\n", body.len()),
    };
    let sent = match answer.end {
        End::Whole | End::Unannounced => body,
        End::Cut | End::Stalled => body.split_last().map_or(body, |(_, rest)| rest),
    };
    let head = format!("HTTP/1.1 {status} Canned\r\nconnection: close\r\n{length}{headers}\r\n");
    let bytes = [head.as_bytes(), sent].concat();
    // A client that has read enough hangs up.
    drop(connection.write_all(&bytes).await);
}

async fn call(connection: &mut TcpStream) -> Call {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|n| n.trim().parse().ok())
            });
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split(' ');
                let mut word = || words.next().unwrap_or_default().to_owned();
                let (method, path) = (word(), word());
                return Call { method, path, head: head.to_owned(), body: body.to_owned() };
            }
        }
        let read = connection.read_buf(&mut bytes).await.expect("the client sends");
        assert_ne!(read, 0, "the client hung up in the middle of {text:?}");
    }
}
