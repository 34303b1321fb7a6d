//! What a scenario must come to: numbers with their arithmetic, checked before anybody looks at the transcript.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One number that a run must meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<u64>,
    /// Not less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u64>,
    /// Not more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// The arithmetic behind it.
    pub because: String,
}

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Met {
    /// Measure.
    pub measure: String,
    /// What was expected.
    #[serde(flatten)]
    pub expected: Expectation,
    /// What came out; `None` when there is no such measure.
    pub got: Option<u64>,
    /// Whether it fits.
    pub met: bool,
}

impl Expectation {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (self.is, self.at_least.or(self.at_most)) {
            (None, None) => Err("say `is`, `at_least` or `at_most`"),
            (Some(_), Some(_)) => Err("say `is`, or bounds, not both"),
            _ => Ok(()),
        }
    }

    fn fits(&self, got: u64) -> bool {
        self.is.is_none_or(|is| got == is)
            && self.at_least.is_none_or(|least| got >= least)
            && self.at_most.is_none_or(|most| got <= most)
    }
}

/// Holds all expectations against the measures of a run.
pub fn hold(expected: &BTreeMap<String, Expectation>, measures: &BTreeMap<&'static str, u64>) -> Vec<Met> {
    expected
        .iter()
        .map(|(name, expectation)| {
            let got = measures.get(name.as_str()).copied();
            Met {
                measure: name.clone(),
                expected: expectation.clone(),
                got,
                met: got.is_some_and(|got| expectation.fits(got)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_against_what_was_expected() {
        let table: BTreeMap<String, Expectation> = toml::from_str(
            r#"
            a = { is = 3, because = "x" }
            b = { at_least = 2, at_most = 4, because = "x" }
            c = { is = 1, because = "no such measure" }
            "#,
        )
        .unwrap();
        for (a, b, expected) in [(3, 4, [true, true]), (2, 5, [false, false]), (3, 1, [true, false])] {
            let met = hold(&table, &BTreeMap::from([("a", a), ("b", b)]));
            assert_eq!([met[0].met, met[1].met], expected);
            assert!(!met[2].met, "a measure that does not exist is not met");
        }
    }
}
