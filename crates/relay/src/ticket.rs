//! What an endpoint opens the carriers of a session with: sealed by a gateway, so that nobody on the way learns from it who
//! talks to whom, and gateways need remember nothing.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hkdf, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wicketgate_config::Secret;

use crate::name::{Name, Role};
use crate::session::SessionId;

/// The longest sealed ticket, in bytes.
pub const MAX_SEALED: usize = 8 << 10;

const PURPOSE: &[u8] = b"wicketgate relay ticket 1";

/// A ticket that only gateways can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// Why a ticket does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// No gateway of this site has made it.
    #[error("no gateway of this site has made this ticket")]
    Forged,
    /// It has expired.
    #[error("the ticket has expired")]
    Expired,
}

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The session.
    pub session: SessionId,
    /// Whose ticket it is of the two.
    pub holder: Role,
    /// The client.
    pub client: Name,
    /// The serial number of the client's certificate.
    pub client_serial: String,
    /// The agent.
    pub agent: Name,
    /// The serial number of the agent's certificate.
    pub agent_serial: String,
    /// The services that were asked for.
    pub services: Vec<String>,
    /// When it expires.
    #[serde(flatten)]
    pub expires: Expiry,
}

/// When a ticket expires. The gateway that has made it goes by a clock that nobody sets, so that no session ends because the clock
/// jumps; others, and the same one started anew, have only the clock to go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// In seconds since 1970.
    #[serde(rename = "expires")]
    since_1970: u64,
    /// By which gateway it was made, and when it expires in seconds since that was started.
    #[serde(default)]
    own: Option<(u64, u64)>,
}

impl Expiry {
    /// When a ticket made now for this long expires.
    pub fn after(lifetime: Duration) -> Self {
        let (process, now) = this_process();
        Self {
            since_1970: Ticket::expiry(lifetime),
            own: Some((process, now.saturating_add(lifetime).as_secs())),
        }
    }

    fn is_over(&self, grace: Duration) -> bool {
        let (process, now) = this_process();
        let (end, now) = match self.own {
            Some((maker, end)) if maker == process => (end, now.as_secs()),
            _ => (self.since_1970, Ticket::expiry(Duration::ZERO)),
        };
        now >= end.saturating_add(grace.as_secs())
    }
}

/// A number that no other process has, and the time since this one first made a ticket.
fn this_process() -> (u64, Duration) {
    static FIRST: LazyLock<(u64, Instant)> = LazyLock::new(|| (::rand::random(), Instant::now()));
    (FIRST.0, FIRST.1.elapsed())
}

impl Ticket {
    /// Whether it has expired for longer than `grace`.
    pub fn is_expired(&self, grace: Duration) -> bool {
        self.expires.is_over(grace)
    }

    /// The time after this long, in seconds since 1970.
    pub fn expiry(lifetime: Duration) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_add(lifetime).as_secs()
    }
}

/// What tickets are sealed with: the same at all gateways of a site.
#[derive(Debug)]
pub struct Seal(hkdf::Prk);

impl Seal {
    /// By a secret that other gateways may have too; by one of this process alone where there is none. `None` where the system
    /// gives no randomness.
    pub fn new(secret: Option<&Secret>) -> Option<Self> {
        let mut own = [0; 32];
        let secret = match secret {
            Some(secret) => secret.reveal().as_bytes(),
            None => {
                rand::fill(&mut own).ok()?;
                &own
            }
        };
        Some(Self(hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(secret)))
    }

    /// Seals a ticket; `None` where the system gives no randomness.
    pub fn seal(&self, ticket: &Ticket) -> Option<Sealed> {
        self.seal_for(PURPOSE, ticket)
    }

    /// Reads a ticket, expired or not.
    ///
    /// # Errors
    /// One that no gateway with this secret has made.
    pub fn read(&self, sealed: &Sealed) -> Result<Ticket, TicketError> {
        self.read_for(PURPOSE, sealed)
    }

    /// Seals what is of use for one purpose alone; `None` where the system gives no randomness.
    pub(crate) fn seal_for<T: Serialize>(&self, purpose: &'static [u8], content: &T) -> Option<Sealed> {
        let mut id = [0; 16];
        rand::fill(&mut id).ok()?;
        let mut content = serde_json::to_vec(content).ok()?;
        let nonce =
            self.key(purpose, &id)?.seal_in_place_append_tag(Aad::from(purpose), &mut content).ok()?;
        Some(Sealed([&id[..], nonce.as_ref(), &content].concat()))
    }

    /// Reads what was sealed for this purpose.
    ///
    /// # Errors
    /// It was sealed for another, or by no gateway with this secret.
    pub(crate) fn read_for<T: DeserializeOwned>(
        &self,
        purpose: &'static [u8],
        sealed: &Sealed,
    ) -> Result<T, TicketError> {
        let (id, rest) = sealed.0.split_first_chunk::<16>().ok_or(TicketError::Forged)?;
        let (nonce, content) = rest.split_first_chunk::<NONCE_LEN>().ok_or(TicketError::Forged)?;
        let key = self.key(purpose, id).ok_or(TicketError::Forged)?;
        let mut content = content.to_vec();
        let content = key
            .open_in_place(Nonce::from(nonce), Aad::from(purpose), &mut content)
            .map_err(|_| TicketError::Forged)?;
        serde_json::from_slice(content).map_err(|_| TicketError::Forged)
    }

    /// Each ticket has a key of its own, so that no number of them wears the nonces out.
    fn key(&self, purpose: &[u8], id: &[u8; 16]) -> Option<RandomizedNonceKey> {
        let mut key = [0; digest::SHA256_OUTPUT_LEN];
        let info = [purpose, id];
        self.0.expand(&info, hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &key).ok()
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ticket() -> Ticket {
        Ticket {
            session: SessionId([7; 16]),
            holder: Role::Client,
            client: Name::new("site", Role::Client, "alice").unwrap(),
            client_serial: "1".into(),
            agent: Name::new("site", Role::Agent, "office").unwrap(),
            agent_serial: "2".into(),
            services: vec!["ssh".into()],
            expires: Expiry::after(Duration::from_secs(60)),
        }
    }

    #[test]
    fn only_gateways_with_the_secret_read_a_ticket_and_only_unchanged() {
        let secret = Secret::new("a secret that two gateways share");
        let (one, other) = (Seal::new(Some(&secret)).unwrap(), Seal::new(Some(&secret)).unwrap());
        let sealed = one.seal(&ticket()).unwrap();
        assert_eq!(other.read(&sealed).unwrap(), ticket());
        assert!(sealed.0.len() < MAX_SEALED);
        assert_eq!(Seal::new(None).unwrap().read(&sealed), Err(TicketError::Forged));
        assert!(!sealed.0.windows(5).any(|bytes| bytes == b"alice"));
        for at in 0..sealed.0.len() {
            let mut bent = sealed.clone();
            bent.0[at] ^= 1;
            assert_eq!(one.read(&bent), Err(TicketError::Forged), "bent at {at}");
            assert_eq!(one.read(&Sealed(sealed.0[..at].to_vec())), Err(TicketError::Forged), "cut at {at}");
        }
    }

    #[test]
    fn tickets_expire_and_may_be_renewed_for_a_while() {
        let old = Ticket { expires: Expiry::after(Duration::ZERO), ..ticket() };
        assert!(!ticket().is_expired(Duration::ZERO));
        assert!(old.is_expired(Duration::ZERO));
        assert!(!old.is_expired(Duration::from_secs(600)));
    }

    #[test]
    fn the_gateway_that_made_a_ticket_goes_by_a_clock_that_nobody_sets_and_others_by_the_clock() {
        let made = Expiry::after(Duration::from_secs(60));
        let (process, end) = made.own.unwrap();
        let past = Expiry { since_1970: 1, ..made };
        assert!(!past.is_over(Duration::ZERO), "the clock has jumped");
        assert!(Expiry { own: Some((process ^ 1, end)), ..past }.is_over(Duration::ZERO));
        assert!(!Expiry { own: Some((process ^ 1, 0)), ..made }.is_over(Duration::ZERO));
        // As gateways before wrote it.
        let mut old = serde_json::to_value(ticket()).unwrap();
        old.as_object_mut().unwrap().remove("own");
        assert!(!serde_json::from_value::<Ticket>(old).unwrap().is_expired(Duration::ZERO));
    }
}
