//! What a service manager is told, and the units for systemd.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio::time::timeout;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready, Signal};
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient};

use crate::relay::Site;

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service manager's ear.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _dir: Dir,
}

impl Manager {
    fn new() -> Self {
        let dir = Dir::new().unwrap();
        let path = dir.join("notify.sock");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path, _dir: dir }
    }

    async fn hears(&self) -> String {
        let mut datagram = [0; 4096];
        let length = timeout(PATIENCE, self.socket.recv(&mut datagram)).await.unwrap().unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    }

    /// Waits for this word; gives what was said before it, but for signs of life.
    async fn waits_for(&self, word: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.hears().await {
                said if said.starts_with(word) => return before,
                said if said == "WATCHDOG=1" => {}
                said => before.push(said),
            }
        }
    }

    /// What has been said until now.
    fn heard(&self) -> Vec<String> {
        let (mut heard, mut datagram) = (Vec::new(), [0; 4096]);
        while let Ok(length) = self.socket.try_recv(&mut datagram) {
            heard.push(String::from_utf8(datagram[..length].to_vec()).unwrap());
        }
        heard
    }
}

fn config(port: &Port) -> String {
    let addr = port.addr();
    format!(
        "listeners: [{{name: web, bind: {addr}}}]
routes: [{{name: all, respond: {{status: 200, body: here}}}}]
drain: {{timeout: 1s}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_when_it_serves_reloads_and_stops() {
    let (manager, port) = (Manager::new(), Port::free().unwrap());
    let config = config(&port);
    let gateway = Gateway::start_with(BINARY, &config, Ready::Started, |command| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    });
    let gateway = gateway.await.unwrap();
    assert_eq!(manager.waits_for("READY=1").await, Vec::<String>::new());
    // It does serve.
    TcpStream::connect(port.addr()).await.unwrap();
    manager.waits_for("WATCHDOG=1").await;
    gateway.process().signal(Signal::HUP).unwrap();
    manager.waits_for("RELOADING=1\nMONOTONIC_USEC=").await;
    assert_eq!(manager.waits_for("READY=1").await, Vec::<String>::new());
    // One that is not followed leaves it serving as before.
    gateway.write_config("nothing: right\n").unwrap();
    gateway.process().signal(Signal::HUP).unwrap();
    manager.waits_for("RELOADING=1").await;
    manager.waits_for("READY=1").await;
    TcpStream::connect(port.addr()).await.unwrap();
    gateway.process().signal(Signal::TERM).unwrap();
    manager.waits_for("STOPPING=1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_serve_never_says_that_it_does() {
    let (manager, port, dir) = (Manager::new(), Port::free().unwrap(), Dir::new().unwrap());
    let _taken = std::net::TcpListener::bind(port.addr());
    for config in [config(&port), "listeners: []\n".to_owned()] {
        let path = dir.write("wicketgate.yaml", config).unwrap();
        let mut command = Command::new(BINARY);
        command.args(["run", "--config"]).arg(path).env("NOTIFY_SOCKET", &manager.path);
        let process = Process::spawn(command, Ready::Started).await.unwrap();
        let (status, said) = process.finish(PATIENCE).await.unwrap();
        assert!(!status.success(), "{said}");
    }
    assert_eq!(manager.heard(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_gateway_takes_over_and_says_that_it_is_the_one() {
    let (manager, port, dir) = (Manager::new(), Port::free().unwrap(), Dir::new().unwrap());
    let backend = EchoBackend::start().await.unwrap();
    // The program by a name behind which an upgrade puts another.
    let program = dir.join("wicketgate");
    symlink(BINARY, &program).unwrap();
    let config = format!(
        "listeners: [{{name: web, bind: {}}}]
upstreams: [{{name: echo, targets: ['ws://{}']}}]
routes: [{{name: all, upstream: echo}}]
runtime: {{handover: {}}}
drain: {{timeout: 20s}}
",
        port.addr(),
        backend.addr().unwrap(),
        dir.join("handover").display(),
    );
    let gateway = Gateway::start_with(program.to_str().unwrap(), &config, Ready::Started, |command| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    });
    let gateway = gateway.await.unwrap();
    manager.waits_for(&format!("READY=1\nMAINPID={}", gateway.process().id())).await;
    let endpoint = Endpoint::plain(port.addr());
    let mut session = RawClient::open(&endpoint, "/").await.unwrap();
    session.echoes("before").await.unwrap();
    // What cannot serve leaves it serving as before.
    let good = fs::read_to_string(gateway.config()).unwrap();
    gateway.write_config("nothing: right\n").unwrap();
    gateway.process().signal(Signal::USR2).unwrap();
    gateway.process().line("that was to take over has ended", PATIENCE).await.unwrap();
    session.echoes("still").await.unwrap();
    gateway.write_config(&good).unwrap();
    gateway.process().signal(Signal::USR2).unwrap();
    let own = format!("READY=1\nMAINPID={}", gateway.process().id());
    loop {
        match manager.hears().await {
            said if said == own => {}
            said if said.starts_with("READY=1\nMAINPID=") => break,
            _ => {}
        }
    }
    gateway.process().line("a new process serves now", PATIENCE).await.unwrap();
    let told =
        format!("STATUS=the process before this one, {}, is draining: 1 sessions, ", gateway.process().id());
    manager.waits_for(&told).await;
    // Who is there goes on, and who comes is served by the other.
    session.echoes("after").await.unwrap();
    let mut next = RawClient::open(&endpoint, "/").await.unwrap();
    next.echoes("the next").await.unwrap();
    gateway.process().line("draining, ", PATIENCE).await.unwrap();
    gateway.process().signal(Signal::KILL).unwrap();
    // It is of the same process group, and ends with it.
    next.echoes("the other's").await.unwrap();
}

/// The gateway behind `systemd-socket-activate`, which listens, and starts it when the first client comes.
async fn activated(dir: &Dir, bind: &str, arguments: &[&str]) -> Process {
    let config = format!(
        "listeners: [{{name: web, bind: [{bind}]}}]
routes: [{{name: all, respond: {{status: 200, body: here}}}}]
drain: {{timeout: 1s}}
"
    );
    let config = dir.write("wicketgate.yaml", config).unwrap();
    let mut command = Command::new("systemd-socket-activate");
    command.args(arguments).args([BINARY, "run", "--config"]).arg(config);
    Process::spawn(command, Ready::Line("Listening on".into())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_serves_at_the_sockets_that_a_manager_passes() {
    let (dir, port) = (Dir::new().unwrap(), Port::free().unwrap());
    let path = dir.join("w.sock");
    let (tcp, unix) = (port.addr().to_string(), path.display().to_string());
    let process =
        activated(&dir, &format!("'{tcp}', 'unix:{unix}'"), &["--listen", &tcp, "--listen", &unix]).await;
    // Who comes before there is a gateway waits for it.
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for endpoint in [Endpoint::plain(port.addr()), Endpoint::plain(path.clone())] {
        let mut client = RawClient::connect(&endpoint).await.unwrap();
        client.send(get).await.unwrap();
        assert_eq!(client.response().await.unwrap().1, b"here");
    }
    process.signal(Signal::TERM).unwrap();
    let (status, said) = process.finish(PATIENCE).await.unwrap();
    assert!(status.success(), "{said}");
    assert!(path.exists(), "whoever made the socket removes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_are_not_what_is_configured_are_refused() {
    let (bound, passed) = (Port::free().unwrap(), Port::free().unwrap());
    let (bind, listen) = (format!("'{}'", bound.addr()), passed.addr().to_string());
    let dir = Dir::new().unwrap();
    let process = activated(&dir, &bind, &["--listen", &listen]).await;
    TcpStream::connect(&listen).await.unwrap();
    let (status, said) = process.finish(PATIENCE).await.unwrap();
    let told = format!("the service manager listens at {listen}, and no listener does");
    assert!(!status.success() && said.contains(&told), "{said}");
    let process = activated(&dir, &bind, &["--datagram", "--listen", &listen]).await;
    UdpSocket::bind("127.0.0.1:0").await.unwrap().send_to(b"here", &listen).await.unwrap();
    let (status, said) = process.finish(PATIENCE).await.unwrap();
    assert!(!status.success() && said.contains("a socket that takes no connections"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_ready_once_it_runs_and_says_whether_a_gateway_is_there() {
    let (manager, site) = (Manager::new(), Site::new());
    let way = site.plain(site.gateway.addr());
    let agent = site.agent_as(&way, "services: {ssh: 127.0.0.1:22}", "no gateway", |command| {
        command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    });
    let agent = agent.await;
    // There is no gateway, and boot does not wait for one.
    assert_eq!(manager.waits_for("READY=1").await, Vec::<String>::new());
    assert_eq!(manager.waits_for("STATUS=no gateway yet").await, Vec::<String>::new());
    manager.waits_for("STATUS=no gateway: ").await;
    manager.waits_for("WATCHDOG=1").await;
    let gateway = site.start().await;
    let before = manager.waits_for("STATUS=connected to front").await;
    assert!(before.iter().all(|said| said.starts_with("STATUS=no gateway: ")), "{before:?}");
    drop(gateway);
    manager.waits_for("STATUS=no gateway: ").await;
    agent.signal(Signal::TERM).unwrap();
    manager.waits_for("STOPPING=1").await;
}

#[test]
fn the_socket_unit_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let dir = Dir::new().unwrap();
    let service = fs::read_to_string(root.join("wicketgate.service")).unwrap();
    dir.write("wicketgate.service", service.replace("/usr/bin/wicketgate ", &format!("{BINARY} "))).unwrap();
    let unit = fs::read(root.join("wicketgate-listen.socket")).unwrap();
    let path = dir.write("wicketgate-listen.socket", unit).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("wicketgate-listen.socket"), "{said}");
}

#[test]
fn the_units_are_right_and_leave_little_open() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let dir = Dir::new().unwrap();
    for name in ["wicketgate.service", "wicketgate-agent.service"] {
        let unit = fs::read_to_string(root.join(name)).unwrap();
        // The program as it is here.
        let unit = unit.replace("/usr/bin/wicketgate ", &format!("{BINARY} "));
        assert!(unit.contains(BINARY));
        // A unit that boot wants must not hold it up.
        assert!(!unit.contains("infinity"), "{unit}");
        let path = dir.write(name, unit).unwrap();
        let analyze = |arguments: &[&str]| {
            let output = Command::new("systemd-analyze").args(arguments).arg(&path).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&said).into_owned())
        };
        let (is_right, said) = analyze(&["verify"]);
        assert!(is_right && !said.contains(name), "{said}");
        let (is_tight, said) = analyze(&["security", "--offline=true", "--threshold=20"]);
        assert!(is_tight, "{said}");
    }
}
