//! The agent: on the machine to be reached, it dials out, and lets clients in to the services that it offers.

pub mod config;
mod forward;
pub mod services;
mod workers;

use std::collections::HashSet;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::config::AgentConfig;
use self::forward::Visit;
use self::workers::Workers;
use crate::access::until;
use crate::carrier::Opened;
use crate::endpoint::control::{Call, Control, Controlled, Granted, Invitation, State, control};
use crate::endpoint::link::{Event, LABEL, Link, LinkHandle, attach, link};
use crate::endpoint::streams;
use crate::revocation::Newest;
use crate::session::{Reason, Role, SessionId, close_record};

/// How long sessions may take to end when the agent stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// An agent at work.
#[derive(Debug)]
struct Agent {
    config: AgentConfig,
    control: Control,
    revoked: Arc<Newest>,
    tasks: TaskTracker,
    workers: Workers,
    sessions: Mutex<HashSet<SessionId>>,
    /// Changes where a rule's time begins or ends.
    changes: watch::Sender<()>,
}

/// Runs an agent until it is stopped; sessions then end with a reason that says so. `running` is called once it is at work, whether a
/// gateway is there or not; `told` hears what becomes of the way to the gateway.
///
/// # Errors
/// No threads can be had to serve sessions on.
pub async fn run(
    config: AgentConfig,
    stop: CancellationToken,
    running: impl FnOnce(),
    told: impl Fn(&State) + Send + 'static,
) -> io::Result<()> {
    let workers = Workers::start()?;
    let Controlled { control, keeper, mut calls, revoked } =
        control(config.dialer.clone(), config.identity.clone());
    let (tasks, sessions) = (TaskTracker::new(), Mutex::default());
    let agent = Arc::new(Agent {
        config,
        control,
        revoked,
        tasks,
        workers,
        sessions,
        changes: watch::Sender::new(()),
    });
    // Before the gateway is dialled, which `told` hears of.
    running();
    let keeper = tokio::spawn(keeper.run(move |state| {
        match state {
            State::Connected { gateway, version, carrier } => {
                tracing::info!(%gateway, %version, %carrier, "connected");
            }
            State::Lost(error) => tracing::warn!("no gateway: {error}"),
        }
        told(state);
    }));
    // Not begun anew with each call: a time that has come would be passed by.
    let follows = agent.clone();
    let mut times = pin!(async move { follows.follow_times().await });
    loop {
        tokio::select! {
            call = calls.recv() => match call {
                Some(Call::Invitation(invitation)) => agent.clone().invited(invitation, &stop),
                Some(Call::Wanted(granted)) => agent.clone().wanted(granted),
                None => break,
            },
            () = &mut times => {}
            () = stop.cancelled() => break,
        }
    }
    agent.tasks.close();
    let _ = timeout(LAST_WORDS, agent.tasks.wait()).await;
    keeper.abort();
    Ok(())
}

impl Agent {
    fn invited(self: Arc<Self>, invitation: Invitation, stop: &CancellationToken) {
        let session = invitation.granted.session;
        if self.sessions().len() >= self.config.max_sessions {
            return self.decline(
                invitation.granted,
                Reason::Limits,
                "the agent has as many sessions as it may have",
            );
        }
        self.sessions().insert(session);
        let (agent, stop) = (self.clone(), stop.clone());
        let serve = async move {
            let client = invitation.client.clone();
            tracing::info!(%session, %client, "invited");
            let (stream, handle, carriers) = link(
                Role::Agent,
                invitation.granted.clone(),
                &self.config.session,
                self.config.dialer.clone(),
                self.control.clone(),
            );
            let breaks = Arc::new(AtomicU64::new(0));
            let counted = breaks.clone();
            let carriers = tokio::spawn(carriers.run(move |event| match event {
                Event::Attached { again, carrier, .. } => {
                    tracing::info!(%session, again, %carrier, "attached");
                }
                Event::Broken(why) => {
                    counted.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(%session, "broken: {why}");
                }
                Event::Undialled(why) => tracing::debug!(%session, "no carrier: {why}"),
            }));
            let served = async {
                let done = self.serve(stream, &handle, &invitation).await;
                if let Err(why) = &done {
                    tracing::warn!(%session, %client, "{why}");
                }
            };
            tokio::select! {
                () = served => {}
                () = stop.cancelled() => handle.close(Reason::AgentRestarted, "the agent stops"),
            }
            handle.close(Reason::Normal, "");
            let counters = handle.counters();
            if let Ok(ended) = carriers.await {
                tracing::info!(%session, %client, read = counters.read, written = counters.written, "{ended}");
                let breaks = breaks.load(Ordering::Relaxed);
                self.control.ended(&invitation.granted.ticket, ended.reason, breaks);
            }
            self.sessions().remove(&session);
        };
        if let Some(worker) = agent.workers.next() {
            agent.tasks.spawn_on(serve, worker);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client waits for the other end of a session. One that this agent knows dials by itself; of one from before it was started,
    /// the client is told that there is nothing to wait for.
    fn wanted(self: Arc<Self>, granted: Granted) {
        if !self.sessions().contains(&granted.session) {
            self.decline(granted, Reason::AgentRestarted, "the agent was started anew");
        }
    }

    /// Tells the client of a session that this agent has no part in it.
    fn decline(self: Arc<Self>, granted: Granted, reason: Reason, text: &'static str) {
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            let session = granted.session;
            let farewell = close_record(reason, text);
            match attach(&self.config.dialer, None, &granted.ticket).await {
                Ok(Opened { mut carrier, .. }) => {
                    let _ = carrier.write_all(&farewell).await;
                    let _ = carrier.shutdown().await;
                    tracing::info!(%session, "declined: {text}");
                }
                Err(error) => tracing::debug!(%session, "no carrier: {error}"),
            }
        });
    }

    async fn serve(
        self: &Arc<Self>,
        stream: Link,
        handle: &LinkHandle,
        invitation: &Invitation,
    ) -> Result<(), String> {
        let changes = self.changes.subscribe();
        let established = self.config.identity.accept_client(stream, &invitation.client);
        let established = timeout(self.config.session.handshake_timeout, established).await;
        let established = established
            .map_err(|_| "the client did not prove in time who it is".to_owned())?
            .map_err(|error| error.to_string())?;
        let secret = established.secret(LABEL, &invitation.granted.session.0);
        handle.prove(&secret.map_err(|error| error.to_string())?);
        // The client had it before us.
        handle.settle();
        let visit = Arc::new(Visit {
            client: invitation.client.name.to_string(),
            services: invitation.services.clone(),
            flows: Semaphore::new(self.config.udp.max_flows),
        });
        let agent = self.clone();
        let served = streams::serve(established.stream, self.config.session.unread, move |stream| {
            let (agent, visit) = (agent.clone(), visit.clone());
            tokio::spawn(async move { agent.forward(stream, &visit).await });
        });
        tokio::select! {
            served = served => served.map_err(|error| error.to_string()),
            () = self.revoked.covered(&established.peer.serial) => {
                handle.close(Reason::Revoked, "the client is revoked");
                Err("the client is revoked".to_owned())
            }
            () = self.shuts_out(changes, &invitation.client.name, &invitation.services) => {
                let why = "the agent lets the client in at other times";
                handle.close(Reason::Forbidden, why);
                Err(why.to_owned())
            }
        }
    }

    /// Tells sessions and streams where a rule's time begins or ends.
    async fn follow_times(&self) {
        loop {
            until(self.config.access.next_change(SystemTime::now())).await;
            self.changes.send_replace(());
        }
    }

    /// Waits until a rule's time has ended that let a client have any of these. `changes` were subscribed to before that was judged.
    async fn shuts_out(&self, mut changes: watch::Receiver<()>, client: &str, services: &[impl AsRef<str>]) {
        while changes.changed().await.is_ok() {
            if !services.iter().any(|service| self.allows(client, service.as_ref())) {
                return;
            }
        }
    }
}
