//! What everybody who tells people must do: notices of every sort are sent, made to fit, or refused.
//!
//! Included by path from the tests of each implementation. The contract is the documentation of `ports::notify`.

use ports::Fault;
use ports::notify::{Notice, Notify, SUBJECT_CHARS_MAX, TEXT_BYTES_MAX};

/// Notices, and what arrives of each: subject, empty where it has none, and bytes of the text.
pub(crate) fn notices() -> Vec<(Notice, (String, usize))> {
    let long = "\u{e4}".repeat(2 * SUBJECT_CHARS_MAX);
    let full = "x".repeat(TEXT_BYTES_MAX);
    let much = "\u{20ac}".repeat(TEXT_BYTES_MAX);
    let of = |subject: &str, text: &str, arrives: (&str, usize)| {
        let notice = Notice { subject: subject.to_owned(), text: text.to_owned() };
        (notice, (arrives.0.to_owned(), arrives.1))
    };
    vec![
        of("Backup failed", "sales: no space", ("Backup failed", 15)),
        of("two\r\nlines\tof\u{7}it", "a\nb & <c> \u{4e2d}", ("two lines of it", 13)),
        of(&long, "t", (&long[..2 * SUBJECT_CHARS_MAX], 1)),
        of(" \n", "no subject", ("", 10)),
        of("full", &full, ("full", TEXT_BYTES_MAX)),
        // 262,138 bytes and the six that say so hold 87,379 signs of three.
        of("cut", &much, ("cut", 87_379 * 3 + 6)),
        of("bell", "a\u{7}b", ("bell", 5)),
    ]
}

/// Sends them all, and one that is refused.
pub(crate) async fn every_notice_is_sent_and_an_empty_one_refused(people: &impl Notify) {
    for (notice, arrives) in notices() {
        assert_eq!(people.notify(&notice).await, Ok(()), "{arrives:?}");
    }
    let empty = Notice { subject: "nothing".to_owned(), text: String::new() };
    let Err(Fault::Refused(reason)) = people.notify(&empty).await else {
        unreachable!("a notice without a text is refused")
    };
    assert_eq!(reason.name, "NoticeEmpty");
}
