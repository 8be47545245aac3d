//! The agents that are connected.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::control::message::{FromGateway, Refusal};
use crate::name::Name;

/// Invitations that may wait for an agent to read them.
const WAITING: usize = 64;

/// The agents that are connected, by their names.
#[derive(Debug, Default)]
pub(super) struct Registry(Arc<Mutex<HashMap<Arc<str>, Agent>>>);

#[derive(Debug)]
struct Agent {
    name: Name,
    serial: String,
    messages: mpsc::Sender<FromGateway>,
}

/// An agent's place among those that are connected; given back when dropped.
#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Mutex<HashMap<Arc<str>, Agent>>>,
    name: Arc<str>,
    /// What the agent is to be told. It ends when another connection of the same agent has taken the place.
    pub(super) messages: mpsc::Receiver<FromGateway>,
}

impl Registry {
    /// Takes an agent in. The newest connection of a name holds its place: the one before may be dead without knowing.
    ///
    /// # Errors
    /// As many agents as there may be.
    pub(super) fn register(&self, name: &Name, serial: &str, max: usize) -> Result<Registered, Refusal> {
        let (sender, messages) = mpsc::channel(WAITING);
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let agent = Agent { name: name.clone(), serial: serial.to_owned(), messages: sender };
        let count = agents.len();
        match agents.entry(name.name.clone()) {
            Entry::Occupied(mut before) => drop(before.insert(agent)),
            Entry::Vacant(_) if count >= max => return Err(Refusal::Limit),
            Entry::Vacant(place) => drop(place.insert(agent)),
        }
        Ok(Registered { registry: self.0.clone(), name: name.name.clone(), messages })
    }

    /// An agent's name and the serial number of its certificate.
    pub(super) fn find(&self, name: &str) -> Option<(Name, String)> {
        let agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        agents.get(name).map(|agent| (agent.name.clone(), agent.serial.clone()))
    }

    /// Tells an agent something.
    ///
    /// # Errors
    /// It is not connected, or does not listen.
    pub(super) fn tell(&self, name: &str, message: FromGateway) -> Result<(), Refusal> {
        let agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let agent = agents.get(name).ok_or(Refusal::AgentAbsent)?;
        agent.messages.try_send(message).map_err(|_| Refusal::AgentAbsent)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // What wakes its sender's channel is that the receiver closes; only then it tells whose place it is.
        self.messages.close();
        let mut agents = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if agents.get(&self.name).is_some_and(|agent| agent.messages.is_closed()) {
            agents.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::name::Role;

    #[test]
    fn the_newest_connection_holds_the_place() {
        let registry = Registry::default();
        let name = Name::new("site", Role::Agent, "office").unwrap();
        let mut first = registry.register(&name, "1", 1).unwrap();
        let mut second = registry.register(&name, "2", 1).unwrap();
        registry.tell("office", FromGateway::Pong).unwrap();
        assert_eq!(second.messages.try_recv().unwrap(), FromGateway::Pong);
        assert_eq!(first.messages.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        drop(first);
        assert_eq!(registry.find("office").unwrap().1, "2");
        let other = Name::new("site", Role::Agent, "lab").unwrap();
        assert_eq!(registry.register(&other, "3", 1).unwrap_err(), Refusal::Limit);
        drop(second);
        assert_eq!(
            (registry.len(), registry.tell("office", FromGateway::Pong)),
            (0, Err(Refusal::AgentAbsent))
        );
        assert!(registry.register(&other, "3", 1).is_ok());
    }
}
