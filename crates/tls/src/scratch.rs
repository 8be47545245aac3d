//! Each thread's buffers for ciphertext, borrowed within one poll, so that no connection owns any.
//!
//! Where TLS runs over TLS, a poll of the outer one lies within a poll of the inner one: each takes a buffer of its own.

use std::cell::RefCell;

use crate::engine::{HELD_MAX, RIDE_MAX};

/// Most ciphertext asked for by one read(2): four full records and their overhead.
pub(crate) const READ_MAX: usize = 4 * RECORD_MAX;
/// Most plaintext encrypted for one write(2): four full records.
pub(crate) const WRITE_MAX: usize = 4 * 16_384;

/// A record on the wire: header, 2^14 bytes, and the expansion RFC 8446 5.2 allows.
pub(crate) const RECORD_MAX: usize = 5 + 16_384 + 256;

/// Slices of up to so many bytes share a record.
pub(crate) const SMALL: usize = 1024;

/// What a record takes beside its data in the suites that there are: header, type and tag.
pub(crate) const OVERHEAD: usize = 5 + 1 + 16;

/// Records that rustls puts before the data (key update, alert), and the overhead of as many records as one write makes: two for
/// each slice that shares none.
const WRITE_MARGIN: usize = 1024 + 2 * (WRITE_MAX / SMALL + 1) * OVERHEAD;
const INCOMING: usize = HELD_MAX + READ_MAX;
const OUTGOING: usize = RIDE_MAX + WRITE_MAX + WRITE_MARGIN;
/// How many buffers of a kind a thread keeps: as many as one TLS lies within another.
const KEPT: usize = 3;

type Buffers = RefCell<Vec<Box<[u8]>>>;

thread_local! {
    static READING: Buffers = const { RefCell::new(Vec::new()) };
    static WRITING: Buffers = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's buffer for received ciphertext.
pub(crate) fn with_incoming<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    READING.with(|kept| with(kept, INCOMING, work))
}

/// Lends this thread's buffer for ciphertext about to be written.
pub(crate) fn with_outgoing<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    WRITING.with(|kept| with(kept, OUTGOING, work))
}

fn with<T>(kept: &Buffers, length: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    let free = kept.borrow_mut().pop();
    let mut buffer = free.unwrap_or_else(|| vec![0; length].into_boxed_slice());
    let done = work(&mut buffer);
    let mut kept = kept.borrow_mut();
    if kept.len() < KEPT {
        kept.push(buffer);
    }
    done
}
