//! Where and when a comparison ran.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;
use time::OffsetDateTime;

/// The machine and the day; enough to tell which figures may stand side by side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Day in UTC, as 2026-01-31.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// Average load of the last minute before the run: above zero, others were at work.
    pub(crate) load_before: f64,
}

impl Machine {
    pub(crate) fn here() -> Result<Self> {
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let processor = field(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".to_owned());
        let memory = field(&read("/proc/meminfo")?, "MemTotal").context("no MemTotal")?;
        let kib: u64 = memory.trim_end_matches(" kB").parse().context("MemTotal")?;
        let load = read("/proc/loadavg")?;
        Ok(Self {
            date: OffsetDateTime::now_utc().date().to_string(),
            processor,
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_before: load.split(' ').next().unwrap_or("").parse().context("load average")?,
        })
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
