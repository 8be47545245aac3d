//! What is no TLS on a TLS port, and TLS that is no good.

use std::sync::Arc;

use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::raw::{Endpoint, RawClient, Upgrade};
use wicketgate_testkit::tls::Authority;

use super::{Stage, UPSTREAM};

struct TlsStage {
    stage: Stage,
    authority: Authority,
}

impl TlsStage {
    async fn start() -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.localhost().unwrap();
        let config = format!(
            "listeners:\n- bind: LISTEN\n  timeouts: {{tls: 300ms, first_byte: 300ms, head: 300ms}}\n  \
             tls: {{certificates: [{{cert: {:?}, key: {:?}}}]}}\n\
             {UPSTREAM}routes: [{{name: all, upstream: backend}}]\n",
            identity.certificate_file, identity.key_file
        );
        Self { stage: Stage::start(&config).await, authority }
    }

    fn endpoint(&self, alpn: &[&str]) -> Endpoint {
        Endpoint::tls(self.stage.ports[0].addr(), self.authority.client(alpn).unwrap())
    }

    /// The next honest client is served, over TLS, and nothing but its request has reached the backend.
    async fn unharmed(&self) {
        let before = self.stage.backend.recorded().len();
        AttackProof::new(self.endpoint(&["http/1.1"]), &self.stage.backend, "/").honest().await.unwrap();
        let recorded = self.stage.backend.recorded();
        assert_eq!(recorded.len(), before + 1);
        assert!(recorded.iter().all(|recorded| recorded.target().unwrap().starts_with("/?honest")));
    }

    /// Writes these bytes without TLS; gives what comes back until the connection ends.
    async fn answer_to(&self, attack: &[u8]) -> Vec<u8> {
        let mut client = self.stage.client().await;
        client.send(attack).await.unwrap();
        let answer = client.rest().await.unwrap();
        self.unharmed().await;
        answer
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let stage = TlsStage::start().await;
    let answer = stage.answer_to(&Upgrade::new("/attack").bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", answer.escape_ascii());
}

#[tokio::test]
async fn silence_and_half_a_hello_are_ended() {
    let stage = TlsStage::start().await;
    for attack in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let answer = stage.answer_to(attack).await;
        // Nothing, or an alert.
        assert!(matches!(answer.as_slice(), [] | [0x15, ..]), "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn garbage_for_a_hello_is_ended() {
    let stage = TlsStage::start().await;
    for attack in [
        // A record longer than records are, an alert, an unknown type, SSL 2, garbage.
        &b"\x16\x03\x01\xff\xff\x01\x00\x00\x00"[..],
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x99\x03\x01\x00\x02\x00\x00",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        &[0xff; 512],
        b"PROXY TCP4 6.6.6.6 1.2.3.4 1 2\r\n",
    ] {
        let answer = stage.answer_to(attack).await;
        let told = matches!(answer.as_slice(), [] | [0x15, ..]) || answer.starts_with(b"HTTP/1.1 400 ");
        assert!(told, "{}: {}", attack.escape_ascii(), answer.escape_ascii());
    }
}

#[tokio::test]
async fn an_unknown_protocol_is_not_agreed_to() {
    let stage = TlsStage::start().await;
    let refused = stage.endpoint(&["acme-tls/1"]).connect().await.err().unwrap();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    stage.unharmed().await;
    // A client that names none gets HTTP/1.1.
    let mut client = RawClient::open(&stage.endpoint(&[]), "/?honest=none").await.unwrap();
    client.echoes("without ALPN").await.unwrap();
}

#[tokio::test]
async fn old_versions_are_not_spoken() {
    let stage = TlsStage::start().await;
    // A ClientHello of TLS 1.1 with one suite of its time.
    let body = [&b"\x03\x02"[..], &[7; 32], b"\x00\x00\x02\x00\x2f\x01\x00"].concat();
    let hello = [&b"\x01\x00\x00"[..], &[body.len() as u8], &body].concat();
    let record = [&b"\x16\x03\x01\x00"[..], &[hello.len() as u8], &hello].concat();
    let answer = stage.answer_to(&record).await;
    // A fatal alert: protocol_version, or handshake_failure where the suite is judged first.
    assert!(matches!(answer.as_slice(), [0x15, _, _, 0, 2, 2, 70 | 40]), "{}", answer.escape_ascii());
}

#[tokio::test]
async fn a_client_of_another_root_learns_nothing() {
    let stage = TlsStage::start().await;
    let stranger = Authority::new().unwrap();
    let endpoint = Endpoint::tls(stage.stage.ports[0].addr(), Arc::clone(&stranger.client(&["h2"]).unwrap()));
    assert!(endpoint.connect().await.is_err());
    stage.unharmed().await;
}
