//! A process of its own that records and says what was acknowledged: this test program, started again.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use wicketgate_audit::{Audit, AuditConfig, Durability, Event, Keep, Record, StoreConfig, Who};

const STORE: &str = "WICKETGATE_AUDIT_CHILD_STORE";
const RECORDS: &str = "WICKETGATE_AUDIT_CHILD_RECORDS";
const KEEP: &str = "WICKETGATE_AUDIT_CHILD_KEEP";

/// What the process is to do.
pub(crate) struct Task<'a> {
    pub(crate) store: &'a Path,
    /// Records for each of its threads.
    pub(crate) records: u64,
    /// The bound of the file, in bytes.
    pub(crate) keep: Option<u64>,
    /// A limit on the size of files, in blocks of 512 bytes, that the process can be freed of.
    pub(crate) limit: Option<u64>,
}

/// The process, and what it says: `ack N` for each record that is durable, `failing`, `ready` and `done`.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Task<'_> {
    pub(crate) fn start(&self) -> Running {
        let own = env::current_exe().unwrap();
        let mut command = match self.limit {
            None => Command::new(own),
            Some(blocks) => {
                // A write beyond the limit fails, rather than ending the process.
                let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
                let mut shell = Command::new("sh");
                shell.args(["-c", &script]).arg(own);
                shell
            }
        };
        command.args(["child::records", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(STORE, self.store).env(RECORDS, self.records.to_string());
        if let Some(keep) = self.keep {
            command.env(KEEP, keep.to_string());
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Running { process, lines }
    }
}

impl Running {
    /// The next of its lines that begins with `word`; the numbers of all records that were acknowledged before it are added.
    pub(crate) fn until(&mut self, word: &str, acknowledged: &mut Vec<u64>) -> bool {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            acknowledged.extend(line.strip_prefix("ack ").and_then(|number| number.parse::<u64>().ok()));
            if line.starts_with(word) {
                return true;
            }
        }
        false
    }
}

/// None outlives its test.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn store(path: &Path, mode: Durability) -> StoreConfig {
    StoreConfig {
        path: path.to_owned(),
        mode,
        queue: 1 << 20,
        commit_interval: Duration::ZERO,
        keep: Keep { age: None, size: None },
        recipient: None,
    }
}

/// A record by its number.
pub(crate) fn record(number: u64) -> Record {
    let who = Who { session: Some(number), subject: Some("ann"), ..Who::default() };
    let excerpt = "x".repeat(1000);
    Record { excerpt: Some(excerpt), ..Event::Refused { reason: "origin", status: Some(403) }.record(&who) }
}

/// The process; as a test it does nothing.
#[test]
fn records() {
    let Some(path) = env::var_os(STORE) else { return };
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    // What the test harness has begun to say is a line of its own.
    say("");
    let config = StoreConfig {
        keep: Keep { age: None, size: number(KEEP) },
        ..store(Path::new(&path), Durability::Guaranteed)
    };
    let audit = Audit::start(AuditConfig { store: Some(config), ..AuditConfig::default() }).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let audit = audit.clone();
            let records = number(RECORDS).unwrap();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for n in (0..records).map(|n| n * 4 + thread) {
                    runtime.block_on(audit.record(record(n)).unwrap()).unwrap();
                    say(&format!("ack {n}"));
                }
            })
        })
        .collect();
    let mut was_ready = true;
    while threads.iter().any(|thread| !thread.is_finished()) {
        if audit.is_ready() != was_ready {
            was_ready = !was_ready;
            say(if was_ready { "ready" } else { "failing" });
        }
        thread::sleep(Duration::from_millis(1));
    }
    audit.close(Duration::from_secs(10));
    say("done");
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
