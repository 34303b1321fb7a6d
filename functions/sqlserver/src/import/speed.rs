//! How long a million rows take to read: tiny in every run, at full size in release, with its limit asserted:
//! `cargo test --release -p sqlserver --lib import::speed -- --ignored --nocapture`.
//!
//! The rows have every column that `queries/export_history.sql` writes, in its order.

use std::fmt::Write;
use std::time::Duration;

use super::{Options, read};

/// A document of so many rows: a full a week, a differential a day, logs every hour.
fn document(rows: usize) -> String {
    let mut text = String::with_capacity(rows * 950 + 64);
    text.push_str("{\"backups\":[");
    let fork = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
    for number in 0..rows {
        let kind = match number {
            number if number % 175 == 0 => "D",
            number if number % 25 == 0 => "I",
            _ => "L",
        };
        let (lsn, hour) = (17_126_658_000_000_000_000_000_u128 + number as u128 * 1000, number / 60 % 24);
        let (year, month, day) = (2000 + number / 500_000, 1 + number / 40_000 % 12, 1 + number / 1_440 % 28);
        let date = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{:02}:07", number % 60);
        let comma = if number == 0 { "" } else { "," };
        let base = number - number % 175;
        let base = if kind == "I" {
            format!(
                "\"differential_base_lsn\":\"{}\",\"differential_base_guid\":\"{base:08X}-8B86-D011-B42D-00C04FC964FF\",",
                17_126_658_000_000_000_000_000_u128 + base as u128 * 1000
            )
        } else {
            String::new()
        };
        write!(
            text,
            "{comma}{{\"backup_set_uuid\":\"{number:08X}-8B86-D011-B42D-00C04FC964FF\",\"database_name\":\"orders\",\"server_name\":\"SALES\\\\PROD\",\
             \"family_guid\":\"A0000000-8B86-D011-B42D-00C04FC964FF\",\"database_guid\":\"B0000000-8B86-D011-B42D-00C04FC964FF\",\"type\":\"{kind}\",\
             \"first_lsn\":\"{lsn}\",\"last_lsn\":\"{}\",\"checkpoint_lsn\":\"{lsn}\",\"database_backup_lsn\":\"{lsn}\",{base}\
             \"is_copy_only\":false,\"is_snapshot\":false,\"is_damaged\":false,\"has_bulk_logged_data\":false,\"begins_log_chain\":false,\
             \"first_recovery_fork_guid\":\"{fork}\",\"last_recovery_fork_guid\":\"{fork}\",\"recovery_model\":\"FULL\",\
             \"backup_start_date\":\"{date}\",\"backup_finish_date\":\"{date}\",\"time_zone\":4,\"backup_size\":\"104857600\",\
             \"compressed_backup_size\":\"31457280\",\"software_major_version\":16,\"first_family_number\":1,\"last_family_number\":1,\
             \"files\":[\"s3:\\/\\/bucket.example\\/prod\\/orders\\/{number:08}.bak\"]}}",
            lsn + 1000
        )
        .expect("a string takes what is written");
    }
    text.push_str("]}");
    text
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn timed(text: &str) -> (usize, Duration) {
    let start = std::time::Instant::now();
    let imported = read(text.as_bytes(), &Options::default()).expect("rows as the export writes them");
    assert_eq!((imported.incomplete.len(), imported.warnings.len()), (0, 0), "{:?}", imported.warnings);
    (imported.backups.len(), start.elapsed())
}

#[test]
fn every_row_of_a_document_is_read() {
    assert_eq!(timed(&document(2_000)).0, 2_000);
}

/// How long it takes to go over the bytes and read nothing: as the machine is now, whoever else works on it.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn skimmed(text: &str) -> Duration {
    let start = std::time::Instant::now();
    serde_json::from_str::<serde::de::IgnoredAny>(text).expect("JSON");
    start.elapsed()
}

/// A million rows are skimmed in so long where nobody else works on the machine; where it takes longer, so may reading.
const SKIMMED: Duration = Duration::from_millis(600);

/// The best of several runs, and the best skim between them.
struct Best {
    read: Duration,
    skim: Duration,
}

impl Best {
    fn of(rows: usize, is_fine: impl Fn(&Self) -> bool) -> (Self, usize) {
        let text = document(rows);
        let mut best = Self { read: Duration::MAX, skim: Duration::MAX };
        for run in 0..12 {
            best = Self { read: best.read.min(timed(&text).1), skim: best.skim.min(skimmed(&text)) };
            if run >= 2 && is_fine(&best) {
                break;
            }
        }
        (best, text.len())
    }

    /// Three seconds, stretched as much as the machine is disturbed.
    fn limit(&self) -> Duration {
        Duration::from_secs(3).mul_f64((self.skim.as_secs_f64() / SKIMMED.as_secs_f64()).max(1.0))
    }
}

#[test]
#[ignore = "a million rows: in release, by tests/all"]
fn a_million_rows() {
    // What disturbs the machine only adds: the best of three runs, and of up to a dozen while that is not within the limits.
    let (small, _) = Best::of(100_000, |_| true);
    let ratio = |large: &Best| large.read.as_secs_f64() / small.read.as_secs_f64();
    let (large, bytes) = Best::of(1_000_000, |large| large.read <= large.limit() && ratio(large) <= 13.0);
    let (ratio, limit) = (ratio(&large), large.limit());
    println!(
        "1,000,000 rows, {} MB: parsed in {:?} ({ratio:.1} x 100,000 rows), skimmed in {:?}: at most {limit:?}",
        bytes / 1_000_000,
        large.read,
        large.skim
    );
    assert!(large.read <= limit, "parsing took {:?}", large.read);
    assert!(ratio <= 13.0, "ten times the rows took {ratio:.1} times as long");
}
