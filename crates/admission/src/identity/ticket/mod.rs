//! Tickets: what a browser, which can set no header on a WebSocket, shows in place of a credential that it has shown
//! before. Each is good for one handshake on one route, and for seconds.

mod seal;
mod table;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wicketgate_config::{At, Problems, Time};

use seal::{MAX_CONTENT, Seal};
use table::{Full, Outstanding};

use super::{Claims, Denied, Identity};
use crate::credential::{Place, RawPlace};
use crate::fill::Fill;
use crate::secret::{RawSecret, Secret};

/// One-time tickets. `POST /.wicketgate/ticket?path=PATH` with a credential of another method of the route at PATH, on the
/// same host, gives one: `{"ticket": "wgt_...", "expires_in": 30}`. A ticket opens one WebSocket on that route, as whom the
/// credential proved, for as long as the credential is good.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTicket {
    /// Where in a handshake the ticket stands. Default: the query parameter `ticket`. No cookies.
    pub from: Vec<At<RawPlace>>,
    /// How long a ticket is good, 1s to 5m. The default is 30s.
    pub lifetime: Option<At<Time>>,
    /// A secret of at least 32 characters, which lets several gateways take each other's tickets. Each knows only those that
    /// were used with itself, so a ticket may then be used once with each. Default: a random one, of this process alone.
    pub key: Option<At<RawSecret>>,
    /// How many tickets may be out, used or not, until they expire, 1 to 1000000; 503 beyond it. The default is 10000. Each
    /// takes some 150 bytes.
    pub max_outstanding: Option<At<usize>>,
    /// How many of them may be of one subject, 1 to 1000000; 429 beyond it. The default is 32.
    pub max_per_subject: Option<At<usize>>,
}

/// One-time tickets, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketConfig {
    /// Where in a handshake the ticket stands.
    pub places: Vec<Place>,
    /// How long it is good.
    pub lifetime: Duration,
    /// What several gateways share; `None` for a random key.
    pub key: Option<Secret>,
    /// How many may be out.
    pub max_outstanding: usize,
    /// How many of them may be of one subject.
    pub max_per_subject: usize,
}

const DEFAULT_LIFETIME: Time = Time::secs(30);
const DEFAULT_OUTSTANDING: usize = 10_000;
const DEFAULT_PER_SUBJECT: usize = 32;
/// The shortest shared key, in characters.
const MIN_KEY: usize = 32;

impl RawTicket {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<TicketConfig> {
        let key = match self.key {
            Some(key) => Some(RawSecret::check(key, "the key of tickets", MIN_KEY, problems)?),
            None => None,
        };
        let mut places = Vec::new();
        for raw in self.from {
            if matches!(*raw, RawPlace::Cookie(_)) {
                let what = "browsers send cookies to whoever asks, again and again";
                problems.error(raw.place, what, "take tickets from a `query` parameter or a `subprotocol`");
                continue;
            }
            places.extend(RawPlace::check(raw, problems));
        }
        if places.is_empty() {
            places.push(Place::Query("ticket".into()));
        }
        let lifetime = self.lifetime.unwrap_or(At::nowhere(DEFAULT_LIFETIME));
        let lifetime = problems.in_range("lifetime", &lifetime, Time::secs(1)..=Time::secs(300)).0;
        let mut count = |name, at: Option<At<usize>>, default| {
            problems.in_range(name, &at.unwrap_or(At::nowhere(default)), 1..=1_000_000)
        };
        let max_outstanding = count("max_outstanding", self.max_outstanding, DEFAULT_OUTSTANDING);
        let max_per_subject = count("max_per_subject", self.max_per_subject, DEFAULT_PER_SUBJECT);
        Some(TicketConfig { places, lifetime, key, max_outstanding, max_per_subject })
    }
}

/// What a ticket says, for the gateway alone. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Content {
    /// The route whose handshake it opens.
    route: String,
    /// When it was issued, and until when it is good.
    from: u64,
    until: u64,
    /// The identity for which it stands.
    method: String,
    subject: String,
    token_id: Option<String>,
    issued: Option<u64>,
    expires: Option<u64>,
    claims: Claims,
    /// The credential itself, where its issuer has to be asked about it again while a session lasts.
    token: Option<String>,
}

/// A ticket, and how long it is good.
#[derive(Debug)]
pub struct Issued {
    /// The ticket.
    pub ticket: Secret,
    /// How long it is good.
    pub expires_in: Duration,
}

/// Why there is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTicket {
    /// Too many are out.
    #[error("too many tickets are out")]
    Full {
        /// When some will have expired.
        retry_after: Duration,
        /// Whether they are everybody's, and not the subject's own.
        everybody: bool,
    },
    /// What is known of the identity is too large to travel in one.
    #[error("the claims are too large for a ticket")]
    TooLarge,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

/// Tickets of one method.
#[derive(Debug)]
pub struct Tickets {
    config: TicketConfig,
    /// None where the system gave no randomness: then there are no tickets.
    seal: Option<Seal>,
    outstanding: Outstanding,
    /// When this table of used tickets began. What was issued before may have been used before.
    since: u64,
}

impl Tickets {
    /// With a table of used tickets that is empty.
    pub fn start(config: TicketConfig) -> Self {
        Self {
            seal: Seal::new(config.key.as_ref()),
            outstanding: Outstanding::new(config.max_outstanding, config.max_per_subject),
            since: millis(SystemTime::now()),
            config,
        }
    }

    /// How full the table of tickets is.
    pub fn fill(&self) -> Fill {
        self.outstanding.fill()
    }

    /// Where in a handshake a ticket stands.
    pub fn places(&self) -> &[Place] {
        &self.config.places
    }

    /// Issues a ticket that stands for an identity on one route; `token` is the credential behind it, if the session will have
    /// to be rechecked by it.
    ///
    /// # Errors
    /// Too many tickets that are out, or claims that are too large to travel in one.
    pub fn issue(
        &self,
        route: &str,
        identity: &Identity,
        token: Option<&Secret>,
    ) -> Result<Issued, NoTicket> {
        let now = millis(SystemTime::now());
        let lifetime = u64::try_from(self.config.lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires = identity.expires.map(millis);
        let until = now.saturating_add(lifetime).min(expires.unwrap_or(u64::MAX));
        let content = Content {
            route: route.to_owned(),
            from: now,
            until,
            method: identity.method.as_ref().to_owned(),
            subject: identity.subject.as_ref().to_owned(),
            token_id: identity.token_id.as_deref().map(str::to_owned),
            issued: identity.issued.map(millis),
            expires,
            claims: (*identity.claims).clone(),
            token: token.map(|token| token.reveal().to_owned()),
        };
        let content = serde_json::to_vec(&content).unwrap_or_default();
        if content.is_empty() || content.len() > MAX_CONTENT {
            return Err(NoTicket::TooLarge);
        }
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| NoTicket::NoRandomness)?;
        let sealed = self.seal.as_ref().and_then(|seal| seal.seal(&id, content));
        let ticket = sealed.ok_or(NoTicket::NoRandomness)?;
        let issued = self.outstanding.issue(id, &identity.subject, until, now);
        issued.map_err(|full| NoTicket::Full {
            retry_after: self.config.lifetime,
            everybody: full == Full::All,
        })?;
        Ok(Issued { ticket, expires_in: Duration::from_millis(until.saturating_sub(now)) })
    }

    /// Uses a ticket up on a route; gives the identity, and the credential behind it if it was issued with that.
    ///
    /// # Errors
    /// One that is none, or another route's, or was used before.
    pub fn redeem(&self, route: &str, text: &Secret) -> Result<(Identity, Option<Secret>), Denied> {
        let seal = self.seal.as_ref().ok_or_else(|| Denied::Unavailable("there are no tickets".into()))?;
        let (id, content) = seal.open(text)?;
        let content: Content =
            serde_json::from_slice(&content).map_err(|_| Denied::Malformed("no ticket"))?;
        if content.route != route {
            return Err(Denied::Audience);
        }
        if content.from < self.since {
            return Err(Denied::Expired);
        }
        self.outstanding.redeem(id, content.until, millis(SystemTime::now()))?;
        let time = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let token = content.token.map(Secret::new);
        let identity = Identity {
            method: content.method.into(),
            subject: content.subject.into(),
            token_id: content.token_id.map(Arc::from),
            issued: content.issued.map(time),
            expires: content.expires.map(time),
            claims: Arc::new(content.claims),
        };
        Ok((identity, token))
    }
}

/// A date so far away that milliseconds cannot count it is the farthest that they can.
fn millis(time: SystemTime) -> u64 {
    const FARTHEST: u64 = 1 << 50;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(FARTHEST).min(FARTHEST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config() -> TicketConfig {
        RawTicket::default().check(&mut Problems::default()).unwrap()
    }

    fn identity() -> Identity {
        Identity {
            method: "jwt".into(),
            subject: "alice".into(),
            token_id: Some("7".into()),
            issued: Some(UNIX_EPOCH + Duration::from_secs(1_000)),
            expires: Some(UNIX_EPOCH + Duration::from_secs(1 << 40)),
            claims: Arc::new([("groups".to_owned(), vec!["a", "b"].into())].into_iter().collect()),
        }
    }

    #[test]
    fn a_ticket_stands_for_its_identity_once() {
        let tickets = Tickets::start(config());
        let token = Secret::new("opaque");
        let issued = tickets.issue("chat", &identity(), Some(&token)).unwrap();
        assert_eq!(issued.expires_in, Duration::from_secs(30));
        assert_eq!(tickets.redeem("other", &issued.ticket).unwrap_err(), Denied::Audience);
        assert_eq!(tickets.redeem("chat", &issued.ticket).unwrap(), (identity(), Some(token)));
        assert_eq!(tickets.redeem("chat", &issued.ticket).unwrap_err(), Denied::Replayed);
    }

    #[test]
    fn a_ticket_lives_no_longer_than_its_credential() {
        let tickets = Tickets::start(config());
        let soon = Some(SystemTime::now() + Duration::from_secs(3));
        let issued = tickets.issue("chat", &Identity { expires: soon, ..identity() }, None).unwrap();
        assert!(issued.expires_in <= Duration::from_secs(3));
        let past = Some(SystemTime::now() - Duration::from_secs(3));
        let issued = tickets.issue("chat", &Identity { expires: past, ..identity() }, None).unwrap();
        assert_eq!(tickets.redeem("chat", &issued.ticket).unwrap_err(), Denied::Expired);
    }

    #[test]
    fn gateways_with_the_same_key_take_each_others_tickets_and_not_their_predecessors() {
        let shared = TicketConfig { key: Some(Secret::new("k".repeat(32))), ..config() };
        let (one, other) = (Tickets::start(shared.clone()), Tickets::start(shared.clone()));
        let issued = one.issue("chat", &identity(), None).unwrap();
        assert_eq!(other.redeem("chat", &issued.ticket).unwrap().0, identity());
        assert_eq!(other.redeem("chat", &issued.ticket).unwrap_err(), Denied::Replayed);
        let successor = Tickets { since: millis(SystemTime::now()) + 1, ..Tickets::start(shared) };
        assert_eq!(successor.redeem("chat", &issued.ticket).unwrap_err(), Denied::Expired);
        let stranger = Tickets::start(config());
        assert_eq!(stranger.redeem("chat", &issued.ticket).unwrap_err(), Denied::Signature);
    }

    #[test]
    fn there_are_no_more_tickets_than_configured_and_none_that_is_too_large() {
        let tickets = Tickets::start(TicketConfig { max_outstanding: 3, max_per_subject: 2, ..config() });
        let refused = |identity: &Identity| tickets.issue("chat", identity, None).err();
        let bob = Identity { subject: "bob".into(), ..identity() };
        let full = |everybody| Some(NoTicket::Full { retry_after: Duration::from_secs(30), everybody });
        let seen = [&identity(), &identity(), &identity(), &bob, &bob].map(refused);
        assert_eq!(seen, [None, None, full(false), None, full(true)]);
        let claims: Claims = [("a".to_owned(), "x".repeat(MAX_CONTENT).into())].into_iter().collect();
        let large = Identity { claims: Arc::new(claims), ..identity() };
        assert_eq!(Tickets::start(config()).issue("chat", &large, None).unwrap_err(), NoTicket::TooLarge);
    }

    #[test]
    fn cookies_hold_no_tickets() {
        let mut problems = Problems::default();
        let from = vec![At::nowhere(RawPlace::Cookie("t".into()))];
        RawTicket { from, ..RawTicket::default() }.check(&mut problems);
        assert!(problems.has_errors());
    }
}
