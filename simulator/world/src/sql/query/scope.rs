//! What does a name mean at its place?
//!
//! Each query has its sources; a subquery sees those around it too, the innermost first. The errors of names are here.

use sqlparser::ast::Ident;
use tds::SqlType;

use crate::error::EngineError;

/// A column that can be named.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) sql_type: SqlType,
    /// How it is written.
    pub(super) sql: String,
}

/// A table of the FROM clause.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Lower case; empty for a derived table that nothing can name.
    pub(super) alias: String,
    pub(super) columns: Vec<Column>,
    /// The loaded table its columns come from, to mark them as used.
    pub(super) load: Option<usize>,
}

/// What may stand at a place of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// FROM, ON, WHERE, GROUP BY: rows, no aggregates.
    Rows,
    /// SELECT, HAVING, ORDER BY.
    Groups,
    /// The argument of an aggregate.
    Aggregate,
}

/// The clause of a query that is read after its rows are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    List,
    Having,
    OrderBy,
}

/// The names of one query.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) sources: Vec<Source>,
    pub(super) place: Place,
    /// Texts of the grouping expressions, where rows are grouped.
    pub(super) groups: Option<Vec<String>>,
    /// Whether an aggregate was met.
    pub(super) aggregates: bool,
    /// The first column that was named outside of aggregates: wrong where one of them is met later.
    pub(super) bare: Option<String>,
    pub(super) clause: Clause,
}

impl Scope {
    /// One without sources.
    pub(super) fn new() -> Self {
        Self {
            sources: Vec::new(),
            place: Place::Rows,
            groups: None,
            aggregates: false,
            bare: None,
            clause: Clause::List,
        }
    }

    /// Whether a column may be named only as part of a group.
    pub(super) fn is_grouped(&self) -> bool {
        self.place == Place::Groups && self.groups.is_some()
    }

    /// The error for a column that is part of no group.
    pub(super) fn not_grouped(&self, name: &str) -> EngineError {
        let (number, place) = match self.clause {
            Clause::List => (8120, "the select list"),
            Clause::Having => (8121, "the HAVING clause"),
            Clause::OrderBy => (8127, "the ORDER BY clause"),
        };
        let by = self.groups.as_ref().is_some_and(|g| !g.is_empty());
        let why = if by {
            "it is not contained in either an aggregate function or the GROUP BY clause."
        } else {
            "it is not contained in an aggregate function and there is no GROUP BY clause."
        };
        EngineError::new(number, format!("Column '{name}' is invalid in {place} because {why}"))
    }
}

/// Where a name was found: how many queries outwards, the source, the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) outwards: usize,
    pub(super) source: usize,
    pub(super) column: usize,
}

/// Finds a name of one to four parts. Errors: 207, 209, 4104.
pub(super) fn find(scopes: &[Scope], parts: &[Ident]) -> Result<Found, EngineError> {
    let mut back = parts.iter().rev();
    let name = back.next().map(|i| i.value.as_str()).unwrap_or_default();
    let alias = back.next().map(|i| i.value.to_lowercase());
    let mut known = false;
    for (outwards, scope) in scopes.iter().rev().enumerate() {
        let mut found = None;
        for (source, held) in scope.sources.iter().enumerate() {
            if alias.as_ref().is_some_and(|a| *a != held.alias) {
                continue;
            }
            known = true;
            for (column, held) in held.columns.iter().enumerate() {
                if !held.name.eq_ignore_ascii_case(name) {
                    continue;
                }
                if found.is_some() {
                    return Err(EngineError::new(209, format!("Ambiguous column name '{name}'.")));
                }
                found = Some(Found { outwards, source, column });
            }
        }
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(match alias {
        Some(alias) if !known => EngineError::new(
            4104,
            format!("The multi-part identifier \"{alias}.{name}\" could not be bound."),
        ),
        _ => EngineError::new(207, format!("Invalid column name '{name}'.")),
    })
}
