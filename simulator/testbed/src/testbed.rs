//! Ties it together: the world, the agenda, the functions, the machines; moves time to the next event and carries it out.
//!
//! The world and the agenda are two clocks that are moved as one: whichever has the earlier event goes first, the world at
//! a tie, so that a request at a moment sees what happened by then.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use asl::{Machine, Record};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use world::World;

use crate::bus::{Bus, Delivery};
use crate::executor::{Ending, Executor};
use crate::functions::{Code, DeathNames, Functions};
use crate::gate::{Gate, InvocationId};
use crate::kernel::{Counts, Entry, Kernel};
use crate::latency::Latencies;
use crate::meter::{Layer, Spent};
use crate::pipe::{Network, Servers};
use crate::ports::clock::VirtualClock;
use crate::ports::cloud::Cloud;
use crate::ports::events::EventBus;
use crate::ports::executions::Executions;
use crate::ports::metered::Metered;
use crate::ports::people::People;
use crate::ports::secrets::Secrets;
use crate::ports::sql::Dial;
use crate::ports::store::Store;
use crate::scheduler::Scheduler;
use crate::stepfunctions::drive::Waiting;
use crate::stepfunctions::{ExecutionId, StartRefusal, StartRequest, StepFunctions, Summary};

/// Something a scenario does at its moment.
pub type Hook = Box<dyn FnOnce(&mut Testbed)>;

/// What a testbed is set up with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seed of all chance in the testbed; the world has its own.
    pub seed: u64,
    /// Partition of the ARNs.
    pub partition: String,
    /// Region of functions and machines.
    pub region: String,
    /// Account of functions and machines.
    pub account: String,
    /// How long calls take.
    pub latencies: Latencies,
    /// How deaths of a runtime are named.
    pub death_names: DeathNames,
    /// Whether finished executions keep their histories.
    pub record: Record,
}

impl Options {
    /// `aws`, `eu-west-1`, account 123456789012, no histories.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            partition: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            latencies: Latencies::default(),
            death_names: DeathNames::default(),
            record: Record::Count,
        }
    }
}

/// Who waits for an invocation.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Machine(Waiting),
    Bus(Delivery),
    /// Whoever asks [`Testbed::take_ending`].
    Outside,
}

/// There is no function of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no function {0} is deployed")]
pub struct NoSuchFunction(pub String);

/// What [`Testbed::step`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The world had an event.
    World,
    /// An entry of the agenda fired.
    Agenda,
    /// Nothing was due.
    Idle,
}

/// A world, the functions and machines that run in it, and their time.
pub struct Testbed {
    pub(crate) kernel: Rc<Kernel>,
    pub(crate) executor: Executor,
    pub(crate) functions: Functions,
    pub(crate) states: StepFunctions,
    pub(crate) scheduler: Scheduler,
    pub(crate) callers: BTreeMap<InvocationId, Caller>,
    endings: BTreeMap<InvocationId, Ending>,
    world: Rc<RefCell<World>>,
    network: Rc<Network>,
    store: Store,
    event_bus: EventBus,
    secrets: Secrets,
    people: People,
    pub(crate) bus: Option<Bus>,
    options: Options,
}

impl Testbed {
    /// A testbed around a world; it begins at the world's time.
    pub fn new(options: Options, world: World) -> Self {
        let world = Rc::new(RefCell::new(world));
        Self::assemble(options, Rc::clone(&world), world)
    }

    /// A testbed whose SQL servers may be others than the world's.
    pub(crate) fn assemble(
        options: Options,
        world: Rc<RefCell<World>>,
        servers: Rc<RefCell<dyn Servers>>,
    ) -> Self {
        let start = world.borrow().now();
        let kernel = Rc::new(Kernel::new(options.seed, start, &options.latencies));
        let network = Rc::new(Network { kernel: Rc::clone(&kernel), servers });
        Self {
            executor: Executor::new(Rc::clone(&network)),
            functions: Functions::default(),
            states: StepFunctions::new(options.seed, options.record),
            scheduler: Scheduler::new(options.seed),
            callers: BTreeMap::new(),
            endings: BTreeMap::new(),
            store: Store::new(Rc::clone(&kernel)),
            event_bus: EventBus::new(Rc::clone(&kernel)),
            secrets: Secrets::new(Rc::clone(&kernel)),
            people: People::new(Rc::clone(&kernel)),
            bus: None,
            world,
            network,
            kernel,
            options,
        }
    }

    /// The task store.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// The bus of our own, which is told what happens.
    pub fn event_bus(&self) -> EventBus {
        self.event_bus.clone()
    }

    /// The control planes: RDS, S3, KMS.
    pub fn cloud(&self) -> Cloud {
        Cloud::new(Rc::clone(&self.kernel), Rc::clone(&self.world))
    }

    /// Step Functions, as functions ask it.
    pub fn state_machines(&self) -> Executions {
        Executions::new(Rc::clone(&self.kernel))
    }

    /// The clock of the functions' hosts.
    pub fn clock(&self) -> VirtualClock {
        VirtualClock::new(Rc::clone(&self.kernel))
    }

    /// Connections to the instances of the world.
    pub fn dial(&self) -> Dial {
        Dial::new(Rc::clone(&self.network))
    }

    /// A server port with the stopwatch at its seam.
    pub fn metered<Q>(&self, servers: Q) -> Metered<Q> {
        Metered::new(servers, Rc::clone(&self.kernel))
    }

    /// Begins to measure the machine's own time.
    pub fn start_meter(&self) {
        self.kernel.meter.start();
    }

    /// Ends measuring; what was spent since the start, if there was one.
    pub fn stop_meter(&self) -> Option<Spent> {
        self.kernel.meter.stop()
    }

    /// Whoever subscribed to notices.
    pub fn people(&self) -> People {
        self.people.clone()
    }

    /// The secrets.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// The world, to look at.
    pub fn world(&self) -> Ref<'_, World> {
        self.world.borrow()
    }

    /// The world, for what people and accidents do to it.
    pub fn world_mut(&mut self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.kernel.now()
    }

    /// Puts a gate in front of all calls from now on.
    pub fn set_gate(&mut self, gate: impl Gate + 'static) {
        self.kernel.set_gate(Box::new(gate));
    }

    /// ARN of the function of a name.
    pub fn function_arn(&self, name: &str) -> String {
        let Options { partition, region, account, .. } = &self.options;
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }

    /// ARN of the machine of a name.
    pub fn machine_arn(&self, name: &str) -> String {
        let Options { partition, region, account, .. } = &self.options;
        format!("arn:{partition}:states:{region}:{account}:stateMachine:{name}")
    }

    /// Deploys a function under [`Self::function_arn`].
    pub fn deploy_function(&mut self, name: &str, timeout: SignedDuration, code: Code) {
        self.functions.add(self.function_arn(name), name, timeout, code);
    }

    /// Puts other code in the place of a function's own, which it is given: another version, or one that is watched.
    ///
    /// # Errors
    /// There is no such function.
    pub fn wrap_function(
        &mut self,
        name: &str,
        wrap: impl FnOnce(Code) -> Code,
    ) -> Result<(), NoSuchFunction> {
        let arn = self.function_arn(name);
        let function = self.functions.get(&arn).cloned().ok_or_else(|| NoSuchFunction(name.to_owned()))?;
        self.functions.add(arn, name, function.timeout, wrap(function.code));
        Ok(())
    }

    /// Deploys a machine under [`Self::machine_arn`].
    pub fn deploy_machine(&mut self, machine: Machine) {
        let arn = self.machine_arn(machine.name());
        self.states.deploy(arn, machine);
    }

    /// Starts an execution now, as somebody outside would.
    ///
    /// # Errors
    /// As `StartExecution`.
    pub fn start_execution(
        &mut self,
        machine: &str,
        name: Option<&str>,
        input: Value,
    ) -> Result<ExecutionId, StartRefusal> {
        let request =
            StartRequest { machine_arn: self.machine_arn(machine), name: name.map(str::to_owned), input };
        let started = self.states.start(request, self.kernel.now())?;
        self.carry_out(started.id, started.effects);
        Ok(started.id)
    }

    /// Stops an execution that runs, as somebody outside would; whether there is one of that name.
    pub fn stop_execution(&mut self, name: &str) -> bool {
        let found = self.states.running_under(name);
        if let Some(id) = found {
            self.tell(id, asl::Event::Abort);
        }
        found.is_some()
    }

    /// Invokes a function now, as somebody outside would. Its ending is kept for [`Self::take_ending`].
    ///
    /// # Errors
    /// There is no such function.
    pub fn invoke(&mut self, function: &str, payload: Value) -> Result<InvocationId, NoSuchFunction> {
        let arn = self.function_arn(function);
        let function =
            self.functions.get(&arn).cloned().ok_or_else(|| NoSuchFunction(function.to_owned()))?;
        let id = self.executor.start(&function, &Arc::from(""), payload, SignedDuration::ZERO);
        self.callers.insert(id, Caller::Outside);
        Ok(id)
    }

    /// How an invocation from outside ended, once.
    pub fn take_ending(&mut self, id: InvocationId) -> Option<Ending> {
        self.endings.remove(&id)
    }

    /// Plans something for a moment.
    pub fn at(&mut self, moment: Timestamp, hook: impl FnOnce(&mut Self) + 'static) {
        self.kernel.put(moment, Entry::Hook(Box::new(hook)));
    }

    /// All executions so far, in order of start.
    pub fn executions(&self) -> &[Summary] {
        self.states.summaries()
    }

    /// One execution.
    pub fn execution(&self, id: ExecutionId) -> &Summary {
        self.states.summary(id)
    }

    /// Executions that run.
    pub fn executions_running(&self) -> usize {
        self.states.running()
    }

    /// Invocations that run.
    pub fn invocations_running(&self) -> usize {
        self.executor.running()
    }

    /// How many calls there were.
    pub fn counts(&self) -> Counts {
        self.kernel.counts.get()
    }

    /// How often each function has been invoked.
    pub fn invocations(&self) -> impl Iterator<Item = (&str, u64)> {
        self.executor.attempts()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.options.seed
    }

    pub(crate) fn death_names(&self) -> DeathNames {
        self.options.death_names
    }

    /// Carries out all that is due up to a moment, and moves there.
    pub fn run_until(&mut self, until: Timestamp) {
        while self.step(until) != Step::Idle {}
        self.kernel.advance(until);
        self.world.borrow_mut().advance_to(self.kernel.now());
    }

    /// Carries out the next event, if one is due at or before `until`.
    ///
    /// # Panics
    /// When a handler waits for something that is no entry of the agenda, or the world's time stands still.
    pub fn step(&mut self, until: Timestamp) -> Step {
        let entry_at = self.kernel.next_at().filter(|at| *at <= until);
        let meter = &self.kernel.meter;
        let world_at = meter.within(Layer::Server, || self.world.borrow().next_event_at());
        let world_at = world_at.filter(|at| *at <= until);
        match (world_at, entry_at) {
            (Some(at), entry_at) if entry_at.is_none_or(|entry_at| at <= entry_at) => {
                let next_at = meter.within(Layer::Server, || {
                    let mut world = self.world.borrow_mut();
                    world.advance_to(at);
                    world.next_event_at()
                });
                assert!(
                    next_at.is_none_or(|next_at| next_at > at),
                    "the world has an event at {at} again and again"
                );
                self.kernel.advance(at);
                self.send_events();
                Step::World
            }
            (_, Some(at)) => {
                meter.within(Layer::Server, || self.world.borrow_mut().advance_to(at));
                if let Some(entry) = self.kernel.take_next(at) {
                    self.fire(entry);
                }
                Step::Agenda
            }
            _ => Step::Idle,
        }
    }

    fn fire(&mut self, entry: Entry) {
        match entry {
            Entry::Arrive(arrival) => self.poll(arrival.arrive()),
            Entry::Deliver(link) => {
                let caller = self.kernel.meter.within(Layer::Server, || link.deliver(&self.network));
                self.poll(caller);
            }
            Entry::Begin(invocation) => self.poll(invocation),
            Entry::Deadline(invocation) => {
                let ending = self.executor.time_out(invocation);
                self.settle(invocation, ending);
            }
            Entry::Machine(arrival) => self.arrive(arrival),
            Entry::Schedule(index) => self.fire_schedule(index),
            Entry::Hook(hook) => {
                hook(self);
                self.send_events();
            }
        }
    }

    fn poll(&mut self, invocation: InvocationId) {
        let ending = self.executor.poll(invocation);
        self.settle(invocation, ending);
    }

    fn settle(&mut self, invocation: InvocationId, ending: Option<Ending>) {
        let Some(ending) = ending else { return };
        match self.callers.remove(&invocation) {
            Some(Caller::Machine(waiting)) => self.answered(waiting, ending),
            Some(Caller::Bus(delivery)) => self.event_taken(delivery, &ending),
            Some(Caller::Outside) => {
                self.endings.insert(invocation, ending);
            }
            None => {}
        }
    }
}
