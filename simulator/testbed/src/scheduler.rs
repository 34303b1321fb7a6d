//! `EventBridge` Scheduler: schedules that start executions at a rate.
//!
//! Sources: `EventBridge` Scheduler user guide, "Schedule types" (an invocation comes within 60 seconds of its time),
//! "Adding context attributes", "Retry policy" (185 attempts at most), read 2026-11. It leaves out cron expressions and time
//! windows: no machine of ours asks for them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::gate::{Call, Moment, Verdict};
use crate::kernel::Entry;
use crate::meter::Layer;
use crate::stepfunctions::{StartRefusal, StartRequest, Started, uuid};
use crate::stream::Stream;
use crate::testbed::Testbed;

/// A schedule's precision: it fires within so many seconds of its time.
const PRECISION_SECONDS: u64 = 59;

/// Retries of one firing at most.
const RETRIES_MAX: u32 = 185;

/// Knob: seconds until a start that failed is tried again. The service backs off in a way it does not document.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Starts an execution again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Name.
    pub name: String,
    /// ARN of the machine.
    pub machine_arn: String,
    /// The first time.
    pub first_at: Timestamp,
    /// From one time to the next.
    pub every: SignedDuration,
    /// Input; in its strings `<aws.scheduler.scheduled-time>`, `<aws.scheduler.execution-id>` and
    /// `<aws.scheduler.attempt-number>` are filled in.
    pub input: Value,
}

/// One schedule's state.
pub(crate) struct Standing {
    schedule: Schedule,
    /// The time that the next entry of the agenda is for.
    scheduled_at: Timestamp,
    /// Attempts made for it.
    attempts: u32,
    /// Whether the gate held this attempt back once: it is not asked again.
    held: bool,
    /// Whether it is `ENABLED`; a disabled one lets its times pass.
    enabled: bool,
}

pub(crate) struct Scheduler {
    schedules: Vec<Standing>,
    draws: Stream,
}

impl Scheduler {
    pub(crate) fn new(seed: u64) -> Self {
        Self { schedules: Vec::new(), draws: Stream::new(seed, "scheduler") }
    }
}

impl Testbed {
    /// Adds a schedule. Its first time may have passed: then it fires now.
    ///
    /// # Errors
    /// There is no such machine.
    pub fn schedule(&mut self, schedule: Schedule) -> Result<(), StartRefusal> {
        if self.states.machine_name(&schedule.machine_arn).is_none() {
            return Err(StartRefusal::NoSuchMachine { arn: schedule.machine_arn });
        }
        let index = self.scheduler.schedules.len();
        let scheduled_at = schedule.first_at;
        self.scheduler.schedules.push(Standing {
            schedule,
            scheduled_at,
            attempts: 0,
            held: false,
            enabled: true,
        });
        self.put_schedule(index);
        Ok(())
    }

    /// Enables or disables a schedule. What has been started goes on.
    pub fn enable_schedule(&mut self, name: &str, enabled: bool) {
        for standing in self.scheduler.schedules.iter_mut().filter(|standing| standing.schedule.name == name)
        {
            standing.enabled = enabled;
        }
    }

    fn put_schedule(&mut self, index: usize) {
        let late = self.scheduler.draws.between(0, PRECISION_SECONDS);
        let late = SignedDuration::from_secs(i64::try_from(late).unwrap_or(0));
        let at = self.scheduler.schedules[index].scheduled_at.saturating_add(late).unwrap_or(Timestamp::MAX);
        self.kernel.put(at, Entry::Schedule(index));
    }

    /// A schedule's entry has come up.
    pub(crate) fn fire_schedule(&mut self, index: usize) {
        if !self.scheduler.schedules[index].enabled {
            self.next_time(index);
            return;
        }
        let standing = &self.scheduler.schedules[index];
        let machine_arn = standing.schedule.machine_arn.clone();
        let attempt = standing.attempts + 1;
        let verdict = if standing.held { Verdict::Pass } else { self.judge_schedule(&machine_arn, attempt) };
        let (starts, answered) = match verdict {
            Verdict::Pass => (1, true),
            Verdict::Duplicate => (2, true),
            Verdict::Delay(delay) => {
                self.scheduler.schedules[index].held = true;
                self.kernel.put_after(delay, Entry::Schedule(index));
                return;
            }
            Verdict::Fail(_) | Verdict::Crash(Moment::Before) => (0, false),
            Verdict::LoseReply | Verdict::Crash(Moment::After) => (1, false),
        };
        let input = self.scheduler.input(index, attempt);
        for _ in 0..starts {
            let request = StartRequest { machine_arn: machine_arn.clone(), name: None, input: input.clone() };
            // Refused is an input above the quota: the service drops such an event, too.
            let now = self.kernel.now();
            let started = self.kernel.meter.within(Layer::Asl, || self.states.start(request, now));
            if let Ok(Started { id, effects, .. }) = started {
                self.carry_out(id, effects);
            }
        }
        let standing = &mut self.scheduler.schedules[index];
        standing.held = false;
        if answered || attempt > RETRIES_MAX {
            self.next_time(index);
        } else {
            standing.attempts = attempt;
            self.kernel.put_after(RETRY_AFTER, Entry::Schedule(index));
        }
    }

    /// On to the next time, whatever became of this one.
    fn next_time(&mut self, index: usize) {
        let standing = &mut self.scheduler.schedules[index];
        let every = standing.schedule.every.max(SignedDuration::from_mins(1));
        standing.scheduled_at = standing.scheduled_at.saturating_add(every).unwrap_or(Timestamp::MAX);
        standing.attempts = 0;
        self.put_schedule(index);
    }

    fn judge_schedule(&self, machine_arn: &str, attempt: u32) -> Verdict {
        let machine = self.states.machine_name(machine_arn);
        let function = machine.as_deref().unwrap_or(machine_arn);
        let now = self.kernel.now();
        let name = "scheduler.start_execution";
        let call = Call { name, function, state: "", attempt: attempt.into(), ordinal: 0, now };
        self.kernel.see(&call)
    }
}

impl Scheduler {
    /// The input of one attempt, its context attributes filled in.
    fn input(&mut self, index: usize, attempt: u32) -> Value {
        let id = uuid(&mut self.draws);
        let standing = &self.schedules[index];
        fill(&standing.schedule.input, &|text| {
            text.replace("<aws.scheduler.scheduled-time>", &standing.scheduled_at.to_string())
                .replace("<aws.scheduler.execution-id>", &id)
                .replace("<aws.scheduler.attempt-number>", &attempt.to_string())
        })
    }
}

fn fill(value: &Value, text: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => items.iter().map(|item| fill(item, text)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), fill(value, text))).collect())
        }
        other => other.clone(),
    }
}
