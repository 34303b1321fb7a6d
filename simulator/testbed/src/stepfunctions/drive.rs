//! Carries out what executions want: invokes functions, starts other executions, sets and clears timers.

use std::sync::Arc;

use asl::{Effect, Event, Resource, TaskError};
use jiff::SignedDuration;
use ports::Fault;
use serde_json::{Value, json};

use super::{Arrival, ExecutionId, StartRequest, Started};
use crate::executor::Ending;
use crate::functions::{DeathNames, reported};
use crate::gate::{Call, Moment, Verdict};
use crate::kernel::Entry;
use crate::latency::Service;
use crate::meter::Layer;
use crate::testbed::{Caller, Testbed};

/// Who waits for an invocation, and whether the answer will reach it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) execution: ExecutionId,
    pub(crate) token: asl::Token,
    pub(crate) lost: Option<Loss>,
}

/// How an answer gets lost on its way back.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    /// Between Lambda and Step Functions.
    Reply,
    /// The host died after the handler had returned.
    Host,
}

impl Testbed {
    /// Something reached a machine or the service.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Timer { execution, token } => {
                self.states.drop_timer(execution, token);
                self.tell(execution, Event::Woke { token });
            }
            Arrival::Answer { execution, token, result } => {
                self.tell(execution, Event::Completed { token, result });
            }
            Arrival::Start { caller, token, request, lost, refused } => {
                let result = match refused {
                    Some(why) => Err(TaskError::new("StepFunctions.ThrottlingException", why)),
                    None => self.start_for_state(request, lost),
                };
                self.tell(caller, Event::Completed { token, result });
            }
        }
    }

    /// An invocation that a machine waited for has ended.
    pub(crate) fn answered(&mut self, waiting: Waiting, ending: Ending) {
        let result = match waiting.lost {
            None => reported(ending, self.death_names()),
            Some(Loss::Host) => reported(Ending::Crashed, self.death_names()),
            Some(Loss::Reply) => Err(TaskError::new("Lambda.SdkClientException", "Read timed out")),
        };
        self.tell(waiting.execution, Event::Completed { token: waiting.token, result });
    }

    /// Carries out what a fresh or a woken execution wants.
    pub(crate) fn carry_out(&mut self, id: ExecutionId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Invoke { token, state, resource: Resource::Function(arn), payload, .. } => {
                    self.invoke_for(id, token, &state, (&arn, &payload));
                }
                Effect::Invoke {
                    token,
                    state,
                    resource: Resource::StartExecution { state_machine_arn, name },
                    payload,
                    ..
                } => {
                    let input = Arc::unwrap_or_clone(payload);
                    self.send_start(
                        id,
                        token,
                        &state,
                        StartRequest { machine_arn: state_machine_arn, name, input },
                    );
                }
                Effect::WakeAt { token, at } => {
                    let timer = self.kernel.put(at, Entry::Machine(Arrival::Timer { execution: id, token }));
                    self.states.keep_timer(id, token, timer);
                }
                Effect::Forget { token } => {
                    if let Some(timer) = self.states.drop_timer(id, token) {
                        self.kernel.cancel(timer);
                    }
                }
                Effect::Finish { status } => {
                    self.states.close(id, status.clone(), self.kernel.now());
                    self.send_ending(id, &status);
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, id: ExecutionId, event: Event) {
        let now = self.kernel.now();
        let effects = self.kernel.meter.within(Layer::Asl, || self.states.tell(id, event, now));
        self.carry_out(id, effects);
    }

    fn invoke_for(
        &mut self,
        id: ExecutionId,
        token: asl::Token,
        state: &Arc<str>,
        (arn, payload): (&str, &Value),
    ) {
        let Some(function) = self.functions.get(arn).cloned() else {
            let cause = format!("Function not found: {arn}");
            self.answer_later(id, token, Err(TaskError::new("Lambda.ResourceNotFoundException", cause)));
            return;
        };
        let attempt = self.executor.next_attempt(&function.name);
        let now = self.kernel.now();
        let call = Call { name: "lambda.invoke", function: &function.name, state, attempt, ordinal: 0, now };
        let verdict = self.kernel.see(&call);
        let (times, delay, lost) = match verdict {
            Verdict::Pass => (1, SignedDuration::ZERO, None),
            Verdict::Delay(delay) => (1, delay, None),
            Verdict::Duplicate => (2, SignedDuration::ZERO, None),
            Verdict::LoseReply => (1, SignedDuration::ZERO, Some(Loss::Reply)),
            Verdict::Crash(Moment::After) => (1, SignedDuration::ZERO, Some(Loss::Host)),
            Verdict::Crash(Moment::Before) => {
                self.answer_later(id, token, reported(Ending::Crashed, self.death_names()));
                return;
            }
            Verdict::Fail(fault) => {
                self.answer_later(id, token, Err(turned_away(fault, self.death_names())));
                return;
            }
        };
        for _ in 0..times {
            let delay = delay.saturating_add(self.kernel.latency(Service::Invoke));
            let invocation = self.executor.start(&function, state, payload.clone(), delay);
            self.callers.insert(invocation, Caller::Machine(Waiting { execution: id, token, lost }));
        }
    }

    fn answer_later(&self, execution: ExecutionId, token: asl::Token, result: Result<Value, TaskError>) {
        let delay = self.kernel.latency(Service::Invoke);
        self.kernel.put_after(delay, Entry::Machine(Arrival::Answer { execution, token, result }));
    }

    fn send_start(&self, caller: ExecutionId, token: asl::Token, state: &str, request: StartRequest) {
        let machine = self.states.machine_name(&request.machine_arn);
        let function = machine.as_deref().unwrap_or(&request.machine_arn);
        let now = self.kernel.now();
        let call = Call { name: "states.start_execution", function, state, attempt: 0, ordinal: 0, now };
        let mut delay = self.kernel.latency(Service::States);
        let (mut lost, mut refused) = (false, None);
        match self.kernel.see(&call) {
            // A name makes a second start harmless, and the service has no host to lose.
            Verdict::Pass | Verdict::Duplicate => {}
            Verdict::Delay(more) => delay = delay.saturating_add(more),
            Verdict::Fail(fault) => refused = Some(fault.to_string()),
            Verdict::Crash(Moment::Before) => refused = Some("service unavailable".to_owned()),
            Verdict::LoseReply | Verdict::Crash(Moment::After) => lost = true,
        }
        self.kernel
            .put_after(delay, Entry::Machine(Arrival::Start { caller, token, request, lost, refused }));
    }

    fn start_for_state(&mut self, request: StartRequest, lost: bool) -> Result<Value, TaskError> {
        let now = self.kernel.now();
        let result = match self.kernel.meter.within(Layer::Asl, || self.states.start(request, now)) {
            Ok(Started { id, arn, since, effects }) => {
                self.carry_out(id, effects);
                Ok(json!({ "ExecutionArn": arn, "StartDate": since.as_millisecond() }))
            }
            Err(refusal) => Err(TaskError::new(refusal.error_name(), refusal.to_string())),
        };
        if lost { Err(TaskError::new("StepFunctions.SdkClientException", "Read timed out")) } else { result }
    }
}

/// What a machine sees of an invocation that Lambda never began.
fn turned_away(fault: Fault, names: DeathNames) -> TaskError {
    match fault {
        Fault::Transient(why) => TaskError::new("Lambda.TooManyRequestsException", why),
        Fault::UnknownOutcome(why) => TaskError::new("Lambda.SdkClientException", why),
        Fault::Refused(reason) => match reported(Ending::Returned(Err(reason)), names) {
            Err(error) => error,
            Ok(answer) => TaskError::new("Lambda.ServiceException", answer.to_string()),
        },
    }
}
