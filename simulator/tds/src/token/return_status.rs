//! RETURNSTATUS: what a procedure returned. MS-TDS 2.2.7.18.

const TOKEN: u8 = 0x79;

pub(crate) fn write(out: &mut Vec<u8>, status: i32) {
    out.push(TOKEN);
    out.extend_from_slice(&status.to_le_bytes());
}

#[cfg(test)]
mod tests {
    #[test]
    fn status_is_signed() {
        let mut out = Vec::new();
        super::write(&mut out, -6);
        assert_eq!(out, [0x79, 0xFA, 0xFF, 0xFF, 0xFF]);
    }
}
