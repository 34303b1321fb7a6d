//! Is the number of files the least that holds a backup with its margin, and each transfer the least? Every number of files and
//! every size of a transfer is tried.

use std::cell::RefCell;
use std::collections::BTreeMap;

use domain::growth::Expected;
use domain::limits::Profile;
use domain::policy::Storage;
use domain::stripes::{Ask, Chosen, Layout, layout};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::config;

/// What the documents say, stated a second time: files, bytes of a file (RDS), parts and bytes of a part (S3 URLs).
const RDS: (u8, u128) = (10, 5_000_000_000_000);
const URLS: u8 = 64;
const PARTS: u128 = 10_000;
const CERTAIN_PART: u128 = 5_000_000;
const DEFAULT_TRANSFER: u32 = 10 * 1_048_576;
const UNIT: u32 = 65_536;

/// A case: on URLs, bytes, files and transfer of the policy, compression, mirrors, files of a failed try.
type Case = (bool, u64, Option<u32>, Option<u32>, bool, u8, Option<u8>);

fn case() -> impl Strategy<Value = Case> {
    // Evenly over orders of magnitude, a byte to 100 TB, and around the edges of one file and of all of them.
    let scattered =
        (0_u32..47, 0_u64..1 << 16).prop_map(|(shift, low)| (1_u64 << shift) + (low << shift >> 16));
    let edges = (1_u64..70, -2_i64..3, prop_oneof![Just(38_461_538_461_u64), Just(3_846_153_846_153)])
        .prop_map(|(times, off, each)| (times * each).saturating_add_signed(off));
    let bytes = prop_oneof![scattered, edges];
    let files = prop_oneof![2 => Just(None), 1 => (1_u32..70).prop_map(Some)];
    let transfer = prop_oneof![2 => Just(None), 1 => (80_u32..321).prop_map(|units| Some(units * UNIT))];
    let failed = prop_oneof![3 => Just(None), 1 => (1_u8..65).prop_map(Some)];
    (any::<bool>(), bytes, files, transfer, any::<bool>(), 0_u8..4, failed)
}

/// Whether files and a transfer hold so many bytes and three tenths more; `certain` counts on nothing but the guaranteed part.
fn hold(url: bool, files: u8, transfer: u32, bytes: u64, certain: bool) -> bool {
    // In tenths of bytes.
    let wanted = u128::from(bytes) * 13;
    let wanted = wanted.div_ceil(10);
    let each = if !url {
        RDS.1
    } else if certain {
        PARTS * CERTAIN_PART
    } else {
        PARTS * (u128::from(transfer) * 7 / 10).max(CERTAIN_PART)
    };
    u128::from(files) * each >= wanted
}

/// The layout by trying everything; `None` where nothing holds.
fn tried(case: &Case, most: u8) -> Option<Layout> {
    let (url, bytes, asked, transfer, compressed, ..) = *case;
    let own = transfer.unwrap_or(DEFAULT_TRANSFER);
    let changeable = url && compressed && transfer.is_none();
    let transfers = || (1..=320).map(|units| units * UNIT).filter(|_| changeable);
    let uncertain = |files: u8| {
        if hold(url, files, own, bytes, false) {
            return Some(Layout { files, max_transfer_bytes: transfer });
        }
        let larger = transfers().find(|transfer| hold(url, files, *transfer, bytes, false))?;
        Some(Layout { files, max_transfer_bytes: Some(larger) })
    };
    let asked = asked.and_then(|files| u8::try_from(files).ok());
    if let Some(layout) = asked.and_then(uncertain) {
        return Some(layout);
    }
    let certain = (1..=most).find(|files| hold(url, *files, own, bytes, true));
    match certain {
        Some(files) => Some(Layout { files, max_transfer_bytes: transfer }),
        None => uncertain(most),
    }
}

/// Answers by what they are.
type Shares = RefCell<BTreeMap<String, u32>>;

fn answers(case: &Case, shares: &Shares) -> Result<(), TestCaseError> {
    let (url, bytes, asked, transfer, compressed, mirrors, failed) = *case;
    let storage = Storage {
        stripes: asked,
        max_transfer_bytes: transfer,
        compression: compressed.then_some(true),
        ..Storage::default()
    };
    let most = if url { URLS / (1 + mirrors) } else { RDS.0 / (1 + mirrors) };
    let failed = failed.map(|files| Layout { files: files.min(most), max_transfer_bytes: transfer });
    let ask = Ask {
        profile: if url { Profile::Url } else { Profile::Rds },
        storage: &storage,
        expected: Expected { database_bytes: bytes, stored_bytes: bytes },
        mirrors,
        url_characters: 259,
        failed,
    };
    let answer = layout(&ask);
    let said = match &answer {
        Ok(Chosen { notes, .. }) if notes.is_empty() => "as it is".to_owned(),
        Ok(Chosen { notes, .. }) => notes[notes.len() - 1].name.to_string(),
        Err(reason) => reason.name.to_string(),
    };
    *shares.borrow_mut().entry(said).or_default() += 1;
    if asked.is_some_and(|files| files > u32::from(most)) {
        prop_assert_eq!(answer.map_err(|reason| reason.name.into_owned()), Err("TooManyFiles".to_owned()));
        return Ok(());
    }
    let Some(expected) = tried(case, most) else {
        prop_assert_eq!(answer.map_err(|reason| reason.name.into_owned()), Err("BackupTooLarge".to_owned()));
        return Ok(());
    };
    let Some(failed) = failed else {
        prop_assert_eq!(answer.map(|chosen| chosen.layout), Ok(expected));
        return Ok(());
    };
    match answer {
        // Twice as many as before or all, and never fewer than without the failure.
        Ok(Chosen { layout, notes }) => {
            prop_assert!(notes.iter().any(|note| note.name == "StripesPromoted"), "{:?}", notes);
            prop_assert!(layout.files <= most && layout.files >= expected.files, "{:?}", layout);
            prop_assert!(layout.files >= failed.files.saturating_mul(2).min(most), "{:?}", layout);
            let larger = layout.max_transfer_bytes > failed.max_transfer_bytes;
            prop_assert!(layout.files > failed.files || larger, "{:?} after {:?}", layout, failed);
        }
        Err(reason) => {
            prop_assert_eq!(reason.name.as_ref(), "StripesExhausted");
            prop_assert_eq!(failed.files, most);
            prop_assert!(!url || !compressed || transfer.is_some(), "a larger transfer was left");
        }
    }
    Ok(())
}

#[test]
fn files_and_transfers_are_those_that_trying_everything_finds() {
    let shares = Shares::default();
    let outcome = TestRunner::new(config(44, 20_000)).run(&case(), |case| answers(&case, &shares));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let shares = shares.into_inner();
    let all: u32 = shares.values().sum();
    for (said, count) in &shares {
        println!("{said}: {:.1} %", f64::from(*count) * 100.0 / f64::from(all));
    }
    for said in [
        "as it is",
        "BackupTooLarge",
        "PartsNotGuaranteed",
        "StripesExhausted",
        "StripesPromoted",
        "StripesTooFew",
        "TooManyFiles",
    ] {
        let count = shares.get(said).copied().unwrap_or(0);
        assert!(count * 100 >= all / 2, "{said}: {count} of {all}, half a per cent at least");
    }
}
