//! Entry points for fuzzing: any bytes in, a panic where a promise of the session is broken.
//!
//! They are compiled always, so that the committed corpus is replayed by ordinary tests.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    Authenticator, Break, Limits, Role, Session, SessionId,
    attach::Key,
    record::{self, Attach},
};

const ID: SessionId = SessionId(*b"fuzz-fuzz-fuzz-f");
/// Buffers of two directions beside what they hold, and the one for small records.
const SLACK: usize = 3 * (64 << 10);

/// No MAC, but it differs wherever the data does.
struct Sum;

impl Authenticator for Sum {
    fn tag(&self, data: &[u8]) -> [u8; 32] {
        let mut tag = [0x5a_u8; 32];
        for (at, byte) in data.iter().enumerate() {
            tag[at % 32] = tag[at % 32].rotate_left(3) ^ byte;
        }
        tag
    }
}

/// The end under test, and what its peer remembers.
struct Peer {
    session: Session,
    epoch: u64,
    now: Duration,
}

impl Peer {
    fn new(limits: Limits, keyed: bool) -> Self {
        let mut session = Session::new(Role::Agent, ID, limits, 1, Duration::ZERO);
        if keyed {
            session.set_key(Box::new(Sum));
        }
        Self { session, epoch: 0, now: Duration::ZERO }
    }

    /// Attaches as an honest peer would; false where the session has ended.
    fn attach(&mut self) -> bool {
        if self.session.offer(self.now).is_none() {
            assert!(self.session.ended().is_some() || !self.session.has_key());
            return false;
        }
        self.epoch += 1;
        let received = self.session.outbound.acknowledged();
        let mut attach =
            Attach { session: ID, epoch: self.epoch, received, window: received + 500, tag: [0; 32] };
        if self.session.has_key() {
            attach.tag = Key(Box::new(Sum)).tag(Role::Client, &attach);
        }
        let mut input = BytesMut::from(&attach.encode()[..]);
        let attached = self.session.accept(&mut input, self.now);
        assert!(matches!(attached, Ok(Some(_))), "an honest peer is refused: {attached:?}");
        assert!(input.is_empty());
        true
    }

    /// Gives `bytes` in pieces, what is left carried over, and lets `after` look in between.
    fn receive(&mut self, bytes: &[u8], cut: usize, mut after: impl FnMut(&mut Self)) -> Result<(), Break> {
        let mut input = BytesMut::new();
        for piece in bytes.chunks(cut) {
            input.extend_from_slice(piece);
            self.session.receive(&mut input, self.now)?;
            assert!(input.len() < record::LONGEST, "{} bytes are carried over", input.len());
            after(self);
            let limits = &self.session.limits;
            let bound = limits.replay as usize + limits.window as usize + SLACK;
            assert!(self.session.memory() <= bound, "{} bytes are held", self.session.memory());
        }
        Ok(())
    }
}

fn limits(window: u8) -> Limits {
    Limits { replay: 300, window: u32::from(window) * 8, chunk: 64, record: 512, ..Limits::default() }
}

/// Numbers that choose limits, key and cuts, and behind them what a peer sends after its ATTACH.
pub fn records(data: &[u8]) {
    let Some((&[flags, window, cut, seconds], bytes)) = data.split_first_chunk() else { return };
    let keyed = flags & 1 == 1;
    // However the bytes come, they say the same.
    let outcomes = [usize::MAX, 1, usize::from(cut) + 1].map(|cut| {
        let mut peer = Peer::new(limits(window), keyed);
        assert!(peer.attach());
        peer.session.write(&[b'w'; 200]);
        peer.session.transmit(&mut BytesMut::new(), 150, peer.now);
        let outcome = peer.receive(bytes, cut, |_| {});
        (outcome, peer.session.read(usize::MAX), peer.session.counters().received, peer.session.is_flushed())
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
    // With everything else going on, and a new carrier after each fault.
    let mut peer = Peer::new(limits(window), keyed);
    let mut out = BytesMut::new();
    for bytes in bytes.chunks(300) {
        if !peer.session.is_attached() && !peer.attach() {
            break;
        }
        let _ = peer.receive(bytes, usize::from(cut) + 1, |peer| {
            peer.session.write(b"some more");
            peer.session.consume(usize::from(flags >> 1));
            out.clear();
            assert!(peer.session.transmit(&mut out, 512, peer.now) <= 512);
            peer.now += Duration::from_millis(u64::from(seconds) * 100);
            let _ = peer.session.handle_timeout(peer.now);
        });
    }
    serve_after(peer);
}

/// What comes on a carrier before it is attached.
pub fn attach(data: &[u8]) {
    let Some((&[flags], mut bytes)) = data.split_first_chunk() else { return };
    let mut peer = Peer::new(limits(40), flags & 1 == 1);
    if flags & 2 == 2 {
        assert!(peer.attach());
    }
    if flags & 4 == 4 {
        // The right name, so that what is behind it is reached.
        let named = [&[record::ATTACH, record::VERSION], &ID.0[..], bytes].concat();
        return attach_bytes(peer, &named);
    }
    if flags & 8 == 8 {
        bytes = bytes.get(..usize::from(flags)).unwrap_or(bytes);
    }
    attach_bytes(peer, bytes);
}

fn attach_bytes(mut peer: Peer, bytes: &[u8]) {
    let was_attached = peer.session.is_attached();
    let Some(_) = peer.session.offer(peer.now) else { return };
    let mut input = BytesMut::from(bytes);
    match peer.session.accept(&mut input, peer.now) {
        // An epoch as high as can be would leave none for the honest peer.
        Ok(Some(_)) => return,
        Ok(None) => assert!(bytes.len() < record::LONGEST),
        Err(Break::Fault(_)) => assert_eq!(peer.session.is_attached(), was_attached),
        Err(Break::Ended(_)) => assert!(peer.session.ended().is_some()),
    }
    serve_after(peer);
}

/// Whatever came before: if the session has not ended, an honest peer attaches and its bytes arrive.
fn serve_after(mut peer: Peer) {
    if !peer.attach() {
        return;
    }
    peer.session.consume(usize::MAX);
    let offset = peer.session.inbound.received();
    let mut sent = BytesMut::new();
    sent.put_slice(&record::data_header(offset, 1));
    sent.put_slice(b"!");
    let outcome = peer.session.receive(&mut sent, peer.now);
    if peer.session.is_at_end() || peer.session.inbound.window_end() == offset {
        return;
    }
    assert_eq!(outcome, Ok(()));
    assert_eq!(peer.session.read(9), Bytes::from_static(b"!"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cases() -> ProptestConfig {
        let cases = std::env::var("RELAY_SESSION_CASES").ok().and_then(|cases| cases.parse().ok());
        ProptestConfig::with_cases(cases.unwrap_or(200))
    }

    /// Records that nearly fit, one after the other.
    fn record() -> impl Strategy<Value = Vec<u8>> {
        let offset = prop_oneof![0u64..400, Just(u64::MAX)];
        prop_oneof![
            (offset.clone(), 0u32..80, 0usize..80).prop_map(|(offset, length, len)| {
                [&record::data_header(offset, length)[..], &vec![b'd'; len]].concat()
            }),
            // What would be right where nothing has come before.
            (1u32..40).prop_map(|length| {
                [&record::data_header(0, length)[..], &vec![b'0'; length as usize]].concat()
            }),
            (offset.clone(), offset.clone())
                .prop_map(|(received, window)| record::ack_record(received, window).to_vec()),
            (4u8..7, offset).prop_map(|(kind, number)| record::number_record(kind, number).to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ]
    }

    proptest! {
        #![proptest_config(cases())]
        #[test]
        fn any_records(head in any::<[u8; 4]>(), all in prop::collection::vec(record(), 0..20)) {
            records(&[&head[..], &all.concat()].concat());
        }

        #[test]
        fn any_attach(bytes in prop::collection::vec(any::<u8>(), 0..120), flags in any::<u8>()) {
            attach(&[&[flags][..], &bytes].concat());
        }
    }
}
