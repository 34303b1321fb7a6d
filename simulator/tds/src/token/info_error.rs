//! INFO and ERROR: one layout, two tokens. MS-TDS 2.2.7.13 and 2.2.7.10.

use crate::{
    limits::{IDENTIFIER_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX},
    message::ServerMessage,
    write,
};

const INFO: u8 = 0xAB;
const ERROR: u8 = 0xAA;
/// Severity of the most severe information; everything above is an error. Database Engine Error Severities.
const INFO_SEVERITY_MAX: u8 = 10;

/// Writes INFO or ERROR by the severity. Texts beyond the limits are cut.
pub(crate) fn write(out: &mut Vec<u8>, message: &ServerMessage) {
    let token = if message.severity > INFO_SEVERITY_MAX { ERROR } else { INFO };
    write_as(out, token, message);
}

/// Writes ERROR whatever the severity says: the request did end with it.
pub(crate) fn write_error(out: &mut Vec<u8>, message: &ServerMessage) {
    write_as(out, ERROR, message);
}

fn write_as(out: &mut Vec<u8>, token: u8, message: &ServerMessage) {
    write::with_length(out, token, |out| {
        out.extend_from_slice(&message.number.to_le_bytes());
        out.extend_from_slice(&[message.state, message.severity]);
        write::us_varchar(out, &message.text, MESSAGE_CHARACTERS_MAX);
        write::b_varchar(out, &message.server, IDENTIFIER_CHARACTERS_MAX);
        write::b_varchar(out, &message.procedure, IDENTIFIER_CHARACTERS_MAX);
        out.extend_from_slice(&message.line.to_le_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(severity: u8, text: &str) -> ServerMessage {
        ServerMessage {
            number: 229,
            state: 5,
            severity,
            text: text.into(),
            server: "s".into(),
            procedure: "p".into(),
            line: 1,
        }
    }

    #[test]
    fn severity_chooses_the_token() {
        for (severity, token) in [(0, 0xAB), (10, 0xAB), (11, 0xAA), (25, 0xAA)] {
            let mut out = Vec::new();
            write(&mut out, &message(severity, "t"));
            let expected =
                [token, 20, 0, 229, 0, 0, 0, 5, severity, 1, 0, 0x74, 0, 1, 0x73, 0, 1, 0x70, 0, 1, 0, 0, 0];
            assert_eq!(out, expected);
        }
        let mut out = Vec::new();
        write_error(&mut out, &message(0, "t"));
        assert_eq!(out[0], 0xAA);
    }

    #[test]
    fn long_texts_are_cut_to_fit_the_token() {
        let mut long = message(16, &"x".repeat(100_000));
        long.server = "s".repeat(300);
        long.procedure.clone_from(&long.server);
        let mut out = Vec::new();
        write(&mut out, &long);
        assert_eq!(out.len(), 3 + 6 + (2 + 8_000) + 2 * (1 + 256) + 4);
    }
}
