//! When to ask a carrier for a sign of life, and when to give it up.

use std::time::Duration;

use super::{Fault, Limits};

/// PINGs of one end, over all of its carriers.
#[derive(Debug)]
pub(super) struct Keepalive {
    interval: Duration,
    random: u64,
    /// The last PING's number and when it was made.
    last: (u64, Duration),
    /// The newest number that a PONG may not repeat.
    answered: u64,
    unsent: bool,
    /// The next PING, or the end of the wait for the last one's answer.
    state: State,
    missed: u8,
    heard: bool,
    round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Quiet { ping_at: Duration },
    Waiting { until: Duration },
}

impl Keepalive {
    pub(super) fn new(interval: Duration, seed: u64) -> Self {
        Self {
            interval,
            random: seed,
            last: (0, Duration::ZERO),
            answered: 0,
            unsent: false,
            state: State::Quiet { ping_at: Duration::MAX },
            missed: 0,
            heard: false,
            round_trip: None,
        }
    }

    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Begins anew with a carrier: what was asked on another one is void.
    pub(super) fn attach(&mut self, limits: &Limits, now: Duration) {
        (self.unsent, self.missed, self.answered) = (false, 0, self.last.0);
        self.rest(limits, now);
    }

    /// Something came. Whatever it is, it shows that the carrier lives: an answer can stand behind megabytes.
    #[inline]
    pub(super) fn hear(&mut self) {
        self.heard = true;
    }

    pub(super) fn pong(&mut self, number: u64, limits: &Limits, now: Duration) -> Result<(), Fault> {
        if number <= self.answered || number > self.last.0 {
            return Err(Fault::UnaskedPong);
        }
        self.answered = number;
        self.missed = 0;
        if number == self.last.0 {
            self.round_trip = Some(now.saturating_sub(self.last.1));
            self.rest(limits, now);
        }
        Ok(())
    }

    /// The PING to send, once.
    #[inline]
    pub(super) fn take_unsent(&mut self) -> Option<u64> {
        std::mem::take(&mut self.unsent).then_some(self.last.0)
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.unsent
    }

    pub(super) fn timeout(&self) -> Duration {
        match self.state {
            State::Quiet { ping_at: at } | State::Waiting { until: at } => at,
        }
    }

    pub(super) fn handle_timeout(&mut self, limits: &Limits, now: Duration) -> Result<(), Fault> {
        match self.state {
            State::Quiet { ping_at } if ping_at <= now => self.ask(limits, now),
            State::Waiting { until } if until <= now => {
                if self.heard {
                    self.missed = 0;
                    self.rest(limits, now);
                    return Ok(());
                }
                self.missed += 1;
                if self.missed >= limits.missed_pongs {
                    return Err(Fault::Dead);
                }
                self.ask(limits, now);
            }
            _ => {}
        }
        Ok(())
    }

    fn ask(&mut self, limits: &Limits, now: Duration) {
        self.last = (self.last.0 + 1, now);
        (self.unsent, self.heard) = (true, false);
        self.state = State::Waiting { until: now.saturating_add(limits.pong_timeout) };
    }

    fn rest(&mut self, limits: &Limits, now: Duration) {
        let wait = self.varied(limits.ping_jitter);
        self.state = State::Quiet { ping_at: now.saturating_add(wait) };
    }

    /// The interval, up to so many percent shorter or longer.
    fn varied(&mut self, percent: u8) -> Duration {
        // SplitMix64: peers that were started together shall not ask together, no more.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = self.random;
        random = (random ^ random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ random >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let random = (random ^ random >> 31) as u32;
        let fraction = (f64::from(random) / f64::from(u32::MAX)).mul_add(2.0, -1.0);
        let factor = fraction.mul_add(f64::from(percent) / 100.0, 1.0);
        Duration::try_from_secs_f64(self.interval.as_secs_f64() * factor).unwrap_or(self.interval)
    }
}
