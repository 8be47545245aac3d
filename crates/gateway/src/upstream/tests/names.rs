//! Names that change, fail and come back.

use std::io;
use std::sync::Mutex;

use tokio::io::AsyncWriteExt;

use super::*;

/// A resolver that gives what stands in it, and counts how often it was asked.
#[derive(Clone, Default)]
struct Table {
    answer: Arc<Mutex<Option<Vec<SocketAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Table {
    fn set(&self, answer: &[SocketAddr]) {
        *self.answer.lock().unwrap() = Some(answer.to_vec());
    }

    fn lookup(&self) -> resolve::Lookup {
        let table = self.clone();
        Arc::new(move |host, _| {
            assert_eq!(host, "chat.test");
            let answer = table.answer.lock().unwrap().clone();
            table.asked.fetch_add(1, SeqCst);
            Box::pin(async move { answer.ok_or(io::Error::other("no such name")) })
        })
    }
}

/// Says who it is, and reports when a connection was closed.
async fn named(name: &'static str) -> (Server, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let (sender, closed) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::new(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            while stream.peek(&mut [0]).await.is_ok_and(|count| count > 0) {
                read_head(&mut stream).await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            sender.send(()).unwrap();
        }
    })
    .await;
    (server, closed)
}

async fn who(upstream: &Upstream) -> Result<String, UpstreamError> {
    Ok(text(soon(upstream.send_any(get("/"), Affinity::none())).await?.into_body()).await)
}

#[tokio::test]
async fn a_changed_answer_moves_new_sessions_and_closes_what_is_unused() {
    let ((old, mut old_closed), (new, _new_closed)) = (named("old").await, named("new").await);
    let table = Table::default();
    table.set(&[old.address]);
    let urls = ["http://chat.test:8080".to_owned()];
    let upstream = upstream_with(&urls, &table.lookup(), |raw| raw.resolve.interval = ms(5));
    assert_eq!(who(&upstream).await.unwrap(), "old");
    assert_eq!(upstream.targets()[0].pooled(), 1);
    table.set(&[new.address]);
    soon(old_closed.recv()).await.unwrap();
    assert_eq!(who(&upstream).await.unwrap(), "new");
}

#[tokio::test]
async fn the_last_good_answer_is_kept() {
    let (server, _closed) = named("here").await;
    let table = Table::default();
    table.set(&[server.address]);
    let urls = ["http://chat.test".to_owned()];
    let upstream = upstream_with(&urls, &table.lookup(), |raw| raw.resolve.interval = ms(5));
    assert_eq!(who(&upstream).await.unwrap(), "here");
    *table.answer.lock().unwrap() = None;
    let asked = table.asked.load(SeqCst);
    eventually(|| table.asked.load(SeqCst) > asked + 2).await;
    assert_eq!(who(&upstream).await.unwrap(), "here");
    table.set(&[]);
    let asked = table.asked.load(SeqCst);
    eventually(|| table.asked.load(SeqCst) > asked + 2).await;
    assert_eq!(who(&upstream).await.unwrap(), "here");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_502_until_it_does() {
    let (server, _closed) = named("late").await;
    let table = Table::default();
    let urls = ["http://chat.test".to_owned()];
    let upstream = upstream_with(&urls, &table.lookup(), |raw| raw.resolve.interval = ms(5));
    let error = who(&upstream).await.unwrap_err();
    assert_eq!((error.label(), error.status().as_u16()), ("dns", 502));
    assert!(error.to_string().contains("no such name"));
    table.set(&[server.address]);
    eventually(|| {
        table.asked.load(SeqCst) > 0 && upstream.targets()[0].name.as_ref().unwrap().has(server.address)
    })
    .await;
    assert_eq!(who(&upstream).await.unwrap(), "late");
}

#[tokio::test]
async fn a_resolver_that_hangs_is_a_504() {
    let lookup: resolve::Lookup = Arc::new(|_, _| Box::pin(std::future::pending()));
    let upstream =
        upstream_with(&["http://chat.test".to_owned()], &lookup, |raw| raw.timeouts.connect = ms(30));
    let error = who(&upstream).await.unwrap_err();
    assert_eq!((error.label(), error.status().as_u16()), ("connect_timeout", 504));
}

#[tokio::test]
async fn the_next_address_of_a_name_is_tried() {
    let (server, _closed) = named("second").await;
    let (_socket, gone) = closed();
    let table = Table::default();
    table.set(&[gone, server.address]);
    let upstream = upstream_with(&["http://chat.test".to_owned()], &table.lookup(), |_| {});
    assert_eq!(who(&upstream).await.unwrap(), "second");
}

#[tokio::test]
async fn the_system_resolves_localhost() {
    let (server, _closed) = named("local").await;
    let upstream = upstream(&[format!("http://localhost:{}", server.address.port())], |_| {});
    assert_eq!(who(&upstream).await.unwrap(), "local");
}
