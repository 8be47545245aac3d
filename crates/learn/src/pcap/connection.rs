//! A TCP connection of which the client asks for a WebSocket: heads of HTTP first, then frames both ways.

use std::net::SocketAddr;
use std::time::Duration;

use super::link::Segment;
use super::messages::Messages;
use super::stream::Stream;
use crate::line::Line;

/// The longest head of a request or answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Fields of a head.
const MAX_FIELDS: usize = 100;
/// Bytes of one side that wait for the other side's head.
const MAX_WAITING: usize = 4 << 20;

/// A connection, as far as it was seen.
pub(super) struct Connection {
    session: u64,
    /// Who opened it, once that is known, and the two directions from there.
    client: Option<SocketAddr>,
    sides: [Side; 2],
    state: State,
    /// A side broke the connection off.
    is_reset: bool,
}

/// One direction.
#[derive(Default)]
struct Side {
    stream: Stream,
    /// What came in order and was not read yet.
    bytes: Vec<u8>,
    /// The number behind its last byte, once the side has said that it ends.
    end: Option<u32>,
}

enum State {
    /// The request's head is awaited.
    Request,
    /// The answer's head is awaited.
    Answer,
    /// Frames come.
    Open(Box<[Messages; 2]>),
    /// Nothing more of it is read: why, where that is worth telling.
    Over(Option<&'static str>),
}

impl Connection {
    pub(super) fn new(session: u64) -> Self {
        let sides = [Side::default(), Side::default()];
        Self { session, client: None, sides, state: State::Request, is_reset: false }
    }

    /// Whether no data came yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.state, State::Request) && self.sides.iter().all(|side| side.bytes.is_empty())
    }

    /// Whether nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        // The end may come before what is in front of it.
        self.is_reset || self.sides.iter().all(|side| side.end.is_some_and(|end| side.stream.is_at(end)))
    }

    /// Why not all of it was read, where that is so.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match &self.state {
            State::Over(why) => *why,
            State::Open(_) if self.sides.iter().any(|side| side.stream.has_gap()) => {
                Some("sessions of which bytes are missing")
            }
            State::Open(messages) => messages.iter().find_map(Messages::fault),
            State::Request => {
                let is_asked = self.sides.iter().any(|side| side.bytes.starts_with(b"GET "));
                is_asked.then_some("requests that are not whole")
            }
            State::Answer => Some("requests without a whole answer"),
        }
    }

    /// Takes a segment; whole messages go to `lines`.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, time: Option<Duration>, lines: &mut Vec<Line>) {
        if segment.rst {
            self.is_reset = true;
            return;
        }
        self.find_client(segment);
        if let Some(client) = self.client {
            let number = usize::from(segment.from != client);
            if let Some(side) = self.sides.get_mut(number) {
                let sequence = if segment.syn { segment.sequence.wrapping_add(1) } else { segment.sequence };
                let is_head = segment.payload.starts_with(if number == 0 { b"GET " } else { b"HTTP" });
                if segment.syn || is_head {
                    side.stream.begin(sequence);
                }
                if segment.fin {
                    side.end = Some(sequence.wrapping_add(segment.payload.len() as u32));
                }
                side.stream.push(sequence, segment.payload, &mut side.bytes);
            }
            self.read(time, lines);
        } else if !segment.payload.is_empty() {
            self.state = State::Over(Some("connections that began before the capture"));
        }
        self.is_reset |= self.client.is_none() && segment.fin;
    }

    fn find_client(&mut self, segment: &Segment<'_>) {
        if self.client.is_some() {
            return;
        }
        self.client = match (segment.syn, segment.ack) {
            (true, false) => Some(segment.from),
            (true, true) => Some(segment.to),
            _ if segment.payload.starts_with(b"GET ") => Some(segment.from),
            _ => None,
        };
    }

    fn read(&mut self, time: Option<Duration>, lines: &mut Vec<Line>) {
        if let State::Request = self.state {
            self.read_request();
        }
        if let State::Answer = self.state {
            self.read_answer();
        }
        match &mut self.state {
            State::Open(messages) => {
                for (side, messages) in self.sides.iter_mut().zip(messages.iter_mut()) {
                    messages.read(&mut side.bytes, self.session, time, lines);
                }
            }
            State::Over(_) => self.sides.iter_mut().for_each(|side| side.bytes = Vec::new()),
            State::Request | State::Answer => {
                if self.sides.iter().any(|side| side.bytes.len() > MAX_WAITING) {
                    self.state = State::Over(Some("connections with too much before their answer"));
                }
            }
        }
    }

    fn read_request(&mut self) {
        let [client, _] = &mut self.sides;
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let state = match request.parse(&client.bytes) {
            Ok(httparse::Status::Complete(end)) => {
                let asks = request.method == Some("GET") && has(request.headers, "upgrade", "websocket");
                // Another request of HTTP is none of ours.
                if asks { Ok(end) } else { Err(None) }
            }
            Ok(httparse::Status::Partial) if client.bytes.len() <= MAX_HEAD => return,
            _ if client.bytes.starts_with(b"GET ") => Err(Some("requests that cannot be read")),
            // TLS, or something else.
            _ => Err(Some("connections that do not begin with HTTP in clear")),
        };
        match state {
            Ok(end) => {
                client.bytes.drain(..end);
                self.state = State::Answer;
            }
            Err(why) => self.state = State::Over(why),
        }
    }

    fn read_answer(&mut self) {
        let [_, server] = &mut self.sides;
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let state = match answer.parse(&server.bytes) {
            Ok(httparse::Status::Complete(end)) if answer.code == Some(101) => {
                let extensions = value(answer.headers, "sec-websocket-extensions").unwrap_or_default();
                let subprotocol = value(answer.headers, "sec-websocket-protocol").unwrap_or_default();
                let messages = Messages::pair(extensions, subprotocol);
                let messages = messages.map(|messages| (end, messages));
                messages.ok_or(Some("sessions with an extension that is not known"))
            }
            // It was refused.
            Ok(httparse::Status::Complete(_)) => Err(None),
            Ok(httparse::Status::Partial) if server.bytes.len() <= MAX_HEAD => return,
            _ => Err(Some("answers that cannot be read")),
        };
        match state {
            Ok((end, messages)) => {
                server.bytes.drain(..end);
                self.state = State::Open(Box::new(messages));
            }
            Err(why) => self.state = State::Over(why),
        }
    }
}

/// The value of a field; none where it is not there, or is no text.
fn value<'a>(fields: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(field.value).ok().map(str::trim)
}

fn has(fields: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    value(fields, name)
        .is_some_and(|value| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word)))
}
