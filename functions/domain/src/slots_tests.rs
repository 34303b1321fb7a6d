//! Tables for what may start now, in notation.

use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

/// Promised until so many minutes before 2,000.
fn candidate(key: &str, kind: Kind, sooner: i64, minutes: i64) -> Candidate {
    Candidate {
        key: key.to_owned(),
        database: key.to_uppercase(),
        kind,
        promised_by: at(2_000 - sooner),
        planned_at: at(0),
        not_before: None,
        duration: SignedDuration::from_mins(minutes),
        heals: false,
    }
}

/// `ahead`: by which minute each task on the server has ended, `?` where nobody knows. Database Z is busy, who knows for how long.
fn load(ahead: &str) -> Load {
    Load {
        busy: BTreeMap::from([("Z".to_owned(), None)]),
        ahead: ahead.split_whitespace().map(|end| end.parse().ok().map(at)).collect(),
    }
}

fn no_copies() -> BTreeMap<String, NextCopy> {
    BTreeMap::new()
}

fn decided(candidates: Vec<Candidate>, ahead: &str, windows: &[Span], now: i64) -> String {
    told(decide(candidates, Slots::default(), load(ahead), windows, &no_copies(), at(now)))
}

fn told(decided: Vec<(Candidate, Decision)>) -> String {
    let told = decided.into_iter().map(|(candidate, decision)| match decision {
        Decision::Start { note: None, .. } => format!("{} start", candidate.key),
        Decision::Start { note: Some(reason), .. } => {
            format!("{} start {}", candidate.key, reason.name)
        }
        Decision::Hold { until, reason } => {
            format!("{} {} {}", candidate.key, reason.name, until.duration_since(at(0)).as_mins())
        }
        Decision::Wait { reason } => format!("{} {}", candidate.key, reason.name),
        Decision::Queue { .. } => format!("{} queue", candidate.key),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_promised_soonest_goes_first_and_the_queue_stays_short() {
    let candidates = vec![
        candidate("a", Kind::LogCopy, 100, 1),
        candidate("b", Kind::LogCopy, 900, 1),
        candidate("c", Kind::Full, 500, 1),
        candidate("d", Kind::LogCopy, 500, 1),
    ];
    assert_eq!(decided(candidates.clone(), "? ? ?", &[], 0), "b start; d start; c queue; a queue");
    assert_eq!(decided(candidates.clone(), "?", &[], 0), "b start; d start; c start; a start");
    // Copies go deeper, but not past a full that waits for a place.
    assert_eq!(decided(candidates.clone(), "? ? ? ?", &[], 0), "b start; d start; c queue; a queue");
    assert_eq!(decided(candidates, "? ? ? ? ? ? ? ?", &[], 0), "b queue; d queue; c queue; a queue");
}

#[test]
fn a_database_has_one_task_at_a_time() {
    let mut full = candidate("b", Kind::Full, 1, 1);
    full.database = "A".to_owned();
    let candidates = vec![candidate("a", Kind::LogCopy, 2, 1), full, candidate("z", Kind::LogCopy, 3, 1)];
    assert_eq!(decided(candidates, "", &[], 0), "z queue; a start; b queue");
}

#[test]
fn no_full_runs_into_a_window_it_can_avoid() {
    // A window from 03:00 to 03:30 every day.
    let window = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
    for (now, minutes, expected) in [
        (0, 60, "f start"),
        (115, 60, "f start"),
        (116, 60, "f WindowAhead 210"),
        (190, 60, "f WindowAhead 210"),
        (210, 60, "f start"),
        // 23 h 30 min are free between two windows; five minutes of them may pass in CREATED.
        (0, 23 * 60 + 25, "f WindowAhead 210"),
        (0, 23 * 60 + 26, "f start WindowUnavoidable"),
        (190, 23 * 60 + 26, "f WindowAhead 210"),
    ] {
        for kind in [Kind::Full, Kind::Differential] {
            let backup = vec![candidate("f", kind, 0, minutes)];
            assert_eq!(decided(backup, "", &window, now), expected, "{minutes} min at {now}");
        }
    }
    assert_eq!(decided(vec![candidate("l", Kind::LogCopy, 0, 60)], "", &window, 190), "l start");
}

#[test]
fn no_backup_is_queued_behind_what_would_carry_it_into_a_window() {
    // The window opens at minute 180; a backup of 20 minutes that waits 5 in CREATED must have its slot at 155.
    let window = [Span { from: at(180), to: at(210) }];
    for (ahead, expected) in [
        ("", "f start"),
        // One slot is free, whatever is in the other one.
        ("?", "f start"),
        ("500", "f start"),
        ("155 500", "f start"),
        ("156 500", "f queue"),
        // Who is behind two begins when one of them has ended, behind three when two have.
        ("120 155 500", "f start"),
        ("120 156 500", "f queue"),
        ("120 ?", "f start"),
        ("156 ?", "f queue"),
        ("? ?", "f BehindUnknownTasks"),
        ("120 ? ?", "f BehindUnknownTasks"),
        // It should have ended long ago: nobody can tell when it does.
        ("50 156", "f queue"),
        ("50 ?", "f BehindUnknownTasks"),
        ("50 155", "f start"),
    ] {
        for kind in [Kind::Full, Kind::Differential] {
            assert_eq!(decided(vec![candidate("f", kind, 0, 20)], ahead, &window, 100), expected, "{ahead}");
        }
        assert_eq!(decided(vec![candidate("l", Kind::LogCopy, 0, 20)], ahead, &window, 100), "l start");
        let alone = decided(vec![candidate("f", Kind::Full, 0, 20)], ahead, &[], 100);
        assert_eq!(alone, "f start", "no window, no harm: {ahead}");
    }
    // What starts in this round is ahead of what comes after it: a until 125, b until 125, c until 150, d until 175.
    let four = ["a", "b", "c", "d", "e"].map(|key| candidate(key, Kind::Full, 0, 20)).to_vec();
    assert_eq!(decided(four.clone(), "", &window, 100), "a start; b start; c start; d start; e queue");
    assert_eq!(decided(four, "", &window, 106), "a start; b start; c start; d start; e queue");
    let slow = ["a", "b", "c"].map(|key| candidate(key, Kind::Full, 0, 40)).to_vec();
    assert_eq!(decided(slow, "", &window, 100), "a start; b start; c queue");
}

#[test]
fn nobody_waits_for_ever_behind_tasks_whose_end_nobody_knows() {
    const QUEUED: &str = "f start QueuedBehindUnknownTasks";
    const WAITS: &str = "f BehindUnknownTasks";
    // A window from 03:00 to 03:30 every day; a backup of 20 minutes has ended 25 after its slot, and four hours later 265.
    let daily = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
    for (minutes, now, ahead, expected) in [
        (20, 210, "? ?", QUEUED),
        (20, 1_620 - 265, "? ?", QUEUED),
        (20, 1_620 - 264, "? ?", WAITS),
        (20, 155, "", "f start"),
        (20, 155, "? ?", WAITS),
        (20, 156, "? ?", "f WindowAhead 210"),
        // Waiting for a known end is no matter of patience.
        (20, 1_300, "1595 ?", "f start"),
        (20, 1_300, "1596 ?", "f queue"),
        // From the end of a window on, 19 hours and 25 minutes are the longest with time to wait.
        (1_165, 210, "? ?", QUEUED),
        (1_166, 210, "? ?", WAITS),
        (1_165, 211, "? ?", WAITS),
        // Who waits since minute 0 has waited for a day at 1,440.
        (1_300, 210, "? ?", WAITS),
        (1_300, 1_440, "? ?", "f WindowAhead 1650"),
        (1_300, 1_650, "? ?", QUEUED),
        (20, 1_439, "? ?", WAITS),
        (20, 1_440, "? ?", QUEUED),
        // The queue stays short, whoever waits.
        (20, 1_440, "? ? ? ?", "f queue"),
        // What meets a window anyhow has a note of its own.
        (1_406, 211, "? ?", "f start WindowUnavoidable"),
    ] {
        for kind in [Kind::Full, Kind::Differential] {
            let backup = vec![candidate("f", kind, 0, minutes)];
            assert_eq!(decided(backup, ahead, &daily, now), expected, "{minutes} min at {now} after {ahead}");
        }
    }
    // Who is queued behind them is of unknown end as well.
    let two = ["a", "b"].map(|key| candidate(key, Kind::Full, 0, 20)).to_vec();
    assert_eq!(
        decided(two, "? ?", &daily, 210),
        "a start QueuedBehindUnknownTasks; b start QueuedBehindUnknownTasks"
    );
}

#[test]
fn the_sentence_says_behind_how_many_and_which_window() {
    let daily = [0, 1].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
    for (now, class, expected) in [
        (
            100,
            Class::Wait,
            "f waits for 3 tasks whose end nobody knows: behind them it could be carried into the window at \
             1970-01-01T03:00:00Z",
        ),
        (
            300,
            Class::Wait,
            "f is queued behind 3 tasks whose end nobody knows: it keeps out of the window at \
             1970-01-02T03:00:00Z if it starts within 4h",
        ),
        (
            1_500,
            Class::Human,
            "f is queued behind 3 tasks whose end nobody knows, having waited since 1970-01-01T00:00:00Z: it may \
             run into the window at 1970-01-02T03:00:00Z",
        ),
    ] {
        let full = vec![candidate("f", Kind::Full, 0, 20)];
        let said = decide(
            full,
            Slots::default(),
            Load { busy: BTreeMap::new(), ahead: vec![None, Some(at(50)), None] },
            &daily,
            &no_copies(),
            at(now),
        )
        .remove(0)
        .1;
        let (Decision::Wait { reason } | Decision::Start { note: Some(reason), .. }) = said else {
            panic!("{said:?}")
        };
        assert_eq!((reason.message.as_str(), reason.class), (expected, class));
    }
}

#[test]
fn a_margin_is_given_where_it_fits_between_windows() {
    // From 03:00 to 03:30 every day: 23 h 30 min are free, five minutes of them may pass in CREATED.
    let daily = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
    for (minutes, percent, windows, expected) in [
        (100, 50, &daily[..], 150),
        (100, 0, &daily[..], 100),
        (936, 50, &daily[..], 1_404),
        (937, 50, &daily[..], 937),
        (1_000, 50, &daily[..], 1_000),
        (1_405, 50, &daily[..], 1_405),
        // Not even the bare time fits: whatever is said, it meets a window.
        (1_406, 50, &daily[..], 2_109),
        (1_406, 50, &[], 2_109),
    ] {
        let given = with_margin(SignedDuration::from_mins(minutes), percent, windows).as_mins();
        assert_eq!(given, expected, "{minutes} min + {percent} %");
    }
}

#[test]
fn forecasts_follow_what_was_measured() {
    let hours = SignedDuration::from_hours;
    for (before, age, expected) in [
        (None, 5, 1_000),
        (Some((10, hours(1))), 1, 20),
        (Some((10, hours(1))), 24, 480),
        (Some((10, hours(1))), 24 * 7, 1_000),
        (Some((10, hours(0))), 1, 1_000),
        (Some((u64::MAX, hours(1))), i64::from(u32::MAX), 1_000),
    ] {
        assert_eq!(differential_bytes(1_000, before, hours(age)), expected, "{before:?} after {age} h");
    }
    for (newest, seconds) in [(None, 2), (Some(40), 26), (Some(101), 2), (Some(-100_000), 2 * 2_017)] {
        assert_eq!(copy_duration(newest.map(at), at(100)).as_secs(), seconds, "{newest:?}");
    }
}

#[test]
fn a_task_put_off_waits_and_takes_no_room() {
    let mut late = candidate("a", Kind::LogCopy, 999, 1);
    late.not_before = Some(at(10));
    let candidates = vec![late, candidate("b", Kind::LogCopy, 1, 1)];
    assert_eq!(decided(candidates, "? ? ?", &[], 0), "a NotYet 10; b start");
}

#[test]
fn forecasts_do_not_overflow() {
    assert_eq!(full_duration(1_000, 100).as_secs(), 10);
    assert_eq!(full_duration(1, 0).as_secs(), 1);
    assert!(full_duration(u64::MAX, 1) > SignedDuration::from_hours(1));
}

/// What becomes of a full of an hour of database F. `copies`: from when and until when the next log copy of a database can be asked
/// for, each a minute long and worth so many minutes.
fn kept(full: &Candidate, ahead: &str, copies: &[(&str, i64, i64, i64)], now: i64) -> String {
    let copy = |(database, due, start, promise): &(&str, i64, i64, i64)| {
        let next = NextCopy {
            due_at: at(*due),
            // A minute long, and seven until it runs.
            promised_by: at(*start + 8),
            promise: SignedDuration::from_mins(*promise),
            duration: SignedDuration::from_mins(1),
        };
        ((*database).to_owned(), next)
    };
    let next = copies.iter().map(copy).collect();
    let decided = decide(vec![full.clone()], Slots::default(), load(ahead), &[], &next, at(now));
    match &decided[0].1 {
        Decision::Start { .. } => "start".to_owned(),
        Decision::Wait { reason } => reason.name.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn no_full_takes_the_last_slot_that_log_copies_will_need() {
    let full = candidate("f", Kind::Full, 0, 60);
    for (ahead, copies, now, expected) in [
        ("", &[][..], 0, "start"),
        // The other slot stays free, or is free in time.
        ("", &[("A", 5, 10, 60)][..], 0, "start"),
        ("30", &[("A", 5, 30, 60)], 0, "start"),
        // Both would be taken until the other ends at 50.
        ("50", &[("A", 5, 49, 60)], 0, "SlotKeptForLogs"),
        ("50", &[("A", 5, 50, 60)], 0, "start"),
        // Three copies share what one slot is left: a minute each, and an eighth of the seven for which eight wait in CREATED together.
        ("50", &[("A", 5, 53, 60), ("B", 5, 53, 60), ("C", 5, 53, 60)], 0, "SlotKeptForLogs"),
        ("50", &[("A", 5, 54, 60), ("B", 5, 54, 60), ("C", 5, 54, 60)], 0, "start"),
        // It comes due when it cannot be in time any more: nobody waits for it.
        ("50", &[("A", 50, 49, 60)], 0, "start"),
        // They are late already: ten minutes more than without the full are no reason.
        ("30 40", &[("A", 5, 10, 60)], 10, "SlotKeptForLogs"),
        ("30 40", &[("A", 5, 10, 60)], 11, "start"),
        ("30 41", &[("A", 5, 10, 60)], 11, "SlotKeptForLogs"),
        // Nobody knows, or it waited for a day.
        ("? ?", &[("A", 5, 10, 60)], 0, "start"),
        ("1500", &[("A", 1_441, 1_450, 60)], 1_440, "start"),
    ] {
        assert_eq!(kept(&full, ahead, copies, now), expected, "{ahead:?} {copies:?} {now}");
    }
    // Its own promise is the more urgent: it must begin by 1 as well.
    let urgent = Candidate { promised_by: at(66), ..full.clone() };
    assert_eq!(kept(&urgent, "50", &[("A", 5, 49, 60)], 0), "start");
    let less = Candidate { promised_by: at(66 + 49), ..full };
    assert_eq!(kept(&less, "50", &[("A", 5, 49, 60)], 0), "SlotKeptForLogs");
}

#[test]
fn a_full_waits_for_the_next_copy_of_its_own_database_where_that_helps() {
    let full = candidate("f", Kind::Full, 0, 60);
    for (copies, now, expected) in [
        // It would run until 65.
        (&[("F", 5, 64, 120)][..], 0, "LogCopyFirst"),
        (&[("F", 5, 65, 120)], 0, "start"),
        // Too late, or due only when it is.
        (&[("F", 5, 9, 120)], 10, "start"),
        (&[("F", 65, 64, 120)], 0, "start"),
        // A full of 65 minutes and a copy of 8 fit into no 72.
        (&[("F", 5, 64, 72)], 0, "start"),
        (&[("F", 5, 64, 73)], 0, "LogCopyFirst"),
        (&[("A", 5, 64, 120)], 0, "start"),
    ] {
        assert_eq!(kept(&full, "", copies, now), expected, "{copies:?} {now}");
    }
}

#[test]
fn a_copy_that_waits_for_its_database_needs_a_slot_behind_it() {
    let (full, mut copy) = (candidate("f", Kind::Full, 0, 60), candidate("z", Kind::LogCopy, 0, 1));
    for (latest, expected) in [(49, "z queue; f SlotKeptForLogs"), (50, "z queue; f start")] {
        copy.promised_by = at(latest + 6);
        assert_eq!(decided(vec![full.clone(), copy.clone()], "50", &[], 0), expected);
    }
}

#[test]
fn what_is_late_already_leaves_one_slot_to_log_copies() {
    // Fulls of an hour that were promised long ago, and copies that must begin by 20.
    let late = |key: &str| Candidate { promised_by: at(-9_000), ..candidate(key, Kind::Full, 0, 60) };
    let mut copy = candidate("l", Kind::LogCopy, 0, 1);
    copy.promised_by = at(26);
    let fulls = vec![late("a"), late("b"), late("c")];
    let with_copy = || [fulls.clone(), vec![copy.clone()]].concat();
    for (candidates, ahead, expected) in [
        (fulls.clone(), "", "a start; b start; c start"),
        (with_copy(), "", "a start; b SlotKeptForLogs; c SlotKeptForLogs; l start"),
        // As soon as the running ones leave a slot beside that of the copies, the next begins.
        (with_copy(), "65", "a SlotKeptForLogs; b SlotKeptForLogs; c SlotKeptForLogs; l start"),
        (with_copy(), "20", "a start; b SlotKeptForLogs; c SlotKeptForLogs; l start"),
        // Behind other people's tasks it does not wait.
        (with_copy(), "?", "a start; b SlotKeptForLogs; c SlotKeptForLogs; l start"),
    ] {
        assert_eq!(decided(candidates, ahead, &[], 0), expected, "after {ahead:?}");
    }
}

#[test]
fn what_heals_a_chain_comes_behind_the_copy_of_what_lies_before_the_break() {
    let mut copy = candidate("l", Kind::LogCopy, 0, 1);
    copy.database = "F".to_owned();
    copy.not_before = Some(at(10));
    for (heals, now, expected) in [
        (true, 0, "f LogCopyFirst; l NotYet 10"),
        (false, 0, "f start; l NotYet 10"),
        // After a day it waits no longer.
        (true, 1_440, "l start; f queue"),
    ] {
        let full = Candidate { heals, ..candidate("f", Kind::Full, 0, 60) };
        let mut said: Vec<String> =
            decided(vec![full, copy.clone()], "", &[], now).split("; ").map(str::to_owned).collect();
        if now == 0 {
            said.sort();
        }
        assert_eq!(said.join("; "), expected, "{heals} at {now}");
    }
}

#[test]
fn a_copy_whose_database_is_busy_for_too_long_keeps_no_slot() {
    // F would take the second slot until 65; the copy of Z must begin by 40.
    let (full, mut copy) = (candidate("f", Kind::Full, 0, 60), candidate("z", Kind::LogCopy, 0, 1));
    copy.promised_by = at(46);
    for (busy_until, expected) in [(40, "z queue; f SlotKeptForLogs"), (41, "z queue; f start")] {
        let busy = BTreeMap::from([("Z".to_owned(), Some(at(busy_until)))]);
        let load = Load { busy, ahead: vec![Some(at(50))] };
        let candidates = vec![full.clone(), copy.clone()];
        let said = decide(candidates, Slots::default(), load, &[], &no_copies(), at(0));
        assert_eq!(told(said), expected, "busy until {busy_until}");
    }
}

#[test]
fn the_measured_speed_falls_at_once_and_a_short_backup_says_little() {
    let of = |bytes, minutes| Speed::of(bytes, SignedDuration::from_mins(minutes));
    assert_eq!(of(59 * 100, 0), None);
    assert_eq!(Speed::of(5_900, SignedDuration::from_secs(59)), None);
    for (known, bytes, minutes, expected) in [
        (None, 6_000, 1, 100),
        // A slow one of five minutes counts at once, of less for a quarter.
        (Some(100), 3_000, 5, 10),
        (Some(100), 600, 1, 77),
        (Some(100), 60_000, 5, 125),
        (Some(100), 30_000, 5, 100),
    ] {
        assert_eq!(of(bytes, minutes).unwrap().after(known), expected, "{known:?} {bytes} in {minutes} min");
    }
}
