//! Tables for [`super`]: token sequences of whole answers.

use super::*;
use crate::{
    error::ValueError, message::ServerMessage, types::code_page::SQL_LATIN1_GENERAL_CP1_CI_AS, value::SqlType,
};

const CONTEXT: Context =
    Context { collation: SQL_LATIN1_GENERAL_CP1_CI_AS, null_bitmap: true, more_follows: false };

fn written(response: &Response, shape: Shape<'_>, context: Context) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    write(&mut out, response, shape, context).map(|()| out)
}

fn message(severity: u8) -> ServerMessage {
    ServerMessage {
        number: 1,
        state: 1,
        severity,
        text: String::new(),
        server: String::new(),
        procedure: String::new(),
        line: 1,
    }
}

/// The tokens of a response that holds no column, as text: name and status of each.
fn outline(bytes: &[u8]) -> String {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let short = |from: usize| u16::from_le_bytes([bytes[from], bytes[from + 1]]);
        let (name, length) = match bytes[at] {
            0xAB => ("INFO".to_owned(), 3 + usize::from(short(at + 1))),
            0xAA => ("ERROR".to_owned(), 3 + usize::from(short(at + 1))),
            0x79 => ("STATUS".to_owned(), 5),
            token @ 0xFD..=0xFF => (
                format!(
                    "{}:{:x}",
                    ["DONE", "DONEPROC", "DONEINPROC"][usize::from(token - 0xFD)],
                    short(at + 1)
                ),
                13,
            ),
            other => panic!("token {other:#x} at {at}"),
        };
        names.push(name);
        at += length;
    }
    names.join(" ")
}

/// MS-TDS 4.7, SQL Batch Server Response, without its packet header.
#[test]
fn the_example_of_a_batch_is_matched_byte_by_byte() {
    let column = Column { name: "bar".into(), sql_type: SqlType::VarChar(Some(3)), nullable: false };
    let result =
        ResultSet { columns: vec![column], rows: vec![vec![Value::Text("foo".into())]], affected: None };
    let response = Response { results: vec![result], ..Response::default() };
    assert_eq!(
        written(&response, Shape::Batch, CONTEXT).unwrap(),
        [
            0x81, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0xA7, 0x03, 0x00, 0x09, 0x04, 0xD0, 0x00,
            0x34, 0x03, 0x62, 0x00, 0x61, 0x00, 0x72, 0x00, 0xD1, 0x03, 0x00, 0x66, 0x6F, 0x6F, 0xFD, 0x10,
            0x00, 0xC1, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        ]
    );
}

#[test]
fn tokens_come_in_the_order_of_sql_server() {
    let touched = |affected| ResultSet { affected, ..ResultSet::default() };
    let two = vec![touched(Some(3)), touched(None)];
    let more = Context { more_follows: true, ..CONTEXT };
    for (shape, context, response, expected) in [
        (Shape::Batch, CONTEXT, Response::default(), "DONE:0"),
        (Shape::Batch, CONTEXT, Response { results: two.clone(), ..Response::default() }, "DONE:11 DONE:0"),
        (Shape::Batch, more, Response { results: two.clone(), ..Response::default() }, "DONE:11 DONE:1"),
        (
            Shape::Batch,
            CONTEXT,
            Response { messages: vec![message(0)], ..Response::default() },
            "INFO DONE:0",
        ),
        (
            Shape::Batch,
            CONTEXT,
            Response { results: two.clone(), error: Some(message(16)), ..Response::default() },
            "DONE:11 DONE:1 ERROR DONE:2",
        ),
        (
            Shape::Batch,
            CONTEXT,
            Response { results: two.clone(), status: Some(1), ..Response::default() },
            "DONEINPROC:11 DONEINPROC:1 STATUS DONEPROC:0",
        ),
        (Shape::Procedure(&[]), CONTEXT, Response::default(), "STATUS DONEPROC:0"),
        (Shape::Procedure(&[]), more, Response::default(), "STATUS DONEPROC:1"),
        (
            Shape::Procedure(&[]),
            CONTEXT,
            Response { results: two, messages: vec![message(10)], ..Response::default() },
            "INFO DONEINPROC:11 DONEINPROC:1 STATUS DONEPROC:0",
        ),
        (
            Shape::Procedure(&[]),
            CONTEXT,
            Response { error: Some(message(16)), ..Response::default() },
            "ERROR DONEPROC:2",
        ),
        (
            Shape::Procedure(&[]),
            CONTEXT,
            Response { error: Some(message(16)), status: Some(-6), ..Response::default() },
            "ERROR STATUS DONEPROC:2",
        ),
        (Shape::Attention, CONTEXT, Response::default(), "DONE:20"),
    ] {
        assert_eq!(outline(&written(&response, shape, context).unwrap()), expected, "{response:?}");
    }
}

#[test]
fn outputs_find_their_parameters() {
    let slot = |ordinal, name: &str| OutputSlot { ordinal, name: name.into(), sql_type: None };
    let output = |name: &str| (name.to_owned(), Value::Int(1));
    let pairs = |slots: &[OutputSlot], outputs: &[(String, Value)]| -> Vec<(u16, String)> {
        matched(slots, outputs).map(|(slot, output)| (slot.ordinal, output.0.clone())).collect()
    };
    let slots = [slot(0, ""), slot(2, "@Id"), slot(3, "")];
    assert_eq!(
        pairs(&slots, &[output("@handle"), output("@id"), output("@second"), output("@unasked")]),
        [(0, "@handle".to_owned()), (2, "@id".to_owned()), (3, "@second".to_owned())]
    );
    assert_eq!(pairs(&[], &[output("@unasked")]), []);
}

#[test]
fn faults_name_their_place() {
    let column = |sql_type| Column { name: "c".into(), sql_type, nullable: true };
    let set = |columns, rows| Response {
        results: vec![ResultSet::default(), ResultSet { columns, rows, affected: None }],
        ..Response::default()
    };
    let range = ValueError::Range { expected: SqlType::TinyInt };
    for (response, expected) in [
        (
            set(vec![column(SqlType::TinyInt)], vec![vec![Value::Int(1)], vec![Value::Int(256)]]),
            EncodeError::Value { result: 1, row: 1, column: "c".into(), why: range },
        ),
        (
            set(vec![column(SqlType::TinyInt)], vec![vec![]]),
            EncodeError::RowWidth { result: 1, row: 0, values: 0, columns: 1 },
        ),
        (
            set(vec![], vec![vec![Value::Null]]),
            EncodeError::RowWidth { result: 1, row: 0, values: 1, columns: 0 },
        ),
        (
            set(vec![column(SqlType::Int); 4_097], vec![]),
            EncodeError::TooManyColumns { result: 1, columns: 4_097, max: 4_096 },
        ),
        (
            set(vec![column(SqlType::DateTime2(8))], vec![]),
            EncodeError::Column {
                result: 1,
                column: "c".into(),
                why: ValueError::NoSuchType("datetime2 has 0 to 7 digits"),
            },
        ),
    ] {
        assert_eq!(written(&response, Shape::Batch, CONTEXT), Err(expected));
    }
}
