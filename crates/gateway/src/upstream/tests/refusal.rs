//! A target's own answers to a handshake, passed on with all kinds of bodies.

use tokio::io::AsyncWriteExt;

use super::*;

async fn refused(answer: &'static str) -> (Upstream, http::Response<Body>) {
    let server = Server::new(move |mut stream, _| async move {
        read_head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        // Half of the cases tell the end of the body by it; the others must not need it.
        if answer.contains("close") {
            stream.shutdown().await.unwrap();
        }
        let mut rest = Vec::new();
        // hyper must not have sent a request of its own.
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    })
    .await;
    let upstream = upstream(&[server.url()], |_| {});
    match open(&upstream).await.unwrap() {
        Opened::Refused(response) => (upstream, response),
        Opened::WebSocket(_) => panic!("upgraded"),
    }
}

#[tokio::test]
async fn bodies_of_all_framings_pass() {
    let cases = [
        (
            401,
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 5\r\n\r\nlogin",
            "login",
        ),
        (
            302,
            "HTTP/1.1 302 Found\r\nlocation: /in\r\ntransfer-encoding: chunked\r\n\r\n3\r\nsee\r\n2\r\n i\r\n0\r\n\r\n",
            "see i",
        ),
        (403, "HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\nuntil the end", "until the end"),
        (426, "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\n\r\n", ""),
        (500, "HTTP/1.0 500 Oops\r\n\r\nclose", "close"),
    ];
    for (status, answer, body) in cases {
        let (upstream, response) = refused(answer).await;
        assert_eq!(response.status(), status);
        assert_eq!(text(response.into_body()).await, body);
        assert_eq!(open_count(&upstream, 0), 0);
        assert!(upstream.targets()[0].is_healthy());
    }
}

#[tokio::test]
async fn headers_of_a_refusal_are_the_target_s() {
    let (_, response) =
        refused("HTTP/1.1 401 No\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_refusal_that_ends_early_is_an_error_of_its_body() {
    let (_, response) = refused("HTTP/1.1 401 close\r\ncontent-length: 50\r\n\r\nonly this").await;
    assert!(soon(response.into_body().collect()).await.is_err());
}

#[tokio::test]
async fn the_target_counts_as_busy_until_the_body_has_ended() {
    let (upstream, response) = refused("HTTP/1.1 401 No\r\ncontent-length: 5\r\n\r\nlogin").await;
    assert_eq!(open_count(&upstream, 0), 1);
    drop(response);
    assert_eq!(open_count(&upstream, 0), 0);
}
