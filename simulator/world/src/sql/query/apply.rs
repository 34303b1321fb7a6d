//! How is APPLY carried out?
//!
//! SQLite has no lateral joins. What stands left of APPLY becomes a table; for each of its rows the right side runs by
//! itself, reading that row from a table of one; what it yields is put beside the row.

use sqlparser::ast::{Join, JoinOperator, TableAlias, TableFactor};
use tds::Value;

use crate::{
    error::EngineError,
    sql::{
        query::{
            Output, Translator,
            from::{arguments, columns, unlike},
            scope::{Scope, Source},
            sets::Use,
        },
        select::{self, unsupported},
        value::given_up,
    },
};

/// Rows that an APPLY makes at most, where each row on its left counts as some more.
const WORK_MAX: usize = 1_000_000;
const OPENED: usize = 20;

/// The right side of an APPLY.
enum Right<'q> {
    /// A query that reads the current row.
    Query { sql: String, outputs: Vec<Output>, alias: Option<&'q TableAlias> },
    /// A table function with arguments of the current row.
    Function { name: &'q sqlparser::ast::ObjectName, arguments: Vec<String>, alias: Option<&'q TableAlias> },
}

impl Translator<'_, '_> {
    /// CROSS or OUTER APPLY to all that stands before it: one table that holds both sides.
    pub(super) fn apply(&mut self, left: &str, join: &Join) -> Result<String, EngineError> {
        if self.scopes.len() != 1 {
            // The rows around it are not there yet.
            return Err(unsupported("APPLY"));
        }
        let outer = join.join_operator == JoinOperator::OuterApply;
        let sources = self.scopes.last().map(|s| s.sources.clone()).unwrap_or_default();
        let rows = self.rows_of(left, &sources)?;
        let width = sources.iter().map(|s| s.columns.len()).sum::<usize>();
        let current = self.name('r');
        self.engine.create(&current, width)?;
        let right = self.right(&join.relation, &sources, &current)?;
        self.load()?;
        let (mut both, mut outputs, mut work) = (Vec::new(), None, 0);
        for row in rows {
            self.engine.clear(&current)?;
            self.engine.insert(&current, &row)?;
            let (found, described) = self.found(&right)?;
            let none = (outer && found.is_empty()).then(|| vec![Value::Null; described.len()]);
            // A right side is opened or run for each row, which costs far more than an instruction.
            work += OPENED + found.len();
            if work > WORK_MAX {
                return Err(given_up());
            }
            both.extend(
                found.into_iter().chain(none).map(|other| [row.as_slice(), other.as_slice()].concat()),
            );
            outputs = Some(described);
        }
        let outputs = match outputs {
            Some(outputs) => outputs,
            None => self.described(&right)?,
        };
        self.beside(sources, &both, &right, &outputs)
    }

    /// All rows of what stands left, all columns of all its sources.
    fn rows_of(&mut self, left: &str, sources: &[Source]) -> Result<Vec<Vec<Value>>, EngineError> {
        for source in sources {
            for column in 0..source.columns.len() {
                source.load.into_iter().for_each(|load| self.mark(load, column));
            }
        }
        let listed: Vec<&str> = sources.iter().flat_map(|s| &s.columns).map(|c| c.sql.as_str()).collect();
        let types: Vec<_> = sources.iter().flat_map(|s| &s.columns).map(|c| c.sql_type).collect();
        self.rows(&format!("SELECT {} FROM {left}", listed.join(", ")), &types)
    }

    /// Translates the right side in sight of the current row.
    fn right<'q>(
        &mut self,
        factor: &'q TableFactor,
        sources: &[Source],
        current: &str,
    ) -> Result<Right<'q>, EngineError> {
        let mut scope = Scope::new();
        let mut place = 0;
        for source in sources {
            let mut seen = Source { load: None, ..source.clone() };
            for column in &mut seen.columns {
                column.sql = format!("(SELECT c{place} FROM {current})");
                place += 1;
            }
            scope.sources.push(seen);
        }
        let before = std::mem::replace(&mut self.scopes, vec![scope]);
        let right = match factor {
            TableFactor::Derived { subquery, alias, .. } => self
                .deeper(|inside| inside.query(subquery, Use::Nested))
                .map(|t| Right::Query { sql: t.sql, outputs: t.columns, alias: alias.as_ref() }),
            TableFactor::Table { name, alias, args: Some(given), .. } => arguments(given).and_then(|asts| {
                let texts: Result<Vec<String>, EngineError> =
                    asts.into_iter().map(|ast| Ok(self.scalar(ast)?.sql)).collect();
                Ok(Right::Function { name, arguments: texts?, alias: alias.as_ref() })
            }),
            other => Err(unsupported(&other.to_string())),
        };
        self.scopes = before;
        right
    }

    /// What the right side yields for the current row.
    fn found(&mut self, right: &Right<'_>) -> Result<(Vec<Vec<Value>>, Vec<Output>), EngineError> {
        match right {
            Right::Query { sql, outputs, .. } => Ok((self.engine.rows(sql)?, outputs.clone())),
            Right::Function { name, arguments, .. } => {
                let given = self.engine.rows(&format!("SELECT {}", arguments.join(", ")))?;
                let given: Vec<Value> = given.into_iter().flatten().collect();
                let named = select::object_name(name)?;
                let table = self.context.world.open_table(self.context.session, &named, Some(&given))?;
                let specs = table.columns();
                let outputs = specs.iter().map(|c| Output::new(c.name, c.sql_type)).collect();
                let cells = |row| (0..specs.len()).map(|column| table.value(row, column)).collect();
                Ok((table.rows(&[]).into_iter().map(cells).collect(), outputs))
            }
        }
    }

    /// The columns of the right side where no row has asked for them.
    fn described(&mut self, right: &Right<'_>) -> Result<Vec<Output>, EngineError> {
        match right {
            Right::Query { outputs, .. } => Ok(outputs.clone()),
            Right::Function { name, arguments, .. } => {
                let nothing = vec![Value::Null; arguments.len()];
                let named = select::object_name(name)?;
                let table = self.context.world.open_table(self.context.session, &named, Some(&nothing))?;
                Ok(table.columns().iter().map(|c| Output::new(c.name, c.sql_type)).collect())
            }
        }
    }

    /// Puts both sides into one table, which all their names mean from here on.
    fn beside(
        &mut self,
        mut sources: Vec<Source>,
        rows: &[Vec<Value>],
        right: &Right<'_>,
        outputs: &[Output],
    ) -> Result<String, EngineError> {
        let (table, label) = (self.name('t'), self.name('s'));
        let mut place = 0;
        for source in &mut sources {
            source.load = None;
            for column in &mut source.columns {
                column.sql = format!("{label}.c{place}");
                place += 1;
            }
        }
        let (Right::Query { alias, .. } | Right::Function { alias, .. }) = right;
        let mut added = columns(&label, outputs, *alias)?;
        if let Some(alias) = alias.filter(|_| matches!(right, Right::Query { .. })) {
            unlike(&added, &alias.name.value)?;
        }
        for (at, column) in added.iter_mut().enumerate() {
            column.sql = format!("{label}.c{}", place + at);
        }
        let exposed = match (alias, right) {
            (Some(alias), _) => alias.name.value.to_lowercase(),
            (None, Right::Function { name, .. }) => select::object_name(name)?.object,
            (None, Right::Query { .. }) => String::new(),
        };
        self.engine.create(&table, place + added.len())?;
        for row in rows {
            self.engine.insert(&table, row)?;
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.sources = sources;
        }
        self.add(Source { alias: exposed, columns: added, load: None })?;
        Ok(format!("{table} AS {label}"))
    }
}
