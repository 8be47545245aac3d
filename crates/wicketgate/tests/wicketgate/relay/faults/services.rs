//! What an agent offers in these runs: services that know what is to come, and answer with what can be checked as well.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::flow::Flow;
use super::random::Random;
use super::traffic::{PACE, Traffic};

/// Connections that may come, by their numbers.
pub(super) type Expected = Arc<Mutex<HashMap<u64, Arc<Flow>>>>;

/// A service of a kind of traffic.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) addr: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Service {
    pub(super) fn start(traffic: Traffic, listener: std::net::TcpListener, expected: &Expected) -> Self {
        listener.set_nonblocking(true).unwrap();
        let (addr, expected) = (listener.local_addr().unwrap(), expected.clone());
        let listener = TcpListener::from_std(listener).unwrap();
        let serve = async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(traffic, socket, expected.clone()));
            }
        };
        Self { addr, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }
}

/// A connection that breaks off is the client's to tell, or shows in what has not come.
async fn serve(traffic: Traffic, socket: TcpStream, expected: Expected) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    if traffic == Traffic::Http {
        return http(socket, expected).await;
    }
    let mut socket = socket;
    let number = socket.read_u64().await.ok()?;
    let flow = expected.lock().unwrap().get(&number)?.clone();
    match traffic {
        Traffic::Rdp => rdp(socket, &flow).await,
        _ => raw(socket, &flow).await,
    }
}

/// Sends all the time, whatever comes.
async fn raw(socket: TcpStream, flow: &Flow) -> Option<()> {
    let (mut read, mut write) = socket.into_split();
    let mut random = Random::new(flow.number);
    let sends = async {
        while flow.enough.run_until_cancelled(tokio::time::sleep(PACE)).await.is_some() {
            let length = usize::try_from(random.within(1, 16 << 10)).ok()?;
            write.write_all(&flow.down.next(length)).await.ok()?;
        }
        Some(())
    };
    let receives = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match read.read(&mut buffer).await.ok()? {
                0 => return Some(()),
                length => flow.up.take(&buffer[..length]),
            }
        }
    };
    let (sent, _) = tokio::join!(sends, receives);
    // Not before all has come: the client takes this for the end of both directions.
    write.shutdown().await.ok().and(sent)
}

/// Answers what was typed or clicked with what has changed on the screen: mostly little, at times much.
async fn rdp(mut socket: TcpStream, flow: &Flow) -> Option<()> {
    let mut random = Random::new(flow.number);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match socket.read(&mut buffer).await.ok()? {
            0 => return socket.shutdown().await.ok(),
            length => flow.up.take(&buffer[..length]),
        }
        let length = match random.within(0, 40) {
            0 => random.within(64 << 10, 256 << 10),
            _ => random.within(40, 4_000),
        };
        socket.write_all(&flow.down.next(usize::try_from(length).ok()?)).await.ok()?;
    }
}

/// HTTP/1.1 that takes a body and gives another.
async fn http(socket: TcpStream, expected: Expected) -> Option<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let (mut line, mut length, mut number) = (String::new(), 0, None);
        while line != "\r\n" {
            line.clear();
            if socket.read_line(&mut line).await.ok()? == 0 {
                return socket.shutdown().await.ok();
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            } else if let Some(rest) = line.strip_prefix("POST /") {
                number = rest.split(' ').next()?.parse::<u64>().ok();
            }
        }
        let flow = expected.lock().unwrap().get(&number?)?.clone();
        let mut body = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let more = socket.read(&mut body[filled..]).await.ok().filter(|more| *more > 0)?;
            flow.up.take(&body[filled..filled + more]);
            filled += more;
        }
        let body = flow.down.next(2 * length);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).await.ok()?;
        socket.write_all(&body).await.ok()?;
    }
}
