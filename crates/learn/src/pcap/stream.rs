//! One direction of a TCP connection: segments in any order become bytes in their order.

use std::collections::BTreeMap;

/// Bytes that wait for those before them.
const MAX_HELD: usize = 4 << 20;
/// Segments that wait for those before them.
const MAX_SEGMENTS: usize = 4_096;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The sequence number of the byte that comes next; none before the first is known.
    next: Option<u32>,
    /// How many bytes came before it.
    position: u64,
    /// Segments that came too early, by how many bytes come before each.
    early: BTreeMap<u64, Vec<u8>>,
    held: usize,
    is_broken: bool,
}

impl Stream {
    /// The number of the first byte is known.
    pub(super) fn begin(&mut self, sequence: u32) {
        self.next.get_or_insert(sequence);
    }

    /// Whether all bytes before this number came.
    pub(super) fn is_at(&self, sequence: u32) -> bool {
        self.next == Some(sequence)
    }

    /// Whether bytes are missing before others that came.
    pub(super) fn has_gap(&self) -> bool {
        self.is_broken || !self.early.is_empty()
    }

    /// Takes a segment; what comes in order goes to `out`. What came once counts: a copy that says otherwise does not.
    pub(super) fn push(&mut self, sequence: u32, payload: &[u8], out: &mut Vec<u8>) {
        let Some(next) = self.next else { return };
        if payload.is_empty() || self.is_broken {
            return;
        }
        // Numbers wrap around: half of them are before, half behind.
        let distance = i64::from(sequence.wrapping_sub(next) as i32);
        match u64::try_from(distance) {
            Ok(0) => self.append(payload, out),
            Ok(distance) => self.hold(self.position.saturating_add(distance), payload),
            Err(_) => {
                let again = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
                self.append(payload.get(again..).unwrap_or_default(), out);
            }
        }
        self.drain(out);
    }

    fn append(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(payload);
        self.position = self.position.saturating_add(payload.len() as u64);
        self.next = self.next.map(|next| next.wrapping_add(payload.len() as u32));
    }

    fn hold(&mut self, position: u64, payload: &[u8]) {
        let known = self.early.get(&position).map_or(0, Vec::len);
        if known >= payload.len() {
            return;
        }
        self.held = self.held - known + payload.len();
        if self.held > MAX_HELD || self.early.len() >= MAX_SEGMENTS {
            self.is_broken = true;
            self.early.clear();
            return;
        }
        self.early.insert(position, payload.to_vec());
    }

    fn drain(&mut self, out: &mut Vec<u8>) {
        while let Some(entry) = self.early.first_entry() {
            let Some(again) = self.position.checked_sub(*entry.key()) else { return };
            let payload = entry.remove();
            self.held -= payload.len();
            let again = usize::try_from(again).unwrap_or(usize::MAX);
            self.append(payload.get(again..).unwrap_or_default(), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(first: u32, segments: &[(u32, &str)]) -> (String, bool) {
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        stream.begin(first);
        for (at, text) in segments {
            stream.push(first.wrapping_add(*at), text.as_bytes(), &mut out);
        }
        (String::from_utf8_lossy(&out).into_owned(), stream.has_gap())
    }

    #[test]
    fn bytes_come_in_their_order() {
        for first in [0, 1_000, u32::MAX - 2] {
            for segments in [
                &[(0, "abc"), (3, "def")][..],
                &[(3, "def"), (0, "abc")],
                &[(0, "abc"), (0, "abc"), (3, "def"), (1, "bc")],
                &[(0, "abcd"), (2, "XXef")],
                &[(4, "ef"), (2, "cd"), (0, "ab")],
                &[(2, "c"), (2, "cde"), (0, "ab"), (5, "f")],
                &[(3, "def"), (0, "abc"), (0, "aXX")],
            ] {
                assert_eq!(joined(first, segments), ("abcdef".into(), false), "{segments:?}");
            }
            assert_eq!(joined(first, &[(0, "ab"), (3, "d")]), ("ab".into(), true));
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        stream.begin(0);
        for at in 1..200 {
            stream.push(at * 100_000, &[0; 65_536], &mut out);
            assert!(stream.held <= MAX_HELD + 65_536);
        }
        assert!(stream.has_gap() && stream.early.is_empty());
        let mut stream = Stream::default();
        stream.begin(0);
        (1..10_000).for_each(|at| stream.push(at * 2, b"x", &mut out));
        assert!(stream.has_gap() && stream.early.is_empty() && out.is_empty());
    }
}
