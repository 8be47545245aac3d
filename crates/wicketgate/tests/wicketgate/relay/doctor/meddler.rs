//! Something on the way that does to requests and frames what a test wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_testkit::raw::Frame;

/// What a client's frame becomes; else the code that the client is closed with.
pub(super) type Change = fn(Frame) -> Result<Vec<Frame>, u16>;

/// What it does.
#[derive(Clone, Default)]
pub(super) struct Habits {
    /// Of the request, this text is replaced by that.
    pub(super) head: Option<(&'static str, &'static str)>,
    /// What it makes of a client's frames.
    pub(super) frame: Option<Change>,
    /// What comes from the gateway goes on once nothing more has come for so long.
    pub(super) hold: Option<Duration>,
}

pub(super) struct Meddler {
    pub(super) addr: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl Meddler {
    pub(super) async fn before(gateway: SocketAddr, habits: Habits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let habits = Arc::new(habits);
        let serve = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, gateway, habits.clone()));
            }
        };
        Self { addr, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) }
    }
}

async fn carry(mut near: TcpStream, gateway: SocketAddr, habits: Arc<Habits>) -> Option<()> {
    let mut far = TcpStream::connect(gateway).await.ok()?;
    let ((mut near_read, mut near_write), (mut far_read, mut far_write)) = (near.split(), far.split());
    let hold = habits.hold;
    let up = async {
        let mut bytes = Vec::new();
        let end = loop {
            near_read.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let mut head = String::from_utf8(bytes.drain(..end).collect()).ok()?;
        if let Some((from, to)) = habits.head {
            assert!(head.contains(from), "no {from:?} in {head}");
            head = head.replace(from, to);
        }
        far_write.write_all(head.as_bytes()).await.ok()?;
        loop {
            while let (Some(change), Some((frame, length))) = (habits.frame, Frame::parse(&bytes)) {
                bytes.drain(..length);
                match change(frame) {
                    Ok(frames) => {
                        for frame in frames {
                            far_write.write_all(&frame.bytes()).await.ok()?;
                        }
                    }
                    Err(code) => return Some(code),
                }
            }
            if habits.frame.is_none() {
                far_write.write_all(&bytes).await.ok()?;
                bytes.clear();
            }
            take(&mut near_read, &mut bytes, None).await?;
        }
    };
    let down = async {
        let mut bytes = Vec::new();
        loop {
            take(&mut far_read, &mut bytes, hold).await?;
            near_write.write_all(&bytes).await.ok()?;
            bytes.clear();
        }
    };
    let code = tokio::select! {
        code = up => code?,
        end = down => return end,
    };
    near_write.write_all(&Frame::close(code, "").bytes()).await.ok()
}

/// Takes in what comes; and what comes after it, until nothing has come for as long as bytes are held.
async fn take(
    read: &mut (impl AsyncReadExt + Unpin),
    bytes: &mut Vec<u8>,
    hold: Option<Duration>,
) -> Option<()> {
    read.read_buf(bytes).await.ok().filter(|read| *read > 0)?;
    let Some(hold) = hold else { return Some(()) };
    while let Ok(more) = timeout(hold, read.read_buf(bytes)).await {
        if more.ok()? == 0 {
            break;
        }
    }
    Some(())
}
