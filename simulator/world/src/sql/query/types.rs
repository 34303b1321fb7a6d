//! Of which type is what an expression yields?
//!
//! Precedence of types and precision of exact numerics. Source: "Data type precedence" and "Precision, scale, and length"
//! in the T-SQL reference.

use tds::{SqlType, Value};

use crate::{error::EngineError, sql::value};

/// Digits that an exact numeric can have.
const DIGITS: u8 = 38;

/// How values of a type are held and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// bit and the integers.
    Whole,
    /// Exact numerics of one scale.
    Exact(u8),
    /// float.
    Float,
    /// Text.
    Text,
    /// Moments.
    Moment,
    /// uniqueidentifier.
    Guid,
    /// Bytes.
    Bytes,
}

/// The class of a type.
pub(super) fn class(sql_type: SqlType) -> Class {
    match sql_type {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => Class::Whole,
        SqlType::Float => Class::Float,
        SqlType::Numeric { scale, .. } => Class::Exact(scale),
        SqlType::NVarChar(_) | SqlType::VarChar(_) => Class::Text,
        SqlType::VarBinary(_) => Class::Bytes,
        SqlType::Date | SqlType::DateTime | SqlType::DateTime2(_) => Class::Moment,
        SqlType::UniqueIdentifier => Class::Guid,
    }
}

/// Place in the order of precedence: what stands higher wins.
fn rank(sql_type: SqlType) -> u8 {
    match sql_type {
        SqlType::VarBinary(_) => 0,
        SqlType::VarChar(_) => 1,
        SqlType::NVarChar(_) => 2,
        SqlType::UniqueIdentifier => 3,
        SqlType::Bit => 4,
        SqlType::TinyInt => 5,
        SqlType::SmallInt => 6,
        SqlType::Int => 7,
        SqlType::BigInt => 8,
        SqlType::Numeric { .. } => 9,
        SqlType::Float => 10,
        SqlType::Date => 11,
        SqlType::DateTime => 12,
        SqlType::DateTime2(_) => 13,
    }
}

/// A number as precision and scale; `None` for what is no exact number.
fn digits(sql_type: SqlType) -> Option<(u8, u8)> {
    Some(match sql_type {
        SqlType::Bit => (1, 0),
        SqlType::TinyInt => (3, 0),
        SqlType::SmallInt => (5, 0),
        SqlType::Int => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Numeric { precision, scale } => (precision, scale),
        _ => return None,
    })
}

/// A numeric of so many digits, as far as they go.
pub(super) fn numeric(whole: u8, scale: u8) -> SqlType {
    let scale = scale.min(DIGITS.saturating_sub(whole.min(DIGITS)));
    SqlType::Numeric { precision: (whole + scale).clamp(1, DIGITS), scale }
}

/// The type that two sides are brought to.
pub(super) fn common(a: SqlType, b: SqlType) -> SqlType {
    let wider = |x: Option<u16>, y: Option<u16>| x.zip(y).map(|(x, y)| x.max(y));
    match (a, b) {
        (SqlType::NVarChar(x) | SqlType::VarChar(x), SqlType::NVarChar(y))
        | (SqlType::NVarChar(x), SqlType::VarChar(y)) => {
            SqlType::NVarChar(wider(x, y).filter(|w| *w <= 4000))
        }
        (SqlType::VarChar(x), SqlType::VarChar(y)) => SqlType::VarChar(wider(x, y)),
        (SqlType::VarBinary(x), SqlType::VarBinary(y)) => SqlType::VarBinary(wider(x, y)),
        (SqlType::DateTime2(x), SqlType::DateTime2(y)) => SqlType::DateTime2(x.max(y)),
        _ => {
            let exact = matches!(a, SqlType::Numeric { .. }) || matches!(b, SqlType::Numeric { .. });
            if let (true, Some((p, s)), Some((q, t))) = (exact, digits(a), digits(b)) {
                return numeric((p - s).max(q - t), s.max(t));
            }
            if rank(a) >= rank(b) { a } else { b }
        }
    }
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `+` of numbers and moments.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Divide => "divide",
            Self::Modulo => "modulo",
        }
    }
}

/// What an operator yields of two types. Error 8117 or 402 where it takes no such operand.
pub(super) fn arithmetic(operator: Operator, a: SqlType, b: SqlType) -> Result<SqlType, EngineError> {
    let target = common(a, b);
    match class(target) {
        Class::Whole | Class::Float => {
            if target == SqlType::Bit {
                Ok(SqlType::Int)
            } else {
                Ok(target)
            }
        }
        Class::Exact(_) => {
            // Text beside an exact numeric becomes one of its shape.
            let shape = |t| digits(t).or_else(|| digits(target)).unwrap_or((18, 0));
            Ok(exact(operator, shape(a), shape(b)))
        }
        Class::Moment
            if matches!(operator, Operator::Add | Operator::Subtract) && target == SqlType::DateTime =>
        {
            Ok(target)
        }
        _ if class(a) == class(b) => {
            let text =
                format!("Operand data type {} is invalid for {} operator.", name(target), operator.name());
            Err(EngineError::new(8117, text))
        }
        // date and datetime2 count no days.
        Class::Moment if target != SqlType::DateTime && class(a) != class(b) => {
            let text = format!(
                "Operand type clash: {} is incompatible with {}",
                name(target),
                name(if target == a { b } else { a })
            );
            Err(EngineError::new(206, text))
        }
        _ => {
            let text = format!(
                "The data types {} and {} are incompatible in the {} operator.",
                name(a),
                name(b),
                operator.name()
            );
            Err(EngineError::new(402, text))
        }
    }
}

/// Precision and scale of arithmetic on exact numerics.
fn exact(operator: Operator, (p, s): (u8, u8), (q, t): (u8, u8)) -> SqlType {
    let (whole, scale) = match operator {
        Operator::Add | Operator::Subtract => ((p - s).max(q - t) + 1, s.max(t)),
        Operator::Multiply => (p - s + q - t + 1, s + t),
        Operator::Divide => (p - s + t, 6.max(s + q + 1)),
        Operator::Modulo => ((p - s).min(q - t), s.max(t)),
    };
    let cut = matches!(operator, Operator::Multiply | Operator::Divide) && whole + scale > DIGITS;
    // What does not fit loses digits behind the point, but keeps six of them.
    if cut && whole > 32 { numeric(DIGITS - scale.min(6), scale.min(6)) } else { numeric(whole, scale) }
}

/// Name of a type in error texts.
pub(in crate::sql) fn name(sql_type: SqlType) -> &'static str {
    match sql_type {
        SqlType::Bit => "bit",
        SqlType::TinyInt => "tinyint",
        SqlType::SmallInt => "smallint",
        SqlType::Int => "int",
        SqlType::BigInt => "bigint",
        SqlType::Float => "float",
        SqlType::Numeric { .. } => "numeric",
        SqlType::NVarChar(_) => "nvarchar",
        SqlType::VarChar(_) => "varchar",
        SqlType::VarBinary(_) => "varbinary",
        SqlType::Date => "date",
        SqlType::DateTime => "datetime",
        SqlType::DateTime2(_) => "datetime2",
        SqlType::UniqueIdentifier => "uniqueidentifier",
    }
}

/// A value as its type holds it: what the engine keeps as a number may be a bit.
pub(super) fn fit(held: Value, sql_type: SqlType) -> Value {
    match (sql_type, held) {
        (SqlType::Bit, Value::Int(number)) => Value::Bit(number != 0),
        (_, held @ Value::Null) => held,
        (SqlType::NVarChar(_) | SqlType::VarChar(_), held) => {
            value::text(&held).map_or(Value::Null, Value::Text)
        }
        (_, held) => held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn exactly(precision: u8, scale: u8) -> SqlType {
        SqlType::Numeric { precision, scale }
    }

    #[test]
    fn the_higher_type_wins() {
        for (a, b, wins) in [
            (SqlType::Int, SqlType::NVarChar(Some(5)), SqlType::Int),
            (SqlType::BigInt, exactly(25, 0), exactly(25, 0)),
            (exactly(10, 4), exactly(8, 1), exactly(11, 4)),
            (SqlType::Float, exactly(25, 0), SqlType::Float),
            (SqlType::DateTime, SqlType::DateTime2(3), SqlType::DateTime2(3)),
            (SqlType::VarChar(Some(3)), SqlType::NVarChar(Some(7)), SqlType::NVarChar(Some(7))),
            (SqlType::VarChar(None), SqlType::VarChar(Some(7)), SqlType::VarChar(None)),
        ] {
            assert_eq!(common(a, b), wins);
            assert_eq!(common(b, a), wins);
        }
    }

    /// The examples of the T-SQL reference, and backup sizes as scripts divide them.
    #[test]
    fn precision_of_arithmetic() {
        use Operator::{Add, Divide, Modulo, Multiply};
        for (operator, a, b, wanted) in [
            (Divide, exactly(20, 0), exactly(8, 1), exactly(30, 9)),
            (Multiply, exactly(10, 2), exactly(5, 1), exactly(16, 3)),
            (Add, exactly(10, 2), SqlType::Int, exactly(13, 2)),
            (Modulo, exactly(10, 2), exactly(5, 1), exactly(6, 2)),
            (Multiply, exactly(38, 10), exactly(38, 10), exactly(38, 6)),
            (Divide, SqlType::Int, SqlType::Int, SqlType::Int),
        ] {
            assert_eq!(arithmetic(operator, a, b).unwrap(), wanted, "{a:?} {operator:?} {b:?}");
        }
        assert_eq!(
            arithmetic(Add, SqlType::UniqueIdentifier, SqlType::UniqueIdentifier).unwrap_err().number,
            8117
        );
        assert_eq!(arithmetic(Multiply, SqlType::DateTime, SqlType::Int).unwrap_err().number, 402);
    }
}
