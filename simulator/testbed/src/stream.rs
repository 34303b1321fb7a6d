//! Chance: one stream of numbers per purpose, all from one seed.
//!
//! A draw in one place never shifts the numbers of another, since each purpose has a stream of its own. The generator is
//! `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014); nothing here has to be hard to
//! guess.

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Numbers for one purpose.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of a purpose under a seed.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let state = purpose.bytes().fold(mix(seed.wrapping_add(GOLDEN_GAMMA)), |state, byte| {
            mix(state ^ u64::from(byte)).wrapping_add(1)
        });
        Self { state }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number from `from` to `to`, both inclusive; `from` when the range is empty.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        let span = to.saturating_sub(from).saturating_add(1);
        // Multiply and shift instead of a remainder: the bias is below 2^-40 for the ranges used here.
        let scaled = (u128::from(self.draw()) * u128::from(span)) >> 64;
        from.saturating_add(u64::try_from(scaled).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_seeds_have_streams_of_their_own() {
        let first = |seed, purpose| Stream::new(seed, purpose).draw();
        assert_eq!(first(1, "store"), first(1, "store"));
        assert_ne!(first(1, "store"), first(2, "store"));
        assert_ne!(first(1, "store"), first(1, "cloud"));
        assert_ne!(first(1, "ab"), first(1, "ba"));
    }

    #[test]
    fn a_range_is_reached_at_both_ends_and_never_left() {
        let mut stream = Stream::new(7, "range");
        let drawn: std::collections::BTreeSet<u64> = (0..1_000).map(|_| stream.between(3, 6)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert_eq!(stream.between(9, 9), 9);
        assert_eq!(stream.between(9, 2), 9);
        stream.between(0, u64::MAX);
    }
}
