//! `bakproof retain`: what may be deleted by a policy and why, what stays and until when; or why nothing may go.
//!
//! Exit code 0 with a proposal, 1 with a refusal. Nothing is deleted here, and nothing is proposed whose proof does not hold.

mod text;

use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use domain::backup::{Evidence, HeldIn};
use domain::history::{History, Lineage};
use domain::id::BackupId;
use domain::reason::Reason;
use domain::retention::{Hold, Proposal, Terms, ZONE_DOUBT, propose};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::input::HistoryArguments;
use crate::{DONE, REFUSED, Stop, output, policy};

/// Arguments of `bakproof retain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    history: HistoryArguments,
    /// The policy, as TOML
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Keep this backup and all it needs, whatever the policy says; may be given more than once
    #[arg(long, value_name = "UUID[=WHY]")]
    hold: Vec<Held>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// A hold as it is written.
#[derive(Debug, Clone)]
struct Held(Hold);

impl FromStr for Held {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (backup, why) = text.split_once('=').unwrap_or((text, "--hold"));
        Ok(Self(Hold { backup: BackupId::new(backup), why: why.to_owned() }))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Proposal(Box<Proposal>),
    Refused { refused: Reason },
}

/// Proposes and prints.
pub(crate) fn run(arguments: &Arguments, clock: Timestamp, stdout: &mut dyn Write) -> Result<u8, Stop> {
    let policy = policy::read(&arguments.policy)?;
    let input = arguments.history.read(clock)?;
    let holds = holds(arguments, &input.history)?;
    let doubt = doubt(arguments, &input.history);
    let mut warnings = input.warnings;
    if !doubt.is_zero() {
        warnings.push(format!(
            "the promised window is counted {doubt:#} longer, because the server's clock may lie so far west of UTC"
        ));
    }
    let terms = Terms { holds: &holds, doubt, ..Terms::new(&policy, input.now) };
    let answer = match propose(input.history, &terms, |lineage| arguments.history.chooses(lineage)) {
        Ok(mut proposal) => {
            proposal.warnings.splice(0..0, warnings);
            Answer::Proposal(Box::new(proposal))
        }
        Err(refused) => Answer::Refused { refused },
    };
    if arguments.json {
        output::json(&answer, stdout)?;
    } else {
        match &answer {
            Answer::Proposal(proposal) => text::proposal(proposal, &policy, stdout)?,
            Answer::Refused { refused } => text::refusal(refused, stdout)?,
        }
    }
    Ok(match answer {
        Answer::Proposal(_) => DONE,
        Answer::Refused { .. } => REFUSED,
    })
}

/// The holds. One that names nothing would let a person believe that something is held.
fn holds(arguments: &Arguments, history: &History) -> Result<Vec<Hold>, Stop> {
    let known = |hold: &Hold| history.find(hold.backup.as_str()).is_some();
    let holds: Vec<Hold> = arguments.hold.iter().map(|held| held.0.clone()).collect();
    match holds.iter().find(|hold| !known(hold)) {
        Some(hold) => Err(Stop::Unreadable(format!(
            "--hold {}: {} has no such backup; mend: name a backup_set_uuid of the file",
            hold.backup,
            arguments.history.history.display()
        ))),
        None => Ok(holds),
    }
}

/// How much later than it says a backup may have finished: nothing where every row tells its zone, or the user does.
fn doubt(arguments: &Arguments, history: &History) -> SignedDuration {
    let mut backups = history.lineages().iter().flat_map(Lineage::backups);
    let silent = backups.any(|backup| {
        let of_msdb = backup.held_in == HeldIn::Vault && backup.evidence == Evidence::History;
        of_msdb && backup.time_zone_quarter_hours.is_none()
    });
    if silent && arguments.history.source_zone.is_none() { ZONE_DOUBT } else { SignedDuration::ZERO }
}
