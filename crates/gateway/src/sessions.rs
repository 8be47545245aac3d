//! The live sessions: found for a count or an order, forgotten when they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};
use wicketgate_admission::Standing;
use wicketgate_admission::identity::Identity;
use wicketgate_audit::Who;
use wicketgate_policy::Facts;
use wicketgate_telemetry::TraceId;

use crate::pump::{Control, End, Moved, Order};
use crate::tls::Chain;

/// A live session, as seen from outside its task.
#[derive(Debug)]
pub struct Live {
    /// Its number, unique while this process runs.
    pub id: u64,
    /// The name of its route.
    pub route: Arc<str>,
    /// How its client came.
    pub way: Way,
    /// When it was opened.
    pub since: SystemTime,
    /// The subprotocol that was negotiated.
    pub subprotocol: Option<Box<str>>,
    /// What its client's right to it rests on.
    pub standing: Standing,
    /// Where orders to it go.
    pub control: Arc<Control>,
    /// What it has moved.
    pub moved: Arc<Moved>,
}

impl Live {
    /// What audit events say about the session, whose client proved to be this.
    pub fn who<'a>(&'a self, identity: Option<&'a Identity>) -> Who<'a> {
        Who {
            listener: Some(&self.way.listener),
            client: self.standing.client().address,
            route: Some(&self.route),
            session: Some(self.id),
            trace: self.way.trace,
            ..who(identity)
        }
    }
}

impl Live {
    /// What the session's messages are judged by, beside what they say.
    pub fn facts(&self) -> Arc<Facts> {
        let (client, facts) = (self.standing.client(), self.standing.facts());
        let identity = self.standing.identity().map(|identity| wicketgate_policy::Identity {
            subject: identity.subject.clone(),
            method: identity.method.clone(),
            token_id: identity.token_id.clone(),
            claims: identity.claims.clone(),
        });
        Arc::new(Facts {
            session: self.id,
            route: self.route.clone(),
            identity,
            address: client.address,
            secure: client.secure,
            subprotocol: self.subprotocol.clone(),
            host: facts.host().into(),
            path: facts.path().into(),
            headers: facts.headers(),
        })
    }
}

/// What an audit event says about an identity.
pub fn who(identity: Option<&Identity>) -> Who<'_> {
    Who {
        subject: identity.map(|identity| &*identity.subject),
        method: identity.map(|identity| &*identity.method),
        token_id: identity.and_then(|identity| identity.token_id.as_deref()),
        ..Who::default()
    }
}

/// How a session's client came.
#[derive(Clone, Debug)]
pub struct Way {
    /// The name of the listener.
    pub listener: Arc<str>,
    /// The client's certificates, where it showed some.
    pub chain: Option<Arc<Chain>>,
    /// The trace of the request that the session began with, where requests are traced.
    pub trace: Option<TraceId>,
}

/// All live sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    next: AtomicU64,
    live: Mutex<HashMap<u64, Arc<Live>>>,
}

/// A session's place among the live ones; gives it up when dropped.
#[derive(Debug)]
pub struct Registered {
    live: Arc<Live>,
    sessions: Weak<Sessions>,
}

impl Registered {
    /// The session, for whoever else has to do with it.
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }
}

impl std::ops::Deref for Registered {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.live
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(sessions) = self.sessions.upgrade() {
            sessions.lock().remove(&self.live.id);
        }
    }
}

impl Sessions {
    /// Enters a session of `route`, with the subprotocol that was negotiated.
    pub fn register(
        self: &Arc<Self>,
        route: &Arc<str>,
        way: Way,
        subprotocol: Option<Box<str>>,
        standing: Standing,
    ) -> Registered {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let live = Arc::new(Live {
            id,
            route: route.clone(),
            way,
            since: SystemTime::now(),
            subprotocol,
            standing,
            control: Arc::default(),
            moved: Arc::default(),
        });
        self.lock().insert(id, live.clone());
        Registered { live, sessions: Arc::downgrade(self) }
    }

    /// How many are live.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that are live now.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends sessions, each at a random moment within `spread`, so that their clients do not all come back at once.
pub async fn end_spread(sessions: Vec<(Arc<Live>, End)>, spread: Duration) {
    let start = Instant::now();
    let at = |session| (start + spread.mul_f64(rand::random::<f64>()), session);
    let mut due: Vec<_> = sessions.into_iter().map(at).collect();
    due.sort_by_key(|(at, _)| *at);
    for (at, (live, end)) in due {
        sleep_until(at).await;
        live.control.give(Order::End(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way {
        Way { listener: "l".into(), chain: None, trace: None }
    }

    #[test]
    fn sessions_are_live_as_long_as_they_are_registered() {
        let sessions = Arc::new(Sessions::default());
        let one = sessions.register(&"a".into(), way(), None, Standing::default());
        let two = sessions.register(&"b".into(), way(), None, Standing::default());
        assert_eq!(sessions.len(), 2);
        assert_ne!(one.id, two.id);
        drop(one);
        assert_eq!(sessions.all().iter().map(|live| live.route.to_string()).collect::<Vec<_>>(), ["b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_are_spread_and_all_given() {
        let sessions = Arc::new(Sessions::default());
        let open = |_| sessions.register(&"a".into(), way(), None, Standing::default());
        let _live: Vec<_> = (0..100).map(open).collect();
        let start = Instant::now();
        let all = sessions.all().into_iter().map(|live| (live, End::Drained)).collect();
        end_spread(all, Duration::from_secs(10)).await;
        let took = start.elapsed();
        assert!(took > Duration::from_secs(5) && took <= Duration::from_secs(10), "{took:?}");
    }
}
