//! A policy file: TOML, of the very type that the API and the task store know.

use std::path::Path;

use domain::policy::Policy;

use crate::{Stop, input};

/// Reads a policy and checks every value against its range. No word is passed over: a misspelt `retention` would keep nothing.
pub(crate) fn read(path: &Path) -> Result<Policy, Stop> {
    let table: toml::Table = toml(path)?;
    if let Some(unknown) = table.keys().find(|key| !Policy::FIELDS.contains(&key.as_str())) {
        let fields = Policy::FIELDS.join(", ");
        return Err(Stop::Unreadable(format!(
            "{}: unknown field `{unknown}`, expected one of {fields}; mend: correct that name",
            path.display()
        )));
    }
    let policy: Policy = toml(path)?;
    policy.validate().map_err(|why| {
        Stop::Unreadable(format!("{}: {}; mend: {}", path.display(), why.message, why.guidance))
    })?;
    Ok(policy)
}

/// Reads a TOML file. What is wrong is told in one line: what, where, mend.
pub(crate) fn toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Stop> {
    let stop = |what: &str, mend: &str| Stop::Unreadable(format!("{}: {what}; mend: {mend}", path.display()));
    let bytes = input::bytes(path)?;
    let text = str::from_utf8(&bytes).map_err(|_| stop("is no text in UTF-8", "name a TOML file"))?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let what: Vec<&str> = error.message().split_whitespace().collect();
        stop(&format!("{place}{}", what.join(" ")), "correct that line")
    })
}
