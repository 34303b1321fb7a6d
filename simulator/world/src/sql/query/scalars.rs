//! How is a scalar translated?

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, Expr as Ast, Ident, Query, UnaryOperator,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query::{
            Term, Translator,
            calls::{self, Call},
            numbers::{Shape, ZERO},
            scope::{Place, find},
            sets::Use,
            texts::Text,
            types::{self, Class, Operator, arithmetic, class, common},
        },
        select::{self, unsupported},
    },
};

impl Translator<'_, '_> {
    /// A scalar. Where rows are grouped, it is a grouping expression or made of them and of aggregates.
    pub(super) fn scalar(&mut self, ast: &Ast) -> Result<Term, EngineError> {
        if let Some(keys) = self.scopes.last().filter(|s| s.is_grouped()).and_then(|s| s.groups.clone())
            && !keys.is_empty()
            && let Ok(term) = self.as_key(ast)
            && keys.contains(&term.sql)
        {
            return Ok(term);
        }
        self.plain(ast)
    }

    /// A scalar as a grouping expression.
    pub(super) fn as_key(&mut self, ast: &Ast) -> Result<Term, EngineError> {
        let before = std::mem::replace(&mut self.keys, true);
        let term = self.at(Place::Rows, |inside| inside.plain(ast));
        self.keys = before;
        term
    }

    /// Translates something as it stands at another place.
    pub(super) fn at<T>(
        &mut self,
        place: Place,
        inside: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let before = self.scopes.last_mut().map(|s| std::mem::replace(&mut s.place, place));
        let done = inside(self);
        if let (Some(scope), Some(before)) = (self.scopes.last_mut(), before) {
            scope.place = before;
        }
        done
    }

    fn plain(&mut self, ast: &Ast) -> Result<Term, EngineError> {
        match ast {
            Ast::Nested(inner) | Ast::Collate { expr: inner, .. } => self.scalar(inner),
            Ast::UnaryOp { op: UnaryOperator::Plus, expr } => self.scalar(expr),
            Ast::Value(value) => Ok(self.literal(select::literal_value(&value.value)?)),
            Ast::Identifier(name) if name.quote_style.is_none() && name.value.starts_with('@') => {
                self.native(ast)
            }
            Ast::Identifier(name) => self.column(std::slice::from_ref(name)),
            Ast::CompoundIdentifier(parts) => self.column(parts),
            Ast::Function(function) => self.function(function),
            Ast::Cast { kind, expr, data_type, .. } => {
                let target = select::sql_type(data_type)?;
                let term = self.scalar(expr)?;
                Ok(self.cast(term, target, *kind != CastKind::Cast))
            }
            Ast::Convert { is_try, expr, data_type: Some(data_type), styles, .. } => {
                self.convert(expr, data_type, styles, *is_try)
            }
            Ast::UnaryOp { op: UnaryOperator::Minus, expr } => {
                let term = self.scalar(expr)?;
                let sql_type = term.sql_type;
                Ok(self.computed(Call::Shape(Shape::Negative), &[term], sql_type))
            }
            Ast::BinaryOp { left, op, right } => self.operation(left, op, right),
            Ast::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Ast::Subquery(query) => self.subquery(query),
            Ast::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => {
                self.text_function(Text::Trim, &[expr])
            }
            Ast::Substring { expr, substring_from: Some(from), substring_for: Some(length), .. } => {
                self.text_function(Text::Substring, &[expr, from, length])
            }
            Ast::Ceil { expr, field: CeilFloorKind::DateTimeField(_) } => self.shape(Shape::Ceiling, expr),
            Ast::Floor { expr, field: CeilFloorKind::DateTimeField(_) } => self.shape(Shape::Floor, expr),
            other => Err(unsupported(&other.to_string())),
        }
    }

    /// A value that the text gives.
    pub(super) fn literal(&mut self, value: Value) -> Term {
        let sql_type = select::literal_type(&value);
        let sql = self.engine.parameter(&value);
        Term { literal: Some(value), ..Term::new(sql, sql_type) }
    }

    /// What the native queries know to be a constant: variables, clocks, properties of the server.
    pub(super) fn native(&mut self, ast: &Ast) -> Result<Term, EngineError> {
        let (value, sql_type) = select::constant_of(self.context, ast)?;
        let sql = self.engine.parameter(&value);
        Ok(Term { literal: Some(value), ..Term::new(sql, sql_type) })
    }

    fn column(&mut self, parts: &[Ident]) -> Result<Term, EngineError> {
        let found = find(&self.scopes, parts)?;
        let scope = self.scopes.iter_mut().rev().nth(found.outwards);
        let Some(scope) = scope else { return Err(unsupported(".")) };
        let source = scope.sources.get(found.source);
        let Some((source, column)) = source.and_then(|s| Some((s, s.columns.get(found.column)?))) else {
            return Err(unsupported("."));
        };
        let (load, term) = (source.load, Term::new(column.sql.clone(), column.sql_type));
        // A subquery of a grouped query names its groups alone, too.
        if scope.place == Place::Groups && !scope.groups.as_ref().is_some_and(|g| g.contains(&term.sql)) {
            let name = format!("{}.{}", source.alias, column.name).trim_start_matches('.').to_owned();
            if scope.groups.is_some() {
                return Err(scope.not_grouped(&name));
            }
            scope.bare.get_or_insert(name);
        }
        if let Some(load) = load {
            self.mark(load, found.column);
        }
        Ok(term)
    }

    /// A column will be read.
    pub(super) fn mark(&mut self, load: usize, column: usize) {
        if let Some(used) = self.loads.get_mut(load).and_then(|l| l.used.get_mut(column)) {
            *used = true;
        }
    }

    /// A call. What is known beforehand is computed at once, so that its error comes whatever the rows are.
    pub(super) fn computed(&mut self, call: Call, given: &[Term], sql_type: SqlType) -> Term {
        let literals: Option<Vec<Value>> = given.iter().map(|t| t.literal.clone()).collect();
        if let Some(Ok(value)) = literals.map(|l| calls::evaluate(call, &l)) {
            let sql = self.engine.parameter(&value);
            return Term { literal: Some(value), ..Term::new(sql, sql_type) };
        }
        let arguments: Vec<&str> = given.iter().map(|t| t.sql.as_str()).collect();
        Term::new(self.engine.call(call, &arguments), sql_type)
    }

    /// CAST. A moment becomes text as its type is written: style 0 of datetime, 121 of the others.
    pub(super) fn cast(&mut self, term: Term, target: SqlType, attempt: bool) -> Term {
        if class(term.sql_type) == Class::Moment && class(target) == Class::Text {
            let style = if term.sql_type == SqlType::DateTime { 0 } else { 121 };
            let style = self.literal(Value::Int(style));
            return self.computed(Call::Styled { target, of: term.sql_type }, &[term, style], target);
        }
        self.computed(Call::Cast { target, attempt }, &[term], target)
    }

    /// Brings a term to a type where values of its own would compare wrongly.
    pub(super) fn brought(&mut self, term: Term, target: SqlType) -> Result<Term, EngineError> {
        if class(term.sql_type) == class(target) {
            return Ok(Term { sql_type: target, ..term });
        }
        if term.is_null() {
            return Ok(Term { sql_type: target, ..term });
        }
        let refused = matches!((class(term.sql_type), class(target)), (Class::Guid, t) if t != Class::Text && t != Class::Bytes)
            || matches!((class(term.sql_type), class(target)), (Class::Bytes, Class::Moment | Class::Float));
        if refused {
            let text = format!(
                "Operand type clash: {} is incompatible with {}",
                types::name(term.sql_type),
                types::name(target)
            );
            return Err(EngineError::new(206, text));
        }
        // A number beside a moment counts days.
        if class(target) == Class::Moment && !matches!(class(term.sql_type), Class::Text | Class::Moment) {
            let zero = self.literal(Value::DateTime(ZERO));
            return Ok(self.computed(
                Call::Arithmetic(Operator::Add, SqlType::DateTime),
                &[zero, term],
                SqlType::DateTime,
            ));
        }
        Ok(self.cast(term, target, false))
    }

    /// The type of several terms together; NULLs have none of their own.
    pub(super) fn together(terms: &[Term]) -> SqlType {
        let typed = terms.iter().filter(|t| !t.is_null()).map(|t| t.sql_type);
        typed.reduce(common).unwrap_or(SqlType::Int)
    }

    fn convert(
        &mut self,
        expr: &Ast,
        data_type: &DataType,
        styles: &[Ast],
        attempt: bool,
    ) -> Result<Term, EngineError> {
        let target = select::sql_type(data_type)?;
        let term = self.scalar(expr)?;
        match styles {
            [style] if class(term.sql_type) == Class::Moment && class(target) == Class::Text => {
                let style = self.scalar(style)?;
                Ok(self.computed(Call::Styled { target, of: term.sql_type }, &[term, style], target))
            }
            // Styles of other conversions say how to read what one reading covers here.
            _ => Ok(self.cast(term, target, attempt)),
        }
    }

    fn operation(&mut self, left: &Ast, op: &BinaryOperator, right: &Ast) -> Result<Term, EngineError> {
        let operator = match op {
            BinaryOperator::Plus => Operator::Add,
            BinaryOperator::Minus => Operator::Subtract,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            other => return Err(unsupported(&other.to_string())),
        };
        let (a, b) = (self.scalar(left)?, self.scalar(right)?);
        let texts = |t: &Term| class(t.sql_type) == Class::Text || t.is_null();
        if operator == Operator::Add && texts(&a) && texts(&b) {
            return Ok(self.computed(Call::Join, &[a, b], SqlType::NVarChar(Some(4000))));
        }
        self.combined(operator, a, b)
    }

    /// Arithmetic on two terms.
    pub(super) fn combined(&mut self, operator: Operator, a: Term, b: Term) -> Result<Term, EngineError> {
        let (x, y) = match (a.is_null(), b.is_null()) {
            (true, false) => (b.sql_type, b.sql_type),
            (false, true) => (a.sql_type, a.sql_type),
            _ => (a.sql_type, b.sql_type),
        };
        let target = arithmetic(operator, x, y)?;
        // Text and bytes beside a number are read as one of its type, with the error of that.
        let side = common(x, y);
        let mut read = |term: Term| match class(term.sql_type) {
            Class::Text | Class::Bytes => self.brought(term, side),
            _ => Ok(term),
        };
        let (a, b) = (read(a)?, read(b)?);
        Ok(self.computed(Call::Arithmetic(operator, target), &[a, b], target))
    }

    fn case(
        &mut self,
        operand: Option<&Ast>,
        conditions: &[CaseWhen],
        otherwise: Option<&Ast>,
    ) -> Result<Term, EngineError> {
        let (mut tests, mut results) = (Vec::new(), Vec::new());
        let mut compared = operand.map(|held| self.scalar(held)).transpose()?.into_iter().collect::<Vec<_>>();
        for CaseWhen { condition, result } in conditions {
            match operand {
                None => tests.push(self.predicate(condition)?),
                Some(_) => compared.push(self.scalar(condition)?),
            }
            results.push(self.scalar(result)?);
        }
        let target = Self::together(&compared);
        for term in compared {
            tests.push(self.brought(term, target)?.sql);
        }
        let operand = if operand.is_some() { tests.remove(0) } else { String::new() };
        results.push(match otherwise {
            Some(ast) => self.scalar(ast)?,
            None => self.literal(Value::Null),
        });
        self.chosen(&operand, &tests, results)
    }

    /// CASE of conditions, or of values that an operand may have, and results, the last of which is ELSE.
    pub(super) fn chosen(
        &mut self,
        operand: &str,
        tests: &[String],
        results: Vec<Term>,
    ) -> Result<Term, EngineError> {
        let target = Self::together(&results);
        let mut sql = format!("CASE {operand}");
        let mut tests = tests.iter();
        for result in results {
            let result = self.brought(result, target)?.sql;
            match tests.next() {
                Some(test) => sql.extend([" WHEN ", test, " THEN ", &result]),
                None => sql.extend([" ELSE ", &result]),
            }
        }
        Ok(Term::new(sql + " END", target))
    }

    fn shape(&mut self, how: Shape, expr: &Ast) -> Result<Term, EngineError> {
        let term = self.scalar(expr)?;
        self.shaped(how, term)
    }

    /// A function of one number.
    pub(super) fn shaped(&mut self, how: Shape, term: Term) -> Result<Term, EngineError> {
        let term =
            if class(term.sql_type) == Class::Text { self.brought(term, SqlType::Float)? } else { term };
        let sql_type = match (how, term.sql_type) {
            (Shape::Floor | Shape::Ceiling, SqlType::Numeric { precision, .. }) => {
                SqlType::Numeric { precision, scale: 0 }
            }
            (_, other) => other,
        };
        Ok(self.computed(Call::Shape(how), &[term], sql_type))
    }

    /// A subquery that stands for one value. Errors: 116 for several columns, 512 for several rows.
    fn subquery(&mut self, query: &Query) -> Result<Term, EngineError> {
        let translated = self.deeper(|inside| inside.query(query, Use::Nested))?;
        let [column] = translated.columns.as_slice() else {
            let text = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
            return Err(EngineError::new(116, text));
        };
        let single = self.engine.call(Call::Single, &["c0", "n"]);
        let sql = format!(
            "(SELECT {single} FROM (SELECT c0, COUNT(*) OVER () AS n FROM ({})) LIMIT 1)",
            translated.sql
        );
        Ok(Term::new(sql, column.sql_type))
    }
}
