//! The gateway's life: it starts whole, follows a new configuration whole, hands its sockets over, and drains.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use wicketgate_audit::Audit;
use wicketgate_relay::carrier::Kind;
use wicketgate_telemetry::Telemetry;

use crate::config::{Config, DrainConfig};
use crate::gateway::{SPREAD, Shared};
use crate::http;
use crate::listener::{
    self, Activated, ActivationError, BindAddress, BindError, BoundSocket, Handover, HandoverError,
    Inherited, Intake, Listener, Offer, Offers,
};
use crate::operate::metrics;
use crate::pump::End;
use crate::sessions::end_spread;
use crate::tls::acme::{self, AcmeConfig, AcmeKeeper};
use crate::upstream::UpstreamError;
use crate::watch::{FileWatcher, Watched};
use crate::workers::Workers;

/// Why the gateway cannot start, or cannot follow a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened at.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The service manager's sockets are not what is configured.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// A process that runs already does not hand its sockets over.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// An upstream cannot be started.
    #[error("upstream cannot be started: {0}")]
    Upstream(#[from] UpstreamError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Files cannot be watched.
    #[error("files cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    /// The system's own.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One address that is listened at.
struct Door {
    socket: Arc<BoundSocket>,
    listener: Arc<ArcSwap<Listener>>,
    stop: CancellationToken,
}

/// A gateway that serves.
pub struct Server {
    /// What all connections share.
    pub shared: Arc<Shared>,
    data: Workers,
    intake: Intake,
    doors: Vec<Door>,
    drain: DrainConfig,
    handover: Option<PathBuf>,
    /// Ends when the offer to a successor is withdrawn; what is offered.
    offer: Option<(CancellationToken, Offers)>,
    /// Cancelled when a successor has taken the sockets over.
    taken: CancellationToken,
    _files: FileWatcher,
    acme: Vec<AcmeKeeper>,
    /// The runtime that keeps certificates: not that of connections.
    control: Handle,
}

impl Server {
    /// Starts to serve; connections and sessions run on these threads, audit records go to `audit`, traces and metrics to `telemetry`. Sockets of a process that offers them for
    /// handover are taken over, and that process is told to drain; so are those of the service manager.
    ///
    /// # Errors
    /// What cannot be had, with a remedy; then nothing is served, and a process before goes on.
    pub fn start(
        config: &Config,
        data: Workers,
        audit: Audit,
        telemetry: Telemetry,
        activated: Activated,
    ) -> Result<Self, StartError> {
        let control = Handle::current();
        let _in_data = data.first().enter();
        let handover = config.runtime.handover.clone();
        let mut takeover = handover.as_deref().map(Handover::take).transpose()?.flatten();
        let inherited = takeover.as_mut().map(|takeover| std::mem::take(&mut takeover.sockets));
        let mut inherited = Inherited::new(inherited.unwrap_or_default(), activated);
        let shared = Arc::new(Shared::new(config, audit.clone(), telemetry)?);
        let source = Arc::downgrade(&shared);
        shared.telemetry.watch(Box::new(move || metrics::text(&*source.upgrade()?).ok()));
        let mut server = Self {
            intake: Intake::new(config.limits.connections, data.clone(), audit),
            doors: Vec::new(),
            drain: config.drain.clone(),
            offer: None,
            taken: CancellationToken::new(),
            _files: watch(config, &shared)?,
            acme: Vec::new(),
            control,
            shared,
            handover,
            data: data.clone(),
        };
        let opened = server.open(config, &mut inherited)?;
        inherited.all_claimed()?;
        server.serve(opened);
        data.first().spawn(follow_changes(server.shared.clone()));
        if let Some(takeover) = takeover {
            takeover.complete()?;
            tracing::info!("listening sockets taken over; the process before drains");
        }
        server.offer_sockets()?;
        server.keep_files(config);
        Ok(server)
    }

    /// Follows a new configuration from now on.
    ///
    /// # Errors
    /// What cannot be had, with a remedy; then nothing has changed.
    pub fn reload(&mut self, config: &Config) -> Result<(), StartError> {
        let data = self.data.clone();
        let _in_data = data.first().enter();
        let certificates = watch(config, &self.shared)?;
        let opened = self.open(config, &mut Inherited::default())?;
        self.shared.reload(config, config.drain.timeout)?;
        self._files = certificates;
        self.drain = config.drain.clone();
        self.serve(opened);
        self.keep_files(config);
        self.offer_sockets()
    }

    /// Has certificates ordered and renewed. What is configured as before goes on as it is, with an order that is under way.
    fn keep_files(&mut self, config: &Config) {
        let mut last = std::mem::take(&mut self.acme);
        for wanted in acme(config) {
            if self.acme.iter().any(|keeper| keeper.config() == wanted) {
                continue;
            }
            let kept =
                last.iter().position(|keeper| keeper.config() == wanted).map(|at| last.swap_remove(at));
            let start = || AcmeKeeper::start(wanted.clone(), self.shared.challenges.clone(), &self.control);
            let keeper = kept.unwrap_or_else(start);
            self.acme.push(keeper);
        }
    }

    /// The addresses that are listened at, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<(String, BindAddress)> {
        let address = |door: &Door| {
            let name = door.listener.load().config.name.to_string();
            Some((name, door.socket.local_address().ok()?))
        };
        self.doors.iter().filter_map(address).collect()
    }

    /// Completes when a successor has taken the sockets over: then this process has to drain.
    pub fn taken(&self) -> CancellationToken {
        self.taken.clone()
    }

    /// Every address of the configuration: those that are listened at already keep their socket, the others are
    /// bound. Nothing is served yet.
    fn open(
        &self,
        config: &Config,
        inherited: &mut Inherited,
    ) -> Result<Vec<(Arc<Listener>, Socket)>, StartError> {
        let mut opened = Vec::new();
        let relay = config.relay.as_ref().filter(|relay| relay.carriers.allows(Kind::Tls));
        let relay = relay.map(|relay| relay.identity.certified_key().map(Arc::new)).transpose()?;
        for wanted in &config.listeners {
            let last = self.doors.iter().map(|door| door.listener.load_full());
            let last = last.into_iter().find(|last| last.config.name == wanted.name);
            let listener =
                Listener::new((**wanted).clone(), last.as_deref(), &self.shared.challenges, relay.as_ref())?;
            for address in &wanted.bind {
                let kept = self.doors.iter().find(|door| door.socket.address == *address);
                let socket = match kept {
                    Some(door) => Socket::Kept(door.socket.address.clone()),
                    None => Socket::New(BoundSocket::bind(wanted, address, inherited)?),
                };
                opened.push((listener.clone(), socket));
            }
        }
        Ok(opened)
    }

    /// Serves what was opened, and nothing else any more.
    fn serve(&mut self, opened: Vec<(Arc<Listener>, Socket)>) {
        let mut last = std::mem::take(&mut self.doors);
        for (listener, socket) in opened {
            match socket {
                Socket::Kept(address) => {
                    if let Some(at) = last.iter().position(|door| door.socket.address == address) {
                        let door = last.swap_remove(at);
                        for setting in door.socket.needing_restart(&listener.config) {
                            tracing::warn!(%address, setting, "changes only at a restart: the socket keeps it");
                        }
                        door.listener.store(listener);
                        self.doors.push(door);
                    }
                }
                Socket::New(socket) => self.doors.push(self.open_door(listener, socket)),
            }
        }
        for door in last {
            tracing::info!(address = %door.socket.address, "not listened at any more");
            door.stop.cancel();
        }
    }

    fn open_door(&self, listener: Arc<Listener>, socket: BoundSocket) -> Door {
        let stop = self.intake.stop.child_token();
        let (listener, socket) = (Arc::new(ArcSwap::new(listener)), Arc::new(socket));
        // Each thread accepts on its own: whichever has time takes the next connection, and keeps it unless another carries
        // clearly fewer.
        for (own, worker) in self.data.all().enumerate() {
            let shared = self.shared.clone();
            let intake = Intake { stop: stop.clone(), own, ..self.intake.clone() };
            let serving = listener::serve(listener.clone(), socket.clone(), intake, move |arrived| {
                http::serve(arrived, shared.clone())
            });
            let address = socket.address.clone();
            worker.spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(%address, %error, "not served");
                }
            });
        }
        Door { listener, socket, stop }
    }

    /// Offers the sockets that are listened at now to a successor.
    fn offer_sockets(&mut self) -> Result<(), StartError> {
        let Some(path) = &self.handover else { return Ok(()) };
        let offers = self.doors.iter().map(|door| door.socket.offer()).collect::<io::Result<Vec<Offer>>>()?;
        if let Some((_, last)) = &self.offer {
            return Ok(last.replace(offers)?);
        }
        let offers = Offers::new(offers);
        let handover = Handover::listen(path, offers.clone())?;
        let (stop, taken) = (CancellationToken::new(), self.taken.clone());
        self.offer = Some((stop.clone(), offers));
        self.data.first().spawn(async move {
            if handover.taken(stop).await {
                taken.cancel();
            }
        });
        Ok(())
    }

    /// How long sessions and requests have to end at a drain.
    pub const fn drain_timeout(&self) -> Duration {
        self.drain.timeout
    }

    /// Takes no new connections, ends the sessions spread over the drain time, and waits for what is under way until that
    /// time is over. The sessions that were cut off.
    pub async fn drain(mut self, cause: Cause) -> usize {
        let DrainConfig { timeout } = self.drain;
        let deadline = Instant::now() + timeout;
        if let Some((offer, _)) = self.offer.take() {
            offer.cancel();
        }
        self.acme.clear();
        self.shared.draining.cancel();
        self.intake.stop.cancel();
        self.doors.clear();
        tracing::info!(sessions = self.shared.sessions.len(), timeout = ?timeout, "draining");
        let patience = match cause {
            Cause::Stop => Duration::ZERO,
            Cause::Successor => timeout.mul_f64(PATIENCE),
        };
        // The listeners are closed: whoever dials now finds another gateway, or the successor.
        if let Some(broker) = self.shared.snapshot().relay() {
            broker.drain();
        }
        let (shared, spread) = (self.shared.clone(), timeout.mul_f64(SPREAD) - patience);
        self.data.first().spawn(async move {
            if !patience.is_zero() {
                sleep(patience).await;
            }
            // In this order: a session that is not among them sees that it has to end.
            shared.ending.cancel();
            let all = shared.sessions.all().into_iter().map(|live| (live, End::Drained)).collect();
            let carriers = async {
                sleep(spread.min(LEAVE)).await;
                shared.letting_go.cancel();
            };
            tokio::join!(end_spread(all, spread), carriers);
        });
        self.intake.tracker.close();
        self.shared.tracker.close();
        let done = async {
            self.intake.tracker.wait().await;
            self.shared.tracker.wait().await;
        };
        match timeout_at(deadline.max(Instant::now() + LEAST), done).await {
            Ok(()) => 0,
            Err(_) => self.shared.sessions.len(),
        }
    }
}

/// Why the gateway drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was told to stop: sessions are ended from now on.
    Stop,
    /// Another process serves in its place: sessions may go on for the first half of the drain time.
    Successor,
}

/// The part of the drain time for which sessions go on where a successor serves.
const PATIENCE: f64 = 0.5;

/// How long carriers of private sessions may go on that are to go elsewhere: to dial, and to meet the other end there.
const LEAVE: Duration = Duration::from_secs(5);

/// What a drain waits at least, so that a timeout of 0 still says goodbye.
const LEAST: Duration = Duration::from_millis(200);

/// A socket of a configuration that is about to be served.
enum Socket {
    /// The one that is served at this address.
    Kept(BindAddress),
    /// A new one.
    New(BoundSocket),
}

/// Judges the live sessions again whenever something may have been revoked.
async fn follow_changes(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.changes.told() => shared.end_revoked(),
            () = shared.ending.cancelled() => return,
        }
    }
}

fn acme(config: &Config) -> impl Iterator<Item = &AcmeConfig> {
    config.listeners.iter().filter_map(|listener| Some(&listener.tls.as_ref()?.acme.as_ref()?.value))
}

fn watch(config: &Config, shared: &Shared) -> Result<FileWatcher, StartError> {
    for acme in acme(config) {
        acme::prepare(acme)?;
    }
    let tls = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let certificates = tls.flat_map(|tls| {
        let clients = tls.clients.clone().map(Watched::Clients);
        [Some(Watched::Certificates(tls.resolver.clone())), clients].into_iter().flatten()
    });
    let policies = config.policies.iter().filter(|policy| !policy.files().is_empty());
    let relay = config.relay.iter().filter_map(|relay| relay.revocations.list.clone());
    let watched = certificates.chain(policies.cloned().map(Watched::Policy)).chain(relay.map(Watched::Relay));
    Ok(FileWatcher::start(watched.collect(), shared.changes.clone())?)
}
