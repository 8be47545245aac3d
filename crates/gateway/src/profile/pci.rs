//! PCI DSS 4.0.1: the requirements that a gateway's configuration can meet, or contribute to.

use super::checks::{access, credentials, record, sessions, transport};
use super::requirement::Requirement;

pub(super) static REQUIREMENTS: &[Requirement] = &[
    Requirement::by(
        "1.3.1",
        "Inbound traffic is what is necessary, and all other is denied",
        &[access::denied_by_default],
    ),
    Requirement::by(
        "2.2.7",
        "Administrative access over the network is encrypted",
        &[transport::admin_protected],
    ),
    Requirement::by(
        "4.2.1",
        "Strong cryptography with trusted certificates protects data on open networks",
        &[transport::traffic_by_tls, transport::sessions_by_tls, transport::upstreams_by_tls],
    ),
    Requirement::outside(
        "4.2.1.1",
        "An inventory of trusted keys and certificates is kept",
        "it is a document of the organisation",
    ),
    Requirement::outside(
        "6.4.2",
        "An automated solution detects and prevents web-based attacks on public applications",
        "the gateway enforces protocols; what messages say, it does not judge",
    ),
    Requirement::by(
        "7.3.2",
        "Access control enforces the permissions that were assigned",
        &[access::authorised],
    ),
    Requirement::by(
        "7.3.3",
        "Access control denies everything by default",
        &[access::authenticated, access::no_dangers],
    ),
    Requirement::by("8.2.1", "Every user has an id of their own", &[access::authenticated]),
    Requirement::by(
        "8.2.5",
        "Access of users who leave ends at once",
        &[access::ended_at_once, access::revocable],
    ),
    Requirement::by(
        "8.2.8",
        "Who was idle for more than 15 minutes has to prove again who they are",
        &[sessions::idle_ended_in_15m],
    ),
    Requirement::by(
        "8.3.2",
        "Strong cryptography makes authentication factors unreadable on the way and where they are kept",
        &[transport::sessions_by_tls, credentials::out_of_urls],
    ),
    Requirement::by("8.4.2", "Access to cardholder data takes more than one factor", &[access::two_factors]),
    Requirement::by(
        "10.2.1",
        "Audit logs are on, for all components",
        &[record::audited, record::accesses_logged],
    ),
    Requirement::by("10.2.1.1", "They hold each user's access", &[record::audited]),
    Requirement::by("10.2.1.2", "They hold what administrators do", &[record::audited]),
    Requirement::by("10.2.1.4", "They hold invalid attempts to get access", &[record::audited]),
    Requirement::outside(
        "10.2.1.5",
        "They hold changes to credentials",
        "issuers change them; what is revoked here is an audit event",
    ),
    Requirement::by(
        "10.2.2",
        "Each record has user, kind, time, outcome, origin and resource",
        &[record::audited],
    ),
    Requirement::outside(
        "10.3.3",
        "Audit logs are soon copied to a central server",
        "a shipper of logs does that",
    ),
    Requirement::outside("10.5.1", "Audit logs are kept for 12 months", "whoever stores them does that"),
    Requirement::outside("10.6.1", "Clocks are synchronised", "the system's clock is used"),
];
