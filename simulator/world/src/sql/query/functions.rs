//! How is a function by its name translated?
//!
//! What is neither an aggregate nor known here is asked of the native queries: clocks and properties of the server. Source:
//! the built-in functions of the T-SQL reference.

use sqlparser::ast::{
    Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        calls::ObjectName as Named,
        query::{
            Load, Term, Translator,
            calls::Call,
            dates::Part,
            numbers::{Real, Shape},
            texts::Text,
            types::{Class, class},
        },
        select::{self, unsupported, wrong_count},
        value,
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
                let (sql_type, target) = (held.sql_type, Self::together(&[held.clone(), other.clone()]));
                if class(sql_type) != class(target) {
                    return Ok(self.computed(Call::NullIf, &[held, other], sql_type));
                }
                let other = self.brought(other, target)?;
                Ok(Term::new(format!("nullif({}, {})", held.sql, other.sql), sql_type))
            }
            ("iif", [condition, yes, no]) => {
                let test = self.predicate(condition)?;
                let results = vec![self.scalar(yes)?, self.scalar(no)?];
                self.chosen("", &[test], results)
            }
            _ => {
                let families = [Self::of_catalogue, Self::of_moments, Self::of_numbers];
                for family in families {
                    if let Some(term) = family(self, &name, &arguments)? {
                        return Ok(term);
                    }
                }
                self.native(&Ast::Function(function.clone()))
            }
        }
    }

    /// Functions that ask the catalogue, and those that choose among values.
    fn of_catalogue(&mut self, name: &str, arguments: &[&Ast]) -> Result<Option<Term>, EngineError> {
        let term: Result<Term, EngineError> = match (name, arguments) {
            ("db_name", [held]) => self.of_database("database_id", held, "name"),
            ("db_id", [held]) => self.of_database("name", held, "database_id"),
            ("databasepropertyex", [held, Ast::Value(property)]) => {
                let property = value::text(&select::literal_value(&property.value)?).unwrap_or_default();
                let column = match property.to_lowercase().as_str() {
                    "status" => "state_desc",
                    "recovery" => "recovery_model_desc",
                    "collation" => "collation_name",
                    "useraccess" => "user_access_desc",
                    _ => return Ok(Some(self.literal(Value::Null))),
                };
                self.of_database("name", held, column)
            }
            ("has_dbaccess", [held]) => {
                let id = self.of_database("name", held, "database_id")?;
                let known = self.literal(Value::Int(1));
                Ok(Term::new(
                    format!("CASE WHEN {} IS NULL THEN NULL ELSE {} END", id.sql, known.sql),
                    SqlType::Int,
                ))
            }
            ("object_id", [held, ..]) => self.object_id(held),
            ("choose", [at, values @ ..]) if !values.is_empty() => {
                let at = self.scalar(at)?;
                let at = self.brought(at, SqlType::Int)?;
                let (mut tests, mut results) = (Vec::new(), Vec::new());
                for (place, ast) in values.iter().enumerate() {
                    tests.push(format!("{}", place + 1));
                    results.push(self.scalar(ast)?);
                }
                results.push(self.literal(Value::Null));
                self.chosen(&at.sql, &tests, results)
            }
            ("greatest" | "least", [_, ..]) => {
                let terms: Result<Vec<Term>, EngineError> =
                    arguments.iter().map(|a| self.scalar(a)).collect();
                let terms = terms?;
                let target = Self::together(&terms);
                let brought: Result<Vec<Term>, EngineError> =
                    terms.into_iter().map(|t| self.brought(t, target)).collect();
                Ok(self.computed(Call::Extreme { greatest: name == "greatest" }, &brought?, target))
            }
            _ => return Ok(None),
        };
        term.map(Some)
    }

    /// A function of text.
    pub(super) fn text_function(&mut self, function: Text, arguments: &[&Ast]) -> Result<Term, EngineError> {
        let mut terms = Vec::new();
        for argument in arguments {
            let term = self.scalar(argument)?;
            // A moment is written as its type is.
            let moment = class(term.sql_type) == Class::Moment && function != Text::Bytes;
            terms.push(if moment { self.cast(term, TEXT, false) } else { term });
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
                let (number, at) = (self.scalar(number)?, self.moment(at)?);
                let number = if class(number.sql_type) == Class::Float {
                    self.cast(number, SqlType::Int, false)
                } else {
                    number
                };
                let sql_type =
                    if class(at.sql_type) == Class::Moment { at.sql_type } else { SqlType::DateTime };
                (Call::DateAdd(part(unit)?), vec![number, at], sql_type)
            }
            ("datediff" | "datediff_big", [unit, from, to]) => {
                let sql_type = if name == "datediff" { SqlType::Int } else { SqlType::BigInt };
                let given = vec![self.moment(from)?, self.moment(to)?];
                (Call::DateDiff(part(unit)?, sql_type), given, sql_type)
            }
            ("datefromparts", [year, month, day]) => {
                let given = vec![self.scalar(year)?, self.scalar(month)?, self.scalar(day)?];
                (Call::DateFromParts, given, SqlType::Date)
            }
            ("datepart", [unit, at]) => (Call::DatePart(part(unit)?), vec![self.moment(at)?], SqlType::Int),
            ("datename", [unit, at]) => (Call::DateName(part(unit)?), vec![self.moment(at)?], TEXT),
            ("year", [at]) => (Call::DatePart(Part::Year), vec![self.moment(at)?], SqlType::Int),
            ("month", [at]) => (Call::DatePart(Part::Month), vec![self.moment(at)?], SqlType::Int),
            ("day", [at]) => (Call::DatePart(Part::Day), vec![self.moment(at)?], SqlType::Int),
            ("eomonth", [at]) => (Call::EndOfMonth, vec![self.moment(at)?], SqlType::Date),
            ("eomonth", [at, months]) => {
                (Call::EndOfMonth, vec![self.moment(at)?, self.scalar(months)?], SqlType::Date)
            }
            ("dateadd" | "datediff", _) => return Err(wrong_count(name, 3)),
            ("datepart" | "datename", _) => return Err(wrong_count(name, 2)),
            _ => return Ok(None),
        };
        Ok(Some(self.computed(call, &given, sql_type)))
    }

    /// A moment as functions take it: a number counts days.
    fn moment(&mut self, ast: &Ast) -> Result<Term, EngineError> {
        let term = self.scalar(ast)?;
        match class(term.sql_type) {
            Class::Whole | Class::Exact(_) | Class::Float => self.brought(term, SqlType::DateTime),
            _ => Ok(term),
        }
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
            ("log" | "log10" | "exp" | "square" | "sqrt", [held]) => {
                let how = match name {
                    "sqrt" => Real::Root,
                    "log" => Real::Logarithm,
                    "log10" => Real::Logarithm10,
                    "exp" => Real::Exponential,
                    _ => Real::Square,
                };
                let held = self.scalar(held)?;
                self.computed(Call::Real(how), &[held], SqlType::Float)
            }
            ("pi", []) => self.literal(Value::Float(std::f64::consts::PI)),
            ("power", [held, by]) => {
                let (held, by) = (self.scalar(held)?, self.scalar(by)?);
                let sql_type =
                    if class(held.sql_type) == Class::Text { SqlType::Float } else { held.sql_type };
                self.computed(Call::Power(sql_type), &[held, by], sql_type)
            }
            _ => return Ok(None),
        }))
    }

    /// What `sys.databases` knows in one column of the database that another column tells: `DB_NAME(id)`, `DB_ID(name)`.
    fn of_database(&mut self, by: &str, held: &Ast, wanted: &str) -> Result<Term, EngineError> {
        let held = self.scalar(held)?;
        let loaded = match &self.databases {
            Some(loaded) => loaded.clone(),
            None => self.load_databases()?,
        };
        let Some(load) = self.loads.iter().position(|l| l.name == loaded) else {
            return Err(unsupported(wanted));
        };
        let columns = self.loads.get(load).map(|l| l.table.columns()).unwrap_or_default();
        let place = |name: &str| columns.iter().position(|c| c.name == name).unwrap_or(0);
        let (from, to) = (place(by), place(wanted));
        self.mark(load, from);
        self.mark(load, to);
        let sql_type = columns.get(to).map_or(SqlType::Int, |c| c.sql_type);
        let known = columns.get(from).map_or(SqlType::Int, |c| c.sql_type);
        let held = self.brought(held, known)?;
        let key = Term::new(format!("{loaded}.c{from}"), known);
        let sql = format!("(SELECT {loaded}.c{to} FROM {loaded} WHERE {} = {})", key.sql, held.sql);
        Ok(Term::new(sql, sql_type))
    }

    /// One table for all such questions of a query: equal ones stay equal texts, which GROUP BY needs.
    fn load_databases(&mut self) -> Result<String, EngineError> {
        let databases = Named::of(&["sys".to_owned(), "databases".to_owned()]);
        let table = self.context.world.open_table(self.context.session, &databases, None)?;
        let (name, used) = (self.name('t'), vec![false; table.columns().len()]);
        self.loads.push(Load { name: name.clone(), table, used, loaded: false });
        self.databases = Some(name.clone());
        Ok(name)
    }

    /// `OBJECT_ID` of a table that can be selected from: some number, as nothing else is told of it.
    fn object_id(&mut self, held: &Ast) -> Result<Term, EngineError> {
        let text = value::text(&super::constant(self.context, held)?).unwrap_or_default();
        let table = self.context.world.open_table(self.context.session, &Named::parse(&text), None);
        Ok(self.literal(if table.is_ok() { Value::Int(1) } else { Value::Null }))
    }
}
