//! For tests of packs: a session under a policy, told message by message.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::json;
use wicketgate_config::{At, Problems, part};

use super::names::tests::facts;
use crate::format::RawFormat;
use crate::format::tests::decode;
use crate::message::{DataKind, Direction, Message};
use crate::policy::Policy;
use crate::testing::policy;
use crate::verdict::Verdict;

/// What a format makes of a packet, as JSON; bytes as hexadecimal behind `0x`.
pub(super) fn decoded(format: &str, packet: &[u8]) -> serde_json::Value {
    let raw: At<RawFormat> = part("test.yaml", format).unwrap();
    let format = RawFormat::check(raw, &mut Problems::default()).unwrap();
    decode(&format, packet).unwrap()
}

/// A session under a policy.
pub(super) struct Session {
    policy: Policy,
    session: crate::Session,
}

impl Session {
    /// A session of this client, with the subprotocol of the pack.
    pub(super) fn of(yaml: &str, subject: &str) -> Self {
        let policy = policy(yaml);
        let mut facts = facts(subject, &json!({"tenant": "acme"}));
        facts.subprotocol = policy.subprotocols().first().cloned();
        Self { policy, session: crate::Session::new(Arc::new(facts)) }
    }

    /// The session's subprotocol is another one.
    pub(super) fn negotiated(mut self, subprotocol: Option<&str>) -> Self {
        let facts = crate::Facts { subprotocol: subprotocol.map(Into::into), ..crate::Facts::default() };
        self.session.set_facts(Arc::new(facts));
        self
    }

    /// A text message: `passed`, the new message, or what was found first and the code, `dropped` or `replied`.
    pub(super) fn say(&mut self, direction: Direction, text: &str) -> String {
        self.judge(direction, DataKind::Text, text.as_bytes())
    }

    /// A binary message.
    pub(super) fn send(&mut self, direction: Direction, bytes: &[u8]) -> String {
        self.judge(direction, DataKind::Binary, bytes)
    }

    fn judge(&mut self, direction: Direction, kind: DataKind, payload: &[u8]) -> String {
        let outcome = self.policy.judge(&mut self.session, direction, Message { kind, payload });
        let found = outcome.findings.last().map_or("nothing", |finding| match &*finding.step {
            "format" => finding.class,
            _ if matches!(outcome.verdict, Verdict::Close(_)) => finding.class,
            step => step,
        });
        match outcome.verdict {
            Verdict::Forward(_) => "passed".into(),
            Verdict::Rewrite(payload, _) => String::from_utf8_lossy(&payload).into_owned(),
            Verdict::Mark(_) => "marked".into(),
            Verdict::Drop if outcome.findings.is_empty() => "held".into(),
            Verdict::Drop => format!("{found} dropped"),
            Verdict::Reply(_) => format!("{found} replied"),
            Verdict::Close(code) => format!("{found} {}", code.0),
        }
    }
}
