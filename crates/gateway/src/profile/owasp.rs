//! OWASP Cheat Sheet Series: WebSocket Security. Its recommendations have no numbers; these ids are its headings.

use super::checks::{access, credentials, record, sessions, transport};
use super::requirement::Requirement;

pub(super) static REQUIREMENTS: &[Requirement] = &[
    Requirement::by(
        "transport/wss",
        "wss:// alone, never ws://",
        &[transport::sessions_by_tls, transport::upstreams_by_tls],
    ),
    Requirement::always(
        "transport/protocol",
        "RFC 6455 alone, none of its drafts",
        "any other version is answered 426",
    ),
    Requirement::by(
        "transport/compression",
        "No permessage-deflate unless it is needed",
        &[sessions::uncompressed],
    ),
    Requirement::by(
        "authentication/origin",
        "The Origin of every handshake is one of an explicit list, without wildcards",
        &[transport::origin_checked, transport::origins_exact],
    ),
    Requirement::by("authentication/handshake", "Clients prove who they are", &[access::authenticated]),
    Requirement::outside(
        "authentication/csrf",
        "Handshakes carry CSRF tokens where the application has them; its cookies are SameSite",
        "the application sets cookies and tokens",
    ),
    Requirement::by(
        "session/expiry",
        "Sessions end when what they were opened by expires, or are validated again",
        &[sessions::proved_anew],
    ),
    Requirement::by(
        "session/logout",
        "Whoever logs out, or is locked out, loses open connections at once",
        &[access::ended_at_once],
    ),
    Requirement::by(
        "session/tokens",
        "Tokens rather than cookies alone; in no URL; short-lived",
        &[credentials::out_of_urls, credentials::life_bounded],
    ),
    Requirement::by(
        "authorisation/connection",
        "Being connected is not being allowed everything: who may use what is checked",
        &[access::authorised],
    ),
    Requirement::outside(
        "authorisation/message",
        "Each action in a message is authorised",
        "what a message means, the application knows",
    ),
    Requirement::by(
        "input/whole",
        "Messages are validated before they are worked on",
        &[sessions::messages_judged],
    ),
    Requirement::outside(
        "input/content",
        "Messages are validated by schema, and what is in them by type",
        "what a message may say, the application knows",
    ),
    Requirement::by("dos/message-size", "Messages of 64 KiB at most", &[sessions::messages_small]),
    Requirement::by("dos/message-rate", "A limit on messages a second", &[sessions::messages_rated]),
    Requirement::by(
        "dos/connections",
        "A limit on the connections of each user, or of each address",
        &[sessions::sessions_of_client],
    ),
    Requirement::by("dos/idle", "Idle connections are closed", &[sessions::idle_ended]),
    Requirement::by("dos/heartbeat", "Pings find dead connections", &[sessions::peers_pinged]),
    Requirement::always(
        "dos/backpressure",
        "Fast senders cannot fill the memory",
        "a side is read only as fast as the other takes bytes; every buffer is bounded",
    ),
    Requirement::by(
        "monitoring/events",
        "Connections, refusals and violations are logged with who, from where, and why",
        &[record::audited, record::accesses_logged],
    ),
    Requirement::always(
        "monitoring/secrets",
        "No message, token or session id in logs",
        "messages are never logged, and credentials are taken out of what is",
    ),
];
