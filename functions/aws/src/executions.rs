//! Executions, started through Step Functions.
//!
//! Step Functions API reference, `StartExecution`, read 2026-11: a Standard execution's name stays taken for 90 days. The same name and input
//! while it runs is answered as the first time, anything else under a name that is taken with `ExecutionAlreadyExists`.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use ports::Fault;
use ports::executions::{Machine, StartExecution, Started};

use crate::actions::Capability;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the port of this adapter.
pub const ACTIONS: &[Capability] =
    &[Capability { port: "StartExecution", actions: &["states:StartExecution"] }];

/// Step Functions, with the machines that it may be asked for.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    client: Client,
    machines: BTreeMap<Machine, String>,
}

impl StepFunctions {
    /// Step Functions as the configuration reaches it; `machines` by their ARNs.
    pub fn new(config: &SdkConfig, machines: BTreeMap<Machine, String>) -> Self {
        Self { client: Client::new(config), machines }
    }
}

impl StartExecution for StepFunctions {
    async fn start_execution(&self, machine: Machine, name: &str, input: &str) -> Result<Started, Fault> {
        let Some(arn) = self.machines.get(&machine) else {
            let message = format!("this function knows no ARN of machine {}", machine.as_str());
            return Err(refused("MachineUnknown", message));
        };
        let answer =
            self.client.start_execution().state_machine_arn(arn).name(name).input(input).send().await;
        match answer {
            Ok(_) => Ok(Started::Begun),
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(Started::Already),
                _ => Err(fault::of(&format!("StartExecution {name}"), Effect::Write, &error)),
            },
        }
    }
}
