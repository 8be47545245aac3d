//! What clients do in their sessions: ssh, HTTP, raw bytes, and bursts as of a remote desktop.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::flow::{Flow, Lane};
use super::random::Random;

/// How long a source rests between two writes: twenty sessions are to leave a small machine some time for what they test.
pub(super) const PACE: Duration = Duration::from_millis(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Traffic {
    Ssh,
    Http,
    /// Bytes both ways, neither side waiting for the other.
    Raw,
    /// Little that is typed, little and much that is shown.
    Rdp,
}

impl Traffic {
    pub(super) const ALL: [Self; 4] = [Self::Ssh, Self::Http, Self::Raw, Self::Rdp];

    /// The name of its service.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Raw => "raw",
            Self::Rdp => "rdp",
        }
    }
}

/// Raw bytes, or those of a remote desktop, until it is enough and both directions are at their end.
pub(super) async fn bytes(traffic: Traffic, socket: TcpStream, flow: Arc<Flow>) -> Result<()> {
    socket.set_nodelay(true)?;
    let (read, mut write) = socket.into_split();
    let mut random = Random::new(flow.number);
    let sends = async {
        write.write_u64(flow.number).await?;
        while flow.enough.run_until_cancelled(tokio::time::sleep(PACE)).await.is_some() {
            let length = match traffic {
                Traffic::Rdp if random.within(0, 50) > 0 => random.within(8, 200),
                Traffic::Rdp => random.within(32 << 10, 128 << 10),
                _ => random.within(1, 16 << 10),
            };
            write.write_all(&flow.up.next(usize::try_from(length)?)).await?;
        }
        write.shutdown().await?;
        anyhow::Ok(())
    };
    tokio::try_join!(sends, receive(read, &flow.down)).map(drop)
}

/// Requests one after another on one connection, each with a body, each answered with another.
pub(super) async fn http(socket: TcpStream, flow: Arc<Flow>) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut socket = BufReader::new(socket);
    let mut random = Random::new(flow.number);
    while flow.enough.run_until_cancelled(tokio::time::sleep(PACE)).await.is_some() {
        let body = flow.up.next(usize::try_from(random.within(1, 16 << 10))?);
        let head = format!(
            "POST /{} HTTP/1.1\r\nhost: office\r\ncontent-length: {}\r\n\r\n",
            flow.number,
            body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(&body).await?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            ensure!(socket.read_line(&mut line).await? > 0, "the answer breaks off");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
        }
        ensure!(length == 2 * body.len(), "an answer of {length} bytes to {}", body.len());
        receive((&mut socket).take(length as u64), &flow.down).await?;
    }
    socket.shutdown().await?;
    ensure!(socket.read(&mut [0]).await? == 0, "more than was asked for");
    Ok(())
}

/// `cat` on the other side of ssh: what goes up is what comes down.
pub(super) async fn ssh(mut command: Command, flow: Arc<Flow>) -> Result<()> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut ssh = command.spawn()?;
    let (write, read, error) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take());
    let (mut write, read) = (write.context("no input")?, read.context("no output")?);
    let mut random = Random::new(flow.number);
    let sends = async {
        while flow.enough.run_until_cancelled(tokio::time::sleep(PACE)).await.is_some() {
            let length = usize::try_from(random.within(1, 16 << 10))?;
            // Its end is shown by what does not come back.
            if write.write_all(&flow.up.next(length)).await.is_err() {
                break;
            }
        }
        write.shutdown().await.ok();
        drop(write);
        anyhow::Ok(())
    };
    tokio::try_join!(sends, receive(read, &flow.up))?;
    let (status, mut said) = (ssh.wait().await?, String::new());
    error.context("no errors")?.read_to_string(&mut said).await?;
    ensure!(status.success(), "ssh: {said}");
    Ok(())
}

async fn receive(mut from: impl AsyncRead + Unpin, lane: &Lane) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(()),
            length => lane.take(&buffer[..length]),
        }
    }
}
