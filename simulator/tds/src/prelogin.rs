//! What do client and server agree on before anyone logs in? Pre-login options, and whether there will be encryption.
//!
//! Refuses to know TLS: the answer says what was agreed, the owner carries it out around this crate. MS-TDS 2.2.6.5.

use crate::{error::ProtocolError, read::Reader};

const PART: &str = "PRELOGIN";
const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD_ID: u8 = 3;
const MARS: u8 = 4;
const FED_AUTH_REQUIRED: u8 = 6;
const TERMINATOR: u8 = 0xFF;

const OFF: u8 = 0;
const ON: u8 = 1;
const NOT_SUPPORTED: u8 = 2;
const REQUIRED: u8 = 3;
/// Added to the others: the client would authenticate by certificate. Refused; SQL Server takes it from loopback only.
const CLIENT_CERTIFICATE: u8 = 0x80;

/// What the server does about encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encryption {
    /// It has no TLS. Clients that insist are refused.
    #[default]
    NotSupported,
    /// Clients choose; those that do not care encrypt the login only.
    Off,
    /// Everything is encrypted. Clients without TLS are refused.
    On,
    /// TDS 8.0: TLS (ALPN `tds/8.0`) was there before the first byte of TDS, so nothing is negotiated.
    Strict,
}

/// Over what the bytes of this connection travel. It changes once, when the pre-login has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// As they are (or inside TLS that the owner put there before, with [`Encryption::Strict`]).
    #[default]
    Clear,
    /// TLS for the LOGIN7 message only; from the server's answer to it on, both ways are clear again.
    TlsForLogin,
    /// TLS for all that follows.
    Tls,
}

/// What the client said, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreLogin {
    encryption: u8,
    instance: String,
    fed_auth: bool,
}

impl PreLogin {
    /// Reads the options in any order; of two of a kind the last counts, unknown ones are passed over.
    pub(crate) fn read(body: &[u8]) -> Result<Self, ProtocolError> {
        let mut read = Self { encryption: NOT_SUPPORTED, instance: String::new(), fed_auth: false };
        let mut table = Reader::new(PART, body, 0);
        loop {
            let token = table.u8("PL_OPTION_TOKEN")?;
            if token == TERMINATOR {
                return Ok(read);
            }
            let offset = usize::from(table.u16_big_endian("PL_OFFSET")?);
            let length = usize::from(table.u16_big_endian("PL_OPTION_LENGTH")?);
            let data = Reader::new(PART, body, offset).take(length, "PL_OPTION_DATA")?;
            match (token, data) {
                (ENCRYPTION, &[encryption]) => read.encryption = encryption,
                (ENCRYPTION, _) => return Err(table.malformed("length of ENCRYPTION", length as u64)),
                (INSTANCE, name) => {
                    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
                    read.instance = String::from_utf8_lossy(name).into_owned();
                }
                (FED_AUTH_REQUIRED, _) => read.fed_auth = true,
                _ => {}
            }
        }
    }

    /// The answer's bytes, and what was agreed. The bytes are to be sent in both cases: a refusal is told by them.
    pub(crate) fn answer(
        &self,
        version: [u8; 4],
        instance: &str,
        server: Encryption,
    ) -> (Vec<u8>, Result<Transport, ProtocolError>) {
        let (encryption, agreed) = negotiate(server, self.encryption);
        let ours = ["", "MSSQLServer", instance].iter().any(|name| self.instance.eq_ignore_ascii_case(name));
        let mut options: Vec<(u8, Vec<u8>)> = vec![
            (VERSION, [&version[..], &[0, 0]].concat()),
            (ENCRYPTION, vec![encryption]),
            (INSTANCE, vec![u8::from(!ours)]),
            (THREAD_ID, vec![]),
            (MARS, vec![0]),
        ];
        if self.fed_auth {
            options.push((FED_AUTH_REQUIRED, vec![0]));
        }
        let agreed = agreed.ok_or(ProtocolError::Encryption { asked: self.encryption, server: name(server) });
        (write(&options), agreed)
    }
}

fn name(server: Encryption) -> &'static str {
    match server {
        Encryption::NotSupported => "not supported",
        Encryption::Off => "off",
        Encryption::On => "on",
        Encryption::Strict => "strict",
    }
}

fn write(options: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut table = Vec::new();
    let mut data = Vec::new();
    let data_at = options.len() * 5 + 1;
    let short =
        |length: usize| u16::try_from(length).expect("six options of at most six bytes").to_be_bytes();
    for (token, value) in options {
        table.push(*token);
        table.extend_from_slice(&short(data_at + data.len()));
        table.extend_from_slice(&short(value.len()));
        data.extend_from_slice(value);
    }
    table.push(TERMINATOR);
    table.extend_from_slice(&data);
    table
}

/// The table of MS-TDS 2.2.6.5, "Encryption": the byte to answer, and what follows; nothing where the connection ends.
fn negotiate(server: Encryption, asked: u8) -> (u8, Option<Transport>) {
    match (server, asked) {
        (Encryption::Strict, _) => (NOT_SUPPORTED, Some(Transport::Clear)),
        (_, asked) if asked == CLIENT_CERTIFICATE | NOT_SUPPORTED => (REQUIRED, None),
        (Encryption::NotSupported, OFF | NOT_SUPPORTED) | (Encryption::Off, NOT_SUPPORTED) => {
            (NOT_SUPPORTED, Some(Transport::Clear))
        }
        (Encryption::Off, OFF) => (OFF, Some(Transport::TlsForLogin)),
        (Encryption::Off | Encryption::On, ON | REQUIRED) => (ON, Some(Transport::Tls)),
        (Encryption::On, OFF) => (REQUIRED, Some(Transport::Tls)),
        (Encryption::On, NOT_SUPPORTED) => (REQUIRED, None),
        _ => (NOT_SUPPORTED, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_negotiated_as_the_table_says() {
        use Encryption as E;
        use Transport as T;
        for (server, asked, answer, agreed) in [
            (E::NotSupported, OFF, NOT_SUPPORTED, Some(T::Clear)),
            (E::NotSupported, ON, NOT_SUPPORTED, None),
            (E::NotSupported, NOT_SUPPORTED, NOT_SUPPORTED, Some(T::Clear)),
            (E::NotSupported, REQUIRED, NOT_SUPPORTED, None),
            (E::NotSupported, 0x80, NOT_SUPPORTED, None),
            (E::NotSupported, 0x82, REQUIRED, None),
            (E::Off, OFF, OFF, Some(T::TlsForLogin)),
            (E::Off, ON, ON, Some(T::Tls)),
            (E::Off, NOT_SUPPORTED, NOT_SUPPORTED, Some(T::Clear)),
            (E::Off, REQUIRED, ON, Some(T::Tls)),
            (E::On, OFF, REQUIRED, Some(T::Tls)),
            (E::On, ON, ON, Some(T::Tls)),
            (E::On, NOT_SUPPORTED, REQUIRED, None),
            (E::On, REQUIRED, ON, Some(T::Tls)),
            (E::On, 0x82, REQUIRED, None),
            (E::Strict, REQUIRED, NOT_SUPPORTED, Some(T::Clear)),
            (E::Off, 0x77, NOT_SUPPORTED, None),
        ] {
            assert_eq!(negotiate(server, asked), (answer, agreed), "{server:?}, asked {asked:#x}");
        }
    }

    /// MS-TDS 4.1, Pre-Login Request.
    const EXAMPLE: [u8; 0x27] = [
        0x00, 0x00, 0x1A, 0x00, 0x06, 0x01, 0x00, 0x20, 0x00, 0x01, 0x02, 0x00, 0x21, 0x00, 0x01, 0x03, 0x00,
        0x22, 0x00, 0x04, 0x04, 0x00, 0x26, 0x00, 0x01, 0xFF, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
        0xB8, 0x0D, 0x00, 0x00, 0x01,
    ];

    #[test]
    fn the_example_of_the_specification_is_read() {
        let expected = PreLogin { encryption: ON, instance: String::new(), fed_auth: false };
        assert_eq!(PreLogin::read(&EXAMPLE), Ok(expected));
    }

    #[test]
    fn options_come_in_any_order() {
        let body =
            [&[6, 0, 16, 0, 1, 2, 0, 17, 0, 4, 1, 0, 21, 0, 1, 0xFF][..], &[1], b"abc\0", &[0]].concat();
        let expected = PreLogin { encryption: OFF, instance: "abc".into(), fed_auth: true };
        assert_eq!(PreLogin::read(&body), Ok(expected));
    }

    #[test]
    fn the_answer_is_readable_and_says_whose_instance_it_is() {
        for (asked, wrong) in [("", 0), ("mssqlserver", 0), ("Mine", 0), ("other", 1)] {
            let client = PreLogin { encryption: OFF, instance: asked.into(), fed_auth: true };
            let (answer, agreed) = client.answer([16, 0, 0x10, 0x77], "MINE", Encryption::NotSupported);
            assert_eq!(agreed, Ok(Transport::Clear));
            assert_eq!(
                answer,
                [
                    0, 0, 31, 0, 6, 1, 0, 37, 0, 1, 2, 0, 38, 0, 1, 3, 0, 39, 0, 0, 4, 0, 39, 0, 1, 6, 0, 40,
                    0, 1, 0xFF, 16, 0, 0x10, 0x77, 0, 0, 2, wrong, 0, 0
                ],
                "{asked:?}"
            );
        }
    }

    #[test]
    fn broken_tables_are_refused() {
        for broken in [
            &[][..],
            &[1, 0, 6, 0, 1],
            &[1, 0, 6, 0, 1, 0xFF],
            &[1, 0, 6, 0, 2, 0xFF, 0, 0],
            &[9, 0xFF, 0xFF, 0, 1, 0xFF],
        ] {
            assert!(PreLogin::read(broken).is_err(), "{broken:?}");
        }
    }
}
