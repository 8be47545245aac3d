//! Learning, with the real program at every step: traffic is captured from a gateway, a policy is learnt of it, `check` and
//! `test-policy` accept it, and a gateway that enforces it passes the same traffic and refuses what was made of it.

mod encode;
mod mutate;
mod packets;
mod traffic;

use std::path::Path;
use std::time::Duration;

use wicketgate_testkit::attack::AttackProof;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{
    Answer, Ended, Endpoint, Frame, Head, RawClient, Recorded, RecordingBackend, Upgrade, accept_key,
};

use self::traffic::{Protocol, Said};
use crate::cli::wicketgate;

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
/// The masking key of clients.
const KEY: [u8; 4] = [0x21, 0x7c, 0x0f, 0xb8];
/// How long a capture may take to have what it waits for.
const SOON: Duration = Duration::from_secs(30);

/// A gateway and the backend behind it.
struct Stage {
    backend: RecordingBackend,
    gateway: Gateway,
    port: Port,
    serial: usize,
}

impl Stage {
    /// `policy` is what stands in the route beside the upstream, and `more` at the root.
    async fn start(answer: fn(&Head) -> Answer, policy: &str, more: &str) -> Self {
        let backend = RecordingBackend::answering(answer).await.unwrap();
        let port = Port::free().unwrap();
        let config = format!(
            "listeners: [{{bind: {addr}}}]
upstreams: [{{name: backend, targets: ['ws://{backend}'], health: {{passive: off}}}}]
routes: [{{name: chat, upstream: backend, websocket: {{mode: messages}}{policy}}}]
drain: {{timeout: 0s}}
{more}",
            addr = port.addr(),
            backend = backend.addr().unwrap()
        );
        let gateway = Gateway::start(BINARY, &config, Ready::port(port.addr())).await.unwrap();
        Self { backend, gateway, port, serial: 0 }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::plain(self.port.addr())
    }

    /// A session in which all this was said, each when the one before had come to the other side.
    async fn session(&mut self, protocol: &Protocol, said: &[Said]) -> (RawClient, String) {
        self.serial += 1;
        let target = format!("/session?{}", self.serial);
        let mut upgrade = Upgrade::new(&target);
        if let Some(subprotocol) = protocol.subprotocol {
            upgrade = upgrade.with("Sec-WebSocket-Protocol", subprotocol);
        }
        let mut session = RawClient::connect(&self.endpoint()).await.unwrap();
        session.send(&upgrade.bytes()).await.unwrap();
        assert_eq!(session.head().await.unwrap().status().unwrap(), 101);
        let (number, _) = self.backend.requested(&target).await.unwrap();
        let mut count = 0;
        for said in said {
            let frame = protocol.frame(said.payload());
            match said {
                Said::Client(_) => {
                    session.send_frame(&frame.clone().masked(KEY)).await.unwrap();
                    count += 1;
                    let recorded = self.reached(&target, count).await;
                    assert_eq!(recorded.frames().last().unwrap().payload, frame.payload, "{}", protocol.name);
                }
                Said::Server(_) => {
                    self.backend.send_frame(number, &frame).unwrap();
                    let came = session.next_frame().await.unwrap().unwrap();
                    assert_eq!(came.payload, frame.payload, "{}", protocol.name);
                }
            }
        }
        (session, target)
    }

    async fn reached(&self, target: &str, count: usize) -> Recorded {
        let has_come = |recorded: &Recorded| {
            recorded.target().as_deref() == Some(target) && recorded.frames().len() >= count
        };
        self.backend.until("what the client says", has_come).await.unwrap().1
    }

    /// Behind the beginning of a session, this ends it with a code that blames the client, and reaches nobody.
    async fn refuses(&mut self, protocol: &Protocol, before: &[Said], what: &str, attack: &[u8]) {
        let (mut session, target) = self.session(protocol, before).await;
        let lawful = before.iter().filter(|said| matches!(said, Said::Client(_))).count();
        session.send_and_read(&protocol.frame(attack).masked(KEY).bytes()).await.ok();
        let ended = session.ended().await.unwrap();
        let Ended::Closed(Some(code)) = ended else { panic!("{}: {what}: {ended:?}", protocol.name) };
        assert!(!matches!(code, 1000 | 1001 | 1011), "{}: {what}: {code}", protocol.name);
        let over = |recorded: &Recorded| recorded.ended && recorded.target().as_deref() == Some(&target);
        let (_, recorded) = self.backend.until("the end of the session", over).await.unwrap();
        let data = recorded.frames().into_iter().filter(|frame| frame.opcode < 8).count();
        assert_eq!(data, lawful, "{}: {what} reached the backend", protocol.name);
    }
}

/// A backend that agrees to the subprotocol that is offered, and says what it is told to.
fn agreeing(head: &Head) -> Answer {
    let key = accept_key(&head.field("sec-websocket-key").unwrap_or_default());
    let offered = head.field("sec-websocket-protocol");
    let terms = offered.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept:";
    Answer::Bytes(format!("{head} {key}\r\n{terms}\r\n").into_bytes())
}

/// Starts a capture of so many messages into `capture.jsonl`, and waits until it runs.
async fn capturing(stage: &Stage, folder: &Dir, messages: usize, more: &[&str]) -> Process {
    let mut command = std::process::Command::new(BINARY);
    command.args(["capture", "--route", "chat", "--seconds", "60", "--messages", &messages.to_string()]);
    command.args(more).arg("--output").arg(folder.join("capture.jsonl"));
    command.arg("--config").arg(stage.gateway.config());
    Process::spawn(command, Ready::Line("capturing messages".into())).await.unwrap()
}

/// A policy learnt of `capture.jsonl`, which passes all of it, as `test-policy` says. Gives its text.
fn learnt(folder: &Dir, more: &[&str]) -> String {
    let text = learnt_from(folder, "capture.jsonl", more);
    let (code, said, told) =
        wicketgate(folder.path(), &["test-policy", "--route", "chat", "--cases", "capture.jsonl"]);
    assert_eq!(code, 0, "{told}");
    let other = said.lines().find(|line| !line.contains(" forward"));
    assert_eq!(other, None, "{said}");
    text
}

/// A policy learnt of a file, which `check` accepts. Gives its text.
fn learnt_from(folder: &Dir, capture: &str, more: &[&str]) -> String {
    let mut arguments = vec!["learn", capture, "--output", "learned.yaml"];
    arguments.extend(more);
    let (code, said, told) = wicketgate(folder.path(), &arguments);
    assert_eq!(code, 0, "{said}{told}");
    assert!(said.contains("DIRECTION") && said.contains("to_upstream"), "{said}");
    let config = "include: learned.yaml
listeners: [{bind: '127.0.0.1:0'}]
upstreams: [{name: u, targets: ['ws://127.0.0.1:1']}]
routes: [{name: chat, upstream: u, policy: learned}]
";
    folder.write("wicketgate.yaml", config).unwrap();
    let (code, _, told) = wicketgate(folder.path(), &["check"]);
    assert_eq!(code, 0, "{told}");
    std::fs::read_to_string(folder.join("learned.yaml")).unwrap()
}

fn enforcing(folder: &Dir) -> String {
    format!("include: '{}'\n", folder.join("learned.yaml").display())
}

fn admin(folder: &Dir) -> String {
    format!("admin: {{bind: 'unix:{}'}}\n", folder.join("admin.sock").display())
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A chat through a backend that echoes: what is learnt refuses everything that is made of its messages, as an attack proof
/// has it.
#[tokio::test]
async fn json_is_captured_learnt_and_enforced() {
    let folder = Dir::new().unwrap();
    let stage = Stage::start(|_| Answer::Echo, "", &admin(&folder)).await;
    let sessions = 40;
    let capture = capturing(&stage, &folder, sessions * 6, &["--secret", "user"]).await;
    for n in 0..sessions {
        let mut client = RawClient::open(&stage.endpoint(), &format!("/chat?{n}")).await.unwrap();
        for message in traffic::chat(n) {
            client.echoes(&message.to_string()).await.unwrap();
        }
        client.close(1000).await.unwrap();
    }
    let (status, told) = capture.finish(SOON).await.unwrap();
    assert!(status.success() && told.contains("240 messages captured"), "{told}");
    let text = std::fs::read_to_string(folder.join("capture.jsonl")).unwrap();
    assert_eq!((text.lines().count(), mode(&folder.join("capture.jsonl"))), (sessions * 6, 0o600));
    let learned = learnt(&folder, &[]);
    for secret in ["hunter", "4111", "walter"] {
        assert!(!text.contains(secret) && !learned.contains(secret), "{secret}: {learned}");
    }
    let stage = Stage::start(|_| Answer::Echo, ", policy: learned", &enforcing(&folder)).await;
    for n in [3, 17] {
        let mut client = RawClient::open(&stage.endpoint(), &format!("/chat?{n}")).await.unwrap();
        for message in traffic::chat(n) {
            client.echoes(&message.to_string()).await.unwrap();
        }
        client.close(1000).await.unwrap();
    }
    let honest = traffic::chat(9)[1].to_string();
    let proof = AttackProof::new(stage.endpoint(), &stage.backend, "/chat").saying(&honest);
    for message in traffic::chat(5) {
        let mutations = mutate::mutations(&message, Some("type"));
        assert!(mutations.len() >= 12);
        for (what, mutation) in mutations {
            let frame = Frame::text(mutation.to_string()).masked(KEY);
            let proven = proof.frames(&[frame], 1008).await;
            proven.unwrap_or_else(|error| panic!("{what}: {mutation}: {error:#}"));
        }
        for (text, code) in mutate::spellings(&message.to_string()) {
            let proven = proof.frames(&[Frame::text(text.clone()).masked(KEY)], code).await;
            proven.unwrap_or_else(|error| panic!("{text}: {error:#}"));
        }
        let proven = proof.frames(&[Frame::binary(message.to_string()).masked(KEY)], 1003).await;
        proven.unwrap_or_else(|error| panic!("binary: {error:#}"));
    }
}

/// Sub-protocols, packed formats and plain JSON-RPC: the format is found, the same sessions pass, mutations do not.
#[tokio::test]
async fn sub_protocols_are_captured_learnt_and_enforced() {
    for protocol in traffic::protocols() {
        let folder = Dir::new().unwrap();
        let mut stage = Stage::start(agreeing, "", &admin(&folder)).await;
        let sessions: Vec<Vec<Said>> = (0..20).map(|n| protocol.session(n)).collect();
        let messages = sessions.iter().map(Vec::len).sum();
        let capture = capturing(&stage, &folder, messages, &[]).await;
        for session in &sessions {
            stage.session(&protocol, session).await;
        }
        let (status, told) = capture.finish(SOON).await.unwrap();
        assert!(status.success(), "{}: {told}", protocol.name);
        let learned = learnt(&folder, &[]);
        assert!(learned.contains(&format!("format: {}\n", protocol.format)), "{}: {learned}", protocol.name);
        let mut stage = Stage::start(agreeing, ", policy: learned", &enforcing(&folder)).await;
        for session in sessions.iter().take(3) {
            stage.session(&protocol, session).await;
        }
        let (before, attacked) = protocol.attacked();
        let mutations = mutate::mutations(&attacked, protocol.kind);
        assert!(mutations.len() >= 12);
        for (what, mutation) in mutations {
            stage.refuses(&protocol, &before, &what, &protocol.wrap(&mutation)).await;
        }
        stage.session(&protocol, &sessions[0]).await;
    }
}

/// Who asks for what cannot be captured is told why, and a file that is there is left alone.
#[tokio::test]
async fn what_cannot_be_captured_is_told() {
    let folder = Dir::new().unwrap();
    let stage = Stage::start(|_| Answer::Echo, "", &admin(&folder)).await;
    let config = stage.gateway.config().display().to_string();
    let run = |route: &str, output: &str| {
        let arguments =
            ["capture", "--route", route, "--seconds", "1", "--output", output, "--config", &config];
        wicketgate(folder.path(), &arguments)
    };
    let (code, _, told) = run("other", "a.jsonl");
    assert!(code == 1 && told.contains("there is no route `other`"), "{told}");
    folder.write("there.jsonl", "kept").unwrap();
    let (code, _, told) = run("chat", "there.jsonl");
    assert!(code == 1 && told.contains("there.jsonl"), "{told}");
    assert_eq!(std::fs::read_to_string(folder.join("there.jsonl")).unwrap(), "kept");
    let first = capturing(&stage, &folder, 2, &[]).await;
    let (code, _, told) = run("chat", "b.jsonl");
    assert!(code == 1 && told.contains("another capture runs"), "{told}");
    let mut client = RawClient::open(&stage.endpoint(), "/").await.unwrap();
    client.echoes("hello").await.unwrap();
    assert!(first.finish(SOON).await.unwrap().0.success());
    stage.gateway.log("message.captured").await.unwrap();
}

/// A capture that nothing can be learnt from is refused, and so is one that is none.
#[test]
fn what_cannot_be_learnt_is_told() {
    let folder = Dir::new().unwrap();
    let learn = |text: &str| {
        folder.write("capture.jsonl", text).unwrap();
        wicketgate(folder.path(), &["learn", "capture.jsonl"])
    };
    let (code, _, told) = learn("");
    assert!(code == 1 && told.contains("no messages"), "{told}");
    let (code, _, told) = learn("{\"text\":\"a\"}\nnonsense\n");
    assert!(code == 1 && told.contains("line 2"), "{told}");
    let (code, said, _) = {
        folder.write("capture.jsonl", "{\"text\":\"{\\\"type\\\":\\\"a\\\"}\"}\n".repeat(20)).unwrap();
        wicketgate(folder.path(), &["learn", "capture.jsonl", "--observe", "--headroom", "3"])
    };
    assert!(code == 0 && said.contains("mode: observe"), "{said}");
    // One message that the format does not read among many: the policy is written, and the exit code says that not all passes.
    let good = "{\"text\":\"{\\\"type\\\":\\\"a\\\"}\"}\n".repeat(20);
    let (code, said, told) = learn(&format!("{good}{{\"text\":\"{{\"}}\n"));
    assert!(code == 1 && told.contains("1 message could not be read (malformed)"), "{told}");
    assert!(said.contains("NOT LEARNED: 1 messages") && said.contains("policies:"), "{said}");
}
