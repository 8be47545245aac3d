//! What a broker has and has done, in numbers, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::splice::Spliced;
use crate::name::Role;

/// What a broker has now, and what it has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Agents that are connected.
    pub agents: u64,
    /// Clients that are connected.
    pub clients: u64,
    /// Sessions of which an end is here.
    pub sessions: u64,
    /// Sessions that were granted.
    pub granted: u64,
    /// Times that both ends of a session met: one for each session, and one for each connection that it has outlived.
    pub joined: u64,
    /// Bytes that clients have sent over their sessions' carriers.
    pub client_bytes: u64,
    /// Bytes that agents have.
    pub agent_bytes: u64,
}

/// What was done since the broker was made.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) granted: AtomicU64,
    pub(super) joined: AtomicU64,
    pub(super) client_bytes: AtomicU64,
    pub(super) agent_bytes: AtomicU64,
}

impl Counts {
    /// More was carried, where the first end is of this role.
    pub(super) fn carried(&self, first: Role, more: Spliced) {
        let (up, down) = match first {
            Role::Agent => (&self.agent_bytes, &self.client_bytes),
            _ => (&self.client_bytes, &self.agent_bytes),
        };
        for (count, more) in [(up, more.up), (down, more.down)] {
            if more > 0 {
                count.fetch_add(more, Relaxed);
            }
        }
    }

    pub(super) fn figures(&self, [agents, clients, sessions]: [u64; 3]) -> Figures {
        Figures {
            agents,
            clients,
            sessions,
            granted: self.granted.load(Relaxed),
            joined: self.joined.load(Relaxed),
            client_bytes: self.client_bytes.load(Relaxed),
            agent_bytes: self.agent_bytes.load(Relaxed),
        }
    }
}
