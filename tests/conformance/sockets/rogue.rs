//! A server on a socket that logs everybody in, in the clear, and then does as it likes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tds::{Accepted, Connection, Event, Response, SqlType, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it does with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing, for ever.
    Silence,
    /// Half of what it has to say, and hangs up.
    Half,
    /// One token after another, never the last.
    Drip,
    /// Rows without end, as fast as they are taken.
    Flood,
}

/// The server; gone with this value.
pub(crate) struct Rogue {
    pub(crate) address: SocketAddr,
    let_in: Arc<AtomicBool>,
    _serving: JoinSet<()>,
}

impl Rogue {
    pub(crate) async fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let let_in = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&let_in);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                clients.spawn(talk(socket, answer, Arc::clone(&seen)));
            }
        });
        Self { address, let_in, _serving: serving }
    }

    /// Whether anybody logged in.
    pub(crate) fn let_in(&self) -> bool {
        self.let_in.load(Ordering::Relaxed)
    }
}

async fn talk(mut socket: TcpStream, answer: Answer, let_in: Arc<AtomicBool>) {
    let mut connection = Connection::new(tds::Options::default());
    let mut bytes = vec![0; 4_096];
    while let Ok(count @ 1..) = socket.read(&mut bytes).await {
        connection.receive(&bytes[..count]);
        while let Ok(Some(event)) = connection.next_event() {
            match event {
                Event::Login(_) => {
                    let_in.store(true, Ordering::Relaxed);
                    connection.accept_login(Accepted::default());
                }
                Event::Request(_) => return misbehave(&mut socket, &mut connection, answer).await,
            }
        }
        if socket.write_all(&connection.take_output()).await.is_err() {
            return;
        }
    }
}

async fn misbehave(socket: &mut TcpStream, connection: &mut Connection, answer: Answer) {
    let column = tds::Column { name: "task_info".into(), sql_type: SqlType::NVarChar(None), nullable: true };
    let row = vec![Value::Text("x".repeat(4_000))];
    let set = tds::ResultSet { columns: vec![column], rows: vec![row], affected: None };
    connection.respond(&Response { results: vec![set], status: Some(0), ..Response::default() }).unwrap();
    let whole = connection.take_output();
    match answer {
        Answer::Silence => pause(Duration::from_mins(10)).await,
        Answer::Half => {
            let _ = socket.write_all(&whole[..whole.len() / 2]).await;
        }
        Answer::Drip => {
            // An INFO token a packet, and none is the last packet of the answer.
            while socket.write_all(&packet(&info())).await.is_ok() {
                pause(Duration::from_millis(20)).await;
            }
        }
        Answer::Flood => {
            // One column x of type nvarchar(2000), without a collation; then a row a packet. MS-TDS 2.2.7.4 and 2.2.7.19.
            let columns =
                [&[0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0xE7, 0xA0, 0x0F, 0, 0, 0, 0, 0, 1, b'x', 0][..]].concat();
            let rows = [&[0xD1, 0xA0, 0x0F][..], &[b'x', 0].repeat(2_000)].concat();
            let mut takes = socket.write_all(&packet(&columns)).await;
            while takes.is_ok() {
                takes = socket.write_all(&packet(&rows)).await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that is slow")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A packet of an answer that goes on.
fn packet(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    [&[4, 0][..], &length.to_be_bytes(), &[0, 51, 1, 0], payload].concat()
}

/// MS-TDS 2.2.7.13: number, state, class, message, server, procedure, line.
fn info() -> Vec<u8> {
    let body = [&[1, 0, 0, 0, 1, 0, 1, 0, b'x', 0, 0, 0][..], &1_u32.to_le_bytes()].concat();
    let length = u16::try_from(body.len()).unwrap();
    [&[0xAB][..], &length.to_le_bytes(), &body].concat()
}
