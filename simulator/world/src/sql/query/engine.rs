//! How does a translated query run?
//!
//! An SQLite database in memory for one query: tables that are loaded, calls that come back, a bound on work. Nothing of it
//! outlives the query.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{
    Connection, Error, OpenFlags,
    functions::{Aggregate, Context, FunctionFlags, WindowAggregate},
    types::Value as Held,
};
use tds::Value;

use crate::{
    error::EngineError,
    sql::{
        query::{
            calls::{Call, evaluate},
            held::{collate, hold, release},
            numbers,
            types::Operator,
        },
        tables::Table,
        value::{TEXT_MAX, given_up},
    },
};

/// Name of the collation.
pub(super) const COLLATION: &str = "server";
/// Name of the function that calls back: its first argument is the place of the call.
pub(super) const CALL: &str = "call";
/// Name of the function that yields its argument and counts what it weighs.
pub(super) const COUNTED: &str = "counted";
/// Name of the sum of whole and exact numbers.
pub(super) const SUM: &str = "total_of";

/// Instructions of SQLite between two looks at how many there were.
const LOOK_EVERY: i32 = 100_000;
/// Looks before a query is given up: a second or two of work.
const LOOKS_MAX: u32 = 500;

/// What a call costs beside its arguments, and what all calls of a query may cost: instructions do not count what they do.
const CALL_COST: usize = 64;
const WORK_MAX: usize = 1 << 30;
/// Bytes that the rows of an answer may take.
const ROWS_MAX: usize = 256 << 20;

/// Bytes of a value that has no fixed size.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

/// What translator, functions and engine share: one thread uses it, but SQLite wants what could move to another.
#[derive(Debug, Default)]
struct Shared {
    calls: Vec<Call>,
    /// What calls cost so far.
    work: usize,
    failed: Option<EngineError>,
}

/// The engine of one query.
pub(super) struct Engine {
    connection: Connection,
    shared: Arc<Mutex<Shared>>,
    parameters: Vec<Value>,
}

/// The error for what SQLite refuses by itself: too many tables, columns or levels.
fn refused(error: &Error) -> EngineError {
    let text = format!(
        "The query processor ran out of internal resources and could not produce a query plan: {error}."
    );
    EngineError::new(8623, text)
}

/// The text that adds a row of so many cells.
fn insertion(name: &str, cells: usize) -> String {
    format!("INSERT INTO {name} VALUES ({})", vec!["?"; cells].join(", "))
}

impl Engine {
    /// An empty one.
    pub(super) fn new() -> Result<Self, EngineError> {
        let engine = Self {
            connection: Connection::open_in_memory_with_flags(
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )
            .map_err(|e| refused(&e))?,
            shared: Arc::default(),
            parameters: Vec::new(),
        };
        engine.prepare().map_err(|e| refused(&e))?;
        Ok(engine)
    }

    fn prepare(&self) -> Result<(), Error> {
        self.connection.create_collation(COLLATION, collate)?;
        let shared = Arc::clone(&self.shared);
        let fixed = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        self.connection.create_scalar_function(CALL, -1, fixed, move |context| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let call =
                usize::try_from(context.get::<i64>(0)?).ok().and_then(|at| shared.calls.get(at)).copied();
            let given: Vec<Value> = (1..context.len()).map(|at| release(context.get_raw(at))).collect();
            shared.work += CALL_COST + given.iter().map(size).sum::<usize>() * 8;
            let value = if shared.work > WORK_MAX {
                Err(given_up())
            } else {
                call.map_or(Ok(Value::Null), |call| evaluate(call, &given))
            };
            let value = value.and_then(|v| if size(&v) > TEXT_MAX { Err(given_up()) } else { Ok(v) });
            value.map(hold).map_err(|error| fail(&mut shared, error))
        })?;
        let shared = Arc::clone(&self.shared);
        // Not deterministic, so that constants are counted for each row as well.
        self.connection.create_scalar_function(COUNTED, 1, FunctionFlags::SQLITE_UTF8, move |context| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let value = release(context.get_raw(0));
            shared.work += CALL_COST + size(&value) * 8;
            if shared.work > WORK_MAX { Err(fail(&mut shared, given_up())) } else { Ok(hold(value)) }
        })?;
        let sum = Sum(Arc::clone(&self.shared));
        self.connection.create_window_function(SUM, 1, fixed, sum)?;
        let mut looks = 0;
        self.connection.progress_handler(
            LOOK_EVERY,
            Some(move || {
                looks += 1;
                looks > LOOKS_MAX
            }),
        );
        Ok(())
    }

    /// The text that calls with arguments.
    pub(super) fn call(&mut self, call: Call, arguments: &[&str]) -> String {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shared.calls.iter().position(|held| *held == call);
        let at = known.unwrap_or_else(|| {
            shared.calls.push(call);
            shared.calls.len() - 1
        });
        let rest: String = arguments.iter().flat_map(|a| [", ", a]).collect();
        format!("{CALL}({at}{rest})")
    }

    /// The text that stands for a value: two equal ones are one, as GROUP BY compares expressions by their text.
    pub(super) fn parameter(&mut self, value: &Value) -> String {
        let known = self.parameters.iter().position(|held| held == value);
        let at = known.unwrap_or_else(|| {
            self.parameters.push(value.clone());
            self.parameters.len() - 1
        });
        format!("?{}", at + 1)
    }

    /// Makes a table of columns by their text.
    pub(super) fn create(&self, name: &str, columns: usize) -> Result<(), EngineError> {
        let columns: Vec<String> = (0..columns).map(|c| format!("c{c}")).collect();
        let text = format!("CREATE TABLE {name} ({})", columns.join(", "));
        self.connection.execute(&text, ()).map(drop).map_err(|e| self.error(&e))
    }

    /// Loads the columns that a query uses of a table; the others are NULL and never computed.
    pub(super) fn load(&self, name: &str, table: &dyn Table, used: &[bool]) -> Result<(), EngineError> {
        self.create(name, used.len())?;
        let mut insert = self.connection.prepare(&insertion(name, used.len())).map_err(|e| self.error(&e))?;
        for row in table.rows(&[]) {
            let cell =
                |(at, used): (usize, &bool)| if *used { hold(table.value(row, at)) } else { Held::Null };
            let cells = used.iter().enumerate().map(cell);
            insert.execute(rusqlite::params_from_iter(cells)).map_err(|e| self.error(&e))?;
        }
        Ok(())
    }

    /// Adds a row to a table.
    pub(super) fn insert(&self, name: &str, cells: &[Value]) -> Result<(), EngineError> {
        let mut insert =
            self.connection.prepare_cached(&insertion(name, cells.len())).map_err(|e| self.error(&e))?;
        let cells = cells.iter().cloned().map(hold);
        insert.execute(rusqlite::params_from_iter(cells)).map(drop).map_err(|e| self.error(&e))
    }

    /// Takes all rows from a table.
    pub(super) fn clear(&self, name: &str) -> Result<(), EngineError> {
        self.connection.execute(&format!("DELETE FROM {name}"), ()).map(drop).map_err(|e| self.error(&e))
    }

    /// The rows of a query.
    pub(super) fn rows(&self, text: &str) -> Result<Vec<Vec<Value>>, EngineError> {
        let gather = || {
            let mut statement = self.connection.prepare_cached(text)?;
            for at in 1..=statement.parameter_count() {
                let value = self.parameters.get(at - 1).cloned().unwrap_or(Value::Null);
                statement.raw_bind_parameter(at, hold(value))?;
            }
            let width = statement.column_count();
            let (mut found, mut rows, mut taken) = (Vec::new(), statement.raw_query(), 0);
            while let Some(row) = rows.next()? {
                let cells: Result<Vec<Value>, Error> =
                    (0..width).map(|at| Ok(release(row.get_ref(at)?))).collect();
                let cells = cells?;
                taken += cells.iter().map(|cell| size_of::<Value>() + size(cell)).sum::<usize>() + 24;
                if taken > ROWS_MAX {
                    let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                    return Err(fail(&mut shared, given_up()));
                }
                found.push(cells);
            }
            Ok(found)
        };
        gather().map_err(|e: Error| self.error(&e))
    }

    /// What went wrong: the error of a call, or SQLite's own.
    fn error(&self, error: &Error) -> EngineError {
        let failed = self.shared.lock().unwrap_or_else(PoisonError::into_inner).failed.take();
        failed.unwrap_or_else(|| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => given_up(),
            _ => refused(error),
        })
    }
}

/// SQLite carries the text of an error only: the error itself is kept beside it.
fn fail(shared: &mut Shared, error: EngineError) -> Error {
    let carried = Error::UserFunctionError(error.to_string().into());
    shared.failed.get_or_insert(error);
    carried
}

/// SUM of whole and exact numbers and of floats, exact where they are.
struct Sum(Arc<Mutex<Shared>>);

/// A sum so far and how many values are in it.
#[derive(Debug, Clone)]
struct Total {
    value: Value,
    count: u64,
}

impl Sum {
    fn step(&self, context: &Context<'_>, total: &mut Total, operator: Operator) -> Result<(), Error> {
        let value = release(context.get_raw(0));
        if value == Value::Null {
            return Ok(());
        }
        let target = match &value {
            Value::Float(_) => tds::SqlType::Float,
            Value::Numeric { scale, .. } => tds::SqlType::Numeric { precision: 38, scale: *scale },
            _ => tds::SqlType::BigInt,
        };
        let before = if total.count == 0 { Value::Int(0) } else { total.value.clone() };
        let sum = numbers::apply(operator, &before, &value, target);
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        total.value = sum.map_err(|error| fail(&mut shared, error))?;
        total.count = if operator == Operator::Add { total.count + 1 } else { total.count.saturating_sub(1) };
        Ok(())
    }
}

fn shown(total: Option<&Total>) -> Held {
    total.filter(|t| t.count > 0).map_or(Held::Null, |t| hold(t.value.clone()))
}

impl Aggregate<Total, Held> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Total, Error> {
        Ok(Total { value: Value::Null, count: 0 })
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<(), Error> {
        Self::step(self, context, total, Operator::Add)
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Held, Error> {
        Ok(shown(total.as_ref()))
    }
}

impl WindowAggregate<Total, Held> for Sum {
    fn value(&self, total: Option<&mut Total>) -> Result<Held, Error> {
        Ok(shown(total.as_deref()))
    }

    fn inverse(&self, context: &mut Context<'_>, total: &mut Total) -> Result<(), Error> {
        Self::step(self, context, total, Operator::Subtract)
    }
}
