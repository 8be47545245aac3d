//! What breaks a protocol: every way has a word for logs and metrics, and a close code.

use wicketgate_wire::CloseCode;

use crate::fields::Undecodable;

/// Why a message is none that its protocol, or the rules for it, let pass here and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// It is not written as the protocol has it.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// It is of the other type, text or binary, than the protocol has it here.
    #[error("it is of the wrong type")]
    Type,
    /// The session negotiated another subprotocol than the format is for.
    #[error("the session's subprotocol is not one of the policy's")]
    Subprotocol,
    /// The session spoke another protocol before its policy changed.
    #[error("the session speaks another protocol")]
    Protocol,
    /// It comes before the handshake of the protocol is done.
    #[error("it comes before the protocol's handshake is done")]
    Early,
    /// The handshake was made already.
    #[error("the protocol's handshake was made already")]
    Handshake,
    /// Nothing may follow what was said.
    #[error("it comes behind the end of the protocol")]
    Ended,
    /// It is out of order in another way.
    #[error("it comes out of order")]
    Order,
    /// Clients, or servers, never send it.
    #[error("this side never sends such a message")]
    Side,
    /// An id is taken that is in use.
    #[error("its id is in use")]
    DuplicateId,
    /// It answers, or belongs to, what nobody asked for.
    #[error("it belongs to nothing that was asked for")]
    UnknownId,
    /// More is open at once than is allowed.
    #[error("more is open at once than `pending` allows")]
    Pending,
    /// It holds more packets than are allowed.
    #[error("it holds more packets than `packets` allows")]
    Packets,
    /// A packet is longer than is allowed, or a part of one cannot be kept for the rest.
    #[error("a packet is longer than `packet` allows")]
    PacketSize,
    /// It holds a part of a packet alone.
    #[error("it holds a part of a packet, which has to be whole in one message")]
    Partial,
    /// What it does is not in the rules' list, or the list depends on a claim that the client does not have.
    #[error("the rules do not list its {0}")]
    Unlisted(Named),
    /// Something is off by a setting of the format.
    #[error("the rules do not allow {0}")]
    Off(Feature),
    /// A document asks for more than the rules allow.
    #[error("its document has more {0} than the rules allow")]
    Document(Measure),
}

/// What a rule lists by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A topic or topic filter.
    Topic,
    /// The name that a client gives itself.
    ClientId,
    /// A destination.
    Destination,
    /// A namespace.
    Namespace,
    /// An event.
    Event,
    /// A method that can be called.
    Target,
    /// An action.
    Action,
    /// A realm.
    Realm,
    /// A URI.
    Uri,
    /// A field that can be set.
    Field,
    /// A version or encoding of the protocol.
    Version,
}

/// What is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Questions about the schema.
    Introspection,
    /// An operation of this type.
    Operation,
    /// A directive that is not listed.
    Directive,
    /// A document that is told by its hash alone.
    PersistedQuery,
    /// Calls by the server.
    ServerCalls,
    /// Numbers in place of topics.
    TopicAlias,
    /// Patterns in place of names.
    Patterns,
    /// A change of transport.
    Upgrade,
    /// Several messages as one.
    Batch,
    /// Bytes beside JSON.
    Attachment,
}

/// What is counted of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Selections inside each other.
    Depth,
    /// Fields, with those that fragments bring.
    Fields,
    /// Fields under another name.
    Aliases,
    /// Directives.
    Directives,
    /// Words and signs.
    Tokens,
}

impl Breach {
    /// The word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Undecodable(error) => error.label(),
            Self::Type => "wrong_type",
            Self::Subprotocol => "wrong_subprotocol",
            Self::Protocol => "wrong_protocol",
            Self::Early => "before_handshake",
            Self::Handshake => "second_handshake",
            Self::Ended => "after_end",
            Self::Order => "out_of_order",
            Self::Side => "wrong_side",
            Self::DuplicateId => "duplicate_id",
            Self::UnknownId => "unknown_id",
            Self::Pending => "too_many_pending",
            Self::Packets => "too_many_packets",
            Self::PacketSize => "packet_too_long",
            Self::Partial => "partial_packet",
            Self::Unlisted(named) => named.label(),
            Self::Off(feature) => feature.label(),
            Self::Document(measure) => measure.label(),
        }
    }

    /// What whoever sent it is told, where the protocol has no code of its own.
    pub const fn code(self) -> CloseCode {
        match self {
            Self::Undecodable(Undecodable::Unanswered(_)) => CloseCode::INTERNAL,
            Self::Undecodable(error) if error.is_bound() => CloseCode::POLICY,
            Self::Undecodable(_) | Self::Partial => CloseCode::INVALID_DATA,
            Self::Type => CloseCode::UNSUPPORTED,
            _ => CloseCode::POLICY,
        }
    }
}

impl Named {
    const fn label(self) -> &'static str {
        match self {
            Self::Topic => "topic_not_allowed",
            Self::ClientId => "client_id_not_allowed",
            Self::Destination => "destination_not_allowed",
            Self::Namespace => "namespace_not_allowed",
            Self::Event => "event_not_allowed",
            Self::Target => "target_not_allowed",
            Self::Action => "action_not_allowed",
            Self::Realm => "realm_not_allowed",
            Self::Uri => "uri_not_allowed",
            Self::Field => "field_not_allowed",
            Self::Version => "version_not_allowed",
        }
    }
}

impl Feature {
    const fn label(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::Operation => "operation_not_allowed",
            Self::Directive => "directive_not_allowed",
            Self::PersistedQuery => "persisted_query",
            Self::ServerCalls => "server_call",
            Self::TopicAlias => "topic_alias",
            Self::Patterns => "pattern_not_allowed",
            Self::Upgrade => "transport_upgrade",
            Self::Batch => "batch",
            Self::Attachment => "attachment",
        }
    }
}

impl Measure {
    const fn label(self) -> &'static str {
        match self {
            Self::Depth => "document_depth",
            Self::Fields => "document_fields",
            Self::Aliases => "document_aliases",
            Self::Directives => "document_directives",
            Self::Tokens => "document_tokens",
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::ClientId => "client id",
            Self::Destination => "destination",
            Self::Namespace => "namespace",
            Self::Event => "event",
            Self::Target => "target",
            Self::Action => "action",
            Self::Realm => "realm",
            Self::Uri => "URI",
            Self::Field => "fields",
            Self::Version => "version or encoding",
        })
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Introspection => "introspection",
            Self::Operation => "operations of its type",
            Self::Directive => "one of its directives",
            Self::PersistedQuery => "documents by their hash",
            Self::ServerCalls => "calls by the server",
            Self::TopicAlias => "topic aliases",
            Self::Patterns => "patterns",
            Self::Upgrade => "a change of transport",
            Self::Batch => "batches",
            Self::Attachment => "so many attachments",
        })
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Depth => "depth",
            Self::Fields => "fields",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::Tokens => "tokens",
        })
    }
}
