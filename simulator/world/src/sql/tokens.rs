//! Where does a statement of a batch begin and end?
//!
//! Tokens come from sqlparser's SQL Server dialect. T-SQL needs no separators: a statement ends where a word begins another,
//! and where the IF or the block around it goes on.

use std::sync::Arc;

use sqlparser::{
    ast::Query,
    dialect::MsSqlDialect,
    tokenizer::{Token, Tokenizer},
};

use crate::{error::EngineError, sql::statements::Text};

/// Batches, blocks and conditions inside others: SQL Server allows 32 of the first.
pub(super) const DEPTH_MAX: u32 = 32;

/// Words that begin a statement.
pub(super) const STARTS: &[&str] = &[
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
    text: Arc<Text>,
    at: usize,
}

impl Tokens {
    /// From the first on.
    pub(super) fn of(text: Arc<Text>) -> Self {
        Self { text, at: 0 }
    }

    /// The query that begins here, read by `parse` unless it was read before.
    pub(super) fn query(
        &mut self,
        parse: impl FnOnce(&[Token]) -> Result<Query, EngineError>,
    ) -> Result<Arc<Query>, EngineError> {
        let from = self.at;
        if let Some((query, to)) = self.text.query(from) {
            self.at = to;
            return Ok(query);
        }
        let query = Arc::new(parse(&self.rest_of_statement())?);
        self.text.keep(from, &query, self.at);
        Ok(query)
    }

    pub(super) fn peek(&self) -> &Token {
        self.text.tokens.get(self.at).unwrap_or(&Token::EOF)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Token {
        self.text.tokens.get(self.at + ahead).unwrap_or(&Token::EOF)
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

    /// Whether BEGIN starts a transaction and not a block.
    pub(super) fn begins_transaction(&self) -> bool {
        word(self.peek_at(1))
            .is_some_and(|w| ["TRAN", "TRANSACTION"].iter().any(|x| w.eq_ignore_ascii_case(x)))
    }

    /// Passes over a statement, with all of a block and of an IF. Error 217 for what is nested too deeply.
    pub(super) fn skip_statement(&mut self, depth: u32) -> Result<(), EngineError> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let start = word(self.peek()).unwrap_or_default().to_uppercase();
        if start == "BEGIN" && !self.begins_transaction() {
            self.next();
            while !self.take_word(&["END"]) {
                if *self.peek() == Token::EOF {
                    return Err(near(self.peek()));
                }
                if !self.take(&Token::SemiColon) {
                    self.skip_statement(depth + 1)?;
                }
            }
            return Ok(());
        }
        if !self.take_word(&["IF"]) {
            // At least one token: what cannot begin a statement is the error of whoever runs it.
            if self.rest_of_statement().is_empty() {
                return Err(near(self.peek()));
            }
            return Ok(());
        }
        self.rest_of_statement();
        self.skip_statement(depth + 1)?;
        self.take(&Token::SemiColon);
        if self.take_word(&["ELSE"]) { self.skip_statement(depth + 1) } else { Ok(()) }
    }

    /// Takes tokens up to the end of the statement that begins here.
    pub(super) fn rest_of_statement(&mut self) -> Vec<Token> {
        let (mut gathered, mut depth) = (Vec::new(), 0_u32);
        let mut with = word(self.peek()).is_some_and(|w| w.eq_ignore_ascii_case("WITH"));
        loop {
            let token = self.peek();
            let mut starts = word(token).is_some_and(|w| STARTS.iter().any(|s| w.eq_ignore_ascii_case(s)));
            if starts && depth == 0 && std::mem::take(&mut with) {
                // The query that common table expressions are for.
                starts = false;
            }
            let union = gathered.last().and_then(word).is_some_and(|w| {
                ["UNION", "ALL", "EXCEPT", "INTERSECT"].iter().any(|x| w.eq_ignore_ascii_case(x))
            });
            let is = |wanted: &str| word(token).is_some_and(|w| w.eq_ignore_ascii_case(wanted));
            match token {
                Token::EOF => break,
                Token::SemiColon if depth == 0 => break,
                // What follows belongs to the IF or the block around this statement.
                _ if depth == 0 && (is("ELSE") || is("END")) => break,
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if is("CASE") => depth += 1,
                _ if is("END") => depth = depth.saturating_sub(1),
                _ if starts && depth == 0 && !gathered.is_empty() && !union => break,
                _ => {}
            }
            gathered.push(self.next());
        }
        gathered
    }
}

/// The tokens of a text, without blanks and comments. Error 105.
pub(super) fn tokenize(text: &str) -> Result<Vec<Token>, EngineError> {
    let dialect = MsSqlDialect {};
    let list = Tokenizer::new(&dialect, text).tokenize().map_err(|e| {
        EngineError::new(105, format!("Unclosed quotation mark or invalid token: {}.", e.message))
    })?;
    Ok(list.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect())
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

/// The error for batches and blocks inside too many others.
pub(super) fn too_deep() -> EngineError {
    let text = "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).";
    EngineError::new(217, text)
}
