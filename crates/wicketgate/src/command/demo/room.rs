//! The chat room: what one says, all hear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};
use wicketgate_wire::DataKind;

use super::socket::{Received, Socket};

/// Lines that wait for a slow guest; more are left out.
const WAITING: usize = 256;
/// The longest name, in characters.
const NAME: usize = 24;

/// Everybody who is in it.
pub(super) struct Room {
    said: Sender<Arc<str>>,
    guests: AtomicU64,
}

impl Room {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { said: channel(WAITING).0, guests: AtomicU64::new(1) }
    }

    /// A guest's stay. Its messages are what it says; `/name Ada` gives it a name.
    pub(super) async fn stay(&self, mut socket: Socket) {
        let mut name = format!("Guest {}", self.guests.fetch_add(1, Ordering::Relaxed));
        let mut heard = self.said.subscribe();
        self.tell(json!({ "kind": "room", "present": self.said.receiver_count() }));
        while self.step(&mut socket, &mut heard, &mut name).await.is_some() {}
        drop(heard);
        self.tell(json!({ "kind": "room", "present": self.said.receiver_count() }));
    }

    /// One message of the guest, or one line for it. `None` when it leaves.
    async fn step(
        &self,
        socket: &mut Socket,
        heard: &mut Receiver<Arc<str>>,
        name: &mut String,
    ) -> Option<()> {
        tokio::select! {
            received = socket.receive() => match received? {
                Received::Message(DataKind::Text, text) => self.said_by(name, &String::from_utf8_lossy(&text)),
                Received::Message(DataKind::Binary, _) => {}
                Received::Control(opcode, body) => socket.answer(opcode, &body).await?,
            },
            line = heard.recv() => match line {
                Ok(line) => socket.queue(DataKind::Text, line.as_bytes())?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            },
        }
        Some(())
    }

    fn said_by(&self, name: &mut String, text: &str) {
        match text.strip_prefix("/name ") {
            Some(wanted) => {
                let wanted: String = wanted.trim().chars().filter(|c| !c.is_control()).take(NAME).collect();
                if !wanted.is_empty() {
                    self.tell(json!({ "kind": "named", "from": name, "name": wanted }));
                    *name = wanted;
                }
            }
            None => self.tell(json!({ "kind": "said", "from": name, "text": text })),
        }
    }

    fn tell(&self, line: serde_json::Value) {
        // An error means that nobody is there.
        let _ = self.said.send(line.to_string().into());
    }
}
