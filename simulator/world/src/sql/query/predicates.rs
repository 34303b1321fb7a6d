//! How is a condition translated?

use sqlparser::ast::{BinaryOperator, Expr as Ast, Query, UnaryOperator};

use crate::{
    error::EngineError,
    sql::{
        query::{Term, Translator, calls::Call, sets::Use, types::common},
        select::no_condition,
    },
};

/// A comparison as SQLite writes it; `None` for what is none.
fn comparison(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        _ => return None,
    })
}

fn negated(not: bool, condition: String) -> String {
    if not { format!("(NOT {condition})") } else { condition }
}

impl Translator<'_, '_> {
    /// A condition. Error 4145 for what is none.
    pub(super) fn predicate(&mut self, ast: &Ast) -> Result<String, EngineError> {
        match ast {
            Ast::Nested(inner) => self.predicate(inner),
            Ast::UnaryOp { op: UnaryOperator::Not, expr } => Ok(negated(true, self.predicate(expr)?)),
            Ast::BinaryOp { left, op, right } => match (op, comparison(op)) {
                (BinaryOperator::And, _) => {
                    Ok(format!("({} AND {})", self.predicate(left)?, self.predicate(right)?))
                }
                (BinaryOperator::Or, _) => {
                    Ok(format!("({} OR {})", self.predicate(left)?, self.predicate(right)?))
                }
                (_, Some(how)) => {
                    let (a, b) = (self.scalar(left)?, self.scalar(right)?);
                    self.compared(a, how, b)
                }
                _ => Err(no_condition(ast)),
            },
            Ast::IsNull(expr) => Ok(format!("({} IS NULL)", self.scalar(expr)?.sql)),
            Ast::IsNotNull(expr) => Ok(format!("({} IS NOT NULL)", self.scalar(expr)?.sql)),
            Ast::InList { expr, list, negated: not } => self.listed(expr, list, *not),
            Ast::InSubquery { expr, subquery, negated: not } => self.among(expr, subquery, *not),
            Ast::Exists { subquery, negated: not } => {
                let translated = self.deeper(|inside| inside.query(subquery, Use::Exists))?;
                Ok(negated(*not, format!("EXISTS ({})", translated.sql)))
            }
            Ast::Between { expr, negated: not, low, high } => {
                // Written once: what stands in it twice would double with every level.
                let terms = [self.scalar(expr)?, self.scalar(low)?, self.scalar(high)?];
                let target = Self::together(&terms);
                let [held, low, high] = terms.map(|term| self.brought(term, target));
                let (held, low, high) = (held?.sql, low?.sql, high?.sql);
                Ok(negated(*not, format!("({held} BETWEEN {low} AND {high})")))
            }
            Ast::Like { negated: not, any: false, expr, pattern, escape_char } => {
                let mut given = vec![self.scalar(expr)?, self.scalar(pattern)?];
                if let Some(escape) = escape_char {
                    given.push(self.scalar(escape)?);
                }
                let arguments: Vec<&str> = given.iter().map(|t| t.sql.as_str()).collect();
                Ok(negated(*not, self.engine.call(Call::Like, &arguments)))
            }
            other => Err(no_condition(other)),
        }
    }

    /// A comparison of two terms, brought to one type.
    pub(super) fn compared(&mut self, a: Term, how: &str, b: Term) -> Result<String, EngineError> {
        let target = Self::together(&[a.clone(), b.clone()]);
        let (a, b) = (self.brought(a, target)?, self.brought(b, target)?);
        Ok(format!("({} {how} {})", a.sql, b.sql))
    }

    /// IN with a list: each is compared by itself, as T-SQL does.
    fn listed(&mut self, expr: &Ast, list: &[Ast], not: bool) -> Result<String, EngineError> {
        let held = self.scalar(expr)?;
        let mut terms = vec![held];
        for item in list {
            terms.push(self.scalar(item)?);
        }
        let target = Self::together(&terms);
        let mut texts = Vec::new();
        for term in terms {
            texts.push(self.brought(term, target)?.sql);
        }
        let held = texts.remove(0);
        Ok(negated(not, format!("({held} IN ({}))", texts.join(", "))))
    }

    /// IN with a subquery. Error 116.
    fn among(&mut self, expr: &Ast, query: &Query, not: bool) -> Result<String, EngineError> {
        let held = self.scalar(expr)?;
        let translated = self.deeper(|inside| inside.query(query, Use::Nested))?;
        let [column] = translated.columns.as_slice() else {
            let text = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
            return Err(EngineError::new(116, text));
        };
        let target = common(held.sql_type, column.sql_type);
        let found = self.brought(Term::new("c0".into(), column.sql_type), target)?;
        let held = self.brought(held, target)?;
        Ok(negated(not, format!("({} IN (SELECT {} FROM ({})))", held.sql, found.sql, translated.sql)))
    }
}
