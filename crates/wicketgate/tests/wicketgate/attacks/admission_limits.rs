//! More upgrades and sessions than an address, a network, an identity, a route or the gateway may have.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;
use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Answer, Ended, Endpoint, Head, RawClient, Upgrade};
use wicketgate_testkit::tls::{Authority, Identity};

use super::{LISTENER, Stage, UPSTREAM};

/// How long a slot may take to be given back.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many upgrades are above every rate here, unless they take as many seconds.
const FLOOD: usize = 200;

/// The loopback address 127.0.`network`.`host`.
fn from(stage: &Stage, network: u8, host: u8) -> Endpoint {
    stage.listener(0).from(Ipv4Addr::new(127, 0, network, host))
}

/// Asks for a session at `target`: the session, or the answer that refuses it.
async fn ask(endpoint: &Endpoint, target: &str) -> Result<RawClient, Head> {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.send(&Upgrade::new(target).bytes()).await.unwrap();
    let head = client.head().await.unwrap();
    if head.status().unwrap() == 101 { Ok(client) } else { Err(head) }
}

async fn open(endpoint: &Endpoint) -> RawClient {
    let mut client = ask(endpoint, "/open").await.unwrap_or_else(|head| panic!("{}", head.text()));
    client.echoes("here").await.unwrap();
    client
}

/// The status of a refusal, and the seconds after which to try again.
async fn refused(endpoint: &Endpoint) -> (u16, u64) {
    match ask(endpoint, "/refused").await {
        Ok(_) => panic!("admitted"),
        Err(head) => (head.status().unwrap(), head.field("retry-after").unwrap().parse().unwrap()),
    }
}

async fn opens_in_time(endpoint: &Endpoint) -> RawClient {
    let start = Instant::now();
    loop {
        match ask(endpoint, "/again").await {
            Ok(client) => return client,
            Err(head) => assert!(start.elapsed() < PATIENCE, "{}", head.text()),
        }
    }
}

/// Nothing of what was refused has reached the backend, and an honest client at `endpoint` is served.
async fn unharmed(stage: &Stage, endpoint: &Endpoint) {
    AttackProof::new(endpoint.clone(), &stage.backend, "/").honest().await.unwrap();
    assert!(stage.heads().iter().all(|head| head.target() != "/refused"));
}

/// A route that takes everything, with these limits, and these of the whole gateway.
fn limited(route: &str, gateway: &str) -> String {
    format!(
        "{LISTENER}{UPSTREAM}limits: {{{gateway}}}\n\
         routes: [{{name: all, upstream: backend, admission: {{limits: {{{route}}}}}}}]\n"
    )
}

#[tokio::test]
async fn upgrades_above_a_rate_are_refused_with_the_time_to_wait() {
    for (limit, other, everybody) in [
        ("per_address: {upgrades: {per_second: 1, burst: 3}}", (0, 2), false),
        ("per_prefix: {upgrades: {per_second: 1, burst: 3}}", (1, 1), false),
        ("upgrades: {per_second: 1, burst: 3}", (0, 1), true),
    ] {
        for config in [limited(limit, ""), limited("", limit)] {
            let stage = Stage::start(&config).await;
            let (mut admitted, mut answer) = (0, None);
            while answer.is_none() && admitted < FLOOD {
                match ask(&from(&stage, 0, 1), "/admitted").await {
                    Ok(_) => admitted += 1,
                    Err(head) => answer = Some(head),
                }
            }
            assert!((3..FLOOD).contains(&admitted), "{limit}: {admitted}");
            let answer = answer.unwrap();
            let expected = if everybody { 503 } else { 429 };
            assert_eq!(answer.status().unwrap(), expected, "{limit}");
            assert_eq!(answer.field("retry-after").as_deref(), Some("1"), "{limit}");
            if everybody {
                opens_in_time(&from(&stage, 0, 1)).await;
            } else {
                unharmed(&stage, &from(&stage, other.0, other.1)).await;
            }
        }
    }
}

#[tokio::test]
async fn sessions_above_a_limit_are_refused_until_others_end() {
    let limits = "per_address: {sessions: 2}, per_prefix: {sessions: 3}, sessions: 4";
    for config in [limited(limits, ""), limited("", limits)] {
        let stage = Stage::start(&config).await;
        let mut held = vec![open(&from(&stage, 0, 1)).await, open(&from(&stage, 0, 1)).await];
        assert_eq!(refused(&from(&stage, 0, 1)).await, (429, 5));
        held.push(open(&from(&stage, 0, 2)).await);
        assert_eq!(refused(&from(&stage, 0, 3)).await, (429, 5));
        unharmed(&stage, &from(&stage, 1, 1)).await;
        held.push(opens_in_time(&from(&stage, 1, 1)).await);
        assert_eq!(refused(&from(&stage, 1, 2)).await, (503, 5));
        // Those who were there feel nothing of it; and who goes makes room.
        for client in &mut held {
            client.echoes("still here").await.unwrap();
        }
        assert_eq!(held.remove(0).close(1000).await.unwrap(), Ended::Closed(Some(1000)));
        drop(held.remove(0));
        let _again = [opens_in_time(&from(&stage, 0, 1)).await, opens_in_time(&from(&stage, 0, 1)).await];
        assert_eq!(refused(&from(&stage, 0, 1)).await, (429, 5));
        assert!(stage.heads().iter().all(|head| head.target() != "/refused"));
    }
}

#[tokio::test]
async fn what_the_upstream_refuses_holds_no_slot() {
    let config = limited("per_address: {sessions: 1}, sessions: 1", "sessions: 1");
    let stage = Stage::answering(&config, |head| match head.target().as_str() {
        "/no" => Answer::response("403 Forbidden", "no"),
        _ => Answer::Echo,
    })
    .await;
    for _ in 0..5 {
        let head = ask(&stage.listener(0), "/no").await.map(drop).unwrap_err();
        assert_eq!(head.status().unwrap(), 403);
    }
    let _held = open(&stage.listener(0)).await;
    assert_eq!(refused(&stage.listener(0)).await.0, 429);
}

#[tokio::test]
async fn plain_requests_of_a_guarded_route_count_for_rates_alone() {
    let config = format!(
        "{LISTENER}{UPSTREAM}limits: {{per_address: {{upgrades: {{per_second: 1, burst: 5}}, sessions: 1}}}}\n\
         routes:\n\
         - {{name: guarded, match: {{path: /guarded}}, respond: {{status: 204}}, admission: {{limits: {{}}}}}}\n\
         - {{name: free, match: {{path: /free}}, respond: {{status: 204}}}}\n\
         - {{name: all, upstream: backend}}\n"
    );
    let stage = Stage::start(&config).await;
    let _held = open(&stage.listener(0)).await;
    let mut client = stage.client().await;
    let mut statuses = Vec::new();
    for target in ["/free", "/guarded", "/free"] {
        for _ in 0..FLOOD {
            let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client.send(request.as_bytes()).await.unwrap();
            statuses.push(client.response().await.unwrap().0.status().unwrap());
        }
    }
    let (first, rest) = statuses.split_at(FLOOD);
    let (guarded, last) = rest.split_at(FLOOD);
    assert!(first.iter().chain(last).all(|status| *status == 204));
    assert_eq!(guarded[..4], [204; 4]);
    assert!(guarded.contains(&429));
}

#[tokio::test]
async fn a_reload_keeps_what_is_counted() {
    let stage = Stage::start(&limited("per_address: {sessions: 1}, sessions: 3", "")).await;
    let _held = open(&from(&stage, 0, 1)).await;
    let text = std::fs::read_to_string(stage.gateway.config()).unwrap();
    stage
        .gateway
        .reload(&text.replace("sessions: 3", "sessions: 2"), "configuration reloaded")
        .await
        .unwrap();
    assert_eq!(refused(&from(&stage, 0, 1)).await, (429, 5));
    let _second = open(&from(&stage, 0, 2)).await;
    assert_eq!(refused(&from(&stage, 0, 3)).await, (503, 5));
    stage
        .gateway
        .reload(&text.replace("sessions: 3", "sessions: 4"), "configuration reloaded")
        .await
        .unwrap();
    unharmed(&stage, &from(&stage, 0, 3)).await;
}

/// A gateway with TLS that knows clients by their certificates.
struct Site {
    stage: Stage,
    authority: Authority,
}

impl Site {
    async fn start(route: &str) -> Self {
        let authority = Authority::new().unwrap();
        let own = authority.localhost().unwrap();
        let config = format!(
            "listeners:\n- bind: LISTEN\n  tls:\n    certificates: [{{cert: {:?}, key: {:?}}}]\n    \
             client_certificates: {{ca: {:?}}}\n\
             authentication: [{{name: devices, certificate: {{subject: dns}}}}]\n\
             {UPSTREAM}routes: [{{name: all, upstream: backend, {route}}}]\n",
            own.certificate_file,
            own.key_file,
            authority.ca_file(),
        );
        Self { stage: Stage::start(&config).await, authority }
    }

    fn person(&self, name: &str) -> Identity {
        self.authority.issue(&[name]).unwrap()
    }

    /// Where this person connects, from 127.0.0.`host`.
    fn endpoint(&self, person: &Identity, host: u8) -> Endpoint {
        let tls = self.authority.client_as(&["http/1.1"], person).unwrap();
        Endpoint::tls(self.stage.ports[0].addr(), tls).from(Ipv4Addr::new(127, 0, 0, host))
    }
}

#[tokio::test]
async fn an_identity_has_its_sessions_whatever_its_addresses() {
    let limits = "limits: {per_identity: {sessions: 2}}";
    let site = Site::start(&format!("admission: {{authentication: {{any: [devices]}}, {limits}}}")).await;
    let (alice, bob) = (site.person("alice"), site.person("bob"));
    let mut first = open(&site.endpoint(&alice, 1)).await;
    let _second = open(&site.endpoint(&alice, 2)).await;
    assert_eq!(refused(&site.endpoint(&alice, 3)).await, (429, 5));
    unharmed(&site.stage, &site.endpoint(&bob, 3)).await;
    first.close(1000).await.unwrap();
    opens_in_time(&site.endpoint(&alice, 3)).await;
}

#[tokio::test]
async fn an_identity_has_one_rate_of_messages_over_all_its_sessions() {
    for (mode, rates) in [
        ("headers", "messages: {per_second: 1, burst: 6}"),
        ("messages", "messages: {per_second: 1, burst: 6}"),
        ("headers", "bytes: {per_second: 10, burst: 300, exceed: close}"),
    ] {
        let site = Site::start(&format!(
            "admission: {{authentication: {{any: [devices]}}}}, \
             websocket: {{mode: {mode}, limits: {{per_identity: {{{rates}}}}}}}"
        ))
        .await;
        let (alice, bob) = (site.person("alice"), site.person("bob"));
        let mut first = open(&site.endpoint(&alice, 1)).await;
        let mut second = open(&site.endpoint(&alice, 2)).await;
        let mut other = open(&site.endpoint(&bob, 2)).await;
        let text = "m".repeat(50);
        first.echoes(&text).await.unwrap();
        let mut echoed = 0;
        while echoed < FLOOD && second.echoes(&text).await.is_ok() {
            echoed += 1;
        }
        assert!((1..FLOOD).contains(&echoed), "{mode}, {rates}: {echoed}");
        // Bob has a rate of his own, and so has Alice again when she has paid.
        for _ in 0..3 {
            other.echoes(&text).await.unwrap();
        }
        unharmed(&site.stage, &site.endpoint(&bob, 1)).await;
    }
}

#[test]
fn limits_that_limit_nobody_or_everybody_are_no_configuration() {
    for (route, gateway, said) in [
        ("per_identity: {sessions: 1}", "", "clients of this route have no identity"),
        ("sessions: 0", "", "`sessions` is 0"),
        ("", "per_prefix: {upgrades: {per_second: 0}}", "`per_second` is 0"),
        ("", "tracked: {addresses: 1}", "`addresses` is 1"),
    ] {
        let config =
            limited(route, gateway).replace("LISTEN", "127.0.0.1:1").replace("BACKEND", "127.0.0.1:2");
        let files = Dir::new().unwrap();
        let path = files.write("wicketgate.yaml", config).unwrap();
        let output = Command::new(super::BINARY).arg("check").arg("--config").arg(path).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(!output.status.success() && text.contains(said), "{text}");
    }
}
