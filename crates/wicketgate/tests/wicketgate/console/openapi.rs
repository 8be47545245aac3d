//! The API as its document describes it, asked by schemathesis: whatever is asked, no server error, and no answer but those described.

use std::process::Command;

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::peers;
use wicketgate_testkit::raw::{Endpoint, RawClient};

use super::{Site, TOKEN_TAIL};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_is_answered_as_described() {
    if std::env::var_os("WICKETGATE_TEST_ALL").is_none() {
        return println!("left out without WICKETGATE_TEST_ALL=1: requests that schemathesis makes up");
    }
    let site = Site::start("").await;
    let mut client = RawClient::open(&Endpoint::plain(site.front.addr()), "/chat").await.unwrap();
    client.echoes("<script>alert(1)</script>").await.unwrap();
    // It writes what it remembers to where it runs.
    let dir = Dir::new().unwrap();
    let mut command = Command::new(peers::folder().join("bin/schemathesis"));
    command.current_dir(dir.path());
    command.arg("run").arg(format!("{}/openapi.json", site.origin()));
    command.args(["--header", &format!("Authorization: Bearer admin{TOKEN_TAIL}")]);
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "20"]);
    command.args(["--seed", "1", "--generation-database", "none", "--request-timeout", "20", "--no-color"]);
    // They do not end.
    command.args(["--exclude-path", "/api/v1/live", "--exclude-path", "/api/v1/messages"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("22 passed") && said.contains("Tested: 22"), "{said}");
    assert_eq!(site.api("read", "GET", "/api/v1/me").await.0, 200);
}

const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
