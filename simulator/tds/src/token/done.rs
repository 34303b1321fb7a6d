//! DONE, DONEPROC, DONEINPROC: the end of a statement, of a procedure, of a statement in a procedure. MS-TDS 2.2.7.6 to
//! 2.2.7.8.

/// More of this response follows.
pub(crate) const MORE: u16 = 0x0001;
/// The statement ended with an error.
pub(crate) const ERROR: u16 = 0x0002;
/// The count of rows is valid.
pub(crate) const COUNT: u16 = 0x0010;
/// An attention is acknowledged.
pub(crate) const ATTENTION: u16 = 0x0020;

/// `CurCmd` of SELECT, as in the example of MS-TDS 4.7.
pub(crate) const SELECT: u16 = 0x00C1;
/// `CurCmd` of a procedure call, as in the example of MS-TDS 4.9.
pub(crate) const EXECUTE: u16 = 0x00E0;
/// `CurCmd` when this front does not know the statement.
pub(crate) const UNKNOWN: u16 = 0;

/// Which of the three tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Batch,
    Procedure,
    InProcedure,
}

/// Writes the token; `rows` is meant only with [`COUNT`].
pub(crate) fn write(out: &mut Vec<u8>, done: Done, status: u16, command: u16, rows: u64) {
    out.push(match done {
        Done::Batch => 0xFD,
        Done::Procedure => 0xFE,
        Done::InProcedure => 0xFF,
    });
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&rows.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-TDS 4.9, RPC Server Response, around its return status.
    #[test]
    fn matches_the_example_of_the_specification() {
        let mut out = Vec::new();
        write(&mut out, Done::InProcedure, MORE | COUNT, SELECT, 1);
        write(&mut out, Done::Procedure, 0, EXECUTE, 0);
        assert_eq!(
            out,
            [
                0xFF, 0x11, 0x00, 0xC1, 0x00, 1, 0, 0, 0, 0, 0, 0, 0, //
                0xFE, 0x00, 0x00, 0xE0, 0x00, 0, 0, 0, 0, 0, 0, 0, 0,
            ]
        );
    }
}
