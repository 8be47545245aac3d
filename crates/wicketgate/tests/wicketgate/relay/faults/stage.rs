//! All parties of a run: gateway, nginx in front, agent and clients on machines of their own, each with a line that can go bad.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::netns::{Host, Lan};
use wicketgate_testkit::peers::{Hop, Intermediary, Proxy, Upstream};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::tls::{Authority, Identity};

use super::super::{BINARY, Site};
use super::line::{Fate, Line};
use super::services::{Expected, Service};
use super::traffic::Traffic;

/// Sessions in every run.
pub(super) const SESSIONS: usize = 20;
/// How long a session may take to be carried again: its keepalive, two waits of the longest, and a slow machine.
pub(super) const RECOVERY: Duration = Duration::from_secs(180);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A party whose clock is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    Gateway,
    Agent,
    Clients,
}

/// What a party is started with besides.
pub(super) type Environment = fn(&Site, Party) -> Vec<(String, String)>;

/// A client: the process of one session.
pub(super) struct Client {
    pub(super) traffic: Traffic,
    pub(super) process: Process,
    pub(super) addr: SocketAddr,
}

pub(super) struct Stage {
    pub(super) clients: Vec<Client>,
    pub(super) agent: Option<Process>,
    pub(super) gateway: Option<Gateway>,
    pub(super) nginx: Option<Proxy>,
    _sshd: Process,
    services: Vec<Service>,
    pub(super) expected: Expected,
    /// What comes from the clients.
    pub(super) near: Line,
    /// What comes from the agent.
    pub(super) far: Line,
    pub(super) site: Site,
    /// The gateway's listener with TLS, where nothing in front ends it.
    pub(super) public: Port,
    pub(super) identity: Identity,
    authority: Authority,
    environment: Environment,
    pub(super) clients_host: Host,
    pub(super) agent_host: Host,
    _lan: Lan,
}

impl Stage {
    pub(super) async fn start(environment: Environment) -> Result<Self> {
        let lan = Lan::new()?;
        let (clients_host, agent_host) = (lan.host(2)?, lan.host(3)?);
        let (site, public) = (Site::new(), Port::free()?);
        let authority = Authority::new()?;
        let identity = authority.issue(&["localhost", "127.0.0.1", &lan.addr().to_string()])?;
        let expected = Expected::default();
        let nobody = SocketAddr::new(LOOPBACK, 1);
        let (near, far) =
            (Line::start(lan.addr().into(), nobody).await, Line::start(lan.addr().into(), nobody).await);
        let sshd = sshd(&site, &agent_host).await?;
        let mut services = Vec::new();
        for traffic in [Traffic::Http, Traffic::Raw, Traffic::Rdp] {
            services.push(Service::start(traffic, agent_host.listen(LOOPBACK)?, &expected));
        }
        let mut stage = Self {
            clients: Vec::new(),
            agent: None,
            gateway: None,
            nginx: None,
            _sshd: sshd,
            services,
            expected,
            near,
            far,
            site,
            public,
            identity,
            authority,
            environment,
            clients_host,
            agent_host,
            _lan: lan,
        };
        stage.start_gateway("").await?;
        stage.nginx = Some(Intermediary::Nginx.start(&stage.nginx_hop()).await?);
        stage.lead_to(stage.nginx.as_ref().context("no nginx")?.addr());
        stage.start_agent().await?;
        stage.start_clients().await?;
        Ok(stage)
    }

    /// nginx that ends TLS. After a reload it closes what it still carries within a second.
    fn nginx_hop(&self) -> Hop {
        let shutdown = "daemon off; worker_shutdown_timeout 1s;";
        self.hop().edit("daemon off;", shutdown)
    }

    /// Something that ends TLS in front of the gateway.
    pub(super) fn hop(&self) -> Hop {
        Hop::to(Upstream::new(self.site.gateway.addr())).tls(&self.identity)
    }

    /// Where new connections of all endpoints go.
    pub(super) fn lead_to(&self, addr: SocketAddr) {
        self.near.lead_to(addr);
        self.far.lead_to(addr);
    }

    /// What becomes of the connections of all endpoints.
    pub(super) fn befall(&self, fate: Fate) {
        self.near.befall(fate);
        self.far.befall(fate);
    }

    /// The gateway's configuration, with `more` sections.
    pub(super) fn config(&self, more: &str) -> String {
        let tls = format!(
            "listeners: [{{name: public, bind: {}, tls: {{certificates: [{{cert: {}, key: {}}}]}}}}, {{",
            self.public.addr(),
            self.identity.certificate_file.display(),
            self.identity.key_file.display()
        );
        let services = Traffic::ALL.map(Traffic::name).join(", ");
        let config = self
            .site
            .config(&format!("access: [{{clients: alice, agents: office, services: [{services}]}}]"));
        let config = config.replace("listeners: [{", &tls).replace("log: {level: debug}\n", "");
        format!("{config}{more}")
    }

    pub(super) async fn start_gateway(&mut self, more: &str) -> Result<()> {
        let environment = (self.environment)(&self.site, Party::Gateway);
        let ready = Ready::Ports(vec![self.site.gateway.addr(), self.public.addr()]);
        let config = self.config(more);
        let gateway = Gateway::start_with(BINARY, &config, ready, |command| {
            command.envs(environment);
        });
        self.gateway = Some(gateway.await?);
        Ok(())
    }

    fn way(&self, line: &Line) -> String {
        let ca = self.authority.ca_file();
        format!("{{url: https://{}/relay, https: {{ca: {}}}, retry_tls: 3s}}", line.addr(), ca.display())
    }

    pub(super) async fn start_agent(&mut self) -> Result<()> {
        let served = self.services.iter().zip([Traffic::Http, Traffic::Raw, Traffic::Rdp]);
        let served = served.map(|(service, traffic)| format!("{}: {}, ", traffic.name(), service.addr));
        let config = format!(
            "gateway: {}\nidentity: {}\nservices: {{{}ssh: 127.0.0.1:22}}\n",
            self.way(&self.far),
            self.site.path("office").display(),
            served.collect::<String>()
        );
        let config = self.site.dir.write("agent.yaml", config)?;
        let mut command = Command::new(BINARY);
        command.arg("agent").arg("--config").arg(config);
        command.envs((self.environment)(&self.site, Party::Agent));
        let command = self.agent_host.command(&command);
        self.agent = Some(Process::spawn(command, Ready::Line("connected".into())).await?);
        Ok(())
    }

    async fn start_clients(&mut self) -> Result<()> {
        let mut starting = Vec::new();
        for number in 0..SESSIONS {
            let traffic = Traffic::ALL[number % Traffic::ALL.len()];
            let mut command = self.site.connect("alice", &self.way(&self.near), "office", traffic.name());
            command.args(["--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
            command.envs((self.environment)(&self.site, Party::Clients));
            let command = self.clients_host.command(&command);
            starting.push((traffic, Process::spawn(command, Ready::Started).await?));
        }
        for (traffic, process) in starting {
            let line = process.line("leads to", RECOVERY).await?;
            let addr = line.split_whitespace().find_map(|word| word.parse().ok());
            self.clients.push(Client { traffic, process, addr: addr.context("no address")? });
        }
        Ok(())
    }

    /// How often clients have said this.
    pub(super) fn said(&self, text: &str) -> Vec<usize> {
        self.clients.iter().map(|client| client.process.lines_with(text)).collect()
    }

    /// Waits until each client has said this once more than it had.
    pub(super) async fn say(&self, text: &str, had: &[usize]) -> Result<()> {
        for (client, had) in self.clients.iter().zip(had) {
            client.process.more_lines(text, *had, RECOVERY).await?;
        }
        Ok(())
    }

    /// The command of ssh through a session.
    pub(super) fn ssh(&self, at: SocketAddr) -> tokio::process::Command {
        let mut command = Command::new("ssh");
        let known = format!("UserKnownHostsFile={}", self.site.path("known").display());
        command.args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o"]).arg(known);
        command
            .args(["-o", "HostKeyAlias=office", "-o", "ConnectTimeout=120", "-i"])
            .arg(self.site.path("key"));
        command.args(["-p", &at.port().to_string(), "127.0.0.1", "cat"]);
        self.clients_host.command(&command).into()
    }

    /// What some clients and the gateway have said last, for whoever has to find out.
    pub(super) fn tails(&self) -> String {
        let tail = |client: &Client| {
            let output = client.process.output();
            let lines: Vec<_> = output.lines().rev().take(6).collect();
            format!("{:?}: {}\n", client.traffic, lines.into_iter().rev().collect::<Vec<_>>().join("\n  "))
        };
        let gateway = self.gateway.as_ref().map(|gateway| gateway.process().output()).unwrap_or_default();
        let last: Vec<_> = gateway.lines().rev().take(20).collect();
        self.clients.iter().take(4).map(tail).chain([last.join("\n")]).collect()
    }
}

/// OpenSSH's server on the agent's machine, with keys of its own.
async fn sshd(site: &Site, host: &Host) -> Result<Process> {
    for name in ["host", "key"] {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(site.path(name));
        ensure!(command.status().context("no ssh-keygen")?.success(), "no key");
    }
    let key = fs::read_to_string(site.path("host.pub"))?;
    site.dir.write("known", format!("office {key}"))?;
    let dir = site.dir.path().display();
    let config = site.dir.write(
        "sshd.conf",
        format!(
            "ListenAddress 127.0.0.1:22\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/key.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 100\nPermitRootLogin yes\n"
        ),
    )?;
    fs::create_dir_all("/run/sshd")?;
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|program| Path::new(program).exists());
    let mut command = Command::new(program.context("no sshd: run `cargo xtask peers`")?);
    command.args(["-D", "-e", "-f"]).arg(config);
    Process::spawn(host.command(&command), Ready::Line("Server listening".into())).await
}
