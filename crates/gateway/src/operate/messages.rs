//! The messages of a route's sessions, for an operator who looks on or learns. What leaves here has its secrets covered.

use std::sync::Arc;

use wicketgate_learn::Redactor;
use wicketgate_policy::fields::Path;
use wicketgate_policy::{DataKind, Direction};

use crate::capture::{Batch, Bounds, Cover, Wanted, Watch};
use crate::gateway::{Shared, Snapshot, Target};
use crate::pump::config::Mode;

/// Whose messages are meant, and which of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Those of this route's sessions; where a session is given, its route serves.
    pub route: Option<String>,
    /// Those of the session of this number.
    pub session: Option<u64>,
    /// Those that travel this way.
    pub direction: Option<Direction>,
    /// Text, or binary ones.
    pub kind: Option<DataKind>,
}

/// Why there are no messages to be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// Nothing says whose.
    #[error("say whose messages: give a route or a session")]
    Nobody,
    /// The session is over, or never was, or is another route's.
    #[error("no session {0} is live on this route")]
    NoSession(u64),
    /// There is no such route, or it answers by itself.
    #[error("there is no route `{0}` that leads to an upstream")]
    NoRoute(String),
    /// The route sends frames on without putting messages together.
    #[error("the route does not put messages together: set `websocket.mode: messages`, or a policy")]
    Apart,
}

/// Somebody who looks on. It ends when this is dropped.
pub struct Watching {
    route: Arc<str>,
    watch: Watch,
}

/// Begins to look on.
///
/// # Errors
/// Why there are no messages to be seen.
pub fn watch(shared: &Arc<Shared>, asked: Asked, bounds: Bounds) -> Result<Watching, Unseen> {
    let Asked { route, session, direction, kind } = asked;
    let route: Arc<str> = match (session, route) {
        (None, None) => return Err(Unseen::Nobody),
        (None, Some(route)) => route.into(),
        (Some(session), route) => {
            let live = shared.sessions.all().into_iter().find(|live| live.id == session);
            let live = live.filter(|live| route.is_none_or(|route| *live.route == *route));
            live.ok_or(Unseen::NoSession(session))?.route.clone()
        }
    };
    let cover = cover(shared, &route, Vec::new())?;
    let wanted = Wanted { session, direction, kind, ..Wanted::all_of(route.clone()) };
    Ok(Watching { route, watch: shared.captures.watch(wanted, bounds, cover) })
}

impl Watching {
    /// The route whose sessions these are.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The messages since the last time. None where the route is not there any more, or nobody had asked for too long.
    pub fn take(&mut self) -> Option<Batch> {
        self.watch.take()
    }
}

/// What covers the secrets in a route's messages, by the configuration that is followed when they are taken: it may call more fields secret
/// than that of now.
///
/// # Errors
/// Why there are no messages to be seen.
pub fn cover(shared: &Arc<Shared>, route: &Arc<str>, secrets: Vec<Path>) -> Result<Cover, Unseen> {
    let mut followed = shared.snapshot();
    let first = redactor(&followed, route, secrets.clone())?;
    let (shared, route) = (Arc::downgrade(shared), route.clone());
    let renew = move || {
        let now = shared.upgrade()?.snapshot();
        if Arc::ptr_eq(&now, &followed) {
            return Some(None);
        }
        let renewed = redactor(&now, &route, secrets.clone()).ok()?;
        followed = now;
        Some(Some(renewed))
    };
    Ok(Cover::new(first, Box::new(renew)))
}

/// By their names and looks, those that the route's policy redacts, and those that are named.
fn redactor(snapshot: &Snapshot, route: &str, secrets: Vec<Path>) -> Result<Redactor, Unseen> {
    let Some(Target::Proxy(proxy)) = snapshot.route(route).map(|route| &route.target) else {
        return Err(Unseen::NoRoute(route.to_owned()));
    };
    match proxy.websocket.as_ref().is_some_and(|websocket| websocket.mode == Mode::Messages) {
        true => Ok(Redactor::new(proxy.policy.clone(), secrets)),
        false => Err(Unseen::Apart),
    }
}
