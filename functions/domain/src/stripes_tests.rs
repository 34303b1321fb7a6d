//! Is the layout the one that the documents' arithmetic gives?

use super::*;

const GB: u64 = 1_000_000_000;
const TB: u64 = 1_000 * GB;

/// A policy's storage: files, transfer, compression.
fn storage(stripes: Option<u32>, transfer: Option<u32>, compression: bool) -> Storage {
    Storage {
        stripes,
        max_transfer_bytes: transfer,
        compression: compression.then_some(true),
        ..Storage::default()
    }
}

/// `files[/transfer in MiB or KiB] names of notes`, or the name of the refusal.
fn answer(ask: &Ask<'_>) -> String {
    match layout(ask) {
        Err(reason) => format!("!{}", reason.name),
        Ok(Chosen { layout: Layout { files, max_transfer_bytes }, notes }) => {
            let transfer = max_transfer_bytes.map_or(String::new(), |bytes| format!("/{}K", bytes >> 10));
            let layout = format!("{files}{transfer}");
            std::iter::once(layout.as_str())
                .chain(notes.iter().map(|note| &*note.name))
                .collect::<Vec<_>>()
                .join(" ")
        }
    }
}

fn said_of(profile: Profile, bytes: u64, storage: &Storage, failed: Option<Layout>) -> String {
    let expected = Expected { database_bytes: bytes, stored_bytes: bytes };
    answer(&Ask { profile, storage, expected, mirrors: 0, url_characters: 0, failed })
}

#[test]
fn rds_takes_as_few_files_as_hold_the_forecast_with_its_margin() {
    // 5 TB a file: 3.846 TB and 30 % more.
    for (bytes, stripes, expected) in [
        (0, None, "1"),
        (90 * GB, None, "1"),
        (3_846 * GB, None, "1"),
        (3_847 * GB, None, "2"),
        (14 * TB, None, "4"),
        (38_461 * GB, None, "10"),
        (38_462 * GB, None, "!BackupTooLarge"),
        (14 * TB, Some(8), "8"),
        (14 * TB, Some(2), "4 StripesTooFew"),
        (14 * TB, Some(11), "!TooManyFiles"),
        (u64::MAX, None, "!BackupTooLarge"),
    ] {
        let storage = storage(stripes, None, true);
        assert_eq!(said_of(Profile::Rds, bytes, &storage, None), expected, "{bytes} {stripes:?}");
    }
    let policy = storage(None, Some(4_194_304), true);
    assert_eq!(
        said_of(Profile::Rds, 14 * TB, &policy, None),
        "4/4096K",
        "the policy's transfer is passed on"
    );
    assert_eq!(said_of(Profile::Rds2019, TB, &storage(None, None, true), None), "1");
    assert_eq!(said_of(Profile::Rds2019, TB + 1, &storage(None, None, true), None), "!DatabaseTooLarge");
}

#[test]
fn urls_count_on_five_megabytes_a_part_and_say_where_they_cannot() {
    // 10,000 parts of 5 MB: 50 GB a URL, 38.46 GB and 30 % more; 64 of them: 2.461 TB.
    for (bytes, transfer, compression, expected) in [
        (38 * GB, None, true, "1"),
        (39 * GB, None, true, "2"),
        (2_461 * GB, None, true, "64"),
        // 7.34 MB of 10 MiB: 73.4 GB a URL, 64 of them hold 3.613 TB and 30 % more.
        (2_462 * GB, None, true, "64 PartsNotGuaranteed"),
        (3_613 * GB, None, false, "64 PartsNotGuaranteed"),
        (3_614 * GB, None, false, "!BackupTooLarge"),
        (3_614 * GB, None, true, "64/10304K PartsNotGuaranteed"),
        // 14.68 MB of 20 MiB: 146.8 GB a URL.
        (7_227 * GB, None, true, "64/20480K PartsNotGuaranteed"),
        (7_228 * GB, None, true, "!BackupTooLarge"),
        (7_000 * GB, Some(20 << 20), true, "64/20480K PartsNotGuaranteed"),
        (7_000 * GB, Some(5 << 20), true, "!BackupTooLarge"),
        (100 * GB, Some(5 << 20), true, "3/5120K"),
    ] {
        let storage = storage(None, transfer, compression);
        assert_eq!(said_of(Profile::Url, bytes, &storage, None), expected, "{bytes} {transfer:?}");
    }
    for (bytes, stripes, expected) in [
        (100 * GB, 8, "8"),
        (100 * GB, 2, "2 PartsNotGuaranteed"),
        (200 * GB, 2, "2/18176K PartsNotGuaranteed"),
        (300 * GB, 2, "8 StripesTooFew"),
        (100 * GB, 65, "!TooManyFiles"),
    ] {
        let storage = storage(Some(stripes), None, true);
        assert_eq!(said_of(Profile::Url, bytes, &storage, None), expected, "{bytes} in {stripes}");
    }
}

#[test]
fn mirrors_take_urls_and_long_urls_are_refused() {
    let storage = storage(None, None, true);
    for (mirrors, url_characters, gigabytes, expected) in [
        (0, 259, 2_000, "52"),
        (0, 260, 1, "!UrlTooLong"),
        // 64 URLs are 32 and their mirrors.
        (1, 200, 1_230, "32"),
        (1, 200, 1_231, "32 PartsNotGuaranteed"),
        (3, 200, 615, "16"),
        (64, 200, 1, "!TooManyFiles"),
    ] {
        let bytes = gigabytes * GB;
        let expected_bytes = Expected { database_bytes: bytes, stored_bytes: bytes };
        let ask = Ask {
            profile: Profile::Url,
            storage: &storage,
            expected: expected_bytes,
            mirrors,
            url_characters,
            failed: None,
        };
        assert_eq!(answer(&ask), expected, "{mirrors} {url_characters} {gigabytes}");
    }
}

#[test]
fn a_failure_at_the_limit_of_a_file_doubles_the_files_until_there_are_no_more() {
    let free = storage(None, None, true);
    let fixed = storage(Some(2), None, true);
    let failed = |files, max_transfer_bytes| Some(Layout { files, max_transfer_bytes });
    for (profile, storage, failed, expected) in [
        (Profile::Rds, &free, failed(1, None), "2 StripesPromoted"),
        (Profile::Rds, &fixed, failed(2, None), "4 StripesPromoted"),
        (Profile::Rds, &free, failed(6, None), "10 StripesPromoted"),
        (Profile::Rds, &free, failed(10, None), "!StripesExhausted"),
        (Profile::Url, &free, failed(40, None), "64 StripesPromoted"),
        (Profile::Url, &free, failed(64, None), "64/20480K StripesPromoted"),
        (Profile::Url, &free, failed(64, Some(20 << 20)), "!StripesExhausted"),
        (Profile::Rds2019, &free, failed(1, None), "!StripesExhausted"),
    ] {
        assert_eq!(said_of(profile, GB, storage, failed), expected, "{failed:?}");
    }
    // What cannot hold is tried with all there is; and what outgrew its files once is not counted on to compress.
    let tried = |expected, failed| {
        let ask =
            Ask { profile: Profile::Rds, storage: &free, expected, mirrors: 0, url_characters: 0, failed };
        let Chosen { layout, notes } = attempt(&ask);
        (layout.files, notes.last().map(|note| note.name.to_string()))
    };
    let compressed = Expected { database_bytes: 20 * TB, stored_bytes: 2 * TB };
    assert_eq!(tried(compressed, None), (1, None));
    assert_eq!(tried(compressed, failed(1, None)), (6, Some("StripesPromoted".to_owned())));
    let huge = Expected { database_bytes: 80 * TB, stored_bytes: 5 * TB };
    assert_eq!(
        tried(huge, failed(2, None)),
        (4, Some("StripesPromoted".to_owned())),
        "uncompressed nothing holds it"
    );
    let larger = Expected { database_bytes: 80 * TB, stored_bytes: 50 * TB };
    assert_eq!(tried(larger, None), (10, Some("BackupTooLarge".to_owned())));
    // A forecast that asks for more than twice as many wins.
    assert_eq!(said_of(Profile::Rds, 30 * TB, &free, failed(2, None)), "8 StripesPromoted");
}
