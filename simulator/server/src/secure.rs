//! One client's bytes, with TLS around them where it was agreed: bytes in, bytes out, no sockets.
//!
//! In the protocol's own handshake TLS records travel inside packets of type PRELOGIN until the handshake is done, and bare from
//! then on; for the login alone TLS ends behind the LOGIN7 message. A first byte that begins a TLS record is TDS 8.0: TLS
//! before anything else. Source: MS-TDS 2.2.6.5 and 3.3.5.1, "TDS 8.0" in 1.3.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use tds::{Accepted, Connection, Encryption, Event, Options, Reset, Response, ServerMessage, Transport};

use crate::certificate::Authority;

/// The type of a PRELOGIN packet, in which handshake records travel.
const PRELOGIN: u8 = 0x12;
/// Bytes before the body of a packet.
const HEADER: usize = 8;
/// Packets of a handshake are no longer than those of any client before its login.
const PACKET_MAX: usize = 4_096;
/// What a TLS record of a handshake begins with.
const HANDSHAKE: u8 = 0x16;
/// Bytes of a TLS record at most. RFC 8446, 5.1.
const RECORD_MAX: usize = 16 << 10;
/// Bytes of a handshake that is not done: a client's flight has two or three thousand.
const UNDONE_MAX: usize = 64 << 10;

/// What TLS needs of a server.
pub struct Tls {
    /// Inside packets: up to 1.2, because clients of the protocol's own handshake break on what 1.3 sends behind it.
    wrapped: Arc<ServerConfig>,
    /// TDS 8.0.
    strict: Arc<ServerConfig>,
}

impl Tls {
    /// For what an authority signed.
    ///
    /// # Errors
    /// A key that does not fit its certificate.
    pub fn new(authority: &Authority) -> Result<Self, rustls::Error> {
        Self::of(&authority.chain, &authority.key)
    }

    /// For a certificate of somebody else's, whatever clients will think of it.
    ///
    /// # Errors
    /// A key that does not fit its certificate.
    pub fn of(
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(versions)?
                .with_no_client_auth()
                .with_single_cert(chain.to_vec(), key.clone_key())
        };
        let wrapped = Arc::new(config(&[&rustls::version::TLS12])?);
        let mut strict = config(rustls::ALL_VERSIONS)?;
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        Ok(Self { wrapped, strict: Arc::new(strict) })
    }
}

/// How bytes travel now.
enum Layer {
    /// Nothing has come yet.
    Unknown,
    Clear,
    /// A handshake inside packets; what has come of a packet.
    Wrapped(Box<ServerConnection>, Vec<u8>),
    Bare(Box<ServerConnection>),
}

/// A TDS connection with TLS around it.
pub struct Secure {
    connection: Connection,
    options: Options,
    tls: Arc<Tls>,
    layer: Layer,
    /// Whether TLS came before the first byte of TDS: then it is around everything.
    is_strict: bool,
    output: Vec<u8>,
}

impl Secure {
    /// A fresh connection to an instance.
    pub fn new(instance: &str, session_id: u16, tls: Arc<Tls>) -> Self {
        let server_name = instance.to_uppercase();
        let options = Options { server_name, session_id, encryption: Encryption::Off, ..Options::default() };
        let connection = Connection::new(options.clone());
        Self { connection, options, tls, layer: Layer::Unknown, is_strict: false, output: Vec::new() }
    }

    /// Takes bytes of the client, in whatever pieces they come.
    ///
    /// # Errors
    /// TLS broke; what output there is tells the client why.
    pub fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if matches!(self.layer, Layer::Unknown) {
            self.is_strict = bytes[0] == HANDSHAKE;
            self.layer = if self.is_strict {
                let options = Options { encryption: Encryption::Strict, ..self.options.clone() };
                self.connection = Connection::new(options);
                Layer::Bare(Box::new(server(&self.tls.strict)?))
            } else {
                Layer::Clear
            };
        }
        match &mut self.layer {
            Layer::Unknown | Layer::Clear => {
                self.connection.receive(bytes);
                Ok(())
            }
            Layer::Wrapped(_, packets) => {
                packets.extend_from_slice(bytes);
                self.unwrap_packets()
            }
            Layer::Bare(tls) => {
                let read = decrypt(tls, bytes, &mut self.connection);
                flush(tls, &mut self.output)?;
                read
            }
        }
    }

    /// Feeds the handshake with the bodies of whole packets, and sends what it answers in packets.
    fn unwrap_packets(&mut self) -> io::Result<()> {
        let Layer::Wrapped(tls, packets) = &mut self.layer else { return Ok(()) };
        while tls.is_handshaking() {
            let Some(body) = take_packet(packets)? else { break };
            let read = decrypt(tls, &body, &mut self.connection);
            let mut answer = Vec::new();
            flush(tls, &mut answer)?;
            wrap(&answer, &mut self.output);
            read?;
        }
        if tls.is_handshaking() {
            return if packets.len() > UNDONE_MAX { Err(broken("a handshake without end")) } else { Ok(()) };
        }
        let Layer::Wrapped(tls, packets) = std::mem::replace(&mut self.layer, Layer::Clear) else {
            return Ok(());
        };
        self.layer = Layer::Bare(tls);
        self.receive(&packets)
    }

    /// What the client wants next, if all of it has arrived.
    ///
    /// # Errors
    /// The connection is over: what output there is, is to be sent.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            let event = self.connection.next_event();
            self.collect()?;
            let event = event.map_err(|error| broken(&error.to_string()))?;
            let wanted = self.connection.transport() != Transport::Clear;
            match (&self.layer, wanted) {
                (Layer::Clear, true) => {
                    let unread = self.connection.take_unread();
                    self.layer = Layer::Wrapped(Box::new(server(&self.tls.wrapped)?), Vec::new());
                    self.receive(&unread)?;
                    // What followed the handshake may hold a login already.
                    if event.is_none() && !unread.is_empty() {
                        continue;
                    }
                }
                // TLS was for the login alone.
                (Layer::Bare(_), false) if !self.is_strict => self.layer = Layer::Clear,
                _ => {}
            }
            return Ok(event);
        }
    }

    /// Takes what the connection has to say into the output, as bytes travel now.
    fn collect(&mut self) -> io::Result<()> {
        let said = self.connection.take_output();
        match &mut self.layer {
            Layer::Bare(tls) | Layer::Wrapped(tls, _) if !said.is_empty() => {
                // It buffers so much and no more: what it took is sent before it is given the next.
                for part in said.chunks(RECORD_MAX) {
                    tls.writer().write_all(part)?;
                    flush(tls, &mut self.output)?;
                }
                Ok(())
            }
            _ => {
                self.output.extend_from_slice(&said);
                Ok(())
            }
        }
    }

    /// Accepts the login that was told.
    pub fn accept_login(&mut self, accepted: Accepted) -> io::Result<()> {
        self.connection.accept_login(accepted);
        self.collect()
    }

    /// Refuses the login that was told, and ends the connection.
    pub fn refuse_login(&mut self, message: &ServerMessage) -> io::Result<()> {
        self.connection.refuse_login(message);
        self.collect()
    }

    /// Answers the request that was told last. What cannot be written is told as an error.
    pub fn respond(&mut self, response: &Response) -> io::Result<()> {
        if let Err(error) = self.connection.respond(response) {
            let message = ServerMessage {
                number: 50_000,
                state: 1,
                severity: 17,
                text: format!("the answer cannot be sent: {error}"),
                server: self.options.server_name.clone(),
                procedure: String::new(),
                line: 1,
            };
            let told = Response { error: Some(message), ..Response::default() };
            self.connection.respond(&told).map_err(|error| broken(&error.to_string()))?;
        }
        self.collect()
    }

    /// How the client wants its session to start afresh before the request that was told, if it does.
    pub fn take_reset(&mut self) -> Option<Reset> {
        self.connection.take_reset()
    }

    /// Whether the connection is over once its output is sent.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Says that nothing more follows, where TLS wants it said.
    pub fn close(&mut self) {
        if let Layer::Bare(tls) = &mut self.layer {
            tls.send_close_notify();
            // A buffer in memory takes everything.
            let _ = flush(tls, &mut self.output);
        }
    }

    /// The bytes to send.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }
}

fn server(config: &Arc<ServerConfig>) -> io::Result<ServerConnection> {
    ServerConnection::new(Arc::clone(config)).map_err(|error| broken(&error.to_string()))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Gives the connection what TLS makes of the client's bytes.
fn decrypt(tls: &mut ServerConnection, bytes: &[u8], connection: &mut Connection) -> io::Result<()> {
    let mut rest = bytes;
    let mut text = [0; RECORD_MAX];
    while !rest.is_empty() {
        if tls.read_tls(&mut rest)? == 0 {
            return Err(broken("bytes behind the end of TLS"));
        }
        let state = tls.process_new_packets().map_err(|error| broken(&error.to_string()))?;
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let count = tls.reader().read(&mut text)?;
            connection.receive(&text[..count]);
            left = left.saturating_sub(count.max(1));
        }
    }
    Ok(())
}

fn flush(tls: &mut ServerConnection, out: &mut Vec<u8>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(out)?;
    }
    Ok(())
}

/// The body of the first packet, once all of it is there.
fn take_packet(packets: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let &[kind, _, high, low, ..] = packets.as_slice() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if kind != PRELOGIN || !(HEADER..=usize::from(u16::MAX)).contains(&length) {
        return Err(broken("a packet in the handshake that is none of it"));
    }
    if packets.len() < length {
        return Ok(None);
    }
    let rest = packets.split_off(length);
    let body = std::mem::replace(packets, rest).split_off(HEADER);
    Ok(Some(body))
}

/// Puts handshake records into packets.
fn wrap(records: &[u8], out: &mut Vec<u8>) {
    let bodies = records.chunks(PACKET_MAX - HEADER);
    let count = bodies.len();
    for (number, body) in bodies.enumerate() {
        let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX).to_be_bytes();
        let last = u8::from(number + 1 == count);
        out.extend_from_slice(&[PRELOGIN, last, length[0], length[1], 0, 0, 0, 0]);
        out.extend_from_slice(body);
    }
}
