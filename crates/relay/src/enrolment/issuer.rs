//! The authority while it lets others join: it dials out to a gateway, and answers what that passes on. Its key stays where it is.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, interval, sleep, timeout};
use wicketgate_tls::TlsStream;

use super::message::{JoinAnswer, JoinRequest};
use super::tokens::Tokens;
use crate::authority::{Authority, AuthorityError};
use crate::carrier::{BoxedCarrier, Dialer};
use crate::control::message::{FromEndpoint, FromGateway, Hello};
use crate::control::version::{OLDEST, Version};
use crate::control::{Channel, ChannelError};
use crate::endpoint::Backoff;
use crate::endpoint::control::ControlError;
use crate::name::Name;

/// How long its own certificate serves, which it makes for each connection.
const OWN_LIFETIME: Duration = Duration::from_secs(86_400);
/// How often it says that it is there.
const PING: Duration = Duration::from_secs(20);
/// How long the gateway may be silent: two pings unanswered.
const SILENCE: Duration = Duration::from_secs(45);
/// How long TLS with the gateway, and its answer to the first message, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// An authority that lets others join.
#[derive(Debug)]
pub struct Issuer {
    /// What it signs with.
    pub authority: Arc<Authority>,
    /// The tokens that it takes.
    pub tokens: Arc<Tokens>,
    /// The way to its gateway.
    pub dialer: Dialer,
}

/// What becomes of it.
#[derive(Debug)]
pub enum Told {
    /// A gateway passes on to it who wants to join.
    Connected(Name),
    /// None does, and it will be dialled again.
    Lost(String),
    /// Somebody has joined: the name, and the serial number of the certificate.
    Joined(Name, String),
    /// Somebody has not, and why.
    Refused(String),
}

#[derive(Debug, thiserror::Error)]
enum IssuerError {
    #[error(transparent)]
    Own(#[from] AuthorityError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the gateway ends")]
    Draining,
}

impl From<ChannelError> for IssuerError {
    fn from(error: ChannelError) -> Self {
        Self::Control(error.into())
    }
}

type Gateway = Channel<TlsStream<BoxedCarrier>>;

impl Issuer {
    /// Answers until it is dropped. `told` hears what becomes of it.
    pub async fn run(self, told: impl Fn(Told)) {
        let mut backoff = Backoff::default();
        loop {
            let lost = match self.connect().await {
                Ok((mut channel, gateway)) => {
                    backoff.reset();
                    told(Told::Connected(gateway));
                    self.attend(&mut channel, &told).await
                }
                Err(error) => error,
            };
            told(Told::Lost(lost.to_string()));
            sleep(backoff.wait()).await;
        }
    }

    async fn connect(&self) -> Result<(Gateway, Name), IssuerError> {
        let identity = self.authority.identity(OWN_LIFETIME)?;
        let carrier = self.dialer.dial().await.map_err(ControlError::from)?.carrier;
        let welcomed = async {
            let established = identity.connect_gateway(carrier).await.map_err(ControlError::from)?;
            let mut channel = Channel::new(established.stream);
            channel.send(&FromEndpoint::Hello(Hello { version: Version::own(), minimum: OLDEST })).await?;
            match channel.receive().await? {
                FromGateway::Refused { reason, text, .. } => {
                    Err(ControlError::Refused { reason, text }.into())
                }
                _ => Ok((channel, established.peer.name)),
            }
        };
        timeout(HANDSHAKE, welcomed).await.unwrap_or(Err(ControlError::Late.into()))
    }

    /// One after the other: a flood waits at the gateway, which bounds it.
    async fn attend(&self, channel: &mut Gateway, told: &impl Fn(Told)) -> IssuerError {
        let mut ping = interval(PING);
        let silence = sleep(SILENCE);
        tokio::pin!(silence);
        loop {
            let message = tokio::select! {
                message = channel.receive::<FromGateway>() => match message {
                    Ok(FromGateway::Join { request, asked }) => {
                        FromEndpoint::Joined { request, answer: self.answer(asked, told).await }
                    }
                    Ok(FromGateway::Refused { reason, text, .. }) => {
                        return ControlError::Refused { reason, text }.into();
                    }
                    // It passes nothing on any more: another does.
                    Ok(FromGateway::Draining) => return IssuerError::Draining,
                    Ok(_) => {
                        silence.as_mut().reset(Instant::now() + SILENCE);
                        continue;
                    }
                    Err(error) => return error.into(),
                },
                _ = ping.tick() => FromEndpoint::Ping,
                () = &mut silence => return ControlError::Late.into(),
            };
            match timeout(SILENCE, channel.send(&message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.into(),
                Err(_) => return ControlError::Late.into(),
            }
        }
    }

    async fn answer(&self, asked: JoinRequest, told: &impl Fn(Told)) -> JoinAnswer {
        let (authority, tokens) = (self.authority.clone(), self.tokens.clone());
        // The disk is waited for: a token counts as used before its certificate is out.
        let redeem = move || tokens.redeem(&authority, &asked, SystemTime::now());
        let redeemed = tokio::task::spawn_blocking(redeem).await;
        match redeemed {
            Ok(Ok((name, certificate))) => {
                told(Told::Joined(name, certificate.serial));
                JoinAnswer::Issued(certificate.pem)
            }
            Ok(Err((reason, text))) => {
                told(Told::Refused(text.to_owned()));
                JoinAnswer::no(reason, text)
            }
            Err(_) => JoinAnswer::no(super::message::JoinRefusal::Failed, "the authority cannot issue now"),
        }
    }
}
