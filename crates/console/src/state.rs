//! What all of the console's connections share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Semaphore;
use wicketgate_gateway::config::{Config, Moment};
use wicketgate_gateway::console::{ConsoleConfig, ConsoleLimits};
use wicketgate_gateway::gateway::Shared as Gateway;
use wicketgate_gateway::operate::doctor::Clocks;

use crate::access::attempts::Attempts;
use crate::access::openid::OpenId;
use crate::access::password::Checker;
use crate::access::sessions::Sessions;
use crate::control::Control;
use crate::followed::Followed;
use crate::samples::Samples;

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
    /// What is followed.
    pub(crate) followed: ArcSwap<Followed>,
    /// The audit store, where there is one.
    pub(crate) store: Option<PathBuf>,
    pub(crate) control: Control,
    pub(crate) sessions: Sessions,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Checker,
    /// The provider that vouches for some.
    pub(crate) openid: ArcSwapOption<OpenId>,
    pub(crate) samples: Samples,
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    /// Places for those who look on at messages.
    pub(crate) watchers: Arc<Semaphore>,
    pub(crate) limits: ConsoleLimits,
    /// When the process began to serve.
    pub(crate) since: SystemTime,
    /// What the clocks showed then.
    pub(crate) clocks: Clocks,
}

/// What a console is given.
pub(crate) struct Given {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) config: ConsoleConfig,
    pub(crate) own: SocketAddr,
    pub(crate) file: PathBuf,
    pub(crate) followed: Followed,
    pub(crate) store: Option<PathBuf>,
    pub(crate) control: Control,
}

impl Shared {
    /// Must be called inside a tokio runtime: a provider's keys are fetched by it.
    pub(crate) fn new(given: Given) -> Self {
        let Given { gateway, config, own, file, followed, store, control } = given;
        Self(Arc::new(State {
            gateway,
            own,
            is_secure: config.tls.is_some(),
            file,
            followed: ArcSwap::from_pointee(followed),
            store,
            control,
            sessions: Sessions::new(),
            attempts: Attempts::new(),
            passwords: Checker::new(config.sign_in.hashing),
            openid: ArcSwapOption::new(config.openid.clone().and_then(OpenId::start).map(Arc::new)),
            samples: Samples::default(),
            readers: Arc::new(Semaphore::new(config.limits.readers)),
            streams: Arc::new(Semaphore::new(config.limits.streams)),
            watchers: Arc::new(Semaphore::new(config.messages.watchers)),
            limits: config.limits,
            since: SystemTime::now(),
            clocks: Clocks::now(),
            config: ArcSwap::from_pointee(config),
        }))
    }

    /// Follows a new configuration; without the section nobody may use the console any more. Must be called inside a tokio runtime.
    pub(crate) fn follow(&self, config: &Config, files: Moment) {
        let started = self.followed.load().started.clone();
        self.followed.store(Arc::new(Followed { started, current: config.clone(), files }));
        let next = match &config.console {
            Some(config) => config.clone(),
            None => {
                let last = ConsoleConfig::clone(&self.config.load());
                ConsoleConfig { users: Vec::new(), openid: None, tokens: Vec::new(), ..last }
            }
        };
        let followed = self.openid.load();
        if followed.as_ref().map(|openid| &openid.config) != next.openid.as_ref() {
            self.openid.store(next.openid.clone().and_then(OpenId::start).map(Arc::new));
        }
        self.config.store(Arc::new(next));
    }
}

impl std::ops::Deref for Shared {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}
