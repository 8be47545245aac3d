//! Whoever wants to join: it makes its key, and asks for a certificate.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;
use wicketgate_admission::fetch::FetchConfig;
use wicketgate_tls::TlsStream;
use zeroize::Zeroizing;

use super::message::{Blob, JoinAnswer, JoinRefusal, JoinRequest, MAX_ANSWER};
use super::token::Token;
use crate::carrier::{BoxedCarrier, DialError, Dialer, Gateway, Keepalive, Kinds};
use crate::control::{Channel, ChannelError};
use crate::identity::{Fingerprint, HandshakeError, Identity, join as handshake, joining_carrier};
use crate::name::{Name, Role};

/// How long TLS with the gateway may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the answer may take: longer than any gateway waits.
const ANSWER: Duration = Duration::from_secs(70);

/// Why nobody has joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// No carrier.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No TLS with a gateway of the token's site.
    #[error(
        "what answers is no gateway of the token's site, or lets nobody join now (`relay.enrolment`): {0}"
    )]
    Handshake(#[from] HandshakeError),
    /// It broke.
    #[error("the connection broke: {0}")]
    Channel(#[from] ChannelError),
    /// The gateway has taken too long.
    #[error("the gateway does not answer")]
    Late,
    /// No.
    #[error("{}: {reason}", shown(text))]
    Refused {
        /// Why.
        reason: JoinRefusal,
        /// The same for people.
        text: String,
    },
    /// What was answered is no certificate for this request.
    #[error("the answer is no certificate of the token's site for this key")]
    Answer,
    /// The system gives no key.
    #[error("no key can be made: {0}")]
    Key(#[from] rcgen::Error),
    /// Cryptography that fails.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// It is somebody else's.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Who has joined: what stands in the files of an identity, in PEM.
#[derive(Debug)]
pub struct Joined {
    /// The name that the authority has given.
    pub name: Name,
    /// The certificate's serial number.
    pub serial: String,
    /// The certificate.
    pub certificate: String,
    /// The key, which no other machine has seen.
    pub key: Zeroizing<String>,
    /// The site's authority.
    pub authority: String,
}

/// A connection to a gateway of the token's site, on which somebody asks.
pub struct Asking {
    channel: Channel<TlsStream<BoxedCarrier>>,
    /// The site's authority, as the token's fingerprint proves it.
    authority: CertificateDer<'static>,
}

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asking")
    }
}

impl Asking {
    /// Dials a gateway, which proves to be of the site whose authority has this fingerprint.
    ///
    /// # Errors
    /// It cannot be reached, or is another.
    pub async fn open(gateway: Gateway, https: &FetchConfig, root: Fingerprint) -> Result<Self, JoinError> {
        let own = joining_carrier(root)?;
        let dialer = Dialer::new(gateway, https, own, Kinds::ALL, Duration::MAX, Keepalive::default());
        let carrier = dialer.dial().await?.carrier;
        let (stream, authority) =
            timeout(HANDSHAKE, handshake(root, carrier)).await.map_err(|_| JoinError::Late)??;
        Ok(Self { channel: Channel::limited(stream, MAX_ANSWER), authority })
    }

    /// Asks for a certificate.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&mut self, request: &JoinRequest) -> Result<JoinAnswer, JoinError> {
        let answered = async {
            self.channel.send(request).await?;
            self.channel.receive().await
        };
        Ok(timeout(ANSWER, answered).await.map_err(|_| JoinError::Late)??)
    }
}

/// Joins the site of a token. Whatever fails after the authority has seen the token, it is used up.
///
/// # Errors
/// Why not.
pub async fn join(gateway: Gateway, https: &FetchConfig, token: &Token) -> Result<Joined, JoinError> {
    let mut asking = Asking::open(gateway, https, token.root()).await?;
    let key = KeyPair::generate()?;
    // The authority knows the name.
    let request = CertificateParams::default().serialize_request(&key)?.der().to_vec();
    let mac = token.key().ok_or_else(|| rustls::Error::General("no HKDF".into()))?.mac(token.id(), &request);
    let asked = JoinRequest { token: Blob(token.id().to_vec()), request: Blob(request), mac: Blob(mac) };
    let certificate = match asking.ask(&asked).await? {
        JoinAnswer::Issued(certificate) => certificate,
        JoinAnswer::Refused { reason, text } => return Err(JoinError::Refused { reason, text }),
    };
    // Of this site's authority, in its time, and of this key.
    let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| JoinError::Answer)?;
    let pem = Zeroizing::new(key.serialize_pem());
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| JoinError::Answer)?;
    let identity = Identity::new(vec![chain.clone()], private, vec![asking.authority.clone()])
        .map_err(|_| JoinError::Answer)?;
    if !matches!(identity.name.role, Role::Agent | Role::Client) {
        return Err(JoinError::Answer);
    }
    Ok(Joined {
        name: identity.name.clone(),
        serial: identity.serial.clone(),
        certificate: encode(&chain),
        key: pem,
        authority: encode(&asking.authority),
    })
}

/// A certificate as text (RFC 7468).
fn encode(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: String = lines.flat_map(|line| [line, "\n".into()]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}
