//! A window as one line of characters: where moments can be restored, where not.

use domain::backup::HeldIn;
use domain::coverage::Window;
use jiff::Timestamp;

/// Characters of a bar.
pub(crate) const CELLS: usize = 72;

const NOTHING: char = ' ';
const HOLE: char = '\u{b7}';
const SERVICE: char = '\u{2504}';
const VAULT: char = '\u{2501}';
const POINT: char = '\u{25cf}';

/// What the characters mean.
pub(crate) const LEGEND: &str = "\u{2501} vault  \u{2504} service  \u{25cf} point  \u{b7} hole";

/// The bar with the moments of its ends; `None` where there is nothing to show.
pub(crate) fn bar(window: &Window) -> Option<(Timestamp, String, Timestamp)> {
    let (from, to) = extent(window)?;
    Some((from, drawn(window, from, to), to))
}

/// The first and the last moment that a window tells of.
pub(crate) fn extent(window: &Window) -> Option<(Timestamp, Timestamp)> {
    let runs = window.intervals.iter().map(|interval| (interval.from, interval.to));
    let holes = window.holes.iter().map(|hole| (hole.from, hole.to));
    let points = window.points.iter().map(|point| (point.at, point.at));
    runs.chain(holes).chain(points).reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
}

/// The bar between two moments, of which the window tells of none outside.
pub(crate) fn drawn(window: &Window, from: Timestamp, to: Timestamp) -> String {
    let scale =
        Scale { from: from.as_second(), span: i128::from(to.as_second()) - i128::from(from.as_second()) };
    let mut cells = [NOTHING; CELLS];
    let mut fill = |from: Timestamp, to: Timestamp, mark: char| {
        cells[scale.cell(from)..=scale.cell(to)].fill(mark);
    };
    // Later marks cover earlier ones. A hole is shown even where it is shorter than a character: it is what one looks for.
    for interval in &window.intervals {
        fill(interval.from, interval.to, if interval.held_in == HeldIn::Vault { VAULT } else { SERVICE });
    }
    for hole in &window.holes {
        let (first, last) = (scale.cell(hole.from), scale.cell(hole.to));
        let (inner, end) = if last > first + 1 { (first + 1, last) } else { (last, last + 1) };
        cells[inner..end].fill(HOLE);
    }
    for point in &window.points {
        cells[scale.cell(point.at)] = POINT;
    }
    cells.iter().collect()
}

struct Scale {
    from: i64,
    span: i128,
}

impl Scale {
    fn cell(&self, at: Timestamp) -> usize {
        let last = CELLS - 1;
        let passed = (i128::from(at.as_second()) - i128::from(self.from)).max(0);
        let cell = if self.span == 0 { 0 } else { passed * i128::try_from(last).unwrap_or(0) / self.span };
        usize::try_from(cell).unwrap_or(last).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{coverage, notation};

    #[test]
    fn the_bar_shows_what_a_person_looks_for() {
        let shown = |line: &str| {
            let history = notation::history(line).unwrap();
            bar(&coverage::window(&history.lineages()[0]).0).map(|(_, bar, _)| bar)
        };
        let bar = shown("F1 L2 | F4").unwrap();
        assert_eq!(bar.chars().count(), CELLS);
        assert!(bar.starts_with(VAULT) && bar.contains(HOLE) && bar.ends_with(POINT), "{bar}");
        assert_eq!(shown("F1").unwrap().trim_end(), POINT.to_string());
        assert_eq!(shown("S1"), None);
        assert!(shown("F1 L2 L3^").unwrap().ends_with(SERVICE));
    }
}
