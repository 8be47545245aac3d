//! Captures made by hand: every link type, segments in disorder, and what is missing.

#![allow(clippy::unwrap_used)]

use wicketgate_policy::Direction;

use super::*;

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
const KEY: [u8; 4] = [1, 2, 3, 4];

/// Which layers a packet has below TCP.
#[derive(Clone, Copy, Debug)]
enum Below {
    Ethernet,
    Vlan,
    Sll,
    Sll2,
    Null,
    Raw6,
}

const ALL: [Below; 6] = [Below::Ethernet, Below::Vlan, Below::Sll, Below::Sll2, Below::Null, Below::Raw6];

impl Below {
    const fn link(self) -> u32 {
        match self {
            Self::Ethernet | Self::Vlan => 1,
            Self::Sll => 113,
            Self::Sll2 => 276,
            Self::Null => 0,
            Self::Raw6 => 101,
        }
    }

    /// A packet of the client or the server.
    fn packet(self, by_client: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ports = if by_client { [50_000_u16, 80] } else { [80, 50_000] };
        let mut tcp: Vec<u8> = ports.iter().flat_map(|port| port.to_be_bytes()).collect();
        tcp.extend(sequence.to_be_bytes());
        tcp.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(payload);
        let (from, to) = if by_client { (1, 2) } else { (2, 1) };
        let mut ip = match self {
            Self::Raw6 => {
                let length = tcp.len() as u16;
                let mut ip = vec![0x60, 0, 0, 0, (length >> 8) as u8, length as u8, 6, 64];
                ip.extend([[0; 15].as_slice(), &[from], &[0; 15], &[to]].concat());
                ip
            }
            _ => {
                let length = tcp.len() as u16 + 20;
                let mut ip = vec![0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, 6, 0, 0];
                ip.extend([10, 0, 0, from, 10, 0, 0, to]);
                ip
            }
        };
        ip.extend(tcp);
        let below = match self {
            Self::Ethernet => [[0; 12].as_slice(), &[8, 0]].concat(),
            Self::Vlan => [[0; 12].as_slice(), &[0x81, 0, 0, 5, 8, 0]].concat(),
            Self::Sll => [[0; 14].as_slice(), &[8, 0]].concat(),
            Self::Sll2 => [[8, 0].as_slice(), &[0; 18]].concat(),
            Self::Null => vec![2, 0, 0, 0],
            Self::Raw6 => Vec::new(),
        };
        // Frames of Ethernet are filled up to 60 bytes.
        let filling = if let Self::Ethernet = self {
            vec![0; 60_usize.saturating_sub(below.len() + ip.len())]
        } else {
            Vec::new()
        };
        [below, ip, filling].concat()
    }
}

fn frame(by_client: bool, head: u8, payload: &[u8]) -> Vec<u8> {
    let mask = if by_client { 0x80 } else { 0 };
    let mut frame = vec![head, mask | payload.len() as u8];
    if by_client {
        frame.extend(KEY);
    }
    let masked = payload.iter().enumerate();
    frame.extend(masked.map(|(at, byte)| if by_client { byte ^ KEY[at % 4] } else { *byte }));
    frame
}

const SYN: u8 = 2;
const ACK: u8 = 0x10;
const FIN: u8 = 0x11;

/// The packets of a session: who sends each, from which byte on, and what.
fn session(said: &[(bool, Vec<u8>)]) -> Vec<(bool, u32, u8, Vec<u8>)> {
    let mut next = [1_000_u32, u32::MAX - 20];
    let mut packets = vec![(true, next[0] - 1, SYN, Vec::new()), (false, next[1] - 1, SYN | ACK, Vec::new())];
    for (by_client, bytes) in said {
        let next = &mut next[usize::from(!by_client)];
        packets.push((*by_client, *next, ACK, bytes.clone()));
        *next = next.wrapping_add(bytes.len() as u32);
    }
    packets.push((true, next[0], FIN, Vec::new()));
    packets.push((false, next[1], FIN, Vec::new()));
    packets
}

fn chat() -> Vec<(bool, Vec<u8>)> {
    let mut fragments = frame(true, 0x01, b"hel");
    fragments.extend(frame(true, 0x89, b"ping"));
    fragments.extend(frame(true, 0x80, b"lo"));
    vec![
        (true, REQUEST.into()),
        (false, ANSWER.into()),
        (true, fragments),
        (false, frame(false, 0x82, &[1, 2, 3])),
    ]
}

fn pcap(below: Below, packets: &[(bool, u32, u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend(262_144_u32.to_le_bytes());
    file.extend(below.link().to_le_bytes());
    for (number, (by_client, sequence, flags, payload)) in packets.iter().enumerate() {
        let packet = below.packet(*by_client, *sequence, *flags, payload);
        for field in [1_700_000_000 + number as u32, 250_000, packet.len() as u32, packet.len() as u32] {
            file.extend(field.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn read_all(file: &[u8]) -> Traffic {
    assert!(is_pcap(file));
    read(file, Bounds::default()).unwrap()
}

fn said(traffic: &Traffic) -> Vec<(Direction, &[u8])> {
    traffic.capture.lines.iter().map(|line| (line.direction, line.payload.as_slice())).collect()
}

const CHAT: [(Direction, &[u8]); 2] = [(Direction::ToUpstream, b"hello"), (Direction::ToClient, &[1, 2, 3])];

#[test]
fn messages_come_out_of_every_link_type() {
    for below in ALL {
        let traffic = read_all(&pcap(below, &session(&chat())));
        assert_eq!(said(&traffic), CHAT, "{below:?}: {:?}", traffic.told);
        assert!(traffic.told.is_empty(), "{below:?}: {:?}", traffic.told);
        let line = &traffic.capture.lines[0];
        assert_eq!(line.subprotocol.as_deref(), Some("chat"));
        assert_eq!(line.time, Some(Duration::from_millis(1_700_000_004_250)));
    }
}

#[test]
fn disorder_changes_nothing() {
    let packets = session(&chat());
    let mut disordered = packets.clone();
    disordered.swap(4, 5);
    disordered.insert(3, packets[2].clone());
    assert_eq!(said(&read_all(&pcap(Below::Null, &disordered))).len(), 2);
    // Everything behind the handshake in reverse, the ends first.
    let mut reversed = packets.clone();
    reversed[2..].reverse();
    assert_eq!(said(&read_all(&pcap(Below::Ethernet, &reversed))).len(), 2);
    // Byte by byte, each twice, and the answer's before the request's.
    let mut pieces = packets[..2].to_vec();
    for (by_client, sequence, flags, payload) in &packets[2..6] {
        for (at, byte) in payload.iter().enumerate() {
            let piece = (*by_client, sequence.wrapping_add(at as u32), *flags, vec![*byte]);
            pieces.extend([piece.clone(), piece]);
        }
    }
    assert_eq!(said(&read_all(&pcap(Below::Sll, &pieces))), CHAT);
    pieces[2..].reverse();
    assert_eq!(said(&read_all(&pcap(Below::Sll, &pieces))).len(), 2);
}

#[test]
fn compressed_messages_are_inflated() {
    let answer = ANSWER.replace(
        "chat\r\n",
        "chat\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n",
    );
    // "Hello" of RFC 7692, section 7.2.3.1; then with the window of the first (7.2.3.2).
    let [one, two] = [&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..], &[0xf2, 0x00, 0x11, 0x00, 0x00]];
    let packets = session(&[
        (true, REQUEST.into()),
        (false, answer.into()),
        (false, frame(false, 0xc1, one)),
        (false, frame(false, 0xc1, two)),
        (true, frame(true, 0xc1, one)),
    ]);
    let traffic = read_all(&pcap(Below::Ethernet, &packets));
    assert_eq!(said(&traffic).iter().map(|(_, payload)| *payload).collect::<Vec<_>>(), [b"Hello"; 3]);
}

#[test]
fn what_is_missing_is_told() {
    let packets = session(&chat());
    let told = |packets: &[(bool, u32, u8, Vec<u8>)]| {
        let traffic = read_all(&pcap(Below::Ethernet, packets));
        (said(&traffic).len(), traffic.told.keys().copied().collect::<Vec<_>>())
    };
    // The beginning, of the connection alone and of the session too.
    assert_eq!(told(&packets[2..]), (2, vec![]));
    assert_eq!(told(&packets[4..]), (0, vec!["connections that began before the capture"]));
    // The end.
    assert_eq!(told(&packets[..5]), (1, vec![]));
    assert_eq!(told(&packets[..3]), (0, vec!["requests without a whole answer"]));
    // Something between.
    let mut gap = packets.clone();
    let cut = gap[4].3.split_off(3);
    gap[4].3 = cut;
    gap[4].1 += 3;
    assert_eq!(told(&gap), (1, vec!["sessions of which bytes are missing"]));
    // Frames that are none, and what is no WebSocket.
    let broken = session(&[(true, REQUEST.into()), (false, ANSWER.into()), (true, frame(false, 0x81, b"a"))]);
    assert_eq!(told(&broken), (0, vec!["sessions that break the rules of frames"]));
    let tls = session(&[(true, vec![0x16, 3, 1, 0, 5])]);
    assert_eq!(told(&tls), (0, vec!["connections that do not begin with HTTP in clear"]));
    let plain = session(&[(true, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())]);
    assert_eq!(told(&plain), (0, vec![]));
    let unknown = ANSWER.replace("chat\r\n", "chat\r\nSec-WebSocket-Extensions: x-private\r\n");
    let unknown = session(&[(true, REQUEST.into()), (false, unknown.into())]);
    assert_eq!(told(&unknown), (0, vec!["sessions with an extension that is not known"]));
}

#[test]
fn broken_files_are_told() {
    let file = pcap(Below::Ethernet, &session(&chat()));
    for end in 0..file.len() {
        match read(&file[..end], Bounds::default()) {
            Ok(traffic) => assert!(traffic.capture.lines.len() <= 2),
            Err(NoCapture) => assert!(end < 24),
        }
    }
    let traffic = read_all(&file[..file.len() - 1]);
    assert_eq!(traffic.told.keys().collect::<Vec<_>>(), [&"the file is broken, or broken off"]);
    assert!(read(b"{\"text\":\"a\"}", Bounds::default()).is_err());
    assert!(!is_pcap(b"{\"text\":\"a\"}"));
    let one = Bounds { messages: 1, bytes: 100 };
    assert!(read(&file, one).unwrap().capture.is_cut);
}
