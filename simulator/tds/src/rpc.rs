//! Which procedure is called, with what? One call of an RPC message; a message may hold several. MS-TDS 2.2.6.6.
//!
//! Refuses to know procedures: well-known numbers are passed on as numbers. Calls are read one by one as they are
//! answered, so a message of many calls never lies in memory twice.

use crate::{
    error::ProtocolError,
    headers,
    limits::PARAMETERS_MAX,
    message::{Parameter, Procedure},
    read::Reader,
    types::parameter::TypeInfo,
    value::{SqlType, Value},
};

const PART: &str = "RPC";
/// Between two calls: the next one follows. Since TDS 7.2.
const BATCH_FLAG: u8 = 0xFF;
/// Between two calls: do not execute the one before. No known client sends it.
const NO_EXEC_FLAG: u8 = 0xFE;
/// In place of a name's length: a number follows.
const BY_NUMBER: u16 = 0xFFFF;
/// Status of a parameter.
const BY_REFERENCE: u8 = 0x01;
const ENCRYPTED: u8 = 0x08;

/// Where an output parameter stands in its call, and as what it goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputSlot {
    pub(crate) ordinal: u16,
    pub(crate) name: String,
    pub(crate) sql_type: Option<SqlType>,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) procedure: Procedure,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) outputs: Vec<OutputSlot>,
    /// Where the next call begins, in bytes of the message; nothing after the last.
    pub(crate) next_at: Option<usize>,
}

/// Where the first call of a message begins.
pub(crate) fn first_at(body: &[u8]) -> Result<usize, ProtocolError> {
    let mut reader = Reader::new(PART, body, 0);
    headers::skip(&mut reader)?;
    Ok(reader.at())
}

/// Reads the call that begins at `at`.
pub(crate) fn read(body: &[u8], at: usize) -> Result<Call, ProtocolError> {
    let mut reader = Reader::new(PART, body, at);
    let procedure = match reader.u16("length of procedure name")? {
        BY_NUMBER => Procedure::Id(reader.u16("ProcID")?),
        length => Procedure::Name(reader.utf16(usize::from(length), "procedure name")?),
    };
    reader.u16("OptionFlags")?;
    let mut call = Call { procedure, parameters: Vec::new(), outputs: Vec::new(), next_at: None };
    while reader.left() > 0 {
        match reader.u8("length of parameter name")? {
            // After the last call the flag means nothing.
            BATCH_FLAG => {
                call.next_at = (reader.left() > 0).then_some(reader.at());
                break;
            }
            NO_EXEC_FLAG => return Err(reader.unsupported("NoExecFlag", u64::from(NO_EXEC_FLAG))),
            length => parameter(&mut reader, usize::from(length), &mut call)?,
        }
    }
    Ok(call)
}

fn parameter(reader: &mut Reader<'_>, name_length: usize, call: &mut Call) -> Result<(), ProtocolError> {
    if call.parameters.len() == PARAMETERS_MAX {
        return Err(reader.unsupported("number of parameters", PARAMETERS_MAX as u64 + 1));
    }
    let name = reader.utf16(name_length, "parameter name")?;
    let status = reader.u8("StatusFlags")?;
    if status & ENCRYPTED != 0 {
        return Err(reader.unsupported("encrypted parameter", u64::from(status)));
    }
    let output = status & BY_REFERENCE != 0;
    let type_info = TypeInfo::read(reader)?;
    let value: Value = type_info.value(reader)?;
    if output {
        let ordinal = u16::try_from(call.parameters.len()).expect("parameters are limited to 2,100");
        call.outputs.push(OutputSlot { ordinal, name: name.clone(), sql_type: type_info.output_type() });
    }
    call.parameters.push(Parameter { name, output, value });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-TDS 4.8, RPC Client Request, without its packet header.
    const EXAMPLE: [u8; 0x27] = [
        0x16, 0x00, 0x00, 0x00, 0x12, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x66, 0x00, 0x6F, 0x00, 0x6F, 0x00, 0x33, 0x00, 0x00, 0x00,
        0x00, 0x02, 0x26, 0x02, 0x00,
    ];

    #[test]
    fn the_example_of_the_specification_is_read() {
        let call = read(&EXAMPLE, first_at(&EXAMPLE).unwrap()).unwrap();
        let parameter = Parameter { name: String::new(), output: false, value: Value::Null };
        assert_eq!(
            call,
            Call {
                procedure: Procedure::Name("foo3".into()),
                parameters: vec![parameter],
                outputs: vec![],
                next_at: None
            }
        );
    }

    #[test]
    fn several_calls_share_a_message() {
        let by_number = [0xFF, 0xFF, 10, 0, 0, 0];
        let with_output = [0xFF, 0xFF, 13, 0, 0, 0, 2, 0x40, 0, 0x61, 0, 1, 0x26, 4, 0];
        let body = [&[4, 0, 0, 0][..], &with_output, &[0xFF], &by_number, &[0xFF]].concat();
        let first = read(&body, first_at(&body).unwrap()).unwrap();
        assert_eq!(first.procedure, Procedure::Id(13));
        assert_eq!(
            first.outputs,
            [OutputSlot { ordinal: 0, name: "@a".into(), sql_type: Some(SqlType::Int) }]
        );
        let second = read(&body, first.next_at.unwrap()).unwrap();
        assert_eq!((second.procedure, second.next_at), (Procedure::Id(10), None));
    }

    #[test]
    fn what_is_not_served_is_named() {
        for (tail, what) in [
            (&[NO_EXEC_FLAG][..], "NoExecFlag"),
            (&[0, ENCRYPTED, 0x26, 4, 0], "encrypted parameter"),
            (&[0, 0, 0xF3], "table-valued parameter"),
        ] {
            let body = [&[4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0][..], tail].concat();
            assert!(
                matches!(read(&body, 4), Err(ProtocolError::Unsupported { what: found, .. }) if found == what),
                "{what}"
            );
        }
        let many = [&[0xFF, 0xFF, 10, 0, 0, 0][..], &[0, 0, 0x1F].repeat(PARAMETERS_MAX + 1)].concat();
        assert!(matches!(
            read(&many, 0),
            Err(ProtocolError::Unsupported { what: "number of parameters", .. })
        ));
    }
}
