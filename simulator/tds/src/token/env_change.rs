//! ENVCHANGE: what changed in the session. MS-TDS 2.2.7.9.

use crate::{limits::IDENTIFIER_CHARACTERS_MAX, types::code_page::Collation, write};

const TOKEN: u8 = 0xE3;

/// A change, with its old value where the protocol wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvChange<'a> {
    Database { new: &'a str, old: &'a str },
    Language { new: &'a str },
    PacketSize { new: u32, old: u32 },
    Collation(Collation),
    TransactionBegun(u64),
    TransactionCommitted(u64),
    TransactionRolledBack(u64),
    ConnectionReset,
}

pub(crate) fn write(out: &mut Vec<u8>, change: EnvChange<'_>) {
    write::with_length(out, TOKEN, |out| match change {
        EnvChange::Database { new, old } => texts(out, 1, new, old),
        EnvChange::Language { new } => texts(out, 2, new, ""),
        EnvChange::PacketSize { new, old } => texts(out, 4, &new.to_string(), &old.to_string()),
        EnvChange::Collation(collation) => bytes(out, 7, &collation, &[]),
        EnvChange::TransactionBegun(descriptor) => bytes(out, 8, &descriptor.to_le_bytes(), &[]),
        EnvChange::TransactionCommitted(descriptor) => bytes(out, 9, &[], &descriptor.to_le_bytes()),
        EnvChange::TransactionRolledBack(descriptor) => bytes(out, 10, &[], &descriptor.to_le_bytes()),
        EnvChange::ConnectionReset => bytes(out, 18, &[], &[]),
    });
}

fn texts(out: &mut Vec<u8>, kind: u8, new: &str, old: &str) {
    out.push(kind);
    write::b_varchar(out, new, IDENTIFIER_CHARACTERS_MAX);
    write::b_varchar(out, old, IDENTIFIER_CHARACTERS_MAX);
}

fn bytes(out: &mut Vec<u8>, kind: u8, new: &[u8], old: &[u8]) {
    out.push(kind);
    write::b_varbyte(out, new);
    write::b_varbyte(out, old);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written() {
        for (change, expected) in [
            (EnvChange::Database { new: "a", old: "b" }, vec![0xE3, 7, 0, 1, 1, 0x61, 0, 1, 0x62, 0]),
            (EnvChange::Language { new: "x" }, vec![0xE3, 5, 0, 2, 1, 0x78, 0, 0]),
            (EnvChange::PacketSize { new: 1, old: 2 }, vec![0xE3, 7, 0, 4, 1, 0x31, 0, 1, 0x32, 0]),
            (EnvChange::Collation([9, 4, 0xD0, 0, 0x34]), vec![0xE3, 8, 0, 7, 5, 9, 4, 0xD0, 0, 0x34, 0]),
            (EnvChange::TransactionBegun(1), vec![0xE3, 11, 0, 8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            (EnvChange::TransactionCommitted(1), vec![0xE3, 11, 0, 9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]),
            (EnvChange::TransactionRolledBack(1), vec![0xE3, 11, 0, 10, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]),
            (EnvChange::ConnectionReset, vec![0xE3, 3, 0, 18, 0, 0]),
        ] {
            let mut out = Vec::new();
            write(&mut out, change);
            assert_eq!(out, expected, "{change:?}");
        }
    }
}
