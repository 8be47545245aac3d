//! The way inside: a gateway of the site lets this endpoint look at it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::clean;
use super::exchange;
use super::finding::{Check, Finding};
use super::path::Way;
use crate::carrier::BoxedCarrier;
use crate::carrier::websocket::{Frames, WebSocketPipe};
use crate::control::message::{FromEndpoint, FromGateway, Hello};
use crate::control::version::{OLDEST, Version};
use crate::control::{Channel, ChannelError};
use crate::identity::{HandshakeError, Identity};
use crate::name::Name;
use crate::probe::ProbeKey;
use crate::ticket::Sealed;

/// How long TLS with the gateway, and its answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pipe inside a WebSocket, its frames, and the headers that it was asked for with.
pub(super) struct Pipe {
    pub(super) stream: WebSocketPipe<BoxedCarrier>,
    pub(super) frames: Arc<Frames>,
    pub(super) sent: http::HeaderMap,
}

/// What looks at the way are opened with.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) gateway: Name,
    pub(super) version: Version,
    pub(super) ticket: Sealed,
    pub(super) key: ProbeKey,
}

/// Opens a WebSocket as endpoints do.
pub(super) async fn open(way: &Way) -> Result<Pipe, String> {
    let upgrade = exchange::upgrade(way).await?;
    let agreed = upgrade.agreed.map_err(|error| error.to_string())?;
    let (stream, early) = upgrade.stream.ok_or("the connection broke")?;
    if agreed.subprotocol.is_none() {
        return Err("another WebSocket than a gateway's".into());
    }
    let frames = Arc::<Frames>::default();
    let stream =
        WebSocketPipe::new(stream, wicketgate_wire::Role::Client, &early).with_frames(frames.clone());
    Ok(Pipe { stream, frames, sent: upgrade.sent })
}

/// Proves who this is, and asks for a ticket.
pub(super) async fn ask(way: &Way, identity: &Identity) -> Result<Granted, Finding> {
    let Pipe { stream, frames, .. } =
        open(way).await.map_err(|why| Finding::fail(Check::WebsocketOff, why))?;
    let established = match timeout(PATIENCE, identity.connect_gateway(stream)).await {
        Ok(Ok(established)) => established,
        Ok(Err(error)) => return Err(broken(&error, &frames)),
        Err(_) => {
            let text = format!("no answer to the first binary messages within {PATIENCE:?}");
            return Err(Finding::fail(Check::BinaryBlocked, text));
        }
    };
    let gateway = established.peer.name;
    let mut channel = Channel::new(established.stream);
    let answered = async {
        channel.send(&FromEndpoint::Probe(Hello { version: Version::own(), minimum: OLDEST })).await?;
        channel.receive::<FromGateway>().await
    };
    let identity = |text: String| Err(Finding::fail(Check::Identity, clean::text(&text)));
    match timeout(PATIENCE, answered).await {
        Ok(Ok(FromGateway::Probe { version, ticket, key })) => Ok(Granted { gateway, version, ticket, key }),
        Ok(Ok(FromGateway::Refused { text, .. })) => {
            identity(format!("the gateway refuses this endpoint: {text}"))
        }
        Ok(Ok(_)) => identity("the gateway answers something else".into()),
        Ok(Err(ChannelError::Ended)) => identity(format!(
            "{gateway} has ended the connection: it does not know this endpoint's authority, or is older than this program"
        )),
        Ok(Err(error)) => identity(format!("{gateway} does not let this endpoint in: {error}")),
        Err(_) => identity(format!("{gateway} does not answer within {PATIENCE:?}")),
    }
}

/// What it means that no TLS came about inside the WebSocket.
fn broken(error: &HandshakeError, frames: &Frames) -> Finding {
    let text = clean::text(&error.to_string());
    let io = match error {
        HandshakeError::Tls(io) => io,
        _ => return Finding::fail(Check::Identity, text),
    };
    // TLS itself has found that the other end is another.
    if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Finding::fail(
            Check::Identity,
            format!("what answers is no gateway of this endpoint's site: {text}"),
        );
    }
    let how = ended(io, frames);
    match frames.closed() {
        Some(1009) => {
            Finding::fail(Check::SmallFrames, format!("the first binary messages do not pass: {how}"))
        }
        // Frames that the gateway takes for wrong, such as a client's without masks.
        Some(1002) => Finding::fail(
            Check::Unmasked,
            format!("the frames are changed on the way, and the gateway closes: {how}"),
        ),
        _ => Finding::fail(Check::BinaryBlocked, format!("the first binary messages do not pass: {how}")),
    }
}

/// How a carrier has ended.
pub(super) fn ended(error: &io::Error, frames: &Frames) -> String {
    match frames.closed() {
        Some(code) => format!("closed with {code}"),
        None => clean::text(&error.to_string()),
    }
}
