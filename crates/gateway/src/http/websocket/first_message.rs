//! A session whose client proves who it is in its first message: opened towards the client, and upstream only then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response};
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wicketgate_admission::authentication::FirstMessageConfig;
use wicketgate_admission::identity::{Denied, Identity};
use wicketgate_admission::{Asked, Client, Refusal, Unproven};
use wicketgate_audit::{Event, Who};
use wicketgate_telemetry::{Kind, Trace};
use wicketgate_wire::handshake::{AnswerError, Token};
use wicketgate_wire::{
    Close, CloseCode, DataKind, Event as Frame, FrameLimits, Header, Opcode, Role, Rsv, Scanner, Violation,
    mask, write_control,
};

use super::dial;
use super::session::{Session, upgraded};
use super::terms::Terms;
use crate::gateway::{Proxy, Route, Shared, Target};
use crate::http::body::Answer;
use crate::http::connection::Arrival;
use crate::http::front::Routed;
use crate::http::refusal::Refused;
use crate::net::Stream;
use crate::observe::spans;
use crate::route::Scope;

/// A request that was routed, and whose client is still unknown.
pub(in crate::http) struct Opening<'a> {
    pub(in crate::http) shared: &'a Arc<Shared>,
    pub(in crate::http) arrival: &'a Arc<Arrival>,
    pub(in crate::http) route: &'a Arc<Route>,
    /// The host as the client wrote it.
    pub(in crate::http) host: Option<HeaderValue>,
    pub(in crate::http) client: Client,
    pub(in crate::http) asked: Asked<'a>,
    pub(in crate::http) trace: Trace,
}

/// Answers the client, and goes on when its first message is there.
pub(in crate::http) fn open(
    opening: Opening<'_>,
    mut parts: Parts,
    unproven: Unproven,
) -> Result<Response<Answer>, Refused> {
    let Opening { shared, arrival, route, host, client, asked, trace } = opening;
    if !matches!(&route.target, Target::Proxy(proxy) if proxy.websocket.is_some()) {
        return Err(Refused::NoWebSocket);
    }
    if shared.is_ending() {
        return Err(Refused::Draining);
    }
    let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Refused::NoWebSocket)?;
    let offered = &unproven.upgrade.subprotocols;
    let chosen = offered.iter().find(|offer| unproven.config.subprotocols.contains(offer)).cloned();
    // No compression: what it runs between is not known yet.
    let response = unproven.upgrade.answer(chosen.as_ref(), &[])?.map(|()| Answer::text(""));
    let waiting = Waiting {
        shared: shared.clone(),
        arrival: arrival.clone(),
        route: route.clone(),
        host,
        client,
        name: asked.host.to_owned(),
        path: asked.path.to_owned(),
        chosen,
        trace,
    };
    shared.tracker.spawn(waiting.run(on_upgrade, parts, unproven));
    Ok(response)
}

struct Waiting {
    shared: Arc<Shared>,
    arrival: Arc<Arrival>,
    route: Arc<Route>,
    host: Option<HeaderValue>,
    client: Client,
    /// The host and path in one spelling.
    name: String,
    path: String,
    /// The subprotocol that the client was told.
    chosen: Option<Token>,
    trace: Trace,
}

/// Why a session ends before it has begun.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no first message in time")]
    Late,
    #[error("the client has gone")]
    Gone,
    #[error("the first message is not a text")]
    WrongType,
    #[error("the gateway is draining")]
    Draining,
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Failure {
    fn code(&self) -> CloseCode {
        match self {
            Self::Late => CloseCode::POLICY,
            Self::Gone => CloseCode::NORMAL,
            Self::WrongType => CloseCode::UNSUPPORTED,
            Self::Draining => CloseCode::RESTART,
            Self::Violation(violation) => violation.close_code(),
            Self::Refused(Refused::Admission(refusal)) => match refusal {
                Refusal::Limit { .. } | Refusal::Identity(Denied::Unavailable(_)) => CloseCode::TRY_AGAIN,
                _ => CloseCode::POLICY,
            },
            Self::Refused(_) => CloseCode::INTERNAL,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Late => "first_message_late",
            Self::Gone => "vanished",
            Self::WrongType => "wrong_type",
            Self::Draining => "draining",
            Self::Violation(violation) => violation.label(),
            Self::Refused(refused) => refused.label(),
        }
    }
}

impl Waiting {
    async fn run(self, on_upgrade: OnUpgrade, parts: Parts, unproven: Unproven) {
        let Some((mut stream, early)) = upgraded(on_upgrade).await else { return };
        let mut identity = None;
        let begun = Box::pin(self.begin(&mut stream, early, parts, unproven, &mut identity));
        let begun = tokio::select! {
            begun = begun => begun,
            () = self.shared.ending.cancelled() => Err(Failure::Draining),
        };
        match begun {
            Ok((session, rest)) => session.carry(stream, rest).await,
            Err(failure) => self.refuse(stream, &failure, identity.as_deref()).await,
        }
    }

    /// Reads the first message, and opens the session upstream for whoever it proves to be there: `identity` is told.
    async fn begin(
        &self,
        stream: &mut Stream,
        early: Bytes,
        parts: Parts,
        unproven: Unproven,
        identity: &mut Option<Arc<Identity>>,
    ) -> Result<(Box<Session>, Bytes), Failure> {
        let config = unproven.config.clone();
        let reading = timeout(config.timeout, first_message(stream, early, &config));
        let (message, rest) = reading.await.map_err(|_| Failure::Late)??;
        let token = config.credential(&message).map_err(refused)?;
        // A reload may have come while the message was awaited.
        let snapshot = self.shared.snapshot();
        let route = snapshot.route(&self.route.name).ok_or(Refused::NoRoute)?;
        let asked = Asked { route: &route.name, host: &self.name, path: &self.path };
        let mut span = self.trace.child("admission", Kind::Internal);
        let judged = route.guard.prove(unproven, &token, &parts, &self.client, asked).await;
        spans::concluded(&mut span, judged.as_ref());
        drop(span);
        let admitted = judged.map_err(|rejected| {
            *identity = rejected.identity;
            refused(rejected.refusal)
        })?;
        *identity = admitted.identity().cloned();
        let Target::Proxy(proxy) = &route.target else { return Err(Refused::NoWebSocket.into()) };
        let uri = parts.uri.clone();
        let scope = Scope {
            client_address: self.client.address,
            scheme: if self.client.secure { "https" } else { "http" },
            host: &self.name,
            path: &self.path,
            query: uri.query(),
            route: &route.name,
        };
        let (shared, arrival) = (&self.shared, &self.arrival);
        let (host, trace) = (self.host.clone(), self.trace.clone());
        let routed = Routed { shared, arrival, route, admitted, trace, host, scope };
        let session = self.dial(routed, proxy, parts).await?;
        if let Some(reply) = &config.reply {
            let sent = stream.write_all(&text(reply)).await;
            sent.map_err(|_| Failure::Gone)?;
        }
        Ok((session, rest))
    }

    async fn dial(&self, routed: Routed<'_>, proxy: &Proxy, parts: Parts) -> Result<Box<Session>, Refused> {
        let config = proxy.websocket.clone().ok_or(Refused::NoWebSocket)?;
        let subprotocols = self.chosen.iter().cloned().collect();
        match dial(&routed, proxy, config, parts, Terms::PerSide(None), subprotocols).await? {
            Ok(dialled) if dialled.socket.subprotocol == self.chosen => {
                let identity = routed.admitted.identity().map(|identity| &**identity);
                self.shared.audit.wait(&Event::Admitted, &self.who(identity)).await;
                Ok(Box::new(Session::new(routed, proxy, dialled)))
            }
            Ok(dialled) => {
                let other =
                    dialled.socket.subprotocol.map_or_else(String::new, |token| token.as_str().to_owned());
                Err(AnswerError::SubprotocolNotOffered(other).into())
            }
            Err(response) => Err(AnswerError::Status(response.status()).into()),
        }
    }

    /// What audit events say about the client.
    fn who<'b>(&'b self, identity: Option<&'b Identity>) -> Who<'b> {
        Who {
            listener: Some(&self.arrival.listener.config.name),
            client: self.client.address,
            route: Some(&self.route.name),
            trace: self.trace.id(),
            ..crate::sessions::who(identity)
        }
    }

    /// Tells the client that there is no session, and waits a moment for it to read that.
    async fn refuse(&self, mut stream: Stream, failure: &Failure, identity: Option<&Identity>) {
        if matches!(failure, Failure::Gone) {
            return;
        }
        tracing::debug!(reason = failure.label(), "{failure}");
        self.shared.metrics.refused(failure.label());
        let mut span = self.trace.child(format_args!("session {}", self.route.name), Kind::Internal);
        spans::unopened(&mut span, &self.route.name, failure.label(), failure.code().0);
        drop(span);
        let event = Event::Refused { reason: failure.label(), status: None };
        self.shared.audit.log(&event, &self.who(identity));
        let mut close = Vec::with_capacity(Close::MAX_FRAME);
        Close { code: Some(failure.code()), reason: "" }.write(None, &mut close);
        let said = async {
            stream.write_all(&close).await?;
            stream.shutdown().await?;
            // Unread bytes would turn our close frame into a reset.
            tokio::io::copy(&mut stream.take(LINGER_MAX), &mut tokio::io::sink()).await
        };
        // Whether the client hears it is the client's affair.
        let _ = timeout(LINGER, said).await;
    }
}

/// How long, and for how much, we listen on so that the close frame is not lost.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_MAX: u64 = 64 << 10;

/// Frames of the first message at most.
const FRAGMENTS: u32 = 64;

fn refused(refusal: impl Into<Refusal>) -> Failure {
    Failure::Refused(Refused::Admission(refusal.into()))
}

/// One text message whole, and what came behind it. Pings before it are answered.
async fn first_message(
    stream: &mut Stream,
    early: Bytes,
    config: &FirstMessageConfig,
) -> Result<(Vec<u8>, Bytes), Failure> {
    let limits = FrameLimits { frame: config.max_size, message: config.max_size, fragments: FRAGMENTS };
    let mut scanner = Scanner::new(Role::Client, Rsv::NONE);
    let (mut buffer, mut message) = (early.to_vec(), Vec::new());
    loop {
        let mut at = 0;
        while let Some(frame) = scanner.next(&limits, &buffer, &mut at)? {
            match frame {
                Frame::Data(piece) if piece.kind == DataKind::Binary => return Err(Failure::WrongType),
                Frame::Data(piece) => {
                    let payload = &buffer[piece.payload.clone()];
                    let start = message.len();
                    message.extend_from_slice(payload);
                    mask::apply(&mut message[start..], piece.mask.unwrap_or_default(), piece.phase);
                    if piece.ends_message {
                        let text = simdutf8::basic::from_utf8(&message);
                        text.map_err(|_| Violation::InvalidUtf8)?;
                        return Ok((message, Bytes::from(buffer.split_off(at))));
                    }
                }
                Frame::Control(control) => {
                    let mut body = buffer[control.payload.clone()].to_vec();
                    mask::apply(&mut body, control.mask.unwrap_or_default(), 0);
                    match control.opcode {
                        Opcode::Close => return Err(Failure::Gone),
                        Opcode::Ping => {
                            let mut pong = Vec::with_capacity(Close::MAX_FRAME);
                            write_control(Opcode::Pong, None, &body, &mut pong);
                            stream.write_all(&pong).await.map_err(|_| Failure::Gone)?;
                        }
                        _ => {}
                    }
                }
            }
        }
        buffer.drain(..at);
        // What the scanner leaves is shorter than the longest control frame.
        let start = buffer.len();
        buffer.resize(start + READ, 0);
        let read = stream.read(&mut buffer[start..]).await.map_err(|_| Failure::Gone)?;
        if read == 0 {
            return Err(Failure::Gone);
        }
        buffer.truncate(start + read);
    }
}

/// Bytes that one read takes in.
const READ: usize = 2048;

/// A text message of ours, as one frame.
fn text(payload: &str) -> Vec<u8> {
    let length = payload.len() as u64;
    let header = Header { fin: true, rsv: Rsv::NONE, opcode: Opcode::Text, mask: None, length };
    [&header.encode(), payload.as_bytes()].concat()
}
