//! The commands by the console's API: what they list and end, what a token does not allow, and that no token is shown.

use std::process::{Command, Output};

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Ended, Endpoint, RawClient};

use super::{BINARY, Site, TOKEN_TAIL};

/// Runs a command with the token of a scope, in a folder without a configuration.
fn run(dir: &Dir, site: &Site, scope: &str, arguments: &[&str]) -> Output {
    let file = dir.write(format!("{scope}.token"), format!("{scope}{TOKEN_TAIL}\n")).unwrap();
    let mut command = Command::new(BINARY);
    command
        .current_dir(dir.path())
        .args(arguments)
        .arg("--api")
        .arg(site.origin())
        .arg("--token-file")
        .arg(file);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_may_what_their_token_allows() {
    let site = Site::start("").await;
    let dir = Dir::new().unwrap();
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    let listed = run(&dir, &site, "read", &["sessions", "list"]);
    assert!(listed.status.success() && said(&listed).contains("127.0.0.1"), "{}", said(&listed));
    let relay = run(&dir, &site, "read", &["relay", "sessions"]);
    assert!(relay.status.success(), "{}", said(&relay));
    for arguments in [&["sessions", "kick", "--route", "chat"][..], &["revoke", "--subject", "mallory"]] {
        let refused = run(&dir, &site, "read", arguments);
        let said = said(&refused);
        assert!(
            !refused.status.success() && said.contains("403 Forbidden: this needs the scope operate"),
            "{said}"
        );
    }
    client.echoes("nobody ended this").await.unwrap();
    let unknown = run(&dir, &site, "nobody", &["sessions", "list"]);
    assert!(said(&unknown).contains("401"), "{}", said(&unknown));
    let revoked = run(&dir, &site, "operate", &["revoke", "--subject", "mallory"]);
    assert!(revoked.status.success() && said(&revoked).starts_with("revoked"), "{}", said(&revoked));
    let ended = run(&dir, &site, "operate", &["sessions", "kick", "--route", "chat"]);
    assert!(said(&ended).contains("1 session ended"), "{}", said(&ended));
    assert!(matches!(client.ended().await.unwrap(), Ended::Closed(_)));
    let kicked = site.audited("session.kicked", 1).await;
    assert_eq!((&kicked[0]["subject"], &kicked[0]["method"]), (&"doer".into(), &"token".into()));
    for output in [listed, relay, unknown, revoked, ended] {
        assert!(!said(&output).contains(TOKEN_TAIL));
    }
    // To another machine, a token goes over TLS alone.
    let mut command = Command::new(BINARY);
    command.current_dir(dir.path()).args(["sessions", "list", "--api", "http://console.example:9443"]);
    command.arg("--token-file").arg(dir.path().join("read.token"));
    let plain = command.output().unwrap();
    assert!(!plain.status.success() && said(&plain).contains("unprotected"), "{}", said(&plain));
}
