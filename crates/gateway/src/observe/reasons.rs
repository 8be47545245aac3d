//! Every reason for which something is refused: the one table of words in metrics and logs. A word that is not in it is found by the first
//! test that meets it.

use std::fmt::Write;

/// Reasons with the same answer.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Their words.
    pub words: &'static [&'static str],
    /// What the client is answered, and what else there is to say.
    pub answer: &'static str,
}

const fn group(answer: &'static str, words: &'static [&'static str]) -> Group {
    Group { words, answer }
}

/// All reasons, in the order in which a connection meets them.
pub const REASONS: &[Group] = &[
    group(
        "none: the connection ends before there is a request",
        &[
            "proxy_missing",
            "proxy_malformed",
            "proxy_untrusted",
            "address_full",
            "silent",
            "tls_on_plain",
            "tls_handshake",
            "client_certificate",
            "protocol_not_spoken",
            "connection_lost",
        ],
    ),
    group(
        "none: a certificate authority looked at the answer to its challenge, and that was all",
        &["acme_challenge"],
    ),
    group("400, in plain HTTP", &["plain_on_tls"]),
    group(
        "400: the request is no flawless WebSocket handshake; 431 where a list is too long",
        &[
            "http_version",
            "host",
            "host_mismatch",
            "upgrade_missing",
            "upgrade_token",
            "connection_without_upgrade",
            "connection_syntax",
            "connection_nominates",
            "connection_header",
            "http2_settings",
            "version_twice",
            "key_missing",
            "key_twice",
            "key",
            "body",
            "subprotocols",
            "extensions",
            "not_extended_connect",
        ],
    ),
    group("501", &["connect_protocol"]),
    group("426", &["version", "version_missing"]),
    group("400", &["path", "header", "request", "request_body", "ticket_path"]),
    group(
        "400: a [trusted proxy](../guides/trusted-proxies.md) tells the client's address in a way that cannot be read",
        &["forwarded_malformed"],
    ),
    group("431", &["too_many_headers"]),
    group("404", &["no_route"]),
    group("403", &["no_websocket"]),
    group("426", &["websocket_only"]),
    group("405: no GET, and no forward proxy", &["method", "connect"]),
    group("413", &["body_too_large"]),
    group("408", &["body_late"]),
    group("403: the client's [network](../guides/routes.md) may not use the route", &["network"]),
    group(
        "403: the route asks for [TLS](../guides/tls.md), and the client's side has none",
        &["tls_required"],
    ),
    group("308, to where there is TLS", &["tls_redirect"]),
    group(
        "403: a page of another [origin](../guides/websockets.md), or none where the route asks for one",
        &["origin", "origin_missing"],
    ),
    group(
        "403: a rule of the route's [`crs`](../guides/crs.md#on-requests) refuses the request, or wants more of it than is allowed",
        &["crs", "crs_budget"],
    ),
    group(
        "401",
        &[
            "credential_missing",
            "credential_duplicate",
            "credential_malformed",
            "credential_algorithm",
            "credential_unknown_key",
            "credential_signature",
            "credential_expired",
            "credential_not_yet_valid",
            "credential_issuer",
            "credential_audience",
            "credential_claim",
            "credential_inactive",
            "credential_revoked",
            "credential_replayed",
        ],
    ),
    group("403: a good credential without a scope or claim that is asked for", &["credential_insufficient"]),
    group("503: whoever knows about the credential", &["provider_unavailable"]),
    group(
        "403: the route's [authorization](../guides/authorization.md) says no, or cannot be evaluated",
        &["forbidden", "authorization_error"],
    ),
    group(
        "429, or 503 where everybody together is at the limit: there is no room for another [ticket](../guides/authentication.md)",
        &["tickets"],
    ),
    group("413: what a ticket would stand for is too large", &["ticket_size"]),
    group("503: the system has no random numbers for a ticket", &["ticket_randomness"]),
    group(
        "429: the client is at a [limit](../guides/limits.md)",
        &[
            "address_upgrades",
            "address_sessions",
            "prefix_upgrades",
            "prefix_sessions",
            "identity_upgrades",
            "identity_sessions",
        ],
    ),
    group(
        "429: the client is new, there is no place to count it by itself, and those that share one are at a limit",
        &["addresses_tracked", "prefixes_tracked", "identities_tracked"],
    ),
    group(
        "503: everybody together is at a limit",
        &["route_upgrades", "route_sessions", "gateway_upgrades", "gateway_sessions"],
    ),
    group("500: what the upstream is to be told of the client cannot be signed", &["identity_unsigned"]),
    group("503", &["draining"]),
    group("503", &["no_healthy_target", "saturated"]),
    group(
        "502: the upstream",
        &[
            "dns",
            "refused",
            "unreachable",
            "tls",
            "closed_early",
            "io",
            "head_too_large",
            "malformed_head",
            "not_upgraded",
            "unexpected_upgrade",
            "bad_handshake",
            "no_http2",
            "no_extended_connect",
            "http1",
            "http2",
        ],
    ),
    group("504: the upstream", &["connect_timeout", "handshake_timeout", "response_timeout", "body_stalled"]),
    group(
        "a close code: no [first message](../guides/authentication.md) that proves who the client is came, and the session was not opened",
        &[
            "first_message_late",
            "wrong_type",
            "reserved_bits",
            "unknown_opcode",
            "fragmented_control",
            "control_too_long",
            "length_not_minimal",
            "length_overflow",
            "unmasked",
            "masked",
            "unexpected_continuation",
            "interleaved_message",
            "close_too_short",
            "close_code",
            "invalid_utf8",
            "frame_too_big",
            "message_too_big",
            "too_many_fragments",
        ],
    ),
    group(
        "400: a WebSocket for [private sessions](../guides/relay.md) that does not speak their protocol",
        &["relay_subprotocol"],
    ),
    group(
        "none: the connection of a [private session](../guides/relay.md) ends, and its endpoint is told why in its own protocol",
        &[
            "relay_late",
            "relay_broken",
            "relay_preamble",
            "relay_identity",
            "relay_control",
            "relay_protocol",
            "relay_version",
            "relay_ticket",
            "relay_ticket_forged",
            "relay_ticket_expired",
            "relay_access",
            "relay_agent_absent",
            "relay_revoked",
            "relay_limit",
            "relay_ended_by_operator",
            "relay_join_token",
            "relay_join_expired",
            "relay_join_no_authority",
            "relay_join_off",
            "relay_join_limit",
            "relay_join_late",
            "relay_join_request",
            "relay_join_failed",
        ],
    ),
];

/// Whether this word is in the table.
pub fn is_known(word: &str) -> bool {
    REASONS.iter().any(|group| group.words.contains(&word))
}

/// The table, for the reference.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Why something is refused\n\nGenerated by `wicketgate reference refusals`; do not edit.\n\n`reason` in `wicketgate_refusals_total`, in \
         the access log where there was a request, in audit events, and `wicketgate.refusal` in [traces](../guides/tracing.md).\n\n\
         | reason | answer |\n|---|---|\n",
    );
    for group in REASONS {
        let words: Vec<String> = group.words.iter().map(|word| format!("`{word}`")).collect();
        let _ = writeln!(out, "| {} | {} |", words.join(", "), group.answer);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_word_stands_in_it_twice() {
        let words: Vec<&str> = REASONS.iter().flat_map(|group| group.words).copied().collect();
        let different: HashSet<&str> = words.iter().copied().collect();
        assert_eq!(words.len(), different.len());
        assert!(is_known("origin") && !is_known("because"));
    }

    /// The words that are one string of a `match` in the sources of what refuses: none is missing here.
    #[test]
    fn the_words_of_the_sources_are_in_it() {
        for source in [
            include_str!("../../../wire/src/violation.rs"),
            include_str!("../../../admission/src/identity/denied.rs"),
            include_str!("../upstream/error.rs"),
            include_str!("../http/refusal.rs"),
            include_str!("../../../admission/src/refusal.rs"),
            include_str!("../../../relay/src/broker/mod.rs"),
        ] {
            let is_word = |text: &&str| {
                !text.is_empty()
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
            };
            let arms =
                source.lines().filter(|line| line.trim_start().starts_with("Self::") && line.contains("=>"));
            for word in arms.flat_map(|line| line.split('"').skip(1).step_by(2)).filter(is_word) {
                assert!(is_known(word), "{word}");
            }
        }
    }
}
