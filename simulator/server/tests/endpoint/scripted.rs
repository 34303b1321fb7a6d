//! An HTTP server that answers as a test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

/// What is answered: a status, headers, a body. `None`: it hangs up.
pub(crate) type Reply = Option<(u16, &'static str, Vec<u8>)>;

/// Serves one request of each connection until the test ends.
pub(crate) fn serve(reply: impl FnMut(&Asked) -> Reply + Send + 'static) -> (SocketAddr, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (remembers, asked) = channel();
    let mut reply = reply;
    let run = move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            let Some(request) = read(&socket) else { continue };
            let answer = reply(&request);
            let _ = remembers.send(request);
            let Some((status, headers, body)) = answer else { continue };
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                body.len()
            );
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    };
    std::thread::Builder::new().spawn(run).unwrap();
    (address, asked)
}

fn read(socket: &std::net::TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(socket);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") && reader.read_line(&mut headers).ok()? > 2 {}
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers, body })
}
