//! Private sessions: an authority, a gateway, agents and clients as programs of their own.

mod bounds;
mod choice;
mod datagrams;
mod doctor;
mod drain;
mod faults;
mod join;
mod matrix;
mod operation;
mod patterns;
mod privacy;
mod proxy;
mod refusals;
mod resume;
mod revocation;
mod service;
mod ssh;
mod times;
mod walls;
mod wire;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};

const BINARY: &str = env!("CARGO_BIN_EXE_wicketgate");
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A site: its authority, and a folder for each of its parties.
pub(crate) struct Site {
    dir: Dir,
    /// Where the gateway listens, plain.
    pub(crate) gateway: Port,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { dir: Dir::new().unwrap(), gateway: Port::free().unwrap() };
        site.ca(&["init", "site.example"]);
        for (role, name) in [("gateway", "front"), ("agent", "office"), ("client", "alice")] {
            site.issue(role, name);
        }
        let secret = site.dir.write("ticket-secret", "0123456789abcdef0123456789abcdef").unwrap();
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        site
    }

    fn ca(&self, arguments: &[&str]) -> String {
        let output =
            Command::new(BINARY).arg("ca").args(arguments).current_dir(self.dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    fn issue(&self, role: &str, name: &str) -> String {
        self.ca(&["issue", role, name])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The gateway's configuration; `relay` holds more keys of its section.
    fn config(&self, relay: &str) -> String {
        format!(
            "listeners: [{{name: plain, bind: {gateway}}}]
routes: [{{name: private, match: {{path: /relay}}, relay: on}}, {{name: rest, respond: {{status: 200, body: rest}}}}]
{section}log: {{level: debug}}
drain: {{timeout: 1s}}
admin: {{bind: 'unix:{admin}'}}
",
            gateway = self.gateway.addr(),
            admin = self.path("admin.sock").display(),
            section = self.section(relay),
        )
    }

    /// The section `relay` of a gateway's configuration, with more keys.
    pub(crate) fn section(&self, more: &str) -> String {
        let folder = self.path("front");
        let folder = folder.display();
        format!(
            "relay:
  authority: {folder}/authority.pem
  certificate: {folder}/certificate.pem
  key: {folder}/key.pem
  ticket_secret: {{file: {secret}}}
  {more}
",
            secret = self.path("ticket-secret").display(),
        )
    }

    pub(crate) async fn start(&self) -> Gateway {
        self.start_with("access: [{clients: alice, agents: office, services: [echo, absent, hidden]}]").await
    }

    async fn start_with(&self, relay: &str) -> Gateway {
        Gateway::start(BINARY, &self.config(relay), Ready::port(self.gateway.addr())).await.unwrap()
    }

    /// What `gateway:` says of a way to the gateway without TLS.
    pub(crate) fn plain(&self, addr: SocketAddr) -> String {
        format!("{{url: http://{addr}/relay}}")
    }

    /// Starts the agent `office` by this way to the gateway; `echo` is where its service is.
    pub(crate) async fn agent(&self, gateway: &str, echo: SocketAddr) -> Process {
        self.agent_with(gateway, &format!("services: {{echo: {echo}, hidden: {echo}}}")).await
    }

    async fn agent_with(&self, gateway: &str, more: &str) -> Process {
        self.agent_as(gateway, more, "connected", |_| {}).await
    }

    /// Starts an agent, with more arguments or environment variables, and waits for this line of its log.
    pub(crate) async fn agent_as(
        &self,
        gateway: &str,
        more: &str,
        line: &str,
        adjust: impl FnOnce(&mut Command),
    ) -> Process {
        let identity = self.path("office");
        let config = format!("gateway: {gateway}\nidentity: {}\n{more}\n", identity.display());
        let config = self.dir.write("agent.yaml", config).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("agent").arg("--config").arg(config).env("RUST_LOG", "wicketgate_relay=debug");
        adjust(&mut command);
        Process::spawn(command, Ready::Line(line.into())).await.unwrap()
    }

    /// The command by which a client reaches a service.
    fn connect(&self, client: &str, gateway: &str, agent: &str, service: &str) -> Command {
        let identity = self.path(client);
        let config = format!("gateway: {gateway}\nidentity: {}\n", identity.display());
        let config = self.dir.write(format!("{client}.yaml"), config).unwrap();
        let mut command = Command::new(BINARY);
        command
            .args(["connect", agent, service, "--config"])
            .arg(config)
            .env("RUST_LOG", "wicketgate_relay=debug");
        command
    }

    /// Starts a client that listens, and gives the address that leads to the service.
    pub(crate) async fn client(&self, gateway: &str, service: &str) -> (Process, SocketAddr) {
        let mut command = self.connect("alice", gateway, "office", service);
        command.args(["--listen", "127.0.0.1:0"]);
        let process = Process::spawn(command, Ready::Line("leads to".into())).await.unwrap();
        let line = process.line("leads to", PATIENCE).await.unwrap();
        let address = line.split_whitespace().find_map(|word| word.parse().ok());
        (process, address.unwrap_or_else(|| panic!("no address in {line}")))
    }

    /// Whether a client reaches a service: bytes go there and come back.
    async fn reaches(&self, client: &str, gateway: &str, service: &str) -> bool {
        let mut command = self.connect(client, gateway, "office", service);
        command.args(["--listen", "127.0.0.1:0"]);
        let Ok(process) = Process::spawn(command, Ready::Line("leads to".into())).await else { return false };
        let line = process.line("leads to", PATIENCE).await.unwrap();
        let address = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
        let echoed = timeout(PATIENCE, tokio::spawn(echoes(address, 1000, 1))).await;
        echoed.is_ok_and(|echoed| echoed.is_ok())
    }

    /// Runs a client that is to fail, and gives what it says.
    fn refused(&self, client: &str, agent: &str, service: &str) -> String {
        let gateway = self.plain(self.gateway.addr());
        let mut command = self.connect(client, &gateway, agent, service);
        let output = command.args(["--listen", "127.0.0.1:0"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A service that sends back what comes.
pub(crate) async fn echo() -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = socket.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    };
    (addr, AbortOnDropHandle::new(tokio::spawn(serve)))
}

/// Bytes that are not alike anywhere.
fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(length).collect()
}

/// Sends bytes to a service that echoes, and sees that they come back: each of them, once, and no other.
async fn echoes(service: SocketAddr, length: usize, seed: u64) {
    let stream = TcpStream::connect(service).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent = pattern(length, seed);
    let want = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = Vec::with_capacity(length);
    read.read_to_end(&mut back).await.unwrap();
    writer.await.unwrap();
    assert!(back == want, "{} bytes came back of {length}, or others", back.len());
}

/// Lets the second half go.
type SecondHalf = oneshot::Sender<()>;

/// Sends bytes to a service that echoes, and sees that they come back, though `breaks` breaks the way when a quarter is back. It
/// lets the second half go when the way is broken, so that it all has to come over the next one.
async fn echoes_across<T, F>(service: SocketAddr, length: usize, breaks: impl FnOnce(SecondHalf) -> F) -> T
where
    F: Future<Output = T>,
{
    let (mut read, mut write) = TcpStream::connect(service).await.unwrap().into_split();
    let sent = pattern(length, length as u64);
    let want = sent.clone();
    let (broken, breaking) = oneshot::channel();
    let writer = tokio::spawn(async move {
        let (before, after) = sent.split_at(length / 2);
        write.write_all(before).await.unwrap();
        breaking.await.unwrap();
        write.write_all(after).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = vec![0; length / 4];
    read.read_exact(&mut back).await.unwrap();
    let broke = breaks(broken).await;
    read.read_to_end(&mut back).await.unwrap();
    writer.await.unwrap();
    assert!(back == want, "{} bytes came back of {length}, or others", back.len());
    broke
}
