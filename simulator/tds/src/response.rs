//! In which order do the tokens of an answer travel? One [`Response`] as the tokens SQL Server would send.
//!
//! Refuses to know packets and requests. A batch ends each statement with DONE; a procedure ends each with DONEINPROC, then
//! sends RETURNSTATUS, its RETURNVALUEs and DONEPROC (MS-TDS 4.7, 4.9; the order of the last ones as SQL Server sends it).

use crate::{
    error::EncodeError,
    limits::{COLUMNS_MAX, IDENTIFIER_CHARACTERS_MAX},
    message::{Response, ResultSet},
    rpc::OutputSlot,
    token::{
        col_metadata,
        done::{self, Done},
        info_error, return_status, return_value, row,
    },
    types::{code_page::Collation, encode},
    value::{Column, Value},
};

/// What kind of request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// A batch or a transaction request.
    Batch,
    /// A procedure call, with the outputs its caller asked for.
    Procedure(&'a [OutputSlot]),
    /// An attention.
    Attention,
}

/// What of the session the tokens depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) collation: Collation,
    /// The client knows NBCROW.
    pub(crate) null_bitmap: bool,
    /// Another answer follows in the same message.
    pub(crate) more_follows: bool,
}

/// Writes all tokens of a response. On an error `out` holds a part of them.
pub(crate) fn write(
    out: &mut Vec<u8>,
    response: &Response,
    shape: Shape<'_>,
    context: Context,
) -> Result<(), EncodeError> {
    for message in &response.messages {
        info_error::write(out, message);
    }
    // A batch that calls one procedure (`EXEC p`) has a status and ends as the procedure ends.
    let procedure = matches!(shape, Shape::Procedure(_)) || response.status.is_some();
    let statement = if procedure { Done::InProcedure } else { Done::Batch };
    let own_end = procedure || matches!(shape, Shape::Attention) || response.error.is_some();
    for (at, result) in response.results.iter().enumerate() {
        let last = at + 1 == response.results.len();
        let more = !last || own_end || context.more_follows;
        result_set(out, at, result, statement, if more { done::MORE } else { 0 }, context)?;
    }
    if let Some(error) = &response.error {
        info_error::write_error(out, error);
    }
    if procedure {
        procedure_end(out, response, shape, context.collation)?;
    }
    let status = if context.more_follows { done::MORE } else { 0 }
        | if response.error.is_some() { done::ERROR } else { 0 }
        | if matches!(shape, Shape::Attention) { done::ATTENTION } else { 0 };
    if matches!(shape, Shape::Attention) {
        done::write(out, Done::Batch, status, done::UNKNOWN, 0);
    } else if procedure {
        done::write(out, Done::Procedure, status, done::EXECUTE, 0);
    } else if own_end || response.results.is_empty() {
        done::write(out, Done::Batch, status, done::UNKNOWN, 0);
    }
    Ok(())
}

/// RETURNSTATUS and RETURNVALUEs. A call that ended without an error has a status, 0 unless the owner says otherwise;
/// one that ended with an error has one only if the owner says so, since a missing procedure never ran.
fn procedure_end(
    out: &mut Vec<u8>,
    response: &Response,
    shape: Shape<'_>,
    collation: Collation,
) -> Result<(), EncodeError> {
    let status = response.status.or_else(|| response.error.is_none().then_some(0));
    if let Some(status) = status {
        return_status::write(out, status);
    }
    let Shape::Procedure(slots) = shape else { return Ok(()) };
    for (slot, (name, value)) in matched(slots, &response.outputs) {
        return_value::write(out, slot.ordinal, name, slot.sql_type, value, collation)
            .map_err(|why| EncodeError::Output { name: name.clone(), why })?;
    }
    Ok(())
}

/// Which output goes to which parameter: by name without regard to case, else in order to those called by position. An
/// output nobody asked for is not sent, as SQL Server keeps it to itself.
fn matched<'a>(
    slots: &'a [OutputSlot],
    outputs: &'a [(String, Value)],
) -> impl Iterator<Item = (&'a OutputSlot, &'a (String, Value))> {
    let named =
        |name: &str| slots.iter().find(|slot| !slot.name.is_empty() && slot.name.eq_ignore_ascii_case(name));
    let mut positional = slots.iter().filter(|slot| slot.name.is_empty());
    outputs.iter().filter_map(move |output| {
        let slot = named(&output.0).or_else(|| positional.next())?;
        Some((slot, output))
    })
}

fn result_set(
    out: &mut Vec<u8>,
    result: usize,
    set: &ResultSet,
    statement: Done,
    more: u16,
    context: Context,
) -> Result<(), EncodeError> {
    if set.columns.is_empty() {
        if let Some(row) = set.rows.iter().position(|row| !row.is_empty()) {
            return Err(EncodeError::RowWidth { result, row, values: set.rows[row].len(), columns: 0 });
        }
        let count = if set.affected.is_some() { done::COUNT } else { 0 };
        done::write(out, statement, more | count, done::UNKNOWN, set.affected.unwrap_or(0));
        return Ok(());
    }
    check_columns(result, &set.columns)?;
    col_metadata::write(out, &set.columns, context.collation);
    for (at, values) in set.rows.iter().enumerate() {
        if values.len() != set.columns.len() {
            let (values, columns) = (values.len(), set.columns.len());
            return Err(EncodeError::RowWidth { result, row: at, values, columns });
        }
        row::write(out, &set.columns, values, context.null_bitmap).map_err(|(column, why)| {
            EncodeError::Value { result, row: at, column: set.columns[column].name.clone(), why }
        })?;
    }
    done::write(out, statement, more | done::COUNT, done::SELECT, set.rows.len() as u64);
    Ok(())
}

fn check_columns(result: usize, columns: &[Column]) -> Result<(), EncodeError> {
    if columns.len() > COLUMNS_MAX {
        return Err(EncodeError::TooManyColumns { result, columns: columns.len(), max: COLUMNS_MAX });
    }
    for column in columns {
        let fits = if column.name.encode_utf16().count() > IDENTIFIER_CHARACTERS_MAX {
            Err(crate::error::ValueError::NoSuchType("names have at most 128 characters"))
        } else {
            encode::check_type(column.sql_type)
        };
        fits.map_err(|why| EncodeError::Column { result, column: column.name.clone(), why })?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
