//! What the client does with endpoints that answer badly, late, or with too much.

#![allow(clippy::unwrap_used)]
//! A peer that answers as it is told, and what becomes of its answers.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wicketgate_config::{At, Place, Problems, Time};
use wicketgate_testkit::tls::Authority;

use super::*;

fn config(raw: RawFetch) -> FetchConfig {
    raw.check(Place::UNKNOWN, &mut Problems::default()).unwrap()
}

fn quick(millis: u64) -> FetchConfig {
    config(RawFetch { timeout: Some(At::nowhere(Time::millis(millis))), ..RawFetch::default() })
}

/// Answers every request with these bytes and closes, or says nothing more if there are none.
async fn peer(answer: &'static [u8]) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys?secret=1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                stream.write_all(answer).await.unwrap();
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    Endpoint::parse(&url, false).unwrap()
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let endpoint = peer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(Fetcher::new(&quick(5000), 2).get(&endpoint).await.unwrap(), "ok");
    assert!(endpoint.to_string().ends_with("/keys"), "{endpoint}");
}

#[tokio::test]
async fn answers_that_are_too_large_are_not_taken_with_or_without_a_length() {
    for answer in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nabc".as_slice(),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc",
    ] {
        let error = Fetcher::new(&quick(5000), 2).get(&peer(answer).await).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge(2));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let endpoint =
        peer(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(Fetcher::new(&quick(5000), 2).get(&endpoint).await.unwrap_err(), FetchError::Status(302));
}

#[tokio::test]
async fn silence_and_absence_end_in_time() {
    let start = Instant::now();
    let fetcher = Fetcher::new(&quick(100), 2);
    let error = fetcher.get(&peer(b"").await).await.unwrap_err();
    assert_eq!(error, FetchError::Late(Duration::from_millis(100)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Endpoint::parse(&format!("http://{}/", listener.local_addr().unwrap()), false).unwrap();
    drop(listener);
    let error = fetcher.get(&nobody).await.unwrap_err();
    assert!(matches!(&error, FetchError::Exchange(why) if why.contains("refused")), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn only_a_trusted_authority_is_believed() {
    let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = tokio_rustls::TlsAcceptor::from(theirs.localhost().unwrap().server(&[]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = server.accept(stream).await {
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    let endpoint = Endpoint::parse(&url, false).unwrap();
    let trusting = |authority: &Authority| {
        let ca = Some(At::nowhere(authority.ca_file()));
        Fetcher::new(&config(RawFetch { ca, ..RawFetch::default() }), 2)
    };
    assert_eq!(trusting(&theirs).get(&endpoint).await.unwrap(), "ok");
    for stranger in [trusting(&ours), Fetcher::new(&quick(5000), 2)] {
        let error = stranger.get(&endpoint).await.unwrap_err();
        assert!(
            matches!(&error, FetchError::Exchange(why) if why.starts_with("invalid peer certificate")),
            "{error}"
        );
    }
}

#[test]
fn urls_lead_where_nobody_can_listen() {
    for good in ["https://id.example/", "http://127.0.0.1:80/a?b", "http://[::1]/", "http://localhost:1"] {
        assert!(Endpoint::parse(good, false).is_ok(), "{good}");
    }
    for bad in [
        "http://id.example/",
        "ftp://id.example/",
        "/keys",
        "https://u:p@id.example/",
        "https://u@id.example",
        "http://127.0.0.1.example/",
    ] {
        assert!(Endpoint::parse(bad, false).is_err(), "{bad}");
    }
    assert!(Endpoint::parse("http://id.example/", true).is_ok());
}

#[test]
fn what_is_wrong_is_told() {
    let mut problems = Problems::default();
    let missing = RawFetch { ca: Some(At::nowhere("/nowhere/ca.pem".into())), ..RawFetch::default() };
    assert!(missing.check(Place::UNKNOWN, &mut problems).is_none());
    assert!(problems.iter().next().unwrap().what.contains("no usable authority"));
}
