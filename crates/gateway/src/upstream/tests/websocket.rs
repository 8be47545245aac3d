//! Handshakes over HTTP/1.1: what is sent, what is believed, what is tried again.

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use wicketgate_wire::handshake::{Extension, Token};

use super::*;

fn offer() -> Offer {
    Offer {
        subprotocols: vec![Token::from_static("chat"), Token::from_static("mqtt")],
        extensions: vec![Extension::new(Token::from_static("permessage-deflate"))],
    }
}

/// Answers every handshake with what `answer` makes of its head, then echoes.
async fn answering(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> Server {
    Server::new(move |mut stream, _| {
        let answer = answer.clone();
        async move {
            let head = read_head(&mut stream).await;
            stream.write_all(answer(&head).as_bytes()).await.unwrap();
            let (mut from, mut to) = stream.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_handshake_is_ours_and_its_stream_flows() {
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = answering(move |head| {
        heads.send(head.to_owned()).unwrap();
        switching(
            head,
            "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate; x=1\r\n",
        )
    })
    .await;
    let upstream = upstream(&[server.url()], |_| {});
    let mut request = parts("/chat/7?token=a");
    request.headers.insert("cookie", "a=b".parse().unwrap());
    request.headers.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
    let Opened::WebSocket(mut websocket) =
        soon(upstream.open_any(request, &offer(), Affinity::none())).await.unwrap()
    else {
        panic!("refused")
    };
    let head = seen.recv().await.unwrap();
    assert!(
        head.starts_with(&format!("GET /chat/7?token=a HTTP/1.1\r\nhost: {}\r\n", server.address)),
        "{head}"
    );
    assert_ne!(header(&head, "sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("chat, mqtt"));
    assert_eq!(header(&head, "cookie"), Some("a=b"));
    assert_eq!(websocket.subprotocol, Some(Token::from_static("mqtt")));
    assert_eq!(websocket.extensions[0].to_string(), "permessage-deflate; x=1");
    assert_eq!(websocket.response.status, 101);
    websocket.stream.write_all(b"echo").await.unwrap();
    let mut back = [0; 4];
    soon(websocket.stream.read_exact(&mut back)).await.unwrap();
    assert_eq!((&back, open_count(&upstream, 0)), (b"echo", 1));
    drop(websocket);
    assert_eq!(open_count(&upstream, 0), 0);
}

#[tokio::test]
async fn every_dial_has_a_key_of_its_own() {
    let (keys, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let server = answering(move |head| {
        keys.send(header(head, "sec-websocket-key").unwrap().to_owned()).unwrap();
        switching(head, "")
    })
    .await;
    let upstream = upstream(&[server.url()], |_| {});
    let _both = (open_websocket(&upstream).await, open_websocket(&upstream).await);
    assert_ne!(seen.recv().await, seen.recv().await);
}

#[tokio::test]
async fn bytes_behind_the_answer_are_kept() {
    let server = answering(|head| switching(head, "") + "\u{1}early").await;
    let upstream = upstream(&[server.url()], |_| {});
    let mut websocket = open_websocket(&upstream).await;
    let mut all = websocket.already_read.to_vec();
    while all.len() < 6 {
        soon(websocket.stream.read_buf(&mut all)).await.unwrap();
    }
    assert_eq!(all, b"\x01early");
}

type Answer = Box<dyn Fn(&str) -> String + Send + Sync>;

#[tokio::test]
async fn an_answer_that_breaks_the_rules_is_a_502() {
    let plain = |text: &str| {
        let text = text.to_owned();
        Box::new(move |_: &str| text.clone()) as Answer
    };
    let changed = |from: &'static str, to: &'static str| {
        Box::new(move |head: &str| {
            let good = switching(head, "");
            assert!(good.contains(from));
            good.replace(from, to)
        }) as Answer
    };
    let cases: Vec<(&str, Answer)> = vec![
        ("bad_handshake", changed("Accept: ", "Accept: x")),
        ("bad_handshake", changed("Upgrade: websocket\r\n", "")),
        ("bad_handshake", changed("Upgrade: websocket", "Upgrade: h2c")),
        ("bad_handshake", changed("Connection: Upgrade", "Connection: close")),
        ("bad_handshake", changed("\r\n\r\n", "\r\nSec-WebSocket-Protocol: soap\r\n\r\n")),
        ("bad_handshake", changed("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-mux\r\n\r\n")),
        ("not_upgraded", changed("101 Switching Protocols", "200 OK")),
        ("not_upgraded", changed("HTTP/1.1 101", "HTTP/1.0 101")),
        ("not_upgraded", plain("HTTP/1.1 204 No Content\r\n\r\n")),
        ("malformed_head", plain("SSH-2.0-OpenSSH_9.9\r\n\r\n")),
        ("malformed_head", plain("\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n")),
        ("malformed_head", plain("HTTP/1.1 101 Switching\r\nfolded: a\r\n b\r\n\r\n")),
        ("malformed_head", plain(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(9))),
    ];
    for (label, answer) in cases {
        let answer: Arc<dyn Fn(&str) -> String + Send + Sync> = answer.into();
        let server = answering(move |head| answer(head)).await;
        let error = open(&upstream(&[server.url()], |_| {})).await.err().expect(label);
        assert_eq!((error.label(), error.status().as_u16()), (label, 502), "{error}");
    }
}

#[tokio::test]
async fn interim_responses_are_passed_over() {
    let server = answering(|head| {
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n".to_owned()
            + &switching(head, "")
            + "x"
    })
    .await;
    let websocket = open_websocket(&upstream(&[server.url()], |_| {})).await;
    assert_eq!(&websocket.already_read[..], b"x");
}

#[tokio::test]
async fn an_answer_that_dribbles_in_is_read_to_its_end() {
    let server = Server::new(|mut stream, _| async move {
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream).await;
        for byte in switching(&head, "").into_bytes() {
            stream.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        let _ = stream.read_u8().await;
    })
    .await;
    assert!(open_websocket(&upstream(&[server.url()], |_| {})).await.already_read.is_empty());
}

#[tokio::test]
async fn a_slow_answer_is_a_504() {
    let server = Server::new(|mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 101 Swi").await.unwrap();
        let _ = stream.read_u8().await;
    })
    .await;
    let upstream = upstream(&[server.url()], |raw| raw.timeouts.handshake = ms(50));
    let error = open(&upstream).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("handshake_timeout", 504));
    assert_eq!(open_count(&upstream, 0), 0);
}

#[tokio::test]
async fn a_huge_answer_is_cut_off() {
    let long = |head: &str| switching(head, &format!("x: {}\r\n", "y".repeat(40 << 10)));
    let many = |head: &str| switching(head, &"x: y\r\n".repeat(101));
    let endless = |_: &str| format!("HTTP/1.1 101 Switching Protocols\r\nx: {}", "y".repeat(40 << 10));
    for server in [answering(long).await, answering(many).await, answering(endless).await] {
        let error = open(&upstream(&[server.url()], |_| {})).await.err().unwrap();
        assert_eq!(error.label(), "head_too_large");
    }
}

#[tokio::test]
async fn a_target_that_refuses_is_passed_over() {
    let server = answering(|head| switching(head, "")).await;
    let upstream = upstream(&[closed_url(), closed_url(), server.url()], |raw| {
        raw.balance = crate::upstream::balance::Balance::LeastConnections;
    });
    let websocket = open_websocket(&upstream).await;
    assert_eq!(websocket.target.address().as_str(), server.url());
    let failures = |index: usize| upstream.targets()[index].counters().failures.load(SeqCst);
    assert_eq!((failures(0), failures(1), failures(2)), (1, 1, 0));
}

#[tokio::test]
async fn no_more_targets_are_tried_than_configured() {
    let server = answering(|head| switching(head, "")).await;
    let urls = [closed_url(), closed_url(), server.url()];
    let error = open(&upstream(&urls, |raw| raw.tries = At::nowhere(2))).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16(), server.accepted()), ("refused", 502, 0));
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_handshake_was_sent() {
    let first = Server::new(|mut stream, _| async move { drop(read_head(&mut stream).await) }).await;
    let second = answering(|head| switching(head, "")).await;
    let error = open(&upstream(&[first.url(), second.url()], |_| {})).await.err().unwrap();
    assert_eq!(error.label(), "closed_early");
    assert_eq!((first.accepted(), second.accepted()), (1, 0));
}

#[tokio::test]
async fn unix_sockets_are_dialled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        assert_eq!(header(&head, "host"), Some("localhost"));
        stream.write_all(switching(&head, "").as_bytes()).await.unwrap();
        let _ = stream.read_u8().await;
    });
    open_websocket(&upstream(&[format!("unix:{}", path.display())], |_| {})).await;
}

#[tokio::test]
async fn a_client_s_host_goes_on_where_the_caller_leaves_it() {
    let server = answering(|head| {
        assert_eq!(header(head, "host"), Some("chat.example"));
        switching(head, "")
    })
    .await;
    let mut request = parts("/");
    request.headers.insert("host", "chat.example".parse().unwrap());
    let upstream = upstream(&[server.url()], |_| {});
    soon(upstream.open_any(request, &Offer::default(), Affinity::none())).await.unwrap();
}

#[tokio::test]
async fn a_full_target_is_passed_over_and_a_full_upstream_is_a_503() {
    let servers = [answering(|head| switching(head, "")).await, answering(|head| switching(head, "")).await];
    let urls = [servers[0].url(), servers[1].url()];
    let upstream = upstream(&urls, |raw| raw.limits.open = At::nowhere(1));
    let both = [open_websocket(&upstream).await, open_websocket(&upstream).await];
    assert_ne!(both[0].target.address(), both[1].target.address());
    let error = open(&upstream).await.err().unwrap();
    assert_eq!((error.label(), error.status().as_u16()), ("saturated", 503));
    drop(both);
    open_websocket(&upstream).await;
}
