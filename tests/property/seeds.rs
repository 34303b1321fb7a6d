//! Which seeds does a property try? Some from a base: fixed here, the commit's in CI.

/// Base of the seeds where the environment names none.
const BASE: u64 = 0x5EED;

/// The base: `BAKPROOF_SEED`, decimal or hexadecimal (the first sixteen digits of a commit will do).
fn base() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one input of the tests: which histories to try")]
    let named = std::env::var("BAKPROOF_SEED");
    named.map_or(BASE, |text| parse(&text).expect("BAKPROOF_SEED is a number or a commit"))
}

/// `0x5eed`, `24301`, or a commit's name.
fn parse(text: &str) -> Option<u64> {
    let hexadecimal = |digits: &str| u64::from_str_radix(digits.get(..16).unwrap_or(digits), 16).ok();
    match text.trim().strip_prefix("0x") {
        Some(digits) => hexadecimal(digits),
        None => text.trim().parse().ok().or_else(|| hexadecimal(text.trim())),
    }
}

/// So many seeds from the base, which comes first: a failure is seen again with its own seed as the base.
pub(crate) fn seeds(count: u32) -> impl Iterator<Item = u64> {
    let base = base();
    // Odd, so that no two of them are the same.
    (0..u64::from(count)).map(move |n| base.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// How to see a failure again.
pub(crate) fn replay(seed: u64, test: &str) -> String {
    format!("again: BAKPROOF_SEED={seed:#018x} cargo test --locked -p tests --test property {test}")
}

#[test]
fn seeds_are_numbers_or_commits() {
    for (text, seed) in [("7", 7), ("0x1f", 31), ("36ae275c0ffee00000000001", 0x36ae_275c_0ffe_e000)] {
        assert_eq!(parse(text), Some(seed), "{text}");
    }
    assert_eq!(parse("main"), None);
    assert_eq!(seeds(3).count(), 3);
}
