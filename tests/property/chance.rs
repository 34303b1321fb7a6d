//! Which numbers does a seed give? For stories that are told step by step, where a strategy of proptest would have to be rolled out
//! beforehand.

/// Numbers by chance from a seed (splitmix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A place among so many.
    pub(crate) fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a number of places")
    }

    /// From one day to so many.
    pub(crate) fn days(&mut self, most: u64) -> u32 {
        u32::try_from(1 + self.below(most)).expect("a few days")
    }

    pub(crate) fn in_hundred(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// A number between two, both included.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        let apart = u64::try_from(to - from + 1).expect("from before to");
        from + i64::try_from(self.below(apart)).expect("small")
    }
}
