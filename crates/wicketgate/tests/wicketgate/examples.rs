//! Every configuration in `examples/` is one that works, and every metric is in the reference.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::issuer::{self, SigningKey};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Answer, EchoBackend, Ended, Endpoint, RawClient, RecordingBackend, Upgrade};
use wicketgate_testkit::tls::{Authority, Identity};

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn example(name: &str) -> String {
    fs::read_to_string(root().join("examples").join(name).join("wicketgate.yaml")).unwrap()
}

/// Certificates under the names that the examples give them.
pub(crate) fn certificates(authority: &Authority) -> (Dir, Identity) {
    let dir = Dir::new().unwrap();
    dir.write("revoked", "").unwrap();
    for name in ["chat.example.com", "example.com"] {
        let issued = authority.issue(&[name]).unwrap();
        dir.write(format!("{name}.pem"), &issued.certificate).unwrap();
        let key = dir.write(format!("{name}.key"), &issued.key).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let pepper = dir.write("pepper", crate::keys::PEPPER).unwrap();
    fs::set_permissions(pepper, fs::Permissions::from_mode(0o600)).unwrap();
    for (name, text) in crate::console::EXAMPLE {
        let file = dir.write(name, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    for name in ["backend-ca.pem", "devices-ca.pem"] {
        fs::copy(authority.ca_file(), dir.join(name)).unwrap();
    }
    let secret = dir.write("ticket-secret", "0123456789abcdef0123456789abcdef").unwrap();
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    site(&dir);
    dir.write("devices.crl", authority.revocations(&[], true).unwrap()).unwrap();
    dir.write("issuer.pem", SigningKey::es256("issuer").unwrap().public_pem).unwrap();
    let backend = authority.issue(&["chat.internal"]).unwrap();
    (dir, backend)
}

/// The parties of a site under the names that the examples give them.
fn site(dir: &Dir) {
    for arguments in [
        &["init", "site.example"][..],
        &["issue", "gateway", "front"],
        &["issue", "agent", "office-pc"],
        &["issue", "client", "alice"],
    ] {
        let mut command = Command::new(BINARY);
        let output = command.arg("ca").args(arguments).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_example_passes_check() {
    let authority = Authority::new().unwrap();
    let (certificates, _) = certificates(&authority);
    let mut seen = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let mut command = Command::new(BINARY);
        command.current_dir(&folder).arg("check").env_clear().env("CERTIFICATES", certificates.path());
        let output = command.env("PLUGINS", certificates.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Components are built by a test of their own. A program that knows none says so, and what to do.
        if folder.ends_with("plugins") {
            let is_told = said.contains("built without plugins") && said.contains("--features plugins");
            assert!(!output.status.success() && (is_told || cfg!(feature = "plugins")), "{said}");
            continue;
        }
        // A note says what of others' rules is not done.
        let is_clean = match folder.ends_with("crs") {
            true => said.starts_with("note: ") && !said.contains("\nwarning") && !said.contains("\nerror"),
            false => said.is_empty(),
        };
        assert!(output.status.success() && is_clean, "{}: {said}", folder.display());
        seen += 1;
    }
    assert!(seen >= 8, "{seen} examples");
}

#[test]
fn endpoints_of_the_relay_can_use_their_examples() {
    let dir = Dir::new().unwrap();
    site(&dir);
    for arguments in [
        &["agent", "--config", "agent.yaml"][..],
        &["connect", "office-pc", "ssh", "--config", "client.yaml"],
    ] {
        let mut command = Command::new(BINARY);
        command.current_dir(root().join("examples/relay")).args(arguments).arg("--check");
        let output = command.env_clear().env("IDENTITIES", dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn the_hardened_example_meets_every_profile() {
    let authority = Authority::new().unwrap();
    let (certificates, _) = certificates(&authority);
    for profile in ["asvs", "owasp", "pci", "stig"] {
        let mut command = Command::new(BINARY);
        command.current_dir(root().join("examples/hardened")).args([
            "check",
            "--strict",
            "--profile",
            profile,
        ]);
        let output = command.env_clear().env("CERTIFICATES", certificates.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(" 0 partly, 0 not met"), "{said}");
    }
}

/// The cases beside an example come out as they expect.
#[test]
fn cases_of_policies_hold() {
    let cases = |example: &str, options: &[&str]| {
        let mut command = Command::new(BINARY);
        command.current_dir(root().join("examples").join(example)).arg("test-policy").args(options);
        let output = command.args(["--cases", "cases.jsonl"]).env_clear().output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let ann = r#"{"sub": "ann", "limit": 5000}"#;
    let (code, said, _) = cases("inspect-json", &["--route", "orders", "--identity", ann]);
    assert!(code == Some(0) && said.lines().count() > 15, "{said}");
    let (code, said, _) = cases("payload-injection", &["--route", "chat"]);
    assert!(code == Some(0) && said.lines().count() > 12, "{said}");
    let (code, said, _) = cases("sub-protocols", &["--route", "page"]);
    assert!(code == Some(0) && said.lines().count() > 10, "{said}");
    // Over another subprotocol nothing of it passes.
    let (code, said, _) = cases("sub-protocols", &["--route", "page", "--subprotocol", "chat"]);
    assert!(code == Some(1) && said.contains("wrong_subprotocol") && !said.contains(" forward "), "{said}");
    let (code, said, told) = cases("crs", &["--route", "chat"]);
    assert!(code == Some(0) && said.lines().count() > 6, "{said}{told}");
    let member = r#"{"sub": "ann", "name": "Ann", "groups": ["members"]}"#;
    let from =
        |identity| cases("enrich", &["--route", "chat", "--address", "192.0.2.7", "--identity", identity]);
    let (code, said, _) = from(member);
    assert!(code == Some(0) && said.lines().count() > 12, "{said}");
    // A token without a name: nothing that was expected to go on does.
    let (code, said, told) = from(r#"{"sub": "ann"}"#);
    assert!(code == Some(1) && said.contains("enrich_failed at name"), "{said}");
    assert!(!said.contains(" rewrite ") && told.contains("came out otherwise than expected"), "{said}{told}");
    // Somebody else: what was expected of ann does not hold.
    let (code, said, told) = cases("inspect-json", &["--route", "orders", "--identity", r#"{"sub":"bob"}"#]);
    assert!(code == Some(1) && said.contains("NOT AS EXPECTED: verdict: "), "{said}");
    assert!(told.contains("came out otherwise than expected"), "{told}");
    let (code, _, told) = cases("inspect-json", &["--route", "other"]);
    assert!(code == Some(1) && told.contains("there are: orders"), "{told}");
}

/// The learnt policy beside the example is what comes of the capture beside it, and passes all of that.
#[test]
fn the_learnt_example_is_what_is_learnt() {
    let folder = root().join("examples/learn");
    let (code, learned, told) =
        crate::cli::wicketgate(&folder, &["learn", "capture.jsonl", "--name", "chat"]);
    assert_eq!((code, told.as_str()), (0, ""));
    assert_eq!(learned, fs::read_to_string(folder.join("learned.yaml")).unwrap());
    let (code, said, told) =
        crate::cli::wicketgate(&folder, &["test-policy", "--route", "chat", "--cases", "capture.jsonl"]);
    assert!(code == 0 && said.lines().all(|line| line.ends_with(" forward")), "{said}{told}");
    let (code, said, told) =
        crate::cli::wicketgate(&folder, &["test-policy", "--route", "chat", "--cases", "cases.jsonl"]);
    assert!(code == 0 && said.lines().count() > 12, "{said}{told}");
}

/// Every configuration in a guide is an example, and every example has a guide.
#[test]
fn guides_and_examples_name_each_other() {
    let mut named = BTreeSet::new();
    for entry in fs::read_dir(root().join("docs/guides")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Pages about others' products.
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once("examples/") {
            let name: String = after.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            assert!(root().join("examples").join(&name).is_dir(), "{}: examples/{name}", path.display());
            named.insert(name);
            rest = after;
        }
    }
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(named.contains(&name) || name.ends_with(".md"), "no guide names examples/{name}");
    }
}

/// The example with our own addresses in the place of its listener's and its backend's.
async fn serve(name: &str, backend: &str, adjust: impl FnOnce(&mut Command)) -> (Gateway, Port) {
    let port = Port::free().unwrap();
    let config = example(name)
        .replace("127.0.0.1:8080", &port.addr().to_string())
        .replace("\"0.0.0.0:443\", \"[::]:443\"", &port.addr().to_string())
        .replace("127.0.0.1:9000", backend)
        .replace("10.0.0.5:9443", backend)
        .replace("127.0.0.1:9090", "127.0.0.1:0");
    assert!(config.contains(backend) && config.contains(&port.addr().to_string()), "{config}");
    let gateway = Gateway::start_with(BINARY, &config, Ready::port(port.addr()), adjust).await.unwrap();
    (gateway, port)
}

#[tokio::test]
async fn getting_started_serves() {
    let backend = EchoBackend::start().await.unwrap();
    let (gateway, port) = serve("getting-started", &backend.addr().unwrap().to_string(), |_| {}).await;
    let mut client = RawClient::open(&Endpoint::plain(port.addr()), "/any").await.unwrap();
    client.echoes("hello").await.unwrap();
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    assert!(gateway.drain(Duration::from_secs(10)).await.unwrap().0.success());
}

// curl blocks its thread; the backend needs another.
#[tokio::test(flavor = "multi_thread")]
async fn tls_serves_on_both_sides() {
    let authority = Authority::new().unwrap();
    let (certificates, identity) = certificates(&authority);
    let settings = wicketgate_testkit::raw::EchoSettings {
        tls: Some(identity.server(&["http/1.1"]).unwrap()),
        ..Default::default()
    };
    let backend = EchoBackend::with(settings).await.unwrap();
    let (_gateway, port) = serve("tls", &backend.addr().unwrap().to_string(), |command| {
        command.env("CERTIFICATES", certificates.path());
    })
    .await;
    let curl = |host: &str, more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "-i", "--max-time", "10", "--cacert"]).arg(authority.ca_file());
        command.args(["--resolve", &format!("{host}:{}:127.0.0.1", port.addr().port())]).args(more);
        let output = command.arg(format!("https://{host}:{}/x?y", port.addr().port())).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let redirected = curl("example.com", &["--http2"]);
    assert!(redirected.contains("location: https://chat.example.com/x?y"), "{redirected}");
    let answered = curl("chat.example.com", &["--http1.1"]);
    assert!(answered.contains("HTTP/1.1 200") && answered.contains("max-age=31536000"), "{answered}");
}

#[tokio::test]
async fn an_api_key_becomes_a_subject_and_a_ticket() {
    let authority = Authority::new().unwrap();
    let (folder, _) = certificates(&authority);
    let backend = RecordingBackend::start().await.unwrap();
    let environment = [("CERTIFICATES", folder.path()), ("STATE", folder.path())];
    let (gateway, port) = serve("api-keys", &backend.addr().unwrap().to_string(), |command| {
        command.envs(environment);
    })
    .await;
    let seen = gateway.process().lines_with("API keys read");
    let mut create = Command::new(BINARY);
    create.args(["key", "create", "--subject", "alice", "--scope", "read", "--config"]).arg(gateway.config());
    let created = create.env_clear().envs(environment).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let key = String::from_utf8(created.stdout).unwrap();
    gateway.process().more_lines("API keys read", seen, Duration::from_secs(10)).await.unwrap();

    let endpoint = Endpoint::plain(port.addr());
    let mut client = RawClient::connect(&endpoint).await.unwrap();
    let wish = format!(
        "POST /.wicketgate/ticket?path=/chat HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Length: 0\r\n\r\n",
        key.trim()
    );
    client.send(wish.as_bytes()).await.unwrap();
    let (_, body) = client.response().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let target = format!("/chat?ticket={}", answer["ticket"].as_str().unwrap());
    RawClient::open(&endpoint, &target).await.unwrap();
    let (_, recorded) = backend.requested("/chat").await.unwrap();
    let head = &recorded.heads[0];
    assert_eq!(
        (head.all("x-wicketgate-subject"), head.all("x-scope")),
        (vec!["alice".into()], vec!["read".into()])
    );
}

#[tokio::test]
async fn devices_need_their_certificate_on_their_path_alone() {
    let authority = Authority::new().unwrap();
    let (certificates, _) = certificates(&authority);
    let backend = EchoBackend::start().await.unwrap();
    let (_gateway, port) = serve("client-certificates", &backend.addr().unwrap().to_string(), |command| {
        command.env("CERTIFICATES", certificates.path());
    })
    .await;
    let endpoint = |client| Endpoint::tls(port.addr(), client).named("chat.example.com");
    let nobody = endpoint(authority.client(&["http/1.1"]).unwrap());
    let mut client = RawClient::connect(&nobody).await.unwrap();
    client.send(&Upgrade::new("/devices").bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 401);
    let device = authority.issue_for_uri("spiffe://example.com/device/7").unwrap();
    let device = endpoint(authority.client_as(&["http/1.1"], &device).unwrap());
    RawClient::open(&device, "/devices").await.unwrap().echoes("hello").await.unwrap();
}

#[tokio::test]
async fn websocket_limits_are_kept() {
    let backend = EchoBackend::start().await.unwrap();
    let (_gateway, port) = serve("websocket-limits", &backend.addr().unwrap().to_string(), |_| {}).await;
    let endpoint = Endpoint::plain(port.addr());
    let mut media = RawClient::open(&endpoint, "/media").await.unwrap();
    media.send_text("text").await.unwrap();
    assert_eq!(media.ended().await.unwrap(), Ended::Closed(Some(1003)));
    let mut chat = RawClient::open(&endpoint, "/chat").await.unwrap();
    chat.echoes("hello").await.unwrap();
    chat.send_text(&"x".repeat(17 << 10)).await.unwrap();
    assert_eq!(chat.ended().await.unwrap(), Ended::Closed(Some(1009)));
}

#[tokio::test]
async fn the_load_balancers_word_is_believed() {
    let backend = RecordingBackend::answering(|_| Answer::response("200 OK", "")).await.unwrap();
    let (_gateway, port) = serve("load-balancer", &backend.addr().unwrap().to_string(), |_| {}).await;
    let mut client = RawClient::connect(&Endpoint::plain(port.addr())).await.unwrap();
    client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n").await.unwrap();
    let request = "GET /who HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    client.send(request.as_bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 200);
    let (_, recorded) = backend.requested("/who").await.unwrap();
    assert_eq!(recorded.heads[0].all("x-forwarded-for"), ["192.0.2.7"]);

    let mut stranger = RawClient::connect(&Endpoint::plain(port.addr())).await.unwrap();
    stranger.send(request.as_bytes()).await.unwrap();
    assert!(stranger.head_or_end().await.unwrap().is_none(), "no header, no service");
}

#[tokio::test]
async fn the_trusted_proxys_word_is_believed() {
    let backend = RecordingBackend::answering(|_| Answer::response("200 OK", "")).await.unwrap();
    let (_gateway, port) = serve("trusted-proxies", &backend.addr().unwrap().to_string(), |_| {}).await;
    let mut proxy = RawClient::connect(&Endpoint::plain(port.addr())).await.unwrap();
    for (path, client, status) in [
        ("/who", "203.0.113.9", 200),
        ("/operators/", "203.0.113.9", 403),
        ("/operators/", "192.0.2.66", 403),
        ("/operators/", "192.0.2.7", 200),
    ] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6, {client}\r\n\r\n");
        proxy.send(request.as_bytes()).await.unwrap();
        assert_eq!(proxy.response().await.unwrap().0.status().unwrap(), status, "{path} from {client}");
    }
    // Those that were answered are recorded; the others did not get there.
    let heads = backend.recorded().into_iter().flat_map(|recorded| recorded.heads);
    let told: Vec<_> = heads.map(|head| (head.target(), head.all("x-forwarded-for").concat())).collect();
    let expected = [("/who", "203.0.113.9"), ("/operators/", "192.0.2.7")];
    assert_eq!(told, expected.map(|(path, client)| (path.to_owned(), client.to_owned())));
}

#[tokio::test]
async fn rooms_are_for_those_who_are_authorized() {
    let backend = EchoBackend::start().await.unwrap();
    let (certificates, _) = certificates(&Authority::new().unwrap());
    let key = SigningKey::es256("issuer").unwrap();
    certificates.write("issuer.pem", &key.public_pem).unwrap();
    let (_gateway, port) = serve("authorization", &backend.addr().unwrap().to_string(), |command| {
        command.env("CERTIFICATES", certificates.path());
    })
    .await;
    for (roles, path, origin, status) in [
        (&["member"][..], "/rooms/blue/1", "https://chat.example.com", 101),
        (&["member"], "/rooms/red/1", "https://chat.example.com", 403),
        (&["moderator"], "/rooms/red/1", "https://chat.example.com", 101),
        (&["moderator"], "/rooms/red/1", "https://example.com", 403),
        (&["member"], "/rooms/blue/1", "http://localhost", 101),
        (&[], "/feed", "https://anybody.example", 101),
    ] {
        let token = key.sign(&serde_json::json!({
            "iss": "https://id.example.com", "aud": "chat", "sub": "alice", "team": "blue",
            "iat": issuer::now(), "exp": issuer::now() + 600, "roles": roles,
        }));
        let upgrade = Upgrade::new(path).with("Origin", origin);
        let upgrade = upgrade.with("Authorization", &format!("Bearer {}", token.unwrap()));
        let mut client = RawClient::connect(&Endpoint::plain(port.addr())).await.unwrap();
        client.send(&upgrade.bytes()).await.unwrap();
        assert_eq!(client.head().await.unwrap().status().unwrap(), status, "{roles:?} {path} {origin}");
    }
}

/// A session leaves its records in the store and at the receiver of syslog, and the store holds.
#[tokio::test(flavor = "multi_thread")]
async fn audit_records_are_kept_sent_and_verified() {
    let backend = EchoBackend::start().await.unwrap();
    let siem = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (sent, to) = (siem.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
    let taken = to.clone();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = siem.accept() {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut part) {
                taken.lock().unwrap().extend_from_slice(&part[..length]);
            }
        }
    });
    let port = Port::free().unwrap();
    let config = example("audit")
        .replace("127.0.0.1:8080", &port.addr().to_string())
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string())
        .replace("127.0.0.1:5140", &sent.to_string())
        .replace("127.0.0.1:9090", "127.0.0.1:0");
    let dir = Dir::new().unwrap();
    let store = dir.join("audit.db");
    let gateway = Gateway::start_with(BINARY, &config, Ready::Line("listening".into()), |command| {
        command.env("AUDIT_STORE", &store);
    })
    .await
    .unwrap();
    let mut client = RawClient::open(&Endpoint::plain(port.addr()), "/any").await.unwrap();
    client.echoes("hello").await.unwrap();
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    let audit = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.arg("audit").args(arguments).arg("--store").arg(&store);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), format!("{}{said}", String::from_utf8_lossy(&output.stdout)))
    };
    // While it runs.
    let (code, shown) = audit(&["query", "--event", "admission.admitted"]);
    assert!(code == Some(0) && shown.contains("admission.admitted") && shown.lines().count() == 1, "{shown}");
    assert!(gateway.drain(Duration::from_secs(20)).await.unwrap().0.success());
    let (code, shown) = audit(&["query", "--json"]);
    let events: Vec<_> = shown
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(code, Some(0));
    assert_eq!(events, ["gateway.started", "admission.admitted", "session.closed", "gateway.stopped"]);
    let sent = String::from_utf8(to.lock().unwrap().clone()).unwrap();
    for event in events.iter().map(String::as_str).chain(["audit.anchored"]) {
        assert!(sent.contains(event), "{event}: {sent}");
    }
    let (code, verified) = audit(&["verify"]);
    assert!(code == Some(0) && verified.contains("holds: 4 rows"), "{verified}");
    let anchor = verified.lines().find_map(|line| line.strip_prefix("last ")).unwrap().to_owned();
    assert!(sent.contains(&anchor), "the receiver has the same");
    let (_, export) = audit(&["export"]);
    let file = dir.write("export", export.replacen("admission.admitted", "admission.refused", 1)).unwrap();
    let (code, broken) = audit(&["verify", "--export", file.to_str().unwrap()]);
    assert!(code == Some(1) && broken.contains("broken at row 2"), "{broken}");
    let sql = rusqlite::Connection::open(&store).unwrap();
    sql.execute("DELETE FROM record WHERE sequence = 4", []).unwrap();
    assert_eq!(audit(&["verify"]).0, Some(0));
    let (code, broken) = audit(&["verify", "--anchor", &anchor]);
    assert!(code == Some(1) && broken.contains("broken at row 4"), "{broken}");
}

/// The names and labels in `docs/reference/metrics.md` are those of `/metrics`.
#[tokio::test]
async fn the_metrics_reference_is_complete() {
    let backend = EchoBackend::start().await.unwrap();
    let admin = Port::free().unwrap();
    let config = example("observability")
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string())
        .replace("/var/log/wicketgate/access.log", "off")
        .replace("/var/log/wicketgate/audit.log", "stdout")
        .replace("127.0.0.1:9090", &admin.addr().to_string())
        .replace("    upstream: backend\n", "    upstream: backend\n    policy: observed\n");
    // A certificate to be shown, and a collector that nobody is at.
    let (authority, nobody) = (Authority::new().unwrap(), Port::free().unwrap());
    let shown = authority.localhost().unwrap().combined_file;
    let tls = format!(
        "listeners:\n  - {{name: tls, bind: 127.0.0.1:0, tls: {{certificates: [{{cert: {0}, key: {0}}}]}}}}",
        shown.display()
    );
    let config = config.replacen("listeners:", &tls, 1);
    let telemetry =
        format!("telemetry: {{otlp: {{url: 'http://{}'}}, traces: on, metrics: on}}", nobody.addr());
    let observed = "{name: observed, format: text, mode: observe, to_upstream: [{deny: [{types: [text]}]}]}";
    let config = format!("{config}\npolicies: [{observed}]\n{telemetry}\n");
    let gateway = Gateway::start(BINARY, &config, Ready::Line("127.0.0.1:".into())).await.unwrap();
    let line = gateway.log("\"listener\":\"local\"").await.unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let endpoint =
        Endpoint::plain(line["address"].as_str().unwrap().parse::<std::net::SocketAddr>().unwrap());
    let mut client = RawClient::open(&endpoint, "/").await.unwrap();
    client.echoes("hello").await.unwrap();
    client.close(1000).await.unwrap();
    let mut refused = RawClient::connect(&endpoint).await.unwrap();
    let old = Upgrade::new("/").set("Sec-WebSocket-Version", "8");
    refused.send(&old.bytes()).await.unwrap();
    assert_eq!(refused.head().await.unwrap().status().unwrap(), 426);
    gateway.reload(&config, "configuration reloaded").await.unwrap();

    let mut scrape = RawClient::connect(&Endpoint::plain(admin.addr())).await.unwrap();
    scrape.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let (_, body) = scrape.response().await.unwrap();
    let body = String::from_utf8(body).unwrap();
    let reference = fs::read_to_string(root().join("docs/reference/metrics.md")).unwrap();
    assert_eq!(exposed(&body), documented(&reference), "{body}");
}

/// Name and labels of every metric, as `/metrics` shows them.
fn exposed(text: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            let sample = match kind {
                "counter" => format!("{name}_total"),
                "histogram" => format!("{name}_count"),
                _ => name.to_owned(),
            };
            let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(&sample)).unwrap();
            let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
            let labels: Vec<&str> = labels
                .map(|(labels, _)| labels.split(',').filter_map(|label| label.split('=').next()).collect())
                .unwrap_or_default();
            (sample.trim_end_matches("_count").to_owned(), labels.join(", "))
        })
        .collect()
}

/// The same out of the reference's table: name, kind, labels, meaning.
fn documented(text: &str) -> BTreeSet<(String, String)> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `wicketgate_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[2].replace('`', "");
        (format!("wicketgate_{}", cells[0].trim_end_matches('`')), labels)
    })
    .collect()
}
