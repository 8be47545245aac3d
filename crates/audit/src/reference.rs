//! What is to be known of events and records, for whoever reads them: in Markdown, and as a JSON Schema.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::cell::Kind;
use crate::record::{FIELDS, FieldInfo};

/// What is to be known of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventInfo {
    /// Its name. Names do not change.
    pub name: &'static str,
    /// When it is recorded.
    pub about: &'static str,
    /// Whether it is about a client, a session or a route; see [`WHO`].
    pub is_about_somebody: bool,
    /// The fields of its own.
    pub fields: &'static [&'static str],
}

/// The fields that every record has.
pub const ALL: &[&str] = &["timestamp", "event", "process"];

/// The fields that say whom an event is about, as far as that is known.
pub const WHO: &[&str] =
    &["listener", "client", "route", "session", "subject", "method", "token_id", "trace_id"];

const fn event(
    name: &'static str,
    about: &'static str,
    is_about_somebody: bool,
    fields: &'static [&'static str],
) -> EventInfo {
    EventInfo { name, about, is_about_somebody, fields }
}

/// All events.
pub const EVENTS: &[EventInfo] = &[
    event(
        "admission.admitted",
        "A WebSocket, or a plain request with an identity, passed every check of its route.",
        true,
        &[],
    ),
    event(
        "admission.refused",
        "A request, connection, first message or renewal did not.",
        true,
        &["reason", "status"],
    ),
    event(
        "admission.finding",
        "A rule of a route's admission found something in a request.",
        true,
        &["rule", "class", "path", "detail", "excerpt", "action", "mode"],
    ),
    event("session.closed", "A session ended.", true, &["reason", "code", "by", "duration_us"]),
    event("session.renewed", "A session's credential was replaced by a later one.", true, &[]),
    event(
        "session.kicked",
        "An operator ended sessions: one event for each thing that was picked by.",
        true,
        &["selector", "value", "sessions"],
    ),
    event(
        "message.captured",
        "An operator began to capture messages of a route, their secrets covered.",
        true,
        &["selector", "value"],
    ),
    event(
        "message.watched",
        "An operator began to look on at the messages of a route or session, their secrets covered.",
        true,
        &["selector", "value"],
    ),
    event("credential.revoked", "An operator revoked a credential or subject.", true, &["selector", "value"]),
    event("console.signed_in", "An operator signed in at the console.", true, &[]),
    event("console.signed_out", "An operator signed out.", true, &[]),
    event(
        "console.refused",
        "Somebody was not signed in: `credential`, `rate`, or `busy`. The subject is there where it is a user's name.",
        true,
        &["reason"],
    ),
    event(
        "message.finding",
        "A step of a route's policy found something in a message.",
        true,
        &["direction", "step", "rule", "class", "path", "detail", "excerpt", "action", "mode"],
    ),
    event(
        "message.recorded",
        "A message was recorded, as its route's policy asks.",
        true,
        &["direction", "kind", "type", "size", "verdict", "excerpt", "payload", "recipient"],
    ),
    event(
        "relay.connected",
        "An agent or client has proved who it is, on its control connection.",
        true,
        &["version", "carrier"],
    ),
    event("relay.disconnected", "It is gone.", true, &["reason", "duration_us"]),
    event(
        "relay.enrolled",
        "The site's authority has issued a certificate to an agent or client that has shown a token: its name and the certificate's \
         serial number.",
        true,
        &[],
    ),
    event(
        "relay.granted",
        "A client may have a private session with an agent.",
        true,
        &["private_session", "agent", "services"],
    ),
    event(
        "relay.refused",
        "A client, or an end of a private session, may not; or somebody has not joined.",
        true,
        &["private_session", "agent", "services", "reason"],
    ),
    event(
        "relay.joined",
        "Both ends of a private session are there: at first, and after every break.",
        true,
        &["private_session", "agent", "services", "agent_address", "carrier", "agent_carrier"],
    ),
    event(
        "relay.parted",
        "An end of a private session is gone. Both may come again.",
        true,
        &["private_session", "agent", "services", "reason", "duration_us", "sent", "received"],
    ),
    event(
        "relay.ended",
        "A private session has ended, as its agent says.",
        true,
        &["private_session", "agent", "services", "reason", "breaks"],
    ),
    event(
        "configuration.reloaded",
        "The configuration was read anew, and is followed or not.",
        true,
        &["reason", "outcome"],
    ),
    event("gateway.started", "The process began to serve.", true, &["version"]),
    event("gateway.stopped", "The process ends.", true, &["reason", "sessions"]),
    event(
        "audit.lost",
        "Records were dropped before this one, because a queue was full: those for the store where it stands in the store, \
         else those for the sink.",
        false,
        &["count"],
    ),
    event(
        "audit.pruned",
        "The oldest rows of the store were removed, as `keep_age` and `keep_size` ask: how many, and the last of them. In the store alone.",
        false,
        &["count", "anchor"],
    ),
    event("audit.anchored", "What the last row of the store is. For sinks alone.", false, &["anchor"]),
];

/// The reference of events and fields.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Audit events\n\nGenerated by `wicketgate audit reference`; do not edit. How they are kept, asked for and verified is in the \
         [guide](../guides/audit.md).\n\n## Events\n\nNames of events and fields do not change. A field that does not apply, or is \
         not known, is not there. Every record has `timestamp`, `event` and `process`, and but for those of the audit itself `serial`.\n\n| event | when | fields of its own |\n|---|---|---|\n",
    );
    for event in EVENTS {
        let fields: Vec<String> = event.fields.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", event.name, event.about, fields.join(", "));
    }
    let who: Vec<String> = WHO.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(
        out,
        "\nThose that are not of the audit itself have beside these what is known of whom they are about: {}. What an operator \
         does at the console or its API has who it was as `subject`, from where as `client`, `console` as `listener`, and `password` or `token` as \
         `method`; what is asked of the admin listener, and what happens to the process, is about nobody.\n\n## Fields\n\nIn the order in which they are hashed.\n\n\
         | field | type | meaning |\n|---|---|---|",
        who.join(", ")
    );
    for field in FIELDS {
        let _ = writeln!(out, "| `{}` | {} | {} |", field.name, kind(field), about(field));
    }
    let schema = serde_json::to_string_pretty(&schema()).unwrap_or_default();
    let _ = writeln!(
        out,
        "\nRows of the store, and lines of its export, have beside these `sequence`, their number from 1, and `previous` and \
         `hash`, each 64 digits: the SHA-256 of the row before, and their own.\n\n## Hashes\n\n{HASHES}\n\n## JSON Schema\n\n\
         Of a record in a sink, or a line of an export:\n\n```json\n{schema}\n```"
    );
    out
}

const HASHES: &str = "The hash of a row is SHA-256 over, in this order:\n\n\
1. the 32 bytes of the hash of the row before; zeros before the first\n\
2. its `sequence`\n\
3. each field that is there, in the order of the table above\n\n\
A sequence number or field is one byte with the length of its name, the name, one byte for what it is (1 number or time, 2 text, 3 \
bytes), eight bytes with the length of the value, and the value. Numbers are eight bytes, times are numbers of microseconds since 1970, \
and all that are more than one byte have the highest first. What is not there is not hashed, so that rows keep their hashes when \
later versions add fields.";

/// The JSON Schema of a record.
pub fn schema() -> Value {
    let hash = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let mut properties = Map::new();
    properties.insert(
        "sequence".into(),
        json!({ "type": "integer", "minimum": 1, "description": "The row's number." }),
    );
    for field in FIELDS {
        properties.insert(field.name.into(), property(field));
    }
    properties.insert("opened".into(), json!({
        "type": "object",
        "description": "What the payload says, where it was opened: `text`, or `base64` where it is none.",
        "properties": { "text": { "type": "string" }, "base64": { "type": "string" } }
    }));
    properties.insert("previous".into(), hash.clone());
    properties.insert("hash".into(), hash);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Wicketgate audit record",
        "type": "object",
        "required": ALL,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(field: &FieldInfo) -> Value {
    let mut property = match field.kind {
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
    };
    if field.name == "event" {
        let names: Vec<&str> = EVENTS.iter().map(|event| event.name).collect();
        property["enum"] = json!(names);
    }
    property["description"] = about(field).into();
    property
}

fn about(field: &FieldInfo) -> &'static str {
    field.about.trim()
}

const fn kind(field: &FieldInfo) -> &'static str {
    match field.kind {
        Kind::Number => "number",
        Kind::Time => "time",
        Kind::Text => "text",
        Kind::Bytes => "bytes, in base64",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::time::Duration;

    use wicketgate_telemetry::TraceId;

    use super::*;
    use crate::cell::Cell;
    use crate::event::{About, Content, Event, Finding, Outcome, RequestFinding, Selector};
    use crate::private::{self, Private};
    use crate::record::Record;
    use crate::who::Who;

    /// Every event, with all that it may have.
    fn all() -> Vec<Event<'static>> {
        let selector = Selector { kind: "subject", value: "ann" };
        let about = private::About { session: Some("s"), agent: "office", services: "ssh" };
        let message = About { direction: "to_client", kind: Some("chat"), is_text: true, size: 3 };
        let finding = Finding {
            direction: "to_client",
            step: "guard",
            class: "sqli",
            rule: Some("sqli-1"),
            path: "a",
            detail: "a tautology",
            excerpt: Some("***"),
            action: "recorded",
            observed: true,
        };
        vec![
            Event::Admitted,
            Event::Refused { reason: "origin", status: Some(403) },
            Event::Closed { reason: "kicked", code: 1008, by: "gateway", duration: Duration::from_secs(1) },
            Event::Renewed,
            Event::Kicked { selector, sessions: 3 },
            Event::Captured { selector },
            Event::Watched { selector },
            Event::Revoked { selector },
            Event::SignedIn,
            Event::SignedOut,
            Event::SignInRefused { reason: "credential" },
            Event::Finding(finding),
            Event::RequestFinding(RequestFinding {
                class: "sqli",
                rule: Some(942_100),
                variable: "ARGS:q",
                detail: "severity critical",
                excerpt: Some("***"),
                action: "refused",
                observed: false,
            }),
            Event::Recorded { message, verdict: Outcome::Closed, content: Content::Excerpt("***") },
            Event::Private(Private::Connected { version: "1", carrier: "tls" }),
            Event::Private(Private::Disconnected { reason: "gone", duration: Duration::from_secs(1) }),
            Event::Private(Private::Enrolled),
            Event::Private(Private::Granted(about)),
            Event::Private(Private::Refused { about, reason: "relay_access" }),
            Event::Private(Private::Joined {
                about,
                agent_address: "192.0.2.2".parse().ok(),
                carrier: "tls",
                agent_carrier: "websocket",
            }),
            Event::Private(Private::Parted {
                about,
                reason: "client_gone",
                duration: Duration::from_secs(1),
                sent: 1,
                received: 2,
            }),
            Event::Private(Private::Ended { about, reason: "normal", breaks: 1 }),
            Event::Reloaded { reason: "SIGHUP", is_followed: true },
            Event::Started { version: "1" },
            Event::Stopped { reason: "SIGTERM", sessions: 0 },
        ]
    }

    fn held(record: &Record) -> BTreeSet<&'static str> {
        let cells = record.cells();
        let held = FIELDS.iter().zip(&cells).filter(|(_, cell)| **cell != Cell::Null);
        held.map(|(field, _)| field.name)
            .filter(|name| !["timestamp", "event", "process"].contains(name))
            .collect()
    }

    #[test]
    fn every_event_has_the_fields_that_are_written_down() {
        let who = Who {
            listener: Some("l"),
            client: "192.0.2.1".parse().ok(),
            route: Some("r"),
            session: Some(1),
            subject: Some("ann"),
            method: Some("m"),
            token_id: Some("t"),
            trace: Some(TraceId::random()),
        };
        let mut seen = BTreeSet::new();
        for event in all() {
            let info = EVENTS.iter().find(|info| info.name == event.name()).unwrap();
            // Only the writer seals.
            let own = info.fields.iter().filter(|field| !["payload", "recipient"].contains(field));
            let expected: BTreeSet<_> = own.chain(WHO).copied().collect();
            assert_eq!(held(&event.record(&who)), expected, "{}", info.name);
            seen.insert(info.name);
        }
        let ours = EVENTS.iter().filter(|info| info.is_about_somebody).map(|info| info.name).collect();
        assert_eq!(seen, ours);
    }

    /// With `UPDATE_GOLDEN=1` the file is written anew.
    #[test]
    fn the_reference_is_as_generated() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/audit-events.md");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        assert_eq!(markdown(), std::fs::read_to_string(path).unwrap());
    }

    #[test]
    fn every_field_is_of_some_event_and_every_one_is_there() {
        let named: BTreeSet<_> = EVENTS
            .iter()
            .flat_map(|event| event.fields)
            .chain(ALL)
            .chain(WHO)
            .chain(&["serial"])
            .copied()
            .collect();
        assert_eq!(named, FIELDS.iter().map(|field| field.name).collect());
    }
}
