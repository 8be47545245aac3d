//! What is seen of a running gateway from a terminal, and what is handed to whoever helps.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient, Upgrade};

use crate::cli::wicketgate;

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
const PATIENCE: Duration = Duration::from_secs(30);
/// In every secret, and nowhere else.
const MARK: &str = "Hush7f3a";

/// A configuration with a secret wherever one may stand; FILES are beside it.
const SECRETS: &str = r#"
# A comment may hold one too: Hush7f3a
listeners: [{name: main, bind: "FRONT"}]
upstreams: [{name: echo, targets: ["ws://BACKEND"]}]
authentication:
- name: shared
  jwt:
    issuer: https://issuer.example
    audience: chat
    algorithms: [HS256]
    keys: {secret: {value: "Hush7f3a-0123456789abcdef0123456789abcdef"}}
- name: opaque
  introspection:
    url: "http://127.0.0.1:1/?key=Hush7f3a"
    audience: chat
    credentials: {client: {id: a, secret: {value: "Hush7f3a-client"}}}
routes:
- name: all
  upstream: echo
  request_headers: {set: {x-key: "Hush7f3a"}}
audit:
  sinks: [{name: collector, otlp: {url: "http://127.0.0.1:1/v1/logs", headers: {api-key: "Hush7f3a"}}}]
admin: {bind: "ADMIN", token: {value: "Hush7f3a-0123456789abcdef0123456789abcdef"}}
console:
  bind: "CONSOLE"
  users: [{name: ann, role: admin, password: {value: "HASH"}, totp: {file: totp}}]
  tokens: [{name: reader, scope: read, token: {value: "Hush7f3a-9876543210fedcba9876543210fedcba"}}]
log: {access: off}
"#;

/// The files of an archive.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let file = fs::File::open(archive).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().strip_prefix("wicketgate-support").unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(entry.header().mode().unwrap(), 0o600);
        files.insert(name, text);
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_tells_of_the_gateway_and_of_no_secret() {
    let [front, admin, console] = [(); 3].map(|()| Port::free().unwrap());
    let backend = EchoBackend::start().await.unwrap();
    let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$mE9v9imTRaYi2u8Aa76HpA$Hws5a8iENBqJRQWOBH8BJE2DC7rIm3gRQKC+pEIqdsg";
    let config = SECRETS
        .replace("FRONT", &front.addr().to_string())
        .replace("ADMIN", &admin.addr().to_string())
        .replace("CONSOLE", &console.addr().to_string())
        .replace("BACKEND", &backend.addr().unwrap().to_string())
        .replace("HASH", hash);
    let files = Dir::new().unwrap();
    let totp = files.write("totp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
    fs::set_permissions(&totp, fs::Permissions::from_mode(0o600)).unwrap();
    let config = config.replace("{file: totp}", &format!("{{file: {}}}", totp.display()));
    let ready = Ready::Ports(vec![front.addr(), admin.addr()]);
    let gateway = Gateway::start(BINARY, &config, ready).await.unwrap();
    let mut client = RawClient::connect(&Endpoint::plain(front.addr())).await.unwrap();
    client.upgrade(&Upgrade::new("/")).await.unwrap();
    let (dir, config) = (Dir::new().unwrap(), gateway.config().to_str().unwrap());
    // What would be in it, and no more than that.
    let (code, listed, said) = wicketgate(dir.path(), &["support-bundle", "--list", "--config", config]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let write = || wicketgate(dir.path(), &["support-bundle", "--output", "a.tar.gz", "--config", config]);
    let (code, out, said) = write();
    assert!(code == 0 && said.contains("a.tar.gz: 8 files. Look through it"), "{said}");
    let archive = dir.join("a.tar.gz");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let files = unpacked(&archive);
    for name in files.keys() {
        assert!(listed.contains(name) && out.contains(name), "{name}: {listed}");
    }
    let whole = files.values().cloned().collect::<String>();
    for secret in [MARK, "GEZDGNBV", "argon2id", "Hws5a8iE"] {
        assert!(!whole.contains(secret), "{secret}: {whole}");
    }
    let config = &files["configuration/01-wicketgate.yaml"];
    assert!(config.contains("- name: all\n    upstream: echo\n") && config.contains("\"***\""), "{config}");
    let status: Value = serde_json::from_str(&files["status.json"]).unwrap();
    assert_eq!(status["process"]["pid"], gateway.process().id());
    assert_eq!(status["overview"]["sessions"], 1);
    assert!(status.get("busiest").is_none());
    assert!(
        files["metrics.txt"].contains("wicketgate_sessions_open{route=\"all\"} 1"),
        "{}",
        files["metrics.txt"]
    );
    let lines: Vec<Value> =
        files["log.jsonl"].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["text"].as_str().unwrap().starts_with("listening listener=\"main\"")),
        "{lines:?}"
    );
    let limits = format!("Limits of the gateway, process {}:\nLimit ", gateway.process().id());
    assert!(files["system.txt"].contains(&limits) && files["system.txt"].contains("Max open files"));
    // What is there stays.
    let before = fs::read(&archive).unwrap();
    let (code, _, said) = write();
    assert!(code == 1 && said.contains("a.tar.gz cannot be written; a file that is there stays"), "{said}");
    assert_eq!(fs::read(&archive).unwrap(), before);
}

#[test]
fn a_bundle_comes_about_without_a_gateway_and_with_a_configuration_that_is_wrong() {
    let dir = Dir::new().unwrap();
    let wrong =
        format!("listeners: [{{name: l, bind: 127.0.0.1:1}}]\nroutes: {MARK}\nadmin: {{token: {MARK}}}\n");
    let no_yaml = format!("routes: [\n{MARK}");
    let no_gateway = "listeners: [{name: l, bind: '127.0.0.1:1'}]\nroutes: [{name: r, respond: {status: 200}}]\n\
                      admin: {bind: 'unix:/nowhere/admin.sock'}\n";
    for (number, (text, why)) in [
        (wrong.as_str(), "cannot be used"),
        (&no_yaml, "cannot be used"),
        (no_gateway, "no gateway answers at unix:/nowhere"),
    ]
    .into_iter()
    .enumerate()
    {
        dir.write("wicketgate.yaml", text).unwrap();
        let name = format!("{number}.tar.gz");
        let (code, _, said) = wicketgate(dir.path(), &["support-bundle", "--output", &name]);
        assert_eq!(code, 0, "{said}");
        let files = unpacked(&dir.join(name));
        assert!(files["gateway.txt"].contains(why), "{}", files["gateway.txt"]);
        let whole = files.values().cloned().collect::<String>();
        assert!(
            files["problems.txt"].contains("wicketgate.yaml:2:9") || number > 0,
            "{}",
            files["problems.txt"]
        );
        assert!(!whole.replace("routes: Hush7f3a", "").contains(MARK), "{whole}");
    }
}

/// A gateway whose session sends a message every tenth of a second, until the client goes.
async fn at_work() -> (Gateway, Port, EchoBackend, tokio::task::JoinHandle<()>) {
    let (front, backend) = (Port::free().unwrap(), EchoBackend::start().await.unwrap());
    let config = format!(
        "listeners: [{{name: main, bind: \"{}\"}}]\nupstreams: [{{name: echo, targets: [\"ws://{}\"]}}]\n\
         routes: [{{name: all, upstream: echo}}]\nadmin: {{bind: \"unix:ADMIN\"}}\nlog: {{access: off}}\n",
        front.addr(),
        backend.addr().unwrap()
    );
    let admin = Dir::new().unwrap();
    let config = config.replace("ADMIN", &admin.join("admin.sock").display().to_string());
    let gateway = Gateway::start(BINARY, &config, Ready::port(front.addr())).await.unwrap();
    let endpoint = Endpoint::plain(front.addr());
    // Refused, so that there is something to show.
    let mut stranger = RawClient::connect(&endpoint).await.unwrap();
    let handshake = Upgrade::new("/").with("Origin", "https://elsewhere.example");
    assert!(stranger.upgrade(&handshake).await.is_err());
    let mut client = RawClient::open(&endpoint, "/").await.unwrap();
    let work = tokio::spawn(async move {
        let _admin = admin;
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        loop {
            pace.tick().await;
            client.echoes("at work").await.unwrap();
        }
    });
    (gateway, front, backend, work)
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_once_what_goes_on() {
    let (gateway, _front, _backend, work) = at_work().await;
    let mut top = Command::new(BINARY);
    top.args(["top", "--once", "--interval", "3", "--config"]).arg(gateway.config());
    let top = Process::spawn(top, Ready::Started).await.unwrap();
    let (status, out) = top.finish(PATIENCE).await.unwrap();
    assert!(status.success(), "{out}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    // The row that begins so, of the table whose titles do.
    let row = |title: &str, first: &str| {
        let mut lines = out.lines().skip_while(|line| !line.starts_with(title)).skip(1);
        words(lines.find(|line| line.starts_with(first)).unwrap_or_else(|| panic!("{title}: {out}")))
    };
    assert!(out.contains(&format!("process {},", gateway.process().id())), "{out}");
    assert!(out.contains("\n1 session, "), "{out}");
    let route = row("ROUTE", "all");
    assert_eq!(route[..2], ["all", "1"]);
    for rate in &route[2..4] {
        let rate: f64 = rate.parse().unwrap();
        assert!((1.0..=20.0).contains(&rate), "{out}");
    }
    assert_eq!(row("REFUSED", "origin")[..3], ["origin", "0", "1"], "{out}");
    let busiest = row("SESSION", "");
    assert_eq!(busiest[1..4], ["all", "127.0.0.1", "-"], "{out}");
    work.abort();
}

/// In a terminal, as `script` of util-linux makes one, until a key ends it.
#[tokio::test(flavor = "multi_thread")]
async fn top_fills_a_terminal_and_leaves_it_as_it_was() {
    let (gateway, _front, _backend, work) = at_work().await;
    let inner = format!(
        "stty rows 24 cols 100; {BINARY} top --interval 1 --config {}; echo left",
        gateway.config().display()
    );
    let mut top = Command::new("script");
    top.args(["--quiet", "--flush", "--return", "--command", &inner, "/dev/null"]);
    top.env("TERM", "xterm").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = top.spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let reading = std::thread::spawn(move || {
        use std::io::Write;
        let (mut seen, mut piece, mut told) = (Vec::new(), [0; 4096], false);
        while let Ok(length @ 1..) = screen.read(&mut piece) {
            seen.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&seen);
            // The busiest session comes with a look that is not the first.
            if !told && text.contains("127.0.0.1") {
                told = true;
                keys.write_all(b"q").unwrap();
                keys.flush().unwrap();
            }
        }
        String::from_utf8_lossy(&seen).into_owned()
    });
    let seen = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || reading.join().unwrap()));
    let seen = seen.await.unwrap().unwrap();
    assert!(child.wait().unwrap().success(), "{seen}");
    // On the other screen, and back.
    for part in ["\u{1b}[?1049h", "ROUTE", "SESSION", "q ends", "\u{1b}[?1049l", "left"] {
        assert!(seen.contains(part), "{part:?}: {seen:?}");
    }
    work.abort();
}
