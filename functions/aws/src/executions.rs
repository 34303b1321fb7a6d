//! Executions, started at Step Functions.
//!
//! Step Functions API reference, `StartExecution`, read 2026-11: for a Standard machine the same name and the same input are answered
//! with the running execution, as if it had just begun; the same name after its end, or with another input, is refused as
//! `ExecutionAlreadyExists`. Names are remembered for 90 days.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use ports::Fault;
use ports::executions::{Machine, StartExecution, Started};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the port of this adapter.
pub const ACTIONS: &[Capability] =
    &[Capability { port: "StartExecution", actions: &["states:StartExecution"] }];

/// Step Functions, with the machines that this function may start.
#[derive(Debug, Clone)]
pub struct StepFunctions {
    client: Client,
    arns: BTreeMap<Machine, String>,
}

impl StepFunctions {
    /// Step Functions as the configuration reaches it; `arns` are those of the machines.
    pub fn new(config: &SdkConfig, arns: impl IntoIterator<Item = (Machine, String)>) -> Self {
        let settings = aws_sdk_sfn::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()), arns: arns.into_iter().collect() }
    }
}

impl StartExecution for StepFunctions {
    async fn start_execution(&self, machine: Machine, name: &str, input: &str) -> Result<Started, Fault> {
        let arn = self.arns.get(&machine).ok_or_else(|| {
            refused(
                "MachineNotWired",
                format!("this function was not told the ARN of machine {}", machine.as_str()),
            )
        })?;
        let asked = self.client.start_execution().state_machine_arn(arn).name(name).input(input);
        match asked.send().await {
            Ok(_) => Ok(Started::Begun),
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(Started::Already),
                _ => Err(fault::of(
                    &format!("StartExecution {} {name}", machine.as_str()),
                    Effect::Write,
                    &error,
                )),
            },
        }
    }
}
