//! What whoever ends TLS on the way can see.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::{Seen, Wire};
use super::{Site, echo};

/// What is said in a session.
const SECRET: &[u8] = b"the password of the whole hospital";

/// The payload of a client's or a server's frames, unmasked.
fn payload(mut bytes: &[u8]) -> Vec<u8> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("the head of a handshake");
    bytes = &bytes[head + 4..];
    let mut payload = Vec::new();
    while bytes.len() >= 2 {
        let (masked, short) = (bytes[1] & 0x80 != 0, usize::from(bytes[1] & 0x7f));
        let (length, mut at) = match short {
            126 if bytes.len() >= 4 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            126 | 127 => break,
            short => (short, 2),
        };
        let mut key = [0; 4];
        if masked {
            let Some(found) = bytes.get(at..at + 4) else { break };
            key.copy_from_slice(found);
            at += 4;
        }
        let end = (at + length).min(bytes.len());
        payload.extend(bytes[at..end].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes = &bytes[end..];
    }
    payload
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_payload_nor_names_are_seen_on_the_way() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site.start().await;
    let (near, far) = (Wire::to(site.gateway.addr()).await, Wire::to(site.gateway.addr()).await);
    let _agent = site.agent(&site.plain(far.addr()), service).await;
    let (_client, address) = site.client(&site.plain(near.addr()), "echo").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(SECRET).await.unwrap();
    let mut back = vec![0; SECRET.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, SECRET);
    let seen: Vec<Seen> = near.seen().into_iter().chain(far.seen()).collect();
    // A control connection and a carrier on each side.
    assert_eq!(seen.len(), 4);
    for (number, Seen { up, down }) in seen.iter().enumerate() {
        for bytes in [up, down] {
            let inside = payload(bytes);
            assert!(inside.len() > 100, "something was carried");
            for word in [SECRET, b"alice", b"office", b"echo", b"spiffe", b"site.example", b"front"] {
                let word_text = String::from_utf8_lossy(word);
                assert!(!holds(&inside, word), "`{word_text}` is seen on connection {number}");
                assert!(!holds(bytes, word), "`{word_text}` is seen on connection {number}");
            }
        }
    }
    // Nor does the gateway see what is said.
    assert!(!gateway.process().output().contains("password"));
}
