//! What can go wrong around the gateway: a port in use, a key that cannot be had, a broken configuration, a full disk.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::RawClient;
use wicketgate_testkit::tls::Authority;

use super::{BINARY, LISTENER, Stage, UPSTREAM, one_route};

const SOON: Duration = Duration::from_secs(10);

/// Runs the gateway with this configuration, in which it cannot start; gives its exit code and what it said.
async fn fails(config: &str) -> (i32, String) {
    let dir = Dir::new().unwrap();
    let path = dir.write("wicketgate.yaml", config).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("run").arg("--config").arg(path);
    let process = Process::spawn(command, Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert!(!output.contains("panicked"), "{output}");
    (status.code().expect("it ends by itself"), output)
}

fn with_tls(cert: &str, key: &str) -> String {
    format!(
        "listeners: [{{bind: '127.0.0.1:0', tls: {{certificates: [{{cert: {cert:?}, key: {key:?}}}]}}}}]\n\
         routes: [{{name: all, respond: {{status: 200}}}}]\n"
    )
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let stage = Stage::start(&one_route("")).await;
    let address = stage.ports[0].addr();
    let config =
        format!("listeners: [{{bind: '{address}'}}]\nroutes: [{{name: all, respond: {{status: 200}}}}]\n");
    let (code, output) = fails(&config).await;
    assert_ne!(code, 0);
    assert!(output.contains(&address.to_string()) && output.to_lowercase().contains("in use"), "{output}");
    // Who has it goes on.
    stage.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn certificates_and_keys_that_are_no_good_are_named_with_their_place() {
    let authority = Authority::new().unwrap();
    let (one, other) =
        (authority.issue(&["one.example"]).unwrap(), authority.issue(&["other.example"]).unwrap());
    let dir = Dir::new().unwrap();
    let garbage = dir.write("garbage.pem", "-----BEGIN PRIVATE KEY-----\ngarbage\n").unwrap();
    let empty = dir.write("empty.pem", "").unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let cert = path(&one.certificate_file);
    for (cert, key) in [
        (cert.clone(), path(&other.key_file)),
        (cert.clone(), path(&dir.join("missing.pem"))),
        (cert.clone(), path(dir.path())),
        (cert.clone(), path(&garbage)),
        (cert.clone(), path(&empty)),
        (cert.clone(), cert.clone()),
        (path(&empty), path(&one.key_file)),
        (path(&dir.join("missing.pem")), path(&one.key_file)),
    ] {
        let (code, output) = fails(&with_tls(&cert, &key)).await;
        assert_eq!(code, 2, "{cert} {key}: {output}");
        assert!(output.contains("wicketgate.yaml:1:"), "{cert} {key}: {output}");
        assert!(!output.contains("PRIVATE KEY"), "{output}");
    }
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing() {
    let stage = Stage::start(&one_route("")).await;
    let good = fs::read_to_string(stage.gateway.config()).unwrap();
    let mut live = RawClient::open(&stage.listener(0), "/live").await.unwrap();
    let taken = Stage::start(&one_route("")).await;
    let authority = Authority::new().unwrap();
    let (one, other) =
        (authority.issue(&["one.example"]).unwrap(), authority.issue(&["other.example"]).unwrap());
    let mismatched = with_tls(one.certificate_file.to_str().unwrap(), other.key_file.to_str().unwrap());
    for broken in [
        String::new(),
        "listeners: [".to_owned(),
        good.replace("routes", "roots"),
        good.replace("upstream: backend", "upstream: nobody"),
        mismatched,
        // A port that somebody else has is only found when it is bound.
        good.replace(&stage.ports[0].addr().to_string(), &taken.ports[0].addr().to_string()),
    ] {
        stage.gateway.reload(&broken, "configuration not reloaded").await.unwrap();
        live.echoes("still here").await.unwrap();
        stage.proof("/").honest().await.unwrap();
    }
    stage.gateway.reload(&format!("{good}# the same\n"), "configuration reloaded").await.unwrap();
    live.echoes("and after").await.unwrap();
    taken.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_costs_log_lines_and_no_session() {
    let stage = Stage::start(&format!("{}log: {{access: /dev/full}}\n", one_route(""))).await;
    let mut live = RawClient::open(&stage.listener(0), "/live").await.unwrap();
    for _ in 0..200 {
        stage.proof("/").honest().await.unwrap();
    }
    live.echoes("still here").await.unwrap();
    let line = stage.gateway.log("lines are lost").await.unwrap();
    assert!(line.contains("access log"), "{line}");
    let (status, output) = stage.gateway.drain(SOON * 4).await.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(!output.contains("panicked"), "{status}: {output}");
}

#[tokio::test]
async fn an_access_log_that_cannot_be_opened_is_named() {
    let config = format!(
        "{LISTENER}{UPSTREAM}routes: [{{name: all, upstream: backend}}]\nlog: {{access: /no/such/folder/access.log}}\n"
    );
    let port = Port::free().unwrap();
    let config = config.replace("LISTEN", &port.addr().to_string()).replace("BACKEND", "127.0.0.1:1");
    let (code, output) = fails(&config).await;
    assert_ne!(code, 0);
    assert!(output.contains("/no/such/folder/access.log"), "{output}");
}

/// A certificate is replaced under the running gateway by one that is no good: the one before stays.
#[tokio::test]
async fn a_bad_certificate_put_in_place_is_not_taken() {
    let authority = Authority::new().unwrap();
    let (one, other) = (authority.localhost().unwrap(), authority.issue(&["other.example"]).unwrap());
    let dir = Dir::new().unwrap();
    let cert = dir.write("cert.pem", &one.certificate).unwrap();
    let key = dir.write("key-1.pem", &one.key).unwrap();
    let link = dir.join("key.pem");
    symlink(&key, &link).unwrap();
    let config = format!(
        "listeners: [{{bind: LISTEN, tls: {{certificates: [{{cert: {cert:?}, key: {link:?}}}]}}}}]\n{UPSTREAM}routes: [{{name: all, upstream: backend}}]\n"
    );
    let stage = Stage::start(&config).await;
    let endpoint = wicketgate_testkit::raw::Endpoint::tls(
        stage.ports[0].addr(),
        authority.client(&["http/1.1"]).unwrap(),
    );
    RawClient::open(&endpoint, "/before").await.unwrap().echoes("before").await.unwrap();
    dir.write("key.pem", &other.key).unwrap();
    stage.gateway.log("certificate").await.unwrap();
    RawClient::open(&endpoint, "/after").await.unwrap().echoes("after").await.unwrap();
}
