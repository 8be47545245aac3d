//! What a component may reach: the session, its configuration, the log and the time; and how much memory it may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{ResourceLimiter, format_err};

use super::lines::{self, Lines, MAX_LINES};
use crate::{Fault, Limits, Session};

/// The most elements of a table: functions that are called by number, mostly.
const MAX_TABLE: usize = 100_000;

/// What all instances of a component have in common.
#[derive(Debug)]
pub(super) struct Settings {
    /// What the log calls it.
    pub(super) name: Box<str>,
    pub(super) config: Vec<(String, String)>,
    pub(super) limits: Limits,
    pub(super) lines: Lines,
}

/// What an instance may reach.
pub(super) struct State {
    pub(super) settings: Arc<Settings>,
    /// Whose message is judged; none between calls.
    pub(super) session: Option<Arc<dyn Session>>,
    pub(super) unix_millis: u64,
    /// What it did wrong, where wasmtime's own word for it would not tell.
    pub(super) fault: Option<Fault>,
    lines: u32,
    memory: usize,
    /// How long this call may work, and the thread's work at the call's first tick.
    time: Duration,
    since: Option<Duration>,
}

impl State {
    pub(super) const fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            session: None,
            unix_millis: 0,
            fault: None,
            lines: 0,
            memory: 0,
            time: Duration::ZERO,
            since: None,
        }
    }

    /// A call begins.
    pub(super) fn begin(&mut self, session: Option<Arc<dyn Session>>, unix_millis: u64) {
        self.session = session;
        self.unix_millis = unix_millis;
        self.lines = 0;
    }

    /// The component may work so long from here on.
    pub(super) const fn allow(&mut self, time: Duration) {
        self.time = time;
        self.since = None;
    }

    /// Whether it worked as long as it may; asked each tick. It is the thread's own work that counts: a thread that has to wait for
    /// others must not cost its sessions.
    pub(super) fn is_late(&mut self, work: Duration) -> bool {
        work.saturating_sub(*self.since.get_or_insert(work)) >= self.time
    }

    /// A line for the log; an error ends the call.
    pub(super) fn write(&mut self, level: Level, text: &str) -> wasmtime::Result<()> {
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(self.refuse(Fault::Log(MAX_LINES)));
        }
        let Some(left_out) = self.settings.lines.admit(Instant::now()) else { return Ok(()) };
        let (step, text) = (&*self.settings.name, lines::cut(text));
        let session = self.session.as_ref().map(|session| session.id());
        match level {
            Level::Debug => tracing::debug!(step, session, left_out, text, "plugin"),
            Level::Info => tracing::info!(step, session, left_out, text, "plugin"),
            Level::Warn => tracing::warn!(step, session, left_out, text, "plugin"),
            Level::Error => tracing::error!(step, session, left_out, text, "plugin"),
        }
        Ok(())
    }

    /// What the configuration says under a name.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let known = self.settings.config.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.clone())
    }

    fn refuse(&mut self, fault: Fault) -> wasmtime::Error {
        let error = format_err!("{fault}");
        self.fault = Some(fault);
        error
    }
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let (most, wanted) =
            (self.settings.limits.memory, self.memory.saturating_sub(current).saturating_add(desired));
        if wanted > most {
            // Most programs end when they get no memory; all of them end here, at the place where they asked.
            return Err(self.refuse(Fault::Memory(most)));
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE {
            return Err(self.refuse(Fault::Memory(self.settings.limits.memory)));
        }
        Ok(true)
    }
}
