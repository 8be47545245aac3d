//! The container image: of the program under test, by the Containerfile's last stage, run as its guide says.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Process, Ready, Signal};
use wicketgate_testkit::raw::{EchoBackend, Ended, Endpoint, RawClient};

use super::{BINARY, done, read, root};
use crate::peers::all;

const PATIENCE: Duration = Duration::from_secs(60);
const IMAGE: &str = "localhost/wicketgate:test";

/// What the image holds, laid out in this folder.
fn laid_out(folder: &Path) {
    done(Command::new(root().join("deploy/container/root")).arg(BINARY).arg(folder));
}

#[test]
fn an_image_holds_the_program_and_what_it_takes_and_nothing_else() {
    let dir = Dir::new().unwrap();
    let image = dir.join("image");
    laid_out(&image);
    let mut found: Vec<_> = done(Command::new("find").args([".", "-type", "f"]).current_dir(&image))
        .lines()
        .map(|line| line.trim_start_matches('.').to_owned())
        .collect();
    let is_library = |path: &String| path.starts_with("/lib");
    let libraries: Vec<_> = found.iter().filter(|path| is_library(path)).cloned().collect();
    assert!(
        libraries.iter().any(|path| path.contains("ld-linux") || path.contains("ld-musl")),
        "{libraries:?}"
    );
    assert!(libraries.iter().all(|path| path.contains(".so")), "{libraries:?}");
    found.retain(|path| !is_library(path));
    found.sort();
    let wanted = [
        "/etc/group",
        "/etc/nsswitch.conf",
        "/etc/passwd",
        "/etc/ssl/certs/ca-certificates.crt",
        "/usr/bin/wicketgate",
    ];
    assert_eq!(found, wanted);
    for (place, mode) in [("run/wicketgate", 0o750), ("var/lib/wicketgate", 0o700)] {
        let place = fs::metadata(image.join(place)).unwrap();
        assert_eq!((place.uid(), place.gid(), place.mode() & 0o777), (65532, 65532, mode));
    }
    // It is whole: the program finds its libraries there.
    let said = done(Command::new("chroot").arg(&image).args(["/usr/bin/wicketgate", "--version"]));
    assert_eq!(said, format!("wicketgate {}\n", env!("CARGO_PKG_VERSION")));
}

/// Mounts of its own, among them cgroups of the second version alone, which Podman's runtime wants to see.
const APART: &str =
    "mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec podman \"$@\"";

/// Podman, with whatever it stores in this folder.
fn podman(dir: &Dir) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", APART, "podman", "--root"]).arg(dir.join("storage"));
    command.arg("--runroot").arg(dir.join("run")).args([
        "--storage-driver",
        "vfs",
        "--events-backend",
        "file",
    ]);
    command.args(["--cgroup-manager", "cgroupfs"]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_serves_without_rights_and_drains() {
    if !all("the container image, by Podman") {
        return;
    }
    let (dir, port, backend) =
        (Dir::new().unwrap(), Port::free().unwrap(), EchoBackend::start().await.unwrap());
    laid_out(&dir.join("image"));
    // The first stage needs a registry; what it makes is here.
    let (_, last) = read("deploy/container/Containerfile")
        .split_once("FROM scratch")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let file = dir
        .write("Containerfile", format!("FROM scratch{}", last.replace("--from=build /image /", "image /")))
        .unwrap();
    let mut build = podman(&dir);
    build.args(["build", "--isolation", "chroot", "--tag", IMAGE, "--file"]).arg(file).arg(dir.path());
    done(&mut build);
    let about = done(podman(&dir).args(["image", "inspect", IMAGE]));
    let about: Value = serde_json::from_str(&about).unwrap();
    assert_eq!(about[0]["Config"]["User"], "65532:65532");
    assert_eq!(about[0]["Config"]["Entrypoint"], json!(["/usr/bin/wicketgate"]));

    let config = format!(
        "listeners: [{{name: main, bind: \"{}\"}}]\nupstreams: [{{name: echo, targets: [\"ws://{}\"]}}]\n\
         routes: [{{name: all, upstream: echo}}]\nadmin: {{bind: unix:/run/wicketgate/admin.sock}}\n\
         audit: {{store: {{path: /var/lib/wicketgate/audit.db}}}}\ndrain: {{timeout: 3s}}\n",
        port.addr(),
        backend.addr().unwrap()
    );
    let config = dir.write("wicketgate.yaml", config).unwrap();
    let mut run = podman(&dir);
    run.args([
        "run",
        "--rm",
        "--name",
        "gate",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
    ]);
    run.args([
        "--network=host",
        "--cgroups=disabled",
        "--tmpfs=/run/wicketgate",
        "--tmpfs=/var/lib/wicketgate",
    ]);
    // Its own defaults may be more than whoever runs the test may have.
    run.args(["--read-only-tmpfs=false", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]);
    run.arg(format!("--volume={}:/etc/wicketgate/wicketgate.yaml:ro", config.display())).arg(IMAGE);
    fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let container = Process::spawn_within(run, Ready::port(port.addr()), PATIENCE).await.unwrap();
    let mut session = RawClient::open(&Endpoint::plain(port.addr()), "/").await.unwrap();
    session.echoes("from inside").await.unwrap();
    let said = done(podman(&dir).args(["exec", "gate", "/usr/bin/wicketgate", "status"]));
    assert_eq!(said, "ready\n");
    let pid = done(podman(&dir).args(["inspect", "--format", "{{.State.Pid}}", "gate"]));
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
    for line in [
        "Uid:\t65532\t65532\t65532\t65532\n",
        "CapEff:\t0000000000000000\n",
        "CapBnd:\t0000000000000000\n",
        "NoNewPrivs:\t1\n",
    ] {
        assert!(status.contains(line), "{line}{status}");
    }
    // As `podman stop` tells it.
    container.signal(Signal::TERM).unwrap();
    assert_eq!(session.ended().await.unwrap(), Ended::Closed(Some(1012)));
    let (ended, said) = container.finish(PATIENCE).await.unwrap();
    assert!(ended.success() && said.contains("drained"), "{said}");
}
