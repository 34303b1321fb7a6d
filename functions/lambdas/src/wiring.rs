//! From the environment to adapters.
//!
//! | variable | what |
//! |---|---|
//! | `BAKPROOF_TABLE` | name of the task store's table, required |
//! | `AWS_REGION`, credentials | set by Lambda |
//! | `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_RDS`, ... | the SDK's own overrides, for tests |

use std::env::{self, VarError};

use aws::{Cloud, DynamoStore, HostClock, SdkConfig};
use domain::reason::{Class, Reason};

/// Name of the variable with the task store's table.
pub const TABLE: &str = "BAKPROOF_TABLE";

/// What the functions are built from.
#[derive(Debug, Clone)]
pub struct Wiring {
    config: SdkConfig,
    table: String,
}

impl Wiring {
    /// Reads the environment, once, before the first invocation.
    ///
    /// # Errors
    /// `EnvironmentIncomplete` (class `Human`): a variable is missing, empty or no UTF-8.
    pub async fn from_env() -> Result<Self, Reason> {
        #[expect(clippy::disallowed_methods, reason = "this is the room that reads the environment")]
        let table = required(TABLE, env::var(TABLE))?;
        Ok(Self { config: aws::connect().await, table })
    }

    /// The task store.
    pub fn store(&self) -> DynamoStore {
        DynamoStore::new(&self.config, self.table.as_str())
    }

    /// RDS, S3 and KMS.
    pub fn cloud(&self) -> Cloud {
        Cloud::new(&self.config)
    }

    /// The clock of the host.
    pub const fn clock(&self) -> HostClock {
        HostClock
    }
}

fn required(name: &str, value: Result<String, VarError>) -> Result<String, Reason> {
    let what = match value {
        Ok(value) if !value.is_empty() => return Ok(value),
        Ok(_) => "is empty",
        Err(VarError::NotPresent) => "is not set",
        Err(VarError::NotUnicode(_)) => "is no UTF-8",
    };
    Err(Reason::new(Class::Human, "EnvironmentIncomplete", format!("environment variable {name} {what}"))
        .guidance("deploy the function from infra/template.yaml, which sets it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_there_or_named() {
        assert_eq!(required("T", Ok("bakproof".to_owned())).as_deref(), Ok("bakproof"));
        for (value, said) in [
            (Ok(String::new()), "environment variable T is empty"),
            (Err(VarError::NotPresent), "environment variable T is not set"),
            (Err(VarError::NotUnicode("x".into())), "environment variable T is no UTF-8"),
        ] {
            let reason = required("T", value).unwrap_err();
            assert_eq!((reason.class, reason.message.as_str()), (Class::Human, said));
        }
    }
}
