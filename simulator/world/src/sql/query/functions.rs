//! How is a function by its name translated?
//!
//! What is neither an aggregate nor known here is asked of the native queries: clocks and properties of the server. Source:
//! the built-in functions of the T-SQL reference.

use sqlparser::ast::{
    Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart,
};
use tds::SqlType;

use crate::{
    error::EngineError,
    sql::{
        calls::ObjectName as Named,
        query::{
            Load, Term, Translator,
            calls::Call,
            dates::Part,
            numbers::Shape,
            texts::Text,
            types::{Class, class},
        },
        select::{unsupported, wrong_count},
    },
};

const TEXT: SqlType = SqlType::NVarChar(Some(4000));

/// The arguments of a function that are expressions.
pub(super) fn given(function: &Function) -> Result<Vec<&Ast>, EngineError> {
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::List(list) => &list.args,
        FunctionArguments::Subquery(_) => return Err(unsupported("(")),
    };
    let argument = |a: &'_ FunctionArg| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(_)) => Ok(()),
        other => Err(unsupported(&other.to_string())),
    };
    list.iter().try_for_each(argument)?;
    Ok(list
        .iter()
        .filter_map(|a| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => Some(ast),
            _ => None,
        })
        .collect())
}

/// The name of a function, lower case, without the schema `sys`.
pub(super) fn named(name: &ObjectName) -> String {
    let parts = name.0.iter().filter_map(ObjectNamePart::as_ident).map(|i| i.value.to_lowercase());
    let parts: Vec<String> = parts.collect();
    parts.join(".").trim_start_matches("sys.").to_owned()
}

impl Translator<'_, '_> {
    /// A function.
    pub(super) fn function(&mut self, function: &Function) -> Result<Term, EngineError> {
        let name = named(&function.name);
        if let Some(term) = self.aggregate(function, &name)? {
            return Ok(term);
        }
        if function.over.is_some() {
            return Err(EngineError::new(10_753, format!("The function '{name}' must have an OVER clause.")));
        }
        let arguments = given(function)?;
        if let Some((text, counts)) = Text::named(&name) {
            if !counts.contains(&arguments.len()) {
                return Err(wrong_count(&name, *counts.start()));
            }
            return self.text_function(text, &arguments);
        }
        match (name.as_str(), arguments.as_slice()) {
            ("isnull", [held, other]) => {
                let (held, other) = (self.scalar(held)?, self.scalar(other)?);
                let target = if held.is_null() { other.sql_type } else { held.sql_type };
                let (held, other) = (self.brought(held, target)?, self.brought(other, target)?);
                Ok(Term::new(format!("COALESCE({}, {})", held.sql, other.sql), target))
            }
            ("coalesce", [_, _, ..]) => {
                let terms: Result<Vec<Term>, EngineError> =
                    arguments.iter().map(|a| self.scalar(a)).collect();
                let terms = terms?;
                let target = Self::together(&terms);
                let brought: Result<Vec<String>, EngineError> =
                    terms.into_iter().map(|t| Ok(self.brought(t, target)?.sql)).collect();
                Ok(Term::new(format!("COALESCE({})", brought?.join(", ")), target))
            }
            ("nullif", [held, other]) => {
                let (held, other) = (self.scalar(held)?, self.scalar(other)?);
                let (sql, sql_type) = (held.sql.clone(), held.sql_type);
                let same = self.compared(held, "=", other)?;
                Ok(Term::new(format!("CASE WHEN {same} THEN NULL ELSE {sql} END"), sql_type))
            }
            ("iif", [condition, yes, no]) => {
                let test = self.predicate(condition)?;
                let results = vec![self.scalar(yes)?, self.scalar(no)?];
                self.chosen(&[test], results)
            }
            ("db_name" | "db_id", [held]) => self.of_database(&name, held),
            _ => match self.of_moments(&name, &arguments)? {
                Some(term) => Ok(term),
                None => match self.of_numbers(&name, &arguments)? {
                    Some(term) => Ok(term),
                    None => self.native(&Ast::Function(function.clone())),
                },
            },
        }
    }

    /// A function of text.
    pub(super) fn text_function(&mut self, function: Text, arguments: &[&Ast]) -> Result<Term, EngineError> {
        let mut terms = Vec::new();
        for argument in arguments {
            terms.push(self.scalar(argument)?);
        }
        let sql_type = if function.counts() { SqlType::Int } else { TEXT };
        Ok(self.computed(Call::Text(function), &terms, sql_type))
    }

    /// Functions of moments.
    fn of_moments(&mut self, name: &str, arguments: &[&Ast]) -> Result<Option<Term>, EngineError> {
        let part = |ast: &Ast| match ast {
            Ast::Identifier(word) => Part::named(&word.value, name),
            other => Err(EngineError::new(
                1023,
                format!("Invalid parameter 1 specified for {name}, near '{other}'."),
            )),
        };
        let (call, given, sql_type) = match (name, arguments) {
            ("dateadd", [unit, number, at]) => {
                let at = self.scalar(at)?;
                let sql_type =
                    if class(at.sql_type) == Class::Moment { at.sql_type } else { SqlType::DateTime };
                (Call::DateAdd(part(unit)?), vec![self.scalar(number)?, at], sql_type)
            }
            ("datediff", [unit, from, to]) => {
                (Call::DateDiff(part(unit)?), vec![self.scalar(from)?, self.scalar(to)?], SqlType::Int)
            }
            ("datepart", [unit, at]) => (Call::DatePart(part(unit)?), vec![self.scalar(at)?], SqlType::Int),
            ("datename", [unit, at]) => (Call::DateName(part(unit)?), vec![self.scalar(at)?], TEXT),
            ("year", [at]) => (Call::DatePart(Part::Year), vec![self.scalar(at)?], SqlType::Int),
            ("month", [at]) => (Call::DatePart(Part::Month), vec![self.scalar(at)?], SqlType::Int),
            ("day", [at]) => (Call::DatePart(Part::Day), vec![self.scalar(at)?], SqlType::Int),
            ("eomonth", [at]) => (Call::EndOfMonth, vec![self.scalar(at)?], SqlType::Date),
            ("eomonth", [at, months]) => {
                (Call::EndOfMonth, vec![self.scalar(at)?, self.scalar(months)?], SqlType::Date)
            }
            ("dateadd" | "datediff", _) => return Err(wrong_count(name, 3)),
            ("datepart" | "datename", _) => return Err(wrong_count(name, 2)),
            _ => return Ok(None),
        };
        Ok(Some(self.computed(call, &given, sql_type)))
    }

    /// Functions of numbers.
    fn of_numbers(&mut self, name: &str, arguments: &[&Ast]) -> Result<Option<Term>, EngineError> {
        let shape = match name {
            "abs" => Some(Shape::Absolute),
            "sign" => Some(Shape::Sign),
            "ceiling" => Some(Shape::Ceiling),
            "floor" => Some(Shape::Floor),
            _ => None,
        };
        Ok(Some(match (name, arguments) {
            (_, [held]) if shape.is_some() => {
                let term = self.scalar(held)?;
                return shape.map(|how| self.shaped(how, term)).transpose();
            }
            ("round", [held, digits, rest @ ..]) if rest.len() < 2 => {
                let held = self.scalar(held)?;
                let sql_type = held.sql_type;
                let mut terms = vec![held, self.scalar(digits)?];
                for flag in rest {
                    terms.push(self.scalar(flag)?);
                }
                self.computed(Call::Round, &terms, sql_type)
            }
            ("sqrt", [held]) => {
                let held = self.scalar(held)?;
                self.computed(Call::Root, &[held], SqlType::Float)
            }
            ("power", [held, by]) => {
                let (held, by) = (self.scalar(held)?, self.scalar(by)?);
                let sql_type =
                    if class(held.sql_type) == Class::Text { SqlType::Float } else { held.sql_type };
                self.computed(Call::Power(sql_type), &[held, by], sql_type)
            }
            _ => return Ok(None),
        }))
    }

    /// `DB_NAME(id)` and `DB_ID(name)`: looked up in `sys.databases`.
    fn of_database(&mut self, name: &str, held: &Ast) -> Result<Term, EngineError> {
        let held = self.scalar(held)?;
        let databases = Named::of(&["sys".to_owned(), "databases".to_owned()]);
        let table = self.context.world.open_table(self.context.session, &databases, None)?;
        let place = |wanted: &str| table.columns().iter().position(|c| c.name == wanted).unwrap_or(0);
        let (id, label) = (place("database_id"), place("name"));
        let (from, to, sql_type, target) = if name == "db_name" {
            (id, label, SqlType::NVarChar(Some(128)), SqlType::Int)
        } else {
            (label, id, SqlType::Int, SqlType::NVarChar(Some(128)))
        };
        let held = self.brought(held, target)?;
        let loaded = self.name('t');
        let mut used = vec![false; table.columns().len()];
        for column in [id, label] {
            if let Some(used) = used.get_mut(column) {
                *used = true;
            }
        }
        self.loads.push(Load { name: loaded.clone(), table, used, loaded: false });
        let wanted = Term::new(format!("{loaded}.c{from}"), target);
        Ok(Term::new(
            format!("(SELECT {loaded}.c{to} FROM {loaded} WHERE {} = {})", wanted.sql, held.sql),
            sql_type,
        ))
    }
}
