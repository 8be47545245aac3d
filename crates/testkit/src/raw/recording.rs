//! A backend that keeps every byte that reached it and answers as the test says.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    frame::Frame,
    head::{Head, accept_key},
    io::{Accepted, Io, Place},
    server::Server,
    session::{Echo, Session},
};

/// How long a test waits for something to reach the backend.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a recording backend does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Grants the WebSocket and echoes; without an upgrade in the request, `200` and `recorded`.
    Echo,
    /// Grants the WebSocket and then writes only what [`RecordingBackend::send`] gives it.
    Accept,
    /// Writes exactly these bytes and reads on; an HTTP connection goes on with the next request.
    Bytes(Vec<u8>),
    /// Writes exactly these bytes and ends the connection.
    BytesThenEnd(Vec<u8>),
    /// Says nothing and reads on.
    Silence,
}

impl Answer {
    /// A whole HTTP response with this status line's end, like `404 Not Found`, and this body.
    pub fn response(status: &str, body: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }
}

/// What one connection brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Every byte, in order.
    pub bytes: Vec<u8>,
    /// The request heads among them.
    pub heads: Vec<Head>,
    /// The bytes after the last head: a body, or frames.
    pub after: Vec<u8>,
    /// Whether the connection has ended.
    pub ended: bool,
}

impl Recorded {
    /// The whole frames after the upgrade, unmasked.
    pub fn frames(&self) -> Vec<Frame> {
        let mut rest = self.after.as_slice();
        let mut frames = Vec::new();
        while let Some((frame, length)) = Frame::parse(rest) {
            frames.push(frame);
            rest = &rest[length..];
        }
        frames
    }

    /// The target of the last request.
    pub fn target(&self) -> Option<String> {
        self.heads.last().map(Head::target)
    }
}

/// A running backend. Dropping it ends it.
#[derive(Debug)]
pub struct RecordingBackend {
    server: Server,
    record: watch::Receiver<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    recorded: Recorded,
    /// What the connection shall write; closed to end it.
    sender: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

type Script = dyn Fn(&Head) -> Answer + Send + Sync;

impl RecordingBackend {
    /// One that echoes, on a free port of 127.0.0.1.
    pub async fn start() -> Result<Self> {
        Self::answering(|_| Answer::Echo).await
    }

    /// One that answers each request by this script.
    pub async fn answering(script: impl Fn(&Head) -> Answer + Send + Sync + 'static) -> Result<Self> {
        Self::with(None, None, script).await
    }

    /// One at this place, with TLS if a configuration is given.
    pub async fn with(
        place: Option<Place>,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Head) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let script: Arc<Script> = Arc::new(script);
        let (record, receiver) = watch::channel(Vec::new());
        let record = Arc::new(record);
        let server = Server::start(place, move |stream| {
            let (script, tls) = (Arc::clone(&script), tls.clone());
            let tape = Tape::new(Arc::clone(&record));
            async move { tape.keep(stream, tls, &*script).await }
        })?;
        Ok(Self { server, record: receiver })
    }

    /// Its TCP address. Fails if it listens on a Unix socket.
    pub fn addr(&self) -> Result<SocketAddr> {
        self.server.addr()
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        self.server.place()
    }

    /// All connections so far, in the order in which they were accepted.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.record.borrow().iter().map(|entry| entry.recorded.clone()).collect()
    }

    /// Waits until a connection is as told, and gives its number and what it brought.
    pub async fn until(&self, what: &str, is: impl Fn(&Recorded) -> bool) -> Result<(usize, Recorded)> {
        let find = |entries: &Vec<Entry>| entries.iter().position(|entry| is(&entry.recorded));
        let mut record = self.record.clone();
        let waited = timeout(PATIENCE, record.wait_for(|entries| find(entries).is_some())).await;
        let Ok(entries) = waited else { bail!("{what} did not reach the backend: {:#?}", self.recorded()) };
        let entries = entries.context("the backend has ended")?;
        let number = find(&entries).context("the backend forgot a connection")?;
        let entry = entries.get(number).context("the backend forgot a connection")?;
        Ok((number, entry.recorded.clone()))
    }

    /// Waits for a request for this target.
    pub async fn requested(&self, target: &str) -> Result<(usize, Recorded)> {
        self.until(&format!("a request for {target}"), |recorded| {
            recorded.target().as_deref() == Some(target)
        })
        .await
    }

    /// Writes these bytes on the connection of this number.
    pub fn send(&self, number: usize, bytes: &[u8]) -> Result<()> {
        let entries = self.record.borrow();
        let sender =
            entries.get(number).and_then(|entry| entry.sender.as_ref()).context("no such open connection")?;
        sender.send(bytes.to_vec()).context("the connection has ended")
    }

    /// Writes a frame on the connection of this number.
    pub fn send_frame(&self, number: usize, frame: &Frame) -> Result<()> {
        self.send(number, &frame.bytes())
    }

    /// Ends the connection of this number, after what was sent.
    pub fn end(&self, number: usize) -> Result<()> {
        // An empty write is no write: it stands for the end.
        self.send(number, &[])
    }

    /// Ends all connections and waits for that.
    pub async fn stop(self) -> Result<()> {
        self.server.stop().await
    }
}

/// The place of one connection in the record.
struct Tape {
    record: Arc<watch::Sender<Vec<Entry>>>,
    number: usize,
    orders: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Tape {
    fn new(record: Arc<watch::Sender<Vec<Entry>>>) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        let mut number = 0;
        record.send_modify(|entries| {
            number = entries.len();
            entries.push(Entry { recorded: Recorded::default(), sender: Some(sender) });
        });
        Self { record, number, orders }
    }

    async fn keep(mut self, stream: Accepted, tls: Option<Arc<ServerConfig>>, script: &Script) {
        if let Ok(mut stream) = stream.secure(tls).await {
            // A connection that breaks is recorded like one that ends.
            self.serve(&mut *stream, script).await.unwrap_or_default();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Recorded)) {
        self.record.send_modify(|entries| {
            if let Some(entry) = entries.get_mut(self.number) {
                change(&mut entry.recorded);
            }
        });
    }

    /// Records bytes that just came, and a head if they complete one.
    fn came(&self, bytes: &[u8], head: Option<&Head>, after: &[u8]) {
        self.change(|recorded| {
            recorded.bytes.extend_from_slice(bytes);
            match head {
                None => recorded.after.extend_from_slice(bytes),
                Some(head) => {
                    recorded.heads.push(head.clone());
                    recorded.after = after.to_vec();
                }
            }
        });
    }

    async fn serve(&mut self, stream: &mut dyn Io, script: &Script) -> Result<()> {
        let mut buffer = Vec::new();
        while let Some(head) = self.head(stream, &mut buffer).await? {
            let grants = head.is_upgrade();
            match script(&head) {
                Answer::Echo if grants => {
                    self.grant(stream, &head).await?;
                    return self.frames(stream, Some(Session::new(Echo::Frames, buffer))).await;
                }
                Answer::Accept if grants => {
                    self.grant(stream, &head).await?;
                    return self.frames(stream, None).await;
                }
                Answer::Echo | Answer::Accept => {
                    self.body(stream, &head, &mut buffer).await?;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nrecorded").await?;
                }
                Answer::Bytes(bytes) => {
                    self.body(stream, &head, &mut buffer).await?;
                    stream.write_all(&bytes).await?;
                    if bytes.starts_with(b"HTTP/1.1 101") {
                        return self.frames(stream, None).await;
                    }
                }
                Answer::BytesThenEnd(bytes) => {
                    stream.write_all(&bytes).await?;
                    return Ok(stream.shutdown().await?);
                }
                Answer::Silence => return self.frames(stream, None).await,
            }
            stream.flush().await?;
        }
        Ok(())
    }

    async fn head(&mut self, stream: &mut dyn Io, buffer: &mut Vec<u8>) -> Result<Option<Head>> {
        loop {
            if let Some(head) = Head::take(buffer) {
                self.came(&[], Some(&head), buffer);
                return Ok(Some(head));
            }
            if !self.more(stream, buffer).await? {
                return Ok(None);
            }
        }
    }

    /// Reads a request's body, which the record keeps.
    async fn body(&mut self, stream: &mut dyn Io, head: &Head, buffer: &mut Vec<u8>) -> Result<()> {
        let length: usize = head.field("content-length").map_or(Ok(0), |value| value.parse())?;
        let chunked = head.field("transfer-encoding").is_some();
        let end = |buffer: &[u8]| match chunked {
            true => buffer.windows(5).position(|five| five == b"0\r\n\r\n").map(|at| at + 5),
            false => (buffer.len() >= length).then_some(length),
        };
        loop {
            if let Some(end) = end(buffer) {
                buffer.drain(..end);
                return Ok(());
            }
            if !self.more(stream, buffer).await? {
                bail!("the connection ended inside a body");
            }
        }
    }

    async fn grant(&mut self, stream: &mut dyn Io, head: &Head) -> Result<()> {
        let key = head.field("sec-websocket-key").context("no key")?;
        let fields = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(&key)
        );
        stream.write_all(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}").as_bytes()).await?;
        Ok(stream.flush().await?)
    }

    /// Records until the end; answers with the session's echo if there is one.
    async fn frames(&mut self, stream: &mut dyn Io, mut session: Option<Session>) -> Result<()> {
        let mut buffer = Vec::new();
        loop {
            if let Some(session) = &mut session {
                session.input.append(&mut buffer);
                let goes_on = session.answer();
                stream.write_all(&std::mem::take(&mut session.output)).await?;
                stream.flush().await?;
                if !goes_on {
                    return Ok(stream.shutdown().await?);
                }
            }
            buffer.clear();
            if !self.more(stream, &mut buffer).await? {
                return Ok(());
            }
        }
    }

    /// Reads once and records it, writing meanwhile what the test orders. False at the end.
    async fn more(&mut self, stream: &mut dyn Io, buffer: &mut Vec<u8>) -> Result<bool> {
        loop {
            let before = buffer.len();
            tokio::select! {
                read = stream.read_buf(buffer) => {
                    let came = read? > 0;
                    self.came(&buffer[before..], None, &[]);
                    return Ok(came);
                }
                Some(order) = self.orders.recv() => {
                    if order.is_empty() {
                        stream.shutdown().await?;
                        return Ok(false);
                    }
                    stream.write_all(&order).await?;
                    stream.flush().await?;
                }
            }
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.record.send_modify(|entries| {
            if let Some(entry) = entries.get_mut(self.number) {
                entry.recorded.ended = true;
                entry.sender = None;
            }
        });
    }
}
