//! Which texts were read before?
//!
//! A client sends the same few texts over and over: their tokens and queries are kept, so that a poll is read once. Nothing is
//! kept of what a text was answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use sqlparser::{ast::Query, tokenizer::Token};

use crate::{
    error::EngineError,
    sql::tokens::{Tokens, tokenize},
};

/// Texts that are kept. Above it all are forgotten: what is still asked comes back by itself.
const TEXTS_MAX: usize = 256;
/// Bytes of a text that is kept: longer ones are scripts, and nobody sends a script a thousand times a second.
const BYTES_MAX: usize = 8_192;

/// A text that was read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) tokens: Vec<Token>,
    /// Queries by the place of their first token, with the place behind their last. Never contended: one thread reads.
    queries: Mutex<BTreeMap<usize, (Arc<Query>, usize)>>,
}

impl Text {
    /// The query that begins at a place, and where it ends, if it was read before.
    pub(super) fn query(&self, from: usize) -> Option<(Arc<Query>, usize)> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner).get(&from).cloned()
    }

    /// Keeps a query.
    pub(super) fn keep(&self, from: usize, query: &Arc<Query>, to: usize) {
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        queries.insert(from, (Arc::clone(query), to));
    }
}

/// The texts of all sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statements {
    known: BTreeMap<String, Arc<Text>>,
}

impl Statements {
    /// The tokens of a text. Error 105.
    pub(super) fn tokens(&mut self, text: &str) -> Result<Tokens, EngineError> {
        if let Some(read) = self.known.get(text) {
            return Ok(Tokens::of(Arc::clone(read)));
        }
        let read = Arc::new(Text { tokens: tokenize(text)?, queries: Mutex::default() });
        if text.len() <= BYTES_MAX {
            if self.known.len() == TEXTS_MAX {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), Arc::clone(&read));
        }
        Ok(Tokens::of(read))
    }
}
