//! Which rows does a query see?
//!
//! Tables in the order written. Bounds of WHERE on the first table go to the table itself; a join by equality looks rows
//! up in an index; everything else is filtered.

use std::{cmp::Ordering, collections::BTreeMap};

use sqlparser::ast::{
    BinaryOperator, Expr as Ast, FunctionArg, FunctionArgExpr, JoinConstraint, JoinOperator,
    ObjectName as AstName, TableFactor, TableWithJoins,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        calls::ObjectName,
        select::{
            Context, Unable,
            compile::Compiler,
            expression::{Comparison, Expr, Predicate, Row},
            same_names, unsupported,
        },
        tables::{Hint, Table},
        value::{self, folded},
    },
};

/// How a table joins those before it.
enum Join {
    /// Every row with every row.
    Cross,
    /// Rows that match.
    Inner(Ast),
    /// Rows that match, or nothing.
    Left(Ast),
}

/// Pairs of rows that a join makes at most: more is left to the engine that bounds its work.
const PAIRS_MAX: usize = 1_000_000;

/// A table of the FROM clause.
pub(super) struct Source<'w> {
    /// Lower case.
    pub(super) alias: String,
    pub(super) table: Box<dyn Table + 'w>,
    join: Join,
}

/// All of them.
pub(super) struct Sources<'w> {
    pub(super) list: Vec<Source<'w>>,
}

/// A value as an index looks it up; `None` for NULL, which equals nothing.
fn key(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Text(text) => format!("t{}", folded(text)),
        other => format!("v{}", value::text(other)?),
    })
}

impl<'w> Sources<'w> {
    /// No tables: for expressions that stand alone.
    pub(super) fn none() -> Self {
        Self { list: Vec::new() }
    }

    /// Opens the tables of a FROM clause.
    pub(super) fn open(context: &Context<'w>, from: &[TableWithJoins]) -> Result<Self, Unable> {
        let mut sources = Self { list: Vec::new() };
        for group in from {
            sources.add(context, &group.relation, Join::Cross)?;
            for join in &group.joins {
                let how = match &join.join_operator {
                    JoinOperator::Join(JoinConstraint::On(on))
                    | JoinOperator::Inner(JoinConstraint::On(on)) => Join::Inner(on.clone()),
                    JoinOperator::Left(JoinConstraint::On(on))
                    | JoinOperator::LeftOuter(JoinConstraint::On(on)) => Join::Left(on.clone()),
                    JoinOperator::CrossJoin(_) => Join::Cross,
                    _ => return Err(Unable::Beyond),
                };
                sources.add(context, &join.relation, how)?;
            }
        }
        Ok(sources)
    }

    fn add(&mut self, context: &Context<'w>, factor: &TableFactor, join: Join) -> Result<(), Unable> {
        let TableFactor::Table { name, alias, args, .. } = factor else { return Err(Unable::Beyond) };
        let name = object_name(name)?;
        let arguments = match args {
            None => None,
            Some(given) => {
                let none = Sources::none();
                let compiler = Compiler { context, sources: &none };
                let values: Result<Vec<Value>, Unable> = given
                    .args
                    .iter()
                    .map(|a| match a {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => {
                            Ok(compiler.scalar(ast)?.value(&none, &Row::new())?)
                        }
                        _ => Err(Unable::Beyond),
                    })
                    .collect();
                Some(values?)
            }
        };
        let table = context.world.open_table(context.session, &name, arguments.as_deref())?;
        let alias = alias.as_ref().map_or(name.object, |a| a.name.value.to_lowercase());
        if self.list.iter().any(|s| s.alias == alias) {
            return Err(same_names(&alias).into());
        }
        self.list.push(Source { alias, table, join });
        Ok(())
    }

    /// The rows that joins and WHERE leave.
    pub(super) fn rows(&self, context: &Context<'_>, selection: Option<&Ast>) -> Result<Vec<Row>, Unable> {
        let compiler = Compiler { context, sources: self };
        let condition = selection.map(|ast| compiler.predicate(ast)).transpose()?;
        let mut rows: Vec<Row> = vec![Row::new()];
        for (place, source) in self.list.iter().enumerate() {
            let hints = if place == 0 { hints(condition.as_ref()) } else { Vec::new() };
            let numbers = source.table.rows(&hints);
            if place > 0
                && rows.len().saturating_mul(numbers.len()) > PAIRS_MAX
                && !self.indexed(&compiler, place)
            {
                return Err(Unable::Beyond);
            }
            rows = match &source.join {
                Join::Cross => cross(&rows, &numbers),
                Join::Inner(on) => self.joined(&rows, place, &numbers, &compiler.predicate(on)?, false)?,
                Join::Left(on) => self.joined(&rows, place, &numbers, &compiler.predicate(on)?, true)?,
            };
        }
        let Some(condition) = condition else { return Ok(rows) };
        let mut kept = Vec::new();
        for row in rows {
            if condition.holds(self, &row)? == Some(true) {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Whether a join looks its rows up.
    fn indexed(&self, compiler: &Compiler<'_, '_>, place: usize) -> bool {
        match self.list.get(place).map(|source| &source.join) {
            Some(Join::Inner(on) | Join::Left(on)) => {
                compiler.predicate(on).is_ok_and(|on| self.looked_up(&on, place).is_some())
            }
            _ => false,
        }
    }

    /// The column that an index looks up for a join: both sides must be held alike, as nothing is converted there.
    fn looked_up<'p>(&self, on: &'p Predicate, place: usize) -> Option<(usize, &'p Expr)> {
        let (column, other) = on.equality_with(place)?;
        let held = Expr::Column { source: place, column }.sql_type(self);
        let kind = |sql_type| match sql_type {
            SqlType::TinyInt | SqlType::SmallInt | SqlType::BigInt => SqlType::Int,
            SqlType::NVarChar(_) | SqlType::VarChar(_) => SqlType::NVarChar(None),
            SqlType::Numeric { scale, .. } => SqlType::Numeric { precision: 38, scale },
            other => other,
        };
        (kind(held) == kind(other.sql_type(self))).then_some((column, other))
    }

    fn joined(
        &self,
        rows: &[Row],
        place: usize,
        numbers: &[u64],
        on: &Predicate,
        outer: bool,
    ) -> Result<Vec<Row>, EngineError> {
        let index =
            self.looked_up(on, place).map(|(column, other)| (self.index(place, column, numbers), other));
        let mut joined = Vec::new();
        for row in rows {
            let candidates: &[u64] = match &index {
                None => numbers,
                Some((index, other)) => {
                    let wanted = key(&other.value(self, row)?);
                    wanted.and_then(|k| index.get(&k)).map_or(&[], Vec::as_slice)
                }
            };
            let before = joined.len();
            for number in candidates {
                let mut with = row.clone();
                with.push(Some(*number));
                if on.holds(self, &with)? == Some(true) {
                    joined.push(with);
                }
            }
            if outer && joined.len() == before {
                let mut with = row.clone();
                with.push(None);
                joined.push(with);
            }
        }
        Ok(joined)
    }

    fn index(&self, place: usize, column: usize, numbers: &[u64]) -> BTreeMap<String, Vec<u64>> {
        let mut index: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let Some(source) = self.list.get(place) else { return index };
        for number in numbers {
            if let Some(key) = key(&source.table.value(*number, column)) {
                index.entry(key).or_default().push(*number);
            }
        }
        index
    }
}

fn cross(rows: &[Row], numbers: &[u64]) -> Vec<Row> {
    let with = |row: &Row, number: u64| {
        let mut with = row.clone();
        with.push(Some(number));
        with
    };
    rows.iter().flat_map(|row| numbers.iter().map(move |number| with(row, *number))).collect()
}

/// Bounds on the first table that every wanted row meets.
fn hints(condition: Option<&Predicate>) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut open: Vec<&Predicate> = condition.into_iter().collect();
    while let Some(predicate) = open.pop() {
        match predicate {
            Predicate::And(a, b) => open.extend([a.as_ref(), b.as_ref()]),
            Predicate::Compare(Expr::Column { source: 0, column }, how, Expr::Literal(value, _)) => {
                hints.push(Hint { column: *column, wanted: how.orders(), value: value.clone() });
            }
            Predicate::Compare(Expr::Literal(value, _), how, Expr::Column { source: 0, column }) => {
                hints.push(Hint { column: *column, wanted: how.turned().orders(), value: value.clone() });
            }
            _ => {}
        }
    }
    hints
}

/// A name as sqlparser reads it.
pub(crate) fn object_name(name: &AstName) -> Result<ObjectName, EngineError> {
    let part = |p: &sqlparser::ast::ObjectNamePart| {
        p.as_ident().map(|i| i.value.clone()).ok_or_else(|| unsupported("("))
    };
    let parts: Result<Vec<String>, EngineError> = name.0.iter().map(part).collect();
    Ok(ObjectName::of(&parts?))
}

impl Comparison {
    /// From sqlparser's operator.
    pub(super) fn of(operator: &BinaryOperator) -> Option<Self> {
        Some(match operator {
            BinaryOperator::Eq => Self::Equal,
            BinaryOperator::NotEq => Self::NotEqual,
            BinaryOperator::Lt => Self::Less,
            BinaryOperator::LtEq => Self::LessOrEqual,
            BinaryOperator::Gt => Self::Greater,
            BinaryOperator::GtEq => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The orders of left to right in which it holds.
    pub(super) fn orders(self) -> &'static [Ordering] {
        match self {
            Self::Equal => &[Ordering::Equal],
            Self::NotEqual => &[Ordering::Less, Ordering::Greater],
            Self::Less => &[Ordering::Less],
            Self::LessOrEqual => &[Ordering::Less, Ordering::Equal],
            Self::Greater => &[Ordering::Greater],
            Self::GreaterOrEqual => &[Ordering::Greater, Ordering::Equal],
        }
    }

    /// The same with the sides exchanged.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}
