//! `bakproof plan`: how a moment is restored, as steps and as T-SQL; or why it cannot be, and what is nearest.
//!
//! Exit code 0 with a plan, 1 with a refusal, 2 where the question names no database or more than one.

mod text;

use std::io::Write;
use std::str::FromStr;

use domain::chain::State;
use domain::history::Lineage;
use domain::id::Guid;
use domain::restore::{Request, Target};
use jiff::Timestamp;
use sqlserver::import::SourceZone;
use sqlserver::plan::{Answer, plan};
use sqlserver::script::Naming;

use crate::input::HistoryArguments;
use crate::{DONE, REFUSED, Stop, output};

/// Arguments of `bakproof plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    history: HistoryArguments,
    /// What to restore: a moment (RFC 3339), `latest`, `lsn:N` or `point:UUID`
    #[arg(long, value_name = "TARGET")]
    at: Target,
    /// Go on with a database that is restoring, from its `redo_start_lsn` and `redo_start_fork_guid` in `sys.master_files`
    #[arg(long, value_name = "LSN[@FORK]")]
    continue_from: Option<From>,
    /// Name of the restored database in the T-SQL [default: the source's]
    #[arg(long, value_name = "NAME")]
    target_name: Option<String>,
    /// Time zone in which the server reads STOPAT [default: the zone that the backups tell]
    #[arg(long, value_name = "ZONE")]
    target_zone: Option<SourceZone>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// A state as it is written.
#[derive(Debug, Clone)]
struct From(State);

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (lsn, fork) = match text.split_once('@') {
            Some((lsn, fork)) if !fork.is_empty() => (lsn, Some(Guid::from(fork))),
            Some(_) => return Err("the fork is empty; mend: write LSN@GUID, or the LSN alone".to_owned()),
            None => (text, None),
        };
        let redo_lsn = lsn
            .parse()
            .map_err(|error| format!("{error}; mend: write redo_start_lsn as a decimal number"))?;
        Ok(Self(State { redo_lsn, fork }))
    }
}

/// Plans and prints.
pub(crate) fn run(arguments: &Arguments, clock: Timestamp, stdout: &mut dyn Write) -> Result<u8, Stop> {
    let input = arguments.history.read(clock)?;
    let lineage = only(arguments, input.history.lineages())?;
    let continue_from = arguments.continue_from.clone().map(|from| from.0);
    let request = Request { at: arguments.at.clone(), continue_from };
    let read: Vec<String> =
        input.warnings.into_iter().chain(input.history.warnings().iter().cloned()).collect();
    let naming = Naming {
        target_name: arguments.target_name.clone(),
        target_zone: arguments.target_zone.clone(),
        source_zone: arguments.history.source_zone.clone(),
    };
    let answer = plan(lineage, &request, &naming, &read);
    if arguments.json {
        output::json(&answer, stdout)?;
    } else {
        match &answer {
            Answer::Plan { plan, tsql } => text::plan(plan, tsql, lineage, stdout)?,
            Answer::Refused { refused } => text::refusal(refused, &read, stdout)?,
        }
    }
    Ok(match answer {
        Answer::Plan { .. } => DONE,
        Answer::Refused { .. } => REFUSED,
    })
}

/// The one lineage that is asked about.
fn only<'a>(arguments: &Arguments, lineages: &'a [Lineage]) -> Result<&'a Lineage, Stop> {
    let mut chosen = lineages.iter().filter(|lineage| arguments.history.chooses(lineage));
    let (first, second) = (chosen.next(), chosen.next());
    match (first, second) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(arguments.history.nothing("the file holds no backups")),
        (Some(first), Some(second)) => Err(arguments
            .history
            .several("a plan is for one database", [first, second].into_iter().chain(chosen))),
    }
}
