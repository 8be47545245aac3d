//! When a carrier is left for another: a better kind can be had, its gateway ends, or it is about to be cut.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::dialer::Dialer;
use super::lifetime::{Lesson, Life};
use super::{Kind, Opened};
use crate::session::SessionId;

/// Before another try to get to another carrier than one that ends.
const AGAIN: Duration = Duration::from_millis(500);
/// Over how long those who leave a gateway that ends come to another: not all at once.
const SPREAD: Duration = Duration::from_secs(2);
/// The same for those who leave carriers of one age, as a part of it.
const SPREAD_OF_AGE: f64 = 0.1;
/// Beyond this part of the age at which carriers end, what has ended was about to be left, if not by this end, then by the other: whose
/// own carriers may have ended with ours, so that it takes the age at which we leave for the one at which the way cuts, and leaves
/// before that. Nothing is learnt of such an end, or both would leave earlier and earlier.
const DUE: f64 = 0.7;

/// What is known of a carrier that is open.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Its kind.
    pub kind: Kind,
    /// Our own address on it.
    pub local: Option<SocketAddr>,
    /// Since when.
    pub since: Instant,
    /// How often the gateway had said that it ends when this was dialled: what it says from then on is about this one.
    pub(crate) leaves: u64,
}

/// One of those who leave together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn(f64);

impl Turn {
    /// When it is this session's turn: both ends know it, and leave together.
    pub(crate) fn of(SessionId(id): SessionId) -> Self {
        Self(f64::from(u16::from_be_bytes([id[0], id[1]])) / f64::from(u16::MAX))
    }

    /// The turn of what has no other end that would have to know.
    pub(crate) fn any() -> Self {
        Self(rand::random_range(0.0..1.0))
    }

    fn within(self, spread: Duration) -> Duration {
        spread.mul_f64(self.0)
    }
}

impl Dialer {
    /// Has every user of this dialer, and of its clones, go on elsewhere: the gateway says that it ends.
    pub(crate) fn leave(&self) {
        self.way().leaves.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Waits until the gateway has said that it ends, since it had said so this often.
    pub(crate) async fn left(&self, since: u64) {
        // The sender is ours.
        let _ = self.way().leaves.subscribe().wait_for(|leaves| *leaves != since).await;
    }

    /// Takes in how a carrier has ended that nobody here has left. It was `heard` last, and where it has gone `silent` it has been
    /// asked in vain since. One that was [due](Self::is_due) may have been left by the other end, and shows nothing.
    pub(crate) fn ended(&self, standing: &Standing, heard: Instant, silent: bool) {
        if self.is_due(standing) {
            return;
        }
        let (now, keepalive) = (Instant::now(), self.keepalive());
        let quiet = now.saturating_duration_since(heard);
        let life = Life {
            kind: standing.kind,
            network: standing.local.map(|local| local.ip()),
            age: if silent { heard } else { now }.saturating_duration_since(standing.since),
            quiet: if silent { quiet.saturating_sub(keepalive.patience()) } else { quiet },
            silent,
        };
        let kind = standing.kind;
        self.way().lifetimes.send_if_modified(|lifetimes| {
            match lifetimes.learn(life, keepalive, now) {
                None => return false,
                Some(Lesson::Age(age)) => tracing::info!(
                    "carriers of kind {kind} end at an age of about {age:.1?} on this way: they are changed before"
                ),
                Some(Lesson::Silence(limit)) => {
                    let interval = lifetimes.interval(kind, keepalive, now);
                    tracing::info!(
                        "carriers of kind {kind} end after about {limit:.1?} without a byte on this way: a sign of life goes every {interval:.1?}"
                    );
                }
            }
            true
        });
    }

    /// How often a carrier of this kind is asked for a sign of life.
    pub(crate) fn interval(&self, kind: Kind) -> Duration {
        self.way().lifetimes.borrow().interval(kind, self.keepalive(), Instant::now())
    }

    /// Whether a carrier that has ended was to be left just now: its gateway ends, or it was about to be cut.
    pub(crate) fn is_due(&self, standing: &Standing) -> bool {
        let age = self.way().lifetimes.borrow().age(standing.kind, Instant::now());
        *self.way().leaves.borrow() != standing.leaves
            || age.is_some_and(|age| standing.since.elapsed() >= age.mul_f64(DUE))
    }

    /// Waits until a carrier is to be left for another that may be of the same kind: with `hurry` at once.
    pub(crate) async fn due(&self, standing: &Standing, turn: Turn, hurry: &Notify) {
        let spread = tokio::select! {
            () = self.left(standing.leaves) => SPREAD,
            age = self.aged(standing) => SPREAD.min(age.mul_f64(SPREAD_OF_AGE)),
            () = hurry.notified() => return,
        };
        let _ = timeout(turn.within(spread), hurry.notified()).await;
    }

    /// Waits until it is as old as it becomes; the age at which it would be cut.
    async fn aged(&self, standing: &Standing) -> Duration {
        let mut lifetimes = self.way().lifetimes.subscribe();
        loop {
            let (age, at) = {
                let lifetimes = lifetimes.borrow_and_update();
                let now = Instant::now();
                (lifetimes.age(standing.kind, now), lifetimes.leave_at(standing.kind, now))
            };
            let Some((age, at)) = age.zip(at) else {
                // The sender is ours.
                let _ = lifetimes.changed().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(standing.since + at) => return age,
                _ = lifetimes.changed() => {}
            }
        }
    }

    /// Before another try to get to another carrier than one that ends.
    pub(crate) async fn pause() {
        sleep(AGAIN.mul_f64(rand::random_range(0.5..1.5))).await;
    }

    /// Waits for a carrier of a better kind than this one, or for another once it is [due](Self::due): for ever where there is none.
    pub(crate) async fn better_than(&self, standing: &Standing, turn: Turn, hurry: &Notify) -> Opened {
        tokio::select! {
            opened = self.higher_than(standing.kind) => opened,
            opened = self.elsewhere(standing, turn, hurry) => opened,
        }
    }

    async fn elsewhere(&self, standing: &Standing, turn: Turn, hurry: &Notify) -> Opened {
        self.due(standing, turn, hurry).await;
        loop {
            // Apart from what every session holds all the time.
            match Box::pin(self.dial()).await {
                Ok(opened) => return opened,
                Err(error) => tracing::debug!("a carrier ends, and there is no other yet: {error}"),
            }
            Self::pause().await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::carrier::{Gateway, Keepalive, Kinds};

    fn dialer() -> Dialer {
        let mut problems = wicketgate_config::Problems::default();
        let https = wicketgate_admission::fetch::RawFetch::default();
        let https = https.check(wicketgate_config::Place::UNKNOWN, &mut problems).unwrap();
        let kinds = Kinds::check(None, wicketgate_config::Place::UNKNOWN, &mut problems);
        let gateway = Gateway::parse("https://127.0.0.1:1/relay").unwrap();
        let keepalive = Keepalive::default();
        Dialer::new(gateway, &https, https.tls(), kinds, Duration::from_secs(600), keepalive)
    }

    fn standing(leaves: u64) -> Standing {
        Standing { kind: Kind::WebSocket, local: None, since: Instant::now(), leaves }
    }

    async fn due(dialer: &Dialer, standing: &Standing, within: u64) -> bool {
        let hurry = Notify::new();
        let due = dialer.due(standing, Turn(0.0), &hurry);
        timeout(Duration::from_secs(within), due).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_before_anybody_listens_is_heard() {
        let dialer = dialer();
        let stands = standing(*dialer.way().leaves.borrow());
        assert!(!due(&dialer, &stands, 60).await && !dialer.is_due(&stands));
        // While it is dialled, say.
        dialer.clone().leave();
        assert!(due(&dialer, &stands, 60).await && dialer.is_due(&stands));
        // Whoever dials from now on has left.
        assert!(!due(&dialer, &standing(*dialer.way().leaves.borrow()), 60).await);
    }

    #[tokio::test(start_paused = true)]
    async fn carriers_are_left_before_the_age_at_which_they_end() {
        let dialer = dialer();
        let waits = dialer.clone();
        // It hears of what is learnt while it stands.
        let first = tokio::spawn(async move { due(&waits, &standing(0), 1_000).await });
        for _ in 0..3 {
            let cut = standing(0);
            tokio::time::advance(Duration::from_secs(100)).await;
            dialer.ended(&cut, Instant::now(), false);
        }
        assert!(first.await.unwrap());
        let stands = standing(0);
        assert!(!due(&dialer, &stands, 80).await && dialer.is_due(&stands));
        assert!(due(&dialer, &stands, 6).await);
        // The other end has taken our 85 s for what the way allows, and leaves at 72 s: that is not the way's doing.
        for _ in 0..6 {
            let left = standing(0);
            tokio::time::advance(Duration::from_millis(72_250)).await;
            assert!(dialer.is_due(&left));
            dialer.ended(&left, Instant::now(), false);
        }
        let stands = standing(0);
        assert!(!due(&dialer, &stands, 84).await, "it is left as late as before");
        // What ends much earlier is.
        for _ in 0..3 {
            let cut = standing(0);
            tokio::time::advance(Duration::from_secs(60)).await;
            dialer.ended(&cut, Instant::now(), false);
        }
        assert!(due(&dialer, &standing(0), 52).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_carrier_that_breaks_leaves_nothing_to_wait_for() {
        let (dialer, hurry) = (dialer(), Notify::new());
        hurry.notify_one();
        let stands = standing(0);
        assert!(timeout(Duration::from_secs(1), dialer.due(&stands, Turn(1.0), &hurry)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_of_silence_is_asked_more_often() {
        let dialer = dialer();
        for _ in 0..2 {
            let stands = standing(0);
            let heard = Instant::now();
            // The last byte, 16 s of nothing, and two questions of 10 s each.
            tokio::time::advance(Duration::from_secs(36)).await;
            dialer.ended(&stands, heard, true);
        }
        assert_eq!(dialer.interval(Kind::WebSocket), Duration::from_secs(8));
        assert_eq!(dialer.interval(Kind::Tls), Duration::from_secs(20));
    }

    #[test]
    fn sessions_leave_one_after_the_other() {
        let turn = |first: u8| Turn::of(SessionId([first; 16])).within(SPREAD);
        assert_eq!((turn(0), turn(255)), (Duration::ZERO, SPREAD));
        assert!(turn(0) < turn(64) && turn(64) < turn(128) && turn(128) < turn(255));
        assert!((0..1000).all(|_| Turn::any().within(SPREAD) < SPREAD));
    }
}
