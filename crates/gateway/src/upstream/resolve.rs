//! A target's name, looked up in the background: a dial never waits for DNS once there is an answer.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::UpstreamError;
use super::jitter;

/// Addresses of one name that are used at most; a larger answer is cut.
const MAX_ADDRESSES: usize = 64;
/// The first pause after a look-up that failed while there is no answer yet; it doubles up to the interval.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// Looks a name up. The system's resolver, or a test's table.
pub type Lookup = Arc<dyn Fn(String, u16) -> Answering + Send + Sync>;
/// A look-up under way.
pub type Answering = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The system's resolver.
pub fn system() -> Lookup {
    Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }))
}

/// A name and its last good answer.
#[derive(Debug)]
pub struct Name {
    host: String,
    port: u16,
    answer: watch::Sender<Answer>,
}

#[derive(Clone, Debug)]
enum Answer {
    Pending,
    Good(Arc<[SocketAddr]>),
    Failed(Arc<str>),
}

impl Name {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, answer: watch::Sender::new(Answer::Pending) }
    }

    /// The addresses, families in turn. Waits for the first look-up only; the caller bounds the time.
    pub(super) async fn addresses(&self) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        let answered = |answer: &Answer| match answer {
            Answer::Pending => None,
            Answer::Good(addresses) => Some(Ok(addresses.clone())),
            Answer::Failed(reason) => Some(Err(UpstreamError::Resolve(reason.to_string()))),
        };
        if let Some(answer) = answered(&self.answer.borrow()) {
            return answer;
        }
        let mut answers = self.answer.subscribe();
        let answer = answers.wait_for(|answer| answered(answer).is_some()).await;
        answer.ok().and_then(|answer| answered(&answer)).unwrap_or(Err(UpstreamError::ConnectTimeout))
    }

    /// Whether the last good answer names this address.
    pub(super) fn has(&self, address: SocketAddr) -> bool {
        matches!(&*self.answer.borrow(), Answer::Good(addresses) if addresses.contains(&address))
    }

    /// Looks the name up again and again until `stop`; calls `changed` with each new answer.
    ///
    /// It is the only one that looks this name up, so a resolver that hangs holds one of tokio's blocking threads
    /// a name, never more.
    pub(super) async fn keep_fresh(
        &self,
        lookup: Lookup,
        interval: Duration,
        stop: CancellationToken,
        changed: impl Fn(),
    ) {
        let mut retry = FIRST_RETRY;
        let mut failing = false;
        loop {
            let result = tokio::select! {
                result = lookup(self.host.clone(), self.port) => result,
                () = stop.cancelled() => return,
            };
            let failure = match result {
                Ok(found) if found.is_empty() => Some("the name has no address".to_owned()),
                Ok(found) => {
                    self.accept(found, &changed);
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            if let Some(reason) = failure.as_ref().filter(|_| !failing) {
                tracing::warn!(name = %self.host, %reason, "name of an upstream's target does not resolve");
            }
            failing = failure.is_some();
            let pause = match failure {
                Some(reason) if !self.fail(&reason) => next_retry(&mut retry, interval),
                _ => interval,
            };
            tokio::select! {
                () = tokio::time::sleep(jitter(pause)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn accept(&self, found: Vec<SocketAddr>, changed: &impl Fn()) {
        let fresh = alternate(found);
        let is_new = self.answer.send_if_modified(|answer| {
            let same = matches!(answer, Answer::Good(old) if same_set(old, &fresh));
            if !same {
                *answer = Answer::Good(fresh.clone());
            }
            !same
        });
        if is_new {
            tracing::info!(name = %self.host, addresses = ?fresh, "name of an upstream's target resolved");
            changed();
        }
    }

    /// Notes a failed look-up; whether an earlier good answer goes on being used.
    fn fail(&self, reason: &str) -> bool {
        let has_none = self.answer.send_if_modified(|answer| {
            let has_none = !matches!(answer, Answer::Good(_));
            if has_none {
                *answer = Answer::Failed(reason.into());
            }
            has_none
        });
        !has_none
    }
}

fn next_retry(retry: &mut Duration, interval: Duration) -> Duration {
    let pause = (*retry).min(interval);
    *retry = retry.saturating_mul(2);
    pause
}

/// Resolvers turn their answers round from one to the next: that alone is no change.
fn same_set(old: &[SocketAddr], new: &[SocketAddr]) -> bool {
    old.len() == new.len() && new.iter().all(|address| old.contains(address))
}

/// Puts the families in turn, the resolver's first choice first (RFC 8305 section 4).
fn alternate(found: Vec<SocketAddr>) -> Arc<[SocketAddr]> {
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(found.len().min(MAX_ADDRESSES));
    for address in found {
        if unique.len() < MAX_ADDRESSES && !unique.contains(&address) {
            unique.push(address);
        }
    }
    let v6_first = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = unique.into_iter().partition(|a| a.is_ipv6() == v6_first);
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|i| [first.get(i), second.get(i)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_choice_stays_first() {
        let mixed = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "[::1]:1"]);
        let expected = addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(*alternate(mixed), *expected);
        let v4 = addresses(&["10.0.0.2:1", "10.0.0.1:1"]);
        assert_eq!(*alternate(v4.clone()), *v4);
    }

    #[test]
    fn an_answer_of_any_length_is_bounded() {
        let many = (0..1000u16).map(|port| SocketAddr::from(([10, 0, 0, 1], port + 1))).collect();
        assert_eq!(alternate(many).len(), MAX_ADDRESSES);
    }

    #[test]
    fn an_answer_turned_round_is_no_change() {
        let (one, other) =
            (addresses(&["10.0.0.1:1", "10.0.0.2:1"]), addresses(&["10.0.0.2:1", "10.0.0.1:1"]));
        assert!(same_set(&one, &other) && !same_set(&one, &one[..1]));
    }
}
