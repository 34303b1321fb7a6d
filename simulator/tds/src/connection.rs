//! What happens on one connection, in order? Pre-login, login, then requests and their answers, one at a time.
//!
//! Refuses to know time, sockets, threads and SQL: bytes are put in and taken out, events are asked for, and the owner
//! decides everything that is not protocol. Source: MS-TDS 3.3, server details.

use crate::{
    error::{EncodeError, ProtocolError},
    limits::{LOGIN_BYTES_MAX, PACKET_BYTES_DEFAULT, PACKET_BYTES_MAX, PACKET_BYTES_MIN, REQUEST_BYTES_MAX},
    login::{Login, TdsVersion},
    message::{Request, Response, ServerMessage, TransactionRequest},
    options::{Accepted, Event, Options, SessionChange},
    packet::{self, Inbox, Message, Reset, Sizes},
    prelogin::{Encryption, PreLogin, Transport},
    requests::{self, Asked, Rest},
    response::{self, Context, Shape},
    token::{
        done::{self, Done},
        env_change::{self, EnvChange},
        feature_ext_ack, info_error, login_ack,
    },
    transaction::Transactions,
};

/// Where the connection is. MS-TDS 3.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing agreed yet.
    PreLogin,
    /// Pre-login answered; LOGIN7 comes next.
    Login,
    /// The owner has the login and decides.
    Deciding,
    /// Logged in.
    Ready,
    /// Refused or broken: nothing is read any more.
    Closed,
}

/// A TDS server's side of one connection, without I/O.
///
/// Feed it with [`receive`](Self::receive), ask [`next_event`](Self::next_event) until it has none, answer each event, and
/// send what [`take_output`](Self::take_output) gives. There is one request at a time: the next one is only told after
/// [`respond`](Self::respond), but for [`Request::Attention`], which may come while a request runs and takes its place.
///
/// TLS is the owner's: after every event (or none) it compares [`transport`](Self::transport) with what it does. When the
/// pre-login has been answered this changes to what was agreed; bytes that came behind the pre-login and were not read
/// are given back by [`take_unread`](Self::take_unread) for the handshake. With [`Transport::TlsForLogin`] TLS ends with
/// the LOGIN7 message: [`transport`](Self::transport) is [`Transport::Clear`] again when [`Event::Login`] is told.
#[derive(Debug)]
pub struct Connection {
    options: Options,
    phase: Phase,
    transport: Transport,
    inbox: Inbox,
    failure: Option<ProtocolError>,
    /// Set by the login.
    version: TdsVersion,
    packet_bytes: u32,
    features: Vec<u8>,
    /// The request that waits for its response, and what is left of its message.
    asked: Option<Asked>,
    rest: Option<Rest>,
    reset: Option<Reset>,
    transactions: Transactions,
    database: String,
    /// Tokens that go ahead of the next response.
    changes: Vec<u8>,
    /// Tokens of the message being answered.
    answer: Vec<u8>,
    output: Vec<u8>,
}

impl Connection {
    /// A fresh connection: the client speaks first.
    pub fn new(options: Options) -> Self {
        let packet_bytes = options.packet_size_default.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX);
        Self {
            options,
            phase: Phase::PreLogin,
            transport: Transport::Clear,
            inbox: Inbox::default(),
            failure: None,
            version: TdsVersion::V7_4,
            packet_bytes,
            features: Vec::new(),
            asked: None,
            rest: None,
            reset: None,
            transactions: Transactions::default(),
            database: String::new(),
            changes: Vec::new(),
            answer: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Takes bytes of the client, in whatever pieces they come. Bytes after the end of a connection are dropped.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Closed {
            self.inbox.push(bytes);
        }
    }

    /// What the client wants next, if all of it has arrived. Pre-login is answered inside.
    ///
    /// An error ends the connection: it is told again on every further call, and the output may hold a last answer.
    pub fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let event = self.advance();
        if let Err(failure) = &event {
            self.failure = Some(failure.clone());
            self.phase = Phase::Closed;
        }
        event
    }

    fn advance(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            match self.phase {
                Phase::PreLogin | Phase::Login => {
                    let Some(message) = self.inbox.next_message(Self::handshake_sizes())? else {
                        return Ok(None);
                    };
                    if let Some(login) = self.handshake(&message)? {
                        return Ok(Some(Event::Login(login)));
                    }
                    // What follows may be a TLS handshake: the owner looks first.
                    if self.transport != Transport::Clear {
                        return Ok(None);
                    }
                }
                Phase::Ready => return self.request().map(|request| request.map(Event::Request)),
                Phase::Deciding | Phase::Closed => return Ok(None),
            }
        }
    }

    /// A LOGIN7 may come first, from clients without pre-login, so its limit holds from the start.
    fn handshake_sizes() -> Sizes {
        Sizes { packet_bytes_max: PACKET_BYTES_MAX as usize, message_bytes_max: LOGIN_BYTES_MAX }
    }

    fn request_sizes(&self) -> Sizes {
        Sizes { packet_bytes_max: self.packet_bytes as usize, message_bytes_max: REQUEST_BYTES_MAX }
    }

    fn handshake(&mut self, message: &Message) -> Result<Option<Login>, ProtocolError> {
        match (message.kind, self.phase) {
            (packet::PRELOGIN, Phase::PreLogin) => {
                let client = PreLogin::read(&message.body)?;
                let Options { version, instance, encryption, .. } = &self.options;
                let (answer, agreed) = client.answer(*version, instance, *encryption);
                self.send(&answer);
                self.transport = agreed?;
                self.phase = Phase::Login;
                Ok(None)
            }
            // A client without pre-login is one without encryption.
            (packet::LOGIN, Phase::PreLogin) if self.options.encryption == Encryption::On => {
                Err(ProtocolError::Encryption { asked: 2, server: "on" })
            }
            (packet::LOGIN, _) => {
                let login = Login::read(&message.body)?;
                self.version = login.version;
                self.packet_bytes = login.packet_bytes.unwrap_or(self.packet_bytes);
                self.features.clone_from(&login.features);
                if self.transport == Transport::TlsForLogin {
                    self.transport = Transport::Clear;
                }
                self.phase = Phase::Deciding;
                Ok(Some(login))
            }
            (found, _) => Err(ProtocolError::UnexpectedPacket { found, when: "before the login" }),
        }
    }

    /// Accepts the login that [`Event::Login`] told. Does nothing at any other time.
    pub fn accept_login(&mut self, accepted: Accepted) {
        if self.phase != Phase::Deciding {
            return;
        }
        let Accepted { database, language } = accepted;
        let mut out = Vec::new();
        // The order of MS-TDS 4.4, Login Response.
        self.database_changed(&mut out, &database, "master");
        env_change::write(&mut out, EnvChange::Collation(self.options.collation));
        env_change::write(&mut out, EnvChange::Language { new: &language });
        let old = PACKET_BYTES_DEFAULT;
        env_change::write(&mut out, EnvChange::PacketSize { new: self.packet_bytes, old });
        let text = format!("Changed language setting to {language}.");
        info_error::write(&mut out, &self.information(5_703, 1, text));
        login_ack::write(&mut out, self.version.number(), &self.options.program, self.options.version);
        feature_ext_ack::write(&mut out, &self.features);
        done::write(&mut out, Done::Batch, 0, done::UNKNOWN, 0);
        self.send_sized(&out, PACKET_BYTES_DEFAULT);
        self.database = database;
        self.phase = Phase::Ready;
    }

    /// Refuses the login with an error such as 18456, and ends the connection. Does nothing at any other time.
    pub fn refuse_login(&mut self, message: &ServerMessage) {
        if self.phase != Phase::Deciding {
            return;
        }
        let mut out = Vec::new();
        info_error::write_error(&mut out, message);
        done::write(&mut out, Done::Batch, done::ERROR, done::UNKNOWN, 0);
        self.send_sized(&out, PACKET_BYTES_DEFAULT);
        self.phase = Phase::Closed;
    }

    /// The next request: the rest of the message that is being answered, or a new message.
    fn request(&mut self) -> Result<Option<Request>, ProtocolError> {
        if let Some(asked) = &self.asked {
            let attention = *asked != Asked::Attention && self.inbox.next_attention(self.request_sizes())?;
            return Ok(attention.then(|| self.attention()));
        }
        if let Some(rest) = self.rest.take() {
            // A client may give up between two calls of one message, too.
            if self.inbox.next_attention(self.request_sizes())? {
                return Ok(Some(self.attention()));
            }
            let read = requests::next(rest)?;
            return Ok(Some(self.take_on(read)));
        }
        while let Some(message) = self.inbox.next_message(self.request_sizes())? {
            if message.ignored {
                // "A single DONE token that has a status of DONE_ERROR". MS-TDS 2.2.1.7.
                let mut out = Vec::new();
                done::write(&mut out, Done::Batch, done::ERROR, done::UNKNOWN, 0);
                self.send(&out);
                continue;
            }
            if let Some(reset) = message.reset {
                self.reset = Some(reset);
                if reset == Reset::All {
                    self.transactions = Transactions::default();
                }
                env_change::write(&mut self.changes, EnvChange::ConnectionReset);
            }
            let read = requests::first(message)?;
            return Ok(Some(self.take_on(read)));
        }
        Ok(None)
    }

    fn take_on(&mut self, read: requests::Read) -> Request {
        self.asked = Some(read.asked);
        self.rest = read.rest;
        read.request
    }

    /// The running request gives way; answers already written to its message stay.
    fn attention(&mut self) -> Request {
        self.asked = Some(Asked::Attention);
        self.rest = None;
        Request::Attention
    }

    /// Answers the request that was told last. After an error nothing of the response was written and the request is still
    /// open, so the owner can answer with a message instead.
    pub fn respond(&mut self, response: &Response) -> Result<(), EncodeError> {
        let Some(asked) = &self.asked else { return Err(EncodeError::NothingAsked) };
        let (shape, transaction) = match asked {
            Asked::Batch => (Shape::Batch, None),
            Asked::Procedure(slots) => (Shape::Procedure(slots), None),
            Asked::Transaction(request) => (Shape::Batch, Some(*request)),
            Asked::Attention => (Shape::Attention, None),
        };
        let begun_at = self.answer.len();
        self.answer.extend_from_slice(&self.changes);
        let mut transactions = self.transactions;
        if let (Some(request), None) = (transaction, &response.error)
            && let Some(change) = transactions.apply(request)
        {
            env_change::write(&mut self.answer, change);
        }
        let context = Context {
            collation: self.options.collation,
            null_bitmap: self.version >= TdsVersion::V7_3B,
            more_follows: self.rest.is_some(),
        };
        if let Err(error) = response::write(&mut self.answer, response, shape, context) {
            self.answer.truncate(begun_at);
            return Err(error);
        }
        self.transactions = transactions;
        self.changes.clear();
        self.asked = None;
        if self.rest.is_none() {
            let answer = std::mem::take(&mut self.answer);
            self.send(&answer);
        }
        Ok(())
    }

    /// Tells the client, ahead of the next response, of a change that a statement made to the session.
    pub fn note(&mut self, change: SessionChange) {
        let mut out = std::mem::take(&mut self.changes);
        let transaction = match change {
            SessionChange::Database(database) => {
                let old = std::mem::replace(&mut self.database, database);
                self.database_changed(&mut out, &self.database, &old);
                None
            }
            SessionChange::TransactionBegun => Some(TransactionRequest::Begin),
            SessionChange::TransactionCommitted => Some(TransactionRequest::Commit),
            SessionChange::TransactionRolledBack => Some(TransactionRequest::Rollback),
        };
        if let Some(change) = transaction.and_then(|request| self.transactions.apply(request)) {
            env_change::write(&mut out, change);
        }
        self.changes = out;
    }

    fn database_changed(&self, out: &mut Vec<u8>, new: &str, old: &str) {
        env_change::write(out, EnvChange::Database { new, old });
        info_error::write(out, &self.information(5_701, 2, format!("Changed database context to '{new}'.")));
    }

    fn information(&self, number: u32, state: u8, text: String) -> ServerMessage {
        let server = self.options.server_name.clone();
        ServerMessage { number, state, severity: 0, text, server, procedure: String::new(), line: 0 }
    }

    /// Whether the client wants its session to start afresh before the request told last, as connection pools do. The
    /// acknowledgement is sent with the response. Each wish is told once.
    pub fn take_reset(&mut self) -> Option<Reset> {
        self.reset.take()
    }

    /// Over what the bytes are to travel from here on.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Takes back the bytes that were received and not read, for a TLS handshake that begins in them.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.inbox.take_unread()
    }

    /// Whether the connection is over: send what output there is, then close.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether there are bytes to send.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// The bytes to send.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn send(&mut self, body: &[u8]) {
        self.send_sized(
            body,
            if self.phase == Phase::Ready { self.packet_bytes } else { PACKET_BYTES_DEFAULT },
        );
    }

    fn send_sized(&mut self, body: &[u8], packet_bytes: u32) {
        packet::write_message(&mut self.output, body, packet_bytes as usize, self.options.session_id);
    }
}
