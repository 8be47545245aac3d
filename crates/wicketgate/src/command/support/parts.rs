//! The files of a support bundle, each bounded.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use http::Method;
use rustix::system::uname;
use serde_json::Value;
use wicketgate_gateway::config::{self, AdminConfig, Report};

use super::super::configuration::counted;
use super::super::operator;

/// A file of the archive.
pub(super) struct Part {
    /// Its name in there.
    pub(super) name: String,
    /// What it is.
    pub(super) about: &'static str,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
}

impl Part {
    pub(super) fn new(name: impl Into<String>, about: &'static str, text: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), about, bytes: text.into() }
    }
}

/// All that can be had. What cannot is told in its place.
pub(super) fn gather(path: &Path) -> Vec<Part> {
    let (config, report) = match config::load(path) {
        Ok((config, report)) => (Some(config), report),
        Err(report) => (None, report),
    };
    let mut parts = vec![
        Part::new("version.txt", "the program that made this, and what it is built with", version()),
        Part::new(
            "problems.txt",
            "where the configuration has problems, without what stands there",
            problems(&report),
        ),
    ];
    for (number, file) in config::view(&report).into_iter().enumerate() {
        let name =
            Path::new(&file.path).file_name().map_or("configuration".into(), |name| name.to_string_lossy());
        parts.push(Part::new(
            format!("configuration/{:02}-{name}", number + 1),
            "the configuration, secrets masked",
            format!("# {}\n{}", file.path, file.text),
        ));
    }
    let gateway = match config.as_ref().map(|config| config.admin.as_ref()) {
        None => Err("the configuration cannot be used, so the gateway cannot be asked".to_owned()),
        Some(None) => Err(format!("{:#}", operator::no_admin())),
        Some(Some(admin)) => running(admin).map_err(|error| format!("{error:#}")),
    };
    let pid = gateway.as_ref().ok().and_then(|(pid, _)| *pid);
    match gateway {
        Ok((_, more)) => parts.extend(more),
        Err(why) => parts.push(Part::new("gateway.txt", "why the running gateway tells nothing", why + "\n")),
    }
    parts.push(Part::new(
        "system.txt",
        "the kernel, the machine, and the limits of the process",
        system(pid),
    ));
    parts
}

/// What the running gateway says, and the number of its process.
fn running(admin: &AdminConfig) -> anyhow::Result<(Option<u64>, Vec<Part>)> {
    let mut status: Value = operator::ask(Some(admin), Method::GET, "/status", Vec::new())?;
    // Who they are is nobody else's affair.
    if let Some(status) = status.as_object_mut() {
        status.remove("busiest");
    }
    let log: Value = operator::ask(Some(admin), Method::GET, "/log", Vec::new())?;
    let mut lines = String::new();
    for line in log.get("lines").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(lines, "{line}");
    }
    let pid = status.pointer("/process/pid").and_then(Value::as_u64);
    let (_, metrics) = operator::fetch(admin, Method::GET, "/metrics", Vec::new())?;
    let parts = vec![
        Part::new(
            "status.json",
            "what goes through the running gateway",
            serde_json::to_vec_pretty(&status)?,
        ),
        Part::new("metrics.txt", "its metrics, as Prometheus reads them", metrics.to_vec()),
        Part::new("log.jsonl", "the latest lines of its log", lines),
    ];
    Ok((pid, parts))
}

fn version() -> String {
    let mut text = format!("wicketgate {}\n", env!("CARGO_PKG_VERSION"));
    for (feature, is_in) in [
        ("fips", cfg!(feature = "fips")),
        ("mimalloc", cfg!(feature = "mimalloc")),
        ("plugins", cfg!(feature = "plugins")),
        ("debug assertions", cfg!(debug_assertions)),
    ] {
        let _ = writeln!(text, "{feature}: {}", if is_in { "yes" } else { "no" });
    }
    let _ = writeln!(text, "built for: {} {}", std::env::consts::ARCH, std::env::consts::OS);
    text
}

/// Places alone: what is said of a line may quote it.
fn problems(report: &Report) -> String {
    let mut text = format!("{}\n", counted(report.errors(), report.warnings()));
    for problem in report.problems() {
        let file = report.file(problem.place).map_or("-".into(), |file| file.display().to_string());
        let (line, column) = (problem.place.line(), problem.place.column());
        let _ = writeln!(text, "{:?}: {file}:{line}:{column}", problem.severity);
    }
    text
}

/// What is known of the machine, and of the gateway's process where it is one of this machine's.
fn system(pid: Option<u64>) -> String {
    let name = uname();
    let mut text = String::new();
    for (what, value) in [
        ("kernel", name.sysname()),
        ("release", name.release()),
        ("version", name.version()),
        ("machine", name.machine()),
    ] {
        let _ = writeln!(text, "{what}: {}", value.to_string_lossy());
    }
    let about = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let about = about.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    let _ = writeln!(text, "system: {}", about.trim_matches('"'));
    if let Ok(processors) = std::thread::available_parallelism() {
        let _ = writeln!(text, "processors: {processors}");
    }
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for line in
        memory.lines().filter(|line| line.starts_with("MemTotal:") || line.starts_with("MemAvailable:"))
    {
        let _ = writeln!(text, "{line}");
    }
    for setting in
        ["net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv4/tcp_max_syn_backlog", "fs/nr_open"]
    {
        let value = fs::read_to_string(Path::new("/proc/sys").join(setting));
        let value = value.map_or_else(
            |error| error.to_string(),
            |value| value.split_whitespace().collect::<Vec<_>>().join(" "),
        );
        let _ = writeln!(text, "{setting}: {value}");
    }
    let is_ours =
        |pid: &u64| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "wicketgate\n");
    let (whose, place) = match pid.filter(is_ours) {
        Some(pid) => (format!("the gateway, process {pid}"), format!("/proc/{pid}/limits")),
        None => ("the command that made this".to_owned(), "/proc/self/limits".to_owned()),
    };
    let limits = fs::read_to_string(place).unwrap_or_else(|error| format!("{error}\n"));
    let _ = write!(text, "\nLimits of {whose}:\n{limits}");
    text
}
