//! What does an expression of the parser mean here?

use sqlparser::ast::{
    BinaryLength, BinaryOperator, CaseWhen, CastKind, CharacterLength, DataType, ExactNumberInfo,
    Expr as Ast, Function as AstFunction, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    UnaryOperator, Value as AstValue,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        batch::no_variable,
        exec::hexadecimal,
        select::{
            Context, Unable,
            expression::{Aggregate, Comparison, Expr, Function, Predicate},
            functions::{self, Known},
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
pub(crate) fn literal_type(value: &Value) -> SqlType {
    match value {
        Value::Null | Value::Int(-2_147_483_648..=2_147_483_647) => SqlType::Int,
        Value::Int(_) => SqlType::BigInt,
        Value::Bit(_) => SqlType::Bit,
        Value::Float(_) => SqlType::Float,
        Value::Numeric { mantissa, scale } => {
            let digits = u8::try_from(mantissa.unsigned_abs().to_string().len()).unwrap_or(38);
            SqlType::Numeric { precision: digits.max(*scale).clamp(1, 38), scale: (*scale).min(38) }
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
    }
}

/// A value as an expression.
pub(super) fn literal(value: Value) -> Expr {
    let sql_type = literal_type(&value);
    Expr::Literal(value, sql_type)
}

impl Compiler<'_, '_> {
    /// A scalar.
    pub(super) fn scalar(&self, ast: &Ast) -> Result<Expr, Unable> {
        match ast {
            Ast::Nested(expr)
            | Ast::Collate { expr, .. }
            | Ast::UnaryOp { op: UnaryOperator::Plus, expr } => self.scalar(expr),
            Ast::Value(value) => Ok(literal_value(&value.value).map(literal)?),
            Ast::Identifier(name) if name.quote_style.is_none() && name.value.starts_with('@') => {
                Ok(self.variable(&name.value)?)
            }
            Ast::Identifier(name) => Ok(self.column(std::slice::from_ref(name))?),
            Ast::CompoundIdentifier(parts) => Ok(self.column(parts)?),
            Ast::Function(function) => self.function(function),
            Ast::Cast { kind: CastKind::Cast, expr, data_type, .. } => self.cast(expr, data_type),
            Ast::Convert { is_try: false, expr, data_type: Some(data_type), styles, .. }
                if styles.is_empty() =>
            {
                self.cast(expr, data_type)
            }
            Ast::UnaryOp { op: UnaryOperator::Minus, expr } => match self.scalar(expr)? {
                Expr::Literal(value, _) if is_whole(literal_type(&value)) => {
                    Ok(functions::call(Function::Negate, &[value]).map(literal)?)
                }
                _ => Err(Unable::Beyond),
            },
            Ast::BinaryOp { left, op: BinaryOperator::Plus, right } => {
                let operands = vec![self.scalar(left)?, self.scalar(right)?];
                // Numbers and moments take more than is known here: the type of a sum, and its range.
                let texts = operands.iter().all(|e| is_text(e.sql_type(self.sources)));
                if texts { Ok(Expr::Call(Function::Join, operands)) } else { Err(Unable::Beyond) }
            }
            Ast::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            _ => Err(Unable::Beyond),
        }
    }

    fn cast(&self, expr: &Ast, data_type: &DataType) -> Result<Expr, Unable> {
        let (inner, target) = (self.scalar(expr)?, sql_type(data_type)?);
        // How a moment is written depends on its type; an aggregate is known here where it is all of an expression.
        if is_text(target) && is_moment(inner.sql_type(self.sources)) || inner.aggregates() {
            return Err(Unable::Beyond);
        }
        Ok(Expr::Cast(Box::new(inner), target))
    }

    /// Whether values of these expressions can stand in one column as they are.
    fn alike<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> bool {
        let mut types = exprs.into_iter().filter(|e| !e.is_null()).map(|e| e.sql_type(self.sources));
        let Some(first) = types.next() else { return true };
        types.all(|other| other == first || is_text(first) && is_text(other))
    }

    fn variable(&self, name: &str) -> Result<Expr, EngineError> {
        if name.starts_with("@@") {
            return functions::global(self.context, name);
        }
        let (value, declared) = self.context.variables.get(name).ok_or_else(|| no_variable(name))?;
        let sql_type = declared.unwrap_or_else(|| literal_type(value));
        Ok(Expr::Literal(value.clone(), sql_type))
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

    fn function(&self, function: &AstFunction) -> Result<Expr, Unable> {
        if function.over.is_some() || !function.within_group.is_empty() {
            return Err(Unable::Beyond);
        }
        let name = function.name.to_string().trim_start_matches("sys.").to_lowercase();
        let given: &[FunctionArg] = match &function.args {
            FunctionArguments::None => &[],
            FunctionArguments::List(list) if list.duplicate_treatment.is_none() => &list.args,
            _ => return Err(Unable::Beyond),
        };
        if name == "count" && matches!(given, [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) {
            return Ok(Expr::Aggregate(Aggregate::Count, None));
        }
        let aggregate = match name.as_str() {
            "count" => Some(Aggregate::Count),
            "count_big" => Some(Aggregate::CountBig),
            "max" => Some(Aggregate::Max),
            "min" => Some(Aggregate::Min),
            _ => None,
        };
        if let Some(kind) = aggregate {
            let arguments = self.arguments(given)?;
            let [argument] = <[Expr; 1]>::try_from(arguments).map_err(|_| wrong_count(&name, 1))?;
            return Ok(Expr::Aggregate(kind, Some(Box::new(argument))));
        }
        // The name comes first: arguments of other functions may be no expressions, as the part of a date is none.
        let known = Known::named(&name).ok_or(Unable::Beyond)?;
        let arguments = self.arguments(given)?;
        if matches!(known, Known::OfValues(Function::FirstValue, _)) && !self.alike(&arguments) {
            return Err(Unable::Beyond);
        }
        known.of(self.context, &name, arguments)
    }

    fn arguments(&self, given: &[FunctionArg]) -> Result<Vec<Expr>, Unable> {
        let argument = |a: &FunctionArg| match a {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(ast)) => self.scalar(ast),
            _ => Err(Unable::Beyond),
        };
        given.iter().map(argument).collect()
    }

    fn case(
        &self,
        operand: Option<&Ast>,
        conditions: &[CaseWhen],
        otherwise: Option<&Ast>,
    ) -> Result<Expr, Unable> {
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
        if !self.alike(branches.iter().map(|(_, result)| result).chain(&otherwise)) {
            return Err(Unable::Beyond);
        }
        Ok(Expr::Case(branches, otherwise.map(Box::new)))
    }

    /// A scalar of a condition: rows are looked at one by one, so it holds no aggregate.
    fn operand(&self, ast: &Ast) -> Result<Expr, Unable> {
        let expr = self.scalar(ast)?;
        if expr.aggregates() { Err(Unable::Beyond) } else { Ok(expr) }
    }

    /// A predicate.
    pub(super) fn predicate(&self, ast: &Ast) -> Result<Predicate, Unable> {
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
                Some(how) => Ok(Predicate::Compare(self.operand(left)?, how, self.operand(right)?)),
                None => Err(Unable::Beyond),
            },
            Ast::IsNull(expr) => Ok(Predicate::IsNull(self.operand(expr)?)),
            Ast::IsNotNull(expr) => Ok(negate(true, Predicate::IsNull(self.operand(expr)?))),
            Ast::InList { expr, list, negated } => {
                let list: Result<Vec<Expr>, Unable> = list.iter().map(|e| self.operand(e)).collect();
                Ok(negate(*negated, Predicate::In(self.operand(expr)?, list?)))
            }
            Ast::Between { expr, negated, low, high } => {
                let from =
                    Predicate::Compare(self.operand(expr)?, Comparison::GreaterOrEqual, self.operand(low)?);
                let to =
                    Predicate::Compare(self.operand(expr)?, Comparison::LessOrEqual, self.operand(high)?);
                Ok(negate(*negated, Predicate::And(Box::new(from), Box::new(to))))
            }
            Ast::Like { negated, any: false, expr, pattern, escape_char: None } => {
                Ok(negate(*negated, Predicate::Like(self.operand(expr)?, self.operand(pattern)?)))
            }
            _ => Err(Unable::Beyond),
        }
    }
}

fn is_text(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::NVarChar(_) | SqlType::VarChar(_))
}

fn is_moment(sql_type: SqlType) -> bool {
    matches!(sql_type, SqlType::Date | SqlType::DateTime | SqlType::DateTime2(_))
}

/// Whether values of a type are whole numbers.
fn is_whole(sql_type: SqlType) -> bool {
    match sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => true,
        SqlType::Numeric { scale, .. } => scale == 0,
        _ => false,
    }
}

/// The error for what is no condition.
pub(crate) fn no_condition(ast: &Ast) -> EngineError {
    let text = format!(
        "An expression of non-boolean type specified in a context where a condition is expected, near '{ast}'."
    );
    EngineError::new(4145, text)
}

/// The error for a function with the wrong number of arguments.
pub(crate) fn wrong_count(name: &str, wanted: usize) -> EngineError {
    EngineError::new(174, format!("The {name} function requires {wanted} argument(s)."))
}

/// The value of a literal.
pub(crate) fn literal_value(value: &AstValue) -> Result<Value, EngineError> {
    match value {
        AstValue::Number(text, _) => parse_number(text).ok_or_else(|| unsupported(text)),
        AstValue::SingleQuotedString(text) | AstValue::NationalStringLiteral(text) => {
            Ok(Value::Text(text.clone()))
        }
        AstValue::Null => Ok(Value::Null),
        AstValue::HexStringLiteral(text) => Ok(Value::Binary(hexadecimal(text))),
        other => Err(unsupported(&other.to_string())),
    }
}

/// The type of a CAST.
pub(crate) fn sql_type(data_type: &DataType) -> Result<SqlType, EngineError> {
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
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => {
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
        DataType::Date => SqlType::Date,
        DataType::Datetime(_) => SqlType::DateTime,
        DataType::Custom(name, arguments) => match name.to_string().to_lowercase().as_str() {
            "datetime2" => {
                let digits = arguments.first().and_then(|a| a.parse().ok()).unwrap_or(7);
                SqlType::DateTime2(u8::min(digits, 7))
            }
            "uniqueidentifier" => SqlType::UniqueIdentifier,
            "money" => SqlType::Numeric { precision: 19, scale: 4 },
            "smallmoney" => SqlType::Numeric { precision: 10, scale: 4 },
            "smalldatetime" => SqlType::DateTime,
            "nchar" => SqlType::NVarChar(Some(arguments.first().and_then(|a| a.parse().ok()).unwrap_or(30))),
            "sysname" => SqlType::NVarChar(Some(128)),
            other => {
                return Err(EngineError::new(243, format!("Type {other} is not a defined system type.")));
            }
        },
        other => return Err(EngineError::new(243, format!("Type {other} is not a defined system type."))),
    })
}
