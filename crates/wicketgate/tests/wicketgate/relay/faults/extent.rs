//! Short runs, and those that take their time.

/// How much of each fault there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Short,
    All,
}

impl Extent {
    /// One of two.
    pub(super) fn of<T>(self, short: T, all: T) -> T {
        match self {
            Self::Short => short,
            Self::All => all,
        }
    }

    /// Bytes that each session moves before and after.
    pub(super) fn bytes(self) -> u64 {
        self.of(8 << 10, 256 << 10)
    }

    /// That of this run.
    pub(super) fn asked() -> Self {
        match std::env::var_os("WICKETGATE_TEST_ALL") {
            Some(_) => Self::All,
            None => Self::Short,
        }
    }
}
