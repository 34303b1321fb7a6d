//! Who wants to log in, from where, to what? LOGIN7. MS-TDS 2.2.6.4.
//!
//! Refuses to know whether they may: the owner decides. Windows and federated authentication are told apart and never
//! carried out.

use std::fmt;

use crate::{
    error::ProtocolError,
    limits::{PACKET_BYTES_MAX, PACKET_BYTES_MIN},
    read::Reader,
};

const PART: &str = "LOGIN7";
/// Where the offsets begin; fixed fields before.
const OFFSETS_AT: usize = 36;
/// OptionFlags2.fIntSecurity.
const INTEGRATED: u8 = 0x80;
/// OptionFlags3.fExtension.
const EXTENSION: u8 = 0x10;
/// TypeFlags.fReadOnlyIntent.
const READ_ONLY_INTENT: u8 = 0x20;
const FEATURES_END: u8 = 0xFF;

/// Versions of TDS served here, with the differences that matter to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TdsVersion {
    /// 7.3.A: no NBCROW.
    V7_3A,
    /// 7.3.B.
    V7_3B,
    /// 7.4.
    V7_4,
    /// 8.0: 7.4 inside TLS.
    V8_0,
}

impl TdsVersion {
    /// The highest version served that the client has, too. MS-TDS 2.2.6.4, `TDSVersion`.
    pub(crate) fn negotiate(asked: u32) -> Result<Self, ProtocolError> {
        match asked.to_be_bytes() {
            [0x08, ..] => Ok(Self::V8_0),
            [0x73, _, _, _] if asked < 0x730B_0000 => Ok(Self::V7_3A),
            [0x73, _, _, _] => Ok(Self::V7_3B),
            [major, ..] if major > 0x73 => Ok(Self::V7_4),
            _ => Err(ProtocolError::ClientTooOld { version: asked }),
        }
    }

    /// As in LOGIN7 and, with its bytes the other way round, in LOGINACK.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::V7_3A => 0x730A_0003,
            Self::V7_3B => 0x730B_0003,
            Self::V7_4 => 0x7400_0004,
            Self::V8_0 => 0x0800_0000,
        }
    }
}

/// What a client says of itself when it logs in. `Debug` hides the passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Login name; empty with Windows authentication.
    pub user: String,
    /// Password.
    pub password: String,
    /// New password, when the client wants it changed; else empty.
    pub new_password: String,
    /// Database asked for; empty for the login's default.
    pub database: String,
    /// Application.
    pub application: String,
    /// Name of the client's machine.
    pub host: String,
    /// Server as the client calls it.
    pub server: String,
    /// Client library.
    pub library: String,
    /// Language asked for; empty for the login's default.
    pub language: String,
    /// Windows or federated authentication is asked for instead of a password. SQL Server's refusal is 18452.
    pub integrated: bool,
    /// The client only wants to read (`ApplicationIntent=ReadOnly`).
    pub read_only_intent: bool,
    /// Version of TDS spoken from here on.
    pub version: TdsVersion,
    /// Packet size asked for, within the limits, in bytes; nothing when the client leaves it to the server.
    pub packet_bytes: Option<u32>,
    /// Numbers of the features asked for (`FeatureExt`). MS-TDS 2.2.6.4.
    pub features: Vec<u8>,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Login")
            .field("user", &self.user)
            .field("password", &"<redacted>")
            .field("database", &self.database)
            .field("application", &self.application)
            .field("host", &self.host)
            .field("server", &self.server)
            .field("library", &self.library)
            .field("language", &self.language)
            .field("integrated", &self.integrated)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// `FeatureId` of FEDAUTH.
const FED_AUTH: u8 = 0x02;

impl Login {
    /// Reads the message.
    pub(crate) fn read(body: &[u8]) -> Result<Self, ProtocolError> {
        let mut fixed = Reader::new(PART, body, 0);
        let length = fixed.length32("Length")?;
        if length > body.len() || length < OFFSETS_AT {
            return Err(fixed.malformed("Length", length as u64));
        }
        let body = &body[..length];
        let version = TdsVersion::negotiate(fixed.u32("TDSVersion")?)?;
        let packet_bytes = fixed.u32("PacketSize")?;
        fixed.take(12, "client's versions and numbers")?;
        fixed.u8("OptionFlags1")?;
        let flags2 = fixed.u8("OptionFlags2")?;
        let type_flags = fixed.u8("TypeFlags")?;
        let flags3 = fixed.u8("OptionFlags3")?;

        let mut offsets = Reader::new(PART, body, OFFSETS_AT);
        let host = field(&mut offsets, body, "HostName")?;
        let user = field(&mut offsets, body, "UserName")?;
        let password = secret(&mut offsets, body, "Password")?;
        let application = field(&mut offsets, body, "AppName")?;
        let server = field(&mut offsets, body, "ServerName")?;
        let extension = (offsets.u16("ibExtension")?, offsets.u16("cbExtension")?);
        let library = field(&mut offsets, body, "CltIntName")?;
        let language = field(&mut offsets, body, "Language")?;
        let database = field(&mut offsets, body, "Database")?;
        offsets.take(6, "ClientID")?;
        offsets.take(8, "SSPI and AtchDBFile")?;
        let new_password = secret(&mut offsets, body, "ChangePassword")?;
        let features = if flags3 & EXTENSION == 0 { Vec::new() } else { features(body, extension)? };
        Ok(Self {
            user,
            password,
            new_password,
            database,
            application,
            host,
            server,
            library,
            language,
            integrated: flags2 & INTEGRATED != 0 || features.contains(&FED_AUTH),
            read_only_intent: type_flags & READ_ONLY_INTENT != 0,
            version,
            packet_bytes: (packet_bytes != 0).then(|| packet_bytes.clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX)),
            features,
        })
    }
}

/// The bytes an offset and a count of characters point to. Of an empty field the offset means nothing.
fn pointed<'a>(
    offsets: &mut Reader<'_>,
    body: &'a [u8],
    what: &'static str,
) -> Result<&'a [u8], ProtocolError> {
    let (offset, characters) = (offsets.u16(what)?, offsets.u16(what)?);
    if characters == 0 {
        return Ok(&[]);
    }
    Reader::new(PART, body, usize::from(offset)).take(usize::from(characters) * 2, what)
}

fn field(offsets: &mut Reader<'_>, body: &[u8], what: &'static str) -> Result<String, ProtocolError> {
    pointed(offsets, body, what).map(crate::read::utf16_text)
}

/// A password: each byte had its halves swapped and was then combined with 0xA5. MS-TDS 2.2.6.4, ibPassword.
fn secret(offsets: &mut Reader<'_>, body: &[u8], what: &'static str) -> Result<String, ProtocolError> {
    let clear: Vec<u8> =
        pointed(offsets, body, what)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    Ok(crate::read::utf16_text(&clear))
}

/// Numbers of the features asked for. The extension holds the offset of their list.
fn features(body: &[u8], (offset, length): (u16, u16)) -> Result<Vec<u8>, ProtocolError> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let at = Reader::new(PART, body, usize::from(offset)).length32("ibFeatureExtLong")?;
    let mut list = Reader::new(PART, body, at);
    let mut features = Vec::new();
    loop {
        let feature = list.u8("FeatureId")?;
        if feature == FEATURES_END {
            return Ok(features);
        }
        let length = list.length32("FeatureDataLen")?;
        list.take(length, "FeatureData")?;
        features.push(feature);
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
