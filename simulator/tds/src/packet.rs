//! Where does a message begin and end? Packets in, messages out, and the way back. MS-TDS 2.2.3.
//!
//! Refuses to know what messages say. Packet numbers and SPIDs of clients are ignored, as the protocol demands.

use crate::{
    error::ProtocolError,
    limits::{PACKET_HEADER_BYTES, UNREAD_BYTES_MAX},
};

/// SQL batch.
pub(crate) const BATCH: u8 = 0x01;
/// Remote procedure call.
pub(crate) const RPC: u8 = 0x03;
/// What a server sends.
const TABULAR_RESULT: u8 = 0x04;
/// Attention: a header without data.
pub(crate) const ATTENTION: u8 = 0x06;
/// Transaction manager request.
pub(crate) const TRANSACTION: u8 = 0x0E;
/// LOGIN7.
pub(crate) const LOGIN: u8 = 0x10;
/// Pre-login.
pub(crate) const PRELOGIN: u8 = 0x12;

const END_OF_MESSAGE: u8 = 0x01;
const IGNORE: u8 = 0x02;
const RESET_CONNECTION: u8 = 0x08;
const RESET_CONNECTION_SKIP_TRANSACTION: u8 = 0x10;

/// A client's wish that the session starts afresh before this request (connection pools send it). MS-TDS 2.2.3.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Everything back to what it was after login; an open transaction is rolled back.
    All,
    /// As `All`, but an open transaction stays.
    KeepTransaction,
}

/// One whole message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
    pub(crate) reset: Option<Reset>,
    /// The client gave the message up before its end. MS-TDS 2.2.1.7.
    pub(crate) ignored: bool,
}

/// How long packets and messages may be at this time, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) packet_bytes_max: usize,
    pub(crate) message_bytes_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    kind: u8,
    status: u8,
    length: usize,
}

/// Bytes received, and the message they are becoming.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    partial: Option<Message>,
    overflowed: bool,
}

impl Inbox {
    /// Takes bytes as they come. Past the limit everything is dropped and the next read reports it.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let waiting =
            self.bytes.len() - self.start + self.partial.as_ref().map_or(0, |partial| partial.body.len());
        if self.overflowed || bytes.len() > UNREAD_BYTES_MAX - waiting.min(UNREAD_BYTES_MAX) {
            *self = Self { overflowed: true, ..Self::default() };
            return;
        }
        // Only when at least half was read, so that the bytes moved never outnumber the bytes read.
        if self.start > 0 && self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes back what was received and not read.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        let unread = self.bytes.split_off(self.start);
        self.bytes.clear();
        self.start = 0;
        unread
    }

    /// The next whole message, if its last packet has arrived. An attention drops the message it interrupts.
    pub(crate) fn next_message(&mut self, sizes: Sizes) -> Result<Option<Message>, ProtocolError> {
        while let Some(header) = self.next_header(sizes)? {
            if let Some(partial) = &self.partial
                && header.kind != partial.kind
                && header.kind != ATTENTION
            {
                return Err(ProtocolError::UnexpectedPacket { found: header.kind, when: "inside a message" });
            }
            let data = self.start + PACKET_HEADER_BYTES..self.start + header.length;
            self.start += header.length;
            let mut message = match self.partial.take() {
                Some(partial) if partial.kind == header.kind => partial,
                _ => Message {
                    kind: header.kind,
                    body: Vec::new(),
                    reset: reset(header.status),
                    ignored: false,
                },
            };
            if message.body.len() + data.len() > sizes.message_bytes_max {
                return Err(ProtocolError::MessageTooLong {
                    kind: message.kind,
                    max: sizes.message_bytes_max,
                });
            }
            message.body.extend_from_slice(&self.bytes[data]);
            if header.status & END_OF_MESSAGE != 0 || header.kind == ATTENTION {
                message.ignored = header.status & IGNORE != 0 && header.kind != ATTENTION;
                return Ok(Some(message));
            }
            self.partial = Some(message);
        }
        Ok(None)
    }

    /// Takes an attention if it is the next thing there. While a request runs a client may send nothing else, so
    /// whatever else is there waits its turn.
    pub(crate) fn next_attention(&mut self, sizes: Sizes) -> Result<bool, ProtocolError> {
        if self.partial.is_some() {
            return Ok(false);
        }
        match self.next_header(sizes)? {
            Some(Header { kind: ATTENTION, length, .. }) => {
                self.start += length;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The header of the next packet, once the packet is whole.
    fn next_header(&self, sizes: Sizes) -> Result<Option<Header>, ProtocolError> {
        if self.overflowed {
            return Err(ProtocolError::TooMuchUnread { max: UNREAD_BYTES_MAX });
        }
        let unread = &self.bytes[self.start..];
        let &[kind, status, high, low, _spid_high, _spid_low, _id, _window, ..] = unread else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(PACKET_HEADER_BYTES..=sizes.packet_bytes_max).contains(&length) {
            return Err(ProtocolError::PacketLength { length, max: sizes.packet_bytes_max });
        }
        Ok((unread.len() >= length).then_some(Header { kind, status, length }))
    }
}

fn reset(status: u8) -> Option<Reset> {
    if status & RESET_CONNECTION != 0 {
        Some(Reset::All)
    } else if status & RESET_CONNECTION_SKIP_TRANSACTION != 0 {
        Some(Reset::KeepTransaction)
    } else {
        None
    }
}

/// Writes one message of the server as packets of at most `packet_bytes`, numbered from 1.
pub(crate) fn write_message(out: &mut Vec<u8>, body: &[u8], packet_bytes: usize, session_id: u16) {
    let room = packet_bytes - PACKET_HEADER_BYTES;
    let packets = body.len().div_ceil(room).max(1);
    out.reserve(body.len() + packets * PACKET_HEADER_BYTES);
    let mut id = 1_u8;
    for packet in 0..packets {
        let data = &body[packet * room..body.len().min((packet + 1) * room)];
        let length = u16::try_from(data.len() + PACKET_HEADER_BYTES)
            .expect("negotiated packet sizes end at 32,767, so the length fits two bytes");
        let status = if packet + 1 == packets { END_OF_MESSAGE } else { 0 };
        out.extend_from_slice(&[TABULAR_RESULT, status]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&session_id.to_be_bytes());
        out.extend_from_slice(&[id, 0]);
        out.extend_from_slice(data);
        id = id.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { packet_bytes_max: 512, message_bytes_max: 1_000 };

    fn packet(kind: u8, status: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len() + 8).unwrap();
        let mut packet = vec![kind, status];
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 1, 0]);
        packet.extend_from_slice(data);
        packet
    }

    fn inbox(packets: &[Vec<u8>]) -> Inbox {
        let mut inbox = Inbox::default();
        inbox.push(&packets.concat());
        inbox
    }

    #[test]
    fn packets_become_messages() {
        let mut inbox = inbox(&[
            packet(BATCH, RESET_CONNECTION, b"ab"),
            packet(BATCH, END_OF_MESSAGE, b"c"),
            packet(RPC, END_OF_MESSAGE | IGNORE, b"d"),
        ]);
        let first = inbox.next_message(SIZES).unwrap().unwrap();
        assert_eq!(
            (first.body.as_slice(), first.reset, first.ignored),
            (&b"abc"[..], Some(Reset::All), false)
        );
        let second = inbox.next_message(SIZES).unwrap().unwrap();
        assert_eq!((second.kind, second.reset, second.ignored), (RPC, None, true));
        assert_eq!(inbox.next_message(SIZES), Ok(None));
    }

    #[test]
    fn an_attention_drops_the_message_it_interrupts() {
        let mut inbox = inbox(&[packet(BATCH, 0, b"ab"), packet(ATTENTION, 1, b""), packet(BATCH, 1, b"c")]);
        assert_eq!(inbox.next_message(SIZES).unwrap().unwrap().kind, ATTENTION);
        assert_eq!(inbox.next_message(SIZES).unwrap().unwrap().body, b"c");
    }

    #[test]
    fn attention_is_seen_only_at_the_front() {
        let mut waiting = inbox(&[packet(BATCH, 1, b""), packet(ATTENTION, 1, b"")]);
        assert_eq!(waiting.next_attention(SIZES), Ok(false));
        let mut front = inbox(&[packet(ATTENTION, 1, b"")]);
        assert_eq!((front.next_attention(SIZES), front.next_attention(SIZES)), (Ok(true), Ok(false)));
    }

    #[test]
    fn lengths_outside_the_limits_are_refused() {
        let short = vec![BATCH, 1, 0, 7, 0, 0, 0, 0];
        assert_eq!(
            inbox(&[short]).next_message(SIZES),
            Err(ProtocolError::PacketLength { length: 7, max: 512 })
        );
        let long = vec![BATCH, 1, 2, 1, 0, 0, 0, 0];
        assert_eq!(
            inbox(&[long]).next_message(SIZES),
            Err(ProtocolError::PacketLength { length: 513, max: 512 })
        );
        let grown = [packet(BATCH, 0, &[0; 504]), packet(BATCH, 0, &[0; 504])];
        assert_eq!(
            inbox(&grown).next_message(SIZES),
            Err(ProtocolError::MessageTooLong { kind: BATCH, max: 1_000 })
        );
        let mixed = [packet(BATCH, 0, b"a"), packet(RPC, 1, b"b")];
        assert!(matches!(
            inbox(&mixed).next_message(SIZES),
            Err(ProtocolError::UnexpectedPacket { found: RPC, .. })
        ));
    }

    #[test]
    fn unread_bytes_are_bounded() {
        let mut inbox = Inbox::default();
        inbox.push(&vec![0; UNREAD_BYTES_MAX + 1]);
        inbox.push(&[0; 8]);
        assert_eq!(inbox.next_message(SIZES), Err(ProtocolError::TooMuchUnread { max: UNREAD_BYTES_MAX }));
    }

    #[test]
    fn messages_become_packets() {
        let mut out = Vec::new();
        write_message(&mut out, &[9; 10], 16, 0x0102);
        assert_eq!(&out[..10], [4, 0, 0, 16, 1, 2, 1, 0, 9, 9]);
        assert_eq!(&out[16..], [4, 1, 0, 10, 1, 2, 2, 0, 9, 9]);
        let mut exact = Vec::new();
        write_message(&mut exact, &[9; 8], 16, 0);
        assert_eq!((exact.len(), exact[1]), (16, END_OF_MESSAGE));
        let mut empty = Vec::new();
        write_message(&mut empty, &[], 16, 0);
        assert_eq!(empty, [4, 1, 0, 8, 0, 0, 1, 0]);
    }
}
