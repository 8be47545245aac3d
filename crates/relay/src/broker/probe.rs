//! A carrier on which an endpoint looks at the way: what it sends comes back, and the gateway tells what it saw.
//!
//! Only for whoever has proved on a control connection to be of the site: the ticket opens no session, and its key, which never
//! goes over the way that is looked at, proves its holder.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::preamble::Preamble;
use super::{Broker, Origin, ServeError, within};
use crate::carrier::BoxedCarrier;
use crate::config::RelayConfig;
use crate::control::message::{FromGateway, Refusal};
use crate::control::version::Version;
use crate::identity::Certified;
use crate::name::Name;
use crate::probe::{
    Arrived, HEAD, LIFETIME, MAC, MAX_BYTES, MAX_CARRIERS, MAX_IDLE, MAX_MESSAGE, NONCE, PURPOSE, ProbeKey,
    ProbeTicket, Report, TRICKLE, TRICKLE_STEP, What, read, write,
};
use crate::session::SessionId;
use crate::ticket::{Ticket, TicketError};

/// How long an answer may take to be taken.
const WRITE: Duration = Duration::from_secs(60);
/// How much longer than silence a carrier may take in all.
const BESIDES: Duration = Duration::from_secs(300);

/// The probes whose carriers are open, by their holders.
#[derive(Debug, Default)]
pub(super) struct Probes(Mutex<HashMap<Name, Probe>>);

#[derive(Debug)]
struct Probe {
    ticket: SessionId,
    carriers: usize,
    /// Cancelled when its holder has come with another ticket: the one before may be dead without knowing.
    replaced: CancellationToken,
}

/// A carrier's place among them; given back when dropped.
#[derive(Debug)]
struct Place<'a> {
    probes: &'a Probes,
    holder: Name,
    ticket: SessionId,
    replaced: CancellationToken,
}

impl Probes {
    fn enter(&self, ticket: &ProbeTicket, most: usize) -> Result<Place<'_>, Refusal> {
        let mut probes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = probes.len();
        let fresh = || Probe { ticket: ticket.id, carriers: 0, replaced: CancellationToken::new() };
        let probe = match probes.get_mut(&ticket.holder) {
            Some(probe) if probe.ticket == ticket.id => probe,
            Some(before) => {
                before.replaced.cancel();
                *before = fresh();
                before
            }
            None if count >= most => return Err(Refusal::Limit),
            None => probes.entry(ticket.holder.clone()).or_insert_with(fresh),
        };
        if probe.carriers >= MAX_CARRIERS {
            return Err(Refusal::Limit);
        }
        probe.carriers += 1;
        let replaced = probe.replaced.clone();
        Ok(Place { probes: self, holder: ticket.holder.clone(), ticket: ticket.id, replaced })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut probes = self.probes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(probe) = probes.get_mut(&self.holder).filter(|probe| probe.ticket == self.ticket) {
            probe.carriers -= 1;
            if probe.carriers == 0 {
                probes.remove(&self.holder);
            }
        }
    }
}

/// What an endpoint gets that wants to look at the way.
pub(super) fn grant(broker: &Broker, peer: &Certified) -> FromGateway {
    let made = SessionId::generate().zip(ProbeKey::generate()).and_then(|(id, key)| {
        let (holder, serial) = (peer.name.clone(), peer.serial.clone());
        let ticket = ProbeTicket { id, holder, serial, key: key.clone(), expires: Ticket::expiry(LIFETIME) };
        Some((broker.seal.load().seal_for(PURPOSE, &ticket)?, key))
    });
    match made {
        Some((ticket, key)) => FromGateway::Probe { version: Version::own(), ticket, key },
        None => FromGateway::Refused { request: 0, reason: Refusal::Limit, text: "no randomness".into() },
    }
}

/// Serves a probe to its end.
pub(super) async fn serve(
    broker: &Broker,
    config: &Arc<RelayConfig>,
    mut carrier: BufReader<BoxedCarrier>,
    (origin, websocket): (Origin, Option<Arc<Arrived>>),
) -> Result<(), ServeError> {
    let ticket = within(config.handshake_timeout, prove(broker, &mut carrier)).await??;
    let place = broker.probes.enter(&ticket, config.max_probes).map_err(ServeError::Refused)?;
    let is_revoked = || broker.config.load().revocations.covers(&ticket.holder, &ticket.serial);
    let mut changes = broker.revoked.subscribe();
    if is_revoked() {
        return Err(ServeError::Refused(Refusal::Revoked));
    }
    let revoked = async { while changes.changed().await.is_ok() && !is_revoked() {} };
    tracing::info!(endpoint = %ticket.holder, address = ?origin.address, "looks at the way");
    let served = tokio::select! {
        served = timeout(MAX_IDLE + BESIDES, answer(&mut carrier, &origin, websocket.as_deref())) => served.unwrap_or(Ok(())),
        () = place.replaced.cancelled() => Ok(()),
        () = revoked => Ok(()),
    };
    let _ = timeout(WRITE, carrier.shutdown()).await;
    Ok(served?)
}

/// Whose probe it is: the ticket's holder, by the ticket's key.
async fn prove(broker: &Broker, carrier: &mut BufReader<BoxedCarrier>) -> Result<ProbeTicket, ServeError> {
    let preamble = Preamble::read_probe(carrier).await??;
    let ticket: ProbeTicket = broker.seal.load().read_for(PURPOSE, &preamble.0)?;
    let now = Ticket::expiry(Duration::ZERO);
    if now >= ticket.expires {
        return Err(TicketError::Expired.into());
    }
    let (mut nonce, mut mac) = ([0; NONCE], [0; MAC]);
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| ServeError::Refused(Refusal::Limit))?;
    carrier.write_all(&nonce).await?;
    carrier.flush().await?;
    carrier.read_exact(&mut mac).await?;
    if !ticket.key.verifies(&nonce, &mac) {
        return Err(TicketError::Forged.into());
    }
    Ok(ticket)
}

async fn answer(
    carrier: &mut BufReader<BoxedCarrier>,
    origin: &Origin,
    arrived: Option<&Arrived>,
) -> io::Result<()> {
    if let Some(arrived) = arrived {
        arrived.frames.send_up_to(HEAD + MAX_MESSAGE);
        arrived.frames.take();
    }
    let start = Instant::now();
    let stamp = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).to_be_bytes();
    let mut taken = 0;
    while let Some((what, content)) = read(carrier).await? {
        taken += (HEAD + content.len()) as u64;
        if taken > MAX_BYTES {
            return Err(io::Error::other("more bytes than a probe may take"));
        }
        let answered = async {
            match what {
                What::Echo => write(carrier, what, &content).await,
                What::Stamp => write(carrier, what, &stamp()).await,
                What::Trickle => {
                    for _ in 0..TRICKLE {
                        write(carrier, what, &stamp()).await?;
                        sleep(TRICKLE_STEP).await;
                    }
                    Ok(())
                }
                What::Report => {
                    let report = Report {
                        address: origin.address,
                        http: arrived.map(|arrived| arrived.version.clone()).unwrap_or_default(),
                        headers: arrived.map(|arrived| arrived.headers.clone()).unwrap_or_default(),
                        frames: arrived.map(|arrived| arrived.frames.take()).unwrap_or_default(),
                    };
                    write(carrier, what, &serde_json::to_vec(&report)?).await
                }
            }
        };
        timeout(WRITE, answered).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::name::Role;
    use crate::ticket::{Expiry, Seal};

    fn ticket(holder: &str, id: u8) -> ProbeTicket {
        ProbeTicket {
            id: SessionId([id; 16]),
            holder: Name::new("site", Role::Client, holder).unwrap(),
            serial: "1".into(),
            key: ProbeKey::generate().unwrap(),
            expires: Ticket::expiry(LIFETIME),
        }
    }

    #[test]
    fn probes_are_bounded_for_each_holder_and_in_all() {
        let probes = Probes::default();
        let enter = |holder: &str, id| probes.enter(&ticket(holder, id), 16);
        let mut places: Vec<_> = (0..MAX_CARRIERS).map(|_| enter("alice", 1).unwrap()).collect();
        assert_eq!(enter("alice", 1).unwrap_err(), Refusal::Limit);
        places.pop();
        places.push(enter("alice", 1).unwrap());
        // Another ticket takes the place of the one before.
        let newer = enter("alice", 2).unwrap();
        assert!(places.iter().all(|place| place.replaced.is_cancelled()) && !newer.replaced.is_cancelled());
        drop(places);
        let others: Vec<_> = (1..16).map(|n| enter(&format!("c{n}"), 1).unwrap()).collect();
        assert_eq!(enter("mallory", 1).unwrap_err(), Refusal::Limit);
        drop((newer, others));
        assert!(probes.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_ticket_serves_what_it_was_made_for_and_nothing_else() {
        let (seal, probe) = (Seal::new(None).unwrap(), ticket("alice", 1));
        let sealed = seal.seal_for(PURPOSE, &probe).unwrap();
        assert_eq!(seal.read_for::<ProbeTicket>(PURPOSE, &sealed).unwrap(), probe);
        assert_eq!(seal.read(&sealed), Err(TicketError::Forged));
        let session = Ticket {
            session: SessionId([7; 16]),
            holder: Role::Client,
            client: probe.holder.clone(),
            client_serial: "1".into(),
            agent: Name::new("site", Role::Agent, "office").unwrap(),
            agent_serial: "2".into(),
            services: vec!["ssh".into()],
            expires: Expiry::after(LIFETIME),
        };
        let sealed = seal.seal(&session).unwrap();
        assert_eq!(seal.read_for::<ProbeTicket>(PURPOSE, &sealed).unwrap_err(), TicketError::Forged);
    }
}
