//! Certificates from a real ACME authority: ordered, proven in both ways, kept, renewed, and gone without.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::pebble::Pebble;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient};
use wicketgate_testkit::tls::shown;

use super::BINARY;

const NAMES: [&str; 2] = ["chat.example.com", "www.example.com"];
const OBTAINED: &str = "certificate obtained by ACME";
const IN_USE: &str = "certificate replaced";
/// How long an order, or the time until a renewal, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway with a TLS listener that orders its certificate, and a plain one that sends everybody to it.
struct Site {
    secure: Port,
    plain: Port,
    pebble: Pebble,
    backend: EchoBackend,
    storage: Dir,
}

impl Site {
    async fn new(validity: Duration) -> Self {
        let (secure, plain) = (Port::free().unwrap(), Port::free().unwrap());
        Self {
            pebble: Pebble::start(plain.addr(), secure.addr(), validity).await.unwrap(),
            backend: EchoBackend::start().await.unwrap(),
            storage: Dir::new().unwrap(),
            secure,
            plain,
        }
    }

    fn config(&self, challenge: &str) -> String {
        format!(
            "listeners:\n\
             - {{name: secure, bind: {}, tls: {{acme: {{directory: {:?}, ca: {:?}, storage: {:?}, challenge: {challenge}, \
             domains: [{}, {}], contact: [admin@example.com]}}}}}}\n\
             - {{name: plain, bind: {}}}\n\
             upstreams: [{{name: backend, targets: ['ws://{}']}}]\n\
             routes:\n\
             - {{name: chat, match: {{path: /chat}}, upstream: backend}}\n\
             - {{name: rest, redirect: {{to: 'https://chat.example.com{{path_and_query}}'}}}}\n\
             drain: {{timeout: 0s}}\n",
            self.secure.addr(),
            self.pebble.directory(),
            self.pebble.ca_file(),
            self.storage.join("acme"),
            NAMES[0],
            NAMES[1],
            self.plain.addr(),
            self.backend.addr().unwrap(),
        )
    }

    async fn start(&self, challenge: &str) -> Gateway {
        Gateway::start(BINARY, &self.config(challenge), Ready::Line("listening".into())).await.unwrap()
    }

    /// The certificate that a client is shown who asks for this name, verified against the authority's root.
    async fn shown(&self, name: &str) -> Vec<u8> {
        let client = self.pebble.client(&["http/1.1"]).await.unwrap();
        shown(self.secure.addr(), name, client).await.unwrap().to_vec()
    }

    async fn session(&self) -> RawClient {
        let client = self.pebble.client(&["http/1.1"]).await.unwrap();
        let endpoint = Endpoint::tls(self.secure.addr(), client).named(NAMES[0]);
        RawClient::open(&endpoint, "/chat").await.unwrap()
    }
}

async fn lines(process: &Process, line: &str, seen: usize) {
    process.more_lines(line, seen, PATIENCE).await.unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_certificate_is_ordered_renewed_and_sessions_feel_nothing() {
    for challenge in ["tls-alpn-01", "http-01"] {
        eprintln!("challenge: {challenge}");
        let site = Site::new(Duration::from_secs(12)).await;
        let gateway = site.start(challenge).await;
        lines(gateway.process(), IN_USE, 0).await;
        let first = site.shown(NAMES[0]).await;
        let mut session = site.session().await;
        session.echoes("before").await.unwrap();
        let seen = gateway.process().lines_with(IN_USE);
        lines(gateway.process(), IN_USE, seen).await;
        let second = site.shown(NAMES[1]).await;
        assert_ne!(first, second);
        session.echoes("after").await.unwrap();
        // Everything else on the plain listener goes to the routes.
        let mut client = RawClient::connect(&Endpoint::plain(site.plain.addr())).await.unwrap();
        client
            .send(b"GET /.well-known/acme-challenge/unknown HTTP/1.1\r\nHost: chat.example.com\r\n\r\n")
            .await
            .unwrap();
        assert!((300..400).contains(&client.head().await.unwrap().status().unwrap()));
        assert!(
            !gateway.process().output().contains("no certificate by ACME"),
            "{}",
            gateway.process().output()
        );
    }
}

#[tokio::test]
async fn account_and_certificate_are_kept_for_the_next_start_and_read_by_nobody_else() {
    let site = Site::new(Duration::from_secs(3600)).await;
    let gateway = site.start("tls-alpn-01").await;
    lines(gateway.process(), IN_USE, 0).await;
    let first = site.shown(NAMES[0]).await;
    // A reload with other routes changes nothing about an order.
    let config = site.config("tls-alpn-01").replace("path: /chat", "path: /other");
    gateway.reload(&config, "configuration reloaded").await.unwrap();
    assert_eq!(site.shown(NAMES[0]).await, first);
    assert_eq!(gateway.process().lines_with(OBTAINED), 1);
    let folder = site.storage.join("acme");
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
    gateway.drain(PATIENCE).await.unwrap();

    let gateway = site.start("tls-alpn-01").await;
    assert_eq!(site.shown(NAMES[0]).await, first);
    let (_, output) = gateway.drain(PATIENCE).await.unwrap();
    assert!(!output.contains(OBTAINED) && !output.contains("PRIVATE KEY"), "{output}");
}

/// Before there is a certificate nobody gets through, nor does who asks for the authority's protocol.
#[tokio::test]
async fn without_an_authority_handshakes_are_refused_and_the_log_says_why() {
    let site = Site::new(Duration::from_secs(3600)).await;
    // Nothing listens at the port of this one.
    let nowhere = Port::free().unwrap();
    let config = site
        .config("tls-alpn-01")
        .replace(&site.pebble.directory(), &format!("https://localhost:{}/dir", nowhere.addr().port()));
    let gateway = Gateway::start(BINARY, &config, Ready::Line("listening".into())).await.unwrap();
    let line = gateway.log("no certificate by ACME").await.unwrap();
    assert!(line.contains("check `directory`"), "{line}");
    for alpn in ["http/1.1", "acme-tls/1"] {
        let client = site.pebble.client(&[alpn]).await.unwrap();
        assert!(shown(site.secure.addr(), NAMES[0], client).await.is_err(), "{alpn}");
    }
    // The plain listener serves all the while; the authority that answers gets the order after a reload.
    let mut client = RawClient::open(&Endpoint::plain(site.plain.addr()), "/chat").await.unwrap();
    client.echoes("plain").await.unwrap();
    gateway.reload(&site.config("tls-alpn-01"), "configuration reloaded").await.unwrap();
    lines(gateway.process(), IN_USE, 0).await;
    site.session().await.echoes("served").await.unwrap();
}

/// The authority looks for the proof where nobody answers.
#[tokio::test]
async fn a_failed_order_keeps_the_old_certificate_and_tells_what_the_authority_says() {
    let site = Site::new(Duration::from_secs(3600)).await;
    let gateway = site.start("tls-alpn-01").await;
    lines(gateway.process(), IN_USE, 0).await;
    let first = site.shown(NAMES[0]).await;
    let nowhere = Port::free().unwrap();
    let blind = Pebble::start(nowhere.addr(), nowhere.addr(), PATIENCE).await.unwrap();
    // One name more takes a new certificate.
    let config = site
        .config("tls-alpn-01")
        .replace(&site.pebble.directory(), &blind.directory())
        .replace(&format!("{:?}", site.pebble.ca_file()), &format!("{:?}", blind.ca_file()))
        .replace(NAMES[1], "www.example.com, more.example.com");
    gateway.reload(&config, "configuration reloaded").await.unwrap();
    let line = gateway.process().line("no certificate by ACME", PATIENCE).await.unwrap();
    assert!(line.contains("more.example.com") && line.contains("port 443"), "{line}");
    assert_eq!(site.shown(NAMES[0]).await, first);
    site.session().await.echoes("still").await.unwrap();
}
