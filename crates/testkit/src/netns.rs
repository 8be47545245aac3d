//! Machines of a test's own on one network: namespaces of Linux's, each with an address that can change and a cable that can go dead.
//!
//! Needs root, and `ip` and `bridge` of Debian's iproute2.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Networks that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A network that this machine is on too. Dropping it takes it away, with whatever is on it.
#[derive(Debug)]
pub struct Lan {
    space: Namespace,
    /// The third byte of its addresses.
    number: u8,
}

/// A namespace of Linux's: a machine's own network. Dropping it takes it away, with whatever is on it.
#[derive(Debug)]
pub(crate) struct Namespace(String);

/// A machine on a network. Dropping it takes it away.
#[derive(Debug)]
pub struct Host {
    space: Namespace,
    /// The namespace of the network.
    lan: String,
    /// The network's end of its cable.
    port: String,
    addr: Ipv4Addr,
}

impl Lan {
    /// Makes a network of 198.18.0.0/15, which is for tests (RFC 2544).
    pub fn new() -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "a network of its own is made by root alone: run this test as root"
        );
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let number = u8::try_from((std::process::id() + 97 * made) % 250).context("no number")?;
        let space = Namespace::new(format!("wg{}-{made}", std::process::id()))?;
        // From here on a failure takes away what there is.
        let lan = Self { space, number };
        let name = lan.name();
        run("ip", ["-n", name, "link", "add", "lan", "type", "bridge"])?;
        lan.space.up("lan")?;
        run("ip", ["link", "add", name, "type", "veth", "peer", "name", "up", "netns", name])?;
        lan.plug("up")?;
        run("ip", ["addr", "add", &format!("{}/24", lan.addr()), "dev", name])?;
        run("ip", ["link", "set", name, "up"])?;
        Ok(lan)
    }

    /// This machine's address on it.
    pub fn addr(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.number, 1)
    }

    fn name(&self) -> &str {
        &self.space.0
    }

    /// Makes a machine whose address has this last byte.
    pub fn host(&self, last: u8) -> Result<Host> {
        let space = Namespace::new(format!("{}-{last}", self.name()))?;
        let port = format!("port{last}");
        let addr = Ipv4Addr::new(198, 18, self.number, last);
        let host = Host { space, lan: self.name().to_owned(), port, addr };
        let Host { space: Namespace(name), port, .. } = &host;
        run(
            "ip",
            ["-n", self.name(), "link", "add", port, "type", "veth", "peer", "name", "net", "netns", name],
        )?;
        self.plug(port)?;
        run("ip", ["-n", name, "addr", "add", &format!("{addr}/24"), "dev", "net"])?;
        for device in ["lo", "net"] {
            host.space.up(device)?;
        }
        Ok(host)
    }

    fn plug(&self, port: &str) -> Result<()> {
        run("ip", ["-n", self.name(), "link", "set", "dev", port, "master", "lan", "up"])
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // The other end goes with the namespace, but later.
        let _ = run("ip", ["link", "del", self.name()]);
    }
}

impl Host {
    /// Its address.
    pub fn addr(&self) -> Ipv4Addr {
        self.addr
    }

    /// Gives it another address, with this last byte, in place of the one that it has: whatever had that one hears no more of
    /// the network, and is told nothing.
    pub fn move_to(&mut self, last: u8) -> Result<()> {
        let [a, b, c, _] = self.addr.octets();
        let to = Ipv4Addr::new(a, b, c, last);
        run("ip", ["-n", &self.space.0, "addr", "del", &format!("{}/24", self.addr), "dev", "net"])?;
        run("ip", ["-n", &self.space.0, "addr", "add", &format!("{to}/24"), "dev", "net"])?;
        self.addr = to;
        Ok(())
    }

    /// Whether its packets, and those to it, get anywhere. Its own end of the cable shows nothing of that.
    pub fn reach(&self, whether: bool) -> Result<()> {
        // States of a bridge's port: 0 disabled, 3 forwarding.
        let state = if whether { "3" } else { "0" };
        run("bridge", ["-n", &self.lan, "link", "set", "dev", &self.port, "state", state])
    }

    /// The command that runs this one on it.
    pub fn command(&self, command: &Command) -> Command {
        self.space.command(command)
    }

    /// Does this in a thread that is on it: sockets, threads and programs that it makes are there too.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.space.there(|| Ok(work()))
    }

    /// Connects from it; the socket stays there.
    pub fn connect(&self, addr: SocketAddr) -> Result<std::net::TcpStream> {
        self.space.there(move || std::net::TcpStream::connect(addr))
    }

    /// Listens on it, on a free port of this address; the socket stays there.
    pub fn listen(&self, ip: IpAddr) -> Result<std::net::TcpListener> {
        self.space.there(move || std::net::TcpListener::bind((ip, 0)))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = run("ip", ["-n", &self.lan, "link", "del", &self.port]);
    }
}

impl Namespace {
    pub(crate) fn new(name: String) -> Result<Self> {
        run("ip", ["netns", "add", &name])?;
        Ok(Self(name))
    }

    /// Puts a device of it in use.
    pub(crate) fn up(&self, device: &str) -> Result<()> {
        run("ip", ["-n", &self.0, "link", "set", device, "up"])
    }

    /// The command that runs this one in it.
    pub(crate) fn command(&self, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.0]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }

    /// What makes a socket or a device, in a thread that is there.
    pub(crate) fn there<T: Send>(&self, make: impl FnOnce() -> std::io::Result<T> + Send) -> Result<T> {
        let space = File::open(format!("/run/netns/{}", self.0))?;
        let made = thread::scope(|scope| {
            let made = scope.spawn(move || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
                make()
            });
            made.join()
        });
        Ok(made.map_err(|_| anyhow!("the thread has panicked"))??)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run("ip", ["netns", "del", &self.0]);
    }
}

fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = command.output().with_context(|| format!("{program} of iproute2 does not start"))?;
    let Output { status, stderr, .. } = output;
    ensure!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_machine_that_is_not_reached_is_told_nothing_and_one_that_is_gone_leaves_nothing() {
        let lan = Lan::new().unwrap();
        let mut host = lan.host(2).unwrap();
        let listener = std::net::TcpListener::bind((lan.addr(), 0)).unwrap();
        let mut near = host.connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), host.addr());
        near.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        host.reach(false).unwrap();
        far.write_all(b"late").unwrap();
        assert!(near.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        near.write_all(b"unheard").unwrap();
        host.reach(true).unwrap();
        near.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut late = [0; 4];
        near.read_exact(&mut late).unwrap();
        assert_eq!(&late, b"late");
        host.move_to(3).unwrap();
        let _near = host.connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), host.addr());
        let names = [lan.name().to_owned(), host.space.0.clone()];
        drop((host, lan));
        assert!(names.iter().all(|name| !std::path::Path::new("/run/netns").join(name).exists()));
    }
}
