//! `TlsStream` against tokio-rustls at the other end of real sockets.

#![allow(clippy::unwrap_used, clippy::large_futures)]

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::testing::{Issued, NAME, tcp_pair};
use crate::{HandshakeError, TlsStream};

/// What the server speaks.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).unwrap()
}

/// Ours as the server, tokio-rustls as the client.
async fn as_server(
    client: Arc<ClientConfig>,
    issued: &Issued,
) -> (TlsStream<TcpStream>, client::TlsStream<TcpStream>) {
    let (near, far) = tcp_pair().await;
    let ours = TlsStream::accept(far, issued.server(ALPN), None);
    let theirs = TlsConnector::from(client).connect(name(), near);
    let (ours, theirs) = tokio::join!(ours, theirs);
    (ours.unwrap(), theirs.unwrap())
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

/// Sends `data` in pieces of `piece` bytes while the far end reads it, and compares.
async fn carry(
    from: &mut (impl AsyncWrite + Unpin),
    to: &mut (impl AsyncRead + Unpin),
    data: &[u8],
    piece: usize,
    read: usize,
) {
    let write = async {
        for piece in data.chunks(piece) {
            from.write_all(piece).await.unwrap();
        }
        from.flush().await.unwrap();
    };
    let check = async {
        let (mut seen, mut buffer) = (0, vec![0; read]);
        while seen < data.len() {
            let n = to.read(&mut buffer).await.unwrap();
            assert!(n > 0, "ended after {seen} bytes");
            assert_eq!(buffer[..n], data[seen..seen + n]);
            seen += n;
        }
    };
    timeout(Duration::from_secs(60), async { tokio::join!(write, check) }).await.unwrap();
}

#[tokio::test]
async fn every_piece_size_passes_both_ways_in_both_versions() {
    let issued = Issued::new();
    for version in rustls::ALL_VERSIONS {
        let client = issued.speaking(&[version], &[b"http/1.1"]);
        let (mut ours, mut theirs) = as_server(client, &issued).await;
        for piece in [1, 2, 100, 1023, 16_383, 16_384, 16_385, 65_535, 65_536, 70_000, 300_000] {
            let data = pattern((piece * 7).clamp(500, 900_000));
            for read in [piece.div_ceil(3), 16_384, 100_000] {
                carry(&mut ours, &mut theirs, &data, piece, read).await;
                carry(&mut theirs, &mut ours, &data, piece, read).await;
            }
        }
        assert!(ours.engine.held().is_empty() && ours.engine.outgoing().is_empty(), "idle holds no bytes");
    }
}

#[tokio::test]
async fn our_client_speaks_to_their_server() {
    let issued = Issued::new();
    let (near, far) = tcp_pair().await;
    let theirs = TlsAcceptor::from(issued.server(ALPN)).accept(far);
    let ours = TlsStream::connect(near, issued.trusting(&[b"http/1.1"]), name(), None);
    let serve = async {
        // The server speaks first: our last flight must not wait for our first write.
        let mut theirs = theirs.await.unwrap();
        theirs.write_all(b"hello").await.unwrap();
        theirs
    };
    let dial = async {
        let (mut ours, mut hello) = (ours.await.unwrap(), [0; 5]);
        ours.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        ours
    };
    let (mut theirs, mut ours) =
        timeout(Duration::from_secs(10), async { tokio::join!(serve, dial) }).await.unwrap();
    assert_eq!(ours.alpn(), Some(&b"http/1.1"[..]));
    assert_eq!(ours.peer_certificates().unwrap()[0].as_ref(), issued.der());
    let data = pattern(1_000_000);
    carry(&mut ours, &mut theirs, &data, 50_000, 50_000).await;
    carry(&mut theirs, &mut ours, &data, 50_000, 50_000).await;
}

#[tokio::test]
async fn what_was_negotiated_is_told() {
    let issued = Issued::new();
    let client = issued.trusting(&[b"h2", b"http/1.1"]);
    let (ours, mut theirs) = as_server(client.clone(), &issued).await;
    assert_eq!(ours.alpn(), Some(&b"h2"[..]));
    assert_eq!(ours.server_name(), Some(NAME));
    assert_eq!(ours.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert!(ours.cipher_suite().unwrap().as_str().unwrap().starts_with("TLS13_"));
    assert!(ours.peer_certificates().is_none());
    assert!(!ours.is_resumed());
    // The tickets went out with the first bytes; the next connection resumes by one of them.
    let mut ours = ours;
    carry(&mut ours, &mut theirs, b"tickets ride in front", 99, 99).await;
    let config = issued.server(ALPN);
    let mut last = None;
    for _ in 0..2 {
        let (near, far) = tcp_pair().await;
        let accepting = TlsStream::accept(far, config.clone(), None);
        let connecting = TlsConnector::from(client.clone()).connect(name(), near);
        let (ours, theirs) = tokio::join!(accepting, connecting);
        let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
        carry(&mut ours, &mut theirs, b"x", 1, 1).await;
        assert_eq!(ours.server_name(), Some(NAME), "also of a resumed connection");
        last = Some(ours.is_resumed());
    }
    assert_eq!(last, Some(true));
}

#[tokio::test]
async fn each_direction_closes_by_itself() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    theirs.write_all(b"last words").await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut all = Vec::new();
    ours.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"last words");
    assert_eq!(ours.read(&mut [0; 9]).await.unwrap(), 0, "the end stays the end");

    let data = pattern(100_000);
    let answer = async {
        ours.write_all(&data).await.unwrap();
        ours.shutdown().await.unwrap();
    };
    let mut seen = Vec::new();
    let (_, read) = tokio::join!(answer, theirs.read_to_end(&mut seen));
    assert_eq!(read.unwrap(), data.len(), "ended by close_notify, else this is an error");
    assert_eq!(ours.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn an_end_without_close_notify_is_told_from_a_clean_one() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    theirs.write_all(b"cut here").await.unwrap();
    theirs.get_mut().0.shutdown().await.unwrap();
    let mut all = Vec::new();
    assert_eq!(ours.read_to_end(&mut all).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(all, b"cut here");
}

#[tokio::test]
async fn keys_are_updated_by_either_side_under_way() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    let data = pattern(200_000);
    for _ in 0..5 {
        theirs.get_mut().1.refresh_traffic_keys().unwrap();
        carry(&mut theirs, &mut ours, &data, 10_000, 30_000).await;
        carry(&mut ours, &mut theirs, &data, 10_000, 30_000).await;
    }
}

#[tokio::test]
async fn large_transfers_both_ways_at_once_wait_for_a_slow_reader() {
    let issued = Issued::new();
    let (ours, theirs) = as_server(issued.trusting(&[]), &issued).await;
    let (mut our_reader, mut our_writer) = tokio::io::split(ours);
    let (mut their_reader, mut their_writer) = tokio::io::split(theirs);
    let data = pattern(8_000_000);
    tokio::join!(
        carry(&mut our_writer, &mut their_reader, &data, 200_000, 700),
        carry(&mut their_writer, &mut our_reader, &data, 200_000, 700),
    );
}

#[tokio::test]
async fn a_writer_is_held_back_and_keeps_a_bounded_rest() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    let data = pattern(64 * 1024);
    let mut accepted = 0;
    // A writer that stays blocked for a tenth of a second over loopback is held back for good.
    while let Ok(n) = timeout(Duration::from_millis(100), ours.write(&data)).await {
        accepted += n.unwrap();
        assert!(accepted < 64 << 20, "never held back");
        assert!(ours.engine.outgoing().len() < 80 * 1024);
    }
    let mut seen = vec![0; accepted];
    let (flushed, read) = tokio::join!(ours.flush(), theirs.read_exact(&mut seen));
    flushed.unwrap();
    read.unwrap();
    assert!(ours.engine.outgoing().is_empty());
}

/// The client's bytes pass through here one by one, each in a segment of its own.
#[tokio::test]
async fn records_arriving_byte_by_byte_are_put_together() {
    let issued = Issued::new();
    let ((near, middle), (bridge, far)) = (tcp_pair().await, tcp_pair().await);
    bridge.set_nodelay(true).unwrap();
    let (mut from_client, mut to_client) = middle.into_split();
    let (mut from_server, mut to_server) = bridge.into_split();
    let drip = tokio::spawn(async move {
        while let Ok(byte) = from_client.read_u8().await {
            to_server.write_u8(byte).await.unwrap();
        }
        to_server.shutdown().await.unwrap();
    });
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let ours = TlsStream::accept(far, issued.server(ALPN), None);
    let theirs = TlsConnector::from(issued.trusting(&[])).connect(name(), near);
    let (ours, theirs) = tokio::join!(ours, theirs);
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    let data = pattern(20_000);
    carry(&mut theirs, &mut ours, &data, 700, 64).await;
    carry(&mut ours, &mut theirs, &data, 700, 64).await;
    theirs.shutdown().await.unwrap();
    assert_eq!(ours.read(&mut [0]).await.unwrap(), 0);
    drop((ours, theirs));
    drip.await.unwrap();
    back.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_handshake_fails_with_an_alert_and_without_a_panic() {
    let issued = Issued::new();
    let inputs: [&[u8]; 6] = [
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05hello",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x17\x03\x03\x00\x05hello",
        b"ssh-2.0",
    ];
    for input in inputs {
        let (mut near, far) = tcp_pair().await;
        near.write_all(input).await.unwrap();
        near.shutdown().await.unwrap();
        let accepting = TlsStream::accept(far, issued.server(ALPN), None);
        let failed = timeout(Duration::from_secs(5), accepting).await.unwrap().unwrap_err();
        assert!(matches!(failed, HandshakeError::Tls(_) | HandshakeError::Closed), "{input:?}: {failed}");
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer[0] == 21, "an alert or nothing: {answer:?}");
    }
}

#[tokio::test]
async fn a_truncated_handshake_ends_and_a_silent_one_times_out() {
    let issued = Issued::new();
    let mut hello = Vec::new();
    let mut client = rustls::ClientConnection::new(issued.trusting(&[]), name()).unwrap();
    client.write_tls(&mut hello).unwrap();
    for length in [0, 1, 4, 5, 6, 50, hello.len() - 1] {
        let (mut near, far) = tcp_pair().await;
        near.write_all(&hello[..length]).await.unwrap();
        near.shutdown().await.unwrap();
        let failed = TlsStream::accept(far, issued.server(ALPN), None).await.unwrap_err();
        assert!(matches!(failed, HandshakeError::Closed), "{length}: {failed}");
    }
    let (_near, far) = tcp_pair().await;
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let failed = TlsStream::accept(far, issued.server(ALPN), deadline).await.unwrap_err();
    assert!(matches!(failed, HandshakeError::TimedOut), "{failed}");
}

#[tokio::test]
async fn plain_http_gives_the_socket_back() {
    let issued = Issued::new();
    let (mut near, far) = tcp_pair().await;
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let failed = TlsStream::accept(far, issued.server(ALPN), None).await.unwrap_err();
    assert!(matches!(failed, HandshakeError::PlainHttp(_)), "{failed}");
}

#[tokio::test]
async fn a_handshake_message_without_end_is_cut_off() {
    let issued = Issued::new();
    let (mut near, far) = tcp_pair().await;
    // A ClientHello that announces 65,535 bytes, in records that hold one byte each.
    let flood = tokio::spawn(async move {
        let mut record = vec![0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff];
        loop {
            if near.write_all(&record).await.is_err() {
                return;
            }
            record = [0x16, 3, 1, 0, 1, 0].repeat(1000);
        }
    });
    let accepting = TlsStream::accept(far, issued.server(ALPN), None);
    let failed = timeout(Duration::from_secs(10), accepting).await.unwrap().unwrap_err();
    assert!(failed.to_string().contains("too long"), "{failed}");
    timeout(Duration::from_secs(10), flood).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_changed_byte_ends_the_connection_with_an_alert() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    theirs.write_all(b"good").await.unwrap();
    theirs.flush().await.unwrap();
    theirs.get_mut().0.write_all(&[0x17, 3, 3, 0, 20]).await.unwrap();
    theirs.get_mut().0.write_all(&[7; 20]).await.unwrap();
    let mut all = Vec::new();
    let failed = ours.read_to_end(&mut all).await.unwrap_err();
    assert_eq!(all, b"good", "what came before is delivered");
    assert!(matches!(failed.kind(), ErrorKind::InvalidData | ErrorKind::ConnectionAborted), "{failed}");
    assert_eq!(ours.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let told = theirs.read_u8().await.unwrap_err();
    assert!(told.to_string().contains("BadRecordMac"), "{told}");
}

#[tokio::test]
async fn it_works_under_a_bidirectional_copy_in_memory() {
    let issued = Issued::new();
    let (near, far) = tokio::io::duplex(10_000);
    let ours = TlsStream::accept(far, issued.server(ALPN), None);
    let theirs = TlsConnector::from(issued.trusting(&[])).connect(name(), near);
    let (ours, theirs) = tokio::join!(ours, theirs);
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    let (mut inner, mut outer) = tcp_pair().await;
    let copying = tokio::spawn(async move { copy_bidirectional(&mut ours, &mut inner).await });
    let data = pattern(3_000_000);
    carry(&mut theirs, &mut outer, &data, 10_000, 10_000).await;
    carry(&mut outer, &mut theirs, &data, 10_000, 10_000).await;
    theirs.shutdown().await.unwrap();
    outer.shutdown().await.unwrap();
    assert_eq!(copying.await.unwrap().unwrap(), (3_000_000, 3_000_000));
}

#[tokio::test]
async fn a_stream_that_keeps_what_it_is_given_is_flushed() {
    let issued = Issued::new();
    let (near, far) = tokio::io::duplex(64 << 10);
    let ours = TlsStream::connect(BufStream::new(near), issued.trusting(&[]), name(), None);
    let theirs = TlsAcceptor::from(issued.server(ALPN)).accept(far);
    let both = timeout(Duration::from_secs(10), async { tokio::join!(ours, theirs) }).await.unwrap();
    let (mut ours, mut theirs) = (both.0.unwrap(), both.1.unwrap());
    ours.write_all(b"said").await.unwrap();
    ours.flush().await.unwrap();
    let mut said = [0; 4];
    timeout(Duration::from_secs(10), theirs.read_exact(&mut said)).await.unwrap().unwrap();
    assert_eq!(&said, b"said");
}

#[tokio::test]
async fn slices_arrive_in_their_order_whatever_their_lengths() {
    let issued = Issued::new();
    let (mut ours, mut theirs) = as_server(issued.trusting(&[]), &issued).await;
    let data = pattern(300_000);
    for lengths in [&[1, 2, 3][..], &[12, 65_524], &[1000, 100, 2000, 1, 0, 40_000, 7], &[1024, 1024, 1025]] {
        let mut lengths = lengths.iter().copied().cycle();
        let mut sent = 0;
        let mut seen = vec![0; data.len()];
        let write = async {
            while sent < data.len() {
                let mut from = sent;
                let slices: Vec<_> = lengths
                    .by_ref()
                    .take(7)
                    .map(|length| {
                        let start = from.min(data.len());
                        from = (start + length).min(data.len());
                        IoSlice::new(&data[start..from])
                    })
                    .collect();
                sent += ours.write_vectored(&slices).await.unwrap();
            }
            ours.flush().await.unwrap();
        };
        let (_, read) = tokio::join!(write, theirs.read_exact(&mut seen));
        read.unwrap();
        assert!(seen == data);
    }
}

#[test]
fn it_is_send_and_small() {
    fn send<T: Send>() {}
    send::<TlsStream<TcpStream>>();
    assert!(size_of::<TlsStream<TcpStream>>() <= 1536, "{} bytes", size_of::<TlsStream<TcpStream>>());
}
