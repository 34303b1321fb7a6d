//! How far does the fork of the newest backup reach?

use jiff::Timestamp;

use super::route::Begin;
use super::search::Search;
use super::{Found, Planner};
use crate::lsn::Lsn;

impl Planner<'_> {
    /// As far as the fork of the newest backup can be restored, without a stop.
    pub(super) fn latest(&self, begin: &Begin) -> Option<Found> {
        let track = self.ground.newest_track;
        let mut search = Search::new(begin);
        let position = self.furthest(begin, &mut search, track)?;
        let route = self.route_to_end(&mut search, track, position)?;
        if route.logs.is_empty() && route.anchor.is_none() {
            return None;
        }
        let recovers_to = self.shown_until(track, &route, position);
        let warnings = self.left_behind(track, position).into_iter().chain(self.left_fork()).collect();
        Some(Found { route, stop_at: None, stop_before_lsn: None, recovers_to, warnings })
    }

    /// The highest position of a fork that a restore reaches. From the newest data backup on, in the order of `last_lsn`: any
    /// log that an older one could apply beyond it, it can apply as well.
    pub(super) fn furthest(&self, begin: &Begin, search: &mut Search<'_>, track: u32) -> Option<Lsn> {
        let ground = &self.ground.tracks[track as usize];
        let mut position = match begin {
            Begin::Anchor => ground.anchors.last().map(|row| self.backup(*row).last_lsn),
            Begin::At(standing) => standing.is_on(track, Timestamp::MAX).then_some(standing.lsn),
            Begin::Nowhere => None,
        };
        let mut crossings = ground.crossings.iter().peekable();
        let from = position.map_or(0, |lsn| ground.ending_from(&self.rows, lsn));
        for row in &ground.logs[from..] {
            let log = self.backup(*row);
            while let Some(crossing) = crossings.next_if(|row| self.backup(**row).last_lsn <= log.last_lsn) {
                self.cross(search, *crossing, &mut position);
            }
            if position.is_some_and(|here| log.first_lsn <= here && log.last_lsn > here) {
                position = Some(log.last_lsn);
            }
        }
        for crossing in crossings {
            self.cross(search, *crossing, &mut position);
        }
        position
    }

    fn cross(&self, search: &mut Search<'_>, row: u32, position: &mut Option<Lsn>) {
        let end = self.backup(row).last_lsn;
        if position.is_none_or(|here| end > here) && self.is_open(search, row) {
            *position = Some(end);
        }
    }

    /// The newest backup by its clock lies on a fork that another one was left for.
    fn left_fork(&self) -> Option<String> {
        let log = self.backup(self.ground.left_by(&self.rows)?);
        Some(format!(
            "log {} of {} leads from the fork of the newest backup to another: if that is where the database went, a clock is wrong and `latest` is not what is wanted; ask for a moment",
            log.id, log.finished
        ))
    }

    /// What lies behind the end and cannot be reached.
    fn left_behind(&self, track: u32, position: Lsn) -> Option<String> {
        let from = self.rows.backups.partition_point(|backup| backup.last_lsn <= position);
        let (backups, forks) = (&self.rows.backups[from..], &self.rows.forks[from..]);
        let mut behind = backups.iter().zip(forks).filter(|(_, forks)| forks.exit == track).map(|(b, _)| b);
        let first = behind.next()?;
        let more = behind.count();
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!(
            "behind the end of this plan nothing can be reached, although there is {} {}{others}: `bakproof window` names the hole",
            first.kind.noun(),
            first.id
        ))
    }
}
