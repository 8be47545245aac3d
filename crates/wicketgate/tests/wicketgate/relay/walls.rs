//! Through a middlebox that does to a WebSocket what F5's and Cloudflare's do, and more.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::middlebox::{Answer, Borders, Faults, Headers, Masking, Middlebox};
use wicketgate_testkit::process::Process;
use wicketgate_testkit::raw::{Ended, Endpoint, Frame, RawClient, Upgrade};
use wicketgate_testkit::tls::Authority;

use super::{PATIENCE, SecondHalf, Site, echo, echoes, echoes_across, pattern, text};

/// A site whose endpoints all come through a middlebox.
struct Walled {
    site: Site,
    gateway: Gateway,
    middlebox: Middlebox,
    /// What endpoints are told of the way.
    way: String,
    _authority: Authority,
}

impl Walled {
    async fn start(faults: Faults) -> Self {
        let (site, authority) = (Site::new(), Authority::new().unwrap());
        let gateway = site.start().await;
        let upstream = Endpoint::plain(site.gateway.addr());
        let middlebox = Middlebox::start(&authority.localhost().unwrap(), upstream, faults).await.unwrap();
        let (port, ca) = (middlebox.addr().port(), authority.ca_file());
        let way = format!("{{url: https://localhost:{port}/relay, https: {{ca: {}}}}}", ca.display());
        Self { site, gateway, middlebox, way, _authority: authority }
    }

    /// The way, for an endpoint that says this of signs of life.
    fn alive(&self, keepalive: &str) -> String {
        self.way.replacen('{', &format!("{{keepalive: {keepalive}, "), 1)
    }

    /// Breaks all connections; the next ones meet these faults. Returns once agent and client are there again.
    async fn becomes(&self, faults: Faults, agent: &Process, client: &Process) {
        let (connected, resumed) = (agent.lines_with(" connected "), client.lines_with("resumed"));
        self.middlebox.set(faults);
        self.middlebox.restart();
        agent.more_lines(" connected ", connected, PATIENCE).await.unwrap();
        client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    }

    /// What a client that comes anew is told before it gives up.
    fn refused(&self) -> String {
        let mut command = self.site.connect("alice", &self.way, "office", "echo");
        let output = command.args(["--listen", "127.0.0.1:0"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    }
}

/// One connection to the service, over which bytes go there and back as often as is asked.
struct Talk {
    stream: TcpStream,
    seed: u64,
}

impl Talk {
    async fn exchange(&mut self, length: usize) {
        self.seed += 1;
        let (sent, mut back) = (pattern(length, self.seed), vec![0; length]);
        let (mut read, mut write) = self.stream.split();
        let both = async { tokio::try_join!(write.write_all(&sent), read.read_exact(&mut back)) };
        timeout(PATIENCE, both).await.unwrap().unwrap();
        assert!(back == sent, "other bytes came back of {length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_as_they_were_sent_whatever_is_done_to_frames_and_headers() {
    let (walled, (service, _serving)) = (Walled::start(Faults::default()).await, echo().await);
    let agent = walled.site.agent(&walled.way, service).await;
    let (client, address) = walled.site.client(&walled.way, "echo").await;
    let none = Faults::default();
    let everything = Faults {
        masking: Masking::Remask,
        borders: Borders::Every(4_001),
        headers: Headers::Rewrite,
        latency: Duration::from_millis(20),
        buffering: Some(Duration::from_millis(50)),
        ..none
    };
    for (what, faults) in [
        ("other masks", Faults { masking: Masking::Remask, ..none }),
        ("small frames", Faults { borders: Borders::Every(333), ..none }),
        ("large frames", Faults { borders: Borders::Every(200_000), ..none }),
        ("other headers", Faults { headers: Headers::Rewrite, ..none }),
        ("latency", Faults { latency: Duration::from_millis(30), ..none }),
        ("buffering", Faults { buffering: Some(Duration::from_millis(80)), ..none }),
        ("all of it", everything),
    ] {
        walled.becomes(faults, &agent, &client).await;
        let carried = async {
            echoes(address, 1, 1).await;
            echoes(address, 1 << 20, 2).await;
            // And a session that begins so.
            let (_fresh, address) = walled.site.client(&walled.way, "echo").await;
            echoes(address, 300_000, 3).await;
        };
        assert!(timeout(PATIENCE, carried).await.is_ok(), "{what}: {}", client.output());
    }
    for request in walled.middlebox.requests() {
        assert_eq!(request.first_line(), "GET /relay HTTP/1.1");
        assert_eq!(request.all("upgrade"), ["websocket"]);
        // What has no compression cannot lose it on the way.
        assert_eq!(request.all("sec-websocket-extensions"), Vec::<String>::new());
    }
}

/// Not only once the client has what it needs for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_cut_from_the_moment_the_client_says_that_it_is_there() {
    let latency = Duration::from_millis(100);
    let (walled, (service, _serving)) =
        (Walled::start(Faults { latency, ..Faults::default() }).await, echo().await);
    let agent = walled.site.agent(&walled.way, service).await;
    let (client, address) = walled.site.client(&walled.way, "echo").await;
    walled.becomes(Faults::default(), &agent, &client).await;
    echoes(address, 1000, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_whatever_cuts_it() {
    let (walled, (service, _serving)) = (Walled::start(Faults::default()).await, echo().await);
    let agent = walled.site.agent(&walled.way, service).await;
    let (client, address) = walled.site.client(&walled.way, "echo").await;
    let mut talk = Talk { stream: TcpStream::connect(address).await.unwrap(), seed: 0 };
    talk.exchange(1000).await;
    let cuts = || walled.middlebox.cuts();

    let none = Faults::default();
    let idle_cut = Some(Duration::from_millis(300));
    walled.becomes(Faults { idle_cut, ..none }, &agent, &client).await;
    for _ in 0..3 {
        let before = cuts();
        talk.exchange(200_000).await;
        // A control connection and a carrier of each endpoint.
        walled.middlebox.has_cut(before + 4, PATIENCE).await.unwrap();
    }

    let delayed = Faults {
        latency: Duration::from_millis(10),
        buffering: Some(Duration::from_millis(20)),
        borders: Borders::Every(5_000),
        ..none
    };
    for (age, faults) in [(400, none), (700, delayed)] {
        let age_cut = Some(Duration::from_millis(age));
        walled.becomes(Faults { age_cut, ..faults }, &agent, &client).await;
        let (before, resumed) = (cuts(), client.lines_with("resumed"));
        while cuts() < before + 12 || client.lines_with("resumed") < resumed + 2 {
            talk.exchange(1 << 20).await;
        }
    }

    walled.becomes(none, &agent, &client).await;
    for _ in 0..3 {
        let resumed = client.lines_with("resumed");
        let restart = |second: SecondHalf| async {
            walled.middlebox.restart();
            second.send(()).unwrap();
        };
        let moved = timeout(PATIENCE, echoes_across(address, 4 << 20, restart)).await;
        assert!(moved.is_ok(), "{}\n{}", client.output(), agent.output());
        client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    }
    talk.exchange(1000).await;
    assert!(client.stop().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_instead_of_a_websocket_is_named_and_nobody_need_act_once_it_ends() {
    let (walled, (service, _serving)) = (Walled::start(Faults::default()).await, echo().await);
    let agent = walled.site.agent(&walled.way, service).await;
    let (client, address) = walled.site.client(&walled.way, "echo").await;
    for (answer, named) in [
        (Answer::Status(403), "answered 403 Forbidden"),
        (Answer::Status(404), "answered 404 Not Found"),
        (Answer::Status(503), "answered 503 Service Unavailable"),
        (Answer::Redirect, "answered 302 Found"),
        (Answer::LoginPage, "answered 200 OK"),
        (Answer::Http10, "answered 4"),
        (Answer::ExtraUpgrade, "Upgrade is not websocket alone"),
    ] {
        let told = (agent.lines_with(named), client.lines_with(named));
        walled.middlebox.set(Faults { answer, ..Faults::default() });
        walled.middlebox.restart();
        let fresh = walled.refused();
        let error = fresh.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains("no WebSocket was opened") && error.contains(named), "{answer:?}: {fresh}");
        agent.more_lines(named, told.0, PATIENCE).await.unwrap();
        client.more_lines(named, told.1, PATIENCE).await.unwrap();
        walled.becomes(Faults::default(), &agent, &client).await;
        echoes(address, 100_000, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_that_were_taken_off_by_whom_nobody_trusts_are_refused() {
    let (walled, (service, _serving)) = (Walled::start(Faults::default()).await, echo().await);
    let agent = walled.site.agent(&walled.site.plain(walled.site.gateway.addr()), service).await;
    let (client, address) = walled.site.client(&walled.way, "echo").await;
    echoes(address, 1000, 1).await;
    for (frame, code) in [
        (Frame::binary("WGR"), 1002),
        (Frame::text("WGR").masked([1, 2, 3, 4]), 1003),
        (Frame::binary("WGR").masked([1, 2, 3, 4]).rsv(4), 1002),
    ] {
        let mut raw = RawClient::connect(&Endpoint::plain(walled.site.gateway.addr())).await.unwrap();
        let upgrade = Upgrade::new("/relay").with("Sec-WebSocket-Protocol", "wicketgate.v1");
        raw.upgrade(&upgrade).await.unwrap();
        raw.send_frame(&frame).await.unwrap();
        assert_eq!(raw.ended().await.unwrap(), Ended::Closed(Some(code)), "{frame:?}");
    }
    let unmasked = Faults { masking: Masking::Unmask, ..Faults::default() };
    let moved = echoes_across(address, 1 << 20, |second: SecondHalf| async {
        let (refused, resumed) =
            (walled.gateway.process().lines_with("is not masked"), client.lines_with("resumed"));
        walled.middlebox.set(unmasked);
        walled.middlebox.restart();
        second.send(()).unwrap();
        // Neither those that are there are let in again, nor others.
        client.more_lines("no way to the gateway", 0, PATIENCE).await.unwrap();
        walled.refused();
        walled.gateway.process().more_lines("is not masked", refused, PATIENCE).await.unwrap();
        assert_eq!(client.lines_with("resumed"), resumed, "{}", client.output());
        // Whoever comes another way is served meanwhile.
        let (_honest, address) =
            walled.site.client(&walled.site.plain(walled.site.gateway.addr()), "echo").await;
        echoes(address, 100_000, 2).await;
        walled.middlebox.set(Faults::default());
        walled.middlebox.restart();
    });
    let moved = timeout(2 * PATIENCE, moved).await;
    assert!(moved.is_ok(), "{}\n{}", client.output(), agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_connections_are_cut_at_an_age_they_are_changed_before() {
    let age = Duration::from_secs(6);
    let walled = Walled::start(Faults { age_cut: Some(age), ..Faults::default() }).await;
    let (service, _serving) = echo().await;
    let way = walled.alive("{shortest_age: 1s}");
    let agent = walled.site.agent(&way, service).await;
    let (client, address) = walled.site.client(&way, "echo").await;
    let mut talk = Talk { stream: TcpStream::connect(address).await.unwrap(), seed: 7 };
    talk.exchange(1000).await;
    let learnt = async |process: &Process| process.line("they are changed before", PATIENCE).await.unwrap();
    tokio::join!(learnt(&agent), learnt(&client));
    // Those that stood then may have been too old to be changed.
    client.more_lines("resumed", client.lines_with("resumed"), PATIENCE).await.unwrap();
    let (resumed, broken) = (client.lines_with("resumed"), client.lines_with("is gone"));
    client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    talk.exchange(1000).await;
    assert_eq!(client.lines_with("is gone"), broken, "{}\n{}", client.output(), agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_connections_are_cut_when_nothing_comes_something_comes_more_often() {
    let idle = Duration::from_secs(3);
    let walled = Walled::start(Faults { idle_cut: Some(idle), ..Faults::default() }).await;
    let (service, _serving) = echo().await;
    // What would keep them is too seldom: by default 20 s apart.
    let way = walled.alive("{shortest_interval: 1s}");
    let agent = walled.site.agent(&way, service).await;
    let (client, address) = walled.site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let learnt = async |process: &Process| process.line("without a byte", PATIENCE).await.unwrap();
    tokio::join!(learnt(&agent), learnt(&client));
    // Those that stood then are asked as seldom as before, and cut once more.
    while walled.middlebox.has_cut(walled.middlebox.cuts() + 1, 3 * idle).await.is_ok() {
        assert!(walled.middlebox.cuts() < 20, "{}\n{}", client.output(), agent.output());
    }
    echoes(address, 1000, 2).await;
}
