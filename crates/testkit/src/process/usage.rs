//! What a program and its workers have used, as Linux counts it in `/proc`.

use std::{
    fs, io,
    ops::{Add, Sub},
    time::Duration,
};

use anyhow::{Context, Result};

/// Processor time since the start, and memory now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in user mode, of all threads and of workers that have ended.
    pub user: Duration,
    /// Time in the kernel, counted likewise.
    pub system: Duration,
    /// Resident bytes, pages shared by several processes counted once in all (PSS).
    pub resident_bytes: u64,
    /// Processes counted.
    pub processes: usize,
}

impl Usage {
    /// Processor time in all.
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }

    /// Sums up the processes of one group.
    pub fn of_group(group: u32) -> Result<Self> {
        let mut sum = Self::default();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process may end between being listed and being read.
            match Self::of_member(pid, group) {
                Ok(Some(usage)) => sum = sum + usage,
                Ok(None) => {}
                Err(error) if gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        (sum.processes > 0).then_some(sum).context("no process of the group is left")
    }

    /// Whether a process of the group still runs; one that has ended and waits to be reaped does not.
    pub(super) fn group_runs(group: u32) -> bool {
        let runs = |pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
            let state = fields.next()?;
            let own = fields.nth(1)?.parse::<u32>().ok()?;
            Some(own == group && !matches!(state, "Z" | "X"))
        };
        fs::read_dir("/proc").is_ok_and(|entries| {
            let mut pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
            pids.any(|pid| runs(pid).unwrap_or(false))
        })
    }

    fn of_member(pid: u32, group: u32) -> Result<Option<Self>> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let Some(mut usage) = times(&stat, group).with_context(|| format!("cannot read {stat:?}"))? else {
            return Ok(None);
        };
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        usage.resident_bytes = pss(&rollup).context("no Pss line in smaps_rollup")?;
        Ok(Some(usage))
    }
}

impl Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
            resident_bytes: self.resident_bytes + other.resident_bytes,
            processes: self.processes + other.processes,
        }
    }
}

/// What was used between two readings: times and memory as differences, never below zero.
impl Sub for Usage {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            resident_bytes: self.resident_bytes.saturating_sub(earlier.resident_bytes),
            processes: self.processes,
        }
    }
}

fn gone(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>();
    // ESRCH (3): the file was open when the process ended.
    kind.is_some_and(|e| e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(3))
}

/// The times in a `/proc/PID/stat` line, if the process belongs to `group` (proc_pid_stat(5)).
fn times(stat: &str, group: u32) -> Result<Option<Usage>> {
    // The second field is the program's name in brackets, which may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("no program name")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| {
        fields.get(number - 3).context("too few fields")?.parse::<u64>().context("not a number")
    };
    if field(5)? != u64::from(group) {
        return Ok(None);
    }
    let ticks = |count: u64| {
        Duration::from_secs(count) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
    };
    let user = ticks(field(14)? + field(16)?);
    let system = ticks(field(15)? + field(17)?);
    Ok(Some(Usage { user, system, resident_bytes: 0, processes: 1 }))
}

fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STAT: &str = "42 (a) b) S 1 40 40 0 -1 4194560 9 8 7 6 150 50 100 25 20 0 4 0 100 1 1 1";

    #[test]
    fn times_count_ended_workers_and_survive_odd_names() {
        let per_tick =
            Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap();
        let usage = times(STAT, 40).unwrap().unwrap();
        assert_eq!(usage.user, per_tick * 250);
        assert_eq!(usage.system, per_tick * 75);
        assert_eq!(times(STAT, 41).unwrap(), None);
        times("42 (a) S 1", 40).unwrap_err();
    }

    #[test]
    fn pss_is_in_bytes() {
        assert_eq!(pss("0-1 ---p\nRss:  9 kB\nPss:                1234 kB\n"), Some(1234 * 1024));
        assert_eq!(pss("Rss: 9 kB\n"), None);
    }
}
