//! Somebody who wants to join: what it asks goes to the site's authority, and its answer back. The gateway can read both, and make
//! neither.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use wicketgate_audit::Event;
use wicketgate_audit::private::{About, Private};

use super::{Broker, Origin, ServeError};
use crate::authority::AUTHORITY;
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::message::FromGateway;
use crate::control::{Channel, ChannelError};
use crate::enrolment::config::Enrolment;
use crate::enrolment::message::{JoinAnswer, JoinRefusal, JoinRequest, MAX_JOIN};
use crate::identity::{Arriving, Certified};
use crate::name::Role;

/// How long an address is counted.
const MINUTE: Duration = Duration::from_secs(60);
/// The most addresses that are counted at a time, about 50 bytes each; while there are more, further ones are refused.
const MAX_ADDRESSES: usize = 10_000;

/// Those that ask.
#[derive(Debug, Default)]
pub(super) struct Joins(Mutex<Asking>);

#[derive(Debug, Default)]
struct Asking {
    next: u64,
    /// By their numbers; with where the authority's answer goes, once it is asked.
    open: HashMap<u64, Option<oneshot::Sender<JoinAnswer>>>,
    /// How often addresses have asked since this moment.
    asked: HashMap<IpAddr, u32>,
    since: Option<Instant>,
}

/// A place among those that ask; given back when dropped.
#[derive(Debug)]
struct Place<'a> {
    joins: &'a Joins,
    number: u64,
}

impl Joins {
    /// Takes one in, before anything is done for it.
    fn enter(&self, address: Option<IpAddr>, bounds: &Enrolment, now: Instant) -> Option<Place<'_>> {
        let mut asking = self.lock();
        if asking.since.is_none_or(|since| now.duration_since(since) >= MINUTE) {
            asking.since = Some(now);
            asking.asked.clear();
        }
        let known = asking.asked.len();
        let address = network(address);
        match asking.asked.get_mut(&address) {
            Some(times) if *times >= bounds.joins_per_minute => return None,
            Some(times) => *times += 1,
            None if known >= MAX_ADDRESSES => return None,
            None => drop(asking.asked.insert(address, 1)),
        }
        if asking.open.len() >= bounds.max_joins {
            return None;
        }
        let number = asking.next;
        asking.next += 1;
        asking.open.insert(number, None);
        Some(Place { joins: self, number })
    }

    /// Hands the authority's answer on; one that nobody waits for any more is none.
    pub(super) fn answered(&self, request: u64, answer: JoinAnswer) {
        if let Some(waits) = self.lock().open.get_mut(&request).and_then(Option::take) {
            let _ = waits.send(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asking> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// What the authority says.
    async fn ask(&self, broker: &Broker, asked: JoinRequest) -> JoinAnswer {
        let (sender, answer) = oneshot::channel();
        self.joins.lock().open.insert(self.number, Some(sender));
        let no = |text| JoinAnswer::no(JoinRefusal::NoAuthority, text);
        if broker.authorities.tell(AUTHORITY, FromGateway::Join { request: self.number, asked }).is_err() {
            return no(
                "no authority is connected to the gateway: its administrator runs `wicketgate ca serve`",
            );
        }
        answer.await.unwrap_or_else(|_| no("the authority has gone"))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.joins.lock().open.remove(&self.number);
    }
}

/// Whom one address stands for: of IPv6, the network that one subscriber has.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address {
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
        Some(address) => address,
        None => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Serves one who wants to join.
pub(super) async fn serve(
    broker: &Broker,
    config: &Arc<RelayConfig>,
    arriving: Arriving<BoxedCarrier>,
    origin: Origin,
) -> Result<(), ServeError> {
    let served = async {
        let bounds = config.enrolment.as_ref().ok_or(ServeError::NotJoined(JoinRefusal::Off))?;
        // Whoever comes too often costs no handshake.
        let place = broker.joins.enter(origin.address, bounds, Instant::now());
        let place = place.ok_or(ServeError::NotJoined(JoinRefusal::Limit))?;
        let answered = timeout(bounds.timeout, answer(broker, config, arriving, &place, &origin)).await;
        answered.unwrap_or(Err(ServeError::NotJoined(JoinRefusal::Late)))
    };
    let served = served.await;
    if let Err(error) = &served {
        let refused = Private::Refused { about: About::default(), reason: error.label() };
        broker.audit.log(&Event::Private(refused), &origin.who(None));
    }
    served
}

async fn answer(
    broker: &Broker,
    config: &RelayConfig,
    arriving: Arriving<BoxedCarrier>,
    place: &Place<'_>,
    origin: &Origin,
) -> Result<(), ServeError> {
    let mut channel = Channel::limited(config.identity.accept_joining(arriving).await?, MAX_JOIN);
    let answer = match channel.receive::<JoinRequest>().await {
        Ok(asked) => place.ask(broker, asked).await,
        Err(ChannelError::TooLong(_) | ChannelError::Malformed(_)) => {
            JoinAnswer::no(JoinRefusal::Request, "this is no request to join")
        }
        Err(error) => return Err(error.into()),
    };
    // What is recorded is what whoever joins will find, and not what somebody says.
    let (answer, joined) = match answer {
        JoinAnswer::Issued(certificate) => match certified(config, &certificate) {
            Some(joined) => (JoinAnswer::Issued(certificate), Ok(joined)),
            None => {
                let no = JoinAnswer::no(
                    JoinRefusal::Failed,
                    "the authority's answer is no certificate of this site",
                );
                (no, Err(JoinRefusal::Failed))
            }
        },
        JoinAnswer::Refused { reason, text } => (JoinAnswer::Refused { reason, text }, Err(reason)),
    };
    if let Ok(joined) = &joined {
        let name = joined.name.to_string();
        broker
            .audit
            .wait(&Event::Private(Private::Enrolled), &origin.who(Some((&name, &joined.serial))))
            .await;
        tracing::info!(endpoint = %joined.name, serial = joined.serial, address = ?origin.address, "joined");
    }
    channel.send(&answer).await?;
    channel.end().await;
    joined.map(drop).map_err(ServeError::NotJoined)
}

fn certified(config: &RelayConfig, certificate: &str) -> Option<Certified> {
    let joined = config.identity.certified(certificate).ok()?;
    matches!(joined.name.role, Role::Agent | Role::Client).then_some(joined)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUNDS: Enrolment =
        Enrolment { max_joins: 4, joins_per_minute: 3, timeout: Duration::from_secs(30) };

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn each_address_asks_so_often_within_a_minute_and_no_more_at_once_than_there_may_be() {
        let (joins, now) = (Joins::default(), Instant::now());
        let enter = |address: &str, now: Instant| joins.enter(from(address), &BOUNDS, now);
        for _ in 0..3 {
            assert!(enter("192.0.2.1", now).is_some());
        }
        assert!(enter("192.0.2.1", now).is_none() && enter("::ffff:192.0.2.1", now).is_none());
        let places: Vec<_> = (2..6).map(|n| enter(&format!("192.0.2.{n}"), now).unwrap()).collect();
        assert!(enter("192.0.2.9", now).is_none(), "as many as there may be");
        drop(places);
        assert!(enter("192.0.2.9", now).is_some());
        for n in 0..3 {
            assert!(enter(&format!("2001:db8::{n}"), now).is_some());
        }
        assert!(enter("2001:db8::9", now).is_none() && enter("2001:db8:0:1::9", now).is_some());
        assert!(enter("192.0.2.1", now + MINUTE).is_some());
        for n in 0..2 * MAX_ADDRESSES {
            let _ = joins.enter(Some(IpAddr::V4(u32::try_from(n).unwrap().into())), &BOUNDS, now + MINUTE);
        }
        let asking = joins.lock();
        assert_eq!((asking.asked.len(), asking.open.len()), (MAX_ADDRESSES, 0));
    }
}
