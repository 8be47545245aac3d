//! How full a bounded table is, for metrics.

/// How full a bounded table is, and what came of it when it was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Entries now, those among them that would be forgotten for a newcomer.
    pub entries: u64,
    /// Entries at most.
    pub capacity: u64,
    /// Entries that were forgotten to make room.
    pub evicted: u64,
    /// Newcomers that found no room.
    pub overflowed: u64,
}

impl std::ops::AddAssign for Fill {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.capacity += other.capacity;
        self.evicted += other.evicted;
        self.overflowed += other.overflowed;
    }
}
