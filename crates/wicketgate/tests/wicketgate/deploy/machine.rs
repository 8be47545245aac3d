//! A Debian machine that boots systemd, in namespaces and a network of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::netns::{Host, Lan};
use wicketgate_testkit::process::{Process, Ready};

/// How long anything on it may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at what nobody tells of.
const LOOK: Duration = Duration::from_millis(50);

/// A running machine. Dropping it ends it, and nothing of it is left.
pub(super) struct Machine {
    /// The process id of its first process, as this system counts.
    first: u32,
    process: Process,
    host: Host,
    _lan: Lan,
    _dir: Dir,
}

impl Machine {
    /// Boots one from this root, with these files in `/packages`.
    pub(super) async fn boot(root: &Path, packages: &[PathBuf]) -> Self {
        let (lan, dir) = (Lan::new().unwrap(), Dir::new().unwrap());
        let host = lan.host(2).unwrap();
        let place = dir.join("upper/packages");
        fs::create_dir_all(&place).unwrap();
        for package in packages {
            fs::copy(package, place.join(package.file_name().unwrap())).unwrap();
        }
        let mut boot = Command::new("unshare");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wicketgate/deploy/boot.sh");
        boot.args(["--mount", "sh"]).arg(script).arg(root).arg(dir.path());
        let process = Process::spawn(host.command(&boot), Ready::Started).await.unwrap();
        let mut machine = Self { first: process.pid(), process, host, _lan: lan, _dir: dir };
        machine.first = machine.until("its first process", Machine::find_first);
        machine.until("systemd", |machine| {
            let state = machine.output("systemctl is-system-running || true").ok()?;
            ["running", "degraded"].contains(&state.trim()).then_some(())
        });
        machine
    }

    /// Its network, for a thread that is there.
    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.host.inside(work).unwrap()
    }

    /// Runs a script of the shell on it, as root; gives what it writes.
    #[track_caller]
    pub(super) fn run(&self, script: &str) -> String {
        match self.output(script) {
            Ok(out) => out,
            Err(said) => panic!("{script}: {said}"),
        }
    }

    /// Waits until the script writes this.
    #[track_caller]
    pub(super) fn until_says(&self, script: &str, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.run(script);
            if said.contains(wanted) {
                return said;
            }
            assert!(Instant::now() < deadline, "{script} does not say {wanted}: {said}");
            std::thread::sleep(LOOK);
        }
    }

    fn output(&self, script: &str) -> Result<String, String> {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.first.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid"]);
        enter.args(["--cgroup", "--root", "env", "-i", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]);
        enter.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c"]);
        enter.arg(format!("cd /\n{script}"));
        let output = enter.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(said) } else { Err(format!("{}: {said}", output.status)) }
    }

    #[track_caller]
    fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} does not come: {}", self.process.output());
            std::thread::sleep(LOOK);
        }
    }

    /// The process below ours that is the first one of its own processes.
    fn find_first(&self) -> Option<u32> {
        let mut below = vec![self.process.pid()];
        while let Some(pid) = below.pop() {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let ids = status
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:"))?
                .split_whitespace()
                .collect::<Vec<_>>();
            if ids.len() > 1 && ids.last() == Some(&"1") && status.starts_with("Name:\tsystemd\n") {
                return Some(pid);
            }
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
            below.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        None
    }
}
