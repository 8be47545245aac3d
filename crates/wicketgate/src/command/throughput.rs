//! How much a session moves, as a person watches it.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use wicketgate_relay::endpoint::link::LinkHandle;

/// Between two looks at a terminal, and between two lines elsewhere.
const LOOK: Duration = Duration::from_secs(1);
const LINE: Duration = Duration::from_secs(5);

/// Bytes that have come and gone.
type Moved = [u64; 2];

/// Shows it on standard error until it is dropped: in one line of a terminal, otherwise in a line every five seconds.
pub(super) async fn show(session: LinkHandle) {
    let on_terminal = io::stderr().is_terminal();
    let every = if on_terminal { LOOK } else { LINE };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first is at once.
    ticks.tick().await;
    let moved = || {
        let counters = session.counters();
        [counters.read, counters.written]
    };
    let mut before = moved();
    loop {
        ticks.tick().await;
        let now = moved();
        let text = line(before, now, every);
        let mut out = io::stderr().lock();
        // Nobody is there to be told that nobody reads it.
        let _ = match on_terminal {
            true => write!(out, "\r{text}\x1b[K").and_then(|()| out.flush()),
            false => writeln!(out, "{text}"),
        };
        before = now;
    }
}

fn line(before: Moved, now: Moved, time: Duration) -> String {
    let way = |at: usize| {
        let rate = now[at].saturating_sub(before[at]) as f64 / time.as_secs_f64();
        format!("{}/s, {}", bytes(rate), bytes(now[at] as f64))
    };
    format!("wicketgate: down {}; up {}", way(0), way(1))
}

fn bytes(number: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (number, 0);
    while number >= 1024.0 && unit + 1 < units.len() {
        number /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{number:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_sums_are_shown_each_way() {
        let shown = line([1 << 20, 0], [21 << 20, 5120], LINE);
        assert_eq!(shown, "wicketgate: down 4.0 MiB/s, 21.0 MiB; up 1.0 KiB/s, 5.0 KiB");
    }
}
