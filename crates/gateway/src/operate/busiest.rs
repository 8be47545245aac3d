//! The sessions that move the most.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use crate::gateway::Shared;
use crate::pump::SentBySide;
use crate::sessions::Live;

/// A session, and what it moves.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Busy {
    /// Its number, unique while the process runs.
    pub session: u64,
    /// Its route.
    pub route: String,
    /// The client's address.
    pub client: Option<String>,
    /// Who the client proved to be.
    pub subject: Option<String>,
    /// What the client has sent.
    pub from_client: Moved,
    /// What the upstream has sent.
    pub from_upstream: Moved,
}

/// What one side of a session has sent.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Moved {
    /// Messages that went on.
    pub messages: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Messages a second, of late.
    pub message_rate: u32,
    /// Bytes a second, of late.
    pub byte_rate: u32,
}

impl From<SentBySide> for Moved {
    fn from(sent: SentBySide) -> Self {
        let SentBySide { messages, bytes, message_rate, byte_rate } = sent;
        Self { messages, bytes, message_rate, byte_rate }
    }
}

/// The sessions that move the most bytes a second now, at most `most`, the busiest first; none that rests.
pub fn busiest(shared: &Shared, most: usize) -> Vec<Busy> {
    let now = SystemTime::now();
    let rate = |live: &Live| {
        let (client, upstream) = live.moved.sent(now);
        u64::from(client.byte_rate) + u64::from(upstream.byte_rate)
    };
    let rated = shared.sessions.all().into_iter().map(|live| (rate(&live), live));
    let mut rated: Vec<_> = rated.filter(|(rate, _)| *rate > 0).collect();
    rated.sort_unstable_by(|(a, one), (b, other)| b.cmp(a).then(one.id.cmp(&other.id)));
    let shown = rated.into_iter().take(most).map(|(_, live)| {
        let (client, upstream) = live.moved.sent(now);
        Busy {
            session: live.id,
            route: live.route.to_string(),
            client: live.standing.client().address.map(|address| address.to_string()),
            subject: live.standing.identity().map(|identity| identity.subject.to_string()),
            from_client: client.into(),
            from_upstream: upstream.into(),
        }
    });
    shown.collect()
}
