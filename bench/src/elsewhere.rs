//! How busy the machine was with anything but the comparison: figures taken beside a compiler say little.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wicketgate_testkit::process::Usage;

/// Length of the ticks in `/proc/stat`: USER_HZ is 100 on every Linux that this runs on.
const TICK_MILLISECONDS: u64 = 10;

/// Processor time of the whole machine, and of the comparison's own part of it, at one moment.
pub(crate) struct Elsewhere {
    at: Instant,
    machine: Duration,
    own: Duration,
}

impl Elsewhere {
    /// `proxy` is the time of the processes under load; load and backend are added here.
    pub(crate) fn now(proxy: Option<Duration>) -> Result<Self> {
        let group = field(&fs::read_to_string("/proc/self/stat")?, 5).context("no process group")?;
        let own = Usage::of_group(u32::try_from(group)?)?.cpu() + proxy.unwrap_or_default();
        let machine = busy(&fs::read_to_string("/proc/stat")?).context("no first line in /proc/stat")?;
        Ok(Self { at: Instant::now(), machine, own })
    }

    /// The share of the machine's processor time that went to others, 0 to 1.
    pub(crate) fn share_until(&self, later: &Self) -> Result<f64> {
        let cores = u32::try_from(std::thread::available_parallelism()?.get())?;
        let others = (later.machine - self.machine).saturating_sub(later.own - self.own);
        let all = (later.at - self.at) * cores;
        Ok((others.as_secs_f64() / all.as_secs_f64()).min(1.0))
    }
}

/// A field of a `/proc/PID/stat` line, counted from 1 (proc_pid_stat(5)).
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

/// All time but idle and waiting, time stolen by the hypervisor with it (proc_stat(5)).
fn busy(stat: &str) -> Option<Duration> {
    let fields: Option<Vec<u64>> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).map(|word| word.parse().ok()).collect();
    match fields?[..] {
        [user, nice, system, _idle, _wait, interrupt, soft_interrupt, stolen, ..] => {
            let ticks = user + nice + system + interrupt + soft_interrupt + stolen;
            Some(Duration::from_millis(TICK_MILLISECONDS * ticks))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_those_of_the_manual() {
        assert_eq!(field("7 (a ) b) S 1 4242 4242 0 -1", 5), Some(4242));
        let line = "cpu  100 1 20 5000 60 3 4 2 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy(line), Some(Duration::from_millis(1300)));
    }

    #[test]
    fn a_share_lies_between_none_and_all() {
        let start = Elsewhere::now(None).unwrap();
        while start.at.elapsed() < Duration::from_millis(50) {}
        let share = start.share_until(&Elsewhere::now(None).unwrap()).unwrap();
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
}
