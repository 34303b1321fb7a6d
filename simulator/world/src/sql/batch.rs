//! Which statements are in a batch, and what happens to each?
//!
//! Tokens come from sqlparser's SQL Server dialect; statements are told apart by their first word, because T-SQL needs no
//! separators. SELECT goes to the query engine, EXEC and bare names to procedures; DECLARE, SET, PRINT, IF, USE and
//! transactions are as small as clients need them. The batch ends at its first error: simpler than SQL Server, which
//! goes on after some.

use sqlparser::{
    dialect::MsSqlDialect,
    parser::Parser,
    tokenizer::{Token, Tokenizer},
};
use tds::{Response, ResultSet, ServerMessage, TransactionRequest, Value};

use crate::{
    error::EngineError,
    sql::{Raised, Variables, select, session::SessionId, tables::databases::system_id, value},
    world::World,
};

/// Batches inside batches: SQL Server allows 32.
const DEPTH_MAX: u32 = 32;

/// Tokens in one chain of operators, with those around it. A longer one becomes a tree deeper than a thread's stack.
const CHAIN_MAX: u32 = 500;

/// Words that begin a statement.
const STARTS: &[&str] = &[
    "SELECT",
    "EXEC",
    "EXECUTE",
    "SET",
    "DECLARE",
    "USE",
    "PRINT",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "IF",
    "INSERT",
    "UPDATE",
    "DELETE",
    "BACKUP",
    "RESTORE",
    "WAITFOR",
    "CREATE",
    "ALTER",
    "DROP",
    "RAISERROR",
    "THROW",
    "RETURN",
    "DBCC",
];

/// The tokens of a batch, read from left to right.
pub(super) struct Tokens {
    list: Vec<Token>,
    at: usize,
}

impl Tokens {
    fn of(text: &str) -> Result<Self, EngineError> {
        let dialect = MsSqlDialect {};
        let list = Tokenizer::new(&dialect, text).tokenize().map_err(|e| {
            EngineError::new(105, format!("Unclosed quotation mark or invalid token: {}.", e.message))
        })?;
        let list = list.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
        Ok(Self { list, at: 0 })
    }

    pub(super) fn peek(&self) -> &Token {
        self.list.get(self.at).unwrap_or(&Token::EOF)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.list.get(self.at + ahead).unwrap_or(&Token::EOF)
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == wanted;
        self.at += usize::from(found);
        found
    }

    /// Takes an unquoted word, whatever its case.
    pub(super) fn take_word(&mut self, words: &[&str]) -> bool {
        let found = word(self.peek()).is_some_and(|w| words.iter().any(|x| w.eq_ignore_ascii_case(x)));
        self.at += usize::from(found);
        found
    }

    /// Takes tokens up to the end of the statement that begins here.
    fn rest_of_statement(&mut self) -> Vec<Token> {
        let (mut gathered, mut depth) = (Vec::new(), 0_u32);
        loop {
            let token = self.peek();
            let starts = word(token).is_some_and(|w| STARTS.iter().any(|s| w.eq_ignore_ascii_case(s)));
            let union = gathered.last().and_then(word).is_some_and(|w| {
                ["UNION", "ALL", "EXCEPT", "INTERSECT"].iter().any(|x| w.eq_ignore_ascii_case(x))
            });
            match token {
                Token::EOF => break,
                Token::SemiColon if depth == 0 => break,
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if starts && depth == 0 && !gathered.is_empty() && !union => break,
                _ => {}
            }
            gathered.push(self.next());
        }
        gathered
    }
}

/// An unquoted word.
pub(super) fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(w) if w.quote_style.is_none() => Some(&w.value),
        _ => None,
    }
}

/// The error for a token that does not belong.
pub(super) fn near(token: &Token) -> EngineError {
    match token {
        Token::EOF => EngineError::new(102, "Incorrect syntax near end of batch."),
        other => EngineError::new(102, format!("Incorrect syntax near '{other}'.")),
    }
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
            let text =
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
            return Err(EngineError::new(217, text).into());
        }
        let mut tokens = Tokens::of(text)?;
        let mut first = true;
        while *tokens.peek() != Token::EOF {
            if !tokens.take(&Token::SemiColon) {
                self.statement(session, &mut tokens, variables, answer, (depth, first))?;
                first = false;
            }
        }
        Ok(())
    }

    fn statement(
        &mut self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
        answer: &mut Response,
        (depth, first): (u32, bool),
    ) -> Result<(), Raised> {
        let start = word(tokens.peek()).unwrap_or_default().to_uppercase();
        match start.as_str() {
            "SELECT" => {
                let statement = tokens.rest_of_statement();
                answer.results.extend(self.select(session, statement, variables)?);
            }
            "EXEC" | "EXECUTE" => {
                tokens.next();
                self.exec(session, tokens, variables, answer, depth)?;
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
            "BEGIN" | "COMMIT" | "ROLLBACK" => self.transaction_statement(session, tokens)?,
            "IF" => self.condition(session, tokens, variables, answer, depth)?,
            "BACKUP" | "RESTORE" => {
                let text = format!("{start} DATABASE permission denied in database 'master'.");
                return Err(EngineError::new(262, text).into());
            }
            _ if first && matches!(tokens.peek(), Token::Word(_)) && !STARTS.contains(&start.as_str()) => {
                self.exec(session, tokens, variables, answer, depth)?;
            }
            _ => return Err(near(tokens.peek()).into()),
        }
        Ok(())
    }

    /// The result of a SELECT; none when it assigns variables.
    fn select(
        &self,
        session: SessionId,
        statement: Vec<Token>,
        variables: &mut Variables,
    ) -> Result<Option<ResultSet>, EngineError> {
        check_length(&statement)?;
        let dialect = MsSqlDialect {};
        let mut parser = Parser::new(&dialect).with_tokens(statement);
        let query = parser.parse_query().map_err(|e| syntax(&e.to_string()))?;
        if parser.peek_token().token != Token::EOF {
            return Err(near(&parser.peek_token().token));
        }
        select::run(self, session, variables, &query)
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
            // The type is read over: values keep the type they come with.
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
            variables.insert(name, value);
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
        if !name.starts_with('@') || *tokens.peek_at(1) != Token::Eq {
            // An option such as NOCOUNT ON: nothing here depends on one.
            tokens.rest_of_statement();
            return Ok(());
        }
        if !variables.contains_key(&name) {
            return Err(no_variable(&name));
        }
        tokens.next();
        tokens.next();
        let value = self.scalar(session, tokens.rest_of_statement(), variables)?;
        variables.insert(name, value);
        Ok(())
    }

    fn condition(
        &mut self,
        session: SessionId,
        tokens: &mut Tokens,
        variables: &mut Variables,
        answer: &mut Response,
        depth: u32,
    ) -> Result<(), Raised> {
        let mut expression = tokens.rest_of_statement();
        expression.remove(0);
        check_length(&expression)?;
        let dialect = MsSqlDialect {};
        let parsed = Parser::new(&dialect).with_tokens(expression).parse_expr();
        let parsed = parsed.map_err(|e| syntax(&e.to_string()))?;
        if select::holds(self, session, variables, &parsed)? {
            return self.statement(session, tokens, variables, answer, (depth, false));
        }
        tokens.rest_of_statement();
        Ok(())
    }

    fn use_database(&mut self, session: SessionId, token: &Token) -> Result<(), EngineError> {
        let Token::Word(name) = token else { return Err(near(token)) };
        let name = name.value.clone();
        let Some(held) = self.sessions.get(&session.0) else { return Ok(()) };
        let known = system_id(&name).is_some()
            || self.shown(held.instance).is_some_and(|i| i.database(&name).is_some());
        if !known {
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

/// The error for a variable that was not declared.
pub(crate) fn no_variable(name: &str) -> EngineError {
    EngineError::new(137, format!("Must declare the scalar variable \"{name}\"."))
}

/// The refusal of what might be nested too deeply. The parser bounds brackets by itself, not `1 + 1 + 1 ...`: such a chain
/// ends at a comma of its own level, so lists may be long.
fn check_length(tokens: &[Token]) -> Result<(), EngineError> {
    let (mut levels, mut total) = (vec![0_u32], 0_u32);
    for token in tokens {
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
        if total > CHAIN_MAX {
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
