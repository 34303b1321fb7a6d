//! What does a query say of how it should be carried out?
//!
//! Hints of tables, with WITH or in the old style, and OPTION at its end: sqlparser reads neither everywhere, and nothing here
//! depends on them but MAXRECURSION. Source: "Hints (Transact-SQL)" in the T-SQL reference.

use sqlparser::{
    ast::{Expr, Ident, Query, Setting, Value},
    tokenizer::Token,
};

use crate::{
    error::EngineError,
    sql::tokens::{near, word},
};

/// Hints of a table.
const TABLE: &[&str] = &[
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "READPAST",
    "REPEATABLEREAD",
    "SERIALIZABLE",
    "SNAPSHOT",
    "HOLDLOCK",
    "NOWAIT",
    "PAGLOCK",
    "ROWLOCK",
    "TABLOCK",
    "TABLOCKX",
    "UPDLOCK",
    "XLOCK",
    "FORCESEEK",
    "FORCESCAN",
];

/// The name under which a query keeps its MAXRECURSION: T-SQL has no settings of that kind, another dialect has.
const RECURSION: &str = "MAXRECURSION";

fn is_one_of(token: Option<&Token>, words: &[&str]) -> bool {
    token.and_then(word).is_some_and(|w| words.iter().any(|x| w.eq_ignore_ascii_case(x)))
}

/// Takes the hints of tables out of a statement.
pub(super) fn without_hints(tokens: &[Token]) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let rest = tokens.get(at + 1..).unwrap_or(&[]);
        let end = rest.iter().position(|t| *t != Token::Comma && !is_one_of(Some(t), TABLE));
        let only_hints = end.filter(|end| *end > 0 && rest.get(*end) == Some(&Token::RParen));
        if let Some(end) = only_hints.filter(|_| *token == Token::LParen) {
            if is_one_of(kept.last(), &["WITH"]) {
                kept.pop();
            }
            at += end + 2;
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

/// Splits OPTION and what is in its brackets off the end of a statement.
pub(super) fn split_option(tokens: &mut Vec<Token>) -> Vec<Token> {
    let from = tokens.iter().rposition(|t| is_one_of(Some(t), &["OPTION"]));
    match from
        .filter(|from| tokens.get(from + 1) == Some(&Token::LParen) && tokens.last() == Some(&Token::RParen))
    {
        Some(from) => tokens.split_off(from),
        None => Vec::new(),
    }
}

/// Keeps what OPTION says of recursion. Error 310 for more than is allowed.
pub(super) fn keep(option: &[Token], query: &mut Query) -> Result<(), EngineError> {
    let Some(at) = option.iter().position(|t| is_one_of(Some(t), &[RECURSION])) else { return Ok(()) };
    let Some(Token::Number(number, _)) = option.get(at + 1) else {
        return Err(near(option.get(at + 1).unwrap_or(&Token::EOF)));
    };
    if !number.parse::<u32>().is_ok_and(|n| n <= 32_767) {
        let text = format!(
            "The value {number} specified for the MAXRECURSION option exceeds the allowed maximum of 32767."
        );
        return Err(EngineError::new(310, text));
    }
    let value = Expr::Value(Value::Number(number.clone(), false).into());
    query.settings = Some(vec![Setting { key: Ident::new(RECURSION), value }]);
    Ok(())
}

/// How deep a query lets common table expressions refer to themselves: 0 means without end.
pub(super) fn recursion(query: &Query) -> Option<i64> {
    let kept = query.settings.iter().flatten().find(|s| s.key.value == RECURSION)?;
    kept.value.to_string().parse().ok()
}
