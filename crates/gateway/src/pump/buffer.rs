//! Read buffers, owned while bytes are on their way and otherwise shared by all sessions of a thread.

use std::cell::RefCell;

/// How much one read can give: a frame of 64 KiB and its header fit.
pub const READ_SIZE: usize = 128 * 1024;

/// Room before the bytes of a read, for what an earlier read left over.
const KEPT_PER_THREAD: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of `READ_SIZE` bytes that goes back to its thread when dropped. Its memory is never
/// zeroed anew, so it is to be read only where it was written.
#[derive(Debug)]
pub struct Buffer(Box<[u8]>);

impl Buffer {
    /// A free buffer of this thread, or a new one.
    pub fn take() -> Self {
        Self(FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; READ_SIZE].into_boxed_slice()))
    }
}

impl std::ops::Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // The thread may be ending: then there is nowhere to keep it.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT_PER_THREAD {
                free.push(bytes);
            }
        });
    }
}

/// Bytes that were judged and have to be written: a read's buffer, or a message put together.
#[derive(Debug, Default)]
pub enum Outgoing {
    /// Nothing.
    #[default]
    Empty,
    /// The part of a read's buffer that goes on.
    Read {
        /// The buffer.
        buffer: Buffer,
        /// The first byte that was not written yet.
        from: usize,
        /// The end of what goes on.
        to: usize,
    },
    /// Frames that were held back, or made here.
    Made {
        /// The frames.
        bytes: Vec<u8>,
        /// The first byte that was not written yet.
        from: usize,
    },
}

impl Outgoing {
    /// What is still to be written.
    pub fn rest(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Read { buffer, from, to } => &buffer[*from..*to],
            Self::Made { bytes, from } => &bytes[*from..],
        }
    }

    /// Notes that `n` bytes were written; lets the buffer go with its last byte.
    pub fn advance(&mut self, n: usize) {
        let done = match self {
            Self::Empty => true,
            Self::Read { from, to, .. } => {
                *from += n;
                from >= to
            }
            Self::Made { bytes, from } => {
                *from += n;
                *from >= bytes.len()
            }
        };
        if done {
            *self = Self::Empty;
        }
    }

    /// Whether nothing is left to write.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_returns_to_its_thread() {
        let mut buffer = Buffer::take();
        buffer[0] = 7;
        let place = buffer.as_ptr();
        drop(buffer);
        assert_eq!(Buffer::take().as_ptr(), place);
    }

    #[test]
    fn what_is_written_is_let_go() {
        let mut out = Outgoing::Made { bytes: vec![1, 2, 3], from: 0 };
        out.advance(2);
        assert_eq!(out.rest(), &[3]);
        out.advance(1);
        assert!(out.is_empty());
    }
}
