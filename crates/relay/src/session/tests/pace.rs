//! How much is under way on lines of many kinds: they are full, and what waits in front of them is little.

use std::collections::VecDeque;

use super::*;

/// A line from the client to the agent, and back. Its queue takes whatever comes, as buffers of systems do.
struct Line {
    pair: Pair,
    /// Bytes a second.
    rate: u64,
    /// One way.
    delay: Duration,
    free_at: Duration,
    up: VecDeque<(Duration, BytesMut)>,
    down: VecDeque<(Duration, BytesMut)>,
    /// How long what was sent since [`Line::forget`] has waited at most.
    waited: Duration,
    arrived: u64,
    /// Bytes that the client writes a second; without it, as many as are taken.
    writes: Option<u64>,
    written: u64,
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn mbit(rate: u64) -> u64 {
    rate * 1_000_000 / 8
}

impl Line {
    fn new(rate: u64, round_trip: Duration) -> Self {
        let pair = Pair::new(&Limits::default());
        Self {
            pair,
            rate,
            delay: round_trip / 2,
            free_at: Duration::ZERO,
            up: VecDeque::new(),
            down: VecDeque::new(),
            waited: Duration::ZERO,
            arrived: 0,
            writes: None,
            written: 0,
        }
    }

    fn forget(&mut self) {
        (self.waited, self.arrived) = (Duration::ZERO, 0);
    }

    /// Goes on for so long, and tells how many bytes have arrived meanwhile, in percent of what the line carries.
    fn run(&mut self, time: Duration) -> u64 {
        self.forget();
        let until = self.pair.now + time;
        while self.pair.now < until {
            self.send();
            self.step(until);
        }
        self.arrived * 100_000 / (self.rate * time.as_millis() as u64)
    }

    fn send(&mut self) {
        let now = self.pair.now;
        let data = [7; 16 << 10];
        loop {
            let most = self.writes.map_or(data.len(), |rate| {
                let due = rate * now.as_millis() as u64 / 1000;
                data.len().min(due.saturating_sub(self.written) as usize)
            });
            let written = self.pair.client.write(&data[..most]);
            self.written += written as u64;
            let mut out = BytesMut::new();
            if self.pair.client.transmit(&mut out, 16 << 10, now) == 0 {
                break;
            }
            self.free_at = self.free_at.max(now);
            self.waited = self.waited.max(self.free_at - now);
            self.free_at += Duration::from_secs_f64(out.len() as f64 / self.rate as f64);
            self.up.push_back((self.free_at + self.delay, out));
        }
        let mut out = BytesMut::new();
        if self.pair.agent.transmit(&mut out, 4096, now) > 0 {
            self.down.push_back((now + self.delay, out));
        }
    }

    /// To the next moment at which something happens.
    fn step(&mut self, until: Duration) {
        let Pair { client, agent, now } = &mut self.pair;
        let arrivals = [self.up.front(), self.down.front()].into_iter().flatten().map(|(at, _)| *at);
        let timeouts = [client.poll_timeout(), agent.poll_timeout()].into_iter().flatten();
        let writes = self.writes.map(|_| *now + ms(1));
        *now = arrivals.chain(timeouts).chain(writes).min().unwrap_or(until).clamp(*now, until);
        while let Some((_, mut bytes)) = self.up.pop_front_if(|(at, _)| *at <= *now) {
            let before = agent.counters().received;
            agent.receive(&mut bytes, *now).unwrap();
            agent.consume(usize::MAX);
            self.arrived += agent.counters().received - before;
        }
        while let Some((_, mut bytes)) = self.down.pop_front_if(|(at, _)| *at <= *now) {
            client.receive(&mut bytes, *now).unwrap();
        }
        client.handle_timeout(*now).unwrap();
        agent.handle_timeout(*now).unwrap();
    }
}

#[test]
fn a_line_is_full_and_little_waits_in_front_of_it() {
    for (rate, round_trip, waits) in [
        (mbit(200), ms(80), ms(35)),
        (mbit(20), ms(30), ms(30)),
        (mbit(1000), ms(1), ms(15)),
        (mbit(100), ms(300), ms(70)),
        (mbit(2), ms(100), ms(100)),
        (mbit(2000), ms(0), ms(10)),
    ] {
        let mut line = Line::new(rate, round_trip);
        line.run(ms(5000) + 20 * round_trip);
        // Longer than it takes until the shortest round trip is looked for again, and where that is cheap, twice.
        let full = line.run(Duration::from_secs(if rate > mbit(500) { 12 } else { 25 }));
        let said = format!("{rate} B/s, {round_trip:?}: {full} %, waits {:?}", line.waited);
        assert!(full >= 95, "{said}");
        assert!(line.waited <= waits, "{said}");
    }
}

#[test]
fn a_line_that_becomes_slower_or_faster_is_followed() {
    let mut line = Line::new(mbit(200), ms(80));
    line.run(ms(3000));
    line.rate = mbit(20);
    line.run(ms(6000));
    let full = line.run(ms(10_000));
    assert!(full >= 90 && line.waited <= ms(40), "{full} %, waits {:?}", line.waited);
    line.rate = mbit(200);
    line.run(ms(4000));
    let full = line.run(ms(10_000));
    assert!(full >= 90 && line.waited <= ms(40), "{full} %, waits {:?}", line.waited);
}

#[test]
fn a_line_that_becomes_longer_or_shorter_is_followed() {
    for (before, after) in [(ms(20), ms(150)), (ms(150), ms(20)), (ms(80), ms(88)), (ms(80), ms(100))] {
        let mut line = Line::new(mbit(100), before);
        line.run(ms(3000));
        line.delay = after / 2;
        line.run(ms(12_000));
        let full = line.run(ms(10_000));
        assert!(full >= 90, "from {before:?} to {after:?}: {full} %");
        assert!(line.waited <= ms(60), "from {before:?} to {after:?}: waits {:?}", line.waited);
    }
}

#[test]
fn who_had_little_to_send_is_soon_as_fast_as_the_line() {
    let mut line = Line::new(mbit(200), ms(80));
    line.writes = Some(100_000);
    line.run(Duration::from_secs(30));
    assert_eq!(line.waited, Duration::ZERO);
    line.writes = None;
    line.run(ms(2000));
    let full = line.run(ms(5000));
    assert!(full >= 95 && line.waited <= ms(20), "{full} %, waits {:?}", line.waited);
}

#[test]
fn a_peer_that_acknowledges_nothing_gets_no_more_than_the_first_bytes() {
    let mut pair = Pair::new(&Limits::default());
    let (mut sent, mut out) = (0, BytesMut::new());
    for _ in 0..1000 {
        pair.client.write(&[1; 1 << 16]);
        out.clear();
        pair.client.transmit(&mut out, 1 << 20, pair.now);
        sent += out.len();
    }
    assert!((256 << 10..260 << 10).contains(&sent), "{sent} bytes");
    // On the next carrier as many, and all of it comes.
    pair.detach();
    pair.attach();
    pair.pump();
    assert_eq!(pair.agent.counters().received, pair.client.counters().written);
}
