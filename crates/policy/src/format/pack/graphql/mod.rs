//! GraphQL over WebSocket: the protocol `graphql-transport-ws` and the older `graphql-ws`, with rules for the documents.

mod document;
mod token;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems};
use wicketgate_wire::CloseCode;

use self::document::{Document, Operation};
use super::breach::{Feature, Measure};
use super::talk::{Key, Phase, other};
use super::{Breach, Heard, Kind, Protocol, Talk, is_list, is_map, malformed, named, only};
use crate::fields::{Field, Shown};
use crate::message::Direction;

/// GraphQL over WebSocket, and what documents may ask for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawGraphql {
    /// The types of operation that clients may ask for: `query`, `mutation`, `subscription`. Default: all.
    operations: Option<At<OneOrMany<Operation>>>,
    /// Selections inside each other, with those that fragments bring, 1 to 200. Default: 15.
    depth: Option<At<u32>>,
    /// Fields of an operation, each time that a fragment brings them, 1 to 100000. Default: 500.
    fields: Option<At<u32>>,
    /// Fields under another name, 0 to 100000. Default: 30.
    aliases: Option<At<u32>>,
    /// Directives in the document, 0 to 100000. Default: 50.
    directives: Option<At<u32>>,
    /// The directives that may be used. Default: `skip` and `include`.
    allow_directives: Option<At<OneOrMany<At<String>>>>,
    /// Words and signs of a document, 10 to 1000000. Default: 5000.
    tokens: Option<At<u32>>,
    /// Whether clients may ask about the schema. Default: `false`.
    introspection: bool,
    /// Whether documents may be told by their hash alone: what they ask for is not known then. Default: `false`.
    dangerous_persisted: At<bool>,
}

/// GraphQL over WebSocket.
#[derive(Clone, Debug, PartialEq)]
pub struct Graphql {
    dialect: Dialect,
    operations: Box<[Operation]>,
    depth: u64,
    fields: u64,
    aliases: u64,
    directives: usize,
    allow_directives: HashSet<Box<str>>,
    tokens: usize,
    introspection: bool,
    persisted: bool,
}

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::format) enum Dialect {
    /// That of the library `graphql-ws`.
    Transport,
    /// That of the library `subscriptions-transport-ws`, which is kept no more.
    Older,
}

impl RawGraphql {
    /// Checks the values; what is wrong goes to `problems`.
    pub(in crate::format) fn check(self, dialect: Dialect, problems: &mut Problems) -> Graphql {
        if self.dangerous_persisted.value {
            let what = "documents that are told by their hash alone pass, whatever they ask for";
            problems.warning(self.dangerous_persisted.place, what, "have clients send whole documents");
        }
        let mut number = |name, at: Option<At<u32>>, default, range| match at {
            Some(at) => problems.in_range(name, &at, range),
            None => default,
        };
        let depth = number("depth", self.depth, 15, 1..=200).into();
        let fields = number("fields", self.fields, 500, 1..=100_000).into();
        let aliases = number("aliases", self.aliases, 30, 0..=100_000).into();
        let directives = number("directives", self.directives, 50, 0..=100_000) as usize;
        let tokens = number("tokens", self.tokens, 5_000, 10..=1_000_000) as usize;
        let listed =
            self.allow_directives.map(|list| list.value.0.into_iter().map(|name| name.value).collect());
        let listed: Vec<String> = listed.unwrap_or_else(|| vec!["skip".into(), "include".into()]);
        let all = || vec![Operation::Query, Operation::Mutation, Operation::Subscription];
        Graphql {
            dialect,
            operations: self.operations.map_or_else(all, |list| list.value.0).into(),
            depth,
            fields,
            aliases,
            directives,
            allow_directives: listed.into_iter().map(Into::into).collect(),
            tokens,
            introspection: self.introspection,
            persisted: self.dangerous_persisted.value,
        }
    }
}

impl Dialect {
    const fn name(self) -> &'static str {
        match self {
            Self::Transport => "graphql-transport-ws",
            Self::Older => "graphql-ws",
        }
    }
}

impl Protocol for Graphql {
    fn name(&self) -> &'static str {
        self.dialect.name()
    }

    fn subprotocols(&self) -> &'static [&'static str] {
        match self.dialect {
            Dialect::Transport => &["graphql-transport-ws"],
            Dialect::Older => &["graphql-ws"],
        }
    }

    fn is_json(&self) -> bool {
        true
    }

    fn advance(&self, heard: &Heard<'_>, talk: &mut Talk) -> Result<Kind, Breach> {
        let broken = malformed(self.name());
        let packet = heard.fields.root().filter(is_map).ok_or(broken)?;
        let kind = packet.get("type").and_then(|kind| kind.text()).ok_or(broken)?;
        let (word, side, has_id) = self.word(kind).ok_or(broken)?;
        let payload = packet.get("payload");
        if !only(&packet, if has_id { &["type", "id", "payload"] } else { &["type", "payload"] }) {
            return Err(broken);
        }
        if side.is_some_and(|side| side != heard.direction) {
            return Err(Breach::Side);
        }
        // What a server had on its way when the client said goodbye may come.
        if talk.phase() == Phase::Ended && (heard.direction == Direction::ToUpstream || word == Word::Ack) {
            return Err(Breach::Ended);
        }
        let key = match packet.get("id").map(|id| id.show()) {
            Some(Shown::Text(id)) if has_id && !id.is_empty() => Some(Key::of(0, id)),
            None if !has_id => None,
            // The older one names whose start it could not read, or nothing.
            None if word == Word::Failed && self.dialect == Dialect::Older => None,
            _ => return Err(broken),
        };
        self.follow(word, key, payload.as_ref(), heard, talk)?;
        match word {
            Word::Start => {
                let operation = self.asks(&payload.filter(is_map).ok_or(broken)?)?;
                Ok(operation.map_or("subscribe".into(), |operation| named("subscribe", operation.label())))
            }
            word => Ok(word.kind().into()),
        }
    }

    fn code(&self, breach: Breach) -> Option<CloseCode> {
        if self.dialect == Dialect::Older {
            return None;
        }
        match breach {
            Breach::Undecodable(error) if !error.is_bound() => Some(CloseCode(4400)),
            Breach::Early => Some(CloseCode(4401)),
            Breach::DuplicateId => Some(CloseCode(4409)),
            Breach::Handshake => Some(CloseCode(4429)),
            _ => None,
        }
    }
}

/// What a message says, in either protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Init,
    Ack,
    Denied,
    Ping,
    Pong,
    Start,
    Next,
    Failed,
    Complete,
    Terminate,
}

impl Word {
    const fn kind(self) -> &'static str {
        match self {
            Self::Init => "connection_init",
            Self::Ack => "connection_ack",
            Self::Denied => "connection_error",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Start => "subscribe",
            Self::Next => "next",
            Self::Failed => "error",
            Self::Complete => "complete",
            Self::Terminate => "connection_terminate",
        }
    }
}

impl Graphql {
    /// What a type of message means, who sends it, and whether it has an id.
    fn word(&self, kind: &str) -> Option<(Word, Option<Direction>, bool)> {
        const UP: Option<Direction> = Some(Direction::ToUpstream);
        const DOWN: Option<Direction> = Some(Direction::ToClient);
        Some(match (self.dialect, kind) {
            (_, "connection_init") => (Word::Init, UP, false),
            (_, "connection_ack") => (Word::Ack, DOWN, false),
            (Dialect::Transport, "ping") => (Word::Ping, None, false),
            (Dialect::Transport, "pong") => (Word::Pong, None, false),
            (Dialect::Transport, "subscribe") | (Dialect::Older, "start") => (Word::Start, UP, true),
            (Dialect::Transport, "next") | (Dialect::Older, "data") => (Word::Next, DOWN, true),
            (_, "error") => (Word::Failed, DOWN, true),
            (Dialect::Transport, "complete") => (Word::Complete, None, true),
            (Dialect::Older, "complete") => (Word::Complete, DOWN, true),
            (Dialect::Older, "stop") => (Word::Complete, UP, true),
            (Dialect::Older, "ka") => (Word::Ping, DOWN, false),
            (Dialect::Older, "connection_error") => (Word::Denied, DOWN, false),
            (Dialect::Older, "connection_terminate") => (Word::Terminate, UP, false),
            _ => return None,
        })
    }

    fn follow(
        &self,
        word: Word,
        key: Option<Key>,
        payload: Option<&Field<'_>>,
        heard: &Heard<'_>,
        talk: &mut Talk,
    ) -> Result<(), Breach> {
        let broken = malformed(self.name());
        match word {
            Word::Init if talk.phase() != Phase::New => return Err(Breach::Handshake),
            Word::Init => talk.enter(Phase::Opening),
            Word::Ack if talk.phase() != Phase::Opening => return Err(Breach::Order),
            Word::Ack => talk.enter(Phase::Open),
            Word::Denied | Word::Terminate => talk.enter(Phase::Ended),
            // Those of the older one may come at any time, and its clients do not wait for the answer.
            Word::Ping | Word::Pong => {}
            Word::Start if talk.phase() == Phase::Open => {}
            Word::Start if talk.phase() == Phase::Opening && self.dialect == Dialect::Older => {}
            Word::Start => return Err(Breach::Early),
            Word::Next | Word::Failed | Word::Complete if talk.phase() == Phase::New => {
                return Err(Breach::Early);
            }
            Word::Next | Word::Failed | Word::Complete => {}
        }
        if matches!(word, Word::Init | Word::Ack | Word::Ping | Word::Pong)
            && payload.is_some_and(|payload| !is_map(payload) && payload.show() != Shown::Null)
        {
            return Err(broken);
        }
        let asker = Direction::ToUpstream;
        let Some(key) = key else { return Ok(()) };
        match word {
            Word::Start => talk.open(asker, key, 0, heard.limits.pending),
            Word::Next => {
                payload.filter(|payload| is_map(payload)).ok_or(broken).and(talk.expects(asker, key))
            }
            Word::Failed => {
                let is_good = |payload: &&Field<'_>| is_list(payload) || self.dialect == Dialect::Older;
                payload.filter(is_good).ok_or(broken).and(talk.finish(asker, key))
            }
            Word::Complete if heard.direction == asker => match talk.tag(asker, key) {
                Some(_) => talk.abandon(asker, key).map(drop),
                // The server was done at the same time, or had failed.
                None => Ok(()),
            },
            Word::Complete => talk.finish(other(heard.direction), key),
            _ => Ok(()),
        }
    }

    /// Judges what a request asks for; the type of its operation, where that is known.
    fn asks(&self, payload: &Field<'_>) -> Result<Option<Operation>, Breach> {
        let broken = malformed(self.name());
        if !only(payload, &["query", "operationName", "variables", "extensions"]) {
            return Err(broken);
        }
        for name in ["variables", "extensions"] {
            if payload.get(name).is_some_and(|field| !is_map(&field) && field.show() != Shown::Null) {
                return Err(broken);
            }
        }
        let name = match payload.get("operationName").map(|name| name.show()) {
            None | Some(Shown::Null) => None,
            Some(Shown::Text(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err(broken),
        };
        let hashed =
            payload.get("extensions").is_some_and(|extensions| extensions.get("persistedQuery").is_some());
        let text = match payload.get("query").map(|query| query.show()) {
            // Beside a document, servers may take that of the hash.
            _ if hashed && !self.persisted => return Err(Breach::Off(Feature::PersistedQuery)),
            Some(Shown::Text(text)) if !text.is_empty() => text,
            Some(Shown::Text(_) | Shown::Null) | None if hashed => return Ok(None),
            _ => return Err(broken),
        };
        let document = Document::read(text, self.tokens)?;
        if document.directives.len() > self.directives {
            return Err(Breach::Document(Measure::Directives));
        }
        if !document.directives.iter().all(|name| self.allow_directives.contains(*name)) {
            return Err(Breach::Off(Feature::Directive));
        }
        if !document.operations.iter().all(|(_, operation, _)| self.operations.contains(operation)) {
            return Err(Breach::Off(Feature::Operation));
        }
        for size in document.sizes()? {
            for (is, most, measure) in [
                (size.depth, self.depth, Measure::Depth),
                (size.fields, self.fields, Measure::Fields),
                (size.aliases, self.aliases, Measure::Aliases),
            ] {
                if is > most {
                    return Err(Breach::Document(measure));
                }
            }
            if size.introspects && !self.introspection {
                return Err(Breach::Off(Feature::Introspection));
            }
        }
        document.chosen(name).map(Some)
    }
}

/// Depth, fields and aliases of a document's operations, for the fuzzer.
pub(crate) fn measure(text: &str) -> Option<Vec<(u64, u64, u64)>> {
    let document = Document::read(text, 10_000).ok()?;
    let sizes = document.sizes().ok()?;
    Some(sizes.iter().map(|size| (size.depth, size.fields, size.aliases)).collect())
}

#[cfg(test)]
mod tests;
