//! The engine without sockets, against rustls' buffered connection: every split of the bytes, writes in between.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::ReadBuf;

use crate::engine::{End, Engine, Side};
use crate::testing::{Issued, NAME};

static ISSUED: LazyLock<Issued> = LazyLock::new(Issued::new);

/// A server whose handshake messages and tickets come in records of at most 64 bytes.
static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let mut config = (*ISSUED.server(&[])).clone();
    config.max_fragment_size = Some(64);
    Arc::new(config)
});

/// Our engine as the client, and the server.
struct Pair {
    engine: Engine,
    server: ServerConnection,
    /// What the engine has decrypted.
    read: Vec<u8>,
    /// How many single bytes the engine has written.
    wrote: usize,
}

impl Pair {
    fn new() -> Self {
        let name = ServerName::try_from(NAME).unwrap();
        let client = UnbufferedClientConnection::new(ISSUED.trusting(&[]), name).unwrap();
        let mut engine = Engine::new(Side::Client(client));
        engine.start().unwrap();
        let server = ServerConnection::new(SERVER.clone()).unwrap();
        Self { engine, server, read: Vec::new(), wrote: 0 }
    }

    fn give_server(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.server.read_tls(&mut bytes).unwrap();
            self.server.process_new_packets().unwrap();
        }
    }

    fn take_from_server(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Gives the engine a piece as a socket would, with room for `room` bytes of plaintext, until nothing is unread.
    fn give_engine(&mut self, piece: &[u8], room: usize) {
        let mut fresh = piece;
        loop {
            let mut space = vec![0; room];
            let mut buf = ReadBuf::new(&mut space);
            if !self.engine.read_plain(&mut buf) {
                let mut incoming = [self.engine.held(), fresh].concat();
                fresh = &[];
                self.engine.receive(&mut incoming, &mut buf).unwrap();
            }
            let got = buf.filled().len();
            self.read.extend_from_slice(buf.filled());
            self.write();
            if got == 0 && !self.engine.has_unread() {
                return;
            }
        }
    }

    /// Writes one byte, once the handshake is done.
    fn write(&mut self) {
        let mut sent = self.engine.outgoing().to_vec();
        if !self.engine.state().is_handshaking() {
            sent = vec![0; 9000];
            let total = self.engine.send(b"x", &mut sent).unwrap();
            sent.truncate(total);
            self.wrote += 1;
        } else {
            self.engine.sent(sent.len());
        }
        self.give_server(&sent);
    }

    /// Carries the handshake and what follows it, in pieces of these sizes, over and over.
    fn run(&mut self, pieces: &[usize], room: usize) {
        let mut pieces = pieces.iter().copied().cycle();
        self.write();
        loop {
            let bytes = self.take_from_server();
            if bytes.is_empty() {
                return;
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(pieces.next().unwrap_or(1).clamp(1, rest.len()));
                rest = later;
                self.give_engine(piece, room);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A ticket in several records is open while we write: rustls then wants to see those records again.
    #[test]
    fn no_split_of_the_bytes_matters(
        pieces in prop::collection::vec(1..400usize, 1..6),
        room in 1..300usize,
        length in 0..3000usize,
    ) {
        let mut pair = Pair::new();
        pair.run(&pieces, room);
        prop_assert!(!pair.engine.state().is_handshaking());
        let data: Vec<u8> = (0..length).map(|i| i as u8).collect();
        for half in data.chunks(length / 2 + 1) {
            std::io::Write::write_all(&mut pair.server.writer(), half).unwrap();
            pair.run(&pieces, room);
            pair.server.refresh_traffic_keys().unwrap();
            pair.run(&pieces, room);
        }
        prop_assert_eq!(&pair.read, &data);
        let mut seen = Vec::new();
        let _ = std::io::Read::read_to_end(&mut pair.server.reader(), &mut seen);
        prop_assert_eq!(seen, vec![b'x'; pair.wrote]);
        pair.server.send_close_notify();
        let last = pair.take_from_server();
        let mut incoming = [pair.engine.held(), &last].concat();
        pair.engine.receive(&mut incoming, &mut ReadBuf::new(&mut [])).unwrap();
        prop_assert_eq!(pair.engine.end(), Some(End::Closed));
    }

    #[test]
    fn noise_fails_without_a_panic(noise in prop::collection::vec(any::<u8>(), 1..200), room in 0..50usize) {
        let mut pair = Pair::new();
        pair.run(&[1000], 100);
        let mut incoming = [pair.engine.held(), &[0x17, 3, 3, 0, 100], &noise].concat();
        let mut space = vec![0; room];
        let _ = pair.engine.receive(&mut incoming, &mut ReadBuf::new(&mut space));
        let _ = pair.engine.send(b"x", &mut [0; 9000]);
        let _ = pair.engine.close();
        prop_assert!(pair.read.is_empty());
    }
}

#[test]
fn one_byte_at_a_time() {
    let mut pair = Pair::new();
    pair.run(&[1], 7);
    assert!(pair.wrote > 200, "tickets came byte by byte, with a write between any two: {}", pair.wrote);
}
