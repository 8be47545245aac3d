//! Profiles of TLS, and the header that keeps browsers to it.

use rustls::version::{TLS12, TLS13};
use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::raw::{Answer, Endpoint, Head, RawClient, Upgrade};
use wicketgate_testkit::tls::Authority;

use super::{Stage, UPSTREAM};

/// A listener with these settings of `tls`, and the authority that issued its certificate.
async fn start(
    settings: &str,
    routes: &str,
    script: impl Fn(&Head) -> Answer + Send + Sync + 'static,
) -> (Stage, Authority) {
    let authority = Authority::new().unwrap();
    let own = authority.localhost().unwrap();
    let config = format!(
        "listeners: [{{bind: LISTEN, tls: {{certificates: [{{cert: {:?}, key: {:?}}}], {settings}}}}}]\n\
         {UPSTREAM}routes: [{routes}]\n",
        own.certificate_file, own.key_file
    );
    (Stage::answering(&config, script).await, authority)
}

#[tokio::test]
async fn modern_speaks_no_tls_1_2() {
    let routes = "{name: all, upstream: backend}";
    let (stage, authority) = start("profile: modern", routes, |_| Answer::Echo).await;
    let address = stage.ports[0].addr();
    let old = Endpoint::tls(address, authority.client_of(&TLS12, &["http/1.1"]).unwrap());
    let refused = old.connect().await.err().unwrap();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    assert!(stage.backend.recorded().is_empty());
    let new = Endpoint::tls(address, authority.client(&["http/1.1"]).unwrap());
    AttackProof::new(new, &stage.backend, "/").honest().await.unwrap();
}

#[tokio::test]
async fn suites_and_groups_that_were_taken_out_are_not_spoken() {
    let routes = "{name: all, upstream: backend}";
    let settings = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384], groups: [secp384r1]";
    let (stage, authority) = start(settings, routes, |_| Answer::Echo).await;
    let address = stage.ports[0].addr();
    // No suite of TLS 1.3 is left, so that a client of TLS 1.3 alone finds nobody to speak to.
    let modern = Endpoint::tls(address, authority.client_of(&TLS13, &["http/1.1"]).unwrap());
    assert!(modern.connect().await.is_err());
    assert!(stage.backend.recorded().is_empty());
    let old = Endpoint::tls(address, authority.client_of(&TLS12, &["http/1.1"]).unwrap());
    AttackProof::new(old, &stage.backend, "/").honest().await.unwrap();
}

#[tokio::test]
async fn answers_and_refusals_tell_browsers_to_come_by_tls_alone() {
    const HSTS: &str = "strict-transport-security";
    let routes = "{name: own, match: {path: /own}, upstream: backend}, {name: plain, match: {path: /plain}, \
                  upstream: backend}, {name: fixed, match: {path: /fixed}, respond: {status: 204}}";
    let script = |head: &Head| match head.target().starts_with("/own") {
        true => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        false => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()),
    };
    let settings = "hsts: {max_age: 1d, include_subdomains: true}";
    let (stage, authority) = start(settings, routes, script).await;
    let endpoint = Endpoint::tls(stage.ports[0].addr(), authority.client(&["http/1.1"]).unwrap());
    for (path, status, expected) in [
        ("/own", 200, "max-age=1"),
        ("/plain", 200, "max-age=86400; includeSubDomains"),
        ("/fixed", 204, "max-age=86400; includeSubDomains"),
        ("/nowhere", 404, "max-age=86400; includeSubDomains"),
    ] {
        let mut client = RawClient::connect(&endpoint).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.send(request.as_bytes()).await.unwrap();
        let head = client.head().await.unwrap();
        assert_eq!((head.status().unwrap(), head.all(HSTS)), (status, vec![expected.to_owned()]), "{path}");
    }
    // Also where it is the handshake of a WebSocket that is refused.
    let mut client = RawClient::connect(&endpoint).await.unwrap();
    client.send(&Upgrade::new("/nowhere").bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().all(HSTS), ["max-age=86400; includeSubDomains"]);
}
