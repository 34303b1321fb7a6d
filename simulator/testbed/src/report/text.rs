//! The report as text: what a person reads in a terminal.

use std::fmt::{self, Display, Formatter};

use domain::backup::HeldIn;
use domain::policy::{Finding, Weight};
use jiff::Timestamp;

use super::differentials::alike;
use super::rto::Rto;
use super::{DatabaseReport, PolicyFinding, Report};

/// Characters of a window's bar.
const BAR: usize = 42;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let days = self.end.duration_since(self.start).as_hours() / 24;
        writeln!(
            f,
            "{}: {} to {} ({days} days), seed {}\n",
            self.scenario,
            day(self.start),
            day(self.end),
            self.seed
        )?;
        self.findings(f)?;
        self.tasks(f)?;
        self.differentials(f)?;
        self.windows(f)?;
        self.promises(f)?;
        self.restores(f)?;
        self.expectations(f)?;
        self.checkers(f)?;
        self.verdict(f)
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn hours(minutes: u64) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// What a restore applies, in words.
fn applied(rto: &Rto) -> String {
    let differential = if rto.steps.differential_bytes.is_some() { " + 1 differential" } else { "" };
    format!("1 full{differential} + {} logs + recovery", rto.steps.logs)
}

fn word(word: &str) -> String {
    word.replace('_', " ")
}

impl Report {
    fn findings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return Ok(());
        }
        writeln!(f, "Policy: what it asks for and will not get")?;
        for PolicyFinding { instances, finding: Finding { weight, field, reason } } in &self.findings {
            let weight = match weight {
                Weight::Refused => ", refused",
                Weight::Unkept => ", cannot be kept",
                Weight::Advice => "",
            };
            writeln!(f, "  {} on {}: {field}{weight}", reason.name, instances.join(", "))?;
            writeln!(f, "      {}", reason.message)?;
            if !reason.guidance.is_empty() {
                writeln!(f, "      {}", reason.guidance)?;
            }
        }
        writeln!(f)
    }

    fn tasks(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Tasks{:<24}{:>8}  {:>8}  {:>8}  {:>7}", "", "count", "median", "longest", "retries")?;
        for line in &self.tasks {
            let what = format!("{} {} {}", line.instance, word(line.kind), line.outcome);
            let took = (minutes(line.took.median_seconds), minutes(line.took.longest_seconds));
            write!(f, "  {what:<27}{:>8}  {:>8}  {:>8}  {:>7}", line.count, took.0, took.1, line.retries)?;
            writeln!(f, "{}", line.reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default())?;
        }
        for instance in &self.instances {
            let runs: Vec<String> =
                instance.runs.iter().map(|(how, count)| format!("{count} {}", word(how))).collect();
            writeln!(
                f,
                "  {}: runs {}; {} state transitions",
                instance.name,
                runs.join(", "),
                instance.transitions
            )?;
            if let Some(trouble) = &instance.trouble {
                writeln!(f, "  {}: {trouble}", instance.name)?;
            }
        }
        writeln!(f)
    }

    /// One line for all decisions of an instance that are alike, and what the first of them said.
    fn differentials(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.differentials.is_empty() {
            return Ok(());
        }
        writeln!(f, "Differentials: what came of each that was due{:>12}", "count")?;
        for group in alike(&self.differentials) {
            let decision = group.first;
            let reason = decision.reason.as_ref();
            let why = reason.map(|reason| format!(" {}", reason.name)).unwrap_or_default();
            let what = format!("{} {}{why}", decision.instance, decision.decision);
            let (from, to) =
                (decision.due_at.strftime("%m-%d %H:%M"), group.last_due_at.strftime("%m-%d %H:%M"));
            let when = if group.last_due_at == decision.due_at {
                from.to_string()
            } else {
                format!("{from} .. {to}")
            };
            let of = if group.databases.len() == 1 {
                decision.database.clone()
            } else {
                format!("{} databases", group.databases.len())
            };
            writeln!(f, "  {what:<42}{:>13}  {of}, {when}", group.count)?;
            if let Some(reason) = reason {
                writeln!(f, "      {}", reason.message)?;
                if !reason.guidance.is_empty() {
                    writeln!(f, "      {}", reason.guidance)?;
                }
            }
        }
        writeln!(f)
    }

    fn windows(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Windows: which moments can be restored  (█ from the vault, ▒ while the instance lives, · not)"
        )?;
        for database in &self.databases {
            let window = &database.window;
            let name = format!("{}/{}", database.instance, window.database);
            let from = window.intervals.first().map(|interval| interval.from);
            let to = window.intervals.last().map(|interval| interval.to);
            let span = match (from, to) {
                (Some(from), Some(to)) => {
                    format!("{} .. {}", from.strftime("%m-%d %H:%M:%S"), to.strftime("%m-%d %H:%M:%S"))
                }
                _ => "nothing".to_owned(),
            };
            writeln!(f, "  {name:<24} {} {span}", self.bar(database))?;
            for hole in &window.holes {
                writeln!(
                    f,
                    "      hole {} .. {}: {}: {}",
                    day(hole.from),
                    day(hole.to),
                    word(hole.cause.as_str()),
                    hole.detail
                )?;
                writeln!(f, "           {}", hole.repair)?;
            }
        }
        writeln!(f)
    }

    /// The story's time from left to right; a cell shows the best that all of its time has.
    fn bar(&self, database: &DatabaseReport) -> String {
        let whole = self.end.duration_since(self.start).as_secs().max(1);
        let cell = |at: i64| {
            let middle =
                self.start.as_second() + whole * (2 * at + 1) / (2 * i64::try_from(BAR).unwrap_or(1));
            Timestamp::from_second(middle).unwrap_or(self.start)
        };
        let window = &database.window;
        (0..BAR)
            .map(|at| {
                let middle = cell(i64::try_from(at).unwrap_or(0));
                let holding = window.intervals.iter().find(|span| span.from <= middle && middle <= span.to);
                match holding.map(|span| span.held_in) {
                    Some(HeldIn::Vault) => '█',
                    Some(HeldIn::Service) => '▒',
                    None => '·',
                }
            })
            .collect()
    }

    fn promises(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "RPO, worst moment of any database{:>17}{:>10}", "promised", "reached")?;
        for (name, of) in [
            ("damage (the service's logs help)", (|rpo| rpo.damage) as fn(&super::Rpo) -> super::rpo::Loss),
            ("loss of the instance (vault only)", |rpo| rpo.instance),
        ] {
            let losses = self.databases.iter().map(|database| of(&database.rpo));
            let promised = losses.clone().map(|loss| loss.promised_minutes).min().unwrap_or(0);
            let reached = losses.clone().map(|loss| loss.reached_minutes.unwrap_or(u64::MAX)).max();
            let reached = reached.filter(|&minutes| minutes != u64::MAX);
            let broken = losses.filter(|loss| !loss.holds()).count();
            write!(f, "  {name:<36}{promised:>8} min")?;
            match reached {
                Some(minutes) => write!(f, "{minutes:>6} min")?,
                None => write!(f, "{:>10}", "no full")?,
            }
            writeln!(
                f,
                "{}",
                if broken > 0 { format!("  broken for {broken} databases") } else { String::new() }
            )?;
        }
        writeln!(f)
    }

    /// The longest restore of each instance.
    fn restores(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "RTO, worst moment of each instance: one native task a step, each up to 5 min in CREATED"
        )?;
        for instance in &self.instances {
            let ours = self.databases.iter().filter(|database| database.instance == instance.name);
            let longest = ours
                .filter_map(|database| Some((database, database.rto?)))
                .max_by_key(|(_, rto)| (rto.most_minutes, rto.least_minutes));
            let Some((database, rto)) = longest else { continue };
            let name = format!("{}/{}", database.instance, database.window.database);
            writeln!(f, "  {name:<24} {}: {}", day(rto.at), applied(&rto))?;
            let promise = match (rto.promised_minutes, rto.verdict()) {
                (Some(promised), Some(verdict)) => {
                    format!("{} promised: {verdict}", hours(u64::from(promised)))
                }
                _ => "no RTO is promised".to_owned(),
            };
            writeln!(
                f,
                "      {} steps take {} to {} hours ({} MiB at {} MiB/s, as measured on backups); {promise}",
                rto.step_count,
                hours(rto.least_minutes),
                hours(rto.most_minutes),
                rto.steps.bytes() >> 20,
                rto.bytes_per_second >> 20,
            )?;
        }
        writeln!(f)
    }

    fn expectations(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.expectations.is_empty() {
            return Ok(());
        }
        writeln!(f, "Expected by arithmetic, before the run")?;
        for met in &self.expectations {
            let expected = match (met.expected.is, met.expected.at_least, met.expected.at_most) {
                (Some(is), ..) => format!("{is}"),
                (_, Some(least), Some(most)) => format!("{least} to {most}"),
                (_, Some(least), None) => format!("at least {least}"),
                (_, None, most) => format!("at most {}", most.unwrap_or(0)),
            };
            let got = met.got.map_or("no such measure".to_owned(), |got| got.to_string());
            let sign = if met.met { ' ' } else { '!' };
            writeln!(f, "{sign} {:<24}{expected:>14}  got {got}", word(&met.measure))?;
            writeln!(f, "      {}", met.expected.because)?;
        }
        writeln!(f)
    }

    fn checkers(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        writeln!(f, "Checkers")?;
        for checked in &self.checkers {
            let found = checked.objections.len();
            let verdict = if found == 0 { "no objection".to_owned() } else { format!("{found} OBJECTIONS") };
            writeln!(f, "  {:<16}{:>8} looked at  {verdict}", checked.checker, checked.looked_at)?;
            for objection in checked.objections.iter().take(SHOWN) {
                writeln!(f, "    {objection}")?;
            }
            if found > SHOWN {
                writeln!(f, "    ... and {} more", found - SHOWN)?;
            }
        }
        writeln!(f)
    }

    fn verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let work = &self.work;
        writeln!(
            f,
            "{} native tasks, {} invocations, {} state transitions, {} SQL requests, {} calls of AWS",
            work.native_tasks, work.invocations, work.transitions, work.sql_requests, work.port_calls
        )?;
        writeln!(f, "verdict: {}", if self.holds { "everything held" } else { "SOMETHING DID NOT HOLD" })?;
        writeln!(f, "again:   {}", self.replay)
    }
}
