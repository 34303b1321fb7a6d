//! How is a FROM clause translated?
//!
//! Tables of the world are loaded under names of their own; derived tables and common table expressions stand in their
//! place. A name of the clause is known from its table on, as T-SQL has it.

use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, ObjectName as AstName,
    Query, TableAlias, TableFactor, TableFunctionArgs, TableWithJoins,
};
use tds::Value;

use crate::{
    error::EngineError,
    sql::{
        query::{
            Load, Output, Translator,
            scope::{Column, Source},
            sets::Use,
        },
        select::{self, unsupported},
    },
};

/// Common table expressions that are unfolded in one query: each is where it is met, with all that it is made of.
const UNFOLDED_MAX: usize = 1_000;

impl Translator<'_, '_> {
    /// The clause, or nothing where there is none.
    pub(super) fn from(&mut self, from: &[TableWithJoins]) -> Result<String, EngineError> {
        let mut sql = String::new();
        for group in from {
            let before = sql.clone();
            let mut joined = self.factor(&group.relation)?;
            for join in &group.joins {
                // APPLY takes what stands before it, also before a comma, as one table.
                let all = if before.is_empty() { joined.clone() } else { format!("{before}, ({joined})") };
                if let Some(text) = self.joined(&joined, join)? {
                    joined = text;
                } else {
                    joined = self.apply(&all, join)?;
                    sql.clear();
                }
            }
            let joined = if group.joins.is_empty() { joined } else { format!("({joined})") };
            sql = if sql.is_empty() { joined } else { format!("{sql}, {joined}") };
        }
        Ok(if sql.is_empty() { sql } else { format!(" FROM {sql}") })
    }

    /// A join; `None` for APPLY.
    fn joined(&mut self, left: &str, join: &Join) -> Result<Option<String>, EngineError> {
        let (how, on) = match &join.join_operator {
            JoinOperator::Join(on) | JoinOperator::Inner(on) => ("JOIN", Some(on)),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("LEFT JOIN", Some(on)),
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => ("RIGHT JOIN", Some(on)),
            JoinOperator::FullOuter(on) => ("FULL JOIN", Some(on)),
            JoinOperator::CrossJoin(_) => ("JOIN", None),
            JoinOperator::CrossApply | JoinOperator::OuterApply => return Ok(None),
            _ => return Err(unsupported("JOIN")),
        };
        let right = self.factor(&join.relation)?;
        Ok(Some(match on {
            None => format!("{left} {how} {right}"),
            Some(JoinConstraint::On(on)) => format!("{left} {how} {right} ON {}", self.predicate(on)?),
            Some(_) => return Err(unsupported("JOIN")),
        }))
    }

    /// A table, a derived table or joins in brackets.
    fn factor(&mut self, factor: &TableFactor) -> Result<String, EngineError> {
        match factor {
            TableFactor::Table { name, alias, args, .. } => {
                let arguments = args.as_ref().map(|given| self.constants(given)).transpose()?;
                self.table(name, alias.as_ref(), arguments.as_deref())
            }
            TableFactor::Derived { subquery, alias, .. } => self.derived(subquery, alias.as_ref()),
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let mut joined = self.factor(&table_with_joins.relation)?;
                for join in &table_with_joins.joins {
                    joined = self.joined(&joined, join)?.ok_or_else(|| unsupported("APPLY"))?;
                }
                Ok(format!("({joined})"))
            }
            other => Err(unsupported(&other.to_string())),
        }
    }

    fn constants(&mut self, given: &TableFunctionArgs) -> Result<Vec<Value>, EngineError> {
        let mut values = Vec::new();
        for ast in arguments(given)? {
            values.push(super::constant(self.context, ast)?);
        }
        Ok(values)
    }

    /// A table of the world or a common table expression. Error 208.
    pub(super) fn table(
        &mut self,
        name: &AstName,
        alias: Option<&TableAlias>,
        arguments: Option<&[Value]>,
    ) -> Result<String, EngineError> {
        let named = select::object_name(name)?;
        let exposed = alias.map_or_else(|| named.object.clone(), |a| a.name.value.to_lowercase());
        let label = self.name('s');
        let common = self.commons.iter().rev().find(|c| {
            c.name == named.object
                && named.schema.is_empty()
                && named.database.is_empty()
                && arguments.is_none()
        });
        if let Some(common) = common.cloned() {
            self.unfolded += common.unfolds;
            if self.unfolded > UNFOLDED_MAX {
                let text =
                    "The query processor ran out of internal resources and could not produce a query plan.";
                return Err(EngineError::new(8623, text));
            }
            let columns = columns(&label, &common.columns, alias)?;
            self.add(Source { alias: exposed, columns, load: None })?;
            if common.recursive {
                self.recursion = Some(format!("{label}.depth"));
            }
            return Ok(format!("{} AS {label}", common.table));
        }
        let table = self.context.world.open_table(self.context.session, &named, arguments)?;
        let outputs: Vec<Output> = table.columns().iter().map(|c| Output::new(c.name, c.sql_type)).collect();
        let columns = columns(&label, &outputs, alias)?;
        self.add(Source { alias: exposed, columns, load: Some(self.loads.len()) })?;
        let loaded = self.name('t');
        self.loads.push(Load {
            name: loaded.clone(),
            table,
            used: vec![false; outputs.len()],
            loaded: false,
        });
        Ok(format!("{loaded} AS {label}"))
    }

    fn derived(&mut self, query: &Query, alias: Option<&TableAlias>) -> Result<String, EngineError> {
        // A derived table sees the queries around its own, and nothing beside it.
        let own = self.scopes.pop();
        let translated = self.deeper(|inside| inside.query(query, Use::Nested));
        self.scopes.extend(own);
        let translated = translated?;
        let label = self.name('s');
        let exposed = alias.map(|a| a.name.value.to_lowercase()).unwrap_or_default();
        let columns = columns(&label, &translated.columns, alias)?;
        unlike(&columns, alias.map_or("", |a| &a.name.value))?;
        self.add(Source { alias: exposed, columns, load: None })?;
        Ok(format!("({}) AS {label}", translated.sql))
    }

    /// Makes a source known. Error 1013 for a name that is taken.
    pub(super) fn add(&mut self, source: Source) -> Result<(), EngineError> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if !source.alias.is_empty() && scope.sources.iter().any(|s| s.alias == source.alias) {
            return Err(select::same_names(&source.alias));
        }
        scope.sources.push(source);
        Ok(())
    }
}

/// Refuses columns of a derived table that no name tells apart. Errors 8155 and 8156.
pub(super) fn unlike(columns: &[Column], alias: &str) -> Result<(), EngineError> {
    let mut names: Vec<String> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if column.name.is_empty() {
            let text = format!("No column name was specified for column {} of '{alias}'.", at + 1);
            return Err(EngineError::new(8155, text));
        }
        names.push(column.name.to_lowercase());
    }
    names.sort();
    let twice = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[String]>::first);
    match twice {
        None => Ok(()),
        Some(name) => {
            let text = format!("The column '{name}' was specified multiple times for '{alias}'.");
            Err(EngineError::new(8156, text))
        }
    }
}

/// Arguments of a table function.
pub(super) fn arguments(given: &TableFunctionArgs) -> Result<Vec<&Ast>, EngineError> {
    let argument = |a: &FunctionArg| !matches!(a, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)));
    if let Some(other) = given.args.iter().find(|a| argument(a)) {
        return Err(unsupported(&other.to_string()));
    }
    let asts = given.args.iter().filter_map(|a| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => Some(ast),
        _ => None,
    });
    Ok(asts.collect())
}

/// The columns of a source, renamed where its alias says so. Errors 8158 and 8159 for too many or too few names.
pub(super) fn columns(
    label: &str,
    outputs: &[Output],
    alias: Option<&TableAlias>,
) -> Result<Vec<Column>, EngineError> {
    let names = alias.map(|a| a.columns.as_slice()).unwrap_or_default();
    if !names.is_empty() && names.len() != outputs.len() {
        let alias = alias.map(|a| a.name.value.as_str()).unwrap_or_default();
        let (number, how) = if names.len() < outputs.len() { (8158, "more") } else { (8159, "fewer") };
        let text = format!("'{alias}' has {how} columns than were specified in the column list.");
        return Err(EngineError::new(number, text));
    }
    let column = |(at, output): (usize, &Output)| Column {
        name: names.get(at).map_or_else(|| output.name.clone(), |n| n.name.value.clone()),
        sql_type: output.sql_type,
        sql: format!("{label}.c{at}"),
    };
    Ok(outputs.iter().enumerate().map(column).collect())
}
