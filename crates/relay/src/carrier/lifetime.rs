//! What is learnt of how carriers end on the way: of silence, or at an age.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Keepalive, Kind};

/// How long what was learnt is believed.
const BELIEVED: Duration = Duration::from_secs(86_400);
/// How many carriers in a row show an age.
const IN_A_ROW: usize = 3;
/// How much later than the first of them the last of them may have ended, as a part of their age; cuts that are seen differ by as much
/// of their silence.
const ALIKE: f64 = 0.05;
/// The same of carriers that have gone silent: nobody sees when, and all that is known is when they were asked.
const ALIKE_UNSEEN: f64 = 0.5;
/// At which part of its age a carrier is left.
const LEFT_AT: f64 = 0.85;

/// How a carrier has ended that nobody here has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) kind: Kind,
    /// Our own address on it, which tells one network from another.
    pub(crate) network: Option<IpAddr>,
    /// From its beginning to its end, as far as that was seen.
    pub(crate) age: Duration,
    /// How long nothing had come before it ended, or before it was asked and said nothing.
    pub(crate) quiet: Duration,
    /// It said nothing more: no end of the connection was seen.
    pub(crate) silent: bool,
}

/// Something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// Carriers end when nothing comes for so long.
    Silence(Duration),
    /// Carriers end at this age.
    Age(Duration),
}

/// All that is known of the way that is dialled now.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes {
    network: Option<IpAddr>,
    tls: Known,
    websocket: Known,
}

/// What is known of one kind of carriers.
#[derive(Debug, Default)]
struct Known {
    /// How old the last ones were.
    ages: Vec<Duration>,
    /// How long the last one was quiet, and whether its end was seen.
    quiet: Option<(Duration, bool)>,
    silence: Option<(Duration, Instant)>,
    age: Option<(Duration, Instant)>,
}

fn believed(known: Option<(Duration, Instant)>, now: Instant) -> Option<Duration> {
    known.filter(|(_, at)| now.saturating_duration_since(*at) < BELIEVED).map(|(limit, _)| limit)
}

impl Lifetimes {
    /// Takes in how a carrier has ended.
    pub(crate) fn learn(&mut self, life: Life, keepalive: &Keepalive, now: Instant) -> Option<Lesson> {
        if self.network != life.network {
            *self = Self { network: life.network, ..Self::default() };
        }
        let known = match life.kind {
            Kind::Tls => &mut self.tls,
            Kind::WebSocket => &mut self.websocket,
        };
        if let Some(limit) = known.silence(life, keepalive) {
            known.silence = Some((limit, now));
            return Some(Lesson::Silence(limit));
        }
        let age = known.age(life.age, keepalive)?;
        known.age = Some((age, now));
        Some(Lesson::Age(age))
    }

    /// How often a carrier of this kind is asked for a sign of life.
    pub(crate) fn interval(&self, kind: Kind, keepalive: &Keepalive, now: Instant) -> Duration {
        let silence = believed(self.known(kind).silence, now);
        silence.map_or(keepalive.interval, |limit| {
            (limit / 2).clamp(keepalive.shortest_interval, keepalive.interval)
        })
    }

    /// The age at which carriers of this kind end.
    pub(crate) fn age(&self, kind: Kind, now: Instant) -> Option<Duration> {
        believed(self.known(kind).age, now)
    }

    /// The age at which a carrier of this kind is left for another.
    pub(crate) fn leave_at(&self, kind: Kind, now: Instant) -> Option<Duration> {
        self.age(kind, now).map(|age| age.mul_f64(LEFT_AT))
    }

    fn known(&self, kind: Kind) -> &Known {
        match kind {
            Kind::Tls => &self.tls,
            Kind::WebSocket => &self.websocket,
        }
    }
}

impl Known {
    /// Two in a row that have ended of as much silence. None where asking more often is not allowed: then it is an age, if anything.
    fn silence(&mut self, life: Life, keepalive: &Keepalive) -> Option<Duration> {
        if life.quiet < keepalive.shortest_interval {
            self.quiet = None;
            return None;
        }
        let (before, silent) = self.quiet.replace((life.quiet, life.silent))?;
        let alike = if silent || life.silent { ALIKE_UNSEEN } else { ALIKE };
        let limit = before.min(life.quiet);
        if before.max(life.quiet) > limit.mul_f64(1.0 + alike) {
            return None;
        }
        self.quiet = None;
        self.ages.clear();
        Some(limit)
    }

    /// So many in a row that have ended at one age.
    fn age(&mut self, age: Duration, keepalive: &Keepalive) -> Option<Duration> {
        if self.ages.len() == IN_A_ROW {
            self.ages.remove(0);
        }
        self.ages.push(age);
        let (youngest, oldest) = (*self.ages.iter().min()?, *self.ages.iter().max()?);
        let is_one = self.ages.len() == IN_A_ROW
            && youngest >= keepalive.shortest_age
            && oldest <= youngest.mul_f64(1.0 + ALIKE);
        is_one.then(|| {
            self.ages.clear();
            youngest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: Keepalive = Keepalive {
        interval: secs(20),
        timeout: secs(10),
        misses: 2,
        shortest_interval: secs(5),
        shortest_age: secs(30),
    };

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn life(age: u64, quiet: u64, silent: bool) -> Life {
        Life {
            kind: Kind::WebSocket,
            network: Some([192, 0, 2, 1].into()),
            age: secs(age),
            quiet: secs(quiet),
            silent,
        }
    }

    /// What the last of them teaches; the others teach nothing.
    fn taught(lives: &[Life]) -> (Lifetimes, Option<Lesson>) {
        let mut lifetimes = Lifetimes::default();
        let mut lessons = lives.iter().map(|life| lifetimes.learn(*life, &KEEPALIVE, Instant::now()));
        let before: Vec<_> = lessons.by_ref().take(lives.len() - 1).collect();
        let last = lessons.next().flatten();
        assert!(before.iter().all(Option::is_none), "{before:?}");
        (lifetimes, last)
    }

    #[test]
    fn three_that_end_at_one_age_show_it() {
        let (lifetimes, lesson) = taught(&[life(600, 0, false), life(605, 1, false), life(601, 0, false)]);
        assert_eq!(lesson, Some(Lesson::Age(secs(600))));
        let now = Instant::now();
        assert_eq!(lifetimes.leave_at(Kind::WebSocket, now), Some(secs(510)));
        assert_eq!(lifetimes.leave_at(Kind::Tls, now), None, "nothing is known of it");
        assert_eq!(lifetimes.leave_at(Kind::WebSocket, now + BELIEVED), None, "ways change");
        assert_eq!(lifetimes.interval(Kind::WebSocket, &KEEPALIVE, now), secs(20));
    }

    #[test]
    fn others_show_nothing() {
        // Ages that differ, and those of connections that are cut at once.
        assert_eq!(taught(&[life(600, 0, false), life(605, 0, false), life(640, 0, false)]).1, None);
        assert_eq!(taught(&[life(3, 0, false), life(3, 0, false), life(3, 0, false)]).1, None);
        // Silences that differ, and one between which shows that it was none.
        assert_eq!(taught(&[life(90, 10, false), life(60, 12, false)]).1, None);
        let between = life(20, 0, false);
        assert_eq!(taught(&[life(90, 10, false), between, life(60, 10, false)]).1, None);
    }

    #[test]
    fn an_older_age_may_come_before_three() {
        let lives = [life(90, 0, false), life(600, 0, false), life(600, 0, false), life(600, 0, false)];
        assert_eq!(taught(&lives).1, Some(Lesson::Age(secs(600))));
    }

    #[test]
    fn two_that_end_of_one_silence_show_it() {
        let (lifetimes, lesson) = taught(&[life(95, 15, false), life(40, 15, false)]);
        assert_eq!(lesson, Some(Lesson::Silence(secs(15))));
        let now = Instant::now();
        assert_eq!(lifetimes.interval(Kind::WebSocket, &KEEPALIVE, now), Duration::from_millis(7_500));
        assert_eq!(lifetimes.interval(Kind::Tls, &KEEPALIVE, now), secs(20));
        // Nobody sees the end of what goes silent: all that is known is that it was asked too late.
        let (lifetimes, lesson) = taught(&[life(95, 17, true), life(40, 22, true)]);
        assert_eq!(lesson, Some(Lesson::Silence(secs(17))));
        // However short it is, no more often than is allowed.
        let (mut lifetimes, _) = (lifetimes, lesson);
        for _ in 0..2 {
            lifetimes.learn(life(60, 6, false), &KEEPALIVE, now);
        }
        assert_eq!(lifetimes.interval(Kind::WebSocket, &KEEPALIVE, now), secs(5));
    }

    #[test]
    fn another_network_is_another_way() {
        let (mut lifetimes, _) = taught(&[life(95, 15, false), life(40, 15, false)]);
        let now = Instant::now();
        let elsewhere = Life { network: Some([198, 51, 100, 1].into()), ..life(7, 0, false) };
        lifetimes.learn(elsewhere, &KEEPALIVE, now);
        assert_eq!(lifetimes.interval(Kind::WebSocket, &KEEPALIVE, now), secs(20));
    }
}
