//! Looking on at messages: who may, how many, how fast, and what is shown of each.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use wicketgate_audit::{Event, Selector};
use wicketgate_gateway::capture::{Bounds, Copied};
use wicketgate_gateway::operate::messages::{self, Asked, Unseen, Watching};
use wicketgate_policy::{DataKind, Direction};

use crate::access::caller::Caller;
use crate::state::Shared;

/// How often what came is shown.
pub(crate) const EVERY: Duration = Duration::from_millis(250);
/// How many bytes of a binary message are shown.
const BYTES: usize = 256;

/// Whose messages are meant, and which of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wanted {
    pub(crate) route: String,
    pub(crate) session: String,
    pub(crate) direction: String,
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// Why nobody looks on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// What was asked makes no sense.
    #[error("{0}")]
    Asked(&'static str),
    /// There are no such messages.
    #[error(transparent)]
    Unseen(#[from] Unseen),
    /// Nobody may.
    #[error("nobody sees messages here: `console.messages.watchers` is 0")]
    Never,
    /// Others look on.
    #[error("as many look on as `console.messages.watchers` allows: try again when one has left")]
    Busy,
}

/// Somebody who looks on.
pub(crate) struct Onlooker {
    watching: Watching,
    text: String,
    shown: usize,
    /// Given back when nobody looks any more.
    _place: OwnedSemaphorePermit,
}

/// The messages of a quarter of a second.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Seen {
    /// Those that are shown, the oldest first.
    pub(crate) messages: Vec<Message>,
    /// Messages that were dropped, for want of room or time, so that no session waits.
    pub(crate) dropped: u64,
    /// Messages that could not be read, and so may hold secrets.
    pub(crate) left_out: u64,
    /// Messages without the text that was asked for.
    pub(crate) others: u64,
}

/// A message. Its secrets are covered by values that say nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    /// Its session.
    session: u64,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: OffsetDateTime,
    /// `to_upstream` or `to_client`.
    direction: &'static str,
    /// `text` or `binary`.
    kind: &'static str,
    /// What became of it: `forwarded`, `rewritten`, `dropped`, `replied` or `closed`.
    verdict: &'static str,
    /// Its length in bytes.
    size: usize,
    /// What it says: its beginning where it is long, in hexadecimal where it is binary.
    text: String,
    /// Whether there is more of it.
    cut: bool,
    /// The paths of fields that were covered.
    covered: Vec<String>,
}

impl Wanted {
    fn asked(&self) -> Result<Asked, Refused> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let session = given(&self.session).map(|session| session.parse());
        let session = session.transpose().map_err(|_| Refused::Asked("`session` is no number"))?;
        let direction = match self.direction.trim() {
            "" => None,
            "to_upstream" => Some(Direction::ToUpstream),
            "to_client" => Some(Direction::ToClient),
            _ => return Err(Refused::Asked("`direction` is `to_upstream` or `to_client`")),
        };
        let kind = match self.kind.trim() {
            "" => None,
            "text" => Some(DataKind::Text),
            "binary" => Some(DataKind::Binary),
            _ => return Err(Refused::Asked("`kind` is `text` or `binary`")),
        };
        Ok(Asked { route: given(&self.route), session, direction, kind })
    }
}

impl Onlooker {
    /// Begins to look on; who does, the audit knows.
    pub(crate) async fn begin(shared: &Shared, wanted: &Wanted, caller: &Caller) -> Result<Self, Refused> {
        let config = shared.config.load().messages;
        if config.watchers == 0 {
            return Err(Refused::Never);
        }
        let asked = wanted.asked()?;
        let place = shared.watchers.clone().try_acquire_owned().map_err(|_| Refused::Busy)?;
        let ticks = 1000 / EVERY.as_millis() as usize;
        let bounds = Bounds {
            messages: config.per_second.div_ceil(ticks),
            bytes: config.memory,
            message: config.largest,
        };
        let session = asked.session.map(|session| session.to_string());
        let watching = messages::watch(&shared.gateway, asked, bounds)?;
        let selector = match &session {
            Some(session) => Selector { kind: "session", value: session },
            None => Selector { kind: "route", value: watching.route() },
        };
        shared.gateway.audit.wait(&Event::Watched { selector }, &caller.who()).await;
        let text = wanted.text.trim().to_lowercase();
        Ok(Self { watching, text, shown: config.shown, _place: place })
    }

    /// What came since the last time. None where there will be nothing any more.
    pub(crate) fn look(&mut self) -> Option<Seen> {
        let batch = self.watching.take()?;
        let all = batch.copies.len();
        // By what is shown alone: whoever asks for a secret does not learn that it is there.
        let messages = batch.copies.into_iter().map(|copy| Message::of(copy, self.shown));
        let messages: Vec<Message> = messages.filter(|message| message.says(&self.text)).collect();
        let others = (all - messages.len()) as u64;
        Some(Seen { messages, dropped: batch.dropped, left_out: batch.left_out, others })
    }
}

impl Seen {
    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.dropped == 0 && self.left_out == 0 && self.others == 0
    }
}

impl Message {
    fn of(Copied { line, verdict }: Copied, most: usize) -> Self {
        let size = line.payload.len();
        let (kind, text, cut) = match (line.kind, String::from_utf8(line.payload)) {
            (DataKind::Text, Ok(mut text)) => {
                let end = text.floor_char_boundary(most);
                text.truncate(end);
                ("text", text, end < size)
            }
            (_, payload) => {
                let payload = payload.map_or_else(|error| error.into_bytes(), String::into_bytes);
                let bytes = &payload[..size.min(BYTES).min(most)];
                ("binary", hexadecimal(bytes), bytes.len() < size)
            }
        };
        let time = OffsetDateTime::UNIX_EPOCH + line.time.unwrap_or_default();
        let direction = line.direction.label();
        Self { session: line.session, time, direction, kind, verdict, size, text, cut, covered: line.covered }
    }

    fn says(&self, text: &str) -> bool {
        text.is_empty() || self.text.to_lowercase().contains(text)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: DataKind, payload: &[u8], most: usize) -> Message {
        let line = wicketgate_learn::line::Line {
            name: None,
            session: 7,
            time: None,
            subprotocol: None,
            direction: Direction::ToClient,
            kind,
            payload: payload.to_vec(),
            covered: Vec::new(),
            expect: None,
        };
        Message::of(Copied { line, verdict: "forwarded" }, most)
    }

    #[test]
    fn messages_are_cut_where_they_may_be() {
        let text = shown(DataKind::Text, "aéb".as_bytes(), 2);
        assert_eq!((text.text.as_str(), text.cut, text.size), ("a", true, 4));
        let whole = shown(DataKind::Text, "aéb".as_bytes(), 4);
        assert_eq!((whole.text.as_str(), whole.cut), ("aéb", false));
        let bytes = shown(DataKind::Binary, &[0, 255, 16], 64);
        assert_eq!((bytes.text.as_str(), bytes.kind, bytes.cut), ("00 ff 10", "binary", false));
        assert!(shown(DataKind::Binary, &[0; 300], 1000).cut);
        assert!(whole.says("") && whole.says("é") && !whole.says("x"));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let wanted = |session: &str, direction: &str, kind: &str| Wanted {
            session: session.into(),
            direction: direction.into(),
            kind: kind.into(),
            ..Wanted::default()
        };
        assert!(wanted(" 7 ", "to_client", "text").asked().is_ok_and(|asked| asked.session == Some(7)));
        for bad in [wanted("x", "", ""), wanted("", "up", ""), wanted("", "", "json")] {
            assert!(matches!(bad.asked(), Err(Refused::Asked(_))), "{bad:?}");
        }
    }
}
