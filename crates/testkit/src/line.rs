//! A machine at the end of a long line: what goes over it arrives later, and no faster than the line carries.
//!
//! Two TUN devices and a queue in user space for each direction. Needs root, and `ip` of Debian's iproute2.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

use crate::netns::Namespace;

/// Lines that this process has made.
static MADE: AtomicU32 = AtomicU32::new(0);
/// The longest packet, in bytes.
const PACKET: usize = 1500;

/// What a line carries, each way.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// There and back, with nothing else on it.
    pub round_trip: Duration,
    /// Bits a second.
    pub rate: u64,
    /// How long a packet may wait to be sent; what would wait longer is lost.
    pub queue: Duration,
}

/// A line, and the machine at its far end. Dropping it takes both away.
#[derive(Debug)]
pub struct Line {
    far: Namespace,
    near_addr: Ipv4Addr,
    stop: Option<oneshot::Sender<()>>,
    carrying: Option<JoinHandle<io::Result<()>>>,
}

impl Line {
    /// Makes a line with addresses of 198.18.0.0/15, which is for tests (RFC 2544).
    pub fn new(quality: Quality) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "a line is made by root alone: run this as root");
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("wgl{}-{made}", std::process::id());
        let number = u8::try_from((std::process::id() + 97 * made) % 250).context("no number")?;
        let (near_addr, far_addr) = (Ipv4Addr::new(198, 19, number, 1), Ipv4Addr::new(198, 19, number, 2));
        let far = Namespace::new(name.clone())?;
        far.up("lo")?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let device = |own, other| {
            let _entered = runtime.enter();
            device(&name, own, other).map_err(io::Error::other)
        };
        let near = device(near_addr, far_addr)?;
        let distant = far.there(|| device(far_addr, near_addr))?;
        let (stop, stopped) = oneshot::channel();
        let carrying = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    carried = carry(&near, &distant, quality) => carried,
                    carried = carry(&distant, &near, quality) => carried,
                    _ = stopped => Ok(()),
                }
            })
        });
        Ok(Self { far, near_addr, stop: Some(stop), carrying: Some(carrying) })
    }

    /// This machine's address on it.
    pub fn near_addr(&self) -> Ipv4Addr {
        self.near_addr
    }

    /// The command that runs this one on the far machine.
    pub fn command(&self, command: &Command) -> Command {
        self.far.command(command)
    }

    /// Connects from the far machine; the socket stays there.
    pub fn connect(&self, addr: SocketAddr) -> Result<TcpStream> {
        self.far.there(move || TcpStream::connect(addr))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(carrying) = self.carrying.take() {
            let _ = carrying.join();
        }
    }
}

fn device(name: &str, own: Ipv4Addr, other: Ipv4Addr) -> tokio_tun::Result<Tun> {
    let made = Tun::builder()
        .name(name)
        .mtu(PACKET as i32)
        .address(own)
        .destination(other)
        .netmask(Ipv4Addr::new(255, 255, 255, 252))
        .up()
        .build()?;
    made.into_iter().next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
}

/// Carries packets one way.
async fn carry(from: &Tun, to: &Tun, quality: Quality) -> io::Result<()> {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut packet = [0; PACKET];
    let mut free_at = Instant::now();
    loop {
        let first = under_way.front().map(|(due, _)| *due);
        let due = async {
            match first {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = from.recv(&mut packet) => {
                let (length, now) = (read?, Instant::now());
                free_at = free_at.max(now);
                if free_at - now <= quality.queue {
                    free_at += Duration::from_secs_f64(8.0 * length as f64 / quality.rate as f64);
                    under_way.push_back((free_at + quality.round_trip / 2, packet[..length].to_vec()));
                }
            }
            () = due => {
                let now = Instant::now();
                while let Some((_, packet)) = under_way.pop_front_if(|(due, _)| *due <= now) {
                    to.send(&packet).await?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_goes_over_a_line_is_late_and_whole() {
        let quality = Quality {
            round_trip: Duration::from_millis(60),
            rate: 50_000_000,
            queue: Duration::from_millis(50),
        };
        let line = Line::new(quality).unwrap();
        let listener = TcpListener::bind((line.near_addr(), 0)).unwrap();
        let start = Instant::now();
        let mut far = line.connect(listener.local_addr().unwrap()).unwrap();
        assert!(start.elapsed() >= quality.round_trip);
        let (mut near, _) = listener.accept().unwrap();
        let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        let start = Instant::now();
        let sends = thread::spawn(move || {
            near.write_all(&sent).unwrap();
            sent
        });
        let mut came = Vec::new();
        far.read_to_end(&mut came).unwrap();
        let least = Duration::from_secs_f64(8.0 * came.len() as f64 / quality.rate as f64);
        assert!(start.elapsed() >= least, "{:?} for {} bytes", start.elapsed(), came.len());
        assert!(came == sends.join().unwrap());
    }
}
