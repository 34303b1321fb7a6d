//! Do the headers that the world emits look like those that servers wrote?
//!
//! Each relation is stated once, measured on the histories of `fixtures/histories`, which others exported from servers, and
//! asserted on what the simulated RDS instance and the simulated server as installed emit. So the world cannot be wrong in the
//! same way as the rules that are tested with it. One of the histories is not measured but restated from a test of theirs; it
//! has to satisfy what is marked so, and shows what the measured ones lack.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;

use domain::backup::{Backup, Kind};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use sqlserver::columns::backupset;
use world::{BackupKind, BackupSet, ObjectRef};

use crate::{config, msdb, plans, windows};

/// What the relations speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    kind: Kind,
    id: String,
    first: u128,
    last: u128,
    checkpoint: Option<u128>,
    label: Option<u128>,
    base: Option<(Option<u128>, String)>,
    copy_only: bool,
    forks: Option<(String, String)>,
    fork_point: Option<u128>,
    start: Timestamp,
    finish: Timestamp,
}

impl From<&Backup> for Header {
    fn from(row: &Backup) -> Self {
        let (entry, exit) = (row.entry_fork(), row.exit_fork());
        Self {
            kind: row.kind,
            id: row.id.to_string(),
            first: row.first_lsn.value(),
            last: row.last_lsn.value(),
            checkpoint: row.checkpoint_lsn.map(domain::lsn::Lsn::value),
            label: row.database_backup_lsn.map(domain::lsn::Lsn::value),
            base: row
                .differential_base_guid
                .as_ref()
                .map(|guid| (row.differential_base_lsn.map(domain::lsn::Lsn::value), guid.to_string())),
            copy_only: row.kind == Kind::CopyOnly,
            forks: entry.zip(exit).map(|(entry, exit)| (entry.to_string(), exit.to_string())),
            fork_point: row.fork_point_lsn.map(domain::lsn::Lsn::value),
            start: row.started,
            finish: row.finished,
        }
    }
}

/// The header of a log file, as its file has it.
fn of_log_file(set: &BackupSet) -> Header {
    assert_eq!(set.kind, BackupKind::Log, "only logs are read so");
    let number = |lsn: world::Lsn| u128::try_from(lsn.numeric()).expect("LSNs are positive");
    let known = |lsn: world::Lsn| Some(number(lsn)).filter(|lsn| *lsn > 0);
    Header {
        kind: Kind::Log,
        id: set.uuid.to_string(),
        first: number(set.first_lsn),
        last: number(set.last_lsn),
        checkpoint: known(set.checkpoint_lsn),
        label: known(set.database_backup_lsn),
        base: None,
        copy_only: set.is_copy_only,
        forks: Some((set.first_fork.to_string(), set.last_fork.to_string())),
        fork_point: set.fork_point.map(number),
        start: set.start(),
        finish: set.finish(),
    }
}

impl Header {
    fn is_full(&self) -> bool {
        matches!(self.kind, Kind::Full | Kind::Snapshot)
    }

    fn entry(&self) -> Option<&String> {
        self.forks.as_ref().map(|(entry, _)| entry)
    }

    fn exit(&self) -> Option<&String> {
        self.forks.as_ref().map(|(_, exit)| exit)
    }
}

/// What one header or pair of headers says of a relation: nothing, or whether it holds.
type Says = Option<(bool, String)>;

/// A relation between headers of one history, given by time: every instance of it.
struct Relation {
    name: &'static str,
    /// Whether the restated history has to satisfy it, too.
    of_restated: bool,
    instances: fn(&[Header]) -> Vec<(bool, String)>,
}

fn each(history: &[Header], says: impl Fn(&Header) -> Says) -> Vec<(bool, String)> {
    history.iter().filter_map(says).collect()
}

/// The newest full on the fork of a header that had ended by a moment.
fn full_before<'a>(
    history: &'a [Header],
    of: &Header,
    ended: impl Fn(&Header) -> bool,
) -> Option<&'a Header> {
    let fulls = history.iter().filter(|full| full.is_full() && full.exit() == of.exit() && ended(full));
    fulls.max_by_key(|full| (full.finish, full.last))
}

fn logs(history: &[Header]) -> impl Iterator<Item = &Header> {
    history.iter().filter(|header| header.kind == Kind::Log && !header.copy_only)
}

const RELATIONS: [Relation; 12] = [
    Relation {
        name: "a data backup has first_lsn <= checkpoint_lsn < last_lsn",
        of_restated: true,
        instances: |history| {
            each(history, |header| {
                let checkpoint = header.checkpoint.filter(|_| header.kind.is_data())?;
                Some((header.first <= checkpoint && checkpoint < header.last, format!("{header:?}")))
            })
        },
    },
    Relation {
        name: "a log has first_lsn <= last_lsn",
        of_restated: true,
        instances: |history| {
            each(history, |header| {
                (header.kind == Kind::Log).then(|| (header.first <= header.last, format!("{header:?}")))
            })
        },
    },
    Relation {
        name: "the checkpoint of a log with records lies in it, that of an empty log before it",
        of_restated: false,
        instances: |history| {
            each(history, |header| {
                let checkpoint = header.checkpoint.filter(|_| header.kind == Kind::Log)?;
                let inside = header.first <= checkpoint && checkpoint < header.last;
                let holds = if header.first == header.last { checkpoint <= header.first } else { inside };
                Some((holds, format!("{header:?}")))
            })
        },
    },
    Relation {
        name: "a log begins where the one before it ended",
        of_restated: false,
        instances: |history| {
            let logs: Vec<&Header> = logs(history).collect();
            let pairs = logs.windows(2).filter(|pair| {
                let chained = pair[0].exit() == pair[1].entry() && pair[1].entry() == pair[1].exit();
                chained && !restarts(history, pair[0], pair[1])
            });
            pairs
                .map(|pair| (pair[0].last == pair[1].first, format!("{:?} then {:?}", pair[0], pair[1])))
                .collect()
        },
    },
    Relation {
        name: "the first log of a whole history begins where a data backup begins",
        of_restated: false,
        instances: |history| {
            let whole = history.iter().any(|header| header.is_full() && header.label.is_none());
            // Where a database that was restored over itself begins its first log is documented nowhere.
            let first = logs(history).next().filter(|log| whole && log.entry() == log.exit());
            let begins = |log: &Header| {
                history.iter().any(|h| h.kind.is_data() && !h.copy_only && h.first == log.first)
            };
            first.map(|log| (begins(log), format!("{log:?}"))).into_iter().collect()
        },
    },
    Relation {
        name: "a full names the checkpoint of the full before it, the first of all names none",
        of_restated: false,
        instances: |history| {
            each(history, |header| {
                let before =
                    full_before(history, header, |full| full.finish <= header.start && full.id != header.id)
                        .filter(|_| header.is_full() || header.copy_only && header.kind.is_data())?;
                Some((header.label == before.checkpoint, format!("{header:?} after {before:?}")))
            })
        },
    },
    Relation {
        name: "a log names the checkpoint of the newest full that had ended before it did",
        of_restated: true,
        instances: |history| {
            each(history, |header| {
                let log = (header.kind == Kind::Log && header.entry() == header.exit()).then_some(header)?;
                let full = full_before(history, log, |full| full.finish < log.finish)?;
                Some((log.label == full.checkpoint, format!("{log:?} after {full:?}")))
            })
        },
    },
    Relation {
        name: "a differential names the checkpoint of a full that is not copy-only",
        of_restated: false,
        instances: |history| {
            each(history, |header| {
                let differential = (header.kind == Kind::Differential).then_some(header)?;
                let base = history.iter().find(|full| match &differential.base {
                    Some((_, guid)) => full.id.eq_ignore_ascii_case(guid),
                    None => full.is_full() && full.checkpoint == differential.label,
                });
                let names = |full: &Header| {
                    let lsn = differential.base.as_ref().map_or(differential.label, |(lsn, _)| *lsn);
                    full.is_full() && full.checkpoint == lsn && lsn == differential.label
                };
                Some((base.is_some_and(names), format!("{differential:?} on {base:?}")))
            })
        },
    },
    Relation {
        name: "one log spans the end of a full",
        of_restated: false,
        instances: |history| {
            each(history, |header| {
                let full = header.is_full().then_some(header)?;
                let on_fork = |log: &&Header| log.entry() == full.exit() && log.exit() == full.exit();
                let spans = logs(history)
                    .filter(on_fork)
                    .filter(|log| log.first <= full.last && full.last < log.last);
                let count = spans.count();
                (count > 0).then(|| (count == 1, format!("{count} span the end of {full:?}")))
            })
        },
    },
    Relation {
        name: "last_lsn is the first record of a block",
        of_restated: false,
        instances: |history| {
            each(history, |header| Some((header.last % 100_000 == 1, format!("{header:?}"))))
        },
    },
    Relation {
        name: "LSNs of logs rise with time",
        of_restated: false,
        instances: |history| {
            let logs: Vec<&Header> = logs(history).collect();
            let pairs = logs.windows(2).filter(|pair| pair[0].exit() == pair[1].exit());
            pairs
                .map(|pair| (pair[0].last <= pair[1].last, format!("{:?} then {:?}", pair[0], pair[1])))
                .collect()
        },
    },
    // Documented (backupset: equal for data backups): the measured histories are older than the columns.
    Relation {
        name: "only a log lies on two forks, and the point where they part lies in it",
        of_restated: true,
        instances: |history| {
            each(history, |header| {
                let (entry, exit) = header.forks.as_ref()?;
                let crosses = entry != exit;
                let point =
                    header.fork_point.is_some_and(|point| header.first <= point && point <= header.last);
                let holds =
                    if crosses { header.kind == Kind::Log && point } else { header.fork_point.is_none() };
                Some((holds, format!("{header:?}")))
            })
        },
    },
];

/// Whether the chain was broken and begun again between two logs: the later one begins where a data backup does.
fn restarts(history: &[Header], before: &Header, log: &Header) -> bool {
    let begins =
        |h: &&Header| h.kind.is_data() && !h.copy_only && h.first == log.first && h.first >= before.last;
    log.first != before.last && history.iter().any(|header| begins(&header))
}

/// Histories by time, as a person would list them.
fn by_time(mut history: Vec<Header>) -> Vec<Header> {
    history.sort_by_key(|header| (header.finish, header.last));
    history
}

/// How often each relation spoke; the first violation is the error.
fn hold(history: &[Header], restated: bool) -> Result<BTreeMap<&'static str, usize>, String> {
    let mut counts = BTreeMap::new();
    for relation in RELATIONS.iter().filter(|relation| !restated || relation.of_restated) {
        let instances = (relation.instances)(history);
        if let Some((_, what)) = instances.iter().find(|(holds, _)| !holds) {
            return Err(format!("{}: {what}", relation.name));
        }
        counts.insert(relation.name, instances.len());
    }
    Ok(counts)
}

/// Marks of a history that not every history has.
fn marks(history: &[Header]) -> Vec<&'static str> {
    let mut marks = Vec::new();
    let mut mark = |name, found: bool| marks.extend(found.then_some(name));
    mark("an empty log", history.iter().any(|h| h.kind == Kind::Log && h.first == h.last));
    mark("a first LSN before the checkpoint", {
        history
            .iter()
            .any(|h| h.kind.is_data() && h.checkpoint.is_some_and(|checkpoint| h.first < checkpoint))
    });
    mark("a log across a full", {
        let spans = |full: &Header| logs(history).any(|log| log.first < full.first && full.last < log.last);
        history.iter().any(|full| full.is_full() && spans(full))
    });
    mark("a differential", history.iter().any(|h| h.kind == Kind::Differential));
    mark("a copy-only full", history.iter().any(|h| h.kind == Kind::CopyOnly));
    marks
}

fn fixtures() -> Vec<(String, Vec<Header>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/histories");
    let files = fs::read_dir(folder).expect("the fixtures are there");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: std::path::PathBuf| {
        let bytes = fs::read(&file).expect("a fixture can be read");
        let imported =
            sqlserver::import::read(&bytes, &sqlserver::import::Options::default()).expect("a history");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, by_time(imported.backups.iter().map(Header::from).collect()))
    };
    files.into_iter().map(read).collect()
}

#[test]
fn histories_of_real_servers_satisfy_the_relations() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seen: Vec<&str> = Vec::new();
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 5, "each history is measured, or named as restated");
    for (name, history) in &fixtures {
        let found = hold(history, name == RESTATED).unwrap_or_else(|what| panic!("{name}: {what}"));
        for (relation, count) in found {
            *counts.entry(relation).or_default() += count;
        }
        seen.extend(marks(history));
    }
    eprintln!("instances on real histories: {counts:#?}");
    assert!(counts.values().all(|count| *count > 0), "a relation that nothing measures: {counts:#?}");
    for mark in MARKS {
        assert!(seen.contains(&mark), "no history has {mark}");
    }
}

/// A relation, and a change of a header that breaks it: which one, and how.
type Spoilt = (&'static str, fn(&Header) -> bool, fn(&mut Header));

/// For each relation a change of `DiffRestore` that it must see: a full, 5 logs, a differential, 3 logs.
const SPOILT: [Spoilt; 12] = [
    ("a data backup has", |h| h.kind == Kind::Full, |h| h.checkpoint = Some(h.last)),
    ("a log has", |h| h.kind == Kind::Log, |h| h.first = h.last + 1),
    ("the checkpoint of a log", |h| h.kind == Kind::Log, |h| h.checkpoint = Some(h.last)),
    ("a log begins where the one", |h| h.kind == Kind::Log && h.checkpoint > Some(h.first), |h| h.first += 1),
    ("the first log of a whole", |h| h.kind == Kind::Log, |h| (h.first, h.checkpoint) = (h.first + 1, None)),
    ("a full names", |h| h.kind == Kind::Full, |h| h.label = Some(h.first)),
    ("a log names", |h| h.kind == Kind::Log, |h| h.label = None),
    ("a differential names", |h| h.kind == Kind::Differential, |h| h.label = Some(h.first)),
    ("one log spans", |h| h.kind == Kind::Log, |h| h.first = 0),
    ("last_lsn is the first", |h| h.kind == Kind::Log, |h| h.last += 1),
    ("LSNs of logs rise", |h| h.kind == Kind::Log, |h| h.finish = Timestamp::MAX),
    ("only a log lies", |h| h.kind == Kind::Full, |h| h.forks = Some(("a".into(), "b".into()))),
];

#[test]
fn each_relation_sees_a_header_that_breaks_it() {
    let mut history = fixtures().into_iter().find(|(name, _)| name == "DiffRestore").expect("a fixture").1;
    // A second full, so that there is one before it to name.
    let mut again = history[0].clone();
    let later = |lsn: u128| lsn + 100_000_000;
    (again.first, again.last) = (later(again.first), later(again.last));
    (again.label, again.checkpoint) = (again.checkpoint, again.checkpoint.map(later));
    (again.id, again.start, again.finish) = ("again".into(), history[9].finish, history[9].finish);
    history.push(again);
    for relation in &RELATIONS {
        let instances = (relation.instances)(&history);
        assert!(instances.iter().all(|(holds, _)| *holds), "{}", relation.name);
        let (_, which, spoil) =
            SPOILT.iter().find(|(name, ..)| relation.name.starts_with(name)).expect("each has its change");
        let spoilt = (0..history.len()).filter(|at| which(&history[*at])).any(|at| {
            let mut other = history.clone();
            spoil(&mut other[at]);
            (relation.instances)(&by_time(other)).iter().any(|(holds, _)| !holds)
        });
        assert!(spoilt, "{} sees nothing", relation.name);
    }
}

/// Not measured.
const RESTATED: &str = "copy_only_synthetic";

/// What the histories of others show, and the world must.
const MARKS: [&str; 5] = [
    "an empty log",
    "a first LSN before the checkpoint",
    "a log across a full",
    "a differential",
    "a copy-only full",
];

/// Asserts the relations on what a strategy of stories emits, and that all of them spoke.
fn emitted<S: Strategy>(seed: u64, cases: u32, stories: &S, headers: impl Fn(S::Value) -> Vec<Header>) {
    let counts: RefCell<BTreeMap<&str, usize>> = RefCell::default();
    let shown: RefCell<Vec<&str>> = RefCell::default();
    let outcome = TestRunner::new(config(seed, cases)).run(stories, |story| {
        let history = by_time(headers(story));
        for (relation, count) in hold(&history, false).map_err(TestCaseError::fail)? {
            *counts.borrow_mut().entry(relation).or_default() += count;
        }
        shown.borrow_mut().extend(marks(&history));
        Ok(())
    });
    let violation = outcome.err().map(|error| error.to_string());
    assert_eq!(violation, None, "the world emits what no server does");
    let (counts, shown) = (counts.into_inner(), shown.into_inner());
    eprintln!("instances on emitted headers: {counts:#?}");
    assert!(counts.values().all(|count| *count > 0), "a relation that nothing shows: {counts:#?}");
    for mark in MARKS {
        assert!(shown.contains(&mark), "the world never shows {mark}");
    }
}

#[test]
fn the_server_as_installed_emits_such_headers() {
    emitted(31, 150, &plans::story::story(), |story| {
        let mut grown = plans::grown::Grown::grow(&story);
        let told = msdb::backup_rows(&mut grown.world, grown.session, plans::grown::DATABASE);
        let copies = told.iter().filter(|row| row[backupset::IS_COPY_ONLY] == json!(true));
        let copies: Vec<&str> =
            copies.map(|row| row[backupset::BACKUP_SET_UUID].as_str().expect("an id")).collect();
        let rows = plans::headers::read(&mut grown);
        let header = |row: &Backup| Header { copy_only: copies.contains(&row.id.as_str()), ..row.into() };
        rows.iter().map(header).collect()
    });
}

#[test]
fn the_rds_instance_emits_such_headers() {
    emitted(32, 60, &windows::grown::story(), |story| {
        let mut grown = windows::grown::Grown::grow(&story);
        // From the first file on, as far as none is missing: not copied, lost or spoilt since.
        let copied = (1_u64..).map_while(|number| grown.copied.get(&number));
        let files = copied.map(|log| ObjectRef::newest(windows::grown::BUCKET, &log.object.key));
        let logs: Vec<BackupSet> = files.map_while(|file| grown.world.header(&file).ok()).collect();
        let rows = windows::headers::read(&mut grown);
        let data = rows.iter().filter(|row| row.kind.is_data()).map(Header::from);
        data.chain(logs.iter().map(of_log_file)).collect()
    });
}
