//! Conversations in the protocols that formats know.

use std::sync::{Arc, LazyLock};

use wicketgate_config::{Problems, part};

use crate::format::pack::measure;
use crate::message::{DataKind, Direction, Message};
use crate::policy::{Policy, Session};
use crate::verdict::Verdict;
use crate::{Facts, RawPolicy};

/// In the order of the first byte of an input.
const FORMATS: [&str; 12] = [
    "json-rpc: {methods: ['a*', sum], server_methods: [ask]}",
    "graphql-transport-ws: {}",
    "graphql-ws: {}",
    "mqtt: {}",
    "mqtt: {publish: ['a/+/b', '{sub}/#'], subscribe: ['a/#'], payload: json}",
    "stomp: {send: ['/app/*']}",
    "socket.io: {namespaces: ['/*'], dangerous_upgrades: true}",
    "ocpp: {version: '1.6'}",
    "ocpp: {version: '2.0.1'}",
    "signalr: {encodings: [json, messagepack]}",
    "wamp: {register: ['a*']}",
    "realtime: {}",
];

/// What parts the messages of an input. Behind it stands a byte: whose message it is, and of which type.
const BREAK: &[u8] = b"\xff\xfe";

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let declared = FORMATS.iter().filter_map(|format| {
        let bounds = "{pending: 4, packets: 8, packet: 64B, depth: 8, values: 64}";
        let text = format!(
            "name: p\nformat: {{{format}}}\nsubprotocols: ['']\nbounds: {bounds}\nto_upstream: []\nto_client: []\n"
        );
        let raw: RawPolicy = part("fuzz.yaml", &text).ok()?;
        raw.check(&mut Problems::default())
    });
    declared.collect()
});

/// A conversation: what goes on is what was said, in its order, and the same each time.
pub fn packs(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    assert_eq!(POLICIES.len(), FORMATS.len(), "a format of the fuzzer's is not accepted");
    let Some(policy) = POLICIES.get(usize::from(*which) % POLICIES.len()) else { return };
    let once = converse(policy, data);
    assert_eq!(once, converse(policy, data), "it depends on something else");
}

/// What went on to either side.
fn converse(policy: &Policy, data: &[u8]) -> [Vec<u8>; 2] {
    let mut session = Session::new(Arc::new(Facts::default()));
    let (mut said, mut went) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut rest = data;
    while !rest.is_empty() {
        let end = rest.windows(BREAK.len()).position(|window| window == BREAK);
        let (message, behind) = match end {
            Some(end) => (&rest[..end], &rest[end + BREAK.len()..]),
            None => (rest, &[][..]),
        };
        rest = behind;
        let Some((how, payload)) = message.split_first() else { continue };
        let side = usize::from(how & 1);
        let direction = if side == 0 { Direction::ToUpstream } else { Direction::ToClient };
        let kind = if how & 2 == 0 { DataKind::Text } else { DataKind::Binary };
        if kind == DataKind::Text && std::str::from_utf8(payload).is_err() {
            continue;
        }
        said[side].extend_from_slice(payload);
        match policy.judge(&mut session, direction, Message { kind, payload }).verdict {
            Verdict::Forward(_) => went[side].extend_from_slice(payload),
            Verdict::Rewrite(new, _) => went[side].extend(new),
            Verdict::Close(_) | Verdict::Reply(_) | Verdict::Mark(_) => break,
            Verdict::Drop => {}
        }
    }
    for (said, went) in said.iter().zip(&went) {
        assert!(said.starts_with(went), "what goes on was not said so");
    }
    went
}

/// A GraphQL document: what it asks for is the same whatever white space stands in it.
pub fn graphql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let size = measure(text);
    assert_eq!(size, measure(&format!(" ,\n{text}\n#")), "it depends on white space around it");
}
