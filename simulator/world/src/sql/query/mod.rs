//! How is anybody's SELECT answered?
//!
//! What the native queries of `select` do not know (GROUP BY, DISTINCT, set operations, subqueries, common table
//! expressions, windows, APPLY and most functions) is translated for SQLite in memory. The translation knows the type of
//! each expression, so that values convert, compare and overflow as T-SQL's do; SQLite joins, groups and sorts.

mod aggregates;
mod apply;
mod body;
mod calls;
mod dates;
mod engine;
mod from;
mod functions;
mod held;
mod numbers;
mod predicates;
mod scalars;
mod scope;
mod sets;
mod texts;
mod types;

use sqlparser::ast::{Expr as Ast, Query};
use tds::{Column as Described, ResultSet, SqlType, Value};

use crate::{
    error::EngineError,
    sql::{hints, select::Context, tables::Table},
};
use engine::{COLLATION, Engine};
pub(super) use numbers::{fits, ranged, rescale};
use scope::{Place, Scope};
pub(super) use types::name as type_name;
use types::{Class, class, fit};

/// An expression translated.
#[derive(Debug, Clone)]
struct Term {
    sql: String,
    sql_type: SqlType,
    /// Its value, where the text of the query gives it.
    literal: Option<Value>,
}

impl Term {
    /// An expression of a type. Text has the collation of the server wherever it comes from.
    fn new(sql: String, sql_type: SqlType) -> Self {
        let sql = if class(sql_type) == Class::Text { format!("({sql} COLLATE {COLLATION})") } else { sql };
        Self { sql, sql_type, literal: None }
    }

    fn is_null(&self) -> bool {
        self.literal == Some(Value::Null)
    }
}

/// A column of a translated query.
#[derive(Debug, Clone)]
struct Output {
    name: String,
    sql_type: SqlType,
    /// Whether it is a NULL that another type may take in.
    untyped: bool,
}

impl Output {
    fn new(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self { name: name.into(), sql_type, untyped: false }
    }
}

/// A translated query: its columns are named `c0`, `c1` and so on.
#[derive(Debug, Clone)]
struct Translated {
    sql: String,
    columns: Vec<Output>,
}

/// A common table expression in force.
#[derive(Debug, Clone)]
struct Common {
    /// Lower case.
    name: String,
    /// Its name for SQLite.
    table: String,
    columns: Vec<Output>,
    /// Where it refers to itself: its depth goes along in one more column.
    recursive: bool,
    /// Common table expressions that SQLite unfolds where it meets this one.
    unfolds: usize,
}

/// A table to load before the query runs.
struct Load<'w> {
    name: String,
    table: Box<dyn Table + 'w>,
    used: Vec<bool>,
    loaded: bool,
}

/// Turns a query of T-SQL into one of SQLite.
struct Translator<'a, 'w> {
    context: &'a Context<'w>,
    engine: Engine,
    scopes: Vec<Scope>,
    commons: Vec<Common>,
    loads: Vec<Load<'w>>,
    /// The depth of the common table expression that was met inside itself.
    recursion: Option<String>,
    /// How deep such a one may go.
    recursion_max: i64,
    /// Names given so far.
    names: usize,
    /// Subqueries around the place that is translated.
    depth: u32,
    /// Whether a grouping expression is read: it holds no subquery.
    keys: bool,
    /// Common table expressions that were unfolded so far.
    unfolded: usize,
    /// The table that names of databases are looked up in.
    databases: Option<String>,
}

/// How deep a common table expression may refer to itself: MAXRECURSION where nothing else is said.
const RECURSION_MAX: i64 = 100;

/// Subqueries inside subqueries, as SQL Server counts them.
const NESTED_MAX: u32 = 32;

impl<'a, 'w> Translator<'a, 'w> {
    fn new(context: &'a Context<'w>) -> Result<Self, EngineError> {
        Ok(Self {
            context,
            engine: Engine::new()?,
            scopes: Vec::new(),
            commons: Vec::new(),
            loads: Vec::new(),
            recursion: None,
            recursion_max: RECURSION_MAX,
            names: 0,
            depth: 0,
            keys: false,
            unfolded: 0,
            databases: None,
        })
    }

    /// A name that nothing else has.
    fn name(&mut self, kind: char) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    /// Loads what is used and not there yet.
    fn load(&mut self) -> Result<(), EngineError> {
        for load in self.loads.iter_mut().filter(|l| !l.loaded) {
            self.engine.load(&load.name, load.table.as_ref(), &load.used)?;
            load.loaded = true;
        }
        Ok(())
    }

    /// The rows of a translated query, as their types hold them.
    fn rows(&mut self, sql: &str, types: &[SqlType]) -> Result<Vec<Vec<Value>>, EngineError> {
        self.load()?;
        let mut rows = self.engine.rows(sql)?;
        for row in &mut rows {
            for (cell, sql_type) in row.iter_mut().zip(types) {
                *cell = fit(std::mem::replace(cell, Value::Null), *sql_type);
            }
        }
        Ok(rows)
    }

    /// Goes one subquery deeper. Errors: 191; 144 and 130 where none may be.
    fn deeper<T>(
        &mut self,
        inside: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if self.keys {
            return Err(aggregates::not_a_key());
        }
        if self.scopes.last().is_some_and(|s| s.place == Place::Aggregate) {
            return Err(aggregates::nested());
        }
        if self.depth == NESTED_MAX {
            let text = "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
            return Err(EngineError::new(191, text));
        }
        self.depth += 1;
        let done = inside(self);
        self.depth -= 1;
        done
    }
}

/// Runs a query.
pub(super) fn run(context: &Context<'_>, query: &Query) -> Result<ResultSet, EngineError> {
    let mut translator = Translator::new(context)?;
    match hints::recursion(query) {
        None => {}
        Some(0) => translator.recursion_max = i64::MAX,
        Some(most) => translator.recursion_max = most,
    }
    let translated = translator.query(query, sets::Use::Result)?;
    let types: Vec<SqlType> = translated.columns.iter().map(|c| c.sql_type).collect();
    let rows = translator.rows(&translated.sql, &types)?;
    let describe = |o: Output| Described { name: o.name, sql_type: o.sql_type, nullable: true };
    Ok(ResultSet { columns: translated.columns.into_iter().map(describe).collect(), rows, affected: None })
}

/// The value of an expression that stands alone.
pub(super) fn constant(context: &Context<'_>, ast: &Ast) -> Result<Value, EngineError> {
    let mut translator = Translator::new(context)?;
    translator.scopes.push(Scope::new());
    let term = translator.scalar(ast)?;
    let rows = translator.rows(&format!("SELECT {}", term.sql), &[term.sql_type])?;
    Ok(rows.into_iter().flatten().next().unwrap_or(Value::Null))
}

/// Whether a condition that stands alone holds.
pub(super) fn holds(context: &Context<'_>, ast: &Ast) -> Result<bool, EngineError> {
    let mut translator = Translator::new(context)?;
    translator.scopes.push(Scope::new());
    let condition = translator.predicate(ast)?;
    let rows = translator.rows(&format!("SELECT {condition}"), &[SqlType::Bit])?;
    Ok(rows.into_iter().flatten().next() == Some(Value::Bit(true)))
}
