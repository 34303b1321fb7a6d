//! What do functions and casts yield?
//!
//! Clocks and properties of the server are constants within a statement and become literals when it is read.

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query,
        select::{
            Context, Unable,
            compile::{literal, wrong_count},
            expression::{Expr, Function},
        },
        tables::{databases::system_id, requests::session_number},
        value,
    },
    time::{Ms, round_datetime},
};

const NANOSECONDS_A_DAY: i128 = 86_400_000_000_000;

fn typed(value: Value, sql_type: SqlType) -> Expr {
    Expr::Literal(value, sql_type)
}

fn text(text: impl Into<String>) -> Expr {
    typed(Value::Text(text.into()), SqlType::NVarChar(Some(4000)))
}

/// `@@VERSION` and its like.
pub(super) fn global(context: &Context<'_>, name: &str) -> Result<Expr, EngineError> {
    let session = context.world.sessions.get(&context.session.0);
    let host = session.and_then(|s| context.world.instances.get(s.instance));
    Ok(match name.to_lowercase().as_str() {
        "@@version" => text(host.map(version).unwrap_or_default()),
        "@@servername" => text(host.map(|h| h.config.name.to_uppercase()).unwrap_or_default()),
        "@@trancount" => literal(Value::Int(session.map_or(0, |s| i64::from(s.transactions)))),
        "@@spid" => typed(Value::Int(session_number(context.session.0)), SqlType::SmallInt),
        "@@rowcount" => {
            literal(context.variables.get("@@rowcount").map_or(Value::Int(0), |(count, _)| count.clone()))
        }
        "@@error" | "@@nestlevel" | "@@procid" | "@@cursor_rows" => literal(Value::Int(0)),
        "@@langid" => typed(Value::Int(0), SqlType::SmallInt),
        "@@lock_timeout" | "@@textsize" | "@@fetch_status" => literal(Value::Int(-1)),
        "@@datefirst" => typed(Value::Int(7), SqlType::TinyInt),
        "@@max_connections" => literal(Value::Int(32_767)),
        "@@options" => literal(Value::Int(5_496)),
        "@@servicename" => text("MSSQLSERVER"),
        "@@microsoftversion" => literal(host.map_or(Value::Null, |h| Value::Int(microsoft_version(h)))),
        "@@language" => text("us_english"),
        "@@max_precision" => typed(Value::Int(38), SqlType::TinyInt),
        _ => return Err(super::super::batch::no_variable(name)),
    })
}

/// `@@MICROSOFTVERSION`: the major version in the highest byte, the build in the lower two.
fn microsoft_version(host: &crate::instance::state::Instance) -> i64 {
    let build = product(host).split('.').nth(2).and_then(|part| part.parse::<i64>().ok()).unwrap_or(0);
    (i64::from(host.config.major_version()) << 24) | (build & 0xFFFF)
}

fn version(host: &crate::instance::state::Instance) -> String {
    let major = host.config.major_version();
    let year = match major {
        13 => "2016",
        14 => "2017",
        15 => "2019",
        16 => "2022",
        _ => "2025",
    };
    format!(
        "Microsoft SQL Server {year} - {} (X64) \n\t{} Edition (64-bit)",
        product(host),
        host.config.edition.name()
    )
}

/// `16.00.4095.4.v1` of RDS is `16.0.4095.4` of SQL Server.
fn product(host: &crate::instance::state::Instance) -> String {
    let parts = host.config.engine_version.split('.').take(4);
    let plain = |part: &str| part.parse::<u32>().map_or_else(|_| part.to_owned(), |n| n.to_string());
    parts.map(plain).collect::<Vec<_>>().join(".")
}

/// Functions that are known here.
const KNOWN: &[&str] = &[
    "isnull",
    "coalesce",
    "upper",
    "lower",
    "len",
    "sysutcdatetime",
    "sysdatetime",
    "getutcdate",
    "getdate",
    "current_timestamp",
    "db_name",
    "db_id",
    "suser_sname",
    "suser_name",
    "original_login",
    "system_user",
    "serverproperty",
    "applock_mode",
    "host_name",
    "app_name",
    "is_srvrolemember",
];

/// Whether a function is known here, by its name in lower case.
pub(super) fn knows(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// A function by name.
pub(super) fn named(context: &Context<'_>, name: &str, arguments: &[Expr]) -> Result<Expr, Unable> {
    let count = arguments.len();
    let needs =
        |wanted: usize| if count == wanted { Ok(()) } else { Err(Unable::from(wrong_count(name, wanted))) };
    let call = |function| Ok(Expr::Call(function, arguments.to_vec()));
    match name {
        "isnull" => needs(2).and_then(|()| call(Function::FirstValue)),
        "coalesce" if count > 0 => call(Function::FirstValue),
        "upper" => needs(1).and_then(|()| call(Function::Upper)),
        "lower" => needs(1).and_then(|()| call(Function::Lower)),
        "len" => needs(1).and_then(|()| call(Function::Length)),
        _ => server(context, name, arguments),
    }
}

/// Functions of the server's state.
fn server(context: &Context<'_>, name: &str, arguments: &[Expr]) -> Result<Expr, Unable> {
    let world = context.world;
    let session = world.sessions.get(&context.session.0);
    let host = session.and_then(|s| world.instances.get(s.instance));
    let zone = host.map_or(0, |h| h.zone);
    let utc = world.now().as_nanosecond();
    let local = utc + i128::from(zone) * 1_000_000;
    let datetime = |nanoseconds: i128| {
        let rounded = round_datetime(Ms::try_from(nanoseconds.div_euclid(1_000_000)).unwrap_or(0));
        typed(Value::DateTime(crate::time::nanoseconds(rounded)), SqlType::DateTime)
    };
    let given = |place: usize| match arguments.get(place) {
        Some(Expr::Literal(value, _)) => value::text(value),
        _ => None,
    };
    Ok(match name {
        "sysutcdatetime" => typed(Value::DateTime(utc), SqlType::DateTime2(7)),
        "sysdatetime" => typed(Value::DateTime(local), SqlType::DateTime2(7)),
        "getutcdate" => datetime(utc),
        "getdate" | "current_timestamp" => datetime(local),
        "db_name" if arguments.is_empty() => text(session.map(|s| s.database.clone()).unwrap_or_default()),
        "db_id" => {
            let wanted = given(0).or_else(|| session.map(|s| s.database.clone())).unwrap_or_default();
            let id = session
                .and_then(|s| world.shown(s.instance))
                .and_then(|h| h.database(&wanted))
                .and_then(|id| world.database(id))
                .map(|d| i64::from(d.sql_id));
            let id = id.or_else(|| system_id(&wanted));
            typed(id.map_or(Value::Null, Value::Int), SqlType::Int)
        }
        "suser_sname" | "suser_name" | "original_login" | "system_user" => {
            text(host.map(|h| h.config.user.clone()).unwrap_or_default())
        }
        "serverproperty" => property(host, &given(0).unwrap_or_default()),
        // What a client says of itself is not kept.
        "host_name" | "app_name" => text(""),
        "is_srvrolemember" => typed(server_role(&given(0).unwrap_or_default()), SqlType::Int),
        "applock_mode" => {
            let mode = world.app_lock_mode(
                context.session,
                &given(1).unwrap_or_default(),
                &given(2).unwrap_or_default(),
            );
            typed(mode, SqlType::NVarChar(Some(32)))
        }
        _ => return Err(Unable::Beyond),
    })
}

/// Whether the master user has a server role. Source: "Master user account privileges" in the RDS user guide.
fn server_role(role: &str) -> Value {
    match role.to_lowercase().as_str() {
        "public" | "processadmin" | "setupadmin" => Value::Int(1),
        "sysadmin" | "serveradmin" | "securityadmin" | "diskadmin" | "dbcreator" | "bulkadmin" => {
            Value::Int(0)
        }
        _ => Value::Null,
    }
}

fn property(host: Option<&crate::instance::state::Instance>, name: &str) -> Expr {
    let Some(host) = host else { return typed(Value::Null, SqlType::NVarChar(Some(128))) };
    let value = match name.to_lowercase().as_str() {
        "edition" => Some(format!("{} Edition (64-bit)", host.config.edition.name())),
        "productversion" => Some(product(host)),
        "productmajorversion" => Some(host.config.major_version().to_string()),
        "productlevel" => Some("RTM".into()),
        "servername" | "machinename" => Some(host.config.name.to_uppercase()),
        "engineedition" => Some(match host.config.edition {
            crate::instance::config::Edition::Enterprise => "3".into(),
            crate::instance::config::Edition::Express => "4".into(),
            _ => "2".into(),
        }),
        "ishadrenabled" => {
            Some(u8::from(host.config.multi_az == crate::instance::config::MultiAz::AlwaysOn).to_string())
        }
        "isclustered" | "issingleuser" | "isintegratedsecurityonly" => Some("0".into()),
        "isfulltextinstalled" => Some("1".into()),
        "collation" => Some("SQL_Latin1_General_CP1_CI_AS".into()),
        _ => None,
    };
    typed(value.map_or(Value::Null, Value::Text), SqlType::NVarChar(Some(128)))
}

/// `DATEADD(unit, number, moment)` of constants.
pub(super) fn date_add(unit: &str, arguments: Vec<Expr>) -> Result<Expr, Unable> {
    let [Expr::Literal(number, _), Expr::Literal(moment, sql_type)] =
        <[Expr; 2]>::try_from(arguments).map_err(|_| wrong_count("dateadd", 3))?
    else {
        return Err(Unable::Beyond);
    };
    let each: i128 = match unit.to_lowercase().as_str() {
        "millisecond" | "ms" => 1,
        "second" | "ss" | "s" => 1_000,
        "minute" | "mi" | "n" => 60_000,
        "hour" | "hh" => 3_600_000,
        "day" | "dd" | "d" => 86_400_000,
        "week" | "wk" | "ww" => 604_800_000,
        _ => return Err(Unable::Beyond),
    };
    if !matches!(number, Value::Int(_) | Value::Null)
        || !matches!(moment, Value::DateTime(_) | Value::Text(_))
    {
        return Err(Unable::Beyond);
    }
    let sql_type = if matches!(sql_type, SqlType::DateTime | SqlType::DateTime2(_)) {
        sql_type
    } else {
        SqlType::DateTime
    };
    let moved = match (value::integer(&number, "int")?, value::moment(&moment)?) {
        (Some(number), Some(at)) => {
            let moved = i128::from(number).checked_mul(each * 1_000_000).and_then(|m| m.checked_add(at));
            // What leaves the calendar is an error there.
            moved.and_then(value::in_calendar).ok_or(Unable::Beyond)?
        }
        _ => Value::Null,
    };
    Ok(typed(moved, sql_type))
}

/// A function of values.
pub(super) fn call(function: Function, values: &[Value]) -> Result<Value, EngineError> {
    let first = values.first().cloned().unwrap_or(Value::Null);
    let second = values.get(1).cloned().unwrap_or(Value::Null);
    Ok(match function {
        Function::FirstValue => values.iter().find(|v| **v != Value::Null).cloned().unwrap_or(Value::Null),
        Function::Upper => value::text(&first).map_or(Value::Null, |t| Value::Text(t.to_uppercase())),
        Function::Lower => value::text(&first).map_or(Value::Null, |t| Value::Text(t.to_lowercase())),
        Function::Length => {
            let length = value::text(&first).map(|t| t.trim_end_matches(' ').encode_utf16().count());
            length.and_then(|l| i64::try_from(l).ok()).map_or(Value::Null, Value::Int)
        }
        _ if first == Value::Null || (function == Function::Join && second == Value::Null) => Value::Null,
        Function::Join => {
            let texts = value::text(&first).zip(value::text(&second));
            texts.map_or(Ok(Value::Null), |(a, b)| value::joined(a, &b))?
        }
        Function::Negate => negated(&first)?,
    })
}

/// The minus before a whole number.
fn negated(held: &Value) -> Result<Value, EngineError> {
    let overflow =
        || EngineError::new(8115, "Arithmetic overflow error converting expression to data type bigint.");
    Ok(match held {
        Value::Numeric { mantissa, scale } => {
            Value::Numeric { mantissa: mantissa.checked_neg().ok_or_else(overflow)?, scale: *scale }
        }
        other => {
            let number = value::integer(other, "int")?.unwrap_or(0);
            Value::Int(number.checked_neg().ok_or_else(overflow)?)
        }
    })
}

/// CAST and CONVERT.
pub(crate) fn cast(held: &Value, target: SqlType) -> Result<Value, EngineError> {
    if *held == Value::Null {
        return Ok(Value::Null);
    }
    let text_of_number =
        matches!(held, Value::Text(text) if !text.trim().is_empty() && text.trim().parse::<i64>().is_err());
    Ok(match target {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt if text_of_number => {
            return Err(value::no_conversion(held, target_name(target)));
        }
        SqlType::Bit if value::truth(held).is_some() => value::truth(held).map_or(Value::Null, Value::Bit),
        SqlType::Bit => value::integer(held, "bit")?.map_or(Value::Null, |n| Value::Bit(n != 0)),
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            if let Value::Binary(bytes) = held {
                // The last bytes, the highest first.
                let last = bytes.iter().rev().take(8).rev();
                return Ok(Value::Int(last.fold(0, |number, byte| (number << 8) | i64::from(*byte))));
            }
            value::integer(held, "int")?.map_or(Value::Null, Value::Int)
        }
        SqlType::Float => match value::text(held).and_then(|t| t.parse().ok()) {
            Some(number) => Value::Float(number),
            None => return Err(EngineError::new(8114, "Error converting data type nvarchar to float.")),
        },
        SqlType::Numeric { scale, .. } => numeric(held, scale)?,
        SqlType::NVarChar(width) | SqlType::VarChar(width) => {
            let text = value::text(held).unwrap_or_default();
            Value::Text(text.chars().take(width.map_or(usize::MAX, usize::from)).collect())
        }
        SqlType::VarBinary(_) => match held {
            Value::Binary(bytes) => Value::Binary(bytes.clone()),
            other => Value::Binary(value::text(other).unwrap_or_default().into_bytes()),
        },
        SqlType::DateTime => value::moment(held)?.map_or(Value::Null, |at| {
            let rounded = Ms::try_from(at.div_euclid(1_000_000)).map(round_datetime);
            rounded.map_or(Value::Null, |at| Value::DateTime(crate::time::nanoseconds(at)))
        }),
        SqlType::DateTime2(digits) => value::moment(held)?.map_or(Value::Null, |at| {
            let unit = 10_i128.pow(9 - u32::from(digits.min(7)));
            Value::DateTime((at + unit / 2).div_euclid(unit) * unit)
        }),
        SqlType::Date => value::moment(held)?
            .map_or(Value::Null, |at| Value::DateTime(at.div_euclid(NANOSECONDS_A_DAY) * NANOSECONDS_A_DAY)),
        SqlType::UniqueIdentifier => match held {
            Value::Guid(bytes) => Value::Guid(*bytes),
            other => {
                let text = value::text(other).unwrap_or_default();
                let parsed = crate::guid::Guid::parse(&text).ok_or_else(|| {
                    EngineError::new(
                        8169,
                        "Conversion failed when converting from a character string to uniqueidentifier.",
                    )
                })?;
                Value::Guid(parsed.0)
            }
        },
    })
}

fn target_name(target: SqlType) -> &'static str {
    match target {
        SqlType::TinyInt => "tinyint",
        SqlType::SmallInt => "smallint",
        SqlType::BigInt => "bigint",
        _ => "int",
    }
}

fn numeric(held: &Value, scale: u8) -> Result<Value, EngineError> {
    let refuse = || {
        EngineError::new(8114, format!("Error converting data type {} to numeric.", value::type_name(held)))
    };
    let parsed = value::text(held).and_then(|t| value::parse_number(t.trim())).ok_or_else(refuse)?;
    let (mantissa, from) = match parsed {
        Value::Int(number) => (i128::from(number), 0),
        Value::Numeric { mantissa, scale } => (mantissa, scale),
        _ => return Err(refuse()),
    };
    let mantissa = query::rescale(mantissa, from, scale).map_err(|_| refuse())?;
    Ok(Value::Numeric { mantissa, scale })
}
