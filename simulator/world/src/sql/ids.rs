//! What do calls by number and by name do?
//!
//! Number 10 is `sp_executesql`; 11 to 15 prepare, execute and forget statements under a handle, as ODBC and `FreeTDS` do.
//! Source: MS-TDS 2.2.6.6 and the documentation of the cursor and prepare procedures.

use tds::{Parameter, Procedure, Response, Value};

use crate::{
    error::EngineError,
    sql::{
        Raised, Variables,
        calls::{Argument, ObjectName, no_procedure},
        session::SessionId,
        value,
    },
    world::World,
};

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Names of its parameters, in order, with `@`.
    pub(crate) names: Vec<String>,
    pub(crate) statement: String,
}

/// Names of the parameters in a definition such as `@P1 nvarchar(4000),@P2 numeric(25,0)`.
pub(crate) fn parameter_names(definition: &str) -> Vec<String> {
    let (mut names, mut depth, mut part) = (Vec::new(), 0_u32, String::new());
    for c in definition.chars().chain([',']) {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                if let Some(name) = part.split_whitespace().next().filter(|n| n.starts_with('@')) {
                    names.push(name.to_owned());
                }
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    names
}

/// Gives the arguments their names: by name where given, by place otherwise.
pub(crate) fn name_arguments(names: &[String], arguments: &[Argument]) -> Result<Variables, EngineError> {
    let mut variables = Variables::new();
    for (position, argument) in arguments.iter().enumerate() {
        let name =
            if argument.name.is_empty() { names.get(position).cloned() } else { Some(argument.name.clone()) };
        let Some(name) = name else {
            return Err(EngineError::new(
                8144,
                "Procedure or function sp_executesql has too many arguments specified.",
            ));
        };
        variables.receive(&name, argument.value.clone());
    }
    match names.iter().find(|n| !variables.contains(n)) {
        None => Ok(variables),
        Some(missing) => {
            let text =
                format!("The parameterized query expects the parameter '{missing}', which was not supplied.");
            Err(EngineError::new(8178, text))
        }
    }
}

fn arguments(parameters: &[Parameter]) -> Vec<Argument> {
    let argument = |p: &Parameter| Argument {
        name: p.name.clone(),
        value: p.value.clone(),
        output: p.output.then(|| p.name.clone()),
    };
    parameters.iter().map(argument).collect()
}

fn text_of(arguments: &[Argument], place: usize) -> String {
    arguments.get(place).and_then(|a| value::text(&a.value)).unwrap_or_default()
}

fn rest(arguments: &[Argument], from: usize) -> &[Argument] {
    arguments.get(from..).unwrap_or(&[])
}

impl World {
    /// A remote procedure call.
    pub(crate) fn run_rpc(
        &mut self,
        session: SessionId,
        procedure: &Procedure,
        parameters: &[Parameter],
        answer: &mut Response,
    ) -> Result<(), Raised> {
        let arguments = arguments(parameters);
        match procedure {
            Procedure::Name(name) => {
                self.call(session, &ObjectName::parse(name), &arguments, answer, 0)?;
                Ok(())
            }
            Procedure::Id(id) => self.run_numbered(session, *id, &arguments, answer),
        }
    }

    fn run_numbered(
        &mut self,
        session: SessionId,
        id: u16,
        arguments: &[Argument],
        answer: &mut Response,
    ) -> Result<(), Raised> {
        match id {
            10 => self.execute_sql(session, arguments, answer, 0)?,
            // sp_prepare(@handle OUT, @params, @stmt, @options)
            11 => self.prepare(session, arguments, answer),
            // sp_execute(@handle, values...)
            12 => {
                let prepared = self.prepared(session, arguments)?;
                self.run_prepared(session, &prepared, rest(arguments, 1), answer)?;
            }
            // sp_prepexec(@handle OUT, @params, @stmt, values...)
            13 => {
                self.prepare(session, arguments, answer);
                let prepared = Prepared {
                    names: parameter_names(&text_of(arguments, 1)),
                    statement: text_of(arguments, 2),
                };
                self.run_prepared(session, &prepared, rest(arguments, 3), answer)?;
            }
            // sp_prepexecrpc(@handle OUT, @procedure, values...)
            14 => {
                let name = ObjectName::parse(&text_of(arguments, 1));
                answer.outputs.push((handle_name(arguments), Value::Int(0)));
                self.call(session, &name, rest(arguments, 2), answer, 0)?;
            }
            // sp_unprepare(@handle)
            15 => {
                let handle = arguments.first().and_then(|a| value::integer(&a.value, "int").ok().flatten());
                if let (Some(held), Some(handle)) = (self.sessions.get_mut(&session.0), handle) {
                    held.prepared.remove(&handle);
                }
            }
            _ => return Err(no_procedure(&format!("procedure number {id}")).into()),
        }
        answer.status = Some(answer.status.unwrap_or(0));
        Ok(())
    }

    fn prepare(&mut self, session: SessionId, arguments: &[Argument], answer: &mut Response) {
        let prepared =
            Prepared { names: parameter_names(&text_of(arguments, 1)), statement: text_of(arguments, 2) };
        let Some(held) = self.sessions.get_mut(&session.0) else { return };
        let handle = held.next_handle;
        held.next_handle += 1;
        held.prepared.insert(handle, prepared);
        answer.outputs.push((handle_name(arguments), Value::Int(handle)));
    }

    fn prepared(&self, session: SessionId, arguments: &[Argument]) -> Result<Prepared, EngineError> {
        let handle =
            arguments.first().and_then(|a| value::integer(&a.value, "int").ok().flatten()).unwrap_or(0);
        let held = self.sessions.get(&session.0).and_then(|s| s.prepared.get(&handle)).cloned();
        held.ok_or_else(|| {
            EngineError::new(8179, format!("Could not find prepared statement with handle {handle}."))
        })
    }

    fn run_prepared(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        values: &[Argument],
        answer: &mut Response,
    ) -> Result<(), Raised> {
        let unnamed: Vec<Argument> =
            values.iter().map(|a| Argument { name: String::new(), ..a.clone() }).collect();
        let mut variables = name_arguments(&prepared.names, &unnamed)?;
        self.run_batch(session, &prepared.statement, &mut variables, answer, 1)
    }

    /// `sp_executesql`: the statement, the definition of its parameters, their values.
    pub(crate) fn execute_sql(
        &mut self,
        session: SessionId,
        arguments: &[Argument],
        answer: &mut Response,
        depth: u32,
    ) -> Result<(), Raised> {
        let Some(statement) = arguments.first() else {
            let text = "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.";
            return Err(EngineError::new(201, text).into());
        };
        let statement = value::text(&statement.value).unwrap_or_default();
        let names = parameter_names(&text_of(arguments, 1));
        let mut variables = name_arguments(&names, rest(arguments, 2))?;
        self.run_batch(session, &statement, &mut variables, answer, depth + 1)
    }
}

fn handle_name(arguments: &[Argument]) -> String {
    arguments.first().map(|a| a.name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_name_their_parameters() {
        assert_eq!(
            parameter_names("@P1 nvarchar(4000),@P2 numeric(25,0), @p3 int output"),
            ["@P1", "@P2", "@p3"]
        );
        assert!(parameter_names("").is_empty() && parameter_names("(((").is_empty());
    }
}
