//! One TLS connection without its socket: ciphertext in, plaintext out, and back, over rustls' unbuffered API.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{CommonState, Error};
use tokio::io::ReadBuf;

/// Most ciphertext a connection keeps between two polls: rustls takes handshake messages of up to 64 KiB and
/// wants their records together; established connections keep less than what one read gave.
pub(crate) const HELD_MAX: usize = 96 * 1024;

/// Most ciphertext that waits to go out in front of the next write instead of being flushed first.
pub(crate) const RIDE_MAX: usize = 4096;

/// How the receiving direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By the peer's close_notify.
    Closed,
    /// By the end of the byte stream, without a close_notify.
    Cut,
    /// By a violation; nothing is sent any more but the alert.
    Failed,
}

/// Which side of the connection we are.
pub(crate) enum Side {
    /// We accepted it.
    Server(UnbufferedServerConnection),
    /// We opened it.
    Client(UnbufferedClientConnection),
}

/// A TLS connection's state and the few bytes that must outlive a poll.
pub(crate) struct Engine {
    side: Side,
    /// Ciphertext not yet taken in: a part of a record, or what the reader had no room for.
    held: Vec<u8>,
    /// Whether the held bytes begin with a record that is whole and that only the reader's lack of room left there.
    /// Otherwise they begin with a part of a record, or with records that hold a part of a handshake message.
    unread: bool,
    flow: Flow,
    close_sent: bool,
}

/// What comes out of taking records in, apart from plaintext that fitted the reader's buffer.
struct Flow {
    /// Decrypted, and not read yet: the rest of one record.
    plain: Bytes,
    /// Ciphertext to be written.
    outgoing: BytesMut,
    end: Option<End>,
}

/// What both kinds of unbuffered connection can do; rustls has no common trait for it.
trait Records {
    type Data;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
    fn state(&self) -> &CommonState;
}

impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn state(&self) -> &CommonState {
        self
    }
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
    fn state(&self) -> &CommonState {
        self
    }
}

macro_rules! on_side {
    ($side:expr, $conn:ident => $call:expr) => {
        match $side {
            Side::Server($conn) => $call,
            Side::Client($conn) => $call,
        }
    };
}

impl Engine {
    pub(crate) fn new(side: Side) -> Self {
        Self::with(side, &[])
    }

    /// The same, where the peer has said something already: at least a whole record.
    pub(crate) fn with(side: Side, said: &[u8]) -> Self {
        let flow = Flow { plain: Bytes::new(), outgoing: BytesMut::new(), end: None };
        Self { side, held: said.to_vec(), unread: is_whole_record(said), flow, close_sent: false }
    }

    /// Whether we are the server.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.side, Side::Server(_))
    }

    /// What was negotiated.
    pub(crate) fn state(&self) -> &CommonState {
        on_side!(&self.side, conn => conn.state())
    }

    /// How receiving ended, once it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.flow.end
    }

    /// Notes that the byte stream ended.
    pub(crate) fn cut(&mut self) {
        self.flow.end.get_or_insert(End::Cut);
    }

    /// Ciphertext kept from before; it precedes whatever is read next.
    pub(crate) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Whether `receive` can make progress without more bytes from the socket.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread
    }

    /// Moves plaintext left over from before into `buf`; false when there was none.
    pub(crate) fn read_plain(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.flow.plain.is_empty() {
            return false;
        }
        let take = self.flow.plain.len().min(buf.remaining());
        buf.put_slice(&self.flow.plain[..take]);
        self.flow.plain.advance(take);
        if self.flow.plain.is_empty() {
            self.flow.plain = Bytes::new();
        }
        true
    }

    /// Takes `incoming` in, which begins with what was `held`: decrypts until `buf` is full or the bytes are used
    /// up, and holds the rest. After an error the alert, if there is one to send, is among the outgoing bytes.
    pub(crate) fn receive(&mut self, incoming: &mut [u8], buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let Taken { used, stopped, result } =
            on_side!(&mut self.side, conn => take_in(conn, incoming, &mut self.flow, buf));
        let rest = incoming.get(used..).unwrap_or_default();
        self.unread = stopped && self.flow.end.is_none() && is_whole_record(rest);
        self.held = match self.flow.end {
            None => rest.to_vec(),
            // RFC 8446 6.1: data received after a closure alert is ignored.
            Some(_) => Vec::new(),
        };
        result.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if self.held.len() > HELD_MAX {
            self.flow.end = Some(End::Failed);
            self.held = Vec::new();
            return Err(io::Error::new(io::ErrorKind::InvalidData, "TLS handshake message too long"));
        }
        Ok(())
    }

    /// Lets a handshake move on by itself, for the side that speaks first.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        self.receive(&mut [], &mut ReadBuf::new(&mut []))
    }

    /// Encrypts `data` into `out`, behind what was still outgoing; gives the length of both.
    /// On an error nothing was taken.
    pub(crate) fn send(&mut self, data: &[u8], out: &mut [u8]) -> io::Result<usize> {
        if self.close_sent || self.flow.end == Some(End::Failed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let held = writers_view(&mut self.held, self.unread);
        on_side!(&mut self.side, conn => seal(conn, held, &mut self.flow, Seal::Data(data), out))
    }

    /// Puts a close_notify behind what is outgoing, once.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if self.close_sent || self.flow.end == Some(End::Failed) || self.state().is_handshaking() {
            return Ok(());
        }
        self.close_sent = true;
        let mut out = vec![0; self.flow.outgoing.len() + RIDE_MAX];
        let held = writers_view(&mut self.held, self.unread);
        let total =
            on_side!(&mut self.side, conn => seal(conn, held, &mut self.flow, Seal::CloseNotify, &mut out))?;
        self.flow.outgoing.extend_from_slice(&out[..total]);
        Ok(())
    }

    /// Ciphertext to be written.
    pub(crate) fn outgoing(&self) -> &[u8] {
        &self.flow.outgoing
    }

    /// Notes that the first `n` outgoing bytes were written.
    pub(crate) fn sent(&mut self, n: usize) {
        self.flow.outgoing.advance(n.min(self.flow.outgoing.len()));
        if self.flow.outgoing.is_empty() {
            self.flow.outgoing = BytesMut::new();
        }
    }

    /// Keeps ciphertext that could not be written yet. Nothing else may be outgoing.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        debug_assert!(self.flow.outgoing.is_empty());
        self.flow.outgoing.extend_from_slice(rest);
    }
}

/// The bytes that rustls must see while it writes. It remembers how far into the held bytes a handshake message in
/// pieces reaches, and slices there; but unread records are for the reader, who may have no room, and such a message
/// never precedes them (RFC 8446 5.1: nothing comes between its pieces).
fn writers_view(held: &mut [u8], unread: bool) -> &mut [u8] {
    if unread { &mut [] } else { held }
}

/// Whether the bytes begin with a complete record, by its header's length.
fn is_whole_record(bytes: &[u8]) -> bool {
    match bytes {
        [_, _, _, high, low, body @ ..] => body.len() >= usize::from(u16::from_be_bytes([*high, *low])),
        _ => false,
    }
}

impl Flow {
    fn deliver(&mut self, payload: &[u8], buf: &mut ReadBuf<'_>) {
        let fits = if self.plain.is_empty() { payload.len().min(buf.remaining()) } else { 0 };
        let (now, later) = payload.split_at(fits);
        buf.put_slice(now);
        if later.is_empty() {
        } else if self.plain.is_empty() {
            self.plain = Bytes::copy_from_slice(later);
        } else {
            self.plain = [&self.plain, later].concat().into();
        }
    }

    fn encode<Data>(&mut self, mut record: EncodeTlsData<'_, Data>) {
        let start = self.outgoing.len();
        if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
            record.encode(&mut [])
        {
            self.outgoing.resize(start + required_size, 0);
            let encoded = record.encode(&mut self.outgoing[start..]);
            debug_assert!(encoded.is_ok_and(|n| n == required_size));
        }
    }
}

/// What `take_in` did.
struct Taken {
    /// How many bytes it used.
    used: usize,
    /// Whether it stopped because the reader has no room for more.
    stopped: bool,
    result: Result<(), Error>,
}

/// Processes records until they are used up or the reader has no room for more.
fn take_in<C: Records>(conn: &mut C, incoming: &mut [u8], flow: &mut Flow, buf: &mut ReadBuf<'_>) -> Taken {
    let (length, mut used) = (incoming.len(), 0);
    let failed = loop {
        let UnbufferedStatus { mut discard, state } =
            conn.process(incoming.get_mut(used..).unwrap_or_default());
        let (mut go_on, mut stopped) = (true, false);
        let result = state.and_then(|state| {
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        flow.deliver(record.payload, buf);
                    }
                    stopped = !flow.plain.is_empty() || buf.remaining() == 0;
                    go_on = !stopped && used + discard < length;
                }
                ConnectionState::EncodeTlsData(record) => flow.encode(record),
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => flow.end = Some(End::Closed),
                ConnectionState::WriteTraffic(_)
                | ConnectionState::BlockedHandshake
                | ConnectionState::Closed => go_on = false,
                // Early data is never offered nor accepted (`max_early_data_size` stays 0), and a state
                // that a later rustls adds is not ours to guess at.
                _ => return Err(Error::General("unexpected TLS state".into())),
            }
            Ok(())
        });
        used += discard;
        match result {
            Ok(()) if go_on => {}
            Ok(()) => return Taken { used, stopped, result: Ok(()) },
            Err(error) => break error,
        }
    };
    flow.end = Some(End::Failed);
    // The alert. `wants_write` guards each call: queued records come out before any input is looked at, and input
    // must not be looked at any more.
    while conn.state().wants_write() {
        match conn.process(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(record)) => flow.encode(record),
            _ => break,
        }
    }
    Taken { used, stopped: false, result: Err(failed) }
}

/// What to put into records.
enum Seal<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// Moves what is outgoing to `out` and puts the sealed records behind it; gives the length of both.
fn seal<C: Records>(
    conn: &mut C,
    held: &mut [u8],
    flow: &mut Flow,
    what: Seal<'_>,
    out: &mut [u8],
) -> io::Result<usize> {
    loop {
        let state = conn.process(held).state;
        match state.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error))? {
            ConnectionState::EncodeTlsData(record) => flow.encode(record),
            ConnectionState::TransmitTlsData(transmit) => transmit.done(),
            ConnectionState::PeerClosed => flow.end = Some(End::Closed),
            ConnectionState::WriteTraffic(mut traffic) => {
                let waiting = flow.outgoing.len();
                let Some((front, back)) = out.split_at_mut_checked(waiting) else {
                    return Err(io::Error::other("more TLS handshake data waits than a write can take"));
                };
                let sealed = match what {
                    Seal::Data(data) => traffic.encrypt(data, back),
                    Seal::CloseNotify => traffic.queue_close_notify(back),
                };
                let sealed = sealed.map_err(|error: EncryptError| io::Error::other(error))?;
                front.copy_from_slice(&flow.outgoing);
                flow.outgoing = BytesMut::new();
                return Ok(waiting + sealed);
            }
            ConnectionState::BlockedHandshake => return Err(io::ErrorKind::NotConnected.into()),
            _ => return Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
