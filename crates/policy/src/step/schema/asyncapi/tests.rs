//! AsyncAPI documents end to end: which messages pass which way, and which documents are refused.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use crate::step::schema::tests::{found, found_in, policy};
use crate::{Direction, Policy};

/// A feed of orders: clients place and cancel them, the server tells what became of them.
const FEED: &str = r##"
asyncapi: '2.6.0'
info: {title: Orders, version: '1.0'}
channels:
  /orders:
    publish:
      message:
        oneOf:
          - $ref: '#/components/messages/place'
          - $ref: '#/components/messages/cancel'
    subscribe:
      message: {$ref: '#/components/messages/update'}
  /ticker:
    subscribe:
      message:
        name: tick
        payload: {type: object, required: [price], properties: {price: {type: number, exclusiveMinimum: 0}}}
  /old:
    publish:
      message: {schemaFormat: application/vnd.apache.avro;version=1.9.0, payload: {type: record}}
  /any:
    publish: {message: {name: anything}}
  /schema:
    publish:
      message:
        schemaFormat: application/schema+json;version=2020-12
        payload: {type: array, prefixItems: [{type: integer}]}
components:
  messages:
    place:
      headers: {type: object, required: [never]}
      payload:
        allOf: [{$ref: '#/components/schemas/command'}]
        properties:
          type: {const: place}
          order: {$ref: 'shared.yaml#/order'}
        required: [order]
    cancel:
      payload:
        allOf: [{$ref: '#/components/schemas/command'}]
        properties: {type: {enum: [cancel, revoke]}}
        required: [id]
    update:
      payload: {type: object, properties: {state: {enum: [open, filled]}}, required: [state]}
  schemas:
    command: {type: object, properties: {id: {type: integer}}, required: [type]}
"##;

const SHARED: &str = "order:\n  type: object\n  required: [items]\n  properties:\n    items:\n      type: array\n      items: {properties: {name: {type: string, maxLength: 5}}}\n";

fn feed(channel: &str) -> Result<Policy, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feed.yaml"), FEED).unwrap();
    fs::write(folder.path().join("shared.yaml"), SHARED).unwrap();
    let file = folder.path().join("feed.yaml");
    policy("json", &format!("{{schema: {{asyncapi: {}, channel: {channel}}}}}", file.display()))
}

#[test]
fn version_2_says_what_others_publish_and_subscribe_to() {
    let policy = feed("/orders").unwrap();
    let place = r#"{"type": "place", "order": {"items": [{"name": "tea"}]}}"#;
    assert_eq!(found(&policy, place), None);
    assert_eq!(found(&policy, r#"{"type": "cancel", "id": 1}"#), None);
    assert_eq!(found(&policy, r#"{"type": "revoke", "id": 1}"#), None);
    assert_eq!(found_in(&policy, Direction::ToClient, r#"{"state": "open"}"#), None);
    assert!(found_in(&policy, Direction::ToClient, place).is_some());
    assert!(found(&policy, r#"{"state": "open"}"#).is_some());
}

#[test]
fn the_kind_says_whose_error_it_is() {
    let policy = feed("/orders").unwrap();
    let long = r#"{"type": "place", "order": {"items": [{"name": "a"}, {"name": "chocolate"}]}}"#;
    let (class, rule, path, detail) = found(&policy, long).unwrap();
    assert_eq!((&*class, &*rule, &*path), ("schema", "maxLength", "order.items[1].name"));
    let place = "shared.yaml#/order/properties/items/items/properties/name/maxLength";
    assert_eq!(detail, format!("the message `place` breaks `maxLength` at {place}"));
    let (_, rule, path, detail) = found(&policy, r#"{"type": "revoke"}"#).unwrap();
    assert_eq!((&*rule, &*path), ("required", "$"));
    assert!(detail.starts_with("the message `cancel` breaks"), "{detail}");
    let (class, .., detail) = found(&policy, r#"{"type": "steal"}"#).unwrap();
    assert_eq!((&*class, &*detail), ("no_schema", "`/orders` carries no message of this kind this way"));
    let (class, .., detail) = found(&policy, r#"{"id": 1}"#).unwrap();
    assert!(class == "schema" && detail.starts_with("none of 2 messages of `/orders` fits"), "{detail}");
}

#[test]
fn what_a_channel_does_not_carry_does_not_pass() {
    let policy = feed("/ticker").unwrap();
    assert_eq!(found_in(&policy, Direction::ToClient, r#"{"price": 1.5}"#), None);
    assert_eq!(found_in(&policy, Direction::ToClient, r#"{"price": 0}"#).unwrap().2, "price");
    assert_eq!(found(&policy, r#"{"price": 1.5}"#).unwrap().0, "no_schema");
    let any = feed("/any").unwrap();
    assert_eq!(found(&any, "[1]"), None);
    let schema = feed("/schema").unwrap();
    assert_eq!(found(&schema, "[1]"), None);
    assert_eq!(found(&schema, r#"["1"]"#).unwrap().2, "[0]");
}

#[test]
fn version_3_says_what_the_server_receives_and_sends() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/asyncapi/asyncapi.yaml");
    for channel in ["/chat", "chat"] {
        let step = format!("{{schema: {{asyncapi: {}, channel: {channel}}}}}", file.display());
        let policy = policy("json", &step).unwrap();
        let said =
            r#"{"type": "said", "room": "tea", "by": "ann", "at": "2026-11-27T10:00:00Z", "text": "hello"}"#;
        assert_eq!(found(&policy, r#"{"type": "say", "room": "tea", "text": "hello"}"#), None);
        assert_eq!(found(&policy, r#"{"type": "join", "room": "tea"}"#), None);
        assert_eq!(found_in(&policy, Direction::ToClient, said), None);
        assert_eq!(found(&policy, said).unwrap().0, "no_schema");
        let (_, rule, path, detail) = found(&policy, r#"{"type": "join", "room": "Tea"}"#).unwrap();
        assert_eq!((&*rule, &*path), ("pattern", "room"));
        assert_eq!(
            detail,
            "the message `join` breaks `pattern` at asyncapi.yaml#/components/schemas/room/pattern"
        );
        let late = said.replace("2026-11-27T10:00:00Z", "now");
        assert_eq!(found_in(&policy, Direction::ToClient, &late).unwrap().1, "format");
    }
}

#[test]
fn an_answer_goes_the_other_way() {
    let document = r##"
asyncapi: 3.0.0
channels:
  rpc:
    address: /rpc
    messages: {ask: {payload: {const: ask}}, answer: {payload: {schemaFormat: application/schema+yaml;version=draft-07, schema: {const: answer}}}}
operations:
  ask:
    action: receive
    channel: {$ref: '#/channels/rpc'}
    messages: [{$ref: '#/channels/rpc/messages/ask'}]
    reply:
      channel: {$ref: '#/channels/rpc'}
      messages: [{$ref: '#/channels/rpc/messages/answer'}]
"##;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rpc.yaml");
    fs::write(&file, document).unwrap();
    let policy =
        policy("json", &format!("{{schema: {{asyncapi: {}, channel: /rpc}}}}", file.display())).unwrap();
    assert_eq!(found(&policy, r#""ask""#), None);
    assert_eq!(found_in(&policy, Direction::ToClient, r#""answer""#), None);
    assert!(
        found(&policy, r#""answer""#).is_some()
            && found_in(&policy, Direction::ToClient, r#""ask""#).is_some()
    );
}

#[test]
fn what_is_no_good_document_is_refused() {
    let problems = feed("/nowhere").unwrap_err();
    assert!(problems[0].contains("there is no channel `/nowhere`"), "{problems:?}");
    assert!(problems[0].contains("write `channel:` with one of `/orders`, `/ticker`"), "{problems:?}");
    let problems = feed("/old").unwrap_err();
    assert!(problems[0].contains("`feed.yaml`, line "), "{problems:?}");
    assert!(
        problems[0].contains("the schema's format is `application/vnd.apache.avro;version=1.9.0`"),
        "{problems:?}"
    );
    for (document, what) in [
        ("openapi: 3.1.0\n", "this is no AsyncAPI document"),
        ("asyncapi: 4.0.0\n", "written in AsyncAPI 4.0.0"),
        ("asyncapi: 1.2.0\n", "written in AsyncAPI 1.2.0"),
        ("asyncapi: 3.0.0\nasyncapi: 2.6.0\n", "a second time"),
        ("asyncapi: 2.6.0\nchannels: {}\n", "there is no channel `/chat`"),
        ("asyncapi: 2.6.0\nchannels: {/chat: {publish: {}}}\n", "the operation has no `message`"),
        (
            "asyncapi: 2.6.0\nchannels: {/chat: {publish: {message: {$ref: '#/components/x'}}}}\n",
            "leads nowhere",
        ),
        ("asyncapi: 2.6.0\nchannels: {/chat: {$ref: '#/channels/~1chat'}}\n", "leads back to itself"),
        (
            "asyncapi: 2.6.0\nchannels: {/chat: {publish: {message: {$ref: 'https://example.com/m.yaml'}}}}\n",
            "nothing is fetched",
        ),
        (
            "asyncapi: 2.6.0\nchannels: {/chat: {publish: {message: {payload: {type: strin}}}}}\n",
            "#/channels/~1chat/publish/message/payload/type",
        ),
        (
            "asyncapi: 3.0.0\nchannels: {chat: {address: /chat}}\noperations: {a: {action: shout}}\n",
            "no action",
        ),
        (
            "asyncapi: 3.0.0\nchannels: {chat: {address: /chat}}\noperations: {a: {action: send}}\n",
            "no channel",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, document).unwrap();
        let step = format!("{{schema: {{asyncapi: {}, channel: /chat}}}}", file.display());
        let problems = policy("json", &step).unwrap_err();
        assert!(problems[0].contains(what), "{document}: {problems:?}");
    }
}
