//! What a session has moved, for progress and audit.

/// Totals over all carriers; bytes are those of the stream, records and their headers apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Carriers that were attached.
    pub attaches: u64,
    /// Carriers dropped for a [`Fault`](super::Fault).
    pub faults: u64,
    /// Bytes taken from the application.
    pub written: u64,
    /// Bytes sent, also those sent again.
    pub sent: u64,
    /// Bytes sent again.
    pub resent: u64,
    /// Bytes received, each once.
    pub received: u64,
    /// Bytes received again, and dropped.
    pub repeated: u64,
    /// Bytes read by the application.
    pub read: u64,
}
