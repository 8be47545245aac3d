//! The live sessions, as an operator sees them.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::seconds;
use super::selector::Selector;
use crate::gateway::Shared;
use crate::sessions::Live;

/// How many sessions one answer shows: about 400 bytes each.
pub const SHOWN: usize = 10_000;

/// The sessions that were asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List {
    /// How many there are.
    pub total: usize,
    /// As many of them as were asked for, the oldest first.
    pub sessions: Vec<Shown>,
}

/// A session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// Its number, unique while the process runs.
    pub session: u64,
    /// Its route.
    pub route: String,
    /// The client's address.
    pub client: Option<String>,
    /// Who the client proved to be.
    pub subject: Option<String>,
    /// The method that vouches for it.
    pub method: Option<String>,
    /// The credential, by a name that gives nothing away.
    pub token_id: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: OffsetDateTime,
    /// When its client's credential ends.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires: Option<OffsetDateTime>,
}

/// A session, with how it came.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Detail {
    /// What a list shows of it.
    #[serde(flatten)]
    pub shown: Shown,
    /// The listener that the client came through.
    pub listener: String,
    /// The host that it asked for.
    pub host: String,
    /// The path that it asked for, without its query.
    pub path: String,
    /// The subprotocol that was negotiated.
    pub subprotocol: Option<String>,
    /// Whether the client's side is TLS.
    pub secure: bool,
}

impl Shown {
    fn of(live: &Live) -> Self {
        let identity = live.standing.identity();
        Self {
            session: live.id,
            route: live.route.to_string(),
            client: live.standing.client().address.map(|address| address.to_string()),
            subject: identity.as_ref().map(|identity| identity.subject.to_string()),
            method: identity.as_ref().map(|identity| identity.method.to_string()),
            token_id: identity.as_ref().and_then(|identity| identity.token_id.as_deref().map(str::to_owned)),
            since: seconds(live.since),
            expires: live.standing.expires().map(seconds),
        }
    }
}

/// The sessions that are meant, at most so many.
pub fn list(shared: &Shared, selector: &Selector, most: usize) -> List {
    let mut meant: Vec<_> = shared.sessions.all().into_iter().filter(|live| selector.takes(live)).collect();
    meant.sort_by_key(|live| live.id);
    let sessions = meant.iter().take(most.min(SHOWN)).map(|live| Shown::of(live)).collect();
    List { total: meant.len(), sessions }
}

/// The session of this number, while it lives.
pub fn one(shared: &Shared, id: u64) -> Option<Detail> {
    let live = shared.sessions.all().into_iter().find(|live| live.id == id)?;
    let facts = live.standing.facts();
    Some(Detail {
        shown: Shown::of(&live),
        listener: live.way.listener.to_string(),
        host: facts.host().to_owned(),
        path: facts.path().to_owned(),
        subprotocol: live.subprotocol.as_deref().map(str::to_owned),
        secure: live.standing.client().secure,
    })
}
