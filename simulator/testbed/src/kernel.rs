//! What ports, executor and services share: the agenda, the gate, the latencies, and which invocation runs now.
//!
//! One thread, so plain cells. Nothing here holds a borrow while code of a handler or of a gate runs.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use ports::Fault;

use crate::agenda::{Agenda, Token};
use crate::gate::{Call, Gate, InvocationId, Moment, Open, Verdict};
use crate::latency::{Draws, Latencies, Service};
use crate::meter::{Layer, Meter};
use crate::pipe::Link;
use crate::testbed::Hook;

/// What waits on the agenda.
pub(crate) enum Entry {
    /// A call of a port has arrived and may have its effect.
    Arrive(Rc<Arrival>),
    /// Bytes have crossed the network to a server.
    Deliver(Rc<Link>),
    /// An invocation reaches its host.
    Begin(InvocationId),
    /// An invocation has run for as long as its function may.
    Deadline(InvocationId),
    /// An answer of Lambda or of Step Functions, or a timer, reaches a machine.
    Machine(crate::stepfunctions::Arrival),
    /// A schedule fires.
    Schedule(usize),
    /// Something that a scenario planned.
    Hook(Hook),
}

/// What ports know of the invocation that calls them.
pub(crate) struct Invocation {
    pub(crate) id: InvocationId,
    pub(crate) function: Rc<str>,
    /// State of a machine that asked for it; empty when somebody outside did.
    pub(crate) state: Arc<str>,
    pub(crate) attempt: u64,
    /// When the function's timeout passes: Lambda tells the function.
    pub(crate) ends_at: Timestamp,
    /// Entries of the agenda that will poll it again.
    pub(crate) awaited: Cell<u32>,
    pub(crate) crashed: Cell<bool>,
    pub(crate) calls: Cell<u32>,
    /// Connections it holds. They know it in turn, so the executor clears this when it is over.
    pub(crate) links: RefCell<Vec<Rc<Link>>>,
}

/// One call under way.
pub(crate) struct Arrival {
    caller: Rc<Invocation>,
    arrived: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Arrival {
    /// Marks the call as arrived and tells which invocation to poll.
    pub(crate) fn arrive(&self) -> InvocationId {
        self.arrived.set(true);
        self.caller.awaited.set(self.caller.awaited.get().saturating_sub(1));
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
        self.caller.id
    }
}

/// Resolves when its entry of the agenda has fired; dropped before, it takes the entry off.
struct Flight<'a> {
    kernel: &'a Kernel,
    arrival: Rc<Arrival>,
    token: Token,
}

impl Future for Flight<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.arrival.arrived.get() {
            return Poll::Ready(());
        }
        *self.arrival.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if self.kernel.cancel(self.token).is_some() {
            let awaited = &self.arrival.caller.awaited;
            awaited.set(awaited.get().saturating_sub(1));
        }
    }
}

/// How many calls there were, by kind. Counted for reports and benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls of ports in memory.
    pub port_calls: u64,
    /// Requests answered on SQL sessions, logins included.
    pub sql_requests: u64,
    /// SQL sessions opened.
    pub sql_sessions: u64,
    /// Function invocations begun.
    pub invocations: u64,
}

/// Whether a lost reply leaves something open. The adapters for AWS draw the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asking again is harmless.
    Read,
    /// The request may have had its effect.
    Write,
}

pub(crate) struct Kernel {
    agenda: RefCell<Agenda<Entry>>,
    gate: RefCell<Box<dyn Gate>>,
    draws: RefCell<Draws>,
    current: RefCell<Option<Rc<Invocation>>>,
    pub(crate) counts: Cell<Counts>,
    pub(crate) meter: Meter,
}

impl Kernel {
    pub(crate) fn new(seed: u64, start: Timestamp, latencies: &Latencies) -> Self {
        Self {
            agenda: RefCell::new(Agenda::new(start)),
            gate: RefCell::new(Box::new(Open)),
            draws: RefCell::new(Draws::new(seed, latencies)),
            current: RefCell::new(None),
            counts: Cell::default(),
            meter: Meter::off(),
        }
    }

    pub(crate) fn set_gate(&self, gate: Box<dyn Gate>) {
        *self.gate.borrow_mut() = gate;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.agenda.borrow().now()
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.agenda.borrow_mut().next_at()
    }

    pub(crate) fn take_next(&self, until: Timestamp) -> Option<Entry> {
        self.agenda.borrow_mut().take_next(until)
    }

    pub(crate) fn advance(&self, to: Timestamp) {
        self.agenda.borrow_mut().advance(to);
    }

    pub(crate) fn put(&self, at: Timestamp, entry: Entry) -> Token {
        self.agenda.borrow_mut().put(at, entry)
    }

    pub(crate) fn put_after(&self, delay: SignedDuration, entry: Entry) -> Token {
        let mut agenda = self.agenda.borrow_mut();
        // Past the end of representable time nothing happens any more, so the last moment serves.
        let at = agenda.now().saturating_add(delay).unwrap_or(Timestamp::MAX);
        agenda.put(at, entry)
    }

    pub(crate) fn cancel(&self, token: Token) -> Option<Entry> {
        self.agenda.borrow_mut().cancel(token)
    }

    pub(crate) fn latency(&self, service: Service) -> SignedDuration {
        self.draws.borrow_mut().draw(service)
    }

    pub(crate) fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        add(&mut counts);
        self.counts.set(counts);
    }

    /// The invocation that is being polled, or `None` outside of any.
    pub(crate) fn current(&self) -> Option<Rc<Invocation>> {
        self.current.borrow().clone()
    }

    pub(crate) fn set_current(&self, invocation: Option<Rc<Invocation>>) {
        *self.current.borrow_mut() = invocation;
    }

    /// Shows a call to the gate.
    pub(crate) fn see(&self, call: &Call<'_>) -> Verdict {
        self.gate.borrow_mut().see(call)
    }

    /// Shows a call of an invocation to the gate.
    pub(crate) fn judge(&self, caller: &Invocation, name: &str) -> Verdict {
        let ordinal = caller.calls.get().saturating_add(1);
        caller.calls.set(ordinal);
        let Invocation { function, state, attempt, .. } = caller;
        let call = Call { name, function, state, attempt: *attempt, ordinal, now: self.now() };
        self.see(&call)
    }

    /// Waits on the agenda for so long, as the invocation that runs now.
    async fn flight(&self, caller: &Rc<Invocation>, latency: SignedDuration) {
        let arrival = Rc::new(Arrival {
            caller: Rc::clone(caller),
            arrived: Cell::new(false),
            waker: RefCell::new(None),
        });
        let token =
            self.meter.within(Layer::Testbed, || self.put_after(latency, Entry::Arrive(Rc::clone(&arrival))));
        caller.awaited.set(caller.awaited.get().saturating_add(1));
        Flight { kernel: self, arrival, token }.await;
    }

    /// Dies: marks the invocation and never returns; the executor drops it.
    async fn crash(&self, caller: &Invocation) -> ! {
        caller.crashed.set(true);
        std::future::pending().await
    }

    /// Makes one call of a port: latency first, then the effect, in one instant with the answer.
    ///
    /// # Panics
    /// Outside of any invocation: whoever needs the state of a port there reads it directly.
    pub(crate) async fn call<T, E: From<Fault>>(
        &self,
        name: &str,
        (service, kind): (Service, Kind),
        mut effect: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let layer = if service == Service::Store { Layer::Store } else { Layer::Server };
        let mut effect = || self.meter.within(layer, &mut effect);
        let caller = self.current().expect("ports are called by handlers, and the executor polls those");
        self.count(|counts| counts.port_calls += 1);
        let (verdict, latency) =
            self.meter.within(Layer::Testbed, || (self.judge(&caller, name), self.latency(service)));
        match verdict {
            Verdict::Delay(more) => self.flight(&caller, latency.saturating_add(more)).await,
            _ => self.flight(&caller, latency).await,
        }
        match verdict {
            Verdict::Pass | Verdict::Delay(_) => effect(),
            Verdict::Fail(fault) => Err(fault.into()),
            Verdict::LoseReply => {
                // The caller cannot tell whether it was refused or done, so neither answer may reach it.
                drop(effect());
                let how = format!("{name}: the reply was lost");
                Err(match kind {
                    Kind::Read => Fault::Transient(how).into(),
                    Kind::Write => Fault::UnknownOutcome(how).into(),
                })
            }
            Verdict::Duplicate => {
                drop(effect());
                effect()
            }
            Verdict::Crash(Moment::Before) => self.crash(&caller).await,
            Verdict::Crash(Moment::After) => {
                drop(effect());
                self.crash(&caller).await
            }
        }
    }
}
