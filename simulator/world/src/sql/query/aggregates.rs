//! How are aggregates and window functions translated?

use sqlparser::ast::{
    DuplicateTreatment, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, OrderByExpr,
    OrderBySort, WindowFrameBound, WindowSpec, WindowType,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query::{
            Term, Translator,
            calls::Call,
            engine::{COUNTED, SUM},
            functions::given,
            scope::Place,
            types::{self, Class, Operator, class},
        },
        select::{unsupported, wrong_count},
    },
};

/// An aggregate or a function of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Count(SqlType),
    Sum,
    Average,
    Lowest,
    Highest,
    Joined,
    /// Functions that only windows have, as SQLite names them.
    Place(&'static str, SqlType),
    /// LAG, LEAD, `FIRST_VALUE` and `LAST_VALUE`.
    Neighbour(&'static str),
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "count" => Kind::Count(SqlType::Int),
        "count_big" => Kind::Count(SqlType::BigInt),
        "sum" => Kind::Sum,
        "avg" => Kind::Average,
        "min" => Kind::Lowest,
        "max" => Kind::Highest,
        "string_agg" => Kind::Joined,
        "row_number" => Kind::Place("row_number", SqlType::BigInt),
        "rank" => Kind::Place("rank", SqlType::BigInt),
        "dense_rank" => Kind::Place("dense_rank", SqlType::BigInt),
        "ntile" => Kind::Place("ntile", SqlType::BigInt),
        "percent_rank" => Kind::Place("percent_rank", SqlType::Float),
        "cume_dist" => Kind::Place("cume_dist", SqlType::Float),
        "lag" => Kind::Neighbour("lag"),
        "lead" => Kind::Neighbour("lead"),
        "first_value" => Kind::Neighbour("first_value"),
        "last_value" => Kind::Neighbour("last_value"),
        _ => return None,
    })
}

/// The type of a sum of a type. Error 8117.
fn summed(sql_type: SqlType, function: &str) -> Result<SqlType, EngineError> {
    Ok(match sql_type {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
        SqlType::BigInt | SqlType::Float => sql_type,
        SqlType::Numeric { scale, .. } => SqlType::Numeric { precision: 38, scale },
        other => {
            let text =
                format!("Operand data type {} is invalid for {function} operator.", types::name(other));
            return Err(EngineError::new(8117, text));
        }
    })
}

impl Translator<'_, '_> {
    /// An aggregate or window function; `None` for what is neither. Errors: 130, 147, 4108, 10753.
    pub(super) fn aggregate(&mut self, function: &Function, name: &str) -> Result<Option<Term>, EngineError> {
        let Some(kind) = kind(name) else { return Ok(None) };
        let only_windows = matches!(kind, Kind::Place(..) | Kind::Neighbour(_));
        if only_windows && function.over.is_none() {
            return Err(EngineError::new(10_753, format!("The function '{name}' must have an OVER clause.")));
        }
        self.allowed(function.over.is_some())?;
        let (distinct, star) = match &function.args {
            FunctionArguments::List(list) => (
                list.duplicate_treatment == Some(DuplicateTreatment::Distinct),
                matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]),
            ),
            _ => (false, false),
        };
        // The arguments of a window's function are of the groups, those of an aggregate of the rows.
        let inside = if function.over.is_some() { Place::Groups } else { Place::Aggregate };
        let mut terms = Vec::new();
        if !star {
            for ast in given(function)? {
                terms.push(self.at(inside, |t| t.scalar(ast))?);
            }
        }
        let over = match &function.over {
            None => String::new(),
            Some(WindowType::WindowSpec(spec)) => {
                if only_windows && spec.order_by.is_empty() {
                    let text = format!("The function '{name}' must have an OVER clause with ORDER BY.");
                    return Err(EngineError::new(4112, text));
                }
                if distinct {
                    return Err(EngineError::new(
                        10_759,
                        "Use of DISTINCT is not allowed with the OVER clause.",
                    ));
                }
                format!(" OVER ({})", self.window(spec)?)
            }
            Some(WindowType::NamedWindow(name)) => return Err(unsupported(&name.value)),
        };
        let order = match function.within_group.as_slice() {
            [] => String::new(),
            keys => format!(" ORDER BY {}", self.at(inside, |t| t.keys(keys))?),
        };
        let term = self.aggregated(kind, name, &terms, star, &Written { distinct, over, order })?;
        Ok(Some(term))
    }

    /// Whether an aggregate or window may stand here; an aggregate groups its query.
    fn allowed(&mut self, window: bool) -> Result<(), EngineError> {
        if self.keys && !window {
            return Err(not_a_key());
        }
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        match (scope.place, window) {
            (Place::Groups, true) => {}
            (Place::Groups, false) => scope.aggregates = true,
            (_, true) => {
                return Err(EngineError::new(
                    4108,
                    "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
                ));
            }
            (Place::Aggregate, false) => {
                return Err(nested());
            }
            (Place::Rows, false) => {
                let text = "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.";
                return Err(EngineError::new(147, text));
            }
        }
        Ok(())
    }

    fn aggregated(
        &mut self,
        kind: Kind,
        name: &str,
        terms: &[Term],
        star: bool,
        written: &Written,
    ) -> Result<Term, EngineError> {
        let (distinct, over) = (if written.distinct { "DISTINCT " } else { "" }, &written.over);
        let wanted = match kind {
            Kind::Joined => 2,
            Kind::Place("ntile", _) => 1,
            Kind::Place(..) => 0,
            _ => 1,
        };
        let counts = matches!(kind, Kind::Count(_)) && star;
        let fits = if matches!(kind, Kind::Neighbour("lag" | "lead")) {
            (1..=3).contains(&terms.len())
        } else {
            terms.len() == wanted
        };
        if !(counts || fits) {
            return Err(wrong_count(name, wanted));
        }
        let first = terms.first().cloned().unwrap_or_else(|| Term {
            sql: "*".into(),
            sql_type: SqlType::Int,
            literal: None,
        });
        Ok(match kind {
            Kind::Count(sql_type) => Term::new(format!("COUNT({distinct}{}){over}", first.sql), sql_type),
            Kind::Lowest => Term::new(format!("MIN({}){over}", first.sql), first.sql_type),
            Kind::Highest => Term::new(format!("MAX({}){over}", first.sql), first.sql_type),
            Kind::Sum => self.sum(&first, distinct, over)?,
            Kind::Average => {
                let sum = self.sum(&first, distinct, over)?;
                let count = Term::new(format!("COUNT({distinct}{}){over}", first.sql), SqlType::BigInt);
                let target = match sum.sql_type {
                    SqlType::Numeric { scale, .. } => SqlType::Numeric { precision: 38, scale: scale.max(6) },
                    other => other,
                };
                // A sum is too wide for the count only where there is nothing to divide.
                self.computed(Call::Arithmetic(Operator::Divide, target), &[sum, count], target)
            }
            Kind::Joined => {
                let text = SqlType::NVarChar(Some(4000));
                let mut joined = Vec::new();
                for term in terms {
                    let term = self.brought(term.clone(), text)?;
                    joined.push(format!("{COUNTED}({})", term.sql));
                }
                Term::new(format!("group_concat({}{}){over}", joined.join(", "), written.order), text)
            }
            Kind::Place(sqlite, sql_type) => {
                let argument = terms.first().map(|t| t.sql.clone()).unwrap_or_default();
                Term::new(format!("{sqlite}({argument}){over}"), sql_type)
            }
            Kind::Neighbour(sqlite) => {
                let mut arguments = vec![first.sql.clone()];
                if let Some(offset) = terms.get(1) {
                    arguments.push(offset.sql.clone());
                }
                if let Some(otherwise) = terms.get(2) {
                    arguments.push(self.brought(otherwise.clone(), first.sql_type)?.sql);
                }
                Term::new(format!("{sqlite}({}){over}", arguments.join(", ")), first.sql_type)
            }
        })
    }

    /// SUM, in the range of its type.
    fn sum(&mut self, term: &Term, distinct: &str, over: &str) -> Result<Term, EngineError> {
        let target = summed(term.sql_type, "sum")?;
        let sum = Term::new(format!("{SUM}({distinct}{}){over}", term.sql), target);
        if class(target) == Class::Whole {
            return Ok(self.computed(Call::Cast { target, attempt: false }, &[sum], target));
        }
        Ok(sum)
    }

    fn window(&mut self, spec: &WindowSpec) -> Result<String, EngineError> {
        let mut parts = Vec::new();
        if !spec.partition_by.is_empty() {
            let mut by = Vec::new();
            for ast in &spec.partition_by {
                by.push(self.scalar(ast)?.sql);
            }
            parts.push(format!("PARTITION BY {}", by.join(", ")));
        }
        if !spec.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.keys(&spec.order_by)?));
        }
        if let Some(frame) = &spec.window_frame {
            let end = frame.end_bound.as_ref().unwrap_or(&WindowFrameBound::CurrentRow);
            let (start, end) = (self.bound(&frame.start_bound)?, self.bound(end)?);
            parts.push(format!("{} BETWEEN {start} AND {end}", frame.units));
        }
        Ok(parts.join(" "))
    }

    fn bound(&mut self, bound: &WindowFrameBound) -> Result<String, EngineError> {
        let (distance, side) = match bound {
            WindowFrameBound::CurrentRow => return Ok("CURRENT ROW".into()),
            WindowFrameBound::Preceding(distance) => (distance, "PRECEDING"),
            WindowFrameBound::Following(distance) => (distance, "FOLLOWING"),
        };
        Ok(match distance.as_deref() {
            None => format!("UNBOUNDED {side}"),
            Some(ast) => match self.scalar(ast)?.literal {
                Some(Value::Int(number @ 0..)) => format!("{number} {side}"),
                _ => return Err(unsupported(side)),
            },
        })
    }

    /// Sort keys that are expressions.
    pub(super) fn keys(&mut self, order: &[OrderByExpr]) -> Result<String, EngineError> {
        let mut keys = Vec::new();
        for item in order {
            // `ORDER BY (SELECT NULL)` says that no order is wanted.
            let sql = match &item.expr {
                Ast::Subquery(_) => "NULL".to_owned(),
                ast => self.scalar(ast)?.sql,
            };
            keys.push(format!("{sql}{}", direction(item)));
        }
        Ok(keys.join(", "))
    }
}

/// The error for an aggregate or a subquery by which rows should be grouped.
pub(super) fn not_a_key() -> EngineError {
    let text = "Cannot use an aggregate or a subquery in an expression used for the group by list of a GROUP BY clause.";
    EngineError::new(144, text)
}

/// The error for an aggregate or a subquery inside an aggregate.
pub(super) fn nested() -> EngineError {
    let text = "Cannot perform an aggregate function on an expression containing an aggregate or a subquery.";
    EngineError::new(130, text)
}

/// ` DESC` or nothing.
pub(super) fn direction(item: &OrderByExpr) -> &'static str {
    if matches!(item.options.sort, Some(OrderBySort::Desc)) { " DESC" } else { "" }
}

/// What stands around the arguments of an aggregate.
struct Written {
    distinct: bool,
    over: String,
    order: String,
}
