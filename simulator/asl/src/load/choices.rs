//! Reads the rules of a Choice. Operators are found by their parts (`Numeric` + `LessThan` + `Path`), so that none of
//! the thirty-nine can be forgotten; anything else is refused.

use serde_json::{Map, Value};

use super::Loader;
use super::fields::Fields;
use super::graph::Names;
use crate::choice::{self, Family, Is, Operand, Relation, Rule, Test};
use crate::machine::Choice;
use crate::path::{Path, Scope};

const FAMILIES: [(&str, Family); 4] = [
    ("String", Family::String),
    ("Numeric", Family::Numeric),
    ("Boolean", Family::Boolean),
    ("Timestamp", Family::Timestamp),
];

const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equals),
    ("LessThan", Relation::LessThan),
    ("LessThanEquals", Relation::LessThanEquals),
    ("GreaterThan", Relation::GreaterThan),
    ("GreaterThanEquals", Relation::GreaterThanEquals),
];

const TYPE_TESTS: [(&str, Is); 6] = [
    ("IsPresent", Is::Present),
    ("IsNull", Is::Null),
    ("IsString", Is::String),
    ("IsNumeric", Is::Numeric),
    ("IsBoolean", Is::Boolean),
    ("IsTimestamp", Is::Timestamp),
];

/// Reads `Choices` and `Default`.
pub(super) fn read(
    loader: &mut Loader,
    names: &Names,
    fields: &mut Fields<'_>,
    scope: Scope,
) -> Option<Choice> {
    let default = match fields.text(loader, "Default") {
        Some(name) => Some(names.find(loader, fields, "Default", name)?),
        None => None,
    };
    let items = fields.array(loader, "Choices").unwrap_or_default();
    if items.is_empty() {
        fields.refuse(loader, "Choices", "at least one rule expected");
    }
    let mut rules = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let reader = Reader { state: &fields.state, scope };
        let place = format!("Choices[{at}]");
        let Value::Object(object) = item else {
            fields.refuse(loader, &place, "an object expected");
            continue;
        };
        let rule = reader.rule(loader, object, &place, true);
        let next = object.get("Next").and_then(Value::as_str);
        if next.is_none() {
            fields.refuse(loader, &format!("{place}.Next"), "required");
        }
        let next = next.and_then(|next| names.find(loader, fields, &format!("{place}.Next"), next));
        rules.extend(rule.zip(next));
    }
    Some(Choice { rules, default })
}

struct Reader<'s> {
    state: &'s str,
    scope: Scope,
}

impl Reader<'_> {
    fn refuse<T>(&self, loader: &mut Loader, place: &str, why: impl Into<String>) -> Option<T> {
        loader.refuse(self.state, place, why);
        None
    }

    /// One rule: exactly one operator, with `Variable` where it compares. Only a rule at the top has `Next`.
    fn rule(&self, loader: &mut Loader, object: &Map<String, Value>, place: &str, top: bool) -> Option<Rule> {
        let is_frame = |key: &str| key == "Variable" || key == "Comment" || (top && key == "Next");
        let operators: Vec<&String> = object.keys().filter(|key| !is_frame(key)).collect();
        let [operator] = operators.as_slice() else {
            return self.refuse(loader, place, format!("one operator expected, not {operators:?}"));
        };
        if object.get("Comment").is_some_and(|comment| !comment.is_string()) {
            self.refuse::<()>(loader, &format!("{place}.Comment"), "a string expected");
        }
        let place = format!("{place}.{operator}");
        let value = &object[operator.as_str()];
        if matches!(operator.as_str(), "And" | "Or" | "Not") {
            if object.contains_key("Variable") {
                self.refuse::<()>(loader, &place, "takes no `Variable`");
            }
            return self.combination(loader, operator, value, &place);
        }
        let Some(variable) = object.get("Variable").and_then(Value::as_str) else {
            return self.refuse(loader, &place, "needs a `Variable`");
        };
        let variable = match Path::parse(variable, self.scope) {
            Ok(path) => path,
            Err(why) => return self.refuse(loader, &place, why),
        };
        match self.test(operator, value) {
            Ok(test) => Some(Rule::Test(variable, test)),
            Err(why) => self.refuse(loader, &place, why),
        }
    }

    fn combination(&self, loader: &mut Loader, operator: &str, value: &Value, place: &str) -> Option<Rule> {
        if operator == "Not" {
            let Value::Object(object) = value else {
                return self.refuse(loader, place, "a rule expected");
            };
            return self.rule(loader, object, place, false).map(|rule| Rule::Not(Box::new(rule)));
        }
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return self.refuse(loader, place, "an array of rules expected");
        };
        let mut rules = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let place = format!("{place}[{at}]");
            match item {
                Value::Object(object) => rules.push(self.rule(loader, object, &place, false)),
                _ => rules.push(self.refuse(loader, &place, "a rule expected")),
            }
        }
        let rules = rules.into_iter().collect::<Option<Vec<Rule>>>()?;
        Some(if operator == "And" { Rule::And(rules) } else { Rule::Or(rules) })
    }

    fn test(&self, operator: &str, value: &Value) -> Result<Test, String> {
        if let Some((_, is)) = TYPE_TESTS.iter().find(|(name, _)| *name == operator) {
            return value
                .as_bool()
                .map(|wanted| Test::Is(*is, wanted))
                .ok_or_else(|| "true or false expected".to_owned());
        }
        if operator == "StringMatches" {
            let text = value.as_str().ok_or("a string expected")?;
            return choice::pattern(text).map(Test::Matches);
        }
        let (name, by_path) = match operator.strip_suffix("Path") {
            Some(name) => (name, true),
            None => (operator, false),
        };
        let (family, relation) = comparison(name)
            .ok_or_else(|| format!("operator `{operator}` is not implemented, or unknown"))?;
        if by_path {
            let text = value.as_str().ok_or("a path in a string expected")?;
            return Ok(Test::Compare(family, relation, Operand::Path(Path::parse(text, self.scope)?)));
        }
        if !family.admits(value) {
            return Err(format!("{value} is no value for this operator"));
        }
        Ok(Test::Compare(family, relation, Operand::Value(value.clone())))
    }
}

fn comparison(name: &str) -> Option<(Family, Relation)> {
    let (family, rest) =
        FAMILIES.iter().find_map(|(word, family)| Some((*family, name.strip_prefix(word)?)))?;
    let (_, relation) = RELATIONS.iter().find(|(word, _)| *word == rest)?;
    // Booleans have no order.
    (family != Family::Boolean || *relation == Relation::Equals).then_some((family, *relation))
}
