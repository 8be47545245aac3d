//! DISA Application Layer Gateway Security Requirements Guide: what it asks of an intermediary's configuration.

use super::checks::{access, credentials, record, sessions, transport};
use super::requirement::Requirement;

pub(super) static REQUIREMENTS: &[Requirement] = &[
    Requirement::by(
        "SRG-NET-000015-ALG-000016",
        "Access follows authorisations by identity, role or attribute",
        &[access::authorised],
    ),
    Requirement::outside(
        "SRG-NET-000041-ALG-000022",
        "Users see the Standard Mandatory DoD Notice and Consent Banner",
        "the application shows it",
    ),
    Requirement::by(
        "SRG-NET-000053-ALG-000001",
        "The number of sessions of each account is limited",
        &[sessions::sessions_of_identity],
    ),
    Requirement::by(
        "SRG-NET-000062-ALG-000150",
        "TLS as NIST SP 800-52 has it",
        &[transport::traffic_by_tls, transport::sessions_by_tls, transport::algorithms_approved],
    ),
    Requirement::outside(
        "SRG-NET-000063-ALG-000012",
        "Cryptography is FIPS-validated",
        "the binary decides: one built with the feature `fips` uses the validated module with `tls.profile: fips`",
    ),
    Requirement::by(
        "SRG-NET-000074-ALG-000043",
        "Audit records tell what kind of event it was",
        &[record::audited],
    ),
    Requirement::by("SRG-NET-000075-ALG-000044", "Audit records tell when it was", &[record::audited]),
    Requirement::by("SRG-NET-000076-ALG-000045", "Audit records tell where it was", &[record::audited]),
    Requirement::by("SRG-NET-000077-ALG-000046", "Audit records tell where it came from", &[record::audited]),
    Requirement::by("SRG-NET-000078-ALG-000047", "Audit records tell what came of it", &[record::audited]),
    Requirement::by("SRG-NET-000079-ALG-000048", "Audit records tell who it was", &[record::audited]),
    Requirement::outside(
        "SRG-NET-000132-ALG-000087",
        "Ports, protocols and services are those of the PPSM CAL",
        "the list is the organisation's",
    ),
    Requirement::by(
        "SRG-NET-000138-ALG-000063",
        "Users are identified and authenticated, each by themselves",
        &[access::authenticated],
    ),
    Requirement::by(
        "SRG-NET-000138-ALG-000088",
        "An authority that was agreed on validates accounts and privileges",
        &[credentials::from_authority],
    ),
    Requirement::by(
        "SRG-NET-000164-ALG-000100",
        "Certificates are validated by a path to an accepted trust anchor",
        &[credentials::certificates_verified],
    ),
    Requirement::by(
        "SRG-NET-000202-ALG-000124",
        "Traffic is denied by default, and allowed by exception",
        &[access::denied_by_default],
    ),
    Requirement::by(
        "SRG-NET-000213-ALG-000107",
        "Users' sessions end after 15 minutes of inactivity",
        &[sessions::idle_ended_in_15m],
    ),
    Requirement::by(
        "SRG-NET-000230-ALG-000113",
        "The authenticity of sessions is protected",
        &[transport::sessions_by_tls, transport::origin_checked, transport::upstreams_by_tls],
    ),
    Requirement::by("SRG-NET-000314-ALG-000013", "Access can be cut off at once", &[access::ended_at_once]),
    Requirement::by(
        "SRG-NET-000337-ALG-000096",
        "Users authenticate again when the organisation says so",
        &[sessions::proved_anew],
    ),
    Requirement::by(
        "SRG-NET-000344-ALG-000098",
        "Cached authenticators serve for a limited time",
        &[credentials::answers_fresh],
    ),
    Requirement::by(
        "SRG-NET-000345-ALG-000099",
        "Revocation data is at hand when the network is not",
        &[credentials::certificates_revocable],
    ),
    Requirement::outside(
        "SRG-NET-000355-ALG-000117",
        "Certificates of DoD PKI or approved authorities alone are taken",
        "whose authorities stand in `client_certificates.ca` is the organisation's choice",
    ),
    Requirement::by(
        "SRG-NET-000362-ALG-000112",
        "Rates of traffic are limited, against denial of service",
        &[sessions::upgrades_rated, sessions::messages_rated],
    ),
    Requirement::by(
        "SRG-NET-000362-ALG-000120",
        "Load is balanced, against denial of service",
        &[sessions::upstreams_balanced],
    ),
    Requirement::by(
        "SRG-NET-000364-ALG-000122",
        "Traffic comes from authorised sources, to authorised destinations",
        &[access::networks_named],
    ),
    Requirement::by("SRG-NET-000365-ALG-000123", "What fails, fails closed", &[access::no_dangers]),
    Requirement::by(
        "SRG-NET-000401-ALG-000127",
        "Input is checked for its validity",
        &[sessions::messages_judged],
    ),
];
