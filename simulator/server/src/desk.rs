//! How do many clients ask one world? The world lives on one thread behind a channel; there, time passes between questions.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tds::{Request, Response, ServerMessage};
use testbed::scenario::Scenario;
use testbed::simulation::{Simulation, SimulationError};
use tokio::sync::oneshot;
use world::{Outcome, SessionId};

use crate::endpoint::{Client, Courier};
use crate::pace::{self, Pace};

/// How often time passes while nobody asks.
const TICK: Duration = Duration::from_millis(20);

/// How far the story goes on before questions are heard again.
const STRIDE: SignedDuration = SignedDuration::from_mins(1);

/// How much real time a story that fell behind makes good at most.
const DEBT_MAX: Duration = Duration::from_secs(1);

/// What is asked of the world.
enum Ask {
    LogIn {
        instance: String,
        user: String,
        password: String,
        database: String,
        answer: oneshot::Sender<Result<u64, ServerMessage>>,
    },
    Execute {
        session: u64,
        request: Request,
        answer: oneshot::Sender<Option<Response>>,
    },
    Reset {
        session: u64,
        keeps_transaction: bool,
    },
    LogOut {
        session: u64,
    },
    Http {
        request: Box<api::Request>,
        answer: oneshot::Sender<Option<api::Response>>,
    },
    Step {
        by: SignedDuration,
        answer: oneshot::Sender<Moved>,
    },
    /// The endpoint did what the world asked of it, or did not.
    Settle {
        ticket: u64,
        outcome: Outcome,
    },
    Close,
}

/// How far the story has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The time in the story.
    pub now: Timestamp,
}

/// A client's way to the world.
#[derive(Clone)]
pub struct Desk {
    asks: Sender<Ask>,
}

/// Why there is no world to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The machine gives no thread.
    #[error("no thread for the simulated world: {0}")]
    Thread(#[from] std::io::Error),
    /// The scenario cannot be set up.
    #[error(transparent)]
    Setup(#[from] SimulationError),
}

/// Puts the simulation of a scenario on a thread of its own. It is made there, because nothing of it may change threads. The thread
/// ends when [`Desk::close`] was called. With an `endpoint`, objects of native tasks lie there.
///
/// # Errors
/// What the world refuses, or no thread.
pub fn open(
    scenario: Scenario,
    pace: Pace,
    endpoint: Option<Client>,
) -> Result<(Desk, JoinHandle<()>), OpenError> {
    let (asks, asked) = channel();
    let settles = asks.clone();
    let answer = move |ticket, outcome| {
        // A world that is gone needs no answer.
        let _ = settles.send(Ask::Settle { ticket, outcome });
    };
    let courier = endpoint.map(|client| Courier::start(client, answer)).transpose()?;
    let life = courier.is_some().then(life).transpose()?;
    let (made, is_made) = channel();
    let thread = std::thread::Builder::new().name("world".into()).spawn(move || {
        let mut simulation = match Simulation::new(scenario) {
            Ok(simulation) => simulation,
            Err(error) => {
                let _ = made.send(Err(error));
                return;
            }
        };
        if let Some(life) = life {
            simulation.bed().world_mut().mirror(life);
        }
        let _ = made.send(Ok(()));
        let target = simulation.bed().now();
        Keeper { simulation, pace, target, courier, steps: VecDeque::new(), requests: VecDeque::new() }
            .run(&asked);
    })?;
    is_made.recv().map_err(|_| std::io::Error::other("the thread ended"))??;
    Ok((Desk { asks }, thread))
}

/// A name for this process: histories of two are never taken for one.
fn life() -> std::io::Result<[u8; 16]> {
    let mut life = [0; 16];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut life).map_err(|_| std::io::Error::other("the machine gives no random numbers"))?;
    Ok(life)
}

impl Desk {
    /// Logs in, to a database. `None`: the world is gone.
    pub async fn log_in(
        &self,
        instance: &str,
        user: String,
        password: String,
        database: String,
    ) -> Option<Result<u64, ServerMessage>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::LogIn { instance: instance.to_owned(), user, password, database, answer })?;
        answered.await.ok()
    }

    /// Executes a request. `None`: the session is gone, as after a failover, or the world is.
    pub async fn execute(&self, session: u64, request: Request) -> Option<Response> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Execute { session, request, answer })?;
        answered.await.ok()?
    }

    /// Starts a session afresh, before what is asked next.
    pub fn reset(&self, session: u64, keeps_transaction: bool) {
        let _ = self.ask(Ask::Reset { session, keeps_transaction });
    }

    /// Ends a session.
    pub fn log_out(&self, session: u64) {
        let _ = self.ask(Ask::LogOut { session });
    }

    /// Asks the HTTP API. `None`: the world is gone.
    pub async fn http(&self, request: api::Request) -> Option<api::Response> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Http { request: Box::new(request), answer })?;
        answered.await.ok()?
    }

    /// Lets the story go on by so much. `None`: the world is gone.
    pub async fn step(&self, by: SignedDuration) -> Option<Moved> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Step { by, answer })?;
        answered.await.ok()
    }

    /// Ends the world, behind everything that was asked before.
    pub fn close(&self) {
        let _ = self.ask(Ask::Close);
    }

    /// A client asks one thing at a time, so no more wait than there are clients.
    fn ask(&self, ask: Ask) -> Option<()> {
        self.asks.send(ask).ok()
    }
}

/// Keeps the world, on its thread.
struct Keeper {
    simulation: Simulation,
    pace: Pace,
    /// Where the story should be.
    target: Timestamp,
    courier: Option<Courier>,
    /// Steps that are not gone yet, first ones first.
    steps: VecDeque<(Timestamp, oneshot::Sender<Moved>)>,
    /// What the API was asked and has not answered yet, likewise.
    requests: VecDeque<(Box<api::Request>, oneshot::Sender<Option<api::Response>>)>,
}

impl Keeper {
    #[expect(
        clippy::disallowed_methods,
        reason = "the pace of the story is measured by the real clock, and nothing else is"
    )]
    fn run(mut self, asked: &Receiver<Ask>) {
        let mut last = Instant::now();
        loop {
            let behind = self.now() < self.target && !self.waits();
            let ask = asked.recv_timeout(if behind { Duration::ZERO } else { TICK });
            let now = Instant::now();
            self.pass(now - last);
            last = now;
            match ask {
                Ok(Ask::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(ask) => self.answer(ask),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn now(&mut self) -> Timestamp {
        self.simulation.bed().now()
    }

    /// Whether objects are on their way: the story stands still until they are there, and clients are heard.
    fn waits(&mut self) -> bool {
        self.courier.is_some() && self.simulation.bed().world_mut().open_transfers() > 0
    }

    fn go_on(&mut self, until: Timestamp) {
        self.simulation.run_until(until);
        self.hand_over();
    }

    /// Hands over what the world asks of its endpoint.
    fn hand_over(&mut self) {
        let Some(courier) = &self.courier else { return };
        for transfer in self.simulation.bed().world_mut().take_transfers() {
            courier.carry(transfer);
        }
    }

    /// Takes the steps that were asked for, as far as the endpoint lets them.
    fn step(&mut self) {
        while let Some(until) = self.steps.front().map(|(until, _)| *until) {
            while self.now() < until && !self.waits() {
                let stride = if self.courier.is_some() { STRIDE } else { SignedDuration::MAX };
                let now = self.now();
                self.go_on(pace::next(now, until, stride));
            }
            if self.waits() {
                return;
            }
            self.target = self.target.max(until);
            if let Some((_, answer)) = self.steps.pop_front() {
                let _ = answer.send(Moved { now: until });
            }
        }
    }

    /// Answers what the API was asked. An answer takes its milliseconds of the story, which stands still while objects are on
    /// their way.
    fn hear(&mut self) {
        while !self.waits() {
            let Some((request, answer)) = self.requests.pop_front() else { return };
            let _ = answer.send(self.simulation.ask(&request));
            self.hand_over();
        }
    }

    /// So much real time has passed. A story that cannot keep pace falls behind: it does not race on afterwards.
    fn pass(&mut self, real: Duration) {
        if self.waits() {
            return;
        }
        let now = self.now();
        let latest = now.saturating_add(self.pace.of(DEBT_MAX)).unwrap_or(Timestamp::MAX);
        let target = self.target.saturating_add(self.pace.of(real)).unwrap_or(Timestamp::MAX);
        self.target = target.min(latest).max(now);
        self.go_on(pace::next(now, self.target, STRIDE));
    }

    /// Who asked may be gone: then nobody hears the answer.
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::LogIn { instance, user, password, database, answer } => {
                let session = self.log_in(&instance, &user, &password, &database);
                // A client that did not wait for the answer leaves no session behind.
                if let Err(Ok(session)) = answer.send(session) {
                    self.log_out(session);
                }
            }
            Ask::Reset { session, keeps_transaction } => {
                self.simulation.bed().world_mut().reset(SessionId(session), keeps_transaction);
            }
            Ask::Execute { session, request, answer } => {
                let session = SessionId(session);
                let mut world = self.simulation.bed().world_mut();
                let response = world.is_connected(session).then(|| world.execute(session, &request));
                let _ = answer.send(response);
            }
            Ask::LogOut { session } => self.log_out(session),
            Ask::Http { request, answer } => {
                self.requests.push_back((request, answer));
                self.hear();
            }
            Ask::Step { by, answer } => {
                let now = self.now();
                let until = now.saturating_add(by).unwrap_or(Timestamp::MAX).max(now);
                self.steps.push_back((until, answer));
                self.step();
            }
            Ask::Settle { ticket, outcome } => {
                self.simulation.bed().world_mut().settle(ticket, outcome);
                self.hand_over();
                self.hear();
                self.step();
            }
            Ask::Close => {}
        }
    }

    fn log_in(
        &mut self,
        instance: &str,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<u64, ServerMessage> {
        let mut world = self.simulation.bed().world_mut();
        let session = world.connect(instance, user, password)?;
        match world.enter(session, database) {
            Ok(()) => Ok(session.0),
            Err(refused) => {
                world.disconnect(session);
                Err(refused)
            }
        }
    }

    fn log_out(&mut self, session: u64) {
        self.simulation.bed().world_mut().disconnect(SessionId(session));
    }
}
