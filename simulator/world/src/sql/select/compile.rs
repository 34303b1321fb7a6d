//! What does an expression of the parser mean here?

use sqlparser::ast::{
    BinaryLength, BinaryOperator, CaseWhen, CharacterLength, DataType, ExactNumberInfo, Expr as Ast,
    Function as AstFunction, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator,
    Value as AstValue,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        batch::no_variable,
        select::{
            Context,
            expression::{Aggregate, Comparison, Expr, Function, Predicate},
            functions,
            sources::Sources,
            unsupported,
        },
        value::parse_number,
    },
};

/// Turns the parser's expressions into ours.
pub(super) struct Compiler<'a, 'w> {
    pub(super) context: &'a Context<'w>,
    pub(super) sources: &'a Sources<'w>,
}

/// The type that a literal value has.
pub(super) fn literal(value: Value) -> Expr {
    let sql_type = match &value {
        Value::Null | Value::Int(-2_147_483_648..=2_147_483_647) => SqlType::Int,
        Value::Int(_) => SqlType::BigInt,
        Value::Bit(_) => SqlType::Bit,
        Value::Float(_) => SqlType::Float,
        Value::Numeric { mantissa, scale } => {
            let digits = u8::try_from(mantissa.unsigned_abs().to_string().len()).unwrap_or(38);
            SqlType::Numeric { precision: digits.max(*scale).clamp(1, 38), scale: *scale }
        }
        Value::Text(text) => {
            let length = text.encode_utf16().count();
            SqlType::NVarChar(u16::try_from(length.max(1)).ok().filter(|l| *l <= 4000))
        }
        Value::Binary(bytes) => {
            SqlType::VarBinary(u16::try_from(bytes.len().max(1)).ok().filter(|l| *l <= 8000))
        }
        Value::DateTime(_) => SqlType::DateTime2(7),
        Value::Guid(_) => SqlType::UniqueIdentifier,
    };
    Expr::Literal(value, sql_type)
}

impl Compiler<'_, '_> {
    /// A scalar.
    pub(super) fn scalar(&self, ast: &Ast) -> Result<Expr, EngineError> {
        match ast {
            Ast::Nested(expr)
            | Ast::Collate { expr, .. }
            | Ast::UnaryOp { op: UnaryOperator::Plus, expr } => self.scalar(expr),
            Ast::Value(value) => constant(&value.value).map(literal),
            Ast::Identifier(name) if name.quote_style.is_none() && name.value.starts_with('@') => {
                self.variable(&name.value)
            }
            Ast::Identifier(name) => self.column(std::slice::from_ref(name)),
            Ast::CompoundIdentifier(parts) => self.column(parts),
            Ast::Function(function) => self.function(function),
            Ast::Cast { expr, data_type, .. } | Ast::Convert { expr, data_type: Some(data_type), .. } => {
                Ok(Expr::Cast(Box::new(self.scalar(expr)?), sql_type(data_type)?))
            }
            Ast::UnaryOp { op: UnaryOperator::Minus, expr } => match self.scalar(expr)? {
                Expr::Literal(value, _) => functions::call(Function::Negate, &[value]).map(literal),
                inner => Ok(Expr::Call(Function::Negate, vec![inner])),
            },
            Ast::BinaryOp { left, op, right } => {
                let function = match op {
                    BinaryOperator::Plus => Function::Add,
                    BinaryOperator::Minus => Function::Subtract,
                    BinaryOperator::Multiply => Function::Multiply,
                    other => return Err(unsupported(&other.to_string())),
                };
                Ok(Expr::Call(function, vec![self.scalar(left)?, self.scalar(right)?]))
            }
            Ast::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            other => Err(unsupported(&other.to_string())),
        }
    }

    fn variable(&self, name: &str) -> Result<Expr, EngineError> {
        if name.starts_with("@@") {
            return functions::global(self.context, name);
        }
        let held = self.context.variables.get(&name.to_lowercase());
        held.cloned().map(literal).ok_or_else(|| no_variable(name))
    }

    fn column(&self, parts: &[Ident]) -> Result<Expr, EngineError> {
        let mut back = parts.iter().rev();
        let name = back.next().map(|i| i.value.as_str()).unwrap_or_default();
        let alias = back.next().map(|i| i.value.to_lowercase());
        let mut found = None;
        for (source, held) in self.sources.list.iter().enumerate() {
            if alias.as_ref().is_some_and(|a| *a != held.alias) {
                continue;
            }
            if let Some(column) = held.table.columns().iter().position(|c| c.name.eq_ignore_ascii_case(name))
            {
                if found.is_some() {
                    return Err(EngineError::new(209, format!("Ambiguous column name '{name}'.")));
                }
                found = Some(Expr::Column { source, column });
            }
        }
        if let Some(alias) =
            alias.filter(|a| found.is_none() && !self.sources.list.iter().any(|s| s.alias == *a))
        {
            let text = format!("The multi-part identifier \"{alias}.{name}\" could not be bound.");
            return Err(EngineError::new(4104, text));
        }
        found.ok_or_else(|| EngineError::new(207, format!("Invalid column name '{name}'.")))
    }

    fn function(&self, function: &AstFunction) -> Result<Expr, EngineError> {
        let name = function.name.to_string().trim_start_matches("sys.").to_lowercase();
        let given: &[FunctionArg] = match &function.args {
            FunctionArguments::None => &[],
            FunctionArguments::List(list) => &list.args,
            FunctionArguments::Subquery(_) => return Err(unsupported("(")),
        };
        if name == "count" && matches!(given, [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) {
            return Ok(Expr::Aggregate(Aggregate::Count, None));
        }
        // The first argument of DATEADD is a word, not a column.
        if name == "dateadd"
            && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Identifier(unit))), rest @ ..] = given
        {
            return functions::date_add(&unit.value, self.arguments(rest)?);
        }
        let arguments = self.arguments(given)?;
        let aggregate = match name.as_str() {
            "count" | "count_big" => Some(Aggregate::Count),
            "max" => Some(Aggregate::Max),
            "min" => Some(Aggregate::Min),
            _ => None,
        };
        if let Some(kind) = aggregate {
            let [argument] = <[Expr; 1]>::try_from(arguments).map_err(|_| wrong_count(&name, 1))?;
            return Ok(Expr::Aggregate(kind, Some(Box::new(argument))));
        }
        functions::named(self.context, &name, &arguments)
    }

    fn arguments(&self, given: &[FunctionArg]) -> Result<Vec<Expr>, EngineError> {
        let argument = |a: &FunctionArg| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => self.scalar(ast),
            other => Err(unsupported(&other.to_string())),
        };
        given.iter().map(argument).collect()
    }

    fn case(
        &self,
        operand: Option<&Ast>,
        conditions: &[CaseWhen],
        otherwise: Option<&Ast>,
    ) -> Result<Expr, EngineError> {
        let mut branches = Vec::new();
        for CaseWhen { condition, result } in conditions {
            let condition = match operand {
                None => self.predicate(condition)?,
                Some(held) => {
                    Predicate::Compare(self.scalar(held)?, Comparison::Equal, self.scalar(condition)?)
                }
            };
            branches.push((condition, self.scalar(result)?));
        }
        let otherwise = otherwise.map(|e| self.scalar(e)).transpose()?;
        Ok(Expr::Case(branches, otherwise.map(Box::new)))
    }

    /// A predicate.
    pub(super) fn predicate(&self, ast: &Ast) -> Result<Predicate, EngineError> {
        let negate = |negated: bool, p: Predicate| if negated { Predicate::Not(Box::new(p)) } else { p };
        match ast {
            Ast::Nested(inner) => self.predicate(inner),
            Ast::UnaryOp { op: UnaryOperator::Not, expr } => Ok(negate(true, self.predicate(expr)?)),
            Ast::BinaryOp { left, op: BinaryOperator::And, right } => {
                Ok(Predicate::And(Box::new(self.predicate(left)?), Box::new(self.predicate(right)?)))
            }
            Ast::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Ok(Predicate::Or(Box::new(self.predicate(left)?), Box::new(self.predicate(right)?)))
            }
            Ast::BinaryOp { left, op, right } => match Comparison::of(op) {
                Some(how) => Ok(Predicate::Compare(self.scalar(left)?, how, self.scalar(right)?)),
                None => Err(no_condition(ast)),
            },
            Ast::IsNull(expr) => Ok(Predicate::IsNull(self.scalar(expr)?)),
            Ast::IsNotNull(expr) => Ok(negate(true, Predicate::IsNull(self.scalar(expr)?))),
            Ast::InList { expr, list, negated } => {
                let list: Result<Vec<Expr>, EngineError> = list.iter().map(|e| self.scalar(e)).collect();
                Ok(negate(*negated, Predicate::In(self.scalar(expr)?, list?)))
            }
            Ast::Between { expr, negated, low, high } => {
                let from =
                    Predicate::Compare(self.scalar(expr)?, Comparison::GreaterOrEqual, self.scalar(low)?);
                let to = Predicate::Compare(self.scalar(expr)?, Comparison::LessOrEqual, self.scalar(high)?);
                Ok(negate(*negated, Predicate::And(Box::new(from), Box::new(to))))
            }
            Ast::Like { negated, any: false, expr, pattern, escape_char: None } => {
                Ok(negate(*negated, Predicate::Like(self.scalar(expr)?, self.scalar(pattern)?)))
            }
            other => Err(no_condition(other)),
        }
    }
}

fn no_condition(ast: &Ast) -> EngineError {
    let text = format!(
        "An expression of non-boolean type specified in a context where a condition is expected, near '{ast}'."
    );
    EngineError::new(4145, text)
}

/// The error for a function with the wrong number of arguments.
pub(super) fn wrong_count(name: &str, wanted: usize) -> EngineError {
    EngineError::new(174, format!("The {name} function requires {wanted} argument(s)."))
}

fn constant(value: &AstValue) -> Result<Value, EngineError> {
    match value {
        AstValue::Number(text, _) => parse_number(text).ok_or_else(|| unsupported(text)),
        AstValue::SingleQuotedString(text) | AstValue::NationalStringLiteral(text) => {
            Ok(Value::Text(text.clone()))
        }
        AstValue::Null => Ok(Value::Null),
        AstValue::HexStringLiteral(text) => Ok(Value::Binary(text.as_bytes().to_vec())),
        other => Err(unsupported(&other.to_string())),
    }
}

/// The type of a CAST.
fn sql_type(data_type: &DataType) -> Result<SqlType, EngineError> {
    let width = |length: &Option<CharacterLength>, most: u16| match length {
        None => Some(30),
        Some(CharacterLength::Max) => None,
        Some(CharacterLength::IntegerLength { length, .. }) => {
            u16::try_from(*length).ok().filter(|l| *l <= most)
        }
    };
    Ok(match data_type {
        DataType::Bit(_) => SqlType::Bit,
        DataType::TinyInt(_) => SqlType::TinyInt,
        DataType::SmallInt(_) => SqlType::SmallInt,
        DataType::Int(_) | DataType::Integer(_) => SqlType::Int,
        DataType::BigInt(_) => SqlType::BigInt,
        DataType::Float(_) | DataType::Real => SqlType::Float,
        DataType::Numeric(info) | DataType::Decimal(info) => {
            let (precision, scale) = match info {
                ExactNumberInfo::None => (18, 0),
                ExactNumberInfo::Precision(p) => (*p, 0),
                ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
            };
            let precision = u8::try_from(precision).unwrap_or(38).clamp(1, 38);
            SqlType::Numeric { precision, scale: u8::try_from(scale).unwrap_or(0).min(precision) }
        }
        DataType::Nvarchar(length) => SqlType::NVarChar(width(length, 4000)),
        DataType::Varchar(length) | DataType::Char(length) => SqlType::VarChar(width(length, 8000)),
        DataType::Varbinary(length) => SqlType::VarBinary(match length {
            Some(BinaryLength::IntegerLength { length }) => u16::try_from(*length).ok(),
            Some(BinaryLength::Max) => None,
            None => Some(30),
        }),
        DataType::Datetime(_) => SqlType::DateTime,
        DataType::Custom(name, arguments) => match name.to_string().to_lowercase().as_str() {
            "datetime2" => {
                let digits = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(7);
                SqlType::DateTime2(u8::min(digits, 7))
            }
            "uniqueidentifier" => SqlType::UniqueIdentifier,
            "sysname" => SqlType::NVarChar(Some(128)),
            other => {
                return Err(EngineError::new(243, format!("Type {other} is not a defined system type.")));
            }
        },
        other => return Err(EngineError::new(243, format!("Type {other} is not a defined system type."))),
    })
}
