//! OWASP Application Security Verification Standard 5.0, section V4.4: WebSocket.

use super::checks::{access, credentials, transport};
use super::requirement::Requirement;

pub(super) static REQUIREMENTS: &[Requirement] = &[
    Requirement::by(
        "V4.4.1",
        "All WebSocket connections go by TLS",
        &[transport::sessions_by_tls, transport::upstreams_by_tls],
    ),
    Requirement::by(
        "V4.4.2",
        "The handshake's Origin is checked against a list of those that are allowed",
        &[transport::origin_checked],
    ),
    Requirement::by(
        "V4.4.3",
        "Where the application's own session management cannot be used, dedicated tokens are, and they keep its rules",
        &[credentials::life_bounded, credentials::out_of_urls, access::revocable],
    ),
    Requirement::outside(
        "V4.4.4",
        "Those tokens are first obtained, or validated, by the HTTPS session that was authenticated before",
        "whoever issues tokens to the page decides that; a method `ticket` gives them for credentials shown here",
    ),
];
