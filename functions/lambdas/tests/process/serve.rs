//! A function as a process, spoken to through the Runtime API as Lambda speaks to it.
//!
//! The server side is in `runtime_api`: it hands out payloads and takes answers. The function side is this very test program, started
//! again to run [`the_function`] alone.

use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::runtime_api::{API, Ended, Invocation, invoke, runtime};
use domain::reason::{Class, Reason};
use handlers::Handler;
use lambdas::redact::Secrets;
use lambdas::trail::Trail;
use lambdas::{Machine, Tell, Told};
use ports::Clock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlserver::Secret;

/// Does what its payload says.
struct Probe;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    Echo(String),
    Refuse(Class),
    Panic(String),
    /// Tells the milliseconds that are left.
    Left {},
    /// Never ends.
    Hang {},
}

#[derive(Serialize)]
struct Output {
    echo: String,
}

impl Tell for Output {
    fn tell(&self) -> Told {
        Told::counts(&[("echoed", 1)]).outcome(&"told")
    }
}

impl Handler for Probe {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "probe";

    #[expect(clippy::panic, reason = "how a panic leaves the function is what is tested")]
    async fn handle(&self, input: Input) -> Result<Output, Reason> {
        let clock = lambdas::invocation::InvocationClock;
        match input {
            Input::Echo(echo) => Ok(Output { echo }),
            Input::Refuse(Class::Wait) => Err(Reason::new(Class::Wait, "QueueFull", "two tasks run")),
            Input::Refuse(class) => {
                Err(Reason::new(class, "Refused", format!("as asked, {SECRET}")).guidance("ask for less"))
            }
            Input::Panic(message) => panic!("{message}"),
            Input::Left {} => {
                let left = clock.deadline().map(|deadline| deadline.duration_since(clock.now()).as_millis());
                Ok(Output { echo: format!("{left:?}") })
            }
            Input::Hang {} => std::future::pending().await,
        }
    }
}

const SECRET: &str = "correct horse battery staple";
/// One that somebody has called an instance by.
const IN_A_NAME: &str = "orders-prod-9";
const UNBUILT: &str = "PROBE_UNBUILT";

#[test]
#[ignore = "the other side of the tests of this file, which start it with an environment of its own"]
#[expect(clippy::disallowed_methods, reason = "the environment tells which side of the test this process is")]
fn the_function() {
    if std::env::var(API).is_ok() {
        let secrets = Secrets::default();
        secrets.know(&Secret::new(SECRET));
        secrets.know(&Secret::new(IN_A_NAME));
        let unbuilt = std::env::var(UNBUILT).is_ok();
        let probe = if unbuilt { Err(Reason::new(Class::Human, "Unbuilt", "as asked")) } else { Ok(Probe) };
        runtime()
            .block_on(lambdas::serve::<Machine, _>(probe, &secrets, &Trail::default()))
            .expect("the Runtime API is there");
    }
}

fn probe(environment: &[(&str, &str)], invocations: &[Invocation]) -> Ended {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "serve::the_function", "--ignored", "--nocapture"]);
    runtime().block_on(invoke(command, environment, invocations))
}

/// A line of the log in short: level, outcome or reason, whether it was the first.
fn told(line: &Value) -> String {
    assert_eq!((&line["function"], &line["request_id"]), (&json!("probe"), &json!("request-1")));
    let name = line.pointer("/reason/name").unwrap_or(&line["outcome"]);
    format!("{} {name} {}", line["level"], line["cold_start"]).replace('"', "")
}

#[test]
fn every_ending_has_a_name_that_a_machine_can_catch() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let malformed = "PayloadMalformed: probe cannot read its payload: ";
    let cases = [
        (json!({"echo": "größe"}).to_string(), "response", json!({"echo": "größe"})),
        (json!({"refuse": "Retry"}).to_string(), "Retry", json!("Refused: as asked, ***; ask for less")),
        (json!({"refuse": "Wait"}).to_string(), "Wait", json!("QueueFull: two tasks run")),
        (json!({"refuse": "Never"}).to_string(), "Never", json!("Refused: as asked, ***; ask for less")),
        (json!({"refuse": "Human"}).to_string(), "Human", json!("Refused: as asked, ***; ask for less")),
        (
            json!({"panic": format!("out of bounds: {SECRET}")}).to_string(),
            "Human",
            json!("Panicked: the function panicked at functions/lambdas/tests/process/serve.rs:"),
        ),
        (
            json!({"echo": 1}).to_string(),
            "Human",
            json!(format!("{malformed}`echo` is not what it has to be")),
        ),
        (
            json!({"echo": format!("as {SECRET} says")}).to_string(),
            "response",
            json!({"echo": "as *** says"}),
        ),
        (
            json!({"echo": format!("{IN_A_NAME}-1")}).to_string(),
            "Human",
            json!("SecretInName: a name in the answer of probe is or holds a password; "),
        ),
        ("[]".to_owned(), "Human", json!(malformed)),
        (deep, "Human", json!(malformed)),
        // After all of that it still works.
        (json!({"echo": "alive"}).to_string(), "response", json!({"echo": "alive"})),
    ];
    let ended = probe(&[], &cases.each_ref().map(|(payload, ..)| Invocation::of(payload)));
    for ((payload, expected, said), answer) in cases.iter().zip(&ended.answers) {
        if *expected == "response" {
            assert_eq!((answer.kind.as_str(), &answer.body), ("response", said), "{payload}");
            continue;
        }
        let found = (answer.kind.as_str(), answer.body["errorType"].as_str());
        assert_eq!(found, ("error", Some(*expected)), "{payload}");
        let message = answer.body["errorMessage"].as_str().unwrap_or_default();
        assert!(message.starts_with(said.as_str().unwrap_or("?")), "{payload}: {message}");
        assert!(!message.contains(SECRET) && !message.contains(IN_A_NAME), "{message}");
    }
    assert_eq!(
        ended.log.iter().map(told).collect::<Vec<_>>(),
        [
            "INFO told true",
            "WARN Refused false",
            "WARN QueueFull false",
            "ERROR Refused false",
            "ERROR Refused false",
            "ERROR Panicked false",
            "ERROR PayloadMalformed false",
            "INFO told false",
            "ERROR SecretInName false",
            "ERROR PayloadMalformed false",
            "ERROR PayloadMalformed false",
            "INFO told false",
        ],
        "one line for each invocation: {}",
        ended.printed
    );
    assert!(!ended.printed.contains(SECRET), "{}", ended.printed);
    assert!(
        !ended.printed.contains("panicked at functions/lambdas/tests/process/serve.rs:")
            || ended.log.len() == 12
    );
}

#[test]
fn a_function_that_could_not_be_built_says_why_each_time() {
    let ended = probe(
        &[(UNBUILT, "yes")],
        &[json!({"echo": "a"}), json!({"echo": "b"})].each_ref().map(Invocation::of),
    );
    assert_eq!(ended.log.len(), 2);
    for answer in ended.answers {
        assert_eq!(answer.kind, "error");
        assert_eq!(answer.body["errorType"], "Human");
        assert_eq!(answer.body["errorMessage"], "Unbuilt: as asked");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a deadline is on the clock of the host")]
fn each_invocation_has_its_own_deadline_and_ends_before_it() {
    let in_seconds = |seconds: u64, payload: Value| {
        let at = SystemTime::now() + Duration::from_secs(seconds);
        let since = at.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
        let deadline = u64::try_from(since.as_millis()).expect("and before the year 500 million");
        Invocation { deadline, ..Invocation::of(&payload) }
    };
    let ended = probe(
        &[],
        &[
            in_seconds(900, json!({"left": {}})),
            in_seconds(60, json!({"left": {}})),
            in_seconds(2, json!({"hang": {}})),
            in_seconds(60, json!({"echo": "alive"})),
        ],
    );
    let left = |i: usize| {
        let echo = ended.answers[i].body["echo"].as_str().expect("an echo");
        echo.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().expect("milliseconds")
    };
    assert!((840_000..=900_000).contains(&left(0)), "{ended:?}");
    assert!((1..=60_000).contains(&left(1)), "{ended:?}");
    assert_eq!(ended.answers[2].body["errorType"], "Retry", "{ended:?}");
    assert_eq!(ended.log[2]["reason"]["name"], "OutOfTime");
    assert_eq!(ended.answers[3].body["echo"], "alive");
}
