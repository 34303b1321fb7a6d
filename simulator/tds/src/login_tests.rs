//! Tables for [`super`]: the specification's example, obfuscation, features, and lies about lengths.

use super::*;

/// MS-TDS 4.2, Login Request, without its packet header; `version` in place of the example's 7.2.
fn example(version: u32) -> Vec<u8> {
    let mut body = vec![
        0x88, 0x00, 0x00, 0x00, 0x02, 0x00, 0x09, 0x72, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00,
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xE0, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x04,
        0x00, 0x00, 0x5E, 0x00, 0x08, 0x00, 0x6E, 0x00, 0x02, 0x00, 0x72, 0x00, 0x00, 0x00, 0x72, 0x00, 0x07,
        0x00, 0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x04, 0x00, 0x88, 0x00, 0x00, 0x00,
        0x88, 0x00, 0x00, 0x00, 0x00, 0x50, 0x8B, 0xE2, 0xB7, 0x8F, 0x88, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00,
        0x00, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x73, 0x00, 0x6B, 0x00, 0x6F, 0x00, 0x73, 0x00,
        0x74, 0x00, 0x6F, 0x00, 0x76, 0x00, 0x31, 0x00, 0x73, 0x00, 0x61, 0x00, 0x4F, 0x00, 0x53, 0x00, 0x51,
        0x00, 0x4C, 0x00, 0x2D, 0x00, 0x33, 0x00, 0x32, 0x00, 0x4F, 0x00, 0x44, 0x00, 0x42, 0x00, 0x43, 0x00,
    ];
    body[4..8].copy_from_slice(&version.to_le_bytes());
    body
}

#[test]
fn the_example_of_the_specification_is_read() {
    assert_eq!(Login::read(&example(0x7209_0002)), Err(ProtocolError::ClientTooOld { version: 0x7209_0002 }));
    let login = Login::read(&example(0x7400_0004)).unwrap();
    assert_eq!(
        (login.host.as_str(), login.user.as_str(), login.application.as_str(), login.library.as_str()),
        ("skostov1", "sa", "OSQL-32", "ODBC")
    );
    assert_eq!((login.packet_bytes, login.integrated), (Some(4_096), false));
    assert_eq!(
        (login.password.as_str(), login.database.as_str(), login.features.as_slice()),
        ("", "", &[][..])
    );
}

#[test]
fn versions_are_negotiated() {
    for (asked, agreed) in [
        (0x7100_0001, None),
        (0x730A_0003, Some(TdsVersion::V7_3A)),
        (0x730B_0003, Some(TdsVersion::V7_3B)),
        (0x7400_0004, Some(TdsVersion::V7_4)),
        (0x7500_0000, Some(TdsVersion::V7_4)),
        (0x0800_0000, Some(TdsVersion::V8_0)),
    ] {
        assert_eq!(TdsVersion::negotiate(asked).ok(), agreed, "{asked:#x}");
    }
}

#[test]
fn packet_sizes_are_kept_within_limits() {
    for (asked, expected) in [(0_u32, None), (1, Some(512)), (8_000, Some(8_000)), (1 << 20, Some(32_767))] {
        let mut body = example(0x7400_0004);
        body[8..12].copy_from_slice(&asked.to_le_bytes());
        assert_eq!(Login::read(&body).unwrap().packet_bytes, expected, "{asked}");
    }
}

/// The example with a password, a list of features and its pointer at its end.
fn with_secrets() -> Vec<u8> {
    let mut body = example(0x7400_0004);
    let password_at = u16::try_from(body.len()).unwrap();
    // "aZ": 0x61 and 0x5A with their halves swapped (0x16, 0xA5) and combined with 0xA5.
    body.extend_from_slice(&[0xB3, 0xA5, 0x00, 0xA5]);
    let pointer_at = u16::try_from(body.len()).unwrap();
    body.extend_from_slice(&(u32::from(pointer_at) + 4).to_le_bytes());
    body.extend_from_slice(&[0x0A, 1, 0, 0, 0, 1, 0x01, 0, 0, 0, 0, 0xFF]);
    body[27] = EXTENSION;
    body[44..46].copy_from_slice(&password_at.to_le_bytes());
    body[46..48].copy_from_slice(&2_u16.to_le_bytes());
    body[56..58].copy_from_slice(&pointer_at.to_le_bytes());
    body[58..60].copy_from_slice(&4_u16.to_le_bytes());
    let length = u32::try_from(body.len()).unwrap();
    body[..4].copy_from_slice(&length.to_le_bytes());
    body
}

#[test]
fn passwords_and_features_are_read_and_passwords_never_printed() {
    let login = Login::read(&with_secrets()).unwrap();
    assert_eq!((login.password.as_str(), login.features.as_slice()), ("aZ", &[0x0A, 0x01][..]));
    let printed = format!("{login:?}");
    assert!(printed.contains("<redacted>") && !printed.contains("aZ"), "{printed}");
}

#[test]
fn integrated_security_is_told_apart() {
    let mut windows = example(0x7400_0004);
    windows[25] |= INTEGRATED;
    assert!(Login::read(&windows).unwrap().integrated);
    let mut federated = with_secrets();
    let list_at = federated.len() - 12;
    federated[list_at] = FED_AUTH;
    assert!(Login::read(&federated).unwrap().integrated);
}

#[test]
fn every_cut_and_every_lie_is_an_error() {
    let whole = with_secrets();
    for length in 0..whole.len() {
        assert!(Login::read(&whole[..length]).is_err(), "cut at {length}");
        let mut shorter = whole[..length].to_vec();
        if let Some(field) = shorter.first_chunk_mut::<4>() {
            *field = u32::try_from(length).unwrap().to_le_bytes();
        }
        assert!(Login::read(&shorter).is_err(), "honestly cut at {length}");
    }
    let mut far = whole;
    far[40..44].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(matches!(Login::read(&far), Err(ProtocolError::Truncated { what: "UserName", .. })));
}
