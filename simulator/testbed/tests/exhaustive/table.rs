//! What became of all cases, as a table that people read.

use std::collections::BTreeMap;
use std::fmt;

use crate::cases::{Case, Run};
use crate::judge::Healed;
use crate::trouble::Trouble;

/// One line: a call of a state.
type Line<'a> = (&'a str, &'a str, &'a str);

/// The cells of a line: for each trouble how often it was healed in which way, and how often not.
#[derive(Debug, Default)]
struct Cells<'a>(BTreeMap<Trouble, Vec<&'a Run>>);

/// Cases and what they came to.
pub(crate) struct Table<'a> {
    lines: BTreeMap<Line<'a>, Cells<'a>>,
    cases: &'a [Case],
    runs: &'a [Run],
}

const HEALED: [(Healed, char, &str); 4] = [
    (Healed::Absorbed, '.', "nothing to do"),
    (Healed::Retried, 'r', "tried again by the machine or the schedule"),
    (Healed::Settled, 's', "the intent settled by a look at the server"),
    (Healed::NextRun, 'n', "by the next run"),
];

fn width(trouble: Trouble) -> usize {
    trouble.word().len().max(9) + 2
}

impl<'a> Table<'a> {
    pub(crate) fn new(cases: &'a [Case], runs: &'a [Run]) -> Self {
        let mut lines: BTreeMap<Line<'a>, Cells<'a>> = BTreeMap::new();
        for (case, run) in cases.iter().zip(runs) {
            let place = &case.place;
            let line = (case.story.word(), place.state.as_str(), place.call.as_str());
            lines.entry(line).or_default().0.entry(case.trouble).or_default().push(run);
        }
        Self { lines, cases, runs }
    }

    /// The cases that did not end well, with what is wrong.
    pub(crate) fn objections(&self) -> Vec<String> {
        let pairs = self.cases.iter().zip(self.runs).filter(|(_, run)| !run.wrong.is_empty());
        pairs
            .map(|(case, run)| {
                let Case { story, place, trouble } = case;
                let where_ = format!("{} / {} / {} {}", story.word(), place.state, place.call, place.nth);
                format!("{where_}, {}:\n    {}", trouble.word(), run.wrong.join("\n    "))
            })
            .collect()
    }
}

impl fmt::Display for Cells<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for trouble in Trouble::ALL {
            let runs = self.0.get(&trouble).map_or(&[][..], Vec::as_slice);
            let ended = |well: bool, healed| {
                runs.iter().filter(|run| run.wrong.is_empty() == well && run.healed == healed).count()
            };
            let mut counts: Vec<(usize, char)> =
                HEALED.iter().map(|(healed, letter, _)| (ended(true, *healed), *letter)).collect();
            counts.push((HEALED.iter().map(|(healed, ..)| ended(false, *healed)).sum(), '!'));
            let words: Vec<String> = counts
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, letter)| format!("{count}{letter}"))
                .collect();
            write!(f, "{:>width$}", words.join(" "), width = width(trouble))?;
        }
        Ok(())
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}{:<20}{:<45}", "story", "state", "call")?;
        for trouble in Trouble::ALL {
            write!(f, "{:>width$}", trouble.word(), width = width(trouble))?;
        }
        writeln!(f)?;
        for ((story, state, call), cells) in &self.lines {
            writeln!(f, "{story:<14}{state:<20}{call:<45}{cells}")?;
        }
        write!(f, "{} runs, one fault each:", self.runs.len())?;
        for (healed, letter, words) in HEALED {
            let count = self.runs.iter().filter(|run| run.healed == healed).count();
            write!(f, " {count} {letter} {words},")?;
        }
        writeln!(f, " {} ! with objections", self.objections().len())
    }
}
