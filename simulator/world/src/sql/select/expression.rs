//! What is the value of an expression in a row?
//!
//! Scalars and predicates are two types, as in T-SQL, which has no boolean values; predicates know three truths.

use std::cmp::Ordering;

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        convert::cast,
        select::{functions, sources::Sources},
        value::{self, folded},
    },
};

/// A row: the number of a row of each table so far; `None` where a LEFT JOIN found nothing.
pub(super) type Row = Vec<Option<u64>>;

/// Aggregates over all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    CountBig,
    Max,
    Min,
}

/// Functions of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// ISNULL and COALESCE.
    FirstValue,
    Upper,
    Lower,
    Length,
    /// `+` of text.
    Join,
    Negate,
}

/// A scalar.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Literal(Value, SqlType),
    Column {
        source: usize,
        column: usize,
    },
    Call(Function, Vec<Expr>),
    Cast(Box<Expr>, SqlType),
    /// CASE: conditions with results, and the result when none holds.
    Case(Vec<(Predicate, Expr)>, Option<Box<Expr>>),
    /// COUNT(*) has no argument.
    Aggregate(Aggregate, Option<Box<Expr>>),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A predicate.
#[derive(Debug, Clone)]
pub(super) enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    Not(Box<Predicate>),
    Compare(Expr, Comparison, Expr),
    IsNull(Expr),
    In(Expr, Vec<Expr>),
    Like(Expr, Expr),
}

impl Expr {
    /// The aggregate it is, with its argument.
    pub(super) fn aggregate(&self) -> Option<(Aggregate, Option<&Expr>)> {
        match self {
            Self::Aggregate(kind, argument) => Some((*kind, argument.as_deref())),
            _ => None,
        }
    }

    /// Whether there is an aggregate in it.
    pub(super) fn aggregates(&self) -> bool {
        match self {
            Self::Aggregate(..) => true,
            Self::Cast(inner, _) => inner.aggregates(),
            Self::Call(_, arguments) => arguments.iter().any(Self::aggregates),
            Self::Case(branches, otherwise) => {
                branches.iter().any(|(_, result)| result.aggregates())
                    || otherwise.as_ref().is_some_and(|e| e.aggregates())
            }
            Self::Literal(..) | Self::Column { .. } => false,
        }
    }

    /// Its value in a row. Of an aggregate the caller takes the argument.
    pub(super) fn value(&self, sources: &Sources<'_>, row: &Row) -> Result<Value, EngineError> {
        match self {
            Self::Literal(value, _) => Ok(value.clone()),
            Self::Column { source, column } => {
                let number = row.get(*source).copied().flatten();
                let table = sources.list.get(*source).map(|s| &s.table);
                Ok(number.zip(table).map_or(Value::Null, |(number, table)| table.value(number, *column)))
            }
            Self::Call(function, arguments) => {
                let values: Result<Vec<Value>, EngineError> =
                    arguments.iter().map(|a| a.value(sources, row)).collect();
                functions::call(*function, &values?)
            }
            Self::Cast(inner, target) => cast(&inner.value(sources, row)?, *target),
            Self::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.holds(sources, row)? == Some(true) {
                        return result.value(sources, row);
                    }
                }
                otherwise.as_ref().map_or(Ok(Value::Null), |e| e.value(sources, row))
            }
            Self::Aggregate(_, argument) => {
                argument.as_ref().map_or(Ok(Value::Null), |a| a.value(sources, row))
            }
        }
    }

    /// Whether it is NULL, which has no type of its own.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Literal(Value::Null, _))
    }

    /// Its type.
    pub(super) fn sql_type(&self, sources: &Sources<'_>) -> SqlType {
        match self {
            Self::Literal(_, sql_type) | Self::Cast(_, sql_type) => *sql_type,
            Self::Column { source, column } => {
                let spec = sources.list.get(*source).and_then(|s| s.table.columns().get(*column));
                spec.map_or(SqlType::Int, |s| s.sql_type)
            }
            Self::Call(function, arguments) => match function {
                Function::Length => SqlType::Int,
                Function::Upper | Function::Lower | Function::Join => SqlType::NVarChar(Some(4000)),
                _ => widest(arguments, sources),
            },
            Self::Case(branches, otherwise) => {
                widest(branches.iter().map(|(_, result)| result).chain(otherwise.as_deref()), sources)
            }
            Self::Aggregate(Aggregate::Count, _) => SqlType::Int,
            Self::Aggregate(Aggregate::CountBig, _) => SqlType::BigInt,
            Self::Aggregate(_, argument) => argument.as_ref().map_or(SqlType::Int, |a| a.sql_type(sources)),
        }
    }

    /// Whether it looks only at tables before a place.
    fn only_before(&self, place: usize) -> bool {
        match self {
            Self::Literal(..) => true,
            Self::Column { source, .. } => *source < place,
            _ => false,
        }
    }
}

/// The type of expressions that are alike: of texts the widest.
fn widest<'e>(exprs: impl IntoIterator<Item = &'e Expr>, sources: &Sources<'_>) -> SqlType {
    let typed = exprs.into_iter().filter(|e| !e.is_null()).map(|e| e.sql_type(sources));
    let wider = |a, b| match (a, b) {
        (SqlType::NVarChar(Some(x)), SqlType::NVarChar(Some(y))) => SqlType::NVarChar(Some(x.max(y))),
        (SqlType::NVarChar(Some(x)), SqlType::VarChar(Some(y))) if x < y => SqlType::VarChar(Some(y)),
        (_, other @ (SqlType::NVarChar(None) | SqlType::VarChar(None))) => other,
        (held, _) => held,
    };
    typed.reduce(wider).unwrap_or(SqlType::Int)
}

impl Predicate {
    /// Whether it holds in a row; `None` is unknown.
    pub(super) fn holds(&self, sources: &Sources<'_>, row: &Row) -> Result<Option<bool>, EngineError> {
        Ok(match self {
            Self::And(a, b) => match a.holds(sources, row)? {
                Some(false) => Some(false),
                left => match (left, b.holds(sources, row)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), right) => right,
                    _ => None,
                },
            },
            Self::Or(a, b) => match a.holds(sources, row)? {
                Some(true) => Some(true),
                left => match (left, b.holds(sources, row)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), right) => right,
                    _ => None,
                },
            },
            Self::Not(inner) => inner.holds(sources, row)?.map(|h| !h),
            Self::Compare(a, how, b) => {
                let order = value::compare(&a.value(sources, row)?, &b.value(sources, row)?)?;
                order.map(|order| how.orders().contains(&order))
            }
            Self::IsNull(expr) => Some(expr.value(sources, row)? == Value::Null),
            Self::In(expr, list) => {
                let wanted = expr.value(sources, row)?;
                let mut unknown = false;
                for item in list {
                    match value::compare(&wanted, &item.value(sources, row)?)? {
                        Some(Ordering::Equal) => return Ok(Some(true)),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                if unknown { None } else { Some(false) }
            }
            Self::Like(expr, pattern) => {
                let (held, pattern) =
                    (value::text(&expr.value(sources, row)?), value::text(&pattern.value(sources, row)?));
                held.zip(pattern).map(|(held, pattern)| like(&held, &pattern))
            }
        })
    }

    /// A column of the table at `place` that must equal something known before it.
    pub(super) fn equality_with(&self, place: usize) -> Option<(usize, &Expr)> {
        match self {
            Self::And(a, b) => a.equality_with(place).or_else(|| b.equality_with(place)),
            Self::Compare(Expr::Column { source, column }, Comparison::Equal, other) if *source == place => {
                other.only_before(place).then_some((*column, other))
            }
            Self::Compare(other, Comparison::Equal, Expr::Column { source, column }) if *source == place => {
                other.only_before(place).then_some((*column, other))
            }
            _ => None,
        }
    }
}

/// LIKE with `%`, `_` and `[...]`, without regard to case.
pub(crate) fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = folded(text).chars().collect();
    let pattern = atoms(&pattern.to_lowercase());
    // Greedy with one place to come back to: enough, because only `%` matches more than one character.
    let (mut t, mut p, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(Atom::Any) => {
                back = Some((p, t));
                p += 1;
            }
            Some(atom) if text.get(t).is_some_and(|c| atom.matches(*c)) => (t, p) = (t + 1, p + 1),
            _ => match back {
                Some((at, from)) => {
                    back = Some((at, from + 1));
                    (t, p) = (from + 1, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or(&[]).iter().all(|a| matches!(a, Atom::Any))
}

enum Atom {
    Any,
    One,
    Is(char),
    Set(Vec<(char, char)>, bool),
}

impl Atom {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Is(wanted) => *wanted == c,
            Self::Set(ranges, inside) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) == *inside
            }
        }
    }
}

fn atoms(pattern: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        atoms.push(match c {
            '%' => Atom::Any,
            '_' => Atom::One,
            '[' if chars.clone().any(|c| c == ']') => {
                let inside = chars.next_if_eq(&'^').is_none();
                let mut ranges = Vec::new();
                while let Some(from) = chars.next().filter(|c| *c != ']') {
                    let to =
                        if chars.next_if_eq(&'-').is_some() { chars.next().unwrap_or(from) } else { from };
                    ranges.push((from, to));
                }
                Atom::Set(ranges, inside)
            }
            other => Atom::Is(other),
        });
    }
    atoms
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_matches_as_t_sql_does() {
        for (text, pattern, matches) in [
            ("Orders", "ord%", true),
            ("Orders", "%DERS", true),
            ("Orders", "o_ders", true),
            ("Orders", "o_der", false),
            ("a_b", "a[_]b", true),
            ("axb", "a[_]b", false),
            ("db7", "db[0-9]", true),
            ("dbx", "db[^0-9]", true),
            ("", "%", true),
            ("aab", "%ab", true),
            ("[", "[", true),
        ] {
            assert_eq!(like(text, pattern), matches, "{text} {pattern}");
        }
    }
}
