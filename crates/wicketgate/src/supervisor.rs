//! What the service manager is told of this process: datagrams of `sd_notify(3)`, to the socket that the environment names.

use std::convert::Infallible;
use std::env;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, interval};

/// The service manager, where there is one that wants to be told.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    told: Option<Told>,
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Told {
    socket: UnixDatagram,
    to: SocketAddr,
}

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// This process serves.
    Ready,
    /// It reads its configuration anew; `Ready` follows, whatever comes of that.
    Reloading,
    /// It ends.
    Stopping,
    /// How it is, in one line.
    Status(&'a str),
    /// It is alive.
    Alive,
}

impl Supervisor {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say. A socket that cannot be used is nobody's: the service manager
    /// ends whoever does not report.
    pub(crate) fn of_environment() -> Self {
        let told = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            let told = address(name.as_bytes()).and_then(|to| {
                let socket = UnixDatagram::unbound()?;
                // A manager that does not keep up must not stop us.
                socket.set_nonblocking(true)?;
                Ok(Told { socket, to })
            });
            told.inspect_err(|error| tracing::warn!("NOTIFY_SOCKET cannot be used: {error}")).ok()
        });
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_meant && *micros > 0);
        Self { told, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Tells it.
    pub(crate) fn tell(&self, word: Word<'_>) {
        if let Some(Told { socket, to }) = &self.told
            && let Err(error) = socket.send_to_addr(word.text().as_bytes(), to)
        {
            tracing::debug!("the service manager was not told: {error}");
        }
    }

    /// Tells it twice in each of its intervals that this process is alive, as long as `alive` answers; for ever.
    pub(crate) async fn keep_alive(&self, alive: impl AsyncFn()) -> Infallible {
        let (Some(_), Some(limit)) = (&self.told, self.watchdog) else { return std::future::pending().await };
        let mut turn = interval((limit / 2).max(Duration::from_millis(1)));
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            alive().await;
            self.tell(Word::Alive);
        }
    }
}

impl Word<'_> {
    fn text(self) -> String {
        match self {
            // It may have taken over from the one that was started.
            Self::Ready => format!("READY=1\nMAINPID={}", std::process::id()),
            Self::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}")
            }
            Self::Stopping => "STOPPING=1".into(),
            // Its words are lines, and a line more would be one of them.
            Self::Status(text) => {
                let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                format!("STATUS={line}")
            }
            Self::Alive => "WATCHDOG=1".into(),
        }
    }
}

/// A path, or a name of Linux' abstract space after `@`.
fn address(name: &[u8]) -> io::Result<SocketAddr> {
    if let Some(name) = name.strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
        #[cfg(not(target_os = "linux"))]
        return Err(io::Error::new(io::ErrorKind::Unsupported, String::from_utf8_lossy(name)));
    }
    SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(Word::Status("no gateway: a\nREADY=1").text(), "STATUS=no gateway: a READY=1");
        assert!(Word::Reloading.text().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    }
}
