//! Buffers that are kept for whoever moves bytes next: a connection at rest holds none, and one at work needs no new one.

use std::cell::RefCell;

use bytes::BytesMut;

/// The room of a buffer, in bytes.
pub(crate) const ROOM: usize = 64 << 10;
/// What a connection at rest may hold of a record that has not come whole, in bytes.
const LITTLE: usize = 512;
/// How many each thread keeps.
const KEPT: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Sees to it that a buffer has room for as much as is read at once.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() >= ROOM / 2 {
        return;
    }
    if buffer.len() > LITTLE {
        return buffer.reserve(ROOM);
    }
    let mut roomy = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    roomy.reserve(ROOM);
    roomy.extend_from_slice(buffer);
    keep(std::mem::replace(buffer, roomy));
}

/// Leaves a buffer to others; the little that is in it stays, in a small one.
pub(crate) fn leave(buffer: &mut BytesMut) {
    if buffer.len() <= LITTLE && buffer.try_reclaim(ROOM / 2) {
        let little = BytesMut::from(&buffer[..]);
        keep(std::mem::replace(buffer, little));
    }
}

fn keep(mut buffer: BytesMut) {
    buffer.clear();
    // What is larger was for once.
    if buffer.try_reclaim(ROOM / 2) && buffer.capacity() <= 4 * ROOM {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_never_with_what_was_in_it() {
        let mut buffer = BytesMut::new();
        make_room(&mut buffer);
        let place = buffer.as_ptr();
        buffer.extend_from_slice(&[7; LITTLE + 1]);
        leave(&mut buffer);
        assert_eq!((buffer.len(), buffer.as_ptr()), (LITTLE + 1, place), "it is in use");
        buffer.truncate(10);
        leave(&mut buffer);
        assert_eq!(buffer, [7; 10][..]);
        assert!(buffer.capacity() <= LITTLE, "{} bytes for the little that has come", buffer.capacity());
        let mut other = BytesMut::new();
        make_room(&mut other);
        assert!(other.is_empty() && other.capacity() >= ROOM);
        assert_eq!(other.as_ptr(), place);
        make_room(&mut buffer);
        assert_eq!(buffer, [7; 10][..]);
        assert!(buffer.capacity() >= ROOM);
    }
}
