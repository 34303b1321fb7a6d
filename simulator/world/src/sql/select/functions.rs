//! What do functions and casts yield?
//!
//! Clocks and properties of the server are constants within a statement and become literals when it is read.

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        select::{
            Context, Unable,
            compile::{literal, wrong_count},
            expression::{Expr, Function},
        },
        tables::{databases::database_number, requests::session_number},
        value,
    },
    time::{Ms, round_datetime},
};

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

/// A function that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// A function of values, and how many it takes where that is fixed.
    OfValues(Function, Option<usize>),
    UtcNow,
    Now,
    UtcDate,
    Date,
    DatabaseName,
    DatabaseId,
    Login,
    Property,
    Client,
    ServerRole,
    LockMode,
}

impl Known {
    /// By its name in lower case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "isnull" => Self::OfValues(Function::FirstValue, Some(2)),
            "coalesce" => Self::OfValues(Function::FirstValue, None),
            "upper" => Self::OfValues(Function::Upper, Some(1)),
            "lower" => Self::OfValues(Function::Lower, Some(1)),
            "len" => Self::OfValues(Function::Length, Some(1)),
            "sysutcdatetime" => Self::UtcNow,
            "sysdatetime" => Self::Now,
            "getutcdate" => Self::UtcDate,
            "getdate" | "current_timestamp" => Self::Date,
            "db_name" => Self::DatabaseName,
            "db_id" => Self::DatabaseId,
            "suser_sname" | "suser_name" | "original_login" | "system_user" => Self::Login,
            "serverproperty" => Self::Property,
            "host_name" | "app_name" => Self::Client,
            "is_srvrolemember" => Self::ServerRole,
            "applock_mode" => Self::LockMode,
            _ => return None,
        })
    }

    /// With its arguments; `name` is for the error.
    pub(super) fn of(self, context: &Context<'_>, name: &str, arguments: Vec<Expr>) -> Result<Expr, Unable> {
        match self {
            Self::OfValues(_, Some(wanted)) if arguments.len() != wanted => {
                Err(wrong_count(name, wanted).into())
            }
            Self::OfValues(_, None) if arguments.is_empty() => Err(Unable::Beyond),
            Self::OfValues(function, _) => Ok(Expr::Call(function, arguments)),
            _ => server(context, self, &arguments),
        }
    }
}

/// Functions of the server's state.
fn server(context: &Context<'_>, known: Known, arguments: &[Expr]) -> Result<Expr, Unable> {
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
    Ok(match known {
        Known::UtcNow => typed(Value::DateTime(utc), SqlType::DateTime2(7)),
        Known::Now => typed(Value::DateTime(local), SqlType::DateTime2(7)),
        Known::UtcDate => datetime(utc),
        Known::Date => datetime(local),
        Known::DatabaseName if arguments.is_empty() => {
            text(session.map(|s| s.database.clone()).unwrap_or_default())
        }
        Known::DatabaseId => {
            let wanted = given(0).or_else(|| session.map(|s| s.database.clone())).unwrap_or_default();
            let id = session.and_then(|s| database_number(world, s.instance, &wanted));
            typed(id.map_or(Value::Null, Value::Int), SqlType::Int)
        }
        Known::Login => text(host.map(|h| h.config.user.clone()).unwrap_or_default()),
        Known::Property => property(host, &given(0).unwrap_or_default()),
        // What a client says of itself is not kept.
        Known::Client => text(""),
        Known::ServerRole => typed(server_role(&given(0).unwrap_or_default()), SqlType::Int),
        Known::LockMode => {
            let mode = world.app_lock_mode(
                context.session,
                &given(1).unwrap_or_default(),
                &given(2).unwrap_or_default(),
            );
            typed(mode, SqlType::NVarChar(Some(32)))
        }
        Known::DatabaseName | Known::OfValues(..) => return Err(Unable::Beyond),
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
