//! Each thread's two buffers for ciphertext, borrowed within one poll, so that no connection owns any.

use std::cell::RefCell;

use super::engine::{HELD_MAX, RIDE_MAX};

/// Most ciphertext asked for by one read(2): four full records and their overhead.
pub(super) const READ_MAX: usize = 4 * RECORD_MAX;
/// Most plaintext encrypted for one write(2): four full records.
pub(super) const WRITE_MAX: usize = 4 * 16_384;

/// A record on the wire: header, 2^14 bytes, and the expansion RFC 8446 5.2 allows.
pub(super) const RECORD_MAX: usize = 5 + 16_384 + 256;

/// Records that rustls puts before the data (key update, alert) and each record's overhead.
const WRITE_MARGIN: usize = 4096;

thread_local! {
    static INCOMING: RefCell<Box<[u8]>> = RefCell::new(vec![0; HELD_MAX + READ_MAX].into_boxed_slice());
    static OUTGOING: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; RIDE_MAX + WRITE_MAX + WRITE_MARGIN].into_boxed_slice());
}

/// Lends this thread's buffer for received ciphertext.
pub(super) fn with_incoming<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    INCOMING.with_borrow_mut(|buffer| work(buffer))
}

/// Lends this thread's buffer for ciphertext about to be written.
pub(super) fn with_outgoing<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    OUTGOING.with_borrow_mut(|buffer| work(buffer))
}
