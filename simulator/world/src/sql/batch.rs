//! Which statements are in a batch, and what happens to each?
//!
//! Statements are told apart by their first word. SELECT goes to the query engine, EXEC and bare names to procedures; DECLARE,
//! SET, PRINT, USE and transactions are as small as clients need them; CREATE, ALTER and DROP are those of encryption. The
//! batch ends at its first error: simpler than SQL Server, which goes on after some.

use sqlparser::{ast::Query, dialect::MsSqlDialect, parser::Parser, tokenizer::Token};
use tds::{Response, ServerMessage, SqlType, TransactionRequest, Value};

use crate::{
    error::EngineError,
    sql::{
        Raised, Variables, hints, select,
        session::SessionId,
        tables::databases::database_number,
        tokens::{DEPTH_MAX, STARTS, Tokens, near, too_deep, word},
        value,
    },
    world::World,
};

/// Tokens in one chain of operators, with those around it. A longer one becomes a tree deeper than a thread's stack.
const CHAIN_MAX: u32 = 500;
/// Words that unite queries in one statement.
const UNITED_MAX: u32 = 200;

/// A batch that runs.
pub(super) struct Running<'r> {
    pub(super) session: SessionId,
    pub(super) tokens: Tokens,
    pub(super) variables: &'r mut Variables,
    pub(super) answer: &'r mut Response,
    /// Batches, blocks and conditions around the statement that runs.
    pub(super) depth: u32,
}

impl World {
    /// Runs the statements of a batch.
    pub(crate) fn run_batch(
        &mut self,
        session: SessionId,
        text: &str,
        variables: &mut Variables,
        answer: &mut Response,
        depth: u32,
    ) -> Result<(), Raised> {
        if depth > DEPTH_MAX {
            return Err(too_deep().into());
        }
        let tokens = self.statements.tokens(text)?;
        let mut running = Running { session, tokens, variables, answer, depth };
        let mut first = true;
        while *running.tokens.peek() != Token::EOF {
            if !running.tokens.take(&Token::SemiColon) {
                self.statement(&mut running, first)?;
                first = false;
            }
        }
        Ok(())
    }

    /// A statement of a block or a condition.
    pub(super) fn inner_statement(&mut self, running: &mut Running<'_>) -> Result<(), Raised> {
        running.depth += 1;
        // An error ends the batch: nobody asks for the depth behind it.
        self.statement(running, false)?;
        running.depth -= 1;
        Ok(())
    }

    fn statement(&mut self, running: &mut Running<'_>, first: bool) -> Result<(), Raised> {
        if running.depth > DEPTH_MAX {
            return Err(too_deep().into());
        }
        let Running { session, tokens, variables, answer, .. } = running;
        let session = *session;
        let start = word(tokens.peek()).unwrap_or_default().to_uppercase();
        match start.as_str() {
            "SELECT" | "WITH" => {
                let query = tokens.query(parse)?;
                answer.results.extend(select::run(self, session, variables, &query)?);
            }
            "EXEC" | "EXECUTE" => {
                tokens.next();
                self.exec(running)?;
            }
            "DECLARE" => self.declare(session, tokens, variables)?,
            "SET" => self.set(session, tokens, variables)?,
            "PRINT" => {
                tokens.next();
                let printed = self.scalar(session, tokens.rest_of_statement(), variables)?;
                answer.messages.push(self.print(session, &value::text(&printed).unwrap_or_default()));
            }
            "USE" => {
                tokens.next();
                self.use_database(session, &tokens.next())?;
            }
            "BEGIN" if !tokens.begins_transaction() => self.block(running)?,
            "BEGIN" | "COMMIT" | "ROLLBACK" => self.transaction_statement(session, tokens)?,
            "IF" => self.condition(running)?,
            "CREATE" | "ALTER" | "DROP" => self.definition(session, tokens)?,
            "BACKUP" | "RESTORE" => {
                let text = format!("{start} DATABASE permission denied in database 'master'.");
                return Err(EngineError::new(262, text).into());
            }
            _ if first && matches!(tokens.peek(), Token::Word(_)) && !STARTS.contains(&start.as_str()) => {
                self.exec(running)?;
            }
            _ => return Err(near(tokens.peek()).into()),
        }
        Ok(())
    }

    /// The value of an expression that names no table.
    pub(super) fn scalar(
        &self,
        session: SessionId,
        expression: Vec<Token>,
        variables: &Variables,
    ) -> Result<Value, EngineError> {
        check_length(&expression)?;
        let dialect = MsSqlDialect {};
        let mut parser = Parser::new(&dialect).with_tokens(expression);
        let parsed = parser.parse_expr().map_err(|e| syntax(&e.to_string()))?;
        if parser.peek_token().token != Token::EOF {
            return Err(near(&parser.peek_token().token));
        }
        select::constant(self, session, variables, &parsed)
    }

    /// Whether a condition that names no table holds.
    pub(super) fn test(
        &self,
        session: SessionId,
        condition: Vec<Token>,
        variables: &Variables,
    ) -> Result<bool, EngineError> {
        check_length(&condition)?;
        let dialect = MsSqlDialect {};
        let parsed = Parser::new(&dialect).with_tokens(condition).parse_expr();
        select::holds(self, session, variables, &parsed.map_err(|e| syntax(&e.to_string()))?)
    }

    fn declare(
        &self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
    ) -> Result<(), EngineError> {
        tokens.next();
        loop {
            let name = tokens.next();
            let Some(name) = word(&name).filter(|n| n.starts_with('@')).map(str::to_lowercase) else {
                return Err(near(&name));
            };
            let (mut rest, mut depth) = (Vec::new(), 0_u32);
            let statement_end = |tokens: &Tokens| {
                word(tokens.peek()).is_some_and(|w| STARTS.iter().any(|s| w.eq_ignore_ascii_case(s)))
            };
            while !(matches!(tokens.peek(), Token::EOF | Token::SemiColon)
                || depth == 0 && statement_end(tokens))
            {
                match tokens.peek() {
                    Token::LParen => depth += 1,
                    Token::RParen => depth = depth.saturating_sub(1),
                    Token::Comma if depth == 0 => break,
                    _ => {}
                }
                rest.push(tokens.next());
            }
            let assigned = rest.iter().position(|t| *t == Token::Eq).map(|at| rest.split_off(at + 1));
            let value = match assigned {
                Some(expression) => self.scalar(session, expression, variables)?,
                None => Value::Null,
            };
            variables.declare(&name, declared(rest), value)?;
            if !tokens.take(&Token::Comma) {
                return Ok(());
            }
        }
    }

    fn set(
        &self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
    ) -> Result<(), EngineError> {
        tokens.next();
        let name = word(tokens.peek()).unwrap_or_default().to_lowercase();
        // `SET @n += 1` means `SET @n = @n + (1)`.
        let operator = [Token::Plus, Token::Minus, Token::Mul, Token::Div, Token::Mod];
        let operator =
            operator.into_iter().find(|o| tokens.peek_at(1) == o && *tokens.peek_at(2) == Token::Eq);
        if !name.starts_with('@') || operator.is_none() && *tokens.peek_at(1) != Token::Eq {
            // An option such as NOCOUNT ON: nothing here depends on one.
            tokens.rest_of_statement();
            return Ok(());
        }
        if !variables.contains(&name) {
            return Err(no_variable(&name));
        }
        let variable = tokens.next();
        if operator.is_some() {
            tokens.next();
        }
        tokens.next();
        let mut expression = tokens.rest_of_statement();
        if let Some(operator) = operator {
            expression.splice(0..0, [variable, operator, Token::LParen]);
            expression.push(Token::RParen);
        }
        let value = self.scalar(session, expression, variables)?;
        variables.set(&name, value)
    }

    fn use_database(&mut self, session: SessionId, token: &Token) -> Result<(), EngineError> {
        let Token::Word(name) = token else { return Err(near(token)) };
        let name = name.value.clone();
        let Some(held) = self.sessions.get(&session.0) else { return Ok(()) };
        if database_number(self, held.instance, &name).is_none() {
            let text =
                format!("Database '{name}' does not exist. Make sure that the name is entered correctly.");
            return Err(EngineError::new(911, text));
        }
        if let Some(held) = self.sessions.get_mut(&session.0) {
            held.database = name;
        }
        Ok(())
    }

    fn transaction_statement(&mut self, session: SessionId, tokens: &mut Tokens) -> Result<(), EngineError> {
        let start = word(&tokens.next()).unwrap_or_default().to_uppercase();
        let named = tokens.take_word(&["TRAN", "TRANSACTION", "WORK"]);
        let request = match start.as_str() {
            "BEGIN" if named => TransactionRequest::Begin,
            "COMMIT" => TransactionRequest::Commit,
            "ROLLBACK" => TransactionRequest::Rollback,
            _ => return Err(near(tokens.peek())),
        };
        let open = self.sessions.get(&session.0).map_or(0, |s| s.transactions);
        if open == 0 && request != TransactionRequest::Begin {
            let number = if request == TransactionRequest::Commit { 3902 } else { 3903 };
            let text = format!("The {start} TRANSACTION request has no corresponding BEGIN TRANSACTION.");
            return Err(EngineError::new(number, text));
        }
        self.run_transaction(session, request);
        Ok(())
    }

    /// An informational message.
    pub(crate) fn print(&self, session: SessionId, text: &str) -> ServerMessage {
        let host = self.sessions.get(&session.0).and_then(|s| self.instances.get(s.instance));
        let server = host.map(|i| i.config.name.to_uppercase()).unwrap_or_default();
        ServerMessage { severity: 0, ..EngineError::new(0, text).message(&server, "") }
    }
}

/// The type that a declaration names, where it is one that is known.
fn declared(mut tokens: Vec<Token>) -> Option<SqlType> {
    tokens.retain(|token| *token != Token::Eq);
    if tokens.first().and_then(word).is_some_and(|w| w.eq_ignore_ascii_case("AS")) {
        tokens.remove(0);
    }
    let dialect = MsSqlDialect {};
    let data_type = Parser::new(&dialect).with_tokens(tokens).parse_data_type().ok()?;
    select::sql_type(&data_type).ok()
}

/// Reads a query.
fn parse(statement: &[Token]) -> Result<Query, EngineError> {
    check_length(statement)?;
    let mut statement = hints::without_hints(statement);
    let option = hints::split_option(&mut statement);
    let dialect = MsSqlDialect {};
    let mut parser = Parser::new(&dialect).with_tokens(statement);
    let mut query = parser.parse_query().map_err(|e| syntax(&e.to_string()))?;
    hints::keep(&option, &mut query)?;
    match parser.peek_token().token {
        Token::EOF => Ok(*query),
        other => Err(near(&other)),
    }
}

/// The error for a variable that was not declared.
pub(crate) fn no_variable(name: &str) -> EngineError {
    EngineError::new(137, format!("Must declare the scalar variable \"{name}\"."))
}

/// The refusal of what might be nested too deeply. The parser bounds brackets by itself, not `1 + 1 + 1 ...`: such a chain
/// ends at a comma of its own level, so lists may be long. A UNION of many queries is a chain that no comma ends.
fn check_length(tokens: &[Token]) -> Result<(), EngineError> {
    let (mut levels, mut total, mut united) = (vec![0_u32], 0_u32, 0_u32);
    for token in tokens {
        let joins = word(token)
            .is_some_and(|w| ["UNION", "EXCEPT", "INTERSECT"].iter().any(|x| w.eq_ignore_ascii_case(x)));
        united += u32::from(joins);
        match token {
            Token::LParen => levels.push(0),
            Token::RParen if levels.len() > 1 => total -= levels.pop().unwrap_or(0),
            Token::Comma => {
                if let Some(level) = levels.last_mut() {
                    total -= std::mem::take(level);
                }
            }
            _ => {
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                }
                total += 1;
            }
        }
        if total > CHAIN_MAX || united > UNITED_MAX {
            let text = "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
            return Err(EngineError::new(191, text));
        }
    }
    Ok(())
}

/// The error for what sqlparser does not read.
fn syntax(message: &str) -> EngineError {
    let found = message.rsplit_once("found: ").map_or(message, |(_, found)| found);
    let token = found.split(" at Line").next().unwrap_or(found);
    EngineError::new(102, format!("Incorrect syntax near '{token}'."))
}
