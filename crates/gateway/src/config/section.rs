//! The small sections of the file: log, drain, runtime, limits.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::limits::config::{
    LimitsConfig as Admitted, RawLimit, RawLimits as RawAdmitted, RawTracked, RawUpgrades, TrackedConfig,
};
use wicketgate_config::{At, Problems, Size, Time};

use crate::pictures::config::{PicturesConfig, RawPictures};

/// What is logged, how and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLog {
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// The least urgent lines that are written.
    pub level: LogLevel,
    /// Where a line for every request and session goes: `stdout`, `stderr`, `off`, or the path of a file.
    pub access: At<String>,
    /// Where audit events go (who was admitted, refused, closed, kicked): `stdout`, `stderr`, `off`, or the path of a file.
    pub audit: At<String>,
    /// How many of the latest lines the admin listener shows, at `/log`, for `wicketgate support-bundle`; those of requests and audit
    /// events are not among them. 0 to 10000, 0: none. At most 1 KiB of memory each.
    pub recent: At<u32>,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Info,
            access: At::nowhere("stdout".into()),
            audit: At::nowhere("stdout".into()),
            recent: At::nowhere(500),
        }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// How urgent a line has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What went wrong and needs somebody.
    Error,
    /// What may need somebody.
    Warn,
    /// What the operator may want to know: start, reload, stop.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Every step.
    Trace,
}

/// What is logged, how and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of lines.
    pub format: LogFormat,
    /// The least urgent lines that are written.
    pub level: LogLevel,
    /// Where a line for every request and session goes.
    pub access: LogSink,
    /// Where audit events go.
    pub audit: LogSink,
    /// How many of the latest lines are kept to be shown.
    pub recent: usize,
}

/// Where lines of one kind go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSink {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

impl RawLog {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> LogConfig {
        let access = sink("access log", self.access, problems);
        let audit = sink("audit log", self.audit, problems);
        let recent = problems.in_range("recent", &self.recent, 0..=10_000) as usize;
        LogConfig { format: self.format, level: self.level, access, audit, recent }
    }
}

fn sink(what: &str, given: At<String>, problems: &mut Problems) -> LogSink {
    match given.as_str() {
        "off" | "false" => LogSink::Off,
        "stdout" => LogSink::Stdout,
        "stderr" => LogSink::Stderr,
        path => {
            if !path.contains('/') {
                problems.error(
                    given.place,
                    format!("`{path}` is no place for the {what}"),
                    "give `stdout`, `stderr`, `off`, or a path with a `/`",
                );
            }
            LogSink::File(path.into())
        }
    }
}

/// How a stop or a reload treats sessions that are open.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDrain {
    /// How long open sessions and requests have to end; they are told to at moments spread over this time, and
    /// cut off at its end. After a handover to another process they may go on undisturbed for its first half. 0s to 1d.
    pub timeout: At<Time>,
}

impl Default for RawDrain {
    fn default() -> Self {
        Self { timeout: At::nowhere(Time::secs(30)) }
    }
}

/// How a stop or a reload treats sessions that are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainConfig {
    /// How long they have to end.
    pub timeout: Duration,
}

impl RawDrain {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> DrainConfig {
        let timeout = problems.in_range("timeout", &self.timeout, Time::secs(0)..=Time::secs(86_400));
        DrainConfig { timeout: timeout.0 }
    }
}

/// The process itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawRuntime {
    /// Threads that carry traffic, 1 to 1024; as many as the machine has processors where it is not given.
    pub threads: Option<At<u32>>,
    /// The path of a Unix socket through which the next process takes the listening sockets over, so that a restart loses
    /// no connection: start the new process, and the old one drains. Only the same user may. No handover where it is
    /// not given.
    pub handover: Option<At<String>>,
}

/// The process itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// Threads that carry traffic.
    pub threads: usize,
    /// Where the next process takes the listening sockets over.
    pub handover: Option<PathBuf>,
}

impl RawRuntime {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> RuntimeConfig {
        let threads = match self.threads {
            Some(threads) => problems.in_range("threads", &threads, 1..=1024) as usize,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        if let Some(path) = self.handover.as_ref().filter(|path| !path.starts_with('/')) {
            let what = format!("`{}` is no absolute path", path.value);
            problems.error(path.place, what, "write it as in /run/wicketgate/handover.sock");
        }
        RuntimeConfig { threads, handover: self.handover.map(|path| path.value.into()) }
    }
}

/// Bounds that all listeners and routes share.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Client connections open at once, 1 to 10000000. At the limit no listener accepts until one ends, and the
    /// system's backlogs queue. It changes only at a restart. Worst case, when all of them are in a TLS handshake or
    /// sending a request head: about 64 KiB each, so 4 GiB at the default; an idle session holds a few KiB.
    pub connections: At<u32>,
    /// Bytes held by messages that are not yet complete, in all sessions together, 1MiB to 1TiB. This is its own
    /// worst case. Beyond it the session whose message needs more is closed with 1013.
    pub assembly_memory: At<Size>,
    /// Bytes held by decompressors and by what they have put out, in all sessions together, 1MiB to 1TiB. This is
    /// its own worst case. Beyond it compression is declined, or the session closed with 1013.
    pub inflate_memory: At<Size>,
    /// What may be done at once to mark pictures.
    pub pictures: RawPictures,
    /// Upgrades a second on all routes together, of those that no other check refused; 503 beyond it. There is no limit where
    /// none is given, nor for the next four.
    pub upgrades: Option<RawUpgrades>,
    /// WebSocket sessions open at once on all routes together, 1 to 10000000; 503 beyond it.
    pub sessions: Option<At<u32>>,
    /// Upgrades and sessions of each client address.
    pub per_address: RawLimit,
    /// Upgrades and sessions of each network of client addresses: /24 of IPv4, /64 of IPv6.
    pub per_prefix: RawLimit,
    /// Upgrades and sessions of each identity, by its subject, whatever the number of its addresses.
    pub per_identity: Option<At<RawLimit>>,
    /// How many addresses, networks and identities can be told apart at once.
    pub tracked: RawTracked,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            connections: At::nowhere(65_536),
            assembly_memory: At::nowhere(Size(256 << 20)),
            inflate_memory: At::nowhere(Size(256 << 20)),
            pictures: RawPictures::default(),
            upgrades: None,
            sessions: None,
            per_address: RawLimit::default(),
            per_prefix: RawLimit::default(),
            per_identity: None,
            tracked: RawTracked::default(),
        }
    }
}

/// Bounds that all listeners and routes share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Client connections open at once.
    pub connections: usize,
    /// Bytes held by messages that are not yet complete, in all sessions together.
    pub assembly_memory: u64,
    /// Bytes held by decompressors and what they have put out, in all sessions together.
    pub inflate_memory: u64,
    /// What may be done at once to mark pictures.
    pub pictures: PicturesConfig,
    /// How much may connect.
    pub admission: Admitted,
    /// How many clients can be told apart at once.
    pub tracked: TrackedConfig,
}

impl RawLimits {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> LimitsConfig {
        let memory = Size(1 << 20)..=Size(1 << 40);
        let Self { upgrades, sessions, per_address, per_prefix, per_identity, .. } = self;
        let admission = RawAdmitted { upgrades, sessions, per_address, per_prefix, per_identity };
        LimitsConfig {
            connections: problems.in_range("connections", &self.connections, 1..=10_000_000) as usize,
            assembly_memory: problems.in_range("assembly_memory", &self.assembly_memory, memory.clone()).0,
            inflate_memory: problems.in_range("inflate_memory", &self.inflate_memory, memory).0,
            pictures: self.pictures.check(problems),
            admission: admission.check(problems),
            tracked: self.tracked.check(problems),
        }
    }
}
