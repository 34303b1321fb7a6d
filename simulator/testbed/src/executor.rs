//! Runs handlers: owns their futures, polls them one at a time, ends them when they are done, late or dead.
//!
//! A handler gives way only where it waits for an entry of the agenda, a port's latency or a TDS round trip. Whatever else
//! it could wait for would never come, or come from outside of virtual time, so that is a defect and a panic that names it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use domain::reason::Reason;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::agenda::Token;
use crate::functions::{Code, Function};
use crate::gate::InvocationId;
use crate::kernel::{Entry, Invocation, Kernel};
use crate::meter::Layer;
use crate::pipe::Network;

/// What a handler's future answers.
pub type Answer = Result<Value, Reason>;

/// A handler at work.
pub type Work = Pin<Box<dyn Future<Output = Answer>>>;

/// Polls in one instant after which a future counts as spinning. A future that wakes itself is polled again at once, which
/// combinators do a few times at most.
const POLLS_AT_ONCE_MAX: u32 = 1_000;

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The handler returned.
    Returned(Answer),
    /// The function's timeout passed.
    TimedOut {
        /// The timeout.
        after: SignedDuration,
    },
    /// The host died under it.
    Crashed,
}

/// Remembers that somebody wants to be polled again.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Running {
    facts: Rc<Invocation>,
    code: Code,
    /// Until its host begins.
    payload: Value,
    /// From then on.
    work: Option<Work>,
    deadline: Token,
    timeout: SignedDuration,
}

/// The invocations that are under way.
pub(crate) struct Executor {
    kernel: Rc<Kernel>,
    network: Rc<Network>,
    running: BTreeMap<InvocationId, Running>,
    attempts: BTreeMap<Rc<str>, u64>,
    next_id: u64,
    flag: Arc<Flag>,
    waker: Waker,
}

impl Executor {
    pub(crate) fn new(network: Rc<Network>) -> Self {
        let kernel = Rc::clone(&network.kernel);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        Self { kernel, network, running: BTreeMap::new(), attempts: BTreeMap::new(), next_id: 0, flag, waker }
    }

    /// How many invocations are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// The number that the next invocation of a function gets.
    pub(crate) fn next_attempt(&self, function: &str) -> u64 {
        self.attempts.get(function).map_or(1, |made| made + 1)
    }

    /// How often each function has been invoked.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.attempts.iter().map(|(function, made)| (&**function, *made))
    }

    /// Takes an invocation on; its host begins after `delay`, and from then on it has the function's timeout.
    pub(crate) fn start(
        &mut self,
        function: &Function,
        state: &Arc<str>,
        payload: Value,
        delay: SignedDuration,
    ) -> InvocationId {
        let id = InvocationId(self.next_id);
        self.next_id += 1;
        let attempt = self.attempts.entry(Rc::clone(&function.name)).or_insert(0);
        *attempt += 1;
        let lives = delay.saturating_add(function.timeout);
        let facts = Rc::new(Invocation {
            id,
            function: Rc::clone(&function.name),
            state: Arc::clone(state),
            attempt: *attempt,
            ends_at: self.kernel.now().saturating_add(lives).unwrap_or(Timestamp::MAX),
            awaited: 0.into(),
            crashed: false.into(),
            calls: 0.into(),
            links: Vec::new().into(),
        });
        self.kernel.put_after(delay, Entry::Begin(id));
        let timeout = function.timeout;
        let deadline = self.kernel.put_after(lives, Entry::Deadline(id));
        let code = Rc::clone(&function.code);
        self.running.insert(id, Running { facts, code, payload, work: None, deadline, timeout });
        self.kernel.count(|counts| counts.invocations += 1);
        id
    }

    /// Polls an invocation; the ending, if it is over. An invocation that ended before is none of our business any more.
    ///
    /// # Panics
    /// When the handler waits for something that is no entry of the agenda.
    pub(crate) fn poll(&mut self, id: InvocationId) -> Option<Ending> {
        let running = self.running.get_mut(&id)?;
        let Running { facts, code, payload, work, .. } = running;
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..POLLS_AT_ONCE_MAX {
            if facts.crashed.get() {
                return self.end(id, Ending::Crashed);
            }
            self.flag.0.store(false, Ordering::Relaxed);
            self.kernel.set_current(Some(Rc::clone(facts)));
            let work = work.get_or_insert_with(|| code(payload.take()));
            let polled = self.kernel.meter.within(Layer::Handlers, || work.as_mut().poll(&mut context));
            self.kernel.set_current(None);
            self.network.look_after(facts);
            if let Poll::Ready(answer) = polled {
                return self.end(id, Ending::Returned(answer));
            }
            if !self.flag.0.load(Ordering::Relaxed) && !facts.crashed.get() {
                assert!(
                    facts.awaited.get() > 0,
                    "handler {} waits for something that is no entry of the agenda: neither a port nor a TDS round trip",
                    facts.function
                );
                return None;
            }
        }
        let function = Rc::clone(&facts.function);
        spins(&function)
    }

    /// Ends an invocation whose time is up.
    pub(crate) fn time_out(&mut self, id: InvocationId) -> Option<Ending> {
        let after = self.running.get(&id)?.timeout;
        self.end(id, Ending::TimedOut { after })
    }

    fn end(&mut self, id: InvocationId, ending: Ending) -> Option<Ending> {
        let running = self.running.remove(&id)?;
        self.kernel.cancel(running.deadline);
        // Sessions are dropped here, which ends them at the server; a call under way takes its entry off the agenda.
        drop(running.work);
        self.network.let_go(&running.facts);
        Some(ending)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // Invocations and their connections know each other: without this a testbed that is dropped early would leak them.
        for running in self.running.values() {
            running.facts.links.borrow_mut().clear();
        }
    }
}

#[expect(
    clippy::panic,
    reason = "a handler that never gives way is a defect of the code under test, not an input"
)]
fn spins(function: &str) -> Option<Ending> {
    panic!("handler {function} wakes itself without end")
}
