//! What does an intrinsic function say, and what does it give? Parsing (arity is checked when a machine is loaded) and
//! evaluation. Chance (`States.UUID`) comes from the caller's draw. Refuses the intrinsics nobody here uses.
//!
//! Source: developer guide, "Intrinsics for `JSONPath` states in Step Functions"; Amazon States Language, "Intrinsic
//! Functions", read 2026-11.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::path::{Path, Scope};

/// A source of chance: the caller's named stream.
pub(crate) type Draw<'d> = &'d mut dyn FnMut() -> u64;

/// An argument of an intrinsic, or an intrinsic itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Literal(Value),
    /// A quoted string, still escaped: `States.Format` must tell `{}` from `\{}`.
    Quoted(String),
    Path(Path),
    Call(Function, Vec<Expr>),
}

/// The implemented intrinsics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayLength,
    ArrayPartition,
    ArrayContains,
    ArrayGetItem,
    MathAdd,
    JsonMerge,
    Uuid,
}

/// Name, function, fewest and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 11] = [
    ("States.Format", Function::Format, 1, usize::MAX),
    ("States.StringToJson", Function::StringToJson, 1, 1),
    ("States.JsonToString", Function::JsonToString, 1, 1),
    ("States.Array", Function::Array, 0, usize::MAX),
    ("States.ArrayLength", Function::ArrayLength, 1, 1),
    ("States.ArrayPartition", Function::ArrayPartition, 2, 2),
    ("States.ArrayContains", Function::ArrayContains, 2, 2),
    ("States.ArrayGetItem", Function::ArrayGetItem, 2, 2),
    ("States.MathAdd", Function::MathAdd, 2, 2),
    ("States.JsonMerge", Function::JsonMerge, 3, 3),
    ("States.UUID", Function::Uuid, 0, 0),
];

/// Intrinsics inside intrinsics: at most ten deep, as AWS documents.
const NESTING_MAX: usize = 10;

impl Expr {
    /// Parses a whole intrinsic, as `States.Format('{}', $.a)`.
    pub(crate) fn parse(text: &str, scope: Scope) -> Result<Self, String> {
        let mut parser = Parser { rest: text, scope };
        let call = parser.call(0)?;
        if parser.rest.trim().is_empty() {
            Ok(call)
        } else {
            Err(format!("unexpected `{}` after the call", parser.rest))
        }
    }

    /// The value of this expression. `Err` holds a sentence for the cause of `States.Runtime`.
    pub(crate) fn value<'v>(
        &'v self,
        data: &'v Value,
        context: &Context<'v>,
        draw: Draw<'_>,
    ) -> Result<Cow<'v, Value>, String> {
        match self {
            Self::Literal(value) => Ok(Cow::Borrowed(value)),
            Self::Quoted(raw) => Ok(Cow::Owned(Value::String(unescape(raw)?))),
            Self::Path(path) => path
                .select(data, context)
                .ok_or_else(|| format!("The JSONPath '{path}' could not be found in the input")),
            Self::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    // The template of a Format is read raw, below.
                    values.push(argument.value(data, context, &mut *draw)?);
                }
                let template = arguments.first();
                call(*function, template, &values, draw).map(Cow::Owned)
            }
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
    scope: Scope,
}

impl<'t> Parser<'t> {
    fn call(&mut self, depth: usize) -> Result<Expr, String> {
        if depth >= NESTING_MAX {
            return Err(format!("intrinsics are nested more than {NESTING_MAX} deep"));
        }
        let (name, rest) = self.rest.split_once('(').ok_or("an intrinsic needs `(`")?;
        self.rest = rest;
        let name = name.trim();
        let (_, function, fewest, most) = FUNCTIONS
            .iter()
            .find(|f| f.0 == name)
            .ok_or_else(|| format!("intrinsic `{name}` is not implemented"))?;
        let arguments = self.arguments(depth)?;
        if arguments.len() < *fewest || arguments.len() > *most {
            return Err(format!("`{name}` with {} arguments", arguments.len()));
        }
        check_arguments(*function, &arguments)?;
        Ok(Expr::Call(*function, arguments))
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expr>, String> {
        let mut arguments = Vec::new();
        self.space();
        if self.eat(')') {
            return Ok(arguments);
        }
        loop {
            self.space();
            arguments.push(self.argument(depth)?);
            self.space();
            if self.eat(')') {
                return Ok(arguments);
            }
            if !self.eat(',') {
                return Err(format!("`,` or `)` expected before `{}`", self.rest));
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Expr, String> {
        if self.eat('\'') {
            return self.quoted();
        }
        if self.rest.starts_with("States.") {
            return self.call(depth + 1);
        }
        if self.rest.starts_with('$') {
            return Ok(Expr::Path(Path::parse(self.path_text(), self.scope)?));
        }
        let end = self.rest.find([',', ')']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match serde_json::from_str::<Value>(word.trim()) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(Expr::Literal(value)),
            _ => Err(format!("`{}` is no argument", word.trim())),
        }
    }

    fn quoted(&mut self) -> Result<Expr, String> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\'' => {
                    let raw = self.rest[..at].to_owned();
                    self.rest = &self.rest[at + 1..];
                    unescape(&raw)?;
                    return Ok(Expr::Quoted(raw));
                }
                _ => {}
            }
        }
        Err("a string has no closing `'`".to_owned())
    }

    /// Text of a path: up to `,` or `)` outside of `['..']`.
    fn path_text(&mut self) -> &'t str {
        let mut quoted = false;
        let end = self.rest.find(|c: char| {
            quoted ^= c == '\'';
            !quoted && (c == ',' || c == ')' || c.is_whitespace())
        });
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        text
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// What can be known of arguments before they have values.
fn check_arguments(function: Function, arguments: &[Expr]) -> Result<(), String> {
    match (function, arguments) {
        (Function::Format, [Expr::Quoted(raw), values @ ..]) => {
            let places = pieces(raw)?.len() - 1;
            if places == values.len() {
                return Ok(());
            }
            Err(format!("`States.Format` has {places} places for {} values", values.len()))
        }
        (Function::JsonMerge, [_, _, Expr::Literal(Value::Bool(false))]) => Ok(()),
        (Function::JsonMerge, _) => {
            Err("`States.JsonMerge` merges shallowly: its third argument is `false`".to_owned())
        }
        _ => Ok(()),
    }
}

/// Reserved characters after a backslash stand for themselves; every other escape is an error.
fn unescape(raw: &str) -> Result<String, String> {
    Ok(pieces_with(raw, false)?.concat())
}

/// The text of a Format template around its `{}`.
fn pieces(raw: &str) -> Result<Vec<String>, String> {
    pieces_with(raw, true)
}

fn pieces_with(raw: &str, split: bool) -> Result<Vec<String>, String> {
    let mut pieces = vec![String::new()];
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let next = match c {
            '\\' => match chars.next() {
                Some(c @ ('\'' | '{' | '}' | '\\')) => c,
                _ => return Err(format!("`{raw}` holds an open escape `\\`")),
            },
            '{' if split && chars.peek() == Some(&'}') => {
                chars.next();
                pieces.push(String::new());
                continue;
            }
            c => c,
        };
        if let Some(last) = pieces.last_mut() {
            last.push(next);
        }
    }
    Ok(pieces)
}

fn call(
    function: Function,
    template: Option<&Expr>,
    values: &[Cow<'_, Value>],
    draw: Draw<'_>,
) -> Result<Value, String> {
    match (function, values) {
        (Function::Format, [first, rest @ ..]) => format_string(template, first, rest),
        (Function::StringToJson, [text]) => {
            let text = text.as_str().ok_or("`States.StringToJson` needs a string")?;
            serde_json::from_str(text).map_err(|e| format!("`States.StringToJson`: {e}"))
        }
        (Function::JsonToString, [value]) => Ok(Value::String(value.to_string())),
        (Function::Array, values) => {
            Ok(Value::Array(values.iter().map(|v| v.clone().into_owned()).collect()))
        }
        (Function::ArrayLength, [array]) => Ok(Value::from(items(array, "States.ArrayLength")?.len())),
        (Function::ArrayPartition, [array, size]) => {
            let size = position(size, "States.ArrayPartition")?;
            if size == 0 {
                return Err("`States.ArrayPartition` needs a size above zero".to_owned());
            }
            let parts = items(array, "States.ArrayPartition")?.chunks(size);
            Ok(Value::Array(parts.map(|part| Value::Array(part.to_vec())).collect()))
        }
        (Function::ArrayContains, [array, wanted]) => {
            Ok(Value::Bool(items(array, "States.ArrayContains")?.contains(wanted)))
        }
        (Function::ArrayGetItem, [array, index]) => {
            let index = position(index, "States.ArrayGetItem")?;
            let item = items(array, "States.ArrayGetItem")?.get(index);
            item.cloned().ok_or_else(|| format!("`States.ArrayGetItem`: there is no item {index}"))
        }
        (Function::MathAdd, [left, right]) => math_add(left, right),
        (Function::JsonMerge, [left, right, _]) => json_merge(left, right),
        (Function::Uuid, []) => Ok(Value::String(uuid(draw(), draw()))),
        _ => Err(format!("{function:?} with {} arguments", values.len())),
    }
}

fn items<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("`{name}` needs an array"))
}

fn position(value: &Value, name: &str) -> Result<usize, String> {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
    number.ok_or_else(|| format!("`{name}` needs a whole number from 0, not {value}"))
}

fn format_string(template: Option<&Expr>, first: &Value, values: &[Cow<'_, Value>]) -> Result<Value, String> {
    let raw = match template {
        Some(Expr::Quoted(raw)) => raw,
        _ => first.as_str().ok_or("`States.Format` needs a string to begin with")?,
    };
    let pieces = pieces(raw)?;
    if pieces.len() != values.len() + 1 {
        return Err(format!("`States.Format` has {} places for {} values", pieces.len() - 1, values.len()));
    }
    let mut out = pieces[0].clone();
    for (value, piece) in values.iter().zip(&pieces[1..]) {
        match value.as_ref() {
            Value::String(text) => out.push_str(text),
            // Engines disagree on how these print, so a machine can not rely on it.
            Value::Array(_) | Value::Object(_) => {
                return Err("`States.Format` takes no arrays and objects".to_owned());
            }
            plain => out.push_str(&plain.to_string()),
        }
        out.push_str(piece);
    }
    Ok(Value::String(out))
}

/// AWS adds whole numbers from -2147483648 to 2147483647 and rounds others; others are refused here.
fn math_add(left: &Value, right: &Value) -> Result<Value, String> {
    let whole = |value: &Value| value.as_i64().and_then(|n| i32::try_from(n).ok()).map(i64::from);
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Ok(Value::from(left + right)),
        _ => Err(format!("`States.MathAdd` needs whole numbers of 32 bits, not {left} and {right}")),
    }
}

fn json_merge(left: &Value, right: &Value) -> Result<Value, String> {
    let (Value::Object(left), Value::Object(right)) = (left, right) else {
        return Err("`States.JsonMerge` needs two objects".to_owned());
    };
    let merged: Map<String, Value> = left.iter().chain(right).map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(Value::Object(merged))
}

/// A version 4 UUID from 128 drawn bits.
fn uuid(high: u64, low: u64) -> String {
    let high = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xffff);
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}
