//! How a format is written in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};

use super::Format;
use super::custom::config::RawCustom;
use super::file;
use super::pack::{
    Dialect, Pack, RawGraphql, RawJsonRpc, RawMqtt, RawOcpp, RawRealtime, RawSignalr, RawSocketIo, RawStomp,
    RawWamp,
};
use super::protobuf::RawProtobuf;
use super::wasm::RawWasm;

/// How messages are written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawFormat {
    /// Text messages: one field that is all of it, `$`.
    Text,
    /// Binary messages: one field that is all of it, `$`.
    Binary,
    /// JSON in text messages (RFC 8259). Names that stand twice in one object are refused.
    Json,
    /// MessagePack in binary messages. Names are text or whole numbers; extensions are bytes that begin with their type.
    Msgpack,
    /// CBOR in binary messages (RFC 8949). Names are text or whole numbers; tags are passed over.
    Cbor,
    /// A private protocol, declared here field by field.
    Custom(Box<RawCustom>),
    /// A private protocol, declared in a file of its own that holds what stands under `custom`. Relative to the working directory;
    /// at most 1 MiB.
    #[serde(rename = "custom_file")]
    CustomFile(At<PathBuf>),
    /// Protocol Buffers in binary messages, by a descriptor set.
    Protobuf(RawProtobuf),
    /// A private protocol, decoded by a WebAssembly component.
    Wasm(Box<RawWasm>),
    /// JSON-RPC 2.0 in text messages.
    #[serde(rename = "json-rpc")]
    JsonRpc(RawJsonRpc),
    /// GraphQL over WebSocket, by the subprotocol `graphql-transport-ws`.
    #[serde(rename = "graphql-transport-ws")]
    GraphqlTransportWs(RawGraphql),
    /// GraphQL over WebSocket, by the older subprotocol `graphql-ws`, that of the library `subscriptions-transport-ws`.
    #[serde(rename = "graphql-ws")]
    GraphqlWs(RawGraphql),
    /// MQTT 3.1.1 and 5 in binary messages, by the subprotocol `mqtt`.
    Mqtt(RawMqtt),
    /// STOMP 1.2, by the subprotocol `v12.stomp`.
    Stomp(RawStomp),
    /// Socket.IO 5 over Engine.IO 4.
    #[serde(rename = "socket.io")]
    SocketIo(RawSocketIo),
    /// OCPP-J in text messages, by the subprotocol `ocpp1.6` or `ocpp2.0.1`.
    Ocpp(RawOcpp),
    /// SignalR's hub protocol.
    Signalr(RawSignalr),
    /// WAMP 2 in JSON, by the subprotocol `wamp.2.json`.
    Wamp(RawWamp),
    /// Realtime events, as OpenAI's API has them, in text messages.
    Realtime(RawRealtime),
}

impl RawFormat {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(raw: At<Self>, problems: &mut Problems) -> Option<Format> {
        Some(match raw.value {
            Self::Text => Format::Text,
            Self::Binary => Format::Binary,
            Self::Json => Format::Json,
            Self::Msgpack => Format::Msgpack,
            Self::Cbor => Format::Cbor,
            Self::Custom(custom) => Format::Custom(Arc::new(custom.check(problems))),
            Self::Protobuf(raw) => Format::Protobuf(Arc::new(file::protobuf(&raw, problems)?)),
            Self::Wasm(raw) => Format::Wasm(Arc::new(raw.check(problems)?)),
            Self::JsonRpc(raw) => pack(Pack::JsonRpc(raw.check(problems))),
            Self::GraphqlTransportWs(raw) => pack(Pack::Graphql(raw.check(Dialect::Transport, problems))),
            Self::GraphqlWs(raw) => pack(Pack::Graphql(raw.check(Dialect::Older, problems))),
            Self::Mqtt(raw) => pack(Pack::Mqtt(raw.check(problems))),
            Self::Stomp(raw) => pack(Pack::Stomp(raw.check(problems))),
            Self::SocketIo(raw) => pack(Pack::SocketIo(raw.check(problems))),
            Self::Ocpp(raw) => pack(Pack::Ocpp(raw.check(problems))),
            Self::Signalr(raw) => pack(Pack::Signalr(raw.check(problems))),
            Self::Wamp(raw) => pack(Pack::Wamp(raw.check(problems))),
            Self::Realtime(raw) => pack(Pack::Realtime(raw.check(problems))),
            Self::CustomFile(path) => Format::Custom(Arc::new(file::custom(&path, problems)?)),
        })
    }
}

fn pack(pack: Pack) -> Format {
    Format::Pack(Arc::new(pack))
}
