//! How are whole queries translated: common table expressions, UNION and its kin, ORDER BY, OFFSET and FETCH?

use sqlparser::ast::{
    Cte, Expr as Ast, LimitClause, OrderByExpr, OrderByKind, Query, SetExpr, SetOperator, SetQuantifier,
    Values, With,
};
use tds::SqlType;

use crate::{
    error::EngineError,
    sql::{
        query::{
            Common, Output, Term, Translated, Translator, aggregates::direction, calls::Call, scope::Scope,
            types::common,
        },
        select::{self, unsupported},
    },
};

/// What a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Its rows are the answer.
    Result,
    /// It stands inside another.
    Nested,
    /// Only whether it has rows counts.
    Exists,
}

impl Translator<'_, '_> {
    /// A query.
    pub(super) fn query(&mut self, query: &Query, purpose: Use) -> Result<Translated, EngineError> {
        if query.for_clause.is_some() {
            return Err(unsupported("FOR"));
        }
        let known = self.commons.len();
        let with = query.with.as_ref().map(|with| self.with(with)).transpose();
        let translated = with.and_then(|with| {
            let mut translated = self.ordered(query, purpose)?;
            if let Some(with) = with {
                translated.sql = format!("{with} {}", translated.sql);
            }
            Ok(translated)
        });
        self.commons.truncate(known);
        translated
    }

    fn ordered(&mut self, query: &Query, purpose: Use) -> Result<Translated, EngineError> {
        let order: &[OrderByExpr] = match query.order_by.as_ref().map(|o| &o.kind) {
            None => &[],
            Some(OrderByKind::Expressions(list)) => list,
            Some(OrderByKind::All(_)) => return Err(unsupported("ALL")),
        };
        let cut = self.cut(query)?;
        let top = query.body.as_select().is_some_and(|s| s.top.is_some());
        if !order.is_empty() && purpose != Use::Result && cut.is_empty() && !top {
            let text = "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR XML is also specified.";
            return Err(EngineError::new(1033, text));
        }
        if let SetExpr::Select(select) = query.body.as_ref() {
            return self.body(select, order, &cut, purpose);
        }
        let translated = self.set(&query.body, purpose)?;
        if order.is_empty() && cut.is_empty() {
            return Ok(translated);
        }
        let mut keys = Vec::new();
        for item in order {
            let at = match &item.expr {
                Ast::Identifier(name) => {
                    translated.columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name.value))
                }
                Ast::Value(place) => {
                    Some(select::place_of(&select::literal_value(&place.value)?, translated.columns.len())?)
                }
                _ => None,
            };
            let Some((at, column)) = at.and_then(|at| Some((at, translated.columns.get(at)?))) else {
                let text = "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.";
                return Err(EngineError::new(104, text));
            };
            let key = Term::new(format!("c{at}"), column.sql_type);
            keys.push(format!("{}{}", key.sql, direction(item)));
        }
        let order = if keys.is_empty() { String::new() } else { format!(" ORDER BY {}", keys.join(", ")) };
        Ok(Translated { sql: format!("SELECT * FROM ({}){order}{cut}", translated.sql), ..translated })
    }

    /// OFFSET and FETCH.
    fn cut(&mut self, query: &Query) -> Result<String, EngineError> {
        let offset = match &query.limit_clause {
            None => None,
            Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => {
                offset.as_ref()
            }
            Some(_) => return Err(unsupported("LIMIT")),
        };
        let fetch = match &query.fetch {
            None => None,
            Some(fetch) if fetch.percent || fetch.with_ties => return Err(unsupported("FETCH")),
            Some(fetch) => fetch.quantity.as_ref(),
        };
        let skipped = offset.map(|o| self.count(&o.value)).transpose()?;
        let taken = fetch.map(|ast| self.count(ast)).transpose()?;
        let most = i64::MAX.cast_unsigned();
        Ok(match (skipped, taken) {
            (None, None) => String::new(),
            (skipped, taken) => {
                format!(
                    " LIMIT {} OFFSET {}",
                    taken.unwrap_or(most).min(most),
                    skipped.unwrap_or(0).min(most)
                )
            }
        })
    }

    fn set(&mut self, body: &SetExpr, purpose: Use) -> Result<Translated, EngineError> {
        match body {
            SetExpr::Select(select) => self.body(select, &[], "", purpose),
            SetExpr::Query(query) => self.deeper(|inside| inside.query(query, purpose)),
            SetExpr::SetOperation { .. } => self.united(body, purpose),
            SetExpr::Values(values) => self.values(values),
            other => Err(unsupported(&other.to_string())),
        }
    }

    /// Queries as one: a chain of them lies flat, however long it is. Error 205 for different numbers of columns.
    fn united(&mut self, body: &SetExpr, purpose: Use) -> Result<Translated, EngineError> {
        // EXISTS unfolds no wildcards, but all sides must have as many columns.
        let purpose = if purpose == Use::Exists { Use::Nested } else { purpose };
        let (mut rest, mut body) = (Vec::new(), body);
        while let SetExpr::SetOperation { left, op, set_quantifier, right } = body {
            rest.push((word(*op, *set_quantifier)?, right));
            body = left;
        }
        let first = self.deeper(|inside| inside.set(body, purpose))?;
        let (mut columns, mut parts) = (first.columns.clone(), vec![("", first)]);
        for (word, right) in rest.into_iter().rev() {
            let next = self.deeper(|inside| inside.set(right, purpose))?;
            if next.columns.len() != columns.len() {
                return Err(different_numbers());
            }
            for (held, other) in columns.iter_mut().zip(&next.columns) {
                held.sql_type = match (held.untyped, other.untyped) {
                    (true, _) => other.sql_type,
                    (_, true) => held.sql_type,
                    _ => common(held.sql_type, other.sql_type),
                };
                held.untyped &= other.untyped;
            }
            parts.push((word, next));
        }
        let mut texts = Vec::new();
        for (word, part) in parts {
            texts.push(format!("{word} {}", self.as_columns(&part, &columns)?));
        }
        Ok(Translated { sql: format!("SELECT * FROM ({})", texts.join(" ")), columns })
    }

    /// Rows that the text gives. Error 10709 for rows of different lengths.
    fn values(&mut self, values: &Values) -> Result<Translated, EngineError> {
        self.scopes.push(Scope::new());
        let rows: Result<Vec<Vec<Term>>, EngineError> =
            values.rows.iter().map(|row| row.iter().map(|ast| self.scalar(ast)).collect()).collect();
        self.scopes.pop();
        let rows = rows?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            let text = "The number of columns for each row in a table value constructor must be the same.";
            return Err(EngineError::new(10_709, text));
        }
        let column = |at: usize| rows.iter().filter_map(|row| row.get(at)).cloned().collect::<Vec<Term>>();
        let types: Vec<SqlType> = (0..width).map(|at| Self::together(&column(at))).collect();
        let mut texts = Vec::new();
        for row in rows {
            let mut cells = Vec::new();
            for (term, sql_type) in row.into_iter().zip(&types) {
                cells.push(self.brought(term, *sql_type)?.sql);
            }
            texts.push(format!("({})", cells.join(", ")));
        }
        let listed: Vec<String> = (0..width).map(|at| format!("column{} AS c{at}", at + 1)).collect();
        let sql = format!("SELECT {} FROM (VALUES {})", listed.join(", "), texts.join(", "));
        Ok(Translated { sql, columns: types.into_iter().map(|t| Output::new("", t)).collect() })
    }

    /// A query whose columns have other types.
    fn as_columns(&mut self, translated: &Translated, wanted: &[Output]) -> Result<String, EngineError> {
        let mut listed = Vec::new();
        for (at, (held, wanted)) in translated.columns.iter().zip(wanted).enumerate() {
            let term = self.brought(Term::new(format!("c{at}"), held.sql_type), wanted.sql_type)?;
            listed.push(format!("{} AS c{at}", term.sql));
        }
        Ok(format!("SELECT {} FROM ({})", listed.join(", "), translated.sql))
    }

    /// WITH: each expression sees those before it, and itself behind a UNION ALL.
    fn with(&mut self, with: &With) -> Result<String, EngineError> {
        let mut texts = Vec::new();
        for cte in &with.cte_tables {
            texts.push(self.deeper(|inside| inside.common(cte))?);
        }
        Ok(format!("WITH RECURSIVE {}", texts.join(", ")))
    }

    fn common(&mut self, cte: &Cte) -> Result<String, EngineError> {
        let (name, table) = (cte.alias.name.value.to_lowercase(), self.name('w'));
        let (around, before) = (std::mem::take(&mut self.scopes), self.unfolded);
        let translated = match cte.query.body.as_ref() {
            SetExpr::SetOperation {
                left,
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                right,
            } if cte.query.with.is_none() && mentions(right, &name) => {
                self.recursive(cte, &name, &table, left, right)
            }
            _ => self.query(&cte.query, Use::Nested),
        };
        self.scopes = around;
        let translated = translated?;
        let columns = named(cte, &translated.columns)?;
        let recursive =
            self.commons.last().is_some_and(|c| c.name == name && c.recursive && c.table == table);
        if recursive {
            self.commons.pop();
        }
        let mut places: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        if recursive {
            places.push("depth".into());
        }
        self.commons.push(Common {
            name,
            table: table.clone(),
            columns,
            recursive: false,
            unfolds: self.unfolded - before + 1,
        });
        Ok(format!("{table}({}) AS ({})", places.join(", "), translated.sql))
    }

    /// An expression that refers to itself: its depth is counted in one more column.
    fn recursive(
        &mut self,
        cte: &Cte,
        name: &str,
        table: &str,
        anchor: &SetExpr,
        member: &SetExpr,
    ) -> Result<Translated, EngineError> {
        let anchor = self.set(anchor, Use::Nested)?;
        let columns = named(cte, &anchor.columns)?;
        let held = Common { name: name.into(), table: table.into(), columns, recursive: true, unfolds: 0 };
        self.commons.push(held);
        let SetExpr::Select(select) = member else { return Err(unsupported("UNION")) };
        let member = self.parts(select, &[], "", Use::Nested)?;
        if member.outputs.len() != anchor.columns.len() {
            return Err(different_numbers());
        }
        let mut listed = Vec::new();
        for ((_, term), wanted) in member.outputs.iter().zip(&anchor.columns) {
            listed.push(self.brought(term.clone(), wanted.sql_type)?.sql);
        }
        let depth = self.recursion.take().unwrap_or_else(|| "0".into());
        listed.push(self.engine.call(Call::Deeper(self.recursion_max), &[&depth]));
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        let sql = format!("SELECT *, 0 FROM ({}) UNION ALL {}", anchor.sql, member.written(&listed));
        Ok(Translated { sql, columns: anchor.columns })
    }
}

fn different_numbers() -> EngineError {
    let text = "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.";
    EngineError::new(205, text)
}

fn word(op: SetOperator, quantifier: SetQuantifier) -> Result<&'static str, EngineError> {
    Ok(match (op, quantifier) {
        (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
        (SetOperator::Union, SetQuantifier::None) => "UNION",
        (SetOperator::Intersect, SetQuantifier::None) => "INTERSECT",
        (SetOperator::Except, SetQuantifier::None) => "EXCEPT",
        (other, _) => return Err(unsupported(&other.to_string())),
    })
}

/// The columns of a common table expression under the names it gives them.
fn named(cte: &Cte, columns: &[Output]) -> Result<Vec<Output>, EngineError> {
    let renamed = super::from::columns("", columns, Some(&cte.alias))?;
    super::from::unlike(&renamed, &cte.alias.name.value)?;
    Ok(renamed.into_iter().map(|c| Output::new(c.name, c.sql_type)).collect())
}

/// Whether a body takes rows from a table of this name.
fn mentions(body: &SetExpr, name: &str) -> bool {
    let SetExpr::Select(select) = body else { return false };
    let tables = select.from.iter().flat_map(|group| {
        std::iter::once(&group.relation).chain(group.joins.iter().map(|join| &join.relation))
    });
    tables.into_iter().any(|factor| match factor {
        sqlparser::ast::TableFactor::Table { name: table, .. } => {
            table.to_string().eq_ignore_ascii_case(name)
        }
        _ => false,
    })
}
