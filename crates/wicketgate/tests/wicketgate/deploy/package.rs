//! The Debian package on a machine of its own: installed, at work, upgraded under load, removed, purged.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::process::raise_open_files;
use wicketgate_testkit::raw::{EchoBackend, EchoSettings, Endpoint, Place, RawClient};

use super::machine::Machine;
use super::{BINARY, done, root};
use crate::peers::all;
use crate::peers::load::{Fate, Load};

/// Sessions that are open at the upgrade.
const SESSIONS: usize = 400;
/// What `deploy/debian/wicketgate.yaml` says.
const LISTENER: &str = "127.0.0.1:8080";
const BACKEND: &str = "127.0.0.1:9000";
/// The process that systemd takes for the gateway.
const MAIN: &str = "systemctl show --property=MainPID --value wicketgate";

/// The package of this program, in two revisions, in this folder.
fn packages(dir: &Dir) -> Vec<PathBuf> {
    let own = || Path::new(BINARY).parent().unwrap().join("xtask");
    let xtask = std::env::var_os("WICKETGATE_XTASK").map_or_else(own, PathBuf::from);
    ["1", "2"]
        .map(|revision| {
            let file = dir.join(format!("wicketgate_{revision}.deb"));
            let mut make = Command::new(&xtask);
            make.args(["package", "--built", "--profile", "dev", "--revision", revision, "--output"])
                .arg(&file);
            done(make.current_dir(root()));
            file
        })
        .to_vec()
}

#[test]
fn a_package_is_installed_serves_is_upgraded_under_load_and_goes() {
    if !all("the Debian package on a machine of its own") {
        return;
    }
    raise_open_files().unwrap();
    let dir = Dir::new().unwrap();
    let packages = packages(&dir);
    let peers =
        std::env::var_os("WICKETGATE_PEERS").map_or_else(|| root().join("target/peers"), PathBuf::from);
    let debian = peers.join("debian");
    assert!(debian.is_dir(), "{} is not there: run `cargo xtask peers all`", debian.display());
    let here = tokio::runtime::Runtime::new().unwrap();
    let machine = here.block_on(Machine::boot(&debian, &packages));
    machine.inside(|| {
        // Its threads are born there, and with them its sockets.
        let there = tokio::runtime::Runtime::new().unwrap();
        there.block_on(life(&machine));
    });
}

async fn life(machine: &Machine) {
    let settings =
        EchoSettings { listen: Some(Place::Tcp(BACKEND.parse().unwrap())), ..EchoSettings::default() };
    let backend = EchoBackend::with(settings).await.unwrap();
    installed(machine);
    let endpoint = Endpoint::plain(LISTENER.parse::<std::net::SocketAddr>().unwrap());
    activated(machine, &endpoint).await;
    let load = Load::start(&endpoint, "/", SESSIONS).await;
    load.round().await;
    machine.run("systemctl reload wicketgate");
    machine.until_says("journalctl --unit=wicketgate --output=cat", "configuration reloaded");
    load.round().await;
    let fresh = upgraded(machine, &endpoint, load).await;
    assert_eq!(backend.open_sessions(), SESSIONS / 4);
    fresh.round().await;
    removed(machine);
    // Whoever stops it lets its sessions go, as at any stop.
    fresh.ended().await.all(SESSIONS / 4, Fate::Closed(1012));
    purged(machine);
}

/// What is there once it is installed, and that it runs as it should.
fn installed(machine: &Machine) {
    machine.run("dpkg --install /packages/wicketgate_1.deb");
    assert_eq!(
        machine.run("stat --format='%U:%G %a' /etc/wicketgate/wicketgate.yaml"),
        "root:wicketgate 640\n"
    );
    assert_eq!(machine.run("stat --format='%U:%G %a' /usr/bin/wicketgate"), "root:root 755\n");
    assert_eq!(machine.run("stat --format='%U:%G %a' /run/wicketgate"), "wicketgate:wicketgate 750\n");
    assert_eq!(machine.run("stat --format='%U:%G %a' /var/lib/wicketgate"), "wicketgate:wicketgate 700\n");
    for user in ["wicketgate", "wicketgate-agent"] {
        let entry = machine.run(&format!("getent passwd {user}"));
        assert!(entry.trim_end().ends_with("nologin"), "{entry}");
    }
    for file in [
        "/usr/share/man/man1/wicketgate-run.1.gz",
        "/usr/share/bash-completion/completions/wicketgate",
        "/usr/share/doc/wicketgate/README.md.gz",
    ] {
        machine.run(&format!("test -s {file} || test -s {}", file.trim_end_matches(".gz")));
    }
    machine.run("wicketgate check --config /etc/wicketgate/wicketgate.yaml");
    assert_eq!(
        machine.run("systemctl is-active wicketgate; systemctl is-enabled wicketgate"),
        "active\nenabled\n"
    );
    assert_eq!(machine.run("systemctl is-enabled wicketgate-agent || true"), "disabled\n");
    assert_eq!(machine.run("wicketgate status"), "ready\n");
    // By the unit: its user, and of root's rights the ports below 1024 alone.
    let main = machine.run(MAIN);
    let status = machine.run(&format!("cat /proc/{}/status", main.trim()));
    let user = machine.run("id --user wicketgate");
    assert!(status.contains(&format!("Uid:\t{0}\t{0}\t{0}\t{0}\n", user.trim())), "{status}");
    for set in ["CapEff", "CapBnd"] {
        assert!(status.contains(&format!("{set}:\t0000000000000400\n")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1\n") && status.contains("Seccomp:\t2\n"), "{status}");
    machine
        .run("systemd-analyze verify wicketgate.service wicketgate-listen.socket wicketgate-agent.service");
    machine.run("systemd-analyze security --threshold=20 wicketgate.service wicketgate-agent.service");
}

/// By its socket unit, which waits for clients: whoever comes while it starts, or starts again, is served.
async fn activated(machine: &Machine, endpoint: &Endpoint) {
    assert_eq!(machine.run("systemctl is-enabled wicketgate-listen.socket || true"), "disabled\n");
    let drop_in = "/etc/systemd/system/wicketgate-listen.socket.d";
    machine.run(&format!(
        "systemctl stop wicketgate
        mkdir {drop_in}
        printf '[Socket]\\nListenStream=\\nListenStream={LISTENER}\\n' >{drop_in}/addresses.conf
        systemctl daemon-reload
        systemctl start wicketgate-listen.socket"
    ));
    assert_eq!(machine.run("systemctl is-active wicketgate || true"), "inactive\n");
    let mut first = RawClient::open(endpoint, "/").await.unwrap();
    first.echoes("it is there").await.unwrap();
    drop(first);
    machine.run("systemctl restart --no-block wicketgate");
    for _ in 0..20 {
        RawClient::open(endpoint, "/").await.unwrap().echoes("nobody is refused").await.unwrap();
    }
    assert_eq!(machine.run("systemctl show --property=NRestarts --value wicketgate"), "0\n");
    machine.run(&format!(
        "systemctl stop wicketgate-listen.socket wicketgate
        rm -r {drop_in}
        systemctl daemon-reload
        systemctl start wicketgate"
    ));
}

/// Another revision under live sessions; gives those that came after it.
async fn upgraded(machine: &Machine, endpoint: &Endpoint, load: Load) -> Load {
    let before = machine.run(MAIN);
    machine.run("dpkg --install /packages/wicketgate_2.deb");
    machine.until_says("journalctl --unit=wicketgate --output=cat", "a new process serves now");
    let after =
        machine.until_says(&format!("pid=$({MAIN}); test $pid = {} || echo pid $pid", before.trim()), "pid ");
    let after = after.trim().trim_start_matches("pid ").to_owned();
    // The one drains the program that is not there any more; the other is what was installed.
    let program = |pid: &str| machine.run(&format!("readlink /proc/{}/exe", pid.trim()));
    assert!(program(&before).contains(" (deleted)"), "{}", program(&before));
    assert_eq!(program(&after), "/usr/bin/wicketgate\n");
    // Nobody's session has ended, and who comes is the other's.
    load.round().await;
    let fresh = Load::start(endpoint, "/", SESSIONS / 4).await;
    let listed = machine.run("wicketgate sessions list --json");
    assert_eq!(listed.lines().count(), SESSIONS / 4, "{listed}");
    let first: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(first["route"], "everything");
    // Whoever looks sees how far it is.
    machine.until_says(
        "systemctl show --property=StatusText wicketgate",
        &format!("draining: {SESSIONS} sessions"),
    );
    machine.until_says("journalctl --unit=wicketgate --output=cat", "draining, 2");
    load.round().await;
    load.ended().await.all(SESSIONS, Fate::Closed(1012));
    machine.until_says(&format!("test -e /proc/{} || echo gone", before.trim()), "gone");
    assert_eq!(machine.run(MAIN).trim(), after);
    for (property, value) in [("ActiveState", "active\n"), ("NRestarts", "0\n"), ("StatusText", "\n")] {
        let show = format!("systemctl show --property={property} --value wicketgate");
        assert_eq!(machine.run(&show), value, "{property}");
    }
    fresh
}

/// It stops, and what an administrator may have changed stays.
fn removed(machine: &Machine) {
    machine.run("systemctl --quiet enable wicketgate-listen.socket");
    machine.run("dpkg --remove wicketgate");
    assert_eq!(machine.run("grep --files-with-matches wicketgate /proc/[0-9]*/comm || true"), "");
    assert_eq!(machine.run("systemctl is-active wicketgate || true"), "inactive\n");
    machine.run("test -s /etc/wicketgate/wicketgate.yaml && test -d /var/lib/wicketgate");
    machine.run("test ! -e /usr/bin/wicketgate && test ! -e /run/wicketgate");
    machine.run("getent passwd wicketgate wicketgate-agent");
}

/// Nothing is left, but for what the system says of it.
fn purged(machine: &Machine) {
    machine.run("dpkg --purge wicketgate");
    let left = "find / -xdev -iname '*wicketgate*' ! -path '/packages/*' ! -path '/proc/*' ! -path '/sys/*'";
    assert_eq!(machine.run(left), "");
    for place in ["/etc/wicketgate", "/var/lib/wicketgate", "/run/wicketgate"] {
        machine.run(&format!("test ! -e {place}"));
    }
    assert_eq!(machine.run("getent passwd wicketgate wicketgate-agent || true"), "");
    assert_eq!(machine.run("getent group wicketgate wicketgate-agent || true"), "");
}
