//! `wicketgate run`: the gateway, until it is told to stop.

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};
use wicketgate_audit::{Audit, Event, Who};
use wicketgate_console::{Console, Control, Followed, Parts, Serving, Wish, Wishes};
use wicketgate_gateway::admin::Admin;
use wicketgate_gateway::config::{
    AdminConfig, Config, ConfigWatch, ConsoleConfig, Moment, Report, RuntimeConfig,
};
use wicketgate_gateway::listener::Activated;
use wicketgate_gateway::server::{Cause, Server};
use wicketgate_gateway::workers::{DataPlane, Workers};
use wicketgate_telemetry::Telemetry;

use super::configuration::{BAD_CONFIGURATION, ConfigPath};
use super::successor::Successor;
use crate::logs::{self, Logs};
use crate::supervisor::{Supervisor, Word};

/// Serve, until SIGTERM or SIGINT.
///
/// SIGHUP, and a change of the configuration's files, make it follow the new configuration, whole or not at all. SIGUSR2 starts
/// the program anew, as after an upgrade: where `runtime.handover` is set, the new process takes over and this one drains. SIGTERM
/// and SIGINT make it drain; a second one ends it at once.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    config: ConfigPath,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let activated = Activated::of_environment()?;
        let Some((config, report)) = self.config.load() else {
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        };
        let logs = logs::init(&config.log)?;
        let audit = logs::audit(&config)?;
        let telemetry = Telemetry::start(config.telemetry.as_ref()).context("telemetry cannot be started")?;
        let data = DataPlane::start(config.runtime.threads)?;
        // What is not traffic runs here, so that it never takes the data plane's time.
        let control = Builder::new_current_thread().enable_all().build()?;
        let ended = control.block_on(async {
            // Before anything is served: a signal must not meet a process that does not know it yet.
            let signals = Signals::new().context("signals cannot be received")?;
            // Before a process that serves already is told to drain.
            let admin = config.admin.as_ref().map(|admin| listen(admin, &config.runtime)).transpose()?;
            let console =
                config.console.as_ref().map(|console| open(console, &config.runtime)).transpose()?;
            let server = Server::start(&config, data.workers(), audit.clone(), telemetry.clone(), activated)?;
            // Whose last metrics are still to be sent when nothing is served any more.
            let shared = server.shared.clone();
            audit.wait(&Event::Started { version: env!("CARGO_PKG_VERSION") }, &Who::default()).await;
            if let Some(admin) = &admin {
                tracing::info!(listener = "admin", address = %admin.address()?, "listening");
            }
            let admin = admin.map(|admin| admin.show(logs.recent()));
            let admin = admin.map(|admin| tokio::spawn(admin.serve(server.shared.clone())));
            let (control, wishes) = Control::new();
            let console = console.map(|console| {
                tracing::info!(listener = "console", address = %console.address()?, "listening");
                console.serve(Parts {
                    gateway: server.shared.clone(),
                    file: self.config.path().to_owned(),
                    followed: Followed {
                        started: config.clone(),
                        current: config.clone(),
                        files: Moment::of(&report),
                    },
                    store: config.audit.store.as_ref().map(|store| store.path.clone()),
                    control,
                })
            });
            let operators = Operators { admin, console: console.transpose()?, wishes };
            let source = Source { path: self.config, started: config };
            let supervisor = Supervisor::of_environment();
            supervisor.tell(Word::Ready);
            let workers = data.workers();
            tokio::select! {
                cut_off = operate(server, source, signals, operators, report, &logs, &supervisor) =>
                    cut_off.map(|cut_off| (cut_off, shared)),
                never = supervisor.keep_alive(async || answer(&workers).await) => match never {},
            }
        });
        drop(data);
        telemetry.close(LAST_SPANS);
        audit.close(LAST_WORDS);
        drop(logs);
        Ok(match ended?.0 {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

/// How often it says how far a drain is.
const COUNT: Duration = Duration::from_secs(5);

/// How long audit records that still wait may take at the end.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long traces and metrics that still wait may take at the end.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The operator's listener. Where there may be a successor, it shares the address with us for a while.
fn listen(config: &AdminConfig, runtime: &RuntimeConfig) -> anyhow::Result<Admin> {
    Admin::bind(config, runtime.handover.is_some())
        .with_context(|| format!("the admin listener cannot listen at {}", config.bind))
}

/// The console's listener, by the same rules.
fn open(config: &ConsoleConfig, runtime: &RuntimeConfig) -> anyhow::Result<Console> {
    Console::bind(config, runtime.handover.is_some())
        .with_context(|| format!("the console cannot listen at {}", config.bind))
}

/// Where operators ask, and what they wish.
struct Operators {
    admin: Option<JoinHandle<()>>,
    console: Option<Serving>,
    wishes: Wishes,
}

impl Operators {
    /// Their questions are for another process from now on.
    fn leave(&mut self) {
        self.admin.as_ref().inspect(|admin| admin.abort());
        self.console = None;
    }
}

/// The signals that the gateway obeys.
struct Signals {
    reload: Signal,
    upgrade: Signal,
    stop: Stop,
}

/// The signals that end it.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (reload, upgrade) = (signal(SignalKind::hangup())?, signal(SignalKind::user_defined2())?);
        Ok(Self { reload, upgrade, stop: Stop::new()? })
    }
}

impl Stop {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them; gives its name.
    pub(super) async fn told(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Where the configuration comes from, and what it said when the process started.
struct Source {
    path: ConfigPath,
    started: Config,
}

/// Serves, reloads and drains; gives the number of sessions that were cut off.
async fn operate(
    mut server: Server,
    source: Source,
    mut signals: Signals,
    mut operators: Operators,
    report: Report,
    logs: &Logs,
    supervisor: &Supervisor,
) -> anyhow::Result<usize> {
    announce(&server);
    let mut watch = start_watch(&report);
    let (taken, audit) = (server.taken(), server.shared.audit.clone());
    let mut successor = Successor::default();
    loop {
        let (reason, wish) = tokio::select! {
            _ = signals.reload.recv() => ("SIGHUP", None),
            () = changed(&mut watch) => ("the configuration's files changed", None),
            _ = signals.upgrade.recv() => {
                successor.start(source.started.runtime.handover.as_deref());
                continue;
            }
            () = successor.ended() => continue,
            wish = operators.wishes.next() => ("the console", Some(wish)),
            signal = signals.stop.told() => {
                tracing::info!(signal, "stopping");
                supervisor.tell(Word::Stopping);
                let cut_off = drain(server, Cause::Stop, signals.stop, Some(supervisor)).await;
                return cut_off.inspect(|sessions| stopped(&audit, signal, *sessions));
            }
            () = taken.cancelled() => {
                tracing::info!("a new process serves now");
                // The operator's questions are for the new one.
                operators.leave();
                let cut_off = drain(server, Cause::Successor, signals.stop, Some(supervisor)).await;
                return cut_off.inspect(|sessions| stopped(&audit, "handover", *sessions));
            }
        };
        supervisor.tell(Word::Reloading);
        logs.reopen();
        audit.reopen();
        let reloaded = reload(&mut server, &source);
        let who = wish.as_ref().map(Wish::who).unwrap_or_default();
        audit.log(&Event::Reloaded { reason, is_followed: reloaded.is_some() }, &who);
        if let Some(wish) = wish {
            wish.answer(reloaded.is_some());
        }
        match reloaded {
            Some((config, report)) => {
                if let Some(console) = &operators.console {
                    console.follow(&config, Moment::of(&report));
                }
                tracing::info!(reason, "configuration reloaded");
                server.shared.metrics.reloaded("done");
                announce(&server);
                watch = start_watch(&report);
            }
            None => {
                tracing::error!(reason, "configuration not reloaded: the one before stays in force");
                server.shared.metrics.reloaded("refused");
            }
        }
        supervisor.tell(Word::Ready);
    }
}

/// Waits until every thread of the data plane has answered: whoever watches this process is told that all of them live.
async fn answer(workers: &Workers) {
    for worker in workers.all() {
        let _ = worker.spawn(async {}).await;
    }
}

fn stopped(audit: &Audit, reason: &str, sessions: usize) {
    audit.log(&Event::Stopped { reason, sessions }, &Who::default());
}

/// Reads the configuration anew and follows it; what it says, where that went well.
fn reload(server: &mut Server, source: &Source) -> Option<(Config, Report)> {
    let (config, report) = source.path.load()?;
    match server.reload(&config) {
        Ok(()) => {
            for setting in source.started.needing_restart(&config) {
                tracing::warn!(
                    setting,
                    "changes only at a restart: what the process started with stays in force"
                );
            }
            Some((config, report))
        }
        Err(error) => {
            tracing::error!(%error, "the new configuration cannot be followed");
            None
        }
    }
}

/// Drains, until that is done or a second signal comes; gives the number of sessions that were cut off. `supervisor` hears how far
/// it is.
pub(super) async fn drain(
    server: Server,
    cause: Cause,
    mut stop: Stop,
    supervisor: Option<&Supervisor>,
) -> anyhow::Result<usize> {
    let (shared, until) = (server.shared.clone(), Instant::now() + server.drain_timeout());
    let who = match cause {
        Cause::Stop => String::new(),
        Cause::Successor => format!("the process before this one, {}, is ", std::process::id()),
    };
    let count_down = async {
        let mut ticks = interval_at(Instant::now() + COUNT, COUNT);
        loop {
            let (sessions, left) = (shared.sessions.len(), until.duration_since(Instant::now()).as_secs());
            if let Some(supervisor) = supervisor {
                supervisor.tell(Word::Status(&format!("{who}draining: {sessions} sessions, {left}s left")));
            }
            ticks.tick().await;
            let (sessions, left) = (shared.sessions.len(), until.duration_since(Instant::now()).as_secs());
            tracing::info!(sessions, "draining, {left}s left");
        }
    };
    let drained = tokio::select! {
        never = count_down => never,
        cut_off = server.drain(cause) => {
            match cut_off {
                0 => tracing::info!("drained"),
                sessions => tracing::warn!(sessions, "the drain time is over: sessions are cut off"),
            }
            Ok(cut_off)
        }
        signal = stop.told() => {
            tracing::warn!(signal, "stopped at once");
            Ok(1)
        }
    };
    // The process that serves in its place has nothing to say.
    if let (Cause::Successor, Some(supervisor)) = (cause, supervisor) {
        supervisor.tell(Word::Status(""));
    }
    drained
}

fn announce(server: &Server) {
    for (listener, address) in server.addresses() {
        tracing::info!(listener, %address, "listening");
    }
}

fn start_watch(report: &Report) -> Option<ConfigWatch> {
    ConfigWatch::start(report)
        .inspect_err(
            |error| tracing::warn!(%error, "the configuration is not watched: send SIGHUP after a change"),
        )
        .ok()
}

async fn changed(watch: &mut Option<ConfigWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}
