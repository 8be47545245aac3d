//! Ways out through HTTP proxies: tinyproxy, proxies that know names of their own, and bad ones.

mod raw;

use std::process::{Command, Output};

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::tinyproxy::Tinyproxy;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
use wicketgate_testkit::process::{Process, Ready};

use self::raw::{Manner, Raw};
use super::choice::Public;
use super::{BINARY, PATIENCE, echo, echoes, text};

/// A port where nothing may be connected to.
const OTHER: u16 = 1;

async fn output(mut command: Command) -> Output {
    timeout(PATIENCE, spawn_blocking(move || command.output())).await.unwrap().unwrap().unwrap()
}

/// Runs a client that finds no way, and gives what it says.
async fn said(mut command: Command) -> String {
    let output = output({
        command.args(["--listen", "127.0.0.1:0"]);
        command
    })
    .await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_carriers_go_through_tinyproxy() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let _gateway = public.start("").await;
    let hop = Hop::to(Upstream::new(public.site.gateway.addr())).tls(&public.own);
    let wall = Intermediary::Haproxy.start(&hop).await.unwrap();
    let ports = [public.port.addr().port(), wall.addr().port()];
    let tinyproxy = Tinyproxy::start(Some(("alice", "s3cr3t-w0rd")), &ports).await.unwrap();
    let proxy = format!(
        ", proxy: {{url: 'http://{}', username: alice, password: {{value: s3cr3t-w0rd}}}}",
        tinyproxy.addr()
    );
    let agent = public.site.agent(&public.way(public.port.addr(), &proxy), service).await;
    assert!(agent.output().contains("carrier=tls"), "{}", agent.output());
    for (at, kind, seed) in [(public.port.addr(), "over tls", 1), (wall.addr(), "over websocket", 2)] {
        let (client, address) = public.site.client(&public.way(at, &proxy), "echo").await;
        assert!(client.output().contains(kind), "{}", client.output());
        timeout(PATIENCE, echoes(address, 1 << 20, seed)).await.unwrap();
        assert!(
            !client.output().contains("s3cr3t") && !client.output().contains("YWxp"),
            "{}",
            client.output()
        );
    }
    assert!(!agent.output().contains("s3cr3t"), "{}", agent.output());
    // It was asked for the name, and nobody has dialled past it.
    let log = tinyproxy.process().output();
    let asked = format!("CONNECT localhost:{} HTTP/1.1", public.port.addr().port());
    assert!(log.contains(&asked), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_a_url_is_refused_and_shown_nowhere() {
    let public = Public::new();
    let url = "http://al:s3cret@proxy:3128";
    let mut command = public.site.connect("alice", &public.way(public.port.addr(), ""), "office", "echo");
    command.args(["--proxy", url]);
    let by_argument = said(command).await;
    assert!(by_argument.contains("--proxy") && by_argument.contains("HTTPS_PROXY"), "{by_argument}");
    let way = public.way(public.port.addr(), &format!(", proxy: {{url: '{url}'}}"));
    let by_file = text(&output(public.site.connect("alice", &way, "office", "echo")).await);
    assert!(by_file.contains("`username` and `password`"), "{by_file}");
    assert!(!by_argument.contains("s3cret") && !by_file.contains("s3cret"), "{by_argument}\n{by_file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tinyproxy_refuses_is_told_with_what_to_do() {
    let public = Public::new();
    let _gateway = public.start("").await;
    let port = public.port.addr().port();
    let shut = Tinyproxy::start(None, &[OTHER]).await.unwrap();
    let login = Tinyproxy::start(Some(("alice", "s3cr3t-w0rd")), &[port]).await.unwrap();
    let nothing = wicketgate_testkit::ports::Port::free().unwrap();
    let way = public.way(public.port.addr(), "");
    let by = |proxy: String| {
        let mut command = public.site.connect("alice", &way, "office", "echo");
        command.args(["--proxy", &proxy]);
        command
    };
    for (proxy, says) in [
        (shut.addr(), format!("connection to localhost:{port} (403)")),
        (login.addr(), "`gateway.proxy` with `username` and `password`".to_owned()),
        (nothing.addr(), "cannot be reached".to_owned()),
    ] {
        let said = said(by(format!("http://{proxy}"))).await;
        assert!(said.contains(&format!("the proxy http://{proxy}")) && said.contains(&says), "{said}");
    }
    let wrong = format!(
        ", proxy: {{url: 'http://{}', username: alice, password: {{value: wr0ng-w0rd}}}}",
        login.addr()
    );
    let said =
        said(public.site.connect("alice", &public.way(public.port.addr(), &wrong), "office", "echo")).await;
    assert!(said.contains("does not take this user name"), "{said}");
    assert!(!said.contains("wr0ng"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_a_proxy_which_resolves_the_name() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    // No resolver of this machine knows it.
    let own = public.authority.issue(&["gateway.invalid"]).unwrap();
    let config = public
        .config("enrolment: {}", "")
        .replace(public.own.certificate_file.to_str().unwrap(), own.certificate_file.to_str().unwrap());
    let config = config.replace(public.own.key_file.to_str().unwrap(), own.key_file.to_str().unwrap());
    let _gateway = Gateway::start(BINARY, &config, Ready::port(public.port.addr())).await.unwrap();
    let _agent = public.site.agent(&public.site.plain(public.site.gateway.addr()), service).await;
    let raw = Raw::start(Manner::Leads(public.port.addr())).await;
    let ca = public.authority.ca_file().display().to_string();
    let way = format!("{{url: https://gateway.invalid/relay, https: {{ca: {ca}}}}}");
    let variable = format!("http://al%40ce:s3cr3t-w0rd@{}", raw.addr);
    let connect = |gateway: &str| {
        let mut command = public.site.connect("alice", gateway, "office", "echo");
        command.env("HTTPS_PROXY", &variable).env_remove("https_proxy").env_remove("no_proxy");
        command
    };
    let mut command = connect(&way);
    command.args(["--listen", "127.0.0.1:0"]);
    let client = Process::spawn(command, Ready::Line("leads to".into())).await.unwrap();
    let line = client.line("leads to", PATIENCE).await.unwrap();
    let address = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    timeout(PATIENCE, echoes(address, 1 << 20, 5)).await.unwrap();
    assert!(!client.output().contains("s3cr3t"), "{}", client.output());
    let heads = raw.heads();
    assert!(heads[0].starts_with("CONNECT gateway.invalid:443 HTTP/1.1\r\n"), "{heads:?}");
    // al@ce:s3cr3t-w0rd
    assert!(heads[0].contains("Basic YWxAY2U6czNjcjN0LXcwcmQ="), "{heads:?}");
    // Words that switch it off.
    let before = raw.heads().len();
    let mut excepted = connect(&way);
    excepted.env("NO_PROXY", "other.example,.invalid");
    let mut off = connect(&way);
    off.args(["--proxy", "off"]);
    let in_file = connect(&way.replace(", https:", ", proxy: off, https:"));
    for command in [excepted, off, in_file] {
        let said = said(command).await;
        assert!(said.contains("gateway.invalid:443 cannot be reached"), "{said}");
    }
    assert_eq!(raw.heads().len(), before);
    // The other commands go the same way.
    let url = "https://gateway.invalid/relay";
    let by = format!("http://{}", raw.addr);
    let _issuer = public.site.issuer_by(url, &["--ca", &ca, "--proxy", &by]).await;
    let token = public.site.token("client", "bob");
    let joined = public.site.join_by(url, &["join"], &token, &["--ca", &ca, "--proxy", &by]);
    assert!(joined.status.success(), "{}", text(&joined));
    let mut doctor = Command::new(BINARY);
    doctor.args(["doctor", url, "--ca", &ca, "--proxy", &by]);
    let examined = output(doctor).await;
    assert_eq!(examined.status.code(), Some(0), "{}", text(&examined));
    let line = format!("{by} connects to gateway.invalid:443");
    assert!(text(&examined).contains(&line), "{}", text(&examined));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_proxies_are_given_up_in_time_and_the_next_one_serves() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let _gateway = public.start("").await;
    let _agent = public.site.agent(&public.way(public.port.addr(), ""), service).await;
    let way = public.way(public.port.addr(), "").replace("https: {", "https: {timeout: 2s, ");
    let login =
        b"HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n".to_vec();
    let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>".to_vec();
    for (manner, says) in [
        (Manner::Silent, "no connection within 2s"),
        (Manner::Babbles(b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 4096]), "a head of more than 16384 bytes"),
        (Manner::Babbles(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "no connection within 2s"),
        (Manner::Babbles(b"HTTP/1.1 503 x\r\n\r\n", b"page"), "(503 Service Unavailable)"),
        (Manner::Says(page), "it is no tunnel"),
        (Manner::Says(login), "a login by Negotiate, NTLM (407)"),
        (Manner::Says(b"\x05\x00".to_vec()), "the proxy http://127.0.0.1:"),
        (Manner::Says(b"HTTP/1.1 302 x\r\nLocation: http://login/\r\n\r\n".to_vec()), "302"),
    ] {
        let raw = Raw::start(manner.clone()).await;
        let mut command = public.site.connect("alice", &way, "office", "echo");
        command.args(["--proxy", &format!("http://{}", raw.addr)]);
        let said = said(command).await;
        assert!(said.contains(says), "{manner:?}: {said}");
        // It was asked for a way to the gateway, and told nothing else.
        assert!(raw.heads().iter().all(|head| head.starts_with("CONNECT localhost:")), "{:?}", raw.heads());
    }
    let honest = Raw::start(Manner::Leads(public.port.addr())).await;
    let proxy = format!(", proxy: {{url: 'http://{}'}}", honest.addr);
    let (_client, address) = public.site.client(&public.way(public.port.addr(), &proxy), "echo").await;
    timeout(PATIENCE, echoes(address, 1 << 20, 6)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_cut_is_asked_again_and_tls_is_spoken_with_one() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let _gateway = public.start("").await;
    let _agent = public.site.agent(&public.way(public.port.addr(), ""), service).await;
    let tinyproxy = Tinyproxy::start(None, &[public.port.addr().port()]).await.unwrap();
    // In front of it something that ends TLS.
    let hop = Hop::to(Upstream::new(tinyproxy.addr())).tls(&public.own);
    let secure = Intermediary::HaproxyTcp.start(&hop).await.unwrap();
    let ca = public.authority.ca_file();
    let proxy =
        format!(", proxy: {{url: 'https://localhost:{}', ca: {}}}", secure.addr().port(), ca.display());
    let way = public.way(public.port.addr(), &proxy);
    let (client, address) = public.site.client(&way, "echo").await;
    let again = super::echoes_across(address, 4 << 20, async |broken| {
        let down = secure.kill().await.unwrap();
        client.line("dialling again", PATIENCE).await.unwrap();
        broken.send(()).unwrap();
        down.start().await.unwrap()
    });
    timeout(PATIENCE, again).await.unwrap();
    assert!(client.output().contains("resumed over"), "{}", client.output());
    // Another authority's certificate is no such proxy.
    let strange = Public::new();
    let proxy = format!("https://localhost:{}", strange.port.addr().port());
    let _other = strange.start("").await;
    let mut command = public.site.connect("alice", &public.way(public.port.addr(), ""), "office", "echo");
    command.args(["--proxy", &proxy]);
    let said = said(command).await;
    assert!(said.contains(&format!("the proxy {proxy} gives no TLS")), "{said}");
}
