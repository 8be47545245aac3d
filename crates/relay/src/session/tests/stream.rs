//! The stream itself: bounds, cuts inside records, two carriers at once, pieces.

use bytes::{Buf, Bytes};

use super::*;
use crate::session::record;

const NOW: Duration = Duration::ZERO;

#[test]
fn a_cut_inside_a_record_costs_no_byte_that_came() {
    let mut pair = Pair::new(&Limits::default());
    pair.client.write(&stream(0, 0, 1000));
    let mut sent = BytesMut::new();
    pair.client.transmit(&mut sent, 4096, NOW);
    sent.truncate(record::DATA_HEADER + 321);
    pair.agent.receive(&mut sent, NOW).unwrap();
    assert_eq!(pair.agent.peek(), stream(0, 0, 321));
    pair.detach();
    assert_eq!(pair.attach(), (Attached { first: false, again: 679 }, Attached { first: false, again: 0 }));
    pair.pump();
    assert_eq!(pair.agent.read(2000)[..], stream(0, 0, 1000)[..]);
    let counters = pair.client.counters();
    assert_eq!((counters.sent, counters.resent, counters.attaches), (1679, 679, 2));
    assert_eq!((pair.agent.counters().received, pair.agent.counters().repeated), (1000, 0));
}

#[test]
fn a_slow_reader_and_a_peer_that_never_acknowledges_stop_the_writer() {
    let limits = Limits { replay: 1 << 20, window: 1 << 19, ahead: 1 << 20, ..Limits::default() };
    let mut pair = Pair::new(&limits);
    let data = vec![1; 1 << 16];
    let (mut written, mut out) = (0, BytesMut::new());
    for _ in 0..1000 {
        written += pair.client.write(&data);
        pair.pump();
    }
    assert_eq!((written, pair.client.writable()), (1 << 19, 0));
    assert!(pair.agent.memory() <= (1 << 19) + (1 << 17), "{} bytes", pair.agent.memory());
    // It reads: the writer may go on, and memory comes back.
    assert_eq!(pair.agent.read(9999).len(), 9999);
    pair.agent.consume(usize::MAX);
    pair.pump();
    assert!(pair.client.writable() > 1 << 18, "{}", pair.client.writable());
    assert_eq!(pair.agent.memory(), 0);
    // It reads but its ACKs are lost: what is held is never dropped, nor more than the replay buffer taken.
    let mut written = 0;
    for _ in 0..1000 {
        pair.client.outbound.attach(pair.client.outbound.acknowledged(), u64::MAX, NOW);
        written += pair.client.write(&data);
        while pair.client.transmit(&mut out, 1 << 20, NOW) > 0 {
            out.clear();
        }
    }
    assert!(written < 400 << 10, "{written} bytes were taken");
    pair.detach();
    for _ in 0..1000 {
        written += pair.client.write(&data);
    }
    assert_eq!(written, 1 << 20);
    assert!(pair.client.memory() <= (1 << 20) + (1 << 17), "{} bytes", pair.client.memory());
}

#[test]
fn little_waits_in_front_of_what_is_written_next_while_a_carrier_takes_bytes() {
    let mut pair = Pair::new(&Limits { ahead: 1000, ..Limits::default() });
    assert_eq!((pair.client.write(&stream(0, 0, 5000)), pair.client.writable()), (1000, 0));
    let mut sent = BytesMut::new();
    pair.client.transmit(&mut sent, record::DATA_HEADER + 400, NOW);
    assert_eq!((pair.client.writable(), pair.client.is_roomy()), (400, false));
    pair.client.transmit(&mut sent, record::DATA_HEADER + 100, NOW);
    assert_eq!((pair.client.writable(), pair.client.is_roomy()), (500, true));
    pair.agent.receive(&mut sent, NOW).unwrap();
    // Without a carrier it is kept, and sent before anything else is taken.
    pair.detach();
    assert_eq!(pair.client.write(&stream(0, 1000, 5000)), 5000);
    pair.attach();
    assert_eq!(pair.client.writable(), 0);
    pair.pump();
    assert_eq!(pair.client.writable(), 1000);
    let mut came = Vec::new();
    while !pair.agent.peek().is_empty() {
        came.extend_from_slice(&pair.agent.read(9000));
    }
    assert!(came == stream(0, 0, 6000), "{} bytes came", came.len());
}

#[test]
fn single_bytes_take_little_more_memory_than_bytes() {
    let mut pair = Pair::new(&Limits { window: 1 << 18, replay: 1 << 18, ..Limits::default() });
    let mut pieces: Vec<Bytes> = Vec::new();
    while pair.client.write_shared(&mut Bytes::from_static(b"x")) == 1 {
        pair.client.transmit_pieces(&mut pieces, 512, NOW);
        for piece in pieces.drain(..) {
            pair.agent.receive(&mut bytes(&piece), NOW).unwrap();
        }
        pair.agent.transmit(&mut BytesMut::new(), 512, NOW);
    }
    for end in [&pair.client, &pair.agent] {
        assert!(1 << 18 <= end.memory() && end.memory() <= (1 << 18) + (1 << 16), "{}", end.memory());
    }
}

#[test]
fn a_second_carrier_takes_over_and_nothing_comes_twice() {
    let limits = Limits { ack_every: 100, window: 10_000, ..Limits::default() };
    let mut pair = Pair::new(&limits);
    pair.client.write(&stream(0, 0, 500));
    pair.pump();
    let (from_client, from_agent) = (pair.client.offer(NOW).unwrap(), pair.agent.offer(NOW).unwrap());
    // The old carrier goes on meanwhile, but what the agent has offered stays resendable.
    pair.client.write(&stream(0, 500, 700));
    pair.pump();
    assert_eq!(pair.agent.counters().received, 1200);
    assert_eq!(pair.client.outbound.acknowledged(), 500);
    let attached = pair.client.accept(&mut bytes(&from_agent), NOW).unwrap().unwrap();
    assert_eq!(attached, Attached { first: false, again: 700 });
    pair.client.write(&stream(0, 1200, 50));
    let mut behind = bytes(&from_client);
    pair.client.transmit(&mut behind, 4096, NOW);
    pair.agent.accept(&mut behind, NOW).unwrap().unwrap();
    pair.agent.receive(&mut behind, NOW).unwrap();
    assert_eq!(pair.agent.counters().repeated, 700);
    assert_eq!(pair.agent.read(2000)[..], stream(0, 0, 1250)[..]);
    pair.pump();
    assert_eq!(pair.client.outbound.acknowledged(), 1250);
}

#[test]
fn an_offer_that_comes_to_nothing_does_not_hold_acks_for_ever() {
    let mut pair = Pair::new(&Limits::default());
    pair.agent.offer(NOW).unwrap();
    pair.client.write(&[1; 100]);
    carry(&mut pair.client, &mut pair.agent, NOW);
    assert_eq!(pair.agent.transmit(&mut BytesMut::new(), 512, NOW), 0);
    let mut at = pair.agent.poll_timeout().unwrap();
    while pair.agent.is_attached() {
        at = pair.agent.poll_timeout().unwrap();
        let mut out = BytesMut::new();
        if let Err(end) = pair.agent.handle_timeout(at) {
            assert_eq!(end, Break::Fault(Fault::Unanswered));
        } else if pair.agent.transmit(&mut out, 512, NOW) > 0 {
            pair.client.receive(&mut out, at).unwrap();
            carry(&mut pair.client, &mut pair.agent, at);
        }
    }
    assert_eq!(at, Duration::from_secs(30));
    pair.client.detach(at);
    pair.now = at;
    pair.attach();
    pair.pump();
    assert_eq!(pair.agent.peek(), [1; 100]);
}

#[test]
fn control_goes_ahead_of_data_and_every_limit_is_kept() {
    let limits = Limits { chunk: 100, ..Limits::default() };
    let mut pair = Pair::new(&limits);
    pair.client.receive(&mut bytes(&record::number_record(record::PING, 77)), NOW).unwrap();
    pair.client.receive(&mut bytes(&record::number_record(record::PING, 78)), NOW).unwrap();
    pair.client.write(&stream(0, 0, 250));
    let mut out = BytesMut::new();
    assert_eq!(pair.client.transmit(&mut out, 8, NOW), 0);
    assert_eq!(pair.client.transmit(&mut out, 9, NOW), 9, "one PONG, to the last PING");
    assert_eq!(out[..], record::number_record(record::PONG, 78));
    out.clear();
    assert_eq!(pair.client.transmit(&mut out, 13, NOW), 0);
    assert_eq!(pair.client.transmit(&mut out, 14, NOW), 14);
    assert_eq!(pair.client.transmit(&mut out, 512, NOW), 2 * 113 + 13 + 49);
    pair.client.finish();
    assert_eq!(pair.client.transmit(&mut out, 512, NOW), 9);
    pair.agent.receive(&mut out, NOW).unwrap();
    assert_eq!(pair.agent.read(99)[..], stream(0, 0, 99)[..]);
    assert!(!pair.agent.is_at_end());
    pair.agent.consume(151);
    assert!(pair.agent.is_at_end() && pair.agent.peek().is_empty());
}

#[test]
fn pieces_and_copies_are_the_same_bytes() {
    let mut random = Random(5);
    let mut pairs = [0; 2].map(|_| Pair::new(&Limits::default()));
    let (mut pieces, mut copy) = (Vec::<Bytes>::new(), BytesMut::new());
    let mut shared = 0;
    for _ in 0..200 {
        let (len, limit) = (random.below(30_000) as usize, 14 + random.below(60_000) as usize);
        let data = Bytes::from(vec![random.next() as u8; len]);
        let at_once = random.one_in(2);
        for pair in &mut pairs {
            let taken =
                if at_once { pair.client.write_shared(&mut data.clone()) } else { pair.client.write(&data) };
            assert_eq!(taken, len);
        }
        let len = pairs[0].client.transmit_pieces(&mut pieces, limit, NOW);
        assert_eq!(pairs[1].client.transmit(&mut copy, limit, NOW), len);
        shared += pieces.iter().filter(|piece| piece.len() >= 2048).count();
        assert_eq!(pieces.concat(), copy);
        pieces.clear();
        for pair in &mut pairs {
            pair.agent.receive(&mut copy.clone(), NOW).unwrap();
            pair.agent.consume(usize::MAX);
            carry(&mut pair.agent, &mut pair.client, NOW);
        }
        copy.advance(len);
    }
    assert!(shared > 100, "{shared} pieces were shared");
}

#[test]
fn limits_of_zero_still_move() {
    let zero = Limits {
        replay: 0,
        window: 0,
        chunk: 0,
        record: 0,
        ack_every: 0,
        missed_pongs: 0,
        ping_jitter: 255,
        ..Limits::default()
    };
    let mut pair = Pair::new(&zero);
    for at in 0..50 {
        assert_eq!(pair.client.write(&stream(0, at, 5)), 1);
        pair.pump();
        assert_eq!(pair.agent.read(9)[..], stream(0, at, 1)[..]);
        pair.pump();
    }
}
