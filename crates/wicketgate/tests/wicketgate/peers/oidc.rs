//! The example of an OpenID login as a person uses it: from the login page to the end of the session with its token.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use wicketgate_testkit::{
    dir::Dir,
    peers::{self, chromium, node},
    ports::Port,
    process::{Process, Ready, Signal},
    raw::{Endpoint, RawClient, Upgrade},
};

/// Life of a token: time for a slow machine to open a session, and to see that it stays open until then.
const SECONDS: u64 = 8;
const VISIT: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(10);

const SCRIPT: &str = r##"
const said = (id) => page.locator(id).textContent();
await page.goto(URL);
await page.click("#login");
await page.fill("[name=name]", "Ada");
await page.click("button");
await page.locator("#state[data-state=open]").waitFor();
console.log("page of " + await said("#who") + ", at " + page.url());
await page.fill("#text", "Is the gate open?");
await page.click("#send");
await page.locator("#lines li", { hasText: "Is the gate open?" }).waitFor();
console.log("room: " + await said("#lines li:has(b)"));
const before = Date.now();
const left = parseInt(await said("#left"));
await page.locator("#state[data-state=closed]").waitFor();
console.log("ended: " + await said("#code") + ", with " + await said("#left") + " left");
// The page counts whole seconds, and once a second.
console.log("early: " + (Date.now() - before < (left - 2) * 1000));
await page.click("#again");
await page.locator("#state", { hasText: "refused" }).waitFor();
console.log("again: " + await said("#code"));
await page.click("#login");
await page.fill("[name=name]", "Ben");
await page.click("button");
await page.locator("#state[data-state=open]").waitFor();
console.log("next: " + await said("#who"));
"##;

/// The example's folder as a reader has it after `npm install`.
fn example() -> (Dir, PathBuf) {
    let dir = Dir::new().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/oidc");
    fs::create_dir(dir.join("page")).unwrap();
    for place in ["", "page"] {
        for entry in fs::read_dir(from.join(place)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, dir.join(place).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let modules = peers::folder().join("node/node_modules");
    let read = |file: PathBuf| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    for (name, version) in read(from.join("package.json"))["dependencies"].as_object().unwrap() {
        assert_eq!(read(modules.join(name).join("package.json"))["version"], *version, "{name}");
    }
    symlink(modules, dir.join("node_modules")).unwrap();
    let script = dir.join("demo.mjs");
    (dir, script)
}

#[tokio::test]
async fn a_page_logs_in_and_its_session_ends_with_its_token() {
    let (_dir, script) = example();
    let (gateway, backend, provider) = (Port::free().unwrap(), Port::free().unwrap(), Port::free().unwrap());
    let mut command = node::script(&script, None).unwrap();
    command.env("WICKETGATE", super::BINARY).env("SECONDS", SECONDS.to_string());
    for (name, port) in [("GATEWAY", &gateway), ("BACKEND", &backend), ("PROVIDER", &provider)] {
        command.env(name, port.addr().to_string());
    }
    let ready = Ready::Ports([&gateway, &backend, &provider].map(Port::addr).to_vec());
    let mut demo = Process::spawn(command, ready).await.unwrap();

    let url = format!("http://{}/", gateway.addr());
    let visit = chromium::visit(&SCRIPT.replace("URL", &format!("{url:?}")), false, VISIT).await.unwrap();
    let (output, log) = (&visit.output, demo.output());
    let shows = |line: &str| assert!(output.lines().any(|one| one == line), "no {line:?}: {output}\n{log}");
    assert!(visit.status.success() && !output.contains("page error"), "{output}\n{log}");
    shows(&format!("page of Ada, at {url}"));
    shows("room: guest 1Is the gate open?");
    assert!(output.contains("ended: 1008") && output.contains("with 0 s left"), "{output}\n{log}");
    shows("early: false");
    shows("again: refused");
    shows("next: Ben");

    let mut stranger = RawClient::connect(&Endpoint::plain(gateway.addr())).await.unwrap();
    stranger.send(&Upgrade::new("/chat").set("Sec-WebSocket-Protocol", "chat").bytes()).await.unwrap();
    assert_eq!(stranger.head().await.unwrap().status().unwrap(), 401);

    demo.signal(Signal::TERM).unwrap();
    assert!(demo.wait(END).await.unwrap().success(), "{}", demo.output());
    assert!(!demo.output().contains("eyJ"), "a token in the log: {}", demo.output());
}
