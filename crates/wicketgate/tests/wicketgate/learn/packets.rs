//! Learning from packets: what a gateway and its backend really said to each other, as a capture of their network has it.

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::raw::{Answer, Frame, RawClient, Recorded};

use super::{Stage, enforcing, learnt_from, traffic};
use crate::cli::wicketgate;

/// A capture of IP packets (pcap, link type RAW).
struct Packets {
    file: Vec<u8>,
    seconds: u32,
}

impl Packets {
    fn new() -> Self {
        let head = [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 262_144, 101];
        Self { file: head.iter().flat_map(|field| field.to_le_bytes()).collect(), seconds: 1_700_000_000 }
    }

    fn packet(&mut self, port: u16, by_client: bool, sequence: u32, flags: u8, payload: &[u8]) {
        let (from, to) = if by_client { (port, 9000) } else { (9000, port) };
        let mut packet = vec![0x45, 0];
        packet.extend((40 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        packet.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
        packet.extend(sequence.to_be_bytes());
        packet.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(payload);
        self.seconds += 1;
        let length = packet.len() as u32;
        let record = [self.seconds, 0, length, length];
        self.file.extend(record.iter().flat_map(|field| field.to_le_bytes()));
        self.file.extend(packet);
    }

    /// A session in which the backend answered every frame with the same without its mask.
    fn session(&mut self, port: u16, recorded: &Recorded) {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        let mut next = [7_u32, 4_000_000_000];
        self.packet(port, true, next[0] - 1, 2, &[]);
        self.packet(port, false, next[1] - 1, 0x12, &[]);
        let mut said = vec![(true, recorded.heads[0].bytes.clone()), (false, answer.to_vec())];
        for frame in recorded.frames().iter().filter(|frame| frame.opcode < 8) {
            said.push((true, frame.bytes()));
            said.push((false, Frame::new(frame.opcode, frame.payload.clone()).bytes()));
        }
        for (by_client, bytes) in said {
            let next = &mut next[usize::from(!by_client)];
            // In pieces, each of which comes twice, as after a loss.
            for piece in bytes.chunks(50) {
                self.packet(port, by_client, *next, 0x10, piece);
                self.packet(port, by_client, *next, 0x10, piece);
                *next = next.wrapping_add(piece.len() as u32);
            }
        }
    }
}

#[tokio::test]
async fn packets_are_learnt_from() {
    let folder = Dir::new().unwrap();
    let stage = Stage::start(|_| Answer::Echo, "", "").await;
    let (mut packets, mut lines) = (Packets::new(), String::new());
    for n in 0..30 {
        let target = format!("/chat?{n}");
        let mut client = RawClient::open(&stage.endpoint(), &target).await.unwrap();
        for message in traffic::chat(n) {
            client.echoes(&message.to_string()).await.unwrap();
            lines.push_str(&serde_json::json!({"session": n, "text": message.to_string()}).to_string());
            lines.push('\n');
        }
        let recorded = stage.reached(&target, 3).await;
        packets.session(10_000 + n as u16, &recorded);
    }
    // And one that began before the capture.
    packets.packet(20_000, true, 5, 0x10, b"the end of something");
    folder.write("traffic.pcap", &packets.file).unwrap();
    let learned = learnt_from(&folder, "traffic.pcap", &["--secret", "user"]);
    assert!(learned.contains("Learned from 180 messages of 30 sessions"), "{learned}");
    assert!(learned.contains("kinds: [login, join, say]"), "{learned}");
    for secret in ["hunter", "4111", "walter"] {
        assert!(!learned.contains(secret), "{secret}: {learned}");
    }
    folder.write("cases.jsonl", &lines).unwrap();
    let (code, said, told) =
        wicketgate(folder.path(), &["test-policy", "--route", "chat", "--cases", "cases.jsonl"]);
    assert!(code == 0 && said.lines().all(|line| line.ends_with(" forward")), "{said}{told}");
    let stage = Stage::start(|_| Answer::Echo, ", policy: learned", &enforcing(&folder)).await;
    let mut client = RawClient::open(&stage.endpoint(), "/chat").await.unwrap();
    for message in traffic::chat(4) {
        client.echoes(&message.to_string()).await.unwrap();
    }
}
