//! PINGs, ACKs by the clock, and the end of patience.

use super::*;
use crate::session::{By, Ended, Reason, record};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Carries nothing, and calls when the session wants to be called, until something breaks.
fn alone(session: &mut Session) -> (Duration, Break, Vec<Duration>) {
    let mut pings = Vec::new();
    loop {
        let now = session.poll_timeout().unwrap();
        if let Err(end) = session.handle_timeout(now) {
            return (now, end, pings);
        }
        let mut out = BytesMut::new();
        while session.transmit(&mut out, 512, now) > 0 {
            assert_eq!((out[0], out.len()), (record::PING, 9));
            pings.push(now);
            out.clear();
        }
    }
}

#[test]
fn two_missed_pings_end_the_carrier_and_the_grace_ends_the_session() {
    let mut pair = Pair::new(&Limits::default());
    let (dead, end, pings) = alone(&mut pair.client);
    assert_eq!(end, Break::Fault(Fault::Dead));
    assert!(pings.len() == 2 && ms(16_000) <= pings[0] && pings[0] <= ms(24_000), "{pings:?}");
    assert_eq!((pings[1], dead), (pings[0] + ms(10_000), pings[0] + ms(20_000)));
    assert!(!pair.client.is_attached());
    // The session lives on, and can be attached again.
    pair.now = dead + ms(599_000);
    pair.agent.detach(pair.now);
    assert_eq!(pair.client.handle_timeout(pair.now), Ok(()));
    pair.attach();
    pair.detach();
    let (over, end, _) = alone(&mut pair.client);
    assert_eq!(over, pair.now + ms(600_000));
    let Break::Ended(ended) = end else { panic!("{end:?}") };
    assert_eq!((ended.reason, ended.by), (Reason::GraceElapsed, By::Here));
    assert_eq!((pair.client.poll_timeout(), pair.client.offer(over)), (None, None));
    // The peer is told so when it comes.
    let attach = pair.agent.offer(over).unwrap();
    let refused = pair.client.accept(&mut bytes(&attach), over).unwrap_err();
    assert_eq!(refused, Break::Ended(ended.clone()));
    let told = pair.agent.accept(&mut bytes(&ended.record()), over).unwrap_err();
    assert!(matches!(told, Break::Ended(Ended { reason: Reason::GraceElapsed, by: By::Peer, .. })));
}

#[test]
fn pings_are_answered_measured_and_varied() {
    let mut pair = Pair::new(&Limits::default());
    let mut waits = Vec::new();
    for _ in 0..50 {
        let asked = pair.client.poll_timeout().unwrap();
        waits.push(asked - pair.now);
        pair.client.handle_timeout(asked).unwrap();
        pair.now = asked + ms(70);
        pair.pump();
        assert_eq!(pair.client.round_trip(), Some(ms(70)));
        // The agent's own are not looked at here.
        pair.agent.keepalive.attach(&Limits::default(), pair.now);
    }
    assert!(waits.iter().all(|wait| ms(16_000) <= *wait && *wait <= ms(24_000)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < ms(18_000)) && waits.iter().any(|wait| *wait > ms(22_000)));
    pair.client.set_ping_interval(ms(1_000));
    let asked = pair.client.poll_timeout().unwrap();
    pair.client.handle_timeout(asked).unwrap();
    pair.now = asked;
    pair.pump();
    assert!(pair.client.poll_timeout().unwrap() - asked <= ms(1_200));
}

#[test]
fn anything_that_comes_is_a_sign_of_life() {
    let mut pair = Pair::new(&Limits::default());
    let asked = pair.client.poll_timeout().unwrap();
    pair.client.handle_timeout(asked).unwrap();
    // Its answer stands behind a long transfer of which a byte comes now and then.
    pair.agent.write(&[1; 100]);
    let mut sent = BytesMut::new();
    pair.agent.transmit(&mut sent, 512, asked);
    let (mut now, mut come) = (asked, BytesMut::new());
    for _ in 0..40 {
        now += ms(9_000);
        pair.client.handle_timeout(now).unwrap();
        come.unsplit(sent.split_to(1));
        pair.client.receive(&mut come, now).unwrap();
        pair.client.transmit(&mut BytesMut::new(), 512, now);
    }
    pair.client.handle_timeout(now + ms(5)).unwrap();
    pair.client.transmit(&mut BytesMut::new(), 512, now);
    assert_eq!(alone(&mut pair.client).1, Break::Fault(Fault::Dead));
}

#[test]
fn a_few_bytes_are_acknowledged_by_the_clock_many_at_once() {
    let limits = Limits { window: 4000, ack_every: 800, ..Limits::default() };
    let mut pair = Pair::new(&limits);
    let mut out = BytesMut::new();
    pair.client.write(&[1; 799]);
    carry(&mut pair.client, &mut pair.agent, pair.now);
    assert_eq!(pair.agent.transmit(&mut out, 512, pair.now), 0);
    assert_eq!(pair.agent.poll_timeout(), Some(ms(5)));
    pair.agent.handle_timeout(ms(5)).unwrap();
    assert_eq!(pair.agent.transmit(&mut out, 512, pair.now), 17);
    pair.client.receive(&mut out, ms(5)).unwrap();
    assert!(pair.client.is_flushed());
    assert!(pair.agent.poll_timeout() > Some(ms(10_000)));
    // By their number.
    pair.client.write(&[1; 800]);
    carry(&mut pair.client, &mut pair.agent, pair.now);
    assert_eq!(carry(&mut pair.agent, &mut pair.client, pair.now), 17);
    // Because a quarter of the window was read.
    pair.agent.consume(999);
    assert_eq!(pair.agent.transmit(&mut out, 512, pair.now), 0);
    pair.agent.consume(1);
    assert_eq!(carry(&mut pair.agent, &mut pair.client, pair.now), 17);
    // Along with data.
    pair.client.write(&[1; 3]);
    carry(&mut pair.client, &mut pair.agent, pair.now);
    pair.agent.write(b"x");
    assert_eq!(carry(&mut pair.agent, &mut pair.client, pair.now), 17 + 13 + 1);
    assert!(pair.client.is_flushed());
}
