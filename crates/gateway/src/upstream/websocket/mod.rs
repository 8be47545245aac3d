//! A WebSocket to a target: dialled with a key of our own, its answer verified: `Upstream::open`.

mod head;
mod refusal;

use bytes::{Bytes, BytesMut};
use http::header::HOST;
use http::{Response, StatusCode, Uri, Version, request, response};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use wicketgate_admission::Admitted;
use wicketgate_wire::handshake::{Agreed, AnswerError, ClientHandshake, Extension, Nonce, Token};

use super::Upstream;
use super::balance::Affinity;
use super::body::{Body, Source};
use super::config::{Protocol, UpstreamConfig};
use super::connect::dial;
use super::error::UpstreamError;
use super::exchange::origin_form;
use super::http2::{Answer, Http2, open_tunnel};
use super::target::{Pick, Target};
use crate::net::Stream;

/// What an upstream is offered.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Subprotocols, the best first.
    pub subprotocols: Vec<Token>,
    /// Extensions, the best first.
    pub extensions: Vec<Extension>,
}

/// What came of asking for a WebSocket.
pub enum Opened {
    /// It is open.
    WebSocket(WebSocket),
    /// The target said no by a status of 300 or more, which is the client's to see.
    Refused(Response<Body>),
}

/// An open WebSocket to a target.
pub struct WebSocket {
    /// The bytes of the frames.
    pub stream: Stream,
    /// Those that came together with the answer: they go before what `stream` gives.
    pub already_read: Bytes,
    /// The answer's head.
    pub response: response::Parts,
    /// The subprotocol that the target chose, one of those offered.
    pub subprotocol: Option<Token>,
    /// The extensions that the target agreed to, of those offered.
    pub extensions: Vec<Extension>,
    /// The target, which counts the session as open while this lives.
    pub target: Pick,
}

/// Why a target gave no answer, and whether it may have seen the handshake.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: UpstreamError,
    pub(super) sent: bool,
}

impl Failed {
    pub(super) fn before(error: UpstreamError) -> Self {
        Self { error, sent: false }
    }
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self { error, sent: true }
    }
}

/// What a target has answered.
pub(super) enum Outcome {
    WebSocket { stream: Stream, already_read: Bytes, response: response::Parts, agreed: Agreed },
    Refused(Response<Source>),
}

impl Upstream {
    /// Opens a WebSocket to a target for a client that was admitted.
    ///
    /// `request` holds the path and the headers that shall go upstream; the headers of the handshake itself are written
    /// here. A `Host` that it brings is kept; without one, each target gets its own. Another target is tried only as
    /// long as no byte of the handshake was sent.
    pub async fn open(
        &self,
        _proof: &Admitted,
        request: request::Parts,
        offer: &Offer,
        affinity: Affinity,
    ) -> Result<Opened, UpstreamError> {
        self.open_any(request, offer, affinity).await
    }

    pub(super) async fn open_any(
        &self,
        mut request: request::Parts,
        offer: &Offer,
        affinity: Affinity,
    ) -> Result<Opened, UpstreamError> {
        let own_host = !request.headers.contains_key(HOST);
        let (mut tried, mut last) = (Vec::new(), None);
        loop {
            let (index, pick) = self.pick(affinity, &tried, last.take())?;
            if own_host {
                request.headers.insert(HOST, pick.address().authority.clone());
            }
            let Failed { error, sent } =
                match attempt(&pick.http2, &pick, &self.config, &mut request, offer).await {
                    Ok(outcome) => return Ok(self.opened(index, pick, outcome)),
                    Err(failed) => failed,
                };
            self.failed(index, &error);
            tried.push(index);
            if sent || !self.may_try_another(&tried) {
                return Err(error);
            }
            last = Some(error);
        }
    }

    fn opened(&self, index: usize, pick: Pick, outcome: Outcome) -> Opened {
        match outcome {
            Outcome::WebSocket { stream, already_read, response, agreed } => {
                self.answered(index, response.status);
                let Agreed { subprotocol, extensions } = agreed;
                Opened::WebSocket(WebSocket {
                    stream,
                    already_read,
                    response,
                    subprotocol,
                    extensions,
                    target: pick,
                })
            }
            Outcome::Refused(response) => {
                self.answered(index, response.status());
                let stall = self.config.timeouts.stall;
                Opened::Refused(response.map(|body| Body::new(body, pick, None, stall)))
            }
        }
    }
}

/// Asks one target.
pub(super) async fn attempt(
    pool: &Http2,
    target: &Target,
    config: &UpstreamConfig,
    request: &mut request::Parts,
    offer: &Offer,
) -> Result<Outcome, Failed> {
    let Offer { subprotocols, extensions } = offer.clone();
    match config.protocol {
        Protocol::Http1 => {
            let handshake = ClientHandshake::http1(Nonce::new(rand::random()), subprotocols, extensions);
            handshake.write(&mut request.headers);
            let dialled = dial(target, Protocol::Http1, &config.timeouts).await;
            let stream = dialled.map_err(Failed::before)?.stream;
            let speaking = over_http1(stream, config, request, &handshake);
            let spoken = timeout(config.timeouts.handshake, speaking).await;
            Ok(spoken.unwrap_or(Err(UpstreamError::HandshakeTimeout))?)
        }
        Protocol::Http2 => {
            let handshake = ClientHandshake::http2(subprotocols, extensions);
            handshake.write(&mut request.headers);
            let asking = open_tunnel(pool, target, config, request.clone());
            Ok(over_http2(asking.await?, &handshake)?)
        }
    }
}

async fn over_http1(
    mut stream: Stream,
    config: &UpstreamConfig,
    request: &request::Parts,
    handshake: &ClientHandshake,
) -> Result<Outcome, UpstreamError> {
    stream.write_all(&head::write(request)).await.map_err(head::broken)?;
    stream.flush().await.map_err(head::broken)?;
    let mut read = BytesMut::with_capacity(head::FIRST_READ);
    let (response, length) = head::read(&mut stream, &mut read, config.limits.response_head).await?;
    match response.status {
        StatusCode::SWITCHING_PROTOCOLS if response.version == Version::HTTP_11 => {
            let agreed = handshake.verify(&response).map_err(bad_answer)?;
            // Copied, so that an idle session does not hold the whole buffer for them.
            let already_read = Bytes::copy_from_slice(&read[length..]);
            Ok(Outcome::WebSocket { stream, already_read, response, agreed })
        }
        // RFC 9931: success is no upgrade, and what follows it must reach nobody.
        status if status.is_success() || status.is_informational() => Err(UpstreamError::NotUpgraded(status)),
        _ => refusal::read(stream, read.freeze(), config).await.map(Outcome::Refused),
    }
}

fn over_http2(answer: Answer, handshake: &ClientHandshake) -> Result<Outcome, UpstreamError> {
    match answer {
        Answer::Open(answer) => {
            let (response, tunnel) = answer.into_parts();
            let agreed = handshake.verify(&response).map_err(bad_answer)?;
            let stream = Stream::Tunnel(Box::new(tunnel));
            Ok(Outcome::WebSocket { stream, already_read: Bytes::new(), response, agreed })
        }
        Answer::Refused(answer) => Ok(Outcome::Refused(answer.map(Source::Http2))),
    }
}

fn bad_answer(error: AnswerError) -> UpstreamError {
    UpstreamError::BadHandshake(error)
}

/// A handshake without headers but those that it needs: what a probe sends.
pub(super) fn bare_request(uri: &Uri) -> request::Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.uri = origin_form(uri);
    parts
}
