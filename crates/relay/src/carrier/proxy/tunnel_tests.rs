//! A tunnel through a proxy: what is asked, and every kind of answer.

#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use wicketgate_config::Secret;

use super::*;

async fn read_head(proxy: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(proxy.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// What becomes of a request that is answered so, and the request.
async fn answered(
    answer: &[u8],
    credentials: Option<Credentials>,
) -> (Result<DuplexStream, ProxyFault>, String) {
    let (ours, mut proxy) = duplex(1 << 20);
    let target = Target::new("gateway.example", 443).unwrap();
    let asked = async {
        let head = read_head(&mut proxy).await;
        proxy.write_all(answer).await.unwrap();
        // A head without an end is followed by nothing.
        if !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            proxy.shutdown().await.unwrap();
        }
        (head, proxy)
    };
    let (opened, (head, _proxy)) = tokio::join!(open(ours, &target, credentials.as_ref()), asked);
    (opened, head)
}

async fn fault_of(answer: &[u8]) -> String {
    answered(answer, None).await.0.unwrap_err().to_string()
}

#[tokio::test]
async fn a_tunnel_is_asked_for_by_name_and_carries_bytes() {
    let (ours, mut proxy) = duplex(1 << 16);
    let target = Target::new("gateway.example", 443).unwrap();
    let credentials = Credentials::new("alice".into(), Secret::new("s3cret")).unwrap();
    let (opened, head) = tokio::join!(open(ours, &target, Some(&credentials)), async {
        let head = read_head(&mut proxy).await;
        proxy.write_all(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n").await.unwrap();
        head
    });
    assert!(head.starts_with("CONNECT gateway.example:443 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nhost: gateway.example:443\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: basic ywxpy2u6cznjcmv0\r\n"), "{head}");
    let mut tunnel = opened.unwrap();
    tunnel.write_all(b"over").await.unwrap();
    proxy.write_all(b"back").await.unwrap();
    let mut bytes = [0; 4];
    proxy.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"over");
    tunnel.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"back");
    assert_eq!(Target::new("2001:db8::1", 1).unwrap().to_string(), "[2001:db8::1]:1");
    assert!(Target::new("a b", 1).is_none());
}

#[tokio::test]
async fn what_a_proxy_says_no_by_is_told_apart() {
    for (answer, says) in [
        (&b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"[..], "gateway.proxy"),
        (
            b"HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
            "by Negotiate, NTLM (407)",
        ),
        (b"HTTP/1.1 403 no\r\nContent-Length: 99999999\r\n\r\n", "connection to gateway.example:443 (403)"),
        (b"HTTP/1.1 502 x\r\n\r\n", "through to gateway.example:443 (502"),
        (b"HTTP/1.1 405 x\r\n\r\n", "answers 405"),
        (b"HTTP/1.1 302 x\r\nLocation: http://login/\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n", "nobody has asked for"),
        (b"SSH-2.0-x\r\n\r\n", "no answer of an HTTP proxy"),
        (b"HTTP/1.1 2", "no answer of an HTTP proxy"),
    ] {
        let said = fault_of(answer).await;
        assert!(said.contains(says), "{}: {said}", String::from_utf8_lossy(answer));
    }
    for status in ["407", "401"] {
        let known = Credentials::new("alice".into(), Secret::new("wrong")).unwrap();
        let answer = format!("HTTP/1.1 {status} x\r\n\r\n");
        let (refused, _) = answered(answer.as_bytes(), Some(known)).await;
        assert!(matches!(refused, Err(ProxyFault::WrongCredentials)));
    }
    // What it says is shown as far as it is a word.
    let said =
        fault_of(b"HTTP/1.1 407 x\r\nProxy-Authenticate: <script>\r\nProxy-Authenticate: Digest x\r\n\r\n")
            .await;
    assert!(said.contains("by Digest (407)"), "{said}");
}

#[tokio::test]
async fn a_head_without_an_end_is_given_up() {
    let mut endless = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    endless.resize(2 * MAX_HEAD, b'x');
    assert!(matches!(answered(&endless, None).await.0, Err(ProxyFault::TooLarge(MAX_HEAD))));
    let mut many = b"HTTP/1.1 200 OK\r\n".to_vec();
    (0..2000).for_each(|_| many.extend_from_slice(b"a: b\r\n"));
    many.extend_from_slice(b"\r\n");
    assert!(matches!(answered(&many, None).await.0, Err(ProxyFault::TooLarge(_))));
}
