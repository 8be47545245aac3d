//! Several forwards in one session: yamux inside TLS, each stream opened by the name of a service.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use yamux::{Config, Connection, ConnectionError, Mode};

use super::joined::Joined;
use super::paced::Paced;

/// The most streams of one session at once, as either end counts them; one more ends the session.
const MAX_STREAMS: usize = 128;
/// The most that a client opens at once: further ones wait. Fewer than there may be, since a stream that has ended counts until
/// both ends know.
const MAX_OPEN: usize = MAX_STREAMS / 2;
/// The longest name of a service, in bytes, with what may stand before it.
const MAX_SERVICE: usize = 128 + DATAGRAMS.len();
/// What is read at once, in bytes: each stream holds twice as much. With the 12 bytes of a frame's header it fills four
/// records of TLS.
const COPY: usize = (64 << 10) - 12;
/// The longest reason why a stream is not opened, in bytes.
const MAX_REASON: usize = 1024;

/// What stands before the name of a service of datagrams: no service is named so.
const DATAGRAMS: &str = "udp:";

/// What goes over a stream, and is spoken at the service that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Bytes.
    Tcp,
    /// Datagrams.
    Udp,
}

/// A stream of a session.
pub type Stream = Compat<yamux::Stream>;

/// All streams may hold so many bytes that nobody has read: each has 256 KiB at first, and more where the way is long.
fn config(unread: usize) -> Config {
    let mut config = Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config.set_max_connection_receive_window(Some(unread));
    config.set_split_send_size(COPY);
    config
}

/// Opens streams: the client's side.
#[derive(Clone, Debug)]
pub struct Opener {
    asks: mpsc::Sender<oneshot::Sender<Result<Stream, ConnectionError>>>,
    places: Arc<Semaphore>,
}

/// A stream that a client has opened, and its place among those that there may be.
#[derive(Debug)]
pub struct Opened {
    /// The stream.
    pub stream: Stream,
    _place: OwnedSemaphorePermit,
}

/// Why a stream was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The session has ended, or has as many streams as it may have.
    #[error("the session takes no more streams: {0}")]
    Session(#[from] ConnectionError),
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
    /// It broke.
    #[error("the stream broke before it was open: {0}")]
    Io(#[from] io::Error),
    /// The agent says no.
    #[error("{0}")]
    Refused(String),
}

impl Opener {
    /// Opens a stream to a service.
    ///
    /// # Errors
    /// The session has ended, or the agent says no.
    pub async fn open(&self, service: &str) -> Result<Opened, OpenError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| OpenError::Ended)?;
        Ok(Opened { stream: self.ask(service).await?, _place: place })
    }

    /// Opens a stream for a flow of datagrams to a service. Whoever calls bounds how many there are.
    ///
    /// # Errors
    /// The session has ended, or the agent says no.
    pub async fn open_flow(&self, service: &str) -> Result<Stream, OpenError> {
        self.ask(&format!("{DATAGRAMS}{service}")).await
    }

    async fn ask(&self, words: &str) -> Result<Stream, OpenError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(answer).await.map_err(|_| OpenError::Ended)?;
        let mut stream = answered.await.map_err(|_| OpenError::Ended)??;
        ask(&mut stream, words).await?;
        Ok(stream)
    }
}

/// Streams over an established session, as its client; the future keeps them going until the session ends. They hold at most
/// `unread` bytes that nobody has read.
pub fn client<S>(session: S, unread: usize) -> (Opener, impl Future<Output = Result<(), ConnectionError>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (opens, mut opened) = mpsc::channel::<oneshot::Sender<_>>(MAX_STREAMS);
    let mut connection = Connection::new(Joined::new(session).compat(), config(unread), Mode::Client);
    let run = async move {
        let mut asked: Option<oneshot::Sender<_>> = None;
        let mut ending = false;
        poll_fn(move |cx| {
            loop {
                if ending {
                    return connection.poll_close(cx);
                }
                if asked.is_none() {
                    match opened.poll_recv(cx) {
                        Poll::Ready(Some(answer)) => asked = Some(answer),
                        // Nobody is left to open any: those that are open end first.
                        Poll::Ready(None) => {
                            ending = true;
                            continue;
                        }
                        Poll::Pending => {}
                    }
                }
                if asked.is_some()
                    && let Poll::Ready(stream) = connection.poll_new_outbound(cx)
                    && let Some(answer) = asked.take()
                {
                    let _ = answer.send(stream.map(FuturesAsyncReadCompatExt::compat));
                    continue;
                }
                match connection.poll_next_inbound(cx) {
                    // An agent opens none.
                    Poll::Ready(Some(Ok(stream))) => drop(stream),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    };
    (Opener { asks: opens, places: Arc::new(Semaphore::new(MAX_OPEN)) }, run)
}

/// Streams that a client opens over an established session: each is given to `take`, until the session ends. They hold at most
/// `unread` bytes that nobody has read.
///
/// # Errors
/// The session broke.
pub async fn serve<S>(session: S, unread: usize, mut take: impl FnMut(Stream)) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::new(Joined::new(session).compat(), config(unread), Mode::Server);
    while let Some(stream) = poll_fn(|cx| connection.poll_next_inbound(cx)).await {
        take(stream?.compat());
    }
    Ok(())
}

/// Carries bytes between a stream and whatever it leads to, to the end of both directions; gives how many came out of the stream,
/// and how many went in.
///
/// # Errors
/// Either broke.
pub async fn carry<S>(stream: &mut Stream, other: &mut S) -> io::Result<(u64, u64)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut other = Paced { stream: other, pauses: false };
    tokio::io::copy_bidirectional_with_sizes(stream, &mut other, COPY, COPY).await
}

/// Asks for a service: a length and its name; the answer is a length and a reason, which is empty for yes.
async fn ask(stream: &mut Stream, service: &str) -> Result<(), OpenError> {
    let length = u8::try_from(service.len()).ok().filter(|_| service.len() <= MAX_SERVICE);
    let length =
        length.ok_or_else(|| OpenError::Refused(format!("`{service}` is too long for a service")))?;
    stream.write_all(&[&[length], service.as_bytes()].concat()).await?;
    stream.flush().await?;
    let length = usize::from(stream.read_u16().await?);
    if length == 0 {
        return Ok(());
    }
    let mut reason = vec![0; length.min(MAX_REASON)];
    stream.read_exact(&mut reason).await?;
    // It is the agent's, and is shown.
    let reason = String::from_utf8_lossy(&reason).chars().filter(|c| !c.is_control()).collect();
    Err(OpenError::Refused(reason))
}

/// Reads which service a stream is for, and what goes over it.
///
/// # Errors
/// It broke, or the name is none.
pub async fn asked(stream: &mut Stream) -> io::Result<(Transport, String)> {
    let length = usize::from(stream.read_u8().await?);
    if length == 0 || length > MAX_SERVICE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no service is named so"));
    }
    let mut service = vec![0; length];
    stream.read_exact(&mut service).await?;
    let service =
        String::from_utf8(service).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no text"))?;
    Ok(match service.strip_prefix(DATAGRAMS) {
        Some(service) => (Transport::Udp, service.to_owned()),
        None => (Transport::Tcp, service),
    })
}

/// Answers which service a stream is for: yes, or why not.
///
/// # Errors
/// It broke.
pub async fn answer(stream: &mut Stream, refused: Option<&str>) -> io::Result<()> {
    let reason = refused.unwrap_or_default();
    let reason = &reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON)];
    let length = u16::try_from(reason.len()).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes()[..], reason].concat()).await?;
    stream.flush().await
}
