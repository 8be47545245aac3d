//! An instance of a component: its memory, its exports, and how a call of one ends.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline};

use super::machine::{self, MAX_INSTANCES, Running};
use super::pool::{Slot, World};
use super::state::{Settings, State};
use crate::{Fault, Session};

/// The least time that an instance has to start in.
const START: Duration = Duration::from_millis(200);
/// What an answer may take beside what it says: lists take more here than there.
const ANSWER_OVERHEAD: usize = 64 << 10;

/// An instance that was started.
pub(super) struct Started<W: World> {
    store: Store<State>,
    exports: W::Exports,
    _slot: Slot,
}

/// Starts an instance within its limits.
pub(super) fn start<W: World>(world: &W, settings: &Arc<Settings>, slot: Slot) -> Result<Started<W>, Fault> {
    let engine = machine::shared().map_err(|why| Fault::Trap(why.to_owned()))?;
    let mut store = Store::new(engine, State::new(settings.clone()));
    store.limiter(|state| state);
    store.epoch_deadline_callback(|mut store| {
        let is_late = store.data_mut().is_late(machine::work());
        Ok(if is_late { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
    });
    store.set_hostcall_fuel(settings.limits.answer.saturating_add(ANSWER_OVERHEAD));
    let deadline = settings.limits.deadline.max(START);
    let started = within(&mut store, deadline, |store| world.start(store));
    let exports = started.map_err(|error| fault(&mut store, &error, deadline))?;
    Ok(Started { store, exports, _slot: slot })
}

impl<W: World> Started<W> {
    /// What it was started for.
    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.store.data().settings
    }

    /// Makes one call. Behind a fault, the instance is of no more use.
    pub(super) fn call<A>(
        &mut self,
        session: Option<Arc<dyn Session>>,
        unix_millis: u64,
        ask: impl FnOnce(&W::Exports, &mut Store<State>) -> wasmtime::Result<A>,
    ) -> Result<A, Fault> {
        self.store.data_mut().begin(session, unix_millis);
        let deadline = self.store.data().settings.limits.deadline;
        let exports = &self.exports;
        let answer = within(&mut self.store, deadline, |store| ask(exports, store));
        self.store.data_mut().session = None;
        answer.map_err(|error| fault(&mut self.store, &error, deadline))
    }
}

fn within<A>(
    store: &mut Store<State>,
    deadline: Duration,
    work: impl FnOnce(&mut Store<State>) -> wasmtime::Result<A>,
) -> wasmtime::Result<A> {
    let _running = Running::begin();
    store.data_mut().allow(deadline);
    // A call that is done within a tick asks no clock.
    store.set_epoch_deadline(1);
    work(store)
}

/// What went wrong, in words that say whose limit it was.
fn fault(store: &mut Store<State>, error: &wasmtime::Error, deadline: Duration) -> Fault {
    if let Some(fault) = store.data_mut().fault.take() {
        return fault;
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Fault::Instances(MAX_INSTANCES as usize);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault::Deadline(deadline),
        Some(trap) => Fault::Trap(trap.to_string()),
        // There is no type for it.
        None if error.root_cause().to_string().contains("fuel allocated for hostcalls") => {
            Fault::Long(store.data().settings.limits.answer)
        }
        None => Fault::Trap(error.root_cause().to_string()),
    }
}
