//! Variables have the type that was declared, whatever is assigned.

use tds::{SqlType, Value};

use crate::lab::{Lab, error, text};

#[test]
fn what_is_assigned_is_converted_to_the_declared_type() {
    let mut lab = Lab::new();
    lab.database("A");
    let exact = |precision, scale| SqlType::Numeric { precision, scale };
    let number = |mantissa, scale| Value::Numeric { mantissa, scale };
    for (sql, sql_type, value) in [
        ("DECLARE @d decimal(10,2) = 5; SELECT @d / 2", exact(21, 13), number(25_000_000_000_000, 13)),
        ("DECLARE @d AS decimal(10,2); SET @d = '1.239'; SELECT @d", exact(10, 2), number(124, 2)),
        ("DECLARE @n int = '7'; SELECT @n + 1", SqlType::Int, Value::Int(8)),
        ("DECLARE @n bigint, @m bit = 5; SET @n = 3; SELECT @n * @m", SqlType::BigInt, Value::Int(3)),
        ("DECLARE @s varchar(3) = 'abcdef'; SELECT @s", SqlType::VarChar(Some(3)), text("abc")),
        ("DECLARE @s nvarchar(max); SELECT @s", SqlType::NVarChar(None), Value::Null),
        (
            "DECLARE @t datetime = '1970-01-01 00:00:01'; SELECT @t",
            SqlType::DateTime,
            Value::DateTime(1_000_000_000),
        ),
        (
            "DECLARE @t date = '1970-01-02 13:00'; SELECT @t",
            SqlType::Date,
            Value::DateTime(86_400_000_000_000),
        ),
        (
            "DECLARE @n tinyint; SELECT @n = COUNT(*) FROM sys.databases; SELECT @n",
            SqlType::TinyInt,
            Value::Int(6),
        ),
        (
            "DECLARE @n int = 4; SELECT @n = database_id FROM sys.databases WHERE 1 = 2; SELECT @n",
            SqlType::Int,
            Value::Int(4),
        ),
        ("DECLARE @x xml = 'read over'; SELECT @x", SqlType::NVarChar(Some(9)), text("read over")),
    ] {
        let answer = lab.batch(sql);
        assert_eq!(answer.error, None, "{sql}");
        let set = answer.results.last().unwrap();
        assert_eq!((set.columns[0].sql_type, &set.rows[0][0]), (sql_type, &value), "{sql}");
    }
    for (sql, number) in [
        ("DECLARE @n int = 'seven'", 245),
        ("DECLARE @n tinyint; SET @n = 256", 8115),
        ("DECLARE @t datetime; SET @t = 'yesterday'", 241),
        ("SET @missing = 1", 137),
        ("SELECT @missing = 1", 137),
    ] {
        assert_eq!(error(&lab.batch(sql)).0, number, "{sql}");
    }
}
