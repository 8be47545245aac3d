//! A site of private sessions: its authority, its gateway, an agent and clients, all by the built program.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::tls::{Authority, Identity};

pub(super) struct Site {
    dir: Dir,
    program: PathBuf,
    /// Whoever ends TLS shows this.
    pub(super) authority: Authority,
    pub(super) identity: Identity,
}

/// A gateway of the site with two listeners, one of them with TLS.
pub(super) struct Relay {
    pub(super) gateway: Gateway,
    pub(super) plain: Port,
    pub(super) secure: Port,
}

/// A way to the gateway.
pub(super) enum Way {
    Plain(SocketAddr),
    Secure(SocketAddr, Kind),
    /// By carrier `tls`, at an address that no certificate of whoever ends TLS is for.
    Far(SocketAddr),
}

/// The kind of carrier that is forced.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Tls,
    WebSocket,
}

impl Site {
    pub(super) fn new(program: PathBuf) -> Result<Self> {
        let authority = Authority::new()?;
        let identity = authority.localhost()?;
        let site = Self { dir: Dir::new()?, program, authority, identity };
        site.ca(&["init", "bench.example"])?;
        for (role, name) in [("gateway", "front"), ("agent", "office"), ("client", "alice")] {
            site.ca(&["issue", role, name])?;
        }
        Ok(site)
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    fn ca(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        let output = command.arg("ca").args(arguments).current_dir(self.dir.path()).output();
        let output = output.with_context(|| format!("cannot run {}", self.program.display()))?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    pub(super) async fn relay(&self) -> Result<Relay> {
        self.relay_at(Ipv4Addr::LOCALHOST).await
    }

    /// A gateway that listens on this address.
    pub(super) async fn relay_at(&self, addr: Ipv4Addr) -> Result<Relay> {
        let (plain, secure) = (Port::free_on(addr.into())?, Port::free_on(addr.into())?);
        let Identity { certificate_file, key_file, .. } = &self.identity;
        let config = format!(
            "listeners:
  - {{name: plain, bind: {plain}}}
  - {{name: secure, bind: {secure}, tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}
routes: [{{name: private, match: {{path: /relay}}, relay: on}}]
relay:
  authority: {folder}/authority.pem
  certificate: {folder}/certificate.pem
  key: {folder}/key.pem
  access: [{{clients: alice, agents: office, services: bench}}]
  max_sessions_per_client: 10000
  max_sessions_per_agent: 10000
runtime: {{threads: 2}}
log: {{access: off, audit: off, level: warn}}
",
            plain = plain.addr(),
            secure = secure.addr(),
            cert = certificate_file.display(),
            key = key_file.display(),
            folder = self.dir.join("front").display(),
        );
        let ready = Ready::Ports(vec![plain.addr(), secure.addr()]);
        let gateway = Gateway::start(&self.program, &config, ready).await?;
        Ok(Relay { gateway, plain, secure })
    }

    /// Writes the configuration of an agent, and gives its path.
    pub(super) fn agent_file(&self, way: &Way, service: SocketAddr) -> Result<PathBuf> {
        self.file("office", way, &format!("services: {{bench: {service}}}\nmax_sessions: 10000\n"))
    }

    /// Writes the configuration of a client, and gives its path.
    pub(super) fn client_file(&self, way: &Way) -> Result<PathBuf> {
        self.file("alice", way, "")
    }

    fn file(&self, name: &str, way: &Way, more: &str) -> Result<PathBuf> {
        let gateway = match way {
            Way::Plain(addr) => format!("{{url: http://{addr}/relay}}"),
            Way::Far(addr) => format!("{{url: https://{addr}/relay, carriers: tls}}"),
            Way::Secure(addr, kind) => format!(
                "{{url: https://localhost:{}/relay, https: {{ca: {}}}, carriers: {}}}",
                addr.port(),
                self.authority.ca_file().display(),
                match kind {
                    Kind::Tls => "tls",
                    Kind::WebSocket => "websocket",
                }
            ),
        };
        let identity = self.dir.join(name);
        let text = format!("gateway: {gateway}\nidentity: {}\n{more}", identity.display());
        self.dir.write(format!("{name}.yaml"), text)
    }

    pub(super) async fn agent(&self, way: &Way, service: SocketAddr) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg("agent").arg("--config").arg(self.agent_file(way, service)?);
        Process::spawn(command, Ready::Line("connected".into())).await
    }

    /// Starts a client, and gives the address that leads to the service.
    pub(super) async fn client(&self, way: &Way, listen: &Port) -> Result<Process> {
        self.client_by(way, listen, |command| command).await
    }

    /// The same by a command that is made of its own.
    pub(super) async fn client_by(
        &self,
        way: &Way,
        listen: &Port,
        by: impl FnOnce(Command) -> Command,
    ) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.args(["connect", "office", "bench", "--listen", &listen.addr().to_string(), "--config"]);
        command.arg(self.client_file(way)?);
        Process::spawn(by(command), Ready::Line("leads to".into())).await
    }
}
