//! `wicketgate demo` from outside: raw clients, a browser, the lines that it proposes, and its end.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{Ended, Endpoint, RawClient, opcode};

/// Drain time of the demonstration, and something for a busy machine.
const END: Duration = Duration::from_secs(10);
/// The page as two people use it, with names for what is known only when it runs.
const SCRIPT: &str = include_str!("demo.js");
const VISIT: Duration = Duration::from_secs(90);

/// A running demonstration.
struct Demo {
    process: Process,
    page: SocketAddr,
    metrics: String,
    folder: PathBuf,
}

impl Demo {
    async fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wicketgate"));
        // Port 0 is the system's choice: the usual one may be in use.
        command.args(["demo", "--port", "0"]);
        let process = Process::spawn(command, Ready::Line("Ctrl-C".into())).await.unwrap();
        let output = process.output();
        let word = |name: &str| {
            let line = output.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().to_owned()
        };
        let page = word("page").trim_start_matches("https://").trim_end_matches('/').parse().unwrap();
        assert!(!output.contains('\u{1b}'), "no colours where no terminal is: {output}");
        let folder = word("files").trim_end_matches(':').into();
        Self { page, metrics: word("metrics"), folder, process }
    }

    /// Over TLS, verified against the certificate that it made.
    fn endpoint(&self, alpn: &str) -> Endpoint {
        let certificate = CertificateDer::from_pem_file(self.folder.join("cert.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.into()];
        Endpoint::tls(self.page, Arc::new(config))
    }

    /// Ctrl-C: it ends with 0, within its time, and its files are gone.
    async fn end(self) {
        self.process.signal(Signal::INT).unwrap();
        self.ended().await;
    }

    async fn ended(mut self) {
        let status = self.process.wait(END).await.unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.process.output());
        assert!(self.process.line("Ended.", END).await.is_ok());
        assert!(!self.folder.exists());
    }
}

/// The next line of the chat room of this kind.
async fn heard(client: &mut RawClient, kind: &str) -> Value {
    loop {
        let (code, text) = client.message().await.unwrap();
        assert_eq!(code, opcode::TEXT);
        let line: Value = serde_json::from_slice(&text).unwrap();
        if line["kind"] == kind {
            return line;
        }
    }
}

#[tokio::test]
async fn two_clients_talk_and_ctrl_c_ends_it() {
    let demo = Demo::start().await;
    let endpoint = demo.endpoint("http/1.1");

    let mut client = RawClient::connect(&endpoint).await.unwrap();
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let (head, body) = client.response().await.unwrap();
    assert_eq!(head.status().unwrap(), 200);
    assert!(head.field("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(String::from_utf8(body).unwrap().contains("<h1>Wicketgate</h1>"));

    let mut ada = RawClient::open(&endpoint, "/chat").await.unwrap();
    let mut ben = RawClient::open(&endpoint, "/chat").await.unwrap();
    ben.send_text("/name Ben").await.unwrap();
    assert_eq!(heard(&mut ada, "named").await["name"], "Ben");
    ada.send_text("good morning").await.unwrap();
    assert_eq!(heard(&mut ben, "said").await["text"], "good morning");
    ben.send_text("to you too").await.unwrap();
    let line = heard(&mut ada, "said").await;
    assert_eq!(line["text"], "good morning");
    let line = heard(&mut ada, "said").await;
    assert_eq!((&line["from"], &line["text"]), (&"Ben".into(), &"to you too".into()));

    // A message that is too large ends one session and disturbs no other.
    ben.send_text(&"x".repeat(5000)).await.unwrap();
    assert_eq!(ben.ended().await.unwrap(), Ended::Closed(Some(1009)));
    ada.send_text("still here").await.unwrap();
    assert_eq!(heard(&mut ada, "said").await["text"], "still here");

    demo.process.signal(Signal::INT).unwrap();
    assert_eq!(ada.ended().await.unwrap(), Ended::Closed(Some(1012)));
    demo.ended().await;
}

#[tokio::test]
async fn an_idle_demonstration_ends_at_once() {
    Demo::start().await.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let demo = Demo::start().await;
    let port = demo.page.port().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wicketgate"));
    command.args(["demo", "--port", &port]);
    let second = Process::spawn(command, Ready::Started).await.unwrap();
    let (status, output) = second.finish(END).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(output.contains(&format!("127.0.0.1:{port}")), "{output}");
    demo.end().await;
}

/// The page in a browser: it chats, measures, and every attack comes to the end that is written beside it.
async fn browses(switches: &str, protocol: &str, method: &str) {
    let demo = Demo::start().await;
    let script = SCRIPT
        .replace("URL", &format!("\"https://{}/\"", demo.page))
        .replace("SWITCHES", switches)
        .replace("PICTURES", &pictures(protocol));
    let visit = chromium::visit(&script, true, VISIT).await.unwrap();
    let output = &visit.output;
    assert!(visit.status.success() && !output.contains("page error"), "{output}");
    assert!(output.contains(&format!("protocol: {protocol}\n")), "{output}");
    assert!(output.contains("attacks: 5 of 5"), "{output}");
    assert!(output.contains("1200 wide: 1200") && output.contains("390 wide: 390"), "{output}");
    let echoes = output.lines().find_map(|line| line.strip_prefix("echoes: ")).unwrap();
    assert!(echoes.replace(',', "").parse::<u32>().unwrap() > 0, "{echoes}");

    // The access log tells how each session came: over HTTP/2 by extended CONNECT.
    let log = fs::read_to_string(demo.folder.join("access.log")).unwrap();
    let chats: Vec<&str> = log.lines().filter(|line| line.contains("path=\"/chat\"")).collect();
    assert_eq!(chats.len(), 2, "{log}");
    assert!(chats.iter().all(|line| line.contains(&format!("method=\"{method}\""))), "{log}");
    demo.end().await;
}

/// The beginning of the names of pictures, for whoever sets `WICKETGATE_PICTURES` to a folder; as JavaScript.
fn pictures(protocol: &str) -> String {
    let folder = std::env::var("WICKETGATE_PICTURES").ok();
    let stem = folder.map(|folder| format!("{folder}/{}", protocol.replace('/', "-")));
    serde_json::to_string(&stem).unwrap()
}

#[tokio::test]
async fn the_page_works_over_http1() {
    browses(r#"["--disable-http2"]"#, "HTTP/1.1", "GET").await;
}

#[tokio::test]
async fn the_page_works_over_http2() {
    browses("[]", "HTTP/2", "CONNECT").await;
}

/// What it proposes to type does what it says.
#[tokio::test]
async fn the_lines_to_try_work() {
    let demo = Demo::start().await;
    let output = demo.process.output();
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let mut tried = 0;
    for (says, expected) in [
        ("over HTTP/2", "HTTP/2 200"),
        ("426", "HTTP/1.1 426"),
        ("404", "HTTP/2 404"),
        ("why they ended", "wicketgate_sessions_open{route=\"chat\"} 0"),
        ("route of a URL", "route: chat"),
    ] {
        let at = lines.iter().position(|line| line.starts_with("# ") && line.contains(says)).unwrap();
        let run = Command::new("sh").arg("-c").arg(lines[at + 1]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(said.contains(expected), "{}: {said}{}", lines[at + 1], String::from_utf8_lossy(&run.stderr));
        tried += 1;
    }
    assert_eq!(lines.iter().filter(|line| line.starts_with("# ")).count(), tried + 1, "all but `tail -f`");
    assert!(demo.metrics.ends_with("/metrics") && demo.folder.join("access.log").exists());
    demo.end().await;
}
