//! A program started by a test: ready before it is used, ended with all its workers.

mod output;
mod usage;

use std::{
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
pub use rustix::process::Signal;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, kill_process_group, setrlimit};
use tokio::time::{sleep, timeout};

use output::Output;
pub use usage::Usage;

/// How long a program may take to become ready, unless said otherwise.
pub const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a program may take to end after SIGTERM before SIGKILL.
pub const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// Between two looks at what the kernel gives no notice of: a port, a file, an exit.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// Files and sockets this process and those it starts may open, raised to what the system allows at most.
///
/// Thousands of sessions need it; most systems start programs with 1,024.
pub fn raise_open_files() -> Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of open files")?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// The sign by which a program shows that it serves.
#[derive(Debug, Clone)]
pub enum Ready {
    /// All of these addresses accept a connection.
    Ports(Vec<SocketAddr>),
    /// A line on standard output or standard error contains this text.
    Line(String),
    /// This file or socket exists.
    File(PathBuf),
    /// It need not show anything.
    Started,
}

impl Ready {
    /// Ready once this address accepts a connection.
    pub fn port(addr: SocketAddr) -> Self {
        Self::Ports(vec![addr])
    }
}

/// A running program in a process group of its own. Dropping it ends the whole group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    output: Output,
    ended: bool,
}

impl Process {
    /// Starts `command` and waits until it is `ready`, at most [`START_DEADLINE`].
    pub async fn spawn(command: Command, ready: Ready) -> Result<Self> {
        Self::spawn_within(command, ready, START_DEADLINE).await
    }

    /// Starts `command` and waits until it is `ready`, at most `deadline`. The error shows the end of its output.
    pub async fn spawn_within(mut command: Command, ready: Ready, deadline: Duration) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let pid = Pid::from_child(&child);
        let output = Output::of(&mut child)?;
        let mut process = Self { name, child, pid, output, ended: false };
        match timeout(deadline, process.until(&ready)).await {
            Ok(Ok(())) => Ok(process),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                bail!("{} was not ready ({ready:?}) in {deadline:?}; {}", process.name, process.output.tail())
            }
        }
    }

    /// The program's process id, which is also its group's.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The end of what it has written so far, both streams together.
    pub fn output(&self) -> String {
        self.output.tail()
    }

    /// Waits for a line of its output that contains `text`, also one already written, and gives the line.
    pub async fn line(&self, text: &str, deadline: Duration) -> Result<String> {
        match timeout(deadline, self.output.line(text)).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => {
                bail!("{} ended its output without a line with {text:?}; {}", self.name, self.output.tail())
            }
            Err(_) => {
                bail!("{} wrote no line with {text:?} in {deadline:?}; {}", self.name, self.output.tail())
            }
        }
    }

    /// How many kept lines of its output contain `text`.
    pub fn lines_with(&self, text: &str) -> usize {
        self.output.count(text)
    }

    /// Waits until more than `seen` lines of its output contain `text`.
    pub async fn more_lines(&self, text: &str, seen: usize, deadline: Duration) -> Result<()> {
        let more = timeout(deadline, self.output.more_lines(text, seen)).await;
        ensure!(
            more == Ok(true),
            "{} wrote no further line with {text:?}; {}",
            self.name,
            self.output.tail()
        );
        Ok(())
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program itself, not to its workers.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Whether it has ended, and how.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let looks = async {
            loop {
                match self.child.try_wait() {
                    Ok(Some(status)) => return Ok(status),
                    Ok(None) => sleep(LOOK).await,
                    Err(error) => return Err(error),
                }
            }
        };
        match timeout(deadline, looks).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("{} still runs after {deadline:?}; {}", self.name, self.output.tail()),
        }
    }

    /// Waits until it ends by itself and gives its status and all the output that was kept.
    pub async fn finish(mut self, deadline: Duration) -> Result<(ExitStatus, String)> {
        let status = self.wait(deadline).await?;
        self.end();
        // A worker that outlived it might hold the pipes; the group has been killed, so they close.
        timeout(STOP_DEADLINE, self.output.ended()).await.context("its output stays open")?;
        Ok((status, self.output.tail()))
    }

    /// Asks it to end, waits for that, and ends what is left of its group.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM).ok();
        self.wait(STOP_DEADLINE).await
    }

    /// Ends the program and all its workers at once, without a chance to say anything, and waits until they are gone.
    pub fn kill(mut self) -> Result<()> {
        kill_process_group(self.pid, Signal::KILL).with_context(|| format!("cannot kill {}", self.name))?;
        self.end();
        Ok(())
    }

    /// Processor time and memory of the program and all its workers until now.
    pub fn usage(&self) -> Result<Usage> {
        Usage::of_group(self.pid()).with_context(|| format!("cannot read what {} uses", self.name))
    }

    async fn until(&mut self, ready: &Ready) -> Result<()> {
        match ready {
            Ready::Started => Ok(()),
            Ready::Line(text) => self.line(text, Duration::MAX).await.map(drop),
            Ready::File(path) => self.look(async || path.exists()).await,
            Ready::Ports(addrs) => {
                for addr in addrs {
                    self.look(async || tokio::net::TcpStream::connect(addr).await.is_ok()).await?;
                }
                Ok(())
            }
        }
    }

    async fn look(&mut self, there: impl AsyncFn() -> bool) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                timeout(LOOK * 40, self.output.ended()).await.ok();
                bail!("{} ended at once ({status}); {}", self.name, self.output.tail());
            }
            if there().await {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    /// Ends the group. Blocks for [`STOP_DEADLINE`] at most.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let deadline = Instant::now() + STOP_DEADLINE;
        if matches!(self.child.try_wait(), Ok(None)) {
            kill_process_group(self.pid, Signal::TERM).ok();
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
        }
        // Also when the first process is gone: its workers may not be.
        kill_process_group(self.pid, Signal::KILL).ok();
        self.child.wait().ok();
        // A signal sent is not yet a process ended: its port and files are free only after that.
        while Usage::group_runs(self.pid()) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
