//! Instances of one component: those at hand, and how many there are.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre, Linker};

use super::instance::{self, Started};
use super::machine::{self, MAX_INSTANCES};
use super::state::{Settings, State};
use super::{compiled, lines::Lines};
use crate::{Fault, Limits, Unusable};

/// What a component is asked for.
pub(super) trait World: Sized + Send + Sync {
    /// Its name in the WIT package.
    const NAME: &'static str;
    /// The exports of an instance.
    type Exports: Send;
    /// Gives what the world lets a component import.
    fn link(linker: &mut Linker<State>) -> wasmtime::Result<()>;
    /// Finds the exports of a component.
    fn find(linked: InstancePre<State>) -> wasmtime::Result<Self>;
    /// Starts an instance.
    fn start(&self, store: &mut Store<State>) -> wasmtime::Result<Self::Exports>;
}

/// A component that is ready to be asked.
pub(super) struct Pool<W: World> {
    world: W,
    settings: Arc<Settings>,
    idle: Mutex<Vec<Started<W>>>,
    count: Arc<AtomicUsize>,
    component: Arc<Component>,
}

/// Counts as an instance for as long as it lives.
pub(super) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<W: World> Pool<W> {
    /// Loads a component, and starts one instance of it to see whether it does.
    pub(super) fn load(
        path: &Path,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        Self::new(compiled::load(path)?, name, config, limits)
    }

    pub(super) fn new(
        component: Arc<Component>,
        name: &str,
        config: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, Unusable> {
        let engine = machine::shared().map_err(|why| Unusable::Host(why.to_owned()))?;
        let misfit = |error: wasmtime::Error| Unusable::World { world: W::NAME, why: format!("{error:#}") };
        let mut linker = Linker::new(engine);
        W::link(&mut linker).map_err(misfit)?;
        let linked = linker.instantiate_pre(&component).map_err(misfit)?;
        let world = W::find(linked).map_err(misfit)?;
        let settings = Settings { name: name.into(), config, limits, lines: Lines::default() };
        let pool = Self {
            world,
            settings: Arc::new(settings),
            idle: Mutex::default(),
            count: Arc::default(),
            component,
        };
        let first = pool.start().map_err(Unusable::Start)?;
        pool.give_back(first);
        Ok(pool)
    }

    /// Whether it is the same component in the same settings.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (one, other_one) = (&*self.settings, &*other.settings);
        Arc::ptr_eq(&self.component, &other.component)
            && one.config == other_one.config
            && one.limits == other_one.limits
    }

    pub(super) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Asks an instance that is at hand, or else a new one. One that gave no answer is never asked again.
    pub(super) fn with<A>(&self, ask: impl FnOnce(&mut Started<W>) -> Result<A, Fault>) -> Result<A, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = idle.map_or_else(|| self.start(), Ok)?;
        let answer = ask(&mut instance)?;
        self.give_back(instance);
        Ok(answer)
    }

    /// A new instance.
    pub(super) fn start(&self) -> Result<Started<W>, Fault> {
        let most = self.settings.limits.instances.min(MAX_INSTANCES as usize);
        let slot = Slot(self.count.clone());
        if self.count.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Fault::Instances(most));
        }
        instance::start(&self.world, &self.settings, slot)
    }

    /// Calls are made by workers, one at a time each: there are never more instances at hand than there are workers.
    fn give_back(&self, instance: Started<W>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }
}

impl<W: World> std::fmt::Debug for Pool<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("world", &W::NAME)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
