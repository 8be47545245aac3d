//! The gateway at work: what its connections share, and the configuration snapshot they follow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use http::HeaderName;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wicketgate_admission::identity::Method;
use wicketgate_admission::revocation::Revocations;
use wicketgate_admission::{Changes, Counts, Guard, Limits, Lost, Standing};
use wicketgate_audit::Audit;
use wicketgate_policy::Policy;
use wicketgate_relay::broker::Broker;
use wicketgate_telemetry::{Telemetry, Tracer};
use wicketgate_wire::Budget;

use crate::capture::Captures;
use crate::config::{Config, LimitsConfig};
use crate::latency::Latencies;
use crate::observe::{Findings, Metrics, RouteMetrics};
use crate::pictures::Pool;
use crate::pump::config::WebSocketConfig;
use crate::pump::{End, Order};
use crate::route::config::{Action, ProxyConfig, RouteConfig};
use crate::route::{Redirect, Respond, RouteTable};
use crate::sessions::{Live, Sessions, Way, end_spread};
use crate::tls::acme::Challenges;
use crate::tls::{CertificateResolver, Chain, ClientCertificates};
use crate::upstream::{Upstream, UpstreamError, resolve};

/// A route, with everything resolved that requests on it need.
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// What the configuration says of it.
    pub config: Arc<RouteConfig>,
    /// Who may use it.
    pub guard: Guard,
    /// What becomes of its requests.
    pub target: Target,
    /// The headers by which this or any other route tells upstreams who a client is: no client may send them.
    pub identity_names: Arc<[HeaderName]>,
    /// Its metric handles.
    pub metrics: RouteMetrics,
    /// What its sessions wait for.
    pub latencies: Arc<Latencies>,
}

/// What becomes of a route's requests.
pub enum Target {
    /// They go upstream.
    Proxy(Box<Proxy>),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// A fixed answer.
    Respond(Respond),
    /// Private sessions, carried unread.
    Relay(Arc<Broker>),
}

/// How a route's requests go upstream.
pub struct Proxy {
    /// What is changed on the way.
    pub config: ProxyConfig,
    /// Where they go.
    pub upstream: Arc<Upstream>,
    /// How its sessions are treated; none where they are refused.
    pub websocket: Option<Arc<WebSocketConfig>>,
    /// What its messages may say.
    pub policy: Policy,
}

/// One configuration as it is followed: built whole, then put in place of the last.
pub struct Snapshot {
    /// All routes.
    pub routes: RouteTable<Route>,
    /// All upstreams, in the order of the configuration.
    pub upstreams: Vec<Arc<Upstream>>,
    /// All methods of authentication, with what they have learnt.
    pub methods: Vec<Arc<Method>>,
    /// What is not accepted any more.
    pub revocations: Arc<Revocations>,
    /// What messages may say.
    policies: Vec<Policy>,
    /// What brings the two ends of private sessions together.
    relay: Option<Arc<Broker>>,
    /// Who may have issued clients' certificates, by the listeners that ask for them.
    clients: HashMap<Arc<str>, Arc<ClientCertificates>>,
    /// The certificates that listeners show.
    certificates: Vec<(Arc<str>, Arc<CertificateResolver>)>,
    by_name: Vec<Arc<Route>>,
}

/// What all connections share.
pub struct Shared {
    snapshot: ArcSwap<Snapshot>,
    /// The news that a session's client may have lost the right to it.
    pub changes: Changes,
    /// The live WebSocket sessions.
    pub sessions: Arc<Sessions>,
    /// What operators capture of their messages.
    pub captures: Arc<Captures>,
    /// The latest findings in them.
    pub findings: Arc<Findings>,
    /// When the process began to serve.
    pub since: SystemTime,
    /// All metrics.
    pub metrics: Metrics,
    /// Takes audit records.
    pub audit: Audit,
    /// What is sent to a collector.
    pub telemetry: Telemetry,
    /// What begins traces.
    pub tracer: Tracer,
    /// Every connection's and session's task.
    pub tracker: TaskTracker,
    /// Cancelled when no connection is accepted any more, and each ends after what it has to do.
    pub draining: CancellationToken,
    /// Cancelled when sessions are told to end, and none is opened any more: at once in a stop, later where a successor
    /// serves already.
    pub ending: CancellationToken,
    /// Cancelled when carriers of private sessions end that have found nowhere else to go.
    pub letting_go: CancellationToken,
    /// What is used of limits on who may connect.
    pub counts: Arc<Counts>,
    /// Memory for unfinished messages.
    pub assembly: Arc<Budget>,
    /// Memory for inflation.
    pub inflate: Arc<Budget>,
    /// The threads that mark pictures.
    pub pictures: Arc<Pool>,
    /// Answers to certificate authorities' challenges.
    pub challenges: Arc<Challenges>,
}

impl Shared {
    /// Starts upstreams and routes; nothing listens yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// An upstream that cannot be started.
    pub fn new(config: &Config, audit: Audit, telemetry: Telemetry) -> Result<Self, UpstreamError> {
        let (metrics, changes) = (Metrics::default(), Changes::default());
        let LimitsConfig { assembly_memory, inflate_memory, .. } = config.limits;
        let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let counts = Arc::new(Counts::new(&config.limits.tracked));
        let lasting = Lasting { metrics: &metrics, changes: &changes, counts: &counts, audit: &audit };
        Ok(Self {
            snapshot: ArcSwap::from_pointee(Snapshot::build(config, &lasting, None)?),
            changes,
            counts,
            sessions: Arc::default(),
            captures: Arc::default(),
            findings: Arc::new(Findings::keeping(kept(config))),
            since: SystemTime::now(),
            metrics,
            audit,
            tracer: telemetry.tracer(),
            telemetry,
            tracker: TaskTracker::new(),
            draining: CancellationToken::new(),
            ending: CancellationToken::new(),
            letting_go: CancellationToken::new(),
            assembly: Arc::new(Budget::new(bytes(assembly_memory))),
            inflate: Arc::new(Budget::new(bytes(inflate_memory))),
            pictures: Arc::new(Pool::new(&config.limits.pictures)),
            challenges: Arc::default(),
        })
    }

    /// The configuration that is followed now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether no connection is accepted any more.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Whether no session is opened any more.
    pub fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Follows `config` from now on. Live sessions take their route's new settings at once; those whose route is gone
    /// end, spread over `drain`.
    ///
    /// # Errors
    /// An upstream that cannot be started; then nothing has changed.
    pub fn reload(&self, config: &Config, drain: Duration) -> Result<(), UpstreamError> {
        let last = self.snapshot();
        let Self { metrics, changes, counts, audit, .. } = self;
        let lasting = Lasting { metrics, changes, counts, audit };
        let next = Arc::new(Snapshot::build(config, &lasting, Some(&last))?);
        let LimitsConfig { assembly_memory, inflate_memory, .. } = config.limits;
        self.assembly.set_limit(usize::try_from(assembly_memory).unwrap_or(usize::MAX));
        self.inflate.set_limit(usize::try_from(inflate_memory).unwrap_or(usize::MAX));
        self.findings.keep(kept(config));
        self.snapshot.store(next.clone());
        let mut spread = Vec::new();
        for live in self.sessions.all() {
            match next.judge(&live) {
                Ok(()) => {}
                Err(end @ (End::Drained | End::Unadmitted)) => spread.push((live, end)),
                Err(end) => live.control.give(Order::End(end)),
            }
        }
        // Not tracked: a drain waits for the sessions, not for the moments at which they would have been told to end.
        tokio::spawn(end_spread(spread, drain.mul_f64(SPREAD)));
        Ok(())
    }

    /// Has a session that was just registered follow the configuration of the moment: a reload or a revocation may have come
    /// while it was being opened, and have looked only at those that were there.
    pub fn catch_up(&self, live: &Live) {
        if let Err(end) = self.snapshot().judge(live) {
            live.control.give(Order::End(end));
        }
    }

    /// Ends the sessions whose clients have lost the right to them since they were admitted.
    pub fn end_revoked(&self) {
        let snapshot = self.snapshot();
        if let Some(relay) = snapshot.relay() {
            relay.enforce();
        }
        for live in self.sessions.all() {
            if let Some(route) = snapshot.route(&live.route)
                && let Err(lost) = snapshot.holds(route, &live)
            {
                live.control.give(Order::End(route.lost(lost)));
            }
        }
    }
}

/// Sessions are told to end within this part of the drain time, so that the last ones have time for their close
/// handshake.
pub const SPREAD: f64 = 0.8;

/// What outlives a configuration.
struct Lasting<'a> {
    metrics: &'a Metrics,
    changes: &'a Changes,
    counts: &'a Arc<Counts>,
    audit: &'a Audit,
}

/// What routes lead to, and judge messages by.
struct Behind<'a> {
    upstreams: &'a [Arc<Upstream>],
    policies: &'a [Policy],
    relay: Option<&'a Arc<Broker>>,
    /// Those of the route of this name in the last configuration.
    latencies: Arc<Latencies>,
}

/// The policy of this name; the trivial one where none is named.
fn policy(policies: &[Policy], name: Option<&str>) -> Option<Policy> {
    match name {
        None => Some(Policy::trivial()),
        Some(name) => policies.iter().find(|policy| policy.name() == Some(name)).cloned(),
    }
}

impl Snapshot {
    fn build(config: &Config, lasting: &Lasting<'_>, last: Option<&Self>) -> Result<Self, UpstreamError> {
        let Lasting { metrics, changes, counts, audit } = lasting;
        let lookup = resolve::system();
        let mut upstreams: Vec<Arc<Upstream>> = Vec::with_capacity(config.upstreams.len());
        for wanted in &config.upstreams {
            let kept = last.and_then(|last| last.upstreams.iter().find(|upstream| upstream.allows(wanted)));
            upstreams.push(match kept {
                Some(upstream) => upstream.clone(),
                None => Arc::new(Upstream::start(wanted.clone(), &lookup, &CancellationToken::new())?),
            });
        }
        let methods: Vec<Arc<Method>> = config
            .authentication
            .iter()
            .map(|wanted| {
                let kept = last.and_then(|last| last.methods.iter().find(|method| method.config() == wanted));
                kept.cloned().unwrap_or_else(|| Arc::new(Method::start(wanted.clone(), changes)))
            })
            .collect();
        let revocations = match last.map(|last| &last.revocations) {
            Some(last) if *last.config() == config.revocations => last.clone(),
            _ => Revocations::start(config.revocations.clone(), (*changes).clone()),
        };
        for policy in &config.policies {
            let same = |last: &&Policy| last.name() == policy.name();
            if let Some(last) = last.and_then(|last| last.policies.iter().find(same)) {
                policy.follow(last);
            }
        }
        let relay = config.relay.clone().map(|wanted| match last.and_then(|last| last.relay.clone()) {
            Some(broker) => {
                broker.reload(wanted);
                broker
            }
            None => {
                let broker = Arc::new(Broker::new(wanted, (*audit).clone()));
                tokio::spawn(Broker::follow_times(Arc::downgrade(&broker)));
                broker
            }
        });
        let names = config.routes.iter().flat_map(|route| route.admission.disclosure.names());
        let names: HashSet<HeaderName> = names.cloned().collect();
        let names: Arc<[HeaderName]> = names.into_iter().collect();
        let by_name: Vec<Arc<Route>> = config
            .routes
            .iter()
            .filter_map(|route| {
                let own = route.admission.limits.unwrap_or_default();
                let limits = Limits::new(counts, config.limits.admission, &route.name, own);
                let guard = Guard::new(&route.admission, &methods, limits, revocations.clone());
                let latencies =
                    last.and_then(|last| last.route(&route.name)).map(|last| last.latencies.clone());
                let behind = Behind {
                    upstreams: &upstreams,
                    policies: &config.policies,
                    relay: relay.as_ref(),
                    latencies: latencies.unwrap_or_default(),
                };
                Route::build(route, guard, names.clone(), &behind, metrics)
            })
            .map(Arc::new)
            .collect();
        let clients = config.listeners.iter().filter_map(|listener| {
            let clients = listener.tls.as_ref()?.clients.clone()?;
            Some((listener.name.clone(), clients))
        });
        let clients = clients.collect();
        let certificates = config
            .listeners
            .iter()
            .filter_map(|listener| Some((listener.name.clone(), listener.tls.as_ref()?.resolver.clone())))
            .collect();
        let matches = config.routes.iter().map(|route| &route.matching);
        Ok(Self {
            routes: RouteTable::new(matches.zip(by_name.iter().cloned())),
            upstreams,
            methods,
            revocations,
            policies: config.policies.clone(),
            relay,
            clients,
            certificates,
            by_name,
        })
    }

    /// The route of this name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.by_name.iter().find(|route| *route.name == *name)
    }

    /// All routes, in the order of the configuration.
    pub fn all_routes(&self) -> &[Arc<Route>] {
        &self.by_name
    }

    /// The certificates that listeners show, by the listeners' names.
    pub fn certificates(&self) -> &[(Arc<str>, Arc<CertificateResolver>)] {
        &self.certificates
    }

    /// What brings the two ends of private sessions together, where there is such.
    pub const fn relay(&self) -> Option<&Arc<Broker>> {
        self.relay.as_ref()
    }

    /// The route that carriers belong to which came without a request.
    pub fn relay_route(&self) -> Option<(&Arc<Route>, &Arc<Broker>)> {
        self.by_name.iter().find_map(|route| match &route.target {
            Target::Relay(broker) => Some((route, broker)),
            _ => None,
        })
    }

    /// Whether a live session's client would still be admitted to its route, on what is known of it.
    ///
    /// # Errors
    /// Why it would not.
    pub fn holds(&self, route: &Route, live: &Live) -> Result<(), Lost> {
        route.guard.holds(&live.standing)?;
        let Way { listener, chain, .. } = &live.way;
        self.still_accepts(listener, chain.as_deref()).then_some(()).ok_or(Lost::Revoked)
    }

    /// Whether the listener of this name would still take the certificates that a client has shown it.
    pub fn still_accepts(&self, listener: &str, chain: Option<&Chain>) -> bool {
        let asked = chain.zip(self.clients.get(listener));
        asked.is_none_or(|(chain, clients)| clients.still_accepts(chain))
    }

    /// Gives a live session its route's settings; or says why it has to end.
    fn judge(&self, live: &Live) -> Result<(), End> {
        let route = self.route(&live.route).ok_or(End::Drained)?;
        let settings = match &route.target {
            Target::Proxy(proxy) => {
                let config = proxy.websocket.as_ref().ok_or(End::Drained)?;
                Some(Order::Settings(config.clone(), proxy.policy.clone()))
            }
            Target::Relay(_) => None,
            Target::Redirect(_) | Target::Respond(_) => return Err(End::Drained),
        };
        self.holds(route, live).map_err(|lost| route.lost(lost))?;
        if let Some(settings) = settings {
            live.control.give(settings);
        }
        live.control.give(Order::Until(route.until(&live.standing)));
        Ok(())
    }
}

impl Route {
    /// When a session has to end with its client's credential, and how.
    pub fn until(&self, standing: &Standing) -> Option<(Instant, End)> {
        let left = standing.expires()?.duration_since(SystemTime::now()).unwrap_or_default();
        // Farther than any session lives: as good as never.
        Some((Instant::now().checked_add(left)?, self.lost(Lost::Expired)))
    }

    /// How a session ends whose client lost the right to it.
    pub fn lost(&self, lost: Lost) -> End {
        let codes = self.guard.close_codes();
        match lost {
            Lost::Expired => End::Expired(codes.expired),
            Lost::Revoked => End::Revoked(codes.revoked),
            Lost::Unadmitted => End::Unadmitted,
        }
    }

    fn build(
        config: &Arc<RouteConfig>,
        guard: Guard,
        identity_names: Arc<[HeaderName]>,
        Behind { upstreams, policies, relay, latencies }: &Behind<'_>,
        metrics: &Metrics,
    ) -> Option<Self> {
        let policy = match &config.action {
            Action::Proxy(proxy) => policy(policies, proxy.policy.as_deref())?,
            _ => Policy::trivial(),
        };
        let guard = guard.keep_headers(policy.headers());
        let target = match &config.action {
            Action::Redirect(redirect) => Target::Redirect(redirect.clone()),
            Action::Respond(respond) => Target::Respond(respond.clone()),
            Action::Relay => Target::Relay((*relay)?.clone()),
            Action::Proxy(proxy) => Target::Proxy(Box::new(Proxy {
                upstream: upstreams.iter().find(|upstream| *upstream.name() == *proxy.upstream)?.clone(),
                websocket: proxy.websocket.clone().map(Arc::new),
                policy,
                config: (**proxy).clone(),
            })),
        };
        Some(Self {
            name: config.name.clone(),
            config: config.clone(),
            guard,
            target,
            identity_names,
            metrics: metrics.route(&config.name),
            latencies: latencies.clone(),
        })
    }
}

/// How many findings are kept: none where there is no console to show them.
fn kept(config: &Config) -> usize {
    config.console.as_ref().map_or(0, |console| console.findings)
}
