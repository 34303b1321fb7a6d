//! How is one SELECT translated, without what orders or unites several?

use sqlparser::ast::{
    Distinct, Expr as Ast, GroupByExpr, OrderByExpr, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Top, TopQuantity,
};
use tds::Value;

use crate::{
    error::EngineError,
    sql::{
        query::{
            Output, Term, Translated, Translator,
            aggregates::direction,
            scope::{Clause, Place, Scope},
            sets::Use,
        },
        select::{self, unsupported},
        value,
    },
};

/// A SELECT in parts.
pub(super) struct Body {
    pub(super) outputs: Vec<(String, Term)>,
    distinct: &'static str,
    /// FROM and all behind it.
    rest: String,
}

impl Body {
    /// Written together with what it lists, under names that count.
    pub(super) fn written(&self, listed: &[&str]) -> String {
        let named: Vec<String> =
            listed.iter().enumerate().map(|(at, sql)| format!("{sql} AS c{at}")).collect();
        format!("SELECT {}{}{}", self.distinct, named.join(", "), self.rest)
    }
}

impl Translator<'_, '_> {
    /// A SELECT with the ORDER BY that belongs to it; `cut` is what OFFSET and FETCH add.
    pub(super) fn body(
        &mut self,
        select: &Select,
        order: &[OrderByExpr],
        cut: &str,
        purpose: Use,
    ) -> Result<Translated, EngineError> {
        let body = self.parts(select, order, cut, purpose)?;
        let listed: Vec<&str> = body.outputs.iter().map(|(_, term)| term.sql.as_str()).collect();
        let sql = body.written(&listed);
        let columns = body
            .outputs
            .into_iter()
            .map(|(name, term)| Output { name, sql_type: term.sql_type, untyped: term.is_null() })
            .collect();
        Ok(Translated { sql, columns })
    }

    /// Its parts, before they are written together.
    pub(super) fn parts(
        &mut self,
        select: &Select,
        order: &[OrderByExpr],
        cut: &str,
        purpose: Use,
    ) -> Result<Body, EngineError> {
        if select.into.is_some() {
            return Err(unsupported("INTO"));
        }
        self.scopes.push(Scope::new());
        let done = self.inside(select, order, cut, purpose);
        self.scopes.pop();
        done
    }

    fn inside(
        &mut self,
        select: &Select,
        order: &[OrderByExpr],
        cut: &str,
        purpose: Use,
    ) -> Result<Body, EngineError> {
        let from = self.from(&select.from)?;
        let filter = select.selection.as_ref().map(|ast| self.predicate(ast)).transpose()?;
        let groups = self.groups(&select.group_by)?;
        let grouped = !groups.is_empty() || select.having.is_some();
        self.grouping(grouped.then(|| groups.clone()));
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => "",
            Some(Distinct::Distinct) => "DISTINCT ",
            Some(Distinct::On(_)) => return Err(unsupported("DISTINCT")),
        };
        let mut outputs = self.projection(select, purpose)?;
        let listed = self.scopes.last().is_some_and(|s| s.aggregates);
        self.clause(Clause::OrderBy);
        let keys = self.sort_keys(order, &outputs, !distinct.is_empty())?;
        self.clause(Clause::Having);
        let having = select.having.as_ref().map(|ast| self.at(Place::Groups, |inside| inside.predicate(ast)));
        let having = having.transpose()?;
        let aggregates = self.scopes.last().is_some_and(|s| s.aggregates);
        if aggregates && !grouped {
            // An aggregate makes one group of all rows: no column may have stood alone.
            self.grouping(Some(Vec::new()));
            self.clause(Clause::List);
            let scope = self.scopes.last();
            if let Some(error) = scope.and_then(|s| s.bare.as_ref().map(|name| s.not_grouped(name))) {
                return Err(error);
            }
        }
        if let (Some((_, term)), false, true) =
            (outputs.first_mut(), listed, groups.is_empty() && (aggregates || grouped))
        {
            // One group of all rows, though the list has no aggregate: SQLite wants to see one there.
            term.sql = format!("CASE WHEN COUNT(*) >= 0 THEN {} END", term.sql);
        }
        let mut rest = from;
        for (word, text) in [
            ("WHERE", filter),
            ("GROUP BY", (!groups.is_empty()).then(|| groups.join(", "))),
            ("HAVING", having),
        ] {
            if let Some(text) = text {
                rest.extend([" ", word, " ", &text]);
            }
        }
        if !keys.is_empty() {
            rest.extend([" ORDER BY ", &keys.join(", ")]);
        }
        match &select.top {
            Some(top) => rest.extend([" LIMIT ", &self.top(top)?.to_string()]),
            None => rest += cut,
        }
        Ok(Body { outputs, distinct, rest })
    }

    /// Sets how rows are grouped for what is translated next.
    fn grouping(&mut self, groups: Option<Vec<String>>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.groups = groups;
        }
    }

    /// Sets the clause that is read next.
    fn clause(&mut self, clause: Clause) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.clause = clause;
        }
    }

    fn groups(&mut self, group_by: &GroupByExpr) -> Result<Vec<String>, EngineError> {
        let GroupByExpr::Expressions(list, modifiers) = group_by else { return Err(unsupported("ALL")) };
        if !modifiers.is_empty() {
            return Err(unsupported("WITH"));
        }
        let mut groups = Vec::new();
        for ast in list {
            if matches!(ast, Ast::Value(_)) {
                let text = "Each GROUP BY expression must contain at least one column that is not an outer reference.";
                return Err(EngineError::new(164, text));
            }
            groups.push(self.as_key(ast)?.sql);
        }
        Ok(groups)
    }

    /// What is selected, wildcards unfolded.
    fn projection(&mut self, select: &Select, purpose: Use) -> Result<Vec<(String, Term)>, EngineError> {
        let mut outputs = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(ast) => {
                    let term = self.at(Place::Groups, |inside| inside.scalar(ast))?;
                    outputs.push((select::implied_name(ast), term));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let term = self.at(Place::Groups, |inside| inside.scalar(expr))?;
                    outputs.push((alias.value.clone(), term));
                }
                // What EXISTS selects is never looked at.
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) if purpose == Use::Exists => {
                    outputs.push((String::new(), self.literal(Value::Int(1))));
                }
                SelectItem::Wildcard(_) => outputs.extend(self.wildcard(None)?),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    outputs.extend(self.wildcard(Some(&name.to_string()))?);
                }
                other => return Err(unsupported(&other.to_string())),
            }
        }
        Ok(outputs)
    }

    fn wildcard(&mut self, alias: Option<&str>) -> Result<Vec<(String, Term)>, EngineError> {
        let wanted = alias.map(|a| a.trim_matches(['[', ']', '"']).to_lowercase());
        let sources = self.scopes.last().map(|s| s.sources.clone()).unwrap_or_default();
        let grouped = self.scopes.last().is_some_and(|s| s.groups.is_some());
        let mut outputs = Vec::new();
        for source in sources.iter().filter(|s| wanted.as_ref().is_none_or(|w| *w == s.alias)) {
            if let (Some(scope), Some(column)) = (self.scopes.last_mut(), source.columns.first()) {
                scope.bare.get_or_insert_with(|| column.name.clone());
            }
            for (at, column) in source.columns.iter().enumerate() {
                if grouped {
                    let name =
                        [sqlparser::ast::Ident::new(&source.alias), sqlparser::ast::Ident::new(&column.name)];
                    let ast = Ast::CompoundIdentifier(name.to_vec());
                    outputs
                        .push((column.name.clone(), self.at(Place::Groups, |inside| inside.scalar(&ast))?));
                    continue;
                }
                source.load.into_iter().for_each(|load| self.mark(load, at));
                outputs.push((column.name.clone(), Term::new(column.sql.clone(), column.sql_type)));
            }
        }
        if outputs.is_empty() { Err(select::nothing_to_unfold(alias)) } else { Ok(outputs) }
    }

    /// ORDER BY: names and places of what is selected come first. Error 145 for what DISTINCT left out.
    fn sort_keys(
        &mut self,
        order: &[OrderByExpr],
        outputs: &[(String, Term)],
        distinct: bool,
    ) -> Result<Vec<String>, EngineError> {
        let mut keys = Vec::new();
        for item in order {
            let sql = match &item.expr {
                Ast::Identifier(name) => outputs
                    .iter()
                    .find(|(output, _)| output.eq_ignore_ascii_case(&name.value))
                    .map(|(_, term)| term.sql.clone()),
                Ast::Value(place) => {
                    let place = select::literal_value(&place.value)?;
                    Some(select::place_of(&place, outputs.len())?)
                        .and_then(|at| outputs.get(at))
                        .map(|(_, t)| t.sql.clone())
                }
                _ => None,
            };
            let sql = match (sql, &item.expr) {
                (Some(sql), _) => sql,
                (None, Ast::Subquery(_)) => "NULL".into(),
                (None, ast) => self.at(Place::Groups, |inside| inside.scalar(ast))?.sql,
            };
            if distinct && !outputs.iter().any(|(_, term)| term.sql == sql) {
                let text = "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.";
                return Err(EngineError::new(145, text));
            }
            keys.push(format!("{sql}{}", direction(item)));
        }
        Ok(keys)
    }

    /// The number of TOP. Errors: 102 for WITH TIES and PERCENT, 127 for one below zero.
    fn top(&mut self, top: &Top) -> Result<u64, EngineError> {
        if top.percent || top.with_ties {
            return Err(unsupported("PERCENT"));
        }
        match &top.quantity {
            None => Err(unsupported("TOP")),
            Some(TopQuantity::Constant(count)) => Ok((*count).min(i64::MAX.cast_unsigned())),
            Some(TopQuantity::Expr(ast)) => self.count(ast),
        }
    }

    /// A number of rows.
    pub(super) fn count(&mut self, ast: &Ast) -> Result<u64, EngineError> {
        let held = super::constant(self.context, ast)?;
        let count = value::integer(&held, "bigint")?.unwrap_or(0);
        u64::try_from(count)
            .map_err(|_| EngineError::new(127, "A TOP N or FETCH rowcount value may not be negative."))
    }
}
