//! How is a SELECT answered?
//!
//! FROM opens tables (comma, INNER, LEFT and CROSS joins; equality joins use an index), WHERE keeps rows, ORDER BY sorts,
//! TOP cuts, the projection computes what is shown. COUNT, MAX and MIN work over everything. Values are computed only where
//! they are used. What is not known here is asked of `query`, which knows more and takes longer.

mod compile;
mod expression;
mod functions;
mod sources;

use std::cmp::Ordering;

use sqlparser::ast::{
    Expr as Ast, GroupByExpr, Ident, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, Top, TopQuantity,
};
use tds::{Column, ResultSet, SqlType, Value};

use crate::{
    error::EngineError,
    sql::{Variables, session::SessionId, value},
    world::World,
};
use compile::Compiler;
pub(super) use compile::{literal_type, literal_value, no_condition, sql_type, wrong_count};
pub(super) use expression::like;
use expression::{Aggregate, Expr, Row};
use sources::Sources;
pub(super) use sources::object_name;

/// What the evaluation of a statement may look at.
pub(crate) struct Context<'w> {
    pub(crate) world: &'w World,
    pub(crate) session: SessionId,
    pub(crate) variables: &'w Variables,
}

/// One column of the projection.
struct Output {
    name: String,
    expr: Expr,
}

/// Why there is no answer here.
#[derive(Debug)]
enum Unable {
    /// It takes more than is known here.
    Beyond,
    /// It is wrong.
    Wrong(EngineError),
}

impl From<EngineError> for Unable {
    fn from(error: EngineError) -> Self {
        Self::Wrong(error)
    }
}

/// The error for what nothing here knows.
pub(super) fn unsupported(what: &str) -> EngineError {
    EngineError::new(102, format!("Incorrect syntax near '{what}'."))
}

/// The error for a function that is none.
fn no_function(name: &str) -> EngineError {
    EngineError::new(195, format!("'{name}' is not a recognized built-in function name."))
}

/// The error for two sources under one name.
pub(super) fn same_names(alias: &str) -> EngineError {
    let text = format!(
        "The objects \"{alias}\" in the FROM clause have the same exposed names. Use correlation names to distinguish them."
    );
    EngineError::new(1013, text)
}

/// The error for a wildcard over nothing, or over a name that is no source.
pub(super) fn nothing_to_unfold(alias: Option<&str>) -> EngineError {
    match alias {
        Some(alias) => EngineError::new(
            107,
            format!(
                "The column prefix '{alias}' does not match with a table name or alias name used in the query."
            ),
        ),
        None => EngineError::new(263, "Must specify table to select from."),
    }
}

/// The place that a number in ORDER BY means. Error 108 for one that is none.
pub(super) fn place_of(value: &Value, outputs: usize) -> Result<usize, EngineError> {
    let number = value::integer(value, "int")?.unwrap_or(0);
    let place = usize::try_from(number).ok().and_then(|p| p.checked_sub(1)).filter(|p| *p < outputs);
    place.ok_or_else(|| {
        EngineError::new(108, format!("The ORDER BY position number {number} is out of range of the number of items in the select list."))
    })
}

/// Runs a query. `None` when it only assigns variables.
pub(crate) fn run(
    world: &World,
    session: SessionId,
    variables: &mut Variables,
    query: &Query,
) -> Result<Option<ResultSet>, EngineError> {
    let context = Context { world, session, variables };
    let set = match native(&context, query) {
        Ok(set) => set,
        Err(Unable::Wrong(error)) => return Err(error),
        Err(Unable::Beyond) => super::query::run(&context, query)?,
    };
    variables.receive("@@rowcount", i64::try_from(set.rows.len()).map_or(Value::Null, Value::Int));
    if set.columns.iter().all(|c| c.name.starts_with('@')) {
        assign(variables, &set.columns, set.rows.last())?;
        return Ok(None);
    }
    Ok(Some(set))
}

/// The answer to a query, where it is one of those that are known here.
fn native(context: &Context<'_>, query: &Query) -> Result<ResultSet, Unable> {
    let more = query.with.is_some()
        || query.fetch.is_some()
        || query.for_clause.is_some()
        || query.limit_clause.is_some();
    let SetExpr::Select(select) = query.body.as_ref() else { return Err(Unable::Beyond) };
    let order = match query.order_by.as_ref().map(|o| &o.kind) {
        None => &[][..],
        Some(OrderByKind::Expressions(list)) => list.as_slice(),
        Some(OrderByKind::All(_)) => return Err(Unable::Beyond),
    };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    if more || grouped || select.having.is_some() || select.distinct.is_some() || select.into.is_some() {
        return Err(Unable::Beyond);
    }
    let sources = Sources::open(context, &select.from)?;
    let outputs = outputs(context, &sources, select)?;
    let keys = sort_keys(context, &sources, order, &outputs)?;
    let top = select.top.as_ref().map(|t| top(context, t)).transpose()?;
    let rows = rows(context, &sources, select, &outputs, &keys, top)?;
    Ok(ResultSet { columns: described(&sources, outputs), rows, affected: None })
}

/// The value of an expression without tables.
pub(crate) fn constant(
    world: &World,
    session: SessionId,
    variables: &Variables,
    ast: &Ast,
) -> Result<Value, EngineError> {
    let context = Context { world, session, variables };
    let sources = Sources::none();
    match (Compiler { context: &context, sources: &sources }).scalar(ast) {
        Ok(expr) => expr.value(&sources, &Row::new()),
        Err(Unable::Wrong(error)) => Err(error),
        Err(Unable::Beyond) => super::query::constant(&context, ast),
    }
}

/// What is a constant here: a variable, a clock, a property of the server. Errors 195 and 102 for what is not known.
pub(super) fn constant_of(context: &Context<'_>, ast: &Ast) -> Result<(Value, SqlType), EngineError> {
    let sources = Sources::none();
    match (Compiler { context, sources: &sources }).scalar(ast) {
        Ok(expr) => Ok((expr.value(&sources, &Row::new())?, expr.sql_type(&sources))),
        Err(Unable::Wrong(error)) => Err(error),
        Err(Unable::Beyond) => Err(match ast {
            Ast::Function(function) => no_function(&function.name.to_string().to_lowercase()),
            other => unsupported(&other.to_string()),
        }),
    }
}

/// Whether a condition without tables holds.
pub(crate) fn holds(
    world: &World,
    session: SessionId,
    variables: &Variables,
    ast: &Ast,
) -> Result<bool, EngineError> {
    let context = Context { world, session, variables };
    let sources = Sources::none();
    match (Compiler { context: &context, sources: &sources }).predicate(ast) {
        Ok(predicate) => Ok(predicate.holds(&sources, &Row::new())? == Some(true)),
        Err(Unable::Wrong(error)) => Err(error),
        Err(Unable::Beyond) => super::query::holds(&context, ast),
    }
}

fn assign(
    variables: &mut Variables,
    outputs: &[Column],
    row: Option<&Vec<Value>>,
) -> Result<(), EngineError> {
    for (place, column) in outputs.iter().enumerate() {
        match row.and_then(|row| row.get(place)) {
            Some(value) => variables.set(&column.name, value.clone())?,
            // No row leaves it as it is, but it must be there.
            None if variables.contains(&column.name) => {}
            None => return Err(super::batch::no_variable(&column.name)),
        }
    }
    Ok(())
}

fn described(sources: &Sources<'_>, outputs: Vec<Output>) -> Vec<Column> {
    let describe = |o: Output| Column { sql_type: o.expr.sql_type(sources), name: o.name, nullable: true };
    outputs.into_iter().map(describe).collect()
}

/// The projection: items with their names, wildcards unfolded.
fn outputs(context: &Context<'_>, sources: &Sources<'_>, select: &Select) -> Result<Vec<Output>, Unable> {
    let compiler = Compiler { context, sources };
    let mut outputs = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(ast) => {
                outputs.push(Output { name: implied_name(ast), expr: compiler.scalar(ast)? });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                outputs.push(Output { name: alias.value.clone(), expr: compiler.scalar(expr)? });
            }
            SelectItem::Wildcard(_) => outputs.extend(wildcard(sources, None)?),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                outputs.extend(wildcard(sources, Some(&name.to_string()))?);
            }
            _ => return Err(Unable::Beyond),
        }
    }
    // An aggregate is known here where it is all of an expression.
    if outputs.iter().any(|o| o.expr.aggregates() && o.expr.aggregate().is_none()) {
        return Err(Unable::Beyond);
    }
    let aggregates = outputs.iter().filter(|o| o.expr.aggregate().is_some()).count();
    if aggregates > 0 && aggregates < outputs.len() {
        return Err(Unable::Beyond);
    }
    Ok(outputs)
}

/// The name that a column has from its expression.
pub(super) fn implied_name(ast: &Ast) -> String {
    match ast {
        Ast::Identifier(Ident { value, .. }) if !value.starts_with('@') => value.clone(),
        Ast::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn wildcard(sources: &Sources<'_>, alias: Option<&str>) -> Result<Vec<Output>, EngineError> {
    let wanted = alias.map(|a| a.trim_matches(['[', ']', '"']).to_lowercase());
    let mut outputs = Vec::new();
    for (source, held) in sources.list.iter().enumerate() {
        if wanted.as_ref().is_some_and(|w| *w != held.alias) {
            continue;
        }
        let columns = held.table.columns().iter().enumerate();
        outputs.extend(
            columns.map(|(column, spec)| Output {
                name: spec.name.into(),
                expr: Expr::Column { source, column },
            }),
        );
    }
    if outputs.is_empty() {
        return Err(nothing_to_unfold(alias));
    }
    Ok(outputs)
}

/// A sort key: an output by its place, or an expression; and whether it descends.
enum SortKey {
    Output(usize, bool),
    Expression(Expr, bool),
}

fn sort_keys(
    context: &Context<'_>,
    sources: &Sources<'_>,
    order: &[sqlparser::ast::OrderByExpr],
    outputs: &[Output],
) -> Result<Vec<SortKey>, Unable> {
    let compiler = Compiler { context, sources };
    let mut keys = Vec::new();
    for item in order {
        let descends = matches!(item.options.sort, Some(sqlparser::ast::OrderBySort::Desc));
        let by_name = match &item.expr {
            Ast::Identifier(name) => outputs.iter().position(|o| o.name.eq_ignore_ascii_case(&name.value)),
            _ => None,
        };
        let by_place = match &item.expr {
            Ast::Value(place) => Some(place_of(&literal_value(&place.value)?, outputs.len())?),
            _ => None,
        };
        keys.push(match by_name.or(by_place) {
            Some(place) => SortKey::Output(place, descends),
            None => match compiler.scalar(&item.expr)? {
                expr if expr.aggregates() => return Err(Unable::Beyond),
                expr => SortKey::Expression(expr, descends),
            },
        });
    }
    Ok(keys)
}

fn top(context: &Context<'_>, top: &Top) -> Result<usize, Unable> {
    if top.percent || top.with_ties {
        return Err(Unable::Beyond);
    }
    let count = match &top.quantity {
        None => return Err(Unable::Beyond),
        Some(TopQuantity::Constant(count)) => *count,
        Some(TopQuantity::Expr(ast)) => {
            let sources = Sources::none();
            let value = Compiler { context, sources: &sources }.scalar(ast)?.value(&sources, &Row::new())?;
            let count = value::integer(&value, "bigint")?.unwrap_or(0);
            u64::try_from(count)
                .map_err(|_| EngineError::new(127, "A TOP N or FETCH rowcount value may not be negative."))?
        }
    };
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The rows of the result.
fn rows(
    context: &Context<'_>,
    sources: &Sources<'_>,
    select: &Select,
    outputs: &[Output],
    keys: &[SortKey],
    top: Option<usize>,
) -> Result<Vec<Vec<Value>>, Unable> {
    let mut kept = sources.rows(context, select.selection.as_ref())?;
    if outputs.iter().any(|o| o.expr.aggregate().is_some()) {
        let row: Result<Vec<Value>, EngineError> =
            outputs.iter().map(|o| aggregate(sources, &o.expr, &kept)).collect();
        return Ok(vec![row?]);
    }
    if keys.is_empty() {
        kept.truncate(top.unwrap_or(usize::MAX));
    } else {
        kept = sorted(sources, outputs, keys, kept)?;
        kept.truncate(top.unwrap_or(usize::MAX));
    }
    let shown = |row: &Row| outputs.iter().map(|o| o.expr.value(sources, row)).collect();
    let rows: Result<Vec<Vec<Value>>, EngineError> = kept.iter().map(shown).collect();
    Ok(rows?)
}

fn sorted(
    sources: &Sources<'_>,
    outputs: &[Output],
    keys: &[SortKey],
    rows: Vec<Row>,
) -> Result<Vec<Row>, EngineError> {
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let expr = match key {
                SortKey::Expression(expr, _) => Some(expr),
                SortKey::Output(place, _) => outputs.get(*place).map(|o| &o.expr),
            };
            values.push(expr.map_or(Ok(Value::Null), |e| e.value(sources, &row))?);
        }
        keyed.push((values, row));
    }
    keyed.sort_by(|(a, _), (b, _)| {
        let pairs = a.iter().zip(b).zip(keys);
        pairs
            .map(|((a, b), key)| {
                let (SortKey::Output(_, descends) | SortKey::Expression(_, descends)) = key;
                let order = value::order(a, b);
                if *descends { order.reverse() } else { order }
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
    Ok(keyed.into_iter().map(|(_, row)| row).collect())
}

fn aggregate(sources: &Sources<'_>, expr: &Expr, rows: &[Row]) -> Result<Value, EngineError> {
    let Some((kind, argument)) = expr.aggregate() else { return Ok(Value::Null) };
    let mut count = 0_i64;
    let mut best = Value::Null;
    for row in rows {
        let value = argument.map_or(Ok(Value::Bit(true)), |a| a.value(sources, row))?;
        if value == Value::Null {
            continue;
        }
        count += 1;
        let wanted = if kind == Aggregate::Max { Ordering::Greater } else { Ordering::Less };
        if best == Value::Null || value::order(&value, &best) == wanted {
            best = value;
        }
    }
    Ok(if matches!(kind, Aggregate::Count | Aggregate::CountBig) { Value::Int(count) } else { best })
}
