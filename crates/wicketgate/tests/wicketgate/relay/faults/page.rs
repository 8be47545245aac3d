//! The page, and what of it every run compares.

use std::fmt::Write as _;

use super::checked::Faults;
use super::stage::SESSIONS;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/relay-faults.md");

/// What came of a row.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) cuts: u64,
    /// How often a session was resumed, of all sessions.
    pub(super) resumed: usize,
    pub(super) bytes: u64,
    pub(super) sessions: String,
    pub(super) faults: Faults,
}

impl Line {
    pub(super) fn failed() -> Self {
        let sessions = "does not hold".to_owned();
        Self { cuts: 0, resumed: 0, bytes: 0, sessions, faults: Faults::default() }
    }

    /// All sessions did as they should, and no byte was lost, came twice, or was another.
    pub(super) fn holds(&self) -> bool {
        self.faults == Faults::default() && self.sessions.starts_with(&format!("{SESSIONS} of {SESSIONS} "))
    }

    fn row(&self, name: &str) -> String {
        let Self { cuts, resumed, bytes, sessions, faults: Faults { lost, repeated, altered } } = self;
        // One that is another is lost, and there is one too many.
        let (lost, repeated) = (lost + altered, repeated + altered);
        let mebibytes = bytes >> 20;
        format!("| {name} | {cuts} | {resumed} | {mebibytes} MiB | {sessions} | {lost} | {repeated} |")
    }
}

const HEAD: &str = "# Faults that private sessions outlive

Written by `UPDATE_GOLDEN=1 WICKETGATE_TEST_ALL=1 cargo xtask test -- --test wicketgate relay::faults`, as root; do not edit. Every run of the tests makes these
faults, fewer of each and for a shorter time, and compares what becomes of sessions and bytes with this page.

Twenty sessions, a `wicketgate connect` each, move bytes both ways all the time: five carry ssh, five HTTP, five raw bytes both ways at once, five bursts as of a remote desktop,
small ones and large ones. Clients and agent are each on a machine of its own (network namespaces), and reach the gateway through nginx that ends TLS. Each byte says where it
belongs in its stream, and is looked at where it comes.

*Times*: how often it befell all sessions. *Resumed*: how often a session was carried again, of all sessions. *Bytes*: those that were looked at. *Lost* and *repeated*: bytes, of those.

| what happens | times | resumed | bytes | sessions | lost | repeated |
|---|---|---|---|---|---|---|
";

const NOTES: &str = "
- *Reloaded*: nginx and HAProxy end what the old processes still carry after a second (`worker_shutdown_timeout`, `hard-stop-after`). The two further times with HAProxy
  are the way there and back. The gateway ends no session at a reload.
- *Packets dropped*: first those of the clients, then those of the agent; nobody is told. Keepalive has the times that it has always. Every run drops them for 2 s
  instead of 30, and leaves out the 5 min.
- *Half-open*: the gateway's side of the clients' connections is closed, and the agent's side of its own; the other sides hear nothing. Endpoints take such
  a connection for dead after 40 s, which only `cargo xtask test --all` waits for.
- *Carrier kind*: nginx is taken away, and comes back.
- *Disk full*: a tmpfs of 32 MiB, with the audit's store and a file of audit lines. Sessions go on while it is full. Then they
  are cut: the gateway lets nobody in without a record, so that they wait, and are resumed once there is room.
- *Cuts at random bytes*: one half on the clients' line, one half on the agent's; each resets all connections that are there on that line. Many come before all sessions are
  back from the one before, in the middle of a handshake too: that is why fewer are resumed than twenty for each.
- *Clock*: the wall clock, by libfaketime, of one party after the other; after each jump all connections are reset.
- *Agent started again*: the other end of its sessions is gone. They end with a typed reason; what had come until then was in order.
";

pub(super) fn write(lines: &[(&str, Line)]) {
    let mut text = HEAD.to_owned();
    for (name, line) in lines {
        writeln!(text, "{}", line.row(name)).unwrap();
    }
    std::fs::write(PAGE, text + NOTES).unwrap();
}

/// Name, sessions, lost and repeated: what is the same in each run.
fn steady(row: &str) -> Option<[&str; 4]> {
    match row.split('|').map(str::trim).collect::<Vec<_>>()[..] {
        ["", name, _, _, _, sessions, lost, repeated, ""] => Some([name, sessions, lost, repeated]),
        _ => None,
    }
}

/// Each line is to be as the page says, and the page to say nothing else.
pub(super) fn compare(lines: &[(&str, Line)], names: &[&str]) {
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    let said: Vec<_> = page.lines().filter_map(steady).collect();
    let named = said.iter().map(|[name, ..]| *name).filter(|name| !["what happens", "---"].contains(name));
    assert_eq!(named.collect::<Vec<_>>(), names, "the page has other rows");
    let seen: Vec<_> = lines.iter().map(|(name, line)| line.row(name)).collect();
    let other: Vec<_> =
        seen.iter().filter(|row| !steady(row).is_some_and(|row| said.contains(&row))).collect();
    assert!(other.is_empty(), "the page says otherwise:\n{other:#?}");
    assert!(lines.iter().all(|(_, line)| line.holds()), "{seen:#?}");
}
