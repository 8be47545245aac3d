//! What MQTT and the rules for topics refuse, however the packets come.

use proptest::prelude::*;

use serde_json::json;

use super::wire::extent;
use crate::format::pack::testing::{Session, decoded};
use crate::message::Direction::{self, ToClient, ToUpstream};

const POLICY: &str = "
name: p
format: {mqtt: {publish: ['user/{sub}/#', 'hall/+'], subscribe: ['user/{sub}/#', 'hall/#'], client_ids: ['{sub}-*']}}
bounds: {pending: 3, packets: 4, packet: 64B}
to_upstream: [{name: words, then: drop, when: 'message.packet == \"publish\" && message.payload == \"bad\"'}]
to_client: []
";

fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let more = length > 127;
        packet.push((length & 127) as u8 | if more { 128 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn connect(version: u8, flags: u8, id: &str, rest: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if version == 5 { &[0] } else { &[] };
    packet(0x10, &[&text("MQTT"), &[version, flags, 0, 60], properties, &text(id), rest])
}

fn publish(first: u8, topic: &str, id: Option<u16>, properties: &[u8], payload: &str) -> Vec<u8> {
    let id = id.map(u16::to_be_bytes);
    packet(first, &[&text(topic), id.as_ref().map_or(&[][..], |id| &id[..]), properties, payload.as_bytes()])
}

fn subscribe(id: u16, properties: &[u8], filter: &str) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes(), properties, &text(filter), &[0]])
}

fn opened(version: u8) -> Session {
    let mut session = Session::of(POLICY, "ann");
    assert_eq!(session.send(ToUpstream, &connect(version, 2, "ann-1", &[])), "passed");
    let connack: &[u8] = if version == 5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
    assert_eq!(session.send(ToClient, connack), "passed");
    session
}

fn all(session: &mut Session, said: &[(Direction, Vec<u8>, &str)]) {
    for (direction, bytes, expected) in said {
        assert_eq!(session.send(*direction, bytes), *expected, "{bytes:x?}");
    }
}

#[test]
fn connect_comes_first_and_once() {
    for (said, expected) in [
        (vec![(ToUpstream, publish(0x30, "hall/a", None, &[], "x"))], "before_handshake 1008"),
        (vec![(ToUpstream, vec![0xc0, 0])], "before_handshake 1008"),
        (vec![(ToClient, vec![0x20, 2, 0, 0])], "before_handshake 1008"),
        (vec![(ToUpstream, vec![0x20, 2, 0, 0])], "wrong_side 1008"),
        (
            vec![(ToUpstream, connect(4, 2, "ann-1", &[])), (ToUpstream, vec![0xc0, 0])],
            "before_handshake 1008",
        ),
        (
            vec![(ToUpstream, connect(4, 2, "ann-1", &[])), (ToUpstream, connect(4, 2, "ann-1", &[]))],
            "second_handshake 1008",
        ),
        (vec![(ToUpstream, connect(3, 2, "ann-1", &[]))], "version_not_allowed 1008"),
        (vec![(ToUpstream, connect(4, 2, "bob-1", &[]))], "client_id_not_allowed 1008"),
        (vec![(ToUpstream, connect(4, 3, "ann-1", &[]))], "malformed 1007"),
        (vec![(ToUpstream, connect(4, 2, "ann-1", &[0]))], "trailing_data 1007"),
        (vec![(ToUpstream, connect(4, 6, "ann-1", &[text("hall/a"), text("gone")].concat()))], "passed"),
        (
            vec![(ToUpstream, connect(4, 6, "ann-1", &[text("user/bob"), text("x")].concat()))],
            "topic_not_allowed 1008",
        ),
        (vec![(ToClient, connect(4, 2, "ann-1", &[]))], "wrong_side 1008"),
        (
            vec![
                (ToUpstream, connect(4, 2, "ann-1", &[])),
                (ToClient, vec![0x20, 2, 0, 5]),
                (ToUpstream, vec![0xc0, 0]),
            ],
            "after_end 1008",
        ),
    ] {
        let mut session = Session::of(POLICY, "ann");
        let told: Vec<String> =
            said.iter().map(|(direction, bytes)| session.send(*direction, bytes)).collect();
        assert_eq!(told.last().map(String::as_str), Some(expected), "{said:x?}");
    }
}

#[test]
fn topics_are_the_clients_own() {
    for version in [4, 5] {
        let none: &[u8] = if version == 5 { &[0] } else { &[] };
        for (bytes, expected) in [
            (publish(0x30, "hall/a", None, none, "x"), "passed"),
            (publish(0x30, "user/ann/x", None, none, "x"), "passed"),
            (publish(0x30, "user/bob/x", None, none, "x"), "topic_not_allowed 1008"),
            (publish(0x30, "hall/a/b", None, none, "x"), "topic_not_allowed 1008"),
            (publish(0x30, "$SYS/x", None, none, "x"), "topic_not_allowed 1008"),
            (publish(0x30, "hall/+", None, none, "x"), "malformed 1007"),
            (publish(0x30, "", None, none, "x"), "malformed 1007"),
            (publish(0x36, "hall/a", Some(1), none, "x"), "malformed 1007"),
            (publish(0x32, "hall/a", Some(0), none, "x"), "malformed 1007"),
            (subscribe(1, none, "hall/#"), "passed"),
            (subscribe(1, none, "#"), "topic_not_allowed 1008"),
            (subscribe(1, none, "$SYS/#"), "topic_not_allowed 1008"),
            (subscribe(1, none, "user/+/x"), "topic_not_allowed 1008"),
            (subscribe(1, none, "$share/g/user/ann/#"), "passed"),
            (subscribe(1, none, "$share/g/#"), "topic_not_allowed 1008"),
            (
                packet(0x82, &[&[0, 1], none, &text("hall/a"), &[0], &text("#"), &[0]]),
                "topic_not_allowed 1008",
            ),
            (packet(0x80, &[&[0, 1], none, &text("hall/a"), &[0]]), "malformed 1007"),
            (packet(0x82, &[&[0, 1], none]), "malformed 1007"),
        ] {
            assert_eq!(opened(version).send(ToUpstream, &bytes), expected, "{version} {bytes:x?}");
        }
    }
    let alias = publish(0x30, "", None, &[3, 0x23, 0, 1], "x");
    assert_eq!(opened(5).send(ToUpstream, &alias), "topic_alias 1008");
    let answer = |topic: &str| [&[3 + topic.len() as u8, 8][..], &text(topic)].concat();
    let asks = |topic: &str| publish(0x30, "hall/a", None, &answer(topic), "x");
    assert_eq!(opened(5).send(ToUpstream, &asks("user/ann/r")), "passed");
    assert_eq!(opened(5).send(ToUpstream, &asks("user/bob/r")), "topic_not_allowed 1008");
    assert_eq!(
        opened(5).send(ToUpstream, &publish(0x30, "hall/a", None, &[4, 1, 0, 1, 1], "")),
        "duplicate_key 1007"
    );
}

#[test]
fn ids_are_answered_as_they_were_asked() {
    all(
        &mut opened(4),
        &[
            (ToUpstream, publish(0x32, "hall/a", Some(1), &[], "x"), "passed"),
            (ToUpstream, publish(0x32, "hall/a", Some(1), &[], "x"), "duplicate_id 1008"),
            (ToUpstream, publish(0x3a, "hall/a", Some(1), &[], "x"), "passed"),
            (ToClient, vec![0x50, 2, 0, 1], "unknown_id 1008"),
            (ToClient, vec![0x90, 3, 0, 1, 0], "unknown_id 1008"),
            (ToClient, vec![0x40, 2, 0, 1], "passed"),
            (ToClient, vec![0x40, 2, 0, 1], "unknown_id 1008"),
            (ToUpstream, publish(0x34, "hall/a", Some(1), &[], "x"), "passed"),
            (ToUpstream, vec![0x62, 2, 0, 1], "unknown_id 1008"),
            (ToClient, vec![0x50, 2, 0, 1], "passed"),
            (ToUpstream, vec![0x62, 2, 0, 1], "passed"),
            (ToClient, vec![0x70, 2, 0, 1], "passed"),
            (ToUpstream, subscribe(7, &[], "hall/a"), "passed"),
            (ToClient, vec![0x90, 3, 0, 7, 0], "passed"),
            (ToClient, publish(0x32, "anything", Some(1), &[], "x"), "passed"),
            (ToUpstream, vec![0x40, 2, 0, 1], "passed"),
            (ToUpstream, subscribe(1, &[], "hall/a"), "passed"),
            (ToUpstream, subscribe(2, &[], "hall/a"), "passed"),
            (ToUpstream, subscribe(3, &[], "hall/a"), "passed"),
            (ToUpstream, subscribe(4, &[], "hall/a"), "too_many_pending 1008"),
            (ToClient, subscribe(4, &[], "hall/a"), "wrong_side 1008"),
            (ToClient, vec![0xe0, 0], "wrong_side 1008"),
            (ToUpstream, vec![0xe0, 0], "passed"),
            // It was on its way.
            (ToClient, publish(0x30, "hall/a", None, &[], "x"), "passed"),
            (ToUpstream, vec![0xc0, 0], "after_end 1008"),
        ],
    );
}

#[test]
fn packets_hide_neither_behind_each_other_nor_between_messages() {
    let good = publish(0x30, "hall/a", None, &[], "x");
    let bad = publish(0x30, "user/bob", None, &[], "x");
    assert_eq!(opened(4).send(ToUpstream, &[good.clone(), good.clone()].concat()), "passed");
    assert_eq!(opened(4).send(ToUpstream, &[good.clone(), bad.clone()].concat()), "topic_not_allowed 1008");
    assert_eq!(opened(4).send(ToUpstream, &good.repeat(5)), "too_many_packets 1008");
    for cut in 1..bad.len() {
        let mut session = opened(4);
        assert_eq!(session.send(ToUpstream, &bad[..cut]), "held", "{cut}");
        assert_eq!(session.send(ToUpstream, &bad[cut..]), "topic_not_allowed 1008", "{cut}");
    }
    for cut in 1..good.len() {
        let mut session = opened(4);
        assert_eq!(session.send(ToUpstream, &good[..cut]), "held");
        let whole = String::from_utf8_lossy(&good).into_owned();
        assert_eq!(session.send(ToUpstream, &good[cut..]), whole, "{cut}");
    }
    // A part waits, and as long a part is left: what goes on is what was judged.
    let mut session = opened(4);
    let two = good.repeat(2);
    assert_eq!(session.send(ToUpstream, &two[..5]), "held");
    assert_eq!(session.send(ToUpstream, &two[5..good.len() + 5]), String::from_utf8_lossy(&good));
    assert_eq!(session.send(ToUpstream, &two[good.len() + 5..]), String::from_utf8_lossy(&good));
    // One that is dropped takes nothing of the next with it.
    let mut session = opened(4);
    let dropped = publish(0x30, "hall/a", None, &[], "bad");
    assert_eq!(session.send(ToUpstream, &[dropped, good[..3].to_vec()].concat()), "words dropped");
    assert_eq!(session.send(ToUpstream, &good[3..]), String::from_utf8_lossy(&good));
    let long = publish(0x30, "hall/a", None, &[], &"x".repeat(200));
    assert_eq!(opened(4).send(ToUpstream, &long[..100]), "packet_too_long 1008");
    assert_eq!(opened(4).send(ToUpstream, &long), "passed");
    assert_eq!(opened(4).send(ToUpstream, &[0x30, 0xff, 0xff, 0xff, 0xff, 1]), "malformed 1007");
}

#[test]
fn what_holds_no_packet_counts_and_says_something() {
    let policy =
        POLICY.replace("to_upstream: [", "to_upstream: [{name: pace, limit: {per_second: 1, burst: 3}}, ");
    let mut session = Session::of(&policy, "ann");
    let connect = connect(4, 2, "ann-1", &[]);
    assert_eq!(session.send(ToUpstream, &[]), "malformed 1007");
    let mut told: Vec<_> = connect.iter().take(4).map(|byte| session.send(ToUpstream, &[*byte])).collect();
    assert_eq!(told.pop().as_deref(), Some("rate 1008"));
    assert_eq!(told, ["held"; 3]);
}

#[test]
fn a_will_is_what_may_be_published() {
    let policy = POLICY.replace("{mqtt: {", "{mqtt: {payload: json, ");
    for (will, expected) in [("{}", "passed"), ("{", "malformed 1007")] {
        let connect = connect(4, 6, "ann-1", &[text("hall/a"), text(will)].concat());
        assert_eq!(Session::of(&policy, "ann").send(ToUpstream, &connect), expected, "{will}");
    }
}

#[test]
fn a_part_that_waits_has_room_to_grow() {
    let mut talk = super::Talk::default();
    let mut moved = 0;
    for byte in 0..10_000 {
        let mut part = talk.take_held(ToUpstream);
        let room = part.capacity();
        part.push(0);
        moved += usize::from(part.capacity() != room) * byte;
        talk.hold(ToUpstream, part);
    }
    assert!(moved < 30_000, "{moved}");
    let long = Vec::with_capacity(1 << 20);
    talk.hold(ToUpstream, long);
    assert!(talk.take_held(ToUpstream).capacity() < 1024);
}

proptest! {
    #[test]
    fn a_length_that_was_written_is_read(length in 0usize..268_435_456) {
        let mut bytes = vec![0x30];
        let mut left = length;
        loop {
            bytes.push((left & 127) as u8 | if left > 127 { 128 } else { 0 });
            left >>= 7;
            if left == 0 {
                break;
            }
        }
        prop_assert_eq!(extent(&bytes), Ok(Some(bytes.len() + length)));
    }

    #[test]
    fn what_was_published_is_read(topic in "[a-zé/]{1,20}", said in "[ -~é]{0,300}", id in 1u16..) {
        let read = decoded("mqtt: {}", &publish(0x32, &topic, Some(id), &[], &said));
        let expected = json!({
            "packet": "publish", "topic": topic, "qos": 1, "retain": false, "dup": false, "id": id, "payload": said,
        });
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_bytes_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
        for version in [4, 5] {
            let mut session = opened(version);
            for packet in &packets {
                session.send(ToUpstream, packet);
                session.send(ToClient, packet);
            }
        }
    }
}
