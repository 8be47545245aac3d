//! The one engine of the process, and the thread that counts its milliseconds while a component is at work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// The most instances of the process, all components together.
pub(super) const MAX_INSTANCES: u32 = 1000;
/// The most memory that any instance may be allowed, in bytes.
pub(super) const MAX_MEMORY: usize = 512 << 20;
/// Stack of a call. A worker's own is 2 MiB.
const STACK: usize = 512 << 10;
/// How long a call may run between two looks at the clock.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a call before the thread rests: a gateway whose components have nothing to do is not woken a thousand times
/// a second.
const IDLE_TICKS: u32 = 1000;

static ENGINE: LazyLock<Result<Engine, String>> =
    LazyLock::new(|| engine().map_err(|error| format!("{error:#}")));

/// Calls that began since the process did.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Calls that are under way.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static RESTS: AtomicBool = AtomicBool::new(false);
static CLOCK: OnceLock<Thread> = OnceLock::new();

/// The engine; why there can be none on this machine.
pub(super) fn shared() -> Result<&'static Engine, &'static str> {
    ENGINE.as_ref().map_err(String::as_str)
}

/// The work that this thread has done, whatever the time was.
pub(super) fn work() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// While it lives, the clock runs.
pub(super) struct Running(());

impl Running {
    pub(super) fn begin() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        CALLS.fetch_add(1, Ordering::Relaxed);
        // Either this sees that the clock rests, or the clock, before it does, sees that a call began.
        if RESTS.load(Ordering::SeqCst)
            && let Some(clock) = CLOCK.get()
        {
            clock.unpark();
        }
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

fn engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        // Components are often made of several modules, which share a memory. Those of a language with a runtime of its own bring
        // more: QuickJS, with what stands there for WASI, 11 modules and 3 memories.
        .total_core_instances(MAX_INSTANCES * 12)
        .total_memories(MAX_INSTANCES * 2)
        .total_tables(MAX_INSTANCES * 4)
        .max_core_instances_per_component(20)
        .max_memories_per_component(4)
        .max_tables_per_component(10)
        .max_memory_size(MAX_MEMORY);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .cranelift_opt_level(OptLevel::Speed)
        // The same bytes are to be judged alike on every machine.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // Between components that are made of several, wasmtime puts modules of its own with the memories of both.
        .wasm_multi_memory(true)
        .concurrency_support(false);
    let engine = Engine::new(&config)?;
    let ticking = engine.clone();
    let clock = thread::Builder::new().name("plugin-clock".into()).spawn(move || tick(&ticking))?;
    CLOCK.get_or_init(|| clock.thread().clone());
    Ok(engine)
}

fn tick(engine: &Engine) {
    let (mut calls, mut idle) = (0, 0);
    loop {
        thread::sleep(TICK);
        engine.increment_epoch();
        let now = CALLS.load(Ordering::Relaxed);
        idle = if now == calls { idle + 1 } else { 0 };
        calls = now;
        if idle < IDLE_TICKS {
            continue;
        }
        RESTS.store(true, Ordering::SeqCst);
        while RUNNING.load(Ordering::SeqCst) == 0 && CALLS.load(Ordering::Relaxed) == calls {
            thread::park();
        }
        RESTS.store(false, Ordering::SeqCst);
        idle = 0;
    }
}
