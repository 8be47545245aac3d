//! What is refused, that it ends no more than its carrier, and that the next honest carrier is served.

use super::*;
use crate::session::{By, Ended, Reason, close_record, record};

const NOW: Duration = Duration::ZERO;

/// Limits at which 100 bytes fill a direction.
fn small() -> Limits {
    Limits { replay: 100, window: 100, chunk: 40, record: 50, ..Limits::default() }
}

/// An attached agent that has received 20 bytes and sent 30, of which 10 are acknowledged.
fn busy() -> Pair {
    let mut pair = Pair::new(&small());
    pair.client.write(&stream(0, 0, 20));
    pair.agent.write(&stream(1, 0, 10));
    pair.pump();
    pair.client.handle_timeout(Duration::from_secs(1)).unwrap();
    pair.agent.handle_timeout(Duration::from_secs(1)).unwrap();
    pair.pump();
    assert!(pair.client.is_flushed() && pair.agent.is_flushed());
    pair.agent.write(&stream(1, 10, 20));
    pair.agent.transmit(&mut BytesMut::new(), 512, NOW);
    pair
}

/// What comes instead of the client's next records, and the fault it must be.
fn refused(sent: &[u8], expected: Fault) {
    let mut pair = busy();
    assert_eq!(fault(pair.agent.receive(&mut bytes(sent), NOW)), expected);
    assert!(!pair.agent.is_attached() && pair.agent.ended().is_none());
    assert_eq!(pair.agent.counters().faults, 1);
    assert_eq!(fault(pair.agent.receive(&mut bytes(sent), NOW)), Fault::Detached);
    assert_eq!(pair.agent.transmit(&mut BytesMut::new(), 512, NOW), 0);
    pair.client.detach(NOW);
    served(pair);
}

/// A new carrier, over which everything gets through once.
fn served(mut pair: Pair) {
    pair.attach();
    pair.client.write(&stream(0, 20, 30));
    pair.pump();
    assert_eq!(pair.agent.read(1000)[..], stream(0, 0, 50)[..]);
    let mut all = pair.client.read(10).to_vec();
    all.extend_from_slice(&pair.client.read(1000));
    assert_eq!(all, stream(1, 0, 30));
}

#[test]
fn records_that_break_the_rules() {
    let data = record::data_header;
    refused(&data(21, 5), Fault::Gap { expected: 20, found: 21 });
    refused(&data(19, 5), Fault::Gap { expected: 20, found: 19 });
    refused(&data(u64::MAX, 5), Fault::Gap { expected: 20, found: u64::MAX });
    refused(&data(20, 0), Fault::EmptyData);
    refused(&data(20, 51), Fault::DataTooLong(51));
    refused(&data(20, u32::MAX), Fault::DataTooLong(u32::MAX));
    refused(&record::ack_record(9, 110), Fault::AckBackward);
    refused(&record::ack_record(31, 131), Fault::FutureOffset { offset: 31, sent: 30 });
    refused(&record::ack_record(u64::MAX, u64::MAX), Fault::FutureOffset { offset: u64::MAX, sent: 30 });
    refused(&record::ack_record(10, 99), Fault::WindowBackward);
    refused(&record::number_record(record::PONG, 1), Fault::UnaskedPong);
    refused(&record::number_record(record::FIN, 19), Fault::Gap { expected: 20, found: 19 });
    refused(&record::number_record(record::FIN, 21), Fault::Gap { expected: 20, found: 21 });
    refused(&[0], Fault::UnknownRecord(0));
    refused(&[8, 1, 2, 3], Fault::UnknownRecord(8));
    refused(&[record::CLOSE, 0, 1, 2, 0], Fault::CloseText);
    refused(&[record::CLOSE, 0, 1, 0, 1, 0x80], Fault::CloseText);
    refused(&[record::ATTACH, 9], Fault::Version(9));
    refused(&attach(5, 20, 120, KEY).encode(), Fault::AttachedTwice);
}

#[test]
fn bytes_over_the_window() {
    let mut pair = busy();
    pair.client.write(&stream(0, 20, 80));
    let mut sent = BytesMut::new();
    assert_eq!((pair.client.transmit(&mut sent, 512, NOW), pair.client.writable()), (80 + 2 * 13, 0));
    pair.agent.receive(&mut sent, NOW).unwrap();
    let over = [&record::data_header(100, 1)[..], b"x"].concat();
    assert_eq!(fault(pair.agent.receive(&mut bytes(&over), NOW)), Fault::BeyondWindow);
    assert_eq!(pair.agent.read(1000)[..], stream(0, 0, 100)[..]);
    pair.detach();
    pair.attach();
    pair.client.write(&stream(0, 100, 10));
    pair.pump();
    assert_eq!(pair.agent.read(1000)[..], stream(0, 100, 10)[..]);
}

#[test]
fn bytes_behind_the_end() {
    let mut pair = busy();
    pair.client.finish();
    pair.client.detach(NOW);
    pair.agent.detach(NOW);
    pair.attach();
    pair.pump();
    let more = [&record::data_header(20, 1)[..], b"x"].concat();
    assert_eq!(fault(pair.agent.receive(&mut bytes(&more), NOW)), Fault::AfterFin);
    pair.client.detach(NOW);
    pair.attach();
    pair.pump();
    assert_eq!(pair.agent.read(1000)[..], stream(0, 0, 20)[..]);
    assert!(pair.agent.is_at_end() && !pair.client.is_at_end());
    assert_eq!((pair.client.writable(), pair.client.write(b"x")), (0, 0));
}

fn attach(epoch: u64, received: u64, window: u64, key: TestKey) -> Attach {
    tagged(Role::Client, Attach { session: ID, epoch, received, window, tag: [0; 32] }, key)
}

/// What comes first on a carrier beside the attached one, and the fault it must be.
fn not_attached(sent: &[u8], expected: Fault) {
    let mut pair = busy();
    pair.agent.offer(NOW).unwrap();
    assert_eq!(fault(pair.agent.accept(&mut bytes(sent), NOW)), expected);
    assert!(pair.agent.is_attached(), "{expected:?} has cost the carrier that was attached");
    assert_eq!(fault(pair.agent.accept(&mut bytes(sent), NOW)), Fault::Detached);
    pair.detach();
    pair.agent.offer(NOW).unwrap();
    assert_eq!(fault(pair.agent.accept(&mut bytes(sent), NOW)), expected);
    assert!(!pair.agent.is_attached() && pair.agent.ended().is_none());
    served(pair);
}

#[test]
fn carriers_that_prove_nothing() {
    let right = attach(2, 10, 110, KEY);
    for old in [0, 1] {
        let stale = Fault::StaleEpoch { epoch: old, newest: 1 };
        not_attached(&attach(old, 10, 110, KEY).encode(), stale);
    }
    not_attached(&attach(2, 31, 131, KEY).encode(), Fault::FutureOffset { offset: 31, sent: 30 });
    not_attached(&attach(2, 10, 9, KEY).encode(), Fault::WindowBackward);
    not_attached(&attach(2, 10, 110, TestKey(1)).encode(), Fault::WrongTag);
    not_attached(&tagged(Role::Agent, right.clone(), KEY).encode(), Fault::WrongTag);
    not_attached(&Attach { tag: [0; 32], ..right.clone() }.encode(), Fault::Unverified);
    let foreign = Attach { session: SessionId([8; 16]), ..right.clone() };
    not_attached(&tagged(Role::Client, foreign, KEY).encode(), Fault::ForeignSession);
    not_attached(&[record::ATTACH, 0], Fault::Version(0));
    not_attached(b"HTTP/1.1 403 Forbidden", Fault::NotAttach(b'H'));
    not_attached(&[record::DATA], Fault::NotAttach(record::DATA));
    // Each bit counts.
    let encoded = right.encode();
    for bit in 0..encoded.len() * 8 {
        let mut sent = bytes(&encoded);
        sent[bit / 8] ^= 1 << (bit % 8);
        let mut pair = busy();
        pair.agent.offer(NOW).unwrap();
        fault(pair.agent.accept(&mut sent, NOW));
        assert!(pair.agent.is_attached() && pair.agent.ended().is_none());
    }
    let mut pair = busy();
    pair.agent.offer(NOW).unwrap();
    for cut in 0..encoded.len() {
        assert_eq!(pair.agent.accept(&mut bytes(&encoded[..cut]), NOW), Ok(None));
    }
    let attached = pair.agent.accept(&mut bytes(&encoded), NOW);
    assert_eq!(attached, Ok(Some(Attached { first: false, again: 20 })));
}

#[test]
fn an_offset_that_is_no_longer_held_ends_the_session() {
    let mut pair = busy();
    pair.agent.offer(NOW).unwrap();
    let outcome = pair.agent.accept(&mut bytes(&attach(2, 9, 109, KEY).encode()), NOW);
    let Err(Break::Ended(ended)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((ended.reason, ended.by), (Reason::RewindImpossible, By::Here));
    // The carrier that was attached is told too, once.
    let mut out = BytesMut::new();
    pair.agent.transmit(&mut out, 512, NOW);
    assert_eq!(pair.agent.transmit(&mut out, 512, NOW), 0);
    assert_eq!(out, ended.record());
    let told = pair.client.receive(&mut out, NOW).unwrap_err();
    assert_eq!(told, Break::Ended(Ended { by: By::Peer, ..ended }));
    assert_eq!(pair.agent.read(1000)[..], stream(0, 0, 20)[..], "what was received can be read");
    assert_eq!((pair.agent.write(b"x"), pair.agent.offer(NOW)), (0, None));
}

#[test]
fn a_close_ends_the_session_in_place_of_attach_and_later() {
    let close = close_record(Reason::Other(700), "later");
    let expected = Ended { reason: Reason::Other(700), text: "later".into(), by: By::Peer };
    let mut pair = busy();
    assert_eq!(pair.agent.receive(&mut bytes(&close), NOW), Err(Break::Ended(expected.clone())));
    assert_eq!(pair.agent.transmit(&mut BytesMut::new(), 512, NOW), 0);
    pair.client.detach(NOW);
    pair.client.offer(NOW).unwrap();
    assert_eq!(pair.client.accept(&mut bytes(&close), NOW), Err(Break::Ended(expected)));
    let mut pair = busy();
    pair.client.close(Reason::Operator, "x");
    pair.client.close(Reason::Normal, "the first end counts");
    carry_end(&mut pair.client, &mut pair.agent, Reason::Operator);
}

fn carry_end(from: &mut Session, to: &mut Session, reason: Reason) {
    let mut out = BytesMut::new();
    from.transmit(&mut out, 512, NOW);
    assert!(matches!(to.receive(&mut out, NOW), Err(Break::Ended(ended)) if ended.reason == reason));
}

#[test]
fn without_a_key_only_what_has_not_begun_can_be_attached_again() {
    let mut pair = Pair::without_key(&small());
    // The agent's ATTACH is lost, and what it sent behind it.
    let from_client = pair.client.offer(NOW).unwrap();
    pair.agent.offer(NOW).unwrap();
    pair.agent.accept(&mut bytes(&from_client), NOW).unwrap().unwrap();
    assert_eq!(pair.agent.write(b"hello"), 5);
    pair.agent.transmit(&mut BytesMut::new(), 512, NOW);
    pair.detach();
    assert!(pair.agent.ended().is_none());
    let (client, agent) = pair.attach();
    assert_eq!((client.first, agent), (true, Attached { first: false, again: 5 }));
    pair.pump();
    assert_eq!(pair.client.peek(), b"hello");
    // Now it has begun: another carrier is refused while this one lives, and nothing is left without it.
    let again = Attach { session: ID, epoch: 9, received: 0, window: 100, tag: [0; 32] };
    assert_eq!(pair.client.offer(NOW), None);
    assert_eq!(fault(pair.client.accept(&mut bytes(&again.encode()), NOW)), Fault::Detached);
    pair.client.detach(NOW);
    assert_eq!(pair.client.ended().unwrap().reason, Reason::Unverified);
}

#[test]
fn the_end_with_the_key_and_the_end_without_find_that_they_cannot_go_on() {
    let mut pair = Pair::without_key(&small());
    pair.attach();
    pair.client.write(b"hello");
    pair.agent.write(b"hello, here is who I am");
    pair.pump();
    pair.client.set_key(Box::new(KEY));
    pair.client.write(b"and this is me");
    // Lost with the carrier; the agent does not know yet.
    pair.client.detach(NOW);
    let attach = pair.client.offer(NOW).unwrap();
    assert_eq!(pair.agent.offer(NOW), None);
    pair.agent.detach(NOW);
    let Err(Break::Ended(ended)) = pair.agent.accept(&mut bytes(&attach), NOW) else { panic!() };
    assert_eq!(ended.reason, Reason::Unverified);
    // Whoever strips the tag does not get in; the agent's word ends it.
    let plain = Attach { session: ID, epoch: 2, received: 0, window: 100, tag: [0; 32] };
    assert_eq!(fault(pair.client.accept(&mut bytes(&plain.encode()), NOW)), Fault::Unverified);
    pair.client.offer(NOW).unwrap();
    assert!(pair.client.accept(&mut bytes(&ended.record()), NOW).is_err());
    assert!(pair.client.ended().unwrap().reason.retryable());
}

#[test]
fn an_end_without_key_takes_no_tag_for_proof() {
    let tagged = attach(2, 0, 100, KEY).encode();
    let mut pair = Pair::without_key(&small());
    pair.agent.offer(NOW).unwrap();
    let ahead = Attach { session: ID, epoch: 1, received: 1, window: 100, tag: [0; 32] };
    assert_eq!(fault(pair.agent.accept(&mut bytes(&ahead.encode()), NOW)), Fault::Unverified);
    // Beside a carrier that works it is only refused.
    pair.attach();
    pair.agent.offer(NOW).unwrap();
    assert_eq!(fault(pair.agent.accept(&mut bytes(&tagged), NOW)), Fault::Unverified);
    assert!(pair.agent.is_attached());
    // Without one it shows that the peer has gone further than this end can follow.
    pair.agent.detach(NOW);
    pair.agent.offer(NOW).unwrap();
    let Err(Break::Ended(ended)) = pair.agent.accept(&mut bytes(&tagged), NOW) else { panic!() };
    assert_eq!((ended.reason, ended.by), (Reason::Unverified, By::Here));
}

#[test]
fn an_epoch_forged_before_the_key_does_not_lock_the_peer_out() {
    let mut pair = Pair::without_key(&small());
    let from_client = pair.client.offer(NOW).unwrap();
    pair.agent.offer(NOW).unwrap();
    pair.client.accept(&mut bytes(&plain(1)), NOW).unwrap().unwrap();
    pair.agent.accept(&mut bytes(&plain(u64::MAX)), NOW).unwrap().unwrap();
    assert_eq!(from_client.len(), record::ATTACH_LEN);
    pair.client.write(&stream(0, 0, 20));
    pair.agent.write(&stream(1, 0, 30));
    pair.pump();
    pair.client.set_key(Box::new(KEY));
    pair.agent.set_key(Box::new(KEY));
    pair.detach();
    served(pair);
}

fn plain(epoch: u64) -> Vec<u8> {
    Attach { session: ID, epoch, received: 0, window: 100, tag: [0; 32] }.encode().to_vec()
}
