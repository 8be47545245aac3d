//! Which format reads the messages of a capture: the one that a subprotocol is for, or the narrowest that reads most of them.

use std::collections::HashMap;
use std::sync::Arc;

use wicketgate_config::{Problems, Report, part};
use wicketgate_policy::fields::Shown;
use wicketgate_policy::{Facts, Heard, Message, Policy, RawPolicy, Session};

use crate::error::Error;
use crate::line::Line;

/// Messages that a format is tried on.
const SAMPLE: usize = 2_000;
/// Sessions that are followed at once.
const MAX_SESSIONS: usize = 10_000;

/// Subprotocols, and the format that each is for.
const BY_SUBPROTOCOL: &[(&str, &str)] = &[
    ("graphql-transport-ws", "{graphql-transport-ws: {}}"),
    ("graphql-ws", "{graphql-ws: {}}"),
    ("mqtt", "{mqtt: {}}"),
    ("v12.stomp", "{stomp: {}}"),
    ("ocpp1.6", "{ocpp: {version: \"1.6\"}}"),
    ("ocpp2.0.1", "{ocpp: {version: \"2.0.1\"}}"),
    ("wamp.2.json", "{wamp: {}}"),
    ("realtime", "{realtime: {}}"),
];
/// Formats of protocols whose messages cannot be mistaken.
const PLAIN_PACKS: &[&str] = &[
    "{json-rpc: {}}",
    "{json-rpc: {batches: true}}",
    "{socket.io: {}}",
    "{signalr: {}}",
    "{signalr: {encodings: [json, messagepack]}}",
];
/// Formats that give fields, where most messages hold some.
const STRUCTURED: &[&str] = &["json", "msgpack", "cbor"];

/// A policy that listens: every message is decoded, and nothing is asked of it.
#[derive(Clone, Debug)]
pub(crate) struct Ear {
    /// As it stands behind `format:`.
    pub(crate) format: String,
    policy: Policy,
}

/// The sessions of a capture, as far as each came in its protocol.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<u64, Session>);

impl Sessions {
    /// The session of a line; none where there are more than are followed.
    pub(crate) fn of(&mut self, line: &Line, usual: Option<&str>) -> Option<&mut Session> {
        if self.0.len() >= MAX_SESSIONS && !self.0.contains_key(&line.session) {
            return None;
        }
        let session = self.0.entry(line.session).or_insert_with(|| {
            let subprotocol = line.subprotocol.as_deref().or(usual).filter(|name| !name.is_empty());
            let subprotocol = subprotocol.map(Into::into);
            Session::new(Arc::new(Facts { session: line.session, subprotocol, ..Facts::default() }))
        });
        let time = line.time.unwrap_or_default();
        session.at(time, time);
        Some(session)
    }
}

/// How well a format reads messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    read: usize,
    /// Of these, how many are maps or lists.
    structured: usize,
}

impl Ear {
    /// One for messages of this format, with their kind at this path.
    pub(crate) fn new(format: &str, kind: Option<&str>) -> Result<Self, Error> {
        let kind = kind.map(|kind| format!("kind: {}\n", serde_json::Value::from(kind))).unwrap_or_default();
        let text = format!(
            "name: learn\nformat: {format}\n{kind}bounds: {{depth: 64, values: 100000, keys: 10000, key: 16KiB, text: 64MiB, packets: 1000, pending: 10000}}\nto_upstream: []\nto_client: []\n"
        );
        let policy = policy(&text)
            .map_err(|report| Error::Format { format: format.into(), report: Box::new(report) })?;
        Ok(Self { format: format.into(), policy })
    }

    /// The policy that decodes.
    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The subprotocol that its sessions are taken to have where a capture does not say.
    pub(crate) fn usual(&self) -> Option<&str> {
        self.policy.subprotocols().first().map(|name| &**name)
    }

    /// The subprotocols that the format itself is for.
    pub(crate) fn subprotocols(&self) -> &[Box<str>] {
        self.policy.subprotocols()
    }

    /// Tells what a message says; whether it could be read.
    pub(crate) fn listen(
        &self,
        sessions: &mut Sessions,
        line: &Line,
        heard: &mut dyn FnMut(Heard<'_>),
    ) -> Result<(), &'static str> {
        let message = Message { kind: line.kind, payload: &line.payload };
        let session = sessions.of(line, self.usual()).ok_or("too many sessions")?;
        self.policy.listen(session, line.direction, message, heard).map_err(|breach| breach.label())
    }

    fn fit(&self, lines: &[Line]) -> Fit {
        let (mut fit, mut sessions) = (Fit::default(), Sessions::default());
        for line in lines.iter().take(SAMPLE) {
            let mut is_structured = false;
            let mut look = |heard: Heard<'_>| {
                let root = heard.fields.root().map(|root| root.show());
                is_structured |= matches!(root, Some(Shown::Map(_) | Shown::List(_)));
            };
            if self.listen(&mut sessions, line, &mut look).is_ok() {
                fit.read += 1;
                fit.structured += usize::from(is_structured);
            }
        }
        fit
    }
}

/// The policy that this text is.
fn policy(text: &str) -> Result<Policy, Report> {
    let raw: RawPolicy = part("policy", text)?;
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems);
    policy.filter(|_| !problems.has_errors()).ok_or_else(|| Report::new(Default::default(), problems))
}

/// Finds the format of these messages.
pub(crate) fn find(lines: &[Line]) -> Result<Ear, Error> {
    let sample = lines.len().min(SAMPLE);
    let spoken = |name: &str| lines.iter().take(SAMPLE).any(|line| line.subprotocol.as_deref() == Some(name));
    let by_name = BY_SUBPROTOCOL.iter().filter(|(name, _)| spoken(name)).map(|(_, format)| *format);
    for format in by_name.chain(PLAIN_PACKS.iter().copied()) {
        let ear = Ear::new(format, None)?;
        // A few broken messages do not make another protocol of it.
        if ear.fit(lines).read * 20 >= sample * 19 {
            return Ok(ear);
        }
    }
    let mut best: Option<(Fit, Ear)> = None;
    for format in STRUCTURED {
        let ear = Ear::new(format, None)?;
        let fit = ear.fit(lines);
        if fit.structured * 2 > sample && best.as_ref().is_none_or(|(other, _)| *other < fit) {
            best = Some((fit, ear));
        }
    }
    match best {
        Some((_, ear)) => Ok(ear),
        None => {
            let (text, binary) = (Ear::new("text", None)?, Ear::new("binary", None)?);
            Ok(if text.fit(lines) >= binary.fit(lines) { text } else { binary })
        }
    }
}
