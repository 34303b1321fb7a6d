//! Small histories in notation: what stays, what may go, for what.

use super::*;
use crate::notation::{finished, history, short};
use crate::policy::{Daily, tests};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A policy with a window of so many days and nothing else.
fn days(days: u32) -> Policy {
    let mut policy = tests::weekly();
    policy.objectives.window_days = days;
    policy.retention.on_demand_days = days;
    policy
}

/// What may go of a line, in the order in which to delete it, so long after item `number` has finished.
fn goes(text: &str, policy: &Policy, number: u32, later: SignedDuration) -> String {
    let now = finished(number) + later;
    let proposal = propose(history(text).unwrap(), &Terms::new(policy, now), |_| true).unwrap();
    let letter = |removed: &Removed| format!("{}{}", removed.kind.letter(), removed.backup);
    proposal.remove.iter().map(letter).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_may_go_of_small_histories() {
    let day = HOUR * 24;
    for (text, number, later, expected) in [
        // A day behind F4 the window begins with it.
        ("F1 L2 L3 F4 L5 L6", 4, day, "L2 L3 F1"),
        ("F1 L2 L3 F4 L5 L6", 4, day - HOUR, ""),
        // The log that spans the end of F4 is its first.
        ("F1 L2 L3 F4 L5 L6 L7", 6, day, "L2 L3 F1"),
        // D4 anchors as well; its base stays with it.
        ("F1 L2 D4 L5 L6", 5, day, "L2"),
        ("F1 L2 D3 L4 D5 L6", 6, day, "L2 L4 D3"),
        // A copy-only full anchors where nothing else does, and is no base.
        ("F1 L2 C4 L5 L6", 5, day, "L2 F1"),
        ("F1 L2 C3 D4 L5", 4, day, "L2 C3"),
        // The newest good chain stays, however old.
        ("F1 L2 L3", 3, day * 400, ""),
        ("F1 L2 F3! L4", 4, day * 400, "F3"),
        ("F1 L2 F3- L4 F5 L6", 6, day * 400, "L2 L4 F1 F3"),
        // A gap: from F1 to the end of L2, then from D5 on.
        ("F1 L2 | L4 D5 L6", 2, day, ""),
        ("F1 L2 | L4 D5 L6", 6, day, "L2 L4"),
        // Inside a log that applies whole only the data backup itself is a moment, and none of it is lost.
        ("F1 L2 C3 L4% L5 F6", 2, day, ""),
        ("F1 L2 C3 L4% L5 F6", 3, day + HOUR, "L2 F1"),
        // A differential without its base restores nothing, and goes with its age.
        ("F1 L2 S3 D4 L5 L6", 4, day - HOUR, ""),
        ("F1 L2 S3 D4 L5 L6", 4, day + HOUR, "D4"),
        // The fork that was left is promised as long as its moments are.
        ("F1@a L2@a L3@a L4@a>b:28[28-48] L5@b F6@b L7@b", 3, day, ""),
        ("F1@a L2@a L3@a L4@a>b:28[28-48] L5@b F6@b L7@b", 6, day, "L2 L3 L4 L5 F1"),
    ] {
        let gone: Vec<&str> = text.split_whitespace().collect();
        let said = goes(text, &days(1), number, later);
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        let mut said: Vec<&str> = said.split_whitespace().collect();
        expected.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, expected, "{gone:?} {later:#} behind {number}");
    }
}

#[test]
fn logs_go_before_differentials_and_those_before_fulls() {
    assert_eq!(goes("F1 D2 L3 F4 D5 L6 F7 L8", &days(1), 7, HOUR * 24), "L3 L6 D2 D5 F1 F4");
}

/// What stays and for what, without dates.
fn stays(text: &str, terms: &Terms<'_>) -> Vec<String> {
    let history = history(text).unwrap();
    let letters: Vec<String> = history.lineages()[0].backups().iter().map(short).collect();
    let proposal = propose(history, terms, |_| true).unwrap();
    let letter = |id: &BackupId| letters.iter().find(|short| &short[1..] == id.as_str()).unwrap().clone();
    proposal
        .keep
        .iter()
        .map(|kept| {
            let reasons: Vec<&str> = kept.reasons.iter().map(|why| why.what.name()).collect();
            format!("{} {}", letter(&kept.backup), reasons.join(" "))
        })
        .collect()
}

#[test]
fn every_backup_that_stays_says_for_what() {
    let mut policy = days(1);
    policy.retention.daily = Some(Daily { keep: 3 });
    let holds = [Hold { backup: BackupId::from("2"), why: "audit".to_owned() }];
    let now = finished(30);
    let terms = Terms { holds: &holds, ..Terms::new(&policy, now) };
    assert_eq!(
        stays("F1 L2 F3 L4 D5 L6 F29 L30^ S31", &Terms { now: finished(31), ..terms }),
        [
            "F1 Daily HeldWith",
            "L2 Hold",
            "F3 DifferentialBase",
            "D5 WindowAnchor",
            "L6 WindowLog",
            "F29 RestorePoint Daily LastGood WindowAnchor",
            "L30 HeldByService WindowLog LastGood",
            "S31 Snapshot",
        ]
    );
}

#[test]
fn an_unreadable_key_and_an_archive_lose_nothing() {
    let policy = days(1);
    let now = finished(6) + HOUR * 24;
    let terms = Terms::new(&policy, now);
    let mut rows = crate::notation::backups("F1 L2 F4 L5 L6").unwrap();
    rows[2].obstacle = Some(crate::backup::Obstacle::UnreadableKey);
    let proposal = propose(History::build(rows, vec![], now).unwrap(), &terms, |_| true).unwrap();
    // With the key everything begins with F4; without it with F1, and both stay.
    assert_eq!(proposal.remove, []);
}

/// What may go of rows that something was done to.
fn goes_of(text: &str, policy: &Policy, now: Timestamp, change: impl FnOnce(&mut [Backup])) -> String {
    let mut rows = crate::notation::backups(text).unwrap();
    change(&mut rows);
    let proposal = propose(History::build(rows, vec![], now).unwrap(), &Terms::new(policy, now), |_| true);
    let letter = |removed: &Removed| format!("{}{}", removed.kind.letter(), removed.backup);
    proposal.unwrap().remove.iter().map(letter).collect::<Vec<_>>().join(" ")
}

#[test]
fn of_chains_that_cannot_be_read_none_replaces_another() {
    use crate::backup::Obstacle::{Archived, UnreadableKey};
    let now = finished(5) + HOUR * 48;
    let both = |rows: &mut [Backup]| {
        (rows[0].obstacle, rows[2].obstacle) = (Some(Archived), Some(UnreadableKey));
    };
    assert_eq!(goes_of("F1 L2 F3 L4 L5", &days(1), now, both), "");
    // Behind a full that can be read, and had ended when the window began, it is as ever.
    let last = |rows: &mut [Backup]| (rows[0].obstacle, rows[4].obstacle) = (Some(Archived), Some(Archived));
    assert_eq!(goes_of("F1 L2 F3 L4 F5 L6", &days(1), now, last), "L2 F1");
}

#[test]
fn a_file_is_not_removed_under_a_backup_that_stays() {
    let now = finished(6) + HOUR * 24;
    let text = "F1 L2 L3 F4 L5 L6";
    let set = |rows: &mut [Backup], shared: &[usize]| {
        for (row, backup) in rows.iter_mut().enumerate() {
            let name =
                if shared.contains(&row) { "s3://v/all.bak".to_owned() } else { format!("s3://v/{row}.bak") };
            backup.stripes = crate::backup::Stripes::present([name]);
        }
    };
    assert_eq!(goes_of(text, &days(1), now, |rows| set(rows, &[])), "L2 L3 F1");
    // The first full and the second lie in one media set.
    assert_eq!(goes_of(text, &days(1), now, |rows| set(rows, &[0, 3])), "L2 L3");
    assert_eq!(goes_of(text, &days(1), now, |rows| set(rows, &[0, 1])), "L2 L3 F1");
}

#[test]
fn times_that_may_be_later_than_they_say_are_given_that_much_longer() {
    let mut policy = days(1);
    policy.retention.differential_days = Some(2);
    let gone = |hours: i32, doubt: SignedDuration| {
        let now = finished(2) + HOUR * hours + SignedDuration::from_secs(1);
        let terms = Terms { doubt, ..Terms::new(&policy, now) };
        let proposal = propose(history("F1 D2 F3 C4").unwrap(), &terms, |_| true).unwrap();
        proposal.remove.iter().any(|removed| removed.kind == Kind::Differential)
    };
    assert_eq!([gone(47, SignedDuration::ZERO), gone(48, SignedDuration::ZERO)], [false, true]);
    assert_eq!([gone(59, ZONE_DOUBT), gone(60, ZONE_DOUBT)], [false, true]);
}

#[test]
fn of_a_held_log_all_that_leads_into_it_stays() {
    let policy = days(1);
    let now = finished(9) + HOUR * 400;
    for (text, held, expected) in [
        // The beginning of L5 is restored behind L3, its end behind F4.
        ("F1 L2 L3 F4 L5 F6 L7", "5", ""),
        ("F1 L2 L3 F4 L5 F6 L7", "3", "L5 F4"),
        ("F1 L2 L3 F4 L5 F6 L7", "4", "L2 L3 L5 F1"),
        ("F1 L2 L3 F4 L5 F6 L7", "1", "L2 L3 L5 F4"),
        ("F1 L2 D3 L4 F5 L6", "4", ""),
    ] {
        let holds = [Hold { backup: BackupId::from(held), why: "audit".to_owned() }];
        let terms = Terms { holds: &holds, ..Terms::new(&policy, now) };
        let proposal = propose(history(text).unwrap(), &terms, |_| true).unwrap();
        let letter = |removed: &Removed| format!("{}{}", removed.kind.letter(), removed.backup);
        let gone = proposal.remove.iter().map(letter).collect::<Vec<_>>().join(" ");
        assert_eq!(gone, expected, "{text} held {held}");
    }
}

#[test]
fn the_newest_chain_by_the_log_stays_where_a_clock_was_put_back() {
    let now = finished(9) + HOUR * 400;
    let back = |rows: &mut [Backup]| rows[3].finished = finished(0);
    assert_eq!(goes_of("F1 L2 F3 F4 L5", &days(1), now, back), "L2 F1");
    let nothing = |_: &mut [Backup]| {};
    assert_eq!(goes_of("F1 L2 F3 F4 L5", &days(1), now, nothing), "L2 F1 F3");
}

#[test]
fn what_may_belong_to_another_lineage_is_not_judged() {
    let policy = days(1);
    let now = finished(9);
    let refusal = |change: &dyn Fn(&mut [Backup])| {
        let mut rows = crate::notation::backups("F1 L2 F3 L4").unwrap();
        for row in &mut rows {
            (row.family_guid, row.database_guid) = (Some("fam".into()), Some("one".into()));
        }
        change(&mut rows);
        let history = History::build(rows, vec![], now).unwrap();
        propose(history, &Terms::new(&policy, now), |_| true).err().map(|why| why.name.to_string())
    };
    let refused = Some("IncompleteKnowledge".to_owned());
    assert_eq!(refusal(&|_| {}), None);
    // One guid that fits one lineage says enough.
    assert_eq!(refusal(&|rows| rows[3].database_guid = None), None);
    assert_eq!(refusal(&|rows| (rows[3].family_guid, rows[3].database_guid) = (None, None)), None);
    let other = |rows: &mut [Backup]| rows[2].database_guid = Some("two".into());
    assert_eq!(refusal(&other), None);
    // The name had two lives, or the family has two members.
    assert_eq!(
        refusal(&|rows| {
            other(rows);
            (rows[3].family_guid, rows[3].database_guid) = (None, None);
        }),
        refused
    );
    assert_eq!(
        refusal(&|rows| {
            other(rows);
            rows[3].database_guid = None;
        }),
        refused
    );
    // Halves of two pairs under one name.
    assert_eq!(
        refusal(&|rows| {
            rows[..2].iter_mut().for_each(|row| row.database_guid = None);
            rows[2..].iter_mut().for_each(|row| row.family_guid = None);
        }),
        refused
    );
}

#[test]
fn what_is_not_protected_stops_nobody() {
    let mut policy = days(1);
    policy.exclude.push("other".to_owned());
    let mut rows = crate::notation::backups("F1 L2 F3 L4 L2@a L3@b").unwrap();
    for row in &mut rows[4..] {
        row.database = Arc::from("other");
        row.id = BackupId::from(format!("other{}", row.id));
    }
    let now = finished(9) + HOUR * 400;
    let proposal = propose(History::build(rows, vec![], now).unwrap(), &Terms::new(&policy, now), |_| true);
    let proposal = proposal.unwrap();
    assert_eq!(proposal.remove.len(), 2);
    assert_eq!(proposal.proof.databases.len(), 1);
    assert!(proposal.warnings.iter().any(|said| said.starts_with("database other: backup")));
}

#[test]
fn an_archived_full_goes_when_its_time_is_over_and_says_so() {
    let now = finished(4) + HOUR * 400;
    let mut rows = crate::notation::backups("F1 F2 F3 L4").unwrap();
    rows[0].obstacle = Some(crate::backup::Obstacle::Archived);
    let history = History::build(rows, vec![], now).unwrap();
    let proposal = propose(history, &Terms::new(&days(1), now), |_| true).unwrap();
    let reasons: Vec<&str> = proposal.remove.iter().map(|removed| removed.reason.name()).collect();
    assert_eq!(reasons, ["Expired", "Expired"]);
}

#[test]
fn nothing_is_proposed_without_knowledge_or_with_a_clock_put_back() {
    let policy = days(1);
    let now = finished(9);
    let refusal =
        |text: &str, terms: &Terms<'_>| propose(history(text).unwrap(), terms, |_| true).unwrap_err().name;
    let seen = Terms { seen: Some(now + HOUR), ..Terms::new(&policy, now) };
    assert_eq!(refusal("F1", &seen), "ClockMovedBack");
    assert_eq!(refusal("F1 L2@a L3@b", &Terms::new(&policy, now)), "IncompleteKnowledge");
    let rows = crate::notation::backups("F1 D2").unwrap();
    let future = History::build(rows, vec![], finished(1)).unwrap();
    let refused = propose(future, &Terms::new(&policy, finished(1)), |_| true).unwrap_err();
    assert_eq!(refused.name, "BackupsOfTheFuture");
    let mut wrong = days(1);
    wrong.objectives.window_days = 0;
    assert_eq!(refusal("F1", &Terms::new(&wrong, now)), "PolicyOutOfRange");
    let mut other = days(1);
    other.exclude.push("d*".to_owned());
    assert_eq!(stays("F1 F2", &Terms::new(&other, now + HOUR * 99)), ["F1 NotProtected", "F2 NotProtected"]);
}

#[test]
fn the_date_that_is_told_is_the_date() {
    let policy = days(1);
    for text in ["F1 L2 L3 F4 L5 D6 L7 F8 L9", "F1 D2 L3 D4 L5 C6 L7 F8", "F1 L2 | F4 L5 F6"] {
        let propose = |now| propose(history(text).unwrap(), &Terms::new(&policy, now), |_| true).unwrap();
        let now = finished(9);
        for kept in propose(now).keep {
            let Some(goes_on) = kept.goes_on else { continue };
            let is_gone = |at| propose(at).remove.iter().any(|removed| removed.backup == kept.backup);
            assert!(!is_gone(goes_on - SignedDuration::from_secs(1)), "{text}: {kept:?}");
            assert!(is_gone(goes_on + SignedDuration::from_secs(1)), "{text}: {kept:?}");
        }
    }
}

/// The example of Azure Backup for SQL Server, with real clocks: a full each Sunday from 00:00 to 00:30, logs every two hours,
/// differentials on the other days or none, all kept for 30 days. November 16th is a Sunday in 2025.
fn weekly_fulls(with_differentials: bool, until: Timestamp) -> Vec<Backup> {
    let start: Timestamp = "2025-11-16T00:00:00Z".parse().unwrap();
    let mut rows: Vec<Backup> = Vec::new();
    let (mut base, mut log_end) = (None, 1_u64);
    for half_hour in 0_u64.. {
        let at = start + SignedDuration::from_mins(30) * i32::try_from(half_hour).unwrap();
        let here = 10 * (half_hour + 1);
        let (day, slot) = (half_hour / 48, half_hour % 48);
        let kind = match (day % 7, slot) {
            (0, 0) => Some(Kind::Full),
            (1.., 0) if with_differentials => Some(Kind::Differential),
            (_, slot) if slot % 4 == 2 => Some(Kind::Log),
            _ => None,
        };
        let Some(kind) = kind else { continue };
        let finished = at + SignedDuration::from_mins(if kind == Kind::Log { 1 } else { 30 });
        if finished > until {
            return rows;
        }
        let lsns = if kind == Kind::Log { (log_end, here + 8) } else { (here, here + 5) };
        let lsns_of = (crate::lsn::Lsn::from_u64(lsns.0), crate::lsn::Lsn::from_u64(lsns.1));
        let name = format!("{}{half_hour}", kind.letter());
        let mut row = Backup::new(name.as_str(), "db", kind, lsns_of, finished);
        row.started = at;
        match kind {
            Kind::Log => log_end = lsns.1,
            Kind::Full => base = Some(crate::id::Guid::new(name)),
            _ => row.differential_base_guid.clone_from(&base),
        }
        rows.push(row);
    }
    rows
}

/// Days that the oldest log is old, and whether the full of November 16th stays, as of a moment.
fn on(at: &str, with_differentials: bool) -> (f64, bool, Vec<Kept>) {
    let now: Timestamp = at.parse().unwrap();
    let policy = days(30);
    let history = History::build(weekly_fulls(with_differentials, now), vec![], now).unwrap();
    let ages: Vec<(BackupId, Kind, Timestamp)> =
        history.lineages()[0].backups().iter().map(|row| (row.id.clone(), row.kind, row.finished)).collect();
    let kept = propose(history, &Terms::new(&policy, now), |_| true).unwrap().keep;
    let is_kept = |id: &BackupId| kept.iter().any(|kept| kept.backup == *id);
    let logs = ages.iter().filter(|(id, kind, _)| *kind == Kind::Log && is_kept(id));
    let oldest = logs.map(|(_, _, finished)| now.duration_since(*finished)).max().unwrap();
    (oldest.as_secs_f64() / 86_400.0, is_kept(&ages[0].0), kept)
}

#[test]
fn the_full_of_november_16th_is_there_until_the_23rd_of_december() {
    for with_differentials in [false, true] {
        assert!(on("2025-12-22T23:59:00Z", with_differentials).1, "the whole of December 22nd");
        assert!(on("2025-12-23T00:29:00Z", with_differentials).1);
        assert!(!on("2025-12-23T00:31:00Z", with_differentials).1);
        // And that date is told from the first sweep on that knows of the full that takes its place.
        let (_, _, kept) = on("2025-12-01T00:00:00Z", with_differentials);
        assert_eq!(kept[0].goes_on, Some("2025-12-23T00:30:00Z".parse().unwrap()), "{:?}", kept[0]);
    }
    // On its last day logs are kept that are up to a week older than their own date; with differentials, less than a day.
    let (oldest, _, _) = on("2025-12-23T00:29:00Z", false);
    assert!((36.5..37.0).contains(&oldest), "{oldest}");
    let (oldest, _, _) = on("2025-12-22T23:59:00Z", true);
    assert!((30.5..31.0).contains(&oldest), "{oldest}");
}
