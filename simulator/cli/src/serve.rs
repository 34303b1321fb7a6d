//! `bakproof serve`: the instances of a story on loopback, while its time passes.
//!
//! Prints how to reach them when it is ready, and ends cleanly on SIGTERM or Ctrl-C: what was asked is answered.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use serde::Serialize;
use server::{Authority, Client, Credentials, Desk, Endpoint, HttpPort, Pace, Port, SPEED_MAX, Tls};
use testbed::scenario::{InstanceSpec, USER};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use crate::{DONE, Stop, input};

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Scenario whose instances are served [default: the bundled quickstart]
    scenario: Option<PathBuf>,
    /// How many seconds of the story pass in one
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=i64::from(SPEED_MAX)))]
    speed: u32,
    /// Time passes by lines on the input only: `step 10m`
    #[arg(long, conflicts_with = "speed")]
    manual: bool,
    /// Port of the first instance, the others follow [default: any that are free]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Port of the HTTP API [default: any that is free]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    http_port: u16,
    /// Where the authority's certificate is written [default: bakproof-ca.pem in the temporary folder]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// S3-compatible endpoint on which backups are written and read, path-style; credentials and Region from the usual AWS_ variables
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// How to reach the instances as JSON, in one line
    #[arg(long)]
    json: bool,
}

/// How one instance is reached.
#[derive(Debug, Serialize)]
struct Reached<'a> {
    name: &'a str,
    host: String,
    port: u16,
    user: &'a str,
    password: String,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    instances: Vec<Reached<'a>>,
    /// The HTTP API.
    http: String,
    ca: &'a Path,
}

/// Serves until it is told to end.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Stop> {
    let scenario = input::scenario(arguments.scenario.as_deref())?;
    let names: Vec<String> = scenario.instances.iter().map(|instance| instance.name.clone()).collect();
    let cannot = |what: &str, mend: &str| Stop::Unreadable(format!("{what}; mend: {mend}"));
    let authority = Authority::new(&names).map_err(|error| {
        cannot(&error.to_string(), "name instances as RDS does: letters, digits, hyphens")
    })?;
    let tls = Tls::new(&authority).map_err(|error| cannot(&error.to_string(), "report it"))?;
    let ca = arguments.ca.clone().unwrap_or_else(|| std::env::temp_dir().join("bakproof-ca.pem"));
    std::fs::write(&ca, &authority.pem).map_err(|error| {
        cannot(&format!("{}: cannot be written: {error}", ca.display()), "name another file with --ca")
    })?;
    let endpoint = arguments.s3_endpoint.as_deref().map(endpoint).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let taken = |port: u16, error: &io::Error, option: &str| {
            cannot(
                &format!("127.0.0.1:{port} cannot be listened on: {error}"),
                &format!("name another with {option}"),
            )
        };
        let mut ports = Vec::new();
        for (name, after) in names.iter().zip(0_u16..) {
            let port = if arguments.port == 0 { 0 } else { arguments.port.saturating_add(after) };
            let opened = Port::open(name.clone(), port).await;
            ports.push(opened.map_err(|error| taken(port, &error, "--port"))?);
        }
        let http = HttpPort::open(arguments.http_port).await;
        let http = http.map_err(|error| taken(arguments.http_port, &error, "--http-port"))?;
        let pace = if arguments.manual { Pace::Manual } else { Pace::Speed(arguments.speed) };
        let (name, instances) = (scenario.name.clone(), scenario.instances.clone());
        let (desk, world) = server::open(scenario, pace, endpoint)
            .map_err(|error| cannot(&error.to_string(), "correct the scenario"))?;
        let reached: Vec<Reached<'_>> =
            instances.iter().zip(&ports).map(|(instance, port)| reached(instance, port)).collect();
        tell(&Ready { instances: reached, http: http.url(), ca: &ca }, &name, arguments, out)?;
        serve(ports, http, desk, tls, arguments.manual, out).await?;
        world.join().map_err(|_| cannot("the simulated world ended early", "report it with the scenario"))?;
        Ok(DONE)
    })
}

/// The way to an endpoint, with what the environment says of who asks.
fn endpoint(url: &str) -> Result<Client, Stop> {
    let cannot = |what: &str, mend: &str| Stop::Unreadable(format!("--s3-endpoint: {what}; mend: {mend}"));
    let (Some(key), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return Err(cannot("nobody to ask as", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    };
    let credentials = Credentials { key, secret, token: variable("AWS_SESSION_TOKEN") };
    // Servers that have no Regions expect the first one.
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    Endpoint::new(url, &region, credentials)
        .and_then(|endpoint| endpoint.client())
        .map_err(|error| cannot(&error.to_string(), "correct it, or leave it out"))
}

#[expect(clippy::disallowed_methods, reason = "credentials come from where every client of AWS finds them")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Serves, and lets time pass by lines where that is asked for, until a signal comes.
async fn serve(
    ports: Vec<Port>,
    http: HttpPort,
    desk: Desk,
    tls: Tls,
    manual: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let api = server::serve_http(http, desk.clone(), stopped.clone());
    let instances = server::serve(ports, desk.clone(), Arc::new(tls), stopped);
    let serving = async { tokio::join!(api, instances) };
    tokio::pin!(serving);
    tokio::select! {
        _ = &mut serving => {}
        () = ended() => {}
        failed = steps(&desk, out), if manual => failed?,
    }
    let _ = stop.send(true);
    serving.await;
    desk.close();
    Ok(())
}

/// Ctrl-C, or SIGTERM where there is one.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Reads `step 10m` from the input, line by line, and says how late it is then. Serves on when the input ends.
async fn steps(desk: &Desk, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let step = line.trim().strip_prefix("step ").map(str::trim).map(str::parse::<SignedDuration>);
        match step {
            Some(Ok(by)) if !by.is_negative() => {
                let Some(moved) = desk.step(by).await else { return Ok(()) };
                writeln!(out, "{}", moved.now)?;
            }
            _ if line.trim().is_empty() => {}
            _ => writeln!(
                out,
                "`{}` is no step; mend: write `step` and how long, as in `step 1h 30m`",
                line.trim()
            )?,
        }
        out.flush()?;
    }
    std::future::pending().await
}

fn reached<'a>(instance: &'a InstanceSpec, port: &Port) -> Reached<'a> {
    let (host, number) = (port.address.ip().to_string(), port.address.port());
    Reached { name: &instance.name, host, port: number, user: USER, password: instance.password() }
}

/// How to reach the instances.
fn tell(ready: &Ready<'_>, scenario: &str, arguments: &Arguments, out: &mut dyn Write) -> io::Result<()> {
    if arguments.json {
        serde_json::to_writer(&mut *out, ready)?;
        writeln!(out)?;
        return out.flush();
    }
    let pace = if arguments.manual {
        "time passes by `step`".to_owned()
    } else {
        format!("{} times as fast as real time", arguments.speed)
    };
    writeln!(
        out,
        "Serving {scenario}, {pace}; Ctrl-C ends it. The authority's certificate: {}",
        ready.ca.display()
    )?;
    for Reached { name, host, port, user, password } in &ready.instances {
        writeln!(out, "  {name}: {host}:{port}, user {user}, password {password}")?;
    }
    writeln!(out, "  HTTP API: {} (what there is: /openapi.json)", ready.http)?;
    if let Some(url) = &arguments.s3_endpoint {
        writeln!(out, "  backups: {url}")?;
    }
    out.flush()
}
