//! Proxies of the tests' own: honest ones that know names of their own, and bad ones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What a proxy does with who asks.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    /// It connects to this address, whatever the name.
    Leads(SocketAddr),
    /// It says this, and keeps the connection.
    Says(Vec<u8>),
    /// It goes on saying the second after the first, until nobody hears it.
    Babbles(&'static [u8], &'static [u8]),
    /// It says nothing.
    Silent,
}

/// A proxy, and the heads of the requests that it had.
pub(super) struct Raw {
    pub(super) addr: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Raw {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        let serve = async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, manner.clone(), seen.clone()));
            }
        };
        Self { addr, heads, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn answer(mut socket: TcpStream, manner: Manner, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { return };
        head.push(byte);
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    match manner {
        Manner::Leads(to) => {
            let mut far = TcpStream::connect(to).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut socket, &mut far).await;
        }
        Manner::Says(words) => {
            let _ = socket.write_all(&words).await;
            let _ = socket.read(&mut [0; 1]).await;
        }
        Manner::Babbles(first, words) => {
            let _ = socket.write_all(first).await;
            while socket.write_all(words).await.is_ok() {}
        }
        Manner::Silent => {
            let _ = socket.read(&mut [0; 1]).await;
        }
    }
}
