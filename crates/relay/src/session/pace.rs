//! How much may be under way on a carrier: what the line holds and a little more, so that it is never idle and what is
//! written next waits behind little.
//!
//! Below a session, TCP fills whatever buffers and queues it finds, those of middleboxes and gateways included. The bound
//! is what the line delivers in the shortest round trip seen, after the model of BBR (Cardwell et al., 2016): the highest
//! rate of the last rounds by the lowest round trip of the last seconds, which is looked for anew by sending less.

use std::collections::VecDeque;
use std::time::Duration;

use super::Limits;

/// Rounds whose highest rate counts.
const ROUNDS: usize = 8;
/// Marks at once; without room none is made.
const MARKS: usize = 128;
/// Between two marks at least.
const MARK_EVERY: Duration = Duration::from_micros(500);
/// After this long the shortest round trip is looked for again.
const BASE_AGE: Duration = Duration::from_secs(10);
/// Rounds in a row of longer round trips than the bound explains, after which it is too: the line has become slower, or longer.
const SLOW_ROUNDS: u8 = 3;
/// Rounds in which a starting carrier may get no faster before it is taken to be as fast as it gets.
const FLAT_ROUNDS: u8 = 3;
/// What may wait on the way beside what the line holds, at least.
const QUEUE: Duration = Duration::from_millis(5);
/// The bound before anything is known.
const FIRST: u64 = 256 << 10;
/// The lowest bound.
const LEAST: u64 = 32 << 10;

/// Up to where bytes had been sent at a moment, and what was known then.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: u64,
    at: Duration,
    acknowledged: u64,
    acknowledged_at: Duration,
    /// There was no more to send: the line could have carried more.
    idle: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Each round may carry three times as much as the one before, until it carries little more.
    Starting {
        best: u64,
        flat: u8,
    },
    Steady,
    /// Less is sent, until no queue is left.
    Draining,
    /// And stays less, until what was sent from that offset on has shown the shortest round trip.
    Probing {
        from: u64,
        shortest: Duration,
    },
}

/// What is known of one carrier.
#[derive(Debug)]
pub(super) struct Pace {
    ack_every: u64,
    ack_delay: Duration,
    marks: VecDeque<Mark>,
    acknowledged: u64,
    acknowledged_at: Duration,
    /// Bytes a second, the highest of each round; the running one is the last.
    rates: VecDeque<u64>,
    /// A mark that knew of this much acknowledged begins another round.
    round: u64,
    base: Option<Base>,
    slow: u8,
    phase: Phase,
    bound: u64,
    /// What was acknowledged when it was reckoned.
    reckoned_at: u64,
}

/// The shortest round trip.
#[derive(Clone, Copy, Debug)]
struct Base {
    time: Duration,
    since: Duration,
}

impl Pace {
    /// The other end is taken to acknowledge as this one does.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            ack_every: limits.ack_every.into(),
            ack_delay: limits.ack_delay,
            marks: VecDeque::new(),
            acknowledged: 0,
            acknowledged_at: Duration::ZERO,
            rates: VecDeque::new(),
            round: 0,
            base: None,
            slow: 0,
            phase: Phase::Starting { best: 0, flat: 0 },
            bound: FIRST,
            reckoned_at: 0,
        }
    }

    /// Begins anew: another carrier may go another way.
    pub(super) fn attach(&mut self, acknowledged: u64, now: Duration) {
        self.marks.clear();
        self.rates.clear();
        (self.acknowledged, self.acknowledged_at, self.round) = (acknowledged, now, acknowledged);
        (self.base, self.slow) = (None, 0);
        (self.bound, self.reckoned_at) = (FIRST, acknowledged);
        self.phase = Phase::Starting { best: 0, flat: 0 };
    }

    /// Bytes that may be sent and not yet acknowledged.
    #[inline]
    pub(super) fn bound(&self) -> u64 {
        self.bound
    }

    /// Bytes were sent, from one offset to another. `idle`: and there are no more.
    pub(super) fn sent(&mut self, (from, end): (u64, u64), idle: bool, now: Duration) {
        if from == self.acknowledged {
            // What passed since the last acknowledgement was a pause, and says nothing of the line.
            self.acknowledged_at = now;
        }
        let spacing = self.base.map_or(MARK_EVERY, |base| MARK_EVERY.max(base.time / (MARKS as u32 / 4)));
        let is_soon = self.marks.back().is_some_and(|last| now.saturating_sub(last.at) < spacing);
        if is_soon || self.marks.len() >= MARKS {
            return;
        }
        let Self { acknowledged, acknowledged_at, .. } = *self;
        self.marks.push_back(Mark { end, at: now, acknowledged, acknowledged_at, idle });
    }

    /// The peer has everything up to `received`; up to `next` is sent.
    pub(super) fn acknowledge(&mut self, received: u64, next: u64, now: Duration) {
        (self.acknowledged, self.acknowledged_at) = (received, now);
        let mut newest = None;
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.end <= received) {
            newest = Some(mark);
        }
        let Some(mark) = newest else { return };
        let begins = mark.acknowledged >= self.round;
        if begins {
            self.round = received;
        }
        self.take_rate(&mark, received, begins, now);
        self.take_round_trip(&mark, begins, now);
        self.advance(&mark, begins, received, next, now);
        // No burst: what more may be under way goes out beside what takes the place of what has arrived.
        let new = received.saturating_sub(std::mem::replace(&mut self.reckoned_at, received));
        let more = if matches!(self.phase, Phase::Starting { .. }) { new.saturating_mul(2) } else { new / 4 };
        // And no pause, where all is well.
        let less = if self.phase == Phase::Draining && self.slow == 0 { new / 2 } else { self.bound };
        self.bound = self.reckon().clamp(self.bound.saturating_sub(less), self.bound.saturating_add(more));
    }

    fn take_rate(&mut self, mark: &Mark, received: u64, begins: bool, now: Duration) {
        if begins && self.rates.back().is_some_and(|rate| *rate > 0) {
            self.rates.push_back(0);
            if self.rates.len() > ROUNDS {
                self.rates.pop_front();
            }
        }
        let time = now.saturating_sub(mark.acknowledged_at).as_micros().max(1);
        let rate = u128::from(received.saturating_sub(mark.acknowledged)) * 1_000_000 / time;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if rate <= self.rate() && (mark.idle || matches!(self.phase, Phase::Probing { .. })) {
            // The line was not asked for more.
            return;
        }
        match self.rates.back_mut() {
            Some(running) => *running = rate.max(*running),
            None => self.rates.push_back(rate),
        }
    }

    fn take_round_trip(&mut self, mark: &Mark, begins: bool, now: Duration) {
        let time = now.saturating_sub(mark.at);
        if let Phase::Probing { from, shortest } = &mut self.phase {
            if mark.end > *from {
                *shortest = time.min(*shortest);
            }
            return;
        }
        match self.base {
            Some(base) if time > base.time && !(mark.idle && base.is_old(now)) => {}
            _ => self.base = Some(Base { time, since: now }),
        }
        if begins {
            let explained = self.explained();
            self.slow = if time > explained + explained / 8 { self.slow.saturating_add(1) } else { 0 };
        }
    }

    /// From one phase to the next.
    fn advance(&mut self, mark: &Mark, begins: bool, received: u64, next: u64, now: Duration) {
        let (rate, reckoned) = (self.rate(), self.reckon());
        match &mut self.phase {
            Phase::Starting { best, flat } if begins && !mark.idle => {
                if rate >= best.saturating_add(*best / 4) {
                    (*best, *flat) = (rate, 0);
                } else {
                    *flat += 1;
                    if *flat >= FLAT_ROUNDS {
                        self.phase = Phase::Steady;
                    }
                }
            }
            Phase::Steady if !mark.idle => {
                if self.slow >= SLOW_ROUNDS {
                    let old = self.rates.len().saturating_sub(usize::from(SLOW_ROUNDS) - 1);
                    self.rates.drain(..old);
                    self.phase = Phase::Draining;
                } else if self.base.is_some_and(|base| base.is_old(now)) {
                    self.phase = Phase::Draining;
                }
            }
            Phase::Draining if next.saturating_sub(received) <= reckoned => {
                self.phase = Phase::Probing { from: next, shortest: Duration::MAX };
            }
            Phase::Probing { from, shortest } if mark.acknowledged >= *from && *shortest < Duration::MAX => {
                let base = Base { time: *shortest, since: now };
                let before = self.base.replace(base).map_or(base.time, |before| before.time);
                let is_longer = base.time > before + before / 8 + QUEUE;
                // What a longer line carries has not been seen yet.
                self.phase = if is_longer { Phase::Starting { best: rate, flat: 0 } } else { Phase::Steady };
                self.slow = 0;
            }
            _ => {}
        }
    }

    fn reckon(&self) -> u64 {
        let (Some(Base { time, .. }), rate @ 1..) = (self.base, self.rate()) else { return self.bound };
        // Acknowledgements come for so much at once.
        let gap = self.ack_every.min(over(rate, self.ack_delay));
        let full = over(rate, time.saturating_add(QUEUE.max(time / 16)));
        match self.phase {
            Phase::Starting { .. } => full.saturating_mul(3).saturating_add(gap).max(LEAST),
            Phase::Steady => full.saturating_add(gap).max(LEAST),
            Phase::Draining | Phase::Probing { .. } => {
                (over(rate, time) / 4 * 3).saturating_add(gap).max(LEAST)
            }
        }
    }

    fn rate(&self) -> u64 {
        self.rates.iter().copied().max().unwrap_or(0)
    }

    /// How long what is under way takes at the rate that was seen.
    fn explained(&self) -> Duration {
        let nanos = u128::from(self.bound) * 1_000_000_000 / u128::from(self.rate().max(1));
        u64::try_from(nanos).map_or(Duration::MAX / 2, Duration::from_nanos)
    }
}

impl Base {
    fn is_old(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= BASE_AGE
    }
}

/// Bytes in such a time.
fn over(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX)
}
