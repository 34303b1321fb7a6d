//! A policy file: TOML, of the very type that the API and the task store know.

use std::path::Path;

use domain::policy::Policy;

use crate::{Stop, input};

/// Reads a policy and checks every value against its range. No word is passed over: a misspelt `retention` would keep nothing.
pub(crate) fn read(path: &Path) -> Result<Policy, Stop> {
    let table: toml::Table = input::toml(path)?;
    if let Some(unknown) = table.keys().find(|key| !Policy::FIELDS.contains(&key.as_str())) {
        let fields = Policy::FIELDS.join(", ");
        return Err(Stop::Unreadable(format!(
            "{}: unknown field `{unknown}`, expected one of {fields}; mend: correct that name",
            path.display()
        )));
    }
    let policy: Policy = input::toml(path)?;
    policy.validate().map_err(|why| {
        Stop::Unreadable(format!("{}: {}; mend: {}", path.display(), why.message, why.guidance))
    })?;
    Ok(policy)
}
