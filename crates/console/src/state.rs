//! What all of the console's connections share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use wicketgate_gateway::console::ConsoleConfig;
use wicketgate_gateway::gateway::Shared as Gateway;

use crate::access::attempts::Attempts;
use crate::access::password::Checker;
use crate::access::sessions::Sessions;
use crate::control::Control;
use crate::samples::Samples;

/// Reads of the audit store at once: the disk is the data plane's too.
const READERS: usize = 2;
/// Pages that are told of news at once.
const STREAMS: usize = 64;

/// What all of the console's connections share.
#[derive(Clone)]
pub(crate) struct Shared(Arc<State>);

pub(crate) struct State {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) config: ArcSwap<ConsoleConfig>,
    /// Where it listens.
    pub(crate) own: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) is_secure: bool,
    /// The main file of the configuration.
    pub(crate) file: PathBuf,
    /// The audit store, where there is one.
    pub(crate) store: Option<PathBuf>,
    pub(crate) control: Control,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Checker,
    pub(crate) samples: Samples,
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    /// When the process began to serve.
    pub(crate) since: SystemTime,
}

/// What a console is given.
pub(crate) struct Given {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) config: ConsoleConfig,
    pub(crate) own: SocketAddr,
    pub(crate) file: PathBuf,
    pub(crate) store: Option<PathBuf>,
    pub(crate) control: Control,
}

impl Shared {
    pub(crate) fn new(given: Given) -> Self {
        let Given { gateway, config, own, file, store, control } = given;
        gateway.findings.keep(config.findings);
        Self(Arc::new(State {
            gateway,
            own,
            is_secure: config.tls.is_some(),
            file,
            store,
            control,
            sessions: Sessions::new(),
            attempts: Attempts::new(),
            passwords: Checker::new(config.sign_in.hashing),
            samples: Samples::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            since: SystemTime::now(),
            config: ArcSwap::from_pointee(config),
        }))
    }

    /// Follows a new configuration; without the section nobody may use the console any more.
    pub(crate) fn follow(&self, config: Option<&ConsoleConfig>) {
        let next = match config {
            Some(config) => config.clone(),
            None => {
                let last = ConsoleConfig::clone(&self.config.load());
                ConsoleConfig { users: Vec::new(), tokens: Vec::new(), ..last }
            }
        };
        self.gateway.findings.keep(next.findings);
        self.config.store(Arc::new(next));
    }
}

impl std::ops::Deref for Shared {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}
