//! From the environment to adapters.
//!
//! | variable | what |
//! |---|---|
//! | `BAKPROOF_TABLE` | name of the task store's table, required |
//! | `BAKPROOF_TRUST_BUNDLE` | file of the authorities that sign the instances' certificates; [`sqlserver::TRUST_BUNDLE`] if not set |
//! | `BAKPROOF_INSTANCE_MACHINE`, `BAKPROOF_DISCOVERY_MACHINE` | ARN of the machine, for functions that start executions of it |
//! | `BAKPROOF_TOPIC` | ARN of the topic that people subscribe to, for functions that tell them something |
//! | `BAKPROOF_EVENT_BUS` | name or ARN of the bus that is told what happens; without it nobody is |
//! | `BAKPROOF_STACK` | name of the stack, a dimension of every metric; `bakproof` if not set |
//! | `AWS_REGION`, credentials | set by Lambda |
//! | `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_RDS`, ... | the SDK's own overrides, for tests |

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::path::PathBuf;

use aws::{Again, Cloud, DynamoStore, EventBridge, Rds, SdkConfig, SecretsManager, StepFunctions, Topic};
use domain::reason::{Class, Reason};
use ports::executions::Machine;
use sqlserver::{Options, Secret, Sockets, SqlServer};

use crate::invocation::InvocationClock;
use crate::log::NAMESPACE;
use crate::redact::{Secrets, Watched};
use crate::trail::{Trail, Trailed};

/// Name of the variable with the task store's table.
pub const TABLE: &str = "BAKPROOF_TABLE";

/// Name of the variable with the bundle of authorities.
pub const TRUST_BUNDLE: &str = "BAKPROOF_TRUST_BUNDLE";

/// Name of the variable with the bus.
pub const EVENT_BUS: &str = "BAKPROOF_EVENT_BUS";

/// Name of the variable with the stack's name.
pub const STACK: &str = "BAKPROOF_STACK";

/// Name of the variable with the ARN of the topic that people subscribe to.
pub const TOPIC: &str = "BAKPROOF_TOPIC";

/// Name of the variable with the ARN of a machine.
const fn variable_of(machine: Machine) -> &'static str {
    match machine {
        Machine::Instance => "BAKPROOF_INSTANCE_MACHINE",
        Machine::Discovery => "BAKPROOF_DISCOVERY_MACHINE",
    }
}

/// Variables that Lambda sets and no text may hold.
const SECRET: [&str; 2] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The adapter over TDS as the functions use it.
pub type Servers = SqlServer<Sockets, Watched<SecretsManager>>;

/// The task store as the functions use it.
pub type Store = Trailed<DynamoStore>;

/// What the functions are built from.
#[derive(Debug, Clone)]
pub struct Wiring {
    config: SdkConfig,
    table: String,
    trust_bundle: PathBuf,
    machines: BTreeMap<Machine, String>,
    event_bus: Option<String>,
    secrets: Secrets,
    trail: Trail,
}

impl Wiring {
    /// Reads the environment, once, before the first invocation.
    ///
    /// # Errors
    /// `EnvironmentIncomplete` (class `Human`): a variable is missing, empty or no UTF-8.
    pub async fn from_env(secrets: &Secrets, trail: &Trail) -> Result<Self, Reason> {
        for name in SECRET {
            if let Ok(value) = variable(name) {
                secrets.know(&Secret::new(value));
            }
        }
        let table = required(TABLE, variable(TABLE))?;
        let trust_bundle = match variable(TRUST_BUNDLE) {
            Err(VarError::NotPresent) => sqlserver::TRUST_BUNDLE.into(),
            value => required(TRUST_BUNDLE, value)?.into(),
        };
        let mut machines = BTreeMap::new();
        for machine in Machine::ALL {
            let name = variable_of(machine);
            match variable(name) {
                Err(VarError::NotPresent) => {}
                value => {
                    machines.insert(machine, required(name, value)?);
                }
            }
        }
        let event_bus = match variable(EVENT_BUS) {
            Err(VarError::NotPresent) => None,
            value => Some(required(EVENT_BUS, value)?),
        };
        let config = aws::connect().await;
        let (secrets, trail) = (secrets.clone(), trail.clone());
        Ok(Self { config, table, trust_bundle, machines, event_bus, secrets, trail })
    }

    /// The task store. What is written of tasks is told by the log.
    pub fn store(&self) -> Store {
        Trailed::new(DynamoStore::new(&self.config, self.table.as_str()), self.trail.clone())
    }

    /// The task store for a function that no machine calls: asked once more where a call came to nothing.
    pub fn store_again(&self) -> Again<Store> {
        Again(self.store())
    }

    /// RDS, S3 and KMS.
    pub fn cloud(&self) -> Cloud {
        Cloud::new(&self.config)
    }

    /// RDS alone.
    pub fn listing(&self) -> Rds {
        Rds::new(&self.config)
    }

    /// Whoever subscribed to the topic that the environment names.
    ///
    /// # Errors
    /// `EnvironmentIncomplete` (class `Human`): it names none.
    pub fn people(&self) -> Result<Topic, Reason> {
        Ok(Topic::new(&self.config, required(TOPIC, variable(TOPIC))?))
    }

    /// SQL Server, over verified TLS, as the logins that Secrets Manager holds.
    pub fn servers(&self) -> Servers {
        let credentials = Watched::new(SecretsManager::new(&self.config), self.secrets.clone());
        SqlServer::new(Sockets::default(), credentials, Options::verified(&self.trust_bundle))
    }

    /// Step Functions, with the machines that the environment names.
    pub fn executions(&self) -> StepFunctions {
        StepFunctions::new(&self.config, self.machines.clone())
    }

    /// The bus that is told what happens, where the environment names one.
    pub fn events(&self) -> Option<EventBridge> {
        self.event_bus.as_ref().map(|bus| EventBridge::new(&self.config, bus.as_str()))
    }

    /// The ARN of a machine that the function has to know.
    ///
    /// # Errors
    /// `EnvironmentIncomplete` (class `Human`): the environment does not name it.
    pub fn machine(&self, machine: Machine) -> Result<String, Reason> {
        self.machines
            .get(&machine)
            .cloned()
            .map_or_else(|| required(variable_of(machine), Err(VarError::NotPresent)), Ok)
    }

    /// The clock of the host, with the deadline of the invocation.
    pub const fn clock(&self) -> InvocationClock {
        InvocationClock
    }
}

/// The stack that the function is of. Never empty: a metric without a value of its dimension is none.
pub fn stack() -> String {
    variable(STACK).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| NAMESPACE.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "this is the room that reads the environment")]
fn variable(name: &str) -> Result<String, VarError> {
    env::var(name)
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
