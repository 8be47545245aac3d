//! Agents and clients that join by a one-time token, through a gateway that can neither use it nor change what is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use wicketgate_admission::fetch::{FetchConfig, RawFetch};
use wicketgate_config::{Place, Problems};
use wicketgate_relay::carrier::Gateway as Url;
use wicketgate_relay::enrolment::joiner::{Asking, JoinError, join};
use wicketgate_relay::enrolment::message::{Blob, JoinAnswer, JoinRefusal, JoinRequest};
use wicketgate_relay::enrolment::token::Token;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::tls::Authority as PublicAuthority;

use super::wire::Wire;
use super::{BINARY, PATIENCE, Site, echo, echoes, text};

const ACCESS: &str = "access: [{clients: [alice, bob], agents: [office, lab], services: echo}]";

impl Site {
    fn url(&self) -> String {
        format!("http://{}/relay", self.gateway.addr())
    }

    /// A token, as the administrator hands it over.
    pub(super) fn token(&self, role: &str, name: &str) -> String {
        let output = Command::new(BINARY)
            .args(["ca", "token", role, name])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The authority, connected to the gateway.
    async fn issuer(&self) -> Process {
        self.issuer_by(&self.url(), &[]).await
    }

    /// The same, by way of this URL.
    pub(super) async fn issuer_by(&self, url: &str, more: &[&str]) -> Process {
        let mut command = Command::new(BINARY);
        command.args(["ca", "serve", url, "--authority"]).arg(self.path("ca")).args(more);
        Process::spawn(command, Ready::Line(" connected ".into())).await.unwrap()
    }

    fn join(&self, as_: &[&str], token: &str, identity: &str, more: &[&str]) -> Output {
        self.join_by(&self.url(), as_, token, &[&["--identity", identity], more].concat())
    }

    /// The same, by way of this URL.
    pub(super) fn join_by(&self, url: &str, as_: &[&str], token: &str, more: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(as_).args([url, "--token", token]).args(more);
        command.current_dir(self.dir.path()).output().unwrap()
    }

    fn not_joined(&self, token: &str, why: &str) {
        let output = self.join(&["join"], token, "never", &[]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(why), "{}", text(&output));
        assert!(!self.path("never").exists());
        let left = fs::read_dir(self.dir.path()).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!left.iter().any(|name| name.starts_with(".joining")), "{left:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_a_client_join_by_a_token_each_and_reach_each_other() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let store = site.path("audit.db");
    let config = format!(
        "{}audit: {{store: {{path: {}}}}}\n",
        site.config(&format!("enrolment: {{}}\n  {ACCESS}")),
        store.display()
    );
    let gateway =
        wicketgate_testkit::gateway::Gateway::start(BINARY, &config, Ready::port(site.gateway.addr()));
    let gateway = gateway.await.unwrap();
    let issuer = site.issuer().await;
    let (agent, client) = (site.token("agent", "lab"), site.token("client", "bob"));
    let joined = site.join(&["agent", "join"], &agent, "lab", &[]);
    assert!(joined.status.success(), "{}", text(&joined));
    assert!(text(&joined).contains("lab: spiffe://site.example/agent/lab, serial "), "{}", text(&joined));
    assert!(site.join(&["join"], &client, "bob", &[]).status.success());
    issuer.line("agent/lab", PATIENCE).await.unwrap();
    assert_eq!(mode(&site.path("lab")), 0o700);
    for name in ["key.pem", "certificate.pem", "authority.pem"] {
        assert_eq!(mode(&site.path("lab").join(name)), 0o600, "{name}");
    }
    let authority = |folder: &str| fs::read_to_string(site.path(folder).join("authority.pem")).unwrap();
    let pem = |text: String| text.split_whitespace().collect::<String>();
    assert_eq!(pem(authority("lab")), pem(authority("ca")));
    // Of no use any more; and what is there is not written over, even before that is found out.
    site.not_joined(&agent, "was used already");
    let again = site.token("client", "bob");
    let kept = fs::read(site.path("bob").join("key.pem")).unwrap();
    let output = site.join(&["join"], &again, "bob", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("--replace"), "{}", text(&output));
    assert_eq!(fs::read(site.path("bob").join("key.pem")).unwrap(), kept);
    let output = site.join(&["join"], &again, "bob", &["--replace"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_ne!(fs::read(site.path("bob").join("key.pem")).unwrap(), kept);
    // They are who they are said to be.
    let way = site.plain(site.gateway.addr());
    let config =
        format!("gateway: {way}\nidentity: {}\nservices: {{echo: {service}}}\n", site.path("lab").display());
    let config = site.dir.write("lab.yaml", config).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("agent").arg("--config").arg(config);
    let _agent = Process::spawn(command, Ready::Line("connected".into())).await.unwrap();
    let mut command = site.connect("bob", &way, "lab", "echo");
    command.args(["--listen", "127.0.0.1:0"]);
    let client = Process::spawn(command, Ready::Line("leads to".into())).await.unwrap();
    let line = client.line("leads to", PATIENCE).await.unwrap();
    let address = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    echoes(address, 10_000, 1).await;
    let (_, _) = gateway.drain(PATIENCE).await.unwrap();
    let rows =
        Command::new(BINARY).args(["audit", "query", "--json", "--store"]).arg(&store).output().unwrap();
    let rows = String::from_utf8(rows.stdout).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let of = |event: &str, reason: &str| {
        rows.iter()
            .filter(|row| row["event"] == event && (reason.is_empty() || row["reason"] == reason))
            .map(|row| row["subject"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let (lab, bob) = ("spiffe://site.example/agent/lab", "spiffe://site.example/client/bob");
    let mut enrolled = of("relay.enrolled", "");
    enrolled.sort();
    assert_eq!(enrolled, [lab, bob, bob]);
    assert_eq!(of("relay.refused", "relay_join_token").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_join_is_told_why() {
    let (site, other) = (Site::new(), Site::new());
    let gateway = site.start_with(&format!("enrolment: {{}}\n  {ACCESS}")).await;
    let token = site.token("agent", "lab");
    site.not_joined(&token, "no authority is connected to the gateway");
    let issuer = site.issuer().await;
    site.not_joined("wgt1_nonsense", "a token begins with");
    // Another site's token has no gateway here, and never leaves the machine.
    site.not_joined(&other.token("agent", "lab"), "is no gateway of the token's site");
    // Expired.
    let tokens = fs::read_dir(site.path("ca/tokens")).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read_to_string(&tokens).unwrap();
    let mut bent: serde_json::Value = serde_json::from_str(&kept).unwrap();
    bent["expires"] = 1.into();
    fs::write(&tokens, bent.to_string()).unwrap();
    site.not_joined(&token, "has expired");
    fs::write(&tokens, kept).unwrap();
    assert!(!text(&site.join(&["join"], &token, "lab", &[])).contains("refused"));
    assert!(site.path("lab").exists(), "what was refused has not used it up");
    issuer.line("agent/lab", PATIENCE).await.unwrap();
    for role in ["gateway", "authority"] {
        let output = Command::new(BINARY)
            .args(["ca", "token", role, "front"])
            .current_dir(site.dir.path())
            .output()
            .unwrap();
        assert!(text(&output).contains("for an agent or a client"), "{}", text(&output));
    }
    drop(issuer);
    drop(gateway);
    // A gateway that lets nobody join.
    let closed = site.start_with(ACCESS).await;
    site.not_joined(&site.token("agent", "lab"), "lets nobody join now");
    closed.log("relay_join_off").await.unwrap();
    let mut command = Command::new(BINARY);
    command.args(["ca", "serve", &site.url(), "--authority"]).arg(site.path("ca"));
    let issuer = Process::spawn(command, Ready::Line("no gateway".into())).await.unwrap();
    issuer.line("relay.enrolment", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn they_join_through_a_wall_that_ends_tls_and_sees_no_token() {
    let site = Site::new();
    let _gateway = site.start_with(&format!("enrolment: {{}}\n  {ACCESS}")).await;
    let wire = Wire::to(site.gateway.addr()).await;
    let authority = PublicAuthority::new().unwrap();
    let wall = authority.localhost().unwrap();
    let nginx = Intermediary::Nginx.start(&Hop::to(Upstream::new(wire.addr())).tls(&wall)).await.unwrap();
    let url = format!("https://localhost:{}/relay", nginx.addr().port());
    let ca = authority.ca_file().display().to_string();
    let _issuer = site.issuer_by(&url, &["--ca", &ca]).await;
    let token = site.token("agent", "lab");
    let joined = site.join_by(&url, &["agent", "join"], &token, &["--ca", &ca]);
    assert!(joined.status.success(), "{}", text(&joined));
    assert!(site.path("identity").join("key.pem").exists());
    // What the wall sends on.
    for seen in wire.seen() {
        for bytes in [&seen.up, &seen.down] {
            for secret in [&token[5..20], "lab", "site.example"] {
                assert!(!bytes.windows(secret.len()).any(|at| at == secret.as_bytes()), "{secret}");
            }
        }
    }
}

fn https() -> FetchConfig {
    RawFetch::default().check(Place::UNKNOWN, &mut Problems::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_joins_is_bounded_and_the_next_ones_are_served() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let enrolment = "enrolment: {max_joins: 4, joins_per_minute: 10000}";
    let gateway = site.start_with(&format!("{enrolment}\n  {ACCESS}")).await;
    let _issuer = site.issuer().await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let honest: Token = site.token("client", "bob").parse().unwrap();
    let url = Url::parse(&site.url()).unwrap();
    // Who knows the fingerprint, and no token.
    let known = other_secret(&honest);
    let flood = async {
        let mut all = JoinSet::new();
        for _ in 0..1000 {
            while all.len() >= 64 {
                assert!(refused(all.join_next().await.unwrap().unwrap()));
            }
            let (url, token) = (url.clone(), known.parse::<Token>().unwrap());
            all.spawn(async move { join(url, &https(), &token).await.map(drop) });
        }
        while let Some(one) = all.join_next().await {
            assert!(refused(one.unwrap()));
        }
    };
    timeout(4 * PATIENCE, flood).await.unwrap();
    gateway.log("relay_join_token").await.unwrap();
    // What is longer than any request, or another than the one that the token was shown with.
    let ask = async |asked: JoinRequest| {
        let mut asking = Asking::open(url.clone(), &https(), honest.root()).await.unwrap();
        asking.ask(&asked).await
    };
    let blob = |length: usize| Blob(vec![7; length]);
    let long = ask(JoinRequest { token: blob(16), request: blob(100_000), mac: blob(32) }).await;
    assert!(long.is_err(), "too long to be sent");
    let long = ask(JoinRequest { token: blob(16), request: blob(10_000), mac: blob(32) }).await;
    assert!(is(&long, JoinRefusal::Request), "{long:?}");
    let bent = JoinRequest { token: Blob(honest.id().to_vec()), request: blob(300), mac: blob(32) };
    let bent = ask(bent).await;
    assert!(is(&bent, JoinRefusal::Token), "{bent:?}");
    // The next ones.
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let joined = timeout(PATIENCE, join(url, &https(), &honest)).await.unwrap().unwrap();
    assert_eq!(joined.name.to_string(), "spiffe://site.example/client/bob");
}

/// A token of the same site that its authority does not know.
fn other_secret(token: &Token) -> String {
    let mut text = token.reveal().to_string();
    let at = "wgt1_".len();
    text.replace_range(at..at + 8, "AAAAAAAA");
    text
}

fn refused(joined: Result<(), JoinError>) -> bool {
    match joined {
        Ok(()) => false,
        Err(JoinError::Refused { reason, .. }) => reason == JoinRefusal::Token,
        // As many as there may be: not even a handshake.
        Err(error) => matches!(error, JoinError::Handshake(_)) || panic!("{error}"),
    }
}

fn is(answer: &Result<JoinAnswer, JoinError>, wanted: JoinRefusal) -> bool {
    matches!(answer, Ok(JoinAnswer::Refused { reason, .. }) if *reason == wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_asks_so_often_and_no_more() {
    let site = Site::new();
    let enrolment = "enrolment: {joins_per_minute: 2, timeout: 1s}";
    let gateway = site.start_with(&format!("{enrolment}\n  {ACCESS}")).await;
    let _issuer = site.issuer().await;
    let honest: Token = site.token("client", "bob").parse().unwrap();
    let url = Url::parse(&site.url()).unwrap();
    // One that says nothing is not waited for.
    let silent = Asking::open(url.clone(), &https(), honest.root()).await.unwrap();
    gateway.log("relay_join_late").await.unwrap();
    drop(silent);
    assert!(timeout(PATIENCE, join(url.clone(), &https(), &honest)).await.unwrap().is_ok());
    let third = timeout(Duration::from_secs(10), join(url, &https(), &honest)).await.unwrap();
    assert!(matches!(third, Err(JoinError::Handshake(_))), "{third:?}");
    gateway.log("relay_join_limit").await.unwrap();
}
