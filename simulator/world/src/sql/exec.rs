//! How is EXEC read?
//!
//! `EXEC [@status =] name [[@parameter =] value [OUTPUT]], ...` and `EXEC ('text')`. Values are literals, variables or
//! bare words, which T-SQL reads as text.

use sqlparser::tokenizer::Token;
use tds::Value;

use crate::{
    error::EngineError,
    sql::{
        Raised, Variables,
        batch::{Running, no_variable},
        calls::{Argument, ObjectName},
        tokens::{Tokens, near, word},
        value::parse_number,
    },
    world::World,
};

impl World {
    /// The rest of an EXEC statement.
    pub(super) fn exec(&mut self, running: &mut Running<'_>) -> Result<(), Raised> {
        let Running { session, tokens, variables, answer, depth } = running;
        let (session, depth) = (*session, *depth);
        if tokens.take(&Token::LParen) {
            let text = dynamic_text(tokens, variables)?;
            return self.run_batch(session, &text, &mut Variables::new(), answer, depth + 1);
        }
        let mut status = None;
        if let Some(name) = word(tokens.peek()).filter(|n| n.starts_with('@')).map(str::to_lowercase) {
            tokens.next();
            if !tokens.take(&Token::Eq) {
                return Err(near(tokens.peek()).into());
            }
            if !variables.contains(&name) {
                return Err(no_variable(&name).into());
            }
            status = Some(name);
        }
        let name = object_name(tokens)?;
        let arguments = arguments(tokens, variables)?;
        let before = answer.outputs.len();
        let code = self.call(session, &name, &arguments, answer, depth)?;
        for (output, value) in answer.outputs.split_off(before) {
            let target = arguments
                .iter()
                .find(|a| a.name.eq_ignore_ascii_case(&output))
                .and_then(|a| a.output.clone());
            if let Some(target) = target {
                variables.set(&target, value)?;
            }
        }
        answer.status = None;
        if let Some(status) = status {
            variables.set(&status, Value::Int(i64::from(code)))?;
        }
        Ok(())
    }
}

/// The text of `EXEC (...)`: literals and variables joined by `+`.
fn dynamic_text(tokens: &mut Tokens, variables: &Variables) -> Result<String, EngineError> {
    let mut text = String::new();
    loop {
        let (_, value, _) = value_of(tokens, variables)?;
        text.push_str(&super::value::text(&value).unwrap_or_default());
        match tokens.next() {
            Token::Plus => {}
            Token::RParen => return Ok(text),
            other => return Err(near(&other)),
        }
    }
}

/// A name of up to four parts; between two periods the schema is left out.
fn object_name(tokens: &mut Tokens) -> Result<ObjectName, EngineError> {
    let mut parts = Vec::new();
    loop {
        match tokens.peek() {
            Token::Word(w) => {
                parts.push(w.value.clone());
                tokens.next();
            }
            Token::Period if !parts.is_empty() => parts.push(String::new()),
            other => return Err(near(other)),
        }
        if !tokens.take(&Token::Period) {
            return Ok(ObjectName::of(&parts));
        }
    }
}

fn arguments(tokens: &mut Tokens, variables: &Variables) -> Result<Vec<Argument>, EngineError> {
    let mut arguments: Vec<Argument> = Vec::new();
    if !begins_argument(tokens.peek()) {
        return Ok(arguments);
    }
    loop {
        let (name, value, output) = value_of(tokens, variables)?;
        if name.is_empty() && arguments.iter().any(|a| !a.name.is_empty()) {
            let text = format!(
                "Must pass parameter number {} and subsequent parameters as '@name = value'.",
                arguments.len() + 1
            );
            return Err(EngineError::new(119, text));
        }
        arguments.push(Argument { name, value, output });
        if !tokens.take(&Token::Comma) {
            return Ok(arguments);
        }
    }
}

/// Whether a token can begin an argument instead of the next statement.
fn begins_argument(token: &Token) -> bool {
    match token {
        Token::EOF | Token::SemiColon => false,
        Token::Word(w) if w.quote_style.is_none() => {
            let next = w.value.to_uppercase();
            !matches!(
                next.as_str(),
                "EXEC"
                    | "EXECUTE"
                    | "SELECT"
                    | "SET"
                    | "DECLARE"
                    | "IF"
                    | "PRINT"
                    | "COMMIT"
                    | "ROLLBACK"
                    | "BEGIN"
                    | "USE"
            )
        }
        _ => true,
    }
}

/// One argument: its name if given, its value, the variable an output goes to.
fn value_of(
    tokens: &mut Tokens,
    variables: &Variables,
) -> Result<(String, Value, Option<String>), EngineError> {
    let mut name = String::new();
    let mut token = tokens.next();
    if let Some(written) = word(&token).filter(|w| w.starts_with('@')).map(str::to_owned)
        && tokens.take(&Token::Eq)
    {
        name = written;
        token = tokens.next();
    }
    let mut output = None;
    let value = match &token {
        Token::SingleQuotedString(text) | Token::NationalStringLiteral(text) => Value::Text(text.clone()),
        Token::Number(text, _) => parse_number(text).ok_or_else(|| near(&token))?,
        Token::Minus | Token::Plus => match tokens.next() {
            Token::Number(text, _) => {
                let sign = if token == Token::Minus { "-" } else { "" };
                parse_number(&format!("{sign}{text}")).ok_or_else(|| near(&token))?
            }
            other => return Err(near(&other)),
        },
        Token::HexStringLiteral(text) => Value::Binary(hexadecimal(text)),
        Token::Word(w) if w.quote_style.is_none() && w.value.starts_with('@') => {
            let variable = w.value.to_lowercase();
            let held = variables.get(&variable).map(|(held, _)| held.clone());
            let held = held.ok_or_else(|| no_variable(&w.value))?;
            if tokens.take_word(&["OUTPUT", "OUT"]) {
                output = Some(variable);
            }
            held
        }
        Token::Word(w)
            if w.quote_style.is_none()
                && ["null", "default"].iter().any(|n| w.value.eq_ignore_ascii_case(n)) =>
        {
            Value::Null
        }
        Token::Word(w) => Value::Text(w.value.clone()),
        other => return Err(near(other)),
    };
    Ok((name, value, output))
}

/// The bytes that digits after `0x` mean; a lone digit is the low half of the first.
pub(super) fn hexadecimal(text: &str) -> Vec<u8> {
    let lone = if text.len() % 2 == 1 { "0" } else { "" };
    let digits: Vec<u8> = lone
        .chars()
        .chain(text.chars())
        .filter_map(|c| c.to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect()
}
